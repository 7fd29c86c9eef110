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

/* One thread of server_run(). */
struct thread {
	pthread_t id;
	int fd, cpu;
	server_handler handler;
	void *argument;
};

/* Returns only on failure: -errno. */
static void *serve(void *argument)
{
	const struct thread *t = argument;
	struct server_message m = { 0 };
	cpu_set_t cpus;
	int r;

	CPU_ZERO(&cpus);
	CPU_SET(t->cpu, &cpus);
	r = sched_setaffinity(0, sizeof(cpus), &cpus) < 0 ? -errno : 0;
	while (r == 0) {
		r = control(t->fd, SERVER_REPLY_RECEIVE, &m);
		if (r == 0)
			t->handler(m.words, m.caller, t->argument);
	}
	return (void *)(intptr_t)r;
}

int server_run(const char *name, server_handler handler, void *argument)
{
	struct thread *threads = calloc(CPU_SETSIZE, sizeof(*threads)), *last = NULL;
	int fd = server_open(name), r = 0;
	cpu_set_t cpus;
	void *result;

	if (!threads || fd < 0 || sched_getaffinity(0, sizeof(cpus), &cpus) < 0) {
		r = -errno;
		free(threads);
		if (fd >= 0)
			close(fd);
		return r;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE && r == 0; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		last = &threads[cpu];
		*last = (struct thread){ .fd = fd, .cpu = cpu, .handler = handler, .argument = argument };
		r = pthread_create(&last->id, NULL, serve, last);
	}
	if (r || !last)
		return -r;
	pthread_join(last->id, &result); /* the others need what they have been given */
	return (int)(intptr_t)result;
}
