/* SPDX-License-Identifier: MIT */
/* The table of entries and outcomes: each cell moves an entry across the end of a budget. */
#include "bench.h"

#define LEAST_SLICE_NS 20000ul /* the kernel takes a budget with no more left for spent */
#define REVOKE_NS 100000000000ul /* for ever, as this test goes */
#define WINDOW_NS 5600ul /* more than an entry and a change of vcore take */

static const char *const entry_names[ENTRIES] = {
	"device", "timer", "ipi_doorbell", "ipi_message", "ipi_tlb", "fault", "fault_masked",
	"foreign", "halt", "donate", "switch", "send", "bind", "revoke", "nmi",
};
static const char *const outcome_names[OUTCOMES] = {
	"requeued", "pending", "handler", "killed",
};

static uint64_t rounds, kills, counts[ENTRIES][OUTCOMES];
static bool exact; /* time is the number of instructions */
static bool stuck; /* the child did not go on: nothing more can be learned from it */

static bool is_ipi(enum entry entry, enum outcome outcome)
{
	return entry == ENTRY_IPI_DOORBELL || entry == ENTRY_IPI_MESSAGE || entry == ENTRY_IPI_TLB ||
	       (entry == ENTRY_REVOKE && outcome != OUTCOME_KILLED);
}

/* A CPU sends itself no interrupt, and who would revoke does not run while the child does. */
static bool exists(enum entry entry, enum outcome outcome)
{
	return info()->cpu_count > 1 || !is_ipi(entry, outcome);
}

static void hear(const struct exo_message *message)
{
	struct bench *b;

	switch (message->kind & 0xff) {
	case EXO_MESSAGE_TIMEOUT:
		b = &benches[message->word[0] / 2 % CPUS];
		b->spent = message->word[0] % 2;
		b->timeouts++;
		break;
	case EXO_MESSAGE_IRQ:
		benches[message->word[0] % CPUS].interrupts++;
		break;
	}
}

/* The first half of the rounds moves the entry across where a budget counts as spent, the other
 * across where it ends. */
static int64_t distance_of(uint64_t round)
{
	uint64_t window = WINDOW_NS * tsc_khz / 1000000, half = rounds / 2 ? rounds / 2 : 1;
	uint64_t least = LEAST_SLICE_NS * tsc_khz / 1000000, step = round % half * window / half;

	return (int64_t)((round < half ? least - window / 2 : 0) + step) - (round < half ? 0 : 100);
}

/* ---------------------------------------------------------------- what the parent does to it */

static void poke(unsigned cpu, enum entry entry)
{
	struct exo_op op = { .code = EXO_OP_UNMAP, .count = 1, .va = SCRATCH_VA };

	switch (entry) {
	case ENTRY_IPI_DOORBELL:
		exo_call(EXO_CALL_DOORBELL, child.vcore[cpu], 0, 0, 0);
		break;
	case ENTRY_IPI_MESSAGE:
		exo_call(EXO_CALL_SEND, child.vcore[cpu], 1, 2, 3);
		break;
	case ENTRY_REVOKE: /* only announced: nobody calls again */
		CHECK_EQ(exo_call(EXO_CALL_REVOKE, child.vcore[cpu], REVOKE_NS, 0, 0), 1);
		break;
	case ENTRY_IPI_TLB:
		child_map(op);
		bench_map_scratch();
		break;
	default:
		break;
	}
}

static void wait_for_entry(const struct subject *s)
{
	uint64_t end, give_up = tsc() + ms(10000);

	while (!s->end && s->finished != s->go && tsc() < give_up)
		halt(tsc() + ms(1) / 50, &seen[0]); /* several times in a budget */
	end = s->end;
	if (end && tsc() < end - (uint64_t)s->distance)
		halt(end - (uint64_t)s->distance, &seen[0]);
}

/*
 * Rings the child shortly before what it consumed first comes back, and keeps the CPU until it has:
 * so the rest of its budget ends when the next replenishment is due.
 */
static void hold_up(unsigned cpu)
{
	mask();
	subjects[cpu].called = subjects[cpu].go;
	exo_call(EXO_CALL_DOORBELL, child.vcore[cpu], 0, 0, 0);
	while (tsc() < subjects[cpu].due)
		asm volatile("pause");
	unmask(&seen[cpu]);
	exo_call(EXO_CALL_DOORBELL, vcore_handle(cpu), 0, 0, 0);
}

static void prepare(unsigned cpu)
{
	struct subject *s = &subjects[cpu];
	uint64_t early = 90000 * tsc_khz / 1000000;

	SLEEP_UNTIL(s->prepared == s->go, &seen[0]);
	if (tsc() < s->due - early)
		halt(s->due - early, &seen[0]);
	crew_do(cpu, hold_up);
}

/* It must not have moved meanwhile, replenished or not. */
static void check_held(const struct subject *s)
{
	uint64_t progress = s->progress, end = tsc() + 2 * ms(PERIOD_NS / 1000000);

	while (tsc() < end)
		halt(end, &seen[0]);
	CHECK_EQ(s->progress, progress);
}

/* What is held is the SC that ran out: a vcore that asked for another one meanwhile goes on. */
static void answer_timeout(unsigned cpu)
{
	struct bench *b = &benches[cpu];

	b->answered++;
	b->answers_ever++;
	if (b->answered % 3 == 0 && subjects[cpu].entry != ENTRY_BIND)
		check_held(&subjects[cpu]);
	bench_bind(cpu, b->answered % 3 == 1 ? !b->spent : b->spent);
}

static void see_to_the_end(unsigned cpu, enum outcome outcome)
{
	const struct subject *s = &subjects[cpu];
	uint64_t give_up = tsc() + ms(exact ? 200 : 20000);

	while (s->finished != s->go && tsc() < give_up) {
		bench_rest();
		if (outcome == OUTCOME_HANDLER && benches[cpu].timeouts > benches[cpu].answered)
			answer_timeout(cpu);
	}
	CHECK_EQ(s->finished, s->go); /* I5: what is funded runs again */
	if (outcome == OUTCOME_HANDLER && s->entry != ENTRY_BIND)
		CHECK_EQ(benches[cpu].timeouts, benches[cpu].answered);
	stuck = s->finished != s->go;
}

/* ---------------------------------------------------------------- rounds */

static void begin(unsigned cpu, enum entry entry, enum outcome outcome, uint64_t round)
{
	struct subject *s = &subjects[cpu];

	s->entry = entry;
	s->outcome = outcome;
	s->distance = distance_of(round);
	s->exact = exact;
	/* One that came when the last round was over is answered too, or the child would stay held. */
	if (benches[cpu].answered != benches[cpu].timeouts)
		bench_bind(cpu, benches[cpu].spent);
	benches[cpu].answered = benches[cpu].timeouts;
	s->go++;
	exo_call(EXO_CALL_DOORBELL, child.vcore[cpu], 0, 0, 0);
}

/* Where time is exact only one CPU may take it at once. */
static bool takes_part(unsigned cpu, uint64_t round)
{
	unsigned first = subject_first(), subjects_count = info()->cpu_count - first;

	return !exact || cpu == first + round % subjects_count;
}

#define FOR_EACH_SUBJECT(cpu, round)                                                   \
	for (unsigned cpu = subject_first(); cpu < info()->cpu_count; cpu++)           \
		if (takes_part(cpu, round))

/* What came back by then is one replenishment. */
static void let_all_come_back(void)
{
	sleep_ms(2 * PERIOD_NS / 1000000, &seen[0]);
}

static void acknowledge(unsigned cpu)
{
	CHECK_EQ(exo_call(EXO_CALL_IRQ_ACK, benches[cpu].line, 0, 0, 0), 0);
}

static void live_round(enum entry entry, enum outcome outcome, uint64_t round, bool again)
{
	if (entry == ENTRY_REVOKE && again) { /* a vcore is told once */
		bench_down();
		bench_up(outcome == OUTCOME_HANDLER);
	}
	let_all_come_back();
	FOR_EACH_SUBJECT(cpu, round)
		begin(cpu, entry, outcome, round);
	FOR_EACH_SUBJECT(cpu, round) {
		if (outcome == OUTCOME_REQUEUED)
			prepare(cpu);
		if (is_ipi(entry, outcome)) {
			wait_for_entry(&subjects[cpu]);
			poke(cpu, entry);
		}
	}
	FOR_EACH_SUBJECT(cpu, round) {
		see_to_the_end(cpu, outcome);
		acknowledge(cpu);
	}
}

/* It gave it up: 1 is what REVOKE returns as long as it is there. */
static bool has_ended(unsigned cpu)
{
	return exo_call(EXO_CALL_REVOKE, child.vcore[cpu], REVOKE_NS, 0, 0) != 1;
}

/* Its handler kills it; every other time, it is killed as near to the entry as can be. */
static void deadly_round(enum entry entry, uint64_t round, bool by_handler)
{
	unsigned cpu = subject_first() + round % (info()->cpu_count - subject_first());

	/* Held by its handler before the entry, it could not give itself up. */
	by_handler = by_handler && entry != ENTRY_REVOKE;
	bench_up(by_handler);
	let_all_come_back();
	begin(cpu, entry, OUTCOME_KILLED, round);
	if (is_ipi(entry, OUTCOME_KILLED)) {
		wait_for_entry(&subjects[cpu]);
		poke(cpu, entry);
	}
	if (entry == ENTRY_REVOKE)
		SLEEP_UNTIL(has_ended(cpu), &seen[0]);
	else if (by_handler)
		SLEEP_UNTIL(benches[cpu].timeouts > 0, &seen[0]);
	else if (!is_ipi(entry, OUTCOME_KILLED))
		wait_for_entry(&subjects[cpu]);
	bench_down();
	acknowledge(cpu);
	kills += !child.domain;
}

/* ---------------------------------------------------------------- cells */

static uint64_t sum_over_subjects(uint64_t (*of)(unsigned cpu))
{
	uint64_t sum = 0;

	for (unsigned cpu = subject_first(); cpu < info()->cpu_count; cpu++)
		sum += of(cpu);
	return sum;
}

static uint64_t wrong(unsigned cpu)
{
	return subjects[cpu].wrong;
}

static uint64_t ran_out(unsigned cpu)
{
	return subjects[cpu].ran_out;
}

static uint64_t answered(unsigned cpu)
{
	return benches[cpu].answers_ever;
}

static uint64_t interrupts(unsigned cpu)
{
	return benches[cpu].interrupts;
}

static uint64_t all_kills(unsigned cpu)
{
	return cpu == subject_first() ? kills : 0;
}

static uint64_t nmis(unsigned cpu)
{
	struct exo_cpu_stats stats = { 0 };

	WAIT_FOR(exo_call(EXO_CALL_CPU_STATS, cpu, (uint64_t)&stats, 0, 0) == 0);
	return stats.nmis;
}

static void cell_verdict(enum entry entry, enum outcome outcome)
{
	char name[64];
	const char *parts[] = { entry_names[entry], "_", outcome_names[outcome] };
	size_t length = 0;

	for (unsigned i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p; p++)
			name[length++] = *p;
	name[length] = 0;
	verdict(name);
}

/* Where time is the host's, a device may be late for all rounds of a cell: up to so many times as many. */
#define PATIENCE 50u

static void cell(enum entry entry, enum outcome outcome)
{
	uint64_t (*const happened)(unsigned) = outcome == OUTCOME_KILLED ? all_kills :
					       outcome == OUTCOME_HANDLER ? answered : ran_out;
	uint64_t before = sum_over_subjects(happened), wrong_before = sum_over_subjects(wrong);
	bool anew = outcome == OUTCOME_KILLED || entry == ENTRY_REVOKE; /* with a child for each */
	uint64_t of_cell = anew ? rounds / 4 + 1 : rounds;
	uint64_t (*const entered)(unsigned) = entry == ENTRY_DEVICE ? interrupts :
					      entry == ENTRY_NMI ? nmis : NULL;
	uint64_t entered_before = entered ? sum_over_subjects(entered) : 0;

	failed = false;
	for (uint64_t round = 0; round < of_cell * PATIENCE && !stuck; round++) {
		uint64_t place = round % of_cell * rounds / of_cell;

		if (round >= of_cell && (!entered || sum_over_subjects(entered) > entered_before))
			break;
		if (outcome == OUTCOME_KILLED)
			deadly_round(entry, place, round % 2 == 0);
		else
			live_round(entry, outcome, place, round > 0);
	}
	counts[entry][outcome] = sum_over_subjects(happened) - before;
	CHECK_EQ(sum_over_subjects(wrong), wrong_before);
	CHECK(!exact || counts[entry][outcome] > 0);
	CHECK(!entered || sum_over_subjects(entered) > entered_before);
	bench_check_time();
	cell_verdict(entry, outcome);
}

static void column(enum outcome outcome)
{
	if (outcome != OUTCOME_KILLED)
		bench_up(outcome == OUTCOME_HANDLER);
	for (enum entry entry = 0; entry < ENTRIES; entry++)
		if (!stuck && exists(entry, outcome))
			cell(entry, outcome);
	if (outcome != OUTCOME_KILLED)
		bench_down();
}

static void print_table(void)
{
	print("# entry: requeued, pending, handler, killed");
	if (info()->cpu_count == 1)
		print(" (-: there is nobody to do it while the child runs)");
	print("\n");
	for (enum entry entry = 0; entry < ENTRIES; entry++) {
		print("# ");
		print(entry_names[entry]);
		for (enum outcome outcome = 0; outcome < OUTCOMES; outcome++)
			if (exists(entry, outcome))
				print_part(outcome ? ", " : ": ", counts[entry][outcome]);
			else
				print(outcome ? ", -" : ": -");
		print("\n");
	}
}

static void start_all(void)
{
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
		CHECK_EQ(exo_call(EXO_CALL_VCORE_START, vcore_handle(cpu), 0, 0, 0), 0);
		SLEEP_UNTIL(seen[cpu].started, &seen[0]);
	}
}

void suite_main(void)
{
	rounds = told_number("rounds=", 16);
	exact = !told("threads");
	message_hook = hear;
	start_all();
	for (enum outcome outcome = 0; outcome < OUTCOMES && !stuck; outcome++)
		column(outcome);
	print_table();
	if (!stuck && exact)
		counterparts_of_sel4();
}
