/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of processes: pidfd_open(2).  Its file holds the process, so it means that one for good, also
 * when it has been waited for and another has its number.
 */
#include "proc/pidfd.h"
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/descriptor.h"
#include "fs/file.h"
#include "fs/poll.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "proc/signal.h"

/* Whoever waits for its end is a poller.  All its tasks have ended before it is a zombie. */
static uint32_t pidfd_poll(struct file *f, struct poll_waiter *w)
{
	struct process *p = f->private;
	bool ended;

	lock_acquire(&process_tree_lock);
	if (w)
		poll_wait(w, p->end_wait, &process_tree_lock);
	ended = p->state == PROCESS_ZOMBIE || p->state == PROCESS_REAPED;
	lock_release(&process_tree_lock);
	return ended ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	process_put(f->private);
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.name = "[pidfd]",
	.release = pidfd_release,
};

struct process *process_of_descriptor(int fd, bool *at_once)
{
	struct file *f = fd_get(fd);
	struct process *p = f && f->ops == &pidfd_ops ? f->private : NULL;

	if (p) {
		process_get(p);
		*at_once = file_flags(f) & O_NONBLOCK;
	}
	if (f)
		file_put(f);
	return p;
}

/* Counted, with a queue for who waits for its end: the one given, if it has none yet, which is then NULL. */
static struct process *find(uint32_t pid, struct wait_queue **queue, int *error)
{
	struct process *p;

	lock_acquire(&process_tree_lock);
	p = process_find(pid);
	if (p) {
		process_get(p);
		if (!p->end_wait) {
			p->end_wait = *queue;
			*queue = NULL;
		}
	} else {
		/* Of a thread there is none. */
		*error = process_find_by_thread(pid) ? -EINVAL : -ESRCH;
	}
	lock_release(&process_tree_lock);
	return p;
}

long sys_pidfd_open(int pid, unsigned flags)
{
	struct wait_queue *queue;
	struct process *p;
	struct file *f;
	int error = 0;

	if (flags & ~O_NONBLOCK || pid <= 0)
		return -EINVAL;
	queue = heap_alloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	wait_queue_init(queue);
	p = find((uint32_t)pid, &queue, &error);
	heap_free(queue);
	if (!p)
		return error;
	f = file_alloc(&pidfd_ops, NULL, p, O_RDWR | flags);
	if (!f) {
		process_put(p);
		return -ENOMEM;
	}
	return fd_install(f, 0, true);
}

long sys_pidfd_send_signal(int fd, int number, uint64_t info_user, unsigned flags)
{
	struct process *p;
	bool unused;
	long r;

	if (flags)
		return -EINVAL;
	p = process_of_descriptor(fd, &unused);
	if (!p)
		return -EBADF;
	r = signal_send_known(p, number, info_user);
	process_put(p);
	return r;
}
