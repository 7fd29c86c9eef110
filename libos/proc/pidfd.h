/* SPDX-License-Identifier: MIT */
/* Descriptors of processes: pidfd_open(2). */
#ifndef LIBOS_PIDFD_H
#define LIBOS_PIDFD_H

struct file;
struct process;

/* The one that it is a descriptor of, which it holds; or NULL. */
struct process *process_of_file(const struct file *f);

#endif
