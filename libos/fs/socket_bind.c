/* SPDX-License-Identifier: MIT */
/*
 * Which socket has which name: one table, by a key made of the name.
 *
 *	a path     its inode, to which the binding holds a reference: so no other inode is there meanwhile
 *	abstract   the bytes
 *	a port     the port; of those that share it, by different addresses or SO_REUSEADDR, there are few
 *
 * One lock guards it, a leaf: a look-up ends with a reference on what it has found, and whoever goes takes
 * himself out before he drops his own.  No way along equal keys is longer than SHARERS_MAX, whatever names
 * programs choose.
 */
#include "abi/errno.h"
#include "core/lock.h"
#include "fs/linux.h"
#include "fs/name.h"
#include "fs/name_words.h"
#include "fs/path.h"
#include "fs/socket.h"
#include "proc/process.h"

#define SHARERS_MAX 64
#define PORTS_OF_ROOT 1024
/* Those that are given to who asks for none, as Linux's ip_local_port_range. */
#define PORT_FIRST 32768u
#define PORTS 28232u
#define PORTS_PER_HOLD 64
/* As Linux's names for who asks for none: five digits. */
#define NAMES 0x100000u
#define NAME_DIGITS 5

static struct lock table_lock = LOCK_INIT("socket names", RANK_LEAF); /* guards: */
static struct named *table;
static unsigned next_port, next_name; /* where the search for a free one goes on */

static struct socket_pair *pair_of(struct named *n)
{
	return container_of(n, struct socket_pair, binding.node);
}

static const struct socket_name *name_of(const struct socket_pair *pair)
{
	return &pair->ends[0].name;
}

static uint64_t key_of(const struct socket_name *n, const struct inode *inode)
{
	if (inode)
		return name_key((uintptr_t)inode);
	if (n->family == AF_INET)
		return name_key(n->internet.sin_port);
	return name_hash(n->size, n->bytes, n->size);
}

/* ---------------------------------------------------------------- under the lock */

/* Of one port: any address is every address. */
static bool overlaps(const struct socket_name *a, const struct socket_name *b)
{
	uint32_t one = a->internet.sin_addr.s_addr, other = b->internet.sin_addr.s_addr;

	return one == other || one == INADDR_ANY || other == INADDR_ANY;
}

static bool in_each_others_way(const struct socket_pair *a, const struct socket_name *name,
			       const struct socket_pair *b)
{
	if (a->family != b->family || a->type != b->type)
		return false;
	if (a->family != AF_INET)
		return socket_name_is_same(name, name_of(b));
	return name->internet.sin_port == name_of(b)->internet.sin_port &&
	       overlaps(name, name_of(b)) &&
	       !(a->binding.shares && b->binding.shares && !b->binding.listens);
}

/* May it have it? */
static bool is_free(const struct socket_pair *pair, const struct socket_name *name, uint64_t key)
{
	struct named *n = named_find(&table, key), *last = n ? named_last(n) : NULL;

	for (unsigned sharers = 0; n; n = named_next(n, last))
		if (++sharers == SHARERS_MAX || in_each_others_way(pair, name, pair_of(n)))
			return false;
	return true;
}

static void add(struct socket_pair *pair, const struct socket_name *name, struct inode *inode)
{
	pair->ends[0].name = *name;
	pair->binding.inode = inode;
	pair->binding.is_there = true;
	named_insert(&table, &pair->binding.node, key_of(name, inode));
}

/* ---------------------------------------------------------------- one that is asked for */

static bool add_if_free(struct socket_pair *pair, const struct socket_name *name)
{
	bool added;

	lock_acquire(&table_lock);
	added = is_free(pair, name, key_of(name, NULL));
	if (added)
		add(pair, name, NULL);
	lock_release(&table_lock);
	return added;
}

static long bind_path(struct socket_pair *pair, const struct socket_name *name)
{
	int error;
	struct inode *i = name_make_socket(name->local.sun_path, &error);

	if (!i)
		return error == -EEXIST ? -EADDRINUSE : error;
	/* It is new: nobody else is found by it. */
	lock_acquire(&table_lock);
	add(pair, name, i);
	lock_release(&table_lock);
	return 0;
}

/* ---------------------------------------------------------------- any that is free */

static struct socket_name port_of_number(uint32_t address, unsigned number)
{
	struct socket_name name = { .size = sizeof(name.internet) };

	name.internet.sin_family = AF_INET;
	name.internet.sin_addr.s_addr = address;
	name.internet.sin_port = __builtin_bswap16((uint16_t)(PORT_FIRST + number));
	return name;
}

/* Searched for in pieces, since upcalls are masked meanwhile. */
static bool bind_free_port(struct socket_pair *pair, uint32_t address)
{
	bool added = false;

	for (unsigned tried = 0; tried < PORTS && !added; tried += PORTS_PER_HOLD) {
		lock_acquire(&table_lock);
		for (unsigned i = 0; i < PORTS_PER_HOLD && !added; i++) {
			struct socket_name name = port_of_number(address, next_port);

			next_port = (next_port + 1) % PORTS;
			/* One that others have, too, is none that is free. */
			added = !named_find(&table, key_of(&name, NULL));
			if (added)
				add(pair, &name, NULL);
		}
		lock_release(&table_lock);
	}
	return added;
}

static bool bind_free_name(struct socket_pair *pair)
{
	struct socket_name name = { .size = offsetof(struct sockaddr_un, sun_path) + 1 +
					    NAME_DIGITS };

	name.family = AF_UNIX;
	for (unsigned tried = 0; tried < NAMES; tried++) {
		unsigned number;

		lock_acquire(&table_lock);
		number = next_name++ % NAMES;
		lock_release(&table_lock);
		for (unsigned i = NAME_DIGITS; i > 0; i--, number /= 16)
			name.local.sun_path[i] = "0123456789abcdef"[number % 16];
		if (add_if_free(pair, &name))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- the calls */

static long bind_internet(struct socket_pair *pair, const struct socket_name *name)
{
	unsigned port = __builtin_bswap16(name->internet.sin_port);

	if (!socket_name_is_here(name))
		return -EADDRNOTAVAIL;
	if (!port)
		return bind_free_port(pair, name->internet.sin_addr.s_addr) ? 0 : -EADDRINUSE;
	if (port < PORTS_OF_ROOT && current_process()->euid != 0)
		return -EACCES;
	return add_if_free(pair, name) ? 0 : -EADDRINUSE;
}

static long bind_local(struct socket_pair *pair, const struct socket_name *name)
{
	if (socket_name_is_path(name))
		return bind_path(pair, name);
	if (name->size == sizeof(name->family))
		return bind_free_name(pair) ? 0 : -ENOSPC;
	return add_if_free(pair, name) ? 0 : -EADDRINUSE;
}

/* One at a time gives it a name, if it has none; so whoever has begun may look without the table's lock.  Who
 * comes second waits for that one, who wants nothing that he holds, and goes on with what came of it. */
static bool begin(struct socket_pair *pair)
{
	bool begun;

	lock_acquire(&pair->lock);
	while (pair->being_named)
		wait_on(&pair->named, &pair->lock, 0, 0);
	begun = pair->state <= SOCKET_CONNECTING && !name_of(pair)->size;
	if (begun)
		pair->being_named = true;
	lock_release(&pair->lock);
	return begun;
}

static void finish(struct socket_pair *pair)
{
	lock_acquire(&pair->lock);
	pair->being_named = false;
	wake_all(&pair->named, WAKE_ANY);
	lock_release(&pair->lock);
}

long socket_bind(struct socket_end *e, const struct socket_name *n)
{
	struct socket_pair *pair = e->pair;
	long result;

	if (e != &pair->ends[0] || !begin(pair))
		return -EINVAL;
	pair->binding.shares = socket_option(e, SOL_SOCKET, SO_REUSEADDR);
	result = pair->family == AF_INET ? bind_internet(pair, n) : bind_local(pair, n);
	finish(pair);
	return result;
}

long socket_bind_any(struct socket_end *e, uint32_t address)
{
	struct socket_pair *pair = e->pair;
	bool bound;

	if (pair->family != AF_INET || e != &pair->ends[0] || !begin(pair))
		return 0;
	bound = bind_free_port(pair, address);
	finish(pair);
	return bound ? 0 : -EAGAIN;
}

long socket_bind_listener(struct socket_pair *pair)
{
	struct named *first, *last;
	bool another = false;

	lock_acquire(&table_lock);
	first = named_find(&table, pair->binding.node.key);
	last = named_last(first);
	for (struct named *n = first; n && !another; n = named_next(n, last)) {
		const struct socket_pair *other = pair_of(n);

		another = other != pair && other->binding.listens &&
			  in_each_others_way(pair, name_of(pair), other);
	}
	if (!another)
		pair->binding.listens = true;
	lock_release(&table_lock);
	return another ? -EADDRINUSE : 0;
}

void socket_unbind_listener(struct socket_pair *pair)
{
	lock_acquire(&table_lock);
	pair->binding.listens = false;
	lock_release(&table_lock);
}

void socket_unbind(struct socket_pair *pair)
{
	struct socket_binding *b = &pair->binding;

	lock_acquire(&table_lock);
	if (b->is_there)
		named_remove(&table, &b->node);
	b->is_there = false;
	lock_release(&table_lock);
	inode_put(b->inode);
	b->inode = NULL;
}

/* ---------------------------------------------------------------- who has it */

struct socket_name socket_name_of(struct socket_end *e)
{
	struct socket_name name;

	lock_acquire(&table_lock);
	name = e->name;
	lock_release(&table_lock);
	return name;
}

/* The key is of the port alone. */
void socket_settle_address(struct socket_end *e)
{
	lock_acquire(&table_lock);
	socket_name_aim(&e->name);
	lock_release(&table_lock);
}

/* The pair's own changes under the same hold of its lock: they are one, whichever of two calls comes last. */
void socket_bind_peer(struct socket_pair *pair, const struct socket_name *peer)
{
	lock_acquire(&table_lock);
	pair->binding.peer = *peer;
	lock_release(&table_lock);
}

/* Under the lock, of one with that port: the address is its own, or it is connected to the sender; 0: no. */
static int answers_to_address(const struct socket_pair *pair, const struct socket_name *n,
			      const struct socket_name *sender)
{
	uint32_t address = name_of(pair)->internet.sin_addr.s_addr;
	int how_well = address == n->internet.sin_addr.s_addr ? 2 : address == INADDR_ANY;

	if (how_well && sender && pair->binding.peer.size)
		return socket_name_is_same(&pair->binding.peer, sender) ? how_well + 2 : 0;
	return how_well;
}

/* Under the lock: how well it answers to the name; 0: not. */
static int answers(const struct socket_pair *pair, const struct socket_name *n,
		   const struct inode *inode, int type, const struct socket_name *sender)
{
	const struct socket_name *name = name_of(pair);

	if (inode)
		return pair->binding.inode == inode;
	if (pair->family != n->family || pair->type != type)
		return 0;
	if (n->family == AF_UNIX)
		return socket_name_is_same(name, n);
	if (name->internet.sin_port != n->internet.sin_port ||
	    (type == SOCK_STREAM && !pair->binding.listens))
		return 0;
	return answers_to_address(pair, n, sender);
}

static struct socket_pair *find(const struct socket_name *name, const struct inode *inode, int type,
				const struct socket_name *sender)
{
	struct socket_pair *best = NULL;
	struct named *n, *last;
	int how_well = 0;

	lock_acquire(&table_lock);
	n = named_find(&table, key_of(name, inode));
	for (last = n ? named_last(n) : NULL; n; n = named_next(n, last)) {
		int this_well = answers(pair_of(n), name, inode, type, sender);

		if (this_well > how_well) {
			best = pair_of(n);
			how_well = this_well;
		}
	}
	if (best)
		socket_pair_get(best);
	lock_release(&table_lock);
	return best;
}

static struct socket_pair *find_path(const struct socket_name *n, int type, int *error)
{
	struct socket_pair *pair = NULL;
	struct path at;

	*error = path_kernel(n->local.sun_path, PATH_FOLLOW, &at);
	if (*error)
		return NULL;
	*error = inode_access(at.inode, W_OK);
	if (!*error)
		pair = find(n, at.inode, type, NULL);
	path_release(&at);
	if (pair && pair->type != type) {
		socket_pair_put(pair);
		pair = NULL;
		*error = -EPROTOTYPE;
	}
	return pair;
}

struct socket_pair *socket_find(const struct socket_name *n, int type,
				const struct socket_name *sender, int *error)
{
	struct socket_pair *pair;

	*error = 0;
	pair = socket_name_is_path(n) ? find_path(n, type, error) : find(n, NULL, type, sender);
	if (!pair && !*error)
		*error = -ECONNREFUSED;
	return pair;
}
