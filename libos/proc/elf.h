/* SPDX-License-Identifier: MIT */
/*
 * ELF64 executables as exec sees them.  Pure: works on bytes that were read from the file, so that
 * it is tested and fuzzed on the host (tests/unit/libos_elf_test.c).
 */
#ifndef LIBOS_ELF_H
#define LIBOS_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/elf64.h"

#define ELF_HEADER_SIZE sizeof(struct elf64_header)
#define ELF_PROGRAM_HEADER_SIZE sizeof(struct elf64_program_header)
#define ELF_PROGRAM_HEADERS_MAX 64
#define ELF_SEGMENTS_MAX 16
#define ELF_LINKER_NAME_MAX 4096 /* with its NUL: PATH_MAX */

struct elf_segment {
	uint64_t address;     /* where the file's bytes go, without the bias; congruent to offset */
	uint64_t offset, file_size;
	uint64_t memory_size; /* >= file_size, > 0; the rest is zero */
	bool readable, writable, executable;
};

struct elf_program {
	/* From the header. */
	bool position_independent;
	uint64_t entry;                 /* without the bias */
	uint64_t program_headers_offset;
	unsigned program_header_count;  /* 1 .. ELF_PROGRAM_HEADERS_MAX */

	/* From the program headers. */
	unsigned segment_count;         /* >= 1 */
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending */
	uint64_t low, high;             /* the pages that all of them span */
	uint64_t program_headers_address; /* in memory, without the bias; 0 if they are not loaded */
	bool executable_stack; /* PT_GNU_STACK asks for it: trampolines of nested functions */
	/* The name of its dynamic linker in the file, with a NUL as it should be; size 0: it needs none. */
	uint64_t linker_name_offset;
	size_t linker_name_size;
};

/*
 * elf_parse_header - checks the first ELF_HEADER_SIZE bytes of a file of file_size bytes
 * elf_parse_segments - checks the program headers, which the caller has read from where
 *	elf_parse_header() says.  With a bias of 0, all segments lie in [bottom, top); a position
 *	independent program spans no more than top - bottom.
 *
 * Both return whether the file can be run: an x86-64 executable, of which the second has those segments.
 */
bool elf_parse_header(const void *bytes, uint64_t file_size, struct elf_program *out);
bool elf_parse_segments(const void *headers, uint64_t file_size, uint64_t bottom, uint64_t top,
			struct elf_program *out);

#endif
