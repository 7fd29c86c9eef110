/* SPDX-License-Identifier: MIT */
/* A scheduler library as a file, for tests to damage. */
#ifndef TESTS_UNIT_SOUND_OBJECT_H
#define TESTS_UNIT_SOUND_OBJECT_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAGE 0x1000ul

/* For the code under test: libos/core/string.c has it. */
size_t string_copy(char *to, const char *from, size_t size);
size_t string_copy(char *to, const char *from, size_t size)
{
	size_t length = strlen(from);

	memcpy(to, from, length < size ? length + 1 : size - 1);
	to[size - 1] = 0;
	return length;
}

/*
 * What ld makes of a small library: a page each for tables, text and data.  Address and offset in
 * the file are the same.
 */
struct image {
	struct tables {
		Elf64_Ehdr header;
		Elf64_Phdr segment[5];
		uint32_t hash[2 + 1 + 4];
		Elf64_Sym symbol[4];
		Elf64_Rela relocation[4], jump[1];
		char names[64];
	} tables __attribute__((aligned(PAGE)));
	char text[64] __attribute__((aligned(PAGE)));
	struct data {
		uint64_t loadable, ops[2], got[2];
		Elf64_Dyn dynamic[16];
	} data __attribute__((aligned(PAGE)));
};

#define AT(part) offsetof(struct image, part)

static const struct tables sound_tables = {
	.header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = 1,
		.e_phoff = AT(tables.segment), .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 5,
	},
	.segment = {
		{ PT_LOAD, PF_R, 0, 0, 0, sizeof(struct tables), sizeof(struct tables), PAGE },
		{ PT_LOAD, PF_R | PF_X, AT(text), AT(text), 0, 64, 64, PAGE },
		{ PT_LOAD, PF_R | PF_W, AT(data), AT(data), 0, sizeof(struct data), 0x1800, PAGE },
		{ PT_DYNAMIC, PF_R | PF_W, AT(data.dynamic), AT(data.dynamic), 0,
		  sizeof(Elf64_Dyn[16]), sizeof(Elf64_Dyn[16]), 8 },
		{ PT_GNU_RELRO, PF_R, AT(data), AT(data), 0, PAGE, PAGE, 1 },
	},
	.hash = { 1, 4 },
	.symbol = {
		{ 0 },
		{ 1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, SHN_UNDEF, 0, 0 },
		{ 8, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 3, AT(data.loadable), 8 },
		{ 20, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 2, AT(text), 16 },
	},
	.relocation = {
		{ AT(data.loadable), ELF64_R_INFO(0, R_X86_64_RELATIVE), AT(data.ops) },
		{ AT(data.ops[0]), ELF64_R_INFO(3, R_X86_64_64), 4 },
		{ AT(data.ops[1]), ELF64_R_INFO(0, R_X86_64_RELATIVE), AT(text) },
		{ AT(data.got[0]), ELF64_R_INFO(2, R_X86_64_GLOB_DAT), 0 },
	},
	.jump = { { AT(data.got[1]), ELF64_R_INFO(1, R_X86_64_JUMP_SLOT), 0 } },
	.names = "\0import\0loadable\0\0\0\0local",
};

static const Elf64_Dyn sound_dynamic[16] = {
	{ DT_HASH, { AT(tables.hash) } },
	{ DT_STRTAB, { AT(tables.names) } },
	{ DT_STRSZ, { 64 } },
	{ DT_SYMTAB, { AT(tables.symbol) } },
	{ DT_SYMENT, { sizeof(Elf64_Sym) } },
	{ DT_RELA, { AT(tables.relocation) } },
	{ DT_RELASZ, { sizeof(Elf64_Rela[4]) } },
	{ DT_RELAENT, { sizeof(Elf64_Rela) } },
	{ DT_JMPREL, { AT(tables.jump) } },
	{ DT_PLTRELSZ, { sizeof(Elf64_Rela) } },
	{ DT_PLTREL, { DT_RELA } },
	{ DT_FLAGS, { DF_BIND_NOW } },
};

#endif
