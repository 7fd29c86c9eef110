/* SPDX-License-Identifier: MIT */
/* getsockopt and setsockopt: those options that mean something for a local socket without a name. */
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/socket.h"
#include "fs/socket_calls.h"
#include "time/timespec.h"

/* As on Linux, no limit is less, and what is asked for is doubled: there for what a message takes beside its
 * bytes, here so that programs find what they find there. */
#define LIMIT_LEAST 4608

static size_t limit_of(int asked)
{
	size_t limit = (size_t)(unsigned)asked * 2;

	if (asked < 0 || limit > SOCKET_LIMIT)
		return SOCKET_LIMIT;
	return limit < LIMIT_LEAST ? LIMIT_LEAST : limit;
}

static struct linux_timeval time_of(uint64_t ns)
{
	return (struct linux_timeval){ (int64_t)(ns / NS_PER_SECOND),
				       (int64_t)(ns % NS_PER_SECOND / NS_PER_US) };
}

/* ---------------------------------------------------------------- what it is */

union value {
	int number;
	struct socket_maker maker;
	struct linux_timeval time;
};

/* Its size, or -errno. */
static long value_of(struct socket_end *e, int option, union value *v)
{
	switch (option) {
	case SO_TYPE:
		v->number = e->pair->type;
		break;
	case SO_DOMAIN:
		v->number = AF_UNIX;
		break;
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
		v->number = 0;
		break;
	case SO_ERROR:
		v->number = socket_take_error(e);
		break;
	case SO_SNDBUF:
		v->number = (int)e->send_limit;
		break;
	case SO_RCVBUF:
		v->number = (int)e->receive_limit;
		break;
	case SO_PEERCRED:
		v->maker = e->pair->maker;
		return sizeof(v->maker);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		v->time = time_of(e->receive_timeout_ns);
		return sizeof(v->time);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		v->time = time_of(e->send_timeout_ns);
		return sizeof(v->time);
	default:
		return -ENOPROTOOPT;
	}
	return sizeof(v->number);
}

static long get_option(struct socket_end *e, int level, int option, uint64_t to, uint64_t size_user)
{
	union value v;
	int room;
	long size;

	if (copy_from_user(&room, size_user, sizeof(room)))
		return -EFAULT;
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (room < 0)
		return -EINVAL;
	size = value_of(e, option, &v);
	if (size < 0)
		return size;
	if (room > (int)size)
		room = (int)size;
	return copy_to_user(to, &v, (size_t)room) ?: copy_to_user(size_user, &room, sizeof(room));
}

long sys_getsockopt(int fd, int level, int option, uint64_t to, uint64_t size_user)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: get_option(r.end, level, option, to, size_user);

	socket_return(r);
	return result;
}

/* ---------------------------------------------------------------- what it is to be */

static long set_timeout(_Atomic uint64_t *timeout_ns, uint64_t from, unsigned size)
{
	struct linux_timeval t;

	if (size < sizeof(t))
		return -EINVAL;
	if (copy_from_user(&t, from, sizeof(t)))
		return -EFAULT;
	if (t.microseconds < 0 || t.microseconds >= 1000000)
		return -EDOM;
	/* As on Linux, a negative one has passed at once. */
	if (t.seconds < 0)
		*timeout_ns = 1;
	else if ((uint64_t)t.seconds >= TIME_NEVER_NS / NS_PER_SECOND)
		*timeout_ns = 0;
	else
		*timeout_ns =
			(uint64_t)t.seconds * NS_PER_SECOND + (uint64_t)t.microseconds * NS_PER_US;
	return 0;
}

static long set_option(struct socket_end *e, int level, int option, uint64_t from, unsigned size)
{
	int number;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
		return set_timeout(&e->receive_timeout_ns, from, size);
	if (option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW)
		return set_timeout(&e->send_timeout_ns, from, size);
	if (size < sizeof(number))
		return -EINVAL;
	if (copy_from_user(&number, from, sizeof(number)))
		return -EFAULT;
	if (option == SO_SNDBUF)
		socket_set_send_limit(e, limit_of(number));
	else if (option == SO_RCVBUF)
		e->receive_limit = limit_of(number);
	else
		return -ENOPROTOOPT;
	return 0;
}

long sys_setsockopt(int fd, int level, int option, uint64_t from, int size)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error;

	if (!result)
		result =
			size < 0 ? -EINVAL : set_option(r.end, level, option, from, (unsigned)size);
	socket_return(r);
	return result;
}
