/* SPDX-License-Identifier: MIT */
/* Linux's error numbers, from its own user-space headers. */
#ifndef LIBOS_ERRNO_H
#define LIBOS_ERRNO_H

#include <asm/errno.h>

#endif
