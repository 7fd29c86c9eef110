/* SPDX-License-Identifier: MIT */
/* Copy on write: what parent and child see of each other's memory after a fork. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096
#define PAGES 64

static char *pages_new(int flags)
{
	return mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child ? status : -1;
}

static void fill(char *p, int value)
{
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE + i] = (char)(value + i);
}

static int holds(const char *p, int value)
{
	for (int i = 0; i < PAGES; i++)
		if (p[i * PAGE + i] != (char)(value + i))
			return 0;
	return 1;
}

static void writes_of_the_child_stay_in_the_child(void)
{
	char *p = pages_new(MAP_PRIVATE);

	CHECK(p != MAP_FAILED);
	fill(p, 1);
	pid_t child = fork();

	if (child == 0) {
		if (!holds(p, 1))
			_exit(1);
		fill(p, 2);
		_exit(holds(p, 2) ? 0 : 2);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(holds(p, 1));
	munmap(p, PAGES * PAGE);
}

static void writes_of_the_parent_stay_in_the_parent(void)
{
	char *p = pages_new(MAP_PRIVATE), c;
	int ends[2];

	CHECK(pipe(ends) == 0);
	fill(p, 1);
	pid_t child = fork();

	if (child == 0) {
		read(ends[0], &c, 1);
		_exit(holds(p, 1) ? 0 : 1);
	}
	fill(p, 3);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK_EQ(status_of(child), 0);
	CHECK(holds(p, 3));
	munmap(p, PAGES * PAGE);
	close(ends[0]);
	close(ends[1]);
}

static void three_generations_are_apart(void)
{
	char *p = pages_new(MAP_PRIVATE);

	fill(p, 1);
	pid_t child = fork();

	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			fill(p, 9);
			_exit(holds(p, 9) ? 0 : 1);
		}
		fill(p, 5);
		_exit(status_of(grandchild) == 0 && holds(p, 5) ? 0 : 1);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(holds(p, 1));
	munmap(p, PAGES * PAGE);
}

static void shared_memory_stays_shared(void)
{
	char *p = pages_new(MAP_SHARED);

	CHECK(p != MAP_FAILED);
	p[0] = 1; /* one page is there before the fork, the others come after it */
	pid_t child = fork();

	if (child == 0) {
		fill(p, 7);
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(holds(p, 7));
	munmap(p, PAGES * PAGE);
}

/* mprotect must not make a page writable that a fork still shares. */
static void read_only_pages_are_apart_too(void)
{
	char *p = pages_new(MAP_PRIVATE);

	fill(p, 1);
	CHECK(mprotect(p, PAGES * PAGE, PROT_READ) == 0);
	pid_t child = fork();

	if (child == 0) {
		mprotect(p, PAGES * PAGE, PROT_READ | PROT_WRITE);
		fill(p, 2);
		_exit(holds(p, 2) ? 0 : 1);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(holds(p, 1));
	CHECK(mprotect(p, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
	fill(p, 3);
	CHECK(holds(p, 3));
	munmap(p, PAGES * PAGE);
}

/* Three page tables' worth: where whole tables are shared, each change parts one of them. */
#define TABLE (512ul * PAGE)
#define LARGE (3 * TABLE)

static void mark_large(char *p, char value)
{
	for (size_t at = 0; at < LARGE; at += PAGE)
		p[at] = value;
}

/* Pages of [start, end) that do not hold the value. */
static int wrong_in(const char *p, size_t start, size_t end, char value)
{
	int wrong = 0;

	for (size_t at = start; at < end; at += PAGE)
		wrong += p[at] != value;
	return wrong;
}

/* A child changes single pages of the first table, removes half of the second, and has a child of its
 * own that writes everything. */
static int change_large(char *p)
{
	p[0] = p[7 * PAGE] = 2;
	if (munmap(p + TABLE, TABLE / 2) != 0 || mprotect(p + 2 * TABLE, PAGE, PROT_READ) != 0)
		return 1;
	pid_t grandchild = fork();

	if (grandchild == 0) {
		if (wrong_in(p, 8 * PAGE, TABLE, 1) || wrong_in(p, 2 * TABLE, LARGE, 1))
			_exit(1);
		for (size_t at = 0; at < TABLE; at += PAGE)
			p[at] = 4;
		_exit(wrong_in(p, 0, TABLE, 4) ? 2 : 0);
	}
	if (status_of(grandchild) != 0 || p[0] != 2 || p[7 * PAGE] != 2)
		return 2;
	return wrong_in(p, PAGE, 7 * PAGE, 1) || wrong_in(p, 8 * PAGE, TABLE, 1) ||
	       wrong_in(p, TABLE + TABLE / 2, LARGE, 1);
}

static void large_memory_parts_where_it_is_changed(void)
{
	char *p = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved;

	CHECK(p != MAP_FAILED);
	mark_large(p, 1);
	for (int round = 0; round < 4; round++) {
		pid_t child = fork();

		if (child == 0)
			_exit(change_large(p));
		if (round == 2) /* while it has the tables, or has had them */
			p[TABLE + PAGE] = 1;
		CHECK_EQ(status_of(child), 0);
		CHECK_EQ(wrong_in(p, 0, LARGE, 1), 0);
	}
	pid_t child = fork();

	if (child == 0) {
		moved = mremap(p, LARGE, LARGE + TABLE, MREMAP_MAYMOVE);
		if (moved == MAP_FAILED || wrong_in(moved, 0, LARGE, 1))
			_exit(1);
		mark_large(moved, 3);
		_exit(wrong_in(moved, 0, LARGE, 3) ? 2 : 0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK_EQ(wrong_in(p, 0, LARGE, 1), 0);
	mark_large(p, 5);
	CHECK_EQ(wrong_in(p, 0, LARGE, 5), 0);
	munmap(p, LARGE);
}

static void data_and_stack_are_private(void)
{
	static int in_data = 1;
	int on_stack = 1, *on_heap = malloc(sizeof(int));

	*on_heap = 1;
	pid_t child = fork();

	if (child == 0) {
		in_data = *on_heap = 2;
		*(volatile int *)&on_stack = 2;
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK_EQ(in_data, 1);
	CHECK_EQ(*on_heap, 1);
	CHECK_EQ(*(volatile int *)&on_stack, 1);
	free(on_heap);
}

static _Atomic int stop;
static char *shared_page;

static void *writer(void *argument)
{
	for (unsigned char value = 0; !atomic_load(&stop); value++)
		memset(shared_page, value, PAGE);
	return NULL;
}

/* A thread writes all the time while another forks: the child's copy must not change any more. */
static void a_copy_does_not_change_under_the_child(void)
{
	pthread_t thread;

	shared_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(shared_page != MAP_FAILED);
	atomic_store(&stop, 0);
	CHECK(pthread_create(&thread, NULL, writer, NULL) == 0);
	int bad = 0;

	for (int round = 0; round < 30; round++) {
		pid_t child = fork();

		if (child == 0) {
			char first[PAGE];

			memcpy(first, shared_page, PAGE);
			for (int i = 0; i < 20; i++)
				if (memcmp(first, shared_page, PAGE) != 0)
					_exit(1);
			_exit(0);
		}
		bad += status_of(child) != 0;
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	CHECK_EQ(bad, 0);
	munmap(shared_page, PAGE);
}

/* After a copy on write all threads see the new page at once. */
static volatile int *counter;
static _Atomic int turn;

static void *reader(void *argument)
{
	for (int i = 0; i < 50; i++) {
		while (atomic_load(&turn) != 2 * i + 1)
			;
		if (*counter != i)
			return (void *)1;
		atomic_store(&turn, 2 * i + 2);
	}
	return NULL;
}

static void all_threads_see_the_new_page(void)
{
	pthread_t thread;
	void *result;

	counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*counter = -1;
	atomic_store(&turn, 0);
	CHECK(pthread_create(&thread, NULL, reader, NULL) == 0);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork(); /* shares the page again */

		if (child == 0)
			_exit(0);
		*counter = i;
		atomic_store(&turn, 2 * i + 1);
		while (atomic_load(&turn) != 2 * i + 2)
			;
		status_of(child);
	}
	pthread_join(thread, &result);
	CHECK(result == NULL);
	munmap((void *)counter, PAGE);
}

int main(void)
{
	RUN(writes_of_the_child_stay_in_the_child);
	RUN(writes_of_the_parent_stay_in_the_parent);
	RUN(three_generations_are_apart);
	RUN(shared_memory_stays_shared);
	RUN(read_only_pages_are_apart_too);
	RUN(large_memory_parts_where_it_is_changed);
	RUN(data_and_stack_are_private);
	RUN(a_copy_does_not_change_under_the_child);
	RUN(all_threads_see_the_new_page);
	return test_result();
}
