/* SPDX-License-Identifier: MIT */
/* The end of a libos that has found a bug in itself: it says all it knows and gives up its domain. */
#include <exo/abi.h>
#include <exo/symbols.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "core/exo.h"
#include "core/image.h"
#include "core/log.h"
#include "core/task.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "sched/library.h"
#include "sched/load.h"
#include "trace/trace.h"

#define BACKTRACE_MAX 24
#define PANIC_STATUS 127

/* CPU + 1 of the first that panics; the others stop where they come here. */
static _Atomic int panicking;

/* A return address may be the start of the next function, when the call does not return; what
 * lies `before` it tells where the call was. */
static void print_location(uint64_t address, unsigned before)
{
	uint64_t offset = 0;
	const char *name = libos_text_contains(address) ? symbol_name(address - before, &offset) : NULL;

	log_print("  %016lx  %s+0x%lx\n", address, name ? name : "?", offset + before);
}

/* Frame pointers, as far as they lead upwards inside the shared region. */
static void print_backtrace(uint64_t rip, uint64_t rbp)
{
	print_location(rip, 0);
	for (int i = 0; i < BACKTRACE_MAX; i++) {
		if (rbp < EXO_SHARED_BASE || rbp >= EXO_SHARED_END || rbp % 8 != 0)
			return;
		const uint64_t *frame = (const uint64_t *)rbp;

		if (!frame[1])
			return;
		print_location(frame[1], 1);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

static void print_regs(const struct exo_regs *r)
{
	log_print("rip %016lx rsp %016lx rbp %016lx flags %lx\n", r->rip, r->rsp, r->rbp, r->rflags);
	log_print("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	log_print("rsi %016lx rdi %016lx r8  %016lx r9  %016lx\n", r->rsi, r->rdi, r->r8, r->r9);
	log_print("r10 %016lx r11 %016lx r12 %016lx r13 %016lx\n", r->r10, r->r11, r->r12, r->r13);
	log_print("r14 %016lx r15 %016lx\n", r->r14, r->r15);
}

static void print_library(const char *what, const struct sched_ops *ops)
{
	const char *path = sched_loaded_path(ops);

	log_print("libos: %s %s, %s%s\n", what, ops->name, path ? "loaded from " : "linked in",
		  path ? path : "");
}

/* The one that this CPU follows, which keeps it where it is.  A loaded one may have written where it
 * should not, long before; and most of all one that was ejected since. */
static void print_schedulers(const struct sched_instance *s)
{
	const struct sched_ops *ejected = atomic_load_explicit(&sched_ejected, memory_order_relaxed);

	if (s)
		print_library("scheduler", s->ops);
	if (ejected)
		print_library("ejected before:", ejected);
}

static void print_where(void)
{
	const struct vcore *v = this_vcore();
	const struct task *t = v->current;

	log_print("libos: CPU %d, masked %u deep, task %u (%s)\n", v->cpu, v->mask_depth,
		  t ? t->self.id : 0, t ? t->name : "none");
	for (unsigned i = 0; i < v->held_count; i++)
		log_print("  holds %s (rank %u)\n", v->held[i]->name, v->held[i]->rank);
}

_Noreturn static void give_up(void)
{
	for (;;)
		exo_domain_kill(EXO_HANDLE(EXO_SLOT_DOMAIN), PANIC_STATUS);
}

/* One that panics while it reports has nothing more to say. */
static void become_reporter(void)
{
	int self = this_vcore()->cpu + 1, reporter = 0;

	upcalls_mask();
	if (atomic_compare_exchange_strong(&panicking, &reporter, self))
		return;
	while (reporter != self)
		exo_halt(this_vcore()->page->token, 0);
	give_up();
}

_Noreturn static void report(const struct exo_regs *regs, uint64_t rip, uint64_t rbp,
			     const char *fmt, va_list ap)
{
	char line[256];

	become_reporter();
	vformat(line, sizeof(line), fmt, ap);
	log_print("\nlibos: panic: %s\n", line);
	print_where();
	if (EXO_INJECT)
		inject_report();
	if (regs)
		print_regs(regs);
	print_backtrace(rip, rbp);
	print_schedulers(this_vcore()->queue.instance);
	trace_print_last(this_vcore());
	give_up();
}

_Noreturn void libos_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(NULL, (uint64_t)libos_panic, (uint64_t)__builtin_frame_address(0), fmt, ap);
}

_Noreturn void libos_panic_with_regs(const struct exo_regs *regs, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(regs, regs->rip, regs->rbp, fmt, ap);
}
