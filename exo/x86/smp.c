/* SPDX-License-Identifier: MIT */
/*
 * Bringing up CPUs.  All are made ready at once, while the boot CPU measures its clocks, and started one at
 * a time, since they share the trampoline's page.  A started CPU gets its block from the trampoline, makes
 * itself at home, reports by setting `arrived`, measures its clocks while the next one is started, and
 * sleeps until it has a vcore to run.  Before it reports it takes no lock and prints nothing, because one
 * that is too slow is stopped wherever it stands.
 */
#include "kernel.h"

/* SDM vol. 3A, "Typical BSP Initialization Sequence": INIT, 10 ms, SIPI, 200 us, SIPI. */
#define INIT_WAIT_US 10000
_Static_assert(CALIBRATION_US >= INIT_WAIT_US, "who measures waits long enough");
#define STARTUP_WAIT_US 200
#define ARRIVAL_WAIT_US 2000000
#define ARRIVAL_STEP_US 50

unsigned cpu_count = 1;

extern char trampoline_start[], trampoline_end[], trampoline_cpu[];
extern uint64_t boot_pml4[];

/* The CPU that is being started sets it (release: its block is filled in). */
static atomic_bool arrived;

static void prepare_block(unsigned number, uint32_t apic_id)
{
	struct cpu *cpu = cpu_by_number(number);

	cpu->self = cpu;
	cpu->number = number;
	cpu->apic_id = apic_id;
	cpu->others = (1ul << number) - 1;
	cpu->stack_top = (uint64_t)cpu;
}

/* What every CPU does for itself. */
static void cpu_init(struct cpu *cpu)
{
	cr3_write(kernel_root);
	features_enable();
	segments_init(cpu);
	idt_load();
	lapic_enable();
	cpu->apic_id = lapic_id();
}

/* From boot/trampoline.asm. */
void other_cpu_main(struct cpu *cpu);
void other_cpu_main(struct cpu *cpu)
{
	cpu_init(cpu);
	atomic_store_explicit(&arrived, true, memory_order_release);
	calibrate_cpu();
	cpu_run();
}

static bool wait_for_arrival(uint64_t us)
{
	bool there;

	for (uint64_t waited = 0; !(there = atomic_load(&arrived)) && waited < us; waited += ARRIVAL_STEP_US)
		wait_us(ARRIVAL_STEP_US);
	return there;
}

static bool start_cpu(uint32_t apic_id)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!lapic_send(apic_id, LAPIC_STARTUP | TRAMPOLINE_PAGE >> 12))
			return false;
		if (wait_for_arrival(STARTUP_WAIT_US))
			return true;
	}
	return wait_for_arrival(ARRIVAL_WAIT_US);
}

/*
 * Starts one CPU, which has had its INIT, as number cpu_count.  One that does not answer in time is sent
 * back to wait for a start that never comes, so that it cannot wake up later in an area that is another
 * CPU's by then.
 */
static void bring_up(uint32_t apic_id)
{
	struct cpu *cpu = cpu_by_number(cpu_count);
	char *trampoline = phys_to_virt(TRAMPOLINE_PAGE);

	memset(cpu, 0, sizeof(*cpu));
	prepare_block(cpu_count, apic_id);
	memcpy(trampoline, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*(struct cpu **)(trampoline + (trampoline_cpu - trampoline_start)) = cpu;
	atomic_store(&arrived, false);
	if (start_cpu(apic_id)) {
		for (unsigned i = 0; i < cpu_count; i++)
			cpu_by_number(i)->others |= 1ul << cpu_count;
		cpu_count++;
		return;
	}
	lapic_send(apic_id, LAPIC_INIT);
	wait_us(INIT_WAIT_US);
	kprintf("exo: the CPU with APIC %u does not start and is left out\n", apic_id);
}

void smp_init(const struct acpi_info *acpi)
{
	void *saved = frame_pointer(frame_take(0, EXO_FRAME_KERNEL));

	prepare_block(0, 0);
	cpu_init(cpu_by_number(0));
	for (unsigned i = 0; i < acpi->cpu_count; i++)
		if (acpi->apic_ids[i] != this_cpu()->apic_id)
			lapic_send(acpi->apic_ids[i], LAPIC_INIT);
	calibrate_cpu();
	memcpy(saved, phys_to_virt(TRAMPOLINE_PAGE), EXO_PAGE_SIZE);
	/* The trampoline's first instructions run where the boot tables map memory one to one;
	 * everything after them in the kernel's part. */
	paging_share_kernel(phys_to_virt((uint64_t)boot_pml4));
	/* There is an area for each that is listed; this one is there, listed or not. */
	for (unsigned i = 0; i < acpi->cpu_count && cpu_count < acpi->cpu_count; i++)
		if (acpi->apic_ids[i] != this_cpu()->apic_id)
			bring_up(acpi->apic_ids[i]);
	memcpy(phys_to_virt(TRAMPOLINE_PAGE), saved, EXO_PAGE_SIZE);
	for (unsigned i = 1; i < cpu_count; i++)
		while (!atomic_load_explicit(&cpu_by_number(i)->is_calibrated, memory_order_acquire))
			cpu_pause(); /* it panics if it cannot */
	if (acpi->cpus_left_out)
		kprintf("exo: %u more CPUs than the kernel takes\n", acpi->cpus_left_out);
}
