/* SPDX-License-Identifier: MIT */
/*
 * A child domain, as the libos that made it sees it.
 *
 *	           built            its DEATH message,      the reaper has
 *	                            or somebody kills it    all of it back
 *	MAKING -----------> ALIVE --------------> DYING --------------> DEAD
 *	   |                                        ^
 *	   +----------------------------------------+  it could not be made, or the CPU that it
 *	                                               reports to is given up
 *
 * Why nothing is taken apart under the task that makes it, or resizes it: that one has set `busy`, under
 * domains_lock and while it was MAKING or ALIVE, and the reaper leaves a domain alone that is.
 */
#ifndef LIBOS_DOMAIN_DOMAIN_H
#define LIBOS_DOMAIN_DOMAIN_H

#include <exo/abi.h>
#include <libos/domain.h>
#include "core/list.h"
#include "core/lock.h"
#include "core/wait.h"
#include "domain/boot.h"
#include "domain/link.h"
#include "domain/memory.h"

#define DOMAIN_PATH_MAX 256
#define DOMAIN_LINKS_MAX 512u

/* To what is a domain's own but named by its maker as well: it must not be able to revoke it. */
#define DOMAIN_OWN_RIGHTS (EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE)

enum domain_state { DOMAIN_MAKING, DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD };

struct domain {
	/* Fixed once it is in the list. */
	uint32_t id;
	char command_line[EXO_COMMAND_LINE_MAX];
	char image[DOMAIN_PATH_MAX];
	char words[DOMAIN_WORDS_MAX];
	uint32_t words_size;
	char links[DOMAIN_LINKS_MAX];  /* link.h; each ended by a NUL */
	uint32_t links_size;
	const _Atomic uint64_t *serving; /* service.h; NULL: it is no server */
	bool passive;                  /* it gives its time back once it serves */

	unsigned reports_to;           /* the CPU of ours whose vcore is told of its end */

	/* The task that makes it, then the one that resizes it, then the reaper. */
	struct domain_memory memory;
	uint64_t lost;                 /* frames that the kernel did not give back */
	exo_handle domain, shared, space;
	struct {
		exo_handle vcore;
		exo_handle sc;         /* taken away under domains_lock, together with past_ns */
		/* For them, there is one or not; 0: it never had one here. */
		uint64_t object_frame, vector_frame, sc_frame;
		uint64_t page_frame;      /* mapped, also when the vcore has gone; 0: there was none */
		uint64_t next_page_frame; /* for the next vcore */
		uint64_t past_ns;      /* consumed on SCs that have been reclaimed */
		int64_t result;
	} vcores[EXO_CPUS_MAX];
	struct {
		exo_handle handle, vcore; /* 0: it has not got that one; whom it interrupts */
	} lines[IRQ_LINES];
	uint64_t event_stack_top, fault_stack_top, stack_stride; /* as in struct exo_image */
	struct exo_info *info;         /* these three are pages of our heap that it has mapped */
	struct domain_boot *boot;
	struct domain_console *console;

	/* Who makes it, or resizes it; read by anyone: the vcore that is told of the console. */
	_Atomic exo_handle first_vcore;

	/* Under domains_lock. */
	struct list link;              /* of all */
	enum domain_state state;
	enum domain_cause cause;
	int32_t status;
	uint32_t references;           /* files, and one while it is not DEAD */
	uint64_t memory_bytes;         /* these are changed only by who has set `busy` */
	uint64_t cpus;                 /* a bit for each */
	uint64_t budget_ns, period_ns;
	bool busy;                     /* somebody makes or resizes it: it is not taken apart meanwhile */
	bool giving_back;              /* the reaper takes its time back: it is not resized meanwhile */
	bool has_no_time;              /* it was passive, and serves: there is no time to take back */
	bool waited;                   /* somebody has been told of its end */
	struct byte_ring input, output; /* our ends of the console, once it is ALIVE */
	struct wait_queue changed;     /* who sleeps until the state changes, or the console's readiness */
	struct list files;             /* struct domain_pollers.link: attached to it */
};

/*
 * Who polls a file of /dev/domain: for as long as the file is there, attached or not, since who has begun to
 * watch it is not asked to begin again when it is.  Under domains_lock.
 */
struct domain_pollers {
	struct wait_queue queue;
	struct list link; /* in domain.files */
};

extern struct lock domains_lock;
extern struct list domains_list; /* under domains_lock: struct domain.link */

/* pollers.c */
/* The file is one of d's, with a reference, until it is detached; its pollers are woken, from now on and
 * now.  Task context. */
void domain_attach(struct domain *d, struct domain_pollers *p);
void domain_detach(struct domain_pollers *p);
/* Any context, domains_lock held: something has happened to it. */
void domain_tell_locked(struct domain *d);

/* table.c: task context. */
/* MAKING, known to nobody else, with two references: the caller's and its own.  NULL: no memory. */
struct domain *domain_new(void);
void domain_discard(struct domain *d); /* what has not been listed */
/* Gives it its number; busy until domain_busy_end().  -ENODEV: it is to have a CPU that we give up. */
int domain_list(struct domain *d);
/* With a reference; NULL: there is none of this number, or it has not been made, or its end has been told. */
struct domain *domain_find(uint32_t id);
/* The one with the smallest number that is not below this one, made or not; likewise. */
struct domain *domain_next(uint32_t id);
void domain_put(struct domain *d);
void domain_told(struct domain *d);  /* nobody needs to be told of its end any more */
int domain_begin(struct domain *d);  /* MAKING -> ALIVE; -ESRCH: it is to end instead */
void domain_kill(struct domain *d);  /* unless it is dying already */
/* Any context, domains_lock held: likewise; and the reaper looks at all of them again. */
void domain_end_locked(struct domain *d, enum domain_cause cause, int32_t status);
void domains_reap_locked(void);

/* It is not known to have died. */
bool domain_is_alive(const struct domain *d);
/* Until a message comes, or something happens to it, or for so long. */
void domain_sleep(struct domain *d, uint64_t ns);

/* One at a time: 0, -EBUSY or -ESRCH (it is not alive); and then the end of that. */
int domain_resize_begin(struct domain *d);
void domain_busy_end(struct domain *d);

/* Any context, no lock of rank >= RANK_TTY held: a message has come; and a death among them. */
void domains_rung(void);
void domain_died(uint64_t id, uint64_t status);
/* For a message of a death there was no room: whose may it have been? */
void domains_ask(void);

/* dismantle.c: by the reaper, of one that is DYING; its frames are ours again afterwards, but for those that
 * `lost` counts. */
void domain_dismantle(struct domain *d);

/* console.c: task context; with a reference. */
/* Bytes, 0 when there will be no more, or -errno. */
long domain_console_read(struct domain *d, bool wait, uint8_t *bytes, size_t n);
/* All of it, unless the domain dies (EPIPE) or nobody may wait. */
long domain_console_write(struct domain *d, bool wait, const uint8_t *bytes, size_t n);
uint32_t domain_console_poll(struct domain *d);

/* build.c: makes all of it but the vcores and starts nothing; 0 or -errno, and then what there is of
 * it is to be taken apart. */
int domain_build(struct domain *d);

/* region.c: in its shared region, feeding it page tables out of its memory; 0, -ENOMEM or the
 * kernel's error. */
int domain_update(struct domain *d, const struct exo_op *ops, unsigned count);
/* Frames that are its own; likewise. */
int domain_map(struct domain *d, uint64_t va, uint64_t first, uint64_t count, unsigned prot);
/* Pages of our heap, which stay ours. */
int domain_map_heap(struct domain *d, uint64_t va, const void *pages, uint64_t count, unsigned prot);

/* Ops on contents of frames, which concern no space; 0 or the kernel's error. */
int domain_update_contents(const struct exo_op *ops, unsigned count);
/* Frames of ours, scrubbed unless EXO_GIVE_CONTENTS; 0 or the kernel's error. */
int domain_give(struct domain *d, uint64_t first, uint64_t count, unsigned flags);

/* resize.c: between domain_resize_begin() and domain_busy_end(): its memory is to be so many bytes.  0,
 * -ENOMEM, -ESRCH, or -EBUSY: some could not be taken from it.  *forced: frames that had to be taken. */
int domain_resize_memory(struct domain *d, uint64_t bytes, uint64_t patience_ns, uint64_t *forced);

/* vcores.c: the same for its vcores and their time; and starts the first. */
int domain_make_vcores(struct domain *d, const struct exo_image *image);
int domain_start(struct domain *d);
/* Its time is ours again. */
void domain_reclaim_time(struct domain *d);
/* What it has had on all of its CPUs. */
uint64_t domain_consumed_ns(struct domain *d);

/* cpus.c: likewise: it is to have these CPUs, with this budget on each.  What it does not give up in time is
 * taken.  0, or the kernel's error, and then some of it may have been done. */
int domain_resize_cpus(struct domain *d, uint64_t cpus, uint64_t patience_ns);
int domain_resize_budget(struct domain *d, uint64_t budget_ns, uint64_t period_ns);
/* vcores.c, for that.  What of it there is already is undone by domain_take_cpu(). */
int domain_grant_cpu(struct domain *d, unsigned cpu);
int domain_take_cpu(struct domain *d, unsigned cpu, uint64_t patience_ns);
int domain_set_budget(struct domain *d, unsigned cpu); /* to d->budget_ns and period_ns */
int domain_give_time(struct domain *d, unsigned cpu);  /* if it has none there */

#endif
