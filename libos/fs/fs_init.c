/* SPDX-License-Identifier: MIT */
/* Start-up of the file systems: the root, the archives, /dev and /proc. */
#include "fs/fs.h"
#include <exo/abi.h>
#include "abi/random.h"
#include "core/memory.h"
#include "fs/archive.h"
#include "fs/device_open.h"
#include "fs/directory.h"
#include "fs/epoll.h"
#include "fs/inode.h"
#include "fs/memfs.h"
#include "fs/proc_inode.h"
#include "fs/space.h"
#include "fs/tree_build.h"

/* Files may take half of the memory that is free at start. */
#define SPACE_SHARE 2

/* Directories that programs count on, whether an archive has them or not. */
static const struct {
	const char *path;
	uint32_t permissions;
} directories[] = {
	{ "/dev", 0755 }, { "/dev/shm", 01777 }, { "/proc", 0555 }, { "/tmp", 01777 },
};

static int make_root(void)
{
	int error;

	root_inode = memfs_create(S_IFDIR | 0755, 0, &error);
	if (!root_inode)
		return error;
	root_inode->parent = root_inode;
	root_inode->links = 2; /* "." and "..": it has no name */
	return 0;
}

/* /proc takes the place of the directory that archives may have brought for it. */
static int add_proc(void)
{
	struct inode *proc;
	int error;

	proc_system_init();
	epoll_limit_init();
	proc = procfs_root(&error);
	if (proc)
		error = tree_mount("/proc", proc);
	inode_put(proc);
	return error;
}

int fs_init(void)
{
	uint64_t secret[2];
	int error;

	random_bytes(secret, sizeof(secret));
	directory_set_secret(secret);
	mutex_init(&tree_mutex, "tree", MUTEX_FS);
	space_init(frames_free_count() * EXO_PAGE_SIZE / SPACE_SHARE);
	error = make_root();
	if (!error)
		error = archives_unpack();
	for (size_t n = 0; n < sizeof(directories) / sizeof(directories[0]) && !error; n++)
		inode_put(tree_directory(directories[n].path, directories[n].permissions, &error));
	if (!error)
		error = add_proc();
	return error ? error : device_init();
}
