/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-terminals: terminals whose device is a program.
 *
 *	program <--- read of the master <---- output ring <---- line discipline <--- program that has opened
 *	        ---> write to the master ---------------------> line discipline ---> /dev/pts/N, the slave
 *
 * Opening /dev/ptmx makes one, with a number and its name in /dev/pts; it goes when that file is closed.
 * The slave's output ring is what the master reads: nothing is taken out of it but by him.
 *
 * The master's file holds the terminal, and so does each open file of the slave: the last one frees it. The
 * table is where numbers are looked up; what it has is held by the master.
 */
#include "tty/pty.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "fs/device.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/poll.h"
#include "fs/tree_build.h"
#include "proc/process.h"
#include "tty/pty_private.h"

#define MAJOR_OWN 5
#define MINOR_PTMX 2
#define MAJOR_SLAVES 136 /* Linux's, with as many minor numbers as there are in one byte */
#define PTYS 256
#define PTYS_FOR_ROOT 16 /* that others leave */
#define SLAVE_PERMISSIONS 0620
#define SLAVE_GROUP 5 /* tty */
#define NAME_SIZE 4

static struct lock table_lock = LOCK_INIT("pseudo-terminals", RANK_LEAF);
static struct pty *table[PTYS];     /* under table_lock */
static struct inode *pts_directory; /* fixed after pty_init() */

/* ---------------------------------------------------------------- as a terminal's device */

static size_t send(struct tty *t, const uint8_t *bytes, size_t n)
{
	wake_all(&((struct pty *)t->device)->readers, POLLIN | POLLRDNORM);
	return 0;
}

static void resume_input(struct tty *t)
{
	lock_acquire(&t->lock);
	wake_all(&((struct pty *)t->device)->writers, POLLOUT | POLLWRNORM);
	lock_release(&t->lock);
}

static void left(struct tty *t)
{
	wake_all(&((struct pty *)t->device)->readers, WAKE_ANY);
}

static void free_pty(struct tty *t)
{
	struct pty *p = t->device;

	inode_put(p->node);
	heap_free(p);
}

static const struct tty_driver driver = {
	.send = send,
	.resume_input = resume_input,
	.is_program = true,
	.left = left,
	.free = free_pty,
};

/* ---------------------------------------------------------------- numbers and names */

/* The lowest that is free. */
static int take_number(struct pty *p)
{
	unsigned end = current_process()->euid == 0 ? PTYS : PTYS - PTYS_FOR_ROOT;
	int r = -ENOSPC;

	lock_acquire(&table_lock);
	for (unsigned n = 0; n < end && r != 0; n++) {
		if (table[n] == NULL) {
			table[n] = p;
			p->number = n;
			r = 0;
		}
	}
	lock_release(&table_lock);
	return r;
}

static void give_number(struct pty *p)
{
	lock_acquire(&table_lock);
	table[p->number] = NULL;
	lock_release(&table_lock);
}

static int add_name(struct pty *p)
{
	char name[NAME_SIZE];
	size_t length = format(name, sizeof(name), "%u", p->number);
	int error;
	struct inode *node = memfs_create(S_IFCHR | SLAVE_PERMISSIONS,
					  device_number(MAJOR_SLAVES, p->number), &error);

	if (node == NULL)
		return error;
	/* Nobody else knows it yet. */
	inode_set_owner(node, NULL);
	node->gid = SLAVE_GROUP;
	node->device = DEVICE_TERMINALS; /* so no link leads out of the directory */
	lock_acquire(&table_lock);
	p->node = node;
	lock_release(&table_lock);
	mutex_lock(&tree_mutex);
	error = memfs_link(pts_directory, name, length, node);
	mutex_unlock(&tree_mutex);
	return error;
}

/* Unless somebody has done it. */
static void remove_name(struct pty *p)
{
	char name[NAME_SIZE];
	size_t length = format(name, sizeof(name), "%u", p->number);
	struct directory_entry *e;

	mutex_lock(&tree_mutex);
	e = memfs_find(pts_directory, name, length);
	if (e != NULL && e->inode == p->node)
		memfs_unlink(e);
	mutex_unlock(&tree_mutex);
}

/* ---------------------------------------------------------------- the master is opened and closed */

/* A size that nobody has set is none: the program that shows it will say. */
static struct pty *create(void)
{
	struct pty *p = heap_alloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	tty_init(&p->tty, &driver, p, p->output, sizeof(p->output));
	p->tty.window = (struct winsize){ 0 };
	p->locked = true;
	wait_queue_init(&p->readers);
	wait_queue_init(&p->writers);
	tty_turn_init(&p->reading);
	tty_turn_init(&p->writing);
	return p;
}

int pty_open_master(struct file *f)
{
	struct pty *p = create();
	int r = p != NULL ? take_number(p) : -ENOMEM;

	if (p == NULL)
		return r;
	if (r == 0) {
		r = add_name(p);
		if (r != 0)
			give_number(p);
	}
	if (r != 0)
		tty_let_go(&p->tty);
	else
		f->private = p;
	return r;
}

/* The name goes before the number, which is another one's then. */
void pty_release_master(struct file *f)
{
	struct pty *p = f->private;

	remove_name(p);
	give_number(p);
	tty_device_goes(&p->tty);
	tty_let_go(&p->tty);
}

/* ---------------------------------------------------------------- the slave is opened */

/* Not by the number alone: an inode of an earlier terminal that had it, which somebody has kept, lets in
 * whom that one's owner let in. */
static struct pty *find(const struct inode *node)
{
	unsigned number = device_minor(node->rdev);
	struct pty *p;

	lock_acquire(&table_lock);
	p = number < PTYS ? table[number] : NULL;
	if (p != NULL && p->node != node)
		p = NULL;
	if (p != NULL)
		tty_hold(&p->tty);
	lock_release(&table_lock);
	return p;
}

static int slave_open(struct file *f)
{
	struct pty *p = find(f->inode);
	int r = -EIO;
	bool locked;

	if (p == NULL)
		return r;
	lock_acquire(&p->tty.lock);
	locked = p->locked;
	lock_release(&p->tty.lock);
	if (!locked) {
		f->ops = &tty_file_ops;
		f->private = &p->tty;
		r = tty_open(f);
	}
	tty_let_go(&p->tty);
	return r;
}

static const struct file_ops slave_ops = {
	.open = slave_open,
};

void pty_init(void)
{
	int r;

	pts_directory = tree_directory("/dev/pts", 0755, &r);
	if (pts_directory != NULL) {
		pts_directory->device = DEVICE_TERMINALS; /* before anybody sees it */
		r = device_register_range(MAJOR_SLAVES, 0, PTYS, &slave_ops);
	}
	if (r == 0)
		r = device_register("ptmx", DEVICE_FOR_ALL, MAJOR_OWN, MINOR_PTMX, &pty_master_ops, NULL);
	if (r != 0)
		log_print("there are no pseudo-terminals (%d)\n", r);
}
