/* SPDX-License-Identifier: MIT */
/* /proc/PID/comm and /proc/PID/task/TID/comm: names, which pthread_setname_np() writes for another thread. */
#include "abi/errno.h"
#include "core/string.h"
#include "core/task.h"
#include "fs/proc_files.h"
#include "proc/process.h"

/* A longer name is cut off.  Whoever reads a name while it changes may see some of both, as with prctl(). */
int proc_write_thread_name(struct process *p, uint32_t thread, const char *data, size_t n)
{
	char name[sizeof(p->name)];
	struct task *t;

	if (p != current_process())
		return -EINVAL;
	string_copy(name, data, sizeof(name));
	t = thread_find(thread);
	if (!t)
		return -ESRCH;
	lock_acquire(&process_tree_lock);
	if (t->process == p)
		memcpy(t->name, name, sizeof(t->name));
	if (t == p->leader)
		memcpy(p->name, name, sizeof(p->name));
	lock_release(&process_tree_lock);
	task_put(t);
	return 0;
}

int proc_write_name(struct process *p, const char *data, size_t n)
{
	return proc_write_thread_name(p, p->pid, data, n);
}
