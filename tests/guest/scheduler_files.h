/* SPDX-License-Identifier: MIT */
/* The scheduler's files in /proc/exo, for tests in the system, and a load to run meanwhile. */
#ifndef TESTS_GUEST_SCHEDULER_FILES_H
#define TESTS_GUEST_SCHEDULER_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_ROOM 32
#define TEXT_ROOM 16384

/* Writes to a file of /proc/exo: 0, or -1 with errno. */
static inline int tell(const char *file, const char *text)
{
	char path[64];
	int fd, error;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/exo/%s", file);
	fd = open(path, O_WRONLY);
	n = fd < 0 ? -1 : write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static inline char *read_proc(const char *file, char text[TEXT_ROOM])
{
	char path[64];
	size_t size = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/exo/%s", file);
	fd = open(path, O_RDONLY);
	while (fd >= 0 && (n = read(fd, text + size, TEXT_ROOM - 1 - size)) > 0)
		size += (size_t)n;
	close(fd);
	text[size] = 0;
	return text;
}

/* The first line that begins with `start`, copied. */
static inline int find_line(const char *file, const char *start, char *line, size_t room)
{
	static char text[TEXT_ROOM];
	char *rest = NULL;

	for (char *at = strtok_r(read_proc(file, text), "\n", &rest); at;
	     at = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(at, start, strlen(start)) != 0)
			continue;
		snprintf(line, room, "%s", at);
		return 1;
	}
	return 0;
}

static inline int has_line(const char *file, const char *start)
{
	char line[256];

	return find_line(file, start, line, sizeof(line));
}

static inline int first_line(const char *file, char name[NAME_ROOM])
{
	return find_line(file, "", name, NAME_ROOM);
}

static inline char *current_scheduler(char name[NAME_ROOM])
{
	char line[256] = "", *at;

	find_line("sched", "", line, sizeof(line));
	at = strchr(line, '[');
	snprintf(name, NAME_ROOM, "%s", at ? strtok(at + 1, "]") : "");
	return name;
}

/* Some threads that compute, give way and end: 0 if all did. */
static inline void *compute(void *argument)
{
	unsigned long sum = 0;

	for (unsigned long i = 0; i < 20000; i++) {
		sum += i;
		if (i % 1000 == 0)
			sched_yield();
	}
	return (void *)sum;
}

static inline int run_threads(void)
{
	pthread_t threads[6];
	int started = 0, wrong = 0;
	void *sum;

	for (; started < 6; started++)
		if (pthread_create(&threads[started], NULL, compute, NULL) != 0)
			break;
	for (int i = 0; i < started; i++)
		wrong += pthread_join(threads[i], &sum) != 0 || (unsigned long)sum != 199990000;
	return wrong + (6 - started);
}

#endif
