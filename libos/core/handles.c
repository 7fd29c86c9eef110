/* SPDX-License-Identifier: MIT */
/* The domain's handle table: see handles.h. */
#include "core/handles.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/vcore.h"
#include "debug/inject.h"

#define SLOTS_PER_PAGE 64 /* of the kernel's table */
#define COUNT_PAGES 8     /* of heap, for those that are taken to be counted */
#define COPIES_MAX 192u /* those of a domain on all CPUs */

_Atomic uint32_t handle_pages;

int handles_feed(void)
{
	uint64_t frame = fault_injected(FAULT_HANDLE) ? 0 : frame_take();
	int64_t r = -ENOMEM;

	while (frame && (r = exo_handle_feed(EXO_HANDLE(EXO_SLOT_DOMAIN), frame)) == -EAGAIN)
		__builtin_ia32_pause();
	if (r == 0)
		atomic_fetch_add(&handle_pages, 1);
	else if (frame)
		frame_free(frame);
	return r < 0 ? -ENOMEM : 0;
}

/* The kernel does not tell how many slots are free, so they are taken and let go again. */
int handles_make_room(unsigned count)
{
	exo_handle copies[COPIES_MAX], any = this_vcore()->handle;
	unsigned n = 0;
	int r = 0;

	if (count > COPIES_MAX)
		count = COPIES_MAX;
	while (n < count && r == 0) {
		int64_t copy = exo_handle_copy(any, EXO_HANDLE(EXO_SLOT_DOMAIN), EXO_RIGHT_USE);

		if (copy > 0)
			copies[n++] = (exo_handle)copy;
		else
			r = copy == -ENOSPC ? handles_feed() : (int)copy;
	}
	while (n > 0)
		exo_handle_drop(copies[--n]);
	return r;
}

/* By the same means: what is in use is what cannot be taken. */
int64_t handles_used(void)
{
	const size_t most = COUNT_PAGES * EXO_PAGE_SIZE / sizeof(exo_handle);
	exo_handle *copies = pages_alloc(COUNT_PAGES), any = this_vcore()->handle;
	int64_t copy = -ENOMEM, pages = handle_pages;
	size_t n = 0;

	while (copies && n < most &&
	       (copy = exo_handle_copy(any, EXO_HANDLE(EXO_SLOT_DOMAIN), EXO_RIGHT_USE)) > 0)
		copies[n++] = (exo_handle)copy;
	for (size_t i = 0; i < n; i++)
		exo_handle_drop(copies[i]);
	pages_free(copies, COUNT_PAGES);
	return copy == -ENOSPC ? pages * SLOTS_PER_PAGE - (int64_t)n : -ENOMEM;
}
