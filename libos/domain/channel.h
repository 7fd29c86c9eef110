/* SPDX-License-Identifier: MIT */
/*
 * Channels (include/libos/channel.h).  One has two ends, which are those of domains that we have made,
 * our own, or nobody's; or our maker has made it, and one end is ours for good.
 *
 *	end 0   sides[0]   rings[0] ------------> read by end 1
 *	end 1   sides[1]   rings[1] ------------> read by end 0
 */
#ifndef LIBOS_CHANNEL_END_H
#define LIBOS_CHANNEL_END_H

#include <exo/abi.h>
#include <stdbool.h>
#include "core/lock.h"
#include "core/wait.h"
#include "domain/byte_ring.h"
#include "domain/link.h"

#define CHANNEL_KIND "channel"
#define CHANNEL_RING_SIZE 16384u

/* Written by the domain that has the end; and by who has made that, once it is dead. */
struct channel_side {
	_Atomic uint32_t open;  /* there are files of this end */
	_Atomic uint32_t opens; /* how many have been opened so far */
	uint32_t reserved[14];
};

/* What both ends see. */
struct channel_memory {
	struct channel_side sides[2];
	struct byte_ring_shared rings[2];
	uint8_t bytes[2][CHANNEL_RING_SIZE] __attribute__((aligned(4096)));
};
#define CHANNEL_PAGES (sizeof(struct channel_memory) / EXO_PAGE_SIZE)

/* Made once for each name, and never freed: its device may be opened at any time. */
struct channel {
	/* Fixed. */
	char name[LINK_NAME_MAX + 1];
	const struct link_page *link;  /* shown by our maker; NULL: we have made it */
	struct channel *next;          /* of all */

	struct lock lock;              /* RANK_PIPE */
	/* Under lock. */
	struct channel_memory *memory; /* NULL: nobody has an end */
	struct wait_queue changed;
	uint32_t files;                /* of our end */
	unsigned side;                 /* which end is ours, while there are some, or for good */
	struct byte_ring in, out;      /* ours, likewise */
	uint32_t retired_seen;         /* link_clean() */
	struct {
		struct domain *domain; /* that we have made and whose end it is; NULL: none */
		struct link_page *page;
		exo_handle vcore;      /* of it, for us to ring; 0: not yet */
	} ends[2];
};

/* channel.c */
struct channel *channel_first(void);
/* The one of this name, which is ours to make; made if there is none.  NULL and *error. */
struct channel *channel_find(const char *name, int *error);
/* Under lock: its memory is no longer seen by anybody. */
void channel_free_memory(struct channel *c);
void channels_init(void);
void channels_rung(void);

/* channel_ends.c: links_show(), links_connect() and links_leave() for channels. */
int channel_join(struct domain *d, const char *name, uint64_t *va);
int channels_connect(struct domain *d);
void channels_leave(struct domain *d, bool lost);

#endif
