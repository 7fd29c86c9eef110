/* SPDX-License-Identifier: MIT */
/*
 * The tree of /proc: registered files, "self", "thread-self", and a directory per process.
 *
 * Registered names form a tree of nodes that only grows.  A node is complete before it is
 * published at the end of its parent's list with a release store, so readers follow the lists
 * without a lock.
 */
#include "fs/procfs.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/directory_file.h"
#include "fs/proc_inode.h"
#include "proc/process.h"

struct proc_node {
	/* Fixed. */
	const char *name; /* not terminated */
	size_t length;
	uint64_t number;  /* also its position when its directory is listed */
	void (*print)(struct text *out, void *argument); /* NULL: a directory */
	int (*write)(const char *data, size_t n, void *argument);
	void *argument;
	struct proc_node *_Atomic first, *_Atomic next;
};

/* Positions in listings: "." and "..", then nodes by number, then in the root "self", "thread-self" and
 * pids. */
#define POSITION_NODES 2
#define POSITION_SELF (PROC_PID_NUMBER - 2)
#define POSITION_THREAD_SELF (PROC_PID_NUMBER - 1)
#define SELF_MAX 40

static struct proc_node root_node = { .number = PROC_ROOT_NUMBER };
static struct lock proc_lock = LOCK_INIT("proc nodes", RANK_INODE); /* adding */
static uint64_t last_node_number = POSITION_NODES;                  /* under proc_lock */

static struct proc_node *first_of(struct proc_node *directory)
{
	return atomic_load_explicit(&directory->first, memory_order_acquire);
}

static struct proc_node *next_of(struct proc_node *n)
{
	return atomic_load_explicit(&n->next, memory_order_acquire);
}

static struct proc_node *find_node(struct proc_node *directory, const char *name, size_t length)
{
	struct proc_node *n = first_of(directory);

	while (n && (n->length != length || memcmp(n->name, name, length) != 0))
		n = next_of(n);
	return n;
}

/* Under proc_lock.  The node of one name, made if there is none. */
static struct proc_node *make_node(struct proc_node *directory, const char *name, size_t length)
{
	struct proc_node *n = find_node(directory, name, length), *_Atomic *end = &directory->first;

	if (n)
		return n;
	n = heap_alloc(sizeof(*n));
	if (!n)
		return NULL;
	n->name = name;
	n->length = length;
	n->number = ++last_node_number;
	while (*end)
		end = &(*end)->next;
	atomic_store_explicit(end, n, memory_order_release);
	return n;
}

int proc_register(const char *path, void (*print)(struct text *out, void *argument),
		  int (*write)(const char *data, size_t n, void *argument), void *argument)
{
	struct proc_node *n = &root_node;

	lock_acquire(&proc_lock);
	while (n && *path) {
		const char *slash = strchr(path, '/');
		size_t length = slash ? (size_t)(slash - path) : strlen(path);

		n = make_node(n, path, length);
		path += length + (slash != NULL);
	}
	if (n) {
		/* A file that is looked up before this is an empty directory for a moment. */
		n->argument = argument;
		n->write = write;
		n->print = print;
	}
	lock_release(&proc_lock);
	return n ? 0 : -ENOMEM;
}

struct inode *proc_inode(const struct inode_ops *ops, struct inode *parent, uint64_t number,
			 uint32_t mode, void *private, int *error)
{
	struct inode *i = inode_create(ops, PROC_DEVICE, number, mode);

	if (!i) {
		*error = -ENOMEM;
		return NULL;
	}
	i->private = private;
	i->parent = parent ? inode_get(parent) : NULL;
	i->links = 1;
	return i;
}


static void node_print(struct inode *i, struct text *out)
{
	struct proc_node *n = i->private;

	n->print(out, n->argument);
}

static int node_write(struct inode *i, const char *data, size_t size)
{
	struct proc_node *n = i->private;

	return n->write(data, size, n->argument);
}

static int node_open(struct inode *i, struct file *f)
{
	struct proc_node *n = i->private;

	return proc_open(i, f, node_print, n->write ? node_write : NULL);
}

static size_t node_name(struct inode *i, char *buf, size_t size)
{
	struct proc_node *n = i->private;

	if (n->length > size)
		return 0;
	memcpy(buf, n->name, n->length);
	return n->length;
}

static const struct inode_ops node_file_ops = {
	.print_name = node_name,
	.open = node_open,
};

static struct inode *node_lookup(struct inode *dir, const char *name, size_t length, int *error);

/* "." and ".." and the nodes; false when the listing is full. */
static bool list_nodes(struct inode *dir, uint64_t position, struct listing *l)
{
	struct proc_node *n = first_of(dir->private);

	if (position < 1 && !l->add(l, ".", 1, dir->number, S_IFDIR, 1))
		return false;
	if (position < 2 && !l->add(l, "..", 2, PROC_ROOT_NUMBER, S_IFDIR, POSITION_NODES))
		return false;
	for (; n; n = next_of(n))
		if (n->number >= position && !l->add(l, n->name, n->length, n->number,
						     n->print ? S_IFREG : S_IFDIR, n->number + 1))
			return false;
	return true;
}

static int node_list(struct inode *dir, uint64_t position, struct listing *l)
{
	list_nodes(dir, position, l);
	return 0;
}

static const struct inode_ops node_directory_ops = {
	.lookup = node_lookup,
	.list = node_list,
	.print_name = node_name,
	.open = directory_open,
};

static struct inode *node_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	struct proc_node *n = find_node(dir->private, name, length);

	if (!n) {
		*error = -ENOENT;
		return NULL;
	}
	if (!n->print)
		return proc_inode(&node_directory_ops, dir, n->number, S_IFDIR | 0555, n, error);
	return proc_inode(&node_file_ops, dir, n->number, S_IFREG | (n->write ? 0644 : 0444), n,
			  error);
}

/* Who looks at "self" or "thread-self"; its length, or 0 if that is no program. */
static size_t print_self(const struct inode *i, char text[SELF_MAX])
{
	const struct process *p = current_process();

	if (!p)
		return 0;
	if (i->number == POSITION_SELF)
		return (size_t)format(text, SELF_MAX, "%u", p->pid);
	return (size_t)format(text, SELF_MAX, "%u/task/%u", p->pid, task_thread_id(current()));
}

static long self_read_link(struct inode *i, char *buf, size_t size)
{
	char text[SELF_MAX];
	size_t length = print_self(i, text);

	if (!length)
		return -ENOENT;
	memcpy(buf, text, length < size ? length : size);
	return (long)(length < size ? length : size);
}

static uint64_t self_size(struct inode *i)
{
	char text[SELF_MAX];

	return print_self(i, text);
}

static const struct inode_ops self_ops = {
	.read_link = self_read_link,
	.size = self_size,
};

static struct inode *root_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	if (length == 4 && memcmp(name, "self", 4) == 0)
		return proc_inode(&self_ops, dir, POSITION_SELF, S_IFLNK | 0777, NULL, error);
	if (length == 11 && memcmp(name, "thread-self", 11) == 0)
		return proc_inode(&self_ops, dir, POSITION_THREAD_SELF, S_IFLNK | 0777, NULL, error);
	if (name[0] >= '1' && name[0] <= '9')
		return proc_process_lookup(dir, name, length, error);
	return node_lookup(dir, name, length, error);
}

static int root_list(struct inode *dir, uint64_t position, struct listing *l)
{
	uint32_t pid;

	if (!list_nodes(dir, position, l))
		return 0;
	if (position <= POSITION_SELF &&
	    !l->add(l, "self", 4, POSITION_SELF, S_IFLNK, POSITION_SELF + 1))
		return 0;
	if (position <= POSITION_THREAD_SELF &&
	    !l->add(l, "thread-self", 11, POSITION_THREAD_SELF, S_IFLNK, POSITION_THREAD_SELF + 1))
		return 0;
	pid = position > PROC_PID_NUMBER ? (uint32_t)(position - PROC_PID_NUMBER) : 1;
	while ((pid = proc_next_pid(pid))) {
		char name[16];
		size_t length = (size_t)format(name, sizeof(name), "%u", pid);

		if (!l->add(l, name, length, PROC_PID_NUMBER + ((uint64_t)pid << 16), S_IFDIR,
			    PROC_PID_NUMBER + pid + 1))
			return 0;
		pid++;
	}
	return 0;
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.list = root_list,
	.open = directory_open,
};

struct inode *procfs_root(int *error)
{
	struct inode *i;

	*error = 0;
	i = proc_inode(&root_ops, NULL, PROC_ROOT_NUMBER, S_IFDIR | 0555, &root_node, error);
	if (i)
		i->links = 0; /* it is given a name */
	return i;
}
