/* SPDX-License-Identifier: MIT */
/*
 * Measuring the TSC and the LAPIC timer against ACPI's power-management timer, whose rate is fixed
 * by the standard and which every machine with ACPI and an IO APIC has.
 */
#include "kernel.h"
#include "boot_info.h"

#define PM_TIMER_HZ 3579545ul
#define PM_TIMER_MASK 0xffffffu /* 24 bits are always there */
#define READINGS 5
#define POLLS_MAX 10000000 /* each takes about a microsecond: ten seconds */

/* The three clocks at about one instant. */
struct reading {
	uint32_t reference, timer;
	uint64_t tsc;
};

static uint32_t pm_timer_read(void)
{
	return port_in32(boot_info.acpi.pm_timer_port);
}

/*
 * A virtual machine's CPU may lose its processor between two instructions.  Of several readings,
 * the one that took least time was disturbed least.
 */
static struct reading read_clocks(void)
{
	struct reading best = { 0 };
	uint64_t best_ticks = UINT64_MAX;

	for (unsigned i = 0; i < READINGS; i++) {
		uint64_t before = tsc_read(), after;
		struct reading now = { .reference = pm_timer_read(), .timer = lapic_timer_count() };

		after = tsc_read();
		now.tsc = before + (after - before) / 2;
		if (after - before < best_ticks) {
			best = now;
			best_ticks = after - before;
		}
	}
	return best;
}

void calibrate_cpu(void)
{
	struct cpu *cpu = this_cpu();
	struct reading start, end;
	uint64_t elapsed = 0;

	lapic_timer_free_run();
	start = read_clocks();
	for (unsigned i = 0; elapsed < PM_TIMER_HZ * CALIBRATION_US / 1000000; i++) {
		elapsed = (pm_timer_read() - start.reference) & PM_TIMER_MASK;
		if (i == POLLS_MAX)
			panic("ACPI's power-management timer stands still: cannot measure time");
	}
	end = read_clocks();
	lapic_timer_stop();
	elapsed = (end.reference - start.reference) & PM_TIMER_MASK;
	cpu->tsc_khz = (end.tsc - start.tsc) * PM_TIMER_HZ / (elapsed * 1000);
	cpu->timer_khz = (uint64_t)(start.timer - end.timer) * PM_TIMER_HZ / (elapsed * 1000);
	cpu->timer_scale = (cpu->timer_khz << 32) / cpu->tsc_khz;
	atomic_store_explicit(&cpu->is_calibrated, true, memory_order_release);
}

void wait_us(uint64_t us)
{
	uint64_t start = tsc_read(), ticks = us * this_cpu()->tsc_khz / 1000;

	while (tsc_read() - start < ticks)
		cpu_pause();
}
