/* SPDX-License-Identifier: MIT */
/*
 * A lock for long sections in task context: its holder may sleep, fault and be preempted.
 * Ordered before every spin lock; among themselves by enum mutex_rank.
 */
#ifndef LIBOS_MUTEX_H
#define LIBOS_MUTEX_H

#include "lock.h"
#include "wait.h"

enum mutex_rank {
	MUTEX_EPOLL = 1, /* one epoll: its items are changed, or asked and told with user copies */
	MUTEX_POSITION = 2, /* one open file's position, while it is read or written */
	MUTEX_EXEC = 3,     /* one process: exec and exit against each other */
	MUTEX_LINKS = 4, /* the names of channels and servers: looked up and made, one at a time */
	MUTEX_FS = 5,    /* the directory tree */
	MUTEX_INODE = 6, /* one inode's data, while it is read or written with user copies */
	MUTEX_TRACE = 7, /* the trace rings: turned on and off, read with user copies */
	MUTEX_VM = 8, /* one address space: regions and page tables together; never held over a user
			  * copy */
	MUTEX_SCHED = 9,    /* scheduler libraries: load, unload, swap and tune, one at a time */
	MUTEX_NEST = 10,    /* which epoll watches which; files are closed under any mutex */
	MUTEX_DAY = 11,     /* which timerfds are set to a time of day: likewise */
	MUTEX_NOTICES = 12, /* which files have notices for SIGIO; files are asked under it */
};

/* In struct mutex.owner: somebody waits, or is about to. */
#define MUTEX_WANTED 1ul

struct mutex {
	/* The struct task that has it, and MUTEX_WANTED; 0: it is free.  Any task changes 0, and the owner
	 * what has no mark, by compare-and-swap; all else under lock. */
	_Atomic uintptr_t owner;
	struct lock lock;        /* RANK_MUTEX; MUTEX_WANTED is set and cleared under it */
	struct wait_queue queue; /* under lock */
	struct task *next;       /* under lock: who gets it when it is dropped; NULL: whoever comes first */
	uint16_t rank;           /* fixed */
	struct mutex *below;     /* the owner, in debug builds: that it took before, or NULL */
};

void mutex_init(struct mutex *m, const char *name, enum mutex_rank rank);
void mutex_lock(struct mutex *m);   /* may block; not interruptible */
void mutex_unlock(struct mutex *m);
/* For a look, in task context, by who is masked with no lock held, and for that cannot wait: false, it has
 * another owner.  Given back as above by who has unmasked meanwhile, or at once by the other one. */
bool mutex_try_masked(struct mutex *m);
void mutex_unlock_masked(struct mutex *m);

#endif
