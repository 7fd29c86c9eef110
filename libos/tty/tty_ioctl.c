/* SPDX-License-Identifier: MIT */
/* Terminal settings, sizes and queues: ioctl(2) on a terminal, as ioctl_tty(2) describes it. */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "tty/tty.h"

/* Sleeps until all output has been given to the device.  0 or -ERESTARTSYS. */
static int drain_output(struct tty *t)
{
	int r = 0;

	lock_acquire(&t->lock);
	while (r == 0 && tty_output_used(t) != 0)
		r = wait_on(&t->writers, &t->lock, WAIT_INTERRUPTIBLE, 0);
	lock_release(&t->lock);
	return r == 0 ? 0 : -ERESTARTSYS;
}

static long get_settings(struct tty *t, uint64_t user)
{
	struct termios settings;

	lock_acquire(&t->lock);
	settings = t->line.settings;
	lock_release(&t->lock);
	return copy_to_user(user, &settings, sizeof(settings));
}

static long set_settings(struct tty *t, unsigned command, uint64_t user)
{
	struct termios settings;
	long r = tty_check_foreground(t, SIGTTOU);

	if (r != 0)
		return r;
	if (copy_from_user(&settings, user, sizeof(settings)) != 0)
		return -EFAULT;
	if (command != TCSETS) {
		r = drain_output(t);
		if (r != 0)
			return r;
	}
	lock_acquire(&t->lock);
	if (command == TCSETSF)
		line_flush_input(&t->line);
	line_change_settings(&t->line, &settings);
	tty_push(t);
	/* A reader that waited for a line may now be content with a byte. */
	wake_all(&t->readers, WAKE_ANY);
	lock_release(&t->lock);
	if (command == TCSETSF)
		tty_resume_input(t);
	return 0;
}

static long get_window(struct tty *t, uint64_t user)
{
	struct winsize window;

	lock_acquire(&t->lock);
	window = t->window;
	lock_release(&t->lock);
	return copy_to_user(user, &window, sizeof(window));
}

static long set_window(struct tty *t, uint64_t user)
{
	struct winsize window;
	bool changed;

	if (copy_from_user(&window, user, sizeof(window)) != 0)
		return -EFAULT;
	lock_acquire(&t->lock);
	changed = memcmp(&t->window, &window, sizeof(window)) != 0;
	t->window = window;
	lock_release(&t->lock);
	if (changed) {
		lock_acquire(&process_tree_lock);
		if (t->foreground != 0)
			signal_send_group_locked(t->foreground, SIGWINCH, NULL);
		lock_release(&process_tree_lock);
	}
	return 0;
}

static long flush(struct tty *t, uint64_t which)
{
	long r = tty_check_foreground(t, SIGTTOU);

	if (r != 0)
		return r;
	if (which > TCIOFLUSH)
		return -EINVAL;
	lock_acquire(&t->lock);
	if (which != TCOFLUSH)
		line_flush_input(&t->line);
	if (which != TCIFLUSH) {
		t->output_read = t->output_write;
		tty_push(t);
	}
	lock_release(&t->lock);
	if (which != TCOFLUSH)
		tty_resume_input(t);
	return 0;
}

static long flow(struct tty *t, uint64_t action)
{
	if (action != TCOOFF && action != TCOON)
		return action == TCIOFF || action == TCION ? 0 : -EINVAL;
	lock_acquire(&t->lock);
	t->line.stopped = action == TCOOFF;
	tty_push(t);
	lock_release(&t->lock);
	return 0;
}

static long put_int(uint64_t user, uint32_t value)
{
	return copy_to_user(user, &value, sizeof(value));
}

static long count(struct tty *t, unsigned command, uint64_t user)
{
	uint32_t n;

	lock_acquire(&t->lock);
	n = command == TIOCOUTQ ? tty_output_used(t) : (uint32_t)line_available(&t->line);
	lock_release(&t->lock);
	return put_int(user, n);
}

/* Job control. */
static long control(struct tty *t, unsigned command, uint64_t argument)
{
	uint32_t number;
	long r;

	switch (command) {
	case TIOCSCTTY:
		return tty_acquire(t, argument == 1);
	case TIOCNOTTY:
		return tty_give_up(t);
	case TIOCGPGRP:
		r = tty_get_foreground(t, &number);
		return r != 0 ? r : put_int(argument, number);
	case TIOCGSID:
		r = tty_get_session(t, &number);
		return r != 0 ? r : put_int(argument, number);
	default:
		if (copy_from_user(&number, argument, sizeof(number)) != 0)
			return -EFAULT;
		r = tty_check_foreground(t, SIGTTOU);
		return r != 0 ? r : tty_set_foreground(t, number);
	}
}

long tty_ioctl(struct tty *t, unsigned command, uint64_t argument)
{
	switch (command) {
	case TCGETS:
		return get_settings(t, argument);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, command, argument);
	case TIOCGWINSZ:
		return get_window(t, argument);
	case TIOCSWINSZ:
		return set_window(t, argument);
	case TCFLSH:
		return flush(t, argument);
	case TCXONC:
		return flow(t, argument);
	case TCSBRK:
	case TCSBRKP:
		return drain_output(t); /* a break is not sent: no line here needs one */
	case FIONREAD:
	case TIOCOUTQ:
		return count(t, command, argument);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
		return control(t, command, argument);
	default:
		return -ENOTTY;
	}
}
