/* SPDX-License-Identifier: MIT */
/*
 * Looking for a while before halting.
 *
 * To wake a halted processor costs more than most answers take, above all where the processor is a thread
 * of an emulator's host.  So a CPU whose idle times have been short looks for its next event itself,
 * before it halts.  It must not take the time of somebody who has work:
 *
 *	one CPU at a time looks, and none in a domain that shares its CPU's time with others; who looks may
 *	have been rung just now, so the next one waits for the turn for a moment
 *	whoever looks in vain does so for half as long the next time, and then for a while not at all
 *	whoever finds that time has jumped, so that others wanted its place on the host, stops at once, and
 *	looks for a quarter as long the next time
 *
 * (For some microseconds each may look whether a task that is queued elsewhere is to wait at all, before
 * it asks for that: idle_poll_victim.)
 *
 * Who sends to a CPU that looks need not ring it, which costs both of them more than all else that a wake
 * takes (mailbox.h says why nothing is missed).  All that is not mail rings as ever.
 */
#include "core/cpu.h"
#include "core/exo.h"
#include "core/idle_poll.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "time/time.h"

#define SHORT_NS 200000ul  /* an idle time that makes it worth a try */
#define WINDOW_NS 50000ul  /* looked at first */
#define LEAST_NS 10000ul   /* less is not worth it */
#define JUMP_NS 20000ul    /* between two looks: the host has run somebody else */
#define TURN_NS 20000ul    /* waited at most until the one who looks has stopped */
#define RETRY_NS 5000000ul /* so long after all was in vain */
#define SETTLE_NS 5000ul   /* a task that is still queued after that is asked for */

static _Atomic bool somebody_looks; /* any CPU; of whoever has raised it */

/* Nobody else could send anything, or others want the CPU's time. */
static bool is_pointless(const struct vcore *v)
{
	return vcore_count == 1 || v->page->budget_end_tsc != UINT64_MAX;
}

static bool has_come(const struct vcore *v)
{
	return __atomic_load_n(&v->page->pending, __ATOMIC_RELAXED) ||
	       mailbox_has_mail(&v->mailbox);
}

static bool look(const struct vcore *v, uint64_t now, bool *jumped)
{
	uint64_t end = now + ns_to_tsc(v->poll_ns), jump = ns_to_tsc(JUMP_NS);

	while (now < end) {
		uint64_t last = now;

		__builtin_ia32_pause();
		now = rdtsc();
		/* Also if time has jumped: that may be how it came. */
		if (has_come(v))
			return true;
		*jumped = now - last > jump;
		if (*jumped)
			return false;
	}
	return false;
}

/* False: another looks on, or there is something for us already, which the halt will find. */
static bool get_turn(const struct vcore *v, uint64_t now)
{
	uint64_t end = now + ns_to_tsc(TURN_NS);

	while (atomic_exchange(&somebody_looks, true)) {
		__builtin_ia32_pause();
		if (__atomic_load_n(&v->page->pending, __ATOMIC_RELAXED) || rdtsc() >= end)
			return false;
	}
	return true;
}

bool idle_poll(struct vcore *v)
{
	uint64_t now = rdtsc();
	bool found, jumped = false;

	if (v->poll_ns == 0 || now < v->poll_again_tsc || is_pointless(v) || !get_turn(v, now))
		return false;
	now = rdtsc();
	mailbox_watch(&v->mailbox);
	found = look(v, now, &jumped);
	race_point();
	found |= mailbox_unwatch(&v->mailbox);
	atomic_store(&somebody_looks, false);
	if (found) {
		v->poll_ns = WINDOW_NS;
		return true;
	}
	v->poll_ns /= jumped ? 4 : 2;
	if (v->poll_ns < LEAST_NS) {
		v->poll_ns = 0;
		v->poll_again_tsc = now + ns_to_tsc(RETRY_NS);
	}
	return false;
}

/* One task is in its queue and none runs there: that one will, in a moment.  A hint. */
static bool is_about_to_run(const struct vcore *v)
{
	return atomic_load(&v->queue.count) == 1 && !*(struct task *const volatile *)&v->current;
}

/*
 * Who asks for such a task rings that CPU, and is refused.  So we look again, for a moment in all.
 *
 * Why no task is overlooked: in the end we ask whom we saw last, or have seen nobody, or something is to be
 * done here first, and then we come back.
 */
int idle_poll_victim(const struct vcore *v, int (*find)(const struct vcore *v))
{
	int victim = find(v);
	uint64_t end;

	if (victim < 0 || is_pointless(v))
		return victim;
	end = rdtsc() + ns_to_tsc(SETTLE_NS);
	while (victim >= 0 && is_about_to_run(vcore_of((unsigned)victim)) && rdtsc() < end) {
		if (has_come(v))
			return -1;
		__builtin_ia32_pause();
		victim = find(v);
	}
	return victim;
}

void idle_poll_learn(struct vcore *v, uint64_t idle_tsc)
{
	if (v->poll_ns == 0 && idle_tsc < ns_to_tsc(SHORT_NS))
		v->poll_ns = WINDOW_NS;
}
