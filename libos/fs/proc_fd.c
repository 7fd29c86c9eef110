/* SPDX-License-Identifier: MIT */
/* /proc/PID/fd: a link for each open file, which leads to the file's inode. */
#include "core/log.h"
#include "core/string.h"
#include "fs/descriptor.h"
#include "fs/directory_file.h"
#include "fs/path.h"
#include "fs/proc_inode.h"
#include "fs/proc_process.h"
#include "proc/process.h"

/* A link's number tells its descriptor, above that of the directory. */
#define FD_NUMBER_SHIFT 48

static int fd_of(const struct inode *link)
{
	return (int)(link->number >> FD_NUMBER_SHIFT) - 1;
}

/* The process's table, counted, or NULL with *error: who may not look into the process finds nothing. */
static struct file_table *table_of(const struct inode *i, int *error)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	struct file_table *t;

	*error = -ENOENT;
	if (!p)
		return NULL;
	if (!proc_process_may_look(p)) {
		*error = -EACCES;
		process_put(p);
		return NULL;
	}
	mutex_lock(&p->exec_mutex);
	t = p->files;
	if (t)
		file_table_get(t);
	mutex_unlock(&p->exec_mutex);
	process_put(p);
	return t;
}

static struct file *file_of(const struct inode *link, int *error)
{
	struct file_table *t = table_of(link, error);
	struct file *f;

	if (!t)
		return NULL;
	f = file_table_get_file(t, fd_of(link));
	file_table_put(t);
	return f;
}

/* Nobody opens it by its number: what it is for is behind the descriptor alone. */
static int nameless_open(struct inode *i, struct file *f)
{
	return -ENXIO;
}

static const struct inode_ops nameless_ops = {
	.open = nameless_open,
};

/* Of a file that has no inode: one to be looked at, which says what fstat says. */
static struct inode *nameless_inode(struct file *f)
{
	struct inode *i = inode_create(&nameless_ops, DEVICE_NAMELESS, file_nameless_number(f), file_mode(f));

	if (!i)
		return NULL;
	i->links = 1;
	i->times = (struct inode_times){ 0 };
	return i;
}

static struct inode *link_follow(struct inode *link, int *error)
{
	struct file *f = file_of(link, error);
	struct inode *i;

	if (!f)
		return NULL;
	i = f->inode ? inode_get(f->inode) : nameless_inode(f);
	*error = i ? 0 : -ENOMEM;
	file_put(f);
	return i;
}

static long link_read(struct inode *link, char *buf, size_t size)
{
	int error;
	struct file *f = file_of(link, &error);
	long length;

	if (!f)
		return error;
	if (!f->inode)
		length = format(buf, size, "anon_inode:%s", f->ops->name);
	else if (f->inode->device == DEVICE_NAMELESS)
		length = format(buf, size, "pipe:[%lu]", f->inode->number);
	else if (f->inode->device == DEVICE_SOCKETS)
		length = format(buf, size, "socket:[%lu]", f->inode->number);
	else
		length = inode_path_shown(f->inode, root_inode, buf, size);
	file_put(f);
	return length;
}

static const struct inode_ops link_ops = {
	.read_link = link_read,
	.follow = link_follow,
};

static struct inode *fd_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	long fd = proc_parse_number(name, length);
	struct file_table *t = table_of(dir, error);
	struct file *f = t && fd >= 0 ? file_table_get_file(t, (int)fd) : NULL;
	uint32_t mode = S_IFLNK;

	if (t) {
		file_table_put(t);
		*error = -ENOENT;
	}
	if (!f)
		return NULL;
	/* For people to read: what the descriptor may be used for. */
	mode |= (file_is_readable(f) ? 0500 : 0) | (file_is_writable(f) ? 0300 : 0);
	file_put(f);
	return proc_process_inode(&link_ops, dir, dir->number + ((uint64_t)(fd + 1) << FD_NUMBER_SHIFT),
				  mode, error);
}

static int fd_list(struct inode *dir, uint64_t position, struct listing *l)
{
	int fd = position > 2 ? (int)position - 2 : 0, error;
	struct file_table *t = table_of(dir, &error);

	if (!t)
		return error;
	if ((position >= 1 || l->add(l, ".", 1, dir->number, S_IFDIR, 1)) &&
	    (position >= 2 || l->add(l, "..", 2, dir->number & ~0xfffful, S_IFDIR, 2)))
		while ((fd = file_table_next(t, fd)) >= 0) {
			char name[16];
			size_t length = (size_t)format(name, sizeof(name), "%d", fd);
			uint64_t number = dir->number + ((uint64_t)(fd + 1) << FD_NUMBER_SHIFT);

			if (!l->add(l, name, length, number, S_IFLNK, (uint64_t)fd + 3))
				break;
			fd++;
		}
	file_table_put(t);
	return 0;
}

static size_t fd_name(struct inode *i, char *buf, size_t size)
{
	return string_copy(buf, "fd", size);
}

const struct inode_ops proc_fd_ops = {
	.lookup = fd_lookup,
	.list = fd_list,
	.print_name = fd_name,
	.open = directory_open,
};
