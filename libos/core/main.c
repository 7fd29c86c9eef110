/* SPDX-License-Identifier: MIT */
/*
 * Start-up.  The boot CPU is entered first; it sets up what all share, starts the other CPUs' vcores,
 * and goes on as they do: it schedules.  What may sleep while it starts (files, devices, process 1)
 * is started by a task.
 */
#include "core/main.h"
#include "core/event.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task.h"
#include "core/vcore.h"
#include "fs/fs.h"
#include "proc/process.h"
#include "sched/library.h"
#include "sched/proc.h"
#include "time/time.h"
#include "tty/console.h"
#include "tty/host_channel.h"

#ifndef LIBOS_DEFAULT_SCHED
#define LIBOS_DEFAULT_SCHED "rr"
#endif

#define SCHED_NAME_MAX 16

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* The word after sched= on the boot command line, or the default. */
static void sched_name(char name[SCHED_NAME_MAX])
{
	const char *line = machine()->command_line, *at = line;
	size_t n = 0;

	string_copy(name, LIBOS_DEFAULT_SCHED, SCHED_NAME_MAX);
	while ((at = strstr(at, "sched=")) && at != line && at[-1] != ' ')
		at++;
	if (!at)
		return;
	at += strlen("sched=");
	for (; at[n] && at[n] != ' ' && n < SCHED_NAME_MAX - 1; n++)
		name[n] = at[n];
	name[n] = 0;
}

static void start_services(void *unused)
{
	int r = fs_init();

	if (r < 0)
		libos_panic("the file system does not start: error %d", r);
	sched_proc_init();
	console_init();
	host_channel_init();
	process_init();
	task_exit();
}

static void start_other_cpus(void)
{
	for (unsigned cpu = 1; cpu < vcore_count; cpu++) {
		int64_t r = exo_vcore_start(EXO_HANDLE(EXO_SLOT_VCORE + cpu));

		if (r < 0)
			log_print("libos: CPU %u does not start: error %ld\n", cpu, (long)r);
	}
}

static void start_libos(struct vcore *v)
{
	char name[SCHED_NAME_MAX];
	struct task *t;

	vcores_init();
	v->mask_depth = 1;
	time_init();
	frames_init(machine());
	heap_init();
	sched_name(name);
	sched_init(name);
	log_print("libos: %u CPUs, %lu MiB, scheduler %s\n", vcore_count,
		  machine()->ram_frames >> (20 - EXO_PAGE_SHIFT), sched_current_name());
	t = task_create(NULL, start_services, NULL, "start");
	if (!t)
		libos_panic("no memory for the first task");
	task_start(t);
	start_other_cpus();
}

_Noreturn void vcore_start(struct vcore *v)
{
	static bool started;

	if (!started) {
		started = true;
		start_libos(v);
	}
	v->online = true;
	sched_cpu_start(v);
	schedule(NULL);
}
