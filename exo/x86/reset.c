/* SPDX-License-Identifier: MIT */
/* Restarting the machine.  Powering off takes ACPI's language, which the libos reads. */
#include "kernel.h"

#define RESET_CONTROL 0xcf9 /* of every PC chipset with PCI */
#define KEYBOARD_STATUS 0x64
#define KEYBOARD_RESET 0xfe
#define POLLS 100000

void machine_reset(void)
{
	static const struct table_pointer no_idt;

	asm volatile("cli");
	port_out8(RESET_CONTROL, 2);
	port_out8(RESET_CONTROL, 6);
	for (unsigned i = 0; i < POLLS; i++)
		cpu_pause();
	port_out8(KEYBOARD_STATUS, KEYBOARD_RESET);
	for (unsigned i = 0; i < POLLS; i++)
		cpu_pause();
	asm volatile("lidt %0; ud2" : : "m"(no_idt)); /* a triple fault */
	cpu_halt_forever();
}
