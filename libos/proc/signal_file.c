/* SPDX-License-Identifier: MIT */
/*
 * signalfd(2): pending signals, read as from a file.
 *
 * Such a file has a set of signals and nothing else.  Whose signals it reads is the matter of who reads it,
 * after a fork or when it has been sent to another process as well: those of the calling task, and those of
 * its process.  So who waits for some does so at his own process, with all others who do:
 *
 *	process --signal_watchers--> tasks in read, poll and select; items of epolls
 *
 * Why no wake is lost: all is under process_tree_lock.  Who waits looks at what is pending for his task
 * and for his process, and is put into the process's queue, under one hold of it; so is who takes
 * signals.  A signal becomes pending for either by signal_queue_add(), under the lock, which then wakes
 * the whole queue: of a signal for one task nobody knows which of them is that task, or is looked at by
 * it.  A standard signal that is pending already wakes nobody, as all have been told of it, or have
 * found it.  And a file's set is changed under the lock, by who then wakes the queue of his process.
 *
 * As on Linux an epoll's item waits at the process that has added it, whoever asks the epoll; and since the
 * answer is about the task that asks, a signal for one thread is told by an epoll that several threads ask
 * only if it is that thread that is woken.  (Others see an epoll that is not ready.)
 *
 * Queue and lock outlive whoever waits: a process that ends leaves what is still in its queue, items of
 * epolls that others have as well, to a queue that nobody wakes.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/signalfd.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "fs/poll.h"
#include "abi/calls.h"
#include "proc/signal_private.h"

/* Pollers of one process's signals: more are refused, since who sends it one wakes all of them with the lock
 * of all processes held. */
#define WATCHERS_MAX 1024

_Static_assert(sizeof(struct signalfd_siginfo) == 128, "Linux's");

struct signal_file {
	uint64_t set; /* under process_tree_lock */
};

/* Of processes that have ended; under process_tree_lock. */
static struct list left_behind = LIST_INIT(left_behind);

/* Most processes never have any, and need not make the queue for them. */
static struct wait_queue *watchers_of(struct process *p)
{
	if (!p->signal_watchers.waiters.next)
		wait_queue_init(&p->signal_watchers);
	return &p->signal_watchers;
}

void signal_watchers_leave_locked(struct process *p)
{
	list_splice_front(&left_behind, &p->signal_watchers.waiters);
}

/* ---------------------------------------------------------------- reading */

/* How Linux tells what is known of a signal, by its number and code. */
static void encode_known(const struct signal_info *info, struct signalfd_siginfo *out)
{
	bool by_number = info->code > SI_USER && info->code < SI_KERNEL;

	if (info->code == SI_TIMER) {
		out->ssi_tid = (uint32_t)info->timer.id;
		out->ssi_overrun = (uint32_t)info->timer.overrun;
		out->ssi_ptr = info->timer.value;
		out->ssi_int = (int32_t)info->timer.value;
	} else if (by_number && (SIGNAL_BIT(info->number) & SIGNALS_SYNCHRONOUS) != 0) {
		out->ssi_addr = info->fault.address;
	} else {
		out->ssi_pid = (uint32_t)info->sender.pid;
		out->ssi_uid = info->sender.uid;
		if (by_number && info->number == SIGCHLD) {
			out->ssi_status = info->child.status;
			out->ssi_utime = info->child.utime;
			out->ssi_stime = info->child.stime;
		} else if (info->code < 0) {
			out->ssi_ptr = info->sender.value;
			out->ssi_int = (int32_t)info->sender.value;
		}
	}
}

static int tell(uint64_t user, const struct signal_info *info)
{
	struct signalfd_siginfo out = {
		.ssi_signo = (uint32_t)info->number,
		.ssi_errno = info->error,
		.ssi_code = info->code,
	};

	encode_known(info, &out);
	return copy_to_user(user, &out, sizeof(out));
}

/* Takes the next signal of the file's set out: 0, -EAGAIN, or -ERESTARTSYS. */
static int take_next(struct file *f, bool wait, struct signal_info *info)
{
	const struct signal_file *file = f->private;
	struct task *t = current();
	int error = 0, number;

	lock_acquire(&process_tree_lock);
	while ((number = signal_take(t, file->set, info)) == 0 && !error) {
		if (!wait)
			error = -EAGAIN;
		else if (wait_on(watchers_of(t->process), &process_tree_lock, WAIT_INTERRUPTIBLE,
				 0) == -EINTR)
			error = -ERESTARTSYS;
	}
	lock_release(&process_tree_lock);
	return number != 0 ? 0 : error;
}

/* As many as there are and fit; it waits for the first alone.  One that cannot be copied is lost, as on
 * Linux. */
static long signal_file_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct signal_info info;
	size_t done = 0;
	int error = 0;

	if (n < sizeof(struct signalfd_siginfo))
		return -EINVAL;
	while (n - done >= sizeof(struct signalfd_siginfo) && !error) {
		error = take_next(f, done == 0 && !(f->flags & O_NONBLOCK), &info);
		if (!error)
			error = tell(user + done, &info);
		if (!error)
			done += sizeof(struct signalfd_siginfo);
	}
	return done ? (long)done : error;
}

/* ---------------------------------------------------------------- waiting */

static bool has_room(const struct wait_queue *q)
{
	unsigned n = 0;

	list_for_each(node, &q->waiters)
		n++;
	return n < WATCHERS_MAX;
}

static uint32_t signal_file_poll(struct file *f, struct poll_waiter *w)
{
	const struct signal_file *file = f->private;
	struct task *t = current();
	struct process *p = t->process;
	bool ready;

	lock_acquire(&process_tree_lock);
	if (w && !has_room(watchers_of(p)))
		w->refused = true;
	else if (w)
		poll_wait(w, watchers_of(p), &process_tree_lock);
	ready = ((t->signal_pending | p->signal_pending) & file->set) != 0;
	lock_release(&process_tree_lock);
	return ready ? POLLIN : 0;
}

static void signal_file_release(struct file *f)
{
	heap_free(f->private);
}

static const struct file_ops signal_file_ops = {
	.read = signal_file_read,
	.poll = signal_file_poll,
	.name = "[signalfd]",
	.release = signal_file_release,
};

/* ---------------------------------------------------------------- the calls */

static long make_file(uint64_t set, int flags)
{
	struct signal_file *file = heap_alloc(sizeof(*file));
	struct file *f;

	if (!file)
		return -ENOMEM;
	file->set = set;
	f = file_alloc(&signal_file_ops, NULL, file, O_RDWR | (flags & O_NONBLOCK));
	if (!f) {
		heap_free(file);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & O_CLOEXEC);
}

/* What is pending may be in the new set: whoever waits looks again. */
static long change_set(int fd, uint64_t set)
{
	struct file *f = fd_get(fd);
	long result = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->ops == &signal_file_ops) {
		struct signal_file *file = f->private;

		lock_acquire(&process_tree_lock);
		file->set = set;
		wake_all(watchers_of(current_process()), POLLIN);
		lock_release(&process_tree_lock);
		result = fd;
	}
	file_put(f);
	return result;
}

long sys_signalfd4(int fd, uint64_t set_user, uint64_t set_size, int flags)
{
	uint64_t set;

	if (set_size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, set_user, sizeof(set)) != 0)
		return -EFAULT;
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	set &= ~SIGNALS_UNMASKABLE;
	return fd == -1 ? make_file(set, flags) : change_set(fd, set);
}

long sys_signalfd(int fd, uint64_t set_user, uint64_t set_size)
{
	return sys_signalfd4(fd, set_user, set_size, 0);
}
