/* SPDX-License-Identifier: MIT */
/* Checks an ELF64 executable: System V ABI, chapters 4 and 5; every offset and sum is checked. */
#include "elf.h"

#define PAGE 4096ul

enum { TYPE_EXECUTABLE = 2, TYPE_SHARED = 3, MACHINE_X86_64 = 62 };
enum { SEGMENT_LOAD = 1, SEGMENT_INTERPRETER = 3, SEGMENT_HEADERS = 6 };
enum { FLAG_EXECUTE = 1, FLAG_WRITE = 2, FLAG_READ = 4 };

struct header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_offset, section_offset;
	uint32_t flags;
	uint16_t header_size, program_entry_size, program_count;
	uint16_t section_entry_size, section_count, section_names;
};
_Static_assert(sizeof(struct header) == ELF_HEADER_SIZE, "the ABI's layout");

struct program_header {
	uint32_t type, flags;
	uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};
_Static_assert(sizeof(struct program_header) == ELF_PROGRAM_HEADER_SIZE, "the ABI's layout");

bool elf_parse_header(const void *bytes, uint64_t file_size, struct elf_program *out)
{
	static const uint8_t ident[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	const struct header *h = bytes;

	for (unsigned i = 0; i < sizeof(ident); i++)
		if (h->ident[i] != ident[i])
			return false;
	if ((h->type != TYPE_EXECUTABLE && h->type != TYPE_SHARED) || h->machine != MACHINE_X86_64)
		return false;
	if (h->program_entry_size != ELF_PROGRAM_HEADER_SIZE || h->program_count == 0 ||
	    h->program_count > ELF_PROGRAM_HEADERS_MAX)
		return false;
	if (h->program_offset > file_size ||
	    (file_size - h->program_offset) / ELF_PROGRAM_HEADER_SIZE < h->program_count)
		return false;
	*out = (struct elf_program){
		.position_independent = h->type == TYPE_SHARED,
		.entry = h->entry,
		.program_headers_offset = h->program_offset,
		.program_header_count = h->program_count,
	};
	return true;
}

static bool segment_ok(const struct program_header *p, uint64_t file_size, uint64_t bottom,
		       uint64_t top)
{
	if (p->offset > file_size || p->file_size > file_size - p->offset)
		return false;
	if (p->file_size > p->memory_size || p->address % PAGE != p->offset % PAGE)
		return false;
	/* What lies behind the file's part is cleared by writing. */
	if (p->file_size < p->memory_size && !(p->flags & FLAG_WRITE))
		return false;
	return p->address >= bottom && p->address < top && p->memory_size <= top - p->address;
}

static bool add_segment(struct elf_program *out, const struct program_header *p)
{
	uint64_t start = p->address & ~(PAGE - 1);
	uint64_t end = (p->address + p->memory_size + PAGE - 1) & ~(PAGE - 1);

	/* Two segments may touch the same page of the file, never of memory. */
	if (out->segment_count == ELF_SEGMENTS_MAX || (out->segment_count && start < out->high))
		return false;
	if (out->segment_count == 0)
		out->low = start;
	out->high = end;
	out->segments[out->segment_count++] = (struct elf_segment){
		.address = p->address,
		.offset = p->offset,
		.file_size = p->file_size,
		.memory_size = p->memory_size,
		.readable = p->flags & FLAG_READ,
		.writable = p->flags & FLAG_WRITE,
		.executable = p->flags & FLAG_EXECUTE,
	};
	return true;
}

/* The headers are in memory if the file's part of some segment covers them. */
static uint64_t find_headers(const struct elf_program *e)
{
	uint64_t size = (uint64_t)e->program_header_count * ELF_PROGRAM_HEADER_SIZE;

	for (unsigned i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (e->program_headers_offset >= s->offset && s->file_size >= size &&
		    e->program_headers_offset - s->offset <= s->file_size - size)
			return s->address + (e->program_headers_offset - s->offset);
	}
	return 0;
}

static bool entry_ok(const struct elf_program *e)
{
	for (unsigned i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (s->executable && e->entry >= s->address && e->entry - s->address < s->memory_size)
			return true;
	}
	return false;
}

bool elf_parse_segments(const void *headers, uint64_t file_size, uint64_t bottom, uint64_t top,
			struct elf_program *out)
{
	const struct program_header *p = headers;

	if (out->position_independent) { /* may be linked at 0: the bias moves it */
		top -= bottom;
		bottom = 0;
	}
	for (unsigned i = 0; i < out->program_header_count; i++, p++) {
		if (p->type == SEGMENT_INTERPRETER)
			return false;
		if (p->type != SEGMENT_LOAD || p->memory_size == 0)
			continue;
		if (!segment_ok(p, file_size, bottom, top) || !add_segment(out, p))
			return false;
	}
	if (out->segment_count == 0 || !entry_ok(out))
		return false;
	out->program_headers_address = find_headers(out);
	return true;
}
