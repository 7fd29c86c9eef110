/* SPDX-License-Identifier: MIT */
/* The headers of a static executable, for tests to damage. */
#ifndef TESTS_UNIT_SOUND_PROGRAM_H
#define TESTS_UNIT_SOUND_PROGRAM_H

#include <elf.h>

/* In a file of 0x5000 bytes. */
struct program_image {
	Elf64_Ehdr header;
	Elf64_Phdr segment[4];
};

static inline struct program_image sound_program(void)
{
	struct program_image i = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
			.e_entry = 0x401010, .e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 4,
		},
		.segment = {
			{ PT_LOAD, PF_R, 0, 0x400000, 0, 0x200, 0x200, 0x1000 },
			{ PT_LOAD, PF_R | PF_X, 0x1000, 0x401000, 0, 0x800, 0x800, 0x1000 },
			{ PT_LOAD, PF_R | PF_W, 0x2010, 0x403010, 0, 0x100, 0x3000, 0x1000 },
			{ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 },
		},
	};

	return i;
}

#endif
