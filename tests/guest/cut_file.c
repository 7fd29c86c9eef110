/* SPDX-License-Identifier: MIT */
/* A file is cut while it is mapped: what lies beyond its end is gone, from every mapping. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define NAME "/tmp/cut_file"
#define PAGE 4096l
#define PAGE_DOWN(x) ((x) & -PAGE)
#define LARGE (8l << 20)
#define ROUNDS 200
#define MAPPINGS 2000

static sigjmp_buf after_fault;
static volatile int fault_code;

static void faults(int number, siginfo_t *info, void *context)
{
	fault_code = number == SIGBUS ? info->si_code : -1;
	siglongjmp(after_fault, 1);
}

/* The byte there, or -1000 minus the code of SIGBUS. */
static int look(const volatile char *p)
{
	struct sigaction action = { .sa_sigaction = faults, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(after_fault, 1))
		return -1000 - fault_code;
	return *p;
}

#define GONE (-1000 - BUS_ADRERR)

/* A file of two pages of A. */
static int file_of_two_pages(void)
{
	static char text[2 * PAGE];
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(text, 'A', sizeof(text));
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	return fd;
}

static char *map(int fd, int flags, long size)
{
	char *m = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(m != MAP_FAILED);
	return m;
}

static long blocks(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_blocks;
}

static void what_is_cut_off_is_gone(int flags, int written)
{
	int fd = file_of_two_pages(), ends[2];
	char *m = map(fd, flags, 2 * PAGE);

	CHECK_EQ(m[0] + m[PAGE], 2 * 'A');
	if (written)
		m[PAGE] = 'Z';
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(blocks(fd), 0);
	CHECK_EQ(look(m), GONE);
	CHECK_EQ(look(m + PAGE), GONE);
	CHECK_EQ(pipe(ends), 0);
	CHECK(write(ends[1], m, 10) == -1 && errno == EFAULT);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(look(m), 0);
	CHECK_EQ(look(m + PAGE), 0);
	CHECK_EQ(pwrite(fd, "N", 1, PAGE), 1);
	CHECK_EQ(look(m + PAGE), 'N');
	CHECK_EQ(munmap(m, 2 * PAGE), 0);
	close(ends[0]);
	close(ends[1]);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
}

static void shared_pages_go(void)
{
	what_is_cut_off_is_gone(MAP_SHARED, 0);
	what_is_cut_off_is_gone(MAP_SHARED, 1);
}

static void private_pages_go_even_if_they_were_written(void)
{
	what_is_cut_off_is_gone(MAP_PRIVATE, 0);
	what_is_cut_off_is_gone(MAP_PRIVATE, 1);
}

static void what_lies_before_the_end_stays(void)
{
	int fd = file_of_two_pages();
	char *m = map(fd, MAP_PRIVATE, 2 * PAGE);
	char *tail = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	m[0] = 'p';
	CHECK_EQ(look(tail), 'A');
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_EQ(look(m), 'p');
	CHECK_EQ(look(m + PAGE), GONE);
	CHECK_EQ(look(tail), GONE);
	CHECK_EQ(blocks(fd), 8);
	munmap(m, 2 * PAGE);
	munmap(tail, PAGE);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
}

static void another_process_may_cut_it(void)
{
	int fd = file_of_two_pages(), status;
	char *m = map(fd, MAP_SHARED, 2 * PAGE), *p = map(fd, MAP_PRIVATE, 2 * PAGE);
	pid_t child;

	m[0] = p[PAGE] = 7;
	child = fork(); /* the copy is cut as well */
	if (child == 0) {
		CHECK(open(NAME, O_WRONLY | O_TRUNC) >= 0);
		_exit(look(m) != GONE || look(p + PAGE) != GONE);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(look(m), GONE);
	CHECK_EQ(look(p + PAGE), GONE);
	munmap(m, 2 * PAGE);
	munmap(p, 2 * PAGE);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
}

static long free_pages(void)
{
	struct statvfs st;

	CHECK_EQ(statvfs("/tmp", &st), 0);
	return (long)(st.f_bfree * st.f_bsize / (unsigned long)PAGE);
}

/* While the file is still mapped. */
static void the_memory_is_given_back(void)
{
	char *piece = calloc(1, 1 << 20), *m;
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	long before = free_pages();

	CHECK(piece && fd >= 0);
	for (int i = 0; i < LARGE >> 20; i++)
		CHECK_EQ(write(fd, piece, 1 << 20), 1 << 20);
	m = map(fd, MAP_SHARED, LARGE);
	m[0] = 1;
	CHECK(free_pages() <= before - LARGE / PAGE);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(blocks(fd), 0);
	CHECK(free_pages() > before - 64);
	munmap(m, LARGE);
	close(fd);
	free(piece);
	CHECK_EQ(unlink(NAME), 0);
}

#define PATIENCE 100000

/* Shared: how often anybody has looked at the file. */
static _Atomic unsigned *looks;

/* Whoever looks gets a turn; in vain at the end, when nobody looks any more. */
static void wait_for_a_look(void)
{
	unsigned before = *looks;

	for (int i = 0; i < PATIENCE && *looks == before; i++)
		sched_yield();
}

/* The file's contents or nothing: never what somebody else has put into a page since. */
static int sees_something_else(const volatile char *m, int rounds)
{
	int wrong = 0;

	alarm(100);
	for (int i = 0; i < rounds && !wrong; i++)
		for (int page = 0; page < 2; page++) {
			int seen = look(m + page * PAGE);

			wrong += seen != 0 && seen != 'A' && seen != GONE;
			++*looks;
		}
	return wrong;
}

/* With many mappings a copy takes long: most cuts come while one is made. */
static int forks_meanwhile(const volatile char *m)
{
	int status = 0;

	for (int i = 0; i < MAPPINGS; i++) {
		char *p = map(-1, MAP_ANONYMOUS | (i % 2 ? MAP_SHARED : MAP_PRIVATE), PAGE);

		*(volatile char *)p = 1;
	}
	for (int i = 0; i < ROUNDS && status == 0; i++) {
		if (sees_something_else(m, 1)) /* which also brings the pages, if they are there */
			return 3;
		pid_t child = fork();
		if (child == 0)
			_exit(sees_something_else(m, 50));
		if (waitpid(child, &status, 0) != child)
			return 2;
	}
	return status != 0;
}

/* Forks and faults meet the cut; the pages are used again at once for other things. */
static void cuts_race_with_forks_and_faults(void)
{
	static char text[2 * PAGE], other[64 * PAGE];
	int fd = file_of_two_pages(), more = open(NAME "_more", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *m = map(fd, MAP_SHARED, 2 * PAGE);
	pid_t children[2];
	int status;

	looks = (_Atomic unsigned *)map(-1, MAP_ANONYMOUS | MAP_SHARED, PAGE);
	memset(text, 'A', sizeof(text));
	memset(other, 'X', sizeof(other));
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(i ? forks_meanwhile(m) : sees_something_else(m, 20 * ROUNDS));
	}
	while (waitpid(children[1], &status, WNOHANG) == 0) {
		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(pwrite(more, other, sizeof(other), 0), sizeof(other));
		wait_for_a_look();
		CHECK_EQ(ftruncate(more, 0), 0);
		CHECK_EQ(pwrite(fd, text, sizeof(text), 0), sizeof(text));
		wait_for_a_look();
	}
	CHECK_EQ(status, 0);
	CHECK(waitpid(children[0], &status, 0) == children[0]);
	CHECK_EQ(status, 0);
	munmap(m, 2 * PAGE);
	munmap((void *)looks, PAGE);
	close(fd);
	close(more);
	CHECK_EQ(unlink(NAME) | unlink(NAME "_more"), 0);
}

/* Of the archive: its pages are the archive's own until they are written.  No test runs it. */
#define PROGRAM "/bin/bench"

static void what_was_there_comes_back(const char *text, long size)
{
	int fd = open(PROGRAM, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, text, (size_t)size, 0), size);
	close(fd);
}

/* A shared mapping by a file that can only be read shows what others make of the file. */
static void a_file_of_the_archive_is_changed_while_it_is_mapped(void)
{
	int reader = open(PROGRAM, O_RDONLY), writer = open(PROGRAM, O_RDWR), seen[4], behind = 0;
	long size = lseek(reader, 0, SEEK_END);
	char *text = malloc((size_t)size), byte;
	const volatile char *m = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reader, 0);

	CHECK(text && writer >= 0 && size > 2 * PAGE && m != MAP_FAILED);
	CHECK_EQ(pread(reader, text, (size_t)size, 0), size);
	seen[0] = m[1];
	CHECK(memcmp((const char *)m, text, 2 * PAGE) == 0);
	byte = 'Z';
	CHECK_EQ(pwrite(writer, &byte, 1, 1), 1);
	seen[1] = m[1];
	CHECK_EQ(ftruncate(writer, PAGE + 10), 0);
	seen[2] = m[PAGE + 9];
	for (int i = 10; i < PAGE; i++)
		behind += m[PAGE + i] != 0;
	CHECK_EQ(ftruncate(writer, 2 * PAGE), 0);
	byte = 'Y';
	CHECK_EQ(pwrite(writer, &byte, 1, PAGE + 20), 1);
	seen[3] = m[PAGE + 20];
	what_was_there_comes_back(text, size);
	CHECK_EQ(seen[0], text[1]);
	CHECK_EQ(seen[1], 'Z');
	CHECK_EQ(seen[2], text[PAGE + 9]);
	CHECK_EQ(behind, 0);
	CHECK_EQ(seen[3], 'Y');
	CHECK(memcmp((const char *)m, text, 2 * PAGE) == 0);
	munmap((void *)m, 2 * PAGE);
	close(reader);
	close(writer);
	free(text);
}

/* A private one needs no memory as long as it is only read, or run. */
static void a_private_mapping_of_the_archive_costs_nothing(void)
{
	int fd = open("/bin/exotop", O_RDONLY);
	long before = blocks(fd), pages = free_pages(), size = lseek(fd, 0, SEEK_END);
	const volatile char *m = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(m != MAP_FAILED && size > PAGE);
	for (long at = 0; at < PAGE_DOWN(size); at += PAGE)
		(void)m[at];
	CHECK_EQ(blocks(fd), before);
	/* The last page is the file's own, and has a place in its index: a page and some bytes, so that a
	 * page less or two may be free. */
	CHECK(size > 8 * PAGE && free_pages() >= pages - 2);
	munmap((void *)m, (size_t)size);
	close(fd);
}

int main(void)
{
	RUN(shared_pages_go);
	RUN(private_pages_go_even_if_they_were_written);
	RUN(what_lies_before_the_end_stays);
	RUN(another_process_may_cut_it);
	RUN(the_memory_is_given_back);
	RUN(a_file_of_the_archive_is_changed_while_it_is_mapped);
	RUN(a_private_mapping_of_the_archive_costs_nothing);
	RUN(cuts_race_with_forks_and_faults);
	return test_result();
}
