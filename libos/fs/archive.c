/* SPDX-License-Identifier: MIT */
/*
 * The archives become the first contents of the tree.
 *
 * The data of files is not copied: inodes point into the module, which stays mapped.  A later
 * archive's files replace an earlier one's of the same name.
 */
#include "fs/archive.h"
#include <exo/abi.h>
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "domain/boot.h"
#include "domain/link.h"
#include "fs/cpio.h"
#include "fs/file_time.h"
#include "fs/memfs.h"
#include "fs/tree_build.h"

#define PATH_LENGTH_MAX 1024

/* A file with several names: the first makes the inode, and the data comes with the last. */
struct hard_link {
	struct hard_link *next;
	uint32_t archive_inode;
	struct inode *inode; /* counted */
};

struct unpacking {
	const char *archive; /* its name */
	struct hard_link *links;
	unsigned entries;
};

/*
 * The name as a path from the root: "./a", "/a" and "a" are the same.  False for what must not
 * be followed: too long, or with ".." in it.  The root itself becomes "/".
 */
static bool normalise(const char *name, char *path, size_t size)
{
	size_t used = 0;

	while (*name) {
		size_t length = 0;

		while (name[length] && name[length] != '/')
			length++;
		if (length == 2 && name[0] == '.' && name[1] == '.')
			return false;
		if (length && !(length == 1 && name[0] == '.')) {
			if (used + length + 2 > size)
				return false;
			path[used++] = '/';
			memcpy(path + used, name, length);
			used += length;
		}
		name += length + (name[length] == '/');
	}
	if (!used)
		path[used++] = '/';
	path[used] = 0;
	return true;
}

static void set_attributes(struct inode *i, const struct cpio_entry *e)
{
	uint64_t time_ns = FILE_ERA_NS + (uint64_t)e->mtime * NS_PER_SECOND;

	lock_acquire(&i->lock);
	i->permissions = e->mode & 07777;
	i->uid = e->uid;
	i->gid = e->gid;
	i->times = (struct inode_times){ time_ns, time_ns, time_ns };
	lock_release(&i->lock);
}

static int unpack_directory(const char *path, const struct cpio_entry *e)
{
	int error;
	struct inode *i = tree_directory(path, e->mode & 07777, &error);

	if (i)
		set_attributes(i, e);
	inode_put(i);
	return error;
}

static struct inode *create_inode(const struct cpio_entry *e, int *error)
{
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return memfs_create_over(e->mode, e->data, e->size, error);
	case S_IFLNK:
		if (e->size == 0 || e->size >= PATH_MAX || memchr(e->data, 0, e->size)) {
			*error = -EINVAL;
			return NULL;
		}
		return memfs_create_link((const char *)e->data, e->size, error);
	default:
		return memfs_create(e->mode, device_number(e->device_major, e->device_minor),
				    error);
	}
}

static struct hard_link *find_link(struct unpacking *u, uint32_t archive_inode)
{
	struct hard_link *l = u->links;

	while (l && l->archive_inode != archive_inode)
		l = l->next;
	return l;
}

/* The inode for a name of a file with several names; counted. */
static struct inode *linked_inode(struct unpacking *u, const struct cpio_entry *e, int *error)
{
	struct hard_link *l = find_link(u, e->inode);

	if (!l) {
		l = heap_alloc(sizeof(*l));
		*error = -ENOMEM;
		if (!l)
			return NULL;
		l->inode = create_inode(e, error);
		if (!l->inode) {
			heap_free(l);
			return NULL;
		}
		l->archive_inode = e->inode;
		l->next = u->links;
		u->links = l;
	} else if (e->size) {
		memfs_set_archive(l->inode, e->data, e->size);
	}
	return inode_get(l->inode);
}

static int unpack_entry(struct unpacking *u, const struct cpio_entry *e)
{
	char path[PATH_LENGTH_MAX];
	struct inode *i;
	int error = 0;

	if (!normalise(e->name, path, sizeof(path)))
		return -EINVAL;
	if ((e->mode & S_IFMT) == S_IFDIR)
		return unpack_directory(path, e);
	if ((e->mode & S_IFMT) == S_IFREG && e->links > 1)
		i = linked_inode(u, e, &error);
	else
		i = create_inode(e, &error);
	if (!i)
		return error;
	set_attributes(i, e);
	error = tree_add(path, i);
	inode_put(i);
	return error;
}

static void forget_links(struct unpacking *u)
{
	while (u->links) {
		struct hard_link *l = u->links;

		u->links = l->next;
		inode_put(l->inode);
		heap_free(l);
	}
}

/* Once more, when all that is in them is there: what was added to a directory changed its time. */
static void set_directory_times(const struct exo_module *module)
{
	struct cpio_reader reader;
	struct cpio_entry e;
	char path[PATH_LENGTH_MAX];

	cpio_open(&reader, (const void *)module->address, module->size);
	while (cpio_next(&reader, &e) == CPIO_ENTRY)
		if ((e.mode & S_IFMT) == S_IFDIR && normalise(e.name, path, sizeof(path)))
			unpack_directory(path, &e);
}

static int unpack(const struct exo_module *module)
{
	struct unpacking u = { .archive = module->name };
	struct cpio_reader reader;
	struct cpio_entry e = { .name = "" };
	enum cpio_result result;
	int error = 0;

	cpio_open(&reader, (const void *)module->address, module->size);
	while ((result = cpio_next(&reader, &e)) == CPIO_ENTRY && error != -ENOMEM) {
		error = unpack_entry(&u, &e);
		if (error)
			log_print("%s: offset %lu: %s cannot be unpacked (error %d)\n", u.archive,
				  e.offset, e.name, -error);
		else
			u.entries++;
	}
	if (result == CPIO_DAMAGED)
		log_print("%s: damaged at offset %lu, after \"%s\": %s\n", u.archive, reader.offset,
			  e.name, reader.damage);
	set_directory_times(module);
	forget_links(&u);
	log_print("%s: %u entries\n", u.archive, u.entries);
	return error == -ENOMEM ? error : 0;
}

int archives_unpack(void)
{
	const struct exo_info *info = (const void *)EXO_INFO_BASE;
	int error = 0;

	for (uint32_t n = 0; n < info->module_count && !error; n++) {
		if (strncmp(info->modules[n].name, "archive", 7) == 0)
			error = unpack(&info->modules[n]);
		else if (strcmp(info->modules[n].name, DOMAIN_BOOT_MODULE) != 0 &&
			 !link_is_known(info->modules[n].name))
			log_print("%s: a module of a kind that is not known here\n",
				  info->modules[n].name);
	}
	return error;
}
