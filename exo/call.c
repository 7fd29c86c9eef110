/* SPDX-License-Identifier: MIT */
/* Exo calls: from a number to a handler with its object, and two that fit nowhere else. */
#include "kernel.h"
#include "calls.h"

#define DEBUG_WRITE_MAX 1024

/* (buffer, length) */
int64_t call_debug_write(struct exo_regs *regs, struct handle_view *h)
{
	char text[DEBUG_WRITE_MAX];

	if (regs->rsi > sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, regs->rdi, regs->rsi))
		return -EFAULT;
	console_write(text, regs->rsi);
	return regs->rsi;
}

/* (ports handle): restart.  Who holds all ports can do the same by hand. */
int64_t call_reset(struct exo_regs *regs, struct handle_view *h)
{
	machine_reset();
}

#define EXO_RIGHT_NONE 0
#define CALL_ENTRY(number, handler, kind, right, second_kind, second_right)                \
	[EXO_CALL_##number] = { handler, { { OBJECT_##kind, EXO_RIGHT_##right },           \
					   { OBJECT_##second_kind, EXO_RIGHT_##second_right } } },

static const struct call {
	int64_t (*handler)(struct exo_regs *regs, struct handle_view *h);
	struct {
		uint8_t kind, rights;
	} needs[2];
} calls[EXO_CALLS] = { EXO_CALL_LIST(CALL_ENTRY) };
#define CALL_ZERO(...) 0,
_Static_assert(sizeof((char[]){ EXO_CALL_LIST(CALL_ZERO) }) == EXO_CALLS, "each number has its handler");

__attribute__((noinline)) bool call_by_number(struct cpu *cpu, struct exo_regs *regs)
{
	const struct call *c = &calls[regs->rax];
	struct handle_view h[2];
	int64_t result;

	asm("" : "+r"(c)); /* kept in a register, not worked out again */
	if (regs->rax < EXO_CALLS && c->needs[0].kind == OBJECT_SPACE && !c->needs[1].kind &&
	    handle_names_loaded(cpu, regs->rdi)) {
		h[0].space = cpu->run.space; /* all that is needed, and nothing to put */
		result = c->handler(regs, h);
	} else {
		struct domain *d = cpu->current->object.owner;

		h[0].kept = h[1].kept = true; /* until there is something to put */
		result = regs->rax < EXO_CALLS ? 0 : -ENOSYS;
		if (!result && c->needs[0].kind)
			result = handle_view(d, regs->rdi, c->needs[0].kind, c->needs[0].rights, &h[0]);
		if (!result && c->needs[1].kind)
			result = handle_view(d, regs->rsi, c->needs[1].kind, c->needs[1].rights, &h[1]);
		if (!result)
			result = c->handler(regs, h);
		handle_view_put(&h[0]);
		handle_view_put(&h[1]);
	}
	regs->rax = result;
	tlb_catch_up();
	debug_entry_ends();
	return run_has_work(&cpu->run);
}

bool exo_call_entry(struct exo_regs *regs)
{
	struct cpu *cpu = this_cpu();

	debug_entry_begins(VECTOR_EXO_CALL);
	cpu->stats.exo_calls++;
	return regs->rax == EXO_CALL_SWITCH ? switch_at_once(cpu, regs) : call_by_number(cpu, regs);
}
