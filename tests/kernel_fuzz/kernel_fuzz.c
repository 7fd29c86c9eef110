/* SPDX-License-Identifier: MIT */
/*
 * A domain that makes random exo calls on all CPUs, with arguments that are nearly right: handles of
 * its own and made up, frames of all kinds, addresses inside and outside of what is mapped.  It is
 * loaded in place of the libos and may well destroy itself; what has to stand is the kernel.
 * The seed and the number of calls are in the kernel's command line: seed=N calls=N.
 */
#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include "core/exo.h"

extern const char text_start[], text_end[], event_entry[], fault_entry[], fault_masked_entry[],
	foreign_entry[], resume_start[], resume_end[], rodata_end[], data_end[], image_end[];

#define STACK_SIZE 16384
#define CPUS_MAX 8
#define WORDS 512 /* of a CPU's area for structures */
#define KEPT 32   /* results of calls, which may be handles */

static char stacks[CPUS_MAX][2 * STACK_SIZE] __attribute__((aligned(4096)));
static uint64_t areas[CPUS_MAX][WORDS] __attribute__((aligned(4096)));
static uint64_t kept[CPUS_MAX][KEPT];
static uint64_t states[CPUS_MAX], calls[CPUS_MAX], faults[CPUS_MAX];
static uint64_t calls_wanted;

__attribute__((section(".header"), used)) static const struct exo_image header = {
	.magic = EXO_IMAGE_MAGIC,
	.abi_version = EXO_ABI_VERSION,
	.text_end = (uint64_t)text_end, .rodata_end = (uint64_t)rodata_end,
	.data_end = (uint64_t)data_end, .end = (uint64_t)image_end,
	.entries = {
		.text_start = (uint64_t)text_start, .text_end = (uint64_t)text_end,
		.event = (uint64_t)event_entry, .fault = (uint64_t)fault_entry,
		.fault_masked = (uint64_t)fault_masked_entry, .foreign = (uint64_t)foreign_entry,
		.resume_start = (uint64_t)resume_start, .resume_end = (uint64_t)resume_end,
	},
	.event_stack_top = (uint64_t)stacks + STACK_SIZE,
	.fault_stack_top = (uint64_t)stacks + 2 * STACK_SIZE,
	.stack_stride = 2 * STACK_SIZE,
};

static const struct exo_info *const info = (const struct exo_info *)EXO_INFO_BASE;

static unsigned this_cpu(void)
{
	uint32_t selector;

	__asm__ volatile("movl %%es, %0" : "=r"(selector));
	return (selector - EXO_CPU_SELECTOR) >> EXO_CPU_SELECTOR_SHIFT;
}

static struct exo_vcore_page *page_of(unsigned cpu)
{
	return (struct exo_vcore_page *)(EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE);
}

static uint64_t random_word(void)
{
	uint64_t *state = &states[this_cpu()];

	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d >> 8;
}

static bool one_in(uint64_t n)
{
	return random_word() % n == 0;
}

#define PICK(...)                                                                       \
	({                                                                              \
		const uint64_t choices[] = { __VA_ARGS__ };                             \
		choices[random_word() % (sizeof(choices) / sizeof(choices[0]))];        \
	})

/* ---------------------------------------------------------------- arguments */

/* The first handles are what the domain lives on: seldom, or it would not live long. */
static uint64_t random_handle(void)
{
	uint64_t slot = random_word() % 320;

	if (one_in(2))
		return kept[this_cpu()][random_word() % KEPT];
	if (one_in(16))
		return PICK(0, -1ul, 1ul << 63, EXO_HANDLE(0xffffffff), EXO_HANDLE(100000));
	return (PICK(1, 1, 1, 2, 3) << 32) | (one_in(4) ? slot % 8 : slot);
}

static uint64_t random_frame(void)
{
	const struct exo_range *range = &info->ranges[random_word() % info->range_count];

	if (one_in(8))
		return PICK(0, 1, 0x100, 0x200, info->frame_end - 1, info->frame_end, 1ul << 40, -1ul,
			    0xfee00, 0xfec00, 0xb8, info->modules[0].frame);
	if (one_in(2)) /* a few are used again and again */
		return range->first + random_word() % 16 % range->count;
	return range->first + random_word() % range->count;
}

static uint64_t random_address(void)
{
	uint64_t area = (uint64_t)areas[this_cpu()];

	switch (random_word() % 16) {
	case 0:
		return PICK(0, 8, EXO_USER_TOP - 4, EXO_PTWIN_BASE, EXO_SHARED_END - 8, 1ul << 47, -8ul,
			    0xffff800000000000, 0xffffff8000000000, 0xffffffff80100000,
			    0xffffffff80180000);
	case 1:
		return PICK(EXO_INFO_BASE, EXO_FRAMES_BASE, EXO_MODULE_BASE, EXO_SHARED_BASE);
	case 2:
		return area + WORDS * 8 - random_word() % 128;
	default:
		return area + random_word() % (WORDS / 2) * 8;
	}
}

static uint64_t random_va(void)
{
	if (one_in(256))
		return EXO_SHARED_BASE + random_word() % 600 * EXO_PAGE_SIZE;
	if (one_in(8))
		return PICK(EXO_USER_TOP - EXO_PAGE_SIZE, EXO_USER_TOP, EXO_PTWIN_BASE + EXO_PAGE_SIZE,
			    EXO_SHARED_END - EXO_PAGE_SIZE, EXO_SHARED_END, 1ul << 47, -4096ul,
			    0xffffffff80100000, 0, 1);
	return PICK(0x400000, 0x7e7fff000000, EXO_DYNAMIC_BASE, EXO_DYNAMIC_BASE + (1ul << 30)) +
	       random_word() % 700 * EXO_PAGE_SIZE;
}

static uint64_t random_count(void)
{
	return PICK(0, 1, 1, 2, 3, 16, 63, 64, 65, 512, 1024, 1025, 1ul << 20, 0xffffffff, 1ul << 32,
		    1ul << 52, 1ul << 63, -1ul);
}

static uint64_t random_argument(void)
{
	switch (random_word() % 8) {
	case 0:
		return random_count();
	case 1:
	case 2:
		return random_handle();
	case 3:
		return random_frame();
	case 4:
		return random_address();
	case 5:
		return random_va();
	case 6:
		return random_word() % 16;
	default:
		return one_in(4) ? random_word() : page_of(this_cpu())->token;
	}
}

static void fill_area(void)
{
	uint64_t *area = areas[this_cpu()];

	for (unsigned i = 0; i < 48; i++)
		area[random_word() % WORDS] = random_argument();
}

/* A list of operations that mostly decode. */
static int64_t call_update(void)
{
	uint64_t *area = areas[this_cpu()];
	struct exo_update *u = (struct exo_update *)area;
	struct exo_op *ops = (struct exo_op *)(area + 64);
	unsigned n = 1 + random_word() % 4;

	*u = (struct exo_update){
		.ops = one_in(32) ? random_address() : (uint64_t)ops,
		.freed = one_in(8) ? random_address() : (uint64_t)(area + 256),
		.op_count = one_in(16) ? (uint32_t)random_count() : n,
		.freed_max = one_in(8) ? (uint32_t)random_count() : 64,
		.ops_done = one_in(32) ? (uint32_t)random_count() : 0,
		.pages_done = one_in(32) ? (uint32_t)random_count() : 0,
	};
	for (unsigned i = 0; i < n; i++)
		ops[i] = (struct exo_op){
			.code = (uint8_t)(random_word() % 9),
			.prot = (uint8_t)(one_in(8) ? random_word() : random_word() & 7),
			.flags = (uint16_t)(one_in(8) ? random_word() : random_word() % 16),
			.count = (uint32_t)(one_in(4) ? random_count() : 1 + random_word() % 32),
			.va = random_va(),
			.frame = random_frame(),
			.source = one_in(2) ? random_frame() : random_handle(),
			.source_va = random_va(),
		};
	return exo_update(one_in(3) ? random_handle() :
			  EXO_HANDLE(one_in(2) ? EXO_SLOT_SHARED : EXO_SLOT_SPACE), u);
}

/* What ends the domain or the machine at once is left out, or seldom. */
static bool is_spared(uint64_t number, uint64_t a, uint64_t b)
{
	bool first = (a & 0xffffffff) < EXO_SLOTS_FIRST_FREE;

	switch (number) {
	case EXO_CALL_RESET:
		return true;
	case EXO_CALL_DOMAIN_KILL:
	case EXO_CALL_HANDLE_DROP:
	case EXO_CALL_HANDLE_REVOKE:
	case EXO_CALL_SC_RECLAIM:
		return first && !one_in(512);
	case EXO_CALL_REVOKE: /* its own vcores go at once */
		return first && !one_in(4096);
	case EXO_CALL_SC_BIND:
		return !one_in(16);
	case EXO_CALL_SPACE_DESTROY:
		return first && !one_in(16);
	case EXO_CALL_PORT: /* the devices are this domain's: it could restart the machine */
		return b > EXO_PORT_IN32 && b <= EXO_PORT_OUT32;
	case EXO_CALL_PORT_WRITE:
	case EXO_CALL_DEBUG_WRITE:
		return true;
	case EXO_CALL_HALT: /* with nobody to wake us that is the end */
	case EXO_CALL_DONATE:
		return !one_in(16);
	}
	return false;
}

static int64_t call_any(void)
{
	uint64_t number = one_in(64) ? random_argument() : random_word() % (EXO_CALLS + 1);
	uint64_t a = random_argument(), b = random_argument(), c = random_argument();

	if (is_spared(number, a, b))
		return -1;
	if (one_in(2))
		a = random_handle();
	if (is_spared(number, a, b))
		return -1;
	if (number == EXO_CALL_HALT) { /* it is woken by the timer */
		uint32_t low, high;

		__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
		a = page_of(this_cpu())->token;
		b = (low | (uint64_t)high << 32) + info->tsc_khz;
	}
	return exo_call4(number, a, b, c, random_argument());
}

/* ---------------------------------------------------------------- the loop */

void print(const char *text);
void print(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	exo_debug_write(text, length);
}

static void print_number(uint64_t value)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = 0;
	do
		*--p = '0' + value % 10;
	while ((value /= 10) != 0);
	print(p);
}

static _Noreturn void end(void)
{
	uint64_t all = 0, all_faults = 0;

	for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
		all += calls[cpu];
		all_faults += faults[cpu];
	}
	print("\nfuzz: ");
	print_number(all);
	print(" calls, ");
	print_number(all_faults);
	print(" faults\n");
	exo_reset();
	for (;;)
		;
}

static _Noreturn void fuzz(void)
{
	unsigned cpu = this_cpu();

	for (;;) {
		int64_t result;

		__atomic_exchange_n(&page_of(cpu)->pending, 0, __ATOMIC_SEQ_CST);
		if (one_in(8))
			fill_area();
		result = one_in(3) ? call_update() : call_any();
		if (result > 0)
			kept[cpu][random_word() % KEPT] = (uint64_t)result;
		if (++calls[cpu] > calls_wanted)
			end();
	}
}

/* Whatever it was, on we go, on the stack of the first entry. */
struct exo_regs *test_fault(struct exo_vcore_page *page);
struct exo_regs *test_fault(struct exo_vcore_page *page)
{
	struct exo_regs *regs = &page->fault_masked;
	unsigned cpu = this_cpu();

	if (++faults[cpu] > calls_wanted)
		end();
	if (page->cause == EXO_CAUSE_FAULT) {
		regs->rip = (uint64_t)fuzz;
		regs->rsp = (uint64_t)stacks[cpu] + STACK_SIZE - 8;
	}
	page->cause = 0;
	return regs;
}

static uint64_t number_after(const char *word)
{
	const char *at = info->command_line;
	uint64_t value = 0;

	for (; *at; at++) {
		size_t n = 0;

		while (word[n] && at[n] == word[n])
			n++;
		if (!word[n]) {
			for (at += n; *at >= '0' && *at <= '9'; at++)
				value = value * 10 + (uint64_t)(*at - '0');
			return value;
		}
	}
	return 0;
}

_Noreturn void test_vcore(struct exo_vcore_page *page);
_Noreturn void test_vcore(struct exo_vcore_page *page)
{
	unsigned cpu = this_cpu();

	(void)page;
	if (!states[cpu]) {
		states[cpu] = (number_after("seed=") + 1) * 0x9e3779b97f4a7c15 + cpu * 0x1234567;
		calls_wanted = number_after("calls=");
		for (unsigned other = 1; cpu == 0 && other < info->cpu_count; other++)
			exo_vcore_start(EXO_HANDLE(EXO_SLOT_VCORE + other));
	}
	fuzz();
}
