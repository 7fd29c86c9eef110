/* SPDX-License-Identifier: MIT */
/*
 * What each CPU did: the records that /dev/exo/trace gives to its readers.
 *
 *	/proc/exo/trace   write `on`, `on KIB` (for each CPU) or `off`; reads as the state
 *	/dev/exo/trace    reads as records, oldest first for each CPU; the end of the file is
 *	                  where there is no more for now
 *
 * Each CPU has a ring of its own and overwrites its oldest records.  A reader that comes too late
 * is told how many it has missed (TRACE_LOST), and never gets half a record.
 */
#ifndef LIBOS_TRACE_H
#define LIBOS_TRACE_H

#include <stdint.h>

enum trace_kind {
	/* `task` is the task that the record is about, 0: none.  What detail, number and value say
	 * stands beside each. */
	TRACE_LOST = 1, /* value: records of this CPU that are gone; detail 1: names and the like */
	TRACE_NAME,     /* detail 0: value is the process id, 0 for the libos's own tasks;
			  * 1 and 2: value is the first and last 8 bytes of its name */
	TRACE_RUN,      /* it has the CPU.  value: its slice, ns */
	TRACE_STOP,     /* it has left the CPU.  detail: enum trace_stop */
	TRACE_WAKE,     /* it may go on.  detail: enum trace_wake; number: the CPU that it goes to;
			  * value: the task that woke it, 0: an event */
	TRACE_MIGRATE,  /* a task that can run is sent away.  number: to this CPU */
	TRACE_ARRIVE,   /* it came out of the mailbox.  detail: enum trace_wake */
	TRACE_DONATE,   /* it gets a slice.  detail: gifts in a row; number: the giver's id;
			  * value: ns */
	TRACE_STEAL_ASK, /* this CPU has nothing to do.  number: the CPU that it asks */
	TRACE_STEAL,     /* number: the CPU that asked; task: what it gets, 0: refused */
	TRACE_IPI,       /* a doorbell is rung.  number: the CPU */
	TRACE_UPCALL,    /* the kernel entered the libos.  value: bits of enum exo_event */
	TRACE_FAULT,     /* number: the exception; value: address; detail: 1 while masked */
	TRACE_CALL,      /* a system call begins.  number: its number; value: first argument */
	TRACE_RETURN,    /* ... and ends.  value: its result */
	TRACE_SCHED,     /* this CPU follows this scheduler library.  value: 8 bytes of its name */
	TRACE_EJECT,     /* ... because of what this one did.  detail: enum sched_exit_reason */
	TRACE_IDLE,      /* nothing to run: detail 1: halts, 0: goes on */
	/* What the scheduler library says of it (sched_trace()).  detail 0: value is its number, and `number`
	 * records follow, with detail 1, 2 and so on, whose values are 8 bytes of its text each. */
	TRACE_NOTE,
	TRACE_KINDS
};

#define TRACE_KIND_NAMES                                                                           \
	{                                                                                          \
		"", "lost", "name", "run", "stop", "wake", "migrate", "arrive", "donate",          \
			"steal-ask", "steal", "ipi", "upcall", "fault", "call", "return", "sched", \
			"eject", "idle", "note"                                                    \
	}

enum trace_stop {
	TRACE_STOP_BLOCKED,   /* it waits */
	TRACE_STOP_PREEMPTED, /* it had to make way */
	TRACE_STOP_YIELDED,   /* it made way */
	TRACE_STOP_ENDED,
};

enum trace_wake {
	TRACE_WAKE_PLAIN = 1, /* it was blocked */
	TRACE_WAKE_START,     /* it is new */
	TRACE_WAKE_DONATE,    /* it was blocked, and is given the rest of a slice */
	TRACE_WAKE_MIGRATE,   /* it was queued elsewhere (TRACE_ARRIVE alone) */
	TRACE_WAKE_STOLEN,    /* the same, because this CPU asked for one */
};

/* Little-endian, like the machine. */
struct trace_record {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint8_t kind;     /* enum trace_kind */
	uint8_t detail;
	uint16_t number;
	uint32_t task;    /* thread id */
	uint64_t value;
	uint32_t cpu;     /* whose ring it was in */
	uint32_t zero;
};

#endif
