/* SPDX-License-Identifier: MIT */
/*
 * IO APICs.  Their registers are reached through a pair, select and window, so that an access is
 * two operations: the lock of that IO APIC makes them one.
 */
#include "kernel.h"
#include "boot_info.h"

enum { REGISTER_VERSION = 1, REGISTER_REDIRECTION = 0x10 };
enum { SELECT = 0, WINDOW = 4 }; /* in units of four bytes */

#define REDIRECTION_ACTIVE_LOW (1u << 13)
#define REDIRECTION_LEVEL (1u << 15)
#define REDIRECTION_MASKED (1u << 16)

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_VECTOR 0x20

struct ioapic {
	/* Fixed after ioapic_init(). */
	volatile uint32_t *registers;
	uint32_t gsi_base, gsi_count;

	/* Held around each use of the register pair, and each change of a redirection entry. */
	struct lock lock;
};

/* Fixed after ioapic_init(). */
static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static unsigned ioapic_count;

static uint32_t register_read(struct ioapic *io, unsigned reg)
{
	io->registers[SELECT] = reg;
	return io->registers[WINDOW];
}

static void register_write(struct ioapic *io, unsigned reg, uint32_t value)
{
	io->registers[SELECT] = reg;
	io->registers[WINDOW] = value;
}

/* Both PICs get vectors that cannot be taken for exceptions, and are masked for good. */
static void pic_silence(void)
{
	static const uint8_t pic1[] = { PIC_VECTOR, 1 << 2, 1 }, pic2[] = { PIC_VECTOR + 8, 2, 1 };

	port_out8(PIC1, 0x11);
	port_out8(PIC2, 0x11);
	for (unsigned i = 0; i < 3; i++) {
		port_out8(PIC1 + 1, pic1[i]);
		port_out8(PIC2 + 1, pic2[i]);
	}
	port_out8(PIC1 + 1, 0xff);
	port_out8(PIC2 + 1, 0xff);
}

void ioapic_init(const struct acpi_info *acpi)
{
	pic_silence();
	ioapic_count = acpi->ioapic_count;
	for (unsigned i = 0; i < ioapic_count; i++) {
		struct ioapic *io = &ioapics[i];

		io->registers = mmio_map(acpi->ioapics[i].address, EXO_PAGE_SIZE);
		io->lock.rank = LOCK_IOAPIC;
		lock_acquire(&io->lock);
		io->gsi_base = acpi->ioapics[i].gsi_base;
		io->gsi_count = (register_read(io, REGISTER_VERSION) >> 16 & 0xff) + 1;
		for (unsigned pin = 0; pin < io->gsi_count; pin++)
			register_write(io, REGISTER_REDIRECTION + 2 * pin, REDIRECTION_MASKED);
		lock_release(&io->lock);
	}
}

/* The IO APIC that has the line, and the number of its pin's register there; or NULL. */
static struct ioapic *find(unsigned line, unsigned *reg)
{
	uint32_t gsi = line < ACPI_ISA_LINES ? boot_info.acpi.isa_lines[line].gsi : line;

	for (unsigned i = 0; i < ioapic_count; i++) {
		struct ioapic *io = &ioapics[i];

		*reg = REGISTER_REDIRECTION + 2 * (gsi - io->gsi_base);
		if (gsi >= io->gsi_base && gsi - io->gsi_base < io->gsi_count)
			return io;
	}
	return NULL;
}

/* ISA lines are as the MADT says; the others are PCI's, active low and level-triggered. */
static uint32_t line_signal(unsigned line)
{
	const struct acpi_isa_line *isa = &boot_info.acpi.isa_lines[line];

	if (line >= ACPI_ISA_LINES)
		return REDIRECTION_ACTIVE_LOW | REDIRECTION_LEVEL;
	return (isa->active_low ? REDIRECTION_ACTIVE_LOW : 0) | (isa->level ? REDIRECTION_LEVEL : 0);
}

int ioapic_route(unsigned line, unsigned vector, uint32_t apic_id)
{
	unsigned reg;
	struct ioapic *io = find(line, &reg);

	if (!io || apic_id > 0xff)
		return -EINVAL;
	lock_acquire(&io->lock);
	register_write(io, reg, REDIRECTION_MASKED);
	register_write(io, reg + 1, apic_id << 24);
	register_write(io, reg, REDIRECTION_MASKED | line_signal(line) | vector);
	lock_release(&io->lock);
	return 0;
}

void ioapic_set_mask(unsigned line, bool masked)
{
	unsigned reg;
	struct ioapic *io = find(line, &reg);
	uint32_t entry;

	if (!io)
		return;
	lock_acquire(&io->lock);
	entry = register_read(io, reg) & ~REDIRECTION_MASKED;
	register_write(io, reg, entry | (masked ? REDIRECTION_MASKED : 0));
	lock_release(&io->lock);
}
