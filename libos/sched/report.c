/* SPDX-License-Identifier: MIT */
/* What the log says of a scheduler library that broke the rules. */
#include "core/log.h"
#include "sched/culprit.h"
#include "sched/library.h"
#include "time/time.h"

enum detail { NUMBER, ADDRESS, UNSAID };

static const struct {
	const char *what;
	enum detail detail;
} reasons[] = {
	[SCHED_EXIT_SWAPPED] = { "was swapped out", NUMBER },
	[SCHED_EXIT_FAULT] = { "faulted, at", ADDRESS },
	[SCHED_EXIT_OVERRUN] = { "ran too long, at", ADDRESS },
	[SCHED_EXIT_INIT] = { "returned error", NUMBER },
	/* Of these, culprit.h says what it was. */
	[SCHED_EXIT_BAD_TASK] = { "", ADDRESS },
	[SCHED_EXIT_IDLED] = { "", UNSAID },
	[SCHED_EXIT_STALLED] = { "", UNSAID },
};

void sched_report(struct vcore *v, const struct sched_ops *ops, const struct sched_exit *why,
		  const char *fate)
{
	uint64_t us = time_now_ns() / 1000;

	log_print("libos: scheduler %s %s: on CPU %d it%s%s%s %s", ops->name, fate, why->cpu,
		  *why->callback ? "s " : "", why->callback, *why->callback ? "()" : "",
		  reasons[why->reason].what);
	if (!*reasons[why->reason].what)
		culprit_print_task(v);
	if (reasons[why->reason].detail == UNSAID)
		log_print("\n");
	else
		log_print(reasons[why->reason].detail == ADDRESS ? " 0x%lx\n" : " %ld\n",
			  why->detail);
	if (why->task.id)
		log_print("libos:   at %lu.%06lu s, about task %u\n", us / 1000000, us % 1000000,
			  why->task.id);
	else
		log_print("libos:   at %lu.%06lu s, about no task\n", us / 1000000, us % 1000000);
	guard_report(v);
	if (why->reason == SCHED_EXIT_FAULT || why->reason == SCHED_EXIT_OVERRUN)
		culprit_print_place(v, ops);
}
