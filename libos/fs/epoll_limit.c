/* SPDX-License-Identifier: MIT */
/* How many items of epolls a user may have, as Linux limits it: /proc/sys/fs/epoll/max_user_watches. */
#include <stdatomic.h>
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "fs/epoll.h"
#include "fs/proc_files.h"
#include "proc/user.h"

#define SHARE 25 /* of all memory is for one user's items: one in so many */
/* However much memory there is: who wakes a file's pollers calls all its items with upcalls masked, so many
 * for an eighth of a second in the emulator, and for a second he may not. */
#define WATCHES_MOST (1ul << 18)
#define DIGITS_MAX 18

/* Any CPU; a number by itself. */
static _Atomic uint64_t watches_max;

bool epoll_watch_begin(struct user *u)
{
	return user_add_watch(u, atomic_load_explicit(&watches_max, memory_order_relaxed));
}

void epoll_watch_end(struct user *u)
{
	user_remove_watch(u);
}

static void print_limit(struct text *out, void *unused)
{
	text_print(out, "%lu\n", atomic_load_explicit(&watches_max, memory_order_relaxed));
}

static int change_limit(const char *data, size_t n, void *unused)
{
	uint64_t value = 0;

	if (n > 0 && data[n - 1] == '\n')
		n--;
	if (n == 0 || n > DIGITS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (data[i] < '0' || data[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(data[i] - '0');
	}
	atomic_store_explicit(&watches_max, value, memory_order_relaxed);
	return 0;
}

void epoll_limit_init(void)
{
	uint64_t most = frames_total_count() * EXO_PAGE_SIZE / SHARE / sizeof(struct epoll_item);

	atomic_store_explicit(&watches_max, most < WATCHES_MOST ? most : WATCHES_MOST,
			      memory_order_relaxed);
	if (proc_register("sys/fs/epoll/max_user_watches", print_limit, change_limit, NULL) != 0)
		log_print("proc: no memory for the limit of epolls\n");
}
