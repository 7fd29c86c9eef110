/* SPDX-License-Identifier: MIT */
/*
 * Accounts of what the libos holds (/proc/exo/held): nothing that ends leaves anything behind.
 *
 *     struct held before = held_now();
 *     ...
 *     CHECK(held_returns_to(&before));
 */
#ifndef TESTS_GUEST_HELD_H
#define TESTS_GUEST_HELD_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD_KINDS 7
#define HELD_TRIES 1000
#define HELD_PAUSE_US 10000
#define HELD_STACK 32768

static const char *const held_names[HELD_KINDS] = { "processes", "tasks", "inodes", "heap-blocks",
						    "heap-pages", "frames", "handles" };

struct held {
	long kind[HELD_KINDS];
	char text[1024]; /* what was read, with more detail */
};

/* So that the stack has grown before the first look, and not between two. */
static __attribute__((noinline)) void held_grow_stack(void)
{
	volatile char stack[HELD_STACK];

	for (size_t i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
}

/* -1 for all where it cannot be read. */
static struct held held_now(void)
{
	struct held held;
	int fd = open("/proc/exo/held", O_RDONLY);
	ssize_t n;

	held_grow_stack();
	n = read(fd, held.text, sizeof(held.text) - 1);
	close(fd);
	held.text[n > 0 ? n : 0] = 0;
	for (int i = 0; i < HELD_KINDS; i++) {
		const char *at = strstr(held.text, held_names[i]);

		held.kind[i] = at ? atol(at + strlen(held_names[i])) : -1;
	}
	return held;
}

static bool held_more(const struct held *before, const struct held *now)
{
	for (int i = 0; i < HELD_KINDS; i++)
		if (now->kind[i] > before->kind[i])
			return true;
	return false;
}

/*
 * The dead are gone when their parent knows of their end, but for what other CPUs still do: an idle one
 * leaves an address space when it next runs something.  So it is waited for; what is still there then,
 * has leaked.
 */
static bool held_returns_to(const struct held *before)
{
	struct held now = held_now();

	for (int i = 0; i < HELD_TRIES && held_more(before, &now); i++) {
		usleep(HELD_PAUSE_US);
		now = held_now();
	}
	if (!held_more(before, &now))
		return true;
	printf("before:\n%safter:\n%s", before->text, now.text);
	return false;
}

#endif
