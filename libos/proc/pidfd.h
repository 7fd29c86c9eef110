/* SPDX-License-Identifier: MIT */
/* Descriptors of processes: pidfd_open(2). */
#ifndef LIBOS_PIDFD_H
#define LIBOS_PIDFD_H

#include <stdbool.h>

struct process;

/* The one that it is a descriptor of, counted, or NULL.  *at_once: it is not waited for (O_NONBLOCK). */
struct process *process_of_descriptor(int fd, bool *at_once);

#endif
