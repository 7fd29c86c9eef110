/* SPDX-License-Identifier: MIT */
/*
 * TLB epochs.
 *
 * The clock counts publications.  Each CPU says in `seen` up to which tick its TLB is known to
 * hold nothing stale.  The protocol, for an entry that CPU P removes from space S while CPU C has
 * S loaded:
 *
 *	P, under S's lock                        C
 *	1. change the entry                      a. say that S is next
 *	2. see where C is (after a full barrier) b. read the clock: G
 *	3. set C's bit in S.behind               c. clear C's bit in S.behind
 *	4. advance the clock: epoch E            d. flush (CR3 is loaded)
 *	5. stamp what was removed {E, C, ...}    e. seen = G
 *	6. interrupt C unless it is idle
 *
 * I10, no TLB holds a translation to a frame that has a new use.  A frame gets a new use only when
 * its stamp is acknowledged: seen >= E on every CPU of the stamp.
 * - C is not in the stamp: P saw where C is (2) before C said so (a).  Both are locked
 *   instructions, so the entry's change (1) is visible to C's page walks, which follow d.
 * - C is in the stamp and said seen >= E by steps b to e: it read the clock after 4, so it flushed
 *   after 1.
 * - C may also say so without a flush (tlb_catch_up): it reads the clock, G, and then finds its
 *   bit clear in the `behind` of everything that it has loaded.  If G >= E, then 4 was over, and
 *   so was 3.  The bit is clear, so C has cleared it since, and clearing is always followed by a
 *   flush before `seen` is written.  That is why 3 comes before 4, and b before c.
 * - C is idle: it counts as having acknowledged everything, because it runs tlb_catch_up() before
 *   it enters ring 3 again.  It clears `idle` by a locked instruction and then reads `behind`; P
 *   sets `behind` by one and then reads `idle`.  So either C sees the bit, or P sees that C is not
 *   idle, and neither counts nor leaves out C wrongly.  The kernel itself never reads user memory
 *   between the two.
 * - C has left S: it loaded another CR3 after a, which is a flush like any other, and only then said
 *   that S is not where it is.  What it says it writes to `next` before the flush and to `last` after it.
 * - C loads another CR3 with its bit set: it leaves out c, and flushes once more than it need when it next
 *   finds the bit.
 *
 * A frame can be mapped in several spaces.  Its stamp is the union of those of its removals, and
 * is written before the map count goes down; so whoever sees a count of 0 sees all stamps.
 *
 * Nobody waits in here.  A vcore that waits for an epoch leaves its stamp with its CPU and gets
 * EXO_EVENT_TLB: the CPU whose acknowledgement was missing looks at who waits and rings them.
 * Waiting is: note vcore and stamp, set the bit in `waiting`, look at the stamp again.  Acknowledging
 * is: write `seen` (a locked exchange), look at `waiting`.  One of the two sees the other.  A vcore may
 * be rung for a wait that it has just begun in place of another: it looks, and waits again.
 */
#include "kernel.h"
#include "calls.h"

#define STAMP_CPUS 16

struct tlb_cpu {
	/* Written by this CPU, read by any. */
	_Alignas(64) _Atomic uint64_t seen;
	/* Where it is, for others: a space, and in [1] the shared region below it. */
	struct {
		const struct space *_Atomic next, *_Atomic last;
	} loaded[2];
	/* While this CPU's bit is set in `waiting`: what is waited for. */
	_Atomic tlb_stamp awaited;

	/* Set by this CPU, taken by any: who waits, with a reference; NULL if nobody. */
	struct vcore *_Atomic waiter;
};

static struct tlb_cpu tlb_cpus[EXO_CPUS_MAX];

/* Any CPU.  The number of the last epoch published. */
static _Alignas(64) _Atomic uint64_t tlb_clock;

/* Any CPU sets its own bit; any CPU clears any. */
static _Alignas(64) _Atomic uint64_t waiting;

static tlb_stamp stamp_make(uint64_t epoch, uint64_t cpus)
{
	uint64_t folded = cpus | cpus >> 32;

	return epoch << 16 | ((folded | folded >> STAMP_CPUS) & 0xffff);
}

static bool cpu_acknowledged(unsigned cpu, tlb_stamp stamp)
{
	return !(stamp >> (cpu % STAMP_CPUS) & 1) ||
	       atomic_load(&tlb_cpus[cpu].seen) >= tlb_stamp_epoch(stamp) ||
	       atomic_load(&cpu_by_number(cpu)->idle);
}

tlb_stamp tlb_stamp_union(tlb_stamp a, tlb_stamp b)
{
	uint64_t epoch = tlb_stamp_epoch(a > b ? a : b);

	return epoch << 16 | ((a | b) & 0xffff);
}

bool tlb_acknowledged(tlb_stamp stamp)
{
	for (unsigned cpu = 0; stamp && cpu < cpu_count; cpu++)
		if (!cpu_acknowledged(cpu, stamp))
			return false;
	return true;
}

void tlb_remind(tlb_stamp stamp)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (cpu != this_cpu()->number && !cpu_acknowledged(cpu, stamp))
			cpu_interrupt(cpu_by_number(cpu), VECTOR_TLB);
}

uint64_t tlb_others_with(const struct space *s)
{
	uint64_t others = 0;

	for (uint64_t left = this_cpu()->others; left; left &= left - 1) {
		const struct tlb_cpu *other = &tlb_cpus[__builtin_ctzl(left)];

		if (atomic_load(&other->loaded[s->is_shared].next) == s ||
		    atomic_load(&other->loaded[s->is_shared].last) == s)
			others |= left & -left;
	}
	return others;
}

tlb_stamp tlb_publish(struct space *s)
{
	uint64_t others;
	tlb_stamp stamp;

	ASSERT_INVARIANT(lock_held(&s->lock));
	atomic_thread_fence(memory_order_seq_cst);
	others = tlb_others_with(s);
	if (!others)
		return 0;
	atomic_fetch_or(&s->behind, others);
	stamp = stamp_make(atomic_fetch_add(&tlb_clock, 1) + 1, others);
	tlb_remind(stamp);
	return stamp;
}

/* Others may add to the same word at the same time. */
tlb_stamp tlb_stamp_add(_Atomic uint64_t *word, tlb_stamp stamp)
{
	tlb_stamp old = atomic_load(word), new;

	do {
		new = tlb_acknowledged(old) ? stamp : tlb_stamp_union(old, stamp);
		if (new == old)
			break;
	} while (!atomic_compare_exchange_weak(word, &old, new));
	return new;
}

void tlb_stamp_frame(uint64_t frame, tlb_stamp stamp)
{
	ASSERT_INVARIANT(!(atomic_load(&frame_private[frame]) & FRAME_PRIVATE_OBJECT));
	tlb_stamp_add(&frame_private[frame], stamp);
}

/* The frame may have been claimed, and an object be alive in it, before the look or after: then all
 * have acknowledged the stamp that it had. */
tlb_stamp tlb_frame_pending(uint64_t frame)
{
	tlb_stamp stamp = atomic_load(&frame_private[frame]);

	if (stamp & FRAME_PRIVATE_OBJECT)
		return 0;
	if (!tlb_acknowledged(stamp))
		return stamp;
	if (stamp)
		atomic_compare_exchange_strong(&frame_private[frame], &stamp, 0);
	return 0;
}

bool tlb_frame_acknowledged(uint64_t frame)
{
	tlb_stamp stamp = tlb_frame_pending(frame);

	if (stamp)
		tlb_remind(stamp);
	return !stamp;
}

/* ---------------------------------------------------------------- this CPU's side */

/* The wait that a CPU noted ends.  The bit goes first: who notes a wait sets the bit last. */
static void end_wait(unsigned cpu, bool ring)
{
	struct vcore *v;

	atomic_fetch_and(&waiting, ~(1ul << cpu));
	v = atomic_exchange(&tlb_cpus[cpu].waiter, NULL);
	if (v && ring)
		vcore_ring(v, EXO_EVENT_TLB);
	if (v)
		object_put(&v->object);
}

/* After this CPU's `seen` has moved: ring those that need not wait any longer.  Nobody waits for the CPU
 * that he is on (call_tlb_poll). */
static void waiters_ring(unsigned self)
{
	uint64_t set = atomic_load(&waiting) & ~(1ul << self);

	for (unsigned cpu = 0; set && cpu < cpu_count; cpu++)
		if ((set >> cpu & 1) && tlb_acknowledged(atomic_load(&tlb_cpus[cpu].awaited)))
			end_wait(cpu, true);
}

static __attribute__((noinline)) void acknowledge(unsigned cpu, uint64_t clock)
{
	atomic_exchange(&tlb_cpus[cpu].seen, clock);
	waiters_ring(cpu);
}

/* Clears this CPU's bit; was it set? */
static bool take_behind(struct space *s, unsigned cpu)
{
	if (!(atomic_load(&s->behind) >> cpu & 1))
		return false;
	atomic_fetch_and(&s->behind, ~(1ul << cpu));
	return true;
}

/* Nothing but this CPU's own is touched after CR3 is written: each page is a walk then. */
void tlb_load(uint64_t root_frame, struct space *space, struct space *shared)
{
	struct cpu *cpu = this_cpu();
	struct tlb_cpu *me = &tlb_cpus[cpu->number];
	uint64_t clock;

	if (space == cpu->run.space)
		return;
	atomic_store_explicit(&me->loaded[1].next, shared, memory_order_relaxed);
	atomic_store(&me->loaded[0].next, space);
	clock = atomic_load(&tlb_clock);
	cpu->run.space = space;
	cpu->run.shared = shared;
	cr3_write(root_frame << EXO_PAGE_SHIFT);
	atomic_store_explicit(&me->loaded[0].last, space, memory_order_release);
	atomic_store_explicit(&me->loaded[1].last, shared, memory_order_release);
	if (clock != atomic_load(&me->seen))
		acknowledge(cpu->number, clock);
}

static __attribute__((noinline)) void catch_up(unsigned cpu, uint64_t clock)
{
	struct space *space = this_cpu()->run.space;

	if (space && (take_behind(space, cpu) | take_behind(this_cpu()->run.shared, cpu))) {
		tlb_flush_all();
		this_cpu()->stats.tlb_flushes++;
	}
	acknowledge(cpu, clock);
}

void tlb_catch_up(void)
{
	unsigned cpu = this_cpu()->number;
	uint64_t clock = atomic_load(&tlb_clock);

	if (clock != atomic_load(&tlb_cpus[cpu].seen))
		catch_up(cpu, clock);
}

void tlb_forget_waiter(const struct vcore *v)
{
	if (atomic_load(&tlb_cpus[v->cpu].waiter) == v)
		end_wait(v->cpu, false);
}

/* One vcore waits per CPU.  If another one did, it is woken, finds its epoch still unacknowledged,
 * and waits again. */
static void wait_for(tlb_stamp stamp, struct vcore *v)
{
	struct tlb_cpu *me = &tlb_cpus[v->cpu];

	end_wait(v->cpu, atomic_load(&me->waiter) != v);
	object_get(&v->object);
	atomic_store(&me->waiter, v);
	atomic_store(&me->awaited, stamp);
	atomic_fetch_or(&waiting, 1ul << v->cpu);
	tlb_remind(stamp);
}

/* (space, epoch, wait) */
int64_t call_tlb_poll(struct exo_regs *regs, struct handle_view *h)
{
	tlb_stamp stamp = regs->rsi << 16 | (atomic_load(&h->space->stale) & 0xffff);

	if (regs->rsi > atomic_load(&tlb_clock))
		return -EINVAL;
	tlb_catch_up(); /* the caller's own CPU may be among them */
	if (tlb_acknowledged(stamp))
		return 1;
	if (!regs->rdx)
		return 0;
	wait_for(stamp, this_cpu()->current);
	if (!tlb_acknowledged(stamp))
		return 0;
	tlb_forget_waiter(this_cpu()->current);
	return 1;
}
