/* SPDX-License-Identifier: MIT */
/* exo/multiboot2.c: what is found lies in the information.  The input is the information. */
#include <string.h>
#include "../../exo/multiboot2.h"
#include "fuzz.h"

const struct fuzz_target fuzz_target = {
	"multiboot2", "what_a_loader_says_is_found_where_it_is", 100000,
};

static uint8_t *tag(uint8_t *to, uint32_t type, const void *payload, uint32_t size)
{
	uint32_t head[2] = { type, size + 8 };

	memcpy(to, head, 8);
	if (size != 0)
		memcpy(to + 8, payload, size);
	memset(to + 8 + size, 0, -size % 8);
	return to + ((size + 8 + 7) & ~7u);
}

static uint8_t *memory_map(uint8_t *to)
{
	static const struct {
		uint32_t entry_size, version;
		struct {
			uint64_t base, size;
			uint32_t type, reserved;
		} range[3];
	} map = { 24, 0, { { 0, 0x9fc00, 1, 0 }, { 0xf0000, 0x10000, 2, 0 }, { 1 << 20, 127 << 20, 1, 0 } } };

	return tag(to, 6, &map, sizeof(map));
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	static const struct {
		uint32_t start, end;
		char name[12];
	} module = { 0x200000, 0x300000, "libos image" };
	static const uint8_t rsdp[36] = "RSD PTR ", framebuffer[24] = { [21] = 2 }, efi[8];
	uint8_t *to = out + 8;

	if (number > 1)
		return 0;
	memset(out, 0, 8);
	to = tag(to, 1, "console=serial sched=rr", 24);
	to = tag(to, 3, &module, 8 + 12);
	to = memory_map(to);
	if (number == 1) {
		to = tag(to, 8, framebuffer, sizeof(framebuffer));
		to = tag(to, 12, efi, sizeof(efi));
		to = tag(to, 3, &module, 8 + 12);
	}
	to = tag(to, 14, rsdp, 20);
	to = tag(to, 15, rsdp, 36);
	to = tag(to, 0, NULL, 0);
	return (size_t)(to - out);
}

static void check_string(const char *s, const uint8_t *information, size_t size)
{
	const uint8_t *at = (const uint8_t *)s;

	FUZZ_CHECK(at >= information && at < information + size);
	FUZZ_CHECK(memchr(at, 0, (size_t)(information + size - at)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct multiboot2_info info;

	if (multiboot2_parse(data, size, &info) != NULL)
		return 0;
	FUZZ_CHECK(info.module_count <= MULTIBOOT2_MODULES_MAX);
	for (unsigned i = 0; i < info.module_count; i++) {
		FUZZ_CHECK(info.modules[i].start <= info.modules[i].end);
		check_string(info.modules[i].name, data, size);
	}
	FUZZ_CHECK(info.range_count >= 1 && info.range_count <= MULTIBOOT2_RANGES_MAX);
	for (unsigned i = 0; i < info.range_count; i++) {
		FUZZ_CHECK(info.ranges[i].size > 0);
		FUZZ_CHECK(info.ranges[i].base + info.ranges[i].size - 1 >= info.ranges[i].base);
	}
	if (*info.command_line != 0)
		check_string(info.command_line, data, size);
	if (info.rsdp)
		FUZZ_CHECK(info.rsdp >= data + 16 &&
			   info.rsdp_size <= (size_t)(data + size - info.rsdp));
	return 0;
}
