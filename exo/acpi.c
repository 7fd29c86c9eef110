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

struct table {
	uint64_t address;
	const uint8_t *bytes;
	size_t size;
};

static bool signature_is(const uint8_t *bytes, const char *signature)
{
	for (unsigned i = 0; signature[i]; i++)
		if (bytes[i] != (uint8_t)signature[i])
			return false;
	return true;
}

static bool fail(struct acpi_info *out, const char *table, const char *what)
{
	out->broken_table = table;
	out->message = what;
	return false;
}

static bool checksum_good(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum == 0;
}

/* Makes a whole table readable and checks it. */
static bool open_table(struct reader *reader, uint64_t address, const char *signature,
		       struct table *table)
{
	const uint8_t *header = reader->read(reader->context, address, HEADER_SIZE);
	uint32_t size;

	if (!header)
		return fail(reader->out, signature, "the table is not in readable memory");
	if (!signature_is(header, signature))
		return fail(reader->out, signature, "the signature is wrong");
	size = read32(header + 4);
	if (size < HEADER_SIZE || size > TABLE_SIZE_MAX)
		return fail(reader->out, signature, "the length is impossible");
	table->bytes = reader->read(reader->context, address, size);
	table->size = size;
	table->address = address;
	if (!table->bytes)
		return fail(reader->out, signature, "the table runs out of readable memory");
	if (!checksum_good(table->bytes, size))
		return fail(reader->out, signature, "the checksum is wrong");
	return true;
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

static void add_override(struct acpi_info *out, uint8_t line, uint32_t gsi, uint8_t flags)
{
	if (line >= ACPI_ISA_LINES)
		return;
	/* 0 and 1: as ISA, that is active high and edge-triggered. */
	out->isa_lines[line] = (struct acpi_isa_line){
		.gsi = gsi,
		.active_low = (flags & 3) == 3,
		.level = (flags >> 2 & 3) == 3,
	};
}

static bool add_ioapic(struct acpi_info *out, const uint8_t *entry)
{
	if (out->ioapic_count == ACPI_IOAPICS_MAX)
		return fail(out, "APIC", "more IO APICs than the kernel takes");
	out->ioapics[out->ioapic_count++] = (struct acpi_ioapic){
		.id = entry[2], .address = read32(entry + 4), .gsi_base = read32(entry + 8),
	};
	return true;
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
		return add_ioapic(out, entry);
	case MADT_OVERRIDE:
		add_override(out, entry[3], read32(entry + 4), entry[8]);
		return true;
	case MADT_LAPIC_ADDRESS:
		out->lapic_address = read64(entry + 4);
		return true;
	default:
		return true;
	}
}

static bool parse_madt(struct acpi_info *out, const struct table *madt)
{
	size_t at = HEADER_SIZE + 8;

	if (madt->size < at)
		return fail(out, "APIC", "the table is too short");
	out->lapic_address = read32(madt->bytes + HEADER_SIZE);
	for (uint32_t line = 0; line < ACPI_ISA_LINES; line++)
		out->isa_lines[line] = (struct acpi_isa_line){ .gsi = line };
	while (at + 2 <= madt->size) {
		const uint8_t *entry = madt->bytes + at;

		if (entry[1] < 2 || entry[1] > madt->size - at)
			return fail(out, "APIC", "an entry runs past the table's end");
		if (entry[0] < sizeof(madt_entry_size) && entry[1] < madt_entry_size[entry[0]])
			return fail(out, "APIC", "an entry is too short for its kind");
		if (!parse_madt_entry(out, entry))
			return false;
		at += entry[1];
	}
	return out->cpu_count > 0 || fail(out, "APIC", "there is no usable CPU");
}

/* ------------------------------------------------------------------------------------- root */

/* Opens the table list: the XSDT, with entries of 8 bytes instead of the RSDT's 4, where the root
 * pointer is new enough to have one. */
static bool open_root(struct reader *reader, const uint8_t *rsdp, size_t rsdp_size,
		      struct table *root, size_t *entry_size)
{
	if (rsdp_size < 20 || !signature_is(rsdp, "RSD PTR ") || !checksum_good(rsdp, 20))
		return fail(reader->out, "RSDP", "the root pointer is damaged");
	if (rsdp[15] >= 2 && rsdp_size >= 36 && read64(rsdp + 24)) {
		*entry_size = 8;
		return open_table(reader, read64(rsdp + 24), "XSDT", root);
	}
	return open_table(reader, read32(rsdp + 16), "RSDT", root);
}

static bool find_table(struct reader *reader, const struct table *root, size_t entry_size,
		       const char *signature, struct table *table)
{
	size_t count = (root->size - HEADER_SIZE) / entry_size;

	for (size_t i = 0; i < count && i < TABLES_MAX; i++) {
		const uint8_t *entry = root->bytes + HEADER_SIZE + i * entry_size;
		uint64_t address = entry_size == 8 ? read64(entry) : read32(entry);
		const uint8_t *header = reader->read(reader->context, address, HEADER_SIZE);

		if (header && signature_is(header, signature))
			return open_table(reader, address, signature, table);
	}
	return fail(reader->out, signature, "the table is missing");
}

bool acpi_parse(const uint8_t *rsdp, size_t rsdp_size, acpi_read *read, void *context,
		struct acpi_info *out)
{
	struct reader reader = { .read = read, .context = context, .out = out };
	struct table root, table;
	size_t entry_size = 4;

	*out = (struct acpi_info){ 0 };
	if (!open_root(&reader, rsdp, rsdp_size, &root, &entry_size) ||
	    !find_table(&reader, &root, entry_size, "APIC", &table) ||
	    !parse_madt(out, &table) ||
	    !find_table(&reader, &root, entry_size, "FACP", &table))
		return false;
	if (table.size < 80)
		return fail(out, "FACP", "the table is too short");
	out->fadt = table.address;
	out->pm_timer_port = (uint16_t)read32(table.bytes + 76);
	return out->pm_timer_port || fail(out, "FACP", "there is no power-management timer");
}
