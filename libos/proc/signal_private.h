/* SPDX-License-Identifier: MIT */
/* What the parts of signal handling share.  Everything here wants process_tree_lock held, if it does not say
 * otherwise. */
#ifndef LIBOS_SIGNAL_PRIVATE_H
#define LIBOS_SIGNAL_PRIVATE_H

#include <asm/poll.h>
#include <asm/signal.h>
#include "core/cpu.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/signal_frame.h"

#define SIGNALS_UNMASKABLE (SIGNAL_BIT(9) | SIGNAL_BIT(19))                    /* KILL, STOP */
#define SIGNALS_STOP (SIGNAL_BIT(19) | SIGNAL_BIT(20) | SIGNAL_BIT(21) | SIGNAL_BIT(22))
/* What these do they do when they are sent, whether or not they are blocked or handled: STOP, CONT, KILL. */
#define SIGNALS_ACTING (SIGNALS_STOP | SIGNAL_BIT(18) | SIGNAL_BIT(9))
/* Taken before others: a fault must be handled with the registers that made it. */
#define SIGNALS_SYNCHRONOUS                                                                        \
	(SIGNAL_BIT(4) | SIGNAL_BIT(5) | SIGNAL_BIT(7) | SIGNAL_BIT(8) | SIGNAL_BIT(11) | SIGNAL_BIT(31))

#define HANDLER_LAST_SPECIAL 1ul /* SIG_DFL is 0, SIG_IGN is 1 */

enum signal_default { DEFAULT_TERMINATE, DEFAULT_IGNORE, DEFAULT_STOP, DEFAULT_CONTINUE };

/* signal_queue.c */
/* Makes `number` pending, for p as a whole or for t, if that is not NULL; a standard signal that is pending
 * already stays as it is, if it has no `entry`.  `entry` is a timer's, or NULL to allocate one for `info`
 * (none if that is NULL).  0, SIGNAL_PENDING_ALREADY, or -EAGAIN. */
#define SIGNAL_PENDING_ALREADY 1
int signal_queue_add(struct process *p, struct task *t, int number, const struct signal_info *info,
		     struct signal_entry *entry);
void signal_queue_discard(_Atomic uint64_t *pending, struct list *queue, uint64_t set);
/* From the task's own queue first, then from its process's. */
int signal_take(struct task *t, uint64_t wanted, struct signal_info *info);

/* signal_file.c */
/* Who waits for signals of p, which is ending, is woken by none any more. */
void signal_watchers_leave_locked(struct process *p);
static inline void signal_watchers_release_locked(struct process *p)
{
	if (p->signal_watchers.waiters.next)
		signal_watchers_leave_locked(p);
}

/* One has become pending for p or a task of it: who waits for one to read looks at it. */
static inline void signal_tell_watchers(struct process *p)
{
	if (p->signal_watchers.waiters.next)
		wake_all(&p->signal_watchers, POLLIN);
}

/* signal_info.c; no lock held */
/* Linux's siginfo_t at `user`.  0 or -EFAULT. */
int signal_info_write(uint64_t user, const struct signal_info *info);
/* The same from a program.  0, -EFAULT, or -E2BIG: it says more than we could pass on. */
int signal_info_read(struct signal_info *info, uint64_t user);

/* core/usercopy.asm: 0 or -EFAULT; all of it is below EXO_USER_TOP */
int user_action_read(struct signal_action *to, uint64_t from_user);

/* signal_action.c */
enum signal_default signal_default_of(int number);
bool signal_ignored(const struct process *p, int number);
void signal_discard_everywhere(struct process *p, uint64_t set);

/* signal_send.c */
/* Recomputes the task's hint after its mask or its pending set changed. */
void signal_update_hint(struct task *t);
/* Passes on the word about signals for the whole process that the task has come to block. */
void signal_pass_on(struct task *t, uint64_t newly_blocked);

/* The same before a handler is called: the task may have been on its way to do so itself, and never come back
 * from the handler (core/quick.asm). */
static inline void signal_pass_on_blocked(struct task *t)
{
	uint64_t set = t->process->signal_pending & t->signal_blocked;

	if (set != 0)
		signal_pass_on(t, set);
}

/* What a change of the mask means for signals that are pending: they are passed on, or the hint is set. */
void signal_settle_blocked(struct task *t, uint64_t newly_blocked, bool locked);

/*
 * Only for the calling task, or one that does not run yet.  With the lock or, if `locked` is false, without.
 *
 * Why a task may change its mask while another chooses whom it tells of a signal: the sender has made the
 * signal pending before it reads a mask, and we have changed ours before we read what is pending; both are
 * locked instructions.  So either it sees the mask as it is now, or we see the signal.  Then, with the lock,
 * we do what the sender would have done, had it come before: pass the word on, or tell ourselves.  If both
 * see, the word is given twice, which costs one look.  What was pending before is seen in any case.
 */
static inline __attribute__((always_inline)) void signal_set_blocked(struct task *t, uint64_t blocked,
								      bool locked)
{
	uint64_t before;

	blocked &= ~SIGNALS_UNMASKABLE;
	before = atomic_exchange(&t->signal_blocked, blocked);
	if ((atomic_load(&t->signal_pending) | atomic_load(&t->process->signal_pending)) != 0)
		signal_settle_blocked(t, blocked & ~before, locked);
}

/* signal_deliver.c */

/* A signal that has been taken out: what its action said.  Of the words for its frame there is `restorer`,
 * and `mask`, which comes back when the handler returns; signal_frame_build() adds the others. */
struct signal_handling {
	int number;
	uint64_t handler, flags;
	struct signal_words words;
};

/* The signal has been taken out, and its action has a handler: *h; the handler's mask.  `blocked` is the
 * task's. */
static inline __attribute__((always_inline)) uint64_t
signal_handling_begin(struct task *t, int number, struct signal_action *action, uint64_t blocked,
		      struct signal_handling *h)
{
	uint64_t flags = action->flags;

	h->number = number;
	h->handler = action->handler;
	h->flags = flags;
	h->words.restorer = action->restorer;
	h->words.mask = blocked;
	if (t->signal_restore_mask) {
		h->words.mask = t->signal_saved_mask;
		t->signal_restore_mask = false;
	}
	if ((flags & SA_RESETHAND) != 0)
		action->handler = 0;
	if ((flags & SA_NODEFER) == 0)
		blocked |= SIGNAL_BIT(number);
	return blocked | action->mask;
}

/*
 * For a signal that the calling task has caused itself, with nothing else pending for it: as if it had been
 * queued, and taken out on the way to the program.  False: it must be queued.
 *
 * While we hold the lock nobody sends, so nothing can be missed by a store that is no locked instruction.
 * Nor is there anything to pass on: of what is pending, we have seen, we accept none.  A task of the process
 * that has just shut a signal out without the lock needs it to pass that on, and finds our mask as it is
 * then.
 */
static inline __attribute__((always_inline)) bool
signal_take_at_once(struct task *t, int number, struct signal_handling *h)
{
	struct process *p = t->process;
	struct signal_action *action = &p->signal_actions->action[(unsigned)number - 1];
	uint64_t blocked = t->signal_blocked;

	if (((blocked | SIGNALS_ACTING) & SIGNAL_BIT(number)) != 0 ||
	    ((t->signal_pending | p->signal_pending) & ~blocked) != 0 ||
	    action->handler <= HANDLER_LAST_SPECIAL || p->state != PROCESS_ALIVE)
		return false;
	blocked = signal_handling_begin(t, number, action, blocked, h) & ~SIGNALS_UNMASKABLE;
	atomic_store_explicit(&t->signal_blocked, blocked, memory_order_relaxed);
	return true;
}

/* The frame cannot be written: the program learns of it by SIGSEGV, or ends if it was that; no lock held. */
void signal_frame_failed(struct task *t, int number);

/* signal_frame.c; no lock held */
/* Makes the program run the handler next.  Of info only those know who ask for it, and of an address those
 * who handle a page fault. */
void signal_frame_build(struct task *t, const struct signal_info *info, struct signal_handling *h);
/* Likewise for the calling task, whose call gives 0 (RAX is that already), and goes on there; or returns with
 * nothing done, since this frame cannot be a plain one. */
void signal_frame_leave_plain(struct task *t, const struct signal_handling *h);
/* Likewise for the calling task after a fault of program code, masked once; only if it has no alternate stack
 * and the frame can be written at once. */
void signal_frame_leave_fault(struct task *t, const struct exo_regs *regs, struct signal_cause cause,
			      const struct signal_handling *h);
/* The registers of the frame become all that the program's next instruction sees. */
void signal_frame_make_full(struct task *t);

/* signal_vector.c; no lock held */
/* Bytes that the vector state takes on the program's stack. */
uint64_t signal_vector_size(void);
/* Writes the live vector state to `user`, 64-byte aligned, gives the handler a clean one; 0 or -EFAULT. */
int signal_vector_save(uint64_t user);
/* Loads the vector state from `user`.  0, and upcalls are masked from there on, for who goes on to the
 * program; or -EFAULT, and the state is a clean one. */
int signal_vector_restore(struct task *t, uint64_t user);
/* The control words alone, for frames without vector state. */
#define CONTROL_WORDS_VALID (1ul << 63)
static inline uint64_t signal_control_words(void)
{
	return CONTROL_WORDS_VALID | (uint64_t)read_x87_control() << 32 | read_mxcsr();
}
void signal_control_words_load(uint64_t words);

/* signal_altstack.c; no lock needed: a task's own */
/* As Linux: a stack pointer at the very top is within it, one at the very bottom is not. */
bool signal_within_alternate_stack(const struct task *t, uint64_t sp);
bool signal_on_alternate_stack(const struct task *t, uint64_t sp);
int signal_alternate_stack_set(struct task *t, uint64_t sp, uint64_t size, int flags, uint64_t at);
int signal_alternate_stack_flags(const struct task *t, uint64_t at);

#endif
