/* SPDX-License-Identifier: MIT */
/* Terminals: input from the device, and the output ring.  See tty.h. */
#include "tty/tty.h"
#include <asm/poll.h>
#include <asm/signal.h>
#include "proc/process.h"
#include "proc/signal.h"

#define DEFAULT_ROWS 24
#define DEFAULT_COLUMNS 80

static uint32_t output_room(const struct tty *t)
{
	return TTY_OUTPUT_SIZE - tty_output_used(t);
}

/* With the lock held.  Echo that finds the ring full is dropped, as on Linux: the input stays. */
static void echo(void *context, const uint8_t *bytes, size_t n)
{
	struct tty *t = context;

	if (n > output_room(t))
		return;
	for (size_t i = 0; i < n; i++)
		t->output[t->output_write++ % TTY_OUTPUT_SIZE] = bytes[i];
}

void tty_init(struct tty *t, const struct tty_driver *driver, void *device)
{
	t->driver = driver;
	t->device = device;
	t->references = 1;
	lock_init(&t->lock, "tty", RANK_TTY);
	line_init(&t->line, echo, t);
	wait_queue_init(&t->readers);
	wait_queue_init(&t->writers);
	wait_queue_init(&t->turn);
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
	if (output_room(t) >= TTY_OUTPUT_SIZE / 2)
		wake_all(&t->writers, POLLOUT | POLLWRNORM);
}

size_t tty_take_output(struct tty *t, uint8_t *to, size_t n)
{
	size_t taken = 0;

	while (taken < n && tty_output_used(t) != 0)
		to[taken++] = t->output[t->output_read++ % TTY_OUTPUT_SIZE];
	wake_writers(t);
	return taken;
}

void tty_push(struct tty *t)
{
	while (tty_output_used(t) != 0 && !t->line.stopped) {
		uint32_t at = t->output_read % TTY_OUTPUT_SIZE;
		uint32_t n = tty_output_used(t);
		size_t taken;

		if (n > TTY_OUTPUT_SIZE - at)
			n = TTY_OUTPUT_SIZE - at;
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

unsigned tty_input_locked(struct tty *t, const uint8_t *bytes, size_t n)
{
	unsigned events = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned event = line_input(&t->line, bytes[i]);

		if ((event & LINE_FLUSHED) != 0) {
			/* What the program wrote before goes; the echo of this byte came after it. */
			uint32_t echoed = tty_output_used(t) < 2 ? tty_output_used(t) : 2;

			t->output_read = t->output_write - echoed;
		}
		events |= event;
	}
	if ((events & LINE_READABLE) != 0)
		wake_all(&t->readers, POLLIN | POLLRDNORM);
	tty_push(t);
	return events;
}

void tty_input(struct tty *t, const uint8_t *bytes, size_t n)
{
	unsigned events;

	lock_acquire(&t->lock);
	events = tty_input_locked(t, bytes, n);
	lock_release(&t->lock);
	tty_tell(t, events);
}
