/* SPDX-License-Identifier: MIT */
/*
 * A file of /dev/domain that is watched before its domain is made: by its level, and by its edges.  What the
 * domain then says, and its end, are told.
 */
#include <fcntl.h>
#include <libos/domain.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static int watch(int fd, uint32_t how)
{
	struct epoll_event event = { .events = EPOLLIN | how };
	int ep = epoll_create1(0);

	must(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
	must(epoll_wait(ep, &event, 1, 0) == 1 && event.events == EPOLLERR, "no domain is an error");
	return ep;
}

static void *make(void *fd)
{
	static const char words[] = "sh\0-c\0echo hello; exit 3";
	struct domain_create create = {
		.cpus = 1, .memory = 10 << 20, .budget_ns = 20000000, .period_ns = 100000000,
		.words = (uint64_t)words, .words_size = sizeof(words),
	};

	must(ioctl(*(int *)fd, DOMAIN_CREATE, &create) == 0, "create");
	return NULL;
}

/* Until it says that it has ended. */
static void read_all(int fd, int ep)
{
	struct epoll_event event;
	char bytes[64];
	ssize_t n;

	do {
		/* Nothing but the domain wakes us, as there is no time-out. */
		do
			must(epoll_wait(ep, &event, 1, -1) == 1, "wait");
		while (!(event.events & EPOLLIN));
		must(read(fd, bytes, 0) == 0, "nothing is asked for");
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			fwrite(bytes, 1, (size_t)n, stdout);
	} while (n < 0);
}

int main(void)
{
	int fd = open("/dev/domain", O_RDWR | O_NONBLOCK), level, edge, first, second;
	struct epoll_event event;
	struct domain_status end;
	pthread_t maker;

	must(fd >= 0, "/dev/domain");
	level = watch(fd, 0);
	edge = watch(fd, EPOLLET);
	must(pthread_create(&maker, NULL, make, &fd) == 0 && pthread_join(maker, NULL) == 0, "thread");
	/* It is no error any more, and both are asked again when there is something. */
	first = epoll_wait(level, &event, 1, -1) == 1 && event.events & EPOLLIN;
	read_all(fd, edge);
	second = epoll_wait(level, &event, 1, -1) == 1 && event.events & EPOLLHUP;
	must(ioctl(fd, DOMAIN_WAIT, &end) == 0, "end");
	printf("%d %d %d\n", first, second, WEXITSTATUS(end.status));
	return 0;
}
