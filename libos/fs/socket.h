/* SPDX-License-Identifier: MIT */
/*
 * Local sockets without names, in pairs (socketpair(2)).
 *
 *	file --private--> [end 0: queue] <--------- sends --- [end 1] <--private-- file
 *	                  [end 0] --- sends ---> [end 1: queue]
 *
 * What is sent at one end lies in the queue of the other.  One lock guards the whole pair, so what happens at
 * one end is seen at the other at once; the pair goes with the second end that is closed.
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
#include "fs/socket_queue.h"

/* The part of Linux's interface that its headers leave to the C library. */
#define AF_UNIX 1
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

enum { SHUT_IN = 1, SHUT_OUT = 2, SHUT_BOTH = 3 }; /* one more than shutdown(2)'s */

/* Linux's struct ucred. */
struct socket_maker {
	uint32_t pid, uid, gid;
};

struct socket_end {
	/* Fixed. */
	struct socket_pair *pair;

	/* Under pair->lock. */
	struct socket_queue queue; /* what has come */
	unsigned shut;             /* SHUT_IN, SHUT_OUT; if they are connected, at both ends */
	int error;                 /* to be told once, or 0 */
	bool closed;
	bool lonely; /* it has been told that datagrams have nobody any more to go to */
	/*
	 * Who waits for what comes is woken one at a time, and hands on what he leaves.  Who waits for
	 * room wants more or less of it: all of them are woken, and so are all pollers.
	 */
	struct wait_queue receivers, senders, pollers;

	/* How many bytes may be in the other end's queue: SO_SNDBUF.  Changed under the lock; read by
	 * anyone. */
	_Atomic size_t send_limit;

	/* Any CPU, numbers by themselves. */
	_Atomic size_t receive_limit; /* SO_RCVBUF, as on Linux of no effect */
	_Atomic uint64_t receive_timeout_ns, send_timeout_ns; /* 0: for ever */
};

struct socket_pair {
	/* Fixed. */
	int type; /* SOCK_STREAM ... */
	struct socket_maker maker;

	struct lock lock; /* RANK_PIPE */
	struct socket_end ends[2];
};

static inline struct socket_end *socket_other(struct socket_end *e)
{
	return &e->pair->ends[e == e->pair->ends];
}

/* Each end follows what becomes of the other: all but datagrams. */
static inline bool socket_is_connected(const struct socket_end *e)
{
	return e->pair->type != SOCK_DGRAM;
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
 * Of a message that came m->rights are the caller's. */
long socket_send(struct file *f, struct socket_message *m);
long socket_receive(struct file *f, struct socket_message *m);
/* Under the lock: those who send at e, if there is room now. */
void socket_wake_senders(struct socket_end *e);

/* ---------------------------------------------------------------- fs/socket_pair.c: that it is there */

/* Two open files; 0 or -ENOMEM. */
int socket_pair_create(int type, uint32_t flags, struct file *files[2]);
void socket_release(struct file *f); /* the end is closed */
/* `how` of SHUT_IN, SHUT_OUT. */
void socket_shut(struct socket_end *e, unsigned how);
bool socket_is_lonely(struct socket_end *e);
/* What SO_ERROR says, which is told once. */
int socket_take_error(struct socket_end *e);
void socket_set_send_limit(struct socket_end *e, size_t limit);

#endif
