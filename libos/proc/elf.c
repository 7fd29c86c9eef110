/* SPDX-License-Identifier: MIT */
/* Checks an ELF64 executable: every offset and sum. */
#include "elf.h"

#define PAGE 4096ul

bool elf_parse_header(const void *bytes, uint64_t file_size, struct elf_program *out)
{
	const struct elf64_header *h = bytes;

	if (!elf64_is_x86_64(h) || (h->type != ELF64_EXECUTABLE && h->type != ELF64_SHARED))
		return false;
	if (h->program_entry_size != ELF_PROGRAM_HEADER_SIZE || h->program_count == 0 ||
	    h->program_count > ELF_PROGRAM_HEADERS_MAX)
		return false;
	if (h->program_offset > file_size ||
	    (file_size - h->program_offset) / ELF_PROGRAM_HEADER_SIZE < h->program_count)
		return false;
	out->position_independent = h->type == ELF64_SHARED;
	out->entry = h->entry;
	out->program_headers_offset = h->program_offset;
	out->program_header_count = h->program_count;
	return true;
}

static bool segment_ok(const struct elf64_program_header *p, uint64_t file_size, uint64_t bottom,
		       uint64_t top)
{
	if (p->offset > file_size || p->file_size > file_size - p->offset)
		return false;
	if (p->file_size > p->memory_size || p->address % PAGE != p->offset % PAGE)
		return false;
	/* What lies behind the file's part is cleared by writing. */
	if (p->file_size < p->memory_size && !(p->flags & ELF64_WRITE))
		return false;
	return p->address >= bottom && p->address < top && p->memory_size <= top - p->address;
}

static bool add_segment(struct elf_program *out, const struct elf64_program_header *p)
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
		.readable = p->flags & ELF64_READ,
		.writable = p->flags & ELF64_WRITE,
		.executable = p->flags & ELF64_EXECUTE,
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

/* As on Linux the first one counts. */
static bool find_linker_name(const struct elf64_program_header *p, uint64_t file_size,
			     struct elf_program *out)
{
	if (out->linker_name_size)
		return true;
	if (p->file_size < 2 || p->file_size > ELF_LINKER_NAME_MAX || p->offset > file_size ||
	    p->file_size > file_size - p->offset)
		return false;
	out->linker_name_offset = p->offset;
	out->linker_name_size = p->file_size;
	return true;
}

bool elf_parse_segments(const void *headers, uint64_t file_size, uint64_t bottom, uint64_t top,
			struct elf_program *out)
{
	const struct elf64_program_header *p = headers;

	out->segment_count = 0;
	out->executable_stack = false;
	out->linker_name_size = 0;
	if (out->position_independent) { /* may be linked at 0: the bias moves it */
		top -= bottom;
		bottom = 0;
	}
	for (unsigned i = 0; i < out->program_header_count; i++, p++) {
		if (p->type == ELF64_INTERPRETER && !find_linker_name(p, file_size, out))
			return false;
		if (p->type == ELF64_GNU_STACK)
			out->executable_stack = p->flags & ELF64_EXECUTE;
		if (p->type != ELF64_LOAD || p->memory_size == 0)
			continue;
		if (!segment_ok(p, file_size, bottom, top) || !add_segment(out, p))
			return false;
	}
	if (out->segment_count == 0 || !entry_ok(out))
		return false;
	out->program_headers_address = find_headers(out);
	return true;
}
