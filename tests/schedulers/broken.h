/* SPDX-License-Identifier: MIT */
/* What tests/schedulers/broken.c can be told to do wrong: values of its tunables. */
#ifndef TESTS_SCHEDULERS_BROKEN_H
#define TESTS_SCHEDULERS_BROKEN_H

/* Tunable "rule": which one it breaks. */
enum broken_rule {
	BREAK_NOTHING,
	/* In the callback that the tunable "callback" names: */
	BREAK_LOOP,      /* it never returns */
	BREAK_FAULT,     /* writes through a null pointer */
	BREAK_JUMP,      /* calls what is no code */
	BREAK_RECURSE,   /* runs out of stack */
	BREAK_CALL,      /* makes a system call */
	/* In pick(): */
	BREAK_IDLE,      /* nothing to run, though tasks are queued */
	BREAK_BLOCKED,   /* a task that sleeps */
	BREAK_FOREIGN,   /* a task in another CPU's queue */
	BREAK_FREED,     /* a task that has ended */
	BREAK_WILD,      /* pointers that never were a task's */
	BREAK_KEEP,      /* a task that it leaves in its queue */
	BREAK_CORRUPT,   /* overwrites its own queue */
	BREAK_HOG,       /* slices of an hour */
	/* Elsewhere: */
	BREAK_LOSE,      /* enqueue() drops tasks */
	BREAK_STARVE,    /* some tasks are queued, and never picked */
	BREAK_TWICE,     /* enqueue() queues a task in two places */
	BREAK_RUNNING,   /* charge() queues the task that runs */
	BREAK_FORGET,    /* dequeue() does nothing */
	BREAK_STEAL,     /* steal() returns a task that is not queued there */
	BREAK_INIT,      /* init() returns an error */
	BREAK_RULES,
};

/* Tunable "callback". */
enum broken_callback {
	IN_NONE, IN_INIT, IN_EXIT, IN_ATTACH, IN_DETACH, IN_SELECT_CPU, IN_ENQUEUE, IN_DEQUEUE,
	IN_PICK, IN_STEAL, IN_CHARGE, IN_DONATE, IN_SETPARAM, IN_CPU_ONLINE, IN_DUMP,
	IN_CALLBACKS,
};

#endif
