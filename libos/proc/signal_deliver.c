/* SPDX-License-Identifier: MIT */
/*
 * What happens to pending signals when a task is about to run program code again, and what
 * becomes of the system call that they interrupted.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "abi/syscall.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/usercopy.h"
#include "proc/crash.h"
#include "proc/signal_private.h"

#define SYS_RESTART_SYSCALL 219

/* How a program calls the libos (scripts/musl/exo_call.h): `call *%rcx`, with our entry in RCX. */
#define CALL_BYTES 2
static const uint8_t call_through_rcx[CALL_BYTES] = { 0xff, 0xd1 };

/*
 * Makes the program issue its system call again: the arguments are still in the frame.  The
 * instruction is two bytes long, SYSCALL and `call *%rcx` alike.  A program that calls our entry
 * in another way is put at the entry itself, with the return address on its stack again.
 */
static void restart_call(struct task *t, uint64_t number)
{
	struct exo_regs *frame = t->frame;
	uint8_t code[CALL_BYTES];
	bool by_call = t->entry == ENTRY_CALL;

	signal_frame_make_full(t);
	frame->rax = number;
	if (!by_call) {
		frame->rip -= CALL_BYTES;
		return;
	}
	frame->rcx = EXO_SHARED_BASE;
	if (copy_from_user(code, frame->rip - CALL_BYTES, CALL_BYTES) == 0 &&
	    code[0] == call_through_rcx[0] && code[1] == call_through_rcx[1]) {
		frame->rip -= CALL_BYTES;
	} else {
		frame->rsp -= sizeof(uint64_t);
		/* If this fails the program faults on the same address and is told so. */
		copy_to_user(frame->rsp, &frame->rip, sizeof(frame->rip));
		frame->rip = EXO_SHARED_BASE;
	}
}

/* For a call that may be restarted: shall it be, or is it EINTR?  `h` as below. */
static __attribute__((noinline)) void settle_interrupted(struct task *t, const struct signal_handling *h)
{
	struct exo_regs *frame = t->frame;
	bool restart;

	switch (-(int64_t)frame->rax) {
	case ERESTARTSYS:
		restart = h == NULL || (h->flags & SA_RESTART) != 0;
		break;
	case ERESTARTNOINTR:
		restart = true;
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		restart = h == NULL;
		break;
	default:
		return;
	}
	if (!restart) {
		frame->rax = (uint64_t)-EINTR;
		/* The handler may have interrupted another call that is still to go on: not as this one. */
		t->restart.go_on = NULL;
	} else if (-(int64_t)frame->rax == ERESTART_RESTARTBLOCK) {
		restart_call(t, SYS_RESTART_SYSCALL);
	} else {
		restart_call(t, frame->error);
	}
}

/* Decides once for a call: restart, or EINTR.  `h` is the handler that runs, or NULL. */
static void settle_call(struct task *t, const struct signal_handling *h)
{
	struct exo_regs *frame = t->frame;

	if (frame->vector != VECTOR_SYSCALL)
		return;
	frame->vector = 0;
	if (-(int64_t)frame->rax >= ERESTARTSYS)
		settle_interrupted(t, h);
}

/* Results of next_handled() besides a signal number. */
#define NO_HANDLER 0
#define COME_BACK (-1) /* after task_work() has stopped the task, or ended it */

/* A signal without a handler: the end of the process or a stop is only requested from task_work(). */
static __attribute__((noinline)) int act_by_default(struct process *p, int number)
{
	if (signal_ignored(p, number))
		return NO_HANDLER;
	if (signal_default_of(number) != DEFAULT_STOP) {
		process_kill_locked(p, number);
		return COME_BACK;
	}
	/* POSIX: nobody could continue an orphaned group that a terminal has stopped. */
	if (number != SIGSTOP && process_group_orphaned_locked(p->process_group, NULL))
		return NO_HANDLER;
	process_stop_locked(p, number);
	return COME_BACK;
}

/*
 * Takes signals out until one has a handler: its number, and *h.  Default actions are carried out here.  With
 * the lock held.
 */
static int next_handled(struct task *t, struct signal_info *info, struct signal_handling *h)
{
	struct process *p = t->process;
	int number;

	while ((number = signal_take(t, ~t->signal_blocked, info)) != 0) {
		struct signal_action *action = &p->signal_actions->action[number - 1];

		if (action->handler > HANDLER_LAST_SPECIAL) {
			uint64_t blocked = signal_handling_begin(t, number, action, t->signal_blocked, h);

			signal_set_blocked(t, blocked, true);
			return number;
		}
		if (act_by_default(p, number) == COME_BACK)
			return COME_BACK;
	}
	return NO_HANDLER;
}

__attribute__((noinline)) void signal_frame_failed(struct task *t, int number)
{
	struct signal_info info = { .number = SIGSEGV, .code = SI_KERNEL };

	if (number == SIGSEGV) {
		lock_acquire(&process_tree_lock);
		t->signal_blocked |= SIGNAL_BIT(SIGSEGV); /* so signal_force() ends the process */
		lock_release(&process_tree_lock);
	}
	if (signal_force(SIGSEGV, &info))
		crash_report(t, SIGSEGV, NULL);
}

__attribute__((noinline)) void signal_fault_queue(struct task *t, struct signal_cause cause)
{
	struct signal_info info;

	signal_info_of_fault(&info, cause);
	if (signal_force(info.number, &info))
		crash_report(t, info.number, &info);
}

/* The signal cannot be taken at once; or, with h, its frame cannot be written as the program's stack is. */
static __attribute__((noinline)) _Noreturn void
fault_slowly(struct task *t, const struct exo_regs *regs, struct signal_cause cause,
	     struct signal_handling *h)
{
	struct signal_info info;

	if (regs != t->frame)
		interrupted_save_program(t, regs);
	upcalls_unmask();
	if (h != NULL) {
		signal_info_of_fault(&info, cause);
		signal_frame_build(t, &info, h);
	} else {
		signal_fault_queue(t, cause);
	}
	return_to_user();
}

/* The frame is written while upcalls are masked, so that the registers can stay where they are, but without
 * the lock. */
_Noreturn void signal_fault(struct task *t, const struct exo_regs *regs, struct signal_cause cause)
{
	struct signal_handling h, kept;
	bool taken;

	lock_acquire_masked(&process_tree_lock);
	taken = signal_take_at_once(t, cause.number, &h);
	lock_release_masked(&process_tree_lock);
	if (!taken)
		fault_slowly(t, regs, cause, NULL);
	signal_frame_leave_fault(t, regs, cause, &h);
	kept = h; /* only this one needs to be in memory */
	fault_slowly(t, regs, cause, &kept);
}

/*
 * One handler each time: if more signals wait, signal_set_blocked() sets WORK_SIGNAL again, and
 * task_work() comes back to put the next frame on top of this one.
 *
 * A stop decides nothing about the interrupted call: the signal that continues the process may
 * have a handler.  Then WORK_SIGNAL stays set, and task_work() stops the task before it returns.
 */
void signal_deliver(void)
{
	struct task *t = current();
	struct signal_info info;
	struct signal_handling h;
	int number;

	lock_acquire(&process_tree_lock);
	/* Cleared before the look; see signal.h. */
	atomic_fetch_and_explicit(&t->work, ~(uint32_t)WORK_SIGNAL, memory_order_relaxed);
	number = next_handled(t, &info, &h);
	if (number == COME_BACK) {
		atomic_fetch_or_explicit(&t->work, WORK_SIGNAL, memory_order_relaxed);
	} else if (number == NO_HANDLER && t->signal_restore_mask) {
		t->signal_restore_mask = false;
		signal_set_blocked(t, t->signal_saved_mask, true);
	} else if (number != NO_HANDLER) {
		signal_pass_on_blocked(t);
	}
	lock_release(&process_tree_lock);

	if (number == COME_BACK)
		return;
	settle_call(t, number == NO_HANDLER ? NULL : &h);
	if (number != NO_HANDLER)
		signal_frame_build(t, &info, &h);
}
