/* SPDX-License-Identifier: MIT */
/* /proc/PID/task: a directory for each thread of the process. */
#include "core/log.h"
#include "core/string.h"
#include "fs/directory_file.h"
#include "fs/proc_files.h"
#include "fs/proc_inode.h"
#include "fs/proc_process.h"
#include "proc/process.h"

/* The number of a thread's directory tells its id, above that of `task`; that of a file in it also
 * tells which file.  private is the process's identity in all of them. */
#define THREAD_SHIFT 40
#define FILE_SHIFT 8

struct thread_file {
	const char *name;
	void (*print)(struct process *p, uint32_t thread, struct text *out);
	int (*write)(struct process *p, uint32_t thread, const char *data, size_t n); /* or NULL */
};

static const struct thread_file files[] = {
	{ "cmdline", proc_print_thread_command_line, NULL },
	{ "comm", proc_print_thread_name, proc_write_thread_name },
	{ "stat", proc_print_thread_stat, NULL },
	{ "status", proc_print_thread_status, NULL },
};
#define FILES (sizeof(files) / sizeof(files[0]))

static uint32_t thread_of(const struct inode *i)
{
	return (uint32_t)(i->number >> THREAD_SHIFT);
}

static const struct thread_file *file_of(const struct inode *i)
{
	return &files[(i->number >> FILE_SHIFT & 0xff) - 1];
}

/* Is the task's own number that of one of p's threads?  A process has its main thread, also one that has
 * ended, until it is reaped; another that has called exec goes by that one's number. */
static bool is_thread_of(const struct process *p, const struct task *t)
{
	lock_acquire(&process_tree_lock);
	bool is = t->names == p ||
		  (t->process == p && !list_empty(&t->thread_link) && p->leader != t);

	lock_release(&process_tree_lock);
	return is;
}

/* The lowest thread id >= from, or 0: found as proc_next_pid() does. */
static uint32_t next_thread(const struct inode *task_directory, uint32_t from)
{
	struct process *p = proc_process_get((uint64_t)task_directory->private);
	uint32_t found = 0;
	struct task *t;

	if (!p)
		return 0;
	for (; !found && (t = task_next(from)); from++) {
		from = t->self.id;
		if (is_thread_of(p, t))
			found = from;
		task_put(t);
	}
	process_put(p);
	return found;
}

static bool is_thread(const struct inode *task_directory, uint32_t id)
{
	struct process *p = proc_process_get((uint64_t)task_directory->private);
	struct task *t = p ? task_find(id) : NULL;
	bool is = t && is_thread_of(p, t);

	if (t)
		task_put(t);
	if (p)
		process_put(p);
	return is;
}

static void thread_file_print(struct inode *i, struct text *out)
{
	struct process *p = proc_process_get((uint64_t)i->private);

	if (!p) {
		out->error = -ESRCH;
		return;
	}
	file_of(i)->print(p, thread_of(i), out);
	process_put(p);
}

static int thread_file_write(struct inode *i, const char *data, size_t n)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	int r;

	if (!p)
		return -ESRCH;
	r = file_of(i)->write(p, thread_of(i), data, n);
	process_put(p);
	return r;
}

static int thread_file_open(struct inode *i, struct file *f)
{
	return proc_open(i, f, thread_file_print, file_of(i)->write ? thread_file_write : NULL);
}

static size_t thread_file_name(struct inode *i, char *buf, size_t size)
{
	return string_copy(buf, file_of(i)->name, size);
}

static const struct inode_ops thread_file_ops = {
	.print_name = thread_file_name,
	.open = thread_file_open,
};

static uint64_t file_number(const struct inode *dir, size_t n)
{
	return dir->number + ((n + 1) << FILE_SHIFT);
}

static struct inode *thread_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	for (size_t n = 0; n < FILES; n++)
		if (strlen(files[n].name) == length && memcmp(files[n].name, name, length) == 0)
			return proc_process_inode(&thread_file_ops, dir, file_number(dir, n),
						  S_IFREG | (files[n].write ? 0644 : 0444), error);
	*error = -ENOENT;
	return NULL;
}

static int thread_list(struct inode *dir, uint64_t position, struct listing *l)
{
	if (position < 1 && !l->add(l, ".", 1, dir->number, S_IFDIR, 1))
		return 0;
	if (position < 2 && !l->add(l, "..", 2, dir->parent->number, S_IFDIR, 2))
		return 0;
	for (uint64_t n = position > 2 ? position - 2 : 0; n < FILES; n++)
		if (!l->add(l, files[n].name, strlen(files[n].name), file_number(dir, n), S_IFREG,
			    n + 3))
			break;
	return 0;
}

static size_t thread_name(struct inode *i, char *buf, size_t size)
{
	return (size_t)format(buf, size, "%u", thread_of(i));
}

static const struct inode_ops thread_directory_ops = {
	.lookup = thread_lookup,
	.list = thread_list,
	.print_name = thread_name,
	.open = directory_open,
};

static uint64_t directory_number(const struct inode *task_directory, uint32_t thread)
{
	return task_directory->number + ((uint64_t)thread << THREAD_SHIFT);
}

static struct inode *task_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	long thread = proc_parse_number(name, length);

	if (thread <= 0 || !is_thread(dir, (uint32_t)thread)) {
		*error = -ENOENT;
		return NULL;
	}
	return proc_process_inode(&thread_directory_ops, dir, directory_number(dir, (uint32_t)thread),
				  S_IFDIR | 0555, error);
}

static int task_list(struct inode *dir, uint64_t position, struct listing *l)
{
	uint32_t thread = position > 2 ? (uint32_t)(position - 2) : 1;

	if (position < 1 && !l->add(l, ".", 1, dir->number, S_IFDIR, 1))
		return 0;
	if (position < 2 && !l->add(l, "..", 2, dir->parent->number, S_IFDIR, 2))
		return 0;
	for (; (thread = next_thread(dir, thread)); thread++) {
		char name[16];
		size_t length = (size_t)format(name, sizeof(name), "%u", thread);

		if (!l->add(l, name, length, directory_number(dir, thread), S_IFDIR,
			    (uint64_t)thread + 3))
			break;
	}
	return 0;
}

static size_t task_name(struct inode *i, char *buf, size_t size)
{
	return string_copy(buf, "task", size);
}

const struct inode_ops proc_task_ops = {
	.lookup = task_lookup,
	.list = task_list,
	.print_name = task_name,
	.open = directory_open,
};
