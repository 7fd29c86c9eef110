/* SPDX-License-Identifier: MIT */
/*
 * NMIs from outside, at any instruction.  Those that the CPUs send each other with nmi=SEED (inject.c)
 * leave at an entry.  With `nmi=pin` on the boot command line a CPU takes them from its LINT1 pin as well:
 * that is where a virtual machine's monitor delivers them, at moments that have nothing to do with what the
 * CPU does (tests/script/nmi.py).  What the log says of them shows how many places they have met.
 */
#include "kernel.h"
#include "debug.h"

#define LVT_NMI (4u << 8) /* SDM vol. 3A, 11.5.1: delivery mode; such an interrupt has no vector */
#define WORD_BITS 64
#define TEXT_MAX (1ul << 20)
#define FIRST_REPORT 64

extern const char kernel_text_start[];

/* Fixed at boot. */
static bool pin;

/* Any CPU, in the middle of anything. */
static _Atomic uint64_t taken, in_kernel, on_foreign_stack, places;
static _Atomic uint64_t met[TEXT_MAX / WORD_BITS]; /* a bit for each byte of the text at which one began */

/* Any CPU, at an entry: how many there must have been before they are told of again. */
static _Atomic uint64_t next_report = FIRST_REPORT;

void nmi_init(const char *command_line)
{
	pin = line_has_word(command_line, "nmi=pin");
}

uint32_t nmi_pin(uint32_t masked)
{
	return pin ? LVT_NMI : masked;
}

/* No lock, and nothing that could fault: the kernel may be at any of its instructions. */
void nmi_taken(const struct exo_regs *regs)
{
	uint64_t at = regs->rip - (uint64_t)kernel_text_start, bit = 1ul << at % WORD_BITS;

	atomic_fetch_add(&taken, 1);
	if (regs->cs & 3)
		return;
	atomic_fetch_add(&in_kernel, 1);
	/* Before the way in has its own stack: the program's, which may be anything. */
	if ((int64_t)regs->rsp >= 0)
		atomic_fetch_add(&on_foreign_stack, 1);
	if (at < TEXT_MAX && !(atomic_fetch_or(&met[at / WORD_BITS], bit) & bit))
		atomic_fetch_add(&places, 1);
}

void nmi_report(void)
{
	uint64_t n = atomic_load(&taken), due = atomic_load(&next_report);

	if (n < due || !atomic_compare_exchange_strong(&next_report, &due, 2 * n))
		return;
	kprintf("exo: %lu NMIs, %lu of them in the kernel, at %lu of its instructions, %lu on a program's "
		"stack\n", n, in_kernel, places, on_foreign_stack);
}
