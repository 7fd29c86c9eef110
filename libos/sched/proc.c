/* SPDX-License-Identifier: MIT */
/*
 * The scheduler in /proc:
 *
 *	/proc/exo/sched   the libraries, the one in force in brackets; a name that is written puts
 *	                  that one in force
 *	/proc/exo/cpus    a line of counters for each CPU; whatever is written has every CPU print
 *	                  its queue to the log
 */
#include "sched/proc.h"
#include <libos/sched.h>
#include "abi/errno.h"
#include "core/log.h"
#include "core/string.h"
#include "core/vcore.h"
#include "fs/procfs.h"
#include "time/time.h"

#define NAME_MAX 16

static void print_libraries(struct text *out, void *unused)
{
	const char *current = sched_current_name();
	const struct sched_ops *ops;

	for (unsigned i = 0; (ops = sched_library(i)); i++) {
		bool in_force = strcmp(ops->name, current) == 0;

		text_print(out, in_force ? "%s[%s]" : "%s%s", i ? " " : "", ops->name);
	}
	text_print(out, "\n");
}

static int swap_library(const char *data, size_t n, void *unused)
{
	char name[NAME_MAX];

	if (n > 0 && data[n - 1] == '\n')
		n--;
	if (n >= sizeof(name))
		return -ENOENT;
	memcpy(name, data, n);
	name[n] = 0;
	return sched_swap(name);
}

static void print_cpus(struct text *out, void *unused)
{
	text_print(out, "cpu queued switches spaces preempted upcalls faults masked-faults wakes "
			"remote donations in out steals refused halts idle-ms overruns\n");
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		const struct vcore *v = &vcores[cpu];

		text_print(out, "%u %u %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n",
			   cpu, sched_cpu_queued((int)cpu), v->stats.switches,
			   v->stats.space_switches, v->stats.preemptions, v->stats.upcalls,
			   v->stats.faults, v->stats.masked_faults, v->stats.wakes,
			   v->stats.remote_wakes, v->stats.donations, v->stats.migrations_in,
			   v->stats.migrations_out, v->stats.steals_asked, v->stats.steals_refused,
			   v->stats.halts, tsc_to_ns(v->stats.idle_ticks) / 1000000,
			   v->stats.overruns);
	}
}

static int dump_queues(const char *data, size_t n, void *unused)
{
	sched_dump(log_print);
	return 0;
}

void sched_proc_init(void)
{
	if (proc_register("exo/sched", print_libraries, swap_library, NULL) < 0 ||
	    proc_register("exo/cpus", print_cpus, dump_queues, NULL) < 0)
		log_print("libos: no memory for /proc/exo\n");
}
