/* SPDX-License-Identifier: MIT */
/* Terminals are opened and closed: see tty_open.h. */
#include "tty/tty_open.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/file.h"
#include "fs/linux.h"

/* The file holds the terminal from now on. */
static struct tty_open *open_on(struct file *f, struct tty *t)
{
	struct tty_open *o = heap_alloc(sizeof(*o));

	if (o != NULL) {
		tty_hold(t);
		o->tty = t;
		f->private = o;
	}
	return o;
}

/* The file is one of those that are open, unless a hangup since has made it dead. */
static int enter(struct tty_open *o, bool is_new)
{
	struct tty *t = o->tty;
	int r = 0;

	lock_acquire(&t->lock);
	if (is_new)
		o->hangups = t->hangups;
	if (t->gone)
		r = -EIO;
	else if (!tty_open_is_dead(o)) {
		t->opened = true;
		t->open_files++;
	}
	lock_release(&t->lock);
	return r;
}

static int finish(struct file *f, int r)
{
	struct tty_open *o = f->private;

	if (r != 0) {
		tty_let_go(o->tty);
		heap_free(o);
	}
	return r;
}

/* The hangups are those of after the terminal has become ours: the end of the session that had it before is
 * among them. */
int tty_open(struct file *f)
{
	struct tty_open *o = open_on(f, f->private);

	if (o == NULL)
		return -ENOMEM;
	if ((f->flags & O_NOCTTY) == 0)
		tty_acquire_by_open(o->tty, f);
	return finish(f, enter(o, true));
}

/* As on Linux, the console becomes nobody's controlling terminal by being opened: process 1, which
 * leads a session, would keep it from the shells that it starts.  And a hangup leaves it alone:
 * the next shell inherits process 1's. */
static int console_open(struct file *f)
{
	struct tty_open *o = open_on(f, f->private);

	if (o == NULL)
		return -ENOMEM;
	o->survives = true;
	f->ops = &tty_file_ops;
	return 0;
}

/* /dev/tty becomes the terminal that controls the process which opens it. */
static int own_open(struct file *f)
{
	uint32_t hangups;
	struct tty *t = tty_of_caller(&hangups);
	struct tty_open *o;
	int r = -ENOMEM;

	if (t == NULL)
		return -ENXIO;
	o = open_on(f, t);
	if (o != NULL) {
		o->hangups = hangups;
		f->ops = &tty_file_ops;
		r = finish(f, enter(o, false));
	}
	tty_let_go(t);
	return r;
}

void tty_release(struct file *f)
{
	struct tty_open *o = f->private;
	struct tty *t = o->tty;

	lock_acquire(&t->lock);
	if (!o->survives && !tty_open_is_dead(o) && --t->open_files == 0 && t->driver->left != NULL)
		t->driver->left(t);
	lock_release(&t->lock);
	tty_let_go(t);
	heap_free(o);
}

const struct file_ops tty_console_ops = {
	.open = console_open,
};

const struct file_ops tty_own_ops = {
	.open = own_open,
};
