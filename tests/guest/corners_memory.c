/* SPDX-License-Identifier: MIT */
/* Ways through calls on memory, and on what files have of it, that hardly any program takes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#include "test.h"

#define FILE_NAME "/tmp/corners_memory"
#define ARCHIVED "/tests/corners" /* from the archive that the loader brought */
#define PAGE 4096ul
#define LARGE_MAX 64
#define REGIONS 40        /* more than fork() hands to the kernel at once */
#define APART (1ul << 20) /* too far for one operation to have two of them */

static char *fresh(size_t size, int flags)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int counts_on(char *area)
{
	for (unsigned i = 0; i < REGIONS; i++)
		if (area[i * APART]++ != (char)i)
			return 1;
	return 0;
}

static void many_regions_are_forked(void)
{
	char *area = fresh(REGIONS * APART, MAP_PRIVATE);
	int status;

	CHECK_EQ(munmap(area, REGIONS * APART), 0);
	for (unsigned i = 0; i < REGIONS; i++) {
		char *p = mmap(area + i * APART, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK(p == area + i * APART);
		*p = (char)i;
	}
	pid_t child = fork();
	if (child == 0)
		_exit(counts_on(area));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (unsigned i = 0; i < REGIONS; i++) {
		CHECK_EQ(area[i * APART], i);
		CHECK_EQ(munmap(area + i * APART, PAGE), 0);
	}
}

static char *reserve(size_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
}

static size_t largest_pages(void)
{
	size_t fits = 0, too_many = 1ul << 36;

	while (too_many - fits > 1) {
		size_t pages = fits + (too_many - fits) / 2;
		char *p = reserve(pages);

		if (p == MAP_FAILED) {
			CHECK_EQ(errno, ENOMEM);
			too_many = pages;
			continue;
		}
		CHECK_EQ(munmap(p, pages * PAGE), 0);
		fits = pages;
	}
	return fits;
}

static bool is_taken(char *page)
{
	char *p = mmap(page, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	return p == MAP_FAILED && errno == EEXIST;
}

/* What is large begins where it is cheap to map, if there is room for that; and goes in if there is not. */
static void the_largest_gap_can_be_filled(void)
{
	size_t most = largest_pages(), left;
	char *large[LARGE_MAX], *p;
	unsigned count = 0;

	while (count < LARGE_MAX && (large[count] = reserve(most)) != MAP_FAILED)
		count++;
	CHECK(count > 0 && count < LARGE_MAX);
	left = largest_pages();
	CHECK(left > 1024 && left < most);
	p = reserve(left);
	CHECK(p != MAP_FAILED);
	CHECK(is_taken(p - PAGE) && is_taken(p + left * PAGE));
	CHECK_EQ(munmap(p, left * PAGE), 0);
	while (count > 0)
		CHECK_EQ(munmap(large[--count], most * PAGE), 0);
}

/* mremap(2) does not make shared memory larger, only the view of it. */
static void behind_shared_memory_there_is_nothing(void)
{
	char *p = fresh(2 * PAGE, MAP_SHARED);
	int status;

	p[PAGE] = 7;
	p = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[PAGE], 7);
	pid_t child = fork();
	if (child == 0) {
		p[2 * PAGE] = 1;
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	CHECK_EQ(munmap(p, 4 * PAGE), 0);
}

static long peak_pages(void)
{
	struct rusage usage;

	CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss * 1024 / (long)PAGE;
}

/* mremap(2) has each page mapped twice for a moment: that is no more memory. */
static void what_moves_is_counted_once(void)
{
	size_t size = 4096 * PAGE;
	char *p = fresh(size, MAP_PRIVATE), *to = fresh(size, MAP_PRIVATE);

	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
	long before = peak_pages();
	CHECK(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK(to[0] == 1 && to[size - PAGE] == 1);
	CHECK(peak_pages() < before + 1024);
	CHECK_EQ(munmap(to, size), 0);
}

static long wake_and_set(uint32_t *first, uint32_t *second, int value)
{
	return syscall(SYS_futex, first, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1ul, second,
		       FUTEX_OP(FUTEX_OP_SET, value, FUTEX_OP_CMP_EQ, 0));
}

static void a_word_that_was_never_touched_can_be_changed(void)
{
	char *page = fresh(PAGE, MAP_PRIVATE);
	uint32_t first = 0, *second = (uint32_t *)page;

	CHECK_EQ(wake_and_set(&first, second, 7), 0);
	CHECK_EQ(*second, 7);
	CHECK_EQ(mprotect(page, PAGE, PROT_READ), 0);
	CHECK(wake_and_set(&first, second, 8) == -1 && errno == EFAULT);
	CHECK_EQ(munmap(page, PAGE), 0);
}

static void the_heap_can_be_made_smaller(void)
{
	long end = syscall(SYS_brk, 0), now = syscall(SYS_brk, end + 3 * (long)PAGE);
	unsigned char there;

	CHECK_EQ(now, end + 3 * (long)PAGE);
	((volatile char *)now)[-1] = 1;
	CHECK_EQ(syscall(SYS_brk, end), end);
	CHECK(mincore((void *)(now - (long)PAGE), PAGE, &there) == -1 && errno == ENOMEM);
}

/* ---- files */

static void many_zeros_are_read_at_once(void)
{
	static char bytes[200000];
	int fd = open("/dev/zero", O_RDONLY);

	memset(bytes, 1, sizeof(bytes));
	CHECK_EQ(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(bytes[i], 0);
	close(fd);
}

/* zero(4): a mapping of it is anonymous memory, shared with a child or not. */
static void zeros_are_mapped_as_memory(void)
{
	int fd = open("/dev/zero", O_RDWR), only_read = open("/dev/zero", O_RDONLY), status;
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, only_read, 0);

	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, only_read, 0) == MAP_FAILED &&
	      errno == EACCES);
	CHECK(shared[0] == 0 && private[PAGE - 1] == 0);
	pid_t child = fork();

	if (child == 0) {
		shared[1] = private[1] = 83;
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(shared[1], 83);
	CHECK_EQ(private[1], 0);
	CHECK(munmap(shared, PAGE) == 0 && munmap(private, PAGE) == 0);
	close(fd);
	close(only_read);
}

/* fallocate(2): a hole reads as zeros, also where the file is mapped. */
static void a_hole_in_a_mapped_file_is_seen(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p;

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, 4 * PAGE);
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE), 0);
	for (unsigned i = 0; i < 4 * PAGE; i++)
		CHECK_EQ(p[i], i < PAGE || i >= 3 * PAGE);
	CHECK_EQ(munmap(p, 4 * PAGE), 0);
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

static void a_file_of_the_archive_can_have_a_hole(void)
{
	static char before[4 * PAGE], after[4 * PAGE];
	int fd = open(ARCHIVED, O_RDWR);

	CHECK_EQ(read(fd, before, sizeof(before)), sizeof(before));
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 3 * PAGE), 0);
	CHECK_EQ(pread(fd, after, sizeof(after), 0), sizeof(after));
	CHECK_EQ(pwrite(fd, before, sizeof(before), 0), sizeof(before));
	close(fd);
	for (unsigned i = 0; i < sizeof(after); i++)
		CHECK_EQ(after[i], i < 1 || i > 3 * PAGE ? before[i] : 0);
}

static void later_by(long seconds)
{
	struct timeval now;

	CHECK_EQ(gettimeofday(&now, NULL), 0);
	now.tv_sec += seconds;
	CHECK_EQ(settimeofday(&now, NULL), 0);
}

/* As with Linux's relatime: the first access after a change is noted, and one in a day. */
static void an_access_is_noted_once_a_day(void)
{
	const long days[] = { 0, 3600, 2 * 86400 };
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat seen[3];
	char byte;

	CHECK_EQ(write(fd, "x", 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		later_by(days[i]);
		CHECK_EQ(pread(fd, &byte, 1, 0), 1);
		CHECK_EQ(fstat(fd, &seen[i]), 0);
		later_by(-days[i]);
	}
	CHECK_EQ(seen[1].st_atim.tv_sec, seen[0].st_atim.tv_sec);
	CHECK(seen[2].st_atim.tv_sec >= seen[0].st_atim.tv_sec + 86400);
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

/* mmap(2), as Linux does it: to map a file is an access to it, whether shared or not. */
static void a_file_that_is_mapped_has_been_accessed(void)
{
	const int kinds[] = { MAP_SHARED, MAP_PRIVATE, MAP_PRIVATE };
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat seen;
	void *p;

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(fcntl(fd, F_SETFL, i == 2 ? O_NOATIME : 0), 0);
		CHECK_EQ(futimens(fd, old), 0);
		/* What fails is no access. */
		CHECK(mmap(NULL, PAGE, PROT_READ, 0, fd, 0) == MAP_FAILED);
		CHECK(fstat(fd, &seen) == 0 && seen.st_atim.tv_sec == 1000);
		p = mmap(NULL, PAGE, PROT_READ, kinds[i], fd, 0);
		CHECK(p != MAP_FAILED && munmap(p, PAGE) == 0);
		CHECK_EQ(fstat(fd, &seen), 0);
		CHECK_EQ(seen.st_atim.tv_sec == 1000, i == 2);
		CHECK_EQ(seen.st_mtim.tv_sec, 2000);
	}
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

/* Without a right to write there is nothing to be written ahead of time. */
static void what_may_not_be_written_is_not_filled(void)
{
	char *p = fresh(3 * PAGE, MAP_PRIVATE);

	CHECK_EQ(madvise(p, 3 * PAGE, MADV_POPULATE_WRITE), 0);
	CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
	CHECK(madvise(p, PAGE, MADV_POPULATE_WRITE) == -1 && errno == EINVAL);
	CHECK_EQ(madvise(p, PAGE, MADV_POPULATE_READ), 0);
	CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
	CHECK(madvise(p, PAGE, MADV_POPULATE_READ) == -1 && errno == EINVAL);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK(madvise(p + PAGE, 2 * PAGE, MADV_POPULATE_WRITE) == -1 && errno == ENOMEM);
	CHECK_EQ(munmap(p, 3 * PAGE), 0);
}

static void who_asks_for_pages_of_its_own_has_them(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT, 0600);
	struct rusage before, after;
	char *p;

	CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	CHECK(p != MAP_FAILED);
	getrusage(RUSAGE_SELF, &before);
	for (unsigned long i = 0; i < 8; i++)
		p[i * PAGE] = 1;
	getrusage(RUSAGE_SELF, &after);
	CHECK_EQ(after.ru_minflt - before.ru_minflt, 0);
	CHECK_EQ(munmap(p, 8 * PAGE), 0);
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

/* madvise(2): MADV_FREE is for private memory without a file, as nothing else has its contents to lose. */
static void only_memory_of_ones_own_is_freed(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *kinds[3] = { NULL, NULL, fresh(PAGE, MAP_SHARED) };
	char *own = fresh(4 * PAGE, MAP_PRIVATE);

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	kinds[0] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	kinds[1] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(kinds[i] != MAP_FAILED);
		kinds[i][0] = 7;
		CHECK(madvise(kinds[i], PAGE, MADV_FREE) == -1 && errno == EINVAL);
		CHECK_EQ(kinds[i][0], 7);
	}
	own[0] = own[PAGE] = 8;
	CHECK_EQ(madvise(own, PAGE, MADV_FREE), 0);
	CHECK(own[0] == 0 || own[0] == 8);
	/* Behind a hole as well, which alone is no reason to refuse the rest. */
	CHECK_EQ(munmap(own + 2 * PAGE, 2 * PAGE), 0);
	CHECK(madvise(own, 4 * PAGE, MADV_FREE) == -1 && errno == ENOMEM);
	own[PAGE] = 9;
	CHECK(mmap(own + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
	      MAP_FAILED);
	own[3 * PAGE] = 10;
	CHECK(madvise(own, 4 * PAGE, MADV_FREE) == -1 && errno == EINVAL);
	CHECK_EQ(own[3 * PAGE], 10);
	CHECK_EQ(munmap(own, 4 * PAGE), 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(munmap(kinds[i], PAGE), 0);
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

static void rights_change_as_far_as_a_hole(void)
{
	char *p = fresh(3 * PAGE, MAP_PRIVATE);

	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK(mprotect(p, 3 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
	CHECK(madvise(p, PAGE, MADV_POPULATE_WRITE) == -1 && errno == EINVAL);
	CHECK_EQ(madvise(p + 2 * PAGE, PAGE, MADV_POPULATE_WRITE), 0);
	CHECK_EQ(munmap(p, 3 * PAGE), 0);
}

static void a_mapping_is_not_in_step_with_a_disk(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	void *p;

	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, EOPNOTSUPP);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_NORESERVE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(munmap(p, PAGE), 0);
	close(fd);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

int main(void)
{
	RUN(many_regions_are_forked);
	RUN(the_largest_gap_can_be_filled);
	RUN(behind_shared_memory_there_is_nothing);
	RUN(what_moves_is_counted_once);
	RUN(a_word_that_was_never_touched_can_be_changed);
	RUN(the_heap_can_be_made_smaller);
	RUN(many_zeros_are_read_at_once);
	RUN(zeros_are_mapped_as_memory);
	RUN(a_hole_in_a_mapped_file_is_seen);
	RUN(a_file_of_the_archive_can_have_a_hole);
	RUN(an_access_is_noted_once_a_day);
	RUN(a_file_that_is_mapped_has_been_accessed);
	RUN(what_may_not_be_written_is_not_filled);
	RUN(who_asks_for_pages_of_its_own_has_them);
	RUN(only_memory_of_ones_own_is_freed);
	RUN(rights_change_as_far_as_a_hole);
	RUN(a_mapping_is_not_in_step_with_a_disk);
	return test_result();
}
