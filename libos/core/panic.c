/* SPDX-License-Identifier: MIT */
/* The end of a libos that has found a bug in itself: it says all it knows and gives up its domain. */
#include <exo/abi.h>
#include <stdatomic.h>
#include "core/exo.h"
#include "core/log.h"
#include "core/task.h"
#include "core/vcore.h"
#include "trace/trace.h"

#define BACKTRACE_MAX 24
#define PANIC_STATUS 127

/* Set by the first CPU that panics; the others stop where they come here. */
static _Atomic int panicking;

/* Frame pointers, as far as they lead upwards inside the shared region. */
static void print_backtrace(uint64_t rbp)
{
	for (int i = 0; i < BACKTRACE_MAX; i++) {
		if (rbp < EXO_SHARED_BASE || rbp >= EXO_SHARED_END || rbp % 8 != 0)
			return;
		const uint64_t *frame = (const uint64_t *)rbp;

		log_print("  %016lx\n", frame[1]);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
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

_Noreturn void libos_panic(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	upcalls_mask();
	while (atomic_exchange_explicit(&panicking, 1, memory_order_acq_rel))
		exo_halt(this_vcore()->page->token, 0);
	va_start(ap, fmt);
	vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_print("\nlibos: panic: %s\n", line);
	print_where();
	print_backtrace((uint64_t)__builtin_frame_address(0));
	trace_print_last(this_vcore());
	for (;;)
		exo_domain_kill(EXO_HANDLE(EXO_SLOT_DOMAIN), PANIC_STATUS);
}
