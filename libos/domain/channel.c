/* SPDX-License-Identifier: MIT */
/*
 * Files of a channel's end: see channel.h.
 *
 * Why nobody sleeps through what the other end does.  Bytes and room: byte_ring.h.  Opening and closing:
 * who does it writes its side and then rings; who is going to sleep has registered itself under our lock
 * before it looks at that side, and the message that comes wakes all under the same lock.
 */
#include "domain/channel.h"
#include <linux/fcntl.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/device.h"
#include "fs/poll.h"
#include "proc/signal.h"

#define MAJOR_CHANNEL 244 /* Linux's range for local use */
#define CHANNELS_MAX 256u /* names; each is remembered */
#define PIECE 2048u
#define SIGPIPE 13

/* Private of a file.  Under the channel's lock. */
struct channel_file {
	struct channel *channel;
	uint32_t opens_before; /* of the other end, when this file was opened */
	bool met;              /* the other end has been open since */
};

/* Only grows, under `names`; read without: published with release. */
static struct channel *_Atomic channels;
static struct lock names = LOCK_INIT("channel names", RANK_LEAF);
static _Atomic uint32_t count;

struct channel *channel_first(void)
{
	return atomic_load_explicit(&channels, memory_order_acquire);
}

static struct channel_side *our_side(struct channel *c)
{
	return &c->memory->sides[c->side];
}

static struct channel_side *their_side(struct channel *c)
{
	return &c->memory->sides[!c->side];
}

/* Under lock.  If it finds the mailbox full, there is a message that the other has yet to take, and it
 * looks at its channels after that. */
static void ring(struct channel *c, bool wanted)
{
	exo_handle peer = c->ends[!c->side].vcore;

	if (c->link)
		peer = atomic_load(&c->link->peers[0]);
	if (wanted && peer)
		(void)exo_send(peer, 0, 0, 0);
}

/* Under lock. */
static bool has_met(struct channel_file *cf)
{
	struct channel_side *theirs = their_side(cf->channel);

	if (atomic_load(&theirs->open) || atomic_load(&theirs->opens) != cf->opens_before)
		cf->met = true;
	return cf->met;
}

/* Under lock: 0 if there may be something to do, and else why not. */
static int wait_for_change(struct file *f, struct channel *c)
{
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_on(&c->changed, &c->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR ? -ERESTARTSYS : 0;
}

/* ---------------------------------------------------------------- reading and writing */

/* Whether the other end is open is looked at before the ring: what it wrote before it closed is seen. */
static long take(struct file *f, uint8_t *bytes, size_t n)
{
	struct channel_file *cf = f->private;
	struct channel *c = cf->channel;
	size_t got = 0;
	bool wanted = false;
	int r = 0;

	lock_acquire(&c->lock);
	while (r == 0) {
		bool over = has_met(cf) && !atomic_load(&their_side(c)->open);

		got = byte_ring_take(&c->in, bytes, n, &wanted);
		if (got || over || c->in.broken)
			break;
		if (byte_ring_reader_sleeps(&c->in))
			r = wait_for_change(f, c);
	}
	if (!got && c->in.broken)
		r = -EIO;
	ring(c, wanted);
	lock_release(&c->lock);
	return got ? (long)got : r;
}

static long channel_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	uint8_t bytes[PIECE];
	long got = n ? take(f, bytes, n < sizeof(bytes) ? n : sizeof(bytes)) : 0;

	if (got > 0 && copy_to_user(user, bytes, (size_t)got) != 0)
		return -EFAULT;
	return got;
}

static long put(struct file *f, const uint8_t *bytes, size_t n)
{
	struct channel_file *cf = f->private;
	struct channel *c = cf->channel;
	size_t done = 0;
	int r = 0;

	lock_acquire(&c->lock);
	while (done < n && r == 0) {
		bool wanted = false, met = has_met(cf);

		if (met && !atomic_load(&their_side(c)->open)) {
			r = -EPIPE;
			break;
		}
		if (met)
			done += byte_ring_put(&c->out, bytes + done, n - done, &wanted);
		ring(c, wanted);
		if (c->out.broken)
			r = -EIO;
		else if (!met || (done < n && byte_ring_writer_sleeps(&c->out)))
			r = wait_for_change(f, c);
	}
	lock_release(&c->lock);
	return done ? (long)done : r;
}

static long channel_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	uint8_t bytes[PIECE];
	long all = 0, r = 0;

	while (n > 0 && r >= 0) {
		size_t piece = n < sizeof(bytes) ? n : sizeof(bytes);

		if (copy_from_user(bytes, user, piece) != 0) {
			r = -EFAULT;
			break;
		}
		r = put(f, bytes, piece);
		if (r < 0)
			break;
		all += r;
		user += (uint64_t)r;
		n -= (size_t)r;
	}
	if (r == -EPIPE)
		signal_raise(SIGPIPE);
	return all ? all : r;
}

static uint32_t channel_poll(struct file *f, struct poll_waiter *w)
{
	struct channel_file *cf = f->private;
	struct channel *c = cf->channel;
	uint32_t events = 0;
	bool over;

	lock_acquire(&c->lock);
	if (w)
		poll_wait(w, &c->changed, &c->lock);
	over = has_met(cf) && !atomic_load(&their_side(c)->open);
	if (!byte_ring_reader_sleeps(&c->in) || over || c->in.broken)
		events |= POLLIN | POLLRDNORM;
	if (cf->met && (!byte_ring_writer_sleeps(&c->out) || over))
		events |= POLLOUT | POLLWRNORM;
	if (over)
		events |= POLLHUP;
	if (c->in.broken || c->out.broken)
		events |= POLLERR;
	lock_release(&c->lock);
	return events;
}

/* ---------------------------------------------------------------- opening and closing */

/* Under lock: which end is ours, if we have made the channel? */
static int choose_end(struct channel *c)
{
	if (!c->memory)
		return -ENXIO;
	if (c->link || c->files)
		return 0;
	if (c->ends[0].domain && c->ends[1].domain)
		return -EBUSY;
	c->side = c->ends[0].domain ? 1 : 0;
	return 0;
}

/* Under lock.  Our numbers stand where the last who had this end has left them. */
static void begin(struct channel *c)
{
	struct channel_memory *m = c->memory;
	unsigned own = c->side;

	byte_ring_init(&c->out, &m->rings[own], m->bytes[own], CHANNEL_RING_SIZE);
	c->out.at = atomic_load(&m->rings[own].written);
	byte_ring_init(&c->in, &m->rings[!own], m->bytes[!own], CHANNEL_RING_SIZE);
	c->in.at = atomic_load(&m->rings[!own].read);
}

/* Under lock. */
static void drop_file(struct channel *c)
{
	if (--c->files > 0)
		return;
	atomic_store(&our_side(c)->open, 0);
	ring(c, true);
	if (!c->link && !c->ends[0].domain && !c->ends[1].domain)
		channel_free_memory(c);
}

/* Under lock: registers the file, and waits for the other end. */
static int open_end(struct file *f, struct channel_file *cf)
{
	struct channel *c = cf->channel;
	int r = choose_end(c);

	if (r)
		return r;
	if (c->files++ == 0)
		begin(c);
	cf->opens_before = atomic_load(&their_side(c)->opens);
	atomic_fetch_add(&our_side(c)->opens, 1);
	atomic_store(&our_side(c)->open, 1);
	ring(c, true);
	while (r == 0 && !has_met(cf))
		r = wait_for_change(f, c);
	if (r == -EAGAIN)
		r = 0;
	if (r)
		drop_file(c);
	return r;
}

static int channel_file_open(struct file *f)
{
	struct channel_file *cf = heap_alloc(sizeof(*cf));
	int r;

	if (!cf)
		return -ENOMEM;
	cf->channel = f->private;
	lock_acquire(&cf->channel->lock);
	r = open_end(f, cf);
	lock_release(&cf->channel->lock);
	if (r)
		heap_free(cf);
	else
		f->private = cf;
	return r;
}

static void channel_release(struct file *f)
{
	struct channel_file *cf = f->private;

	lock_acquire(&cf->channel->lock);
	drop_file(cf->channel);
	lock_release(&cf->channel->lock);
	heap_free(cf);
}

static const struct file_ops channel_ops = {
	.read = channel_read,
	.write = channel_write,
	.poll = channel_poll,
	.open = channel_file_open,
	.release = channel_release,
};

/* ---------------------------------------------------------------- names */

void channel_free_memory(struct channel *c)
{
	heap_free(c->memory);
	c->memory = NULL;
}

static struct channel *find(const char *name)
{
	struct channel *c = channel_first();

	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	return c;
}

/* Under links_mutex, or at boot. */
static int publish(struct channel *c)
{
	char path[sizeof(CHANNEL_KIND) + LINK_NAME_MAX + 1];
	uint32_t number = atomic_fetch_add(&count, 1);
	int r;

	if (number >= CHANNELS_MAX)
		return -ENOSPC;
	format(path, sizeof(path), CHANNEL_KIND "/%s", c->name);
	r = device_register(path, DEVICE_FOR_ALL, MAJOR_CHANNEL, number, &channel_ops, c);
	if (r)
		return r;
	lock_acquire(&names);
	c->next = channel_first();
	atomic_store_explicit(&channels, c, memory_order_release);
	lock_release(&names);
	return 0;
}

static struct channel *make(const char *name, const struct link *from, int *error)
{
	struct channel *c = heap_alloc(sizeof(*c));

	*error = -ENOMEM;
	if (!c)
		return NULL;
	string_copy(c->name, name, sizeof(c->name));
	lock_init(&c->lock, "channel", RANK_PIPE);
	wait_queue_init(&c->changed);
	if (from) {
		c->link = from->page;
		c->memory = from->memory;
		c->side = c->link->side;
	}
	*error = publish(c);
	return *error ? NULL : c; /* its device may have been published */
}

struct channel *channel_find(const char *name, int *error)
{
	struct channel *c;

	mutex_lock(&links_mutex);
	c = find(name);
	*error = c && c->link ? -EEXIST : 0;
	if (*error)
		c = NULL;
	else if (!c)
		c = make(name, NULL, error);
	mutex_unlock(&links_mutex);
	return c;
}

void channels_init(void)
{
	struct link link;
	int r;

	for (uint32_t at = 0; link_next(CHANNEL_KIND, &at, &link);)
		if (!make(link.name, &link, &r))
			log_print("channel %s: error %d\n", link.name, r);
}

void channels_rung(void)
{
	for (struct channel *c = channel_first(); c; c = c->next) {
		lock_acquire(&c->lock);
		if (c->link)
			link_clean(c->link, &c->retired_seen);
		wake_all(&c->changed, WAKE_ANY);
		lock_release(&c->lock);
	}
}
