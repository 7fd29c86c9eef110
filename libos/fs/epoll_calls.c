/* SPDX-License-Identifier: MIT */
/* The system calls of epoll(7). */
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/epoll.h"
#include "fs/poll_wait.h"
#include "proc/signal.h"

#define EVENTS_MAX (INT32_MAX / sizeof(struct epoll_event))
/* What may stand beside EPOLLEXCLUSIVE. */
#define EXCLUSIVE_ALLOWS (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* ---------------------------------------------------------------- making one */

long sys_epoll_create1(int flags)
{
	struct epoll *ep;
	struct file *f;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	ep = epoll_create();
	if (!ep)
		return -ENOMEM;
	f = file_alloc(&epoll_file_ops, NULL, ep, O_RDWR);
	if (!f) {
		epoll_release(ep);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & EPOLL_CLOEXEC);
}

/* The size has been a hint, and means nothing any more. */
long sys_epoll_create(int size)
{
	return size > 0 ? sys_epoll_create1(0) : -EINVAL;
}

/* ---------------------------------------------------------------- changing items */

static int change(struct epoll *ep, int operation, struct file *f, int fd, const struct epoll_event *event)
{
	switch (operation) {
	case EPOLL_CTL_ADD:
		if ((event->events & EPOLLEXCLUSIVE) &&
		    (epoll_of_file(f) || event->events & ~EXCLUSIVE_ALLOWS))
			return -EINVAL;
		return epoll_add(ep, f, fd, event);
	case EPOLL_CTL_MOD:
		return event->events & EPOLLEXCLUSIVE ? -EINVAL : epoll_change(ep, f, fd, event);
	case EPOLL_CTL_DEL:
		return epoll_delete(ep, f, fd);
	default:
		return -EINVAL;
	}
}

static int change_file(struct file *epf, int operation, struct file *f, int fd,
		       const struct epoll_event *event)
{
	struct epoll *ep = epoll_of_file(epf);
	int error;

	if (f->flags & O_PATH || epf->flags & O_PATH)
		return -EBADF;
	/* A file that is always ready, as those on a disk are, cannot be waited for. */
	if (!f->ops->poll)
		return -EPERM;
	if (!ep || f == epf)
		return -EINVAL;
	mutex_lock(&ep->mutex);
	error = change(ep, operation, f, fd, event);
	mutex_unlock(&ep->mutex);
	return error;
}

long sys_epoll_ctl(int epfd, int operation, int fd, uint64_t user)
{
	struct epoll_event event = { 0 };
	struct file *epf, *f;
	long result = -EBADF;

	if (operation != EPOLL_CTL_DEL && copy_from_user(&event, user, sizeof(event)))
		return -EFAULT;
	epf = fd_get(epfd);
	/* Counted in any case: one without a count could go while its item is made. */
	f = epf ? fd_get(fd) : NULL;
	if (f)
		result = change_file(epf, operation, f, fd, &event);
	if (f)
		file_put(f);
	if (epf)
		file_put(epf);
	return result;
}

/* ---------------------------------------------------------------- waiting */

static long wait_on_descriptor(int epfd, uint64_t user, int max, struct poll_limit limit)
{
	struct fd_ref r;
	struct epoll *ep;
	long result = -EINVAL;

	if (max <= 0 || (unsigned)max > EVENTS_MAX)
		return -EINVAL;
	r = fd_borrow(epfd);
	if (!r.file || r.file->flags & O_PATH)
		result = -EBADF;
	ep = r.file ? epoll_of_file(r.file) : NULL;
	if (ep)
		result = epoll_wait_for(ep, user, (unsigned)max, limit);
	fd_return(r);
	return result;
}

/* Is never made again by itself, whether a handler runs or not. */
static long wait_with_mask(int epfd, uint64_t user, int max, struct poll_limit limit, uint64_t mask,
			   uint64_t mask_size)
{
	int error = signal_mask_replace_by(mask, mask_size);

	if (error)
		return error;
	return signal_mask_restore_after(mask, wait_on_descriptor(epfd, user, max, limit));
}

long sys_epoll_wait(int epfd, uint64_t user, int max, int timeout_ms)
{
	return wait_on_descriptor(epfd, user, max, poll_limit_ms(timeout_ms));
}

long sys_epoll_pwait(int epfd, uint64_t user, int max, int timeout_ms, uint64_t mask, uint64_t mask_size)
{
	return wait_with_mask(epfd, user, max, poll_limit_ms(timeout_ms), mask, mask_size);
}

long sys_epoll_pwait2(int epfd, uint64_t user, int max, uint64_t timeout, uint64_t mask, uint64_t mask_size)
{
	struct poll_limit limit;
	int error = poll_limit_timespec(timeout, &limit);

	return error ? error : wait_with_mask(epfd, user, max, limit, mask, mask_size);
}
