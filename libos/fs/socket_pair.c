/* SPDX-License-Identifier: MIT */
/* Sockets and pairs of them: how they are made, what they keep, how they end. */
#include "core/memory.h"
#include "fs/descriptor.h"
#include "fs/inode.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"
#include "proc/process.h"

/* Relaxed: only has to differ each time. */
static _Atomic uint64_t last_number;

/* Through /proc/PID/fd: as on Linux, a socket is not opened. */
static int reopen(struct inode *i, struct file *f)
{
	return -ENXIO;
}

static const struct inode_ops socket_inode_ops = { .open = reopen };

struct socket_maker socket_maker_now(void)
{
	const struct process *p = current_process();

	return (struct socket_maker){ p->pid, p->euid, p->egid };
}

static bool init_end(struct socket_pair *pair, struct socket_end *e)
{
	e->pair = pair;
	e->maker = socket_maker_now();
	e->closed = true;
	e->send_limit = e->receive_limit = SOCKET_LIMIT;
	socket_init_options(e);
	wait_queue_init(&e->receivers);
	wait_queue_init(&e->senders);
	wait_queue_init(&e->pollers);
	return socket_queue_init(&e->queue, SOCKET_CAPACITY);
}

/* Release and acquire: what the others did to it comes before it is freed. */
void socket_pair_put(struct socket_pair *pair)
{
	if (atomic_fetch_sub_explicit(&pair->references, 1, memory_order_acq_rel) != 1)
		return;
	socket_queue_destroy(&pair->ends[0].queue);
	socket_queue_destroy(&pair->ends[1].queue);
	heap_free(pair);
}

/* Held by the caller. */
static struct socket_pair *make_pair(int family, int type, enum socket_state state)
{
	struct socket_pair *pair = heap_alloc(sizeof(*pair));

	if (!pair)
		return NULL;
	pair->family = family;
	pair->type = type;
	pair->references = 1;
	pair->state = state;
	list_init(&pair->backlog);
	list_init(&pair->refused.senders);
	wait_queue_init(&pair->named);
	lock_init(&pair->lock, "socket", RANK_PIPE);
	if (init_end(pair, &pair->ends[0])) {
		if (init_end(pair, &pair->ends[1]))
			return pair;
		socket_queue_destroy(&pair->ends[0].queue);
	}
	heap_free(pair);
	return NULL;
}

/* Each with an inode of its own, which has the number that names it, and nothing behind it. */
struct file *socket_file_create(struct socket_end *e, uint32_t flags)
{
	uint64_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
	struct inode *i = inode_create(&socket_inode_ops, DEVICE_SOCKETS, number, S_IFSOCK | 0777);
	struct file *f;

	if (!i)
		return NULL;
	i->links = 1; /* as a pipe's */
	inode_set_owner(i, NULL);
	f = file_alloc(&socket_file_ops, i, e, O_RDWR | flags);
	if (!f) {
		inode_put(i);
		return NULL;
	}
	socket_pair_get(e->pair);
	lock_acquire(&e->pair->lock);
	e->closed = false;
	lock_release(&e->pair->lock);
	return f;
}

struct file *socket_create(int family, int type, uint32_t flags)
{
	struct socket_pair *pair = make_pair(family, type, SOCKET_FRESH);
	struct file *f;

	if (!pair)
		return NULL;
	f = socket_file_create(&pair->ends[0], flags);
	socket_pair_put(pair);
	return f;
}

int socket_pair_create(int type, uint32_t flags, struct file *files[2])
{
	struct socket_pair *pair = make_pair(AF_UNIX, type, SOCKET_CONNECTED);

	if (!pair)
		return -ENOMEM;
	files[0] = socket_file_create(&pair->ends[0], flags);
	files[1] = files[0] ? socket_file_create(&pair->ends[1], flags) : NULL;
	socket_pair_put(pair);
	if (files[1])
		return 0;
	if (files[0])
		file_put(files[0]);
	return -ENOMEM;
}

/* ---------------------------------------------------------------- what becomes of it */

static void wake_everybody(struct socket_pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		wake_all(&pair->ends[i].receivers, WAKE_ANY);
		wake_all(&pair->ends[i].senders, WAKE_ANY);
		wake_all(&pair->ends[i].pollers, WAKE_ANY);
	}
}

/* socket(7): to linger for no time at all is not to wait until what was sent has come. */
static bool breaks_off(const struct socket_end *e)
{
	uint64_t linger = e->linger; /* struct linger: whether, and how many seconds */

	return e->pair->family == AF_INET && (uint32_t)linger != 0 && linger >> 32 == 0;
}

/* Under the lock, when both follow each other: e is closed, and has lost what has not been received, or
 * accepted.  A network tells of the loss at once; of the end alone it says that no more will come.  A loss
 * behind that end is for who sends (see is_told() in fs/socket.c). */
static void tell_of_close(struct socket_end *e)
{
	struct socket_end *other = socket_other(e);
	bool lost = e->queue.ring.used || (e == &e->pair->ends[1] && e->pair->accepted) ||
		    breaks_off(e),
	     network = e->pair->family == AF_INET;

	e->pair->is_reset |= lost && network;
	if (lost)
		other->error = network && other->shut & SHUT_IN ? EPIPE : ECONNRESET;
	other->shut |= lost || !network ? SHUT_BOTH : SHUT_IN;
}

void socket_reset(struct socket_end *e)
{
	struct socket_end *other = socket_other(e);

	e->pair->is_reset = true;
	e->shut = SHUT_BOTH;
	e->error = EPIPE;
	if (!other->closed)
		other->error = ECONNRESET;
	wake_everybody(e->pair);
}

/* What nobody can receive any more goes.  The other end is told, and whether something was lost; that of
 * datagrams finds out when it sends. */
void socket_release(struct file *f)
{
	struct socket_end *e = f->private;
	struct socket_pair *pair = e->pair, *destination = NULL;
	struct list not_accepted = LIST_INIT(not_accepted), refused = LIST_INIT(refused);
	struct rights *rights;

	if (e == &pair->ends[0])
		socket_unbind(pair);
	lock_acquire(&pair->lock);
	e->closed = true;
	/* One that has not come to be connected may try again. */
	if (socket_is_connected(e) && pair->state != SOCKET_FRESH)
		tell_of_close(e);
	rights = socket_queue_drop(&e->queue);
	for (struct rights *r = rights; r; r = r->next)
		flight_end(r);
	if (e == &pair->ends[0]) {
		socket_take_backlog(pair, &not_accepted);
		socket_refused_take(pair, &refused);
		destination = pair->destination;
		pair->destination = NULL;
	}
	wake_everybody(pair);
	lock_release(&pair->lock);
	rights_put_all(rights);
	socket_refused_tell(&refused);
	/* It sends no more, and nobody asks it any more whether it could. */
	if (e == &pair->ends[0])
		socket_refused_leave(pair);
	socket_drop_backlog(&not_accepted);
	if (destination)
		socket_pair_put(destination);
	socket_pair_put(pair);
}

/* A network does not know of who no longer receives, until something is sent to him. */
void socket_tell_shut(struct socket_end *e)
{
	struct socket_end *other = socket_other(e);
	unsigned before = other->shut;

	if (e->shut & SHUT_IN && e->pair->family == AF_UNIX)
		other->shut |= SHUT_OUT;
	if (e->shut & SHUT_OUT)
		other->shut |= SHUT_IN;
	if (other->shut != before)
		wake_everybody(e->pair);
}

long socket_shut(struct socket_end *e, unsigned how)
{
	struct socket_pair *pair = e->pair;
	struct list not_accepted = LIST_INIT(not_accepted), refused = LIST_INIT(refused);
	bool alone;

	lock_acquire(&pair->lock);
	alone = pair->is_reset ||
		(pair->family == AF_INET && pair->state == SOCKET_FRESH && !pair->peer.size);
	e->shut |= how;
	if (socket_is_connected(e) && socket_is_joined(e))
		socket_tell_shut(e);
	/* Of AF_UNIX they stay, as on Linux, until it is closed. */
	if (pair->state == SOCKET_LISTENING && pair->family == AF_INET && (how & SHUT_IN))
		socket_stop_listening(pair, &not_accepted);
	socket_refused_take(pair, &refused);
	wake_everybody(pair);
	lock_release(&pair->lock);
	socket_refused_tell(&refused);
	socket_drop_backlog(&not_accepted);
	return alone ? -ENOTCONN : 0;
}

int socket_take_error(struct socket_end *e)
{
	int error;

	lock_acquire(&e->pair->lock);
	error = socket_take_error_locked(e);
	lock_release(&e->pair->lock);
	return error;
}

void socket_set_send_limit(struct socket_end *e, size_t limit)
{
	lock_acquire(&e->pair->lock);
	e->send_limit = limit;
	wake_all(&e->senders, WAKE_ANY);
	socket_wake_senders(e);
	lock_release(&e->pair->lock);
}
