/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong between CPUs, made to happen on purpose, by numbers that a seed on the boot command
 * line repeats:
 *
 *	interrupts=SEED   interrupts to other CPUs are lost or come twice; the timer's come early or late
 *	nmi=SEED          any CPU gets NMIs, wherever it is
 *	races=SEED        an entry sometimes stands still before it does anything (and libos/debug/races.c)
 *
 * An interrupt is only a hint: what it announces waits where the CPU looks on its next way out.  One that
 * is lost would still be missed by a CPU that does not enter the kernel for ever, so with interrupts= each
 * CPU's timer goes off every few milliseconds.  What is promised is that it costs that time and no more.
 */
#include "kernel.h"
#include "debug.h"

#define LOST 8       /* one of so many, and one comes twice */
#define TIMER_MOVED 8
#define NMI_SENT 32
#define STANDS_STILL 32
#define LATEST_MS 5
#define STILL_TICKS 8191ul

enum { INTERRUPTS, NMI, RACES, KINDS };

/* Fixed at boot; 0: none of it. */
static uint64_t seeds[KINDS];

/* Each CPU its own. */
static uint64_t drawn[EXO_CPUS_MAX];

/* Any CPU. */
static _Atomic uint64_t interrupts_moved;

/* The number behind `key`, or 0. */
static uint64_t number_behind(const char *line, const char *key)
{
	uint64_t number = 0;
	size_t i = 0;

	while (*line && key[i]) {
		i = *line == key[i] ? i + 1 : *line == key[0];
		line++;
	}
	for (; !key[i] && *line >= '0' && *line <= '9'; line++)
		number = number * 10 + (uint64_t)(*line - '0');
	return number;
}

void inject_init(const char *command_line)
{
	seeds[INTERRUPTS] = number_behind(command_line, " interrupts=");
	seeds[NMI] = number_behind(command_line, " nmi=");
	seeds[RACES] = number_behind(command_line, " races=");
}

/* splitmix64. */
static uint64_t draw(uint64_t seed)
{
	unsigned number = this_cpu()->number;
	uint64_t x = (seed ^ (uint64_t)number << 56) + ++drawn[number] * 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Tells now and then that it does something. */
static void count_moved(void)
{
	uint64_t n = atomic_fetch_add(&interrupts_moved, 1) + 1;

	if (n >= 64 && (n & (n - 1)) == 0)
		kprintf("exo: %lu interrupts were lost, doubled or moved\n", n);
}

void inject_entry(uint64_t vector)
{
	uint64_t number, start = tsc_read();

	/* What a lost interrupt for the TLB would have done. */
	if (seeds[INTERRUPTS] && vector == VECTOR_TIMER)
		tlb_catch_up();
	if (seeds[NMI] && (number = draw(seeds[NMI])) % NMI_SENT == 0)
		lapic_send(cpu_by_number((unsigned)(number >> 32) % cpu_count)->apic_id, LAPIC_NMI);
	if (seeds[RACES] && (number = draw(seeds[RACES])) % STANDS_STILL == 0)
		while (tsc_read() - start < (number >> 32 & STILL_TICKS))
			cpu_pause();
}

bool inject_interrupt(const struct cpu *target, unsigned vector)
{
	uint64_t number;

	if (!seeds[INTERRUPTS])
		return false;
	number = draw(seeds[INTERRUPTS]) % LOST;
	if (number == 1)
		lapic_send(target->apic_id, vector);
	if (number <= 1)
		count_moved();
	return number == 0;
}

uint64_t inject_timer(uint64_t next, uint64_t now)
{
	uint64_t latest = LATEST_MS * this_cpu()->tsc_khz, number;

	if (!seeds[INTERRUPTS])
		return next;
	number = draw(seeds[INTERRUPTS]);
	if (next == VCORE_NEVER || next > now + latest)
		return now + latest;
	if (number % TIMER_MOVED > 1)
		return next;
	count_moved();
	return now + (number >> 32) % latest;
}
