/* SPDX-License-Identifier: MIT */
/* The interrupt lines of domains that we have made: see lines.h. */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/handles.h"
#include "domain/domain.h"
#include "domain/lines.h"
#include "domain/parent.h"

#define LOOK_NS 1000000ul /* between two looks at a line that is to be given up */

/* It names the line by what stands in its boot page, and looks there after a message. */
static void tell(struct domain *d, unsigned number, exo_handle name)
{
	atomic_store(&d->boot->lines[number], name);
	(void)exo_send(d->first_vcore, DOMAIN_MESSAGE_LOOK, 0, 0);
}

/* -EBADF: it has given it up. */
static int64_t revoke(struct domain *d, exo_handle line, uint64_t patience_ns)
{
	int64_t r;

	while ((r = exo_revoke(line, patience_ns)) == 1) {
		if (!domain_is_alive(d))
			return -ESRCH; /* it waits for us to be done with it */
		domain_sleep(d, LOOK_NS);
	}
	return r == -EBADF ? 0 : r;
}

static int take(struct domain *d, unsigned number, uint64_t patience_ns)
{
	exo_handle *line = &d->lines[number].handle;
	int64_t r;

	if (domain_line_is_relayed(*line)) {
		line_take_back(number);
		tell(d, number, 0);
		*line = 0;
		return 0;
	}
	atomic_fetch_or(&d->boot->lines_wanted, 1u << number);
	r = revoke(d, *line, patience_ns);
	if (r)
		return (int)r;
	tell(d, number, 0);
	exo_handle_drop(*line);
	*line = 0;
	return 0;
}

/* A line that is ours by our own maker's grace. */
static int relay(struct domain *d, unsigned number)
{
	int r = line_lend(number, d);

	if (r == 0)
		d->lines[number].handle = domain_line_relayed(1);
	return r;
}

static int grant(struct domain *d, unsigned number)
{
	int64_t line, name;
	int r;

	if (parent_exists())
		return relay(d, number);
	r = handles_make_room(1);
	if (r)
		return r;
	line = exo_irq_bind(EXO_HANDLE(EXO_SLOT_IRQS), d->first_vcore, number, number);
	if (line < 0)
		return line != -EBADF ? (int)line : -ESRCH;
	d->lines[number].handle = (exo_handle)line;
	d->lines[number].vcore = d->first_vcore;
	atomic_fetch_and(&d->boot->lines_wanted, ~(1u << number));
	name = exo_handle_copy((exo_handle)line, d->domain, EXO_RIGHT_USE);
	if (name > 0)
		tell(d, number, (exo_handle)name);
	else
		(void)take(d, number, 0);
	return name > 0 ? 0 : (int)name;
}

int lines_set(struct domain *d, uint32_t wanted, uint64_t patience_ns)
{
	int r = 0;

	for (unsigned n = 0; n < IRQ_LINES && r == 0; n++)
		if (d->lines[n].handle && !(wanted >> n & 1))
			r = take(d, n, patience_ns);
	for (unsigned n = 0; n < IRQ_LINES && r == 0; n++)
		if (!d->lines[n].handle && (wanted >> n & 1))
			r = grant(d, n);
	return r;
}

int lines_move(struct domain *d, uint64_t patience_ns)
{
	int r = 0;

	for (unsigned n = 0; n < IRQ_LINES && r == 0; n++) {
		if (!d->lines[n].handle || domain_line_is_relayed(d->lines[n].handle) ||
		    d->lines[n].vcore == d->first_vcore)
			continue;
		r = take(d, n, patience_ns);
		if (r == 0)
			r = grant(d, n);
	}
	return r;
}

/* With its vcores the kernel has unbound their lines. */
void lines_leave(struct domain *d)
{
	for (unsigned n = 0; n < IRQ_LINES; n++)
		if (domain_line_is_relayed(d->lines[n].handle))
			line_take_back(n);
		else if (d->lines[n].handle)
			exo_handle_drop(d->lines[n].handle);
}
