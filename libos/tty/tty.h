/* SPDX-License-Identifier: MIT */
/*
 * Terminals: a device below, the line discipline in the middle, files above.
 *
 *	device --interrupt--> tty_input() --> line discipline --> tty_read()   --> program
 *	device <--send()----- output ring <-- line discipline <-- tty_write() <-- program
 *	                            ^------------- echo
 *
 * Input and echo happen in event context; programs read and write in task context.  The output
 * ring keeps what the device does not take at once, so that echo never waits and nothing is lost.
 */
#ifndef LIBOS_TTY_H
#define LIBOS_TTY_H

#include <asm/termios.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/name_tree.h"
#include "core/wait.h"
#include "tty/line_discipline.h"
#include "tty/tty_turn.h"

struct file;
struct file_ops;
struct process;
struct tty;

#define TTY_PIECE 256u /* bytes moved with the lock held, so that masked time stays short */
#define TTY_OUTPUT_SIZE 4096u /* of a device that takes what comes; a power of two, as others */
/* Who writes finds room for a piece, each byte of which may be a tab. */
#define TTY_OUTPUT_ROOM (TTY_PIECE * 8)

struct tty_driver {
	/* With t->lock held, any context: takes up to n bytes.  If it takes fewer it calls
	 * tty_output_ready() when it can take more. */
	size_t (*send)(struct tty *t, const uint8_t *bytes, size_t n);
	/* No lock held; there is room again after tty_wants_input() has said no.  May be NULL. */
	void (*resume_input)(struct tty *t);

	/* The rest is of pseudo-terminals alone (tty/pty.c), whose device is a program: what has been written
	 * counts as sent, and a session that ends leaves them to that program. */
	bool is_program;
	/* With t->lock held: nobody has it open any more. */
	void (*left)(struct tty *t);
	/* No lock held: nobody knows it any more. */
	void (*free)(struct tty *t);
};

struct tty {
	/* Fixed after tty_init(). */
	const struct tty_driver *driver;
	void *device;    /* of the driver */
	uint8_t *output; /* a ring, under lock */
	uint32_t output_size;

	/* Any CPU: the device's, those of open files, and of who uses it otherwise (tty_hold). */
	_Atomic uint32_t references;

	struct lock lock;

	/* Under lock. */
	struct line_discipline line;
	uint32_t output_read, output_write; /* free-running */
	struct wait_queue readers, writers;
	bool reading;           /* a read takes its bytes piece by piece; others wait */
	struct wait_queue turn; /* of those for the end of that */
	struct tty_turn writing;
	struct winsize window;
	bool input_refused;                 /* the driver holds input back for want of room */
	/* Files opened before the last one are dead.  Changed under process_tree_lock as well, so either is
	 * enough to read it. */
	uint32_t hangups;
	bool gone; /* its device, for good: nobody opens it any more.  Changed and read as `hangups` */
	bool opened; /* once; and `open_files` are open that are not dead, the console's not counted */
	uint32_t open_files;

	/* Under process_tree_lock. */
	uint32_t session, foreground;       /* 0: none */
	struct named foreground_named;      /* keeps its number, while there is one (tty_job.c) */
	uint32_t lost_by;                   /* once it has gone: who led its session, and lives; or 0 */
	struct list lost_link;              /* of those, which are held; tty_job.c */
};

/* The rest is cleared. */
void tty_init(struct tty *t, const struct tty_driver *driver, void *device, uint8_t *output,
	      uint32_t output_size);

static inline void tty_hold(struct tty *t)
{
	/* Relaxed: who holds it already, or process_tree_lock and finds it as a controlling terminal. */
	atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
}
void tty_let_go(struct tty *t); /* task context, no lock held */

/* With t->lock held: up to n bytes, for which there is room, one at least; how many.  Fewer when they were
 * much work, as a long line is to print again: the lock is to be dropped before the rest.  And in *events
 * what tty_tell() is to do then. */
size_t tty_input_locked(struct tty *t, const uint8_t *bytes, size_t n, unsigned *events);
void tty_tell(struct tty *t, unsigned events);
/* Any context, no lock of rank >= RANK_PROCESS held.  False: they were much work. */
bool tty_input(struct tty *t, const uint8_t *bytes, size_t n);
/* Is there room for n more bytes?  If not the driver holds them back until resume_input(). */
bool tty_wants_input(struct tty *t, size_t n);
/* Input has been read or thrown away: what the driver holds back for want of room may come.  No lock held. */
void tty_resume_input(struct tty *t);
/* The device can take more. */
void tty_output_ready(struct tty *t);

/* With t->lock held: hands as much of the ring as it takes to the device. */
void tty_push(struct tty *t);
/* With t->lock held, of a device that is a program: it takes up to n bytes of the ring. */
size_t tty_take_output(struct tty *t, uint8_t *to, size_t n);
static inline uint32_t tty_output_used(const struct tty *t)
{
	return t->output_write - t->output_read;
}

static inline uint32_t tty_output_room(const struct tty *t)
{
	return t->output_size - tty_output_used(t);
}

static inline bool tty_has_output_room(const struct tty *t)
{
	return tty_output_room(t) >= TTY_OUTPUT_ROOM;
}

static inline uint8_t *tty_output_at(const struct tty *t, uint32_t index)
{
	return &t->output[index & (t->output_size - 1)];
}

/* The operations of a file opened on a terminal (private = the struct tty, replaced by open), of
 * /dev/console (likewise), and of /dev/tty, which is whatever terminal controls the caller. */
extern const struct file_ops tty_file_ops;
int tty_open(struct file *f); /* that of tty_file_ops */
extern const struct file_ops tty_console_ops;
extern const struct file_ops tty_own_ops;

/* tty_ioctl.c; f has been opened on it, or is its master. */
long tty_ioctl(struct tty *t, const struct file *f, unsigned command, uint64_t argument);

/* tty_job.c: job control (POSIX.1-2017 chapter 11.1). */
/* May the caller read (SIGTTIN) or write and change (SIGTTOU)?  0, -EIO or -ERESTARTSYS after
 * the signal has been sent. */
int tty_check_foreground(struct tty *t, int signal);
/* A session leader without a terminal gets this one, if no other session has it, and f may be read: who may
 * only write to a terminal would get to read it, by /dev/tty. */
void tty_acquire_by_open(struct tty *t, const struct file *f);
int tty_acquire(struct tty *t, const struct file *f, bool steal);
int tty_give_up(struct tty *t);
int tty_get_foreground(struct tty *t, uint32_t *group);
int tty_set_foreground(struct tty *t, uint32_t group);
int tty_get_session(struct tty *t, uint32_t *session);
int tty_get_foreground_of(struct tty *t, uint32_t *group); /* whoever asks */
int tty_get_session_of(struct tty *t, uint32_t *session);  /* likewise; -ENOTTY: it has none */
/* The caller's terminal, counted, and what its `hangups` are while it is that; or NULL. */
struct tty *tty_of_caller(uint32_t *hangups);
/* The device has gone: its session hears of it, and all files are dead.  Task context, no lock held. */
void tty_device_goes(struct tty *t);

#endif
