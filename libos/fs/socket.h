/* SPDX-License-Identifier: MIT */
/*
 * Sockets within the machine: pairs (socketpair(2)), and those that find each other by name (unix(7),
 * tcp(7) and udp(7) over this machine's own addresses).
 *
 *	file --private--> [end 0: queue] <--------- sends --- [end 1] <--private-- file
 *	                  [end 0] --- sends ---> [end 1: queue]
 *
 * What is sent at one end lies in the queue of the other.  One lock guards the whole pair, so what happens at
 * one end is seen at the other at once.
 *
 * A socket(2) is end 0 of a pair as well, whose other end nobody has yet:
 *
 *	stream that connects    end 1 gets a file, which the listener's accept(2) hands out
 *	stream that listens     end 1 stays nobody's; the pairs that connect stand in its backlog
 *	datagrams               end 1 is the entrance: whoever sends to the socket sends there
 *
 * So an end, its queues and its lock are the same from a socket's beginning to its end.
 */
#ifndef LIBOS_SOCKET_H
#define LIBOS_SOCKET_H

#include <asm/socket.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/wait.h"
#include "fs/file.h"
#include "fs/socket_name.h"
#include "fs/socket_queue.h"

/* The part of Linux's interface that its headers leave to the C library. */
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_CTRUNC 0x8
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_WAITALL 0x100
#define MSG_ERRQUEUE 0x2000
#define MSG_NOSIGNAL 0x4000
#define MSG_WAITFORONE 0x10000
#define MSG_CMSG_CLOEXEC 0x40000000
#define SCM_RIGHTS 1

/* Bytes that may be on their way in one direction: Linux's SO_SNDBUF, unless it is made less.  One can send
 * again when they are a quarter of that (POLLOUT); and then, as on Linux, the largest message as well. */
#define SOCKET_LIMIT 212992
#define SOCKET_CAPACITY (SOCKET_LIMIT + SOCKET_LIMIT / 4) /* whole pages */
/* Linux's largest datagram is so much shorter than the limit. */
#define SOCKET_OVERHEAD 32
#define SOCKET_OPTIONS 16

enum { SHUT_IN = 1, SHUT_OUT = 2, SHUT_BOTH = 3 }; /* one more than shutdown(2)'s */

/* Linux's struct ucred. */
struct socket_maker {
	uint32_t pid, uid, gid;
};

struct socket_end {
	/* Fixed. */
	struct socket_pair *pair;

	/* Fixed, but of end 0 under the lock of the table of names (fs/socket_bind.c). */
	struct socket_name name;

	/* Under pair->lock. */
	struct socket_maker maker; /* who last connected or listened: the other end's SO_PEERCRED */
	struct socket_queue queue; /* what has come */
	unsigned shut;             /* SHUT_IN, SHUT_OUT; if they are connected, at both ends */
	int error;                 /* to be told once, or 0 */
	bool closed;               /* or not opened yet */
	bool lonely; /* it has been told that datagrams have nobody any more to go to */
	/*
	 * Who waits for what comes is woken one at a time, and hands on what he leaves.  Who waits for
	 * room wants more or less of it: all of them are woken, and so are all pollers.  At a listener
	 * who waits, to accept or to connect, is woken one at a time (fs/socket_connect.c).
	 */
	struct wait_queue receivers, senders, pollers;

	/* How many bytes may be in the other end's queue: SO_SNDBUF.  Changed under the lock; read by
	 * anyone. */
	_Atomic size_t send_limit;

	/* Any CPU, numbers by themselves. */
	_Atomic size_t receive_limit; /* SO_RCVBUF, as on Linux of no effect */
	_Atomic uint64_t receive_timeout_ns, send_timeout_ns; /* 0: for ever */
	/* Those that are kept, and do nothing: fs/socket_option.c. */
	_Atomic uint64_t linger;
	_Atomic int options[SOCKET_OPTIONS];
};

/*
 *	            connect             accepted, or will be
 *	FRESH ----------------> CONNECTING --------> CONNECTED
 *	 ^ ^                         |
 *	 |  -------------------------   nobody listens, or a signal came
 *	  -------> LISTENING            and back, of AF_INET: it is shut
 *
 * Sockets of datagrams from socket(2) stay FRESH; a socketpair(2) begins CONNECTED.  Up to CONNECTING it may
 * be given a name.
 */
enum socket_state { SOCKET_FRESH, SOCKET_CONNECTING, SOCKET_CONNECTED, SOCKET_LISTENING };

struct socket_pair {
	/* Fixed. */
	int family, type; /* AF_UNIX ..., SOCK_STREAM ... */

	_Atomic uint32_t references; /* open ends, and who has found it by its name */

	struct lock lock; /* RANK_PIPE */
	struct socket_end ends[2];

	/* Of end 0: changed under the lock; read by anyone. */
	_Atomic(enum socket_state) state;

	/* Of end 0, under the lock. */
	bool being_named;    /* by one task, which does not hold the lock meanwhile */
	struct wait_queue named; /* who waits for that one, all of whom are woken */
	/* connect() on a stream of a network did not wait and has said EINPROGRESS; what became of it is
	 * told by the next one. */
	bool connect_untold;
	bool is_reset;       /* a network's stream: it was broken off, and is one no more */
	struct list backlog; /* of a listener: struct socket_pair.backlog_link, the oldest first */
	unsigned backlog_count, backlog_limit;
	/* Where a datagram without an address goes: of AF_UNIX, counted; of AF_INET, whoever has the name. */
	struct socket_pair *destination;
	struct socket_name peer;

	struct {
		/* Under the lock of those who were refused (fs/socket_refused.c). */
		struct list
			senders;  /* struct socket_pair.refused.link: there was no room for them */
		struct list link; /* in one such, or in that of who tells them */
		struct socket_pair
			*by; /* in whose; NULL: in none.  Not counted, and only compared */
		/* Under the pair's lock: there may be senders.  They enter under it. */
		bool any;
	} refused;

	/* While it is in a backlog, under its listener's lock; before and after, who has put or taken it. */
	struct list backlog_link;
	struct file *accepted; /* end 1's, counted; NULL once it is had by who accepts */

	/* Under the lock of flights (fs/socket_flight.c). */
	struct {
		unsigned passed;              /* messages that it lies in */
		unsigned carries;             /* sockets that lie in its queues */
		struct socket_pair *listener; /* in whose backlog it is, or NULL */
	} flight;

	struct socket_binding binding;
};

static inline struct socket_end *socket_other(struct socket_end *e)
{
	return &e->pair->ends[e == e->pair->ends];
}

/* An end that datagrams of many come through: the other one has a name. */
static inline bool socket_is_entrance(const struct socket_end *e)
{
	return e == &e->pair->ends[1] && e->pair->type == SOCK_DGRAM &&
	       e->pair->state == SOCKET_FRESH;
}

/* It has somebody at the other side: who was accepted may have, before connect() says so there. */
static inline bool socket_is_joined(const struct socket_end *e)
{
	return e->pair->state == SOCKET_CONNECTED || e == &e->pair->ends[1];
}

/* Each end follows what becomes of the other: all but datagrams. */
static inline bool socket_is_connected(const struct socket_end *e)
{
	return e->pair->type != SOCK_DGRAM;
}

/* Under the lock: what it has to tell, which is told once; or 0. */
static inline int socket_take_error_locked(struct socket_end *e)
{
	int error = e->error;

	e->error = 0;
	return error;
}

/* Under the lock. */
static inline bool socket_is_writable(struct socket_end *e)
{
	return socket_other(e)->queue.ring.used <= e->send_limit / 4;
}

/* ---------------------------------------------------------------- fs/socket_file.c: as an open file */

extern const struct file_ops socket_file_ops;

/* NULL: f is no socket. */
static inline struct socket_end *socket_of_file(const struct file *f)
{
	return f->ops == &socket_file_ops ? f->private : NULL;
}

/* ---------------------------------------------------------------- fs/socket.c: what is sent and received */

/* How many bytes, or -errno; SIGPIPE has been raised if there is to be one.  Task context, no lock held.
 * Of a message that came m->rights are the caller's.  `via` is f's end, or an entrance. */
long socket_send(struct file *f, struct socket_end *via, struct socket_message *m);
long socket_receive(struct file *f, struct socket_message *m);
/* Under the lock: those who send at e, if there is room now. */
void socket_wake_senders(struct socket_end *e);

/* ---------------------------------------------------------------- fs/socket_wait.c */

/* Under the lock, which is dropped meanwhile: 0 when woken, or what the call says if there is still
 * nothing. */
long socket_sleep(struct wait_queue *q, struct lock *lock, uint64_t deadline_ns);
/* No lock held: where a copy has met memory that is not there.  0 or -EFAULT. */
long socket_touch(struct socket_message *m, bool write);
uint64_t socket_deadline(uint64_t timeout_ns); /* of a call that begins now; 0: none */

/* ---------------------------------------------------------------- fs/socket_pair.c: that it is there */

/* Two open files; 0 or -ENOMEM. */
int socket_pair_create(int type, uint32_t flags, struct file *files[2]);
/* One, whose other end nobody has; NULL: -ENOMEM. */
struct file *socket_create(int family, int type, uint32_t flags);
/* For an end that is closed: it is open, and the file holds the pair.  NULL: -ENOMEM. */
struct file *socket_file_create(struct socket_end *e, uint32_t flags);
static inline void socket_pair_get(struct socket_pair *pair)
{
	/* Relaxed: it is held already, by the caller or by who is in the table that he has locked. */
	atomic_fetch_add_explicit(&pair->references, 1, memory_order_relaxed);
}
void socket_pair_put(struct socket_pair *pair); /* task context, no lock held */
void socket_release(struct file *f); /* the end is closed */
/* `how` of SHUT_IN, SHUT_OUT. */
long socket_shut(struct socket_end *e, unsigned how);
/* Under the lock, of a network's stream: e has sent to one who does not receive any more, and both find out:
 * e the next time that it sends. */
void socket_reset(struct socket_end *e);
/* Under the lock, of one that is joined: its other end follows it. */
void socket_tell_shut(struct socket_end *e);
struct socket_maker socket_maker_now(void); /* the current process */
/* What SO_ERROR says, which is told once. */
int socket_take_error(struct socket_end *e);
void socket_set_send_limit(struct socket_end *e, size_t limit);
/* ---------------------------------------------------------------- fs/socket_option.c */

int socket_option(struct socket_end *e, int level, int name); /* one of those that are kept */
int socket_protocol(int family, int type);
void socket_init_options(struct socket_end *e);

/* -------------------------------------------------------- fs/socket_connect.c: streams find each other */

long socket_listen(struct socket_end *e, int backlog);
/* Both may sleep. */
long socket_connect(struct file *f, const struct socket_name *to);
/* The new end's, counted; NULL with *error. */
struct file *socket_accept(struct file *f, long *error);
/* Under the lock, of a listener that goes: the files that were not accepted, to be put by the caller
 * one by one. */
void socket_take_backlog(struct socket_pair *listener, struct list *taken);
void socket_drop_backlog(struct list *taken);
/* The same of one of a network's that is shut: as if it had never listened, it may listen again, or
 * connect. */
void socket_stop_listening(struct socket_pair *listener, struct list *taken);

/* ---------------------------------------------------------------- fs/socket_refused.c: who found no room */

/* Under the lock of `to`, which has no room.  True: the caller is to call socket_tell_writable() when he
 * holds no lock. */
bool socket_refused_enter(struct socket_pair *to, struct socket_pair *sender);
/* Under the lock of `to`: there is room, or sending fails; those in `taken` are to be told. */
void socket_refused_take(struct socket_pair *to, struct list *taken);
/* The rest with no lock held. */
void socket_refused_tell(struct list *taken);
void socket_refused_leave(struct socket_pair *sender); /* before it goes */
void socket_tell_writable(struct socket_pair *sender);

/* ---------------------------------------------------------------- fs/socket_datagram.c: datagrams do */

/* connect(2): where they go that have no address.  Of no family, with `to` NULL: nowhere. */
long socket_datagram_connect(struct socket_end *e, const struct socket_name *to);
/* socket_send() through the end that leads to that name; NULL: where e is connected to. */
long socket_send_to(struct file *f, const struct socket_name *to, struct socket_message *m);
/* No lock held: is there no room where it is connected to?  Then its pollers are told when there is. */
bool socket_datagram_has_to_wait(struct socket_pair *sender);
/* Under e's lock, where a datagram is to be put into the queue at the other side. */
bool socket_datagram_is_welcome(struct socket_end *entrance, const struct socket_message *m);

#endif
