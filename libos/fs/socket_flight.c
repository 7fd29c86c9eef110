/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are on their way to somebody, in messages of other sockets.
 *
 *	a pair in flight     an end of it lies in a queue
 *	a pair that carries  such a queue is its own
 *
 * No pair is both.  A listener holds what waits in its backlog, with all that those carry: so they carry no
 * listener, and nothing while theirs is in flight itself.  It may be in flight with what they carried before,
 * or a stranger who has sent them something could keep it from being passed.  So these are all the ways in
 * which one is held by another:
 *
 *	carrier ---> in flight
 *	carrier ---> listener in flight ---> in its backlog ---> in flight, did not listen then
 *
 * The last holds nothing: one that did not listen when it was sent had no backlog, and what comes into that
 * while it is in flight carries nothing.  And the first is not in flight.  So closing it ends all: there are
 * no circles, and no chains that closing would have to go down for long.
 */
#include "abi/errno.h"
#include "core/lock.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

static struct lock flight_lock = LOCK_INIT("sockets in flight", RANK_LEAF);

/* Under the lock. */
static bool may_fly(const struct socket_pair *passed, const struct socket_pair *carrier)
{
	/* If it is seen not to listen, nothing of its backlog has come here before under this lock. */
	return !passed->flight.carries && passed != carrier &&
	       !(carrier->flight.listener && passed->state == SOCKET_LISTENING);
}

static bool may_carry(const struct socket_pair *carrier)
{
	const struct socket_pair *listener = carrier->flight.listener;

	return !carrier->flight.passed && !(listener && listener->flight.passed);
}

static void count_passed(const struct rights *r, int once)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct socket_end *e = socket_of_file(r->files[i]);

		if (e)
			e->pair->flight.passed += (unsigned)once;
	}
}

int flight_begin(struct socket_pair *carrier, struct rights *r)
{
	bool allowed;

	if (!r || !r->sockets)
		return 0;
	lock_acquire(&flight_lock);
	allowed = may_carry(carrier);
	for (unsigned i = 0; i < r->count && allowed; i++) {
		const struct socket_end *e = socket_of_file(r->files[i]);

		allowed = !e || may_fly(e->pair, carrier);
	}
	if (allowed) {
		r->carrier = carrier;
		carrier->flight.carries += r->sockets;
		count_passed(r, 1);
	}
	lock_release(&flight_lock);
	return allowed ? 0 : -ETOOMANYREFS;
}

void flight_end(struct rights *r)
{
	if (!r || !r->sockets)
		return;
	lock_acquire(&flight_lock);
	r->carrier->flight.carries -= r->sockets;
	count_passed(r, -1);
	r->carrier = NULL;
	lock_release(&flight_lock);
}

/* It carries nothing yet: nobody can send. */
void flight_enter_backlog(struct socket_pair *pair, struct socket_pair *listener)
{
	lock_acquire(&flight_lock);
	pair->flight.listener = listener;
	lock_release(&flight_lock);
}

void flight_leave_backlog(struct socket_pair *pair)
{
	lock_acquire(&flight_lock);
	pair->flight.listener = NULL;
	lock_release(&flight_lock);
}
