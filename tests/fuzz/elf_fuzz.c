/* SPDX-License-Identifier: MIT */
/*
 * libos/proc/elf.c: a program that is accepted keeps the promises of its header file.
 *
 *	input: the file's size, 8 bytes; the ELF header; program headers, which stand for those that are
 *	read from where the header says
 */
#include <string.h>
#include "fuzz.h"
#include "proc/elf.h"
#include "sound_program.h"

#define BOTTOM 0x10000ul
#define TOP 0x7e8000000000ul
#define PAGE 0x1000ul

const struct fuzz_target fuzz_target = { "elf", "accepted_programs_keep_the_promises", 100000 };

struct sound {
	uint64_t file_size;
	struct program_image program;
};

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	struct sound s = { .file_size = 0x5000, .program = sound_program() };

	if (number > 2)
		return 0;
	if (number == 2) { /* the data at the end of the largest file */
		s.file_size = ~0ul;
		s.program.segment[2].p_offset = ~0ul - 0xf;
		s.program.segment[2].p_vaddr = 0x403ff0;
		s.program.segment[2].p_filesz = 0xf;
	}
	if (number == 1) { /* static-pie, linked at 0 */
		s.program.header.e_type = ET_DYN;
		s.program.header.e_entry -= 0x400000;
		for (int i = 0; i < 3; i++)
			s.program.segment[i].p_vaddr -= 0x400000;
	}
	memcpy(out, &s, sizeof(s));
	return sizeof(s);
}

static void check_segment(const struct elf_program *e, const struct elf_segment *s,
			  uint64_t file_size)
{
	FUZZ_CHECK(s->offset <= file_size && s->file_size <= file_size - s->offset);
	FUZZ_CHECK(s->memory_size > 0 && s->file_size <= s->memory_size);
	FUZZ_CHECK(s->address >= e->low && s->address < e->high);
	FUZZ_CHECK(s->memory_size <= e->high - s->address);
	FUZZ_CHECK(s->address % PAGE == s->offset % PAGE);
	FUZZ_CHECK(s->writable || s->file_size == s->memory_size);
}

static void check_program(const struct elf_program *e, uint64_t file_size)
{
	uint64_t end = 0, headers = (uint64_t)e->program_header_count * ELF_PROGRAM_HEADER_SIZE;
	bool entry = false, loaded = e->program_headers_address == 0;

	FUZZ_CHECK(e->segment_count >= 1 && e->segment_count <= ELF_SEGMENTS_MAX);
	FUZZ_CHECK(e->low % PAGE == 0 && e->high % PAGE == 0 && e->low < e->high);
	if (e->position_independent)
		FUZZ_CHECK(e->high - e->low <= TOP - BOTTOM);
	else
		FUZZ_CHECK(e->low >= BOTTOM && e->high <= TOP);
	for (unsigned i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segments[i];

		check_segment(e, s, file_size);
		FUZZ_CHECK(s->address / PAGE * PAGE >= end);
		end = (s->address + s->memory_size + PAGE - 1) / PAGE * PAGE;
		entry |= s->executable && e->entry >= s->address &&
			 e->entry < s->address + s->memory_size;
		loaded |= e->program_headers_address >= s->address &&
			  e->program_headers_address + headers <= s->address + s->file_size;
	}
	FUZZ_CHECK(end == e->high);
	FUZZ_CHECK(entry && loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header[ELF_HEADER_SIZE];
	struct elf_program e;
	uint64_t file_size, wanted;
	void *headers;

	if (size < sizeof(file_size) + sizeof(header))
		return 0;
	memcpy(&file_size, data, sizeof(file_size));
	memcpy(header, data + sizeof(file_size), sizeof(header));
	data += sizeof(file_size) + sizeof(header);
	size -= sizeof(file_size) + sizeof(header);
	if (!elf_parse_header(header, file_size, &e))
		return 0;
	FUZZ_CHECK(e.program_header_count >= 1 && e.program_header_count <= ELF_PROGRAM_HEADERS_MAX);
	wanted = (uint64_t)e.program_header_count * ELF_PROGRAM_HEADER_SIZE;
	FUZZ_CHECK(e.program_headers_offset <= file_size &&
		   wanted <= file_size - e.program_headers_offset);
	if (wanted > size)
		return 0;
	headers = fuzz_copy(data, wanted);
	if (elf_parse_segments(headers, file_size, BOTTOM, TOP, &e))
		check_program(&e, file_size);
	fuzz_free(headers);
	return 0;
}
