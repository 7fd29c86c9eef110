/* SPDX-License-Identifier: MIT */
/* One vcore, alone on its CPU; then one on each of several CPUs. */
#include "cases.h"

#define ROUNDS 2000
#define ATTEMPTS 5000

static struct seen *const mine = &seen[0];

static void a_timer_interrupts_running_code(void)
{
	uint64_t before = mine->timer, deadline = tsc() + ms(5);

	CHECK_EQ(exo_call(EXO_CALL_TIMER, deadline, 0, 0, 0), 0);
	CHECK_EQ(my_page()->deadline_tsc, deadline);
	WAIT_FOR(mine->timer == before + 1);
	CHECK(tsc() >= deadline);
	CHECK_EQ(my_page()->deadline_tsc, 0);
}

static void a_past_deadline_is_delivered_at_once(void)
{
	uint64_t before = mine->timer;

	exo_call(EXO_CALL_TIMER, 1, 0, 0, 0);
	CHECK_EQ(mine->timer, before + 1);
}

static void an_event_while_masked_waits_in_pending(void)
{
	uint64_t before = mine->timer;

	mask();
	exo_call(EXO_CALL_TIMER, tsc() + ms(2), 0, 0, 0);
	WAIT_FOR(my_page()->pending & EXO_EVENT_TIMER);
	CHECK_EQ(mine->timer, before);
	unmask(mine);
	CHECK_EQ(mine->timer, before + 1);
}

static void halt_refuses_what_it_must(void)
{
	uint64_t token;

	CHECK_EQ(exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0), -EINVAL); /* unmasked */
	token = my_page()->token;
	CHECK_EQ(exo_call(EXO_CALL_TIMER, 1, 0, 0, 0), 0); /* an upcall */
	CHECK(my_page()->token != token);
	mask();
	CHECK_EQ(exo_call(EXO_CALL_HALT, token, 0, 0, 0), -EAGAIN);
	exo_call(EXO_CALL_DOORBELL, vcore_handle(0), 0, 0, 0);
	CHECK(my_page()->pending & EXO_EVENT_DOORBELL);
	CHECK_EQ(exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0), 0); /* pending: at once */
	unmask(mine);
}

static void halt_sleeps_until_its_deadline(void)
{
	uint64_t before = mine->timer, start = tsc();
	struct exo_cpu_stats first, second;

	CHECK_EQ(exo_call(EXO_CALL_CPU_STATS, 0, (uint64_t)&first, 0, 0), 0);
	CHECK_EQ(halt(start + ms(20), mine), 0);
	CHECK(tsc() >= start + ms(20));
	CHECK_EQ(mine->timer, before + 1);
	CHECK_EQ(exo_call(EXO_CALL_CPU_STATS, 0, (uint64_t)&second, 0, 0), 0);
	CHECK_EQ(second.charged + second.idle + second.kernel, second.elapsed); /* I7 */
	CHECK(second.idle - first.idle > ms(10));
}

static void switch_needs_the_current_token(void)
{
	uint64_t token = my_page()->token, space = EXO_HANDLE(EXO_SLOT_SPACE);

	CHECK_EQ(exo_call(EXO_CALL_SWITCH, space, token, 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SWITCH, space, token + 1, 0, 0), -EAGAIN);
	CHECK_EQ(exo_call(EXO_CALL_SWITCH, EXO_HANDLE(EXO_SLOT_SHARED), token, 0, 0), -EPERM);
	CHECK_EQ(exo_call(EXO_CALL_SWITCH, EXO_HANDLE(99), token, 0, 0), -EBADF);
}

static void faults_reach_the_libos(void)
{
	CHECK_EQ(read_unmapped(), 0x1000);
	CHECK_EQ(mine->faults, 1);
	mask();
	CHECK_EQ(read_unmapped(), 0x1001);
	CHECK_EQ(read_unmapped(), 0x1001);
	unmask(mine);
	CHECK_EQ(mine->masked_faults, 2);
	CHECK_EQ(mine->faults, 1);
}

static void a_vcore_masked_for_too_long_is_forced_out(void)
{
	uint64_t start = tsc();

	mask();
	exo_call(EXO_CALL_DOORBELL, vcore_handle(0), 0, 0, 0);
	while (!mine->overruns && tsc() < start + ms(3000))
		asm volatile("pause");
	unmask(mine);
	CHECK_EQ(mine->overruns, 1);
	CHECK(tsc() - start >= info()->masked_limit_ns / 1000000 * tsc_khz);
}

static void the_overrun_entry_may_leave_its_stack_slowly(void)
{
	uint64_t limit = info()->masked_limit_ns / 1000000;

	mask();
	exo_call(EXO_CALL_DOORBELL, vcore_handle(0), 0, 0, 0);
	linger_until = tsc() + ms(4 * limit);
	CHECK_EQ(read_unmapped(), 0x1001);
	CHECK_EQ(mine->overruns_on_stack, 0); /* once the stack has been left it may come */
	linger_until = 0;
	unmask(mine);
}

static void registers_survive_upcalls(void)
{
	uint64_t end = tsc() + ms(200), before = mine->timer;

	while (tsc() < end) {
		exo_call(EXO_CALL_TIMER, tsc() + ms(1) / 20, 0, 0, 0);
		CHECK(vectors_hold(0x123456789abc, 20000));
	}
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
	CHECK(mine->timer > before + 10);
}

static void a_mailbox_to_oneself(void)
{
	unsigned room = EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED;
	uint64_t before = mine->messages;

	CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), 77, 1, 2), 0);
	CHECK_EQ(mine->messages, before + 1);
	CHECK_EQ(mine->last_word, 77);
	CHECK_EQ(mine->last_kind, EXO_MESSAGE_USER | info()->domain_id << 8);
	mask();
	for (unsigned i = 0; i < room; i++)
		CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), i, 1, 2), 0);
	CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), 0, 1, 2), -EAGAIN);
	unmask(mine);
	CHECK_EQ(mine->messages, before + 1 + room);
}

static void the_root_share_cannot_be_overcommitted(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC), frame = spare_frame(0);

	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, root, frame, 10000000, 10000000), -EBUSY);
	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, root, frame, 20000000, 10000000), -EINVAL);
	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, root, frame, 1000, 10000000), -EINVAL);
	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, root, 0, 1000000, 10000000), -EPERM);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, root, 0, 0, 0), -EPERM);
}

/* With 30 of 100 split off, a loop gets 70 of 100, and its share comes back. */
static void a_budget_is_enforced(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC), start, consumed, budgets = mine->budget;
	int64_t child = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(0), 3000000, 10000000);

	CHECK(child > 0);
	consumed = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0);
	start = tsc();
	while (tsc() - start < ms(500))
		;
	consumed = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0) - consumed;
	print_number("# ms consumed of 500, with 70 %: ", consumed / 1000000);
	CHECK(consumed <= 357000000 && consumed >= 343000000);
	CHECK(mine->budget > budgets + 10);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, child, 0, 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_CONSUMED, child, 0, 0, 0), -EBADF);
	child = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(0), 9000000, 10000000);
	CHECK(child > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, child, 0, 0, 0), 0);
}

/* What was split from a share stays when that goes, and then comes back to the one above. */
static void a_share_that_was_split_again_may_go_first(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC);
	int64_t upper = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(0), 8000000, 10000000);
	int64_t lower, rest;

	CHECK(upper > 0);
	lower = exo_call(EXO_CALL_SC_SPLIT, upper, spare_frame(1), 5000000, 10000000);
	CHECK(lower > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, upper, 0, 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(2), 6000000, 10000000), -EBUSY);
	rest = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(2), 3000000, 10000000);
	CHECK(rest > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, lower, 0, 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, rest, 0, 0, 0), 0);
	rest = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(2), 9000000, 10000000);
	CHECK(rest > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, rest, 0, 0, 0), 0);
}

/* Of two shares the one that has been used is given back, and split off again: that is no new budget, with
 * the same period or a longer one. */
static void used_shares_are_not_had_again_by_splitting(void)
{
	static const struct {
		uint64_t budget, period;
	} shares[] = { { 2000000, 10000000 }, { 20000000, 100000000 } };
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC), part = 1800000, start = tsc();
	int64_t others = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(0), 5000000, 10000000), sc = 0, old;

	CHECK(others > 0);
	for (unsigned i = 0; i < 40; i++) {
		old = sc;
		sc = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(1 + i % 2), shares[i / 20].budget,
			      shares[i / 20].period);
		CHECK(sc > 0);
		CHECK_EQ(exo_call(EXO_CALL_SC_BIND, sc, vcore_handle(0), 0, 0), 0);
		if (old)
			CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, old, 0, 0, 0), 0);
		WAIT_FOR((uint64_t)exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0) >= (1 + 3 * (i / 20)) * part);
	}
	print_number("# ms for 180 ms, with 50 %: ", (tsc() - start) / tsc_khz);
	CHECK(tsc() - start >= ms(340));
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, root, vcore_handle(0), 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, sc, 0, 0, 0), 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, others, 0, 0, 0), 0);
}

/* Periods that are no whole number of ticks. */
static void odd_shares_can_be_had(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC);

	for (uint64_t period = 10000001; period < 10000010; period++) {
		int64_t sc = exo_call(EXO_CALL_SC_SPLIT, root, spare_frame(0), 9000000, period);

		CHECK(sc > 0);
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, sc, 0, 0, 0), 0);
	}
}

void cases_of_one_domain(void)
{
	RUN(a_timer_interrupts_running_code);
	RUN(a_past_deadline_is_delivered_at_once);
	RUN(an_event_while_masked_waits_in_pending);
	RUN(halt_refuses_what_it_must);
	RUN(halt_sleeps_until_its_deadline);
	RUN(switch_needs_the_current_token);
	RUN(faults_reach_the_libos);
	RUN(a_vcore_masked_for_too_long_is_forced_out);
	RUN(the_overrun_entry_may_leave_its_stack_slowly);
	RUN(registers_survive_upcalls);
	RUN(a_mailbox_to_oneself);
	RUN(the_root_share_cannot_be_overcommitted);
	RUN(a_budget_is_enforced);
	RUN(a_share_that_was_split_again_may_go_first);
	RUN(odd_shares_can_be_had);
	RUN(used_shares_are_not_had_again_by_splitting);
}

/* ---------------------------------------------------------------- several CPUs */

static void every_cpu_starts(void)
{
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
		CHECK_EQ(exo_call(EXO_CALL_VCORE_START, vcore_handle(cpu), 0, 0, 0), 0);
		WAIT_FOR(seen[cpu].started);
	}
}

static void a_doorbell_wakes_a_halted_vcore(void)
{
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
		for (unsigned i = 0; i < 100 && !failed; i++) {
			uint64_t before = seen[cpu].doorbell;

			exo_call(EXO_CALL_DOORBELL, vcore_handle(cpu), 0, 0, 0);
			WAIT_FOR(seen[cpu].doorbell > before);
		}
	}
}

/* A ping-pong in which both sides sleep: with one lost wakeup it stops for good. */
static void no_wakeup_is_lost(void)
{
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
		for (unsigned i = 0; i < ROUNDS && !failed; i++) {
			uint64_t before = mine->messages, give_up = tsc() + ms(30000);

			CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(cpu), i, 0, 0), 0);
			while (mine->messages == before && tsc() < give_up) {
				mask();
				if (mine->messages == before)
					exo_call(EXO_CALL_HALT, my_page()->token, give_up, 0, 0);
				unmask(mine);
			}
			CHECK_EQ(mine->messages, before + 1);
		}
	}
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
}

static void bursts_arrive_completely(void)
{
	uint64_t before = mine->messages, sent = 0;

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
			for (unsigned i = 0; i < 10; i++, sent++) {
				while (exo_call(EXO_CALL_SEND, vcore_handle(cpu), i, 0, 0) ==
				       -EAGAIN)
					asm volatile("pause");
			}
		}
	}
	WAIT_FOR(mine->messages == before + sent);
}

static void time_adds_up_on_every_cpu(void)
{
	struct exo_cpu_stats stats;

	for (unsigned cpu = 0; cpu < info()->cpu_count; cpu++) {
		WAIT_FOR(exo_call(EXO_CALL_CPU_STATS, cpu, (uint64_t)&stats, 0, 0) == 0);
		CHECK_EQ(stats.charged + stats.idle + stats.kernel - stats.elapsed, 0);
		CHECK(stats.elapsed > 0);
	}
	CHECK_EQ(exo_call(EXO_CALL_CPU_STATS, info()->cpu_count, 0, 0, 0), -EINVAL);
}

static void contexts_belong_to_their_cpu(void)
{
	uint64_t other = EXO_HANDLE(EXO_SLOT_SC + 1);

	if (info()->cpu_count < 2)
		return;
	CHECK_EQ(exo_call(EXO_CALL_SC_SPLIT, other, spare_frame(0), 1000000, 10000000), -EXDEV);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, other, vcore_handle(0), 0, 0), -EINVAL);
	CHECK_EQ(exo_call(EXO_CALL_DONATE, vcore_handle(1), my_page()->token, 0, 0), -EXDEV);
	CHECK_EQ(exo_call(EXO_CALL_DONATE, vcore_handle(0), my_page()->token, 0, 0), -ELOOP);
}

/* A handle that names what is gone, to an object that had the frame before. */
static int64_t stale_handle_to(uint64_t frame)
{
	int64_t space = exo_call(EXO_CALL_SPACE_CREATE, EXO_HANDLE(EXO_SLOT_DOMAIN), frame,
				 spare_frame(1), 0);
	int64_t copy = exo_call(EXO_CALL_HANDLE_COPY, space, EXO_HANDLE(EXO_SLOT_DOMAIN),
				EXO_RIGHTS_ALL, 0);
	uint64_t frames[8];

	CHECK(copy > 0);
	CHECK_EQ(exo_call(EXO_CALL_SPACE_DESTROY, space, (uint64_t)frames, 8, 0), 2);
	CHECK_EQ(exo_call(EXO_CALL_TLB_POLL, copy, 0, 0, 0), -EBADF);
	return copy;
}

/* Whoever looks for the object behind a stale handle has a reference to what is in its frame by now, for an
 * instant: that keeps alive nothing that could not be made after all. */
static void what_is_not_made_leaves_its_frames(void)
{
	struct exo_vcore_create args = {
		.cpu = 0,
		.object_frame = spare_frame(0),
		.vector_frame = spare_frame(1),
		.page_frame = spare_frame(2),
	};
	int64_t handle = stale_handle_to(args.object_frame);

	atomic_store(&looked_for, handle);
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++)
		exo_call(EXO_CALL_DOORBELL, vcore_handle(cpu), 0, 0, 0);
	for (unsigned i = 0; i < ATTEMPTS && !failed; i++)
		CHECK_EQ(exo_call(EXO_CALL_VCORE_CREATE, EXO_HANDLE(EXO_SLOT_DOMAIN),
				  EXO_HANDLE(EXO_SLOT_SPACE), (uint64_t)&args, 0),
			 -EEXIST);
	atomic_store(&looked_for, 0);
	CHECK_EQ(exo_call(EXO_CALL_HANDLE_DROP, handle, 0, 0, 0), 0);
}

void cases_of_several_cpus(void)
{
	RUN(every_cpu_starts);
	RUN(a_doorbell_wakes_a_halted_vcore);
	RUN(no_wakeup_is_lost);
	RUN(bursts_arrive_completely);
	RUN(time_adds_up_on_every_cpu);
	RUN(contexts_belong_to_their_cpu);
	RUN(what_is_not_made_leaves_its_frames);
}
