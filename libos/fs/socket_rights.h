/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that are passed in messages (SCM_RIGHTS): open files on their way.
 *
 * A message on its way holds its files, and a file that nobody could receive any more would never be
 * closed.  So there are no circles: a socket that is on its way carries none (fs/socket_flight.c), and
 * nothing else holds messages.  The files are counted with the user who sends them, up to his
 * RLIMIT_NOFILE, as on Linux; who receives them has descriptors of his own.
 */
#ifndef LIBOS_SOCKET_RIGHTS_H
#define LIBOS_SOCKET_RIGHTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct file;
struct socket_pair;
struct user;

/* In one message, as on Linux. */
#define RIGHTS_MAX 253

struct rights {
	/* Under the lock of the pair, in the queue: the next there; the places of the message's bytes. */
	struct rights *next;
	uint64_t start, end;

	struct socket_pair
		*carrier; /* under the lock of flights: whose queue it is in, if `sockets` */

	_Atomic uint32_t references; /* the queue or who has taken it, and each who only looks */

	/* Fixed. */
	struct user *user; /* held: who has sent them */
	unsigned count, sockets; /* how many files; how many of them are sockets */
	struct file *files[]; /* counted */
};

/* The rest in task context, no lock held. */

/* Reads the control messages of a sendmsg.  *rights: NULL if there is none that passes descriptors; 0, or
 * -EINVAL, -EBADF, -EFAULT, -ENOMEM, -ENOBUFS, -ETOOMANYREFS. */
int rights_read(uint64_t from, size_t size, struct rights **rights);
/* The control message of a recvmsg, with a descriptor for each file that has room, there and in the table.
 * How many bytes it takes; *came receives MSG_CTRUNC if not all have.  NULL: none. */
size_t rights_write(const struct rights *rights, uint64_t control, size_t size, bool close_on_exec,
		    unsigned *came);
void rights_put(struct rights *rights);
void rights_put_all(struct rights *rights); /* a queue's, with all that follow */

/* -------------------------------------------------------- fs/socket_flight.c: under the carrier's lock */

/* Before the message is put into a queue of the pair, and if that has failed, or when it is taken out.
 * -ETOOMANYREFS: a socket among the files carries others, or the carrier is itself on its way. */
int flight_begin(struct socket_pair *carrier, struct rights *rights);
void flight_end(struct rights *rights); /* NULL: nothing */

/* A pair whose other end waits in a listener's backlog: that holds it, as a message would. */
void flight_enter_backlog(struct socket_pair *pair, struct socket_pair *listener);
void flight_leave_backlog(struct socket_pair *pair);

/* Whoever keeps the message where it is. */
static inline void rights_get(struct rights *rights)
{
	atomic_fetch_add_explicit(&rights->references, 1, memory_order_relaxed);
}

#endif
