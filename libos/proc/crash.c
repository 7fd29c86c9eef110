/* SPDX-License-Identifier: MIT */
/*
 * See crash.h.  Two lines: what happened where, and where the functions that it happened in were called.
 *
 * Programs keep no frame pointers, and the libos does not read their debug information.  So what counts as
 * a return address is each word of the stack behind which a call stands: all callers are among them, and
 * perhaps some calls that have returned.
 *
 * Only what is in memory is looked at: its callers' code has run, and its stack was written.  Else a stack of
 * pointers would bring in a page for each, for a program that needs none any more.
 */
#include "proc/crash.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <exo/abi.h>
#include "core/exception.h"
#include "core/log.h"
#include "core/usercopy.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/time.h"

#define STACK_NEAR 65536ul /* an access so near to the stack pointer is meant for the stack */
#define SCANNED_WORDS 2048
#define CALLERS_MAX 12
#define GAPS_MAX 16 /* pages that are not there, where the stack has run out */

/* So many are told of in so long a time: who crashes in a loop is not to fill the log. */
#define REPORTS_MAX 10
#define REPORTS_NS 5000000000ul

/* Any CPU.  Two that begin a new time together let some more through, which does no harm. */
static _Atomic uint64_t window_start_ns;
static _Atomic unsigned reported;

static bool may_report(void)
{
	uint64_t now_ns = time_now_ns();

	if (now_ns - atomic_load_explicit(&window_start_ns, memory_order_relaxed) > REPORTS_NS) {
		atomic_store_explicit(&window_start_ns, now_ns, memory_order_relaxed);
		atomic_store_explicit(&reported, 0, memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&reported, 1, memory_order_relaxed) < REPORTS_MAX;
}

static const char *name_of(int number)
{
	switch (number) {
	case SIGILL:
		return "SIGILL";
	case SIGTRAP:
		return "SIGTRAP";
	case SIGBUS:
		return "SIGBUS";
	case SIGFPE:
		return "SIGFPE";
	default:
		return "SIGSEGV";
	}
}

static void say_what(char *to, size_t size, const struct exo_regs *frame, int number,
		     const struct signal_info *info)
{
	uint64_t address = info ? info->fault.address : 0;
	const char *why = ", where nothing is mapped";
	char did[64];

	if (!info) {
		format(to, size, "no room on its stack to call a signal's handler");
		return;
	}
	if (number == SIGBUS)
		why = ", beyond the end of the file";
	else if (info->code == SEGV_ACCERR)
		why = ", which it may not";
	exception_describe(did, sizeof(did), frame, address);
	if (!exception_is_page_fault(frame))
		format(to, size, "%s", did);
	else if (address - frame->rsp + STACK_NEAR < 2 * STACK_NEAR)
		format(to, size, "%s%s: has its stack run out?", did, why);
	else
		format(to, size, "%s%s", did, why);
}

/* While masked no page can be fetched: a copy that needs one fails (core/usercopy.h). */
static bool peek(void *to, uint64_t from, size_t n)
{
	bool is_there;

	upcalls_mask();
	is_there = copy_from_user(to, from, n) == 0;
	upcalls_unmask();
	return is_there;
}

static bool follows_call(uint64_t address)
{
	uint8_t code[CALL_LONGEST];

	return address >= CALL_LONGEST && peek(code, address - CALL_LONGEST, CALL_LONGEST) &&
	       ends_with_call(code + CALL_LONGEST);
}

static void list_callers(char *to, size_t size, uint64_t at)
{
	unsigned found = 0, gaps = 0, scanned = 0;
	size_t used = 0;
	uint64_t word;

	*to = 0;
	while (scanned < SCANNED_WORDS && found < CALLERS_MAX && gaps < GAPS_MAX) {
		if (!peek(&word, at, sizeof(word))) {
			gaps++;
			at = (at | (EXO_PAGE_SIZE - 1)) + 1;
			continue;
		}
		if (follows_call(word)) {
			used += (size_t)format(to + used, size - used, " 0x%lx", word - 1);
			found++;
		}
		scanned++;
		at += sizeof(word);
	}
}

void crash_report(const struct task *t, int number, const struct signal_info *info)
{
	const struct exo_regs *frame = t->frame;
	const struct process *p = t->process;
	char what[112], callers[CALLERS_MAX * 19 + 1];

	if (!may_report())
		return;
	say_what(what, sizeof(what), frame, number, info);
	log_print("%s (pid %u) is ended by %s at 0x%lx, stack pointer 0x%lx: %s\n", p->name, p->pid,
		  name_of(number), frame->rip, frame->rsp, what);
	list_callers(callers, sizeof(callers), frame->rsp);
	if (callers[0])
		log_print("%s (pid %u) was called, as far as its stack tells, at%s\n", p->name,
			  p->pid, callers);
}
