/* SPDX-License-Identifier: MIT */
/* Finding the file that exec is to run, and mapping it. */
#include "proc/exec.h"
#include <linux/mman.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/linux.h"
#include "fs/memfs.h"
#include "vm/vm.h"

#define LINE_MAX 255     /* of a `#!` line, as on Linux */
#define FIRST_MAX 512    /* bytes of the file that are looked at first: nearly all have their headers there */
#define SCRIPT_DEPTH 5   /* interpreters that are scripts themselves, as on Linux */
#define PIE_BASE 0x555555554000ul /* where Linux puts position-independent programs */
#define PAGE EXO_PAGE_SIZE
#define TOUCHED_MAX (16 * PAGE) /* of a segment of which a page is mapped at once */
#define ZEROS_BEST (PAGE / 2)   /* so many bytes are read into a page of zeros, rather than the page copied */
#define PAGE_DOWN(x) ((x) & ~(PAGE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + PAGE - 1)

static struct file *open_executable(const char *path, int *error)
{
	struct file *f = file_open_kernel(path, O_RDONLY, error);

	if (!f)
		return NULL;
	/* Root may do anything else, but runs only what is executable for somebody. */
	if (!S_ISREG(file_mode(f)) || !(file_mode(f) & 0111))
		*error = -EACCES;
	else
		*error = f->inode ? inode_access(f->inode, X_OK) ?: memfs_execute(f) : -EACCES;
	if (*error < 0) {
		file_put(f);
		return NULL;
	}
	return f;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "#! interpreter [argument]", cut off at the line's end: everything behind the first blanks is one
 * argument.  Changes the line; false if it names no interpreter. */
static bool split_line(char *line, char **interpreter, char **argument)
{
	char *end = strchr(line, '\n'), *p = line + 2;

	if (end)
		*end = '\0';
	for (size_t n = strlen(p); n > 0 && is_blank(p[n - 1]); n--)
		p[n - 1] = '\0';
	while (is_blank(*p))
		p++;
	*interpreter = p;
	while (*p && !is_blank(*p))
		p++;
	*argument = NULL;
	if (*p) {
		*p++ = '\0';
		while (is_blank(*p))
			p++;
		*argument = p;
	}
	return **interpreter != '\0';
}

/* `first` are the file's first n bytes: the program headers are among them, as a rule. */
static int read_headers(struct exec_image *image, const void *first, size_t n)
{
	struct elf_program *elf = &image->elf;
	uint64_t size = file_size(image->file);

	if (n < ELF_HEADER_SIZE || !elf_parse_header(first, size, elf))
		return -ENOEXEC;
	size_t bytes = (size_t)elf->program_header_count * ELF_PROGRAM_HEADER_SIZE;
	uint64_t offset = elf->program_headers_offset;
	bool here = offset % sizeof(uint64_t) == 0 && offset <= n && bytes <= n - offset;
	void *own = here ? NULL : heap_alloc_uncleared(bytes);
	const void *headers = here ? (const char *)first + offset : own;
	long got = (long)bytes;

	if (!headers)
		return -ENOMEM;
	if (!here)
		got = file_read_kernel(image->file, own, bytes, offset);
	int r = got < 0 ? (int)got : 0;

	if (r == 0 && ((size_t)got != bytes || !elf_parse_segments(headers, size, VM_LOW, EXO_USER_TOP, elf)))
		r = -ENOEXEC;
	heap_free(own);
	image->bias = elf->position_independent ? PIE_BASE : 0;
	return r;
}

/* 1: a script, `next` now names its interpreter. */
static int look_at(struct exec_image *image, const char *path, struct exec_strings *strings,
		   char next[LINE_MAX + 1])
{
	uint64_t first[FIRST_MAX / sizeof(uint64_t)];
	char *line = (char *)first, *interpreter, *argument;
	long n = file_read_kernel(image->file, first, sizeof(first), 0);

	if (n < 0)
		return (int)n;
	if (n < 2 || line[0] != '#' || line[1] != '!')
		return read_headers(image, first, (size_t)n);
	line[n < LINE_MAX ? n : LINE_MAX] = '\0';
	/* A line that is cut off in the middle of the interpreter's name names another file. */
	if (!split_line(line, &interpreter, &argument) ||
	    interpreter + strlen(interpreter) == line + LINE_MAX)
		return -ENOEXEC;
	int r = exec_strings_prepend(strings, interpreter, argument, path);

	if (r < 0)
		return r;
	string_copy(next, interpreter, LINE_MAX + 1);
	return 1;
}

/* Which file the program's dynamic linker is, and whether it can be one. */
static int look_at_linker(const struct exec_image *image, struct exec_image *linker, char *path)
{
	uint64_t first[FIRST_MAX / sizeof(uint64_t)];
	size_t size = image->elf.linker_name_size;
	long n = file_read_kernel(image->file, path, size, image->elf.linker_name_offset);
	int r;

	if (n != (long)size || path[size - 1] != '\0')
		return n < 0 ? (int)n : -ENOEXEC;
	linker->file = open_executable(path, &r);
	if (!linker->file)
		return r;
	n = file_read_kernel(linker->file, first, sizeof(first), 0);
	if (n < 0)
		return (int)n;
	r = read_headers(linker, first, (size_t)n);
	return r == -ENOEXEC || (r == 0 && !linker->elf.position_independent) ? -ELIBBAD : r;
}

static int open_linker(struct exec_image *image)
{
	char *path = heap_alloc_uncleared(image->elf.linker_name_size);
	int r = -ENOMEM;

	image->linker = heap_alloc(sizeof(*image->linker));
	if (path && image->linker)
		r = look_at_linker(image, image->linker, path);
	heap_free(path);
	return r;
}

int exec_image_open(struct exec_image *image, const char *path, struct exec_strings *strings)
{
	char name[LINE_MAX + 1], next[LINE_MAX + 1];

	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		int r;

		image->linker = NULL;
		image->file = open_executable(path, &r);
		if (!image->file)
			return r;
		r = look_at(image, path, strings, next);
		if (r == 0 && image->elf.linker_name_size)
			r = open_linker(image);
		if (r == 0)
			return 0;
		exec_image_close(image);
		if (r < 0)
			return r;
		memcpy(name, next, sizeof(name));
		path = name;
	}
	return -ELOOP;
}

void exec_image_close(struct exec_image *image)
{
	if (image->file)
		file_put(image->file);
	image->file = NULL;
	if (!image->linker)
		return;
	if (image->linker->file)
		file_put(image->linker->file);
	heap_free(image->linker);
	image->linker = NULL;
}

static int prot_of(const struct elf_segment *s)
{
	return (s->readable ? PROT_READ : 0) | (s->writable ? PROT_WRITE : 0) |
	       (s->executable ? PROT_EXEC : 0);
}

/* The file's pages, and behind them pages of zeros. */
static int map_segment(const struct exec_image *image, const struct elf_segment *s, struct vm *v)
{
	uint64_t start = PAGE_DOWN(s->address), file_end = PAGE_UP(s->address + s->file_size);
	uint64_t end = PAGE_UP(s->address + s->memory_size);
	long r = 0;

	if (s->file_size == 0)
		file_end = start;
	if (file_end > start)
		r = vm_mmap(v, image->bias + start, file_end - start, prot_of(s),
			    MAP_PRIVATE | MAP_FIXED, image->file, PAGE_DOWN(s->offset));
	if (r >= 0 && end > file_end)
		r = vm_mmap(v, image->bias + file_end, end - file_end, prot_of(s),
			    MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0);
	return r < 0 ? (int)r : 0;
}

static int map_segments(const struct exec_image *image, struct vm *v)
{
	const struct elf_program *elf = &image->elf;

	for (unsigned i = 0; i < elf->segment_count; i++) {
		int r = map_segment(image, &elf->segments[i], v);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Wherever there is room; between its segments there is nothing then. */
static int map_linker(struct exec_image *linker, struct vm *v)
{
	const struct elf_program *elf = &linker->elf;
	long base = vm_mmap(v, 0, elf->high - elf->low, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    NULL, 0);

	if (base < 0)
		return (int)base;
	linker->bias = (uint64_t)base - elf->low;
	return map_segments(linker, v);
}

int exec_image_map(struct exec_image *image, struct vm *v)
{
	int r = map_segments(image, v);

	if (r < 0)
		return r;
	r = vm_set_brk(v, image->bias + image->elf.high);
	return r == 0 && image->linker ? map_linker(image->linker, v) : r;
}

/* Has the segment zeros behind the file's bytes, in the same page? */
static bool is_cleared(const struct elf_segment *s)
{
	return s->file_size > 0 && s->memory_size > s->file_size;
}

/* The file's bytes in the page that they end in. */
static uint64_t bytes_in_last(const struct elf_segment *s)
{
	return (s->address + s->file_size - 1) % PAGE + 1;
}

/*
 * What the program, or we, will touch at once.  No more than what a fault there would bring.  The first
 * wishes are the segments', for the page that we clear the end of; a program's C library looks at the start
 * of the data, too.
 */
static unsigned wish_first(const struct exec_image *image, struct vm_wish *wishes)
{
	unsigned n = image->elf.segment_count;

	for (unsigned i = 0; i < image->elf.segment_count; i++) {
		const struct elf_segment *s = &image->elf.segments[i];
		bool clear = is_cleared(s), small = s->file_size > 0 && s->file_size <= TOUCHED_MAX;
		uint64_t start = image->bias + s->address;

		wishes[i] = (struct vm_wish){ .address = start, .how = WISH_NONE };
		if (clear)
			wishes[i] = (struct vm_wish){ .address = start + s->file_size - 1,
						      .how = WISH_WRITE };
		else if (small && !s->executable)
			wishes[i].how = WISH_READ;
		if (clear && bytes_in_last(s) <= ZEROS_BEST)
			wishes[i].how = WISH_ZEROS;
		if (clear && small && !s->executable)
			wishes[n++] = (struct vm_wish){ .address = start, .how = WISH_READ };
	}
	wishes[n++] = (struct vm_wish){ .address = image->bias + image->elf.entry, .how = WISH_READ };
	wishes[n++] = (struct vm_wish){ .address = VM_STACK_TOP - PAGE, .how = WISH_WRITE };
	return n;
}

/* A page that is of zeros already gets the file's bytes; one that was copied loses what is behind them. */
static int clear_end(const struct exec_image *image, const struct elf_segment *s, bool zeros)
{
	uint64_t end = image->bias + s->address + s->file_size, n = bytes_in_last(s);

	uint64_t wanted = zeros ? n : PAGE - n;
	long r = zeros ? file_read_user(image->file, end - n, n, s->offset + s->file_size - n) :
			 zero_user(end, PAGE - n);

	return r == (long)wanted ? 0 : r < 0 ? (int)r : -EIO;
}

static int clear_ends(const struct exec_image *image, struct vm *v)
{
	struct vm_wish wishes[2 * ELF_SEGMENTS_MAX + 2];
	int r = 0;

	vm_touch_ahead(v, wishes, wish_first(image, wishes));
	for (unsigned i = 0; i < image->elf.segment_count && r == 0; i++)
		if (is_cleared(&image->elf.segments[i]))
			r = clear_end(image, &image->elf.segments[i],
				      wishes[i].how == WISH_ZEROS && wishes[i].is_own);
	return r;
}

int exec_image_clear(const struct exec_image *image, struct vm *v)
{
	int r = clear_ends(image, v);

	return r == 0 && image->linker ? clear_ends(image->linker, v) : r;
}
