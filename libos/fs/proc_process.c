/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID: the directory of a process.
 *
 * What changes while a process ends is read under the locks that guard it: the tree's lock for
 * its place among others, exec_mutex for its address space, files and directories, which are NULL
 * from a certain moment on.
 */
#include "fs/proc_process.h"
#include "core/log.h"
#include "core/string.h"
#include "fs/directory_file.h"
#include "fs/file.h"
#include "fs/path.h"
#include "fs/proc_files.h"
#include "fs/proc_inode.h"
#include "proc/process.h"
#include "vm/vm.h"

/* The directory's own number; its files follow it. */
static uint64_t directory_number(uint32_t pid)
{
	return PROC_PID_NUMBER + ((uint64_t)pid << 16);
}

struct process *proc_process_get(uint64_t identity)
{
	struct process *p;

	lock_acquire(&process_tree_lock);
	p = process_find((uint32_t)identity);
	if (p && p->generation == identity >> 32)
		process_get(p);
	else
		p = NULL;
	lock_release(&process_tree_lock);
	return p;
}

/* As Linux's ptrace_may_access() for reading.  All ids that p has, so that it has no other right to go back
 * to; under the lock, as they and `dumpable` change together. */
bool proc_process_may_look(const struct process *p)
{
	const struct process *me = current_process();
	bool may;

	if (!me || me == p || me->euid == 0)
		return true;
	lock_acquire(&process_tree_lock);
	may = p->uid == me->euid && p->euid == me->euid && p->suid == me->euid && p->gid == me->egid &&
	      p->egid == me->egid && p->sgid == me->egid && p->dumpable;
	lock_release(&process_tree_lock);
	return may;
}

/* By the table of tasks, where the next one is near: a listing of all is not a walk over all for each. */
uint32_t proc_next_pid(uint32_t from)
{
	struct task *t;

	for (; (t = task_next(from)); from++) {
		bool found;

		from = t->self.id;
		lock_acquire(&process_tree_lock);
		found = t->names != NULL;
		lock_release(&process_tree_lock);
		task_put(t);
		if (found)
			return from;
	}
	return 0;
}

long proc_parse_number(const char *name, size_t length)
{
	long value = 0;

	if (!length || length > 9 || (length > 1 && name[0] == '0'))
		return -1;
	for (size_t n = 0; n < length; n++) {
		if (name[n] < '0' || name[n] > '9')
			return -1;
		value = value * 10 + name[n] - '0';
	}
	return value;
}

/* cwd, root and exe lead to inodes, whatever their names are by now. */
static struct inode *inode_of(struct process *p, const char *which)
{
	struct inode *i = NULL;
	struct file *f = NULL;

	mutex_lock(&p->exec_mutex);
	if (which[0] == 'e' && p->vm)
		f = vm_program(p->vm);
	else if (which[0] == 'c' && p->fs)
		i = fs_context_directory(p->fs);
	else if (which[0] == 'r' && p->fs)
		i = fs_context_root(p->fs);
	mutex_unlock(&p->exec_mutex);
	if (f) {
		i = f->inode ? inode_get(f->inode) : NULL;
		file_put(f);
	}
	return i;
}

struct process_entry {
	const char *name;
	uint32_t mode;
	void (*print)(struct process *p, struct text *out); /* of a regular file, but for maps */
	int (*write)(struct process *p, const char *data, size_t n); /* likewise, or NULL */
};

static const struct process_entry entries[] = {
	{ "cmdline", S_IFREG | 0444, proc_print_command_line, NULL },
	{ "comm", S_IFREG | 0644, proc_print_name, proc_write_name },
	{ "cwd", S_IFLNK | 0777, NULL, NULL },
	{ "exe", S_IFLNK | 0777, NULL, NULL },
	{ "fd", S_IFDIR | 0500, NULL, NULL },
	{ "limits", S_IFREG | 0444, proc_print_limits, NULL },
	{ "maps", S_IFREG | 0444, NULL, NULL },
	{ "mountinfo", S_IFREG | 0444, proc_print_mount_info, NULL },
	{ "mounts", S_IFREG | 0444, proc_print_mounts, NULL },
	{ "oom_score_adj", S_IFREG | 0644, proc_print_memory_adjust, proc_write_memory_adjust },
	{ "root", S_IFLNK | 0777, NULL, NULL },
	{ "stat", S_IFREG | 0444, proc_print_stat, NULL },
	{ "statm", S_IFREG | 0444, proc_print_statm, NULL },
	{ "status", S_IFREG | 0444, proc_print_status, NULL },
	{ "task", S_IFDIR | 0555, NULL, NULL },
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static const struct process_entry *entry_of(const struct inode *i)
{
	return &entries[(i->number & 0xffff) - 1];
}

static size_t entry_name(struct inode *i, char *buf, size_t size)
{
	return string_copy(buf, entry_of(i)->name, size);
}

static void entry_print(struct inode *i, struct text *out)
{
	struct process *p = proc_process_get((uint64_t)i->private);

	if (!p) {
		out->error = -ESRCH;
		return;
	}
	entry_of(i)->print(p, out);
	process_put(p);
}

static int entry_write(struct inode *i, const char *data, size_t n)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	int r = -ESRCH;

	if (!p)
		return r;
	r = entry_of(i)->write(p, data, n);
	process_put(p);
	return r;
}

static bool may_look_inside(struct inode *i)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	bool may = !p || proc_process_may_look(p);

	if (p)
		process_put(p);
	return may;
}

static int entry_open(struct inode *i, struct file *f)
{
	if (!entry_of(i)->print)
		return may_look_inside(i) ? proc_maps_open(f) : -EACCES;
	return proc_open(i, f, entry_print, entry_of(i)->write ? entry_write : NULL);
}

static const struct inode_ops entry_file_ops = {
	.print_name = entry_name,
	.open = entry_open,
};

static struct inode *link_follow(struct inode *i, int *error)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	struct inode *target = NULL;

	*error = -ENOENT;
	if (!p)
		return NULL;
	if (proc_process_may_look(p))
		target = inode_of(p, entry_of(i)->name);
	else
		*error = -EACCES;
	process_put(p);
	if (target)
		*error = 0;
	return target;
}

static long link_read(struct inode *i, char *buf, size_t size)
{
	struct inode *root = context_root(), *target;
	long length;
	int error = 0;

	target = link_follow(i, &error);
	length = target ? inode_path_shown(target, root, buf, size) : error;
	inode_put(target);
	inode_put(root);
	return length;
}

static const struct inode_ops entry_link_ops = {
	.read_link = link_read,
	.follow = link_follow,
};

/*
 * The directory of a process belongs to its effective user, which is where ps looks, and all below it: else
 * only the superuser could look at his own descriptors.  But as on Linux, what is not for all to read and
 * enter belongs to the superuser while the process is not dumpable, except that it finds its own descriptors.
 */
static void set_owner(struct inode *i)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	bool own = p && (p->dumpable || i->permissions == 0555 ||
			 (inode_is_directory(i) && p == current_process()));

	i->uid = own ? p->euid : 0;
	i->gid = own ? p->egid : 0;
	if (p)
		process_put(p);
}

struct inode *proc_process_inode(const struct inode_ops *ops, struct inode *parent, uint64_t number,
				 uint32_t mode, int *error)
{
	struct inode *i = proc_inode(ops, parent, number, mode, parent->private, error);

	if (i)
		set_owner(i);
	return i;
}

static struct inode *process_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	struct process *p = proc_process_get((uint64_t)dir->private);

	*error = -ENOENT;
	if (!p)
		return NULL;
	process_put(p);
	for (size_t n = 0; n < ENTRIES; n++) {
		const struct inode_ops *ops = &entry_file_ops;

		if (strlen(entries[n].name) != length || memcmp(entries[n].name, name, length) != 0)
			continue;
		if ((entries[n].mode & S_IFMT) == S_IFLNK)
			ops = &entry_link_ops;
		else if ((entries[n].mode & S_IFMT) == S_IFDIR)
			ops = entries[n].name[0] == 'f' ? &proc_fd_ops : &proc_task_ops;
		return proc_process_inode(ops, dir, dir->number + 1 + n, entries[n].mode, error);
	}
	return NULL;
}

static int process_list(struct inode *dir, uint64_t position, struct listing *l)
{
	if (position < 1 && !l->add(l, ".", 1, dir->number, S_IFDIR, 1))
		return 0;
	if (position < 2 && !l->add(l, "..", 2, PROC_ROOT_NUMBER, S_IFDIR, 2))
		return 0;
	for (uint64_t n = position > 2 ? position - 2 : 0; n < ENTRIES; n++)
		if (!l->add(l, entries[n].name, strlen(entries[n].name), dir->number + 1 + n,
			    entries[n].mode, n + 3))
			break;
	return 0;
}

static size_t process_name(struct inode *i, char *buf, size_t size)
{
	return (size_t)format(buf, size, "%u", (uint32_t)(uint64_t)i->private);
}

static const struct inode_ops process_directory_ops = {
	.lookup = process_lookup,
	.list = process_list,
	.print_name = process_name,
	.open = directory_open,
};

struct inode *proc_process_lookup(struct inode *root, const char *name, size_t length, int *error)
{
	long pid = proc_parse_number(name, length);
	uint64_t identity = 0;
	struct inode *i;
	struct process *p;

	lock_acquire(&process_tree_lock);
	p = pid > 0 ? process_find((uint32_t)pid) : NULL;
	if (p)
		identity = process_identity(p->pid, p->generation);
	lock_release(&process_tree_lock);
	if (!p) {
		*error = -ENOENT;
		return NULL;
	}
	i = proc_inode(&process_directory_ops, root, directory_number((uint32_t)pid),
		       S_IFDIR | 0555, (void *)identity, error);
	if (i)
		set_owner(i);
	return i;
}
