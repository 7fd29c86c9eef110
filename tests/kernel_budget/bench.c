/* SPDX-License-Identifier: MIT */
/* Making the child with its time, and checking accounts. */
#include "bench.h"

#define RW (EXO_PROT_READ | EXO_PROT_WRITE)
#define SCRATCH_FRAME 31 /* of spare_frame(); those before are the SCs' */

struct bench benches[CPUS];

void bench_rest(void)
{
	halt(tsc() + ms(1) / 4, &seen[0]);
	crew_spend(0);
}

void bench_bind(unsigned cpu, unsigned which)
{
	int64_t result;

	/* EBUSY: its CPU has yet to see to an earlier request. */
	while ((result = exo_call(EXO_CALL_SC_BIND, benches[cpu].sc[which], child.vcore[cpu], 0, 0)) ==
	       -EBUSY)
		bench_rest();
	CHECK_EQ(result, 0);
}

static void fund(unsigned cpu)
{
	struct bench *b = &benches[cpu];

	for (unsigned i = 0; i < 2; i++) {
		b->sc[i] = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC + cpu),
				    spare_frame(2 * cpu + i), BUDGET_NS, PERIOD_NS);
		CHECK(b->sc[i] > 0);
	}
}

static void tell_of_timeouts(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(exo_call(EXO_CALL_SC_TIMEOUT, benches[cpu].sc[i], vcore_handle(0),
				  TIMEOUT_WORD(cpu, i), 0), 0);
}

static void reclaim(unsigned cpu)
{
	struct bench *b = &benches[cpu];

	for (unsigned i = 0; i < 2; i++) {
		b->lost_ns += (uint64_t)exo_call(EXO_CALL_SC_CONSUMED, b->sc[i], 0, 0, 0);
		b->reclaimed++;
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, b->sc[i], 0, 0, 0), 0);
		exo_call(EXO_CALL_HANDLE_DROP, b->sc[i], 0, 0, 0);
		b->sc[i] = 0;
	}
}

static void bind_line(unsigned cpu)
{
	if (!benches[cpu].line)
		benches[cpu].line = exo_call(EXO_CALL_MSI_BIND, EXO_HANDLE(EXO_SLOT_IRQS),
					     vcore_handle(cpu), (uint64_t)&subjects[cpu].msi, cpu);
	CHECK(benches[cpu].line > 0);
}

static void hand_over(unsigned cpu)
{
	struct subject *s = &subjects[cpu];

	bind_line(cpu);
	s->apic_id = info()->cpus[cpu].apic_id;
	s->parent_vcore = child_gets(vcore_handle(cpu), EXO_RIGHT_USE | EXO_RIGHT_DONATE);
	s->vcore = child_gets(child.vcore[cpu], EXO_RIGHT_USE | EXO_RIGHT_MANAGE);
	s->space = child_gets(child.space, EXO_RIGHT_USE);
	for (unsigned i = 0; i < 2; i++)
		s->sc[i] = child_gets(benches[cpu].sc[i], EXO_RIGHT_MANAGE);
	s->go = s->finished = s->prepared = s->called = s->end = 0;
	benches[cpu].timeouts = benches[cpu].answered = 0;
}

void bench_map_scratch(void)
{
	child_map((struct exo_op){ .code = EXO_OP_MAP, .prot = RW, .count = 1, .va = SCRATCH_VA,
				   .frame = spare_frame(SCRATCH_FRAME) });
}

static void map_what_it_needs(void)
{
	struct exo_op op = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_EXEC, .count = 1,
			     .va = FOREIGN_VA, .frame = EXO_PTE_FRAME(EXO_PTE(foreign_call)) };

	child_map(op);
	bench_map_scratch();
	op.prot = RW;
	op.code = EXO_OP_MAP_DEVICE;
	op.va = HPET_VA;
	op.frame = HPET_ADDRESS >> EXO_PAGE_SHIFT;
	op.source = EXO_HANDLE(EXO_SLOT_DEVICES);
	child_map(op);
}

void bench_up(bool told_of_timeouts)
{
	unsigned cpus = (1u << info()->cpu_count) - 1;

	child_make(cpus & ~((1u << subject_first()) - 1));
	map_what_it_needs();
	for (unsigned cpu = subject_first(); cpu < info()->cpu_count; cpu++) {
		crew_do(cpu, fund);
		if (told_of_timeouts)
			crew_do(cpu, tell_of_timeouts);
		hand_over(cpu);
		bench_bind(cpu, 0);
		CHECK_EQ(exo_call(EXO_CALL_VCORE_START, child.vcore[cpu], 0, 0, 0), 0);
		SLEEP_UNTIL(child_seen[cpu].started, &seen[0]);
	}
}

void bench_down(void)
{
	child_end();
	for (unsigned cpu = subject_first(); cpu < info()->cpu_count; cpu++)
		crew_do(cpu, reclaim);
}

static uint64_t ns_of(uint64_t ticks, unsigned cpu)
{
	uint64_t khz = info()->cpus[cpu].tsc_khz;

	return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

static uint64_t charged(unsigned cpu)
{
	struct exo_cpu_stats stats;

	WAIT_FOR(exo_call(EXO_CALL_CPU_STATS, cpu, (uint64_t)&stats, 0, 0) == 0);
	CHECK_EQ(stats.charged + stats.idle + stats.kernel - stats.elapsed, 0);
	return ns_of(stats.charged, cpu);
}

/* Consumed is written before the statistics that count it can be read, and after those before. */
void bench_check_time(void)
{
	for (unsigned cpu = 0; cpu < info()->cpu_count; cpu++) {
		const struct bench *b = &benches[cpu];
		uint64_t before = charged(cpu), after, sum = b->lost_ns, rounding = b->reclaimed + 4;

		sum += (uint64_t)exo_call(EXO_CALL_SC_CONSUMED, EXO_HANDLE(EXO_SLOT_SC + cpu), 0, 0, 0);
		for (unsigned i = 0; i < 2; i++)
			if (b->sc[i])
				sum += (uint64_t)exo_call(EXO_CALL_SC_CONSUMED, b->sc[i], 0, 0, 0);
		after = charged(cpu);
		CHECK(sum + rounding >= before);
		CHECK(sum <= after);
	}
}
