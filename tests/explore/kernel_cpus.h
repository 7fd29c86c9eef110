/* SPDX-License-Identifier: MIT */
/*
 * CPUs of the kernel for the explorer: each of its threads is one.  Include it before the sources
 * under test: what the kernel's headers do with the machine's own registers is put aside here.
 */
#ifndef TESTS_EXPLORE_KERNEL_CPUS_H
#define TESTS_EXPLORE_KERNEL_CPUS_H

#define this_cpu this_cpu_of_the_machine
#define cpu_by_number cpu_by_number_of_the_machine
#define cr3_write cr3_write_of_the_machine
#define tlb_flush_all tlb_flush_all_of_the_machine
#define trace(what, a, b) trace_of_the_machine(what, a, b)
#include "kernel.h"
#undef this_cpu
#undef cpu_by_number
#undef cr3_write
#undef tlb_flush_all
#undef trace

#include <string.h>
#include "explore.h"

#define CPUS 3

static struct cpu cpu_blocks[CPUS];
unsigned cpu_count;

static inline struct cpu *this_cpu(void)
{
	return &cpu_blocks[explore_self() % CPUS]; /* setup and check: any */
}

static inline struct cpu *cpu_by_number(unsigned number)
{
	return &cpu_blocks[number];
}

static inline void trace(const char *what, uint64_t a, uint64_t b)
{
}

static void cpus_setup(unsigned count)
{
	memset(cpu_blocks, 0, sizeof(cpu_blocks));
	cpu_count = count;
	for (unsigned i = 0; i < count; i++) {
		cpu_blocks[i].number = cpu_blocks[i].apic_id = i;
		cpu_blocks[i].others = ((1ul << count) - 1) & ~(1ul << i);
		explore_name(&cpu_blocks[i].idle, sizeof(cpu_blocks[i].idle), "idle");
		explore_name(&cpu_blocks[i].run.rung, sizeof(cpu_blocks[i].run.rung), "rung");
	}
}

#endif
