/* SPDX-License-Identifier: MIT */
/* libos/server.h for applications.  errno stays as it was. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libos/server.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int server_open(const char *name)
{
	char path[sizeof(SERVER_DIRECTORY) + SERVER_NAME_MAX] = SERVER_DIRECTORY;

	strncat(path, name, SERVER_NAME_MAX);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* ioctl() that says what went wrong. */
static int control(int fd, enum server_ioctl command, struct server_message *m)
{
	int before = errno, r = ioctl(fd, (int)command, m) < 0 ? -errno : 0;

	errno = before;
	return r;
}

int server_call(int fd, uint64_t words[SERVER_WORDS], uint64_t timeout_ns)
{
	struct server_message m = { .timeout_ns = timeout_ns };
	int r;

	memcpy(m.words, words, sizeof(m.words));
	r = control(fd, SERVER_CALL, &m);
	if (r == 0)
		memcpy(words, m.words, sizeof(m.words));
	return r;
}

/* One thread of server_run(), which it never gives back. */
struct thread {
	int fd, cpu;
	server_handler handler;
	void *argument;
};

/* Goes to its CPU, which may be just going, and then comes again. */
static int stay_on(const struct thread *t)
{
	struct server_message m;
	cpu_set_t cpus;
	int r;

	CPU_ZERO(&cpus);
	CPU_SET(t->cpu, &cpus);
	do {
		m = (struct server_message){ .words = { ~(1ul << t->cpu) } };
		r = control(t->fd, SERVER_AWAIT_CPU, &m);
	} while (r == -EINTR || (r == 0 && sched_setaffinity(0, sizeof(cpus), &cpus) < 0));
	return r;
}

/* Returns only on failure: -errno. */
static void *serve(void *argument)
{
	const struct thread *t = argument;
	struct server_message m = { 0 };
	int r = stay_on(t);

	while (r == 0 || r == -EINTR) {
		r = control(t->fd, SERVER_REPLY_RECEIVE, &m);
		if (r == 0)
			t->handler(m.words, m.caller, t->argument);
	}
	return (void *)(intptr_t)r;
}

/* 0 or -errno. */
static int serve_on(int cpu, const struct thread *what)
{
	struct thread *t = malloc(sizeof(*t));
	pthread_t id;
	int r;

	if (!t)
		return -ENOMEM;
	*t = *what;
	t->cpu = cpu;
	r = -pthread_create(&id, NULL, serve, t);
	if (r)
		free(t);
	return r;
}

int server_run(const char *name, server_handler handler, void *argument)
{
	struct thread what = { .fd = server_open(name), .handler = handler, .argument = argument };
	struct server_message m = { 0 };
	int r = what.fd >= 0 ? 0 : -errno;

	while (r == 0) {
		uint64_t known = m.words[0], more;

		r = control(what.fd, SERVER_AWAIT_CPU, &m);
		if (r == -EINTR)
			r = 0;
		for (more = m.words[0] & ~known; more && r == 0; more &= more - 1)
			r = serve_on(__builtin_ctzl(more), &what);
	}
	/* Threads that run have the file, and go on. */
	if (what.fd >= 0 && m.words[0] == 0)
		close(what.fd);
	return r;
}
