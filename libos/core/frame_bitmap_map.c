/* SPDX-License-Identifier: MIT */
/* Memory for the bitmap of free frames: the first of them, as nothing can be allocated before. */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/log.h"

uint64_t frame_bitmap_map(const struct exo_info *info, uint64_t va, size_t pages, struct exo_range *left)
{
	uint64_t end = va + pages * EXO_PAGE_SIZE;
	exo_handle shared = EXO_HANDLE(EXO_SLOT_SHARED);
	uint32_t i = 0;

	*left = info->ranges[0];
	while (va < end) {
		while (left->count == 0 && ++i < info->range_count)
			*left = info->ranges[i];
		if (left->count == 0)
			libos_panic("not enough memory for the bitmap of free frames");
		struct exo_op op = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE,
				     .count = 1, .va = va, .frame = left->first };
		struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };
		uint64_t frame = left->first;
		int64_t r = exo_update(shared, &u);

		if (r == -ENOMEM)
			r = frames_into_tables(shared, &frame, 1);
		else
			va += EXO_PAGE_SIZE;
		if (r < 0)
			libos_panic("cannot map the bitmap of free frames: error %ld", (long)r);
		left->first++;
		left->count--;
	}
	return i;
}
