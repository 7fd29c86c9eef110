/* SPDX-License-Identifier: MIT */
/*
 * What the kernel needs from the ACPI tables: CPUs, interrupt controllers and the power-management
 * timer.  Powering off is the libos's affair.  Pure: it reads memory only through the caller's
 * function, so that it can be tested and fuzzed on the host.
 */
#ifndef EXO_ACPI_H
#define EXO_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_CPUS_MAX 64
#define ACPI_IOAPICS_MAX 8
#define ACPI_ISA_LINES 16

struct acpi_ioapic { uint32_t address, gsi_base; };

/* Where an ISA interrupt line arrives and what it looks like there. */
struct acpi_isa_line {
	uint32_t gsi;
	bool active_low, level;
};

struct acpi_info {
	/* MADT */
	uint64_t lapic_address;
	unsigned cpu_count, cpus_left_out; /* the latter: usable, but above ACPI_CPUS_MAX */
	uint32_t apic_ids[ACPI_CPUS_MAX];
	unsigned ioapic_count;
	struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
	struct acpi_isa_line isa_lines[ACPI_ISA_LINES];

	/* FADT */
	uint64_t fadt; /* its physical address, for the libos */
	uint16_t pm_timer_port;

	/* What is broken, NULL if nothing. */
	const char *broken_table, *message;
};

/* Returns where `size` bytes of physical memory can be read, or NULL. */
typedef const void *acpi_read(void *context, uint64_t address, size_t size);

/*
 * Parses everything that hangs off the root pointer `rsdp` (a copy, `rsdp_size` bytes long).
 * Returns false, and a message, when something that the kernel needs is missing or broken.
 */
bool acpi_parse(const uint8_t *rsdp, size_t rsdp_size, acpi_read *read, void *context, struct acpi_info *out);

#endif
