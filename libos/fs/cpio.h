/* SPDX-License-Identifier: MIT */
/*
 * A reader of cpio archives in the "newc" format (cpio(5)).  Pure: it looks at nothing but the
 * bytes it is given, and every length is checked against them.
 *
 *	entry:  110 bytes of header: "070701" and 13 numbers of 8 hexadecimal digits
 *	        the name with its NUL (and possibly more, which a builder uses to align the data)
 *	        padding to 4, the data, padding to 4
 *	...
 *	entry named "TRAILER!!!"
 */
#ifndef LIBOS_CPIO_H
#define LIBOS_CPIO_H

#include <stddef.h>
#include <stdint.h>

#define CPIO_NAME_MAX 4096

struct cpio_reader {
	const uint8_t *archive;
	size_t size;
	size_t offset;      /* of the entry to be read next */
	const char *damage; /* after CPIO_DAMAGED: what is wrong with the entry at `offset` */
};

struct cpio_entry {
	const char *name; /* NUL-terminated, inside the archive, never empty */
	uint32_t inode, mode, uid, gid, links, mtime;
	uint32_t device_major, device_minor; /* of a device node */
	const uint8_t *data;
	size_t size;
	size_t offset; /* of its header */
};

enum cpio_result { CPIO_ENTRY, CPIO_END, CPIO_DAMAGED };

void cpio_open(struct cpio_reader *r, const void *archive, size_t size);
/* Fills in *e only for CPIO_ENTRY.  After CPIO_DAMAGED every further call says so again. */
enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *e);

#endif
