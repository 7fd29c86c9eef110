/* SPDX-License-Identifier: MIT */
/*
 * Inodes: what names in the tree lead to.
 *
 * The tree (which names lead where) has two locks.  tree_mutex is held by whoever changes it, from
 * the first check to the last change.  tree_lock is a spin lock that is held for each single
 * change as well, and by readers.  So a lookup never waits for a change in progress, and reading
 * under either lock is sound:
 *
 *	change:  tree_mutex { look, check ... tree_lock { link, unlink } }
 *	lookup:  tree_lock { one name }, tree_lock { the next name } ...
 *	list:    tree_mutex { copy the names to libos memory }
 *
 * No user memory is touched under either.
 */
#ifndef LIBOS_INODE_H
#define LIBOS_INODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/list.h"
#include "core/lock.h"
#include "core/mutex.h"
#include "fs/linux.h"

struct directory;
struct file;
struct file_data;
struct file_ops;
struct inode;
struct pipe;

/* One name on its way to getdents64; false: no room, the listing stops before it. */
struct listing {
	bool (*add)(struct listing *l, const char *name, size_t length, uint64_t inode_number,
		    uint32_t mode, uint64_t next_position);
	/* What comes to stand here or behind was not there when the listing began; 0: it has not begun.
	 * Directories whose positions are never new leave it. */
	uint64_t end;
};

/* What kinds of inode differ in.  Operations that a kind does not have are NULL. */
struct inode_ops {
	/* Directories: the inode of a name, counted; NULL with *error.  No lock held. */
	struct inode *(*lookup)(struct inode *dir, const char *name, size_t length, int *error);
	/* Directories: adds the entries at `position` and after ("." and ".." included). */
	int (*list)(struct inode *dir, uint64_t position, struct listing *l);
	/* Symbolic links: length of the text, not terminated; at most `size` bytes are stored. */
	long (*read_link)(struct inode *link, char *buf, size_t size);
	/* Links that lead to an inode rather than to a name (/proc/PID/exe): counted, or NULL. */
	struct inode *(*follow)(struct inode *link, int *error);
	/* The last name of a directory whose `entries` is empty, for getcwd. */
	size_t (*print_name)(struct inode *i, char *buf, size_t size);
	/* Bytes of a file or of a link's text; NULL: 0. */
	uint64_t (*size)(struct inode *i);
	/* What a file opened on it does: sets f->ops; f->private may be set.  0 or -errno. */
	int (*open)(struct inode *i, struct file *f);
	/* The last reference is gone. */
	void (*free)(struct inode *i);
};

struct inode_times {
	uint64_t access_ns, change_ns, modify_ns; /* fs/file_time.h */
};

struct inode {
	/* Fixed after creation. */
	const struct inode_ops *ops;
	uint64_t number;
	uint32_t device;   /* which file system: st_dev */
	uint64_t rdev;     /* of a device node */
	uint32_t type;     /* S_IFREG ... */
	bool may_be_linked; /* without a name, and linkat may give it one; then under tree_mutex */
	union {
		struct directory *directory;
		struct file_data *data;
		char *target;  /* of a symbolic link */
		struct pipe *pipe; /* of a fifo, while it is open: under `lock` */
		void *private;
	};

	_Atomic uint32_t references; /* names, open files, directories stood in, lookups */
	_Atomic uint32_t links;      /* names; written under tree_mutex */

	/* Under the tree's locks. */
	struct inode *parent;        /* of a directory: counted; the root is its own, uncounted */
	struct list entries;         /* struct directory_entry.inode_link: its names */

	struct lock lock;            /* RANK_INODE; guards: */
	uint32_t permissions, uid, gid; /* permissions: mode without the type */
	uint32_t record_lock_count;
	struct inode_times times;
	struct list record_locks;    /* fs/record_lock.c */
	struct wait_queue record_lock_wait;

	struct mutex mutex;          /* MUTEX_INODE: data in transfer, size */
};

extern struct lock tree_lock;     /* RANK_INODE */
extern struct mutex tree_mutex;   /* MUTEX_FS */
extern struct inode *root_inode;  /* fixed after fs_init() */

/* st_dev of what has no name in any tree: pipes and the like. */
#define DEVICE_NAMELESS 3
#define DEVICE_SOCKETS 4
/* Of what is in /dev/pts: no link leads there from elsewhere, or out. */
#define DEVICE_TERMINALS 5

/* One reference, no link; NULL when out of memory. */
struct inode *inode_create(const struct inode_ops *ops, uint32_t device, uint64_t number,
			   uint32_t mode);
void inode_free(struct inode *i); /* without references */

/* Relaxed: whoever takes a reference has one already, or holds the lock of what does. */
static inline __attribute__((always_inline)) struct inode *inode_get(struct inode *i)
{
	atomic_fetch_add_explicit(&i->references, 1, memory_order_relaxed);
	return i;
}

/*
 * Any context without spin locks; blocks on nothing.  Release, so that what others did to the inode comes
 * before their put; acquire, so that whoever frees it sees that.
 */
static inline __attribute__((always_inline)) void inode_put(struct inode *i)
{
	if (i && atomic_fetch_sub_explicit(&i->references, 1, memory_order_acq_rel) == 1)
		inode_free(i);
}

static inline bool inode_is_directory(const struct inode *i) { return i->type == S_IFDIR; }
static inline bool inode_is_regular(const struct inode *i) { return i->type == S_IFREG; }
static inline bool inode_is_link(const struct inode *i) { return i->type == S_IFLNK; }

/* Mode with type, as in st_mode. */
uint32_t inode_mode(struct inode *i);
uint64_t inode_size(struct inode *i);
/* Directory above, counted. */
struct inode *inode_parent(struct inode *directory);

/* May the current process do this (R_OK | W_OK | X_OK) to it?  0 or -EACCES. */
int inode_access(struct inode *i, unsigned wanted);
/* As the real instead of the effective user, for access(2). */
int inode_access_real(struct inode *i, unsigned wanted);
/* Is the current process's effective user its owner, or privileged? */
bool inode_owned(struct inode *i);

/* A new file belongs to the current process's effective user; to its group, or to the directory's
 * if that has the set-group-ID bit, which a new directory inherits.  NULL: it is in no directory. */
void inode_set_owner(struct inode *i, struct inode *directory);

enum inode_time { TIME_CHANGE = 1, TIME_MODIFY = 2 };
void inode_touch(struct inode *i, unsigned which); /* sets them to now */
void inode_touch_access(struct inode *i);          /* after a read; as Linux's relatime */

/* Path from `root` to a directory or file, NUL-terminated: its length, -ENOENT if there is none, or
 * -ENAMETOOLONG; see fs/path_name.c. */
long inode_path(struct inode *i, struct inode *root, char *buf, size_t size);
/* As links in /proc show it: "(deleted)" if there is none. */
long inode_path_shown(struct inode *i, struct inode *root, char *buf, size_t size);

#endif
