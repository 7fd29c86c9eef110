/* SPDX-License-Identifier: MIT */
/*
 * A QEMU plugin that marks which instructions of an image have been executed, and which ways its
 * conditional jumps have gone.  scripts/coverage/report makes sense of the marks.
 *
 *	-plugin file=plugin.so,image=ADDRESS:FILE,image=...
 *
 * FILE is the code of an image, byte for byte, which lies at ADDRESS; FILE.seen is a byte of marks
 * for each byte of it, mapped: all machines of a test run mark the same file, and whoever ends
 * them, the marks are there.  A mark is only ever set, by an atomic or.  Other programs may lie
 * where an image does (the kernel's tests bring a first domain of their own), so a block counts
 * only when its bytes are the image's.
 *
 * A block is marked when it is translated, which is when it is first about to be executed: a fault
 * within one, seldom as it is, marks what follows as well.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../bench/qemu-plugin.h"

enum { EXECUTED = 1, FELL_THROUGH = 2, JUMPED = 4 };
enum { CPUS_MAX = 256, IMAGES_MAX = 4 };

struct image {
	uint64_t start;
	uint64_t size;
	const uint8_t *code;
	uint8_t *seen;
};

/* A block that ends in a conditional jump has the jump's mark, and where it may lead. */
struct block {
	uint64_t start;
	uint64_t next;
	uint64_t target;
	uint8_t *mark; /* or NULL */
};

static struct image images[IMAGES_MAX];
static unsigned image_count;
static struct block *last_block[CPUS_MAX]; /* of each virtual CPU, whose thread writes it */

static void set_mark(uint8_t *mark, uint8_t bit)
{
	if (!(__atomic_load_n(mark, __ATOMIC_RELAXED) & bit))
		__atomic_fetch_or(mark, bit, __ATOMIC_RELAXED);
}

/* An interrupt may come between the jump and where it leads: then neither is seen, this time. */
static void block_executed(unsigned cpu, void *data)
{
	struct block *b = data, *last = last_block[cpu % CPUS_MAX];

	if (last && last->mark) {
		if (b->start == last->next)
			set_mark(last->mark, FELL_THROUGH);
		else if (b->start == last->target)
			set_mark(last->mark, JUMPED);
	}
	last_block[cpu % CPUS_MAX] = b;
}

static struct image *image_of(uint64_t address)
{
	for (unsigned i = 0; i < image_count; i++)
		if (address - images[i].start < images[i].size)
			return &images[i];
	return NULL;
}

static int is_of_image(const struct image *image, const struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn) - image->start;
		size_t size = qemu_plugin_insn_size(insn);

		if (at + size > image->size ||
		    memcmp(image->code + at, qemu_plugin_insn_data(insn), size) != 0)
			return 0;
	}
	return 1;
}

/* Where a conditional jump leads (Intel SDM volume 2, Jcc and LOOPcc); 0: it is none. */
static uint64_t jump_target(const uint8_t *code, size_t size, uint64_t next)
{
	int32_t far;

	if (size == 2 && ((code[0] & 0xf0) == 0x70 || (code[0] & 0xfc) == 0xe0))
		return next + (uint64_t)(int64_t)(int8_t)code[1];
	if (size != 6 || code[0] != 0x0f || (code[1] & 0xf0) != 0x80)
		return 0;
	memcpy(&far, code + 2, sizeof(far));
	return next + (uint64_t)(int64_t)far;
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct image *image = image_of(qemu_plugin_tb_vaddr(tb));
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct qemu_plugin_insn *insn;
	uint64_t address = 0;
	struct block *b;

	(void)id;
	if (!image || n == 0 || !is_of_image(image, tb))
		return;
	for (size_t i = 0; i < n; i++) {
		address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
		set_mark(&image->seen[address - image->start], EXECUTED);
	}
	insn = qemu_plugin_tb_get_insn(tb, n - 1);
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->start = qemu_plugin_tb_vaddr(tb);
	b->next = address + qemu_plugin_insn_size(insn);
	b->target = jump_target(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn), b->next);
	if (b->target)
		b->mark = &image->seen[address - image->start];
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_executed, NO_REGISTERS, b);
}

static void *map(const char *path, int flags, int protection, off_t *size)
{
	int fd = open(path, flags, 0666);
	struct stat status;
	void *at = MAP_FAILED;

	if (fd >= 0 && (*size == 0 || ftruncate(fd, *size) == 0) && fstat(fd, &status) == 0) {
		*size = status.st_size;
		at = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return at == MAP_FAILED ? NULL : at;
}

static int add_image(const char *text)
{
	struct image *image = &images[image_count];
	char path[4096], *rest;
	off_t size = 0;

	if (image_count == IMAGES_MAX)
		return 0;
	image->start = strtoull(text, &rest, 0);
	if (*rest != ':')
		return 0;
	image->code = map(rest + 1, O_RDONLY, PROT_READ, &size);
	if (!image->code)
		return 0;
	image->size = (uint64_t)size;
	snprintf(path, sizeof(path), "%s.seen", rest + 1);
	image->seen = map(path, O_RDWR | O_CREAT, PROT_READ | PROT_WRITE, &size);
	image_count += image->seen != NULL;
	return image->seen != NULL;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "image=", 6) != 0 || !add_image(argv[i] + 6))
			return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
