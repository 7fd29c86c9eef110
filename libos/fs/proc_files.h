/* SPDX-License-Identifier: MIT */
/* The contents of a process's files in /proc (fs/proc_print.c). */
#ifndef LIBOS_PROC_FILES_H
#define LIBOS_PROC_FILES_H

#include <stdint.h>
#include "fs/procfs.h"

struct process;

/* p is counted by the caller; it may be a zombie.  No lock held. */
void proc_print_command_line(struct process *p, struct text *out);
void proc_print_name(struct process *p, struct text *out);
void proc_print_limits(struct process *p, struct text *out);
void proc_print_memory_adjust(struct process *p, struct text *out);
/* 0 or -errno, as write(2). */
int proc_write_memory_adjust(struct process *p, const char *data, size_t n);
/* Likewise; only for a process's own threads. */
int proc_write_name(struct process *p, const char *data, size_t n);
int proc_write_thread_name(struct process *p, uint32_t thread, const char *data, size_t n);
void proc_print_mount_info(struct process *p, struct text *out);
void proc_print_mounts(struct process *p, struct text *out);
void proc_print_stat(struct process *p, struct text *out);
void proc_print_statm(struct process *p, struct text *out);
void proc_print_status(struct process *p, struct text *out);
/* Of one thread; out->error is -ESRCH if it has ended.  The main thread is there as long as the process. */
void proc_print_thread_command_line(struct process *p, uint32_t thread, struct text *out);
void proc_print_thread_name(struct process *p, uint32_t thread, struct text *out);
void proc_print_thread_stat(struct process *p, uint32_t thread, struct text *out);
void proc_print_thread_status(struct process *p, uint32_t thread, struct text *out);

#endif
