/* SPDX-License-Identifier: MIT */
/* What a child has is taken back while it runs: a vcore, its time, an interrupt line. */
#include "child.h"

#define FAR 10000000000ul /* ns: nobody waits for that */
#define NEAR 20000000ul
#define LINE 5u           /* nothing interrupts there */

enum orders {
	SPIN, COUNT_AND_SLEEP, FAULT_TWICE, MASKED,
	GIVE_UP,        /* its vcore, when it is asked to */
	GIVE_TIME_BACK, /* at once */
	SPLIT,          /* CPU 1's vcore sleeps on a part of its time ... */
	TAKE_BACK,      /* ... which CPU 0's takes back */
};

static struct seen *const mine = &seen[0];

/* The child's side: written by it, read by all. */
static _Atomic enum orders orders;
static _Atomic uint64_t child_count[CPUS];
static _Atomic uint64_t revoked[CPUS], revoke_tsc[CPUS]; /* what the last REVOKE message said */
static _Atomic uint64_t taken, taken_kind, taken_number; /* on CPU 0: entries, and the last */
static _Atomic uint64_t last_rip;                        /* in the page of CPU 1's vcore */
/* By the parent: how it names what it has. */
static uint64_t child_vcores[CPUS], child_sc;

/* The part, of a frame that the parent names; and what taking it back twice, and splitting a part of CPU 0's
 * time with the same frame, came to. */
static uint64_t part_frame, child_other_sc;
static _Atomic int64_t part, part_bound, taken_back[3];
static atomic_bool all_taken_back;

/* What the parent has split for it, on CPU 0 and on CPU 1. */
static int64_t sc, other_sc;

/* ---------------------------------------------------------------- the child's side */

static void split_off(void)
{
	part = exo_call(EXO_CALL_SC_SPLIT, child_other_sc, part_frame, 1000000, 10000000);
	part_bound = exo_call(EXO_CALL_SC_BIND, part, child_vcores[1], 0, 0);
}

static void take_part_back(void)
{
	int64_t again;

	taken_back[0] = exo_call(EXO_CALL_SC_RECLAIM, part, 0, 0, 0);
	taken_back[1] = exo_call(EXO_CALL_SC_RECLAIM, part, 0, 0, 0);
	again = exo_call(EXO_CALL_SC_SPLIT, child_sc, part_frame, 1000000, 10000000);
	taken_back[2] = exo_call(EXO_CALL_SC_RECLAIM, again, 0, 0, 0);
	all_taken_back = true;
}

_Noreturn static void child_main(void)
{
	unsigned cpu = this_cpu();

	for (;;) {
		child_count[cpu]++;
		switch (orders) {
		case SPIN:
			break;
		case COUNT_AND_SLEEP:
			halt(0, &child_seen[cpu]);
			break;
		case GIVE_UP:
			mask();
			if (!revoked[cpu])
				exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0);
			unmask(&child_seen[cpu]);
			if (revoked[cpu])
				exo_call(EXO_CALL_REVOKE, child_vcores[cpu], 0, 0, 0);
			break;
		case GIVE_TIME_BACK:
			exo_call(EXO_CALL_SC_RECLAIM, child_sc, 0, 0, 0);
			break;
		case SPLIT:
			if (cpu == 1 && !part)
				split_off();
			halt(0, &child_seen[cpu]);
			break;
		case TAKE_BACK:
			if (cpu == 0 && !all_taken_back)
				take_part_back();
			halt(0, &child_seen[cpu]);
			break;
		case FAULT_TWICE:
			mask();
			__builtin_trap();
		case MASKED:
			mask();
			for (;;)
				;
		}
	}
}

static void note_message(const struct exo_message *message)
{
	if (message->kind != EXO_MESSAGE_REVOKE)
		return;
	revoke_tsc[this_cpu()] = message->word[1];
	revoked[this_cpu()] = message->word[0];
}

/* The registers that CPU 1's vcore was taken with are there soon after it is listed. */
static void look_at_other_page(void)
{
	const struct exo_vcore_page *page = (void *)(EXO_VCORE_BASE + EXO_VCORE_STRIDE);

	while (!__atomic_load_n(&page->ended, __ATOMIC_ACQUIRE))
		asm volatile("pause");
	last_rip = page->last.rip;
}

static void read_taken(const struct exo_vcore_page *page)
{
	const struct exo_taken *slot;

	while ((slot = &page->taken[taken % EXO_TAKEN_SLOTS])->sequence == taken + 1) {
		taken_number = slot->number;
		taken_kind = slot->kind;
		taken++;
		if (slot->kind == EXO_REVOKED_VCORE && slot->number == 1)
			look_at_other_page();
	}
}

void child_event(struct exo_vcore_page *page)
{
	if (child_starts(page, child_main))
		return;
	take_events(page, &child_seen[this_cpu()]);
	if (this_cpu() == 0)
		read_taken(page);
}

void child_fault(struct exo_vcore_page *page)
{
	child_fault_masked(page);
}

void child_fault_masked(struct exo_vcore_page *page)
{
	if (page->cause == EXO_CAUSE_OVERRUN)
		for (;;)
			;
	__builtin_trap(); /* the second one */
}

/* ---------------------------------------------------------------- making it */

/* Its time, in every 10 ms. */
static void fund_child(uint64_t budget_ns)
{
	sc = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(0), budget_ns, 10000000);
	CHECK(sc > 0);
	child_sc = child_gets(sc, EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, sc, child.vcore[0], 0, 0), 0);
}

static void start_vcore(unsigned cpu)
{
	revoked[cpu] = child_count[cpu] = 0;
	child_vcores[cpu] = child_gets(child.vcore[cpu], EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE);
	CHECK_EQ(exo_call(EXO_CALL_VCORE_START, child.vcore[cpu], 0, 0, 0), 0);
}

static void start_as(enum orders what)
{
	orders = what;
	taken = 0;
	child_make(1);
	fund_child(3000000);
	start_vcore(0);
	SLEEP_UNTIL(child_count[0], mine);
}

static void end_child(void)
{
	child_end();
	if (sc)
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, sc, 0, 0, 0), 0);
	sc = 0;
}

static int64_t revoke(int64_t handle, uint64_t ns)
{
	return exo_call(EXO_CALL_REVOKE, handle, ns, 0, 0);
}

/* Until it is gone; what the last call returned. */
static int64_t revoke_all(int64_t handle)
{
	uint64_t give_up = tsc() + ms(20000);
	int64_t result;

	do {
		result = revoke(handle, 0);
		if (result)
			sleep_ms(1, mine);
	} while ((result == 1 || result == -EBUSY) && tsc() < give_up);
	return result;
}

static uint64_t consumed(void)
{
	return exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0);
}

/* The vcore has gone; another one takes its place, on the time that is still there. */
static void grant_again(void)
{
	child_add_vcore(0);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, sc, child.vcore[0], 0, 0), 0);
	start_vcore(0);
	SLEEP_UNTIL(child_count[0], mine); /* what the other has overrun is paid for first */
}

/* ---------------------------------------------------------------- vcores */

static void a_vcore_is_given_up_when_asked(void)
{
	start_as(GIVE_UP);
	CHECK_EQ(revoke(child.vcore[0], FAR), 1);
	CHECK_EQ(revoke_all(child.vcore[0]), 0);
	CHECK_EQ(revoked[0], EXO_REVOKED_VCORE);
	CHECK(revoke_tsc[0] > tsc()); /* long before it would have been taken */
	CHECK_EQ(taken, 0);
	CHECK_EQ(revoke(child.vcore[0], FAR), -EBADF);
	orders = SPIN;
	grant_again();
	end_child();
}

static void a_vcore_that_ignores_it_is_taken(void)
{
	const enum orders ways[] = { SPIN, MASKED, COUNT_AND_SLEEP };

	for (unsigned i = 0; i < 3; i++) {
		uint64_t ran;

		start_as(ways[i]);
		CHECK_EQ(revoke(child.vcore[0], NEAR), 1);
		CHECK_EQ(revoke(child.vcore[0], 0), 1); /* the deadline stays */
		sleep_ms(1, mine);
		CHECK_EQ(revoke(child.vcore[0], 0), 1);
		CHECK_EQ(revoke_all(child.vcore[0]), 0);
		ran = consumed();
		sleep_ms(50, mine);
		CHECK_EQ(consumed(), ran);
		orders = SPIN;
		grant_again();
		end_child();
	}
}

static void a_vcore_that_never_ran_is_taken_at_once(void)
{
	child_make(1);
	CHECK_EQ(revoke(child.vcore[0], FAR), 1);
	CHECK_EQ(revoke_all(child.vcore[0]), 0);
	end_child();
}

static void a_child_dies_while_it_is_asked(void)
{
	int64_t result;

	start_as(COUNT_AND_SLEEP);
	CHECK_EQ(revoke(child.vcore[0], FAR), 1);
	orders = FAULT_TWICE;
	CHECK_EQ(exo_call(EXO_CALL_DOORBELL, child.vcore[0], 0, 0, 0), 0);
	result = revoke_all(child.vcore[0]);
	CHECK(result == 0 || result == -EBADF);
	end_child();
}

static void revoking_takes_the_right_to(void)
{
	uint64_t self = EXO_HANDLE(EXO_SLOT_DOMAIN);
	int64_t weak;

	child_make(1);
	fund_child(3000000);
	weak = exo_call(EXO_CALL_HANDLE_COPY, child.vcore[0], self, ~EXO_RIGHT_REVOKE, 0);
	CHECK_EQ(revoke(weak, FAR), -EPERM);
	CHECK_EQ(exo_call(EXO_CALL_HANDLE_DROP, weak, 0, 0, 0), 0);
	weak = exo_call(EXO_CALL_HANDLE_COPY, sc, self, ~EXO_RIGHT_REVOKE, 0);
	CHECK_EQ(revoke(weak, FAR), -EPERM);
	CHECK_EQ(exo_call(EXO_CALL_SC_RESIZE, weak, 1000000, 10000000, 0), -EPERM);
	CHECK_EQ(exo_call(EXO_CALL_HANDLE_DROP, weak, 0, 0, 0), 0);
	CHECK_EQ(revoke(child.vcore[0], EXO_REVOKE_NS_MAX + 1), -EINVAL);
	CHECK_EQ(revoke(child.space, FAR), -EINVAL);
	CHECK_EQ(revoke(EXO_HANDLE(EXO_SLOT_SC), FAR), -EPERM); /* the root */
	end_child();
}

/* ---------------------------------------------------------------- time */

static void time_that_is_not_given_back_is_taken(void)
{
	uint64_t ran;
	int64_t lost;

	start_as(SPIN);
	lost = sc;
	CHECK_EQ(revoke(lost, NEAR), 1);
	sleep_ms(1, mine);
	CHECK_EQ(revoke(lost, 0), 1);
	CHECK_EQ(revoke_all(lost), 0);
	CHECK_EQ(revoked[0], EXO_REVOKED_SC);
	ran = child_count[0];
	sleep_ms(50, mine);
	CHECK_EQ(child_count[0], ran);
	CHECK_EQ(revoke(lost, 0), -EBADF);
	fund_child(3000000); /* now it learns what became of the other */
	sleep_ms(50, mine);
	CHECK(child_count[0] > ran);
	CHECK_EQ(taken, 1);
	CHECK_EQ(taken_kind, EXO_REVOKED_SC);
	CHECK_EQ(taken_number, 0);
	end_child();
}

static void time_is_given_back_when_asked(void)
{
	start_as(COUNT_AND_SLEEP);
	CHECK_EQ(revoke(sc, FAR), 1);
	orders = GIVE_TIME_BACK;
	exo_call(EXO_CALL_DOORBELL, child.vcore[0], 0, 0, 0);
	CHECK_EQ(revoke_all(sc), -EBADF);
	orders = SPIN;
	fund_child(3000000);
	sleep_ms(20, mine);
	CHECK_EQ(taken, 0);
	end_child();
}

/* Both never sleep; the child had this many ms of the last second. */
static uint64_t share_of_child(void)
{
	uint64_t before = consumed(), start = tsc();

	while (tsc() - start < ms(1000))
		;
	return (consumed() - before) / 1000000;
}

static int64_t resize(uint64_t budget_ns, uint64_t period_ns)
{
	return exo_call(EXO_CALL_SC_RESIZE, sc, budget_ns, period_ns, 0);
}

static void a_running_share_is_resized(void)
{
	const struct { uint64_t budget, period, least, most; } to[] = {
		{ 6000000, 10000000, 590, 610 }, { 1000000, 10000000, 90, 110 },
		{ 40000000, 50000000, 790, 810 }, { 2000000, 10000000, 190, 210 },
	};

	start_as(SPIN);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t share;

		CHECK_EQ(resize(to[i].budget, to[i].period), 0);
		sleep_ms(60, mine);
		share = share_of_child();
		print_number("# ms of 1000: ", share);
		CHECK(share >= to[i].least && share <= to[i].most);
	}
	end_child();
}

/* It has used 100 ms of this second, and all of them: what it waits for comes sooner than in 900 ms; and
 * less than it has used is a smaller share, not a debt. */
static void a_share_is_resized_that_has_run_out(void)
{
	uint64_t ran;

	start_as(SPIN);
	CHECK_EQ(resize(100000000, 1000000000), 0);
	do {
		ran = consumed();
		sleep_ms(20, mine);
	} while (consumed() != ran);
	CHECK_EQ(resize(1000000, 10000000), 0);
	sleep_ms(60, mine);
	CHECK(consumed() > ran);
	ran = consumed();
	sleep_ms(500, mine);
	CHECK(consumed() - ran > 40000000 && consumed() - ran < 60000000);
	end_child();
}

static void a_sleeper_has_its_new_share_when_it_wakes(void)
{
	start_as(COUNT_AND_SLEEP);
	CHECK_EQ(resize(5000000, 10000000), 0);
	orders = SPIN;
	exo_call(EXO_CALL_DOORBELL, child.vcore[0], 0, 0, 0);
	CHECK(share_of_child() > 480);
	end_child();
}

static void shares_are_never_more_than_there_is(void)
{
	int64_t rest;

	start_as(SPIN);
	CHECK_EQ(resize(99900000, 100000000), -EBUSY);
	CHECK_EQ(resize(0, 10000000), -EINVAL);
	CHECK_EQ(resize(11000000, 10000000), -EINVAL);
	CHECK_EQ(exo_call(EXO_CALL_SC_RESIZE, EXO_HANDLE(EXO_SLOT_SC), 1000000, 10000000, 0), -EPERM);
	CHECK_EQ(resize(9000000, 10000000), 0);
	rest = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(1), 2000000, 10000000);
	CHECK_EQ(rest, -EBUSY);
	CHECK_EQ(resize(1000000, 10000000), 0);
	rest = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(1), 8000000, 10000000);
	CHECK(rest > 0);
	CHECK_EQ(resize(2000000, 10000000), -EBUSY);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, rest, 0, 0, 0), 0);
	CHECK_EQ(resize(2000000, 10000000), 0);
	end_child();
}

/* ---------------------------------------------------------------- lines */

static int64_t bind_line(int64_t vcore)
{
	return exo_call(EXO_CALL_IRQ_BIND, EXO_HANDLE(EXO_SLOT_IRQS), vcore, LINE, 0);
}

static void a_line_is_granted_and_taken_back(void)
{
	int64_t line;

	start_as(SPIN);
	line = bind_line(child.vcore[0]);
	CHECK(line > 0);
	CHECK_EQ(bind_line(vcore_handle(0)), -EBUSY);
	CHECK_EQ(exo_call(EXO_CALL_IRQ_ACK, line, 0, 0, 0), 0); /* nothing was there */
	CHECK_EQ(revoke(line, NEAR), 1);
	sleep_ms(10, mine);
	CHECK_EQ(revoked[0], EXO_REVOKED_LINE | LINE << 8);
	CHECK_EQ(revoke_all(line), 0);
	CHECK_EQ(exo_call(EXO_CALL_IRQ_ACK, line, 0, 0, 0), -EBADF);
	CHECK_EQ(revoke(line, 0), -EBADF);
	sleep_ms(20, mine);
	CHECK_EQ(taken, 1);
	CHECK_EQ(taken_kind, EXO_REVOKED_LINE);
	CHECK_EQ(taken_number, LINE);
	exo_call(EXO_CALL_HANDLE_DROP, line, 0, 0, 0);
	line = bind_line(vcore_handle(0)); /* and one's own is given up at once */
	CHECK(line > 0);
	CHECK_EQ(revoke(line, FAR), 0);
	exo_call(EXO_CALL_HANDLE_DROP, line, 0, 0, 0);
	end_child();
}

static void a_line_ends_with_its_vcore(void)
{
	int64_t line;

	start_as(GIVE_UP);
	line = bind_line(child.vcore[0]);
	CHECK_EQ(revoke(child.vcore[0], FAR), 1);
	CHECK_EQ(revoke_all(child.vcore[0]), 0);
	CHECK_EQ(exo_call(EXO_CALL_IRQ_ACK, line, 0, 0, 0), -EBADF);
	exo_call(EXO_CALL_HANDLE_DROP, line, 0, 0, 0);
	end_child();
}

/* A child that could not be made or ended spoils all that follow. */
#define RUN_WHILE_SOUND(test)                                                          \
	do {                                                                           \
		if (!child.domain)                                                     \
			RUN(test);                                                     \
	} while (0)

static void cases_of_one_cpu(void)
{
	RUN_WHILE_SOUND(a_vcore_is_given_up_when_asked);
	RUN_WHILE_SOUND(a_vcore_that_ignores_it_is_taken);
	RUN_WHILE_SOUND(a_vcore_that_never_ran_is_taken_at_once);
	RUN_WHILE_SOUND(a_child_dies_while_it_is_asked);
	RUN_WHILE_SOUND(revoking_takes_the_right_to);
	RUN_WHILE_SOUND(time_that_is_not_given_back_is_taken);
	RUN_WHILE_SOUND(time_is_given_back_when_asked);
	RUN_WHILE_SOUND(a_running_share_is_resized);
	RUN_WHILE_SOUND(a_share_is_resized_that_has_run_out);
	RUN_WHILE_SOUND(a_sleeper_has_its_new_share_when_it_wakes);
	RUN_WHILE_SOUND(shares_are_never_more_than_there_is);
	RUN_WHILE_SOUND(a_line_is_granted_and_taken_back);
	RUN_WHILE_SOUND(a_line_ends_with_its_vcore);
}

/* ---------------------------------------------------------------- on another CPU */

/* A call for another CPU to make, over and over while it returns `again`.  Written by CPU 0 before
 * `wanted`, and `result` by the other before `done`. */
static struct {
	uint64_t number, a, b, c, d;
	int64_t again, result;
	_Atomic uint64_t wanted, done;
} remote[CPUS];

static void call_begin(unsigned cpu, int64_t again, uint64_t number, uint64_t a, uint64_t b)
{
	remote[cpu].number = number;
	remote[cpu].a = a;
	remote[cpu].b = b;
	remote[cpu].again = again;
	remote[cpu].wanted++;
	exo_call(EXO_CALL_DOORBELL, vcore_handle(cpu), 0, 0, 0);
}

static int64_t call_result(unsigned cpu)
{
	WAIT_FOR(remote[cpu].done == remote[cpu].wanted);
	return remote[cpu].result;
}

static int64_t call_on(unsigned cpu, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	remote[cpu].c = c;
	remote[cpu].d = d;
	call_begin(cpu, INT64_MIN, number, a, b);
	return call_result(cpu);
}

void suite_other(void)
{
	unsigned cpu = this_cpu();

	for (;;) {
		if (remote[cpu].done != remote[cpu].wanted) {
			do
				remote[cpu].result = exo_call(remote[cpu].number, remote[cpu].a,
							      remote[cpu].b, remote[cpu].c,
							      remote[cpu].d);
			while (remote[cpu].result == remote[cpu].again);
			remote[cpu].done++;
		}
		mask();
		if (remote[cpu].done == remote[cpu].wanted)
			exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0);
		unmask(&seen[cpu]);
	}
}

/* The child runs on CPU 1 too. */
static void start_elsewhere(void)
{
	child_add_vcore(1);
	other_sc = call_on(1, EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC + 1), spare_frame(2), 3000000,
			   10000000);
	CHECK(other_sc > 0);
	child_other_sc = child_gets(other_sc, EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, other_sc, child.vcore[1], 0, 0), 0);
	start_vcore(1);
	WAIT_FOR(child_count[1] > 0);
}

static void end_elsewhere(void)
{
	end_child();
	CHECK_EQ(call_on(1, EXO_CALL_SC_RECLAIM, other_sc, 0, 0, 0), 0);
}

static void the_others_see_what_was_taken(void)
{
	start_as(SPIN);
	start_elsewhere();
	CHECK_EQ(revoke(other_sc, NEAR), -EXDEV);
	CHECK_EQ(revoke(child.vcore[1], NEAR), 1);
	CHECK_EQ(revoke_all(child.vcore[1]), 0);
	WAIT_FOR(taken == 1);
	CHECK_EQ(taken_kind, EXO_REVOKED_VCORE);
	CHECK_EQ(taken_number, 1);
	CHECK(last_rip >= child_entries.text_start && last_rip < child_entries.text_end);
	child_add_vcore(1);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, other_sc, child.vcore[1], 0, 0), 0);
	start_vcore(1);
	WAIT_FOR(child_count[1] > 0);
	end_elsewhere();
}

/* The vcore sleeps on a part of its time.  That part is nobody's when the vcore has been taken: what it was
 * goes back to the whole, and whoever has its name on another CPU gets back the frame. */
static void a_part_of_its_time_goes_with_a_vcore(void)
{
	start_as(SPLIT);
	part = 0;
	all_taken_back = false;
	part_frame = spare_frame(3);
	CHECK_EQ(exo_call(EXO_CALL_FRAME_GIVE, child.domain, part_frame, 1, 0), 1);
	start_elsewhere();
	WAIT_FOR(part_bound == 0 && part > 0);
	sleep_ms(1, mine); /* until it sleeps */
	CHECK_EQ(revoke(child.vcore[1], NEAR), 1);
	CHECK_EQ(revoke_all(child.vcore[1]), 0);
	orders = TAKE_BACK;
	CHECK_EQ(exo_call(EXO_CALL_DOORBELL, child.vcore[0], 0, 0, 0), 0);
	SLEEP_UNTIL(all_taken_back, mine);
	CHECK_EQ(taken_back[0], 0);
	CHECK_EQ(taken_back[1], -EBADF);
	CHECK_EQ(taken_back[2], 0);
	end_elsewhere();
}

/* Two CPUs revoke the same vcore while its own gives it up: one has it, it is gone for the other. */
static void two_revoke_the_same(void)
{
	start_as(SPIN);
	for (unsigned i = 0; i < 20; i++) {
		int64_t result, other;

		start_elsewhere();
		orders = i % 2 ? GIVE_UP : SPIN;
		call_begin(1, 1, EXO_CALL_REVOKE, child.vcore[1], i * 10000);
		do
			result = revoke(child.vcore[1], i * 10000);
		while (result == 1 || result == -EBUSY);
		other = call_result(1);
		if (other == -EBUSY)
			other = revoke_all(child.vcore[1]);
		CHECK((result == 0) + (other == 0) == 1);
		CHECK((result == -EBADF) + (other == -EBADF) == 1);
		CHECK_EQ(call_on(1, EXO_CALL_SC_RECLAIM, other_sc, 0, 0, 0), 0);
	}
	end_child();
}

/* One CPU takes a vcore of it, the other takes all of it apart. */
static void revoked_and_killed_at_once(void)
{
	for (unsigned i = 0; i < 5; i++) {
		start_as(SPIN);
		start_elsewhere();
		call_begin(1, 1, EXO_CALL_REVOKE, child.vcore[1], i * 10000);
		end_child();
		call_result(1);
		CHECK_EQ(call_on(1, EXO_CALL_SC_RECLAIM, other_sc, 0, 0, 0), 0);
	}
}

static void cases_of_two_cpus(void)
{
	RUN_WHILE_SOUND(the_others_see_what_was_taken);
	RUN_WHILE_SOUND(a_part_of_its_time_goes_with_a_vcore);
	RUN_WHILE_SOUND(two_revoke_the_same);
	RUN_WHILE_SOUND(revoked_and_killed_at_once);
}

void suite_main(void)
{
	message_hook = note_message;
	if (!told("only=races"))
		cases_of_one_cpu();
	if (info()->cpu_count > 1) {
		CHECK_EQ(exo_call(EXO_CALL_VCORE_START, vcore_handle(1), 0, 0, 0), 0);
		cases_of_two_cpus();
	}
}
