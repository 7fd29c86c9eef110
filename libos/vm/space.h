/* SPDX-License-Identifier: MIT */
/* Inside vm/: what an address space and a mapping are, and the pieces that its files share. */
#ifndef LIBOS_VM_SPACE_H
#define LIBOS_VM_SPACE_H

#include <asm/mman.h>
#include "core/exo.h"
#include "core/list.h"
#include "core/mutex_in_place.h"
#include "vm/region.h"
#include "vm/vm.h"

#define PAGE EXO_PAGE_SIZE
#define PAGE_DOWN(x) ((x) & ~(PAGE - 1))
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))

#define TABLE_SPAN (512 * PAGE) /* the addresses of one page table */

#define VM_LENGTH_MAX (1ul << 43)  /* of one mapping: its page count fits an exo_op */
#define STACK_GUARD (256 * PAGE)   /* kept free below the stack */

struct vm {
	_Atomic uint32_t references;

	/* Fixed after vm_create(). */
	exo_handle space;
	/* Fixed before others can look at it: the file that exec started; counted, or NULL. */
	struct file *program;

	struct mutex mutex;
	/* Under mutex, as are the page tables of `space`. */
	struct region_tree regions; /* struct mapping.region */
	uint64_t size;              /* bytes in regions; read by anyone */
	uint64_t resident, resident_peak; /* pages present; read by anyone */
	uint64_t faults;            /* read by anyone */
	uint64_t brk_start, brk;
	uint64_t mmap_top;          /* mappings without a wish go below this */

	/* What a copy made by fork tells of the page that it wrote to first (vm/fork.c).  Under mutex. */
	const struct vm *origin;    /* what this is a copy of, or NULL: compared, never followed */
	uint64_t copied_ahead;      /* the page that fork had been told of, or 0 */
	uint64_t first_copied;      /* since the fork, on a write, or 0 */
	/* Any task, only a hint: the page that the last copy of this space wrote to first, or 0. */
	_Atomic uint64_t copies_write;

	uint64_t tables;            /* frames fed to the kernel for page tables; only rises */
	struct mapping *recent;     /* that was found last, or NULL */
	uint64_t known_table;       /* the last address below a page table that there is; 0: not known */
	struct mapping *removed;    /* to be freed after unlocking, linked by region.child[0] */

	/* Mappings without contents, for the next process: of a space that is kept, and until fork or exec
	 * has used them.  Linked by region.child[0]; whose the space is. */
	struct mapping *nodes;
	unsigned node_count;

	/* Under spare_lock (vm.c), once nothing refers to it any more. */
	struct list spare_link;
};

/* MAPPING_READ_ONLY: of a segment that was attached so, and stays so. */
enum mapping_kind { MAPPING_PLAIN, MAPPING_HEAP, MAPPING_STACK, MAPPING_READ_ONLY };

/* Pages with the same rights and the same contents behind them.  All under vm.mutex. */
struct mapping {
	struct region region;
	uint8_t prot;  /* PROT_ */
	uint8_t kind;  /* enum mapping_kind */
	bool shared;
	struct file *file;            /* counted, or NULL */
	struct shared_memory *memory; /* counted, or NULL: MAP_SHARED without a file */
	uint64_t page;                /* of file or memory, at region.start */
};

static inline struct mapping *mapping_of(struct region *r)
{
	return (struct mapping *)r; /* region is the first member */
}

/* ---- space.c: page tables.  Under v->mutex. */

/* Runs ops, feeding page-table frames as the kernel asks for them; frames that nothing maps any
 * more are retired.  *epoch rises to what must pass before other CPUs have lost what was taken
 * away.  0, -ENOMEM or the kernel's error. */
int space_update(struct vm *v, const struct exo_op *ops, unsigned count, uint64_t *epoch);
/* Those of [start, end) that are present get the rights `prot`, as EXO_OP_PROTECT does it with these
 * flags. */
static inline int space_protect(struct vm *v, uint64_t start, uint64_t end, unsigned prot,
				unsigned flags, uint64_t *epoch);
/* After exo_protect() has said something else than 0. */
int space_protect_again(struct vm *v, uint64_t start, uint64_t end, unsigned prot, unsigned flags,
			int64_t said, uint64_t *epoch);
/* Until no CPU uses what an update took away; may give up the CPU. */
void space_wait(struct vm *v, uint64_t epoch);
/* The entry of a page in the loaded space; 0 if there is none, EXO_PTE_LOST if its frame was taken from
 * the domain. */
uint64_t space_entry(uint64_t va);
/* The same, and remembers the table, which does not go but by an update; is there a page, by that table? */
static inline uint64_t space_entry_again(struct vm *v, uint64_t va);
static inline bool space_is_known_present(const struct vm *v, uint64_t va);
/* Is there a table for the pages around va?  Then EXO_PTE() says what their entries are. */
bool space_has_table(uint64_t va);
/* The first page at or above va, below end, that has an entry; end if there is none. */
uint64_t space_next_present(uint64_t va, uint64_t end);
void space_add_resident(struct vm *v, uint64_t pages);
/* Takes the pages of [start, end) away and counts them; the regions are the caller's business. */
int space_unmap(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch);

/* ---- mapping.c: regions.  Under v->mutex. */

/* That contains it, or NULL. */
static inline struct mapping *mapping_find(struct vm *v, uint64_t address);
struct mapping *mapping_look_up(struct vm *v, uint64_t address); /* without a look at the recent one */
struct mapping *mapping_at_or_after(struct vm *v, uint64_t address);
struct mapping *mapping_next(struct vm *v, struct mapping *m);
/* A copy with counted references, in no tree; NULL when out of memory. */
struct mapping *mapping_copy(const struct mapping *m);
void mapping_assign(struct mapping *to, const struct mapping *m); /* likewise; `to` was nothing */
void mapping_let_go(const struct mapping *m);                     /* of its references */
void mapping_free(struct mapping *m);
void mapping_insert(struct vm *v, struct mapping *m);
void mapping_resize(struct vm *v, struct mapping *m, uint64_t start, uint64_t end);
/* Makes `at` a boundary between mappings. 0 or -ENOMEM. */
int mapping_split(struct vm *v, uint64_t at);
/* Joins m to equal neighbours; returns what it has become part of. */
static inline struct mapping *mapping_merge(struct vm *v, struct mapping *m);
struct mapping *mapping_merge_touching(struct vm *v, struct mapping *m);
/* Is every page of [start, end) in some mapping? */
bool mapping_covers(struct vm *v, uint64_t start, uint64_t end);
/* Removes mappings and pages of [start, end). */
int mapping_remove_range(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch);
/* The rights that a page of m may have from the start: no write where a fault must come first. */
uint8_t mapping_entry_prot(const struct mapping *m);
/* And of one that is the space's own, whatever m maps otherwise. */
uint8_t mapping_own_prot(const struct mapping *m);
/* Those that pages of m get that are there already, with EXO_OP_KEEP_COW: which are to be copied first keep
 * their mark, and are not made writable. */
static inline uint8_t mapping_present_prot(const struct mapping *m);
/* The same if m had the rights `prot` of a program. */
static inline uint8_t mapping_prot_of_present(const struct mapping *m, int prot);
static inline bool mapping_is_alone(const struct vm *v, const struct mapping *m);

/* Unlocks the mutex after `epoch` has passed.  Frees mappings that were removed only then: the last
 * use of a file may need locks of the file system, which come before the mutex. */
static inline void vm_unlock(struct vm *v, uint64_t epoch);
void vm_unlock_slowly(struct vm *v, uint64_t epoch);
bool vm_range_ok(uint64_t start, uint64_t len); /* page aligned, not empty, inside the user part */
/* Room under RLIMIT_AS for so many more bytes? */
bool vm_may_grow(const struct vm *v, uint64_t bytes);

/* ---- shared.c: memory shared without a file. */

struct segment;
struct shared_memory *shared_memory_create(uint64_t pages);
void shared_memory_get(struct shared_memory *s);
void shared_memory_put(struct shared_memory *s);
/* It is, or is not any more, that of a segment (vm/segment.c), before anybody else can find it, or after. */
void shared_memory_name(struct shared_memory *s, struct segment *g);
bool shared_memory_is_segment(const struct shared_memory *s);
uint64_t shared_memory_pages(const struct shared_memory *s);
uint32_t shared_memory_references(
	const struct shared_memory *s); /* may be others by the time of the answer */
/* Of no other memory, before or after. */
uint64_t shared_memory_number(const struct shared_memory *s);
/* The frame of a page, made on first use; 0: beyond the end, or -ENOMEM. */
long shared_memory_frame(struct shared_memory *s, uint64_t page);

/* ---- mmap.c: all of it is mapped, shared, with the caller's reference, which is dropped if it cannot
 * be.  Where, or -errno; `flags` say whether it has to be at `address`.  No lock held. */
long vm_map_memory(struct vm *v, struct shared_memory *s, uint64_t address, uint64_t len, int prot,
		   int flags);

/* ---- vm.c */

/* One of the nodes that the space's last process has left, or of the heap; NULL: out of memory.  There are
 * none once somebody else may look at the space: no lock is needed for those that there are. */
struct mapping *space_take_node(struct vm *v);

/* A frame, if need be one of the empty spaces that are kept; 0 if there is none. */
uint64_t frame_take_or_spare(void);

/* ---- anonymous.c */

#define FILL_PAGES 32 /* the most pages that one fault brings */

/* Pages right below va in its mapping whose entries have one of `bits`, as far as FILL_PAGES. */
unsigned touched_below(const struct mapping *m, uint64_t va, uint64_t bits);
/* How many frames there were, at most `wanted`; where it can be, neighbours in rising order, so that one
 * operation serves a run of pages. */
unsigned take_frames(uint64_t *frames, unsigned wanted);

/* Zeros for the absent page at va, and perhaps for pages behind it. */
int anonymous_fill(struct vm *v, const struct mapping *m, uint64_t va);

/* ---- copy.c */

/* A write to a private page that is mapped read-only; `entry` is its entry. */
int copy_on_write(struct vm *v, const struct mapping *m, uint64_t va, uint64_t entry,
		  uint64_t *epoch);

/* ---- fault.c */

/* Pages of a file mapped with one fault: aligned runs of this many.  Page faults of a program that
 * starts fall to about a quarter; larger runs gain little and pin more page-table work. */
#define AROUND_PAGES 16

/* The frame behind a page of a file or of shared memory; -EIO beyond its end, or another error. */
long backing_frame(const struct mapping *m, uint64_t va, bool write);
/* The pages that a fault for reading at va brings along, of a file. */
void page_around(const struct mapping *m, uint64_t va, uint64_t *low, uint64_t *high);
/* Operations that map those of [low, high) that are absent, as far as the file has them ready: how many, at
 * most AROUND_PAGES; or why there is not the one at `page`.  Frames that are neighbours take one. */
int around_ops(const struct mapping *m, uint64_t page, uint64_t low, uint64_t high, struct exo_op *ops);
/* How many pages those operations have mapped, of an update that ended with r. */
uint64_t pages_mapped(const struct exo_op *ops, unsigned n, int r);

/* Makes [start, end) resident as far as memory allows, for MAP_POPULATE; what vm_fault() says of the first
 * page that it cannot. */
int vm_populate(struct vm *v, uint64_t start, uint64_t end, bool write);

/* ---- in place: what mprotect and faults do each time. */

static inline int space_protect(struct vm *v, uint64_t start, uint64_t end, unsigned prot, unsigned flags,
				uint64_t *epoch)
{
	int64_t r = exo_protect(v->space, start, (end - start) / PAGE, prot, flags);

	return r ? space_protect_again(v, start, end, prot, flags, r, epoch) : 0;
}

static inline bool space_is_known_present(const struct vm *v, uint64_t va)
{
	return v->known_table == (va | (TABLE_SPAN - 1)) && (EXO_PTE(va) & EXO_PTE_PRESENT);
}

static inline uint64_t space_entry_again(struct vm *v, uint64_t va)
{
	if (!space_has_table(va))
		return 0;
	v->known_table = va | (TABLE_SPAN - 1);
	return EXO_PTE(va);
}

static inline struct mapping *mapping_find(struct vm *v, uint64_t address)
{
	struct mapping *m = v->recent;

	return m && m->region.start <= address && address < m->region.end ? m : mapping_look_up(v, address);
}

/* Touches m no other mapping, as far as is known? */
static inline bool mapping_is_alone(const struct vm *v, const struct mapping *m)
{
	return v->regions.alone == &m->region;
}

static inline struct mapping *mapping_merge(struct vm *v, struct mapping *m)
{
	return mapping_is_alone(v, m) ? m : mapping_merge_touching(v, m);
}

static inline uint8_t prot_read_and_fetch(int prot)
{
	return (prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? EXO_PROT_READ : 0) |
	       (prot & PROT_EXEC ? EXO_PROT_EXEC : 0);
}

static inline uint8_t mapping_read_and_fetch(const struct mapping *m)
{
	return prot_read_and_fetch(m->prot);
}

/* A shared page of a file becomes writable by the fault that tells the file of the write. */
static inline uint8_t mapping_prot_of_present(const struct mapping *m, int prot)
{
	bool writable = (prot & PROT_WRITE) && !(m->shared && m->file);

	return prot_read_and_fetch(prot) | (writable ? EXO_PROT_WRITE : 0);
}

static inline uint8_t mapping_present_prot(const struct mapping *m)
{
	return mapping_prot_of_present(m, m->prot);
}

static inline void vm_unlock(struct vm *v, uint64_t epoch)
{
	if (epoch || v->removed)
		vm_unlock_slowly(v, epoch);
	else
		mutex_unlock_in_place(&v->mutex);
}

#endif
