/* SPDX-License-Identifier: MIT */
/* /proc/PID/oom_score_adj: how much rather, or less, a process is ended when memory runs out. */
#include "abi/errno.h"
#include "fs/proc_files.h"
#include "fs/proc_inode.h"
#include "proc/process.h"

void proc_print_memory_adjust(struct process *p, struct text *out)
{
	text_print(out, "%d\n", atomic_load_explicit(&p->memory_adjust, memory_order_relaxed));
}

/* As on Linux, only root makes a process safer than it is. */
int proc_write_memory_adjust(struct process *p, const char *data, size_t n)
{
	bool negative = n > 0 && data[0] == '-';
	long value;

	if (n > 0 && data[n - 1] == '\n')
		n--;
	value = n > negative ? proc_parse_number(data + negative, n - negative) : -1;
	if (value < 0 || value > MEMORY_ADJUST_MAX)
		return -EINVAL;
	if (negative)
		value = -value;
	if (value < atomic_load_explicit(&p->memory_adjust, memory_order_relaxed) &&
	    current_process()->euid != 0)
		return -EACCES;
	/* Relaxed: a number by itself. */
	atomic_store_explicit(&p->memory_adjust, (int)value, memory_order_relaxed);
	return 0;
}
