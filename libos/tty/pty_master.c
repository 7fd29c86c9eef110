/* SPDX-License-Identifier: MIT */
/* The master of a pseudo-terminal is used: see pty.c. */
#include <asm/ioctls.h>
#include "abi/errno.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/poll.h"
#include "proc/signal.h"
#include "tty/pty_private.h"

#define PIECE TTY_PIECE

/* With the lock held: nobody has the slave any more. */
static bool is_left(const struct pty *p)
{
	return p->tty.opened && p->tty.open_files == 0;
}

/* With the lock held: what has been stopped stays, unless nobody will let it go on. */
static bool has_output(const struct pty *p)
{
	return tty_output_used(&p->tty) != 0 && (!p->tty.line.stopped || is_left(p));
}

/* With the lock held, which it drops while it sleeps: 0 or an error. */
static int wait_for_output(struct pty *p, const struct file *f)
{
	while (!has_output(p)) {
		if (is_left(p))
			return -EIO;
		if ((f->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		if (wait_on(&p->readers, &p->tty.lock, WAIT_INTERRUPTIBLE, 0) == -EINTR &&
		    !has_output(p))
			return -ERESTARTSYS;
	}
	return 0;
}

/* With the lock held, which it drops: what there is, piece by piece. */
static long take_pieces(struct pty *p, uint64_t user, size_t n)
{
	uint8_t piece[PIECE];
	size_t done = 0, count;

	for (;;) {
		count = has_output(p) ? tty_take_output(&p->tty, piece,
							n - done < PIECE ? n - done : PIECE)
				      : 0;
		lock_release(&p->tty.lock);
		if (copy_to_user(user + done, piece, count) != 0)
			return done != 0 ? (long)done : -EFAULT;
		done += count;
		if (count == 0 || done == n)
			return (long)done;
		lock_acquire(&p->tty.lock);
	}
}

static long master_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct pty *p = f->private;
	long r;

	if (n == 0)
		return 0;
	lock_acquire(&p->tty.lock);
	r = tty_turn_take(&p->reading, &p->tty.lock, f);
	if (r == 0) {
		r = wait_for_output(p, f);
		if (r == 0) {
			r = take_pieces(p, user, n);
			lock_acquire(&p->tty.lock);
		}
		tty_turn_end(&p->reading);
	}
	lock_release(&p->tty.lock);
	return r;
}

/* With the lock held, which it drops while it sleeps: 0 or an error.  Why no room is missed: who reads
 * looks for `input_refused` under the lock, after he has made the room. */
static int wait_for_room(struct pty *p, const struct file *f)
{
	while (!line_has_room(&p->tty.line, 1)) {
		if ((f->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		p->tty.input_refused = true;
		if (wait_on(&p->writers, &p->tty.lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			return -ERESTARTSYS;
	}
	return 0;
}

/* With the lock held: as many of the bytes as there is room for, one at least; how many. */
static size_t put(struct pty *p, const uint8_t *bytes, size_t n, unsigned *events)
{
	while (n > 1 && !line_has_room(&p->tty.line, n))
		n /= 2;
	return tty_input_locked(&p->tty, bytes, n, events);
}

/* With the lock held.  Who did not wait for the turn hears that there is room. */
static void end_writing(struct pty *p)
{
	tty_turn_end(&p->writing);
	if (line_has_room(&p->tty.line, 1))
		wake_all(&p->writers, POLLOUT | POLLWRNORM);
}

/* The lock is dropped between two pieces, the turn is kept: so what one call writes stays together. */
static long master_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct pty *p = f->private;
	uint8_t piece[PIECE];
	size_t done = 0;
	bool has_turn = false, ends = n == 0;
	int r = 0;

	while (!ends) {
		size_t count = n - done < PIECE ? n - done : PIECE;
		unsigned events = 0;

		r = copy_from_user(piece, user + done, count) != 0 ? -EFAULT : 0;
		lock_acquire(&p->tty.lock);
		if (r == 0 && !has_turn) {
			r = tty_turn_take(&p->writing, &p->tty.lock, f);
			has_turn = r == 0;
		}
		if (r == 0)
			r = wait_for_room(p, f);
		if (r == 0)
			done += put(p, piece, count, &events);
		ends = r != 0 || done == n;
		if (ends && has_turn)
			end_writing(p);
		lock_release(&p->tty.lock);
		tty_tell(&p->tty, events);
	}
	return done != 0 ? (long)done : r;
}

static uint32_t master_poll(struct file *f, struct poll_waiter *w)
{
	struct pty *p = f->private;
	struct tty *t = &p->tty;
	uint32_t events = 0;

	lock_acquire(&t->lock);
	if (w != NULL) {
		poll_wait(w, &p->readers, &t->lock);
		poll_wait(w, &p->writers, &t->lock);
	}
	if (has_output(p))
		events |= POLLIN | POLLRDNORM;
	if (is_left(p))
		events |= POLLHUP;
	if (line_has_room(&t->line, 1))
		events |= POLLOUT | POLLWRNORM;
	else
		t->input_refused = true;
	lock_release(&t->lock);
	return events;
}

static long put_int(uint64_t user, long r, uint32_t value)
{
	return r != 0 ? r : copy_to_user(user, &value, sizeof(value));
}

static long set_locked(struct pty *p, uint64_t user)
{
	uint32_t value;

	if (copy_from_user(&value, user, sizeof(value)) != 0)
		return -EFAULT;
	lock_acquire(&p->tty.lock);
	p->locked = value != 0;
	lock_release(&p->tty.lock);
	return 0;
}

/* What it does not know itself is of the terminal, whatever its session. */
static long master_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct pty *p = f->private;
	struct tty *t = &p->tty;
	uint32_t value, waiting;
	bool is_locked;
	long r;

	lock_acquire(&t->lock);
	is_locked = p->locked;
	waiting = tty_output_used(t);
	lock_release(&t->lock);
	switch (command) {
	case TIOCGPTN:
		return put_int(argument, 0, p->number);
	case TIOCSPTLCK:
		return set_locked(p, argument);
	case TIOCGPTLCK:
		return put_int(argument, 0, is_locked);
	case TIOCGPGRP:
		r = tty_get_foreground_of(t, &value);
		return put_int(argument, r, value);
	case TIOCGSID:
		r = tty_get_session_of(t, &value);
		return put_int(argument, r, value);
	case FIONREAD:
		return put_int(argument, 0, waiting);
	case TIOCOUTQ:
		return put_int(argument, 0, 0);
	case TCFLSH:
		/* What goes in here comes out there, and what has been sent is not taken back. */
		if (argument == TCOFLUSH)
			return 0;
		return tty_ioctl(t, f, command, argument <= TCIOFLUSH ? TCOFLUSH : argument);
	default:
		return tty_ioctl(t, f, command, argument);
	}
}

const struct file_ops pty_master_ops = {
	.open = pty_open_master,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = pty_release_master,
};
