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
static const struct object *let_go;
static uint64_t armed;

unsigned cpu_count = 1;

static struct cpu *this_cpu(void)
{
	return &block;
}

#include "../../exo/vcore_calls.c"

void space_load(struct space *s)
{
	loaded = s;
}

void timer_arm(struct vcore *v, uint64_t deadline_tsc)
{
	armed = deadline_tsc;
}

void object_put(struct object *o)
{
	let_go = o;
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
	let_go = NULL;
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

/* The reference to where it goes becomes the vcore's, and that to where it was ends.  A view of where it is
 * has none. */
static void a_switch_takes_one_reference_for_another(void)
{
	struct exo_regs regs = { .rsi = TOKEN };
	struct handle_view away = { .space = &there }, stay = { .kept = true, .space = &here };

	start();
	CHECK_EQ(call_switch(&regs, &stay), 0);
	CHECK(caller.space == &here && !let_go);
	CHECK_EQ(call_switch(&regs, &away), 0);
	CHECK(away.kept && let_go == &here.object);
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
	RUN(a_switch_takes_one_reference_for_another);
	RUN(a_halt_needs_the_token);
	RUN(a_donation_needs_the_token);
	RUN(a_reply_needs_the_token);
	return check_result();
}
