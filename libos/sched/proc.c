/* SPDX-License-Identifier: MIT */
/*
 * What is counted, in /proc; control.c has the rest:
 *
 *	/proc/exo/cpus    a line of counters for each CPU; whatever is written has every CPU print
 *	                  its queue to the log
 *	/proc/exo/sched-stats   what the scheduling core counts (sched/stats.h): a line for each
 *	                  counter, with the total and each CPU's part
 */
#include "sched/proc.h"
#include <libos/sched.h>
#include <stddef.h>
#include "core/cpu.h"
#include "core/log.h"
#include "core/string.h"
#include "core/task.h"
#include "core/vcore.h"
#include "fs/procfs.h"
#include "time/time.h"

static uint64_t donations_of(const struct vcore *v)
{
	uint64_t sum = 0;

	for (unsigned kind = 0; kind < DONATION_KINDS; kind++)
		sum += v->stats.donations[kind][DONATION_SAME_CPU] +
		       v->stats.donations[kind][DONATION_CROSS_CPU];
	return sum;
}

/* What a CPU runs, as it changes: a task's memory is never unmapped, so at worst the name is that of
 * the next one. */
static void print_current(struct text *out, const struct vcore *v)
{
	const struct task *t = *(struct task *const volatile *)&v->current;
	char name[sizeof(t->name)];

	if (!t) {
		text_print(out, " 0 -\n");
		return;
	}
	memcpy(name, t->name, sizeof(name));
	name[sizeof(name) - 1] = 0;
	text_print(out, " %u %s\n", t->self.id, name);
}

static void print_cpus(struct text *out, void *unused)
{
	text_print(out, "cpu queued switches spaces preempted upcalls faults masked-faults wakes "
			"remote donations in out steals refused halts polls idle-ms overruns direct "
			"won ipis coalesced mailbox task name\n");
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		const struct vcore *v = vcore_of(cpu);

		if (!v->handle)
			continue;
		text_print(out, "%u %u %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu "
			   "%lu %lu %lu %lu %lu %lu",
			   cpu, sched_cpu_queued((int)cpu), v->stats.switches,
			   v->stats.space_switches, v->stats.preemptions, v->stats.upcalls,
			   v->stats.faults, v->stats.masked_faults, v->stats.wakes,
			   v->stats.remote_wakes, donations_of(v), v->stats.migrations_in,
			   v->stats.migrations_out, v->stats.steals_asked, v->stats.steals_refused,
			   v->stats.halts, v->stats.polls,
			   tsc_to_ns(stats_idle_ticks(&v->stats, rdtsc())) / 1000000,
			   v->stats.overruns, v->stats.direct_switches, v->stats.steals_won,
			   v->stats.ipis_sent, v->stats.ipis_coalesced, v->stats.mailbox_high);
		print_current(out, v);
	}
}

/* ---- /proc/exo/sched-stats: a row for each counter, a column for each CPU */

struct row {
	const char *name;
	size_t offset; /* in struct vcore_stats */
};

#define ROW(name, field) { name, offsetof(struct vcore_stats, field) }

static const struct row rows[] = {
	ROW("switches", switches),
	ROW("switches-direct", direct_switches),
	ROW("wakes", wakes),
	ROW("wakes-moved", pushes),
	ROW("migrations-in", migrations_in),
	ROW("migrations-out", migrations_out),
	ROW("steals-tried", steals_asked),
	ROW("steals-won", steals_won),
	ROW("steals-refused", steals_refused),
	ROW("ipis-sent", ipis_sent),
	ROW("ipis-coalesced", ipis_coalesced),
};

static const char *const kinds[DONATION_KINDS] = {
	[DONATION_PIPE] = "pipe",	  [DONATION_FUTEX] = "futex",
	[DONATION_WAIT4] = "wait4",	  [DONATION_START] = "start",
	[DONATION_SIGNAL] = "signal",	  [DONATION_EXPLICIT] = "explicit",
	[DONATION_MUTEX] = "mutex",	  [DONATION_RETURN] = "return",
};

static const char *const outcomes[DONATION_OUTCOMES] = {
	[DONATION_SAME_CPU] = "same-cpu", [DONATION_CROSS_CPU] = "cross-cpu",
	[DONATION_REFUSED] = "refused",	  [DONATION_CAPPED] = "capped",
	[DONATION_SPENT] = "spent",	  [DONATION_LATE] = "late",
	[DONATION_SECOND] = "second",
};

static uint64_t value(unsigned cpu, size_t offset)
{
	return *(const uint64_t *)((const char *)&vcore_of(cpu)->stats + offset);
}

/* The total, and what each CPU adds to it. */
static void print_values(struct text *out, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		sum += value(cpu, offset);
	text_print(out, " %lu", sum);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		text_print(out, " %lu", value(cpu, offset));
	text_print(out, "\n");
}

/* A maximum is not summed. */
static void print_mailboxes(struct text *out)
{
	uint64_t most = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if (vcore_of(cpu)->stats.mailbox_high > most)
			most = vcore_of(cpu)->stats.mailbox_high;
	text_print(out, "mailbox-high %lu", most);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		text_print(out, " %lu", vcore_of(cpu)->stats.mailbox_high);
	text_print(out, "\n");
}

static void print_stats(struct text *out, void *unused)
{
	text_print(out, "counter total");
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		text_print(out, " cpu%u", cpu);
	text_print(out, "\n");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_print(out, "%s", rows[i].name);
		print_values(out, rows[i].offset);
	}
	print_mailboxes(out);
	for (unsigned kind = DONATION_NONE + 1; kind < DONATION_KINDS; kind++)
		for (unsigned i = 0; i < DONATION_OUTCOMES; i++) {
			text_print(out, "donation-%s-%s", kinds[kind], outcomes[i]);
			print_values(out, offsetof(struct vcore_stats, donations[kind][i]));
		}
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		text_print(out, "wake-to-run-%lu-ns", 1ul << i);
		print_values(out, offsetof(struct vcore_stats, latency[i]));
	}
}

static int dump_queues(const char *data, size_t n, void *unused)
{
	sched_dump(log_print);
	return 0;
}

void sched_proc_init(void)
{
	sched_control_init();
	if (proc_register("exo/cpus", print_cpus, dump_queues, NULL) < 0 ||
	    proc_register("exo/sched-stats", print_stats, NULL, NULL) < 0)
		log_print("libos: no memory for /proc/exo\n");
}
