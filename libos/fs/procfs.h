/* SPDX-License-Identifier: MIT */
/*
 * /proc: files whose contents are printed when they are read.
 */
#ifndef LIBOS_PROCFS_H
#define LIBOS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>

/* Output that stops, and says so, when it is full; the reader then tries again with more room. */
struct text {
	char *data;
	size_t size, used;
	bool overflow;
	int error; /* what a read fails with instead, or 0 */
};

void text_print(struct text *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_append(struct text *out, const void *bytes, size_t n);

/*
 * proc_register - add a file /proc/PATH, such as "exo/sched" or "sys/kernel/ostype"
 *
 * print(out, argument) prints the whole contents; it runs in task context with no lock held, once
 * or more for each read from the start.  write(text, n, argument), when not NULL, is given what a
 * program writes, NUL-terminated, and returns 0 or -errno.  Directories are made as needed.
 * Both strings must stay; may be called before fs_init().  Returns 0 or -ENOMEM.
 */
int proc_register(const char *path, void (*print)(struct text *out, void *argument),
		  int (*write)(const char *data, size_t n, void *argument), void *argument);

#endif
