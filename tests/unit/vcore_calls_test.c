/* SPDX-License-Identifier: MIT */
/* exo/vcore_calls.c, included: what a vcore has decided before it lost its CPU is refused, by its token. */
#include <string.h>
#include "check.h"
#define this_cpu this_cpu_of_the_machine
#include "kernel.h"
#undef this_cpu

enum { STALE = 4, TOKEN = 5 };

static struct cpu block;
static struct domain domain;
static struct space here = { .object = { .owner = &domain } }, there = { .object = { .owner = &domain } };
static struct exo_vcore_page page;
static struct vcore caller, other;
static const struct space *loaded;
static uint64_t armed;

unsigned cpu_count = 1;

static struct cpu *this_cpu(void)
{
	return &block;
}

#include "../../exo/vcore_calls.c"

void tlb_load(uint64_t root_frame, struct space *s, struct space *shared)
{
	CHECK(caller.space == s); /* who would destroy it finds us there */
	loaded = s;
}

_Atomic uint64_t stale_clock;

void timer_arm(struct vcore *v, uint64_t deadline_tsc)
{
	armed = deadline_tsc;
}

void run_account(struct cpu *cpu, uint64_t now) {}
bool run_stats(struct cpu *of, struct exo_cpu_stats *out) { return false; }
void vcore_ring(struct vcore *v, uint64_t bits) {}
int copy_to_user(uint64_t to, const void *from, size_t size) { return 0; }

static void start(void)
{
	memset(&block, 0, sizeof(block));
	page = (struct exo_vcore_page){ .masked = 1 };
	caller = (struct vcore){ .object = { .owner = &domain }, .page = &page, .space = &here,
				.token = TOKEN, .where = VCORE_RUNNING };
	other = (struct vcore){ .where = VCORE_HALTED };
	block.current = &caller;
	loaded = NULL;
	stale_clock = 7;
	armed = 0;
}

/* -> what the call says with this token. */
static int64_t switch_with(uint64_t token)
{
	struct exo_regs regs = { .rsi = token };
	struct handle_view view = { .space = &there };

	start();
	return call_switch(&regs, &view);
}

static int64_t halt_with(uint64_t token)
{
	struct exo_regs regs = { .rdi = token, .rsi = 77 };

	start();
	return call_halt(&regs, NULL);
}

static int64_t donate_with(uint64_t token)
{
	struct exo_regs regs = { .rsi = token };
	struct handle_view view = { .vcore = &other };

	start();
	return call_donate(&regs, &view);
}

static int64_t reply_with(uint64_t token)
{
	struct exo_regs regs = { .rdi = token };

	start();
	caller.donor = &other;
	return call_reply(&regs, NULL);
}

static void a_switch_needs_the_token(void)
{
	CHECK_EQ(switch_with(STALE), -EAGAIN);
	CHECK(!loaded && caller.space == &here);
	CHECK_EQ(switch_with(TOKEN), 0);
	CHECK(loaded == &there && caller.space == &there);
}

/* The reference goes when the vcore is there; who calls puts it. */
static void a_switch_keeps_no_reference(void)
{
	struct exo_regs regs = { .rsi = TOKEN };
	struct handle_view away = { .space = &there };

	start();
	CHECK_EQ(call_switch(&regs, &away), 0);
	CHECK(!away.kept && caller.space == &there);
}

enum { HANDLE = 5 };
static bool has_been_called;

void entry_ends(void) {}

bool call_by_number(struct cpu *cpu, struct exo_regs *regs)
{
	has_been_called = true;
	return false;
}

static bool switch_by_name(uint64_t handle, uint64_t token, uint64_t clock)
{
	struct exo_regs regs = { .rax = EXO_CALL_SWITCH, .rdi = handle, .rsi = token };
	bool done;

	start();
	has_been_called = false;
	block.run.space = &here;
	caller.names[HANDLE] = (struct space_name){ HANDLE, clock, &there, 1 };
	CHECK(!switch_at_once(&block, &regs));
	done = !has_been_called;
	CHECK_EQ(regs.rax, done ? 0 : EXO_CALL_SWITCH);
	CHECK(caller.space == (done ? &there : &here) && loaded == (done ? &there : NULL));
	CHECK_EQ(block.stats.switches, done);
	return done;
}

/* As long as nothing has become stale. */
static void a_space_that_is_remembered_is_switched_to_at_once(void)
{
	CHECK(switch_by_name(HANDLE, TOKEN, 7));
	CHECK(!switch_by_name(HANDLE, STALE, 7));
	CHECK(!switch_by_name(HANDLE, TOKEN, 6));
	CHECK(!switch_by_name(HANDLE + SPACE_NAMES, TOKEN, 7));
	CHECK(!switch_by_name(HANDLE + (1ul << 32), TOKEN, 7));
}

static void a_halt_needs_the_token(void)
{
	CHECK_EQ(halt_with(STALE), -EAGAIN);
	CHECK(block.run.wish == RUN_GO_ON && !armed);
	CHECK_EQ(halt_with(TOKEN), 0);
	CHECK(block.run.wish == RUN_HALT && armed == 77);
}

static void a_donation_needs_the_token(void)
{
	CHECK_EQ(donate_with(STALE), -EAGAIN);
	CHECK(block.run.wish == RUN_GO_ON);
	CHECK_EQ(donate_with(TOKEN), 0);
	CHECK(block.run.wish == RUN_DONATE && block.run.wish_vcore == &other);
}

static void a_reply_needs_the_token(void)
{
	CHECK_EQ(reply_with(STALE), -EAGAIN);
	CHECK(block.run.wish == RUN_GO_ON);
	CHECK_EQ(reply_with(TOKEN), 0);
	CHECK(block.run.wish == RUN_REPLY);
}

int main(void)
{
	RUN(a_switch_needs_the_token);
	RUN(a_switch_keeps_no_reference);
	RUN(a_space_that_is_remembered_is_switched_to_at_once);
	RUN(a_halt_needs_the_token);
	RUN(a_donation_needs_the_token);
	RUN(a_reply_needs_the_token);
	return check_result();
}
