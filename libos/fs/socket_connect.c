/* SPDX-License-Identifier: MIT */
/*
 * How streams find each other: listen, connect, accept.
 *
 *	connect:   FRESH -> CONNECTING; make a file for the other end
 *	           listener's lock { room in the backlog: put it there, wake one who accepts }
 *	           -> CONNECTED
 *	accept:    listener's lock { take the oldest, wake one who connects }
 *
 * No task holds the locks of two pairs.  So it may be accepted, written to and closed before connect() says
 * CONNECTED: its own end is there since the beginning, and takes all that.
 *
 * Those who accept sleep as receivers of the listener's end 0; those for whom there is no room, as senders of
 * its end 1.  One is woken for each that comes or goes, and whoever leaves, for whatever reason, wakes the
 * next if there is still something for him.
 */
#include "core/memory.h"
#include "fs/descriptor.h"
#include "fs/poll.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

#define BACKLOG_MAX 4096 /* Linux's net.core.somaxconn */
#define BACKLOG_OF_NETWORK 128 /* at least: there is nobody here who would try again later */

/* Under the lock. */
static void set_state(struct socket_pair *pair, enum socket_state to)
{
	static const uint8_t allowed[] = {
		[SOCKET_FRESH] = 1 << SOCKET_CONNECTING | 1 << SOCKET_LISTENING,
		[SOCKET_CONNECTING] = 1 << SOCKET_CONNECTED | 1 << SOCKET_FRESH,
		[SOCKET_CONNECTED] = 0,
		[SOCKET_LISTENING] = 1 << SOCKET_FRESH,
	};

	ASSERT_INVARIANT(allowed[pair->state] & 1 << to);
	pair->state = to;
}

/* ---------------------------------------------------------------- under a listener's lock */

static bool has_room(const struct socket_pair *listener)
{
	return listener->backlog_count < listener->backlog_limit;
}

static bool is_listening(const struct socket_pair *pair)
{
	return pair->state == SOCKET_LISTENING && !pair->ends[0].closed &&
	       !(pair->ends[0].shut & SHUT_IN);
}

static void wake_acceptor(struct socket_pair *listener)
{
	if (!list_empty(&listener->backlog))
		wake_one(&listener->ends[0].receivers, WAKE_ANY);
}

static void wake_connector(struct socket_pair *listener)
{
	if (has_room(listener))
		wake_one(&listener->ends[1].senders, WAKE_ANY);
}

void socket_take_backlog(struct socket_pair *listener, struct list *taken)
{
	list_splice_front(taken, &listener->backlog);
	listener->backlog_count = 0;
}

void socket_drop_backlog(struct list *taken)
{
	while (!list_empty(taken)) {
		struct list *first = list_pop_front(taken);
		struct socket_pair *pair = list_entry(first, struct socket_pair, backlog_link);

		flight_leave_backlog(pair);
		file_put(pair->accepted);
	}
}

/* ---------------------------------------------------------------- listen */

/* As on Linux one more than is asked for. */
static unsigned backlog_limit(const struct socket_pair *listener, int backlog)
{
	if (backlog < 0 || backlog > BACKLOG_MAX)
		return BACKLOG_MAX;
	if (listener->family == AF_INET && backlog < BACKLOG_OF_NETWORK)
		return BACKLOG_OF_NETWORK;
	return (unsigned)backlog + 1;
}

long socket_listen(struct socket_end *e, int backlog)
{
	struct socket_pair *pair = e->pair;
	long error = 0;

	if (!socket_is_connected(e))
		return -EOPNOTSUPP;
	error = socket_bind_any(e, INADDR_ANY);
	if (error)
		return error;
	if (!socket_name_of(e).size || e != &pair->ends[0])
		return -EINVAL;
	lock_acquire(&pair->lock);
	if (pair->state == SOCKET_FRESH && !pair->connect_untold)
		error = socket_bind_listener(pair);
	else if (pair->state != SOCKET_LISTENING)
		error = -EINVAL;
	if (!error) {
		if (pair->state == SOCKET_FRESH) {
			set_state(pair, SOCKET_LISTENING);
			/* Of AF_UNIX it stays shut, as on Linux. */
			if (pair->family == AF_INET)
				e->shut = 0;
		}
		e->maker = socket_maker_now();
		pair->backlog_limit = backlog_limit(pair, backlog);
		wake_connector(pair); /* who wakes the next */
	}
	lock_release(&pair->lock);
	return error;
}

void socket_stop_listening(struct socket_pair *listener, struct list *taken)
{
	socket_take_backlog(listener, taken);
	socket_unbind_listener(listener);
	listener->ends[0].shut = 0;
	set_state(listener, SOCKET_FRESH);
}

/* ---------------------------------------------------------------- connect */

/* Under the lock: what became of the connection that was in progress.  If nothing did, there may be
 * another. */
static long tell_locked(struct socket_end *e)
{
	int error;

	e->pair->connect_untold = false;
	if (e->pair->state == SOCKET_CONNECTED)
		return 0;
	e->shut = 0;
	error = socket_take_error_locked(e);
	return error ? -error : -ECONNABORTED;
}

/* *more: the connection is to be made. */
static long begin(struct socket_end *e, bool *more)
{
	struct socket_pair *pair = e->pair;
	long error = 0;

	*more = false;
	lock_acquire(&pair->lock);
	if (e == &pair->ends[0] && pair->connect_untold)
		error = tell_locked(e);
	else if (e != &pair->ends[0] || pair->state == SOCKET_CONNECTED)
		error = -EISCONN;
	else if (pair->state == SOCKET_LISTENING)
		error = pair->family == AF_INET ? -EISCONN : -EINVAL;
	else if (pair->state == SOCKET_CONNECTING)
		error = -EALREADY;
	else
		*more = true;
	if (*more) {
		set_state(pair, SOCKET_CONNECTING);
		e->maker = socket_maker_now();
	}
	lock_release(&pair->lock);
	return error;
}

/*
 * Over a network there is an answer only after connect() has come back, if it does not wait, as late as it
 * may be looked for: programs know of EINPROGRESS, and some of nothing else.  Here the answer is there at
 * once; it is not told before poll, SO_ERROR or the next call ask.
 */
static long leave_untold(struct socket_pair *pair, long error)
{
	struct socket_end *e = &pair->ends[0];

	if (error && error != -ECONNREFUSED)
		return error;
	pair->connect_untold = true;
	if (error) {
		e->error = ECONNREFUSED;
		e->shut = SHUT_BOTH;
		wake_all(&e->pollers, WAKE_ANY);
	}
	return -EINPROGRESS;
}

/* If it has failed, the other end has been made and closed again, and this one is as if nothing had been. */
static long finish(struct file *f, long error)
{
	struct socket_pair *pair = ((struct socket_end *)f->private)->pair;

	lock_acquire(&pair->lock);
	set_state(pair, error ? SOCKET_FRESH : SOCKET_CONNECTED);
	if (!error) {
		/* Another thread may have shut it, when there was nobody yet to be told. */
		socket_tell_shut(&pair->ends[0]);
		/* Who was called for what came before has looked, and saw that it was alone. */
		wake_all(&pair->ends[0].pollers, WAKE_ANY);
	} else {
		pair->ends[0].shut = 0;
		pair->ends[0].error = 0;
	}
	if (pair->family == AF_INET && file_flags(f) & O_NONBLOCK)
		error = leave_untold(pair, error);
	lock_release(&pair->lock);
	return error;
}

/* Waits under the listener's lock until there is room: 0 or -errno. */
static long await_backlog(struct socket_pair *listener, bool at_once, uint64_t deadline_ns)
{
	long ended = 0;

	for (;;) {
		if (!is_listening(listener))
			return -ECONNREFUSED;
		if (has_room(listener))
			return 0;
		/* A network's connection is there at once, or refused: nothing would come of it later. */
		if (at_once && listener->family == AF_INET)
			return -ECONNREFUSED;
		if (at_once || ended)
			return ended ?: -EAGAIN;
		ended = socket_sleep(&listener->ends[1].senders, &listener->lock, deadline_ns);
	}
}

/* Nobody else looks at the other end yet. */
static void inherit(struct socket_end *e, const struct socket_end *from)
{
	e->maker = from->maker;
	for (unsigned i = 0; i < SOCKET_OPTIONS; i++)
		e->options[i] = from->options[i];
	if (e->pair->family != AF_INET)
		return;
	e->send_limit = from->send_limit;
	e->receive_limit = from->receive_limit;
	e->receive_timeout_ns = from->receive_timeout_ns;
	e->send_timeout_ns = from->send_timeout_ns;
	e->linger = from->linger;
}

static long join(struct file *f, struct socket_pair *listener,
		 const struct socket_name *listeners_name)
{
	struct socket_end *e = f->private, *other = socket_other(e);
	struct socket_pair *pair = e->pair;
	uint64_t deadline_ns = socket_deadline(e->send_timeout_ns);
	long error;

	lock_acquire(&listener->lock);
	error = await_backlog(listener, file_flags(f) & O_NONBLOCK, deadline_ns);
	if (!error) {
		other->name = *listeners_name;
		inherit(other, &listener->ends[0]);
		flight_enter_backlog(pair, listener);
		list_push_back(&listener->backlog, &pair->backlog_link);
		listener->backlog_count++;
		wake_acceptor(listener);
		wake_all(&listener->ends[0].pollers, POLLIN | POLLRDNORM);
	}
	wake_connector(listener);
	lock_release(&listener->lock);
	return error;
}

/* The other end, in the listener's backlog. */
static long make_other_end(struct file *f, struct socket_pair *listener,
			   const struct socket_name *to)
{
	struct socket_end *e = f->private;
	struct socket_name name = socket_name_of(&listener->ends[0]);
	struct file *accepted = socket_file_create(socket_other(e), 0);
	long error;

	if (!accepted)
		return -ENOMEM;
	if (to->family == AF_INET)
		name.internet.sin_addr = to->internet.sin_addr;
	e->pair->accepted = accepted;
	error = join(f, listener, &name);
	if (error)
		file_put(accepted);
	return error;
}

static long connect_to_listener(struct file *f, const struct socket_name *to)
{
	struct socket_end *e = f->private;
	struct socket_pair *listener;
	int none;
	long error = socket_bind_any(e, SOCKET_LOOPBACK);

	if (error)
		return error;
	listener = socket_find(to, e->pair->type, NULL, &none);
	if (!listener)
		return none;
	if (to->family == AF_INET)
		socket_settle_address(e);
	error = make_other_end(f, listener, to);
	socket_pair_put(listener);
	return error;
}

long socket_connect(struct file *f, const struct socket_name *to)
{
	struct socket_end *e = f->private;
	bool more;
	long error;

	if (to->size == sizeof(to->family))
		return -EINVAL;
	error = begin(e, &more);
	if (!more)
		return error;
	error = to->family == AF_INET && !socket_name_is_here(to) ? -ENETUNREACH
								  : connect_to_listener(f, to);
	return finish(f, error);
}

/* ---------------------------------------------------------------- accept */

/* Waits under the lock until there is one: 0 or -errno. */
static long await_connection(struct socket_pair *listener, bool at_once, uint64_t deadline_ns)
{
	long ended = 0;

	for (;;) {
		/* Those that came before it was shut are still there. */
		if (!list_empty(&listener->backlog))
			return 0;
		if (!is_listening(listener))
			return -EINVAL;
		if (at_once || ended)
			return ended ?: -EAGAIN;
		ended = socket_sleep(&listener->ends[0].receivers, &listener->lock, deadline_ns);
	}
}

struct file *socket_accept(struct file *f, long *error)
{
	struct socket_end *e = f->private;
	struct socket_pair *listener = e->pair;
	uint64_t deadline_ns = socket_deadline(e->receive_timeout_ns);
	struct file *accepted = NULL;

	*error = -EOPNOTSUPP;
	if (!socket_is_connected(e))
		return NULL;
	*error = -EINVAL;
	if (e != &listener->ends[0])
		return NULL;
	lock_acquire(&listener->lock);
	*error = await_connection(listener, file_flags(f) & O_NONBLOCK, deadline_ns);
	if (!*error) {
		struct list *first = list_pop_front(&listener->backlog);
		struct socket_pair *pair = list_entry(first, struct socket_pair, backlog_link);

		listener->backlog_count--;
		flight_leave_backlog(pair);
		accepted = pair->accepted;
		pair->accepted = NULL;
	}
	wake_connector(listener);
	wake_acceptor(listener);
	lock_release(&listener->lock);
	return accepted;
}
