/* SPDX-License-Identifier: MIT */
/* Random bytes, good for keys if the processor has RDRAND. */
#ifndef LIBOS_RANDOM_H
#define LIBOS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Any context. */
void random_bytes(void *to, size_t size);
/* Task context: to the program's memory, as read(2) and getrandom(2) return it. */
long random_to_user(uint64_t buffer, uint64_t size);

#endif
