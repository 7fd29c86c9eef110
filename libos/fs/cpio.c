/* SPDX-License-Identifier: MIT */
/* The cpio reader; see cpio.h for the format. */
#include "cpio.h"
#include <stdbool.h>

#define HEADER_SIZE 110
#define MAGIC_SIZE 6

enum field {
	FIELD_INODE, FIELD_MODE, FIELD_UID, FIELD_GID, FIELD_LINKS, FIELD_MTIME, FIELD_SIZE,
	FIELD_DEVICE_MAJOR, FIELD_DEVICE_MINOR, FIELD_RDEV_MAJOR, FIELD_RDEV_MINOR,
	FIELD_NAME_SIZE, FIELD_CHECK, FIELDS,
};

void cpio_open(struct cpio_reader *r, const void *archive, size_t size)
{
	*r = (struct cpio_reader){ .archive = archive, .size = size };
}

static enum cpio_result damaged(struct cpio_reader *r, const char *what)
{
	r->damage = what;
	return CPIO_DAMAGED;
}

static bool bytes_equal(const uint8_t *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != (uint8_t)b[i])
			return false;
	return true;
}

static bool parse_hex(const uint8_t *digits, uint32_t *value)
{
	uint32_t sum = 0;

	for (int i = 0; i < 8; i++) {
		uint8_t c = digits[i], lower = c | 0x20;

		if (c >= '0' && c <= '9')
			sum = sum << 4 | (uint32_t)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			sum = sum << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return false;
	}
	*value = sum;
	return true;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *e)
{
	const uint8_t *header = r->archive + r->offset;
	size_t left = r->size - r->offset, data_start;
	uint32_t field[FIELDS];

	if (r->damage)
		return CPIO_DAMAGED;
	if (left < HEADER_SIZE)
		return damaged(r, "the archive ends inside a header");
	if (!bytes_equal(header, "070701", MAGIC_SIZE) &&
	    !bytes_equal(header, "070702", MAGIC_SIZE))
		return damaged(r, "not a newc header");
	for (int i = 0; i < FIELDS; i++)
		if (!parse_hex(header + MAGIC_SIZE + 8 * i, &field[i]))
			return damaged(r, "a header field is not hexadecimal");
	if (field[FIELD_NAME_SIZE] < 2 || field[FIELD_NAME_SIZE] > 2 * CPIO_NAME_MAX)
		return damaged(r, "the size of the name is out of range");
	/* No sum here overflows: left is a size_t, the name is small, the data's size 32 bits. */
	if (field[FIELD_NAME_SIZE] > left - HEADER_SIZE)
		return damaged(r, "the archive ends inside a name");
	if (header[HEADER_SIZE + field[FIELD_NAME_SIZE] - 1] != 0)
		return damaged(r, "the name does not end in NUL");
	if (header[HEADER_SIZE] == 0)
		return damaged(r, "the name is empty");
	if (field[FIELD_NAME_SIZE] >= 11 && bytes_equal(header + HEADER_SIZE, "TRAILER!!!", 11))
		return CPIO_END;
	data_start = align4(HEADER_SIZE + field[FIELD_NAME_SIZE]);
	if (data_start > left || field[FIELD_SIZE] > left - data_start)
		return damaged(r, "the archive ends inside the data");

	*e = (struct cpio_entry){
		.name = (const char *)header + HEADER_SIZE,
		.inode = field[FIELD_INODE],
		.mode = field[FIELD_MODE],
		.uid = field[FIELD_UID],
		.gid = field[FIELD_GID],
		.links = field[FIELD_LINKS],
		.mtime = field[FIELD_MTIME],
		.device_major = field[FIELD_RDEV_MAJOR],
		.device_minor = field[FIELD_RDEV_MINOR],
		.data = header + data_start,
		.size = field[FIELD_SIZE],
		.offset = r->offset,
	};
	/* The padding of the last entry may be cut off; then the next call finds the end. */
	data_start += align4(field[FIELD_SIZE]);
	r->offset += data_start < left ? data_start : left;
	return CPIO_ENTRY;
}
