/* SPDX-License-Identifier: MIT */
/* The calls of a running vcore about itself and its neighbours. */
#include "kernel.h"
#include "calls.h"
#include "sched_context.h"

#define DONATION_CHAIN_MAX 4

/*
 * The fast path between two processes: no time is read, nothing is charged, no list is touched, and of the
 * spaces themselves nothing either.
 *
 * Why a space that is remembered is not destroyed under us: we say where we go and then read the clock; who
 * destroys counts it on and then looks where vcores are (space_destroy.c).  Either he finds us there, or
 * we find another time, and go back to where we are, which is loaded all the while.
 */
__attribute__((flatten)) bool switch_at_once(struct cpu *cpu, struct exo_regs *regs)
{
	struct vcore *vcore = cpu->current;
	const struct space_name *name = vcore_name(vcore, regs->rdi);

	if (name->handle != regs->rdi || regs->rsi != vcore->token)
		return call_by_number(cpu, regs);
	atomic_store(&vcore->space, name->space);
	if (name->clock != atomic_load(&stale_clock)) {
		atomic_store_explicit(&vcore->space, cpu->run.space, memory_order_relaxed);
		return call_by_number(cpu, regs);
	}
	cpu->stats.switches++;
	regs->rax = 0;
	tlb_load(name->root, name->space, cpu->run.shared);
	debug_entry_ends();
	return run_has_work(&cpu->run);
}

/* (space, token), where that could not be done.  The reference goes when the vcore is there. */
int64_t call_switch(struct exo_regs *regs, struct handle_view *h)
{
	struct cpu *cpu = this_cpu();
	struct vcore *vcore = cpu->current;

	if (regs->rsi != vcore->token)
		return -EAGAIN;
	if (h->space->object.owner != vcore->object.owner || h->space->is_shared)
		return -EPERM;
	cpu->stats.switches++;
	atomic_store(&vcore->space, h->space);
	tlb_load(h->space->root, h->space, h->space->shared);
	return 0;
}

static bool has_events(const struct vcore *vcore)
{
	return __atomic_load_n(&vcore->page->pending, __ATOMIC_ACQUIRE) ||
	       atomic_load_explicit(&vcore->latched, memory_order_relaxed);
}

/*
 * Why no event is lost between "nothing to do" and sleep.  The vcore is masked, so an event since
 * its last look is in `pending`, and we refuse; or still in `latched`, and we refuse and it is
 * delivered on the way out; or it is latched after our look: then the vcore is in its CPU's rung
 * stack, which run_exit() takes after it has put the vcore to sleep, and wakes it; or its sender
 * finds it asleep and its interrupt brings the CPU back there.
 */
int64_t call_halt(struct exo_regs *regs, struct handle_view *h)
{
	struct run *run = &this_cpu()->run;
	struct vcore *vcore = this_cpu()->current;

	if (regs->rdi != vcore->token)
		return -EAGAIN;
	if (!vcore_is_masked(vcore))
		return -EINVAL;
	if (has_events(vcore))
		return 0;
	if (regs->rsi)
		timer_arm(vcore, regs->rsi);
	run->wish = RUN_HALT;
	run->attention = true;
	return 0;
}

/* The exit function has work only if the timer would go off too late. */
int64_t call_timer(struct exo_regs *regs, struct handle_view *h)
{
	struct run *run = &this_cpu()->run;
	uint64_t deadline_tsc = regs->rdi;

	timer_arm(this_cpu()->current, deadline_tsc);
	if (deadline_tsc && (!run->armed || deadline_tsc < run->armed))
		run->attention = true;
	return 0;
}

int64_t call_doorbell(struct exo_regs *regs, struct handle_view *h)
{
	vcore_ring(h->vcore, EXO_EVENT_DOORBELL);
	return 0;
}

static int check_donation(const struct vcore *from, const struct vcore *to)
{
	enum vcore_place place = vcore_place(to);
	unsigned length = 1;

	if (to->cpu != from->cpu)
		return -EXDEV;
	if (!place_has_list(place))
		return place == VCORE_RUNNING || place == VCORE_DONATING ? -ELOOP : -EINVAL;
	for (; from->donor; from = from->donor)
		length++;
	return length < DONATION_CHAIN_MAX ? 0 : -ELOOP;
}

/* No event is lost between a look and the donation, for the reason that call_halt() has. */
int64_t call_donate(struct exo_regs *regs, struct handle_view *h)
{
	struct run *run = &this_cpu()->run;
	struct vcore *vcore = this_cpu()->current;
	int error = regs->rsi == vcore->token ? check_donation(vcore, h->vcore) : -EAGAIN;

	if (error)
		return error;
	if (has_events(vcore))
		return DONATION_CUT_SHORT;
	run->wish = RUN_DONATE;
	run->wish_vcore = h->vcore;
	h->kept = true;
	run->attention = true;
	return 0;
}

int64_t call_reply(struct exo_regs *regs, struct handle_view *h)
{
	struct run *run = &this_cpu()->run;
	const struct vcore *vcore = this_cpu()->current;

	if (regs->rdi != vcore->token)
		return -EAGAIN;
	if (!vcore->donor)
		return -ESRCH;
	run->wish = RUN_REPLY;
	run->attention = true;
	return 0;
}

int64_t call_cpu_stats(struct exo_regs *regs, struct handle_view *h)
{
	struct exo_cpu_stats stats;

	if (regs->rdi >= cpu_count)
		return -EINVAL;
	if (regs->rdi == this_cpu()->number)
		run_account(this_cpu(), tsc_read());
	if (!run_stats(cpu_by_number(regs->rdi), &stats))
		return -EAGAIN;
	return copy_to_user(regs->rsi, &stats, sizeof(stats));
}
