/* SPDX-License-Identifier: MIT */
/* Ways through calls on files that hardly any program takes; each as its manual page has it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fails.h"
#include "test.h"

#define FILE_NAME "/tmp/corners_files"
#define USER 1000
#define MANY 100 /* descriptors: more than poll() keeps on its stack */

static char own_path[] = "/tests/corners_files"; /* it lies in the archive that the loader brought */

/* `tries` as a user who is not the super-user: 0 if what it says holds. */
static int as_user(int (*tries)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(setegid(USER) < 0 || seteuid(USER) < 0 ? 99 : tries());
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int changes_owner_and_mode(void)
{
	struct stat now;

	if (chmod(FILE_NAME, 02755) < 0 || stat(FILE_NAME, &now) < 0 || (now.st_mode & 07777) != 0755)
		return 1;
	if (chown(FILE_NAME, (uid_t)-1, USER + 1) == 0 || errno != EPERM)
		return 2;
	if (chown(FILE_NAME, (uid_t)-1, USER) < 0 || chmod(FILE_NAME, 02755) < 0 ||
	    stat(FILE_NAME, &now) < 0)
		return 3;
	return (now.st_mode & 07777) != 02755 || now.st_gid != USER;
}

static void an_owner_makes_no_member_of_a_group_of_others(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && close(fd) == 0);
	CHECK_EQ(chown(FILE_NAME, USER, 0), 0);
	CHECK_EQ(as_user(changes_owner_and_mode), 0);
	CHECK_EQ(unlink(FILE_NAME), 0);
}

static void times_may_both_be_left_alone(void)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct stat before, after;

	CHECK_EQ(stat(own_path, &before), 0);
	CHECK_EQ(utimensat(AT_FDCWD, own_path, times, 0), 0);
	CHECK_EQ(stat(own_path, &after), 0);
	CHECK_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	CHECK_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

static void *adds_one(void *fd)
{
	uint64_t one = 1;

	return (void *)(long)(write(*(int *)fd, &one, sizeof(one)) != sizeof(one));
}

/* Waited for, the second would be for ever. */
static void a_counter_is_read_once(void)
{
	uint64_t got[2] = { 0, 7 };
	struct iovec vector[] = { { &got[0], 8 }, { &got[1], 8 } };
	int fd = eventfd(5, 0);

	CHECK_EQ(readv(fd, vector, 2), 8);
	CHECK(got[0] == 5 && got[1] == 7);
	CHECK_EQ(writev(fd, vector, 2), 16);
	CHECK_EQ(read(fd, got, 8), 8);
	CHECK_EQ(got[0], 12);
	close(fd);
}

static void a_full_counter_is_waited_for(void)
{
	int fd = eventfd(0, 0);
	uint64_t most = UINT64_MAX - 1, got;
	struct pollfd writable = { .fd = fd, .events = POLLIN | POLLOUT };
	pthread_t thread;
	void *wrong;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, &most, sizeof(most)), sizeof(most));
	CHECK_EQ(poll(&writable, 1, 0), 1);
	CHECK_EQ(writable.revents, POLLIN);
	CHECK_EQ(pthread_create(&thread, NULL, adds_one, &fd), 0);
	CHECK_EQ(read(fd, &got, sizeof(got)), sizeof(got));
	CHECK(got == most);
	CHECK_EQ(pthread_join(thread, &wrong), 0);
	CHECK(wrong == NULL);
	CHECK_EQ(read(fd, &got, sizeof(got)), sizeof(got));
	CHECK_EQ(got, 1);
	close(fd);
}

static int readable_of(const struct pollfd *items, int count)
{
	int readable = 0;

	for (int i = 0; i < count; i++) {
		CHECK((items[i].revents & ~POLLIN) == 0);
		readable += items[i].revents == POLLIN;
	}
	return readable;
}

/* Who polls a counter sleeps until somebody has counted; also with more descriptors than a few.  If it comes
 * while they are looked at, those that were looked at before it are not ready. */
static void a_counter_wakes_who_polls_many(void)
{
	static struct pollfd items[MANY];
	pthread_t thread;
	void *wrong;
	int fd = eventfd(0, 0), ready;

	for (int i = 0; i < MANY; i++)
		items[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(items, MANY, 1), 0);
	CHECK_EQ(pthread_create(&thread, NULL, adds_one, &fd), 0);
	ready = poll(items, MANY, -1);
	CHECK(ready > 0 && ready == readable_of(items, MANY));
	CHECK_EQ(pthread_join(thread, &wrong), 0);
	CHECK(wrong == NULL);
	CHECK_EQ(poll(items, MANY, 0), MANY);
	CHECK_EQ(readable_of(items, MANY), MANY);
	close(fd);
}

static void a_range_is_closed_when_a_program_begins(void)
{
	int fd = dup(0), next = dup(0);

	CHECK(fd >= 0 && next >= 0);
	CHECK_EQ(syscall(SYS_close_range, fd, fd, 4 /* CLOSE_RANGE_CLOEXEC */), 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(next, F_GETFD), 0);
	close(fd);
	close(next);
}

static void a_file_of_the_archive_has_data_and_no_holes(void)
{
	struct stat now;
	int fd = open(own_path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &now), 0);
	CHECK_EQ(lseek(fd, 17, SEEK_DATA), 17);
	CHECK_EQ(lseek(fd, 17, SEEK_HOLE), now.st_size);
	close(fd);
}

/* Holes go through the kernel's side of a copy, too, and what is asked for may be more than there is. */
static void what_is_sent_of_a_hole_is_zeros(void)
{
	static char back[5000];
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2];

	CHECK(fd >= 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(ftruncate(fd, sizeof(back)), 0);
	memset(back, 1, sizeof(back));
	CHECK_EQ(sendfile(ends[1], fd, NULL, (size_t)1 << 40), sizeof(back));
	CHECK_EQ(read(ends[0], back, sizeof(back)), sizeof(back));
	for (unsigned i = 0; i < sizeof(back); i++)
		CHECK_EQ(back[i], 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(sendfile(ends[1], fd, NULL, 10) == -1 && errno == EPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(ends[1]);
	close(fd);
	unlink(FILE_NAME);
}

static void a_pipe_without_a_reader_is_an_error_to_poll(void)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	close(ends[0]);
	struct pollfd item = { .fd = ends[1], .events = 0 };
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(item.revents, POLLERR);
	close(ends[1]);
}

static void a_path_that_is_only_named_is_not_polled(void)
{
	struct pollfd item = { .fd = open("/tmp", O_PATH), .events = POLLIN };

	CHECK_EQ(poll(&item, 1, 0), 1);
	CHECK_EQ(item.revents, POLLNVAL);
	close(item.fd);
}

static void ppoll_puts_the_mask_back(void)
{
	struct timespec none = { 0, 0 };
	sigset_t all, now;

	sigfillset(&all);
	CHECK_EQ(ppoll(NULL, 0, &none, &all), 0);
	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 0);
}

/* The timer's line ticks some times a second; who polls it sleeps until then. */
static void an_interrupt_line_is_polled(void)
{
	uint32_t count = 0;
	struct pollfd item = { .fd = open("/dev/irq/0", O_RDONLY), .events = POLLIN };

	CHECK(item.fd >= 0);
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(item.revents, POLLIN);
	CHECK_EQ(read(item.fd, &count, sizeof(count)), sizeof(count));
	CHECK(count > 0);
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(read(item.fd, &count, sizeof(count)), sizeof(count));
	close(item.fd);
}

/* Where the kernel says that an open file of /proc is. */
static void check_name_of(const char *path)
{
	char link[64], name[128] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK_EQ(readlink(link, name, sizeof(name) - 1), strlen(path));
	CHECK_EQ(strcmp(name, path), 0);
	close(fd);
}

static void open_files_of_proc_have_names(void)
{
	char path[64];

	check_name_of("/proc/exo/cpus");
	check_name_of("/proc/sys/kernel");
	snprintf(path, sizeof(path), "/proc/%d/status", getpid());
	check_name_of(path);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", getpid(), gettid());
	check_name_of(path);
}

static void only_numbers_of_processes_are_there(void)
{
	static const char *const none[] = { "/proc/01", "/proc/1x", "/proc/1234567890" };
	DIR *directory = opendir("/proc/exo");
	bool found = false;

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(access(none[i], F_OK) == -1 && errno == ENOENT);
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));)
		found |= strcmp(entry->d_name, "held") == 0;
	closedir(directory);
	CHECK(found);
}

/* What a file holds, at most `size - 1` bytes of it. */
static long contents(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	long n = read(fd, text, size - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

static void a_thread_has_its_programs_words(void)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/self/task/%d/cmdline", gettid());
	CHECK(contents(path, text, sizeof(text)) > 0);
	CHECK(strstr(text, "corners_files") != NULL);
	CHECK(contents("/proc/self/comm", text, sizeof(text)) > 0);
	CHECK_EQ(strcmp(text, "corners_files\n"), 0);
	CHECK(contents("/proc/sys/kernel/pid_max", text, sizeof(text)) > 0);
	CHECK(atoi(text) > 1000);
}

static void a_number_may_end_with_a_newline(void)
{
	char text[32];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	CHECK_EQ(write(fd, "17\n", 3), 3);
	close(fd);
	CHECK(contents("/proc/self/oom_score_adj", text, sizeof(text)) > 0);
	CHECK_EQ(atoi(text), 17);
}

static void no_path_fits_into_a_byte(void)
{
	char one[1];

	CHECK(syscall(SYS_getcwd, one, sizeof(one)) == -1 && errno == ERANGE);
}

/* mmap(2): where it is asked for, if there is room; mremap(2): what is cut off does not come along. */
static void a_mapping_goes_where_it_is_wanted(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *wish = mmap(NULL, 8 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *place;

	CHECK(wish != MAP_FAILED && munmap(wish, 8 * page) == 0);
	place = mmap(wish + page, 3 * page, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(place == wish + page);
	place[0] = (char)0xc3; /* RET */
	CHECK(mremap(place, 3 * page, page, MREMAP_MAYMOVE | MREMAP_FIXED, wish + 5 * page) ==
	      wish + 5 * page);
	((void (*)(void))(wish + 5 * page))();
	CHECK(msync(place, page, MS_ASYNC) == -1 && errno == ENOMEM);
	CHECK(msync(place + 2 * page, page, MS_ASYNC) == -1 && errno == ENOMEM);
	CHECK_EQ(munmap(wish + 5 * page, page), 0);
}

static bool is_time(struct timespec t, time_t seconds, long nanoseconds)
{
	return t.tv_sec == seconds && t.tv_nsec == nanoseconds;
}

static void a_file_may_be_older_than_1970(void)
{
	struct timespec times[2] = { { -5, 0 }, { -10, 5 } };
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct {
		uint64_t before[14];
		int64_t seconds;
		uint32_t nanoseconds, after[33];
	} extended; /* statx's, around its time of modification */
	struct stat now;
	char byte;

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(futimens(fd, times) == 0 && fstat(fd, &now) == 0);
	CHECK(is_time(now.st_atim, -5, 0) && is_time(now.st_mtim, -10, 5) && now.st_ctim.tv_sec > 0);
	CHECK_EQ(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ff, &extended), 0);
	CHECK(extended.seconds == -10 && extended.nanoseconds == 5);
	/* It was read before it was changed: that is noted. */
	CHECK(pread(fd, &byte, 1, 0) == 1 && fstat(fd, &now) == 0);
	CHECK(now.st_atim.tv_sec > 0 && is_time(now.st_mtim, -10, 5));
	times[1].tv_nsec = -1;
	CHECK(futimens(fd, times) == -1 && errno == EINVAL);
	CHECK(nanosleep(times, NULL) == -1 && errno == EINVAL);
	CHECK(close(fd) == 0 && unlink(FILE_NAME) == 0);
}

/* xattr(7), of a file system that does not keep any: who copies a file finds that it has none. */
static void no_file_has_extended_attributes(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600), named = open(FILE_NAME, O_PATH);
	char list[64], long_name[300];

	CHECK(fd >= 0 && named >= 0);
	CHECK_EQ(listxattr(FILE_NAME, list, sizeof(list)), 0);
	CHECK_EQ(llistxattr(FILE_NAME, NULL, 0), 0);
	CHECK_EQ(flistxattr(fd, list, sizeof(list)), 0);
	FAILS(getxattr(FILE_NAME, "user.a", list, sizeof(list)), EOPNOTSUPP);
	FAILS(lgetxattr(FILE_NAME, "user.a", list, sizeof(list)), EOPNOTSUPP);
	FAILS(fgetxattr(fd, "user.a", list, sizeof(list)), EOPNOTSUPP);
	FAILS(setxattr(FILE_NAME, "user.a", "x", 1, 0), EOPNOTSUPP);
	FAILS(lsetxattr(FILE_NAME, "user.a", "x", 1, XATTR_CREATE), EOPNOTSUPP);
	FAILS(fsetxattr(fd, "user.a", NULL, 0, XATTR_REPLACE), EOPNOTSUPP);
	FAILS(removexattr(FILE_NAME, "user.a"), EOPNOTSUPP);
	FAILS(lremovexattr(FILE_NAME, "user.a"), EOPNOTSUPP);
	FAILS(fremovexattr(fd, "user.a"), EOPNOTSUPP);

	FAILS(listxattr("/nowhere", list, sizeof(list)), ENOENT);
	FAILS(getxattr("/nowhere", "user.a", list, sizeof(list)), ENOENT);
	FAILS(flistxattr(named, list, sizeof(list)), EBADF);
	FAILS(fgetxattr(-1, "user.a", list, sizeof(list)), EBADF);
	FAILS(getxattr(FILE_NAME, "", list, sizeof(list)), ERANGE);
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = 0;
	FAILS(removexattr(FILE_NAME, long_name), ERANGE);
	FAILS(setxattr(FILE_NAME, "user.a", "x", 1, 4), EINVAL);
	FAILS(setxattr(FILE_NAME, "user.a", "x", 65537, 0), E2BIG);
	CHECK(close(fd) == 0 && close(named) == 0 && unlink(FILE_NAME) == 0);
}

int main(void)
{
	RUN(an_owner_makes_no_member_of_a_group_of_others);
	RUN(times_may_both_be_left_alone);
	RUN(a_counter_is_read_once);
	RUN(a_full_counter_is_waited_for);
	RUN(a_counter_wakes_who_polls_many);
	RUN(a_range_is_closed_when_a_program_begins);
	RUN(a_file_of_the_archive_has_data_and_no_holes);
	RUN(what_is_sent_of_a_hole_is_zeros);
	RUN(a_pipe_without_a_reader_is_an_error_to_poll);
	RUN(a_path_that_is_only_named_is_not_polled);
	RUN(ppoll_puts_the_mask_back);
	RUN(an_interrupt_line_is_polled);
	RUN(open_files_of_proc_have_names);
	RUN(only_numbers_of_processes_are_there);
	RUN(a_thread_has_its_programs_words);
	RUN(a_number_may_end_with_a_newline);
	RUN(no_path_fits_into_a_byte);
	RUN(a_mapping_goes_where_it_is_wanted);
	RUN(a_file_may_be_older_than_1970);
	RUN(no_file_has_extended_attributes);
	return test_result();
}
