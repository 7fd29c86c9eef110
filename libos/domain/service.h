/* SPDX-License-Identifier: MIT */
/*
 * Calls to the server of another domain (include/libos/server.h).  Each domain that may call it has a
 * page of requests that it shares with the server; all the pages are their maker's.
 *
 *	caller                       slot               server, on the same CPU
 *	fills it in, posts it        POSTED
 *	EXO_CALL_DONATE ---------------------------->   takes it
 *	                             TAKEN              its handler runs on the caller's time
 *	                             DONE               writes the answer
 *	goes on <------------------------------------   EXO_CALL_REPLY
 *	reads the answer             FREE
 *
 * What a server that has died had taken is FREE again: its caller finds it gone.  A slot stays its caller's
 * until that one gives it back, whatever its state.
 *
 * A caller can write any state into its slots.  So what the server has not answered of a caller that died it
 * says itself, where no other caller can write (`held`): until then the page is nobody else's, who would find
 * an answer that is not its own.
 *
 * A request is for one CPU's vcore of the server, as only callers on that CPU can give it time.  So
 * nothing is posted for a vcore while it runs, and nobody is told when an answer is there: who waits
 * for one gives the server time until it is.
 */
#ifndef LIBOS_SERVICE_H
#define LIBOS_SERVICE_H

#include <exo/abi.h>
#include <libos/server.h>
#include <stdbool.h>
#include "core/lock.h"
#include "core/wait.h"
#include "domain/link.h"

#define SERVICE_SERVE "serve"
#define SERVICE_USE "use"
#define SERVICE_CALLERS 16u /* domains, the maker's own included */
#define SERVICE_SLOTS 64u   /* of a page; the first is not used */

enum service_slot_state { SLOT_FREE, SLOT_POSTED, SLOT_TAKEN, SLOT_DONE };
/* Posted, and for whom: in one word, so that a slot which is withdrawn and posted for another CPU is not
 * taken for what it was. */
#define SLOT_POSTED_FOR(cpu) (SLOT_POSTED | (uint32_t)(cpu) << 8)

struct service_slot {
	_Atomic uint32_t state; /* enum service_slot_state; changed as in the picture */
	uint32_t unused;
	uint64_t words[SERVER_WORDS]; /* the caller's, the server's while TAKEN */
	uint64_t reserved;
};

/* What a domain and the server share. */
struct service_page {
	_Atomic uint64_t posted;  /* set by the caller, cleared by the server: a bit for each slot */
	/* In the first page, which only the server and the maker have.  The server's while there is one, else
	 * the maker's. */
	_Atomic uint64_t serving; /* CPUs on which a thread has asked for requests */
	_Atomic uint64_t held;    /* callers who have requests taken; under the server's lock */
	uint64_t reserved[5];
	struct service_slot slots[SERVICE_SLOTS - 1];
};
_Static_assert(sizeof(struct service_page) == EXO_PAGE_SIZE, "one page");

/* What this domain has to do with it. */
enum service_role { SERVICE_MAKES, SERVICE_SERVES, SERVICE_USES };

/* Made once for each name, and never freed: its device may be opened at any time. */
struct service {
	/* Fixed. */
	char name[LINK_NAME_MAX + 1];
	enum service_role role;
	const struct link_page *link; /* shown by our maker; NULL: we have made it */
	struct service *next;         /* of all */

	struct lock lock;             /* RANK_PIPE */
	/* Under lock. */
	struct service_page *pages;   /* the caller's own, or all; NULL: nobody serves or calls */
	uint32_t retired_seen;        /* link_clean() */

	/* Under lock, of one that we may call: slots in use, and those given up but not answered. */
	uint64_t busy, abandoned;

	/* Under lock, of one that we serve. */
	struct wait_queue waiting;    /* threads that ask for requests */
	uint64_t taken[SERVICE_CALLERS]; /* slots of each; which have some is told in pages->held */
	unsigned next_caller;         /* who is looked at first */

	/* Under lock, of one that we have made; the first caller is this domain. */
	struct { struct domain *domain; struct link_page *page; } server, callers[SERVICE_CALLERS];
	exo_handle vcores[EXO_CPUS_MAX]; /* the server's */
};

static inline struct service_slot *service_slot(struct service_page *page, unsigned number)
{
	return &page->slots[number - 1];
}

/* service.c */
struct service *service_first(void);
/* The one of this name, which is ours to make; made if there is none.  NULL and *error. */
struct service *service_find(const char *name, int *error);
void services_init(void);
void services_rung(void);

/* service_call.c, service_serve.c: task context; 0 or -errno. */
int service_call(struct service *s, struct server_message *m);
/* After an error as well, m says what is still to be answered: nothing. */
int service_reply_receive(struct service *s, struct server_message *m);
/* Until there is a CPU that is not in words[0], which then has all that there are. */
int service_await_cpu(struct service *s, struct server_message *m);

/* service_parties.c: links_show(), links_connect() and links_leave() for services. */
int service_show_server(struct domain *d, const char *name, uint64_t *va);
int service_show_caller(struct domain *d, const char *name, uint64_t *va);
int services_connect(struct domain *d);
void services_leave(struct domain *d, bool lost);

#endif
