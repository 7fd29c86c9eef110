/* SPDX-License-Identifier: MIT */
/*
 * The boot CPU's way from the boot loader to the first domain: on the boot tables, what has to be read
 * before memory is mapped for good; on the kernel's own, the devices and CPUs; and then the domain.  All
 * on the boot stack, which is left when the first vcore is entered: what enters the kernel afterwards
 * begins on the stack of the CPU's own area.
 */
#include "kernel.h"
#include "boot_info.h"

#define LOADER_INFO_MAX (1u << 20)

struct boot_info boot_info;

/* ACPI tables are read while the boot page tables are in force, which map the first 4 GiB. */
static const void *read_early(void *context, uint64_t address, size_t size)
{
	if (address == 0 || address >= EARLY_MAP_END || size > EARLY_MAP_END - address)
		return NULL;
	return phys_to_virt(address);
}

static void read_loader_info(uint64_t address)
{
	const void *information = phys_to_virt(address);
	uint32_t size = *(const uint32_t *)information;
	struct multiboot2_info *loader = &boot_info.loader;
	const char *error;

	if (size > LOADER_INFO_MAX)
		panic("multiboot2: the information claims to be %u bytes long", size);
	error = multiboot2_parse(information, size, loader);
	if (error)
		panic("%s", error);
	debug_init(loader->command_line);
	panic_resets = line_has_word(loader->command_line, "panic=reset");
	frame_table_init(loader, address, size);
}

static void read_acpi(void)
{
	const struct multiboot2_info *loader = &boot_info.loader;

	if (!loader->rsdp)
		panic("the boot loader found no ACPI tables");
	if (!acpi_parse(loader->rsdp, loader->rsdp_size, read_early, NULL, &boot_info.acpi))
		panic("ACPI: %s: %s", boot_info.acpi.broken_table, boot_info.acpi.message);
}

void exo_main(uint32_t magic, uint32_t information) __attribute__((cold));
void exo_main(uint32_t magic, uint32_t information)
{
	/* The boot CPU's until it has an area; locks and panic need one.  It goes with the boot stack. */
	struct cpu early_block = { 0 };

	boot_info.boot_tsc = tsc_read();
	segments_set_block(&early_block);
	console_init();
	features_detect();
	features_patch();
	features_enable();
	idt_init();
	idt_load();
	if (magic != MULTIBOOT2_LOADER_MAGIC)
		panic("not loaded by a Multiboot2 boot loader");
	read_loader_info(information);
	kprintf("exo: %s\n", boot_info.loader.command_line);
	read_acpi();
	paging_init();
	cr3_write(kernel_root);
	lapic_init(boot_info.acpi.lapic_address);
	ioapic_init(&boot_info.acpi);
	smp_init(&boot_info.acpi);
	kprintf("exo: %u CPUs\n", cpu_count);
	first_domain_create();
	panic_test();
	cpu_run();
}
