/* SPDX-License-Identifier: MIT */
/*
 * Telling a task that it has work to do before it goes on with the program: a signal, a stop, its end.
 *
 * Why the work is seen soon: we set the bits, then look at on_cpu; a CPU that enters the task sets
 * on_cpu, then looks at the bits before it goes on to the program (both sequentially consistent).
 * So if we see the task on no CPU, whoever runs it next finds the bits.  Otherwise the CPU is rung,
 * and the event path looks at the bits: if the task has moved to yet another CPU by then, it was
 * preempted, and goes through return_to_user_masked() or the end of its system call.
 *
 * Why bits that are set already want no second bell: whoever set them has rung, or is about to, with
 * upcalls masked, or has seen the task on no CPU; or it was the task itself, which looks before it goes
 * on, or who makes it, and has not started it yet.  A task clears a bit before it looks what is
 * there to do, and a sender says what that is before it sets the bit: if we find the bit set, that look is
 * still to come, and finds what we have left.
 */
#include "core/task.h"
#include "core/event.h"
#include "core/log.h"
#include "core/vcore.h"

void task_notice_masked(struct task *t, uint32_t work_bits)
{
	uint32_t before;

	ASSERT_INVARIANT(vcore_is_mine(this_vcore()));
	before = atomic_fetch_or(&t->work, work_bits);
	if ((before & work_bits) == work_bits)
		return;
	if (atomic_load(&t->on_cpu) && t != this_vcore()->current)
		vcore_ring((unsigned)atomic_load(&t->home));
}
