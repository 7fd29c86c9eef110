/* SPDX-License-Identifier: MIT */
/* Restarting the machine.  Powering off takes ACPI's language, which the libos reads. */
#include "kernel.h"

/* A processor that cannot even begin to handle a fault asks the chipset for a reset. */
void machine_reset(void)
{
	static const struct table_pointer no_idt;

	asm volatile("cli; lidt %0; ud2" : : "m"(no_idt));
	cpu_halt_forever();
}
