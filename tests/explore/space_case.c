/* SPDX-License-Identifier: MIT */
/* exo/object.c, and included below handles, switches, the TLB's side of them and the destruction of spaces:
 * no space is destroyed that a vcore goes to, is in, or has not yet left; and by a handle that has become
 * stale nobody goes anywhere
 *
 * CPU 0 has a vcore that switches between two spaces, as the kernel does it: at once, or where that cannot be
 * done by a look-up.  CPU 1 would destroy the second.
 */
#include <asm/errno.h>
#include "kernel_cpus.h"

static void cr3_write(uint64_t root);
static void tlb_flush_all(void);
#include "../../exo/handle.c"
#include "../../exo/tlb_epoch.c"
#include "../../exo/vcore_calls.c"
#include "../../exo/space_destroy.c"

enum { FIRST_ROOT = 1, SECOND_ROOT = 2, TOKEN = 3 };

static union {
	struct space space;
	char page[EXO_PAGE_SIZE];
} memory[2] __attribute__((aligned(EXO_PAGE_SIZE)));
#define first memory[0].space
#define second memory[1].space
#define FRAME ((((uint64_t)memory - PHYSMAP_BASE) >> EXO_PAGE_SHIFT) + 1) /* of the second */

static _Atomic uint64_t word;
_Atomic uint64_t *frame_private;
uint64_t frame_end = UINT64_MAX, kernel_root;
static struct domain domain;
static struct space shared;
static struct vcore vcore;
static struct handle_slot page[HANDLE_SLOTS_PER_FRAME] __attribute__((aligned(64)));
static exo_handle handle; /* to the second */
static _Atomic bool is_gone, is_stale;
static uint64_t root; /* CPU 0's */

/* ---------------------------------------------------------------- the rest of the kernel */

static void cr3_write(uint64_t physical)
{
	/* A processor walks the tables that it has whenever it likes. */
	if (root == SECOND_ROOT)
		EXPLORE_CHECK(!atomic_load_explicit(&is_gone, memory_order_relaxed));
	root = physical >> EXO_PAGE_SHIFT;
}

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

struct domain *domain_current(void)
{
	return &domain;
}

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(1, EXO_FRAME_KERNEL);
}

static void tlb_flush_all(void) {}
void cpu_interrupt(const struct cpu *target, unsigned vector) {}
void vcore_ring(struct vcore *v, uint64_t bits) {}
void timer_arm(struct vcore *v, uint64_t deadline_tsc) {}
void run_account(struct cpu *cpu, uint64_t now) {}
bool run_stats(struct cpu *of, struct exo_cpu_stats *out) { return false; }
int copy_to_user(uint64_t to, const void *from, size_t size) { return 0; }
int frame_claim(uint64_t frame, uint16_t owner, enum exo_frame_type type) { return 0; }
void frame_zero(uint64_t frame) {}
void frame_release(uint64_t frame) {}
uint64_t frame_unmap(uint64_t frame, uint64_t seen, uint16_t space_owner) { return 0; }
bool frame_map(uint64_t frame, uint16_t owner, uint16_t space_owner) { return true; }
bool frame_table_leave(uint64_t frame) { return false; }
uint64_t page_table_pool_take(struct space *s) { return 0; }
void frame_poison(uint64_t frame) {}
bool frame_is_ram(uint64_t frame) { return true; }
bool lock_held(const struct lock *l) { return true; }
void lock_acquire(struct lock *l) {}
void lock_release(struct lock *l) {}

/* ---------------------------------------------------------------- the cases */

static void load(struct space *s, uint64_t its_root)
{
	struct run *run = &cpu_blocks[0].run;

	vcore.space = run->space = s;
	run->shared = &shared;
	tlb_cpus[0].loaded[0].next = tlb_cpus[0].loaded[0].last = s;
	tlb_cpus[0].loaded[1].next = tlb_cpus[0].loaded[1].last = &shared;
	root = its_root;
}

/* CPU 1 has the one reference. */
static void setup(void)
{
	cpus_setup(2);
	memset(tlb_cpus, 0, sizeof(tlb_cpus));
	memset(memory, 0, sizeof(memory));
	memset(&domain, 0, sizeof(domain));
	memset(page, 0, sizeof(page));
	memset(&vcore, 0, sizeof(vcore));
	tlb_clock = stale_clock = word = 0;
	frame_private = (_Atomic uint64_t *)((uint64_t)&word - FRAME * sizeof(word));
	first = (struct space){ .object = { .owner = &domain }, .root = FIRST_ROOT, .shared = &shared };
	second = (struct space){ .object = { .owner = &domain, .frame = FRAME },
				 .root = SECOND_ROOT,
				 .walked = 1,
				 .shared = &shared };
	domain.vcores[0] = &vcore;
	domain.handles[0] = page;
	domain.handle_hint = 1;
	vcore.object.owner = &domain;
	vcore.token = TOKEN;
	cpu_blocks[0].current = cpu_blocks[1].current = &vcore;
	is_gone = is_stale = false;
	object_word_start(FRAME);
	handle = handle_fill(&domain, handle_reserve(&domain), OBJECT_SPACE, EXO_RIGHTS_ALL, FRAME, 0, 0);
	load(&first, FIRST_ROOT);
	explore_name(&word, sizeof(word), "word");
	explore_name(&stale_clock, sizeof(stale_clock), "stale clock");
	explore_name(&vcore.space, sizeof(vcore.space), "where the vcore is");
	explore_name(&tlb_cpus[0], sizeof(tlb_cpus[0]), "CPU 0");
	explore_name(&tlb_clock, sizeof(tlb_clock), "clock");
	explore_name(&second, sizeof(second), "second space");
	explore_name(&page[1], sizeof(page[1]), "slot");
	explore_name(&is_gone, sizeof(is_gone), "is_gone");
	explore_name(&is_stale, sizeof(is_stale), "is_stale");
}

static void remember(exo_handle h, struct space *s, uint64_t its_root)
{
	vcore.names[h % SPACE_NAMES] = (struct space_name){ h, stale_clock, s, its_root };
}

static void setup_remembered(void)
{
	setup();
	remember(handle, &second, SECOND_ROOT);
}

/* To the first the vcore goes by a handle that nothing happens to. */
static void setup_there(void)
{
	setup_remembered();
	remember(handle + 1, &first, FIRST_ROOT);
	load(&second, SECOND_ROOT);
}

bool call_by_number(struct cpu *cpu, struct exo_regs *regs)
{
	struct handle_view view;
	int64_t result = handle_view(&domain, regs->rdi, OBJECT_SPACE, EXO_RIGHT_USE, &view);

	if (!result)
		result = call_switch(regs, &view);
	handle_view_put(&view);
	regs->rax = result;
	return false;
}

static int64_t switch_to(exo_handle h)
{
	struct exo_regs regs = { .rdi = h, .rsi = TOKEN };

	switch_at_once(&cpu_blocks[0], &regs);
	return (int64_t)regs.rax;
}

/* The first of its steps decides.  When a step takes tables out, nobody finds his way through them, not even
 * if he has walked between two. */
static void destroy(void)
{
	if (begin(&second) != 0)
		return;
	atomic_store_explicit(&is_gone, true, memory_order_relaxed);
	EXPLORE_CHECK(!second.walked);
	second.walked = 1;
	EXPLORE_CHECK(begin(&second) == 0 && !second.walked);
}

static void it_goes_there(unsigned cpu)
{
	if (cpu == 1) {
		destroy();
		return;
	}
	if (switch_to(handle) == 0)
		EXPLORE_CHECK(root == SECOND_ROOT && vcore.space == &second);
	else
		EXPLORE_CHECK(vcore.space == cpu_blocks[0].run.space);
}

static void it_goes_there_again(unsigned cpu)
{
	if (cpu == 0 && switch_to(handle) == 0)
		switch_to(handle + 1);
	it_goes_there(cpu);
}

static void setup_twice(void)
{
	setup_remembered();
	remember(handle + 1, &first, FIRST_ROOT);
}

static void it_leaves(unsigned cpu)
{
	if (cpu == 1)
		destroy();
	else
		switch_to(handle + 1);
}

static void nobody_is_where_nothing_is(void)
{
	EXPLORE_CHECK(!is_gone || (root != SECOND_ROOT && vcore.space != &second));
}

/* CPU 1 empties the slot, or makes all handles stale. */
static void its_handle_becomes_stale(unsigned cpu)
{
	bool was_stale;

	if (cpu == 1) {
		EXPLORE_CHECK(handle_drop(&domain, handle));
		atomic_store(&is_stale, true);
		return;
	}
	was_stale = atomic_load(&is_stale);
	EXPLORE_CHECK(switch_to(handle) == 0 ? !was_stale : root == FIRST_ROOT);
}

static void all_handles_become_stale(unsigned cpu)
{
	if (cpu == 0) {
		its_handle_becomes_stale(cpu);
		return;
	}
	EXPLORE_CHECK(object_word_renew(FRAME, object_generation(FRAME)));
	atomic_store(&is_stale, true);
}

/* It was looked up while that happened: what is remembered then is no better than a handle. */
static void it_is_looked_up_meanwhile(unsigned cpu)
{
	struct handle_view view;

	if (cpu == 0 && handle_view(&domain, handle, OBJECT_SPACE, EXO_RIGHT_USE, &view) == 0)
		handle_view_put(&view);
	its_handle_becomes_stale(cpu);
}

static void nothing_is_left(void)
{
	EXPLORE_CHECK(object_users(&second.object) == 1);
	EXPLORE_CHECK(is_stale && switch_to(handle) == -EBADF);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_space_that_is_remembered_does_not_die_under_who_goes_there", 2, 4, 2, setup_remembered,
		  it_goes_there, nobody_is_where_nothing_is, NULL },
		{ "a_space_that_is_looked_up_does_not_either", 2, 4, 2, setup, it_goes_there,
		  nobody_is_where_nothing_is, NULL },
		{ "nor_one_that_is_gone_to_again", 2, 3, 1, setup_twice, it_goes_there_again,
		  nobody_is_where_nothing_is, NULL },
		{ "a_space_stays_until_it_is_left", 2, 4, 2, setup_there, it_leaves,
		  nobody_is_where_nothing_is, NULL },
		{ "by_a_dropped_handle_nobody_goes_anywhere", 2, 4, 2, setup_remembered,
		  its_handle_becomes_stale, nothing_is_left, NULL },
		{ "by_a_revoked_handle_neither", 2, 4, 2, setup_remembered, all_handles_become_stale,
		  nothing_is_left, NULL },
		{ "nor_by_one_that_was_looked_up_meanwhile", 2, 4, 1, setup, it_is_looked_up_meanwhile,
		  nothing_is_left, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
