/* SPDX-License-Identifier: MIT */
/* Terminals: input from the device, and the output ring.  See tty.h. */
#include "tty/tty.h"
#include <asm/poll.h>
#include <asm/signal.h>
#include "proc/process.h"
#include "proc/signal.h"

#define DEFAULT_ROWS 24
#define DEFAULT_COLUMNS 80
/* Of the line discipline with the lock held, and those of one byte more: a piece of what is typed usually has
 * two for each byte. */
#define STEPS_MAX (4 * TTY_PIECE)

/* With the lock held.  Echo that finds the ring full is dropped, as on Linux: the input stays. */
static bool echo(void *context, const uint8_t *bytes, size_t n)
{
	struct tty *t = context;

	if (n > tty_output_room(t))
		return false;
	for (size_t i = 0; i < n; i++)
		*tty_output_at(t, t->output_write++) = bytes[i];
	return true;
}

void tty_init(struct tty *t, const struct tty_driver *driver, void *device, uint8_t *output,
	      uint32_t output_size)
{
	t->driver = driver;
	t->device = device;
	t->output = output;
	t->output_size = output_size;
	t->references = 1;
	lock_init(&t->lock, "tty", RANK_TTY);
	line_init(&t->line, echo, t);
	wait_queue_init(&t->readers);
	wait_queue_init(&t->writers);
	wait_queue_init(&t->turn);
	tty_turn_init(&t->writing);
	t->window.ws_row = DEFAULT_ROWS;
	t->window.ws_col = DEFAULT_COLUMNS;
}

void tty_let_go(struct tty *t)
{
	/* Release, so that what others did to it comes before; acquire, so that who frees it sees that. */
	if (atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) == 1)
		t->driver->free(t);
}

static void wake_writers(struct tty *t)
{
	if (tty_has_output_room(t))
		wake_all(&t->writers, POLLOUT | POLLWRNORM);
}

size_t tty_take_output(struct tty *t, uint8_t *to, size_t n)
{
	size_t taken = 0;

	while (taken < n && tty_output_used(t) != 0)
		to[taken++] = *tty_output_at(t, t->output_read++);
	wake_writers(t);
	return taken;
}

void tty_push(struct tty *t)
{
	while (tty_output_used(t) != 0 && !t->line.stopped) {
		uint32_t at = t->output_read & (t->output_size - 1);
		uint32_t n = tty_output_used(t);
		size_t taken;

		if (n > t->output_size - at)
			n = t->output_size - at;
		taken = t->driver->send(t, t->output + at, n);
		t->output_read += (uint32_t)taken;
		if (taken < n)
			break;
	}
	wake_writers(t);
}

void tty_output_ready(struct tty *t)
{
	lock_acquire(&t->lock);
	tty_push(t);
	lock_release(&t->lock);
}

bool tty_wants_input(struct tty *t, size_t n)
{
	bool wants;

	lock_acquire(&t->lock);
	wants = line_has_room(&t->line, n);
	t->input_refused = !wants;
	lock_release(&t->lock);
	return wants;
}

void tty_resume_input(struct tty *t)
{
	if (t->driver->resume_input)
		t->driver->resume_input(t);
}

/* The terminal's lock has been dropped: signal state ranks before it. */
void tty_tell(struct tty *t, unsigned events)
{
	if ((events & (LINE_INTERRUPT | LINE_QUIT | LINE_SUSPEND)) == 0)
		return;
	lock_acquire(&process_tree_lock);
	if (t->foreground != 0) {
		if ((events & LINE_INTERRUPT) != 0)
			signal_send_group_locked(t->foreground, SIGINT, NULL);
		if ((events & LINE_QUIT) != 0)
			signal_send_group_locked(t->foreground, SIGQUIT, NULL);
		if ((events & LINE_SUSPEND) != 0)
			signal_send_group_locked(t->foreground, SIGTSTP, NULL);
	}
	lock_release(&process_tree_lock);
}

size_t tty_input_locked(struct tty *t, const uint8_t *bytes, size_t n, unsigned *events)
{
	uint32_t first_step = t->line.steps;
	size_t done = 0;

	*events = 0;
	while (done < n && t->line.steps - first_step < STEPS_MAX) {
		unsigned event = line_input(&t->line, bytes[done++]);

		if ((event & LINE_FLUSHED) != 0) {
			/* What the program wrote before goes; the echo of this byte came after it. */
			uint32_t echoed = tty_output_used(t) < 2 ? tty_output_used(t) : 2;

			t->output_read = t->output_write - echoed;
		}
		*events |= event;
	}
	if ((*events & LINE_READABLE) != 0)
		wake_all(&t->readers, POLLIN | POLLRDNORM);
	tty_push(t);
	return done;
}

bool tty_input(struct tty *t, const uint8_t *bytes, size_t n)
{
	size_t done = 0, count;
	unsigned events;

	do {
		lock_acquire(&t->lock);
		count = tty_input_locked(t, bytes + done, n - done, &events);
		lock_release(&t->lock);
		tty_tell(t, events);
		done += count;
	} while (done < n);
	return count == n;
}
