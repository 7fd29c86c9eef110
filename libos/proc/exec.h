/* SPDX-License-Identifier: MIT */
/* The parts of exec: strings, image, stack. */
#ifndef LIBOS_EXEC_H
#define LIBOS_EXEC_H

#include <stddef.h>
#include <stdint.h>
#include "proc/elf.h"

struct file;
struct vm;

/* Strings of a new program, one after the other, each with its NUL: arguments, then environment. */
struct exec_strings {
	char *data; /* of the heap */
	size_t used, size;
	size_t argument_bytes;
	unsigned argument_count, environment_count;
};

/* Bytes with their pointers: a quarter of the stack's limit, but within these bounds; and of one
 * string with its NUL, as on Linux. */
#define EXEC_STRINGS_MIN (128ul << 10)
#define EXEC_STRINGS_MAX (2ul << 20)
#define EXEC_STRING_MAX (128ul << 10)

/* exec_strings.c: 0, -E2BIG, -ENOMEM or -EFAULT.  All arguments come before the environment. */
int exec_strings_add_argument(struct exec_strings *s, const char *string);
int exec_strings_add_environment(struct exec_strings *s, const char *string);
/* The program's argv and envp; either may be 0. */
int exec_strings_copy(struct exec_strings *s, uint64_t argv, uint64_t envp);
/* For a script: `interpreter`, `argument` if not NULL, and `path` in the place of argument 0. */
int exec_strings_prepend(struct exec_strings *s, const char *interpreter, const char *argument,
			 const char *path);
void exec_strings_free(struct exec_strings *s);

/* A program that can be run, found and checked. */
struct exec_image {
	struct file *file; /* counted */
	struct elf_program elf;
	uint64_t bias; /* added to the program's addresses; of a linker, once it is mapped */
	/* The dynamic linker, which runs first and does the rest; of the heap.  NULL: a static program. */
	struct exec_image *linker;
};

/* exec_image.c */
/* Opens path, follows `#!` lines (adding to strings), and opens what links it.  0 or -errno. */
int exec_image_open(struct exec_image *image, const char *path, struct exec_strings *strings);
void exec_image_close(struct exec_image *image);
/* Maps it into a new address space.  0 or -errno. */
int exec_image_map(struct exec_image *image, struct vm *v);
/* Brings the pages that are touched first, and clears what must be zero in pages that also hold bytes of the
 * file.  v is loaded. */
int exec_image_clear(const struct exec_image *image, struct vm *v);

/* exec_stack.c: what the program finds above its first stack pointer.  Its space is loaded.
 * 0 or -errno. */
int exec_stack_write(const struct exec_image *image, const struct exec_strings *strings,
		     const char *path, uint64_t *stack_pointer);

/* exec.c: replaces the calling task's program.  An error, or 0: then the frame is the new
 * program's.  Does not return if it fails after the old program is gone. */
int exec_program(const char *path, struct exec_strings *strings);

#endif
