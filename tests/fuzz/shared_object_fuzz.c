/* SPDX-License-Identifier: MIT */
/*
 * libos/sched/shared_object.c: a file that is loaded keeps to its pages, and its text is what was in the
 * file.
 *
 *	input: the file's size, 2 bytes; then the parts of the file that have a meaning: its tables, and
 *	its data.  The text between them and the padding are filled in.
 */
#include <string.h>
#include "fuzz.h"
#include "sched/shared_object.h"
#include "sound_object.h"

#define BASE 0x7f5000000000ul

const struct fuzz_target fuzz_target = {
	"shared_object",
	"objects_are_refused_or_loaded_as_they_are",
	12000,
};

struct parts {
	uint16_t size;
	uint8_t tables[sizeof(struct tables)];
	uint8_t data[sizeof(struct data)];
} __attribute__((packed));

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	struct parts p = { .size = sizeof(struct image) };

	if (number != 0)
		return 0;
	memcpy(p.tables, &sound_tables, sizeof(sound_tables));
	memcpy(p.data + offsetof(struct data, dynamic), sound_dynamic, sizeof(sound_dynamic));
	memcpy(out, &p, sizeof(p));
	return sizeof(p);
}

static uint64_t resolve(const char *name)
{
	return strlen(name) == 6 ? 0x7f0000001234 : 0;
}

static void check_layout(const struct shared_object *o, size_t size)
{
	unsigned page = 0;

	FUZZ_CHECK(o->pages >= 1 && o->pages <= OBJECT_PAGES_MAX);
	FUZZ_CHECK(o->segment_count >= 1 && o->segment_count <= OBJECT_SEGMENTS_MAX);
	for (unsigned i = 0; i < o->segment_count; i++) {
		const struct object_segment *s = &o->segments[i];

		FUZZ_CHECK(s->offset <= size && s->file_size <= size - s->offset);
		FUZZ_CHECK(s->address / OBJECT_PAGE >= page);
		FUZZ_CHECK(s->address + s->file_size <= o->pages * OBJECT_PAGE);
		page = (unsigned)((s->address + s->file_size) / OBJECT_PAGE);
	}
	for (unsigned i = 0; i < o->pages; i++) {
		unsigned both = OBJECT_WRITE | OBJECT_EXECUTE;

		FUZZ_CHECK((o->rights[i] & both) != both && (o->linking[i] & both) != both);
		FUZZ_CHECK((o->rights[i] & ~o->linking[i]) == 0);
	}
}

/* Outside the pages that may be written to while it is linked, memory is the file, and zeros. */
static void check_text(const struct shared_object *o, const uint8_t *file, const uint8_t *memory)
{
	uint8_t wanted[OBJECT_PAGE];

	for (unsigned page = 0; page < o->pages; page++) {
		if (o->linking[page] & OBJECT_WRITE)
			continue;
		memset(wanted, 0, sizeof(wanted));
		for (unsigned i = 0; i < o->segment_count; i++) {
			const struct object_segment *s = &o->segments[i];

			for (uint64_t n = 0; n < s->file_size; n++)
				if ((s->address + n) / OBJECT_PAGE == page)
					wanted[(s->address + n) % OBJECT_PAGE] = file[s->offset + n];
		}
		FUZZ_CHECK(memcmp(memory + page * OBJECT_PAGE, wanted, OBJECT_PAGE) == 0);
	}
}

static void load(const uint8_t *file, size_t size)
{
	struct shared_object o;
	uint8_t *memory;

	if (object_decode(file, size, &o) != NULL)
		return;
	check_layout(&o, size);
	static const uint8_t zeros[OBJECT_PAGES_MAX * OBJECT_PAGE];

	memory = fuzz_copy(zeros, o.pages * OBJECT_PAGE);
	if (object_build(&o, file, memory, BASE, resolve) == NULL) {
		check_layout(&o, size);
		check_text(&o, file, memory);
		FUZZ_CHECK(object_find(&o, memory, "loadable") < o.pages * OBJECT_PAGE);
	}
	fuzz_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image image;
	struct parts p;
	uint8_t *file;

	memset(&p, 0, sizeof(p));
	memcpy(&p, data, size < sizeof(p) ? size : sizeof(p));
	memset(&image, 0, sizeof(image));
	memcpy(&image.tables, p.tables, sizeof(p.tables));
	memset(image.text, 0x90, sizeof(image.text));
	memcpy(&image.data, p.data, sizeof(p.data));
	if (p.size > sizeof(image))
		p.size = sizeof(image);
	file = fuzz_copy(&image, p.size);
	load(file, p.size);
	fuzz_free(file);
	return 0;
}
