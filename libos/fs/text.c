/* SPDX-License-Identifier: MIT */
/* Text that is printed piece by piece into a buffer of a given size. */
#include "core/log.h"
#include "core/string.h"
#include "fs/procfs.h"

void text_append(struct text *out, const void *bytes, size_t n)
{
	if (n > out->size - out->used) {
		out->overflow = true;
		n = out->size - out->used;
	}
	memcpy(out->data + out->used, bytes, n);
	out->used += n;
}

void text_print(struct text *out, const char *fmt, ...)
{
	size_t room = out->size - out->used;
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vformat(out->data + out->used, room, fmt, ap);
	va_end(ap);
	/* The terminating NUL needs a byte as well, though it does not count. */
	if (length < 0 || (size_t)length >= room) {
		out->overflow = true;
		out->used = out->size;
	} else {
		out->used += (size_t)length;
	}
}
