/* SPDX-License-Identifier: MIT */
/*
 * Serving: see service.h.  The callers share their pages with us and may write anything there at any
 * time: what is read is read once, and which requests are being served only we know.
 */
#include "domain/service.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/task.h"
#include "core/vcore.h"
#include "proc/signal.h"

/* Under lock.  What is taken is told before it is taken, and what is answered when it has been: the exchange
 * of a slot's state is a full barrier, and here is a release. */
static void tell_held(struct service *s, unsigned caller, bool held)
{
	uint64_t now = atomic_load_explicit(&s->pages->held, memory_order_relaxed),
		 bit = 1ul << caller;

	atomic_store_explicit(&s->pages->held, held ? now | bit : now & ~bit, memory_order_release);
}

/* Under lock: takes the request, if it is one and for this CPU.  Its bit is cleared only then: the slot is
 * ours, so it is not the bit of another request. */
static bool take(struct service *s, unsigned caller, unsigned number, unsigned cpu,
		 struct server_message *m)
{
	struct service_page *page = &s->pages[caller];
	struct service_slot *slot = service_slot(page, number);
	uint32_t posted = SLOT_POSTED_FOR(cpu);

	if (s->taken[caller] >> number & 1)
		return false;
	tell_held(s, caller, true);
	if (!atomic_compare_exchange_strong(&slot->state, &posted, SLOT_TAKEN)) {
		tell_held(s, caller, s->taken[caller] != 0);
		return false;
	}
	atomic_fetch_and(&page->posted, ~(1ul << number));
	for (unsigned i = 0; i < SERVER_WORDS; i++)
		m->words[i] = slot->words[i];
	m->caller = caller;
	m->request = caller * SERVICE_SLOTS + number;
	s->taken[caller] |= 1ul << number;
	return true;
}

/* Under lock: callers in turn. */
static bool find_request(struct service *s, unsigned cpu, struct server_message *m)
{
	for (unsigned n = 0; n < SERVICE_CALLERS; n++) {
		unsigned caller = (s->next_caller + n) % SERVICE_CALLERS;
		uint64_t posted = atomic_load_explicit(&s->pages[caller].posted, memory_order_acquire);

		for (posted &= ~1ul; posted; posted &= posted - 1) {
			if (!take(s, caller, (unsigned)__builtin_ctzl(posted), cpu, m))
				continue;
			s->next_caller = caller + 1;
			return true;
		}
	}
	return false;
}

static void answer(struct service *s, const struct server_message *m)
{
	unsigned caller = m->request / SERVICE_SLOTS, number = m->request % SERVICE_SLOTS;
	struct service_slot *slot;

	if (caller >= SERVICE_CALLERS || number == 0)
		return;
	slot = service_slot(&s->pages[caller], number);
	lock_acquire(&s->lock);
	if (s->taken[caller] >> number & 1) {
		for (unsigned i = 0; i < SERVER_WORDS; i++)
			slot->words[i] = m->words[i];
		atomic_store_explicit(&slot->state, SLOT_DONE, memory_order_release);
		s->taken[caller] &= ~(1ul << number);
		tell_held(s, caller, s->taken[caller] != 0);
	}
	lock_release(&s->lock);
}

/* The maker learns when there is a thread for each CPU, and may take back its time then. */
static void say_serving(struct service *s, unsigned cpu)
{
	uint64_t bit = 1ul << cpu;

	if (!(atomic_load_explicit(&s->pages->serving, memory_order_relaxed) & bit)) {
		atomic_fetch_or(&s->pages->serving, bit);
		(void)exo_send(atomic_load(&s->link->peers[0]), 0, 0, 0);
	}
}

/* Whoever gave us time has it back, and may give us more; false: nobody has. */
static bool give_time_back(void)
{
	int64_t r;

	upcalls_mask();
	r = exo_reply(this_vcore()->page->token);
	upcalls_unmask();
	return r != -ESRCH;
}

/*
 * Under lock: 0 with a request, or -ERESTARTSYS.
 *
 * Why no request waits while the thread sleeps: it is posted before the caller gives us time, and rung
 * for if we then go to sleep without having answered.  The ring wakes who waits under the lock, and
 * the thread looks for requests under the same lock before it waits.
 */
static int await_request(struct service *s, unsigned cpu, struct server_message *m)
{
	while (!find_request(s, cpu, m)) {
		bool given;

		lock_release(&s->lock);
		given = give_time_back();
		lock_acquire(&s->lock);
		if (find_request(s, cpu, m))
			break;
		if (signal_is_pending() ||
		    (!given && wait_on(&s->waiting, &s->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR))
			return -ERESTARTSYS;
	}
	return 0;
}

/* Until there is one of these CPUs; 0 or -ERESTARTSYS.  Who brings one up rings under the lock
 * (links_rung()) when it is there. */
static int await_cpu(struct service *s, uint64_t wanted)
{
	int r = 0;

	lock_acquire(&s->lock);
	while (r != -EINTR && !(vcores_present() & wanted))
		r = wait_on(&s->waiting, &s->lock, WAIT_INTERRUPTIBLE, 0);
	lock_release(&s->lock);
	return r == -EINTR ? -ERESTARTSYS : 0;
}

int service_await_cpu(struct service *s, struct server_message *m)
{
	int r = await_cpu(s, ~m->words[0]);

	m->words[0] |= vcores_present();
	return r;
}

int service_reply_receive(struct service *s, struct server_message *m)
{
	uint64_t allowed = current()->affinity;
	unsigned cpu;
	int r;

	if (!allowed || (allowed & (allowed - 1)))
		return -EINVAL;
	cpu = (unsigned)__builtin_ctzl(allowed);
	if (m->request) {
		answer(s, m);
		/* Whoever has given us time may have waited for that: we begin nothing else on it. */
		(void)give_time_back();
	}
	m->request = 0;
	r = await_cpu(s, allowed);
	if (r)
		return r;
	say_serving(s, cpu);
	lock_acquire(&s->lock);
	r = await_request(s, cpu, m);
	lock_release(&s->lock);
	return r;
}
