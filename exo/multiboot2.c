/* SPDX-License-Identifier: MIT */
/* Parser of the Multiboot2 information (Multiboot2 specification 2.0, section 3.6). */
#include "multiboot2.h"
#include "bytes.h"

enum {
	TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6, TAG_FRAMEBUFFER = 8,
	TAG_EFI32 = 11, TAG_EFI64 = 12, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15, FRAMEBUFFER_TEXT = 2,
};

/* The string that fills the rest of a tag, or NULL if it is not terminated inside it. */
static const char *tag_string(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!bytes[i])
			return (const char *)bytes;
	return NULL;
}

static const char *parse_module(const uint8_t *tag, size_t size, struct multiboot2_info *out)
{
	struct multiboot2_module *module;

	if (size < 17)
		return "multiboot2: a module tag is too short";
	if (out->module_count == MULTIBOOT2_MODULES_MAX)
		return "multiboot2: more modules than the kernel takes";
	module = &out->modules[out->module_count++];
	module->start = read32(tag + 8);
	module->end = read32(tag + 12);
	module->name = tag_string(tag + 16, size - 16);
	return module->end >= module->start && module->name ? NULL :
		       "multiboot2: a module ends before it starts, or its name does not end";
}

static const char *parse_memory_map(const uint8_t *tag, size_t size, struct multiboot2_info *out)
{
	uint32_t entry_size = size < 16 ? 0 : read32(tag + 8);

	if (entry_size < 24 || entry_size % 8)
		return "multiboot2: the memory map or its entries have an impossible size";
	for (size_t at = 16; at + entry_size <= size; at += entry_size) {
		struct multiboot2_range range = { .base = read64(tag + at), .size = read64(tag + at + 8),
						  .type = read32(tag + at + 16) };

		if (range.size == 0)
			continue;
		if (range.base + range.size < range.base)
			return "multiboot2: a memory range wraps around";
		if (out->range_count == MULTIBOOT2_RANGES_MAX)
			return "multiboot2: more memory ranges than the kernel takes";
		out->ranges[out->range_count++] = range;
	}
	return NULL;
}

static const char *parse_tag(uint32_t type, const uint8_t *tag, size_t size, struct multiboot2_info *out)
{
	switch (type) {
	case TAG_COMMAND_LINE:
		out->command_line = tag_string(tag + 8, size - 8);
		return out->command_line ? NULL : "multiboot2: the command line is not terminated";
	case TAG_MODULE:
		return parse_module(tag, size, out);
	case TAG_MEMORY_MAP:
		return parse_memory_map(tag, size, out);
	case TAG_FRAMEBUFFER:
		if (size < 30)
			return "multiboot2: the framebuffer tag is too short";
		out->text_mode = tag[29] == FRAMEBUFFER_TEXT;
		out->framebuffer_known = true;
		return NULL;
	case TAG_EFI32:
	case TAG_EFI64: /* has no VGA text of its own */
		out->text_mode &= out->framebuffer_known;
		return NULL;
	case TAG_ACPI_OLD:
		if (out->rsdp)
			return NULL; /* the newer one is preferred */
		/* fall through */
	case TAG_ACPI_NEW:
		out->rsdp = tag + 8;
		out->rsdp_size = size - 8;
		return NULL;
	default:
		return NULL;
	}
}

const char *multiboot2_parse(const void *information, size_t size, struct multiboot2_info *out)
{
	const uint8_t *bytes = information;
	const char *error;
	size_t at = 8;

	*out = (struct multiboot2_info){ .command_line = "", .text_mode = true };
	if (size < 16)
		return "multiboot2: the information is too short";
	while (at + 8 <= size) {
		uint32_t type = read32(bytes + at), tag_size = read32(bytes + at + 4);

		if (tag_size < 8 || tag_size > size - at)
			return "multiboot2: a tag runs past the end of the information";
		if (type == TAG_END)
			return out->range_count ? NULL : "multiboot2: there is no memory map";
		error = parse_tag(type, bytes + at, tag_size, out);
		if (error)
			return error;
		at += ((size_t)tag_size + 7) & ~(size_t)7;
	}
	return "multiboot2: the end tag is missing";
}
