/* SPDX-License-Identifier: MIT */
/* Parser of the ACPI tables (ACPI specification 6.4, chapter 5). */
#include "acpi.h"
#include "bytes.h"

#define HEADER_SIZE 36u
#define TABLE_SIZE_MAX (16u << 20)
#define TABLES_MAX 256u

struct reader {
	acpi_read *read;
	void *context;
	struct acpi_info *out;
};

static bool signature_is(const uint8_t *bytes, const char *signature)
{
	for (unsigned i = 0; signature[i]; i++)
		if (bytes[i] != (uint8_t)signature[i])
			return false;
	return true;
}

/* -> NULL, or false. */
static void *fail(struct acpi_info *out, const char *table, const char *what)
{
	out->broken_table = table;
	out->message = what;
	return NULL;
}

static bool checksum_good(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum == 0;
}

static size_t table_size(const uint8_t *table)
{
	return read32(table + 4);
}

/* Makes a whole table readable and checks it; NULL, and a message, if it is not what it should be. */
static const uint8_t *open_table(struct reader *reader, uint64_t address, const char *signature)
{
	const uint8_t *table = reader->read(reader->context, address, HEADER_SIZE);
	size_t size;

	if (!table || !signature_is(table, signature))
		return fail(reader->out, signature, "there is no such table where it should be");
	size = table_size(table);
	if (size < HEADER_SIZE || size > TABLE_SIZE_MAX)
		return fail(reader->out, signature, "the length is impossible");
	table = reader->read(reader->context, address, size);
	if (!table || !checksum_good(table, size))
		return fail(reader->out, signature, "the checksum is wrong");
	return table;
}

/* ------------------------------------------------------------------------------------- MADT */

enum madt_entry {
	MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9,
};

/* Length that each known kind must have at least. */
static const uint8_t madt_entry_size[] = {
	[MADT_LAPIC] = 8, [MADT_IOAPIC] = 12, [MADT_OVERRIDE] = 10, [MADT_LAPIC_ADDRESS] = 12,
	[MADT_X2APIC] = 16,
};

static void add_cpu(struct acpi_info *out, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & 1)) /* not enabled; hot-plug is not supported */
		return;
	for (unsigned i = 0; i < out->cpu_count; i++)
		if (out->apic_ids[i] == apic_id)
			return; /* listed both as LAPIC and as x2APIC */
	if (out->cpu_count == ACPI_CPUS_MAX) {
		out->cpus_left_out++;
		return;
	}
	out->apic_ids[out->cpu_count++] = apic_id;
}

static bool parse_madt_entry(struct acpi_info *out, const uint8_t *entry)
{
	switch (entry[0]) {
	case MADT_LAPIC:
		if (entry[3] != 0xff)
			add_cpu(out, entry[3], read32(entry + 4));
		return true;
	case MADT_X2APIC:
		add_cpu(out, read32(entry + 4), read32(entry + 8));
		return true;
	case MADT_IOAPIC:
		if (out->ioapic_count == ACPI_IOAPICS_MAX)
			return fail(out, "APIC", "more IO APICs than the kernel takes");
		out->ioapics[out->ioapic_count++] = (struct acpi_ioapic){
			.address = read32(entry + 4), .gsi_base = read32(entry + 8) };
		return true;
	case MADT_OVERRIDE:
		if (entry[3] < ACPI_ISA_LINES) /* 0 and 1: as ISA, active high and edge-triggered */
			out->isa_lines[entry[3]] = (struct acpi_isa_line){ .gsi = read32(entry + 4),
				.active_low = (entry[8] & 3) == 3, .level = (entry[8] >> 2 & 3) == 3 };
		return true;
	case MADT_LAPIC_ADDRESS:
		out->lapic_address = read64(entry + 4);
		return true;
	default:
		return true;
	}
}

static bool parse_madt(struct acpi_info *out, const uint8_t *madt)
{
	size_t at = HEADER_SIZE + 8, size = table_size(madt);

	if (size < at)
		return fail(out, "APIC", "the table is too short");
	out->lapic_address = read32(madt + HEADER_SIZE);
	for (uint32_t line = 0; line < ACPI_ISA_LINES; line++)
		out->isa_lines[line].gsi = line;
	while (at + 2 <= size) {
		const uint8_t *entry = madt + at;

		if (entry[1] < 2 || entry[1] > size - at ||
		    (entry[0] < sizeof(madt_entry_size) && entry[1] < madt_entry_size[entry[0]]))
			return fail(out, "APIC", "an entry has an impossible length");
		if (!parse_madt_entry(out, entry))
			return false;
		at += entry[1];
	}
	return out->cpu_count > 0 || fail(out, "APIC", "there is no usable CPU");
}

/* ------------------------------------------------------------------------------------- root */

/* Opens the table list: the XSDT, with entries of 8 bytes instead of the RSDT's 4, where the root
 * pointer is new enough to have one. */
static const uint8_t *open_root(struct reader *reader, const uint8_t *rsdp, size_t rsdp_size)
{
	if (rsdp_size < 20 || !signature_is(rsdp, "RSD PTR ") || !checksum_good(rsdp, 20))
		return fail(reader->out, "RSDP", "the root pointer is damaged");
	if (rsdp[15] >= 2 && rsdp_size >= 36 && read64(rsdp + 24))
		return open_table(reader, read64(rsdp + 24), "XSDT");
	return open_table(reader, read32(rsdp + 16), "RSDT");
}

static const uint8_t *find_table(struct reader *reader, const uint8_t *root, const char *signature,
				 uint64_t *address)
{
	size_t entry_size = signature_is(root, "XSDT") ? 8 : 4;
	size_t count = (table_size(root) - HEADER_SIZE) / entry_size;

	for (size_t i = 0; i < count && i < TABLES_MAX; i++) {
		const uint8_t *entry = root + HEADER_SIZE + i * entry_size, *header;

		*address = entry_size == 8 ? read64(entry) : read32(entry);
		header = reader->read(reader->context, *address, HEADER_SIZE);
		if (header && signature_is(header, signature))
			return open_table(reader, *address, signature);
	}
	return fail(reader->out, signature, "the table is missing");
}

bool acpi_parse(const uint8_t *rsdp, size_t rsdp_size, acpi_read *read, void *context, struct acpi_info *out)
{
	struct reader reader = { .read = read, .context = context, .out = out };
	const uint8_t *root, *madt, *fadt = NULL;
	uint64_t madt_address;

	*out = (struct acpi_info){ 0 };
	root = open_root(&reader, rsdp, rsdp_size);
	madt = root ? find_table(&reader, root, "APIC", &madt_address) : NULL;
	if (madt && parse_madt(out, madt))
		fadt = find_table(&reader, root, "FACP", &out->fadt);
	if (!fadt)
		return false;
	if (table_size(fadt) < 80)
		return fail(out, "FACP", "the table is too short");
	out->pm_timer_port = (uint16_t)read32(fadt + 76);
	return out->pm_timer_port || fail(out, "FACP", "there is no power-management timer");
}
