/* SPDX-License-Identifier: MIT */
/*
 * A QEMU plugin that counts: how often each translated block of guest code is executed, and how
 * often each page is read or written.  scripts/bench/profile makes sense of the counts.
 *
 *	-plugin profile-plugin.so,out=FILE
 *
 * FILE is the table of counters itself, mapped: whoever ends the machine, and however, the counts
 * are there.  One virtual CPU only: nothing here is atomic.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "qemu-plugin.h"

/* An open hash: a counter lies in the first free place from where its address leads. */
#define COUNTERS (1u << 20)
#define PAGE_SHIFT 12

struct counter {
	uint64_t address; /* of the first byte of a block; or the number of a page */
	uint64_t length;  /* of a block, in instructions; 0 for a page */
	uint64_t times;
};

static struct counter *counters;
static struct counter *last_page; /* most accesses are to the page of the one before */

static struct counter *counter_of(uint64_t address, uint64_t length)
{
	struct counter *c = &counters[(address * 0x9e3779b97f4a7c15ul) >> 44];

	for (unsigned tried = 0; tried < COUNTERS; tried++) {
		if (c->address == address && c->length == length)
			return c;
		if (!c->address && !c->length) {
			c->address = address;
			c->length = length;
			return c;
		}
		c = c == &counters[COUNTERS - 1] ? counters : c + 1;
	}
	abort();
}

static void block_executed(unsigned cpu, void *data)
{
	struct counter *c = data;

	(void)cpu;
	c->times++;
}

static void memory_accessed(unsigned cpu, uint32_t info, uint64_t va, void *data)
{
	uint64_t page = va >> PAGE_SHIFT;

	(void)cpu;
	(void)info;
	(void)data;
	if (!last_page || last_page->address != page)
		last_page = counter_of(page, 0);
	last_page->times++;
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_executed, NO_REGISTERS,
					     counter_of(qemu_plugin_tb_vaddr(tb), n));
	for (size_t i = 0; i < n; i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), memory_accessed,
						 NO_REGISTERS, READS_AND_WRITES, NULL);
}

static struct counter *map_counters(const char *path)
{
	size_t size = COUNTERS * sizeof(struct counter);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
	void *at = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return at == MAP_FAILED ? NULL : at;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc == 1 && strncmp(argv[0], "out=", 4) == 0)
		counters = map_counters(argv[0] + 4);
	if (!counters)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
