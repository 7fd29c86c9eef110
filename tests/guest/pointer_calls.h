/* SPDX-License-Identifier: MIT */
/*
 * Every system call that takes a pointer: a row for each pointer, with good values for all else.
 * For efault.c, which defines _GNU_SOURCE.
 */
#ifndef TESTS_GUEST_POINTER_CALLS_H
#define TESTS_GUEST_POINTER_CALLS_H

#include <fcntl.h>
#include <libos/calls.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>

#define PAGE 4096ul
#define USER_TOP 0x7e8000000000ul
#define STACK_TOP (USER_TOP - 34 * PAGE) /* VM_STACK_TOP: the page below it is there */
#define BAD 0x0badbad0badl /* in a row of the table: where the pointer goes */
#define STRING 24 /* bytes of a string that runs into the end of its page */

/* Descriptors that the rows name. */
enum {
	FILLED_PIPE = 100,
	EMPTY_PIPE,
	TEXT_FILE,
	DIRECTORY,
	ZERO,
	TERMINAL,
	EPOLL,
	SOCKET,
	SIGNALS,
	TIMER,
	PROCESS
};

enum {
	IN = 0,
	OUT = 1,       /* written: read-only memory is a fault, too */
	MAY_NULL = 2,  /* NULL has a meaning */
	PARTIAL = 4,   /* what lies before the bad page may be done */
	ALIGNED = 8,   /* no object across two pages: misaligned, or read in parts */
	RACED = 16,    /* harmless with a good pointer, and does not wait */
};

static long good[64]; /* for the pointers that are not in question */
static char file_name[] = "/tmp/efault-name";
static struct timespec no_time;
static struct pollfd no_poll = { .fd = -1 };
static struct itimerspec no_timer;
static uint64_t empty_set;
/* Their first word is the pointer in question. */
static struct iovec vector = { NULL, 64 };
static struct { void *set; size_t size; } signal_argument = { NULL, 8 };
static int timer_id;
static int four = 4; /* what sizes are at */
static uint32_t capability_version[2] = { _LINUX_CAPABILITY_VERSION_3 };

struct call {
	const char *name;
	long number;
	unsigned flags, size;
	long arguments[6];
};

#define CALL(call, flags, size, ...) { #call, SYS_##call, flags, size, { __VA_ARGS__ } }
#define GOOD ((long)good)
#define NAME ((long)file_name)
#define NO_TIME ((long)&no_time)

static const struct call file_calls[] = {
	CALL(read, OUT | PARTIAL | RACED, 64, ZERO, BAD, 64),
	CALL(read, OUT | PARTIAL | RACED, 64, FILLED_PIPE, BAD, 64),
	CALL(read, OUT | PARTIAL, 8, TEXT_FILE, BAD, 8),
	CALL(pread64, OUT | PARTIAL | RACED, 64, TEXT_FILE, BAD, 64, 0),
	CALL(readv, PARTIAL, 16, ZERO, BAD, 1),
	CALL(readv, OUT | PARTIAL | RACED, 64, ZERO, (long)&vector, 1),
	CALL(preadv, OUT | PARTIAL, 64, TEXT_FILE, (long)&vector, 1, 0),
	CALL(preadv2, OUT | PARTIAL, 64, TEXT_FILE, (long)&vector, 1, 0, 0, 0),
	CALL(write, PARTIAL | RACED, 64, EMPTY_PIPE, BAD, 64),
	CALL(write, PARTIAL | RACED, 64, TEXT_FILE, BAD, 64),
	CALL(pwrite64, PARTIAL | RACED, 64, TEXT_FILE, BAD, 64, 0),
	CALL(writev, PARTIAL, 16, TEXT_FILE, BAD, 1),
	CALL(writev, PARTIAL, 64, EMPTY_PIPE, (long)&vector, 1),
	CALL(pwritev, PARTIAL | RACED, 64, TEXT_FILE, (long)&vector, 1, 0),
	CALL(pwritev2, PARTIAL, 64, TEXT_FILE, (long)&vector, 1, 0, 0, 0),
	CALL(open, RACED, STRING, BAD, O_RDONLY),
	CALL(creat, IN, STRING, BAD, 0600),
	CALL(openat, RACED, STRING, AT_FDCWD, BAD, O_RDONLY),
	CALL(stat, RACED, STRING, BAD, GOOD),
	CALL(stat, OUT | RACED, 144, NAME, BAD),
	CALL(lstat, IN, STRING, BAD, GOOD),
	CALL(lstat, OUT, 144, NAME, BAD),
	CALL(fstat, OUT | RACED, 144, TEXT_FILE, BAD),
	CALL(newfstatat, IN, STRING, AT_FDCWD, BAD, GOOD, 0),
	CALL(newfstatat, OUT | RACED, 144, AT_FDCWD, NAME, BAD, 0),
	CALL(statx, IN, STRING, AT_FDCWD, BAD, 0, 0x7ff, GOOD),
	CALL(statx, OUT | RACED, 256, AT_FDCWD, NAME, 0, 0x7ff, BAD),
	CALL(access, RACED, STRING, BAD, 0),
	CALL(faccessat, IN, STRING, AT_FDCWD, BAD, 0),
	CALL(faccessat2, IN, STRING, AT_FDCWD, BAD, 0, 0),
	CALL(truncate, IN, STRING, BAD, 0),
	CALL(chdir, IN, STRING, BAD),
	CALL(chroot, IN, STRING, BAD),
	CALL(mkdir, IN, STRING, BAD, 0700),
	CALL(mkdirat, IN, STRING, AT_FDCWD, BAD, 0700),
	CALL(rmdir, RACED, STRING, BAD),
	CALL(unlink, RACED, STRING, BAD),
	CALL(unlinkat, IN, STRING, AT_FDCWD, BAD, 0),
	CALL(rename, RACED, STRING, BAD, NAME),
	CALL(rename, IN, STRING, NAME, BAD),
	CALL(renameat, IN, STRING, AT_FDCWD, BAD, AT_FDCWD, NAME),
	CALL(renameat2, IN, STRING, AT_FDCWD, NAME, AT_FDCWD, BAD, 0),
	CALL(link, IN, STRING, BAD, NAME),
	CALL(link, IN, STRING, NAME, BAD),
	CALL(linkat, IN, STRING, AT_FDCWD, BAD, AT_FDCWD, NAME, 0),
	CALL(symlink, IN, STRING, BAD, (long)"/tmp/efault-link"),
	CALL(symlink, IN, STRING, NAME, BAD),
	CALL(symlinkat, IN, STRING, BAD, AT_FDCWD, (long)"/tmp/efault-link"),
	CALL(readlink, RACED, STRING, BAD, GOOD, 64),
	CALL(readlink, OUT | RACED, 2, (long)"/proc/self/exe", BAD, 64),
	CALL(readlinkat, OUT, 2, AT_FDCWD, (long)"/proc/self/exe", BAD, 64),
	CALL(chmod, IN, STRING, BAD, 0600),
	CALL(fchmodat, IN, STRING, AT_FDCWD, BAD, 0600),
	CALL(chown, IN, STRING, BAD, 0, 0),
	CALL(lchown, IN, STRING, BAD, 0, 0),
	CALL(fchownat, IN, STRING, AT_FDCWD, BAD, 0, 0, 0),
	CALL(mknod, IN, STRING, BAD, S_IFIFO | 0600, 0),
	CALL(mknodat, IN, STRING, AT_FDCWD, BAD, S_IFIFO | 0600, 0),
	CALL(utime, IN, STRING, BAD, 0),
	CALL(utime, MAY_NULL, 16, NAME, BAD),
	CALL(utimes, MAY_NULL, 32, NAME, BAD),
	CALL(futimesat, MAY_NULL, 32, AT_FDCWD, NAME, BAD),
	CALL(utimensat, MAY_NULL, 32, AT_FDCWD, NAME, BAD, 0),
	CALL(setxattr, IN, STRING, BAD, (long)"user.a", GOOD, 1, 0),
	CALL(setxattr, IN, STRING, NAME, BAD, GOOD, 1, 0),
	CALL(setxattr, IN, 64, NAME, (long)"user.a", BAD, 64, 0),
	CALL(lsetxattr, IN, STRING, BAD, (long)"user.a", GOOD, 1, 0),
	CALL(fsetxattr, IN, STRING, TEXT_FILE, BAD, GOOD, 1, 0),
	CALL(getxattr, IN, STRING, BAD, (long)"user.a", GOOD, 1),
	CALL(getxattr, IN, STRING, NAME, BAD, GOOD, 1),
	CALL(lgetxattr, IN, STRING, BAD, (long)"user.a", GOOD, 1),
	CALL(fgetxattr, IN, STRING, TEXT_FILE, BAD, GOOD, 1),
	CALL(listxattr, IN, STRING, BAD, GOOD, 1),
	CALL(llistxattr, IN, STRING, BAD, GOOD, 1),
	CALL(removexattr, IN, STRING, BAD, (long)"user.a"),
	CALL(removexattr, IN, STRING, NAME, BAD),
	CALL(lremovexattr, IN, STRING, BAD, (long)"user.a"),
	CALL(fremovexattr, IN, STRING, TEXT_FILE, BAD),
	CALL(statfs, IN, STRING, BAD, GOOD),
	CALL(statfs, OUT, 120, NAME, BAD),
	CALL(fstatfs, OUT | RACED, 120, TEXT_FILE, BAD),
	CALL(getdents64, OUT | PARTIAL | RACED, 24, DIRECTORY, BAD, 1024),
	CALL(getcwd, OUT | RACED, 2, BAD, 64),
	CALL(pipe, OUT | ALIGNED, 8, BAD),
	CALL(pipe2, OUT | ALIGNED, 8, BAD, 0),
	CALL(socketpair, OUT | ALIGNED, 8, AF_UNIX, SOCK_STREAM, 0, BAD),
	CALL(sendto, IN, 64, SOCKET, BAD, 64, 0, 0, 0),
	CALL(sendmsg, IN, 56, SOCKET, BAD, 0),
	CALL(sendmmsg, OUT | ALIGNED, 64, SOCKET, BAD, 1, 0),
	CALL(recvfrom, OUT | RACED, 64, SOCKET, BAD, 64, MSG_PEEK, 0, 0),
	CALL(recvfrom, OUT, 4, SOCKET, GOOD, 64, MSG_PEEK, GOOD, BAD),
	CALL(recvmsg, OUT | RACED, 56, SOCKET, BAD, MSG_PEEK),
	CALL(recvmmsg, OUT | ALIGNED, 64, SOCKET, BAD, 1, MSG_PEEK, 0),
	CALL(recvmmsg, MAY_NULL, 16, SOCKET, GOOD, 1, MSG_PEEK, BAD),
	CALL(getsockname, OUT, 2, SOCKET, BAD, (long)&four),
	CALL(getpeername, OUT, 4, SOCKET, GOOD, BAD),
	CALL(getsockopt, OUT, 4, SOCKET, SOL_SOCKET, SO_TYPE, BAD, (long)&four),
	CALL(getsockopt, OUT, 4, SOCKET, SOL_SOCKET, SO_TYPE, GOOD, BAD),
	CALL(setsockopt, IN, 4, SOCKET, SOL_SOCKET, SO_RCVBUF, BAD, 4),
	CALL(setsockopt, IN, 16, SOCKET, SOL_SOCKET, SO_RCVTIMEO, BAD, 16),
	CALL(poll, OUT, 8, BAD, 1, 0),
	CALL(ppoll, OUT, 8, BAD, 1, NO_TIME, 0, 8),
	CALL(ppoll, MAY_NULL, 16, (long)&no_poll, 0, BAD, 0, 8),
	CALL(ppoll, MAY_NULL, 8, (long)&no_poll, 0, NO_TIME, BAD, 8),
	CALL(epoll_ctl, IN, 12, EPOLL, EPOLL_CTL_MOD, EMPTY_PIPE, BAD),
	CALL(epoll_wait, OUT | RACED, 12, EPOLL, BAD, 1, 0),
	CALL(epoll_pwait, OUT, 12, EPOLL, BAD, 1, 0, 0, 8),
	CALL(epoll_pwait, MAY_NULL, 8, EPOLL, GOOD, 1, 0, BAD, 8),
	CALL(epoll_pwait2, OUT, 12, EPOLL, BAD, 1, NO_TIME, 0, 8),
	CALL(epoll_pwait2, MAY_NULL, 16, EPOLL, GOOD, 1, BAD, 0, 8),
	CALL(signalfd, IN, 8, SIGNALS, BAD, 8),
	CALL(signalfd4, IN, 8, SIGNALS, BAD, 8, 0),
	CALL(timerfd_settime, IN, 32, TIMER, 0, BAD, 0),
	CALL(timerfd_settime, OUT | MAY_NULL, 32, TIMER, 0, (long)&no_timer, BAD),
	CALL(timerfd_gettime, OUT, 32, TIMER, BAD),
	CALL(select, OUT | MAY_NULL, 8, 64, BAD, 0, 0, NO_TIME),
	CALL(select, OUT | MAY_NULL, 8, 64, 0, BAD, 0, NO_TIME),
	CALL(select, OUT | MAY_NULL, 8, 64, 0, 0, BAD, NO_TIME),
	CALL(pselect6, OUT | MAY_NULL, 8, 64, BAD, 0, 0, NO_TIME, 0),
	CALL(pselect6, MAY_NULL, 16, 0, 0, 0, 0, BAD, 0),
	CALL(pselect6, MAY_NULL, 16, 0, 0, 0, 0, NO_TIME, BAD),
	CALL(pselect6, MAY_NULL, 8, 0, 0, 0, 0, NO_TIME, (long)&signal_argument),
	CALL(ioctl, OUT, 4, FILLED_PIPE, FIONREAD, BAD),
	CALL(ioctl, OUT, 36, TERMINAL, TCGETS, BAD),
	CALL(ioctl, IN, 36, TERMINAL, TCSETS, BAD),
	CALL(ioctl, OUT, 8, TERMINAL, TIOCGWINSZ, BAD),
	CALL(ioctl, IN, 8, TERMINAL, TIOCSWINSZ, BAD),
	CALL(fcntl, OUT, 32, TEXT_FILE, F_GETLK, BAD),
	CALL(fcntl, IN, 32, TEXT_FILE, F_SETLK, BAD),
	CALL(sendfile, OUT | MAY_NULL, 8, EMPTY_PIPE, TEXT_FILE, BAD, 1),
	CALL(copy_file_range, MAY_NULL, 8, TEXT_FILE, BAD, TEXT_FILE, GOOD, 1, 0),
	CALL(copy_file_range, MAY_NULL, 8, TEXT_FILE, GOOD, TEXT_FILE, BAD, 1, 0),
	CALL(memfd_create, IN, STRING, BAD, 0),
	CALL(execve, IN, STRING, BAD, 0, 0),
	CALL(execve, MAY_NULL, 8, NAME, BAD, 0),
	CALL(execve, MAY_NULL, 8, NAME, 0, BAD),
	CALL(execveat, IN, STRING, AT_FDCWD, BAD, 0, 0, 0),
};

static const struct call process_calls[] = {
	CALL(rt_sigaction, MAY_NULL, 32, SIGUSR1, BAD, 0, 8),
	CALL(rt_sigaction, OUT | MAY_NULL | RACED, 32, SIGUSR1, 0, BAD, 8),
	CALL(rt_sigprocmask, MAY_NULL, 8, SIG_BLOCK, BAD, 0, 8),
	CALL(rt_sigprocmask, OUT | MAY_NULL | RACED, 8, SIG_BLOCK, 0, BAD, 8),
	CALL(rt_sigpending, OUT | RACED, 8, BAD, 8),
	CALL(rt_sigtimedwait, IN, 8, BAD, 0, NO_TIME, 8),
	CALL(rt_sigtimedwait, MAY_NULL, 16, (long)&empty_set, 0, BAD, 8),
	CALL(rt_sigsuspend, IN, 8, BAD, 8),
	CALL(rt_sigqueueinfo, IN, 128, 1, SIGUSR1, BAD),
	CALL(rt_tgsigqueueinfo, IN, 128, 1, 1, SIGUSR1, BAD),
	CALL(sigaltstack, MAY_NULL, 24, BAD, 0),
	CALL(sigaltstack, OUT | MAY_NULL | RACED, 24, 0, BAD),
	CALL(nanosleep, IN, 16, BAD, 0),
	CALL(clock_nanosleep, IN, 16, CLOCK_MONOTONIC, 0, BAD, 0),
	CALL(getitimer, OUT | RACED, 32, ITIMER_REAL, BAD),
	CALL(setitimer, MAY_NULL, 32, ITIMER_REAL, BAD, 0),
	CALL(setitimer, OUT | MAY_NULL, 32, ITIMER_REAL, GOOD, BAD),
	CALL(clock_gettime, OUT | RACED, 16, CLOCK_MONOTONIC, BAD),
	CALL(clock_gettime, OUT | RACED, 16, CLOCK_THREAD_CPUTIME_ID, BAD),
	CALL(clock_getres, OUT | MAY_NULL, 16, CLOCK_MONOTONIC, BAD),
	CALL(clock_settime, IN, 16, CLOCK_REALTIME, BAD),
	CALL(gettimeofday, OUT | MAY_NULL | RACED, 16, BAD, 0),
	CALL(gettimeofday, OUT | MAY_NULL, 8, 0, BAD),
	CALL(settimeofday, MAY_NULL, 16, BAD, 0),
	CALL(time, OUT | MAY_NULL | RACED, 8, BAD),
	CALL(times, OUT | MAY_NULL | RACED, 32, BAD),
	CALL(timer_create, MAY_NULL, 64, CLOCK_MONOTONIC, BAD, GOOD),
	CALL(timer_create, OUT, 4, CLOCK_MONOTONIC, 0, BAD),
	CALL(getrlimit, OUT | RACED, 16, RLIMIT_NOFILE, BAD),
	CALL(setrlimit, IN, 16, RLIMIT_NOFILE, BAD),
	CALL(prlimit64, MAY_NULL, 16, 0, RLIMIT_NOFILE, BAD, 0),
	CALL(prlimit64, OUT | MAY_NULL | RACED, 16, 0, RLIMIT_NOFILE, 0, BAD),
	CALL(getrusage, OUT | RACED, 144, RUSAGE_SELF, BAD),
	CALL(sysinfo, OUT | RACED, 112, BAD),
	CALL(uname, OUT | RACED, 390, BAD),
	CALL(sethostname, IN, 8, BAD, 8),
	CALL(setdomainname, IN, 8, BAD, 8),
	CALL(getresuid, OUT, 4, BAD, GOOD, GOOD),
	CALL(getresuid, OUT, 4, GOOD, GOOD, BAD),
	CALL(getresgid, OUT, 4, BAD, GOOD, GOOD),
	CALL(getresgid, OUT, 4, GOOD, BAD, GOOD),
	CALL(setgroups, IN, 8, 2, BAD),
	CALL(pidfd_send_signal, MAY_NULL, 128, PROCESS, 0, BAD, 0),
	CALL(capget, ALIGNED, 8, BAD, GOOD),
	CALL(capset, ALIGNED, 8, BAD, GOOD),
	CALL(capset, IN, 24, (long)capability_version, BAD),
	CALL(sched_getparam, OUT, 4, 0, BAD),
	CALL(sched_setparam, IN, 4, 0, BAD),
	CALL(sched_setscheduler, IN, 4, 0, SCHED_OTHER, BAD),
	CALL(sched_rr_get_interval, OUT, 16, 0, BAD),
	CALL(sched_getaffinity, OUT | RACED, 8, 0, 8, BAD),
	CALL(sched_setaffinity, IN, 8, 0, 8, BAD),
	{ "sched_find", LIBOS_CALL_SCHED_FIND, OUT | RACED, 8, { 0, BAD } },
	CALL(getcpu, OUT | MAY_NULL | RACED, 4, BAD, 0, 0),
	CALL(getcpu, OUT | MAY_NULL, 4, 0, BAD, 0),
	CALL(prctl, OUT, 16, PR_GET_NAME, BAD),
	CALL(prctl, IN, 16, PR_SET_NAME, BAD),
	CALL(arch_prctl, OUT, 8, 0x1003 /* ARCH_GET_FS */, BAD),
	CALL(get_robust_list, OUT, 8, 0, BAD, GOOD),
	CALL(get_robust_list, OUT, 8, 0, GOOD, BAD),
	CALL(getrandom, OUT | PARTIAL | RACED, 64, BAD, 64, 0),
	CALL(mincore, OUT | ALIGNED, 1, STACK_TOP - PAGE, PAGE, BAD),
	CALL(futex, ALIGNED, 4, BAD, FUTEX_WAIT, 1, NO_TIME),
	CALL(futex, ALIGNED, 4, BAD, FUTEX_CMP_REQUEUE, 1, 1, GOOD, 0),
	CALL(futex, MAY_NULL, 16, GOOD, FUTEX_WAIT, 0, BAD),
	CALL(clone3, ALIGNED, 88, BAD, 88),
};

#endif
