/* SPDX-License-Identifier: MIT */
/* A line of /proc/meminfo. */
#ifndef TESTS_GUEST_MEMORY_KB_H
#define TESTS_GUEST_MEMORY_KB_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "test.h"

static inline long memory_kb(const char *key)
{
	char text[2048], *line;
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	CHECK(n > 0);
	text[n] = 0;
	line = strstr(text, key);
	CHECK(line != NULL);
	return atol(line + strlen(key));
}

#endif
