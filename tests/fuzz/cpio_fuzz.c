/* SPDX-License-Identifier: MIT */
/* libos/fs/cpio.c: no archive leads out of itself, or goes on for ever.  The input is the archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/cpio.h"
#include "fuzz.h"

#define HEADER_SIZE 110u

const struct fuzz_target fuzz_target = { "cpio", "no_archive_leads_out_of_itself", 60000 };

static uint8_t *put(uint8_t *to, const void *bytes, size_t n, const uint8_t *start)
{
	memcpy(to, bytes, n);
	to += n;
	while ((to - start) % 4 != 0)
		*to++ = 0;
	return to;
}

static uint8_t *put_entry(uint8_t *to, const uint8_t *start, const char *name, unsigned mode,
			  const char *data)
{
	char header[HEADER_SIZE + 64];
	int n = snprintf(header, sizeof(header),
			 "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X%s", 7, mode,
			 1000, 100, 1, 1234, strlen(data), 0, 0, 5, 1, strlen(name) + 1, 0, name);

	to = put(to, header, (size_t)n + 1, start);
	return put(to, data, strlen(data), start);
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	uint8_t *to = out;

	if (number > 1)
		return 0;
	to = put_entry(to, out, "dir", 040755, "");
	to = put_entry(to, out, "dir/file", 0100644, "hello");
	if (number == 1)
		to = put_entry(to, out, "dir/link", 0120777, "../somewhere/else");
	to = put_entry(to, out, "TRAILER!!!", 0, "");
	return (size_t)(to - out);
}

/* The fields as the C library reads them. */
static uint32_t field(const uint8_t *header, unsigned index)
{
	char digits[9] = { 0 };

	memcpy(digits, header + 6 + 8 * index, 8);
	return (uint32_t)strtoul(digits, NULL, 16);
}

static void check_entry(const struct cpio_reader *r, const struct cpio_entry *e)
{
	const uint8_t *header = r->archive + e->offset, *name = (const uint8_t *)e->name;
	const uint8_t *end = r->archive + r->size;

	FUZZ_CHECK(r->size - e->offset >= HEADER_SIZE && name == header + HEADER_SIZE);
	FUZZ_CHECK(e->data > name && e->data <= end && e->size <= (size_t)(end - e->data));
	FUZZ_CHECK((e->data - r->archive - (ptrdiff_t)e->offset) % 4 == 0);
	FUZZ_CHECK(memchr(name, 0, (size_t)(e->data - name)) != NULL && *name != 0);
	FUZZ_CHECK(e->mode == field(header, 1) && e->uid == field(header, 2));
	FUZZ_CHECK(e->size == field(header, 6) && e->links == field(header, 4));
	FUZZ_CHECK(r->offset <= r->size && r->archive + r->offset >= e->data + e->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum cpio_result result;
	struct cpio_reader r;
	struct cpio_entry e;
	size_t at = 0;

	cpio_open(&r, data, size);
	while ((result = cpio_next(&r, &e)) == CPIO_ENTRY) {
		FUZZ_CHECK(e.offset == at && r.offset > at);
		check_entry(&r, &e);
		at = r.offset;
	}
	FUZZ_CHECK((result == CPIO_DAMAGED) == (r.damage != NULL));
	FUZZ_CHECK(cpio_next(&r, &e) == result);
	return 0;
}
