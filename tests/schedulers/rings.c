/* SPDX-License-Identifier: MIT */
/*
 * Round robin that is abandoned within sched_resched(): its setparam() calls it for CPU 1 with `room` bytes
 * of stack left, which at some number are enough to note the request there, and too few to ring.
 */
#include <libos/sched.h>

#define PAGE 4096ul
#define STACK_SIZE (7 * PAGE) /* a callback's; what is begun of it here is less than a page */

struct rings_cpu {
	struct sched_fifo ready;
};

static uint64_t room;

static const struct sched_tunable tunables[] = {
	{ "room", &room, 0, PAGE }, /* 0: it does nothing */
	{ 0 },
};

static void rings_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct rings_cpu *c = sched_cpu_private(cpu);

	sched_fifo_push_back(&c->ready, t);
}

static void rings_dequeue(int cpu, struct task *t)
{
	struct rings_cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

static struct sched_run rings_pick(int cpu, struct task *prev)
{
	struct rings_cpu *c = sched_cpu_private(cpu);

	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(4) };
}

static void rings_setparam(struct task *t, int key, long value)
{
	uint64_t top = ((uint64_t)__builtin_frame_address(0) + PAGE - 1) & ~(PAGE - 1);

	if (key != SCHED_PARAM_NICE || !room)
		return;
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %0, %%rsp\n\tcall *%1\n\tmov %%rbx, %%rsp"
			 : : "r"(top - STACK_SIZE + room), "r"(sched_resched), "D"(1)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
}

static const struct sched_ops rings = {
	.name = "rings",
	.abi = SCHED_ABI,
	.cpu_size = sizeof(struct rings_cpu),
	.enqueue = rings_enqueue,
	.dequeue = rings_dequeue,
	.pick = rings_pick,
	.setparam = rings_setparam,
	.tunables = tunables,
};
SCHED_LIBRARY(rings);
