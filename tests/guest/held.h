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
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD_KINDS 8
#define HELD_PROCESSES 0
#define HELD_FRAMES 5
#define HELD_TRIES 1000
#define HELD_PAUSE_US 10000
#define HELD_SAME 2
#define HELD_STACK 32768

static const char *const held_names[HELD_KINDS] = { "processes", "tasks", "inodes", "heap-blocks",
						    "heap-pages", "frames", "handles", "page-tables" };
/* So many more are no leak: of page tables each of the few spaces that are in use has some in stock. */
static const long held_slack[HELD_KINDS] = { [7] = 32 };

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

/* An idle CPU leaves the address space that it ran last when it next runs something: so we come by. */
static void held_visit_cpus(void)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* -1 for all where it cannot be read. */
static struct held held_read(void)
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

/*
 * What is counted is looked at one after the other.  An address space that another CPU takes apart meanwhile
 * may be seen as kept for the next, and its frames as free; so only numbers that stay the same are true.
 * Those who have ended before the call may still be on their way.
 */
static struct held held_now(void)
{
	struct held last, now;

	held_visit_cpus();
	last = held_read();
	for (int i = 0, same = 0; i < HELD_TRIES && same < HELD_SAME; i++, last = now) {
		usleep(HELD_PAUSE_US);
		now = held_read();
		same = memcmp(now.kind, last.kind, sizeof(now.kind)) == 0 ? same + 1 : 0;
	}
	return last;
}

static bool held_more(const struct held *before, const struct held *now)
{
	for (int i = 0; i < HELD_KINDS; i++)
		if (now->kind[i] > before->kind[i] + held_slack[i])
			return true;
	return false;
}

/* The dead are gone when their parent knows of their end, but for what other CPUs still do.  So it is waited
 * for; what is still there then, has leaked. */
static bool held_returns_to(const struct held *before)
{
	struct held now = held_read();

	for (int i = 0; i < HELD_TRIES && held_more(before, &now); i++) {
		usleep(HELD_PAUSE_US);
		held_visit_cpus();
		now = held_read();
	}
	if (!held_more(before, &now))
		return true;
	printf("before:\n%safter:\n%s", before->text, now.text);
	return false;
}

#endif
