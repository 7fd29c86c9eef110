/* SPDX-License-Identifier: MIT */
/* Making an object: the handle's slot and the frames, all or none, before anything is changed. */
#include "kernel.h"

int creation_begin(struct creation *c, enum exo_frame_type last_type)
{
	c->payer = domain_current();
	c->slot = handle_reserve(c->payer);
	if (c->slot < 0)
		return c->slot;
	for (c->claimed = 0; c->claimed < c->count; c->claimed++) {
		int error = frame_claim(c->frames[c->claimed], c->payer->id,
					c->claimed + 1 < c->count ? EXO_FRAME_KERNEL : last_type);

		if (error) {
			creation_undo(c);
			return error;
		}
	}
	return 0;
}

void creation_undo(struct creation *c)
{
	while (c->claimed > 0)
		frame_release(c->frames[--c->claimed]);
	handle_cancel(c->payer, c->slot);
}

exo_handle creation_finish(struct creation *c, enum object_kind kind)
{
	return handle_fill(c->payer, c->slot, kind, EXO_RIGHTS_ALL, c->frames[0], 0, 0);
}
