/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are on their way to somebody, in messages of other sockets.
 *
 *	a pair in flight     an end of it lies in a queue
 *	a pair that carries  such a queue is its own; or, of a listener, that of one in its backlog
 *
 * No pair is both, so what is in flight is held by one that a descriptor leads to, or by a listener
 * that one leads to, and closing that ends all: there are no circles, and no chains that closing would
 * have to go down.
 */
#include "abi/errno.h"
#include "core/lock.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

static struct lock flight_lock = LOCK_INIT("sockets in flight", RANK_LEAF);

/* Under the lock. */
static bool may_fly(const struct socket_pair *passed, const struct socket_pair *carrier)
{
	return !passed->flight.carries && passed != carrier && passed != carrier->flight.listener;
}

static bool may_carry(const struct socket_pair *carrier)
{
	const struct socket_pair *listener = carrier->flight.listener;

	return !carrier->flight.passed && !(listener && listener->flight.passed);
}

/* How many more sockets it carries, or fewer. */
static void load(struct socket_pair *carrier, int sockets)
{
	carrier->flight.carries += (unsigned)sockets;
	if (carrier->flight.listener)
		carrier->flight.listener->flight.carries += (unsigned)sockets;
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
		load(carrier, (int)r->sockets);
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
	load(r->carrier, -(int)r->sockets);
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
	if (pair->flight.listener)
		pair->flight.listener->flight.carries -= pair->flight.carries;
	pair->flight.listener = NULL;
	lock_release(&flight_lock);
}
