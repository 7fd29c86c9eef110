/* SPDX-License-Identifier: MIT */
/* What is mapped in a child's shared region, and frames on their way to it. */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/task.h"
#include "domain/domain.h"

static int feed_table(struct domain *d)
{
	uint64_t frame = domain_memory_row(&d->memory, 1);

	return frame ? (int)frames_into_tables(d->shared, &frame, 1) : -ENOMEM;
}

int domain_update(struct domain *d, const struct exo_op *ops, unsigned count)
{
	struct exo_update u = { .ops = (uint64_t)ops, .op_count = count };
	uint64_t epoch = 0;
	int64_t r;

	do {
		r = exo_update(d->shared, &u);
		epoch = u.epoch ? u.epoch : epoch;
		if (r == -ENOMEM)
			r = feed_table(d) ? -ENOMEM : 1;
	} while (r == 1);
	while (epoch && exo_tlb_poll(d->shared, epoch, 0) == 0)
		task_yield();
	return (int)r;
}

int domain_map(struct domain *d, uint64_t va, uint64_t first, uint64_t count, unsigned prot)
{
	struct exo_op op = { .code = EXO_OP_MAP, .prot = (uint8_t)prot, .count = (uint32_t)count,
			     .va = va, .frame = first };

	return domain_update(d, &op, 1);
}

int domain_map_heap(struct domain *d, uint64_t va, const void *pages, uint64_t count, unsigned prot)
{
	int r = 0;

	for (uint64_t i = 0; i < count && r == 0; i++)
		r = domain_map(d, va + i * EXO_PAGE_SIZE,
			frame_of_page((const char *)pages + i * EXO_PAGE_SIZE), 1, prot);
	return r;
}

int domain_give(struct domain *d, uint64_t first, uint64_t count, unsigned flags)
{
	while (count > 0) {
		int64_t n = exo_frame_give(d->domain, first, count, flags);

		if (n == -EAGAIN)
			continue;
		if (n < 0)
			return (int)n;
		first += (uint64_t)n;
		count -= (uint64_t)n;
	}
	return 0;
}

int domain_update_contents(const struct exo_op *ops, unsigned count)
{
	struct exo_update u = { .ops = (uint64_t)ops, .op_count = count };
	int64_t r;

	do
		r = exo_update(EXO_HANDLE(EXO_SLOT_SHARED), &u);
	while (r == 1);
	return (int)r;
}
