/* SPDX-License-Identifier: MIT */
/* The alternate signal stack of a task: sigaltstack(2).  A task reads and writes only its own. */
#include <asm/signal.h>
#include <linux/signal.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

bool signal_within_alternate_stack(const struct task *t, uint64_t sp)
{
	return sp > t->signal_stack.sp && sp - t->signal_stack.sp <= t->signal_stack.size;
}

/* Nobody is on one that disarms itself: who has entered it has none until he returns. */
bool signal_on_alternate_stack(const struct task *t, uint64_t sp)
{
	return (t->signal_stack.flags & SS_AUTODISARM) == 0 && signal_within_alternate_stack(t, sp);
}

int signal_alternate_stack_flags(const struct task *t, uint64_t at)
{
	int kind = t->signal_stack.size == 0		  ? SS_DISABLE
		   : signal_on_alternate_stack(t, at) ? SS_ONSTACK
						      : 0;

	return kind | (t->signal_stack.flags & (int)SS_AUTODISARM);
}

__attribute__((noinline)) int signal_alternate_stack_set(struct task *t, uint64_t sp, uint64_t size,
							 int flags, uint64_t at)
{
	int kind = flags & ~(int)SS_AUTODISARM;

	if (signal_on_alternate_stack(t, at))
		return -EPERM;
	if (kind != 0 && kind != SS_DISABLE && kind != SS_ONSTACK)
		return -EINVAL;
	if (kind == SS_DISABLE) {
		sp = size = 0;
	} else if (size < MINSIGSTKSZ) {
		return -ENOMEM;
	}
	t->signal_stack.sp = sp;
	t->signal_stack.size = size;
	t->signal_stack.flags = flags;
	return 0;
}

struct user_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};

long sys_sigaltstack(uint64_t new_user, uint64_t old_user)
{
	struct task *t = current();
	uint64_t at = t->frame->rsp;
	struct user_stack new;
	struct user_stack old = {
		.sp = t->signal_stack.sp,
		.size = t->signal_stack.size,
		.flags = signal_alternate_stack_flags(t, at),
	};
	int r = 0;

	if (new_user != 0) {
		if (copy_from_user(&new, new_user, sizeof(new)) != 0)
			return -EFAULT;
		r = signal_alternate_stack_set(t, new.sp, new.size, new.flags, at);
	}
	if (r == 0 && old_user != 0 && copy_to_user(old_user, &old, sizeof(old)) != 0)
		return -EFAULT;
	return r;
}
