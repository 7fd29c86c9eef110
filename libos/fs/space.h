/* SPDX-License-Identifier: MIT */
/*
 * How much memory the memory file system may hold.
 *
 * Everything that a program can make grow by creating and writing files is charged here, in
 * bytes; beyond the limit the caller answers ENOSPC.  The limit is a share of the memory that is
 * free at start, so that a full file system leaves programs enough to clean it up.
 */
#ifndef LIBOS_FS_SPACE_H
#define LIBOS_FS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

void space_init(uint64_t limit_bytes);
/* Any context.  False: it would exceed the limit, and nothing is charged. */
bool space_charge(uint64_t bytes);
/* For the small overhead of something already admitted. */
void space_charge_anyway(uint64_t bytes);
void space_uncharge(uint64_t bytes);

/* Is that much free now?  Somebody else may take it before it is charged. */
bool space_may_fit(uint64_t bytes);

struct space_usage {
	uint64_t limit_bytes, used_bytes, inodes;
};
struct space_usage space_usage(void);
/* Counts inodes for df -i; they are charged in bytes like the rest. */
void space_count_inode(int change);

#endif
