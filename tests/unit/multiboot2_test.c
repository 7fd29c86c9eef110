/* SPDX-License-Identifier: MIT */
/* exo/multiboot2.c */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "../../exo/multiboot2.h"

static uint8_t buffer[4096];
static size_t length;
static struct multiboot2_info info;

static void start(void)
{
	memset(buffer, 0, sizeof(buffer));
	length = 8;
}

static void tag(uint32_t type, const void *payload, uint32_t size)
{
	uint32_t head[2] = { type, size + 8 };

	memcpy(buffer + length, head, 8);
	if (size)
		memcpy(buffer + length + 8, payload, size);
	length += (size + 8 + 7) & ~7u;
}

static void memory_map(uint64_t base, uint64_t size, uint32_t type)
{
	struct {
		uint32_t entry_size, version;
		uint64_t base, size;
		uint32_t type, reserved;
	} payload = { 24, 0, base, size, type, 0 };

	tag(6, &payload, sizeof(payload));
}

static void module(uint32_t first, uint32_t end, const char *name)
{
	uint8_t payload[64];

	memcpy(payload, &first, 4);
	memcpy(payload + 4, &end, 4);
	memcpy(payload + 8, name, strlen(name) + 1);
	tag(3, payload, (uint32_t)(8 + strlen(name) + 1));
}

/* Parses an exact copy, so that the sanitiser sees a read beyond the end. */
static const char *parse(size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *error;

	memcpy(copy, buffer, size);
	error = multiboot2_parse(copy, size, &info);
	free(copy);
	return error;
}

static void full_information(void)
{
	static const uint8_t rsdp[36] = "RSD PTR ";

	start();
	tag(1, "console=serial sched=rr", 24);
	module(0x200000, 0x300000, "libos image");
	module(0x300000, 0x300000, "archive empty");
	memory_map(0, 0x9fc00, 1);
	tag(14, rsdp, 20);
	tag(15, rsdp, 36);
	tag(0, NULL, 0);
}

static void everything_is_found(void)
{
	full_information();
	CHECK(multiboot2_parse(buffer, length, &info) == NULL);
	CHECK(strcmp(info.command_line, "console=serial sched=rr") == 0);
	CHECK_EQ(info.module_count, 2);
	CHECK_EQ(info.modules[0].end, 0x300000);
	CHECK(strcmp(info.modules[1].name, "archive empty") == 0);
	CHECK_EQ(info.range_count, 1);
	CHECK_EQ(info.ranges[0].size, 0x9fc00);
	CHECK_EQ(info.rsdp_size, 36);
	CHECK(info.text_mode);
}

static void new_root_pointer_wins_in_either_order(void)
{
	static const uint8_t rsdp[36] = "RSD PTR ";

	start();
	memory_map(0, 4096, 1);
	tag(15, rsdp, 36);
	tag(14, rsdp, 20);
	tag(0, NULL, 0);
	CHECK(parse(length) == NULL);
	CHECK_EQ(info.rsdp_size, 36);
}

static void every_truncation_is_refused(void)
{
	full_information();
	for (size_t size = 0; size < length; size++)
		CHECK(parse(size) != NULL);
	CHECK(parse(length) == NULL);
}

static void broken_tags_are_refused(void)
{
	start();
	memory_map(0, 4096, 1);
	memory_map(UINT64_MAX - 10, 4096, 1);
	tag(0, NULL, 0);
	CHECK(parse(length) != NULL);

	start();
	memory_map(0, 4096, 1);
	module(2, 1, "backwards");
	tag(0, NULL, 0);
	CHECK(parse(length) != NULL);

	start();
	memory_map(0, 4096, 1);
	tag(1, "unterminated", 12);
	tag(0, NULL, 0);
	CHECK(parse(length) != NULL);

	start();
	tag(0, NULL, 0);
	CHECK(parse(length) != NULL); /* no memory map */
}

static void too_many_modules_are_refused(void)
{
	start();
	memory_map(0, 4096, 1);
	for (unsigned i = 0; i <= MULTIBOOT2_MODULES_MAX; i++)
		module(0, 1, "m");
	tag(0, NULL, 0);
	CHECK(parse(length) != NULL);
}

static void efi_without_framebuffer_has_no_text_screen(void)
{
	uint64_t table = 0;

	start();
	memory_map(0, 4096, 1);
	tag(12, &table, 8);
	tag(0, NULL, 0);
	CHECK(parse(length) == NULL);
	CHECK(!info.text_mode);
}

static void random_damage_is_survived(void)
{
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		full_information();
		for (unsigned n = 1 + (unsigned)rand() % 4; n > 0; n--)
			buffer[8 + (size_t)rand() % (length - 8)] = (uint8_t)rand();
		parse(length);
	}
	CHECK(1);
}

int main(void)
{
	RUN(everything_is_found);
	RUN(new_root_pointer_wins_in_either_order);
	RUN(every_truncation_is_refused);
	RUN(broken_tags_are_refused);
	RUN(too_many_modules_are_refused);
	RUN(efi_without_framebuffer_has_no_text_screen);
	RUN(random_damage_is_survived);
	return check_result();
}
