/* SPDX-License-Identifier: MIT */
/*
 * Calling a server: see service.h.
 *
 * The calling task stays on its CPU and gives away the vcore's time, masked, so that the kernel refuses
 * if an event is pending, and ends the donation when one comes.  Between two donations upcalls are
 * unmasked: events are dealt with, other tasks may have their turn, and the call goes on when this one
 * has its own.
 */
#include "domain/service.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/task.h"
#include "core/vcore.h"
#include "proc/signal.h"
#include "time/timespec.h"

/* A server that sleeps in the middle is given time this often. */
#define LOOK_NS 1000000ul

struct call {
	struct service *service;
	struct service_slot *slot; /* in the page that the server sees */
	unsigned number;           /* of the slot */
	unsigned cpu;
	exo_handle server;         /* its vcore there */
	uint64_t affinity;         /* the task's own; 0: it has not been bound to `cpu` */
	uint64_t affinity_sets;    /* which one that was */
	uint64_t deadline_ns;      /* 0: none */
};

/* ---------------------------------------------------------------- the CPU */

static exo_handle vcore_on(struct service *s, unsigned cpu)
{
	exo_handle h;

	if (s->link)
		return atomic_load(&s->link->peers[cpu]);
	lock_acquire(&s->lock);
	h = s->vcores[cpu];
	lock_release(&s->lock);
	return h;
}

static unsigned cpu_now(void)
{
	return (unsigned)this_vcore()->cpu;
}

/* 0, or why a call is to go on no longer. */
static int must_end(const struct call *c)
{
	if ((atomic_load(&current()->work) & WORK_EXIT) || signal_is_pending())
		return -EINTR;
	return c->deadline_ns && time_now_ns() >= c->deadline_ns ? -ETIMEDOUT : 0;
}

/* Whatever somebody else has set since the last time is the task's own from now on. */
static void bind_to_cpu(struct call *c)
{
	struct task *t = current();

	lock_acquire(&t->lock);
	if (!c->affinity || t->affinity_sets != c->affinity_sets) {
		c->affinity = t->affinity;
		c->affinity_sets = t->affinity_sets;
		t->affinity = 1ul << c->cpu;
	}
	lock_release(&t->lock);
}

/*
 * The task goes where the request is to be served, and stays there, wherever others would have it run: what
 * they say holds after the call.  0, or why not; -EPIPE: we have that CPU no more.
 *
 * Somebody may let it run elsewhere at any time, also between the binding and the yielding, so it is bound
 * again each time that it finds itself elsewhere.
 */
static int stay(struct call *c)
{
	int r = 0;

	bind_to_cpu(c);
	while (r == 0 && cpu_now() != c->cpu) {
		if (!vcore_of(c->cpu)->handle)
			return -EPIPE;
		task_yield();
		bind_to_cpu(c);
		r = must_end(c);
	}
	return r;
}

/*
 * What somebody else has set since we last looked holds already.  Who sets one that excludes this CPU leaves
 * WORK_RESCHED with the task after that, so it yields before it goes on in its program, and is moved then.
 */
static void stay_no_longer(const struct call *c)
{
	struct task *t = current();

	if (!c->affinity)
		return;
	lock_acquire(&t->lock);
	if (t->affinity_sets == c->affinity_sets)
		t->affinity = c->affinity;
	lock_release(&t->lock);
}

/* Here, if it is served here, or else on the first CPU where it is. */
static int choose_cpu(struct call *c)
{
	uint64_t served = 0, here;
	int r;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if (vcore_of(cpu)->handle && vcore_on(c->service, cpu))
			served |= 1ul << cpu;
	if (!served)
		return -ENXIO;
	served &= current()->affinity;
	if (!served)
		return -EXDEV;
	here = 1ul << cpu_now();
	c->cpu = (unsigned)__builtin_ctzl(served & here ? here : served);
	r = stay(c);
	if (r)
		return r;
	c->server = vcore_on(c->service, c->cpu);
	return c->server ? 0 : -ENXIO;
}

/* ---------------------------------------------------------------- the slot */

/* Under lock: what was given up, and has been answered since, or has nobody to answer it. */
static void collect_abandoned(struct service *s)
{
	for (unsigned n = 1; n < SERVICE_SLOTS; n++) {
		struct service_slot *slot = service_slot(s->pages, n);

		if (!(s->abandoned >> n & 1) || atomic_load(&slot->state) == SLOT_TAKEN)
			continue;
		atomic_store(&slot->state, SLOT_FREE);
		s->abandoned &= ~(1ul << n);
		s->busy &= ~(1ul << n);
	}
}

static int post(struct call *c, const struct server_message *m)
{
	struct service *s = c->service;
	uint64_t unused;

	lock_acquire(&s->lock);
	if (s->pages && s->abandoned)
		collect_abandoned(s);
	unused = s->pages ? ~s->busy & ~1ul : 0;
	if (unused) {
		c->number = (unsigned)__builtin_ctzl(unused);
		c->slot = service_slot(s->pages, c->number);
		s->busy |= 1ul << c->number;
	}
	lock_release(&s->lock);
	if (!unused)
		return -EAGAIN;
	for (unsigned i = 0; i < SERVER_WORDS; i++)
		c->slot->words[i] = m->words[i];
	/* Release, both: who sees the bit sees the state, and who sees that sees the rest. */
	atomic_store_explicit(&c->slot->state, SLOT_POSTED_FOR(c->cpu), memory_order_release);
	atomic_fetch_or_explicit(&s->pages->posted, 1ul << c->number, memory_order_release);
	return 0;
}

/* Answered, withdrawn, or left to be collected when the server, which has taken it, is done with it. */
static void give_back(struct call *c)
{
	struct service *s = c->service;
	uint32_t state = SLOT_POSTED_FOR(c->cpu);
	uint64_t bit = 1ul << c->number;

	if (!atomic_compare_exchange_strong(&c->slot->state, &state, SLOT_FREE) && state != SLOT_TAKEN)
		atomic_store(&c->slot->state, SLOT_FREE);
	atomic_fetch_and(&s->pages->posted, ~bit);
	lock_acquire(&s->lock);
	if (state != SLOT_TAKEN)
		s->busy &= ~bit;
	else
		s->abandoned |= bit;
	lock_release(&s->lock);
}

/* ---------------------------------------------------------------- the time */

static bool is_answered(const struct call *c)
{
	return atomic_load_explicit(&c->slot->state, memory_order_acquire) == SLOT_DONE;
}

/* The rest of what this vcore has is the server's.  As EXO_CALL_DONATE; -EAGAIN: not now. */
static int64_t donate(const struct call *c)
{
	int64_t r = -EAGAIN;

	upcalls_mask();
	if (cpu_now() == c->cpu)
		r = exo_donate(c->server, this_vcore()->page->token);
	upcalls_unmask();
	return r;
}

/* 0, or why it could not be done. */
static int donation_error(int64_t donated)
{
	if (donated == -ELOOP)
		return -EDEADLK;
	return donated < 0 && donated != -EAGAIN ? -EPIPE : 0;
}

/*
 * The server sleeps, and has not answered.  It may not know that there is something to do: a message tells
 * it, or one that it has yet to take, if its mailbox is full.  If it does know, it sleeps in the middle:
 * so do we, for a while.
 */
static int wake_server(const struct call *c, bool again)
{
	uint64_t look = time_now_ns() + LOOK_NS;

	(void)exo_send(c->server, 0, 0, 0);
	if (!again)
		return 0;
	if (c->deadline_ns && c->deadline_ns < look)
		look = c->deadline_ns;
	wait_begin();
	return wait_sleep(WAIT_INTERRUPTIBLE, look) == -EINTR ? -EINTR : 0;
}

static int run_server(struct call *c)
{
	bool again = false;
	int r = 0;

	while (r == 0) {
		int64_t donated = donate(c);

		if (is_answered(c))
			return 0;
		r = donation_error(donated);
		if (r == 0)
			r = must_end(c);
		if (r == 0 && donated == 0) {
			r = wake_server(c, again);
			again = true;
		}
		if (r == 0)
			r = stay(c);
	}
	return r;
}

/* An event at the deadline ends the donation that is in progress; there is nothing else to do. */
static void deadline_passes(struct timer *t)
{
}

static int run_server_until(struct call *c)
{
	struct timer t = { .fire = deadline_passes };
	int r;

	if (!c->deadline_ns)
		return run_server(c);
	timer_arm(&t, c->deadline_ns);
	r = run_server(c);
	timer_cancel(&t);
	return r;
}

int service_call(struct service *s, struct server_message *m)
{
	uint64_t limit_ns = m->timeout_ns < TIME_NEVER_NS ? m->timeout_ns : TIME_NEVER_NS;
	struct call c = { .service = s, .deadline_ns = limit_ns ? deadline_after(limit_ns) : 0 };
	int r;

	r = choose_cpu(&c);
	if (r == 0)
		r = post(&c, m);
	if (r == 0) {
		r = run_server_until(&c);
		for (unsigned i = 0; i < SERVER_WORDS && r == 0; i++)
			m->words[i] = c.slot->words[i];
		give_back(&c);
	}
	stay_no_longer(&c);
	return r;
}
