/* SPDX-License-Identifier: MIT */
/*
 * The HPET's timers as message-signalled interrupts: what a device writes where, and at which
 * instruction, is up to us.  IA-PC HPET specification 1.0a, section 2.3.
 */
#include "budget.h"

enum {
	HPET_PERIOD = 0x04, /* of the main counter, in femtoseconds */
	HPET_CONFIG = 0x10,
	HPET_COUNTER = 0xf0,
	HPET_TIMER = 0x100, /* + 0x20 each: configuration, comparator at 8, message at 0x10 */
};
#define CONFIG_ENABLE 1u
#define TIMER_ENABLE (1u << 2)
#define TIMER_32BIT (1u << 8)
#define TIMER_MESSAGE (1u << 14)
#define FEMTOSECONDS_PER_MS 1000000000000ul

static volatile uint32_t *reg(unsigned offset)
{
	return (volatile uint32_t *)(HPET_VA + offset);
}

void hpet_start(void)
{
	*reg(HPET_CONFIG) = CONFIG_ENABLE;
}

void hpet_stop(unsigned timer)
{
	*reg(HPET_TIMER + timer * 0x20) = 0;
}

void hpet_at(unsigned timer, uint64_t when, struct exo_msi msi)
{
	unsigned base = HPET_TIMER + timer * 0x20;
	uint64_t now, per_count = tsc_khz * *reg(HPET_PERIOD) / FEMTOSECONDS_PER_MS;
	uint32_t counter;

	hpet_stop(timer);
	*reg(base + 0x10) = msi.data;
	*reg(base + 0x14) = (uint32_t)msi.address;
	*reg(base) = TIMER_ENABLE | TIMER_32BIT | TIMER_MESSAGE;
	now = tsc();
	counter = *reg(HPET_COUNTER);
	*reg(base + 8) = counter + (when > now ? (uint32_t)((when - now) / per_count) + 1 : 1);
}
