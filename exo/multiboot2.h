/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader says, taken out of the Multiboot2 information.  Pure: works on a byte
 * range, so that it can be tested and fuzzed on the host.
 */
#ifndef EXO_MULTIBOOT2_H
#define EXO_MULTIBOOT2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u
#define MULTIBOOT2_MODULES_MAX 16
#define MULTIBOOT2_RANGES_MAX 128

#define MULTIBOOT2_MEMORY_RAM 1 /* any other type is not free for use */

struct multiboot2_range {
	uint64_t base, size; /* bytes; base + size does not wrap */
	uint32_t type;       /* MULTIBOOT2_MEMORY_... */
};

struct multiboot2_module {
	uint32_t start, end; /* physical addresses, start <= end */
	const char *name;    /* points into the information; terminated */
};

struct multiboot2_info {
	const char *command_line; /* points into the information; "" if there is none */
	const uint8_t *rsdp;      /* a copy of ACPI's root pointer, NULL if there is none */
	size_t rsdp_size;
	bool text_mode;           /* the screen is VGA text */
	bool framebuffer_known;   /* the loader says what the screen is */
	unsigned module_count, range_count;
	struct multiboot2_module modules[MULTIBOOT2_MODULES_MAX];
	struct multiboot2_range ranges[MULTIBOOT2_RANGES_MAX];
};

/*
 * Parses `size` bytes at `information`; its first word claims how many there are.  Returns NULL, or a
 * message that names what is broken.
 * Where the loader does not say, the screen counts as VGA text, as a BIOS leaves it.
 */
const char *multiboot2_parse(const void *information, size_t size, struct multiboot2_info *out);

#endif
