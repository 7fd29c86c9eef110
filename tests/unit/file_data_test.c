/* SPDX-License-Identifier: MIT */
/* What a reservation that fails leaves: no page that it has made, and every byte that somebody else has
 * written meanwhile, through a mapping. libos/fs/page_tree.c libos/fs/file_data.c libos/fs/file_range.c
 * libos/fs/space.c */
#include <errno.h>
#include "libos_shim.h"
#include "check.h"
#include "fs/file_data.h"
#include "fs/space.h"
#include "vm/vm.h"

#define PAGES 6

bool vm_cut_file(const struct file_data *data, uint64_t first, struct vm_cut *cut)
{
	return false;
}

/* A fault of a mapping, which makes the page or finds it. */
static uint8_t *mapped(struct file_data *d, uint64_t index)
{
	long frame = data_map_frame(d, index, true);

	CHECK(frame > 0);
	return (uint8_t *)((uint64_t)frame << EXO_PAGE_SHIFT);
}

static struct file_data *file;
static unsigned pages_until_then;
static enum what { MAPS_AND_READS, MAPS_AND_WRITES, STAYS_MAPPED } then;

/* Before the fourth page of a reservation there is somebody who uses the second, and then no memory. */
static void meanwhile(void)
{
	if (pages_until_then-- != 0)
		return;
	data_count_mapping(file, 1);
	if (then == MAPS_AND_WRITES)
		mapped(file, 1)[7] = 'w';
	else
		(void)mapped(file, 1)[7];
	if (then != STAYS_MAPPED)
		data_count_mapping(file, -1);
	shim_fail_after = 1;
}

static void reserve_in_vain(struct file_data *d, enum what what)
{
	static uint8_t archive[EXO_PAGE_SIZE];

	memset(archive, 'a', sizeof(archive));
	*d = (struct file_data){ 0 };
	data_init(d, archive, sizeof(archive));
	data_resize(d, PAGES * EXO_PAGE_SIZE, NULL);
	file = d;
	then = what;
	pages_until_then = 3;
	shim_meanwhile = meanwhile;
	CHECK_EQ(data_reserve(d, 0, PAGES * EXO_PAGE_SIZE), -ENOMEM);
	shim_meanwhile = NULL;
	shim_fail_after = 0;
}

static void no_page_is_left(void)
{
	struct file_data d;
	unsigned long before = shim_blocks;

	reserve_in_vain(&d, MAPS_AND_READS);
	CHECK_EQ(d.page_count, 0);
	CHECK_EQ(shim_blocks, before);
	CHECK_EQ(space_usage().used_bytes, 0);
	data_free(&d);
}

static void what_was_written_is_left(void)
{
	struct file_data d;
	unsigned long before = shim_blocks;

	reserve_in_vain(&d, MAPS_AND_WRITES);
	CHECK_EQ(d.page_count, 1);
	CHECK_EQ(mapped(&d, 1)[7], 'w');
	data_free(&d);
	CHECK_EQ(shim_blocks, before);
	CHECK_EQ(space_usage().used_bytes, 0);
}

static void what_is_mapped_is_left(void)
{
	struct file_data d;
	unsigned long before = shim_blocks;

	reserve_in_vain(&d, STAYS_MAPPED);
	CHECK_EQ(d.page_count, 3);
	data_count_mapping(&d, -1);
	data_free(&d);
	CHECK_EQ(shim_blocks, before);
}

/* Whoever makes a page that is reserved as well, and writes to it before it is looked at. */
static void what_others_made_is_left(void)
{
	struct file_data d;
	uint8_t *page;

	reserve_in_vain(&d, MAPS_AND_READS);
	page = mapped(&d, 0);
	CHECK_EQ(page[0], 'a');
	page[0] = 'b';
	shim_fail_after = 2;
	CHECK_EQ(data_reserve(&d, 0, PAGES * EXO_PAGE_SIZE), -ENOMEM);
	shim_fail_after = 0;
	CHECK_EQ(mapped(&d, 0)[0], 'b');
	data_free(&d);
}

static void run(void)
{
	space_init(1ul << 20);
	RUN(no_page_is_left);
	RUN(what_was_written_is_left);
	RUN(what_is_mapped_is_left);
	RUN(what_others_made_is_left);
}

int main(void)
{
	shim_run(run);
	return check_result();
}
