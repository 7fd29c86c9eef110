/* SPDX-License-Identifier: MIT */
/*
 * exo/acpi.c: tables of any content are read within their bounds, and give no more than there is room for.
 *
 *	input: a byte of options; 36 bytes of root pointer; physical memory from MEMORY_BASE on
 */
#include <string.h>
#include "../../exo/acpi.h"
#include "fuzz.h"

#define MEMORY_BASE 0x1000u
#define RSDP_SIZE 36u
#define HEADER_SIZE 36u
#define READS_MAX 600u /* a few for each entry of the longest list that is looked at */

/* Options: sums that are wrong are put right before they are looked at. */
#define SEAL 1

const struct fuzz_target fuzz_target = { "acpi", "no_firmware_table_is_trusted", 60000 };

static const uint8_t madt_body[] = {
	0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0,                 /* LAPIC address, PC-AT compatible */
	0, 8, 0, 0, 1, 0, 0, 0,                             /* CPU with APIC 0 */
	0, 8, 2, 9, 0, 0, 0, 0,                             /* disabled */
	9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, /* x2APIC 300 */
	1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,          /* IO APIC 4 */
	2, 10, 0, 9, 20, 0, 0, 0, 0x0f, 0,                  /* line 9 -> 20, level, active low */
	5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0,          /* the LAPICs' address again */
	4, 6, 0xff, 0, 0, 1,                                /* of no interest: LINT1 is NMI */
};

static uint32_t put_table(uint8_t *memory, uint32_t at, const char *signature, const void *body,
			  uint32_t size)
{
	uint32_t total = size + HEADER_SIZE;

	memset(memory + at, 0, HEADER_SIZE);
	memcpy(memory + at, signature, 4);
	memcpy(memory + at + 4, &total, 4);
	memcpy(memory + at + HEADER_SIZE, body, size);
	return at + (total + 7) / 8 * 8;
}

/* XSDT, or RSDT for number 1. */
size_t fuzz_seed(unsigned number, uint8_t *out)
{
	uint8_t *rsdp = out + 1, *memory = rsdp + RSDP_SIZE, fadt_body[80] = { 0 };
	uint32_t fadt, madt, root, rsdt[2], end;
	uint64_t xsdt[2];

	if (number > 1)
		return 0;
	memset(out, 0, 1 + RSDP_SIZE);
	out[0] = SEAL;
	memcpy(rsdp, "RSD PTR ", 8);
	fadt_body[76 - HEADER_SIZE + 1] = 0xb0; /* PM timer 0xb000 */
	fadt = MEMORY_BASE;
	madt = MEMORY_BASE + put_table(memory, 0, "FACP", fadt_body, sizeof(fadt_body));
	root = MEMORY_BASE + put_table(memory, madt - MEMORY_BASE, "APIC", madt_body, sizeof(madt_body));
	xsdt[0] = rsdt[0] = fadt;
	xsdt[1] = rsdt[1] = madt;
	if (number == 0) {
		rsdp[15] = 2;
		memcpy(rsdp + 24, &root, 4);
		end = put_table(memory, root - MEMORY_BASE, "XSDT", xsdt, sizeof(xsdt));
	} else {
		memcpy(rsdp + 16, &root, 4);
		end = put_table(memory, root - MEMORY_BASE, "RSDT", rsdt, sizeof(rsdt));
	}
	return 1 + RSDP_SIZE + end;
}

struct machine {
	const uint8_t *memory;
	size_t size;
	bool seal;
	void *copies[READS_MAX];
	unsigned copy_count;
};

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	while (size-- > 0)
		total = (uint8_t)(total + *bytes++);
	return total;
}

static const void *read_copy(void *context, uint64_t address, size_t size)
{
	struct machine *m = context;
	uint8_t *copy;

	if (address < MEMORY_BASE || address - MEMORY_BASE > m->size ||
	    size > m->size - (address - MEMORY_BASE))
		return NULL;
	FUZZ_CHECK(m->copy_count < READS_MAX);
	copy = fuzz_copy(m->memory + (address - MEMORY_BASE), size);
	if (m->seal && size >= HEADER_SIZE)
		copy[9] = (uint8_t)(copy[9] - sum(copy, size));
	m->copies[m->copy_count++] = copy;
	return copy;
}

static void check_info(const struct acpi_info *info)
{
	FUZZ_CHECK(info->cpu_count >= 1 && info->cpu_count <= ACPI_CPUS_MAX);
	FUZZ_CHECK(info->cpus_left_out == 0 || info->cpu_count == ACPI_CPUS_MAX);
	for (unsigned i = 0; i < info->cpu_count; i++)
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(info->apic_ids[i] != info->apic_ids[j]);
	FUZZ_CHECK(info->ioapic_count <= ACPI_IOAPICS_MAX);
	FUZZ_CHECK(info->pm_timer_port != 0 && info->fadt >= MEMORY_BASE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine m = { 0 };
	struct acpi_info info;
	size_t rsdp_size;
	uint8_t *rsdp;

	if (size < 1)
		return 0;
	m.seal = data[0] & SEAL;
	rsdp_size = size - 1 < RSDP_SIZE ? size - 1 : RSDP_SIZE;
	rsdp = fuzz_copy(data + 1, rsdp_size);
	if (m.seal && rsdp_size >= 20)
		rsdp[8] = (uint8_t)(rsdp[8] - sum(rsdp, 20));
	m.memory = data + 1 + rsdp_size;
	m.size = size - 1 - rsdp_size;
	if (acpi_parse(rsdp, rsdp_size, read_copy, &m, &info))
		check_info(&info);
	else
		FUZZ_CHECK(info.broken_table != NULL && info.message != NULL);
	while (m.copy_count > 0)
		fuzz_free(m.copies[--m.copy_count]);
	fuzz_free(rsdp);
	return 0;
}
