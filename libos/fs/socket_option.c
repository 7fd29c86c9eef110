/* SPDX-License-Identifier: MIT */
/*
 * getsockopt and setsockopt.  Of many options programs only want that there are: how a network is to send,
 * where here is none.  Those are kept, and told.
 */
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/socket.h"
#include "fs/socket_calls.h"
#include "time/timespec.h"
#include <linux/tcp.h>

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

/* ---------------------------------------------------------------- those that are kept */

static const struct kept {
	int level, name, first;
} kept[SOCKET_OPTIONS] = {
	{ SOL_SOCKET, SO_REUSEADDR, 0 }, /* this one is looked at: fs/socket_bind.c */
	{ SOL_SOCKET, SO_KEEPALIVE, 0 },
	{ SOL_SOCKET, SO_BROADCAST, 0 },
	{ SOL_SOCKET, SO_OOBINLINE, 0 },
	{ SOL_SOCKET, SO_PRIORITY, 0 },
	{ IPPROTO_TCP, TCP_NODELAY, 0 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 7200 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 75 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 9 },
	{ IPPROTO_TCP, TCP_CORK, 0 },
	{ IPPROTO_TCP, TCP_QUICKACK, 1 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 0 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 0 },
	{ IPPROTO_IP, IP_TOS, 0 },
	{ IPPROTO_IP, IP_TTL, 64 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT },
};

/* NULL: there is none of that kind. */
static _Atomic int *find_kept(struct socket_end *e, int level, int name)
{
	const struct socket_pair *pair = e->pair;

	if (level == IPPROTO_TCP && pair->type != SOCK_STREAM)
		return NULL;
	if (level != SOL_SOCKET && pair->family != AF_INET)
		return NULL;
	for (unsigned i = 0; i < SOCKET_OPTIONS; i++)
		if (kept[i].level == level && kept[i].name == name)
			return &e->options[i];
	return NULL;
}

int socket_option(struct socket_end *e, int level, int name)
{
	_Atomic int *option = find_kept(e, level, name);

	return option ? *option : 0;
}

void socket_init_options(struct socket_end *e)
{
	for (unsigned i = 0; i < SOCKET_OPTIONS; i++)
		e->options[i] = kept[i].first;
}

/* ---------------------------------------------------------------- what it is */

/* Linux's struct linger, as one. */
union linger_word {
	struct {
		int32_t is_on, seconds;
	};
	uint64_t both;
};

union value {
	int number;
	struct socket_maker maker;
	struct linux_timeval time;
	union linger_word linger;
};

int socket_protocol(int family, int type)
{
	return family != AF_INET ? 0 : type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
}

/* Who is at the other side; as on Linux nobody while that is not known, or by a network. */
static struct socket_maker maker_of_other(struct socket_end *e)
{
	struct socket_maker maker = { 0, (uint32_t)-1, (uint32_t)-1 };

	lock_acquire(&e->pair->lock);
	if (socket_is_joined(e) && e->pair->family == AF_UNIX)
		maker = socket_other(e)->maker;
	lock_release(&e->pair->lock);
	return maker;
}

/* Its size, or -errno. */
static long value_of(struct socket_end *e, int option, union value *v)
{
	switch (option) {
	case SO_TYPE:
		v->number = e->pair->type;
		break;
	case SO_DOMAIN:
		v->number = e->pair->family;
		break;
	case SO_PROTOCOL:
		v->number = socket_protocol(e->pair->family, e->pair->type);
		break;
	case SO_ACCEPTCONN:
		v->number = e->pair->state == SOCKET_LISTENING;
		break;
	case SO_LINGER:
		v->linger.both = e->linger;
		return sizeof(v->linger);
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
		v->maker = maker_of_other(e);
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
	_Atomic int *of_kept = find_kept(e, level, option);
	union value v = { 0 };
	int room;
	long size = sizeof(v.number);

	if (copy_from_user(&room, size_user, sizeof(room)))
		return -EFAULT;
	if (level != SOL_SOCKET && e->pair->family != AF_INET)
		return -EOPNOTSUPP;
	if (room < 0)
		return -EINVAL;
	if (of_kept)
		v.number = *of_kept;
	else
		size = level == SOL_SOCKET ? value_of(e, option, &v) : -ENOPROTOOPT;
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

static long read_value(void *value, size_t wanted, uint64_t from, unsigned size)
{
	return size < wanted ? -EINVAL : copy_from_user(value, from, wanted);
}

static long set_timeout(_Atomic uint64_t *timeout_ns, uint64_t from, unsigned size)
{
	struct linux_timeval t;
	long error = read_value(&t, sizeof(t), from, size);

	if (error)
		return error;
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

static long set_kept(_Atomic int *option, bool is_truth, uint64_t from, unsigned size)
{
	int number;
	long error = read_value(&number, sizeof(number), from, size);

	if (!error)
		*option = is_truth ? number != 0 : number;
	return error;
}

static long set_linger(struct socket_end *e, uint64_t from, unsigned size)
{
	union linger_word word;
	long error = read_value(&word, sizeof(word), from, size);

	if (!error)
		e->linger = word.both;
	return error;
}

static long set_option(struct socket_end *e, int level, int option, uint64_t from, unsigned size)
{
	_Atomic int *of_kept = find_kept(e, level, option);
	int number;
	long error;

	if (of_kept)
		return set_kept(of_kept, level == SOL_SOCKET && option != SO_PRIORITY, from, size);
	if (level != SOL_SOCKET)
		return e->pair->family == AF_INET ? -ENOPROTOOPT : -EOPNOTSUPP;
	if (option == SO_LINGER)
		return set_linger(e, from, size);
	if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
		return set_timeout(&e->receive_timeout_ns, from, size);
	if (option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW)
		return set_timeout(&e->send_timeout_ns, from, size);
	error = read_value(&number, sizeof(number), from, size);
	if (error)
		return error;
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
