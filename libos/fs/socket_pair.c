/* SPDX-License-Identifier: MIT */
/* Pairs of sockets: how they are made, what they keep, how they end. */
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

static bool init_end(struct socket_pair *pair, struct socket_end *e)
{
	e->pair = pair;
	e->send_limit = e->receive_limit = SOCKET_LIMIT;
	wait_queue_init(&e->receivers);
	wait_queue_init(&e->senders);
	wait_queue_init(&e->pollers);
	return socket_queue_init(&e->queue, SOCKET_CAPACITY);
}

static void free_pair(struct socket_pair *pair)
{
	socket_queue_destroy(&pair->ends[0].queue);
	socket_queue_destroy(&pair->ends[1].queue);
	heap_free(pair);
}

static struct socket_pair *make_pair(int type)
{
	const struct process *p = current_process();
	struct socket_pair *pair = heap_alloc(sizeof(*pair));

	if (!pair)
		return NULL;
	pair->type = type;
	pair->maker = (struct socket_maker){ p->pid, p->euid, p->egid };
	lock_init(&pair->lock, "socket", RANK_PIPE);
	if (init_end(pair, &pair->ends[0])) {
		if (init_end(pair, &pair->ends[1]))
			return pair;
		socket_queue_destroy(&pair->ends[0].queue);
	}
	heap_free(pair);
	return NULL;
}

/* Each with an inode of its own, which has the name, and nothing behind it. */
static struct file *make_file(struct socket_end *e, uint32_t flags)
{
	uint64_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
	struct inode *i = inode_create(&socket_inode_ops, DEVICE_SOCKETS, number, S_IFSOCK | 0777);
	struct file *f;

	if (!i)
		return NULL;
	i->links = 1; /* as a pipe's */
	inode_set_owner(i, NULL);
	f = file_alloc(&socket_file_ops, i, e, O_RDWR | flags);
	if (!f)
		inode_put(i);
	return f;
}

int socket_pair_create(int type, uint32_t flags, struct file *files[2])
{
	struct socket_pair *pair = make_pair(type);

	if (!pair)
		return -ENOMEM;
	files[0] = make_file(&pair->ends[0], flags);
	if (!files[0]) {
		free_pair(pair);
		return -ENOMEM;
	}
	files[1] = make_file(&pair->ends[1], flags);
	if (!files[1]) {
		pair->ends[1].closed = true;
		file_put(files[0]);
		return -ENOMEM;
	}
	return 0;
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

/* What nobody can receive any more goes.  The other end is told, and whether something was lost; that of
 * datagrams finds out when it sends. */
void socket_release(struct file *f)
{
	struct socket_end *e = f->private, *other = socket_other(e);
	struct socket_pair *pair = e->pair;
	struct rights *rights;
	bool last;

	lock_acquire(&pair->lock);
	e->closed = true;
	if (socket_is_connected(e)) {
		other->shut = SHUT_BOTH;
		if (e->queue.ring.used)
			other->error = ECONNRESET;
	}
	rights = socket_queue_drop(&e->queue);
	wake_everybody(pair);
	last = other->closed;
	lock_release(&pair->lock);
	rights_put_all(rights);
	if (last)
		free_pair(pair);
}

void socket_shut(struct socket_end *e, unsigned how)
{
	struct socket_end *other = socket_other(e);

	lock_acquire(&e->pair->lock);
	e->shut |= how;
	if (socket_is_connected(e))
		other->shut |= (how & SHUT_IN ? SHUT_OUT : 0) | (how & SHUT_OUT ? SHUT_IN : 0);
	wake_everybody(e->pair);
	lock_release(&e->pair->lock);
}

bool socket_is_lonely(struct socket_end *e)
{
	bool lonely;

	lock_acquire(&e->pair->lock);
	lonely = e->lonely;
	lock_release(&e->pair->lock);
	return lonely;
}

int socket_take_error(struct socket_end *e)
{
	int error;

	lock_acquire(&e->pair->lock);
	error = e->error;
	e->error = 0;
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
