/* SPDX-License-Identifier: MIT */
/* libos/sched/shared_object.c: what is loaded, what is refused, and that damage leads nowhere */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sched/shared_object.h"
#include "check.h"
#include "sound_object.h"

#define BASE 0x7f5000000000ul

/* The caller frees it; its end is the end of the allocation, so that reading behind it is seen. */
static struct image *sound(void)
{
	struct image *i = aligned_alloc(PAGE, sizeof(*i));

	memset(i, 0, sizeof(*i));
	i->tables = sound_tables;
	memcpy(i->data.dynamic, sound_dynamic, sizeof(sound_dynamic));
	return i;
}

static uint64_t resolve(const char *name)
{
	return strcmp(name, "import") == 0 ? 0x7f0000001234 : 0;
}

/* Decodes and builds; *memory is the caller's to free.  NULL: it can be loaded. */
static const char *load(const void *file, size_t size, struct shared_object *o, char **memory)
{
	const char *why = object_decode(file, size, o);

	*memory = NULL;
	if (why)
		return why;
	*memory = calloc(o->pages, PAGE);
	return object_build(o, file, *memory, BASE, resolve);
}

static bool refused(struct image *i)
{
	struct shared_object o;
	char *memory;
	bool no = load(i, sizeof(*i), &o, &memory) != NULL;

	free(memory);
	free(i);
	return no;
}

static void a_library_is_loaded_and_relocated(void)
{
	struct image *i = sound();
	struct shared_object o;
	char *memory;

	CHECK(load(i, sizeof(*i), &o, &memory) == NULL);
	CHECK_EQ(o.pages, 4); /* the last one all zeros */
	const struct data *d = (const struct data *)(memory + AT(data));

	CHECK_EQ(d->loadable, BASE + AT(data.ops));
	CHECK_EQ(d->ops[0], BASE + AT(text) + 4);
	CHECK_EQ(d->ops[1], BASE + AT(text));
	CHECK_EQ(d->got[0], BASE + AT(data.loadable));
	CHECK_EQ(d->got[1], 0x7f0000001234);
	CHECK_EQ(object_find(&o, memory, "loadable"), AT(data.loadable));
	CHECK_EQ(object_find(&o, memory, "import"), 0);
	free(memory);
	free(i);
}

static void pages_are_written_or_executed_never_both(void)
{
	struct image *i = sound();
	struct shared_object o;
	char *memory;

	CHECK(load(i, sizeof(*i), &o, &memory) == NULL);
	CHECK(object_covers(&o, AT(text), 64, OBJECT_READ | OBJECT_EXECUTE));
	CHECK(!object_covers(&o, AT(text), 64, OBJECT_WRITE));
	CHECK(!object_covers(&o, AT(data), 8, OBJECT_WRITE)); /* read-only after linking */
	CHECK(object_covers(&o, AT(data) + PAGE, 0x800, OBJECT_WRITE));
	CHECK(!object_covers(&o, AT(data), PAGE + 1, OBJECT_WRITE));
	CHECK(!object_covers(&o, AT(text), PAGE + 1, OBJECT_EXECUTE));
	CHECK(!object_covers(&o, 4 * PAGE, 1, OBJECT_READ));
	CHECK(!object_covers(&o, 0, ~0ul, OBJECT_READ));
	CHECK(!object_covers(&o, ~0ul, 2, OBJECT_READ));
	free(memory);
	free(i);
	i = sound(), i->tables.segment[1].p_flags |= PF_W;
	CHECK(refused(i));
}

static void bad_headers_are_refused(void)
{
	struct image *i = sound();

	CHECK(refused((i->tables.header.e_ident[0] = 0, i)));
	i = sound();
	CHECK(refused((i->tables.header.e_type = ET_EXEC, i)));
	i = sound();
	CHECK(refused((i->tables.header.e_machine = EM_AARCH64, i)));
	i = sound();
	CHECK(refused((i->tables.header.e_phnum = 17, i)));
	i = sound();
	CHECK(refused((i->tables.header.e_phoff = ~0ul - 8, i)));
	i = sound();
	CHECK(refused((i->tables.header.e_phoff = sizeof(*i) - 100, i)));
}

static void bad_segments_are_refused(void)
{
	struct image *i = sound();

	CHECK(refused((i->tables.segment[2].p_offset = sizeof(*i), i)));
	i = sound();
	CHECK(refused((i->tables.segment[2].p_filesz = ~0ul, i)));
	i = sound();
	CHECK(refused((i->tables.segment[2].p_memsz = 8, i)));
	i = sound();
	CHECK(refused((i->tables.segment[2].p_memsz = OBJECT_PAGES_MAX * PAGE, i)));
	i = sound();
	CHECK(refused((i->tables.segment[2].p_vaddr = ~0ul - 8, i)));
	i = sound();
	CHECK(refused((i->tables.segment[2].p_vaddr = AT(text) + 0x800, i)));
	i = sound();
	CHECK(refused((i->tables.segment[4].p_memsz = ~0ul, i)));
	i = sound();
	CHECK(refused((i->tables.segment[4].p_type = PT_TLS, i)));
	i = sound();
	CHECK(refused((i->tables.segment[4].p_type = PT_INTERP, i)));
	i = sound();
	CHECK(refused((i->tables.segment[3].p_type = PT_NOTE, i)));
	i = sound();
	CHECK(refused((i->tables.segment[3].p_vaddr = 16 * PAGE, i)));
}

static void bad_dynamic_sections_are_refused(void)
{
	static const uint64_t tags[] = { DT_NEEDED, DT_INIT, DT_FINI_ARRAY, DT_TEXTREL, DT_REL,
					 DT_RPATH, 36 /* DT_RELR */ };
	struct image *i;

	for (unsigned n = 0; n < sizeof(tags) / sizeof(tags[0]); n++) {
		i = sound();
		CHECK(refused((i->data.dynamic[11].d_tag = (Elf64_Sxword)tags[n], i)));
	}
	i = sound();
	CHECK(refused((i->data.dynamic[11].d_un.d_val = DF_TEXTREL, i)));
	i = sound();
	CHECK(refused((i->data.dynamic[0].d_tag = DT_DEBUG, i))); /* no hash table */
	i = sound();
	CHECK(refused((i->tables.hash[1] = 0x10000000, i)));
	i = sound();
	CHECK(refused((i->data.dynamic[2].d_un.d_val = 3, i))); /* no NUL at the end of names */
	i = sound();
	CHECK(refused((i->data.dynamic[4].d_un.d_val = 16, i)));
	i = sound();
	CHECK(refused((i->data.dynamic[6].d_un.d_val = 25, i)));
	i = sound();
	CHECK(refused((i->data.dynamic[6].d_un.d_val = 24 << 20, i)));
	i = sound();
	CHECK(refused((i->data.dynamic[5].d_un.d_val = AT(data), i))); /* it could change itself */
	i = sound();
	for (int n = 11; n < 16; n++)
		i->data.dynamic[n].d_tag = DT_DEBUG;
	CHECK(refused(i)); /* no end */
}

static void bad_symbols_and_relocations_are_refused(void)
{
	struct image *i = sound();

	CHECK(refused((i->tables.names[1] = 'X', i))); /* not among what is offered */
	i = sound();
	CHECK(refused((i->tables.symbol[1].st_name = ~0u, i)));
	i = sound();
	CHECK(refused((i->tables.symbol[3].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC), i)));
	i = sound();
	CHECK(refused((i->tables.symbol[3].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS), i)));
	i = sound();
	CHECK(refused((i->tables.symbol[3].st_value = 4 * PAGE, i)));
	i = sound();
	CHECK(refused((i->tables.symbol[3].st_shndx = SHN_ABS, i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_info = ELF64_R_INFO(4, R_X86_64_64), i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_info = ELF64_R_INFO(0, R_X86_64_IRELATIVE), i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_info = ELF64_R_INFO(3, R_X86_64_PC32), i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_offset = AT(text), i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_offset = AT(tables.jump), i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_offset = 4 * PAGE - 4, i)));
	i = sound();
	CHECK(refused((i->tables.relocation[1].r_offset = ~0ul - 3, i)));
	i = sound();
	CHECK(refused((i->tables.relocation[2].r_addend = 4 * PAGE, i)));
	i = sound();
	CHECK(refused((i->tables.relocation[2].r_addend = -8, i)));
}

static void what_is_missing_is_named(void)
{
	struct image *i = sound();
	struct shared_object o;
	char *memory;

	memcpy(&i->tables.names[1], "printf", 7);
	CHECK(load(i, sizeof(*i), &o, &memory) != NULL);
	CHECK(strcmp(o.culprit, "printf") == 0);
	free(memory);
	free(i);
}

static void a_file_that_ends_early_is_refused(void)
{
	struct image *i = sound();
	size_t whole = AT(data) + sizeof(struct data);

	for (size_t size = 0; size < whole; size += size < 1024 ? 1 : 61) {
		void *part = malloc(size + !size);
		struct shared_object o;
		char *memory;

		memcpy(part, i, size);
		CHECK(load(part, size, &o, &memory) != NULL);
		free(memory);
		free(part);
	}
	free(i);
}

static uint64_t random_state = 88172645463325252ul;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Somewhere in one of the parts that have a meaning. */
static void damage(struct image *i)
{
	uint8_t *parts[] = { (uint8_t *)&i->tables, (uint8_t *)&i->data };
	size_t sizes[] = { sizeof(i->tables), sizeof(i->data) };
	unsigned part = random_word() % 2;
	uint8_t *at = parts[part] + random_word() % sizes[part];

	*at = (uint8_t)(random_word() % 3 ? random_word() : 0xff);
}

/* The sanitisers see what leads astray; besides, the text is never changed. */
static void damaged_files_are_refused_or_loaded_as_they_are(void)
{
	unsigned loaded = 0, not_loaded = 0;

	for (int round = 0; round < 60000; round++) {
		struct image *i = sound();
		struct shared_object o;
		char *memory;

		memset(i->text, 0x90, sizeof(i->text));
		for (unsigned n = 1 + random_word() % 3; n > 0; n--)
			damage(i);
		if (load(i, sizeof(*i), &o, &memory)) {
			not_loaded++;
		} else {
			loaded++;
			CHECK(o.pages >= 1 && o.pages <= OBJECT_PAGES_MAX);
			for (unsigned page = 0; page < o.pages; page++) {
				unsigned both = OBJECT_WRITE | OBJECT_EXECUTE;

				CHECK((o.rights[page] & both) != both);
			}
			object_find(&o, memory, "loadable");
		}
		free(memory);
		free(i);
	}
	CHECK(loaded > 1000 && not_loaded > 1000);
}

int main(void)
{
	RUN(a_library_is_loaded_and_relocated);
	RUN(pages_are_written_or_executed_never_both);
	RUN(bad_headers_are_refused);
	RUN(bad_segments_are_refused);
	RUN(bad_dynamic_sections_are_refused);
	RUN(bad_symbols_and_relocations_are_refused);
	RUN(what_is_missing_is_named);
	RUN(a_file_that_ends_early_is_refused);
	RUN(damaged_files_are_refused_or_loaded_as_they_are);
	return check_result();
}
