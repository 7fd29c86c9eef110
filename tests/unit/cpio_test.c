/* SPDX-License-Identifier: MIT */
/* libos/fs/cpio.c: sound archives are read, and no damage makes it leave the archive */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../libos/fs/cpio.h"
#include "check.h"

static uint8_t buffer[4096];
static size_t used;

static void put(const void *bytes, size_t n)
{
	memcpy(buffer + used, bytes, n);
	used += n;
	while (used % 4)
		buffer[used++] = 0;
}

/* name_size counts the NUL, and may count more. */
static void put_entry(const char *name, size_t name_size, unsigned mode, const char *data)
{
	char header[512];
	int n = snprintf(header, sizeof(header),
			 "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", 7, mode,
			 1000, 100, 1, 1234, strlen(data), 0, 0, 5, 1, name_size, 0);

	memset(header + n, 0, name_size);
	memcpy(header + n, name, strlen(name));
	put(header, (size_t)n + name_size);
	put(data, strlen(data));
}

static void make_archive(void)
{
	used = 0;
	put_entry("dir", 4, 040755, "");
	put_entry("dir/file", 9, 0100644, "hello");
	put_entry("TRAILER!!!", 11, 0, "");
}

static void entries_come_in_order(void)
{
	struct cpio_reader r;
	struct cpio_entry e;

	make_archive();
	cpio_open(&r, buffer, used);
	CHECK_EQ(cpio_next(&r, &e), CPIO_ENTRY);
	CHECK(strcmp(e.name, "dir") == 0 && e.size == 0 && e.mode == 040755 && e.offset == 0);
	CHECK_EQ(cpio_next(&r, &e), CPIO_ENTRY);
	CHECK(strcmp(e.name, "dir/file") == 0 && e.size == 5 && memcmp(e.data, "hello", 5) == 0);
	CHECK(e.uid == 1000 && e.gid == 100 && e.mtime == 1234 && e.inode == 7);
	CHECK(e.device_major == 5 && e.device_minor == 1);
	CHECK_EQ(cpio_next(&r, &e), CPIO_END);
	CHECK_EQ(cpio_next(&r, &e), CPIO_END);
}

static void name_padding_aligns_data(void)
{
	struct cpio_reader r;
	struct cpio_entry e;

	used = 0;
	put_entry("a", 400 - 110, 0100644, "aligned");
	cpio_open(&r, buffer, used);
	CHECK_EQ(cpio_next(&r, &e), CPIO_ENTRY);
	CHECK(strcmp(e.name, "a") == 0);
	CHECK_EQ(e.data - buffer, 400);
}

static void every_cut_is_noticed(void)
{
	make_archive();
	for (size_t size = 0; size < used - 4; size++) {
		/* A block of exactly this size, so that the sanitiser sees any look beyond it. */
		uint8_t *cut = malloc(size);
		struct cpio_reader r;
		struct cpio_entry e;
		enum cpio_result result;

		memcpy(cut, buffer, size);
		cpio_open(&r, cut, size);
		while ((result = cpio_next(&r, &e)) == CPIO_ENTRY)
			;
		CHECK_EQ(result, CPIO_DAMAGED);
		CHECK(r.damage != NULL);
		CHECK_EQ(cpio_next(&r, &e), CPIO_DAMAGED);
		free(cut);
	}
}

static void check_entry(const struct cpio_reader *r, const struct cpio_entry *e)
{
	const uint8_t *end = r->archive + r->size;

	CHECK(e->data <= end && e->size <= (size_t)(end - e->data));
	CHECK(memchr(e->name, 0, (size_t)(end - (const uint8_t *)e->name)) != NULL);
	CHECK(e->name[0] != 0);
}

static void random_damage_stays_inside(void)
{
	srandom(1);
	for (int round = 0; round < 200000; round++) {
		struct cpio_reader r;
		struct cpio_entry e;
		uint8_t *copy;
		int steps = 0;

		make_archive();
		for (int n = random() % 4; n >= 0; n--)
			buffer[random() % used] = random() % 3 ? "0123456789abcdefF"[random() % 17]
							       : (uint8_t)random();
		copy = malloc(used);
		memcpy(copy, buffer, used);
		cpio_open(&r, copy, used);
		while (cpio_next(&r, &e) == CPIO_ENTRY && ++steps < 100)
			check_entry(&r, &e);
		CHECK(steps < 100);
		free(copy);
	}
}

int main(void)
{
	RUN(entries_come_in_order);
	RUN(name_padding_aligns_data);
	RUN(every_cut_is_noticed);
	RUN(random_damage_stays_inside);
	return check_result();
}
