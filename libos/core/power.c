/* SPDX-License-Identifier: MIT */
/*
 * Powering off by ACPI (specification 6.4, chapters 4.8 and 7.4): the FADT names the power-management
 * registers, and the DSDT, in the byte code AML, what to write to them to reach the state S5.  The
 * kernel knows only where the FADT is.
 */
#include "core/power.h"
#include <stdbool.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "domain/parent.h"

#define HEADER_SIZE 36u
#define TABLE_SIZE_MAX (16u << 20)
#define AML_NAME_SIZE 4

#define PM1_SCI_ENABLED (1u << 0)
#define PM1_SLEEP_TYPE_MASK (7u << 10)
#define PM1_SLEEP_ENABLE (1u << 13)
#define POLLS 100000

/* A table of the firmware's, mapped. */
struct table {
	const uint8_t *bytes;
	size_t size;
};

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* In place of pages of heap, which gives them addresses in the region that all processes share. */
static const uint8_t *map(uint64_t address, size_t size)
{
	size_t offset = address % EXO_PAGE_SIZE;
	size_t pages = (offset + size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	char *place = pages_alloc(pages);
	struct exo_op op = {
		.code = EXO_OP_MAP_DEVICE, .prot = EXO_PROT_READ, .count = (uint32_t)pages,
		.flags = EXO_OP_REPLACE, .va = (uint64_t)place, .frame = address >> EXO_PAGE_SHIFT,
		.source = EXO_HANDLE(EXO_SLOT_DEVICES),
	};

	if (!place || shared_update(&op, 1) != 0)
		return NULL;
	return (const uint8_t *)place + offset;
}

static bool open_table(uint64_t address, const char *signature, struct table *table)
{
	const uint8_t *header = address ? map(address, HEADER_SIZE) : NULL;

	if (!header || memcmp(header, signature, 4) != 0)
		return false;
	table->size = read32(header + 4);
	if (table->size < HEADER_SIZE || table->size > TABLE_SIZE_MAX)
		return false;
	table->bytes = map(address, table->size);
	return table->bytes != NULL;
}

/* One small integer of AML: ZeroOp, OneOp, or a byte constant.  -1: it is something else. */
static int aml_small_integer(const struct table *dsdt, size_t *at)
{
	uint8_t byte = *at < dsdt->size ? dsdt->bytes[(*at)++] : 0xff;

	if (byte == 0x0a && *at < dsdt->size)
		return dsdt->bytes[(*at)++];
	return byte <= 1 ? byte : -1;
}

/*
 * Name (_S5, Package { type_a, type_b, ... }) in AML: NameOp "_S5_" PackageOp length count ...
 * The package length takes one byte plus as many as its top two bits say.
 */
static bool find_s5(const struct table *dsdt, int *type_a, int *type_b)
{
	for (size_t at = HEADER_SIZE; at + AML_NAME_SIZE + 2 < dsdt->size; at++) {
		size_t package = at + AML_NAME_SIZE;

		if (memcmp(dsdt->bytes + at, "_S5_", AML_NAME_SIZE) != 0 ||
		    dsdt->bytes[package] != 0x12)
			continue;
		package += 3 + (dsdt->bytes[package + 1] >> 6);
		*type_a = aml_small_integer(dsdt, &package);
		*type_b = aml_small_integer(dsdt, &package);
		if (*type_a >= 0 && *type_b >= 0)
			return true;
	}
	return false;
}

static uint16_t port_read(uint16_t port)
{
	return (uint16_t)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_IN16, port, 0);
}

/* Firmware that still has the power button to itself takes no orders. */
static void leave_legacy_mode(const struct table *fadt, uint16_t control)
{
	uint16_t command = (uint16_t)read32(fadt->bytes + 48);
	uint8_t enable = fadt->bytes[52];

	if (!command || !enable || (port_read(control) & PM1_SCI_ENABLED))
		return;
	exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT8, command, enable);
	for (unsigned i = 0; i < POLLS && !(port_read(control) & PM1_SCI_ENABLED); i++)
		;
}

static void enter_s5(uint16_t control, int type)
{
	uint16_t value = port_read(control) & ~PM1_SLEEP_TYPE_MASK;

	exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT16, control,
		 value | (uint32_t)type << 10 | PM1_SLEEP_ENABLE);
}

int64_t machine_power_off(void)
{
	const struct exo_info *machine = (const struct exo_info *)EXO_INFO_BASE;
	struct table fadt, dsdt;
	uint16_t control_a, control_b;
	int type_a, type_b;

	if (parent_exists())
		parent_leave(0);
	if (!open_table(machine->acpi_fadt, "FACP", &fadt) || fadt.size < 116 ||
	    !open_table(read32(fadt.bytes + 40), "DSDT", &dsdt) || !find_s5(&dsdt, &type_a, &type_b)) {
		log_print("the firmware does not say how to power off\n");
		return -ENODEV;
	}
	control_a = (uint16_t)read32(fadt.bytes + 64);
	control_b = (uint16_t)read32(fadt.bytes + 68);
	leave_legacy_mode(&fadt, control_a);
	enter_s5(control_a, type_a);
	if (control_b)
		enter_s5(control_b, type_b);
	for (unsigned i = 0; i < POLLS; i++) /* it takes a moment */
		port_read(control_a);
	log_print("the machine does not power off\n");
	return -ENODEV;
}
