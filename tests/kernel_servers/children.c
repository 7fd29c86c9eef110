/* SPDX-License-Identifier: MIT */
/* Making, funding and ending children: see children.h. */
#include "children.h"

#define CHILD_TABLES 16 /* page tables for its shared region */

struct one children[CHILDREN_MAX];

static char stacks[CHILDREN_MAX][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static char event_stacks[CHILDREN_MAX][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static char fault_stacks[CHILDREN_MAX][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));

static struct seen *const mine = &seen[0];
static unsigned frames_used;

extern char libos_image_end[];

/* ---------------------------------------------------------------- the child's side */

struct one *this_one(void)
{
	uint64_t at = (uint64_t)__builtin_frame_address(0);

	if (at - (uint64_t)stacks < sizeof(stacks))
		return &children[(at - (uint64_t)stacks) / STACK_SIZE];
	return &children[(at - (uint64_t)event_stacks) / STACK_SIZE];
}

void child_event(struct exo_vcore_page *page)
{
	struct one *c = this_one();

	if (c->seen.started) {
		take_events(page, &c->seen);
		return;
	}
	__atomic_exchange_n(&page->pending, 0, __ATOMIC_SEQ_CST);
	page->reserved1[0] = 1; /* entry.asm: resume as the child */
	page->event = (struct exo_regs){
		.rip = (uint64_t)c->main,
		.rsp = (uint64_t)stacks[c - children] + STACK_SIZE - 8,
		.rflags = 0x202,
		.cs = 0x23,
		.ss = 0x1b,
	};
	c->seen.started = true;
}

/* They make no faults; what has an overrun goes on with what it did. */
void child_fault(struct exo_vcore_page *page)
{
	print_number("# a child faulted: ", (int64_t)page->fault.vector);
	failed = true;
	__builtin_trap();
}

void child_fault_masked(struct exo_vcore_page *page)
{
	if (page->cause != EXO_CAUSE_OVERRUN)
		child_fault(page);
	page->cause = 0;
}

/* ---------------------------------------------------------------- making it */

void children_message(const struct exo_message *m)
{
	if ((m->kind & 0xff) == EXO_MESSAGE_DEATH && m->word[0] < CHILDREN_MAX)
		children[m->word[0]].dead = true;
}

static uint64_t new_frame(void)
{
	return spare_frame(FRAMES_OF_SUITE + frames_used++);
}

static void map(struct one *c, struct exo_op op)
{
	struct exo_update call = { .ops = (uint64_t)&op, .op_count = 1 };
	int64_t result;

	do
		result = exo_call(EXO_CALL_UPDATE, c->shared, (uint64_t)&call, 0, 0);
	while (result == 1);
	CHECK_EQ(result, 0);
}

static bool goes_on(const struct exo_op *op, unsigned prot, uint64_t frame)
{
	return op->count && prot == op->prot && frame == op->frame + op->count;
}

/* As many pages as are alike, and one behind the other in memory, in one operation. */
static void map_image(struct one *c)
{
	struct exo_op op = { .code = EXO_OP_MAP };

	for (uint64_t va = EXO_SHARED_BASE; va < (uint64_t)libos_image_end; va += EXO_PAGE_SIZE) {
		uint64_t pte = EXO_PTE(va), frame = EXO_PTE_FRAME(pte);
		unsigned prot = EXO_PROT_READ | (pte & EXO_PTE_WRITE ? EXO_PROT_WRITE : 0) |
				(pte & EXO_PTE_NX ? 0 : EXO_PROT_EXEC);

		if (goes_on(&op, prot, frame)) {
			op.count++;
			continue;
		}
		if (op.count)
			map(c, op);
		op = (struct exo_op){ .code = EXO_OP_MAP, .prot = prot, .count = 1, .va = va,
				      .frame = frame };
	}
	map(c, op);
}

static void make_domain(struct one *c)
{
	struct exo_domain_create args = {
		.object_frame = new_frame(),
		.handle_frame = new_frame(),
		.shared_object_frame = new_frame(),
		.shared_root_frame = new_frame(),
		.entries = child_entries,
		.parent_word = c - children,
	};
	uint64_t tables[CHILD_TABLES];

	c->domain = exo_call(EXO_CALL_DOMAIN_CREATE, vcore_handle(0), (uint64_t)&args, 0, 0);
	CHECK(c->domain > 0);
	c->shared = args.shared;
	for (unsigned i = 0; i < CHILD_TABLES; i++)
		tables[i] = new_frame();
	CHECK_EQ(exo_call(EXO_CALL_SPACE_FEED, c->shared, (uint64_t)tables, CHILD_TABLES, 0), 0);
	c->space = exo_call(EXO_CALL_SPACE_CREATE, c->domain, new_frame(), new_frame(), 0);
	CHECK(c->space > 0);
}

static void make_vcore(struct one *c)
{
	unsigned number = c - children;
	struct exo_vcore_create args = {
		.cpu = 0,
		.object_frame = new_frame(),
		.vector_frame = new_frame(),
		.page_frame = new_frame(),
		.stack_top = (uint64_t)event_stacks[number] + STACK_SIZE,
		.fault_stack_top = (uint64_t)fault_stacks[number] + STACK_SIZE,
	};

	c->vcore = exo_call(EXO_CALL_VCORE_CREATE, c->domain, c->space, (uint64_t)&args, 0);
	CHECK(c->vcore > 0);
	map(c, (struct exo_op){ .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = 1,
				.va = EXO_VCORE_BASE, .frame = args.page_frame });
}

void one_make(struct one *c, void (*main)(void))
{
	*c = (struct one){ .main = main };
	make_domain(c);
	map_image(c);
	make_vcore(c);
}

void one_fund(struct one *c, uint64_t budget_ns)
{
	c->sc = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), new_frame(), budget_ns, 10000000);
	CHECK(c->sc > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, c->sc, c->vcore, 0, 0), 0);
}

void one_start(struct one *c)
{
	CHECK_EQ(exo_call(EXO_CALL_VCORE_START, c->vcore, 0, 0, 0), 0);
}

void pass_ms(uint64_t n)
{
	uint64_t end = tsc() + ms(n);

	while (tsc() < end)
		halt(end, mine);
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
}

bool children_left(void)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++)
		if (children[i].domain)
			return true;
	return false;
}

static void drop(int64_t handle)
{
	if (handle > 0)
		CHECK_EQ(exo_call(EXO_CALL_HANDLE_DROP, handle, 0, 0, 0), 0);
}

void one_end(struct one *c)
{
	uint64_t give_up = tsc() + ms(5000);
	int64_t result, domain = c->domain;

	do {
		result = exo_call(EXO_CALL_DOMAIN_KILL, c->domain, 9, 0, 0);
		if (result)
			pass_ms(1);
	} while (result && tsc() < give_up);
	CHECK_EQ(result, 0);
	if (!result)
		c->domain = 0;
	CHECK(c->dead);
	if (c->sc)
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, c->sc, 0, 0, 0), 0);
	drop(c->sc);
	c->sc = 0;
	drop(c->vcore);
	drop(c->space);
	drop(c->shared);
	if (!result)
		drop(domain);
	if (!children_left())
		frames_used = 0;
}
