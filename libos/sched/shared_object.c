/* SPDX-License-Identifier: MIT */
/* See shared_object.h.  System V ABI, chapters 4 and 5; its x86-64 supplement, 4.4. */
#include "sched/shared_object.h"
#include "core/elf64.h"
#include "core/string.h"

#define OBJECT_BYTES_MAX (OBJECT_PAGES_MAX * OBJECT_PAGE)
#define PROGRAM_HEADERS_MAX 16
#define RELOCATIONS_MAX 8192u

enum {
	TAG_NULL = 0, TAG_NEEDED = 1, TAG_PLT_SIZE = 2, TAG_PLT_GOT = 3, TAG_HASH = 4, TAG_NAMES = 5,
	TAG_SYMBOLS = 6, TAG_RELA = 7, TAG_RELA_SIZE = 8, TAG_RELA_ENTRY = 9, TAG_NAMES_SIZE = 10,
	TAG_SYMBOL_ENTRY = 11, TAG_INIT = 12, TAG_FINI = 13, TAG_SONAME = 14, TAG_SYMBOLIC = 16,
	TAG_PLT_KIND = 20, TAG_DEBUG = 21, TAG_TEXT_RELOCATIONS = 22, TAG_JUMPS = 23,
	TAG_BIND_NOW = 24, TAG_INIT_ARRAY = 25, TAG_FINI_ARRAY = 26, TAG_INIT_SIZE = 27,
	TAG_FINI_SIZE = 28, TAG_FLAGS = 30, TAG_GNU_HASH = 0x6ffffef5, TAG_RELA_COUNT = 0x6ffffff9,
	TAG_FLAGS_1 = 0x6ffffffb,
};
enum { FLAGS_TEXT_RELOCATIONS = 4, FLAGS_STATIC_TLS = 16 };
enum { RELOCATE_64 = 1, RELOCATE_GLOBAL = 6, RELOCATE_JUMP = 7, RELOCATE_RELATIVE = 8 };
enum { SYMBOL_NONE = 0, SYMBOL_OBJECT = 1, SYMBOL_FUNCTION = 2 };
enum { SECTION_UNDEFINED = 0, SECTION_RESERVED = 0xff00 };

struct dynamic {
	uint64_t tag, value;
};

struct symbol {
	uint32_t name;
	uint8_t info, other;
	uint16_t section;
	uint64_t value, size;
};
_Static_assert(sizeof(struct symbol) == 24, "the ABI's layout");

struct relocation {
	uint64_t offset, info;
	int64_t addend;
};

/* ---- decoding the headers */

static bool range_ok(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}

static const char *decode_load(struct shared_object *o, const struct elf64_program_header *p,
			       size_t file_size)
{
	uint64_t first = p->address / OBJECT_PAGE, last;
	uint8_t rights = OBJECT_READ;

	if (p->memory_size == 0)
		return NULL;
	if (o->segment_count == OBJECT_SEGMENTS_MAX || !range_ok(p->offset, p->file_size, file_size) ||
	    p->file_size > p->memory_size)
		return "a segment is not where it must be";
	if (!range_ok(p->address, p->memory_size, OBJECT_BYTES_MAX))
		return "its code and data are more than 256 KiB (SCHED_LIBRARY_SIZE_MAX)";
	if ((p->flags & ELF64_WRITE) && (p->flags & ELF64_EXECUTE))
		return "a segment may be both written and executed";
	/* Segments rise, and share no page: each page has one set of rights. */
	if (first < o->pages)
		return "two segments share a page";
	last = (p->address + p->memory_size - 1) / OBJECT_PAGE;
	rights |= (p->flags & ELF64_WRITE) ? OBJECT_WRITE : 0;
	rights |= (p->flags & ELF64_EXECUTE) ? OBJECT_EXECUTE : 0;
	for (uint64_t page = first; page <= last; page++)
		o->rights[page] = o->linking[page] = rights;
	o->pages = (unsigned)last + 1;
	o->segments[o->segment_count++] = (struct object_segment){ p->address, p->offset,
								   p->file_size };
	return NULL;
}

/* From the page in which it begins, where its segment begins, too; the linker sees to it that it
 * ends with a page. */
static const char *decode_relro(struct shared_object *o, const struct elf64_program_header *p)
{
	uint64_t end = (p->address + p->memory_size) / OBJECT_PAGE;

	if (!object_covers(o, p->address, p->memory_size, OBJECT_READ))
		return "what is read-only after linking is not in a segment";
	for (uint64_t page = p->address / OBJECT_PAGE; page < end; page++)
		o->rights[page] &= (uint8_t)~OBJECT_WRITE;
	return NULL;
}

/* The kinds of segment that come after all ELF64_LOAD have been seen. */
static const char *decode_other(struct shared_object *o, const struct elf64_program_header *p)
{
	switch (p->type) {
	case ELF64_DYNAMIC:
		if (o->dynamic.size || p->address % 8 || p->memory_size < sizeof(struct dynamic) ||
		    !object_covers(o, p->address, p->memory_size, OBJECT_READ))
			return "its dynamic section is not in a segment";
		o->dynamic = (struct object_table){ p->address, p->memory_size };
		return NULL;
	case ELF64_RELRO:
		return decode_relro(o, p);
	case ELF64_INTERPRETER:
		return "it is a program";
	case ELF64_TLS:
		return "it has thread-local variables";
	default:
		return NULL;
	}
}

static bool header_ok(const struct elf64_header *h, size_t size)
{
	return elf64_is_x86_64(h) && h->type == ELF64_SHARED &&
	       h->program_entry_size == sizeof(struct elf64_program_header) && h->program_count > 0 &&
	       h->program_count <= PROGRAM_HEADERS_MAX &&
	       range_ok(h->program_offset, h->program_count * sizeof(struct elf64_program_header), size);
}

const char *object_decode(const void *file, size_t size, struct shared_object *o)
{
	struct elf64_program_header p[PROGRAM_HEADERS_MAX];
	const char *why = NULL;
	struct elf64_header h;

	memset(o, 0, sizeof(*o));
	if (size < sizeof(h))
		return "it is no ELF file";
	memcpy(&h, file, sizeof(h));
	if (!header_ok(&h, size))
		return "it is no shared object for x86-64";
	memcpy(p, (const char *)file + h.program_offset, h.program_count * sizeof(p[0]));
	for (unsigned i = 0; i < h.program_count && !why; i++)
		if (p[i].type == ELF64_LOAD)
			why = decode_load(o, &p[i], size);
	for (unsigned i = 0; i < h.program_count && !why; i++)
		if (p[i].type != ELF64_LOAD)
			why = decode_other(o, &p[i]);
	if (!why && o->dynamic.size == 0)
		why = "it has no dynamic section";
	return why;
}

bool object_covers(const struct shared_object *o, uint64_t offset, uint64_t size, unsigned rights)
{
	if (size == 0 || !range_ok(offset, size, o->pages * OBJECT_PAGE))
		return false;
	for (uint64_t page = offset / OBJECT_PAGE; page <= (offset + size - 1) / OBJECT_PAGE; page++)
		if ((o->rights[page] & rights) != rights)
			return false;
	return true;
}

/* ---- decoding the dynamic section, in memory */

/* Tables must be where relocations, which are checked one by one, cannot change them. */
static bool table_ok(const struct shared_object *o, const struct object_table *t, uint64_t entry,
		     uint64_t alignment)
{
	if (t->size == 0 || t->size % entry || t->address % alignment ||
	    !range_ok(t->address, t->size, o->pages * OBJECT_PAGE))
		return false;
	for (uint64_t page = t->address / OBJECT_PAGE;
	     page <= (t->address + t->size - 1) / OBJECT_PAGE; page++)
		if ((o->linking[page] & (OBJECT_READ | OBJECT_WRITE)) != OBJECT_READ)
			return false;
	return true;
}

/* One entry; NULL, or why it is refused. */
static const char *decode_tag(struct shared_object *o, uint64_t tag, uint64_t value)
{
	switch (tag) {
	case TAG_HASH:
		o->hash.address = value;
		return NULL;
	case TAG_NAMES:
		o->names.address = value;
		return NULL;
	case TAG_NAMES_SIZE:
		o->names.size = value;
		return NULL;
	case TAG_SYMBOLS:
		o->symbols.address = value;
		return NULL;
	case TAG_RELA:
		o->relocations.address = value;
		return NULL;
	case TAG_RELA_SIZE:
		o->relocations.size = value;
		return NULL;
	case TAG_JUMPS:
		o->jumps.address = value;
		return NULL;
	case TAG_PLT_SIZE:
		o->jumps.size = value;
		return NULL;
	case TAG_RELA_ENTRY:
		return value == sizeof(struct relocation) ? NULL : "its relocations have another size";
	case TAG_SYMBOL_ENTRY:
		return value == sizeof(struct symbol) ? NULL : "its symbols have another size";
	case TAG_PLT_KIND:
		return value == TAG_RELA ? NULL : "it has relocations of another kind";
	case TAG_FLAGS:
		return value & (FLAGS_TEXT_RELOCATIONS | FLAGS_STATIC_TLS) ?
			"its text would have to be written to: compile with -fPIC" : NULL;
	case TAG_TEXT_RELOCATIONS:
		return "its text would have to be written to: compile with -fPIC";
	case TAG_NEEDED:
		return "it needs other libraries: link with -nostdlib";
	case TAG_INIT: case TAG_FINI: case TAG_INIT_ARRAY: case TAG_FINI_ARRAY: case TAG_INIT_SIZE:
	case TAG_FINI_SIZE:
		return "it has constructors or destructors: nobody would call them";
	case TAG_PLT_GOT: case TAG_SONAME: case TAG_SYMBOLIC: case TAG_DEBUG: case TAG_BIND_NOW:
	case TAG_GNU_HASH: case TAG_RELA_COUNT: case TAG_FLAGS_1:
		return NULL;
	default:
		return "its dynamic section has an entry of an unknown kind";
	}
}

/* How many symbols there are is told only by the hash table: {buckets, chains}, then both. */
static const char *decode_symbols(struct shared_object *o, const char *memory)
{
	uint32_t counts[2];

	o->hash.size = sizeof(counts);
	if (o->hash.address == 0 || !table_ok(o, &o->hash, 4, 4))
		return "it has no table of symbols: link with -Wl,--hash-style=sysv";
	memcpy(counts, memory + o->hash.address, sizeof(counts));
	o->symbols.size = counts[1] * sizeof(struct symbol);
	if (!table_ok(o, &o->symbols, sizeof(struct symbol), 8) || !table_ok(o, &o->names, 1, 1) ||
	    memory[o->names.address + o->names.size - 1] != 0)
		return "its symbols are not in a segment";
	return NULL;
}

static const char *decode_dynamic(struct shared_object *o, const char *memory)
{
	const char *why = NULL;
	struct dynamic d = { .tag = ~0ul };

	for (uint64_t at = 0; d.tag != TAG_NULL && !why; at += sizeof(d)) {
		if (o->dynamic.size - at < sizeof(d))
			return "its dynamic section has no end";
		memcpy(&d, memory + o->dynamic.address + at, sizeof(d));
		if (d.tag != TAG_NULL)
			why = decode_tag(o, d.tag, d.value);
	}
	if (!why)
		why = decode_symbols(o, memory);
	if (why)
		return why;
	if ((o->relocations.size && !table_ok(o, &o->relocations, sizeof(struct relocation), 8)) ||
	    (o->jumps.size && !table_ok(o, &o->jumps, sizeof(struct relocation), 8)) ||
	    (o->relocations.size + o->jumps.size) / sizeof(struct relocation) > RELOCATIONS_MAX)
		return "its relocations are too many, or not in a segment";
	return NULL;
}

/* ---- symbols and relocations */

static const char *name_of(const struct shared_object *o, const char *memory,
			   const struct symbol *s)
{
	return s->name < o->names.size ? memory + o->names.address + s->name : "";
}

/* Defined in the object, as something that has a place there. */
static bool symbol_ok(const struct shared_object *o, const struct symbol *s)
{
	unsigned type = s->info & 0xf;

	return s->section != SECTION_UNDEFINED && s->section < SECTION_RESERVED &&
	       (type == SYMBOL_NONE || type == SYMBOL_OBJECT || type == SYMBOL_FUNCTION) &&
	       s->value < o->pages * OBJECT_PAGE;
}

/* The address of symbol number `index`; 0, and the culprit is named, if it has none. */
static uint64_t symbol_address(struct shared_object *o, const char *memory, uint64_t index,
			       uint64_t base, object_resolve resolve)
{
	uint64_t address = 0;
	struct symbol s;

	if (index >= o->symbols.size / sizeof(s))
		return 0;
	memcpy(&s, memory + o->symbols.address + index * sizeof(s), sizeof(s));
	if (s.section == SECTION_UNDEFINED)
		address = resolve(name_of(o, memory, &s));
	else if (symbol_ok(o, &s))
		address = base + s.value;
	if (!address)
		string_copy(o->culprit, name_of(o, memory, &s), sizeof(o->culprit));
	return address;
}

static const char *relocate(struct shared_object *o, char *memory, const struct relocation *r,
			    uint64_t base, object_resolve resolve)
{
	uint64_t symbol = r->info >> 32, value;
	uint32_t type = (uint32_t)r->info;

	if (!range_ok(r->offset, sizeof(value), o->pages * OBJECT_PAGE) ||
	    !(o->linking[r->offset / OBJECT_PAGE] & OBJECT_WRITE) ||
	    !(o->linking[(r->offset + sizeof(value) - 1) / OBJECT_PAGE] & OBJECT_WRITE))
		return "a relocation would change what is not data";
	switch (type) {
	case RELOCATE_RELATIVE:
		if ((uint64_t)r->addend >= o->pages * OBJECT_PAGE)
			return "a relocation leads out of it";
		value = base + (uint64_t)r->addend;
		break;
	case RELOCATE_64: case RELOCATE_GLOBAL: case RELOCATE_JUMP:
		value = symbol_address(o, memory, symbol, base, resolve);
		if (!value)
			return "it uses what <libos/sched.h> does not offer:";
		value += type == RELOCATE_64 ? (uint64_t)r->addend : 0;
		break;
	default:
		return "it has relocations of another kind: compile with -fPIC";
	}
	memcpy(memory + r->offset, &value, sizeof(value));
	return NULL;
}

static const char *relocate_all(struct shared_object *o, char *memory,
				const struct object_table *table, uint64_t base,
				object_resolve resolve)
{
	const char *why = NULL;
	struct relocation r;

	for (uint64_t at = 0; at < table->size && !why; at += sizeof(r)) {
		memcpy(&r, memory + table->address + at, sizeof(r));
		why = relocate(o, memory, &r, base, resolve);
	}
	return why;
}

const char *object_build(struct shared_object *o, const void *file, void *memory, uint64_t base,
			 object_resolve resolve)
{
	const char *why;

	for (unsigned i = 0; i < o->segment_count; i++)
		memcpy((char *)memory + o->segments[i].address,
		       (const char *)file + o->segments[i].offset, o->segments[i].file_size);
	why = decode_dynamic(o, memory);
	if (!why)
		why = relocate_all(o, memory, &o->relocations, base, resolve);
	if (!why)
		why = relocate_all(o, memory, &o->jumps, base, resolve);
	return why;
}

uint64_t object_find(const struct shared_object *o, const void *memory, const char *name)
{
	for (uint64_t at = 0; at < o->symbols.size; at += sizeof(struct symbol)) {
		struct symbol s;

		memcpy(&s, (const char *)memory + o->symbols.address + at, sizeof(s));
		if (symbol_ok(o, &s) && strcmp(name_of(o, memory, &s), name) == 0)
			return s.value;
	}
	return 0;
}
