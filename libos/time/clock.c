/* SPDX-License-Identifier: MIT */
/*
 * Clocks, read from the TSC without entering the kernel.
 *
 * Monotonic time counts from boot_tsc at the boot CPU's rate; processors with an invariant TSC
 * keep all CPUs' counters equal, and QEMU has one counter for all.  Real time is monotonic time
 * plus an offset that clock_settime() changes.
 */
#include <exo/abi.h>
#include <linux/time.h>
#include <stdatomic.h>
#include "domain/parent.h"
#include "time/time.h"
#include "time/timespec.h"

#define NS_PER_MS 1000000ul

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Fixed after time_init(). */
static uint64_t boot_tsc;
static uint64_t ns_per_tick, ticks_per_ns; /* 32.32 */

uint64_t tsc_to_ns(uint64_t ticks)
{
	return time_scale(ticks, ns_per_tick);
}

uint64_t time_ns_per_tick(void)
{
	return ns_per_tick;
}

uint64_t ns_to_tsc(uint64_t ns)
{
	return time_scale(ns, ticks_per_ns);
}

uint64_t time_now_ns(void)
{
	return tsc_to_ns(read_tsc() - boot_tsc);
}

/*
 * A timer never fires too early: it would be set again for the same time, which has come, and fire for
 * nothing until the clock says so too.  Both rates are rounded down, so ticks made of nanoseconds are some
 * that make fewer nanoseconds; these are wanting by a part in 2^31, which is a millisecond in a month.  So
 * what is wanting is converted as well, and a part of it that is more than is wanting then.
 */
uint64_t time_deadline_tsc(uint64_t monotonic_ns)
{
	uint64_t longest_ns = ~0ul >> 4; /* 36 years: of a TSC of 8 GHz less than 2^64 */
	uint64_t ticks, wanting_ns;

	if (monotonic_ns > longest_ns)
		monotonic_ns = longest_ns;
	ticks = ns_to_tsc(monotonic_ns);
	wanting_ns = monotonic_ns - tsc_to_ns(ticks);
	return boot_tsc + ticks + ns_to_tsc(wanting_ns) + (wanting_ns >> 26) + 2;
}

/* Real time minus monotonic time.  One word: a reader sees the old or the new setting. */
static _Atomic uint64_t offset_ns;

void time_init(void)
{
	boot_tsc = machine()->boot_tsc;
	ns_per_tick = (NS_PER_MS << 32) / machine()->tsc_khz;
	ticks_per_ns = (machine()->tsc_khz << 32) / NS_PER_MS;
	if (parent_exists())
		time_set_real_ns(time_now_ns() + (uint64_t)parent_real_offset_ns());
	else
		time_set_real_ns(rtc_unix_seconds() * 1000 * NS_PER_MS);
}

uint64_t time_real_ns(void)
{
	return time_now_ns() + atomic_load_explicit(&offset_ns, memory_order_relaxed);
}

void time_set_real_ns(uint64_t ns)
{
	atomic_store_explicit(&offset_ns, ns - time_now_ns(), memory_order_relaxed);
}

/* CLOCK_REALTIME or CLOCK_MONOTONIC, on the program's stack (core/quick.asm).  Aligned so that it lies in one
 * page: an emulator goes from page to page the slow way. */
__attribute__((aligned(128))) long clock_quick(int clock, struct linux_timespec *user)
{
	uint64_t ns = clock == CLOCK_REALTIME ? time_real_ns() : time_now_ns();

	*user = timespec_from_ns(ns);
	return 0;
}
