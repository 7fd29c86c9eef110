/* SPDX-License-Identifier: MIT */
/*
 * What a domain shares with others beside its console, as its maker has decided: channels and calls
 * of servers.  Each is a module in its shared region, by the name of its kind and its own name:
 *
 *	struct link_page   read-only for it; its maker goes on writing to it
 *	memory             that both sides write
 *
 * All of that is memory of the maker's.
 */
#ifndef LIBOS_LINK_H
#define LIBOS_LINK_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "core/mutex.h"

struct domain;

#define LINK_NAME_MAX 23

#define LINK_RETIRED 256u

/* Written by the domain's maker alone. */
struct link_page {
	/* Vcores of the other side, by CPU, as the domain names them; 0: there is none now.  A channel has
	 * one, in the first place. */
	_Atomic exo_handle peers[EXO_CPUS_MAX];
	/* Names that it has had and is to drop: the last of so many. */
	_Atomic uint32_t retired_count;
	exo_handle retired[LINK_RETIRED];
	uint32_t side; /* which end of a channel is the domain's; fixed */
};
_Static_assert(sizeof(struct link_page) <= EXO_PAGE_SIZE, "one page");

/* ---------------------------------------------------------------- in the domain itself */

struct link {
	char name[LINK_NAME_MAX + 1];
	const struct link_page *page;
	void *memory;
};

/* The next one of this kind from module *at on, which moves behind it; false: there are no more. */
bool link_next(const char *kind, uint32_t *at, struct link *out);
/* Drops names that are of no use any more; *seen is the caller's, under a lock of his, 0 at first. */
void link_clean(const struct link_page *page, uint32_t *seen);

/* At the start, task context; then after each message, any context, no lock of rank >= RANK_PIPE held. */
void links_init(void);

/* Held from the look for a name until it has been made: two may want the same one at once. */
extern struct mutex links_mutex;
void links_rung(void);

/* ---------------------------------------------------------------- in the one that makes it */

/* "channel NAME", "serve NAME", "use NAME": is it something that there is? */
bool link_is_known(const char *words);
/* The task that makes d: shows it all that d->links names, from va on; 0 or -errno. */
int links_show(struct domain *d, uint64_t va);
/* Then, when it has its vcores, and whenever it has others: it and its peers can ring each other; 0 or
 * -errno. */
int links_connect(struct domain *d);
/* It has been taken apart: the others learn that it has gone.  lost: it may still see our memory. */
void links_leave(struct domain *d, bool lost);

/* The other side's vcore, as d names it, is another one now. */
void link_set_peer(struct link_page *page, unsigned index, exo_handle name, const struct domain *d);
/* One module for d: a link page and `count` pages of our heap, at *va, which moves behind them.  0, -ENOSPC
 * (it has too many) or -errno. */
int link_show(struct domain *d, uint64_t *va, const char *kind, const char *name,
	      const struct link_page *page, const void *memory, size_t count);

#endif
