/* SPDX-License-Identifier: MIT */
/*
 * A flood of messages that comes exactly as fast as it is read, whatever the speed of the machine; and
 * a mailbox in which the kernel has found no room.
 *
 *	/proc/exo/flood    COUNT    written by a process: so many messages come to its CPU, two at first and
 *	                            one more for each that is read, so that the ring is never found empty;
 *	                            the file says how many have been sent, and read
 *	/proc/exo/deaths-lost COUNT so many DEATH messages that come next have found none: in their place is
 *	                            the event alone; the file says how many are still to come
 */
#include <stdatomic.h>
#include "core/exo.h"
#include "core/lock.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "debug/random.h"
#include "fs/procfs.h"

#define WORD 0x666c6f6f64ul /* what tells them from others */

/* The CPU of the flood, masked; read by all. */
static _Atomic uint64_t left, sent, got;
/* Any CPU. */
static _Atomic uint64_t deaths_lost;

static void send_one(const struct vcore *v)
{
	if (left == 0 || exo_send(v->handle, WORD, 0, 0) < 0)
		return;
	left--;
	sent++;
}

static bool death_is_lost(void)
{
	uint64_t count = deaths_lost;

	while (count && !atomic_compare_exchange_weak(&deaths_lost, &count, count - 1))
		;
	if (count)
		__atomic_fetch_or(&this_vcore()->page->pending, EXO_EVENT_DEATH, __ATOMIC_RELEASE);
	return count > 0;
}

bool flood_here(const struct exo_message *m)
{
	if ((m->kind & 0xff) == EXO_MESSAGE_DEATH)
		return death_is_lost();
	if ((m->kind & 0xff) == EXO_MESSAGE_USER && m->word[0] == WORD) {
		got++;
		send_one(this_vcore());
	}
	return false;
}

static void print_flood(struct text *out, void *unused)
{
	text_print(out, "sent %lu read %lu\n", (uint64_t)sent, (uint64_t)got);
}

static int write_flood(const char *data, size_t n, void *unused)
{
	uint64_t count;

	number_read(data, &count);
	upcalls_mask();
	left = count;
	sent = got = 0;
	send_one(this_vcore());
	send_one(this_vcore());
	upcalls_unmask();
	return 0;
}

static void print_deaths(struct text *out, void *unused)
{
	text_print(out, "%lu\n", (uint64_t)deaths_lost);
}

static int write_deaths(const char *data, size_t n, void *unused)
{
	uint64_t count;

	number_read(data, &count);
	deaths_lost = count;
	return 0;
}

void flood_proc_init(void)
{
	if (proc_register("exo/flood", print_flood, write_flood, NULL) < 0 ||
	    proc_register("exo/deaths-lost", print_deaths, write_deaths, NULL) < 0)
		log_print("libos: no memory for /proc/exo/flood\n");
}
