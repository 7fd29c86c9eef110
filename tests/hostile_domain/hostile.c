/* SPDX-License-Identifier: MIT */
/*
 * A libos that wants no good, to be made a domain of by `domainctl create --image`.  It stays masked for
 * ever, fills its parent's mailbox, writes whatever into the console's rings and its vcore page, and makes
 * exo calls with arguments that are nearly right.  Its first word is the seed of all that; or "masked": then
 * it does nothing but stay masked, as far as it is let.
 *
 * Left to chance it makes no calls by which it would end, put to sleep or lose the time of nobody but
 * itself; what of these can hurt others is in play_with_time().
 */
#include <exo/abi.h>
#include "core/exo.h"
#include "domain/boot.h"

extern const char text_start[], text_end[], rodata_end[], data_end[], image_end[];
extern const char any_entry[], resume_start[], resume_end[];

static char stacks[EXO_CPUS_MAX][2][4096] __attribute__((aligned(4096)));

__attribute__((section(".header"), used)) static const struct exo_image header = {
	.magic = EXO_IMAGE_MAGIC,
	.abi_version = EXO_ABI_VERSION,
	.text_end = (uint64_t)text_end,
	.rodata_end = (uint64_t)rodata_end,
	.data_end = (uint64_t)data_end,
	.end = (uint64_t)image_end,
	.entries = {
		.text_start = (uint64_t)text_start, .text_end = (uint64_t)text_end,
		.event = (uint64_t)any_entry, .fault = (uint64_t)any_entry,
		.fault_masked = (uint64_t)any_entry, .foreign = (uint64_t)any_entry,
		.resume_start = (uint64_t)resume_start, .resume_end = (uint64_t)resume_end,
	},
	.event_stack_top = (uint64_t)stacks + 4096,
	.fault_stack_top = (uint64_t)stacks + 8192,
	.stack_stride = 8192,
};

static const struct exo_info *const info = (const struct exo_info *)EXO_INFO_BASE;
static uint64_t state;

_Noreturn void hostile(uint64_t stack);

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const struct domain_boot *boot_page(void)
{
	return (const struct domain_boot *)info->modules[info->module_count - 1].address;
}

static uint64_t seed(void)
{
	uint64_t n = 0;

	for (const char *digit = boot_page()->words; *digit >= '0' && *digit <= '9'; digit++)
		n = n * 10 + (uint64_t)(*digit - '0');
	return n * 0x9e3779b97f4a7c15 + 1;
}

/* Something like an argument of an exo call. */
static uint64_t argument(void)
{
	switch (any() % 8) {
	case 0:
		return EXO_HANDLE(any() % 64) + (any() % 3 << 32);
	case 1:
		return info->ranges[0].first + any() % 64;
	case 2:
		return EXO_SHARED_BASE + any() % 0x1000000;
	case 3:
		return any() % info->frame_end;
	case 4:
		return (uint64_t)stacks;
	case 5:
		return any() % 300;
	case 6:
		return boot_page()->parent;
	default:
		return any();
	}
}

static void call(void)
{
	uint64_t number = any() % (EXO_CALLS + 2);

	switch (number) {
	case EXO_CALL_DEBUG_WRITE: /* the log is a file of the test's */
	case EXO_CALL_DOMAIN_KILL:
	case EXO_CALL_HALT:
	case EXO_CALL_SC_BIND:
	case EXO_CALL_SC_RECLAIM:
	case EXO_CALL_SWITCH:
		return;
	default:
		exo_call4(number, argument(), argument(), argument(), argument());
	}
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

/* Timers that are due at once, sleeps of a moment, budgets that run out at bad moments and are told to
 * the parent; another of its vcores binds the time that waits for an answer. */
static void play_with_time(uint64_t cpu, const struct exo_vcore_page *page)
{
	const struct exo_cpu_info *other = &info->cpus[any() % info->cpu_count];

	switch (any() % 8) {
	case 0:
		exo_timer(any() % 2 ? 1 : tsc() + any() % 100000);
		break;
	case 1:
		exo_halt(page->token, tsc() + any() % 1000000 + 1);
		break;
	case 2:
		exo_donate(boot_page()->parent, page->token);
		break;
	case 3:
		if (info->cpu_count > 1)
			exo_sc_timeout(info->cpus[cpu].sc, any() % 4 ? 0 : boot_page()->parent, any());
		break;
	case 4:
		if (other->online)
			exo_call4(EXO_CALL_DOORBELL, other->vcore, 0, 0, 0);
		break;
	case 5:
		exo_sc_resize(info->cpus[cpu].sc, any() % 100000000, any() % 100000000);
		break;
	default:
		if (other->online)
			exo_sc_bind(other->sc, other->vcore);
	}
}

static void start_others(void)
{
	for (unsigned cpu = 0; cpu < info->cpu_count; cpu++)
		if (info->cpus[cpu].online)
			exo_vcore_start(info->cpus[cpu].vcore);
}

/* Each end's numbers and flags, and some of what they are about. */
static void scribble(void)
{
	volatile uint32_t *rings = (volatile uint32_t *)((uint64_t)boot_page() + EXO_PAGE_SIZE);
	volatile uint64_t *page = (volatile uint64_t *)(EXO_VCORE_BASE + (any() & 7) * EXO_VCORE_STRIDE);

	rings[any() % (2 * sizeof(struct byte_ring_shared) / 4)] = (uint32_t)any();
	rings[any() % (sizeof(struct domain_console) / 4)] = (uint32_t)any();
	if (info->cpus[((uint64_t)page - EXO_VCORE_BASE) / EXO_VCORE_STRIDE].online)
		page[any() % 512] = any();
}

_Noreturn void hostile(uint64_t stack)
{
	uint64_t cpu = (stack - (uint64_t)stacks - 1) / 8192;
	struct exo_vcore_page *page = (struct exo_vcore_page *)(EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE);

	if (!state) {
		state = seed();
		start_others();
	}
	while (boot_page()->words[0] == 'm')
		page->masked = 1;
	for (;;) {
		page->cause = 0;
		page->masked = any() % 16 != 0;
		for (unsigned i = 0; i < 40; i++)
			exo_send(boot_page()->parent, any(), any(), any());
		scribble();
		call();
		play_with_time(cpu, page);
	}
}
