/* SPDX-License-Identifier: MIT */
/* Memory of a program: mmap and its relatives, and what happens at the edges. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096

static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_signal;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
	fault_signal = number;
	fault_address = info->si_addr;
	siglongjmp(fault_return, 1);
}

/* The signal that an access to *p causes, or 0. */
static int touch(volatile char *p, int write)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, segv, bus;

	fault_signal = 0;
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	if (sigsetjmp(fault_return, 1) == 0) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return fault_signal;
}

static char *anonymous(size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return 0;
	return 1;
}

static void fresh_memory_is_zero(void)
{
	char *p = anonymous(100 * PAGE, PROT_READ | PROT_WRITE);

	CHECK(p != MAP_FAILED);
	CHECK(is_zero(p, 100 * PAGE));
	memset(p, 0xff, 100 * PAGE);
	CHECK(munmap(p, 100 * PAGE) == 0);
	CHECK_EQ(touch(p, 0), SIGSEGV);
	CHECK(fault_address == p);
	char *q = anonymous(100 * PAGE, PROT_READ | PROT_WRITE);

	CHECK(is_zero(q, 100 * PAGE)); /* frames that were used before */
	munmap(q, 100 * PAGE);
}

static void rights_are_enforced(void)
{
	char *p = anonymous(4 * PAGE, PROT_READ | PROT_WRITE);

	p[0] = p[PAGE] = 5;
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK_EQ(touch(p, 0), 0);
	CHECK_EQ(touch(p, 1), SIGSEGV);
	CHECK_EQ(touch(p + PAGE, 1), 0);
	CHECK(mprotect(p, PAGE, PROT_NONE) == 0);
	CHECK_EQ(touch(p, 0), SIGSEGV);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_EQ(p[0], 5);
	CHECK_EQ(touch(p, 1), 0);
	CHECK(mprotect(p + 100 * PAGE * 1024, PAGE, PROT_READ) == -1 && errno == ENOMEM);
	/* Not by mprotect(), which makes no bytes of it. */
	CHECK_EQ(syscall(SYS_mprotect, p, SIZE_MAX, PROT_READ), -1);
	munmap(p, 4 * PAGE);
}

static void null_and_the_top_are_out_of_reach(void)
{
	CHECK_EQ(touch((char *)8, 0), SIGSEGV);
	CHECK_EQ(touch((char *)0x7f0000000000, 1), SIGSEGV);
	CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	CHECK(mmap((void *)0x7f0000000000, PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK_EQ(errno, EINVAL);
}

static void fixed_replaces_and_noreplace_refuses(void)
{
	char *p = anonymous(3 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 1, 3 * PAGE);
	CHECK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[2 * PAGE], 1);
	CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	      MAP_FAILED);
	CHECK_EQ(errno, EEXIST);
	munmap(p, 3 * PAGE);
}

static void holes_can_be_punched(void)
{
	char *p = anonymous(5 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 3, 5 * PAGE);
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
	CHECK_EQ(p[PAGE], 3);
	CHECK_EQ(touch(p + 2 * PAGE, 0), SIGSEGV);
	CHECK_EQ(p[3 * PAGE], 3);
	CHECK(munmap(p, 5 * PAGE) == 0); /* holes are no error */
}

/* More pages than 32 bits can count, at both ends of which there is one. */
static void a_huge_range_is_unmapped_to_its_end(void)
{
	char *low = (char *)0x100000000000, *high = low + (1ul << 44);
	int ends[2];

	for (int i = 0; i < 2; i++) {
		char *page = i ? high : low;

		CHECK(mmap(page, 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == page);
		*page = 'x';
	}
	CHECK(pipe(ends) == 0);
	CHECK_EQ(write(ends[1], high, 1), 1);
	CHECK(munmap(low, (1ul << 44) + 4096) == 0);
	CHECK(write(ends[1], low, 1) == -1 && errno == EFAULT);
	CHECK(write(ends[1], high, 1) == -1 && errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
}

static void dontneed_discards(void)
{
	char *p = anonymous(4 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 9, 4 * PAGE);
	CHECK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
	CHECK_EQ(p[0], 9);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(p[3 * PAGE], 9);
	munmap(p, 4 * PAGE);
}

static void mremap_cuts_off_several_mappings(void)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED && to != MAP_FAILED);
	p[0] = 'a';
	CHECK(mprotect(p + 6 * PAGE, PAGE, PROT_NONE) == 0);
	CHECK(mremap(p, 1ul << 43, 7 * PAGE, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p, 8 * PAGE, 7 * PAGE, 0) == p); /* two stay */
	CHECK(mremap(p, 7 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	CHECK(mremap(p, 8 * PAGE, 3 * PAGE, 0) == p);
	CHECK(munmap(p + 3 * PAGE, 5 * PAGE) == 0); /* nothing is there any more */
	CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0);
	CHECK(mremap(p, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to &&
	      to[0] == 'a');
	CHECK(munmap(to, 4 * PAGE) == 0);
}

static void mremap_grows_moves_and_shrinks(void)
{
	char *p = anonymous(5 * PAGE, PROT_READ | PROT_WRITE), *blocker = p + 4 * PAGE;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)(i + 1);
	CHECK(mprotect(blocker, PAGE, PROT_READ) == 0); /* no room behind the first four */
	CHECK(mremap(p, 4 * PAGE, 64 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
	char *q = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);

	CHECK(q != MAP_FAILED && q != p);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(q[i * PAGE], i + 1);
	CHECK_EQ(q[40 * PAGE], 0);
	CHECK_EQ(touch(p, 0), SIGSEGV);
	CHECK(mremap(q, 64 * PAGE, 2 * PAGE, 0) == q);
	CHECK_EQ(q[PAGE], 2);
	CHECK_EQ(touch(q + 2 * PAGE, 0), SIGSEGV);
	munmap(q, 2 * PAGE);
	munmap(blocker, PAGE);
}

static int file_with(const char *text, size_t size)
{
	char name[] = "/tmp/mmap-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || ftruncate(fd, (off_t)size) < 0)
		return -1;
	return fd;
}

static void private_file_mappings_keep_their_writes(void)
{
	int fd = file_with("hello", 3 * PAGE);
	char c;

	CHECK(fd >= 0);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK(memcmp(p, "hello", 5) == 0);
	p[0] = 'J';
	p[2 * PAGE] = 'x';
	CHECK(pread(fd, &c, 1, 0) == 1);
	CHECK_EQ(c, 'h');
	CHECK_EQ(p[0], 'J');
	CHECK_EQ(p[1], 'e');
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0);
	CHECK_EQ(p[0], 'h');
	munmap(p, 3 * PAGE);
	close(fd);
}

static void shared_file_mappings_write_the_file(void)
{
	int fd = file_with("hello", 2 * PAGE);
	char text[6] = "";

	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	CHECK_EQ(q[0], 'h'); /* mapped for reading before it is written */
	p[0] = 'J';
	CHECK_EQ(q[0], 'J');
	CHECK(pread(fd, text, 5, 0) == 5);
	CHECK(strcmp(text, "Jello") == 0);
	CHECK(pwrite(fd, "C", 1, 0) == 1);
	CHECK_EQ(p[0], 'C');
	p[PAGE] = 'z';
	CHECK_EQ(q[PAGE], 'z');
	CHECK(msync(p, 2 * PAGE, MS_SYNC) == 0);
	munmap(p, 2 * PAGE);
	munmap(q, 2 * PAGE);
	close(fd);
}

static void beyond_the_end_is_sigbus(void)
{
	int fd = file_with("x", PAGE);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(touch(p, 0), 0);
	CHECK_EQ(touch(p + 2 * PAGE, 0), SIGBUS);
	munmap(p, 3 * PAGE);
	close(fd);
}

static void access_modes_of_files_count(void)
{
	char name[] = "/tmp/mmap-XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
	close(fd);
	fd = open(name, O_RDONLY);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED && errno == EINVAL);
	close(fd);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
	unlink(name);
}

/* open(2): access mode 3 is for who wants neither to read nor to write. */
static void access_mode_3_permits_no_mapping(void)
{
	static const int kinds[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
	int fd = open("/tmp/mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);
	int neither = open("/tmp/mapped", O_WRONLY | O_RDWR);

	CHECK(fd >= 0 && neither >= 0 && ftruncate(fd, PAGE) == 0);
	for (int prot = 0; prot < 8; prot++)
		for (int i = 0; i < 3; i++)
			CHECK(mmap(NULL, PAGE, prot, kinds[i], neither, 0) == MAP_FAILED && errno == EACCES);
	close(neither);
	neither = open("/tmp/mapped", O_PATH);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, neither, 0) == MAP_FAILED && errno == EBADF);
	close(fd);
	close(neither);
	unlink("/tmp/mapped");
}

static time_t modified(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_mtime;
}

/* The first write to a page through a shared mapping is one to the file.  It does not move a time that is set
 * later, neither by msync() nor when it is unmapped. */
static void a_write_to_a_mapping_has_a_time(void)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	int fd = open("/tmp/mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);

	CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED && futimens(fd, old) == 0);
	CHECK_EQ(p[0] + p[PAGE], 0);
	CHECK_EQ(modified(fd), 1000);
	p[0] = 1;
	CHECK(modified(fd) > 1000);
	CHECK(futimens(fd, old) == 0 && msync(p, 2 * PAGE, MS_SYNC) == 0);
	CHECK_EQ(modified(fd), 1000);
	p[PAGE] = 1;
	CHECK(modified(fd) > 1000 && futimens(fd, old) == 0 && munmap(p, 2 * PAGE) == 0);
	CHECK_EQ(modified(fd), 1000);
	/* A private one's are not the file's. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 2;
	CHECK_EQ(modified(fd), 1000);
	munmap(p, PAGE);
	close(fd);
	unlink("/tmp/mapped");
}

static void code_needs_the_right_to_run(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	char *p = anonymous(PAGE, PROT_READ | PROT_WRITE);

	memcpy(p, code, sizeof(code));
	pid_t child = fork();

	if (child == 0) {
		((int (*)(void))p)();
		_exit(0);
	}
	int status;

	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK_EQ(((int (*)(void))p)(), 42);
	munmap(p, PAGE);
}

static void brk_grows_and_shrinks(void)
{
	char *start = sbrk(0);

	CHECK(start != (void *)-1);
	if (sbrk(10 * PAGE) == (void *)-1)
		return; /* musl offers no brk; the system call is tested by malloc */
	memset(start, 1, 10 * PAGE);
	CHECK(sbrk(-10 * PAGE) != (void *)-1);
	CHECK(sbrk(0) == start);
}

static int recurse(int depth)
{
	volatile char frame[1000];

	frame[0] = (char)depth;
	return depth ? recurse(depth - 1) + frame[0] - frame[0] : 1;
}

static void the_stack_grows_to_its_limit(void)
{
	CHECK_EQ(recurse(4000), 1); /* four megabytes of eight */
	pid_t child = fork();

	if (child == 0) {
		recurse(20000);
		_exit(0);
	}
	int status;

	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void address_space_limit_holds(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { 64 << 20, 64 << 20 };

		setrlimit(RLIMIT_AS, &limit);
		if (anonymous(128 << 20, PROT_READ) != MAP_FAILED || errno != ENOMEM)
			_exit(1);
		_exit(anonymous(1 << 20, PROT_READ) != MAP_FAILED ? 0 : 2);
	}
	int status;

	waitpid(child, &status, 0);
	CHECK_EQ(status, 0);
}

/* As allocators commit what they have reserved. */
static void what_is_replaced_counts_once(void)
{
	size_t reserved = 64 << 20;
	pid_t child = fork();
	int status;

	if (child == 0) {
		char *p = anonymous(reserved, PROT_NONE);
		struct rlimit limit = { 100 << 20, 100 << 20 };

		setrlimit(RLIMIT_AS, &limit);
		p = mmap(p, reserved, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		_exit(p == MAP_FAILED || anonymous(reserved, PROT_READ) != MAP_FAILED);
	}
	waitpid(child, &status, 0);
	CHECK_EQ(status, 0);
}

/* What was there would be left in the space when its pages are given up by their number. */
static void no_mapping_is_longer_than_its_pages_can_be_counted(void)
{
	const size_t most = 1ul << 43;
	char *p = mmap((void *)0x100000000000, most, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	char *end = p + most, *here = sbrk(0);

	CHECK(p != MAP_FAILED);
	errno = 0;
	CHECK(mremap(end - PAGE, PAGE, most, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(munmap(p, most) == 0);
	CHECK_EQ(syscall(SYS_brk, here + 2 * most), (long)here);
}

static void no_more_is_shared_than_there_is(void)
{
	errno = 0;
	CHECK(mmap(NULL, (1ul << 40) - (64 << 20), PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ==
	      MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
}

#define MAPPINGS_MAX 65530

/* Neighbours differ in their rights.  At the limit a hole is refused, and what makes no more is not. */
static void at_the_limit_memory_can_be_given_back(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char *block = anonymous(8 * PAGE, PROT_READ),
		     *p = anonymous(MAPPINGS_MAX * PAGE, PROT_NONE);
		long i = 0;

		while (i < MAPPINGS_MAX && mprotect(p + i * PAGE, PAGE, PROT_READ) == 0)
			i += 2;
		errno = 0;
		if (munmap(block + 2 * PAGE, PAGE) != -1 || errno != ENOMEM)
			_exit(1);
		if (munmap(block, PAGE) != 0 || munmap(block + 7 * PAGE, PAGE) != 0)
			_exit(2);
		_exit(munmap(p, MAPPINGS_MAX * PAGE) != 0 || munmap(block + 2 * PAGE, PAGE) != 0);
	}
	waitpid(child, &status, 0);
	CHECK_EQ(status, 0);
}

static void huge_reservations_cost_nothing(void)
{
	size_t size = 1ul << 38;
	char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mprotect(p + size / 2, PAGE, PROT_READ | PROT_WRITE) == 0);
	p[size / 2] = 1;
	pid_t child = fork();

	if (child == 0)
		_exit(p[size / 2] == 1 ? 0 : 1);
	int status;

	waitpid(child, &status, 0);
	CHECK_EQ(status, 0);
	CHECK(munmap(p, size) == 0);
}

static void many_regions_stay_apart(void)
{
	enum { N = 2000 };
	char *p = anonymous(2 * N * PAGE, PROT_READ | PROT_WRITE);

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < N; i++)
		CHECK(mprotect(p + 2 * i * PAGE, PAGE, PROT_READ) == 0);
	CHECK_EQ(touch(p + 1000 * PAGE, 1), SIGSEGV);
	CHECK_EQ(touch(p + 1001 * PAGE, 1), 0);
	CHECK(mprotect(p, 2 * N * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_EQ(touch(p + 1000 * PAGE, 1), 0);
	CHECK(munmap(p, 2 * N * PAGE) == 0);
}

static void out_of_memory_kills_one_process_only(void)
{
	pid_t child = fork();

	if (child == 0) {
		size_t size = 64ul << 30;
		char *p = anonymous(size, PROT_READ | PROT_WRITE);

		for (size_t at = 0; p != MAP_FAILED && at < size; at += PAGE)
			p[at] = 1;
		_exit(0);
	}
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status));
	char *p = anonymous(256 * PAGE, PROT_READ | PROT_WRITE); /* and its memory is back */

	memset(p, 1, 256 * PAGE);
	munmap(p, 256 * PAGE);
}

int main(int argc, char **argv)
{
	RUN(fresh_memory_is_zero);
	RUN(rights_are_enforced);
	RUN(null_and_the_top_are_out_of_reach);
	RUN(fixed_replaces_and_noreplace_refuses);
	RUN(holes_can_be_punched);
	RUN(a_huge_range_is_unmapped_to_its_end);
	RUN(dontneed_discards);
	RUN(mremap_cuts_off_several_mappings);
	RUN(mremap_grows_moves_and_shrinks);
	RUN(private_file_mappings_keep_their_writes);
	RUN(shared_file_mappings_write_the_file);
	RUN(beyond_the_end_is_sigbus);
	RUN(access_modes_of_files_count);
	RUN(access_mode_3_permits_no_mapping);
	RUN(a_write_to_a_mapping_has_a_time);
	RUN(code_needs_the_right_to_run);
	RUN(brk_grows_and_shrinks);
	RUN(the_stack_grows_to_its_limit);
	RUN(address_space_limit_holds);
	RUN(what_is_replaced_counts_once);
	RUN(no_mapping_is_longer_than_its_pages_can_be_counted);
	RUN(no_more_is_shared_than_there_is);
	RUN(at_the_limit_memory_can_be_given_back);
	RUN(huge_reservations_cost_nothing);
	RUN(many_regions_stay_apart);
	if (argc == 1) /* an argument: not on a machine that other people need */
		RUN(out_of_memory_kills_one_process_only);
	return test_result();
}
