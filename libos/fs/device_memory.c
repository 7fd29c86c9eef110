/* SPDX-License-Identifier: MIT */
/* The devices that are memory only: /dev/null, zero, full, random and urandom. */
#include "abi/random.h"
#include "core/usercopy.h"
#include "fs/device.h"
#include "fs/device_open.h"
#include "fs/linux.h"
#include "fs/memfs.h"
#include "fs/tree_build.h"
#include "proc/signal.h"

#define MAJOR_MEMORY 1
/* Between two pieces of an endless device, a signal may end the call. */
#define PIECE_BYTES 65536ul

static long read_nothing(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return 0;
}

static long write_away(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return (long)n;
}

static long write_kernel_away(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	return (long)n;
}

static __attribute__((noinline)) long read_many_zeros(uint64_t user, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = n - done < PIECE_BYTES ? n - done : PIECE_BYTES;

		if (zero_user(user + done, piece) < 0)
			return done ? (long)done : -EFAULT;
		done += piece;
		if (done < n && signal_is_pending())
			break;
	}
	return (long)done;
}

static long read_zeros(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	if (n > PIECE_BYTES)
		return read_many_zeros(user, n);
	return zero_user(user, n);
}

static long read_random(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return random_to_user(user, n);
}

static long write_full(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return -ENOSPC;
}

/* Any position is as good as any other, but it must be one. */
static long seek_nowhere(struct file *f, int64_t offset, int whence)
{
	return whence >= SEEK_SET && whence <= SEEK_HOLE ? 0 : -EINVAL;
}

static const struct file_ops null_ops = {
	.read = read_nothing,
	.write = write_away,
	.write_kernel = write_kernel_away,
	.seek = seek_nowhere,
	.position_is_nothing = true,
};

static const struct file_ops zero_ops = {
	.maps_zeros = true,
	.read = read_zeros,
	.read_more = read_zeros,
	.write = write_away,
	.write_kernel = write_kernel_away,
	.seek = seek_nowhere,
	.position_is_nothing = true,
};

static const struct file_ops full_ops = {
	.read = read_zeros,
	.read_more = read_zeros,
	.write = write_full,
	.seek = seek_nowhere,
	.position_is_nothing = true,
};

/* Writing to it adds to the entropy, or so the writer hopes; it is not needed. */
static const struct file_ops random_ops = {
	.read = read_random,
	.read_more = read_random,
	.write = write_away,
	.seek = seek_nowhere,
	.position_is_nothing = true,
};

static const struct {
	const char *name;
	unsigned minor;
	const struct file_ops *ops;
} memory_devices[] = {
	{ "null", 3, &null_ops },     { "zero", 5, &zero_ops },      { "full", 7, &full_ops },
	{ "random", 8, &random_ops }, { "urandom", 9, &random_ops },
};

static const char *const links[][2] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

int device_init(void)
{
	int error = 0;

	for (size_t n = 0; n < sizeof(memory_devices) / sizeof(memory_devices[0]) && !error; n++)
		error = device_register(memory_devices[n].name, DEVICE_FOR_ALL, MAJOR_MEMORY,
					memory_devices[n].minor, memory_devices[n].ops, NULL);
	for (size_t n = 0; n < sizeof(links) / sizeof(links[0]) && !error; n++) {
		struct inode *link = memfs_create_link(links[n][1], strlen(links[n][1]), &error);

		if (link)
			error = tree_add(links[n][0], link);
		inode_put(link);
	}
	return error;
}
