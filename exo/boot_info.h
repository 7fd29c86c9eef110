/* SPDX-License-Identifier: MIT */
/* What the kernel learnt while it booted, for whoever makes the first domain. */
#ifndef EXO_BOOT_INFO_H
#define EXO_BOOT_INFO_H

#include "acpi.h"
#include "multiboot2.h"

/* Written by exo_main() before the other CPUs start; fixed afterwards. */
struct boot_info {
	struct multiboot2_info loader; /* pointers are to the physmap and stay good */
	struct acpi_info acpi;
	uint64_t boot_tsc;             /* TSC at kernel entry, on the boot CPU */
};
extern struct boot_info boot_info;

/* first_domain.c: makes the first domain from the modules, a vcore on each CPU.  Panics when it
 * cannot: there would be nothing to run. */
void first_domain_create(void) __attribute__((cold)); /* small, not fast: as all that runs once */

#endif
