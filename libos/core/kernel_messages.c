/* SPDX-License-Identifier: MIT */
/*
 * Messages of the kernel and of other domains, which come through the ring in the vcore's page.
 *
 * Another domain may send as fast as we read, from any number of CPUs.  So what is read at once is a
 * ring's worth; what comes on top of it rests while the CPU's tasks have their turn, and is then read by a
 * timer, again a ring's worth.
 *
 * Why none is forgotten: who leaves a rest, of which nobody will ring (kernel_mailbox_read()), arms the
 * timer, and only while it is armed is a ring not followed.  The timer does not look at `pending`: it
 * reads whatever is there, and who leaves none behind has either seen the ring empty or seen that the
 * next sender rings.
 */
#include "core/kernel_messages.h"
#include "core/irq.h"
#include "core/kernel_mailbox.h"
#include "core/log.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "domain/domain.h"
#include "domain/lines.h"
#include "domain/link.h"
#include "domain/parent.h"
#include "domain/pressure.h"
#include "sched/offline.h"
#include "time/time.h"

#define TURN_NS 1000000ul /* many times what it takes to read a ring */

static void read_rest(struct timer *t);

/* Each is its own CPU's. */
static struct timer turns[EXO_CPUS_MAX] = {
	[0 ... EXO_CPUS_MAX - 1] = { .fire = read_rest },
};

/* A vcore finds in its mailbox what concerns itself. */
static void revoked(const struct exo_message *m)
{
	if ((m->word[0] & 0xff) == EXO_REVOKED_FRAMES)
		pressure_asked(m->word[2], m->word[1]);
	else if ((m->word[0] & 0xff) == EXO_REVOKED_VCORE)
		cpu_revoked(this_vcore(), m->word[1]);
	else if ((m->word[0] & 0xff) == EXO_REVOKED_LINE)
		lines_revoked((unsigned)(m->word[0] >> 8));
}

static void kernel_message(const struct exo_message *m)
{
	if (flood_point(m))
		return;
	switch (m->kind & 0xff) {
	case EXO_MESSAGE_IRQ:
		irq_message(m);
		break;
	case EXO_MESSAGE_USER:
		parent_message(m);
		break;
	case EXO_MESSAGE_REVOKE:
		revoked(m);
		break;
	case EXO_MESSAGE_DEATH:
		domain_died(m->word[0], m->word[1]);
		break;
	case EXO_MESSAGE_OVERRUN:
		log_print("libos: domain %lu overran on CPU %ld\n", m->word[0], (long)m->word[1]);
		break;
	}
}

/*
 * A message of another domain says no more than that there may be something to see, unless it is our
 * parent's (parent_message()); one that was not taken because the mailbox was full would have said no more
 * either.  So we look after whatever has come.
 */
static void read_some(struct vcore *v)
{
	unsigned count = 0;

	v->mail_rests = kernel_mailbox_read(v->page, kernel_message, &count);
	if (v->mail_rests)
		timer_arm(&turns[v->cpu], time_now_ns() + TURN_NS);
	if (count) {
		domains_rung();
		parent_rung();
		links_rung();
		lines_rung();
	}
}

/* A CPU that has been given up gets no more messages, and who looks after its timers has no use for this. */
static void read_rest(struct timer *t)
{
	struct vcore *v = this_vcore();

	if (t == &turns[v->cpu])
		read_some(v);
}

void kernel_messages(struct vcore *v, uint32_t events)
{
	if (!v->mail_rests || (events & EXO_EVENT_REVOKE))
		read_some(v);
	if (events & EXO_EVENT_DEATH)
		domains_ask();
}
