/* SPDX-License-Identifier: MIT */
/* What Linux answers to questions that hardly any program asks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define PAGE 4096
#define SECOND_NS 1000000000ll
#define MS_NS 1000000ll

/* ---- processes */

static void a_failed_wait_leaves_nothing_behind(void)
{
	siginfo_t info;

	memset(&info, 0x11, sizeof(info));
	CHECK(waitid(P_ALL, 0, &info, WEXITED) < 0 && errno == ECHILD);
	CHECK(info.si_signo == 0 && info.si_pid == 0);
	CHECK(syscall(SYS_waitid, P_ALL, 0, 8, WEXITED, NULL) < 0 && errno == EFAULT);
}

static void *ends_with_3(void *unused)
{
	char text[2048] = "";

	/* Until the main thread has gone: Linux shows what is left of it, and counts it. */
	while (!strstr(text, "State:\tZ") && !strstr(text, "Threads:\t1\n")) {
		int fd = open("/proc/self/status", O_RDONLY);

		if (read(fd, text, sizeof(text) - 1) < 0)
			_exit(1);
		close(fd);
	}
	syscall(SYS_exit, 3);
	return NULL;
}

static int main_thread_ends_first(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, ends_with_3, NULL))
		return 1;
	syscall(SYS_exit, 9);
	return 1;
}

static void the_last_thread_has_the_last_word(void)
{
	CHECK_EQ(in_child(main_thread_ends_first), 3 << 8);
}

static int asks_for_all(void)
{
	if (setresuid(12345, 12345, 12345) < 0)
		return 1;
	return kill(-1, 0) < 0 ? 2 : 0;
}

static void a_signal_to_nobody_but_others_is_sent(void)
{
	CHECK_EQ(in_child(asks_for_all), 0);
}

static long long time_of(int whose)
{
	struct rusage usage;

	getrusage(whose, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND_NS +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static int ignores_a_child(void)
{
	pid_t child;

	signal(SIGCHLD, SIG_IGN);
	child = fork();
	if (child == 0) {
		while (time_of(RUSAGE_SELF) < 30 * MS_NS)
			;
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) >= 0 || errno != ECHILD)
		return 1;
	return time_of(RUSAGE_CHILDREN) != 0;
}

static void who_is_not_waited_for_is_not_counted(void)
{
	CHECK_EQ(in_child(ignores_a_child), 0);
}

static void a_negative_group_is_no_group(void)
{
	CHECK(setpgid(-1, 0) < 0 && errno == EINVAL);
	CHECK(setpgid(-1, 1) < 0 && errno == ESRCH);
}

static void nobody_has_a_negative_number(void)
{
	cpu_set_t set;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	CHECK(sched_setaffinity(-1, sizeof(set), &set) < 0 && errno == ESRCH);
	CHECK(sched_getaffinity(-1, sizeof(set), &set) < 0 && errno == ESRCH);
	CHECK(syscall(SYS_sched_getscheduler, -1) < 0 && errno == EINVAL); /* but here */
}

/* ---- signals of who does not wait */

static atomic_int handled;

static void handles(int number)
{
	handled++;
}

static void a_mask_for_no_time_at_all_lets_signals_in(void)
{
	struct sigaction action = { .sa_handler = handles };
	struct timespec none = { 0, 0 };
	struct pollfd closed = { .fd = 999, .events = POLLIN };
	sigset_t set, empty;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR1);
	CHECK(ppoll(NULL, 0, &none, &empty) < 0 && errno == EINTR);
	CHECK_EQ(handled, 1);
	raise(SIGUSR1);
	CHECK(pselect(0, NULL, NULL, NULL, &none, &empty) < 0 && errno == EINTR);
	CHECK_EQ(handled, 2);
	raise(SIGUSR1);
	CHECK_EQ(ppoll(&closed, 1, &none, &empty), 1); /* that comes first */
	CHECK_EQ(handled, 2);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK_EQ(handled, 3);
	CHECK_EQ(ppoll(NULL, 0, &none, &empty), 0);
}

/* ---- clocks */

static void clocks_that_are_none_are_told_from_those_without_timers(void)
{
	struct timespec t = { 0, 1 };
	timer_t timer;

	CHECK(syscall(SYS_clock_gettime, -1, &t) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_clock_nanosleep, 13, 0, &t, NULL) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &t, NULL) < 0 && errno == EOPNOTSUPP);
	CHECK(syscall(SYS_timer_create, 13, NULL, &timer) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_timer_create, CLOCK_REALTIME_COARSE, NULL, &timer) < 0 && errno == EOPNOTSUPP);
	CHECK(syscall(SYS_clock_nanosleep, CLOCK_TAI, 0, &t, NULL) == 0);
}

static long long day_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Every 200 ms, from the first ones of 1970 on. */
static void what_began_long_ago_keeps_in_step(void)
{
	struct itimerspec every = { { 0, 200 * MS_NS }, { 0, 200 * MS_NS } }, left;
	long long before, after, next;
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	CHECK(timer_create(CLOCK_REALTIME, &silent, &timer) == 0);
	CHECK(timer_settime(timer, TIMER_ABSTIME, &every, NULL) == 0);
	do { /* it has expired once it has more left than the moment that is shown for what is over */
		before = day_ns();
		CHECK(timer_gettime(timer, &left) == 0);
		after = day_ns();
	} while (left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 1000);
	/* No earlier than it is, and later by no more than the question has taken. */
	next = after + left.it_value.tv_sec * SECOND_NS + left.it_value.tv_nsec;
	CHECK(next % (200 * MS_NS) <= after - before);
	CHECK(timer_delete(timer) == 0);
}

/* ---- memory */

static void advice_is_for_what_is_there(void)
{
	char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED && munmap(at + PAGE, PAGE) == 0);
	CHECK(madvise(at, 4 * PAGE, MADV_WILLNEED) < 0 && errno == ENOMEM);
	CHECK(madvise(at + 2 * PAGE, 2 * PAGE, MADV_WILLNEED) == 0);
	CHECK(madvise(at, 0, 12345) < 0 && errno == EINVAL);
	CHECK(syscall(SYS_mlock2, at, 4 * PAGE, 1) < 0 && errno == ENOMEM);
	CHECK(mlockall(0) < 0 && errno == EINVAL);
	CHECK(munmap(at, 4 * PAGE) == 0);
}

static void a_mapping_can_be_low(void)
{
	char *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(low != MAP_FAILED && (uintptr_t)low < 1ul << 31);
	*low = 1;
	CHECK(munmap(low, PAGE) == 0);
	low = mmap(NULL, PAGE, PROT_READ | 0x40, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(low != MAP_FAILED && munmap(low, PAGE) == 0);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
}

/* ---- /proc */

static atomic_bool may_end;

static void *is_given_a_name(void *tid)
{
	*(atomic_int *)tid = gettid();
	while (!may_end)
		sched_yield();
	prctl(PR_GET_NAME, tid);
	return NULL;
}

static void a_thread_names_another(void)
{
	union { atomic_int tid; char name[16]; } other = { 0 };
	char path[64], name[16], own[16];
	pthread_t thread;
	int fd;

	CHECK(prctl(PR_GET_NAME, own) == 0);
	CHECK(pthread_create(&thread, NULL, is_given_a_name, &other) == 0);
	while (!other.tid)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", other.tid);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0 && write(fd, "other", 5) == 5 && close(fd) == 0);
	may_end = true;
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(strcmp(other.name, "other") == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, own) == 0);
	fd = open("/proc/self/comm", O_RDWR);
	CHECK(fd >= 0 && write(fd, "much too long a name", 20) == 20 && close(fd) == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "much too long a") == 0);
	CHECK(prctl(PR_SET_NAME, own) == 0);
}

/* The value of a line of /proc/self/status, in hexadecimal. */
static unsigned long status_word(const char *name)
{
	char text[4096] = "", *at;
	int fd = open("/proc/self/status", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && close(fd) == 0);
	at = strstr(text, name);
	CHECK(at != NULL);
	return strtoul(at + strlen(name), NULL, 16);
}

static void status_tells_of_signals(void)
{
	unsigned long cpus = 0;
	sigset_t set;

	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, handles);
	CHECK((status_word("\nSigIgn:\t") & 3) == 1);
	CHECK((status_word("\nSigCgt:\t") & 1ul << (SIGUSR2 - 1)) != 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR2) == 0);
	CHECK_EQ(status_word("\nSigPnd:\t"), 1ul << (SIGUSR2 - 1));
	CHECK(kill(getpid(), SIGUSR2) == 0);
	CHECK_EQ(status_word("\nShdPnd:\t"), 1ul << (SIGUSR2 - 1));
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK_EQ(status_word("\nSigPnd:\t"), 0);
	CHECK(status_word("\nVmHWM:\t") > 0);
	CHECK(status_word("\nCapEff:\t") == 0 || geteuid() == 0);
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(cpus), &cpus) > 0);
	CHECK_EQ(status_word("\nCpus_allowed:\t"), cpus);
	signal(SIGHUP, SIG_DFL);
}

/* As collectors of garbage look for it. */
static void the_stack_has_a_top(void)
{
	char text[1024] = "", *at;
	int fd = open("/proc/self/stat", O_RDONLY);
	uintptr_t top;

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && close(fd) == 0);
	at = strrchr(text, ')') + 1;
	for (int field = 3; field <= 28; field++)
		at = strchr(at, ' ') + 1;
	top = strtoul(at, NULL, 10);
	CHECK(top > (uintptr_t)&top && top - (uintptr_t)&top < 1 << 20);
}

static void read_uuid(const char *path, char *text)
{
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, 64) == 37 && close(fd) == 0);
	CHECK(text[8] == '-' && text[14] == '4' && text[23] == '-' && text[36] == '\n');
}

static void names_are_made_up(void)
{
	char first[64], second[64];

	read_uuid("/proc/sys/kernel/random/uuid", first);
	read_uuid("/proc/sys/kernel/random/uuid", second);
	CHECK(memcmp(first, second, 36) != 0);
	read_uuid("/proc/sys/kernel/random/boot_id", first);
	read_uuid("/proc/sys/kernel/random/boot_id", second);
	CHECK(memcmp(first, second, 36) == 0);
}

/* ---- files and memory */

static void a_pipe_has_no_places(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK(fallocate(fds[1], 0, 0, 10) < 0 && errno == ESPIPE);
	CHECK(fallocate(fds[1], 0, 0, 0) < 0 && errno == EINVAL);
	CHECK_EQ(posix_fadvise(fds[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
	close(fds[0]);
	close(fds[1]);
}

static void files_refuse_what_has_no_sense(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_pid = 1 };
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK(open("/tmp", O_TMPFILE | O_RDONLY, 0600) < 0 && errno == EINVAL);
	CHECK(fcntl(fd, F_OFD_GETLK, &lock) < 0 && errno == EINVAL);
	CHECK(fcntl(fd, F_OFD_SETLK, &lock) < 0 && errno == EINVAL);
	CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
	CHECK(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW) < 0 && errno == EINVAL);
	CHECK_EQ(syscall(SYS_utimensat, fd, NULL, NULL, 0), 0);
	close(fd);
}

/* As Linux has it: a transfer is refused whole if its last byte would have no place, however little there
 * is. */
static void a_place_is_no_larger_than_can_be_said(void)
{
	char bytes[10];
	struct iovec parts[2] = { { bytes, 6 }, { bytes, 6 } };
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), directory = open("/tmp", O_RDONLY);

	CHECK(fd >= 0 && directory >= 0 && write(fd, bytes, 10) == 10);
	CHECK(pread(fd, bytes, 10, INT64_MAX) < 0 && errno == EINVAL);
	CHECK(pread(fd, bytes, 10, INT64_MAX - 9) < 0 && errno == EINVAL);
	CHECK_EQ(pread(fd, bytes, 10, INT64_MAX - 10), 0);
	CHECK_EQ(pread(fd, bytes, 0, INT64_MAX), 0);
	CHECK(pwrite(fd, bytes, 10, INT64_MAX) < 0 && errno == EINVAL);
	CHECK(preadv(fd, parts, 2, INT64_MAX - 10) < 0 && errno == EINVAL);
	CHECK(pwritev(fd, parts, 2, INT64_MAX - 10) < 0 && errno == EINVAL);
	CHECK_EQ(preadv(fd, parts, 2, INT64_MAX - 12), 0);
	CHECK(pread(directory, bytes, 10, INT64_MAX) < 0 && errno == EINVAL);
	CHECK(lseek(fd, INT64_MAX, SEEK_END) < 0 && errno == EINVAL);
	CHECK_EQ(lseek(fd, INT64_MAX, SEEK_SET), INT64_MAX);
	CHECK(lseek(fd, 1, SEEK_CUR) < 0 && errno == EINVAL);
	CHECK(read(fd, bytes, 1) < 0 && errno == EINVAL);
	CHECK(write(fd, bytes, 1) < 0 && errno == EINVAL);
	CHECK(readv(fd, parts, 2) < 0 && errno == EINVAL);
	CHECK_EQ(read(fd, bytes, 0), 0);
	close(directory);
	close(fd);
}

static void times_that_stay_are_not_even_looked_for(void)
{
	struct timespec stay[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

	CHECK_EQ(syscall(SYS_utimensat, AT_FDCWD, "/nowhere", stay, 0), 0);
	CHECK_EQ(syscall(SYS_utimensat, AT_FDCWD, "/", stay, 0x55), 0);
	CHECK_EQ(syscall(SYS_utimensat, -1, NULL, stay, 0x55), 0);
	CHECK(syscall(SYS_utimensat, AT_FDCWD, "/", 8, 0x55) < 0 && errno == EFAULT);
	CHECK(syscall(SYS_utimensat, AT_FDCWD, "/", now, 0x55) < 0 && errno == EINVAL);
}

/* Of several reasons the one that Linux finds first: no file, flags, what kind of file, what it is open
 * for. */
static void a_copy_is_refused_for_the_first_reason(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), directory = open("/tmp", O_RDONLY), fds[2];
	int for_writing = open("/dev/null", O_WRONLY);

	CHECK(fd >= 0 && directory >= 0 && for_writing >= 0 && pipe(fds) == 0);
	CHECK(copy_file_range(fds[1], NULL, fd, NULL, 1, 0) < 0 && errno == EINVAL);
	CHECK(copy_file_range(fd, NULL, fds[0], NULL, 1, 0) < 0 && errno == EINVAL);
	CHECK(copy_file_range(for_writing, NULL, fd, NULL, 1, 0) < 0 && errno == EINVAL);
	CHECK(copy_file_range(directory, NULL, fd, NULL, 1, 0) < 0 && errno == EISDIR);
	CHECK(copy_file_range(fd, NULL, directory, NULL, 1, 0) < 0 && errno == EISDIR);
	CHECK(copy_file_range(directory, NULL, fd, NULL, 1, 1) < 0 && errno == EINVAL);
	CHECK(copy_file_range(fds[1], NULL, 999, NULL, 1, 1) < 0 && errno == EBADF);
	close(for_writing);
	for_writing = open("/tmp", O_TMPFILE | O_WRONLY, 0600);
	CHECK(copy_file_range(for_writing, NULL, fd, NULL, 1, 0) < 0 && errno == EBADF);
	close(for_writing);
	close(fds[0]);
	close(fds[1]);
	close(directory);
	close(fd);
}

static void less_than_nobody_is_not_moved(void)
{
	uint32_t words[2] = { 0, 0 };

	CHECK(syscall(SYS_futex, &words[0], FUTEX_REQUEUE, -1, 1, &words[1], 0) < 0 &&
	      errno == EINVAL);
	CHECK(syscall(SYS_futex, &words[0], FUTEX_REQUEUE, 1, -1, &words[1], 0) < 0 &&
	      errno == EINVAL);
	CHECK_EQ(syscall(SYS_futex, &words[0], FUTEX_REQUEUE, 1, 1, &words[1], 0), 0);
}

static void a_timer_is_set_to_something(void)
{
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
	CHECK(syscall(SYS_timer_settime, timer, 0, NULL, NULL) < 0 && errno == EINVAL);
	CHECK(timer_delete(timer) == 0);
}

int main(void)
{
	RUN(a_failed_wait_leaves_nothing_behind);
	RUN(the_last_thread_has_the_last_word);
	RUN(a_signal_to_nobody_but_others_is_sent);
	RUN(who_is_not_waited_for_is_not_counted);
	RUN(a_negative_group_is_no_group);
	RUN(nobody_has_a_negative_number);
	RUN(a_mask_for_no_time_at_all_lets_signals_in);
	RUN(clocks_that_are_none_are_told_from_those_without_timers);
	RUN(what_began_long_ago_keeps_in_step);
	RUN(advice_is_for_what_is_there);
	RUN(a_mapping_can_be_low);
	RUN(a_thread_names_another);
	RUN(status_tells_of_signals);
	RUN(the_stack_has_a_top);
	RUN(names_are_made_up);
	RUN(a_pipe_has_no_places);
	RUN(files_refuse_what_has_no_sense);
	RUN(a_place_is_no_larger_than_can_be_said);
	RUN(times_that_stay_are_not_even_looked_for);
	RUN(a_copy_is_refused_for_the_first_reason);
	RUN(less_than_nobody_is_not_moved);
	RUN(a_timer_is_set_to_something);
	return test_result();
}
