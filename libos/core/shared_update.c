/* SPDX-License-Identifier: MIT */
/* Frames for the kernel's own use, and updates of the shared region, which use some up. */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/handles.h"
#include "core/memory.h"
#include "debug/inject.h"

int64_t frames_into_space(uint64_t object, uint64_t root)
{
	int64_t r;

	if (fault_injected(FAULT_HANDLE))
		return -ENOMEM;
	for (;;) {
		r = exo_space_create(EXO_HANDLE(EXO_SLOT_DOMAIN), object, root);
		if (r == -ENOSPC && handles_feed() < 0)
			return -ENOMEM;
		if (r != -EAGAIN && r != -ENOSPC)
			return r;
		__builtin_ia32_pause();
	}
}

int64_t frames_into_tables(exo_handle space, const uint64_t *frames, size_t count)
{
	int64_t r;

	while ((r = exo_space_feed(space, frames, count)) == -EAGAIN)
		__builtin_ia32_pause();
	return r;
}

static uint64_t first_tables; /* fixed at start-up */

uint64_t frames_tables_count(void)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;
	const volatile struct exo_frame_info *frames = (const volatile void *)EXO_FRAMES_BASE;
	uint64_t count = 0;

	for (uint64_t i = 0; i < info->frame_end; i++)
		count += frames[i].type == EXO_FRAME_TABLE && frames[i].owner == info->domain_id;
	return count - first_tables;
}

void frames_tables_init(void)
{
	first_tables = frames_tables_count();
}

int shared_update(const struct exo_op *ops, size_t count)
{
	uint64_t freed[32];
	struct exo_update u = {
		.ops = (uint64_t)ops, .op_count = (uint32_t)count,
		.freed = (uint64_t)freed, .freed_max = 32,
	};
	exo_handle shared = EXO_HANDLE(EXO_SLOT_SHARED);
	uint64_t epoch = 0;

	for (;;) {
		u.freed_count = 0;
		int64_t r = exo_update(shared, &u);

		frames_retire(shared, u.epoch, freed, u.freed_count);
		if (u.epoch > epoch)
			epoch = u.epoch;
		if (r == 0)
			break;
		if (r == 1)
			continue;
		if (r != -ENOMEM)
			return (int)r;
		uint64_t table = frame_take();

		if (!table)
			return -ENOMEM;
		r = frames_into_tables(shared, &table, 1);
		if (r < 0)
			frame_free(table);
		/* EPERM: it has just been taken back, perhaps; another one, then. */
		if (r < 0 && r != -EPERM)
			return (int)r;
	}
	/* What was taken away may be mapped to other frames next, and no CPU may still see the old
	 * ones then.  Why waiting ends, masked or not: take_anywhere() in frames.c. */
	while (!frames_epoch_passed(shared, epoch))
		__builtin_ia32_pause();
	return 0;
}
