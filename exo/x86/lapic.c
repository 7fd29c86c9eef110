/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, through memory (xAPIC) or model-specific registers (x2APIC).  The two differ in
 * how a register is reached and in how an interrupt command names its target; one table of
 * functions holds the difference.  SDM vol. 3A, chapter 11.
 */
#include "kernel.h"

enum {
	REGISTER_ID = 0x02, REGISTER_TASK_PRIORITY = 0x08, REGISTER_EOI = 0x0b, REGISTER_SPURIOUS = 0x0f,
	REGISTER_COMMAND = 0x30, REGISTER_COMMAND_HIGH = 0x31, REGISTER_LVT_TIMER = 0x32,
	REGISTER_LVT_LINT0 = 0x35, REGISTER_LVT_LINT1 = 0x36, REGISTER_LVT_ERROR = 0x37,
	REGISTER_TIMER_INITIAL = 0x38, REGISTER_TIMER_CURRENT = 0x39, REGISTER_TIMER_DIVIDE = 0x3e,
};

#define BASE_ENABLE (1ul << 11)
#define BASE_X2APIC (1ul << 10)
#define SPURIOUS_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_TSC_DEADLINE (2u << 17)
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)
#define DIVIDE_BY_1 0xbu
#define XAPIC_ID_MAX 0xfeu
#define COMMAND_WAIT_MAX 1000000 /* polls; delivery takes microseconds */

/* The xAPIC's registers; NULL where the x2APIC's, which are MSRs, are used.  Fixed at boot. */
static volatile uint32_t *registers;

static uint32_t lapic_read(unsigned reg)
{
	return registers ? registers[reg * 4] : (uint32_t)msr_read(MSR_X2APIC + reg);
}

static void lapic_write(unsigned reg, uint32_t value)
{
	if (registers)
		registers[reg * 4] = value;
	else
		msr_write(MSR_X2APIC + reg, value);
}

bool lapic_send(uint32_t apic_id, uint32_t command)
{
	unsigned tries = COMMAND_WAIT_MAX;

	command |= COMMAND_ASSERT;
	if (registers && apic_id > XAPIC_ID_MAX)
		return false;
	if (!registers) {
		/* Unlike a store to the xAPIC, this WRMSR does not wait for earlier stores; what they
		 * say has to be visible to the target when the interrupt arrives. */
		asm volatile("mfence; lfence" : : : "memory");
		msr_write(MSR_X2APIC + REGISTER_COMMAND, (uint64_t)apic_id << 32 | command);
		return true;
	}
	while (lapic_read(REGISTER_COMMAND) & COMMAND_PENDING) {
		if (--tries == 0)
			return false;
		cpu_pause();
	}
	/* An NMI between the two writes may send commands itself, but it does not return then. */
	lapic_write(REGISTER_COMMAND_HIGH, apic_id << 24);
	lapic_write(REGISTER_COMMAND, command);
	return true;
}

void lapic_init(uint64_t address)
{
	if (!cpu_features.x2apic)
		registers = mmio_map(address, EXO_PAGE_SIZE);
}

/* The pins are masked: the PIC is silenced, and the kernel has no answer to a device's NMI. */
void lapic_enable(void)
{
	msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | BASE_ENABLE |
					 (cpu_features.x2apic ? BASE_X2APIC : 0));
	lapic_write(REGISTER_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	lapic_write(REGISTER_TASK_PRIORITY, 0);
	lapic_write(REGISTER_LVT_LINT0, LVT_MASKED);
	lapic_write(REGISTER_LVT_LINT1, debug_nmi_pin(LVT_MASKED));
	lapic_write(REGISTER_LVT_ERROR, LVT_MASKED);
	lapic_write(REGISTER_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(REGISTER_EOI, 0);
}

uint32_t lapic_id(void)
{
	return lapic_read(REGISTER_ID) >> (registers ? 24 : 0);
}

void lapic_end_of_interrupt(void)
{
	lapic_write(REGISTER_EOI, 0);
}

void lapic_timer_free_run(void)
{
	lapic_write(REGISTER_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(REGISTER_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_write(REGISTER_TIMER_INITIAL, UINT32_MAX);
}

uint32_t lapic_timer_count(void)
{
	return lapic_read(REGISTER_TIMER_CURRENT);
}

void lapic_timer_arm(uint64_t deadline_tsc)
{
	uint64_t now = tsc_read(), delta = deadline_tsc > now ? deadline_tsc - now : 0, ticks;

	if (cpu_features.tsc_deadline) {
		msr_write(MSR_TSC_DEADLINE, deadline_tsc ? deadline_tsc : 1); /* 0 would disarm */
		return;
	}
	ticks = (uint64_t)((unsigned __int128)delta * this_cpu()->timer_scale >> 32) + 1;
	lapic_write(REGISTER_TIMER_INITIAL, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

void lapic_timer_stop(void)
{
	lapic_write(REGISTER_TIMER_INITIAL, 0);
	lapic_write(REGISTER_LVT_TIMER, VECTOR_TIMER | (cpu_features.tsc_deadline ? LVT_TSC_DEADLINE : 0));
	/* SDM vol. 3A, 11.5.4.1: with the register in memory, a fence orders this and the first
	 * write of the deadline. */
	asm volatile("mfence" : : : "memory");
}
