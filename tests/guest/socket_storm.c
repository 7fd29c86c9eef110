/* SPDX-License-Identifier: MIT */
/*
 * Random calls on sockets with names: threads of several processes listen, connect, accept, send, shut and
 * close at a few names, on descriptors that the others of their process use at the same time, and are killed
 * at any moment.  Everything is there again afterwards.
 *
 *     socket_storm [SEED [ROUNDS]]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "held.h"
#include "socket_name.h"
#include "test.h"

#define DIRECTORY "/tmp/socket_storm"
#define WORKERS 4
#define THREADS 3
#define DESCRIPTORS 24 /* that are used, from FIRST on */
#define FIRST 8
#define NAMES 9
#define ROUND_MS 60
#define PORT 20100

static unsigned seed = 20261130, rounds = 20;

static _Atomic unsigned long *calls, *connections, *messages; /* of all workers */

static uint64_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d >> 16;
}

static unsigned any(uint64_t *state, unsigned n)
{
	return (unsigned)(random_word(state) % n);
}

/* Three of each kind. */
static struct name name_of(unsigned number)
{
	struct name n = { .size = sizeof(n.internet) };
	char *path = n.local.sun_path;

	if (number < 3) {
		n.internet.sin_family = AF_INET;
		n.internet.sin_port = htons((uint16_t)(PORT + number));
		n.internet.sin_addr.s_addr = htonl(number ? INADDR_LOOPBACK : INADDR_ANY);
		return n;
	}
	n.local.sun_family = AF_UNIX;
	n.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)(number < 6 ? snprintf(path, 64, DIRECTORY "/%u", number)
						 : snprintf(path + 1, 64, "storm %u", number)));
	return n;
}

static void set_times(uint64_t *state, int fd)
{
	struct timeval t = { 0, 500 + any(state, 3000) };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* ---------------------------------------------------------------- what is called */

static void make(uint64_t *state, int fd)
{
	static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_STREAM,
				     SOCK_DGRAM,  SOCK_DGRAM,  SOCK_SEQPACKET };
	int new = socket(any(state, 3) ? AF_UNIX : AF_INET,
			 types[any(state, 6)] | (any(state, 2) ? SOCK_NONBLOCK : 0), 0),
	    on = 1;

	if (new < 0)
		return;
	set_times(state, new);
	if (any(state, 4))
		setsockopt(new, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	dup2(new, fd);
	close(new);
}

static void name_it(uint64_t *state, int fd)
{
	struct name n = name_of(any(state, NAMES));

	if (n.any.sa_family == AF_UNIX && n.local.sun_path[0] && any(state, 2))
		unlink(n.local.sun_path);
	if (!any(state, 8))
		n.size = sizeof(n.any.sa_family);
	bind(fd, &n.any, n.size);
}

static void listen_at(uint64_t *state, int fd)
{
	if (any(state, 4))
		name_it(state, fd);
	listen(fd, (int)any(state, 4));
}

static void connect_it(uint64_t *state, int fd)
{
	struct name n = name_of(any(state, NAMES));

	if (!any(state, 16))
		n.any.sa_family = AF_UNSPEC;
	if (connect(fd, &n.any, n.size) == 0)
		++*connections;
}

static void accept_into(uint64_t *state, int fd)
{
	struct name n = { .size = sizeof(n) - offsetof(struct name, any) };
	int new = accept4(fd, &n.any, &n.size, any(state, 2) ? SOCK_NONBLOCK : 0);

	if (new < 0)
		return;
	set_times(state, new);
	dup2(new, FIRST + (int)any(state, DESCRIPTORS));
	close(new);
}

static void send_it(uint64_t *state, int fd)
{
	static const char bytes[20000];
	struct name n = name_of(any(state, NAMES));
	size_t size = any(state, 4) ? any(state, 64) : any(state, sizeof(bytes));
	int flags = any(state, 2) ? MSG_DONTWAIT : 0;

	if ((any(state, 2) ? send(fd, bytes, size, flags)
			   : sendto(fd, bytes, size, flags, &n.any, n.size)) >= 0)
		++*messages;
}

/* With a descriptor beside it, or room for one. */
static void pass(uint64_t *state, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct name n = name_of(any(state, NAMES));
	char byte = 0;
	struct iovec one = { &byte, 1 };
	struct msghdr m = { .msg_iov = &one,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	if (any(state, 2)) {
		m.msg_name = &n.any;
		m.msg_namelen = sizeof(n) - offsetof(struct name, any);
		if (recvmsg(fd, &m, any(state, 2) ? MSG_PEEK | MSG_DONTWAIT : MSG_DONTWAIT) > 0 &&
		    m.msg_controllen)
			close(*(int *)CMSG_DATA(&control.header));
		return;
	}
	*(int *)CMSG_DATA(&control.header) = (int)any(state, 3);
	m.msg_controllen = control.header.cmsg_len;
	if (any(state, 2)) {
		m.msg_name = &n.any;
		m.msg_namelen = n.size;
	}
	sendmsg(fd, &m, any(state, 2) ? MSG_DONTWAIT : 0);
}

static void receive_it(uint64_t *state, int fd)
{
	static const int flags[] = { 0, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL };
	struct name n = { .size = sizeof(n) - offsetof(struct name, any) };
	char bytes[4096];

	recvfrom(fd, bytes, any(state, sizeof(bytes)), flags[any(state, 5)], &n.any, &n.size);
}

static void ask(uint64_t *state, int fd)
{
	static const int options[] = { SO_ERROR, SO_TYPE, SO_ACCEPTCONN, SO_PEERCRED, SO_SNDBUF };
	struct name n = { .size = sizeof(n) - offsetof(struct name, any) };
	struct ucred value;
	socklen_t size = sizeof(value);
	int limit = (int)any(state, 300000);

	getsockname(fd, &n.any, &n.size);
	getpeername(fd, &n.any, &n.size);
	getsockopt(fd, SOL_SOCKET, options[any(state, 5)], &value, &size);
	ioctl(fd, FIONREAD, &limit);
	if (!any(state, 8))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof(limit));
}

static void watch(uint64_t *state, int fd)
{
	struct pollfd items[] = { { fd, POLLIN, 0 },
				  { FIRST + (int)any(state, DESCRIPTORS), POLLOUT, 0 } };
	struct epoll_event e = { EPOLLIN | EPOLLOUT | EPOLLRDHUP | (any(state, 2) ? EPOLLET : 0),
				 { 0 } };

	epoll_ctl(FIRST - 1, any(state, 4) ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &e);
	epoll_wait(FIRST - 1, &e, 1, (int)any(state, 2));
	poll(items, 2, (int)any(state, 2));
}

static void leave(uint64_t *state, int fd)
{
	pid_t child;

	switch (any(state, 8)) {
	case 0:
		child = fork();
		if (child == 0)
			_exit(0);
		while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		break;
	case 1:
	case 2:
	case 3:
		shutdown(fd, (int)any(state, 3));
		break;
	default:
		close(fd);
	}
}

static void *work(void *of_state)
{
	static void (*const acts[])(uint64_t *, int) = {
		make,       make,        listen_at,   name_it, connect_it, connect_it,
		connect_it, accept_into, accept_into, send_it, send_it,    pass,
		receive_it, receive_it,  ask,         watch,   leave,
	};
	uint64_t state = *(uint64_t *)of_state;

	for (;;) {
		acts[any(&state, sizeof(acts) / sizeof(*acts))](
			&state, FIRST + (int)any(&state, DESCRIPTORS));
		++*calls;
	}
	return NULL;
}

static void nothing(int number)
{
}

static _Noreturn void start_work(unsigned number)
{
	static uint64_t states[THREADS];
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	dup2(epoll_create1(0), FIRST - 1);
	for (unsigned i = 0; i < THREADS; i++) {
		states[i] = (number * THREADS + i + 1) * 0x9e3779b97f4a7c15ul;
		random_word(&states[i]);
		if (i && pthread_create(&thread, NULL, work, &states[i]))
			_exit(1);
	}
	work(&states[0]);
	_exit(1);
}

/* ---------------------------------------------------------------- and what is made of it */

static pid_t start(void)
{
	unsigned number = (unsigned)rand_r(&seed);
	pid_t child = fork();

	if (child == 0)
		start_work(number);
	CHECK(child > 0);
	return child;
}

static void end(pid_t child)
{
	int status;

	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

static void clean(void)
{
	for (unsigned i = 3; i < 6; i++)
		unlink(name_of(i).local.sun_path);
	rmdir(DIRECTORY);
}

static void storm(unsigned deaths)
{
	pid_t workers[WORKERS];

	clean();
	CHECK_EQ(mkdir(DIRECTORY, 0700), 0);
	for (int i = 0; i < WORKERS; i++)
		workers[i] = start();
	for (; deaths; deaths--) {
		unsigned one = (unsigned)rand_r(&seed) % WORKERS;

		usleep(1000 * (1 + (unsigned)rand_r(&seed) % ROUND_MS));
		end(workers[one]);
		workers[one] = start();
	}
	for (int i = 0; i < WORKERS; i++)
		end(workers[i]);
	clean();
}

static void sockets_are_used_at_random(void)
{
	struct held before;

	/* Once before, for the pages of the heap that blocks of their sizes have from then on. */
	storm(rounds);
	before = held_now();
	storm(rounds);
	printf("# %lu calls, %lu connections, %lu messages\n", *calls, *connections, *messages);
	CHECK(*connections && *messages);
	CHECK(held_returns_to(&before));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = (unsigned)atoi(argv[1]);
	if (argc > 2)
		rounds = (unsigned)atoi(argv[2]);
	printf("# seed %u\n", seed);
	calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	connections = calls + 1;
	messages = calls + 2;
	RUN(sockets_are_used_at_random);
	return test_result();
}
