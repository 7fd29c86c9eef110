/* SPDX-License-Identifier: MIT */
/* exo/x86/calibrate.c, included: each CPU measures its own clocks.
 *
 * The clocks of two CPUs have rates that differ; one time goes on for both. */
#include "check.h"
#define this_cpu this_cpu_of_the_machine
#define tsc_read tsc_read_of_the_machine
#define port_in32 port_in32_of_the_machine
#include "kernel.h"
#undef this_cpu
#undef tsc_read
#undef port_in32
#include "boot_info.h"

enum { CPUS = 2 };

struct boot_info boot_info;
static struct cpu blocks[CPUS];
static const uint64_t tsc_khz[CPUS] = { 3000000, 2000000 }, timer_khz[CPUS] = { 1000000, 62500 };
static unsigned running; /* the CPU that measures */
static uint64_t now_ns;

static struct cpu *this_cpu(void)
{
	return &blocks[running];
}

/* A look at the clock takes a little. */
static uint64_t tsc_read(void)
{
	now_ns += 20;
	return now_ns * tsc_khz[running] / 1000000;
}

static uint32_t port_in32(uint16_t port)
{
	now_ns += 700;
	return (uint32_t)(now_ns * 3579545 / 1000000000) & 0xffffff;
}

#include "../../exo/x86/calibrate.c"

void lapic_timer_free_run(void) {}

void lapic_timer_stop(void)
{
	CHECK(!atomic_load(&blocks[running].is_calibrated));
}

uint32_t lapic_timer_count(void)
{
	now_ns += 100;
	return (uint32_t)(UINT32_MAX - now_ns * timer_khz[running] / 1000000);
}

_Noreturn void panic_with_regs(const struct exo_regs *regs, const char *format, ...)
{
	__builtin_trap();
}

static bool is_near(uint64_t measured, uint64_t real)
{
	return measured > real - real / 1000 && measured < real + real / 1000;
}

static void each_cpu_measures_its_own_clocks(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		blocks[i] = (struct cpu){ .number = i };
	for (running = 0; running < CPUS; running++) {
		calibrate_cpu();
		CHECK(is_near(blocks[running].tsc_khz, tsc_khz[running]));
		CHECK(is_near(blocks[running].timer_khz, timer_khz[running]));
		CHECK(is_near(blocks[running].timer_scale,
			      (timer_khz[running] << 32) / tsc_khz[running]));
	}
}

/* The boot CPU tells the first domain all rates when this is set. */
static void they_are_said_to_be_there_when_they_are(void)
{
	for (running = 0; running < CPUS; running++) {
		blocks[running] = (struct cpu){ .number = running };
		calibrate_cpu();
		CHECK(atomic_load(&blocks[running].is_calibrated));
	}
}

/* The power-management timer has 24 bits: it starts again every 4.7 s. */
static void a_clock_that_starts_again_is_no_trouble(void)
{
	running = 1;
	blocks[1] = (struct cpu){ .number = 1 };
	now_ns = (1ul << 24) * 1000000000 / 3579545 - 5000000;
	calibrate_cpu();
	CHECK(is_near(blocks[1].tsc_khz, tsc_khz[1]));
}

int main(void)
{
	RUN(each_cpu_measures_its_own_clocks);
	RUN(they_are_said_to_be_there_when_they_are);
	RUN(a_clock_that_starts_again_is_no_trouble);
	return check_result();
}
