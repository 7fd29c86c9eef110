/* SPDX-License-Identifier: MIT */
/* The vectored update: runs ops chunk by chunk, and says what came free and when (update.h). */
#include "kernel.h"
#include "calls.h"
#include "update.h"
#include "page_table.h"

#define PAGES_AT_ONCE (1ul << 30) /* of a sweep: pages_done has 32 bits */

/* A call in progress. */
struct update {
	struct domain *domain;
	struct space *target;
	struct exo_update header; /* the caller's, by value */
	unsigned work;            /* how much more this call may do */
	tlb_stamp stamp;          /* of all that it removed */
};

/* Of entries that lost rights: other CPUs are told, and this one forgets them. */
static tlb_stamp publish(struct space *s, const struct harvest *h)
{
	struct cpu *cpu = this_cpu();
	tlb_stamp stamp;

	if (!h->changed)
		return 0;
	stamp = tlb_publish(s);
	if (s != cpu->run.space && s != cpu->run.shared)
		return stamp;
	cpu->stats.tlb_flushes++;
	if (h->changed > UPDATE_FLUSH_SINGLY)
		tlb_flush_all();
	else
		for (unsigned i = 0; i < h->changed; i++)
			tlb_flush_page(h->va[i]);
	return stamp;
}

/*
 * After entries of s have changed, still under the lock.  The order matters (tlb_epoch.c): publish,
 * flush this CPU, stamp the frame, and only then let its map count go down, since whoever finds
 * the count at 0 relies on the stamp.  As we do: a frame that came free may have been stamped just now by
 * another CPU, in another space.  Leaves in h->frames those that came free.
 *
 * Not among them is a table through which another CPU may still find its way: mapped as a page, its entries
 * would be the caller's to write.  The space keeps it for its next table (page_table_pool_take).
 */
static void harvest_bring_in(struct update *u, struct space *s, struct harvest *h)
{
	uint64_t free_word = frame_word_make(u->domain->id, EXO_FRAME_USER);
	uint16_t space_owner = s->object.owner->id;
	unsigned free = 0;
	tlb_stamp stamp = tlb_stamp_union(publish(s, h), h->left);

	u->stamp = tlb_stamp_union(u->stamp, stamp);
	if (!stamp)
		h->frame_count = frame_unmap_easy(h->frames, h->frame_count, free_word);
	for (unsigned i = 0; i < h->frame_count; i++) {
		uint64_t frame = h->frames[i], word = frame_word(frame);
		enum exo_frame_type type = frame_word_type(word);

		if (type == EXO_FRAME_NONE)
			continue; /* a device's */
		if (stamp)
			tlb_stamp_frame(frame, stamp);
		if (type == EXO_FRAME_TABLE && tlb_frame_pending(frame)) {
			page_table_pool_add(s, frame);
			continue;
		}
		if (type == EXO_FRAME_TABLE)
			frame_release(frame);
		word = type == EXO_FRAME_TABLE ? frame_word(frame) : frame_unmap(frame, word, space_owner);
		if ((word & ~FRAME_WORD_PINS) != free_word)
			continue;
		h->frames[free++] = frame;
		u->stamp = tlb_stamp_union(u->stamp, tlb_frame_pending(frame));
	}
	h->frame_count = free;
}

/* A list that cannot be written costs nobody but the caller: the frame table still tells. */
static int deliver(struct update *u, const struct harvest *h)
{
	struct exo_update *header = &u->header;
	uint64_t to = header->freed + header->freed_count * sizeof(uint64_t);

	if (!header->freed_max || !h->frame_count)
		return 0;
	header->freed_count += h->frame_count;
	return copy_to_user(to, h->frames, h->frame_count * sizeof(h->frames[0]));
}

/* How much one chunk may do: no more than the list of freed frames has room for.  The last page of a
 * table may bring the table along. */
static unsigned chunk_limit(const struct update *u, const struct update_plan *plan)
{
	bool tables = plan->op.code == EXO_OP_UNMAP && plan->op.count >= TABLE_ENTRIES;
	unsigned limit = min(u->work, UPDATE_CHUNK), room = u->header.freed_max - u->header.freed_count;

	room -= tables && room > 0;
	return u->header.freed_max && room < limit ? room : limit;
}

/* 0: the op is complete; 1: call again; or an errno. */
static int run_op(struct update *u, const struct update_plan *plan)
{
	struct lock *first = &plan->target->lock, *second = &plan->source->lock;
	bool locked = plan->op.code != EXO_OP_COPY; /* the one that changes no entries */
	struct update_step step;

	step.plan = plan;
	while (u->header.pages_done < plan->op.count) {
		int error, undelivered;

		step.pages = step.cost = step.harvest.changed = step.harvest.frame_count = 0;
		step.error = step.harvest.left = 0;
		step.limit = chunk_limit(u, plan);
		if (!step.limit)
			return 1;
		step.done = u->header.pages_done;
		if (locked)
			lock_acquire_pair(first, second);
		error = update_commit(&step);
		if (step.harvest.changed | step.harvest.frame_count | step.harvest.left)
			harvest_bring_in(u, plan->source, &step.harvest);
		if (locked)
			lock_release_pair(first, second);
		undelivered = deliver(u, &step.harvest);
		u->header.pages_done += step.pages;
		u->work -= step.cost < u->work ? step.cost : u->work;
		if (error || undelivered)
			return error ? error : undelivered;
	}
	return 0;
}

/* Most ops are a page that comes where none was.  -EAGAIN: this one is more, and nothing is done. */
static int run_map(struct update *u, const struct update_plan *plan)
{
	unsigned cost = plan->op.flags & UPDATE_FILLS ? 1u << UPDATE_FILL_SHIFT : 1;
	struct update_step step;

	if (plan->op.code != EXO_OP_MAP || plan->op.count != 1 || u->header.pages_done || u->work < cost)
		return -EAGAIN;
	step.plan = plan;
	lock_acquire(&plan->target->lock);
	int error = update_commit_map(&step);
	lock_release(&plan->target->lock);
	u->work -= error == -EAGAIN ? 0 : cost;
	return error;
}

static int run_ops(struct update *u)
{
	struct exo_update *header = &u->header;

	while (header->ops_done < header->op_count) {
		struct update_plan plan;
		int result;

		if (u->work == 0)
			return 1;
		u->work--;
		result = update_decode(u->domain, u->target,
				       header->ops + header->ops_done * sizeof(struct exo_op), &plan);
		if (result)
			return result;
		result = run_map(u, &plan);
		if (result == -EAGAIN)
			result = run_op(u, &plan);
		update_plan_put(&plan);
		if (result)
			return result;
		header->ops_done++;
		header->pages_done = 0;
	}
	return 0;
}

/* What is pending for the space, by this call, the ones before it, or those of other CPUs. */
static uint64_t pending_epoch(struct space *s, tlb_stamp stamp)
{
	tlb_stamp pending = stamp | atomic_load(&s->stale) ? tlb_stamp_add(&s->stale, stamp) : 0;

	return tlb_acknowledged(pending) ? 0 : tlb_stamp_epoch(pending);
}

bool update_take_revoked(struct space *s, uint64_t *page)
{
	uint64_t start = s->is_shared ? EXO_SHARED_BASE : 0;
	uint64_t end = s->is_shared ? EXO_SHARED_END : EXO_USER_TOP;
	uint64_t pages = (end - start) >> EXO_PAGE_SHIFT;
	struct update u = { .domain = s->object.owner, .target = s, .work = EXO_UPDATE_PAGES_MAX };
	struct update_plan plan = {
		.op = { .code = EXO_OP_PROTECT, .va = start + *page * EXO_PAGE_SIZE },
		.revoke = true, .held.kept = true, .target = s, .source = s->object.owner->shared };

	if (*page >= pages)
		return false;
	plan.op.count = min(pages - *page, PAGES_AT_ONCE);
	run_op(&u, &plan);
	*page += u.header.pages_done;
	tlb_stamp_add(&s->stale, u.stamp);
	return *page < pages;
}

/* (space, struct exo_update *) */
int64_t call_update(struct exo_regs *regs, struct handle_view *h)
{
	struct update u = { .domain = domain_current(), .target = h->space, .work = EXO_UPDATE_PAGES_MAX };
	int result = copy_from_user(&u.header, regs->rsi, sizeof(u.header));

	if (result)
		return result;
	if (!u.header.freed)
		u.header.freed_max = 0;
	if (u.header.op_count > EXO_UPDATE_OPS_MAX || u.header.ops_done > u.header.op_count ||
	    u.header.freed_max == 1)
		return -EINVAL;
	u.header.freed_count = 0;
	result = run_ops(&u);
	u.header.epoch = pending_epoch(u.target, u.stamp);
	return copy_to_user(regs->rsi, &u.header, sizeof(u.header)) ? -EFAULT : result;
}

/* (space, va, pages, rights | flags << 8).  What programs do all the time, with a page or two.  A space that
 * is not shared is the same to all domains, and may have any rights. */
__attribute__((flatten)) int64_t call_protect(struct exo_regs *regs, struct handle_view *h)
{
	uint64_t va = regs->rsi, pages = regs->rdx, rights = regs->r10;
	struct space *s = h->space;
	struct update_plan plan = { .op = { .flags = rights >> 8, .count = pages, .va = va },
				    .bits = page_table_bits(rights), .target = s };
	struct harvest harvest;

	if (pages > EXO_PROTECT_PAGES_MAX || s->is_shared)
		return -EAGAIN;
	if ((rights & ~(UPDATE_PROT | UPDATE_FLAGS << 8)) || !page_table_range_ok(s, NULL, va, pages))
		return -EINVAL;
	harvest.changed = harvest.left = 0;
	lock_acquire(&s->lock);
	int64_t error = update_commit_protect(&plan, &harvest);
	int64_t epoch = (int64_t)pending_epoch(s, publish(s, &harvest));
	lock_release(&s->lock);
	return error ? error : epoch;
}
