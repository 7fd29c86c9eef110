/* SPDX-License-Identifier: MIT */
/* The registry of character devices: from a number to a driver, and names in /dev. */
#include "fs/device.h"
#include "core/log.h"
#include "core/memory.h"
#include "fs/device_open.h"
#include "fs/memfs.h"
#include "fs/tree_build.h"

#define DEVICE_PATH_MAX 64

struct device {
	struct device *next; /* fixed once it is in the list */
	uint64_t number;     /* the rest is fixed; the first of */
	uint64_t count;      /* that one registration covers */
	const struct file_ops *ops;
	void *private;
};

/* Only ever grows, under device_lock; readers follow it without: a device is filled in before it
 * is published with release, and loads of the head acquire it. */
static struct device *_Atomic devices;
static struct lock device_lock = LOCK_INIT("devices", RANK_LEAF);

static struct device *device_find(uint64_t number)
{
	struct device *d = atomic_load_explicit(&devices, memory_order_acquire);

	while (d && number - d->number >= d->count)
		d = d->next;
	return d;
}

int device_open(struct inode *i, struct file *f)
{
	struct device *d = device_find(i->rdev);

	if (!d)
		return -ENXIO;
	f->ops = d->ops;
	f->private = d->private;
	return 0;
}

static int device_publish(struct device *d)
{
	bool taken;

	lock_acquire(&device_lock);
	taken = device_find(d->number) != NULL;
	if (!taken) {
		d->next = atomic_load_explicit(&devices, memory_order_relaxed);
		atomic_store_explicit(&devices, d, memory_order_release);
	}
	lock_release(&device_lock);
	return taken ? -EEXIST : 0;
}

static int add(uint64_t number, uint64_t count, const struct file_ops *ops, void *private)
{
	struct device *d = heap_alloc(sizeof(*d));
	int error;

	if (!d)
		return -ENOMEM;
	d->number = number;
	d->count = count;
	d->ops = ops;
	d->private = private;
	error = device_publish(d);
	if (error)
		heap_free(d);
	return error;
}

int device_register_range(unsigned major, unsigned minor, unsigned count,
			  const struct file_ops *ops)
{
	return add(device_number(major, minor), count, ops, NULL);
}

int device_register(const char *name, uint32_t permissions, unsigned major, unsigned minor,
		    const struct file_ops *ops, void *private)
{
	uint64_t number = device_number(major, minor);
	char path[DEVICE_PATH_MAX];
	struct inode *node;
	int error = add(number, 1, ops, private);

	if (error)
		return error;
	node = memfs_create(S_IFCHR | permissions, number, &error);
	if (!node)
		return error;
	format(path, sizeof(path), "/dev/%s", name);
	error = tree_add(path, node);
	inode_put(node);
	return error;
}
