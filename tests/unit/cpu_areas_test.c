/* SPDX-License-Identifier: MIT */
/* exo/x86/smp.c and exo/x86/segments.c, included: no two CPUs have a block, a GDT, a TSS or a stack in
 * common.
 *
 * CPUs are started as smp.c starts them.  What a CPU that starts would do is done for it by
 * lapic_send(): it takes the block that the trampoline's page names, and loads what it finds there. */
#include <string.h>
#include "check.h"
#define msr_write msr_write_of_the_machine
#define phys_to_virt phys_to_virt_of_the_machine
#define this_cpu this_cpu_of_the_machine
#include "kernel.h"
#undef msr_write
#undef phys_to_virt
#undef this_cpu

enum { CPUS = 4 };

static char areas[CPUS][CPU_AREA_SIZE] __attribute__((aligned(CPU_AREA_SIZE)));
static char trampoline_page[EXO_PAGE_SIZE];
static struct cpu *gs_base[CPUS]; /* of each CPU, by its APIC's number */
static unsigned starting;         /* the CPU that is being started */

asm(".data\n.globl trampoline_start, trampoline_cpu, trampoline_end\n"
    "trampoline_start: .skip 56\ntrampoline_cpu: .quad 0\ntrampoline_end:\n.text\n");

static void msr_write(uint32_t msr, uint64_t value)
{
	if (msr == MSR_GS_BASE)
		gs_base[starting] = (struct cpu *)value;
}

static void *phys_to_virt(uint64_t physical)
{
	return trampoline_page;
}

static struct cpu *this_cpu(void)
{
	return gs_base[starting];
}

static struct cpu *block_of(unsigned number)
{
	return (struct cpu *)(areas[number] + CPU_AREA_BLOCK);
}

#define cpu_by_number block_of
#undef CPU_AREAS_BASE
#define CPU_AREAS_BASE ((uint64_t)areas)
#include "../../exo/x86/segments.c"
#include "../../exo/x86/smp.c"

char syscall_entry[1];
uint64_t boot_pml4[1], kernel_root;

bool lapic_send(uint32_t apic_id, uint32_t command)
{
	struct cpu *cpu;

	if (command != (LAPIC_STARTUP | TRAMPOLINE_PAGE >> 12))
		return true;
	starting = apic_id;
	cpu = *(struct cpu **)(trampoline_page + (trampoline_cpu - trampoline_start));
	fill_tss(cpu);
	fill_gdt(cpu);
	segments_set_block(cpu);
	atomic_store(&arrived, true);
	return true;
}

/* ---------------------------------------------------------------- what is not reached */

void wait_us(uint64_t us) {}
void kprintf(const char *format, ...) {}
void features_enable(void) {}
void idt_load(void) {}
void lapic_enable(void) {}
uint32_t lapic_id(void) { return 0; }
void calibrate_cpu(void) {}
void cpu_run(void) { __builtin_trap(); }
uint64_t frame_take(uint16_t owner, enum exo_frame_type type) { return 0; }

/* ---------------------------------------------------------------- the cases */

static bool in_area(unsigned number, uint64_t address)
{
	return address - (uint64_t)areas[number] < CPU_AREA_SIZE;
}

static void every_cpu_has_a_block_of_its_own(void)
{
	for (unsigned i = 1; i < CPUS; i++) {
		bring_up(i);
		CHECK(gs_base[i] == block_of(i));
		CHECK_EQ(block_of(i)->number, i);
		CHECK_EQ(block_of(i)->apic_id, i);
		CHECK(block_of(i)->self == block_of(i));
	}
	CHECK_EQ(cpu_count, CPUS);
}

/* But itself, and none that is not there: by these bits it tells others what their TLBs have to forget. */
static void every_cpu_knows_all_others(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(block_of(i)->others, ((1ul << CPUS) - 1) & ~(1ul << i));
}

static uint64_t tss_base(const uint64_t *gdt)
{
	uint64_t low = gdt[SELECTOR_TSS / 8];

	return (low >> 16 & 0xffffff) | (low >> 56) << 24 | gdt[SELECTOR_TSS / 8 + 1] << 32;
}

static void every_cpu_has_a_tss_of_its_own(void)
{
	for (unsigned i = 1; i < CPUS; i++) {
		CHECK_EQ(tss_base(block_of(i)->gdt), &block_of(i)->tss);
		for (unsigned number = 0; number < EXO_CPUS_MAX; number++)
			CHECK_EQ(block_of(i)->gdt[EXO_CPU_SELECTOR / 8 + number] != 0, number == i);
	}
}

/* A stack grows down from its top; those of a CPU do not reach into each other. */
static void every_cpu_has_stacks_of_its_own(void)
{
	for (unsigned i = 1; i < CPUS; i++) {
		const struct tss *tss = &block_of(i)->tss;

		CHECK(in_area(i, tss->rsp[0] - 1));
		CHECK_EQ(tss->rsp[0], block_of(i));
		for (unsigned n = 0; n < IST_COUNT; n++) {
			uint64_t below = n ? tss->ist[n - 1] : tss->rsp[0];

			CHECK(in_area(i, tss->ist[n] - 1));
			CHECK(tss->ist[n] - CPU_AREA_IST_SIZE > below);
		}
	}
}

int main(void)
{
	RUN(every_cpu_has_a_block_of_its_own);
	RUN(every_cpu_knows_all_others);
	RUN(every_cpu_has_a_tss_of_its_own);
	RUN(every_cpu_has_stacks_of_its_own);
	return check_result();
}
