/* SPDX-License-Identifier: MIT */
/* Making an object: the handle's slot and the frames, all or none, before anything is changed. */
#include "kernel.h"

int creation_begin(struct creation *c, enum exo_frame_type last_type)
{
	int error;

	c->payer = domain_current();
	c->slot = handle_reserve(c->payer);
	if (c->slot < 0)
		return c->slot;
	error = frame_claim_all(c->frames, c->count, c->payer->id, EXO_FRAME_KERNEL, last_type);
	if (error)
		handle_cancel(c->payer, c->slot);
	return error;
}

void creation_undo(struct creation *c)
{
	frame_release_all(c->frames, c->count);
	handle_cancel(c->payer, c->slot);
}

exo_handle creation_finish(struct creation *c, enum object_kind kind)
{
	return handle_fill(c->payer, c->slot, kind, EXO_RIGHTS_ALL, c->frames[0], 0, 0);
}
