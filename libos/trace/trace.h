/* SPDX-License-Identifier: MIT */
/*
 * Recording what a CPU does, for /dev/exo/trace and the report of a panic.
 *
 * While tracing is off an event costs a test of one byte in the vcore's first cache line, which is
 * at hand where events happen; and a system call costs nothing: the entry stubs call through
 * syscall_table_in_force, which then is syscall_table itself.
 */
#ifndef LIBOS_TRACE_TRACE_H
#define LIBOS_TRACE_TRACE_H

#include <libos/trace.h>
#include "core/vcore.h"

struct task;

/* This CPU, masked, v->traced.  Cold: what calls them is kept out of the way of the rest. */
__attribute__((cold)) void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task,
					unsigned detail, unsigned number, uint64_t value);
__attribute__((cold)) void trace_record_name(struct vcore *v, const struct task *t);
/* For sched_trace(), whose arguments may be anything: what cannot be read faults here, in the callback. */
__attribute__((cold)) void trace_record_note(struct vcore *v, const char *what,
					     const struct task *t, int64_t value);

/* This CPU, masked: a callback has been abandoned, maybe in the middle of an event. */
__attribute__((cold)) void trace_mend(struct vcore *v);

/*
 * trace(v, kind, task, detail, number, value) - an event of this CPU
 *
 * Masked, any locks held: takes none itself.  A macro, so that while tracing is off the arguments
 * are not worked out; v is used twice.
 */
#define trace(v, ...) \
	do { \
		if (__builtin_expect((v)->traced, false)) \
			trace_record(v, __VA_ARGS__); \
	} while (0)

/* The same: t is new, or has another name. */
static inline void trace_name(struct vcore *v, const struct task *t)
{
	if (__builtin_expect(v->traced, false))
		trace_record_name(v, t);
}

/* The same: t is about to be woken, by the task with this id.  Kept with it, since another CPU may
 * find the wake; a wake that comes at the same time may put another waker in its place. */
#define trace_waker(v, t, id) \
	do { \
		if (EXO_DEBUG || __builtin_expect((v)->traced, false)) \
			atomic_store_explicit(&(t)->waker, (id), memory_order_relaxed); \
	} while (0)

/* Task context: the calling task has another name. */
void trace_name_changed(void);

/* Names of scheduler libraries and the like, as a value: their first 8 bytes. */
uint64_t trace_word(const char *name);

/* This CPU, masked, in a panic: the last events of this CPU go to the log. */
void trace_print_last(const struct vcore *v);

/* Boot CPU, before the first task and the other CPUs start: `kib` for each CPU. */
void trace_init(uint64_t kib);
/* A CPU starts taking part; masked. */
void trace_cpu_start(struct vcore *v);
/* Once, in task context: /proc/exo/trace and /dev/exo/trace. */
void trace_files_init(void);

#endif
