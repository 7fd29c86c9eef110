/* SPDX-License-Identifier: MIT */
/* The console of a domain, as its maker has it: the other ends of the rings of domain/boot.h. */
#include "abi/errno.h"
#include "core/exo.h"
#include "domain/domain.h"
#include "fs/poll.h"
#include "proc/signal.h"

/* No lock held.  If it finds the mailbox full, there is a message that the domain has yet to take,
 * and it looks at its console after that. */
static void ring_domain(const struct domain *d, bool ring)
{
	if (ring)
		(void)exo_send(d->first_vcore, 0, 0, 0);
}

/* With domains_lock held: 0 if there may be something to do, and else why not. */
static int wait_for_change(struct domain *d, bool wait)
{
	if (!wait)
		return -EAGAIN;
	return wait_on(&d->changed, &domains_lock, WAIT_INTERRUPTIBLE, 0) == -EINTR ? -ERESTARTSYS : 0;
}

long domain_console_read(struct domain *d, bool wait, uint8_t *bytes, size_t n)
{
	size_t got;
	bool ring = false;
	int r = 0;

	lock_acquire(&domains_lock);
	while ((got = byte_ring_take(&d->output, bytes, n, &ring)) == 0 && n != 0 &&
	       d->state != DOMAIN_DEAD && r == 0)
		if (byte_ring_reader_sleeps(&d->output))
			r = wait_for_change(d, wait);
	lock_release(&domains_lock);
	ring_domain(d, ring);
	return got ? (long)got : r;
}

long domain_console_write(struct domain *d, bool wait, const uint8_t *bytes, size_t n)
{
	size_t done = 0;
	bool ring = false;
	int r = 0;

	lock_acquire(&domains_lock);
	while (done < n && r == 0) {
		size_t put;

		if (d->state != DOMAIN_ALIVE) {
			r = -EPIPE;
			break;
		}
		put = byte_ring_put(&d->input, bytes + done, n - done, &ring);
		done += put;
		if (ring) {
			lock_release(&domains_lock);
			ring_domain(d, ring);
			lock_acquire(&domains_lock);
		} else if (put == 0 && byte_ring_writer_sleeps(&d->input)) {
			r = wait_for_change(d, wait);
		}
	}
	lock_release(&domains_lock);
	return done ? (long)done : r;
}

uint32_t domain_console_poll(struct domain *d)
{
	uint32_t events = 0;

	lock_acquire(&domains_lock);
	/* To be rung at the next byte, whatever is there now: an edge is told once, and not asked for
	 * again. */
	if (!byte_ring_reader_sleeps(&d->output))
		events |= POLLIN | POLLRDNORM;
	if (!byte_ring_writer_sleeps(&d->input))
		events |= POLLOUT | POLLWRNORM;
	if (d->state == DOMAIN_DEAD)
		events |= POLLIN | POLLHUP;
	lock_release(&domains_lock);
	return events;
}
