/* SPDX-License-Identifier: MIT */
/* A call that must fail, and with which error. */
#ifndef TESTS_GUEST_FAILS_H
#define TESTS_GUEST_FAILS_H

#include <errno.h>
#include "test.h"

#define FAILS(call, error)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		CHECK_EQ(call, -1);                                                                \
		CHECK_EQ(errno, error);                                                            \
	} while (0)

#endif
