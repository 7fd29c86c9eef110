/* SPDX-License-Identifier: MIT */
/* The child's side: it enters the kernel near the end of its budget. */
#include "budget.h"

#define TICKS_LATE 6000 /* so far behind its end, nobody runs on what is left of a budget */
#define MSI_NMI 0x400u  /* delivery mode 4 */
#define MSI_ADDRESS 0xfee00000ul

struct subject subjects[CPUS];

static uint64_t ticks(uint64_t ns)
{
	return ns * tsc_khz / 1000000;
}

static unsigned timer_of(unsigned cpu)
{
	return cpu ? cpu - 1 : 0;
}

static void spin_until(struct subject *s, uint64_t when)
{
	while (tsc() < when)
		s->progress++;
}

static uint64_t foreign_call_outside(uint64_t number)
{
	uint64_t (*outside)(uint64_t) = (uint64_t (*)(uint64_t))
		(FOREIGN_VA + ((uint64_t)foreign_call & (EXO_PAGE_SIZE - 1)));

	return outside(number);
}

static void expect(struct subject *s, bool right)
{
	s->wrong += !right;
}

static void fault(struct subject *s)
{
	expect(s, read_unmapped() == 0x1000);
}

static void fault_masked(struct subject *s, struct seen *mine)
{
	mask();
	expect(s, read_unmapped() == 0x1001);
	unmask(mine);
}

static void donate(struct subject *s)
{
	int64_t r;

	s->go_on = s->end + 200;
	r = exo_call(EXO_CALL_DONATE, s->parent_vcore, my_page()->token, 0, 0);
	/* EAGAIN: preempted between the look at the token and the call.  ELOOP: it is the one that
	 * donated to us. */
	expect(s, r == 0 || r == 1 || r == -EAGAIN);
}

static void switch_space(struct subject *s)
{
	int64_t r = exo_call(EXO_CALL_SWITCH, s->space, my_page()->token, 0, 0);

	expect(s, r == 0 || r == -EAGAIN);
}

static void bind(struct subject *s)
{
	int64_t r = exo_call(EXO_CALL_SC_BIND, s->sc[s->go % 2], s->vcore, 0, 0);

	expect(s, r == 0 || r == -EBUSY);
}

/* What is to happen at `at` without the child's doing is armed before. */
static void arm(struct subject *s, unsigned cpu, uint64_t at)
{
	switch (s->entry) {
	case ENTRY_DEVICE:
		hpet_at(timer_of(cpu), at, s->msi);
		break;
	case ENTRY_NMI:
		hpet_at(timer_of(cpu), at, (struct exo_msi){
			.address = MSI_ADDRESS | s->apic_id << 12, .data = MSI_NMI });
		break;
	case ENTRY_TIMER:
		expect(s, exo_call(EXO_CALL_TIMER, at, 0, 0, 0) == 0);
		break;
	default:
		break;
	}
}

static void enter(struct subject *s, struct seen *mine)
{
	switch (s->entry) {
	case ENTRY_FAULT:
		fault(s);
		break;
	case ENTRY_FAULT_MASKED:
		fault_masked(s, mine);
		break;
	case ENTRY_FOREIGN:
		expect(s, foreign_call_outside(41) == 42);
		break;
	case ENTRY_HALT:
		halt(tsc() + 100 + s->go % 32 * 50, mine);
		break;
	case ENTRY_DONATE:
		donate(s);
		break;
	case ENTRY_SWITCH:
		switch_space(s);
		break;
	case ENTRY_SEND:
		exo_call(EXO_CALL_SEND, s->parent_vcore, 1, 2, 3);
		break;
	case ENTRY_BIND:
		bind(s);
		break;
	case ENTRY_REVOKE:
		if (s->outcome == OUTCOME_KILLED)
			exo_call(EXO_CALL_REVOKE, s->vcore, 0, 0, 0); /* its end */
		break;
	default: /* comes by itself */
		break;
	}
}

/* The entries by which it may lawfully still run behind the end: it slept, or got another SC, or
 * was masked when its budget ended, as its fault handler is. */
static bool may_be_late(enum entry entry)
{
	return entry == ENTRY_HALT || entry == ENTRY_BIND || entry == ENTRY_FAULT ||
	       entry == ENTRY_FAULT_MASKED;
}

/*
 * Until the budget has ended, or the vcore has. A vcore that had to wait is told so when it runs
 * again; one whose next replenishment was due is behind the end all the same, and is not told.
 */
static void run_out(struct subject *s, const struct seen *mine, uint64_t budgets, uint64_t end)
{
	bool requeued = s->outcome == OUTCOME_REQUEUED, for_ever = s->outcome == OUTCOME_KILLED;

	for (;;) {
		bool late = tsc() > end + TICKS_LATE; /* before the look at what it has been told */

		s->progress++;
		if (for_ever)
			continue;
		if (mine->budget != budgets || (late && requeued))
			break;
		expect(s, !late || !s->exact || may_be_late(s->entry));
	}
	s->ran_out += (mine->budget == budgets) == requeued;
}

static void one_round(struct subject *s, unsigned cpu, struct seen *mine)
{
	uint64_t budgets = mine->budget, end = my_page()->budget_end_tsc, at = end - s->distance;

	s->end = end;
	arm(s, cpu, at);
	spin_until(s, at);
	enter(s, mine);
	run_out(s, mine, budgets, end);
	s->end = 0;
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
	if (s->entry == ENTRY_DEVICE || s->entry == ENTRY_NMI)
		hpet_stop(timer_of(cpu));
}

/* Asked to be requeued, it first consumes a part of its budget, and sleeps. */
static void child_main(void)
{
	unsigned cpu = this_cpu();
	struct subject *s = &subjects[cpu];
	struct seen *mine = &child_seen[cpu];

	hpet_start();
	for (;;) {
		mask();
		/* Rung before it sleeps, it must not sleep: so the ring is looked for here. */
		if (s->go == s->finished || (s->outcome == OUTCOME_REQUEUED && s->prepared == s->go &&
					     s->called != s->go))
			exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0);
		unmask(mine);
		if (s->go == s->finished)
			continue;
		if (s->outcome == OUTCOME_REQUEUED && s->prepared != s->go) {
			s->due = tsc() + ticks(PERIOD_NS);
			spin_until(s, tsc() + ticks(PREPARED_NS));
			s->prepared = s->go;
			continue;
		}
		one_round(s, cpu, mine);
		s->finished = s->go;
	}
}

void child_event(struct exo_vcore_page *page)
{
	if (!child_starts(page, child_main))
		take_events(page, &child_seen[this_cpu()]);
}

void child_fault(struct exo_vcore_page *page)
{
	parent_fault(page);
}

void child_fault_masked(struct exo_vcore_page *page)
{
	parent_fault_masked(page);
}
