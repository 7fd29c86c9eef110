/* SPDX-License-Identifier: MIT */
/*
 * Giving a CPU up.
 *
 *	the CPU that leaves                    each other CPU
 *	waits until no child has it
 *	clears its bit in online_cpus
 *	asks all that are online  -----------> answers, between two things that it does
 *	passes on what it has, and what
 *	still comes, until all have answered
 *	cpu_online(cpu, 0), EXO_CALL_REVOKE
 *
 * Why nothing is sent to a CPU that has gone.  Who sends to a mailbox reads online_cpus and pushes in one
 * masked section (place_choose, message_call_wait, steal_ask), and the answer is given outside of any.  So a
 * section that began before the answer has pushed before it, and what it pushed is found by a look
 * into the mailbox after the last answer; and one that begins later finds the bit clear.  What
 * is sent without a look is the answer to a thief, who does not leave before he has it, and flags that are
 * hints about a task or a queue that is no longer there.
 *
 * One leaves at a time, so that whoever still runs is either online, and asked, or the one who asks.  One
 * that waits for its turn goes on answering.  A CPU that comes meanwhile sets its bit first, and reads the
 * mask after that: either it is asked, or it finds the bit of the one that leaves clear.
 *
 * The last CPU stays, and goes when another comes: that one may have been granted before, and be on its way.
 * Why neither waits for the other: the last one says in `put_off` that it is to go, and then looks at
 * online_cpus again; one that comes sets its bit there, and then looks at `put_off`, all sequentially
 * consistent.  So the last one sees the bit, or the other sees who is to go, and reminds it.
 *
 * What a CPU has that others do not reach: its queue and its heir go to other CPUs.  Its timers stay in its
 * heap, and the first online CPU looks after them (core/timer.c).  It gives back what it kept of the heap.
 * Its caches of frames are emptied by whoever finds no others (core/frames.c), and its free task slots wait
 * until it comes again.
 */
#include "sched/offline.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/exo.h"
#include "core/heap.h"
#include "core/list.h"
#include "core/log.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "domain/withdrawal.h"
#include "sched/donation.h"
#include "sched/library.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"
#include "trace/trace.h"

/* Each CPU's: the handle that it had when it last went, whose slot is dropped when it comes again. */
static exo_handle given_up[EXO_CPUS_MAX];
/* Each CPU's: by when it is to be given up, if it is. */
static uint64_t leave_by_ns[EXO_CPUS_MAX];

/* Of the one that leaves: its number plus 1, 0: none. */
static _Atomic unsigned leaver;
/* The leaver's. */
static struct mailbox_call questions[EXO_CPUS_MAX];
static _Atomic unsigned unanswered; /* the others count down; release: what they have pushed */

/* The last CPU, if it is to go when another comes: its number plus 1, 0: none.  Whoever clears it has the
 * reminder; who is put off waits for it, and does not go without. */
static _Atomic unsigned put_off;
static struct mailbox_call reminder;

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

static uint64_t bit(const struct vcore *v)
{
	return 1ul << v->cpu;
}

void cpu_revoked(struct vcore *v, uint64_t deadline_tsc)
{
	uint64_t now = rdtsc(), left_ns = deadline_tsc > now ? tsc_to_ns(deadline_tsc - now) : 0;

	log_print("libos: CPU %d is to be given up within %lu ms\n", v->cpu, left_ns / 1000000);
	leave_by_ns[v->cpu] = time_now_ns() + left_ns;
	v->leaving = v->need_resched = true;
}

/* ---------------------------------------------------------------- the others */

/* Timers that are this CPU's to look after from now on are set on its way out of the event. */
static void answer(struct mailbox_call *question)
{
	unsigned who = atomic_load(&leaver) - 1;

	(void)question;
	if (atomic_fetch_sub(&unanswered, 1) == 1)
		vcore_ring(who);
}

/* ---------------------------------------------------------------- the one that leaves */

/*
 * Not the last one: then there would be nobody to do anything.
 *
 * It traces no more from before its bit is clear: whoever turns tracing off, or the rings over, asks those
 * that have theirs, and gives the rings' memory away when all of these have answered.
 */
static bool take_out_of_mask(struct vcore *v)
{
	uint64_t online = atomic_load(&online_cpus);

	v->traced = false;
	do {
		if (!(online & ~bit(v))) {
			trace_cpu_start(v);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&online_cpus, &online, online & ~bit(v)));
	atomic_fetch_or(&away_cpus, bit(v));
	idle_ends(v);
	return true;
}

/* False: this is the last one, and is reminded when it may go. */
static bool may_leave(struct vcore *v)
{
	while (!take_out_of_mask(v)) {
		unsigned own = (unsigned)v->cpu + 1;

		atomic_store(&put_off, own);
		if (!(atomic_load(&online_cpus) & ~bit(v)))
			return false;
		if (!atomic_compare_exchange_strong(&put_off, &own, 0))
			return false;
	}
	return true;
}

/* On the one that is to go, in an event. */
static void remind(struct mailbox_call *unused)
{
	struct vcore *v = this_vcore();

	(void)unused;
	v->leaving = v->need_resched = true;
}

static void remind_last(struct vcore *v)
{
	unsigned who = atomic_exchange(&put_off, 0);

	if (who) {
		reminder.function = remind;
		message_call(v, who - 1, &reminder);
	}
}

static void ask_all(struct vcore *v)
{
	uint64_t online = atomic_load(&online_cpus);

	atomic_store(&unanswered, (unsigned)__builtin_popcountl(online));
	for (; online; online &= online - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(online);

		questions[cpu].function = answer;
		message_call(v, cpu, &questions[cpu]);
	}
}

/* As Linux does it: better anywhere than nowhere. */
static void say_if_pinned(const struct vcore *v, const struct task *t)
{
	if (!(t->affinity & atomic_load(&online_cpus)))
		log_print("libos: task %u (%s) was bound to CPU %d, and runs on others now\n",
			  t->self.id, t->name, v->cpu);
}

static void pass_on(struct vcore *v)
{
	donation_release(v, DONATION_LATE);
	(void)donation_heir(v); /* may not stay here */
	while (atomic_load_explicit(&v->queue.count, memory_order_relaxed) > 0) {
		struct task *t = run_queue_oldest(v);

		say_if_pinned(v, t);
		run_queue_remove(v, t);
		stall_pause(v, t); /* it waits on elsewhere */
		task_move(t, PLACE_QUEUED, PLACE_MAILBOX);
		t->message = MESSAGE_MIGRATE;
		v->stats.migrations_out++;
		task_send(v, t, place_choose(v, t, SCHED_MIGRATED));
	}
}

/* Sleeps between: whatever it waits for rings. */
static void wait_for_silence(struct vcore *v)
{
	for (;;) {
		uint64_t token = v->page->token;

		events_take(v);
		pass_on(v);
		/* Acquire: what the others pushed before they answered is seen by the next look. */
		bool answered = atomic_load(&unanswered) == 0;

		if (mailbox_has_mail(&v->mailbox) || v->deferred ||
		    __atomic_load_n(&v->page->pending, __ATOMIC_RELAXED))
			continue;
		if (answered && !v->steal_asked)
			return;
		(void)exo_halt(token, 0);
	}
}

void cpu_leave(struct vcore *v)
{
	unsigned nobody = 0;
	exo_handle handle = v->handle;

	ASSERT_INVARIANT(vcore_is_mine(v) && !v->current && v->held_count == 0);
	v->left_token = 0; /* the next vcore here begins to count anew */
	/* When they have left it we are here again. */
	if (domains_leave((unsigned)v->cpu, leave_by_ns[v->cpu])) {
		wakes_deliver(v);
		return;
	}
	while (!atomic_compare_exchange_strong(&leaver, &nobody, (unsigned)v->cpu + 1)) {
		nobody = 0;
		events_take(v);
		__builtin_ia32_pause();
	}
	v->leaving = false;
	if (!may_leave(v)) {
		atomic_store(&leaver, 0);
		domains_stay((unsigned)v->cpu);
		log_print("libos: CPU %d is the last, and is given up when another comes\n", v->cpu);
		return;
	}
	ask_all(v);
	wait_for_silence(v);
	heap_give_back();
	sched_cpu_stop(v);
	log_print("libos: CPU %d is given up\n", v->cpu);
	/* If it has set one of its own timers meanwhile. */
	vcore_ring((unsigned)__builtin_ctzl(atomic_load(&online_cpus)));
	v->handle = 0;
	given_up[v->cpu] = handle;
	exo_handle_drop(machine()->cpus[v->cpu].sc);
	atomic_store(&leaver, 0);
	for (;;)
		exo_revoke(handle, 0);
}

void cpu_arrive(struct vcore *v)
{
	if (given_up[v->cpu])
		exo_handle_drop(given_up[v->cpu]);
	given_up[v->cpu] = 0;
	domains_stay((unsigned)v->cpu);
	v->handle = machine()->cpus[v->cpu].vcore;
	v->space = EXO_HANDLE(EXO_SLOT_SPACE);
	atomic_store(&v->mailbox.flags, 0);
	v->steal_asked = v->taken_read = 0;
	v->mail_rests = false; /* if a timer was to read on: whoever looks after ours fires it in vain */
	atomic_fetch_or(&online_cpus, bit(v));
	atomic_fetch_and(&away_cpus, ~bit(v));
	remind_last(v);
}

/* ---------------------------------------------------------------- what was taken */

/*
 * The ring is the same in every page; one acts for all.  A CPU that was taken while it took part had
 * tasks, and maybe a lock, that nobody will ever see again: its registers are in its page, but what
 * the others wait for is not.  So that is the end.
 */
static void lost(const struct exo_taken *entry)
{
	if (entry->kind == EXO_REVOKED_VCORE) {
		if (atomic_load(&online_cpus) >> entry->number & 1)
			libos_panic("CPU %lu was taken at %lx before it was given up", entry->number,
				    ((const struct exo_vcore_page *)(EXO_VCORE_BASE + entry->number *
				     EXO_VCORE_STRIDE))->last.rip);
	} else if (entry->kind == EXO_REVOKED_SC) {
		log_print("libos: the time on CPU %lu was taken\n", entry->number);
	} else if (entry->kind == EXO_REVOKED_LINE) {
		log_print("libos: interrupt line %lu was taken\n", entry->number);
	} else if (entry->kind == EXO_REVOKED_FRAMES) {
		log_print("libos: frames %lx to %lx have been taken\n", entry->number,
			  entry->number + entry->count - 1);
	}
}

void cpu_losses_read(struct vcore *v)
{
	for (;;) {
		const struct exo_taken *slot = &v->page->taken[v->taken_read % EXO_TAKEN_SLOTS];
		struct exo_taken entry;

		if ((int32_t)(__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) - v->taken_read) <= 0)
			return;
		entry = *slot;
		v->taken_read = entry.sequence; /* more than one further: some were overwritten */
		if (__builtin_ctzl(atomic_load(&online_cpus)) == v->cpu)
			lost(&entry);
	}
}
