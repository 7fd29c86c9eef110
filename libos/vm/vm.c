/* SPDX-License-Identifier: MIT */
/*
 * Address spaces as a whole: made, loaded, counted, and taken apart or kept for the next.
 *
 * Building page tables and taking them apart is most of what a short-lived process costs.  So the
 * space of one that has ended is kept, empty, with its tables; the next process maps much the same
 * addresses and finds them there.  None is kept that was large, and all of them are a small part of memory.
 *
 *	vm_put  -> pages unmapped, mappings freed -> kept --------> vm_create
 *	                                         \-> dead list -> destroyed
 */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/task_slot.h"
#include "core/vcore.h"
#include "fs/file.h"
#include "vm/space.h"

#define KEEP_PART 128 /* of memory: what the spaces that are kept may have, at most */
#define KEEP_NODES 16
#define KEEP_TABLES 16 /* frames of page tables in a space that is worth keeping */
#define FREED_ROOM 64

/*
 * Spaces that nobody refers to.  They own page tables, a few blocks for mappings, and nothing else.  `dead`
 * are those to be destroyed, which the kernel refuses while a CPU has them loaded, and an idle CPU keeps the
 * last one: there are at most as many as CPUs, and perhaps one more whose last epoch has not passed.  They
 * are tried again whenever a space is made or dropped.
 */
static struct lock spare_lock = LOCK_INIT("spare spaces", RANK_LEAF);
static struct list kept = LIST_INIT(kept), dead = LIST_INIT(dead);
static uint64_t kept_frames;
/* Changed under spare_lock; read by any CPU as a hint: how many are in `dead`. */
static _Atomic unsigned dead_count;

/* No CPU has the space loaded, or the kernel says EBUSY: so no TLB holds anything of it, and what
 * comes back may be used at once.  It will not be loaded again, since nobody has a reference
 * through which to load it. */
static bool destroy(struct vm *v)
{
	uint64_t frames[FREED_ROOM];
	int64_t n;

	while ((n = exo_space_destroy(v->space, frames, FREED_ROOM)) > 0)
		for (int64_t i = 0; i < n; i++) /* NOLINTNEXTLINE: the kernel wrote n of them */
			frame_free(frames[i]);
	if (n == -EBUSY)
		return false;
	if (n != -EBADF) /* there is no such space any more */
		libos_panic("cannot take an address space apart: error %ld", (long)n);
	vm_drop_nodes(v);
	heap_free(v);
	return true;
}

static uint64_t frames_of(const struct vm *v)
{
	return v->tables + 2; /* and the root and the kernel's object */
}

static void bury(struct vm *v)
{
	lock_acquire(&spare_lock);
	list_push_back(&dead, &v->spare_link);
	atomic_store_explicit(&dead_count, dead_count + 1, memory_order_relaxed);
	lock_release(&spare_lock);
}

static struct vm *take_spare(struct list *from)
{
	lock_acquire(&spare_lock);
	struct list *node = list_pop_front(from);

	struct vm *v = node ? container_of(node, struct vm, spare_link) : NULL;

	if (v && from == &kept)
		kept_frames -= frames_of(v);
	else if (v)
		atomic_store_explicit(&dead_count, dead_count - 1, memory_order_relaxed);
	lock_release(&spare_lock);
	return v;
}

static bool keep(struct vm *v)
{
	lock_acquire(&spare_lock);
	bool room = v->tables <= KEEP_TABLES && !frames_are_few() &&
		    kept_frames + frames_of(v) <= frames_total_count() / KEEP_PART;

	if (room) {
		list_push_front(&kept, &v->spare_link);
		kept_frames += frames_of(v);
	}
	lock_release(&spare_lock);
	return room;
}

/* One that another CPU is just burying waits for the next look. */
static void reap_dead(void)
{
	struct vm *v;

	if (atomic_load_explicit(&dead_count, memory_order_relaxed) == 0)
		return;
	for (unsigned tries = vcore_count; tries > 0 && (v = take_spare(&dead)); tries--)
		if (!destroy(v))
			bury(v);
}

bool vm_drop_spare(void)
{
	struct vm *v = take_spare(&kept);

	if (v)
		bury(v);
	reap_dead();
	return v != NULL;
}

static unsigned count_list(const struct list *spaces, unsigned *blocks)
{
	unsigned n = 0;

	list_for_each(node, spaces) {
		*blocks += 1 + container_of(node, struct vm, spare_link)->node_count;
		n++;
	}
	return n;
}

unsigned vm_count_spare(unsigned *blocks)
{
	unsigned n;

	*blocks = 0;
	reap_dead();
	lock_acquire(&spare_lock);
	n = count_list(&kept, blocks) + count_list(&dead, blocks);
	lock_release(&spare_lock);
	return n;
}

uint64_t frame_take_or_spare(void)
{
	uint64_t frame = frame_alloc();

	while (!frame && (vm_drop_spare() || task_slots_trim() > 0))
		frame = frame_alloc();
	return frame;
}

static struct vm *make(void)
{
	struct vm *v = heap_alloc(sizeof(*v));
	uint64_t object = frame_alloc(), root = frame_alloc();
	int64_t space = -ENOMEM;

	if (v && object && root)
		space = frames_into_space(object, root);
	if (space > 0) {
		v->space = (exo_handle)space;
		return v;
	}
	if (object)
		frame_free(object);
	if (root)
		frame_free(root);
	heap_free(v);
	return NULL;
}

struct mapping *space_take_node(struct vm *v)
{
	struct mapping *m = v->nodes;

	if (!m)
		return heap_alloc_uncleared(sizeof(*m));
	v->nodes = (struct mapping *)m->region.child[0];
	v->node_count--;
	return m;
}

void vm_drop_nodes(struct vm *v)
{
	while (v->node_count > 0)
		heap_free(space_take_node(v));
}

struct vm *vm_create(void)
{
	reap_dead();
	struct vm *v = take_spare(&kept);

	if (!v)
		v = make();
	if (!v)
		return NULL;
	*v = (struct vm){ .space = v->space, .tables = v->tables, .mmap_top = EXO_USER_TOP, .nodes = v->nodes,
			  .node_count = v->node_count };
	atomic_store_explicit(&v->references, 1, memory_order_relaxed);
	mutex_init(&v->mutex, "vm", MUTEX_VM);
	list_init(&v->spare_link);
	return v;
}

exo_handle vm_space(struct vm *v)
{
	return v->space;
}

void vm_load(struct vm *v)
{
	exo_handle space = v ? v->space : EXO_HANDLE(EXO_SLOT_SPACE);

	upcalls_mask();
	struct vcore *here = this_vcore();

	while (here->space != space) {
		int64_t r = exo_switch(space, here->page->token);

		if (r == 0)
			here->space = space;
		else if (r != -EAGAIN) /* EAGAIN: preempted since we looked at the token */
			libos_panic("cannot load an address space: error %ld", (long)r);
	}
	upcalls_unmask();
}

void vm_get(struct vm *v)
{
	atomic_fetch_add_explicit(&v->references, 1, memory_order_relaxed);
}

/* The nodes stay with the space, as far as the next process is likely to want them. */
static void free_tree(struct vm *v, struct region *r)
{
	if (!r)
		return;
	free_tree(v, r->child[0]);
	free_tree(v, r->child[1]);
	mapping_let_go(mapping_of(r));
	if (v->node_count == KEEP_NODES) {
		heap_free(r);
		return;
	}
	r->child[0] = v->nodes ? &v->nodes->region : NULL;
	v->nodes = mapping_of(r);
	v->node_count++;
}

/* Looking at the entries between regions costs less than another operation, up to a point. */
#define GAP_MAX (64 * PAGE)

/* Without the window: the space need not be loaded here.  True if no TLB holds anything of it. */
static bool release_pages(struct vm *v)
{
	struct exo_op ops[EXO_UPDATE_OPS_MAX / 4];
	const unsigned most = sizeof(ops) / sizeof(ops[0]);
	uint64_t epoch = 0;
	struct region_walk walk;
	unsigned n = 0;

	for (struct region *r = region_walk_begin(&walk, &v->regions), *next; r; r = next) {
		uint64_t start = r->start, end = r->end;

		while ((next = region_walk_next(&walk)) && next->start - end <= GAP_MAX &&
		       next->end - start <= VM_LENGTH_MAX)
			end = next->end;
		ops[n++] = (struct exo_op){ .code = EXO_OP_UNMAP, .va = start,
					    .count = (uint32_t)((end - start) / PAGE) };
		if (n < most && next)
			continue;
		if (space_update(v, ops, n, &epoch) < 0)
			return false;
		n = 0;
	}
	return epoch == 0 || exo_tlb_poll(v->space, epoch, 0) != 0;
}

/*
 * Pages, mappings, tables, in this order: a page of a file or of shared memory must not lose its
 * owner while it is mapped.
 *
 * A space is kept only if no TLB holds anything of it any more: its next owner maps other frames
 * at the same addresses.
 */
void vm_put(struct vm *v)
{
	/* acq_rel: whoever takes the last reference sees all that the others did. */
	if (atomic_fetch_sub_explicit(&v->references, 1, memory_order_acq_rel) != 1)
		return;
	bool clean = release_pages(v);

	free_tree(v, v->regions.root);
	if (v->program)
		file_put(v->program);
	if (!clean || !keep(v)) {
		if (this_vcore()->space == v->space) /* a hint: the kernel knows */
			vm_load(NULL);
		bury(v);
	}
	reap_dead();
}

uint64_t vm_resident_pages(struct vm *v)
{
	return v->resident;
}

/* Tables are counted when they come.  Most go when what they are for is unmapped, so there are no more than
 * its mappings could have. */
uint64_t vm_held_pages(const struct vm *v)
{
	uint64_t most = v->size / TABLE_SPAN + 4 * (uint64_t)v->regions.count;

	return v->resident + (v->tables < most ? v->tables : most);
}

uint64_t vm_resident_peak(struct vm *v)
{
	return v->resident_peak;
}

uint64_t vm_fault_count(struct vm *v)
{
	return v->faults;
}

uint64_t vm_size_bytes(struct vm *v)
{
	return v->size;
}
