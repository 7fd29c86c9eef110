/* SPDX-License-Identifier: MIT */
/*
 * A libos that wants no good, to be made a domain of by `domainctl create --image`.  It stays masked for
 * ever, fills its parent's mailbox, writes whatever into the console's rings and its vcore page, and makes
 * exo calls with arguments that are nearly right.  Its first word is the seed of all that.
 *
 * It leaves out the calls by which it would end, put to sleep or lose the time of nobody but itself.
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

	if (!state)
		state = seed();
	for (;;) {
		page->cause = 0;
		page->masked = 1;
		for (unsigned i = 0; i < 40; i++)
			exo_send(boot_page()->parent, any(), any(), any());
		scribble();
		call();
	}
}
