/* SPDX-License-Identifier: MIT */
/* Making a child domain, and taking it apart. */
#include "child.h"

#define CHILD_TABLES 24 /* page tables for its shared region */

struct child child;
struct seen child_seen[CPUS];

static char stacks[CPUS][3][STACK_SIZE] __attribute__((aligned(16)));
static unsigned frames_used;

extern char libos_image_end[];

static uint64_t new_frame(void)
{
	return spare_frame(FRAMES_OF_SUITE + frames_used++);
}

void child_map(struct exo_op op)
{
	struct exo_update call = { .ops = (uint64_t)&op, .op_count = 1 };
	int64_t result;

	do
		result = exo_call(EXO_CALL_UPDATE, child.shared, (uint64_t)&call, 0, 0);
	while (result == 1);
	CHECK_EQ(result, 0);
}

/* As many pages as are alike, and one behind the other in memory, in one operation. */
static void map_image(void)
{
	struct exo_op op = { .code = EXO_OP_MAP };

	for (uint64_t va = EXO_SHARED_BASE; va < (uint64_t)libos_image_end; va += EXO_PAGE_SIZE) {
		uint64_t pte = EXO_PTE(va), frame = EXO_PTE_FRAME(pte);
		unsigned prot = EXO_PROT_READ;

		if (pte & EXO_PTE_WRITE)
			prot |= EXO_PROT_WRITE;
		if (!(pte & EXO_PTE_NX))
			prot |= EXO_PROT_EXEC;
		if (op.count && prot == op.prot && frame == op.frame + op.count) {
			op.count++;
			continue;
		}
		if (op.count)
			child_map(op);
		op = (struct exo_op){ .code = EXO_OP_MAP, .prot = prot, .count = 1, .va = va,
				      .frame = frame };
	}
	child_map(op);
}

static void make_domain(void)
{
	struct exo_domain_create args = {
		.object_frame = new_frame(),
		.handle_frame = new_frame(),
		.shared_object_frame = new_frame(),
		.shared_root_frame = new_frame(),
		.entries = child_entries,
		.parent_word = CHILD_WORD,
	};
	uint64_t tables[CHILD_TABLES];

	child.domain = exo_call(EXO_CALL_DOMAIN_CREATE, vcore_handle(0), (uint64_t)&args, 0, 0);
	CHECK(child.domain > 0);
	child.shared = args.shared;
	for (unsigned i = 0; i < CHILD_TABLES; i++)
		tables[i] = new_frame();
	CHECK_EQ(exo_call(EXO_CALL_SPACE_FEED, child.shared, (uint64_t)tables, CHILD_TABLES, 0), 0);
	child.space = exo_call(EXO_CALL_SPACE_CREATE, child.domain, new_frame(), new_frame(), 0);
	CHECK(child.space > 0);
}

void child_add_vcore(unsigned cpu)
{
	struct exo_vcore_create args = {
		.cpu = cpu,
		.object_frame = new_frame(),
		.vector_frame = new_frame(),
		.page_frame = new_frame(),
		.stack_top = (uint64_t)stacks[cpu][0] + STACK_SIZE,
		.fault_stack_top = (uint64_t)stacks[cpu][1] + STACK_SIZE,
	};

	child_seen[cpu] = (struct seen){ 0 };
	child.vcore[cpu] = exo_call(EXO_CALL_VCORE_CREATE, child.domain, child.space, (uint64_t)&args,
				    0);
	CHECK(child.vcore[cpu] > 0);
	child_map((struct exo_op){ .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE,
				   .flags = EXO_OP_REPLACE, .count = 1,
				   .va = EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE,
				   .frame = args.page_frame });
}

void child_make(unsigned cpus)
{
	frames_used = 0;
	make_domain();
	map_image();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (cpus & 1u << cpu)
			child_add_vcore(cpu);
}

int64_t child_gets(int64_t handle, unsigned rights)
{
	int64_t copy = exo_call(EXO_CALL_HANDLE_COPY, handle, child.domain, rights, 0);

	CHECK(copy > 0);
	return copy;
}

static void drop(int64_t handle)
{
	CHECK_EQ(exo_call(EXO_CALL_HANDLE_DROP, handle, 0, 0, 0), 0);
}

void child_end(void)
{
	uint64_t give_up = tsc() + ms(5000);
	int64_t result;

	do {
		result = exo_call(EXO_CALL_DOMAIN_KILL, child.domain, 9, 0, 0);
		if (result)
			halt(tsc() + ms(1) / 10, &seen[0]);
	} while (result && tsc() < give_up);
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
	CHECK_EQ(result, 0);
	if (result)
		return;
	/* The handles are stale, but their slots are still taken. */
	drop(child.domain);
	drop(child.shared);
	drop(child.space);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (child.vcore[cpu])
			drop(child.vcore[cpu]);
	child = (struct child){ 0 };
}

bool child_starts(struct exo_vcore_page *page, void (*main)(void))
{
	unsigned cpu = this_cpu();

	if (child_seen[cpu].started)
		return false;
	__atomic_exchange_n(&page->pending, 0, __ATOMIC_SEQ_CST);
	page->reserved1[0] = 1; /* entry.asm: resume as the child */
	page->event = (struct exo_regs){
		.rip = (uint64_t)main,
		.rsp = (uint64_t)stacks[cpu][2] + STACK_SIZE - 8,
		.rflags = 0x202,
		.cs = 0x23,
		.ss = 0x1b,
	};
	child_seen[cpu].started = true;
	return true;
}
