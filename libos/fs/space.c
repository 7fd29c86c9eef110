/* SPDX-License-Identifier: MIT */
/* The account of the memory file system; see space.h. */
#include "fs/space.h"
#include <stdatomic.h>

static uint64_t limit; /* fixed after space_init() */
static _Atomic uint64_t used;
static _Atomic int64_t inode_count;

void space_init(uint64_t limit_bytes)
{
	limit = limit_bytes;
}

bool space_may_fit(uint64_t bytes)
{
	uint64_t now = atomic_load_explicit(&used, memory_order_relaxed);

	return now <= limit && bytes <= limit - now;
}

/* Relaxed: the counters order nothing else; a charge is checked and made in one exchange. */
bool space_charge(uint64_t bytes)
{
	uint64_t now = atomic_load_explicit(&used, memory_order_relaxed);

	do {
		if (now > limit || bytes > limit - now)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&used, &now, now + bytes, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void space_charge_anyway(uint64_t bytes)
{
	atomic_fetch_add_explicit(&used, bytes, memory_order_relaxed);
}

void space_uncharge(uint64_t bytes)
{
	atomic_fetch_sub_explicit(&used, bytes, memory_order_relaxed);
}

void space_count_inode(int change)
{
	atomic_fetch_add_explicit(&inode_count, change, memory_order_relaxed);
}

struct space_usage space_usage(void)
{
	return (struct space_usage){
		.limit_bytes = limit,
		.used_bytes = atomic_load_explicit(&used, memory_order_relaxed),
		.inodes = (uint64_t)atomic_load_explicit(&inode_count, memory_order_relaxed),
	};
}
