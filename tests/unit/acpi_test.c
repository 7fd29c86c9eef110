/* SPDX-License-Identifier: MIT */
/* exo/acpi.c */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "../../exo/acpi.h"

/* Physical memory from MEMORY_BASE on; tables are put into it one after the other. */
#define MEMORY_BASE 0x10000u
#define XSDT 0x10000u
#define MADT 0x11000u
#define FADT 0x12000u

static uint8_t memory[0x4000];
static uint8_t rsdp[36];
static struct acpi_info info;

static uint8_t *at(uint32_t address)
{
	return memory + (address - MEMORY_BASE);
}

/* Hands out exact copies, so that the sanitiser sees a read beyond what was asked for. */
static void *copies[64];
static unsigned copy_count;

static const void *read_copy(void *context, uint64_t address, size_t size)
{
	void *copy;

	(void)context;
	if (address < MEMORY_BASE || address - MEMORY_BASE > sizeof(memory) ||
	    size > sizeof(memory) - (address - MEMORY_BASE) || copy_count == 64)
		return NULL;
	copy = malloc(size);
	memcpy(copy, memory + (address - MEMORY_BASE), size);
	copies[copy_count++] = copy;
	return copy;
}

static bool parse(void)
{
	bool good = acpi_parse(rsdp, sizeof(rsdp), read_copy, NULL, &info);

	while (copy_count > 0)
		free(copies[--copy_count]);
	return good;
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	while (size-- > 0)
		total = (uint8_t)(total + *bytes++);
	return total;
}

static void seal(uint32_t address)
{
	uint32_t size;

	memcpy(&size, at(address) + 4, 4);
	at(address)[9] = 0;
	at(address)[9] = (uint8_t)-sum(at(address), size);
}

static void table(uint32_t address, const char *signature, const void *body, uint32_t size)
{
	uint32_t total = size + 36;

	memcpy(at(address), signature, 4);
	memcpy(at(address) + 4, &total, 4);
	memcpy(at(address) + 36, body, size);
	seal(address);
}

static const uint8_t madt_body[] = {
	0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0,            /* LAPIC address, PC-AT compatible */
	0, 8, 0, 0, 1, 0, 0, 0,                        /* CPU with APIC 0 */
	0, 8, 1, 7, 1, 0, 0, 0,                        /* CPU with APIC 7 */
	0, 8, 2, 9, 0, 0, 0, 0,                        /* disabled */
	9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, /* x2APIC 300 */
	1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,     /* IO APIC 4 */
	2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                 /* line 0 -> 2 */
	2, 10, 0, 9, 20, 0, 0, 0, 0x0f, 0,             /* line 9 -> 20, level, active low */
	4, 6, 0xff, 0, 0, 1,                           /* of no interest: LINT1 is NMI */
};

static void good_tables(void)
{
	uint64_t list[2] = { FADT, MADT }, xsdt = XSDT;
	uint8_t fadt_body[244 - 36] = { 0 };

	memset(memory, 0, sizeof(memory));
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	memcpy(rsdp + 24, &xsdt, 8);
	rsdp[8] = (uint8_t)-sum(rsdp, 20);
	fadt_body[76 - 36 + 1] = 0xb0; /* PM timer 0xb000 */
	table(XSDT, "XSDT", list, sizeof(list));
	table(MADT, "APIC", madt_body, sizeof(madt_body));
	table(FADT, "FACP", fadt_body, sizeof(fadt_body));
}

static void everything_is_found(void)
{
	good_tables();
	CHECK(parse());
	CHECK(info.message == NULL);
	CHECK_EQ(info.cpu_count, 3);
	CHECK_EQ(info.apic_ids[1], 7);
	CHECK_EQ(info.apic_ids[2], 300);
	CHECK_EQ(info.lapic_address, 0xfee00000);
	CHECK_EQ(info.ioapic_count, 1);
	CHECK_EQ(info.ioapics[0].address, 0xfec00000);
	CHECK_EQ(info.isa_lines[0].gsi, 2);
	CHECK_EQ(info.isa_lines[1].gsi, 1);
	CHECK(info.isa_lines[9].level && info.isa_lines[9].active_low);
	CHECK(!info.isa_lines[0].level && !info.isa_lines[0].active_low);
	CHECK_EQ(info.pm_timer_port, 0xb000);
	CHECK_EQ(info.fadt, FADT);
}

static void the_message_names_the_broken_table(void)
{
	good_tables();
	at(MADT)[50] ^= 1;
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "APIC") == 0);
	good_tables();
	memcpy(at(XSDT), "XXXX", 4);
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "XSDT") == 0);
	good_tables();
	rsdp[10] ^= 1;
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "RSDP") == 0);
}

static void without_a_timer_it_is_refused(void)
{
	good_tables();
	at(FADT)[100] ^= 1;
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "FACP") == 0);
	good_tables();
	at(FADT)[77] = 0;
	seal(FADT);
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "FACP") == 0);
	good_tables();
	memcpy(at(XSDT) + 36, "\0\0\0\0\0\0\0", 8);
	seal(XSDT);
	CHECK(!parse());
	CHECK(strcmp(info.broken_table, "FACP") == 0);
}

static void impossible_lengths_are_refused(void)
{
	static const uint32_t lengths[] = { 0, 35, 43, 0x4000, 0x7fffffff, 0xffffffff };

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		good_tables();
		memcpy(at(MADT) + 4, &lengths[i], 4);
		if (lengths[i] >= 36 && lengths[i] < 0x1000)
			seal(MADT);
		CHECK(!parse());
	}
}

static void entries_that_run_over_are_refused(void)
{
	good_tables();
	at(MADT)[36 + sizeof(madt_body) - 5] = 7;
	seal(MADT);
	CHECK(!parse());
	good_tables();
	at(MADT)[36 + 8 + 1] = 0;
	seal(MADT);
	CHECK(!parse());
	good_tables();
	at(MADT)[36 + 8 + 1] = 4;
	seal(MADT);
	CHECK(!parse());
}

static void random_damage_is_survived(void)
{
	static const uint32_t tables[] = { XSDT, MADT, FADT };

	srand(1);
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t victim = tables[(unsigned)rand() % 3], size;

		good_tables();
		memcpy(&size, at(victim) + 4, 4);
		for (unsigned n = 1 + (unsigned)rand() % 4; n > 0; n--)
			at(victim)[36 + (unsigned)rand() % (size - 36)] = (uint8_t)rand();
		seal(victim);
		parse();
		CHECK(info.cpu_count <= ACPI_CPUS_MAX && info.ioapic_count <= ACPI_IOAPICS_MAX);
	}
}

int main(void)
{
	RUN(everything_is_found);
	RUN(the_message_names_the_broken_table);
	RUN(without_a_timer_it_is_refused);
	RUN(impossible_lengths_are_refused);
	RUN(entries_that_run_over_are_refused);
	RUN(random_damage_is_survived);
	return check_result();
}
