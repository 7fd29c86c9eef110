/* SPDX-License-Identifier: MIT */
/*
 * Signals, POSIX.1-2017 section 2.4 and Linux signal(7).
 *
 * All state is under process_tree_lock: the pending sets and queues of processes and tasks, the
 * actions, and job control.  There are two exceptions.  A task changes its mask without the lock where
 * nothing is pending that this concerns (signal_set_blocked).  And the hint that a task reads on its way
 * back to the program, task->work:
 *
 *	WORK_SIGNAL is set by a sender, under the lock, after it has made a signal pending, and
 *	cleared only by the task itself, under the lock, before it looks at what is pending.  So
 *	whatever was sent before the look is seen by it, and whatever comes later sets the bit again.
 *	A bit that is set without need costs one look.
 */
#ifndef LIBOS_SIGNAL_H
#define LIBOS_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/list.h"
#include "core/task.h"

struct process;
struct user;

#define SIGNAL_COUNT 64
#define SIGNAL_BIT(number) (1ul << ((number) - 1))

/* Kernel form of Linux's struct sigaction on x86-64. */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};
#define HANDLER_IGNORE 1ul /* SIG_IGN */

/* Under process_tree_lock.  After a fork both processes have the same ones until one changes them. */
struct signal_actions {
	/* These are one word for who asks whether a change concerns nobody else (ACTIONS_OWN). */
	uint32_t references; /* processes, and perhaps actions that these are after_exec of */
	bool is_reset;       /* as exec leaves them: it changes nothing in them */
	bool has_after_exec;
	uint16_t zero;
	bool common;         /* CLONE_SIGHAND: a change is for all of these processes */
	bool once;           /* some had SA_RESETHAND: they are changed where nothing can be allocated, so
			      * fork copies them at once */
	uint64_t set;        /* the others have always been default */
	/* What exec makes of these, where some are ignored: made for the first child that executes, for those
	 * that come after it.  Counted; NULL: not made yet, or not any more. */
	struct signal_actions *after_exec;
	struct signal_action action[SIGNAL_COUNT];
};

/* The first word of actions that one process has, and that nothing has been made of: a handler can be put
 * into them with no more ado. */
#define ACTIONS_OWN 1ul
_Static_assert(offsetof(struct signal_actions, references) == 0 &&
	       offsetof(struct signal_actions, common) == sizeof(uint64_t), "one word");

/* The 48 bytes of Linux's siginfo_t that say something; the rest of its 128 is 0 (signal_info.c). */
struct signal_info {
	int32_t number, error, code, pad;
	union {
		struct { int32_t pid; uint32_t uid; uint64_t value; } sender;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status, pad;
			uint64_t utime, stime;
		} child;
		struct { int32_t id, overrun; uint64_t value; } timer;
		struct { uint64_t address; } fault;
	};
};
_Static_assert(sizeof(struct signal_info) == 48, "Linux's kernel_siginfo_t");

/* With nothing else in it, by six stores: of an initialiser the compiler makes a REP STOS. */
static inline void signal_info_begin(struct signal_info *info, int number, int code)
{
	info->number = number;
	info->code = code;
	info->error = info->pad = 0;
	info->child.pid = info->child.status = info->child.pad = 0;
	info->child.uid = 0;
	info->child.utime = info->child.stime = 0;
}

/* In the name of this process and user. */
static inline void signal_info_from(struct signal_info *info, int number, int code, uint32_t pid,
				    uint32_t uid)
{
	signal_info_begin(info, number, code);
	info->sender.pid = (int32_t)pid;
	info->sender.uid = uid;
}

/* What a fault is a signal of. */
struct signal_cause {
	int number, code;
	uint64_t address;
};

static inline void signal_info_of_fault(struct signal_info *info, struct signal_cause cause)
{
	signal_info_begin(info, cause.number, cause.code);
	info->fault.address = cause.address;
}

/* The most entries in one queue: bounds the walk through it.  RLIMIT_SIGPENDING says so. */
#define SIGNAL_QUEUE_MAX 1024
/* And of all processes and tasks of a user, of which there may be thousands: bounds the memory, and what is
 * thrown away at once.  Standard signals, each of which is in a queue but once, are not counted. */
#define SIGNAL_USER_MAX 16384

/* One queued signal.  In at most one queue; under process_tree_lock. */
struct signal_entry {
	struct list link;
	struct signal_info info;
	/* Fixed.  Not NULL: it lives in its sender (a timer), and is never freed.  Called before it is taken
	 * out, by whoever takes it: its overrun count may rise once more. */
	void (*taken)(struct signal_entry *entry);
	int32_t taken_overrun; /* of such a one: info.timer.overrun when it was last taken out */
	struct user *user;     /* of any other: with whom it counts, or NULL */
};

#define SIGNAL_OVERRUN_MAX INT32_MAX /* DELAYTIMER_MAX: more are not counted */

/* Its timer has expired `more` times since it was sent. */
static inline void signal_entry_add_overrun(struct signal_entry *entry, uint64_t more)
{
	uint64_t room = (uint64_t)(SIGNAL_OVERRUN_MAX - entry->info.timer.overrun);

	entry->info.timer.overrun += (int32_t)(more < room ? more : room);
}

/*
 * Sending.  `info` may be NULL: then nothing is allocated, and the receiver sees SI_KERNEL; this
 * is the form for event context.  Any context that holds no lock of rank >= RANK_PROCESS.
 * 0 (also when the signal is ignored or the receiver is exiting), -ESRCH (empty group), or
 * -EAGAIN (too many queued real-time signals).
 */
int signal_send_task(struct task *t, int number, const struct signal_info *info);
int signal_send_group(uint32_t process_group, int number, const struct signal_info *info);
/* To the current task, as if its process had sent it: for a call that ends with a signal. */
void signal_raise(int number);
/* The same with process_tree_lock held. */
/* Of a process that the caller holds, whoever has its number now; as kill(), or with what the program has at
 * `info_user`, if that is not 0.  No lock held. */
long signal_send_known(struct process *p, int number, uint64_t info_user);
int signal_send_process_locked(struct process *p, int number, const struct signal_info *info);
int signal_send_task_locked(struct task *t, int number, const struct signal_info *info);
/* p is one of several that are sent it, a group's or all: a child that p is making gets it as well. */
void signal_owe_children_locked(struct process *p, int number);
int signal_send_group_locked(uint32_t process_group, int number, const struct signal_info *info);
/* A timer's entry, to task t of p, or to p if t is NULL, for a timer that has expired 1 + `missed`
 * times.  If it is still queued its overrun count rises instead.  Allocates nothing.  False: it is not
 * queued, because the signal is ignored or t has ended. */
bool signal_send_entry_locked(struct process *p, struct task *t, struct signal_entry *entry,
			      uint64_t missed);
/* Takes a timer's entry back; it is in no queue afterwards.  The signal stays sent.  p and t are as it was
 * sent. */
void signal_entry_withdraw_locked(struct process *p, struct task *t, struct signal_entry *entry);
/* The same, and the signal has not been sent. */
void signal_entry_revoke_locked(struct process *p, struct task *t, struct signal_entry *entry);

/* A fault of the current task: cannot be blocked or ignored (then it kills).  True: it kills. */
bool signal_force(int number, const struct signal_info *info);
/* The same, and the log hears of it if it kills. */
void signal_fault_queue(struct task *t, struct signal_cause cause);
/*
 * The same for the calling task where program code has just been interrupted, and which goes on from here:
 * the handler may be what runs next at once.  Masked, mask depth 1, on its empty stack.  `regs` are the
 * program's: its user frame, or where else nothing changes them while it is masked.
 */
_Noreturn void signal_fault(struct task *t, const struct exo_regs *regs, struct signal_cause cause);

#define WORK_ENDS_SLEEP (WORK_SIGNAL | WORK_EXIT | WORK_STOP)

/* Something that ends an interruptible sleep is pending for the current task. */
static inline bool signal_is_pending(void)
{
	return atomic_load_explicit(&current()->work, memory_order_acquire) & WORK_ENDS_SLEEP;
}

/* fork copies, exec resets, exit releases. */
int signal_fork(struct process *child, struct process *parent, bool share);
/* exec calls _prepare while it can still fail, in the only task: 0 or -ENOMEM. */
int signal_exec_prepare(struct process *p);
void signal_exec_locked(struct process *p);
void signal_release_locked(struct process *p);
/* The task is leaving its process, under one hold of process_tree_lock: nothing is sent to it any more. */
void signal_task_release_locked(struct task *t);
/* Does the parent have its children reaped by themselves (SIGCHLD ignored, or SA_NOCLDWAIT)? */
bool signal_children_discarded_locked(struct process *parent);

/*
 * For ppoll, pselect, sigsuspend: run with another mask.  The old one comes back by itself once
 * the handlers that the call's interruption runs are set up; a call that ends otherwise says so.
 */
void signal_mask_replace(uint64_t mask);
/* The same by a mask in the program, `size` bytes, or not at all if `user` is 0: 0, -EINVAL or -EFAULT.
 * Then by what the call returns, which is returned: an interruption leaves the mask to the delivery of the
 * signal. */
int signal_mask_replace_by(uint64_t user, uint64_t size);
long signal_mask_restore_after(uint64_t user, long result);

/* The vector registers as a program, or a handler, finds them when it starts. */
void signal_vector_reset(void);

/* Called by task_work() before a return to the program: delivers, stops, or ends the process. */
void signal_deliver(void);

/*
 * System calls that an interruption ended return one of these; signal_deliver() turns them into a
 * restart or EINTR, as Linux does.  The number is kept in frame->error while frame->vector is
 * VECTOR_SYSCALL (abi/syscall.h).
 */
#define ERESTARTSYS 512           /* restart if no handler runs, or one with SA_RESTART */
#define ERESTARTNOINTR 513        /* restart in any case: the program sees no EINTR */
#define ERESTARTNOHAND 514        /* restart only if no handler runs */
#define ERESTART_RESTARTBLOCK 516 /* the same, but go on by restart_syscall: task->restart */

/* Blocks of the heap that are kept for signals to come: for accounting. */
unsigned signal_count_spare(void);

#endif
