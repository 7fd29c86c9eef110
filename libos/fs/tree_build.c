/* SPDX-License-Identifier: MIT */
/* Building the tree from inside; see tree_build.h. */
#include "fs/tree_build.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/path.h"

#define DIRECTORY_PERMISSIONS 0755

/* Replaces what has the name, if it may be; *replaced is counted, and put without the mutex. */
static int add_at(struct path *at, struct inode *i, bool over_directory, struct inode **replaced)
{
	struct directory_entry *e;
	int error = 0;

	mutex_lock(&tree_mutex);
	e = memfs_find(at->parent, at->name, at->length);
	if (e && inode_is_directory(e->inode) && !over_directory) {
		error = -EEXIST;
	} else if (e) {
		*replaced = inode_get(e->inode);
		error = memfs_unlink(e);
	}
	if (!error)
		error = memfs_link(at->parent, at->name, at->length, i);
	mutex_unlock(&tree_mutex);
	return error;
}

/* One step: the directory above the name must be there. */
static int add_here(const char *path, struct inode *i, bool over_directory)
{
	struct inode *replaced = NULL;
	struct path at;
	int error = path_kernel(path, PATH_PARENT, &at);

	if (error)
		return error;
	if (at.last != LAST_NAME)
		error = -EEXIST;
	else if (!memfs_directory(at.parent))
		error = -ENOTDIR;
	else
		error = add_at(&at, i, over_directory, &replaced);
	inode_put(replaced);
	path_release(&at);
	return error;
}

static struct inode *find_directory(const char *path, int *error)
{
	struct inode *found = NULL;
	struct path at;

	*error = path_kernel(path, PATH_FOLLOW, &at);
	if (*error)
		return NULL;
	if (inode_is_directory(at.inode))
		found = inode_get(at.inode);
	else
		*error = -ENOTDIR;
	path_release(&at);
	return found;
}

/* Makes every directory above the last name of the path; the text is cut and mended on the way. */
static int make_above(char *path)
{
	int error = 0;

	for (char *slash = strchr(path + 1, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
		struct inode *directory;

		*slash = 0;
		directory = find_directory(path, &error);
		if (error == -ENOENT) {
			directory = memfs_create(S_IFDIR | DIRECTORY_PERMISSIONS, 0, &error);
			if (directory)
				error = add_here(path, directory, false);
		}
		inode_put(directory);
		*slash = '/';
	}
	return error;
}

int tree_add(const char *path, struct inode *i)
{
	size_t length = strlen(path);
	char *copy;
	int error = add_here(path, i, false);

	if (error != -ENOENT)
		return error;
	copy = heap_alloc(length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, path, length);
	error = make_above(copy);
	heap_free(copy);
	return error ? error : add_here(path, i, false);
}

int tree_mount(const char *path, struct inode *root)
{
	return add_here(path, root, true);
}

struct inode *tree_directory(const char *path, uint32_t permissions, int *error)
{
	struct inode *directory = find_directory(path, error);

	if (*error != -ENOENT)
		return directory;
	directory = memfs_create(S_IFDIR | permissions, 0, error);
	if (directory)
		*error = tree_add(path, directory);
	if (*error) {
		inode_put(directory);
		return NULL;
	}
	return directory;
}
