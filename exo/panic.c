/* SPDX-License-Identifier: MIT */
/*
 * The panic report.  One CPU wins and reports; the others are stopped by NMI, which reaches them
 * even when they spin with interrupts off.  Everything here is bounded and takes no lock.
 */
#include "kernel.h"
#include <exo/symbols.h>
#include "boot_info.h"

#define BACKTRACE_MAX 24
#define TRACE_SHOWN 12 /* events per CPU */
#define NOBODY (-1)
#define STOP_WAIT_US 100000
#define STOP_STEP_US 100

static _Atomic int reporter = NOBODY;
bool panic_resets;

extern char kernel_text_start[], kernel_text_end[];

void panic_stop_if_asked(const struct exo_regs *regs)
{
	struct cpu *cpu = this_cpu();

	if (!atomic_load(&cpu->panic_stop))
		return;
	atomic_store(&cpu->panic_stopped_at, regs->rip);
	cpu_halt_forever();
}

/* Only the first CPU reports.  One that panics while it reports has nothing more to say; any
 * other will be stopped by the first one's NMI and needs no report of its own. */
static void become_reporter(void)
{
	int expected = NOBODY;

	if (!atomic_compare_exchange_strong(&reporter, &expected, (int)this_cpu()->number))
		cpu_halt_forever();
}

/* Before anything is said: what they write would stand in the middle of it. */
static void stop_other_cpus(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (i != this_cpu()->number) {
			atomic_store(&cpu_by_number(i)->panic_stop, true);
			lapic_send(cpu_by_number(i)->apic_id, LAPIC_NMI);
		}
	for (unsigned i = 0, waited = 0; i < cpu_count; i++)
		for (; i != this_cpu()->number &&
		       !atomic_load(&cpu_by_number(i)->panic_stopped_at) && waited < STOP_WAIT_US;
		     waited += STOP_STEP_US)
			wait_us(STOP_STEP_US);
}

static bool in_kernel_text(uint64_t address)
{
	return address >= (uint64_t)kernel_text_start && address < (uint64_t)kernel_text_end;
}

/* A return address may be the start of the next function, when the call does not return; what
 * lies `before` it tells where the call was. */
static void print_location(uint64_t address, unsigned before)
{
	uint64_t offset;
	const char *name = in_kernel_text(address) ? symbol_name(address - before, &offset) : NULL;

	if (name)
		kprintf("  %p  %s+0x%lx\n", (void *)address, name, offset + before);
	else
		kprintf("  %p\n", (void *)address);
}

/* One that does not stop in time may have no part in what follows, but it should be known. */
static void print_other_cpus(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		uint64_t rip = atomic_load(&cpu_by_number(i)->panic_stopped_at);

		if (i == this_cpu()->number)
			continue;
		kprintf("CPU %u %s:\n", i, rip ? "was stopped at" : "does not stop");
		print_location(rip, 0);
	}
}

/* Follows frame pointers as long as they stay within one kernel stack and ascend. */
static void print_backtrace(uint64_t rip, uint64_t rbp)
{
	uint64_t limit = (rbp & ~(CPU_AREA_IST_STRIDE - 1)) + CPU_AREA_IST_STRIDE;

	kprintf("backtrace:\n");
	print_location(rip, 0);
	for (unsigned i = 0; i < BACKTRACE_MAX && rbp >= KERNEL_OFFSET && rbp % 8 == 0; i++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (!in_kernel_text(frame[1]))
			break;
		print_location(frame[1], 1);
		if (frame[0] <= rbp || frame[0] >= limit)
			break;
		rbp = frame[0];
	}
}

static void print_regs(const struct exo_regs *regs)
{
	static const char *const names[] = { "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8",
		"rbp", "rdi", "rsi", "rdx", "rcx", "rbx", "rax", "vector", "error", "rip", "cs",
		"rflags", "rsp", "ss" };

	for (unsigned i = 0; i < sizeof(*regs) / sizeof(uint64_t); i++)
		kprintf(" %s %p%s", names[i], ((void *const *)regs)[i], i % 4 == 3 ? "\n" : " ");
	kprintf("\n");
}

/* The CPU may still be writing: what is printed then is an event too many or half of one. */
static void print_trace(const struct cpu *cpu)
{
	uint64_t end = cpu->traced, index = end > TRACE_SHOWN ? end - TRACE_SHOWN : 0;

	kprintf("cpu %u, last of %lu events:\n", cpu->number, end);
	for (; index < end; index++) {
		const struct trace_event *event = &cpu->trace[index % TRACE_EVENTS];

		kprintf("  %lu %s 0x%lx 0x%lx\n", event->tsc, event->what, event->a, event->b);
	}
}

void panic_with_regs(const struct exo_regs *regs, const char *format, ...)
{
	va_list arguments;

	asm volatile("cli");
	become_reporter();
	stop_other_cpus();
	console_break_lock();
	kprintf("\nPANIC on CPU %u: ", this_cpu()->number);
	va_start(arguments, format);
	kvprintf(format, arguments);
	kprintf("\n");
	print_other_cpus();
	if (regs)
		print_regs(regs);
	kprintf("cr2 %p  cr3 %p  vcore %p\n", (void *)cr2_read(), (void *)cr3_read(),
		(void *)this_cpu()->current);
	print_backtrace(regs ? regs->rip : (uint64_t)panic_with_regs,
			regs ? regs->rbp : (uint64_t)__builtin_frame_address(0));
	for (unsigned i = 0; i < cpu_count && this_cpu()->stack_top; i++)
		print_trace(cpu_by_number(i));
	kprintf("exo has stopped.\n");
	if (panic_resets)
		machine_reset();
	cpu_halt_forever();
}

/* On a stack that has callers to be shown: a function that calls nobody might do without a frame. */
void panic_test(void)
{
	if (line_has_word(boot_info.loader.command_line, "panic=test")) {
		kprintf("exo: faults, as panic=test says\n");
		*(volatile int *)(CPU_AREAS_BASE - EXO_PAGE_SIZE) = 0;
	}
}

void invariant_failed(const char *condition, const char *file, unsigned line)
{
	panic("invariant does not hold: %s (%s:%u)", condition, file, line);
}
