/* SPDX-License-Identifier: MIT */
/* ELF64 files, as they are laid out: System V ABI, chapters 4 and 5. */
#ifndef LIBOS_ELF64_H
#define LIBOS_ELF64_H

#include <stdbool.h>
#include <stdint.h>

enum { ELF64_EXECUTABLE = 2, ELF64_SHARED = 3 };
enum { ELF64_EXECUTE = 1, ELF64_WRITE = 2, ELF64_READ = 4 };
enum {
	ELF64_LOAD = 1,
	ELF64_DYNAMIC = 2,
	ELF64_INTERPRETER = 3,
	ELF64_TLS = 7,
	ELF64_GNU_STACK = 0x6474e551,
	ELF64_RELRO = 0x6474e552,
};

struct elf64_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_offset, section_offset;
	uint32_t flags;
	uint16_t header_size, program_entry_size, program_count;
	uint16_t section_entry_size, section_count, section_names;
};
_Static_assert(sizeof(struct elf64_header) == 64, "the ABI's layout");

struct elf64_program_header {
	uint32_t type, flags;
	uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};
_Static_assert(sizeof(struct elf64_program_header) == 56, "the ABI's layout");

/* For this processor: little-endian, of 64 bits. */
static inline bool elf64_is_x86_64(const struct elf64_header *h)
{
	static const uint8_t ident[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	enum { MACHINE_X86_64 = 62 };

	for (unsigned i = 0; i < sizeof(ident); i++)
		if (h->ident[i] != ident[i])
			return false;
	return h->machine == MACHINE_X86_64;
}

#endif
