/* SPDX-License-Identifier: MIT */
/* libos/proc/elf.c: what exec accepts, what it refuses, and that no input leads it astray */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../libos/proc/elf.h"
#include "check.h"
#include "sound_program.h"

#define BOTTOM 0x10000ul
#define TOP 0x7e8000000000ul
#define FILE_SIZE 0x5000ul

static bool parse(const struct program_image *i, struct elf_program *out)
{
	return elf_parse_header(i, FILE_SIZE, out) &&
	       elf_parse_segments(i->segment, FILE_SIZE, BOTTOM, TOP, out);
}

static bool refused(const struct program_image *i)
{
	struct elf_program out;

	return !parse(i, &out);
}

static void a_static_executable_is_accepted(void)
{
	struct program_image i = sound_program();
	struct elf_program out;

	CHECK(parse(&i, &out));
	CHECK(!out.position_independent);
	CHECK_EQ(out.segment_count, 3);
	CHECK_EQ(out.low, 0x400000);
	CHECK_EQ(out.high, 0x407000);
	CHECK_EQ(out.entry, 0x401010);
	CHECK_EQ(out.program_headers_address, 0x400040);
	CHECK(out.segments[1].executable && !out.segments[1].writable);
	CHECK(out.segments[2].writable && !out.segments[2].executable);
	CHECK(!out.executable_stack);
}

/* Of 64-bit programs only those that ask for it: Linux, where nothing is said, gives none either. */
static void a_stack_is_executable_where_asked_for(void)
{
	struct program_image i = sound_program();
	struct elf_program out;

	i.segment[3].p_flags |= PF_X;
	CHECK(parse(&i, &out) && out.executable_stack);
	i.segment[3].p_type = PT_NULL;
	CHECK(parse(&i, &out) && !out.executable_stack);
}

static void a_static_pie_may_be_linked_at_zero(void)
{
	struct program_image i = sound_program();
	struct elf_program out;

	i.header.e_type = ET_DYN;
	i.header.e_entry -= 0x400000;
	for (int s = 0; s < 3; s++)
		i.segment[s].p_vaddr -= 0x400000;
	CHECK(parse(&i, &out));
	CHECK(out.position_independent);
	CHECK_EQ(out.low, 0);
	CHECK_EQ(out.program_headers_address, 0x40);
}

static void bad_headers_are_refused(void)
{
	struct program_image i = sound_program();

	i.header.e_ident[0] = 0;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_type = ET_REL;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_machine = EM_AARCH64;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_phentsize = 32;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_phnum = 0;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_phnum = 65;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_phoff = FILE_SIZE - 8;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_phoff = ~0ul - 8;
	CHECK(refused(&i));
	i = sound_program(), i.header.e_entry = 0x400010; /* not executable */
	CHECK(refused(&i));
	i = sound_program(), i.header.e_entry = 0;
	CHECK(refused(&i));
}

static void bad_segments_are_refused(void)
{
	struct program_image i = sound_program();

	i.segment[2].p_offset = FILE_SIZE + 0x10;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_filesz = ~0ul;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_memsz = 0x10;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_memsz = ~0ul;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_vaddr += 1;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_vaddr = TOP + 0x10;
	CHECK(refused(&i));
	i = sound_program(), i.segment[2].p_vaddr = ~0xfffful + 0x10;
	CHECK(refused(&i));
	i = sound_program(), i.segment[0].p_vaddr = 0; /* the null page */
	CHECK(refused(&i));
	i = sound_program(), i.segment[1].p_vaddr = 0x400000; /* onto the first */
	CHECK(refused(&i));
	i = sound_program(), i.segment[0].p_memsz = 0x300; /* zeros that cannot be written */
	CHECK(refused(&i));
	i = sound_program();
	for (int s = 0; s < 3; s++)
		i.segment[s].p_type = PT_NOTE;
	CHECK(refused(&i));
}

/* Where its dynamic linker's name is in the file: the first that is said, and a name at all. */
static void a_program_may_name_its_linker(void)
{
	struct program_image i = sound_program();
	struct elf_program out;

	CHECK(parse(&i, &out) && out.linker_name_size == 0);
	i.segment[3] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 28 };
	CHECK(parse(&i, &out));
	CHECK_EQ(out.linker_name_offset, 0x200);
	CHECK_EQ(out.linker_name_size, 28);
	i.segment[3].p_offset = FILE_SIZE - 28;
	CHECK(parse(&i, &out));
	i.segment[3].p_offset++;
	CHECK(refused(&i));
	i.segment[3].p_offset = ~0ul;
	CHECK(refused(&i));
	i.segment[3].p_offset = 0x200, i.segment[3].p_filesz = ~0ul;
	CHECK(refused(&i));
	i.segment[3].p_filesz = ELF_LINKER_NAME_MAX + 1;
	CHECK(refused(&i));
	i.segment[3].p_filesz = 1; /* a NUL alone */
	CHECK(refused(&i));
}

static uint64_t random_state = 88172645463325252ul;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Whatever is accepted keeps the promises of the header file. */
static void accepted_programs_keep_the_promises(void)
{
	unsigned accepted = 0;

	for (int round = 0; round < 300000; round++) {
		struct program_image i = sound_program();
		struct elf_program out;

		for (unsigned n = random_word() % 4; n > 0; n--) {
			size_t at = random_word() % sizeof(i);

			((uint8_t *)&i)[at] = (uint8_t)(random_word() % 3 ? random_word() : 0xff);
		}
		if (i.header.e_phnum > 4 || !parse(&i, &out))
			continue;
		accepted++;
		CHECK(out.segment_count >= 1 && out.segment_count <= ELF_SEGMENTS_MAX);
		CHECK(out.high > out.low);
		CHECK(out.high - out.low <= TOP);
		for (unsigned s = 0; s < out.segment_count; s++) {
			const struct elf_segment *seg = &out.segments[s];

			CHECK(seg->offset + seg->file_size <= FILE_SIZE);
			CHECK(seg->address >= out.low && seg->address + seg->memory_size <= out.high);
			CHECK(seg->file_size <= seg->memory_size);
		}
		CHECK(out.linker_name_size <= ELF_LINKER_NAME_MAX);
		CHECK(!out.linker_name_size ||
		      out.linker_name_offset + out.linker_name_size <= FILE_SIZE);
	}
	CHECK(accepted > 1000);
}

int main(void)
{
	RUN(a_static_executable_is_accepted);
	RUN(a_stack_is_executable_where_asked_for);
	RUN(a_program_may_name_its_linker);
	RUN(a_static_pie_may_be_linked_at_zero);
	RUN(bad_headers_are_refused);
	RUN(bad_segments_are_refused);
	RUN(accepted_programs_keep_the_promises);
	return check_result();
}
