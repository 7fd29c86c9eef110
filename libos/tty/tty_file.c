/* SPDX-License-Identifier: MIT */
/* Files opened on terminals: reading, writing, waiting.  How they are opened: tty_open.h. */
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/poll.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/timespec.h"
#include "tty/tty.h"
#include "tty/tty_open.h"

#define PIECE TTY_PIECE
#define RESUME_ROOM 1024 /* held-back input goes on when there is so much room */
#define VTIME_UNIT_NS 100000000ul

/* ------------------------------------------------------------------ reading */

/* What VMIN and VTIME ask of one read; canonical reads have least = 1 and no limit. */
struct read_plan {
	bool canonical;
	size_t least;          /* bytes to wait for */
	uint64_t limit_ns;     /* how long, 0 for ever */
	bool from_first_byte;  /* the limit starts anew with each byte */
};

/* With the lock held. */
static struct read_plan read_plan(const struct tty *t, size_t n)
{
	const struct termios *s = &t->line.settings;
	struct read_plan plan = { .canonical = (s->c_lflag & ICANON) != 0, .least = 1 };

	if (plan.canonical)
		return plan;
	plan.least = s->c_cc[VMIN] < n ? s->c_cc[VMIN] : n;
	plan.limit_ns = s->c_cc[VTIME] * VTIME_UNIT_NS;
	plan.from_first_byte = s->c_cc[VMIN] != 0;
	if (!plan.from_first_byte && plan.limit_ns != 0)
		plan.least = 1;
	return plan;
}

/*
 * Waits until a read may return: 1, 0 (time is up or hung up: return what there is) or an error.
 * With the lock held, which it drops while it sleeps.
 */
static int wait_readable(struct tty_open *o, const struct file *f, size_t n)
{
	struct tty *t = o->tty;
	struct read_plan plan = read_plan(t, n);
	uint64_t deadline_ns = 0;
	size_t seen = line_available(&t->line);

	if (plan.limit_ns != 0 && !plan.from_first_byte)
		deadline_ns = deadline_after(plan.limit_ns);
	for (;;) {
		size_t available = line_available(&t->line);
		int r;

		if (tty_open_is_dead(o) || plan.least == 0 ||
		    line_is_readable(&t->line, plan.least))
			return !tty_open_is_dead(o);
		if ((f->flags & O_NONBLOCK) != 0)
			return !plan.canonical && available != 0 ? 1 : -EAGAIN;
		/* What our time began with may have been read by another. */
		if (plan.from_first_byte && available == 0)
			deadline_ns = 0;
		if (plan.from_first_byte && plan.limit_ns != 0 && available != 0 &&
		    (deadline_ns == 0 || available != seen))
			deadline_ns = deadline_after(plan.limit_ns);
		seen = available;
		if (deadline_ns != 0 && time_now_ns() >= deadline_ns)
			return 1;
		r = wait_on(&t->readers, &t->lock, WAIT_INTERRUPTIBLE, deadline_ns);
		/* Another task may have changed the settings, or read what had come. */
		plan = read_plan(t, n);
		if (r == -EINTR && !line_is_readable(&t->line, 1))
			return -ERESTARTSYS;
		if (r == -EINTR)
			return 1;
	}
}

/* With the lock held: until no other read is in the midst of taking its bytes.  0 or an error. */
static int wait_turn(struct tty *t, const struct file *f)
{
	while (t->reading) {
		if ((f->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		if (wait_on(&t->turn, &t->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR && t->reading)
			return -ERESTARTSYS;
	}
	return 0;
}

/* As wait_readable(), and it is our turn: what has been read by another meanwhile is not there any more. */
static int wait_to_take(struct tty_open *o, const struct file *f, size_t n)
{
	int r;

	do {
		r = wait_turn(o->tty, f);
		if (r == 0)
			r = wait_readable(o, f, n);
	} while (r > 0 && o->tty->reading);
	return r;
}

/*
 * Takes what is there piece by piece: in canonical mode to the end of the line.  With the lock held
 * since the input was seen, so that another reader cannot take it in between and this one come back
 * with nothing, which means the end of the file; drops it.
 */
static long take_pieces(struct tty_open *o, uint64_t user, size_t n)
{
	struct tty *t = o->tty;
	uint8_t piece[PIECE];
	size_t done = 0, got;
	bool ended, resume;

	for (;;) {
		got = line_read(&t->line, piece, n - done < PIECE ? n - done : PIECE, &ended);
		resume = t->input_refused && line_has_room(&t->line, RESUME_ROOM);
		if (resume)
			t->input_refused = false;
		lock_release(&t->lock);
		if (resume)
			tty_resume_input(t);
		if (copy_to_user(user + done, piece, got) != 0)
			return done != 0 ? (long)done : -EFAULT;
		done += got;
		if (got == 0 || ended || done == n)
			return (long)done;
		lock_acquire(&t->lock);
		/* Hung up meanwhile: what has come since is the next session's. */
		if (tty_open_is_dead(o)) {
			lock_release(&t->lock);
			return (long)done;
		}
	}
}

/* The lock is dropped between two pieces: `reading` keeps others from the rest of the line. */
static long take(struct tty_open *o, uint64_t user, size_t n)
{
	struct tty *t = o->tty;
	long result;

	t->reading = true;
	result = take_pieces(o, user, n);
	lock_acquire(&t->lock);
	t->reading = false;
	wake_all(&t->turn, WAKE_ANY);
	lock_release(&t->lock);
	return result;
}

static long tty_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct tty_open *o = f->private;
	int r = tty_check_foreground(o->tty, SIGTTIN);

	if (r != 0)
		return r;
	if (n == 0)
		return 0;
	lock_acquire(&o->tty->lock);
	r = wait_to_take(o, f, n);
	if (r > 0)
		return take(o, user, n);
	lock_release(&o->tty->lock);
	return r;
}

/* ------------------------------------------------------------------ writing */

/* Where a write comes from. */
struct source {
	uint64_t user;      /* in the program, or */
	const uint8_t *own; /* in the libos if this is set */
};

static int source_copy(const struct source *s, size_t offset, uint8_t *to, size_t n)
{
	if (s->own == NULL)
		return copy_from_user(to, s->user + offset, n);
	memcpy(to, s->own + offset, n);
	return 0;
}

/* With the lock held: room for a piece with what output processing may add.  0 or an error. */
static int wait_writable(struct tty_open *o, const struct file *f)
{
	struct tty *t = o->tty;

	while (!tty_has_output_room(t)) {
		if (tty_open_is_dead(o))
			return -EIO;
		if ((f->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		if (wait_on(&t->writers, &t->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			return -ERESTARTSYS;
	}
	return tty_open_is_dead(o) ? -EIO : 0;
}

/* With the lock held: into the ring, through output processing; returns the bytes used up. */
static size_t put(struct tty *t, const uint8_t *bytes, size_t n)
{
	uint8_t out[PIECE];
	size_t done = 0;

	while (done < n) {
		size_t used, made = line_output(&t->line, bytes + done, n - done, out, PIECE, &used);

		if (made > tty_output_room(t))
			break;
		for (size_t i = 0; i < made; i++)
			*tty_output_at(t, t->output_write++) = out[i];
		done += used;
	}
	tty_push(t);
	return done;
}

/* With the lock held.  Who did not wait for the turn hears that there is room. */
static void end_turn(struct tty *t)
{
	tty_turn_end(&t->writing);
	if (tty_has_output_room(t))
		wake_all(&t->writers, POLLOUT | POLLWRNORM);
}

/* The lock is dropped between two pieces, the turn is kept: so what one call writes stays together. */
static long write_pieces(struct tty_open *o, const struct file *f, const struct source *s, size_t n)
{
	struct tty *t = o->tty;
	uint8_t piece[PIECE];
	size_t done = 0;
	bool has_turn = false;
	int r;

	for (;;) {
		size_t count = n - done < PIECE ? n - done : PIECE;

		r = source_copy(s, done, piece, count);
		lock_acquire(&t->lock);
		if (r == 0 && !has_turn) {
			r = tty_open_is_dead(o) ? -EIO : tty_turn_take(&t->writing, &t->lock, f);
			has_turn = r == 0;
		}
		if (r == 0)
			r = wait_writable(o, f);
		if (r == 0)
			done += put(t, piece, count);
		if (r != 0 || done == n)
			break;
		lock_release(&t->lock);
	}
	if (has_turn)
		end_turn(t);
	lock_release(&t->lock);
	return done != 0 ? (long)done : r;
}

static long write_from(struct file *f, const struct source *s, size_t n)
{
	struct tty_open *o = f->private;
	int r = 0;

	if ((o->tty->line.settings.c_lflag & TOSTOP) != 0)
		r = tty_check_foreground(o->tty, SIGTTOU);
	return r == 0 && n != 0 ? write_pieces(o, f, s, n) : r;
}

static long tty_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct source s = { .user = user };

	return write_from(f, &s, n);
}

static long tty_write_kernel(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	struct source s = { .own = data };

	return write_from(f, &s, n);
}

/* ------------------------------------------------------------------ the rest */

static uint32_t tty_poll(struct file *f, struct poll_waiter *w)
{
	struct tty_open *o = f->private;
	struct tty *t = o->tty;
	const struct termios *s = &t->line.settings;
	uint32_t events = 0;

	lock_acquire(&t->lock);
	if (w != NULL) {
		poll_wait(w, &t->readers, &t->lock);
		poll_wait(w, &t->writers, &t->lock);
	}
	if (line_is_readable(&t->line, s->c_cc[VTIME] == 0 ? s->c_cc[VMIN] : 1))
		events |= POLLIN | POLLRDNORM;
	if (tty_has_output_room(t))
		events |= POLLOUT | POLLWRNORM;
	if (tty_open_is_dead(o))
		events |= POLLIN | POLLHUP | POLLERR;
	lock_release(&t->lock);
	return events;
}

static long tty_file_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct tty_open *o = f->private;

	return tty_open_is_dead(o) ? -EIO : tty_ioctl(o->tty, f, command, argument);
}

const struct file_ops tty_file_ops = {
	.open = tty_open,
	.read = tty_read,
	.write = tty_write,
	.write_kernel = tty_write_kernel,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
	.release = tty_release,
};
