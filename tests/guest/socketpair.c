/* SPDX-License-Identifier: MIT */
/*
 * socketpair: streams, datagrams and sequenced packets, their ends, options and waits.  All of it but what
 * /proc/exo is asked for holds on Linux as well: gcc -pthread tests/guest/socketpair.c tries it there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "asleep.h"
#include "fails.h"
#include "in_child.h"
#include "test.h"

static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

static int ends[2];

static void make(int type)
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, ends), 0);
}

static void end(void)
{
	close(ends[0]);
	close(ends[1]);
}

static short ready(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

static int waiting(int fd)
{
	int n = -1;

	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

static int option(int fd, int which)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, which, &value, &size), 0);
	CHECK_EQ(size, sizeof(value));
	return value;
}

/* ---------------------------------------------------------------- what goes through */

static void bytes_go_both_ways(void)
{
	char got[8] = "";

	make(SOCK_STREAM);
	CHECK_EQ(write(ends[0], "abc", 3), 3);
	CHECK_EQ(send(ends[0], "de", 2, 0), 2);
	CHECK_EQ(write(ends[1], "xyz", 3), 3);
	CHECK_EQ(waiting(ends[1]), 5);
	CHECK_EQ(read(ends[1], got, 4), 4);
	CHECK_EQ(recv(ends[1], got + 4, 4, 0), 1);
	CHECK(strcmp(got, "abcde") == 0);
	CHECK_EQ(read(ends[0], got, sizeof(got)), 3);
	CHECK(memcmp(got, "xyz", 3) == 0);
	CHECK_EQ(write(ends[0], "", 0), 0);
	CHECK_EQ(waiting(ends[1]), 0);
	end();
}

static void datagrams_keep_their_bounds(void)
{
	char first[2], second[8];
	struct iovec out[] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct iovec in[] = { { first, sizeof(first) }, { second, sizeof(second) } };

	for (int i = 1; i < 3; i++) {
		make(kinds[i]);
		CHECK_EQ(writev(ends[0], out, 3), 6);
		CHECK_EQ(write(ends[0], "", 0), 0);
		CHECK_EQ(send(ends[0], "12345", 5, 0), 5);
		CHECK_EQ(writev(ends[0], out + 1, 1), 0); /* sends none */
		CHECK_EQ(writev(ends[0], NULL, 0), 0);
		CHECK_EQ(waiting(ends[1]), kinds[i] == SOCK_DGRAM ? 6 : 11);
		CHECK_EQ(readv(ends[1], in, 2), 6);
		CHECK(memcmp(first, "ab", 2) == 0 && memcmp(second, "cdef", 4) == 0);
		CHECK_EQ(read(ends[1], second, 0), 0); /* takes none */
		CHECK_EQ(recv(ends[1], second, 8, MSG_DONTWAIT), 0);
		CHECK_EQ(recv(ends[1], second, 3, 0), 3);
		CHECK(memcmp(second, "123", 3) == 0);
		FAILS(recv(ends[1], second, 8, MSG_DONTWAIT), EAGAIN);
		end();
	}
}

static void what_is_cut_off_is_told(void)
{
	char got[4];
	struct iovec in = { got, sizeof(got) };
	struct msghdr m = {
		.msg_iov = &in, .msg_iovlen = 1, .msg_control = got, .msg_controllen = 0
	};

	for (int i = 1; i < 3; i++) {
		make(kinds[i]);
		CHECK_EQ(write(ends[0], "123456", 6), 6);
		CHECK_EQ(write(ends[0], "789", 3), 3);
		CHECK_EQ(recv(ends[1], got, 2, MSG_PEEK | MSG_TRUNC), 6);
		CHECK_EQ(recvmsg(ends[1], &m, MSG_PEEK), 4);
		CHECK_EQ(m.msg_flags, MSG_TRUNC);
		CHECK_EQ(recvmsg(ends[1], &m, MSG_TRUNC), 6);
		CHECK_EQ(m.msg_flags, MSG_TRUNC);
		m.msg_namelen = 99;
		CHECK_EQ(recvmsg(ends[1], &m, MSG_CMSG_CLOEXEC), 3);
		CHECK_EQ(m.msg_flags, MSG_CMSG_CLOEXEC);
		CHECK_EQ(m.msg_namelen, 99); /* there is no place for one */
		CHECK(memcmp(got, "789", 3) == 0);
		end();
	}
}

static void who_only_looks_takes_nothing(void)
{
	struct sockaddr_un from;
	socklen_t size = sizeof(from);
	char got[16];

	make(SOCK_STREAM);
	CHECK_EQ(write(ends[0], "abc", 3), 3);
	CHECK_EQ(write(ends[0], "def", 3), 3);
	CHECK_EQ(recv(ends[1], got, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(ends[1], got, sizeof(got), MSG_PEEK), 6);
	CHECK(memcmp(got, "abcdef", 6) == 0);
	CHECK_EQ(recvfrom(ends[1], got, sizeof(got), 0, (void *)&from, &size), 6);
	CHECK(memcmp(got, "abcdef", 6) == 0);
	CHECK_EQ(size, 0);
	end();
}

/* Once around the queue, in odd pieces, of a stream and of datagrams. */
static void long_transfers_arrive_whole(void)
{
	enum { TOTAL = 3 << 20, PIECE = 50001 };
	static unsigned char buffer[PIECE];

	for (int i = 0; i < 3; i++) {
		size_t got = 0;
		int status;
		long n;

		make(kinds[i]);
		if (fork() == 0) {
			close(ends[1]);
			for (size_t at = 0; at < TOTAL; at += (size_t)n) {
				size_t piece = TOTAL - at < PIECE ? TOTAL - at : PIECE;

				for (size_t b = 0; b < piece; b++)
					buffer[b] = (unsigned char)((at + b) * 31 >> 3);
				n = write(ends[0], buffer, piece);
				if (n <= 0)
					_exit(1);
			}
			_exit(0);
		}
		while (got < TOTAL && (n = read(ends[1], buffer, sizeof(buffer))) > 0)
			for (long b = 0; b < n; b++, got++)
				if (buffer[b] != (unsigned char)(got * 31 >> 3))
					CHECK_EQ(got, -1);
		CHECK_EQ(got, TOTAL);
		CHECK(wait(&status) > 0 && status == 0);
		end();
	}
}

static void all_that_is_wanted_is_waited_for(void)
{
	char got[8];
	int status;

	make(SOCK_STREAM);
	if (fork() == 0) {
		write(ends[0], "abc", 3);
		while (waiting(ends[1]) > 0)
			sched_yield();
		write(ends[0], "def", 3);
		_exit(0);
	}
	CHECK_EQ(recv(ends[1], got, 6, MSG_WAITALL), 6);
	CHECK(memcmp(got, "abcdef", 6) == 0);
	CHECK(wait(&status) > 0 && status == 0);
	CHECK_EQ(write(ends[0], "xy", 2), 2);
	shutdown(ends[0], SHUT_WR);
	CHECK_EQ(recv(ends[1], got, 6, MSG_WAITALL), 2);
	end();
}

/* musl's sendmmsg is a loop of sendmsg. */
static long send_several(int fd, struct mmsghdr *messages, unsigned count)
{
	return syscall(SYS_sendmmsg, fd, messages, count, 0);
}

static void several_messages_in_one_call(void)
{
	char got[3][4];
	struct iovec out[3] = { { "a", 1 }, { "bc", 2 }, { "def", 3 } }, in[3];
	struct mmsghdr messages[3] = { 0 };

	for (int i = 1; i < 3; i++) {
		make(kinds[i]);
		for (int k = 0; k < 3; k++) {
			in[k] = (struct iovec){ got[k], sizeof(got[k]) };
			messages[k].msg_hdr =
				(struct msghdr){ .msg_iov = &out[k], .msg_iovlen = 1 };
		}
		CHECK_EQ(send_several(ends[0], messages, 3), 3);
		CHECK_EQ(messages[2].msg_len, 3);
		for (int k = 0; k < 3; k++)
			messages[k].msg_hdr = (struct msghdr){ .msg_iov = &in[k], .msg_iovlen = 1 };
		CHECK_EQ(recvmmsg(ends[1], messages, 2, 0, NULL), 2);
		CHECK_EQ(messages[1].msg_len, 2);
		CHECK_EQ(recvmmsg(ends[1], messages, 3, MSG_WAITFORONE, NULL), 1);
		CHECK(messages[0].msg_len == 3 && memcmp(got[0], "def", 3) == 0);
		FAILS(recvmmsg(ends[1], messages, 3, MSG_DONTWAIT, NULL), EAGAIN);
		end();
	}
}

/* What is left of one message does not come behind the next. */
static void half_a_message_is_the_last(void)
{
	enum { SIZE = 128 * 1024 };
	char *from = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec half = { from, SIZE }, whole = { "abc", 3 };
	struct mmsghdr messages[2] = {
		{ .msg_hdr = { .msg_iov = &half, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &whole, .msg_iovlen = 1 } },
	};

	CHECK(from != MAP_FAILED);
	memset(from, 'x', SIZE);
	CHECK_EQ(munmap(from + SIZE / 2 + 4096, SIZE / 2 - 4096), 0);
	make(SOCK_STREAM);
	CHECK_EQ(send_several(ends[0], messages, 2), 1);
	CHECK(messages[0].msg_len > 0 && messages[0].msg_len < SIZE);
	CHECK_EQ(waiting(ends[1]), messages[0].msg_len);
	end();
	munmap(from, SIZE / 2 + 4096);
}

static void the_time_that_is_left_is_told(void)
{
	char got[4];
	struct iovec in = { got, sizeof(got) };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &in, .msg_iovlen = 1 } };
	struct timespec left = { 100, 0 };

	make(SOCK_DGRAM);
	FAILS(recvmmsg(ends[1], &message, 1, MSG_DONTWAIT, &left), EAGAIN);
	CHECK(left.tv_sec == 100 && left.tv_nsec == 0);
	CHECK_EQ(write(ends[0], "a", 1), 1);
	CHECK_EQ(recvmmsg(ends[1], &message, 1, 0, &left), 1);
	CHECK_EQ(left.tv_sec, 99);
	left = (struct timespec){ 0, 0 };
	CHECK_EQ(write(ends[0], "a", 1), 1);
	CHECK_EQ(recvmmsg(ends[1], &message, 1, 0, &left), 1);
	CHECK(left.tv_sec == 0 && left.tv_nsec == 0);
	end();
}

/* Nanoseconds for each of `count` buffers of a byte, there and back. */
static long time_of_buffers(unsigned count)
{
	static struct iovec buffers[1024];
	static char bytes[1024];
	struct msghdr m = { .msg_iov = buffers, .msg_iovlen = count };
	long best = LONG_MAX;

	for (unsigned i = 0; i < count; i++)
		buffers[i] = (struct iovec){ bytes + i, 1 };
	for (int i = 0; i < 100; i++) {
		struct timespec from, to;
		long ns;

		clock_gettime(CLOCK_MONOTONIC, &from);
		CHECK_EQ(sendmsg(ends[0], &m, 0), count);
		CHECK_EQ(recvmsg(ends[1], &m, 0), count);
		clock_gettime(CLOCK_MONOTONIC, &to);
		ns = (to.tv_sec - from.tv_sec) * 1000000000l + to.tv_nsec - from.tv_nsec;
		if (ns < best)
			best = ns;
	}
	return best / count;
}

/* Each is found behind the one before: a datagram is moved under one hold of a lock. */
static void many_buffers_take_as_long_each_as_few(void)
{
	make(SOCK_SEQPACKET);
	CHECK(time_of_buffers(1024) < 3 * time_of_buffers(64));
	end();
}

static void files_are_sent(void)
{
	const char *path = "/tmp/socketpair.text";
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	char got[8];

	make(SOCK_STREAM);
	CHECK_EQ(write(fd, "content", 7), 7);
	lseek(fd, 0, SEEK_SET);
	CHECK_EQ(sendfile(ends[0], fd, NULL, 7), 7);
	CHECK_EQ(read(ends[1], got, 8), 7);
	CHECK(memcmp(got, "content", 7) == 0);
	close(fd);
	unlink(path);
	end();
}

/* ---------------------------------------------------------------- what it is */

static void it_says_what_it_is(void)
{
	struct sockaddr_un name;
	struct ucred maker;
	struct stat s;
	socklen_t size;
	char path[64], text[64] = "";
	unsigned long number;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		CHECK_EQ(option(ends[0], SO_TYPE), kinds[i]);
		CHECK_EQ(option(ends[0], SO_DOMAIN), AF_UNIX);
		CHECK_EQ(option(ends[0], SO_PROTOCOL), 0);
		CHECK_EQ(option(ends[0], SO_ERROR), 0);
		CHECK_EQ(option(ends[0], SO_ACCEPTCONN), 0);
		CHECK_EQ(option(ends[0], SO_SNDBUF), 212992);
		size = sizeof(maker);
		CHECK_EQ(getsockopt(ends[1], SOL_SOCKET, SO_PEERCRED, &maker, &size), 0);
		CHECK(size == sizeof(maker) && maker.pid == getpid() && maker.uid == geteuid());
		size = sizeof(name);
		CHECK_EQ(getsockname(ends[0], (void *)&name, &size), 0);
		CHECK(size == 2 && name.sun_family == AF_UNIX);
		size = 1;
		CHECK_EQ(getpeername(ends[0], (void *)&name, &size), 0);
		CHECK_EQ(size, 2);
		CHECK(fstat(ends[0], &s) == 0 && S_ISSOCK(s.st_mode));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
		CHECK(readlink(path, text, sizeof(text) - 1) > 0);
		CHECK_EQ(sscanf(text, "socket:[%lu]", &number), 1);
		CHECK_EQ(number, s.st_ino);
		FAILS(open(path, O_RDWR), ENXIO);
		FAILS(lseek(ends[0], 0, SEEK_SET), ESPIPE);
		FAILS(pread(ends[0], text, 1, 0), ESPIPE);
		FAILS(fsync(ends[0]), EINVAL);
		CHECK(fcntl(ends[0], F_GETFL) == O_RDWR);
		end();
	}
}

static void a_pair_is_not_made(void)
{
	int fds[2];
	struct rlimit limit, none;

	FAILS(socketpair(AF_UNIX, 7, 0, fds), ESOCKTNOSUPPORT);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 7, fds), EPROTONOSUPPORT);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM | 0x10, 0, fds), EINVAL);
	FAILS(socketpair(77, SOCK_STREAM, 0, fds), EAFNOSUPPORT);
	FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
	make(SOCK_STREAM);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ (rlim_t)ends[1] + 2, limit.rlim_max };
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), EMFILE);
	CHECK_EQ(dup(0), ends[1] + 1); /* neither is taken */
	close(ends[1] + 1);
	setrlimit(RLIMIT_NOFILE, &limit);
	end();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, AF_UNIX, fds), 0);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK_EQ(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
}

static void options_are_kept(void)
{
	struct timeval t = { 5, 0 };
	socklen_t size = sizeof(t);
	int value = 10000;

	make(SOCK_STREAM);
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), 0);
	CHECK_EQ(option(ends[0], SO_SNDBUF), 20000);
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)), 0);
	CHECK_EQ(option(ends[0], SO_RCVBUF), 20000);
	CHECK_EQ(option(ends[1], SO_SNDBUF), 212992);
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	t.tv_sec = 7;
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)), 0);
	CHECK_EQ(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, &size), 0);
	CHECK(size == sizeof(t) && t.tv_sec == 5 && t.tv_usec == 0);
	CHECK_EQ(getsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &t, &size), 0);
	CHECK_EQ(t.tv_sec, 7);
	t.tv_usec = 1000000;
	FAILS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
	FAILS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, 4), EINVAL);
	FAILS(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &value, 3), EINVAL);
	FAILS(setsockopt(ends[0], SOL_SOCKET, 9999, &value, sizeof(value)), ENOPROTOOPT);
	FAILS(setsockopt(ends[0], 6, 1, &value, sizeof(value)), EOPNOTSUPP);
	FAILS(getsockopt(ends[0], SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
	FAILS(getsockopt(ends[0], 6, 1, &value, &size), EOPNOTSUPP);
	size = 2;
	CHECK_EQ(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &size), 0);
	CHECK_EQ(size, 2);
	end();
}

static void what_is_no_address_is_refused(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(nowhere != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, -1), EINVAL);
		FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, 129), EINVAL);
		FAILS(sendto(ends[0], "x", 1, 0, (void *)nowhere, sizeof(name)), EFAULT);
		CHECK_EQ(sendto(ends[0], "x", 1, 0, (void *)nowhere, 0), 1);
		CHECK_EQ(sendto(ends[0], "x", 1, 0, NULL, -1), 1);
		end();
	}
	munmap(nowhere, 4096);
}

static void there_are_no_names(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0nobody" };
	socklen_t size = sizeof(name);
	char c;

	make(SOCK_STREAM);
	FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, size), EISCONN);
	FAILS(listen(ends[0], 1), EINVAL);
	FAILS(accept(ends[0], NULL, NULL), EINVAL);
	FAILS(accept4(ends[0], NULL, NULL, SOCK_CLOEXEC), EINVAL);
	FAILS(recv(ends[0], &c, 1, MSG_OOB), access("/proc/exo", F_OK) ? EINVAL : EOPNOTSUPP);
	CHECK_EQ(write(ends[0], "xy", 2), 2);
	CHECK_EQ(recvfrom(ends[1], &c, 1, 0, (void *)&name, &(socklen_t){ 9 }), 1);
	FAILS(recvfrom(ends[1], &c, 1, 0, (void *)&name, &(socklen_t){ -1 }), EINVAL);
	end();
	make(SOCK_DGRAM);
	FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, size), ECONNREFUSED);
	FAILS(connect(ends[0], (void *)&name, size), ECONNREFUSED);
	name.sun_family = AF_INET;
	FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, size), EINVAL);
	FAILS(listen(ends[0], 1), EOPNOTSUPP);
	FAILS(accept(ends[0], NULL, NULL), EOPNOTSUPP);
	FAILS(send(ends[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	end();
	make(SOCK_SEQPACKET);
	CHECK_EQ(sendto(ends[0], "x", 1, 0, (void *)&name, size), 1);
	CHECK_EQ(read(ends[1], &c, 1), 1);
	end();
	FAILS(send(77, "x", 1, 0), EBADF);
	CHECK_EQ(pipe(ends), 0);
	FAILS(send(ends[1], "x", 1, 0), ENOTSOCK);
	FAILS(recv(ends[0], &c, 1, 0), ENOTSOCK);
	FAILS(shutdown(ends[0], SHUT_RD), ENOTSOCK);
	FAILS(getsockname(ends[0], (void *)&name, &size), ENOTSOCK);
	end();
}

/* ---------------------------------------------------------------- ends */

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
	sigpipes++;
}

/* Also who has nothing to say is told. */
static void nothing_is_not_sent_to_nobody(void)
{
	signal(SIGPIPE, count_sigpipe);
	for (int i = 0; i < 3; i++) {
		sigpipes = 0;
		make(SOCK_STREAM);
		if (i == 0)
			close(ends[1]);
		else
			CHECK_EQ(shutdown(ends[i - 1], i == 1 ? SHUT_WR : SHUT_RD), 0);
		FAILS(write(ends[0], "", 0), EPIPE);
		FAILS(send(ends[0], "", 0, MSG_NOSIGNAL), EPIPE);
		CHECK_EQ(writev(ends[0], NULL, 0), 0);
		CHECK_EQ(sigpipes, 1);
		close(ends[0]);
		if (i)
			close(ends[1]);
	}
	signal(SIGPIPE, SIG_DFL);
}

static void a_stream_ends(void)
{
	char c;

	signal(SIGPIPE, count_sigpipe);
	make(SOCK_STREAM);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(ready(ends[0]), POLLIN | POLLOUT);
	close(ends[1]);
	CHECK_EQ(ready(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 0);
	sigpipes = 0;
	FAILS(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(sigpipes, 0);
	FAILS(write(ends[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
	signal(SIGPIPE, SIG_DFL);
	end();
}

static void what_is_lost_is_told(void)
{
	char c;

	signal(SIGPIPE, count_sigpipe);
	for (int i = 0; i < 3; i += 2) {
		make(kinds[i]);
		CHECK_EQ(write(ends[0], "lost", 4), 4);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		close(ends[1]);
		CHECK_EQ(ready(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
		if (kinds[i] == SOCK_STREAM)
			CHECK_EQ(read(ends[0], &c, 1), 1);
		FAILS(read(ends[0], &c, 1), ECONNRESET);
		if (kinds[i] == SOCK_SEQPACKET)
			CHECK_EQ(read(ends[0], &c, 1), 1);
		CHECK_EQ(read(ends[0], &c, 1), 0);
		end();
		make(kinds[i]);
		CHECK_EQ(write(ends[0], "lost", 4), 4);
		close(ends[1]);
		CHECK_EQ(option(ends[0], SO_ERROR), ECONNRESET);
		CHECK_EQ(option(ends[0], SO_ERROR), 0);
		CHECK_EQ(read(ends[0], &c, 1), 0);
		end();
	}
	signal(SIGPIPE, SIG_DFL);
}

static void datagrams_have_no_end(void)
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	char c;

	signal(SIGPIPE, count_sigpipe);
	sigpipes = 0;
	make(SOCK_DGRAM);
	close(ends[1]);
	CHECK_EQ(ready(ends[0]), POLLOUT);
	FAILS(recv(ends[0], &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(getpeername(ends[0], (void *)&name, &size), 0);
	FAILS(write(ends[0], "x", 1), ECONNREFUSED);
	FAILS(write(ends[0], "x", 1), ENOTCONN);
	FAILS(getpeername(ends[0], (void *)&name, &size), ENOTCONN);
	end();
	make(SOCK_SEQPACKET);
	close(ends[1]);
	CHECK_EQ(ready(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	FAILS(write(ends[0], "x", 1), EPIPE);
	CHECK_EQ(recv(ends[0], &c, 1, MSG_DONTWAIT), 0);
	end();
	CHECK_EQ(sigpipes, 0);
	signal(SIGPIPE, SIG_DFL);
}

static void one_way_is_closed(void)
{
	char c;

	for (int i = 0; i < 3; i += 2) {
		make(kinds[i]);
		CHECK_EQ(write(ends[0], "x", 1), 1);
		CHECK_EQ(shutdown(ends[0], SHUT_WR), 0);
		CHECK_EQ(ready(ends[1]), POLLIN | POLLOUT | POLLRDHUP);
		CHECK_EQ(ready(ends[0]), POLLOUT);
		CHECK_EQ(read(ends[1], &c, 1), 1);
		CHECK_EQ(read(ends[1], &c, 1), 0);
		FAILS(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_EQ(write(ends[1], "y", 1), 1);
		CHECK_EQ(shutdown(ends[0], SHUT_RD), 0);
		CHECK_EQ(read(ends[0], &c, 1), 1); /* what is there already */
		CHECK_EQ(read(ends[0], &c, 1), 0);
		FAILS(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_EQ(ready(ends[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
		FAILS(shutdown(ends[0], 3), EINVAL);
		end();
	}
	make(SOCK_DGRAM);
	CHECK_EQ(shutdown(ends[0], SHUT_RDWR), 0);
	CHECK_EQ(ready(ends[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(ready(ends[1]), POLLOUT);
	FAILS(send(ends[0], "x", 1, 0), EPIPE);
	FAILS(send(ends[1], "x", 1, 0), EPIPE);
	CHECK_EQ(read(ends[0], &c, 1), 0);
	FAILS(recv(ends[0], &c, 1, MSG_DONTWAIT), EAGAIN);
	end();
}

/* ---------------------------------------------------------------- full, empty */

static void full_says_so(void)
{
	static char data[300000];
	int value = 8192;
	long n, sent;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		FAILS(recv(ends[0], data, 1, 0), EAGAIN);
		for (sent = 0; (n = send(ends[0], data, 4000, 0)) > 0; sent += n)
			CHECK(sent < 1 << 20);
		CHECK(n == -1 && errno == EAGAIN && sent >= 4000);
		CHECK_EQ(ready(ends[0]), 0);
		for (; sent > 0; sent -= n) {
			n = recv(ends[1], data, 4000, MSG_DONTWAIT);
			CHECK(n > 0);
		}
		CHECK_EQ(ready(ends[0]), POLLOUT);
		if (kinds[i] == SOCK_STREAM)
			CHECK(write(ends[0], data, sizeof(data)) < (long)sizeof(data));
		else
			FAILS(write(ends[0], data, sizeof(data)), EMSGSIZE);
		CHECK_EQ(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), 0);
		if (kinds[i] != SOCK_STREAM)
			FAILS(write(ends[1], data, 20000), EMSGSIZE);
		end();
	}
}

/* Who is told that he can send can send the largest datagram. */
static void ready_means_any_datagram(void)
{
	static char data[212960], got[212960];

	for (int i = 1; i < 3; i++) {
		make(kinds[i]);
		CHECK_EQ(send(ends[0], data, 30000, 0), 30000);
		CHECK_EQ(ready(ends[0]), POLLOUT);
		data[sizeof(data) - 1] = 'e';
		CHECK_EQ(send(ends[0], data, sizeof(data), MSG_DONTWAIT), sizeof(data));
		CHECK_EQ(recv(ends[1], got, sizeof(got), 0), 30000);
		CHECK_EQ(recv(ends[1], got, sizeof(got), 0), sizeof(got));
		CHECK_EQ(got[sizeof(got) - 1], 'e');
		FAILS(send(ends[0], data, sizeof(data) + 1, 0), EMSGSIZE);
		end();
	}
}

static void time_limits_end_waits(void)
{
	struct timeval t = { 0, 30000 };
	struct timespec from, to;
	static char data[400000];

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
		setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
		clock_gettime(CLOCK_MONOTONIC, &from);
		FAILS(read(ends[0], data, 1), EAGAIN);
		clock_gettime(CLOCK_MONOTONIC, &to);
		CHECK((to.tv_sec - from.tv_sec) * 1000000000l + to.tv_nsec - from.tv_nsec >=
		      30000000);
		if (kinds[i] == SOCK_STREAM)
			CHECK(write(ends[0], data, sizeof(data)) < (long)sizeof(data));
		while (write(ends[0], data, 1000) > 0)
			;
		CHECK_EQ(errno, EAGAIN);
		end();
	}
}

/* The buffers' pages are not there yet; or not at all. */
static void memory_is_touched(void)
{
	enum { SIZE = 80 * 1024 };
	char *from = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to, c;

	for (int i = 0; i < 3; i++) {
		to = mmap(NULL, SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
		CHECK(from != MAP_FAILED && to != MAP_FAILED);
		make(kinds[i]);
		CHECK_EQ(send(ends[0], from, SIZE, 0), SIZE);
		CHECK_EQ(recv(ends[1], to, SIZE, MSG_PEEK), SIZE);
		CHECK_EQ(munmap(to, SIZE + 4096), 0);
		to = mmap(NULL, SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
		CHECK_EQ(recv(ends[1], to, SIZE, 0), SIZE);
		CHECK_EQ(to[SIZE - 1], 0);
		CHECK_EQ(munmap(to + SIZE, 4096), 0);
		FAILS(write(ends[0], to + SIZE, 1), EFAULT);
		FAILS(recv(ends[1], &c, 1, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(write(ends[0], "ab", 2), 2);
		FAILS(recv(ends[1], to + SIZE, 2, 0), EFAULT);
		FAILS(syscall(SYS_recvmsg, ends[1], to + SIZE, 0), EFAULT);
		FAILS(syscall(SYS_sendmsg, ends[1], to + SIZE, 0), EFAULT);
		munmap(to, SIZE);
		end();
	}
	munmap(from, SIZE);
}

/* ---------------------------------------------------------------- descriptors in messages */

struct packet {
	char control[CMSG_SPACE(300 * sizeof(int))];
	char data[16];
	struct iovec vector;
	struct msghdr m;
};

static struct packet *packet(size_t size, size_t control_size)
{
	static struct packet p;

	p = (struct packet){ .data = "data" };
	p.vector = (struct iovec){ p.data, size };
	p.m = (struct msghdr){ .msg_iov = &p.vector,
			       .msg_iovlen = 1,
			       .msg_control = p.control,
			       .msg_controllen = control_size };
	return &p;
}

static long send_descriptors(int to, const int *fds, int count)
{
	struct packet *p = packet(1, CMSG_SPACE((size_t)count * sizeof(int)));
	struct cmsghdr *c = CMSG_FIRSTHDR(&p->m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	/* musl's own does not send more than 1024 bytes of control messages. */
	return syscall(SYS_sendmsg, to, &p->m, MSG_DONTWAIT);
}

/* How many came; they are in fds. */
static int receive_descriptors(int from, int *fds, int room, int flags, int *came)
{
	struct packet *p = packet(sizeof(p->data), CMSG_SPACE((size_t)room * sizeof(int)));
	struct cmsghdr *c;

	if (!room)
		p->m.msg_controllen = 0;
	CHECK(recvmsg(from, &p->m, flags | MSG_DONTWAIT) >= 0);
	if (came)
		*came = p->m.msg_flags;
	c = CMSG_FIRSTHDR(&p->m);
	if (!c)
		return 0;
	CHECK(c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS);
	room = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(c), (size_t)room * sizeof(int));
	return room;
}

static void descriptors_are_passed(void)
{
	int tube[2], got[2], came;
	char c;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		CHECK_EQ(pipe(tube), 0);
		CHECK_EQ(send_descriptors(ends[0], tube, 2), 1);
		close(tube[0]);
		CHECK_EQ(receive_descriptors(ends[1], got, 2, MSG_CMSG_CLOEXEC, &came), 2);
		CHECK_EQ(came, MSG_CMSG_CLOEXEC);
		CHECK_EQ(got[0], tube[0]); /* the lowest one that is free */
		CHECK_EQ(fcntl(got[1], F_GETFD), FD_CLOEXEC);
		CHECK_EQ(write(got[1], "z", 1), 1);
		CHECK(read(got[0], &c, 1) == 1 && c == 'z');
		close(tube[1]);
		close(got[1]);
		CHECK_EQ(read(got[0], &c, 1), 0); /* none is left behind */
		close(got[0]);
		end();
	}
}

/* The pipe's writing end, sent at ends[0] and closed here: where it is, the pipe has no end. */
static int pass_writer(void)
{
	int tube[2];

	CHECK_EQ(pipe2(tube, O_NONBLOCK), 0);
	CHECK_EQ(send_descriptors(ends[0], &tube[1], 1), 1);
	close(tube[1]);
	return tube[0];
}

static bool is_at_end(int reader)
{
	char c;

	return read(reader, &c, 1) == 0;
}

static void what_is_not_received_is_closed(void)
{
	int reader, got[4], came;
	char data[4];

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		reader = pass_writer();
		CHECK(!is_at_end(reader));
		close(ends[1]); /* with the message in it */
		CHECK(is_at_end(reader));
		close(ends[0]);
		close(reader);
		make(kinds[i]);
		reader = pass_writer();
		CHECK_EQ(read(ends[1], data, 4), 1); /* without asking for it */
		CHECK(is_at_end(reader));
		close(reader);
		reader = pass_writer();
		CHECK_EQ(receive_descriptors(ends[1], got, 0, 0, &came), 0);
		CHECK_EQ(came, MSG_CTRUNC);
		CHECK(is_at_end(reader));
		close(reader);
		reader = pass_writer();
		CHECK_EQ(receive_descriptors(ends[1], got, 1, MSG_PEEK, NULL), 1);
		close(got[0]);
		CHECK(!is_at_end(reader));
		CHECK_EQ(receive_descriptors(ends[1], got, 1, 0, NULL), 1);
		CHECK(!is_at_end(reader));
		close(got[0]);
		CHECK(is_at_end(reader));
		close(reader);
		end();
	}
}

static void descriptors_end_a_read_of_a_stream(void)
{
	int got[1], fd = 0;
	char data[8];

	make(SOCK_STREAM);
	CHECK_EQ(write(ends[0], "ab", 2), 2);
	CHECK_EQ(send_descriptors(ends[0], &fd, 1), 1); /* with a byte */
	CHECK_EQ(write(ends[0], "cd", 2), 2);
	CHECK_EQ(recv(ends[1], data, 8, MSG_PEEK), 3);
	CHECK_EQ(read(ends[1], data, 1), 1);
	CHECK_EQ(receive_descriptors(ends[1], got, 1, 0, NULL), 1);
	close(got[0]);
	CHECK_EQ(read(ends[1], data, 8), 2);
	CHECK(memcmp(data, "cd", 2) == 0);
	end();
}

static void too_many_descriptors_are_not_passed(void)
{
	int many[254], got[4], came;
	struct rlimit limit, less;

	for (int i = 0; i < 254; i++)
		many[i] = 0;
	make(SOCK_DGRAM);
	FAILS(send_descriptors(ends[0], many, 254), EINVAL);
	many[1] = 77;
	FAILS(send_descriptors(ends[0], many, 2), EBADF);
	FAILS(recv(ends[1], got, 1, MSG_DONTWAIT), EAGAIN);
	/* Who receives has room for one more. */
	many[1] = 0;
	CHECK_EQ(send_descriptors(ends[0], many, 3), 1);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = (struct rlimit){ (rlim_t)ends[1] + 2, limit.rlim_max };
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &less), 0);
	CHECK_EQ(receive_descriptors(ends[1], got, 3, 0, &came), 1);
	CHECK_EQ(came, MSG_CTRUNC);
	CHECK_EQ(got[0], ends[1] + 1);
	close(got[0]);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(send_descriptors(ends[0], many, 253), 1);
	end();
}

/* On their way there are no more than a process may have: in a child, for an identity that Linux binds. */
static int too_many_on_their_way(void)
{
	struct rlimit limit = { 64, 64 };
	int many[20] = { 0 }, sent = 0;
	char c;

	if (setgid(1000) || setuid(1000) || setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	while (send_descriptors(ends[0], many, 20) == 1)
		sent++;
	if (errno != ETOOMANYREFS || sent < 3 || sent > 4)
		return 2;
	if (recv(ends[1], &c, 1, 0) != 1)
		return 3;
	return send_descriptors(ends[0], many, 20) == 1 ? 0 : 4;
}

static void descriptors_on_their_way_are_counted(void)
{
	make(SOCK_DGRAM);
	CHECK_EQ(in_child(too_many_on_their_way), 0);
	end();
}

static void bad_control_messages_are_refused(void)
{
	struct packet *p = packet(1, CMSG_SPACE(sizeof(int)));
	struct cmsghdr *c = CMSG_FIRSTHDR(&p->m);

	make(SOCK_STREAM);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = 8;
	FAILS(sendmsg(ends[0], &p->m, 0), EINVAL);
	c->cmsg_len = CMSG_SPACE(sizeof(int)) + 1;
	FAILS(sendmsg(ends[0], &p->m, 0), EINVAL);
	c->cmsg_len = CMSG_LEN(sizeof(int));
	c->cmsg_type = 77;
	FAILS(sendmsg(ends[0], &p->m, 0), EINVAL);
	c->cmsg_level = 77;
	CHECK_EQ(sendmsg(ends[0], &p->m, 0), 1); /* for somebody else */
	p->m.msg_control = (void *)8;
	FAILS(syscall(SYS_sendmsg, ends[0], &p->m, 0), EFAULT);
	p->m.msg_controllen = 0;
	p->m.msg_iovlen = 1025;
	FAILS(sendmsg(ends[0], &p->m, 0), EMSGSIZE);
	end();
}

/* A socket in a message could hold itself: here it is refused, Linux looks for such circles later. */
/* ---------------------------------------------------------------- waiting */

static int fd_of_thread;
static long result_of_thread;
static volatile int tid_of_thread;

static void *read_in_thread(void *unused)
{
	char c;

	tid_of_thread = gettid();
	result_of_thread = read(fd_of_thread, &c, 1);
	return NULL;
}

static void *write_in_thread(void *unused)
{
	static char data[600000];

	tid_of_thread = gettid();
	result_of_thread = write(fd_of_thread, data, sizeof(data));
	if (result_of_thread < 0)
		result_of_thread = -errno;
	return NULL;
}

static pthread_t start_asleep(void *(*run)(void *), int fd)
{
	pthread_t thread;

	fd_of_thread = fd;
	tid_of_thread = 0;
	CHECK_EQ(pthread_create(&thread, NULL, run, NULL), 0);
	while (!tid_of_thread)
		sched_yield();
	wait_asleep(getpid(), tid_of_thread);
	return thread;
}

static void who_waits_is_woken(void)
{
	static char data[65536];
	pthread_t thread;
	long n, total = 0;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		thread = start_asleep(read_in_thread, ends[1]);
		CHECK_EQ(write(ends[0], "x", 1), 1);
		pthread_join(thread, NULL);
		CHECK_EQ(result_of_thread, 1);
		thread = start_asleep(read_in_thread, ends[1]);
		CHECK_EQ(shutdown(ends[1], SHUT_RD), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(result_of_thread, 0);
		end();
	}
	make(SOCK_STREAM);
	thread = start_asleep(write_in_thread, ends[0]);
	while (total < 600000 && (n = read(ends[1], data, sizeof(data))) > 0)
		total += n;
	pthread_join(thread, NULL);
	CHECK_EQ(result_of_thread, 600000);
	signal(SIGPIPE, SIG_IGN);
	thread = start_asleep(write_in_thread, ends[0]);
	close(ends[1]);
	pthread_join(thread, NULL);
	CHECK(result_of_thread > 0 && result_of_thread < 600000); /* what had gone before */
	signal(SIGPIPE, SIG_DFL);
	end();
}

static void *look_in_thread(void *unused)
{
	char c;

	tid_of_thread = gettid();
	return (void *)recv(fd_of_thread, &c, 1, MSG_PEEK);
}

/* One write, and two who wait for a byte of it each; or one who only looks, and one who takes it. */
static void what_is_left_wakes_the_next(void)
{
	pthread_t first, second;
	void *looked;

	make(SOCK_STREAM);
	first = start_asleep(read_in_thread, ends[1]);
	second = start_asleep(read_in_thread, ends[1]);
	CHECK_EQ(write(ends[0], "xy", 2), 2);
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	first = start_asleep(look_in_thread, ends[1]);
	second = start_asleep(read_in_thread, ends[1]);
	CHECK_EQ(write(ends[0], "z", 1), 1);
	pthread_join(first, &looked);
	pthread_join(second, NULL);
	CHECK_EQ((long)looked, 1);
	CHECK_EQ(result_of_thread, 1);
	end();
}

/* Whoever is in the call has the socket still. */
static void a_descriptor_is_closed_meanwhile(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		thread = start_asleep(read_in_thread, ends[1]);
		close(ends[1]);
		CHECK_EQ(write(ends[0], "x", 1), 1);
		pthread_join(thread, NULL);
		CHECK_EQ(result_of_thread, 1);
		FAILS(send(ends[0], "x", 1, MSG_NOSIGNAL),
		      kinds[i] == SOCK_DGRAM ? ECONNREFUSED : EPIPE);
		close(ends[0]);
	}
}

static void killed_receiver_ends_the_sender(void)
{
	static char data[4000];
	int status;
	pid_t child;

	for (int i = 0; i < 3; i += 2) {
		make(kinds[i]);
		child = fork();
		if (child == 0) {
			close(ends[0]);
			for (;;)
				read(ends[1], data, sizeof(data));
		}
		close(ends[1]);
		for (int k = 0; k < 100; k++)
			CHECK_EQ(write(ends[0], data, sizeof(data)), sizeof(data));
		kill(child, SIGKILL);
		while (send(ends[0], data, sizeof(data), MSG_NOSIGNAL) > 0)
			;
		CHECK(errno == EPIPE || errno == ECONNRESET);
		CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
		close(ends[0]);
	}
}

struct progress {
	_Atomic int begun, handled;
};
static struct progress *shared; /* with a child */

static void interrupt(int number)
{
	shared->handled++;
}

/* In a child: a call that waits until a signal comes; how it ended, by the flags of the handler. */
static int interrupted(int flags, bool with_limit, bool send_much)
{
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = flags };
	struct timeval t = { 100, 0 };
	static char data[400000];
	long n;

	sigaction(SIGUSR1, &action, NULL);
	if (with_limit) {
		setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
		setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	}
	shared->begun = 1;
	if (send_much) {
		n = write(ends[0], data, sizeof(data));
		return n > 0 && n < (long)sizeof(data) ? 1 : 2;
	}
	n = read(ends[0], data, 1);
	return n == 1 ? 3 : n == -1 && errno == EINTR ? 4 : 5;
}

/* Signals come until the call has ended, as the first may come before it waits; or one, and then a byte. */
static int after_signal(int flags, bool with_limit, bool send_much)
{
	bool goes_on = flags & SA_RESTART && !with_limit;
	int status;
	pid_t child;

	make(SOCK_STREAM);
	shared->begun = shared->handled = 0;
	child = fork();
	if (child == 0)
		_exit(interrupted(flags, with_limit, send_much));
	while (!shared->begun)
		sched_yield();
	wait_asleep(child, child);
	if (goes_on) {
		CHECK_EQ(kill(child, SIGUSR1), 0);
		while (!shared->handled)
			sched_yield();
		wait_asleep(child, child);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_EQ(waitpid(child, &status, 0), child);
	} else {
		while (waitpid(child, &status, WNOHANG) == 0) {
			CHECK_EQ(kill(child, SIGUSR1), 0);
			sched_yield();
		}
	}
	end();
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void signals_end_waits(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK_EQ(after_signal(0, false, false), 4);
	CHECK_EQ(after_signal(SA_RESTART, false, false), 3);
	CHECK_EQ(after_signal(SA_RESTART, true, false), 4);
	CHECK_EQ(after_signal(0, false, true), 1);
}

static void epoll_tells_of_each_change_once(void)
{
	static char data[300000];
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int ep = epoll_create1(0);

	make(SOCK_STREAM);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event), 0);
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQ(event.events, EPOLLOUT);
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQ(event.events, EPOLLIN | EPOLLOUT);
	while (write(ends[0], data, sizeof(data)) > 0)
		;
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 0);
	while (read(ends[1], data, sizeof(data)) > 0)
		;
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQ(event.events, EPOLLIN | EPOLLOUT);
	shutdown(ends[1], SHUT_WR);
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQ(event.events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	close(ends[1]);
	CHECK_EQ(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQ(event.events, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	close(ends[0]);
	close(ep);
}

static void *write_late(void *unused)
{
	wait_asleep(getpid(), getpid());
	write(ends[1], "x", 1);
	return NULL;
}

static void poll_and_select_are_woken(void)
{
	struct pollfd item = { .events = POLLIN };
	pthread_t thread;
	fd_set in;
	char c;

	make(SOCK_SEQPACKET);
	item.fd = ends[0];
	CHECK_EQ(pthread_create(&thread, NULL, write_late, NULL), 0);
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(item.revents, POLLIN);
	pthread_join(thread, NULL);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(pthread_create(&thread, NULL, write_late, NULL), 0);
	FD_ZERO(&in);
	FD_SET(ends[0], &in);
	CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, NULL), 1);
	CHECK(FD_ISSET(ends[0], &in));
	pthread_join(thread, NULL);
	end();
}

/* ---------------------------------------------------------------- many at a time */

enum { SENDERS = 4, RECEIVERS = 3, MESSAGES = 1500 };

static _Atomic long received, wrong;

static unsigned size_of(unsigned number)
{
	return 1 + number * 2654435761u % 3000;
}

static void *send_messages(void *seed)
{
	unsigned char data[3001];

	for (unsigned i = 0; i < MESSAGES; i++) {
		unsigned n = size_of(i + (unsigned)(uintptr_t)seed * MESSAGES);

		memset(data, (int)n, n);
		if (send(ends[0], data, n, 0) != (long)n)
			wrong++;
	}
	return NULL;
}

/* A datagram is of its size's byte alone; of a stream there is nothing to tell but how much. */
static void *receive_messages(void *is_stream)
{
	unsigned char data[3001];
	long n;

	while ((n = recv(ends[1], data, sizeof(data), 0)) > 0) {
		for (long i = 0; !is_stream && i < n; i++)
			wrong += data[i] != (unsigned char)n;
		received += is_stream ? n : 1;
	}
	return NULL;
}

static void many_send_and_receive(void)
{
	pthread_t senders[SENDERS], receivers[RECEIVERS];
	long bytes = 0;

	for (unsigned i = 0; i < SENDERS * MESSAGES; i++)
		bytes += size_of(i);
	for (int i = 0; i < 3; i++) {
		bool stream = kinds[i] == SOCK_STREAM;

		make(kinds[i]);
		received = wrong = 0;
		for (uintptr_t k = 0; k < RECEIVERS; k++)
			CHECK_EQ(pthread_create(&receivers[k], NULL, receive_messages,
						(void *)stream),
				 0);
		for (uintptr_t k = 0; k < SENDERS; k++)
			CHECK_EQ(pthread_create(&senders[k], NULL, send_messages, (void *)k), 0);
		for (int k = 0; k < SENDERS; k++)
			pthread_join(senders[k], NULL);
		if (kinds[i] == SOCK_DGRAM) {
			while (waiting(ends[1]))
				sched_yield();
			shutdown(ends[1], SHUT_RD);
		}
		shutdown(ends[0], SHUT_WR);
		for (int k = 0; k < RECEIVERS; k++)
			pthread_join(receivers[k], NULL);
		CHECK_EQ(wrong, 0);
		CHECK_EQ(received, stream ? bytes : SENDERS * MESSAGES);
		end();
	}
}

/* To and fro, each waiting for the other: in two processes that share the pair by fork. */
static void processes_answer_each_other(void)
{
	enum { TURNS = 2000 };
	int status, n;

	for (int i = 0; i < 3; i++) {
		make(kinds[i]);
		if (fork() == 0) {
			for (int k = 0; k < TURNS; k++)
				if (read(ends[1], &n, sizeof(n)) != sizeof(n) || n != k ||
				    write(ends[1], &k, sizeof(k)) != sizeof(k))
					_exit(1);
			_exit(0);
		}
		for (int k = 0; k < TURNS; k++) {
			CHECK_EQ(write(ends[0], &k, sizeof(k)), sizeof(k));
			CHECK_EQ(read(ends[0], &n, sizeof(n)), sizeof(n));
			CHECK_EQ(n, k);
		}
		CHECK(wait(&status) > 0 && status == 0);
		end();
	}
}

static _Atomic bool stop;

static void *shut_and_send(void *unused)
{
	char c = 0;

	while (!stop) {
		send(ends[0], &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		recv(ends[0], &c, 1, MSG_DONTWAIT);
	}
	return NULL;
}

/* Ends that close while others are in calls on them; nothing is left behind, which leak.c looks after. */
static void ends_close_in_the_middle(void)
{
	pthread_t thread;

	for (int round = 0; round < 60; round++) {
		make(kinds[round % 3]);
		stop = false;
		CHECK_EQ(pthread_create(&thread, NULL, shut_and_send, NULL), 0);
		for (int i = 0; i < 20; i++) {
			send(ends[1], "y", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
			recv(ends[1], &(char){ 0 }, 1, MSG_DONTWAIT);
		}
		close(ends[round % 2]);
		close(ends[!(round % 2)]);
		stop = true;
		pthread_join(thread, NULL);
	}
}

int main(void)
{
	bool here = access("/proc/exo", F_OK) == 0;

	RUN(bytes_go_both_ways);
	RUN(datagrams_keep_their_bounds);
	RUN(what_is_cut_off_is_told);
	RUN(who_only_looks_takes_nothing);
	RUN(long_transfers_arrive_whole);
	RUN(all_that_is_wanted_is_waited_for);
	RUN(several_messages_in_one_call);
	RUN(half_a_message_is_the_last);
	RUN(the_time_that_is_left_is_told);
	RUN(many_buffers_take_as_long_each_as_few);
	RUN(files_are_sent);
	RUN(it_says_what_it_is);
	RUN(a_pair_is_not_made);
	RUN(options_are_kept);
	RUN(what_is_no_address_is_refused);
	RUN(there_are_no_names);
	RUN(nothing_is_not_sent_to_nobody);
	RUN(a_stream_ends);
	RUN(what_is_lost_is_told);
	RUN(datagrams_have_no_end);
	RUN(one_way_is_closed);
	RUN(full_says_so);
	RUN(ready_means_any_datagram);
	RUN(time_limits_end_waits);
	RUN(memory_is_touched);
	RUN(descriptors_are_passed);
	RUN(what_is_not_received_is_closed);
	RUN(descriptors_end_a_read_of_a_stream);
	RUN(too_many_descriptors_are_not_passed);
	RUN(descriptors_on_their_way_are_counted);
	RUN(bad_control_messages_are_refused);
	RUN(who_waits_is_woken);
	if (here) /* on Linux who only looks may come too late, and then sleeps on */
		RUN(what_is_left_wakes_the_next);
	RUN(a_descriptor_is_closed_meanwhile);
	RUN(killed_receiver_ends_the_sender);
	RUN(signals_end_waits);
	RUN(epoll_tells_of_each_change_once);
	RUN(poll_and_select_are_woken);
	RUN(many_send_and_receive);
	RUN(processes_answer_each_other);
	RUN(ends_close_in_the_middle);
	return test_result();
}
