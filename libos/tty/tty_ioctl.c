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

	if (t->driver->is_program)
		return 0;
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

static uint32_t bits_per_second(tcflag_t control)
{
	static const uint32_t speeds[] = {
		0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
		/* With CBAUDEX. */
		57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000,
		2000000, 2500000, 3000000, 3500000, 4000000,
	};

	return speeds[(control & 15) + (control & CBAUDEX ? 15 : 0)];
}

/* The same with speeds as numbers, as newer C libraries ask for them. */
static long get_settings_and_speeds(struct tty *t, uint64_t user)
{
	struct termios2 settings;

	lock_acquire(&t->lock);
	memcpy(&settings, &t->line.settings, sizeof(t->line.settings));
	lock_release(&t->lock);
	settings.c_ispeed = settings.c_ospeed = bits_per_second(settings.c_cflag);
	return copy_to_user(user, &settings, sizeof(settings));
}

/* Of struct termios2 as well, which begins as struct termios: a speed that only has a number is not set. */
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
	if ((settings.c_cflag & CBAUD) == BOTHER)
		settings.c_cflag = (settings.c_cflag & ~(tcflag_t)CBAUD) |
				   (t->line.settings.c_cflag & CBAUD);
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
	long r = tty_check_foreground(t, SIGTTOU);

	if (r != 0)
		return r;
	if (action != TCOOFF && action != TCOON)
		return action == TCIOFF || action == TCION ? 0 : -EINVAL;
	lock_acquire(&t->lock);
	line_hold(&t->line, action == TCOOFF);
	tty_push(t);
	lock_release(&t->lock);
	return 0;
}

/* A break is not sent: no line here needs one. */
static long send_break(struct tty *t)
{
	long r = tty_check_foreground(t, SIGTTOU);

	return r != 0 ? r : drain_output(t);
}

static long put_int(uint64_t user, uint32_t value)
{
	return copy_to_user(user, &value, sizeof(value));
}

static long count(struct tty *t, unsigned command, uint64_t user)
{
	uint32_t n;

	lock_acquire(&t->lock);
	n = command == TIOCOUTQ ? tty_output_used(t) : (uint32_t)line_count(&t->line);
	lock_release(&t->lock);
	return put_int(user, n);
}

/* Job control. */
static long control(struct tty *t, const struct file *f, unsigned command, uint64_t argument)
{
	uint32_t number;
	long r;

	switch (command) {
	case TIOCSCTTY:
		return tty_acquire(t, f, argument == 1);
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
		if (r == -EIO) /* of an orphaned group: as Linux says it here */
			return -ENOTTY;
		return r != 0 ? r : tty_set_foreground(t, number);
	}
}

long tty_ioctl(struct tty *t, const struct file *f, unsigned command, uint64_t argument)
{
	switch (command) {
	case TCGETS:
		return get_settings(t, argument);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, command, argument);
	case TCGETS2:
		return get_settings_and_speeds(t, argument);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_settings(t, TCSETS + (command - TCSETS2), argument);
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
		return send_break(t);
	case FIONREAD:
	case TIOCOUTQ:
		return count(t, command, argument);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
		return control(t, f, command, argument);
	default:
		return -ENOTTY;
	}
}
