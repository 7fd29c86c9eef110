/* SPDX-License-Identifier: MIT */
/* Regular files and descriptors: data, holes, mappings, flags, locks, limits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PATH "/tmp/test.file"

static int fresh(void)
{
	return open(PATH, O_CREAT | O_TRUNC | O_RDWR, 0644);
}

static void data_comes_back(void)
{
	static char data[20000], got[20000];
	int fd = fresh();

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i ^ i >> 8);
	CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(got));
	CHECK(memcmp(data, got, sizeof(got)) == 0);
	CHECK_EQ(read(fd, got, 1), 0);
	CHECK_EQ(pread(fd, got, 10, 5000), 10);
	CHECK(memcmp(data + 5000, got, 10) == 0);
	close(fd);
}

static void holes_read_as_zeros(void)
{
	struct stat st;
	char got[3];
	int fd = fresh();

	CHECK_EQ(pwrite(fd, "x", 1, 1 << 30), 1);
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQ(st.st_size, (1 << 30) + 1);
	CHECK(st.st_blocks < 100);
	CHECK_EQ(pread(fd, got, 3, (1 << 30) - 2), 3);
	CHECK(got[0] == 0 && got[1] == 0 && got[2] == 'x');
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 30);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 1 << 30, SEEK_HOLE), (1 << 30) + 1);
	close(fd);
}

static void append_goes_to_the_end(void)
{
	int fd = fresh(), second = open(PATH, O_WRONLY | O_APPEND);
	char got[8] = "";

	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(write(second, "cd", 2), 2);
	CHECK_EQ(write(fd, "X", 1), 1);
	CHECK_EQ(pread(fd, got, 8, 0), 4);
	CHECK(strcmp(got, "abXd") == 0);
	CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
	CHECK_EQ(write(fd, "e", 1), 1);
	CHECK_EQ(pread(fd, got, 8, 0), 5);
	close(fd);
	close(second);
}

static void vectors_are_one_transfer(void)
{
	char a[2], b[3];
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } },
		     in[2] = { { a, 2 }, { b, 3 } };
	int fd = fresh();

	CHECK_EQ(writev(fd, out, 3), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, in, 2), 5);
	CHECK(memcmp(a, "ab", 2) == 0 && memcmp(b, "cde", 3) == 0);
	CHECK_EQ(preadv(fd, in, 2, 1), 4);
	CHECK(memcmp(a, "bc", 2) == 0);
	close(fd);
}

/* Pairs, of which each has its writer's letter twice. */
static int append_pairs(char letter, int pairs)
{
	struct iovec pair[2] = { { &letter, 1 }, { &letter, 1 } };
	int fd = open(PATH, O_WRONLY | O_APPEND);

	for (int n = 0; n < pairs; n++)
		if (writev(fd, pair, 2) != 2)
			return 1;
	return 0;
}

/* POSIX, writev() and write() with O_APPEND: as programs write logs that they share. */
static void gathered_appends_of_many_are_not_mixed(void)
{
	enum { WRITERS = 3, PAIRS = 4000 };
	static char got[2 * WRITERS * PAIRS];
	int fd = fresh(), status, mixed = 0;

	for (int n = 0; n < WRITERS; n++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0)
			_exit(append_pairs((char)('a' + n), PAIRS));
	}
	for (int n = 0; n < WRITERS; n++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(read(fd, got, sizeof(got)), sizeof(got));
	for (size_t n = 0; n < sizeof(got); n += 2)
		mixed += got[n] != got[n + 1];
	CHECK_EQ(mixed, 0);
	close(fd);
}

static void mapping_and_file_are_the_same_memory(void)
{
	int fd = fresh();
	char c, *map;

	CHECK(ftruncate(fd, 8192) == 0);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[5000] = 'm';
	CHECK_EQ(pread(fd, &c, 1, 5000), 1);
	CHECK_EQ(c, 'm');
	CHECK_EQ(pwrite(fd, "w", 1, 100), 1);
	CHECK_EQ(map[100], 'w');
	/* Reading a file into its own mapping must not wait for itself. */
	CHECK_EQ(pread(fd, map, 4096, 4096), 4096);
	CHECK_EQ(map[904], 'm');
	CHECK(munmap(map, 8192) == 0);
	close(fd);
}

static void read_into_an_untouched_mapping_of_the_same_file(void)
{
	int fd = fresh();
	char *map;

	CHECK_EQ(pwrite(fd, "start", 5, 0), 5);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(pread(fd, map + 512 * 1024, 5, 0), 5);
	CHECK(memcmp(map + 512 * 1024, "start", 5) == 0);
	CHECK_EQ(pwrite(fd, map + 512 * 1024, 5, 700 * 1024), 5);
	CHECK(memcmp(map + 700 * 1024, "start", 5) == 0);
	munmap(map, 1 << 20);
	close(fd);
}

static void private_mapping_does_not_write_the_file(void)
{
	int fd = fresh();
	char c, *map;

	CHECK_EQ(write(fd, "file", 4), 4);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[0], 'f');
	map[0] = 'X';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'f');
	munmap(map, 4096);
	close(fd);
}

static void cut_off_bytes_do_not_come_back(void)
{
	int fd = fresh();
	char *map, c;

	CHECK(ftruncate(fd, 12288) == 0);
	map = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memset(map, 'o', 12288);
	CHECK(ftruncate(fd, 100) == 0);
	CHECK(ftruncate(fd, 12288) == 0);
	CHECK(pread(fd, &c, 1, 99) == 1 && c == 'o');
	CHECK(pread(fd, &c, 1, 100) == 1 && c == 0);
	CHECK(pread(fd, &c, 1, 9000) == 1 && c == 0);
	munmap(map, 12288);
	close(fd);
}

static void memory_of_a_once_mapped_file_comes_back(void)
{
	struct statfs before, after;
	int fd = fresh();
	char *map;

	CHECK(statfs("/tmp", &before) == 0);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memset(map, 'm', 1 << 20);
	CHECK(munmap(map, 1 << 20) == 0);
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(statfs("/tmp", &after) == 0);
	CHECK(after.f_bfree + 16 >= before.f_bfree);
	close(fd);
}

static void unlinked_file_lives_while_open(void)
{
	struct stat st;
	int fd = fresh();
	char c;

	CHECK(unlink(PATH) == 0);
	CHECK_EQ(write(fd, "u", 1), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(access(PATH, F_OK) == -1 && errno == ENOENT);
	close(fd);
}

static void descriptors_are_the_lowest(void)
{
	int a = fresh(), b = dup(a), c;

	CHECK_EQ(b, a + 1);
	close(a);
	c = dup(b);
	CHECK_EQ(c, a);
	CHECK_EQ(dup2(b, 300), 300);
	CHECK_EQ(dup2(b, b), b);
	CHECK(dup3(b, b, 0) == -1 && errno == EINVAL);
	CHECK_EQ(fcntl(b, F_DUPFD_CLOEXEC, 250), 250);
	CHECK_EQ(fcntl(250, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(300, F_GETFD), 0);
	CHECK(close(250) == 0 && close(300) == 0 && close(b) == 0 && close(c) == 0);
	CHECK(close(c) == -1 && errno == EBADF);
}

static void position_is_shared_by_dup(void)
{
	int a = fresh(), b = dup(a);

	CHECK_EQ(write(a, "abc", 3), 3);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 3);
	CHECK_EQ(lseek(b, 1, SEEK_SET), 1);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 1);
	CHECK(lseek(a, -5, SEEK_SET) == -1 && errno == EINVAL);
	close(a);
	close(b);
}

static void too_many_files_is_emfile(void)
{
	struct rlimit old, low = { 20, 20 };
	int fd, first = -1, last = -1;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	low.rlim_max = old.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		first = first < 0 ? fd : first;
		last = fd;
	}
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	for (fd = first; fd <= last; fd++)
		close(fd);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

static void file_size_limit_sends_sigxfsz(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { 1000, 1000 };
		char data[600] = "";
		int fd = fresh();

		setrlimit(RLIMIT_FSIZE, &limit);
		if (write(fd, data, 600) != 600 || write(fd, data, 600) != 400)
			_exit(1);
		write(fd, data, 1);
		_exit(2);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void sendfile_copies(void)
{
	int in = fresh(), fds[2];
	off_t offset = 2;
	char got[8] = "";

	CHECK(pipe(fds) == 0);
	CHECK_EQ(write(in, "abcdef", 6), 6);
	CHECK_EQ(sendfile(fds[1], in, &offset, 3), 3);
	CHECK_EQ(offset, 5);
	CHECK_EQ(read(fds[0], got, 8), 3);
	CHECK(strcmp(got, "cde") == 0);
	close(in);
	close(fds[0]);
	close(fds[1]);
}

static void record_locks_exclude_other_processes(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = fresh(), status;

	CHECK(fcntl(fd, F_SETLK, &lock) == 0);
	if (fork() == 0) {
		struct flock other = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1
		};

		if (fcntl(fd, F_SETLK, &other) != -1 || errno != EAGAIN)
			_exit(1);
		if (fcntl(fd, F_GETLK, &other) != 0 || other.l_type != F_WRLCK ||
		    other.l_pid != getppid())
			_exit(2);
		other.l_start = 20;
		other.l_type = F_WRLCK;
		other.l_len = 1;
		if (fcntl(fd, F_SETLK, &other) != 0)
			_exit(3);
		other.l_start = 12;
		if (fcntl(fd, F_SETLKW, &other) != 0) /* until the parent lets go */
			_exit(4);
		_exit(0);
	}
	usleep(20000);
	lock.l_type = F_UNLCK;
	CHECK(fcntl(fd, F_SETLK, &lock) == 0);
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	close(fd);
}

static void flock_is_per_open_file(void)
{
	int a = fresh(), b = open(PATH, O_RDWR);

	CHECK(flock(a, LOCK_EX) == 0);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	close(a);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
	close(b);
}

static void memory_files_have_no_name(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char c;

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(fd, "m", 1), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	close(fd);
}

static void bad_addresses_are_efault(void)
{
	int fd = fresh();

	CHECK(write(fd, (void *)1, 4) == -1 && errno == EFAULT);
	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK(pread(fd, (void *)0x7f0000000000, 4, 0) == -1 && errno == EFAULT);
	CHECK(open((char *)1, O_RDONLY) == -1 && errno == EFAULT);
	/* The library's stat() would write there itself. */
	CHECK(syscall(SYS_newfstatat, AT_FDCWD, PATH, 1, 0) == -1 && errno == EFAULT);
	close(fd);
}

static void what_there_is_before_a_bad_page_is_moved(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char got[200] = "";
	int fd = fresh();

	CHECK(munmap(pages + 4096, 4096) == 0);
	memset(pages, 'p', 4096);
	CHECK_EQ(pwrite(fd, pages + 3996, 200, 10), 100);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 110);
	CHECK_EQ(pread(fd, got, 200, 10), 100);
	CHECK(memcmp(got, pages, 100) == 0);
	memset(pages, 0, 4096);
	CHECK_EQ(pread(fd, pages + 4046, 100, 10), 50);
	CHECK(memcmp(pages + 4046, got, 50) == 0);
	CHECK(pwrite(fd, pages + 4096, 1, 0) == -1 && errno == EFAULT);
	close(fd);
	munmap(pages, 4096);
}

static void cut_and_grow(int fd)
{
	for (int n = 0; n < 300; n++)
		if (ftruncate(fd, 4096) != 0 || ftruncate(fd, 65536) != 0)
			_exit(1);
	_exit(0);
}

static void write_through_mapping(int fd)
{
	char *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	/* The first page is always there; writes to the others go through the file. */
	for (int n = 0; n < 300; n++) {
		map[n] = 'p';
		if (pwrite(fd, "p", 1, 4096 + n * 200) != 1)
			_exit(1);
	}
	_exit(map == MAP_FAILED);
}

static void read_everything(int fd)
{
	static char data[65536];

	for (int n = 0; n < 300; n++) {
		long got = pread(fd, data, sizeof(data), 0);

		for (long i = 0; i < got; i++)
			if (data[i] != 0 && data[i] != 'p')
				_exit(1);
	}
	_exit(0);
}

/* Cutting, growing, mapping and reading one file at once: every byte is one that was written. */
static void cutting_races_with_use_harmlessly(void)
{
	void (*const work[])(int) = { cut_and_grow, write_through_mapping, read_everything };
	int fd = fresh(), status;

	CHECK(ftruncate(fd, 65536) == 0);
	for (int n = 0; n < 3; n++)
		if (fork() == 0)
			work[n](fd);
	for (int n = 0; n < 3; n++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	close(fd);
}

static void full_file_system_leaves_the_machine_usable(void)
{
	static char data[1 << 16];
	struct statfs before, after;
	int fd = fresh(), status;
	long n;
	pid_t child;

	CHECK(statfs("/tmp", &before) == 0);
	while ((n = write(fd, data, sizeof(data))) > 0)
		;
	CHECK(n == -1 && errno == ENOSPC);
	child = fork();
	if (child == 0)
		_exit(7);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(statfs("/tmp", &after) == 0);
	CHECK(after.f_bfree + 16 >= before.f_bfree);
	close(fd);
}

static void devices_do_what_they_are_for(void)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
	int full = open("/dev/full", O_WRONLY), random = open("/dev/urandom", O_RDONLY);
	unsigned char a[64], b[64];
	struct iovec both[] = { { a, 64 }, { b, 64 } };

	CHECK(null >= 0 && zero >= 0 && full >= 0 && random >= 0);
	CHECK_EQ(write(null, "x", 1), 1);
	CHECK_EQ(read(null, a, 1), 0);
	memset(a, 1, sizeof(a));
	CHECK_EQ(read(zero, a, 64), 64);
	CHECK(a[0] == 0 && a[63] == 0);
	CHECK(write(full, "x", 1) == -1 && errno == ENOSPC);
	CHECK_EQ(read(random, a, 64), 64);
	CHECK_EQ(read(random, b, 64), 64);
	CHECK(memcmp(a, b, 64) != 0);
	CHECK_EQ(readv(random, both, 2), 128);
	CHECK_EQ(readv(zero, both, 2), 128);
	CHECK_EQ(b[63], 0);
	close(null);
	close(zero);
	close(full);
	close(random);
}

static void a_range_is_synchronized(void)
{
	int fd = open("/tmp/range", O_RDWR | O_CREAT | O_TRUNC, 0600), end[2], all = 7;

	CHECK(fd >= 0 && write(fd, "words", 5) == 5 && pipe(end) == 0);
	CHECK(sync_file_range(fd, 0, 5, all) == 0 && sync_file_range(fd, 100, 0, 0) == 0);
	CHECK(sync_file_range(fd, -1, 5, all) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, 5, -1, all) == -1 && errno == EINVAL);
	CHECK(sync_file_range(fd, 0, 5, all + 1) == -1 && errno == EINVAL);
	CHECK(sync_file_range(end[0], 0, 5, all) == -1 && errno == ESPIPE);
	close(end[0]);
	close(end[1]);
	close(fd);
	CHECK(sync_file_range(fd, 0, 5, all) == -1 && errno == EBADF);
	unlink("/tmp/range");
}

int main(void)
{
	RUN(data_comes_back);
	RUN(holes_read_as_zeros);
	RUN(append_goes_to_the_end);
	RUN(vectors_are_one_transfer);
	RUN(gathered_appends_of_many_are_not_mixed);
	RUN(mapping_and_file_are_the_same_memory);
	RUN(read_into_an_untouched_mapping_of_the_same_file);
	RUN(private_mapping_does_not_write_the_file);
	RUN(cut_off_bytes_do_not_come_back);
	RUN(memory_of_a_once_mapped_file_comes_back);
	RUN(unlinked_file_lives_while_open);
	RUN(descriptors_are_the_lowest);
	RUN(position_is_shared_by_dup);
	RUN(too_many_files_is_emfile);
	RUN(file_size_limit_sends_sigxfsz);
	RUN(sendfile_copies);
	RUN(record_locks_exclude_other_processes);
	RUN(flock_is_per_open_file);
	RUN(memory_files_have_no_name);
	RUN(bad_addresses_are_efault);
	RUN(what_there_is_before_a_bad_page_is_moved);
	RUN(devices_do_what_they_are_for);
	RUN(cutting_races_with_use_harmlessly);
	RUN(full_file_system_leaves_the_machine_usable);
	unlink(PATH);
	RUN(a_range_is_synchronized);
	return test_result();
}
