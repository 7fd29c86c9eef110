/* SPDX-License-Identifier: MIT */
/* Exo calls: from a number to a handler with its object, and two that fit nowhere else. */
#include "kernel.h"
#include "calls.h"

#define DEBUG_WRITE_MAX 1024

/* (buffer, length) */
int64_t call_debug_write(struct exo_regs *regs, struct handle_view *h)
{
	char text[DEBUG_WRITE_MAX];
	int error;

	if (regs->rsi > sizeof(text))
		return -E2BIG;
	error = copy_from_user(text, regs->rdi, regs->rsi);
	if (error)
		return error;
	console_write(text, regs->rsi);
	return regs->rsi;
}

/* (ports handle): restart.  Who holds all ports can do the same by hand. */
int64_t call_reset(struct exo_regs *regs, struct handle_view *h)
{
	machine_reset();
}

#define CALL_ENTRY(number, handler, kind, rights) \
	[EXO_CALL_##number] = { handler, kind, rights },

static const struct {
	int64_t (*handler)(struct exo_regs *regs, struct handle_view *h);
	enum object_kind kind;
	unsigned rights;
} calls[EXO_CALLS] = { EXO_CALL_LIST(CALL_ENTRY) };

static int64_t call(uint64_t number, struct exo_regs *regs)
{
	struct handle_view h = { .kind = OBJECT_NONE };
	int64_t result;

	if (number >= EXO_CALLS)
		return -ENOSYS;
	if (calls[number].kind == OBJECT_NONE)
		return calls[number].handler(regs, &h);
	result = handle_view(domain_current(), regs->rdi, calls[number].kind, calls[number].rights, &h);
	if (result)
		return result;
	/* A space that is being destroyed: see space_lookup(). */
	if (calls[number].kind == OBJECT_SPACE && atomic_load(&h.space->dying))
		result = -EBADF;
	else
		result = calls[number].handler(regs, &h);
	if (!h.kept)
		handle_view_put(&h);
	return result;
}

struct exo_regs *exo_call_entry(struct exo_regs *regs)
{
	this_cpu()->stats.exo_calls++;
	regs->rax = call(regs->rax, regs);
	return run_exit(regs);
}
