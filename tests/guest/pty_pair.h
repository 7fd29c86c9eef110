/* SPDX-License-Identifier: MIT */
/* A pseudo-terminal for tests: both of its sides. */
#ifndef TESTS_GUEST_PTY_PAIR_H
#define TESTS_GUEST_PTY_PAIR_H

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include "test.h"

static int master, slave;
static char name[32];

static inline int make_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	CHECK(grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, sizeof(name)) == 0);
	return fd;
}

static inline void make_both(void)
{
	master = make_master();
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
}

static inline void close_both(void)
{
	CHECK(close(slave) == 0 && close(master) == 0);
}

static inline void make_raw(int fd)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	CHECK_EQ(tcsetattr(fd, TCSADRAIN, &t), 0);
}

#endif
