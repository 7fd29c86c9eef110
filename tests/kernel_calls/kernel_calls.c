/* SPDX-License-Identifier: MIT */
/*
 * A domain that does nothing but try the kernel's calls: what they promise, and that they refuse
 * what they must.  It is loaded in place of the libos; its output ends in "kernel tests passed",
 * or "failed", and then it resets the machine.
 */
#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include "core/exo.h"

extern const char text_start[], text_end[], event_entry[], fault_entry[], fault_masked_entry[],
	foreign_entry[], resume_start[], resume_end[], touch_read_start[], touch_end[],
	touch_faulted[], far_return_end[];
bool touch_read(const void *address);
bool touch_write(void *address);

#define STACK_SIZE 16384
#define CPUS_MAX 8
#define KERNEL_FRAME 0x110ul /* of its text */
#define LOW_FRAMES 0x10ul    /* the firmware's */
#define LOW_RAM_END 0xa0ul
static char stacks[CPUS_MAX][2 * STACK_SIZE] __attribute__((aligned(4096)));

extern const char rodata_end[], data_end[], image_end[];

#define ENTRIES { \
	.text_start = (uint64_t)text_start, .text_end = (uint64_t)text_end, \
	.event = (uint64_t)event_entry, .fault = (uint64_t)fault_entry, \
	.fault_masked = (uint64_t)fault_masked_entry, .foreign = (uint64_t)foreign_entry, \
	.resume_start = (uint64_t)resume_start, .resume_end = (uint64_t)resume_end, \
}

__attribute__((section(".header"), used)) static const struct exo_image header = {
	.magic = EXO_IMAGE_MAGIC,
	.abi_version = EXO_ABI_VERSION,
	.text_end = (uint64_t)text_end, .rodata_end = (uint64_t)rodata_end,
	.data_end = (uint64_t)data_end, .end = (uint64_t)image_end,
	.entries = ENTRIES,
	.event_stack_top = (uint64_t)stacks + STACK_SIZE,
	.fault_stack_top = (uint64_t)stacks + 2 * STACK_SIZE,
	.stack_stride = 2 * STACK_SIZE,
};

static const struct exo_info *const info = (const struct exo_info *)EXO_INFO_BASE;
static const struct exo_frame_info *const frames = (const struct exo_frame_info *)EXO_FRAMES_BASE;

/* ---------------------------------------------------------------- reporting */

static unsigned failed;

static void print(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	exo_debug_write(text, length);
}

static void print_number(int64_t value)
{
	char digits[24], *p = digits + sizeof(digits) - 1;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	*p = 0;
	do
		*--p = '0' + rest % 10;
	while ((rest /= 10) != 0);
	if (value < 0)
		*--p = '-';
	print(p);
}

static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	failed++;
	print("# line ");
	print_number(line);
	print(": ");
	print(what);
	print("\n");
}
#define CHECK(condition) check(condition, #condition, __LINE__)

static void check_equal(int64_t is, int64_t expected, const char *what, int line)
{
	if (is != expected) {
		print("# ");
		print(what);
		print(" is ");
		print_number(is);
		print("\n");
	}
	check(is == expected, what, line);
}
#define CHECK_EQ(is, expected) check_equal(is, expected, #is " == " #expected, __LINE__)

enum { EPERM = 1, ESRCH = 3, E2BIG = 7, EBADF = 9, EAGAIN = 11, ENOMEM = 12, EFAULT = 14,
       EBUSY = 16, EEXIST = 17, EINVAL = 22, ENOSPC = 28, ENOSYS = 38 };

/* ---------------------------------------------------------------- entries */

static struct exo_vcore_page *page_of(unsigned cpu)
{
	return (struct exo_vcore_page *)(EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE);
}

static unsigned this_cpu(void)
{
	uint32_t selector;

	__asm__ volatile("movl %%es, %0" : "=r"(selector));
	return (selector - EXO_CPU_SELECTOR) >> EXO_CPU_SELECTOR_SHIFT;
}

bool far_return(const void *to);
static uint64_t fault_vector, fault_error; /* of the last that was expected */

struct exo_regs *test_fault(struct exo_vcore_page *page);
struct exo_regs *test_fault(struct exo_vcore_page *page)
{
	struct exo_regs *regs = &page->fault_masked;

	if (page->cause == EXO_CAUSE_FAULT) {
		if (regs->rip < (uint64_t)touch_read || regs->rip >= (uint64_t)touch_end) {
			print("unexpected fault ");
			print_number(regs->vector);
			print(" error ");
			print_number(regs->error);
			print(" at text + ");
			print_number(regs->rip - (uint64_t)text_start);
			print(" address ");
			print_number(page->fault_masked_address);
			print("\n");
			exo_reset();
		}
		if (regs->rip >= (uint64_t)far_return && regs->rip < (uint64_t)far_return_end)
			regs->rsp = regs->rcx;
		fault_vector = regs->vector;
		fault_error = regs->error;
		regs->rip = (uint64_t)touch_faulted;
	}
	page->cause = 0;
	return regs;
}

/* What other CPUs do: run the given function once, then sleep. */
static void (*volatile work[EXO_CPUS_MAX])(unsigned cpu);
static volatile unsigned work_done[EXO_CPUS_MAX];

static uint32_t take_events(unsigned cpu)
{
	return __atomic_exchange_n(&page_of(cpu)->pending, 0, __ATOMIC_ACQUIRE);
}

static void start_work(unsigned cpu, void (*function)(unsigned cpu))
{
	work_done[cpu] = 0;
	work[cpu] = function;
	exo_call2(EXO_CALL_DOORBELL, EXO_HANDLE(EXO_SLOT_VCORE + cpu), 0);
}

static void finish_work(unsigned cpu)
{
	while (!work_done[cpu]) {
		take_events(0);
		__asm__ volatile("pause");
	}
}

static void work_loop(unsigned cpu)
{
	for (;;) {
		void (*function)(unsigned) = work[cpu];

		take_events(cpu);
		if (function) {
			work[cpu] = NULL;
			function(cpu);
			__atomic_store_n(&work_done[cpu], 1, __ATOMIC_RELEASE);
		} else {
			exo_halt(page_of(cpu)->token, 0);
		}
	}
}

/* ---------------------------------------------------------------- frames for the tests */

static unsigned next_range;
static uint64_t next_in_range;

static uint64_t frame_alloc(void)
{
	while (next_in_range == info->ranges[next_range].count) {
		next_range++;
		next_in_range = 0;
	}
	return info->ranges[next_range].first + next_in_range++;
}

static int64_t feed(exo_handle space, unsigned count)
{
	uint64_t list[64];

	for (unsigned i = 0; i < count; i++)
		list[i] = frame_alloc();
	return exo_space_feed(space, list, count);
}

static uint64_t freed[64];
static struct exo_update last;
static unsigned freed_total;

static int64_t update(exo_handle space, struct exo_op op)
{
	int64_t result;

	last = (struct exo_update){ .ops = (uint64_t)&op, .op_count = 1, .freed = (uint64_t)freed,
				    .freed_max = 64 };
	freed_total = 0;
	do {
		result = exo_update(space, &last);
		freed_total += last.freed_count;
	} while (result == 1);
	return result;
}

/* Consecutive frames that frame_alloc() does not come to. */
static uint64_t far_frames(unsigned offset)
{
	unsigned biggest = 0;

	for (unsigned i = 0; i < info->range_count; i++)
		if (info->ranges[i].count > info->ranges[biggest].count)
			biggest = i;
	return info->ranges[biggest].first + info->ranges[biggest].count / 2 + offset;
}

static int64_t map(exo_handle space, uint64_t va, uint64_t frame, unsigned count, unsigned prot)
{
	return update(space, (struct exo_op){ .code = EXO_OP_MAP, .prot = prot, .count = count,
					      .va = va, .frame = frame });
}

static int64_t unmap(exo_handle space, uint64_t va, unsigned count)
{
	return update(space, (struct exo_op){ .code = EXO_OP_UNMAP, .count = count, .va = va });
}

#define RW (EXO_PROT_READ | EXO_PROT_WRITE)
#define SPACE EXO_HANDLE(EXO_SLOT_SPACE)
#define SHARED EXO_HANDLE(EXO_SLOT_SHARED)
#define DOMAIN EXO_HANDLE(EXO_SLOT_DOMAIN)

/* ---------------------------------------------------------------- the tests */

static void info_describes_the_machine(void)
{
	CHECK_EQ(info->abi_version, EXO_ABI_VERSION);
	CHECK(info->cpu_count >= 1 && info->range_count >= 1);
	CHECK_EQ(frames[info->ranges[0].first].owner, info->domain_id);
	CHECK_EQ(frames[info->ranges[0].first].type, EXO_FRAME_USER);
	CHECK(touch_write((void *)EXO_INFO_BASE));
	CHECK(touch_write((void *)EXO_FRAMES_BASE));
	CHECK(touch_write((void *)text_start));
	CHECK(touch_read((void *)0xffffffff80100000ul));
	CHECK(touch_read((void *)0xffffff8000000000ul)); /* all of memory, the kernel's */
}

/* The firmware's, and beyond that the domain has some as well. */
static void low_memory_is_used_but_for_its_beginning(void)
{
	unsigned own = 0;

	for (uint64_t frame = 0; frame < LOW_FRAMES; frame++)
		CHECK(frames[frame].owner == 0 && frames[frame].type != EXO_FRAME_FREE);
	for (uint64_t frame = LOW_FRAMES; frame < LOW_RAM_END; frame++)
		own += frames[frame].owner == info->domain_id;
	CHECK(own > 0);
	CHECK_EQ(frames[LOW_RAM_END].type, EXO_FRAME_NONE); /* the screen's */
}

static void unknown_calls_and_handles_are_refused(void)
{
	CHECK_EQ(exo_call2(EXO_CALLS, 0, 0), -ENOSYS);
	CHECK_EQ(exo_call2(~0ul, 0, 0), -ENOSYS);
	CHECK_EQ(exo_update(0, NULL), -EBADF);
	CHECK_EQ(feed(EXO_HANDLE(EXO_SLOT_DOMAIN), 1), -EBADF);
	CHECK_EQ(exo_handle_drop(0), -EBADF);
	CHECK_EQ(exo_handle_drop(~0ul), -EBADF);
	CHECK_EQ(exo_handle_drop((2ul << 32) | EXO_SLOT_SPACE), -EBADF);
	CHECK_EQ(exo_debug_write((void *)0xffffff8000000000ul, 16), -EFAULT);
	CHECK_EQ(exo_debug_write((void *)0x1000, 16), -EFAULT);
	CHECK_EQ(exo_debug_write("", 1ul << 20), -E2BIG);
}

/* Where the window on our own tables ends it leads to the kernel's, and what they map, as frame 0. */
static void the_window_shows_nothing_of_the_kernel(void)
{
	const uint64_t window = 0x7effc0000000;

	for (uint64_t gib = 0; gib < 4; gib++) {
		CHECK(touch_read((void *)(window + (gib << 21))));
		CHECK_EQ(exo_debug_write((void *)(window + (gib << 21)), 16), -EFAULT);
		CHECK_EQ(exo_debug_write((void *)(window + (gib << 21) + 4096), 16), -EFAULT);
	}
	CHECK_EQ(exo_debug_write((void *)(window - 8), 16), -EFAULT);
	CHECK_EQ(exo_debug_write((void *)(window + (1ul << 30) - 8), 8), -EFAULT);
}

/* An emulator may read the return address with the kernel's rights: what lies there is not told. */
static void an_error_code_shows_nothing_of_the_kernel(void)
{
	uint64_t frame = frame_alloc(), *word = (uint64_t *)0x400000;

	CHECK_EQ(map(SPACE, (uint64_t)word, frame, 1, RW), 0);
	word[0] = (uint64_t)text_start;
	word[1] = 0x1234;
	CHECK(far_return(word));
	CHECK(far_return((void *)(0xffffff8000000000 + frame * 4096)));
	CHECK(fault_vector == 14 || fault_error == 0);
	CHECK_EQ(unmap(SPACE, (uint64_t)word, 1), 0);
}

static void mapping_counts_frames(void)
{
	uint64_t frame = frame_alloc(), va = 0x400000;

	CHECK_EQ(map(SPACE, va, frame, 1, RW), -ENOMEM);
	CHECK_EQ(feed(SPACE, 8), 0);
	CHECK_EQ(map(SPACE, va, frame, 1, RW), 0);
	CHECK_EQ(frames[frame].maps, 1);
	CHECK(EXO_PTE(va) & EXO_PTE_PRESENT);
	CHECK_EQ(EXO_PTE_FRAME(EXO_PTE(va)), frame);
	CHECK(!touch_write((void *)va));
	CHECK(touch_write((void *)&EXO_PTE(va)));
	CHECK_EQ(map(SPACE, va, frame, 1, RW), -EEXIST);
	CHECK_EQ(map(SPACE, va + 4096, frame, 1, EXO_PROT_READ), 0);
	CHECK_EQ(frames[frame].maps, 2);
	CHECK(!touch_read((void *)(va + 4096)));
	CHECK(touch_write((void *)(va + 4096)));
	CHECK_EQ(unmap(SPACE, va, 1), 0);
	CHECK_EQ(freed_total, 0);
	CHECK(touch_read((void *)va));
	CHECK_EQ(unmap(SPACE, 0, 1u << 20), 0);
	CHECK_EQ(freed_total, 2); /* the page, and the table that it was alone in */
	CHECK_EQ(freed[0], frame);
	CHECK_EQ(frames[frame].maps, 0);
	CHECK_EQ(frames[freed[1]].type, EXO_FRAME_USER);
	CHECK_EQ(exo_space_feed(SPACE, &freed[1], 1), 0);
	CHECK(touch_read((void *)(va + 4096)));
}

static void what_is_not_ones_own_cannot_be_mapped(void)
{
	uint64_t va = 0x400000, own = frame_alloc();

	CHECK_EQ(map(SPACE, va, KERNEL_FRAME, 1, RW), -EPERM);         /* the kernel's text */
	CHECK_EQ(map(SPACE, va, info->frame_end + 1, 1, EXO_PROT_READ), -EPERM);
	CHECK_EQ(map(SPACE, va, 1ul << 50, 1, RW), -EINVAL);
	CHECK_EQ(map(SPACE, EXO_USER_TOP, own, 1, RW), -EINVAL);         /* the window */
	CHECK_EQ(map(SPACE, EXO_SHARED_BASE, own, 1, RW), -EINVAL);
	CHECK_EQ(map(SPACE, EXO_USER_TOP - 4096, own, 2, RW), -EINVAL);
	CHECK_EQ(map(SPACE, 0xffffff8000000000ul, own, 1, RW), -EINVAL);
	CHECK_EQ(map(SHARED, EXO_SHARED_BASE, own, 1, RW), -EINVAL);     /* the image */
	CHECK_EQ(map(SHARED, EXO_VCORE_BASE, own, 1, RW), -EINVAL);
	CHECK_EQ(map(SHARED, EXO_DYNAMIC_BASE - 4096, own, 2, RW), -EINVAL);
	CHECK_EQ(map(SHARED, EXO_MODULE_BASE, own, 1, RW), -EINVAL);
	CHECK_EQ(map(SHARED, EXO_MODULE_BASE - 4096, own, 2, RW), -EINVAL);
	CHECK_EQ(unmap(SHARED, EXO_FRAMES_BASE, 1), -EINVAL);
	CHECK_EQ(map(SHARED, EXO_DYNAMIC_BASE, own, 1, RW | EXO_PROT_EXEC), -EPERM);
	CHECK_EQ(map(SPACE, va + 1, own, 1, RW), -EINVAL);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = 99, .count = 1, .va = va }), -EINVAL);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_MAP_DEVICE, .prot = RW, .count = 1,
			.va = va, .frame = 0xfee00, .source = EXO_HANDLE(EXO_SLOT_DEVICES) }),
		 -EPERM);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_MAP_DEVICE, .prot = RW, .count = 1,
			.va = va, .frame = own, .source = EXO_HANDLE(EXO_SLOT_DEVICES) }),
		 -EPERM);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_MAP_DEVICE, .prot = RW, .count = 1,
			.va = va, .frame = 0xb8, .source = EXO_HANDLE(EXO_SLOT_DEVICES) }), 0);
	CHECK(!touch_read((void *)va));
	*(volatile uint64_t *)va = 0x1234;
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_MAP_DEVICE, .prot = RW, .count = 1,
			.flags = EXO_OP_REPLACE | EXO_OP_CLEAR | EXO_OP_FILL, .va = va, .frame = 0xb8,
			.source = EXO_HANDLE(EXO_SLOT_DEVICES) }), 0);
	CHECK_EQ(*(volatile uint64_t *)va, 0x1234); /* a device is not filled */
	CHECK_EQ(unmap(SPACE, va, 1), 0);
}

static void frame_table_can_be_read_by_all_and_written_by_none(void)
{
	uint64_t table = EXO_PTE_FRAME(EXO_PTE(EXO_FRAMES_BASE)), va = 0x400000;

	CHECK_EQ(map(SPACE, va, table, 1, RW), -EPERM);
	CHECK_EQ(map(SPACE, va, table, 1, EXO_PROT_READ), 0);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_PROTECT, .prot = RW, .count = 1,
						.va = va }), -EPERM);
	CHECK_EQ(exo_protect(SPACE, va, 1, RW, 0), -EPERM);
	CHECK(touch_write((void *)va));
	CHECK_EQ(unmap(SPACE, va, 1), 0);
	CHECK_EQ(freed_total, 0);
}

static void protect_changes_rights(void)
{
	uint64_t va = 0x500000, frame = frame_alloc();
	struct exo_op op = { .code = EXO_OP_PROTECT, .count = 1, .va = va };

	CHECK_EQ(map(SPACE, va, frame, 1, RW | EXO_PROT_SOFT1), 0);
	CHECK(EXO_PTE(va) & EXO_PTE_SOFT1);
	CHECK(!touch_write((void *)va));
	op.prot = EXO_PROT_READ | EXO_PROT_SOFT0;
	CHECK_EQ(update(SPACE, op), 0);
	CHECK(touch_write((void *)va));
	CHECK(!touch_read((void *)va));
	CHECK(!(EXO_PTE(va) & EXO_PTE_SOFT1));
	op.prot = RW;
	op.flags = EXO_OP_KEEP_COW;
	CHECK_EQ(update(SPACE, op), 0);
	CHECK(touch_write((void *)va));
	op.flags = 0;
	CHECK_EQ(update(SPACE, op), 0);
	CHECK(!touch_write((void *)va));
	op.prot = 0;
	CHECK_EQ(update(SPACE, op), 0);
	CHECK(touch_read((void *)va));
	CHECK((EXO_PTE(va) & EXO_PTE_PRESENT) && !(EXO_PTE(va) & EXO_PTE_USER));
	CHECK_EQ(unmap(SPACE, va, 1), 0);
	CHECK_EQ(freed_total, 1);
}

#define TABLE_PAGES 512u
#define TABLE_SPAN (TABLE_PAGES * 4096ul)

/* The short call does what the op does, or nothing where it takes an update. */
static void few_pages_are_protected_by_one_call(void)
{
	uint64_t va = 20 * TABLE_SPAN, first = far_frames(8192);

	CHECK_EQ(exo_protect(SPACE, va, 1, EXO_PROT_READ, 0), -EAGAIN); /* no table */
	CHECK_EQ(feed(SPACE, 4), 0);
	CHECK_EQ(map(SPACE, va, first, 3, RW | EXO_PROT_SOFT1), 0);
	CHECK(!touch_write((void *)va) && !touch_write((void *)(va + 4096)));
	CHECK_EQ(exo_protect(SPACE, va, 2, EXO_PROT_READ | EXO_PROT_SOFT0, 0), 0);
	CHECK(touch_write((void *)va) && touch_write((void *)(va + 4096)));
	CHECK(!touch_read((void *)va) && !touch_write((void *)(va + 2 * 4096)));
	CHECK((EXO_PTE(va) & (EXO_PTE_SOFT0 | EXO_PTE_SOFT1)) == EXO_PTE_SOFT0);
	CHECK_EQ(exo_protect(SPACE, va, 3, RW, EXO_OP_KEEP_COW), 0);
	CHECK(touch_write((void *)va) && !touch_write((void *)(va + 2 * 4096)));
	CHECK_EQ(exo_protect(SPACE, va, EXO_PROTECT_PAGES_MAX, RW, 0), 0); /* most are not there */
	CHECK(!touch_write((void *)va) && !EXO_PTE(va + 3 * 4096));
	CHECK_EQ(exo_protect(SPACE, va, 1, 0, 0), 0);
	CHECK(touch_read((void *)va));

	CHECK_EQ(exo_protect(SPACE, va, EXO_PROTECT_PAGES_MAX + 1, RW, 0), -EAGAIN);
	CHECK_EQ(exo_protect(SPACE, va + TABLE_SPAN - 4096, 2, RW, 0), -EAGAIN);
	CHECK_EQ(exo_protect(SPACE, va + 1, 1, RW, 0), -EINVAL);
	CHECK_EQ(exo_protect(SPACE, EXO_USER_TOP, 1, RW, 0), -EINVAL);
	CHECK_EQ(exo_protect(SPACE, va, 1, 0x80, 0), -EINVAL);
	CHECK_EQ(exo_protect(SPACE, va, 1, RW, 0x80), -EINVAL);
	CHECK_EQ(exo_protect(SHARED, EXO_SHARED_BASE, 1, RW, 0), -EAGAIN); /* not what all spaces have */
	CHECK_EQ(exo_protect(SHARED, EXO_DYNAMIC_BASE, 1, EXO_PROT_READ, 0), -EAGAIN);
	CHECK_EQ(update(SHARED, (struct exo_op){ .code = EXO_OP_PROTECT, .prot = RW | EXO_PROT_EXEC,
						 .count = 1, .va = EXO_DYNAMIC_BASE }), -EPERM);
	CHECK(touch_read((void *)va));
	CHECK_EQ(unmap(SPACE, va, 3), 0);
	CHECK_EQ(freed_total, 3);
}

static void contents_are_zeroed_and_copied(void)
{
	uint64_t va = 0x500000, a = frame_alloc(), b = frame_alloc();
	volatile uint64_t *page = (volatile uint64_t *)va;

	CHECK_EQ(map(SPACE, va, a, 1, RW), 0);
	CHECK_EQ(map(SPACE, va + 4096, b, 1, RW), 0);
	page[3] = 77;
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_COPY, .count = 1, .frame = b,
						.source = a }), 0);
	CHECK_EQ(page[512 + 3], 77);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_COPY, .flags = EXO_OP_CLEAR, .count = 1,
						.frame = a }), 0);
	CHECK_EQ(page[3], 0);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_COPY, .flags = EXO_OP_CLEAR, .count = 1,
						.frame = KERNEL_FRAME }), -EPERM);
	CHECK_EQ(update(SPACE, (struct exo_op){ .code = EXO_OP_COPY, .count = 1, .frame = a,
						.source = KERNEL_FRAME }), -EPERM);
	CHECK_EQ(frames[a].pins, 0);
	CHECK_EQ(unmap(SPACE, va, 2), 0);
}

static int64_t map_filled(uint64_t va, uint64_t frame, unsigned count, unsigned flags, uint64_t source)
{
	return update(SPACE, (struct exo_op){ .code = EXO_OP_MAP, .prot = EXO_PROT_READ, .flags = flags,
					      .count = count, .va = va, .frame = frame, .source = source });
}

/* In the same step, so more pages than one chunk does; what has no right to it finds everything as it was. */
static void pages_are_filled_and_mapped(void)
{
	enum { PAGES = 40 };
	uint64_t va = 24 * TABLE_SPAN, first = far_frames(8192);
	uint64_t frame_table = EXO_PTE_FRAME(EXO_PTE(EXO_FRAMES_BASE));
	volatile uint64_t *page = (volatile uint64_t *)va;

	CHECK_EQ(feed(SPACE, 4), 0);
	CHECK_EQ(map(SPACE, va, first, PAGES, RW), 0);
	for (unsigned i = 0; i < PAGES; i++)
		page[i * 512 + 511] = i + 1;
	CHECK_EQ(map_filled(va + PAGES * 4096, first + PAGES, PAGES, EXO_OP_FILL, first), 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK_EQ(page[(PAGES + i) * 512 + 511], i + 1);
	CHECK(touch_write((void *)(va + PAGES * 4096)));
	CHECK_EQ(map_filled(va, first + PAGES, 1, EXO_OP_CLEAR, 0), -EEXIST);
	CHECK_EQ(page[PAGES * 512 + 511], 1);
	CHECK_EQ(map_filled(va, first + PAGES, PAGES, EXO_OP_CLEAR | EXO_OP_REPLACE, 0), 0);
	CHECK_EQ(freed_total, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK_EQ(page[i * 512 + 511], 0);

	CHECK_EQ(map_filled(va + 2 * PAGES * 4096, first, 1, EXO_OP_FILL, KERNEL_FRAME), -EPERM);
	CHECK_EQ(map_filled(va + 2 * PAGES * 4096, first, 1, EXO_OP_FILL, ~0ul), -EPERM);
	CHECK_EQ(map_filled(va + 2 * PAGES * 4096, KERNEL_FRAME, 1, EXO_OP_CLEAR, 0), -EPERM);
	CHECK_EQ(map_filled(va + 2 * PAGES * 4096, frame_table, 1, EXO_OP_CLEAR, 0), -EPERM);
	CHECK(frames[first].maps == 0 && frames[first].pins == 0 && !EXO_PTE(va + 2 * PAGES * 4096));
	CHECK_EQ(unmap(SPACE, va, 2 * PAGES), 0);
}

static exo_handle new_space(void)
{
	int64_t space = exo_space_create(EXO_HANDLE(EXO_SLOT_DOMAIN), frame_alloc(), frame_alloc());

	CHECK(space > 0);
	CHECK_EQ(feed(space, 16), 0);
	return space;
}

/* EBUSY: another CPU's TLB may still hold something of it; that CPU acknowledges soon. */
static unsigned destroy_space(exo_handle space)
{
	uint64_t out[40];
	unsigned total = 0;
	int64_t n;

	while ((n = exo_space_destroy(space, out, 40)) > 0 || n == -EBUSY)
		total += n > 0 ? n : 0;
	CHECK_EQ(n, -EBADF);
	return total;
}

/* One page, with each entry of a table of each level on the way to it. */
static void a_page_is_found_wherever_it_is(void)
{
	uint64_t object = frame_alloc(), root = frame_alloc(), page = frame_alloc(), tables[3];

	for (unsigned i = 0; i < 3; i++)
		tables[i] = frame_alloc();
	for (unsigned level = 0; level < 4; level++) {
		for (uint64_t i = 0; i < (level == 3 ? 253 : 512); i++) {
			exo_handle space = exo_space_create(DOMAIN, object, root);

			if ((int64_t)space < 0 || exo_space_feed(space, tables, 3) ||
			    map(space, i << (12 + 9 * level), page, 1, RW) || frames[page].maps != 1 ||
			    destroy_space(space) != 6 || frames[page].maps != 0) {
				print_number(level * 1000 + i);
				CHECK(!"the level and entry before this");
				return;
			}
		}
	}
	CHECK(frames[page].type == EXO_FRAME_USER && frames[root].type == EXO_FRAME_USER);
}

static void spaces_are_cloned_switched_and_destroyed(void)
{
	uint64_t va = 0x600000, a = frame_alloc(), private = frame_alloc();
	volatile uint64_t *page = (volatile uint64_t *)va;
	exo_handle child = new_space();

	CHECK_EQ(map(SPACE, va, a, 1, RW), 0);
	page[0] = 11;
	CHECK_EQ(update(child, (struct exo_op){ .code = EXO_OP_CLONE, .flags = EXO_OP_COW,
			.count = va / 4096 + 1, .va = 0, .source = SPACE, .source_va = 0 }), 0);
	CHECK_EQ(frames[a].maps, 2);
	CHECK(touch_write((void *)va));
	CHECK(EXO_PTE(va) & EXO_PTE_SOFT0);
	CHECK_EQ(update(child, (struct exo_op){ .code = EXO_OP_CLONE, .count = 1, .va = va,
			.source = SPACE, .source_va = va }), 0);
	CHECK_EQ(frames[a].maps, 2);
	CHECK_EQ(map(child, va + 4096, private, 1, RW), 0);
	CHECK_EQ(exo_switch(child, page_of(0)->token + 1), -EAGAIN);
	CHECK_EQ(exo_switch(child, page_of(0)->token), 0);
	CHECK_EQ(page[0], 11);
	CHECK_EQ(exo_protect(SPACE, va, 1, 0, 0), 0); /* not of what is loaded now */
	CHECK(!touch_read((void *)va));
	page[512] = 5;
	CHECK_EQ(exo_space_destroy(child, freed, 64), -EBUSY);
	CHECK_EQ(exo_switch(SPACE, page_of(0)->token), 0);
	CHECK(touch_read((void *)va) && touch_read((void *)(va + 4096)));
	CHECK_EQ(destroy_space(child), 2 + 16 + 1);
	CHECK_EQ(exo_switch(child, page_of(0)->token), -EBADF);
	CHECK_EQ(frames[a].maps, 1);
	CHECK_EQ(frames[private].type, EXO_FRAME_USER);
	CHECK_EQ(unmap(SPACE, va, 1), 0);
}

static void long_updates_go_on_where_they_stopped(void)
{
	enum { PAGES = 3000 };
	uint64_t va = 0x10000000;
	struct exo_op op = { .code = EXO_OP_MAP, .prot = RW, .count = PAGES, .va = va };
	struct exo_op two[2];
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };
	unsigned calls = 0, total = 0;
	int64_t r;

	CHECK_EQ(feed(SPACE, 16), 0);
	op.frame = far_frames(0);
	while ((r = exo_update(SPACE, &u)) == 1)
		calls++;
	CHECK_EQ(r, 0);
	CHECK(calls >= 2);
	CHECK(!touch_write((void *)(va + (PAGES - 1) * 4096ul)));
	op = (struct exo_op){ .code = EXO_OP_UNMAP, .count = 1u << 24, .va = va };
	u = (struct exo_update){ .ops = (uint64_t)&op, .op_count = 1, .freed = (uint64_t)freed,
				 .freed_max = 64 };
	while ((r = exo_update(SPACE, &u)) == 1)
		total += u.freed_count;
	CHECK_EQ(r, 0);
	CHECK_EQ(total + u.freed_count, PAGES + (PAGES + 511) / 512);
	/* One call has work for the first of these, and nothing is left for the second. */
	CHECK_EQ(feed(SPACE, 4), 0);
	two[0] = (struct exo_op){ .code = EXO_OP_MAP,
				  .prot = RW,
				  .va = va,
				  .frame = far_frames(0),
				  .count = EXO_UPDATE_PAGES_MAX - 1 };
	two[1] = (struct exo_op){
		.code = EXO_OP_PROTECT, .prot = EXO_PROT_READ, .va = va, .count = 1
	};
	u = (struct exo_update){ .ops = (uint64_t)two, .op_count = 2 };
	CHECK_EQ(exo_update(SPACE, &u), 1);
	CHECK_EQ(u.ops_done, 1);
	CHECK_EQ(exo_update(SPACE, &u), 0);
	CHECK_EQ(u.ops_done, 2);
	CHECK(touch_write((void *)va) && !touch_write((void *)(va + 4096)));
	CHECK_EQ(unmap(SPACE, va, EXO_UPDATE_PAGES_MAX - 1), 0);
}

static int64_t clone_cow(exo_handle to, exo_handle from, uint64_t va, unsigned count)
{
	return update(to, (struct exo_op){ .code = EXO_OP_CLONE, .flags = EXO_OP_COW, .count = count,
					   .va = va, .source = from, .source_va = va });
}

static int64_t protect(exo_handle space, uint64_t va, unsigned prot)
{
	return update(space, (struct exo_op){ .code = EXO_OP_PROTECT, .flags = EXO_OP_KEEP_COW,
					      .prot = prot, .count = 1, .va = va });
}

static uint64_t table_of(uint64_t va)
{
	return EXO_PTE_FRAME(EXO_PDE(va));
}

/* Fork gives the child copies of some pages, and clones the rest around them: what the target has stays as it
 * is, and so do the entries that it would be a clone of.  Between them is a gap of more than a line. */
static void a_clone_passes_what_is_there_already(void)
{
	uint64_t va = 20 * TABLE_SPAN + 5 * 4096, first = far_frames(8192), own = frame_alloc();
	exo_handle child = new_space();

	CHECK_EQ(feed(SPACE, 4), 0);
	CHECK_EQ(map(SPACE, va, first, 3, RW), 0);
	CHECK_EQ(map(SPACE, va + 40 * 4096, first + 3, 2, RW), 0);
	CHECK_EQ(map(child, va + 4096, own, 1, RW), 0);
	CHECK_EQ(clone_cow(child, SPACE, va - 4096, 60), 0);
	CHECK_EQ(frames[own].maps, 1);
	CHECK_EQ(frames[first + 1].maps, 1);
	CHECK(!touch_write((void *)(va + 4096)));
	for (unsigned i = 0; i < 5; i++) {
		uint64_t at = va + (i < 3 ? i : 37 + i) * 4096;

		if (i == 1)
			continue;
		CHECK_EQ(frames[first + i].maps, 2);
		CHECK(touch_write((void *)at));
		CHECK(EXO_PTE(at) & EXO_PTE_SOFT0);
	}
	CHECK_EQ(unmap(child, va - 4096, 60), 0);
	CHECK_EQ(freed_total, 1);
	CHECK_EQ(frames[own].maps, 0);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(frames[first + i].maps, 1);
	CHECK_EQ(unmap(SPACE, va - 4096, 60), 0);
	CHECK_EQ(freed_total, 5);
	destroy_space(child);
}

/* Three spaces use one table; the first to change an entry gets a copy, another leaves with nothing,
 * and the last finds the table its own. */
static void page_tables_are_shared_until_one_changes(void)
{
	uint64_t va = 16 * TABLE_SPAN, first = far_frames(8192), table;
	exo_handle child = new_space(), other = new_space();

	CHECK_EQ(feed(SPACE, 16), 0);
	CHECK_EQ(map(SPACE, va, first, TABLE_PAGES, RW), 0);
	*(volatile uint64_t *)va = 7;
	table = table_of(va);
	CHECK_EQ(clone_cow(child, SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(clone_cow(other, child, va, TABLE_PAGES), 0);
	CHECK_EQ(table_of(va), table);
	CHECK_EQ(frames[table].maps, 2);
	CHECK_EQ(frames[first].maps, 1);
	CHECK(!(EXO_PDE(va) & EXO_PTE_WRITE));
	CHECK(touch_write((void *)va));

	CHECK_EQ(exo_protect(SPACE, va, 1, RW, 0), -EAGAIN);
	CHECK_EQ(protect(SPACE, va, RW), 0); /* keeps the mark for copy on write */
	CHECK(table_of(va) != table && (EXO_PDE(va) & EXO_PTE_WRITE));
	CHECK(EXO_PTE(va) & EXO_PTE_SOFT0);
	CHECK_EQ(frames[table].maps, 1);
	CHECK_EQ(frames[first].maps, 2);
	CHECK_EQ(frames[first + TABLE_PAGES - 1].maps, 2);
	CHECK_EQ(map(SPACE, va, first, 1, RW), -EEXIST);

	CHECK_EQ(unmap(other, va, TABLE_PAGES), 0);
	CHECK_EQ(freed_total, 0);
	CHECK_EQ(frames[table].maps, 0);
	CHECK_EQ(frames[first].maps, 2);
	CHECK_EQ(exo_switch(child, page_of(0)->token), 0);
	CHECK_EQ(*(volatile uint64_t *)va, 7);
	CHECK(touch_write((void *)va));
	CHECK_EQ(unmap(child, va + 4096, 1), 0);
	CHECK_EQ(table_of(va), table);
	CHECK_EQ(frames[first + 1].maps, 1);
	CHECK_EQ(exo_switch(SPACE, page_of(0)->token), 0);

	CHECK_EQ(unmap(SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(freed_total, 2); /* the page that the child had let go, and the table */
	CHECK_EQ(unmap(child, va, TABLE_PAGES), 0);
	CHECK_EQ(freed_total, TABLE_PAGES);
	CHECK_EQ(frames[table].type, EXO_FRAME_USER);
	destroy_space(child);
	destroy_space(other);
}

/* An UNMAP that is told to begin behind a page leaves it, and the table that it is in. */
static void a_page_table_in_use_is_not_given_back(void)
{
	uint64_t va = 28 * TABLE_SPAN, frame = far_frames(8192);
	struct exo_op op = { .code = EXO_OP_UNMAP, .count = TABLE_PAGES, .va = va };
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1, .pages_done = TABLE_PAGES - 2,
				.freed = (uint64_t)freed, .freed_max = 64 };

	CHECK_EQ(map(SPACE, va, frame, 1, RW), 0);
	CHECK_EQ(exo_update(SPACE, &u), 0);
	CHECK_EQ(u.freed_count, 0);
	CHECK_EQ(frames[frame].maps, 1);
	CHECK(EXO_PDE(va) & EXO_PTE_PRESENT);
	CHECK(!touch_write((void *)va));
	CHECK_EQ(unmap(SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(freed_total, 2);
}

/* What would let somebody else's page out of sight of its owner, or a hole be filled, is not shared. */
static void page_tables_are_shared_only_as_a_whole(void)
{
	uint64_t va = 32 * TABLE_SPAN, first = far_frames(8192), table;
	uint64_t frame_table = EXO_PTE_FRAME(EXO_PTE(EXO_FRAMES_BASE));
	exo_handle child = new_space(), half = new_space();

	CHECK_EQ(map(SPACE, va, first, 8, RW), 0);
	table = table_of(va);
	CHECK_EQ(clone_cow(half, SPACE, va, TABLE_PAGES - 1), 0);
	CHECK_EQ(frames[table].maps, 0);
	CHECK_EQ(frames[first].maps, 2);
	CHECK_EQ(map(SPACE, va + 8 * 4096, frame_table, 1, EXO_PROT_READ), 0);
	CHECK_EQ(clone_cow(child, SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(frames[table].maps, 0);
	CHECK_EQ(frames[first].maps, 3);
	CHECK_EQ(unmap(child, va, TABLE_PAGES), 0);
	CHECK_EQ(unmap(SPACE, va + 8 * 4096, 1), 0);

	CHECK_EQ(clone_cow(child, SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(frames[table].maps, 1);
	CHECK_EQ(frames[first].maps, 2);
	CHECK_EQ(map(child, va + 9 * 4096, first, 1, RW), 0); /* in the child's own table */
	CHECK_EQ(frames[table].maps, 0);
	CHECK_EQ(frames[first].maps, 4);
	CHECK(!(EXO_PTE(va + 9 * 4096) & EXO_PTE_PRESENT));

	CHECK_EQ(clone_cow(SPACE, SPACE, va, TABLE_PAGES), 0);
	CHECK_EQ(frames[first].maps, 4);
	CHECK_EQ(unmap(SPACE, va, TABLE_PAGES), 0);
	destroy_space(half);
	destroy_space(child);
	CHECK_EQ(frames[first].maps, 0);
}

/* A space with a shared table goes: the table stays with the other one, then goes as well. */
static void shared_page_tables_outlive_a_space(void)
{
	uint64_t va = 48 * TABLE_SPAN, first = far_frames(8192);
	exo_handle parent = new_space(), child = new_space();
	unsigned parts;

	CHECK_EQ(map(parent, va, first, TABLE_PAGES, RW), 0);
	CHECK_EQ(clone_cow(child, parent, va, TABLE_PAGES), 0);
	parts = destroy_space(parent);
	CHECK_EQ(parts, 2 + 16 - 1);
	CHECK_EQ(frames[first].maps, 1);
	CHECK_EQ(exo_switch(child, page_of(0)->token), 0);
	CHECK(!touch_read((void *)(va + TABLE_SPAN - 8)));
	CHECK(touch_write((void *)va));
	CHECK_EQ(exo_switch(SPACE, page_of(0)->token), 0);
	CHECK_EQ(destroy_space(child), 2 + 16 + 1 + TABLE_PAGES);
	CHECK_EQ(frames[first].maps, 0);
}

static void handles_are_dropped_and_revoked(void)
{
	exo_handle space = new_space();
	int64_t again;

	CHECK_EQ(exo_handle_drop(space), 0);
	CHECK_EQ(exo_handle_drop(space), -EBADF);
	CHECK_EQ(feed(space, 1), -EBADF);
	space = new_space();
	again = exo_handle_revoke(space);
	CHECK(again > 0);
	CHECK_EQ(feed(space, 1), -EBADF);
	CHECK_EQ(destroy_space(again), 18);
	CHECK_EQ(exo_handle_feed(DOMAIN, frame_alloc()), 0);
	CHECK_EQ(exo_handle_feed(DOMAIN, KERNEL_FRAME), -EPERM);
	CHECK_EQ(exo_handle_feed(SPACE, frame_alloc()), -EBADF);
}

static void retyped_frames_cannot_be_used_otherwise(void)
{
	exo_handle space = new_space();
	uint64_t mapped = frame_alloc(), va = 0x700000;

	CHECK_EQ(map(SPACE, va, mapped, 1, RW), 0);
	CHECK_EQ(exo_space_feed(space, &mapped, 1), -EBUSY);
	CHECK_EQ(exo_handle_feed(DOMAIN, mapped), -EBUSY);
	CHECK_EQ(unmap(SPACE, va, 1), 0);
	CHECK_EQ(exo_space_feed(space, &mapped, 1), 0);
	CHECK_EQ(map(SPACE, va, mapped, 1, RW), -EPERM);
	CHECK_EQ(frames[mapped].type, EXO_FRAME_TABLE);
	CHECK_EQ(exo_handle_feed(DOMAIN, mapped), -EPERM);
	destroy_space(space);
}

/* ---------------------------------------------------------------- several CPUs */

static exo_handle busy_space;
static volatile bool stop;
static volatile uint64_t beats[EXO_CPUS_MAX];

#define BUSY_VA 0x800000ul

static void beat_in_space(unsigned cpu)
{
	volatile uint64_t *page = (volatile uint64_t *)BUSY_VA;

	CHECK_EQ(exo_switch(busy_space, page_of(cpu)->token), 0);
	while (!stop) {
		page[cpu]++;
		beats[cpu]++;
		if (page_of(cpu)->pending)
			take_events(cpu);
	}
	CHECK_EQ(exo_switch(SPACE, page_of(cpu)->token), 0);
}

/* Retyped frames were zeroed, and nobody may have written to them since. */
static void check_retyped(const uint64_t *list, unsigned count)
{
	volatile uint64_t *page = (volatile uint64_t *)0xc00000;

	for (unsigned i = 0; i < count; i++) {
		CHECK_EQ(map(SPACE, (uint64_t)page, list[i], 1, RW), 0);
		CHECK_EQ(page[1], 0);
		CHECK_EQ(unmap(SPACE, (uint64_t)page, 1), 0);
	}
}

/* The other CPU writes through its TLB until the epoch is acknowledged, and not afterwards. */
static void epochs_end_when_all_cpus_have_flushed(void)
{
	uint64_t retyped[100];
	exo_handle scratch;
	uint64_t frame = frame_alloc(), before;
	volatile uint64_t *alias = (volatile uint64_t *)0x900000;
	struct exo_op op = { .code = EXO_OP_MAP, .prot = RW, .count = 1, .va = BUSY_VA };
	int64_t r = 0;
	unsigned retypes = 0;

	if (info->cpu_count < 2)
		return;
	busy_space = new_space();
	scratch = new_space();
	CHECK_EQ(map(SPACE, (uint64_t)alias, frame, 1, RW), 0);
	CHECK_EQ(map(busy_space, BUSY_VA, frame, 1, RW), 0);
	start_work(1, beat_in_space);
	while (!beats[1])
		__asm__ volatile("pause");
	for (unsigned round = 0; round < 200; round++) {
		uint64_t next = frame_alloc();

		op.frame = next;
		op.flags = EXO_OP_REPLACE;
		CHECK_EQ(update(busy_space, op), 0);
		CHECK(last.epoch != 0 || frames[frame].maps == 1);
		CHECK_EQ(unmap(SPACE, (uint64_t)alias, 1), 0);
		if (round % 2) {
			while ((r = exo_space_feed(scratch, &frame, 1)) == -EAGAIN)
				retypes++;
			CHECK_EQ(r, 0);
			retyped[round / 2] = frame;
		} else {
			while (last.epoch && (r = exo_tlb_poll(busy_space, last.epoch, 0)) == 0)
				;
			CHECK_EQ(map(SPACE, (uint64_t)alias, frame, 1, RW), 0);
			before = alias[1];
			for (unsigned i = 0; i < 1000; i++)
				__asm__ volatile("pause");
			CHECK_EQ(alias[1], before);
			CHECK_EQ(unmap(SPACE, (uint64_t)alias, 1), 0);
		}
		frame = next;
		CHECK_EQ(map(SPACE, (uint64_t)alias, frame, 1, RW), 0);
	}
	CHECK_EQ(exo_tlb_poll(busy_space, 1ul << 40, 0), -EINVAL);
	stop = true;
	finish_work(1);
	stop = false;
	CHECK_EQ(unmap(SPACE, (uint64_t)alias, 1), 0);
	destroy_space(busy_space);
	destroy_space(scratch);
	check_retyped(retyped, 100);
	print("# EAGAIN at retyping: ");
	print_number(retypes);
	print("\n");
}

/* In the kernel nearly all the time, and so late to acknowledge an epoch. */
static void make_long_calls(unsigned cpu)
{
	struct exo_op op = { .code = EXO_OP_COPY, .count = 127, .frame = far_frames(10000),
			     .source = far_frames(10200) };

	CHECK_EQ(exo_switch(busy_space, page_of(cpu)->token), 0);
	while (!stop) {
		struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };

		CHECK_EQ(exo_update(busy_space, &u), 0);
		beats[cpu]++;
		take_events(cpu);
	}
	CHECK_EQ(exo_switch(SPACE, page_of(cpu)->token), 0);
}

static void start_long_calls(exo_handle space)
{
	busy_space = space;
	beats[1] = 0;
	start_work(1, make_long_calls);
	while (!beats[1])
		__asm__ volatile("pause");
}

static void stop_long_calls(void)
{
	stop = true;
	finish_work(1);
	stop = false;
}

/* Of CPU 1: one that was behind has flushed before it acknowledges. */
static uint64_t flushes(void)
{
	struct exo_cpu_stats stats;

	while (exo_cpu_stats(1, &stats) == -EAGAIN)
		;
	return stats.tlb_flushes;
}

/*
 * The other CPU may go on finding its way through a table that was removed: until it has acknowledged that,
 * the table is neither mapped, to be written to, nor made another one.
 */
static void a_page_table_that_a_tlb_may_hold_is_not_used_again(void)
{
	uint64_t va = 5 * TABLE_SPAN, other = 6 * TABLE_SPAN, page = frame_alloc(), table = frame_alloc();
	exo_handle space = exo_space_create(DOMAIN, frame_alloc(), frame_alloc());
	unsigned refused = 0;

	if (info->cpu_count < 2)
		return;
	CHECK_EQ(feed(space, 3), 0);
	CHECK_EQ(map(space, BUSY_VA, frame_alloc(), 1, RW), 0);
	start_long_calls(space);
	for (unsigned round = 0; round < 200; round++) {
		uint64_t out[4], before;
		struct exo_op ops[] = {
			{ .code = EXO_OP_UNMAP, .count = TABLE_PAGES, .va = va },
			{ .code = EXO_OP_MAP, .prot = RW, .count = 1,
			  .va = round % 2 ? other : BUSY_VA + 4096,
			  .frame = round % 2 ? page : table },
		};
		struct exo_update u = { .ops = (uint64_t)ops, .op_count = 2, .freed = (uint64_t)out,
					.freed_max = 4 };
		int64_t r;

		if (map(space, va, page, 1, RW) == -ENOMEM) {
			CHECK_EQ(exo_space_feed(space, &table, 1), 0);
			CHECK_EQ(map(space, va, page, 1, RW), 0);
		}
		before = flushes();
		r = exo_update(space, &u);
		CHECK(r == (round % 2 ? -ENOMEM : -EPERM) || (r == 0 && flushes() > before));
		refused += r != 0;
		while (u.epoch && exo_tlb_poll(space, u.epoch, 0) == 0)
			take_events(0);
		CHECK_EQ(unmap(space, other, TABLE_PAGES), 0);
		CHECK_EQ(unmap(space, BUSY_VA + 4096, 1), 0);
		while (last.epoch && exo_tlb_poll(space, last.epoch, 0) == 0)
			take_events(0);
	}
	stop_long_calls();
	destroy_space(space);
	print("# page tables that a TLB held: ");
	print_number(refused);
	print("\n");
}

static void waiting_for_an_epoch_ends_in_an_event(void)
{
	uint64_t frame = frame_alloc();
	unsigned waits = 0, round;

	if (info->cpu_count < 2)
		return;
	busy_space = new_space();
	CHECK_EQ(map(busy_space, BUSY_VA, frame, 1, RW), 0);
	beats[1] = 0;
	start_work(1, beat_in_space);
	while (!beats[1])
		__asm__ volatile("pause");
	for (round = 0; round < 200; round++) {
		struct exo_op op = { .code = EXO_OP_PROTECT, .prot = EXO_PROT_READ, .count = 1,
				     .va = BUSY_VA + 4096 };
		uint64_t other = frame_alloc();
		int64_t epoch;

		CHECK_EQ(map(busy_space, BUSY_VA + 4096, other, 1, RW), 0);
		if (round % 2) {
			CHECK_EQ(update(busy_space, op), 0);
			epoch = (int64_t)last.epoch;
		} else {
			epoch = exo_protect(busy_space, op.va, op.count, op.prot, 0);
		}
		CHECK(epoch >= 0);
		take_events(0);
		while (epoch && exo_tlb_poll(busy_space, epoch, 1) == 0) {
			waits++;
			while (!(take_events(0) & EXO_EVENT_TLB))
				exo_halt(page_of(0)->token, 0);
		}
		CHECK_EQ(unmap(busy_space, BUSY_VA + 4096, 1), 0);
	}
	stop = true;
	finish_work(1);
	stop = false;
	destroy_space(busy_space);
	print("# waits for an epoch: ");
	print_number(waits);
	print("\n");
}

static void map_and_unmap_much(unsigned cpu)
{
	uint64_t va = EXO_DYNAMIC_BASE + cpu * 0x40000000ul;
	uint64_t frame = far_frames(cpu * 64);
	struct exo_op op = { .code = EXO_OP_MAP, .prot = RW, .count = 64, .va = va,
			     .frame = frame };
	struct exo_op out = { .code = EXO_OP_UNMAP, .count = 64, .va = va };

	for (unsigned i = 0; i < 150; i++) {
		uint64_t list[64];
		struct exo_update in = { .ops = (uint64_t)&op, .op_count = 1 };
		struct exo_update un = { .ops = (uint64_t)&out, .op_count = 1,
					 .freed = (uint64_t)list, .freed_max = 64 };

		CHECK_EQ(exo_update(SHARED, &in), 0);
		*(volatile uint64_t *)va = i;
		CHECK_EQ(exo_update(SHARED, &un), 0);
		CHECK_EQ(un.freed_count, 64);
		while (un.epoch && exo_tlb_poll(SHARED, un.epoch, 0) == 0)
			take_events(cpu);
		take_events(cpu);
	}
}

static void updates_on_all_cpus_at_once_stay_exact(void)
{
	CHECK_EQ(feed(SHARED, 64), 0);
	for (unsigned cpu = 1; cpu < info->cpu_count; cpu++)
		start_work(cpu, map_and_unmap_much);
	map_and_unmap_much(0);
	for (unsigned cpu = 1; cpu < info->cpu_count; cpu++)
		finish_work(cpu);
}

#define RACE_VA (64 * TABLE_SPAN)
#define RACE_TABLES 64

/* Frames that this CPU feeds as tables; what comes free goes back to them.  They wander between CPUs:
 * who is left with a shared table frees it, not who has fed it. */
struct table_frames {
	uint64_t frame[2 * RACE_TABLES];
	unsigned count;
};

/* Runs an op of RACE_VA's table, feeding what it asks for. */
static void race_update(unsigned cpu, exo_handle space, struct exo_op op, struct table_frames *t)
{
	uint64_t list[64];
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1, .freed = (uint64_t)list,
				.freed_max = 64 };
	int64_t r;

	do {
		r = exo_update(space, &u);
		for (unsigned i = 0; i < u.freed_count && t->count < 2 * RACE_TABLES; i++)
			t->frame[t->count++] = list[i];
		if (r == -ENOMEM && t->count > 0) {
			while ((r = exo_space_feed(space, &t->frame[t->count - 1], 1)) == -EAGAIN)
				take_events(cpu);
			t->count -= r == 0;
			r = r == 0 ? 1 : r;
		}
		take_events(cpu);
	} while (r == 1);
	CHECK_EQ(r, 0);
}

static exo_handle race_child[EXO_CPUS_MAX];

/* All get the table of one space, and change it, or give it up, at the same time. */
static void share_and_leave(unsigned cpu)
{
	struct exo_op clone = { .code = EXO_OP_CLONE, .flags = EXO_OP_COW, .count = TABLE_PAGES,
				.va = RACE_VA, .source = SPACE, .source_va = RACE_VA };
	struct exo_op change = { .code = EXO_OP_PROTECT, .flags = EXO_OP_KEEP_COW, .prot = RW,
				 .count = 1, .va = RACE_VA };
	struct exo_op out = { .code = EXO_OP_UNMAP, .count = TABLE_PAGES, .va = RACE_VA };
	struct table_frames tables = { .count = RACE_TABLES };

	for (unsigned i = 0; i < tables.count; i++)
		tables.frame[i] = far_frames(9000 + cpu * RACE_TABLES + i);
	for (unsigned i = 0; i < 200; i++) {
		race_update(cpu, race_child[cpu], clone, &tables);
		if ((i + cpu) % 3 == 0)
			race_update(cpu, race_child[cpu], change, &tables);
		if ((i + cpu) % 5 == 0)
			race_update(cpu, SPACE, change, &tables);
		race_update(cpu, race_child[cpu], out, &tables);
	}
}

static void page_tables_shared_on_all_cpus_stay_exact(void)
{
	uint64_t first = far_frames(8192);

	CHECK_EQ(feed(SPACE, 4), 0);
	CHECK_EQ(map(SPACE, RACE_VA, first, 32, RW), 0);
	for (unsigned cpu = 0; cpu < info->cpu_count; cpu++)
		race_child[cpu] = new_space();
	for (unsigned cpu = 1; cpu < info->cpu_count; cpu++)
		start_work(cpu, share_and_leave);
	share_and_leave(0);
	for (unsigned cpu = 1; cpu < info->cpu_count; cpu++)
		finish_work(cpu);
	for (unsigned i = 0; i < 32; i++)
		CHECK_EQ(frames[first + i].maps, 1);
	CHECK_EQ(frames[table_of(RACE_VA)].maps, 0);
	for (unsigned cpu = 0; cpu < info->cpu_count; cpu++)
		destroy_space(race_child[cpu]);
	CHECK_EQ(unmap(SPACE, RACE_VA, TABLE_PAGES), 0);
	CHECK_EQ(freed_total, 33);
	CHECK_EQ(feed(SPACE, 4), 0); /* the pool as it was */
}

/* ---------------------------------------------------------------- another domain */

static bool is_child;                /* set in the child's copy of our data */
static exo_handle child_parent_vcore, child_loan, child_lent;

static bool message_take(struct exo_message *out)
{
	struct exo_vcore_page *page = page_of(this_cpu());
	struct exo_message *m = &page->mailbox[page->mailbox_head % EXO_MAILBOX_SLOTS];

	if (__atomic_load_n(&m->sequence, __ATOMIC_ACQUIRE) != page->mailbox_head + 1)
		return false;
	*out = *m;
	__atomic_store_n(&page->mailbox_head, page->mailbox_head + 1, __ATOMIC_RELEASE);
	return true;
}

static void message_wait(struct exo_message *out)
{
	unsigned cpu = this_cpu();

	while (!message_take(out))
		if (!take_events(cpu))
			exo_halt(page_of(cpu)->token, 0);
}

/* What is in the child's last slot of the repossession ring. */
static int64_t child_taken(uint64_t index, uint64_t what)
{
	const struct exo_taken *slot = &page_of(this_cpu())->taken[index % EXO_TAKEN_SLOTS];

	if (slot->sequence != index + 1)
		return -EAGAIN;
	return what == 0 ? (int64_t)slot->kind : what == 1 ? (int64_t)slot->number : (int64_t)slot->count;
}

/* A space made of the frames from `first` on, with a copy-on-write clone of the child's 2 MiB. */
static int64_t child_fork(uint64_t first)
{
	struct exo_op op = { .code = EXO_OP_CLONE, .flags = EXO_OP_COW, .count = TABLE_PAGES,
			     .va = 0x400000, .source = SPACE, .source_va = 0x400000 };
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };
	uint64_t tables[4] = { first + 2, first + 3, first + 4, first + 5 };
	int64_t space = exo_space_create(DOMAIN, first, first + 1), r = 1;

	if (space > 0)
		r = exo_space_feed(space, tables, 4);
	if (space < 0 || r < 0)
		return space < 0 ? space : r;
	do
		r = exo_update(space, &u);
	while (r == 1);
	return r;
}

static int64_t child_more(const struct exo_message *order)
{
	uint64_t argument = order->word[1];

	switch (order->word[0]) {
	case 8:
		return exo_frame_give(DOMAIN, argument, 1, EXO_GIVE_TO_PARENT);
	case 9:
		return exo_frame_lend(argument, 1, EXO_RIGHT_USE, order->word[2]) > 0;
	case 10:
		return exo_space_feed(SPACE, &argument, 1);
	case 11:
		return child_fork(argument);
	case 12:
		return EXO_PTE(0x400000 + argument * 4096);
	case 13:
		return child_taken(argument, order->word[2]);
	case 14: /* lent to the domain that order 5 named */
		child_lent = exo_frame_lend(argument, 1, EXO_RIGHT_USE, order->word[2]);
		return exo_handle_copy(child_lent, child_loan, EXO_RIGHT_USE);
	case 15: /* and taken back: if it is, how often CPU 1 had flushed by then */
		return exo_frame_take_back(child_lent) ? 0 : (int64_t)flushes();
	}
	return -EINVAL;
}

/* In the child: tell what calls return, and wait to be killed. */
_Noreturn static void child_main(void)
{
	struct exo_message order;
	unsigned cpu = this_cpu();
	struct exo_op op = { .code = EXO_OP_MAP, .prot = RW, .count = 1, .va = 0x400000 };
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };

	exo_send(child_parent_vcore, 1, cpu, 0);
	for (;;) {
		message_wait(&order);
		if ((order.kind & 0xff) == EXO_MESSAGE_REVOKE) {
			exo_send(child_parent_vcore, order.word[0], order.word[1], order.word[2]);
			continue;
		}
		u.ops_done = u.pages_done = 0;
		switch (order.word[0]) {
		case 1: /* map a frame by number */
			op = (struct exo_op){ .code = EXO_OP_MAP, .prot = RW, .count = 1,
					      .va = 0x400000 + order.word[2] * 4096,
					      .frame = order.word[1] };
			exo_send(child_parent_vcore, exo_update(SPACE, &u), 0, 0);
			break;
		case 2: /* map the first page of the loan */
			op = (struct exo_op){ .code = EXO_OP_MAP, .prot = order.word[1], .count = 1,
					      .va = 0x400000, .source = child_loan };
			exo_send(child_parent_vcore, exo_update(SPACE, &u), 0, 0);
			break;
		case 3: /* read it */
			exo_send(child_parent_vcore, *(volatile uint64_t *)0x400000, 0, 0);
			break;
		case 4: /* unmap it */
			op = (struct exo_op){ .code = EXO_OP_UNMAP, .count = 1, .va = 0x400000 };
			exo_send(child_parent_vcore, exo_update(SPACE, &u), 0, 0);
			break;
		case 5: /* the loan's handle */
			child_loan = order.word[1];
			break;
		case 6: /* machine and ports are not for children */
			exo_send(child_parent_vcore, exo_reset(),
				 exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_IN8, 0x60, 0), 0);
			break;
		case 7: /* a fault in the fault entry's own stack: the end */
			exo_domain_kill(DOMAIN, 42);
			break;
		default:
			exo_send(child_parent_vcore, child_more(&order), 0, 0);
		}
	}
}

struct child {
	exo_handle domain, shared, space, vcore, sc;
	uint16_t id;
};

/* The child's image: our text and constants, and a copy of our data. */
static void child_image(struct child *child)
{
	volatile bool *flag = &is_child;

	*flag = true;
	for (unsigned i = 0; i < info->image_end_page; i++) {
		uint64_t va = EXO_SHARED_BASE + i * 4096ul, entry, frame, window = 0xa00000;
		unsigned prot = EXO_PROT_READ;

		if (!(EXO_PDE(va) & EXO_PTE_PRESENT) || !(EXO_PTE(va) & EXO_PTE_PRESENT))
			continue;
		entry = EXO_PTE(va);
		frame = EXO_PTE_FRAME(entry);
		if (entry & EXO_PTE_WRITE) {
			frame = frame_alloc();
			prot = RW;
			CHECK_EQ(map(SPACE, window, frame, 1, RW), 0);
			for (unsigned w = 0; w < 512; w++)
				((uint64_t *)window)[w] = ((uint64_t *)va)[w];
			CHECK_EQ(unmap(SPACE, window, 1), 0);
		} else if (!(entry & EXO_PTE_NX)) {
			prot |= EXO_PROT_EXEC;
		}
		CHECK_EQ(map(child->shared, va, frame, 1, prot), 0);
	}
	*flag = false;
}

static void child_start(struct child *child)
{
	struct exo_domain_create create = {
		.object_frame = frame_alloc(), .handle_frame = frame_alloc(),
		.shared_object_frame = frame_alloc(), .shared_root_frame = frame_alloc(),
		.entries = ENTRIES, .parent_word = 777,
	};
	struct exo_vcore_create vcore = {
		.cpu = 0, .object_frame = frame_alloc(), .page_frame = frame_alloc(),
		.vector_frame = frame_alloc(),
		.stack_top = (uint64_t)stacks + STACK_SIZE,
		.fault_stack_top = (uint64_t)stacks + 2 * STACK_SIZE,
	};

	child->domain = exo_domain_create(EXO_HANDLE(EXO_SLOT_VCORE), &create);
	child->shared = create.shared;
	CHECK(child->domain > 0 && child->shared > 0);
	child->space = exo_space_create(child->domain, frame_alloc(), frame_alloc());
	CHECK(child->space > 0);
	CHECK_EQ(feed(child->shared, 16), 0);
	CHECK_EQ(feed(child->space, 16), 0);
	CHECK_EQ(exo_handle_copy(child->space, child->domain, EXO_RIGHTS_ALL),
		 EXO_HANDLE(EXO_SLOT_SPACE));
	child_parent_vcore = exo_handle_copy(EXO_HANDLE(EXO_SLOT_VCORE), child->domain,
					     EXO_RIGHT_USE);
	CHECK(child_parent_vcore > 0);
	child_image(child);
	child->vcore = exo_vcore_create(child->domain, child->space, &vcore);
	CHECK((int64_t)child->vcore > 0);
	CHECK_EQ(map(child->shared, EXO_VCORE_BASE, vcore.page_frame, 1, RW), 0);
	child->sc = exo_sc_split(EXO_HANDLE(EXO_SLOT_SC), frame_alloc(), 4000000, 10000000);
	CHECK((int64_t)child->sc > 0);
	CHECK_EQ(exo_sc_bind(child->sc, child->vcore), 0);
	CHECK_EQ(exo_vcore_start(child->vcore), 0);
}

static int64_t child_ask2(struct child *child, uint64_t order, uint64_t argument, uint64_t second)
{
	struct exo_message answer;

	CHECK_EQ(exo_send(child->vcore, order, argument, second), 0);
	message_wait(&answer);
	CHECK_EQ(answer.kind, EXO_MESSAGE_USER | (uint32_t)child->id << 8);
	return answer.word[0];
}

static int64_t child_ask(struct child *child, uint64_t order, uint64_t argument)
{
	return child_ask2(child, order, argument, 0);
}

static unsigned owned_by(uint16_t id)
{
	unsigned count = 0;

	for (uint64_t frame = 0; frame < info->frame_end; frame++)
		count += frames[frame].owner == id;
	return count;
}

static void child_bury(struct child *child, uint64_t status)
{
	struct exo_message message;
	unsigned calls = 0;
	int64_t r;

	do {
		r = exo_domain_kill(child->domain, status);
		take_events(0);
		calls++;
	} while ((r == 1 || r == -EBUSY) && calls < 1000000);
	CHECK_EQ(r, 0);
	message_wait(&message);
	CHECK_EQ(message.kind, EXO_MESSAGE_DEATH);
	CHECK_EQ(message.word[0], 777);
	CHECK_EQ(message.word[1], status);
	CHECK_EQ(exo_domain_kill(child->domain, 0), -EBADF);
	CHECK_EQ(owned_by(child->id), 0);
	CHECK_EQ(feed(child->shared, 1), -EBADF);
	CHECK_EQ(exo_vcore_start(child->vcore), -EBADF);
	CHECK_EQ(exo_call2(EXO_CALL_SC_RECLAIM, child->sc, 0), 0);
}

/* Every frame is ours again, unused, and of type USER, but for the two in our own handle table. */
static unsigned kernel_frames(void)
{
	unsigned count = 0;

	for (uint64_t frame = 0; frame < info->frame_end; frame++)
		count += frames[frame].owner == info->domain_id &&
			 frames[frame].type != EXO_FRAME_USER;
	return count;
}

static void child_begin(struct child *child)
{
	struct exo_message hello;

	child_start(child);
	message_wait(&hello);
	child->id = hello.kind >> 8;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

/* A domain that only exists. */
static exo_handle barren_domain(void)
{
	struct exo_domain_create create = {
		.object_frame = frame_alloc(), .handle_frame = frame_alloc(),
		.shared_object_frame = frame_alloc(), .shared_root_frame = frame_alloc(),
		.entries = ENTRIES, .parent_word = 555,
	};
	int64_t domain = exo_domain_create(EXO_HANDLE(EXO_SLOT_VCORE), &create);

	CHECK(domain > 0);
	CHECK_EQ(exo_handle_drop(create.shared), 0);
	return (exo_handle)domain;
}

static void bury(exo_handle domain)
{
	unsigned calls = 0;
	int64_t r;

	do {
		r = exo_domain_kill(domain, 0);
		calls++;
	} while ((r == 1 || r == -EBUSY) && calls < 1000000);
	CHECK_EQ(r, 0);
	CHECK_EQ(exo_handle_drop(domain), 0);
}

static bool mailbox_is_full(void)
{
	const struct exo_vcore_page *page = page_of(0);
	uint32_t last = page->mailbox_head + EXO_MAILBOX_SLOTS - 1;

	return page->mailbox[last % EXO_MAILBOX_SLOTS].sequence == last + 1;
}

/* The mailbox is filled with messages of our own and with deaths that nobody reads; then all children that
 * a vcore may have die. */
static void no_death_is_lost(void)
{
	exo_handle children[8];
	struct exo_message message;
	unsigned deaths = 0;

	take_events(0);
	while (exo_send(EXO_HANDLE(EXO_SLOT_VCORE), 1, 2, 3) == 0)
		;
	for (unsigned i = 0; !mailbox_is_full() && i < EXO_MAILBOX_SLOTS; i++)
		bury(barren_domain());
	CHECK(mailbox_is_full());
	CHECK_EQ(take_events(0) & EXO_EVENT_DEATH, 0);
	for (unsigned i = 0; i < 8; i++) {
		children[i] = barren_domain();
		CHECK_EQ(exo_domain_ask(children[i]), -EAGAIN);
	}
	for (unsigned i = 0; i < 8; i++) {
		(void)exo_domain_kill(children[i], i == 7 ? UINT64_MAX - 1 : 100 + i);
		CHECK_EQ(take_events(0) & EXO_EVENT_DEATH, EXO_EVENT_DEATH);
		for (unsigned j = 0; j < 8; j++)
			CHECK_EQ(exo_domain_ask(children[j]),
				 j > i ? -EAGAIN : j == 7 ? INT64_MAX - 1 : 100 + (int)j);
	}
	for (unsigned i = 0; i < 8; i++)
		bury(children[i]);
	while (message_take(&message))
		deaths += message.kind == EXO_MESSAGE_DEATH && message.word[0] == 555;
	CHECK_EQ(deaths, EXO_MAILBOX_RESERVED);
	CHECK_EQ(take_events(0) & EXO_EVENT_DEATH, 0);
}

#define HANDLES_PER_PAGE 64u

static void a_domain_lives_and_dies(void)
{
	struct child child;
	struct exo_message hello;
	uint64_t gift = far_frames(6000), own = frame_alloc();
	unsigned before = kernel_frames();

	child_start(&child);
	message_wait(&hello);
	child.id = hello.kind >> 8;
	CHECK_EQ(hello.word[0], 1);
	CHECK_EQ(child_ask(&child, 1, own), -EPERM);
	CHECK_EQ(child_ask(&child, 1, KERNEL_FRAME), -EPERM);
	CHECK_EQ(child_ask(&child, 6, 0), -EBADF);
	CHECK_EQ(map(SPACE, 0xb00000, gift, 1, RW), 0);
	*(volatile uint64_t *)0xb00000 = 99;
	CHECK_EQ(exo_frame_give(child.domain, gift, 2, 0), -EBUSY);
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	CHECK_EQ(exo_frame_give(child.domain, gift, 1, 0), 1);
	CHECK_EQ(frames[gift].owner, child.id);
	CHECK_EQ(map(SPACE, 0xb00000, gift, 1, RW), -EPERM);
	CHECK_EQ(child_ask(&child, 1, gift), 0);
	CHECK_EQ(child_ask(&child, 3, 0), 0); /* scrubbed */
	CHECK_EQ(map(SPACE, 0xb00000, gift + 1, 1, RW), 0);
	*(volatile uint64_t *)0xb00000 = 99;
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	CHECK_EQ(exo_frame_give(child.domain, gift + 1, 1, EXO_GIVE_CONTENTS), 1);
	CHECK_EQ(child_ask(&child, 4, 0), 0);
	CHECK_EQ(child_ask(&child, 1, gift + 1), 0);
	CHECK_EQ(child_ask(&child, 3, 0), 99); /* as it was */
	child_bury(&child, 5);
	CHECK_EQ(frames[gift].owner, info->domain_id);
	CHECK_EQ(kernel_frames(), before);
}

/* Its first page has 64 slots; what it was fed with comes back with it. */
static void a_child_s_handle_table_is_fed_by_its_parent(void)
{
	uint64_t page = far_frames(8900);
	unsigned before = kernel_frames(), copies = 0;
	struct child child;

	child_begin(&child);
	while (exo_handle_copy(child.vcore, child.domain, EXO_RIGHT_USE) > 0 && copies < 200)
		copies++;
	CHECK(copies > 50 && copies < 64);
	CHECK_EQ(exo_handle_feed(child.domain, page), 0);
	CHECK_EQ(frames[page].type, EXO_FRAME_KERNEL);
	for (unsigned i = 0; i < HANDLES_PER_PAGE; i++)
		CHECK(exo_handle_copy(child.vcore, child.domain, EXO_RIGHT_USE) > 0);
	CHECK_EQ(exo_handle_copy(child.vcore, child.domain, EXO_RIGHT_USE), -ENOSPC);
	CHECK_EQ(exo_send(child.vcore, 7, 0, 0), 0);
	while (exo_frame_give(child.domain, page + 1, 0, 0) != -ESRCH)
		exo_halt(page_of(0)->token, tsc() + 1000000);
	CHECK_EQ(exo_handle_feed(child.domain, page + 1), -ESRCH);
	CHECK_EQ(frames[page + 1].type, EXO_FRAME_USER);
	child_bury(&child, 42);
	CHECK_EQ(frames[page].type, EXO_FRAME_USER);
	CHECK_EQ(frames[page].owner, info->domain_id);
	CHECK_EQ(kernel_frames(), before);
}

/* The message does not say who is behind it: only for vcores that are one's own to direct. */
static void nobody_is_told_of_timeouts_who_has_not_asked(void)
{
	exo_handle sc = EXO_HANDLE(EXO_SLOT_SC), mine = EXO_HANDLE(EXO_SLOT_VCORE);
	int64_t used = exo_handle_copy(mine, DOMAIN, EXO_RIGHT_USE);

	CHECK(used > 0);
	CHECK_EQ(exo_call4(EXO_CALL_SC_TIMEOUT, sc, used, 815, 0), -EPERM);
	CHECK_EQ(exo_call4(EXO_CALL_SC_TIMEOUT, sc, mine, 815, 0), 0);
	CHECK_EQ(exo_call4(EXO_CALL_SC_TIMEOUT, sc, 0, 0, 0), 0);
	CHECK_EQ(exo_handle_drop(used), 0);
}

static void a_program_s_page_is_not_cloned_into_what_all_share(void)
{
	uint64_t va = 0x600000, shared = EXO_DYNAMIC_BASE + 0x200000, frame = frame_alloc();
	struct exo_op op = { .code = EXO_OP_CLONE, .count = 1, .va = shared + 4096, .source = SPACE,
			     .source_va = va };

	CHECK_EQ(map(SPACE, va, frame, 1, RW | EXO_PROT_EXEC), 0);
	CHECK_EQ(map(SHARED, shared, frame, 1, RW), 0);
	CHECK_EQ(update(SHARED, op), -EPERM);
	op.source = SHARED;
	op.source_va = shared;
	CHECK_EQ(update(SHARED, op), 0);
	CHECK_EQ(frames[frame].maps, 3);
	CHECK_EQ(unmap(SHARED, shared, 2), 0);
	CHECK_EQ(unmap(SPACE, va, 1), 0);
}

/* Its clones are as writable as its own pages. */
static void a_space_that_may_only_be_used_is_not_cloned(void)
{
	uint64_t va = 0x600000, frame = frame_alloc();
	int64_t used = exo_handle_copy(SPACE, DOMAIN, EXO_RIGHT_USE);
	struct exo_op op = { .code = EXO_OP_CLONE, .count = 1, .va = va + 4096, .source = (uint64_t)used,
			     .source_va = va };

	CHECK(used > 0);
	CHECK_EQ(map(SPACE, va, frame, 1, RW), 0);
	CHECK_EQ(update(SPACE, op), -EPERM);
	op.source = SPACE;
	CHECK_EQ(update(SPACE, op), 0);
	CHECK_EQ(unmap(SPACE, va, 2), 0);
	CHECK_EQ(exo_handle_drop((exo_handle)used), 0);
}

/* Else it would hold another domain's vcore, which could not end before it. */
static void a_domain_tells_of_its_end_to_its_maker_s_own_vcore(void)
{
	unsigned before = kernel_frames();
	struct child child;
	struct exo_domain_create create = {
		.object_frame = frame_alloc(), .handle_frame = frame_alloc(),
		.shared_object_frame = frame_alloc(), .shared_root_frame = frame_alloc(),
		.entries = ENTRIES, .parent_word = 555,
	};

	child_begin(&child);
	CHECK_EQ(exo_domain_create(child.vcore, &create), -EINVAL);
	child_bury(&child, 42);
	CHECK_EQ(kernel_frames(), before);
}

/* An object is made whole or not at all: its frames stay what they are when there is no slot for its name. */
static void without_a_slot_nothing_is_made(void)
{
	static exo_handle copies[1024];
	uint64_t first = far_frames(8950);
	unsigned count = 0;
	int64_t copy, space;

	while ((copy = exo_handle_copy(EXO_HANDLE(EXO_SLOT_VCORE), DOMAIN, EXO_RIGHT_USE)) > 0 &&
	       count < 1024)
		copies[count++] = copy;
	CHECK_EQ(copy, -ENOSPC);
	CHECK_EQ(exo_space_create(DOMAIN, first, first + 1), -ENOSPC);
	CHECK_EQ(exo_sc_split(EXO_HANDLE(EXO_SLOT_SC), first, 1000000, 10000000), -ENOSPC);
	CHECK_EQ(frames[first].type, EXO_FRAME_USER);
	CHECK_EQ(frames[first + 1].type, EXO_FRAME_USER);
	CHECK_EQ(exo_handle_drop(copies[--count]), 0);
	space = exo_space_create(DOMAIN, first, first + 1);
	CHECK(space > 0);
	destroy_space(space);
	while (count > 0)
		CHECK_EQ(exo_handle_drop(copies[--count]), 0);
}

static void a_domain_may_end_itself(void)
{
	struct child child;
	struct exo_message hello;

	child_start(&child);
	message_wait(&hello);
	child.id = hello.kind >> 8;
	CHECK_EQ(exo_send(child.vcore, 7, 0, 0), 0);
	exo_halt(page_of(0)->token, 0);
	child_bury(&child, 42);
}

static void loans_end_when_the_borrower_has_let_go(void)
{
	struct child child;
	struct exo_message hello;
	uint64_t lent = far_frames(7000), object = lent + 2, other = lent + 3;
	exo_handle loan, copy;

	CHECK_EQ(map(SPACE, 0xb00000, lent, 1, RW), 0);
	*(volatile uint64_t *)0xb00000 = 4711;
	CHECK_EQ(exo_frame_lend(KERNEL_FRAME, 1, EXO_RIGHT_USE, object), -EPERM);
	CHECK_EQ(exo_frame_lend(lent, 2, EXO_RIGHT_USE, KERNEL_FRAME), -EPERM);
	CHECK_EQ(exo_frame_lend(lent, 2, EXO_RIGHT_USE, lent + 1), -EPERM);
	CHECK_EQ(exo_frame_lend(lent, 2, EXO_RIGHT_USE, ~0ul), -EPERM);
	CHECK(frames[lent].pins == 0 && frames[lent + 1].pins == 0);
	CHECK_EQ(frames[object].type, EXO_FRAME_USER);
	loan = exo_frame_lend(lent, 2, EXO_RIGHT_USE, object);
	CHECK((int64_t)loan > 0);
	CHECK_EQ(frames[object].type, EXO_FRAME_KERNEL);
	CHECK_EQ(exo_frame_lend(lent, 2, EXO_RIGHT_USE, other), -EBUSY);
	CHECK_EQ(exo_frame_lend(lent + 1, 2, EXO_RIGHT_USE, other), -EPERM);
	CHECK_EQ(exo_frame_lend(lent + 1, 1, EXO_RIGHT_USE, other), -EBUSY);
	CHECK_EQ(frames[other].type, EXO_FRAME_USER);
	CHECK_EQ(exo_handle_feed(DOMAIN, lent + 1), -EBUSY);
	child_start(&child);
	message_wait(&hello);
	child.id = hello.kind >> 8;
	copy = exo_handle_copy(loan, child.domain, EXO_RIGHT_USE);
	CHECK_EQ(exo_send(child.vcore, 5, copy, 0), 0);
	CHECK_EQ(child_ask(&child, 2, RW), -EPERM);
	CHECK_EQ(child_ask(&child, 2, EXO_PROT_READ), 0);
	CHECK_EQ(child_ask(&child, 3, 0), 4711);
	CHECK_EQ(frames[lent].pins, 2);
	CHECK_EQ(frames[lent].maps, 2);
	CHECK_EQ(exo_frame_take_back(loan), -EBUSY);
	CHECK_EQ(child_ask(&child, 4, 0), 0);
	CHECK_EQ(frames[lent].pins, 1);
	CHECK_EQ(exo_frame_take_back(loan), 0);
	CHECK_EQ(frames[lent].pins, 0);
	CHECK_EQ(frames[object].type, EXO_FRAME_USER);
	CHECK_EQ(exo_frame_take_back(loan), -EBADF);
	CHECK_EQ(child_ask(&child, 2, EXO_PROT_READ), -EBADF);
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	child_bury(&child, 0);
}

static int64_t map_loan(exo_handle loan)
{
	return update(SPACE, (struct exo_op){ .code = EXO_OP_MAP, .prot = EXO_PROT_READ, .count = 1,
					      .va = 0xb00000, .source = loan });
}

/* The loan goes with the first look at what the dead domain had, its frame when the borrower lets go. */
static void loans_end_with_their_lender(void)
{
	struct child child;
	uint64_t lent = far_frames(7100), object = lent + 1;
	exo_handle loan;
	int64_t r = 1;

	child_begin(&child);
	CHECK_EQ(exo_frame_give(child.domain, lent, 2, 0), 2);
	CHECK_EQ(exo_send(child.vcore, 5, exo_handle_copy(DOMAIN, child.domain, EXO_RIGHT_USE), 0), 0);
	loan = child_ask2(&child, 14, lent, object);
	CHECK((int64_t)loan > 0);
	CHECK_EQ(map_loan(loan), 0);
	CHECK_EQ(exo_frame_take_back(loan), -EPERM);
	for (unsigned i = 0; i < 1000; i++) {
		r = exo_domain_kill(child.domain, 0);
		take_events(0);
		CHECK(r == 1 || r == -EBUSY);
	}
	CHECK_EQ(frames[lent].owner, child.id);
	CHECK_EQ(frames[lent].maps, 1);
	CHECK_EQ(frames[object].owner, info->domain_id);
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	CHECK_EQ(map_loan(loan), -EBADF);
	child_bury(&child, 0);
	CHECK_EQ(frames[lent].owner, info->domain_id);
	CHECK_EQ(frames[lent].pins, 0);
	CHECK_EQ(map_loan(loan), -EBADF);
	CHECK_EQ(exo_handle_drop(loan), 0);
}

/* The borrower has let go of it, but a CPU of his in a long call may still reach it. */
static void a_loan_that_a_tlb_may_hold_is_not_taken_back(void)
{
	struct child child;
	uint64_t lent = far_frames(7200), before;
	unsigned refused = 0;
	int64_t taken;

	if (info->cpu_count < 2)
		return;
	child_begin(&child);
	CHECK_EQ(exo_frame_give(child.domain, lent, 2, 0), 2);
	CHECK_EQ(exo_send(child.vcore, 5, exo_handle_copy(DOMAIN, child.domain, EXO_RIGHT_USE), 0), 0);
	start_long_calls(SPACE);
	for (unsigned round = 0; round < 50; round++) {
		exo_handle loan = child_ask2(&child, 14, lent, lent + 1);

		CHECK_EQ(map_loan(loan), 0);
		before = flushes();
		CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
		while ((taken = child_ask(&child, 15, 0)) == 0)
			refused++;
		CHECK(taken > (int64_t)before);
		CHECK_EQ(exo_handle_drop(loan), 0);
	}
	stop_long_calls();
	child_bury(&child, 0);
	print("# loans that a TLB held: ");
	print_number(refused);
	print("\n");
}

/* ---------------------------------------------------------------- frames taken back */

static int64_t revoke_step(const struct child *child, unsigned step, uint64_t first, uint64_t count)
{
	struct exo_frame_revoke r = { .step = step, .first = first, .count = count };

	return exo_frame_revoke(child->domain, &r);
}

/* Announces, and takes the message that the child sends on. */
static void revoke_ask(const struct child *child, uint64_t deadline, uint64_t count)
{
	struct exo_frame_revoke r = { .step = EXO_REVOKE_ASK, .count = count,
				      .deadline_tsc = deadline };
	struct exo_message told;

	CHECK_EQ(exo_frame_revoke(child->domain, &r), 0);
	message_wait(&told);
	CHECK_EQ(told.word[0], EXO_REVOKED_FRAMES);
	CHECK_EQ(told.word[1], deadline);
	CHECK_EQ(told.word[2], count);
}

/* The calls that it took. */
static unsigned revoke_sweep(const struct child *child)
{
	struct exo_frame_revoke r = { .step = EXO_REVOKE_SWEEP };
	unsigned calls = 1;

	while (exo_frame_revoke(child->domain, &r) == 1 && calls < 100000)
		calls++;
	return calls;
}

static int64_t revoke_take(const struct child *child, uint64_t first, uint64_t count)
{
	int64_t n;

	do {
		n = revoke_step(child, EXO_REVOKE_TAKE, first, count);
		take_events(0);
	} while (n == -EAGAIN);
	return n;
}

static void give_many(const struct child *child, uint64_t first, uint64_t count)
{
	CHECK_EQ(exo_frame_give(child->domain, first, count, 0), count);
}

static void wrong_revocations_are_refused(void)
{
	struct exo_frame_revoke r = { .step = EXO_REVOKE_SWEEP, .space = ~0ul, .page = ~0ul };
	struct child child;
	exo_handle weak;

	child_begin(&child);
	CHECK_EQ(exo_frame_revoke(DOMAIN, &r), -EPERM);
	CHECK_EQ(exo_frame_revoke(SPACE, &r), -EBADF);
	CHECK_EQ(exo_frame_revoke(child.domain, NULL), -EFAULT);
	CHECK_EQ(exo_frame_revoke(child.domain, (void *)text_start), -EINVAL);
	CHECK_EQ(exo_frame_revoke(child.domain, &r), 0);
	r = (struct exo_frame_revoke){ .step = EXO_REVOKE_SWEEP, .page = ~0ul };
	CHECK(exo_frame_revoke(child.domain, &r) >= 0);
	CHECK_EQ(revoke_step(&child, 0, 0, 0), -EINVAL);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_TAKE + 1, 0, 0), -EINVAL);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, info->frame_end, 1), -EINVAL);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, 1, ~0ul), -EINVAL);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_TAKE, info->frame_end - 1, 2), -EINVAL);
	weak = exo_handle_copy(child.domain, DOMAIN, EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE);
	CHECK_EQ(exo_frame_revoke(weak, &r), -EPERM);
	CHECK_EQ(exo_handle_drop(weak), 0);
	child_bury(&child, 0);
}

static void a_child_gives_frames_to_its_parent(void)
{
	uint64_t frame = far_frames(8000);
	struct child child;

	child_begin(&child);
	CHECK_EQ(exo_frame_give(DOMAIN, frame, 1, EXO_GIVE_TO_PARENT), -ESRCH);
	CHECK_EQ(exo_frame_give(child.domain, frame, 1, EXO_GIVE_TO_PARENT), -EINVAL);
	CHECK_EQ(child_ask(&child, 8, frame), -EPERM);
	give_many(&child, frame, 1);
	CHECK_EQ(child_ask(&child, 1, frame), 0);
	CHECK_EQ(child_ask(&child, 8, frame), -EBUSY);
	CHECK_EQ(child_ask(&child, 4, 0), 0);
	CHECK_EQ(child_ask(&child, 8, frame), 1);
	CHECK_EQ(frames[frame].owner, info->domain_id);
	CHECK_EQ(frames[frame].type, EXO_FRAME_USER);
	child_bury(&child, 0);
}

/* One that is free, mapped, lent, a page table, and somebody else's, in this order. */
static void frames_are_taken_after_the_deadline(void)
{
	uint64_t first = far_frames(8100);
	volatile uint64_t *window = (volatile uint64_t *)0xb00000;
	struct child child;

	child_begin(&child);
	CHECK_EQ(map(SPACE, 0xb00000, first + 1, 1, RW), 0);
	*window = 99;
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	CHECK_EQ(exo_frame_give(child.domain, first, 4, EXO_GIVE_CONTENTS), 4);
	CHECK_EQ(exo_frame_give(child.domain, first + 5, 2, 0), 2);
	CHECK_EQ(child_ask(&child, 1, first + 1), 0);
	CHECK_EQ(child_ask2(&child, 9, first + 2, first + 5), 1);
	CHECK_EQ(child_ask(&child, 10, first + 3), 0);

	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, first, 5), -EAGAIN); /* nobody was told */
	revoke_ask(&child, tsc() + (1ul << 50), 5);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, first, 5), -EAGAIN);
	CHECK_EQ(frames[first].type, EXO_FRAME_USER);
	revoke_ask(&child, tsc(), 5);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, first, 5), 5);
	CHECK_EQ(frames[first].type, EXO_FRAME_REVOKED);
	CHECK_EQ(frames[first + 1].type, EXO_FRAME_REVOKED);
	CHECK_EQ(frames[first + 2].type, EXO_FRAME_USER);
	CHECK_EQ(frames[first + 3].type, EXO_FRAME_TABLE);
	CHECK_EQ(frames[first + 4].owner, info->domain_id);

	CHECK_EQ(child_ask(&child, 3, 0), 99); /* until it is taken out */
	CHECK_EQ(child_ask2(&child, 1, first, 1), -EPERM);
	CHECK_EQ(child_ask(&child, 8, first), -EPERM);
	CHECK_EQ(child_ask2(&child, 9, first, first + 6), 0);
	CHECK_EQ(revoke_take(&child, first + 1, 1), 1);
	CHECK_EQ(frames[first + 1].owner, child.id);
	revoke_sweep(&child);
	CHECK_EQ(frames[first + 1].maps, 0);
	CHECK_EQ(child_ask(&child, 12, 0), EXO_PTE_LOST);
	CHECK_EQ(revoke_take(&child, first, 5), 5);
	CHECK_EQ(frames[first].owner, info->domain_id);
	CHECK_EQ(frames[first + 1].owner, info->domain_id);
	CHECK_EQ(frames[first + 1].type, EXO_FRAME_USER);
	CHECK_EQ(frames[first + 2].owner, child.id);
	CHECK_EQ(frames[first + 3].owner, child.id);
	CHECK_EQ(child_ask2(&child, 13, 0, 0), EXO_REVOKED_FRAMES);
	CHECK_EQ(child_ask2(&child, 13, 0, 1), first);
	CHECK_EQ(child_ask2(&child, 13, 0, 2), 2);
	CHECK_EQ(child_ask(&child, 13, 1), -EAGAIN);
	CHECK_EQ(map(SPACE, 0xb00000, first + 1, 1, RW), 0);
	CHECK_EQ(*window, 0);
	CHECK_EQ(unmap(SPACE, 0xb00000, 1), 0);
	CHECK_EQ(child_ask(&child, 4, 0), 0); /* does away with what is left in the entry */
	CHECK_EQ(child_ask(&child, 12, 0), 0);
	child_bury(&child, 0);
}

/* Mapped through a page table that two spaces share, and then in a third that is cloned meanwhile. */
static void frames_are_taken_out_of_shared_page_tables(void)
{
	uint64_t first = far_frames(8200), page = first + 32;
	struct child child;

	child_begin(&child);
	give_many(&child, first, 48);
	for (unsigned i = 0; i < 3; i++) /* only tables of its own are shared */
		CHECK_EQ(child_ask(&child, 10, page + 8 + i), 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(child_ask2(&child, 1, page + i, i), 0);
	CHECK_EQ(child_ask(&child, 11, first), 0);
	CHECK_EQ(frames[page].maps, 1); /* the table is one */
	revoke_ask(&child, tsc(), 1);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, page, 1), 1);
	CHECK_EQ(child_ask(&child, 11, first + 6), 0);
	CHECK_EQ(frames[page].maps, 1);
	CHECK_EQ(frames[page + 1].maps, 2); /* the clone has a table of its own */
	CHECK_EQ(child_ask(&child, 10, page + 8 + 3), 0);
	CHECK_EQ(child_ask2(&child, 1, page + 3, 3), 0); /* and so has the first one now */
	CHECK_EQ(child_ask(&child, 12, 0), EXO_PTE_LOST);
	CHECK_EQ(frames[page].maps, 1);
	CHECK_EQ(frames[page + 1].maps, 3);
	revoke_sweep(&child);
	CHECK_EQ(frames[page].maps, 0);
	CHECK_EQ(revoke_take(&child, page, 1), 1);
	CHECK_EQ(frames[page].owner, info->domain_id);
	CHECK_EQ(child_ask(&child, 11, first + 12), 0); /* tables are shared again */
	CHECK_EQ(frames[page + 1].maps, 3);
	child_bury(&child, 0);
}

static void many_frames_are_taken_in_steps(void)
{
	uint64_t first = far_frames(8300);
	struct child child;

	child_begin(&child);
	for (unsigned given = 0; given < 300; given += 50)
		give_many(&child, first + given, 50);
	for (unsigned i = 0; i < 200; i++)
		CHECK_EQ(child_ask2(&child, 1, first + i, i), 0);
	revoke_ask(&child, tsc(), 300);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, first, 300), 300);
	CHECK(revoke_sweep(&child) > 2);
	for (unsigned done = 0, calls = 0; done < 300 && calls < 100; calls++) {
		int64_t n = revoke_take(&child, first + done, 300 - done);

		CHECK(n > 0 && n <= 64);
		done += n;
	}
	for (unsigned i = 0; i < 300; i++)
		if (frames[first + i].owner != info->domain_id)
			CHECK_EQ(i, -1);
	child_bury(&child, 0);
}

static void a_child_dies_while_frames_are_taken(void)
{
	uint64_t first = far_frames(8700);
	unsigned before = kernel_frames();
	struct child child;

	child_begin(&child);
	give_many(&child, first, 2);
	CHECK_EQ(child_ask(&child, 1, first), 0);
	revoke_ask(&child, tsc(), 2);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_HOLD, first, 2), 2);
	CHECK_EQ(exo_send(child.vcore, 7, 0, 0), 0);
	while (revoke_step(&child, EXO_REVOKE_HOLD, first, 2) != -ESRCH)
		exo_halt(page_of(0)->token, tsc() + 1000000);
	CHECK_EQ(revoke_step(&child, EXO_REVOKE_TAKE, first, 2), -ESRCH);
	child_bury(&child, 42);
	CHECK_EQ(frames[first].owner, info->domain_id);
	CHECK_EQ(frames[first + 1].type, EXO_FRAME_USER);
	CHECK_EQ(kernel_frames(), before);
}

/* ---------------------------------------------------------------- devices */

/* The serial port's loop-back and the clock's periodic interrupt are in every PC. */
static void ports_and_lines_work_by_handle(void)
{
	exo_handle ports = EXO_HANDLE(EXO_SLOT_PORTS), irqs = EXO_HANDLE(EXO_SLOT_IRQS);
	exo_handle line;
	struct exo_message message;
	uint64_t hits = 0;

	CHECK_EQ(exo_port(ports, EXO_PORT_IN8, 0x21, 0), -EPERM);
	CHECK_EQ(exo_port(ports, EXO_PORT_IN32, 0x1e, 0), -EPERM);
	CHECK_EQ(exo_port(ports, EXO_PORT_IN16, 0xffff, 0), -EPERM);
	CHECK_EQ(exo_port(irqs, EXO_PORT_IN8, 0x70, 0), -EBADF);
	/* Configuration space begins with the host bridge, which is there. */
	exo_port(ports, EXO_PORT_OUT32, 0xcf8, 1ul << 31);
	CHECK(exo_port(ports, EXO_PORT_IN32, 0xcfc, 0) != 0xffffffff);
	CHECK_EQ(exo_port(ports, EXO_PORT_IN32, 0xcf8, 0), 1l << 31);
	CHECK_EQ(exo_irq_bind(irqs, EXO_HANDLE(EXO_SLOT_VCORE), 4000, 0), -EINVAL);
	/* No interrupt controller has this pin: 24 are usual. */
	CHECK((int64_t)exo_irq_bind(irqs, EXO_HANDLE(EXO_SLOT_VCORE), 30, 0) < 0);
	line = exo_irq_bind(irqs, EXO_HANDLE(EXO_SLOT_VCORE), 8, 1234);
	CHECK((int64_t)line > 0);
	CHECK_EQ(exo_irq_bind(irqs, EXO_HANDLE(EXO_SLOT_VCORE), 8, 0), -EBUSY);
	exo_port(ports, EXO_PORT_OUT8, 0x70, 0x0b);
	exo_port(ports, EXO_PORT_OUT8, 0x71, 0x42); /* periodic interrupts, 24 hours */
	for (unsigned i = 0; i < 20; i++) {
		exo_port(ports, EXO_PORT_OUT8, 0x70, 0x0c);
		exo_port(ports, EXO_PORT_IN8, 0x71, 0);
		message_wait(&message);
		hits += message.kind == EXO_MESSAGE_IRQ && message.word[0] == 1234 &&
			message.word[1] == 8;
		CHECK(!message_take(&message)); /* one until it is acknowledged */
		CHECK_EQ(exo_irq_ack(line), 0);
	}
	CHECK_EQ(hits, 20);
	exo_port(ports, EXO_PORT_OUT8, 0x70, 0x0b);
	exo_port(ports, EXO_PORT_OUT8, 0x71, 0x02);
	CHECK_EQ(exo_irq_ack(line + 1), -EBADF);
	CHECK_EQ(exo_irq_ack(irqs), -EBADF);
}

static uint64_t shared_page;
static volatile bool stop_mapping;
static volatile uint64_t mapped_ok;

static void map_shared_page(unsigned cpu)
{
	while (!stop_mapping) {
		struct exo_op op = { .code = EXO_OP_MAP, .prot = RW, .count = 1, .va = 0x7000000,
				     .frame = shared_page };
		struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };

		if (exo_update(SPACE, &u) == 0)
			mapped_ok++;
		op.code = EXO_OP_UNMAP;
		u = (struct exo_update){ .ops = (uint64_t)&op, .op_count = 1 };
		exo_update(SPACE, &u);
		take_events(cpu);
	}
}

static void a_page_mapped_while_it_is_claimed_comes_back(void)
{
	struct exo_vcore_create vcore = {
		.cpu = 0, .object_frame = frame_alloc(), .page_frame = frame_alloc(),
		.vector_frame = frame_alloc(),
		.stack_top = (uint64_t)stacks + STACK_SIZE,
		.fault_stack_top = (uint64_t)stacks + 2 * STACK_SIZE,
	};
	int64_t r[3] = { 0, 0, 0 };

	if (info->cpu_count < 2)
		return;
	CHECK_EQ(feed(SPACE, 8), 0);
	shared_page = vcore.page_frame;
	start_work(1, map_shared_page);
	for (unsigned i = 0; i < 5000; i++) {
		int64_t x = exo_vcore_create(DOMAIN, SPACE, &vcore);

		r[x == -EEXIST ? 0 : x == -EBUSY ? 1 : 2]++;
		take_events(0);
	}
	stop_mapping = true;
	finish_work(1);
	unmap(SPACE, 0x7000000, 1);
}

static volatile uint64_t go_round, went_round;
static volatile bool stop_rounds;
static volatile unsigned delay1;

static void idle_round(unsigned cpu)
{
	while (!stop_rounds)
		take_events(cpu);
}

static void unmap_rounds(unsigned cpu)
{
	uint64_t round = 0;

	while (!stop_rounds) {
		struct exo_op op = { .code = EXO_OP_UNMAP, .count = 1, .va = 0x7100000 };
		struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };

		take_events(cpu);
		if (go_round == round)
			continue;
		round = go_round;
		for (volatile unsigned i = 0; i < delay1; i++)
			;
		exo_update(SPACE, &u);
		went_round = round;
	}
}

static void what_a_destroyed_space_leaves_may_be_used(void)
{
	uint64_t object = frame_alloc(), root = frame_alloc(), tables[4], out[40], f = frame_alloc();
	unsigned listed = 0, early = 0, free_late = 0;

	for (unsigned i = 0; i < 4; i++)
		tables[i] = frame_alloc();
	if (info->cpu_count < 3)
		return;
	CHECK_EQ(feed(SPACE, 8), 0);
	start_work(1, unmap_rounds);
	start_work(2, idle_round);
	for (unsigned round = 1; round <= 400 && !early; round++) {
		exo_handle space = exo_space_create(DOMAIN, object, root);
		int64_t n;
		bool got = false;

		if ((int64_t)space < 0 || exo_space_feed(space, tables, 4) ||
		    map(SPACE, 0x7100000, f, 1, RW) || map(space, 0x7100000, f, 1, RW)) {
			CHECK(false);
			break;
		}
		delay1 = round;
		go_round = round;
		for (volatile unsigned i = 0; i < 100; i++)
			;
		while ((n = exo_space_destroy(space, out, 40)) > 0 || n == -EBUSY)
			for (int64_t i = 0; i < n; i++)
				if (out[i] == f)
					got = true;
		if (got) {
			int64_t r = exo_space_feed(SPACE, &f, 1);

			listed++;
			early += r == -EAGAIN;
			if (r == 0)
				f = frame_alloc();
		} else {
			free_late++;
		}
		while (went_round != round)
			take_events(0);
		while (exo_space_feed(SPACE, NULL, 0) != 0)
			;
	}
	stop_rounds = true;
	finish_work(1);
	finish_work(2);
	CHECK_EQ(early, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
#define TEST(name) { #name, name }

	TEST(info_describes_the_machine),
	TEST(low_memory_is_used_but_for_its_beginning),
	TEST(unknown_calls_and_handles_are_refused),
	TEST(the_window_shows_nothing_of_the_kernel),
	TEST(mapping_counts_frames),
	TEST(what_is_not_ones_own_cannot_be_mapped),
	TEST(frame_table_can_be_read_by_all_and_written_by_none),
	TEST(protect_changes_rights),
	TEST(an_error_code_shows_nothing_of_the_kernel),
	TEST(few_pages_are_protected_by_one_call),
	TEST(contents_are_zeroed_and_copied),
	TEST(pages_are_filled_and_mapped),
	TEST(a_page_is_found_wherever_it_is),
	TEST(spaces_are_cloned_switched_and_destroyed),
	TEST(long_updates_go_on_where_they_stopped),
	TEST(a_clone_passes_what_is_there_already),
	TEST(page_tables_are_shared_until_one_changes),
	TEST(a_page_table_in_use_is_not_given_back),
	TEST(page_tables_are_shared_only_as_a_whole),
	TEST(shared_page_tables_outlive_a_space),
	TEST(handles_are_dropped_and_revoked),
	TEST(retyped_frames_cannot_be_used_otherwise),
	TEST(epochs_end_when_all_cpus_have_flushed),
	TEST(a_page_table_that_a_tlb_may_hold_is_not_used_again),
	TEST(waiting_for_an_epoch_ends_in_an_event),
	TEST(updates_on_all_cpus_at_once_stay_exact),
	TEST(page_tables_shared_on_all_cpus_stay_exact),
	TEST(a_domain_lives_and_dies),
	TEST(no_death_is_lost),
	TEST(a_child_s_handle_table_is_fed_by_its_parent),
	TEST(nobody_is_told_of_timeouts_who_has_not_asked),
	TEST(a_program_s_page_is_not_cloned_into_what_all_share),
	TEST(a_space_that_may_only_be_used_is_not_cloned),
	TEST(a_domain_tells_of_its_end_to_its_maker_s_own_vcore),
	TEST(without_a_slot_nothing_is_made),
	TEST(a_domain_may_end_itself),
	TEST(loans_end_when_the_borrower_has_let_go),
	TEST(loans_end_with_their_lender),
	TEST(a_loan_that_a_tlb_may_hold_is_not_taken_back),
	TEST(wrong_revocations_are_refused),
	TEST(a_child_gives_frames_to_its_parent),
	TEST(frames_are_taken_after_the_deadline),
	TEST(frames_are_taken_out_of_shared_page_tables),
	TEST(many_frames_are_taken_in_steps),
	TEST(a_child_dies_while_frames_are_taken),
	TEST(ports_and_lines_work_by_handle),
	TEST(a_page_mapped_while_it_is_claimed_comes_back),
	TEST(what_a_destroyed_space_leaves_may_be_used),
};

_Noreturn void test_vcore(struct exo_vcore_page *page);
_Noreturn void test_vcore(struct exo_vcore_page *page)
{
	unsigned cpu = this_cpu();

	take_events(cpu);
	if (is_child)
		child_main();
	if (cpu != 0 || page != page_of(0))
		work_loop(cpu);
	for (unsigned other = 1; other < info->cpu_count; other++)
		exo_vcore_start(EXO_HANDLE(EXO_SLOT_VCORE + other));
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		unsigned failed_before = failed;

		tests[i].run();
		take_events(0);
		print(failed == failed_before ? "ok " : "not ok ");
		print(tests[i].name);
		print("\n");
	}
	print(failed ? "kernel tests failed\n" : "kernel tests passed\n");
	exo_reset();
	for (;;)
		;
}
