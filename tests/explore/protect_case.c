/* SPDX-License-Identifier: MIT */
/* exo/update.c, exo/update_decode.c, exo/update_commit.c, exo/page_table.c, exo/tlb_epoch.c: what the short
 * call forbids is not done any more when its epoch has passed, whatever another CPU does with the page
 *
 * CPU 0 protects a page from writes.  CPU 1 writes to it, with a TLB that fills itself at the worst moment;
 * or takes the page away, whose frame then has a new use; or is a processor that marks the entry dirty.
 *
 * What a page is mapped by, where nothing was, is one of two, whoever is first; and only in a table that
 * nobody else has, nor knows the way to since he had it.
 *
 * And a frame that is in two spaces is unmapped in both at once; or claimed as soon as it is in none; or
 * written to through one as soon as the other has it no more.
 */
#define tlb_flush_page tlb_flush_page_of_the_machine
#define table_entries table_entries_of_the_machine
#include "kernel_cpus.h"
#include "page_table.h"
#undef tlb_flush_page
#undef table_entries

static void cr3_write(uint64_t root);
static void tlb_flush_all(void);
static void tlb_flush_page(uint64_t va);
/* Where entries stand is ours, since there is no physical memory. */
static _Atomic uint64_t *table_entries(uint64_t entry);
#include "../../exo/tlb_epoch.c"
#include "../../exo/update.c"
#include "../../exo/update_commit.c"
#include "../../exo/update_decode.c"
#define page_table_walk page_table_walk_of_the_machine
table_entry *page_table_walk(struct space *s, uint64_t va, unsigned last, struct table_place *at);
#include "../../exo/page_table.c"
#undef page_table_walk

#define TABLE 6
#define FRAME 7
#define VA 0x400000ul
#define OBJECT_WORD (FRAME_PRIVATE_OBJECT | 5ul << 16 | 1)
#define BEFORE (FRAME << EXO_PAGE_SHIFT | PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_NX)

static table_entry entries[TABLE_ENTRIES] __attribute__((aligned(EXO_PAGE_SIZE)));
static table_entry directory;
static uint64_t tlb[CPUS];               /* what the CPU's TLB says of the page */
static _Atomic bool forbidden;           /* CPU 0 relies on nobody's writing */
static _Atomic bool has_new_use;         /* the frame */
static _Atomic bool rung;
static _Atomic uint64_t maps;            /* of the frame */
static _Atomic unsigned mapped[CPUS];    /* how often a CPU's own frame was mapped, by MAP */
static int result[CPUS];                 /* of MAP */

static _Atomic uint64_t frames[FRAME + CPUS];
_Atomic uint64_t *frame_private = frames, *frame_words = frames; /* nothing is cloned: only the first */
uint64_t frame_end;
static struct domain domain;
static struct space space, shared, elsewhere;
static struct vcore vcore;

/* ---------------------------------------------------------------- the machine and the kernel */

static void tlb_flush_all(void)
{
	tlb[this_cpu()->number] = 0;
}

static void tlb_flush_page(uint64_t va)
{
	tlb_flush_all();
}

static void cr3_write(uint64_t root)
{
	tlb_flush_all();
}

table_entry *page_table_walk(struct space *s, uint64_t va, unsigned last, struct table_place *at)
{
	*at = (struct table_place){ &directory, 1 };
	return last ? &directory : &entries[va / EXO_PAGE_SIZE % TABLE_ENTRIES];
}

static table_entry *table_entries(uint64_t entry)
{
	return entries;
}

static bool is_free(void *l)
{
	return !((struct lock *)l)->owner;
}

void lock_acquire(struct lock *l)
{
	uint32_t nobody = 0;

	while (!atomic_compare_exchange_strong(&l->owner, &nobody, 1)) {
		explore_wait(is_free, l, "waits for the lock");
		nobody = 0;
	}
}

void lock_release(struct lock *l)
{
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

void lock_acquire_pair(struct lock *first, struct lock *second)
{
	lock_acquire(first);
}

void lock_release_pair(struct lock *first, struct lock *second)
{
	lock_release(first);
}

bool lock_held(const struct lock *l)
{
	return true;
}

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(domain.id, EXO_FRAME_USER) | atomic_load(&maps) << 32;
}

bool frame_map(uint64_t frame, uint16_t owner, uint16_t space_owner)
{
	atomic_fetch_add(&mapped[frame - FRAME], 1);
	return true;
}

/* None is easy. */
unsigned frame_unmap_easy(uint64_t *list, unsigned count, uint32_t unused)
{
	return count;
}

uint64_t frame_unmap(uint64_t frame, uint64_t seen, uint16_t space_owner)
{
	return frame_word_make(domain.id, EXO_FRAME_USER) | (atomic_fetch_sub(&maps, 1) - 1) << 32;
}

bool frame_is_ram(uint64_t frame)
{
	return true;
}

struct domain *domain_current(void)
{
	return &domain;
}

void cpu_interrupt(const struct cpu *target, unsigned vector)
{
}

void vcore_ring(struct vcore *v, uint64_t bits)
{
	atomic_store(&rung, true);
}

/* What no op of these cases comes to. */
bool frame_is_device(uint64_t frame) { return false; }
bool frame_pin(uint64_t frame, uint16_t owner) { return false; }
void frame_unpin(uint64_t frame) {}
void frame_zero(uint64_t frame) {}
void frame_copy(uint64_t to, uint64_t from) {}
void frame_release(uint64_t frame) {}
int copy_from_user(void *to, uint64_t from, size_t size) { return -EFAULT; }
int copy_to_user(uint64_t to, const void *from, size_t size) { return -EFAULT; }
void object_get(struct object *o) {}
void object_put(struct object *o) {}
void handle_view_put(const struct handle_view *h) {}

int handle_view(struct domain *d, exo_handle handle, enum object_kind kind, unsigned rights,
		struct handle_view *out)
{
	return -EBADF;
}

bool table_share(struct space *from, table_entry *source, struct space *to, table_entry *target,
		 bool *lost)
{
	return false;
}

bool table_leave(struct space *s, table_entry *place, tlb_stamp *stamp)
{
	return false;
}

int table_unshare(struct space *s, table_entry *place, tlb_stamp *stamp)
{
	return -ENOMEM;
}

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	cpus_setup(2);
	memset(tlb_cpus, 0, sizeof(tlb_cpus));
	memset(frames, 0, sizeof(frames));
	memset(&space, 0, sizeof(space));
	memset(&shared, 0, sizeof(shared));
	memset(&vcore, 0, sizeof(vcore));
	memset(tlb, 0, sizeof(tlb));
	tlb_clock = waiting = 0;
	maps = 1;
	domain.id = 1;
	domain.shared = &shared;
	space.object.owner = &domain;
	directory = (uint64_t)TABLE << EXO_PAGE_SHIFT | TABLE_BITS;
	entries[VA / EXO_PAGE_SIZE % TABLE_ENTRIES] = BEFORE;
	forbidden = has_new_use = rung = false;
	shared.is_shared = true;
	for (unsigned i = 0; i < 2; i++) {
		cpu_blocks[i].run.space = &space;
		cpu_blocks[i].run.shared = &shared;
		tlb_cpus[i].loaded[0].next = tlb_cpus[i].loaded[0].last = &space;
		tlb_cpus[i].loaded[1].next = tlb_cpus[i].loaded[1].last = &shared;
		cpu_blocks[i].current = &vcore;
		tlb[i] = BEFORE;
	}
	explore_name(&entries[VA / EXO_PAGE_SIZE % TABLE_ENTRIES], sizeof(entries[0]), "entry");
	explore_name(&directory, sizeof(directory), "directory");
	explore_name(&forbidden, sizeof(forbidden), "forbidden");
	explore_name(&has_new_use, sizeof(has_new_use), "has_new_use");
	explore_name(&rung, sizeof(rung), "rung");
	explore_name(&maps, sizeof(maps), "maps");
	explore_name(&elsewhere, sizeof(elsewhere), "elsewhere");
	explore_name(&space.lock, sizeof(space.lock), "lock");
	explore_name(&space.behind, sizeof(space.behind), "behind");
	explore_name(&space.stale, sizeof(space.stale), "stale");
	explore_name(&shared.behind, sizeof(shared.behind), "behind (shared)");
	explore_name(&tlb_clock, sizeof(tlb_clock), "clock");
	explore_name(&waiting, sizeof(waiting), "waiting");
	explore_name(&tlb_cpus[0], sizeof(tlb_cpus[0]), "CPU 0");
	explore_name(&tlb_cpus[1], sizeof(tlb_cpus[1]), "CPU 1");
	explore_name(frames, sizeof(frames), "frames");
	explore_name(&space.object, sizeof(space.object), "space");
	explore_name(&space.is_shared, sizeof(space.is_shared), "is_shared");
	explore_name(&domain, sizeof(domain), "domain");
}

static table_entry *entry(void)
{
	return &entries[VA / EXO_PAGE_SIZE % TABLE_ENTRIES];
}

/* Ring 3 writes to the page, if its TLB lets it. */
static void write_page(unsigned cpu)
{
	if (!(tlb[cpu] & PTE_WRITE))
		tlb[cpu] = atomic_load_explicit(entry(), memory_order_relaxed);
	if (tlb[cpu] & PTE_WRITE) {
		EXPLORE_CHECK(!atomic_load_explicit(&forbidden, memory_order_relaxed));
		EXPLORE_CHECK(!atomic_load_explicit(&has_new_use, memory_order_relaxed));
	}
}

static void go_idle(unsigned cpu)
{
	atomic_store(&cpu_blocks[cpu].idle, true);
}

/* -> the epoch to wait for, 0: there is none */
static uint64_t protect(void)
{
	struct exo_regs regs = { .rsi = VA, .rdx = 1, .r10 = EXO_PROT_READ };
	struct handle_view view = { .space = &space };
	int64_t epoch = call_protect(&regs, &view);

	EXPLORE_CHECK(epoch >= 0);
	return (uint64_t)epoch;
}

/* As call_tlb_poll() has it. */
static bool has_passed(void *unused)
{
	return tlb_acknowledged(atomic_load(&space.stale));
}

static void protect_and_rely(unsigned cpu)
{
	if (protect() != 0)
		explore_wait(has_passed, NULL, "waits for the epoch");
	write_page(cpu);
	EXPLORE_CHECK(!(tlb[cpu] & PTE_WRITE));
	atomic_store_explicit(&forbidden, true, memory_order_relaxed);
	go_idle(cpu);
}

static void the_other_writes(unsigned cpu)
{
	if (cpu == 0) {
		protect_and_rely(cpu);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		write_page(cpu);
		tlb_catch_up();
	}
	write_page(cpu);
	go_idle(cpu);
}

static bool frame_may_be_used(void *unused)
{
	return tlb_frame_acknowledged(FRAME);
}

/* As call_update() with one UNMAP. */
static void unmap(void)
{
	struct update_plan plan = { .op = { .code = EXO_OP_UNMAP, .count = 1, .va = VA } };
	struct update u = { .domain = &domain, .target = &space, .header = { .op_count = 1 },
			    .work = UPDATE_CHUNK };

	EXPLORE_CHECK(update_check(&domain, &space, &plan) == 0);
	EXPLORE_CHECK(run_op(&u, &plan) == 0);
}

static void the_other_unmaps(unsigned cpu)
{
	if (cpu == 0) {
		protect();
		write_page(cpu);
		tlb_catch_up();
		write_page(cpu);
		go_idle(cpu);
		return;
	}
	unmap();
	explore_wait(frame_may_be_used, NULL, "waits until the frame may be used");
	atomic_store_explicit(&has_new_use, true, memory_order_relaxed);
}

/* As call_update() with one MAP of a page of the CPU's own. */
static int map(unsigned cpu)
{
	struct update_plan plan = { .op = { .code = EXO_OP_MAP, .count = 1, .va = VA, .frame = FRAME + cpu,
					    .prot = EXO_PROT_READ } };
	struct update u = { .domain = &domain, .target = &space, .header = { .op_count = 1 },
			    .work = UPDATE_CHUNK };
	int r = update_check(&domain, &space, &plan);

	if (r == 0)
		r = run_map(&u, &plan);
	return r == -EAGAIN ? run_op(&u, &plan) : r;
}

static void setup_empty(void)
{
	setup();
	*entry() = 0;
	memset(tlb, 0, sizeof(tlb));
	memset(mapped, 0, sizeof(mapped));
	explore_name(mapped, sizeof(mapped), "mapped");
}

static void both_map(unsigned cpu)
{
	result[cpu] = map(cpu);
}

static void one_is_there(void)
{
	unsigned winner = result[0] ? 1 : 0;

	EXPLORE_CHECK(result[winner] == 0 && result[!winner] == -EEXIST);
	EXPLORE_CHECK(pte_frame(atomic_load(entry())) == FRAME + winner);
	EXPLORE_CHECK(mapped[winner] == 1 && mapped[!winner] == 0);
}

/* Other spaces use the table, or may still have it in their TLBs: it is not written to at once. */
static void setup_shared_table(void)
{
	setup_empty();
	atomic_fetch_and(&directory, ~PTE_WRITE);
}

static void setup_stamped_table(void)
{
	setup_empty();
	frames[TABLE] = (1ul << 16) | 2;
	tlb_clock = 1;
}

static void map_at_once(unsigned cpu)
{
	struct update_plan plan = { .op = { .code = EXO_OP_MAP, .count = 1, .va = VA, .frame = FRAME,
					    .prot = EXO_PROT_READ } };
	struct update u = { .domain = &domain, .target = &space, .work = UPDATE_CHUNK };

	EXPLORE_CHECK(update_check(&domain, &space, &plan) == 0);
	EXPLORE_CHECK(run_map(&u, &plan) == -EAGAIN && u.work == UPDATE_CHUNK);
}

static void none_is_there(void)
{
	EXPLORE_CHECK(atomic_load(entry()) == 0 && mapped[0] == 0);
}

/* The table was in two spaces; CPU 1 has the one that leaves it, and its TLB the way there. */
static void setup_left_table(void)
{
	setup_empty();
	memset(&elsewhere, 0, sizeof(elsewhere));
	elsewhere.object.owner = &domain;
	cpu_blocks[1].run.space = &elsewhere;
	tlb_cpus[1].loaded[0].next = tlb_cpus[1].loaded[0].last = &elsewhere;
	tlb[1] = BEFORE;
}

static bool table_is_known_to_nobody(void *unused)
{
	return tlb_frame_acknowledged(TABLE);
}

/* CPU 0 leaves it for the one space, as table_leave() does, and maps a page of the other's there. */
static void one_leaves_the_table(unsigned cpu)
{
	if (cpu == 0) {
		tlb_stamp_frame(TABLE, tlb_publish(&elsewhere));
		result[0] = map(0);
		if (result[0] == -EBUSY) {
			explore_wait(table_is_known_to_nobody, NULL,
				     "waits until it may write there");
			result[0] = map(0);
		}
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		EXPLORE_CHECK(!tlb[1] || atomic_load_explicit(entry(), memory_order_relaxed) == 0);
		tlb_catch_up();
	}
	EXPLORE_CHECK(!tlb[1] || atomic_load_explicit(entry(), memory_order_relaxed) == 0);
	go_idle(cpu);
}

static void its_page_is_there(void)
{
	EXPLORE_CHECK(result[0] == 0 && pte_frame(atomic_load(entry())) == FRAME && mapped[0] == 1);
}

/* The frame is in two spaces: one that nobody has loaded, and one that both CPUs have. */
static void setup_two_spaces(void)
{
	setup();
	memset(&elsewhere, 0, sizeof(elsewhere));
	elsewhere.object.owner = &domain;
	maps = 2;
}

/* Each CPU has removed the frame from one of the spaces.  CPU 0 does not flush: so whoever is told that the
 * frame came free is told to wait for it as well, although who took the last entry had nobody to wait for. */
static void both_unmap(unsigned cpu)
{
	struct harvest h = { .changed = 1, .va = { VA }, .frame_count = 1, .frames = { FRAME } };
	struct space *s = cpu == 0 ? &elsewhere : &space;
	struct update u = { .domain = &domain, .target = s };

	lock_acquire(&s->lock);
	harvest_bring_in(&u, s, &h);
	lock_release(&s->lock);
	EXPLORE_CHECK(h.frame_count == 0 || !tlb_acknowledged(u.stamp));
}

/* No TLB has anything of the frame any more, but it is still marked with the last one that had. */
static void setup_old_stamp(void)
{
	setup();
	memset(&elsewhere, 0, sizeof(elsewhere));
	elsewhere.object.owner = &domain;
	tlb_clock = tlb_cpus[1].seen = 1;
	frames[FRAME] = stamp_make(1, 1ul << 1);
}

static bool is_in_no_space(void *unused)
{
	return maps == 0;
}

/* CPU 0 takes the frame out of its last space.  CPU 1 claims it, and has an object in it before CPU 0 looks
 * whom there is to wait for. */
static void the_other_claims(unsigned cpu)
{
	struct harvest h = { .changed = 1, .va = { VA }, .frame_count = 1, .frames = { FRAME } };
	struct update u = { .domain = &domain, .target = &elsewhere };

	if (cpu == 0) {
		lock_acquire(&elsewhere.lock);
		harvest_bring_in(&u, &elsewhere, &h);
		lock_release(&elsewhere.lock);
		EXPLORE_CHECK(tlb_acknowledged(u.stamp));
		return;
	}
	explore_wait(is_in_no_space, NULL, "waits until it can claim the frame");
	EXPLORE_CHECK(tlb_frame_acknowledged(FRAME));
	EXPLORE_CHECK(atomic_load(&frames[FRAME]) == 0);
	atomic_store(&frames[FRAME], OBJECT_WORD);
}

static table_entry *entry_elsewhere(void)
{
	return entry() + 1;
}

/* A page is in two spaces after a fork: on CPUs 1 and 2 one is loaded, on CPU 0 the other. */
static void setup_forked(void)
{
	uint64_t shown = (BEFORE & ~PTE_WRITE) | EXO_PTE_SOFT0;

	setup_two_spaces();
	cpus_setup(3);
	*entry() = *entry_elsewhere() = tlb[1] = tlb[2] = shown;
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		struct space *s = cpu == 0 ? &elsewhere : &space;

		cpu_blocks[cpu].run.space = s;
		cpu_blocks[cpu].run.shared = &shared;
		tlb_cpus[cpu].loaded[0].next = tlb_cpus[cpu].loaded[0].last = s;
		tlb_cpus[cpu].loaded[1].next = tlb_cpus[cpu].loaded[1].last = &shared;
		cpu_blocks[cpu].current = &vcore;
	}
	explore_name(entry_elsewhere(), sizeof(table_entry), "entry elsewhere");
	explore_name(&tlb_cpus[2], sizeof(tlb_cpus[2]), "CPU 2");
}

/* What reads the frame through a TLB finds nothing in it that is not its own space's. */
static void read_page(unsigned cpu)
{
	if (tlb[cpu] & PTE_PRESENT)
		EXPLORE_CHECK(!atomic_load_explicit(&has_new_use, memory_order_relaxed));
}

/* As libos/vm/copy.c has it: what nothing else maps is its own. */
static void write_elsewhere(void)
{
	struct exo_regs regs = { .rsi = VA + EXO_PAGE_SIZE,
				 .rdx = 1,
				 .r10 = EXO_PROT_READ | EXO_PROT_WRITE };
	struct handle_view view = { .space = &elsewhere };

	if (atomic_load(&maps) != 1)
		return;
	if (call_protect(&regs, &view) == -EBUSY) {
		EXPLORE_CHECK(!(atomic_load(entry_elsewhere()) & PTE_WRITE));
		explore_wait(frame_may_be_used, NULL, "waits until the frame may be written to");
		EXPLORE_CHECK(call_protect(&regs, &view) >= 0);
	}
	EXPLORE_CHECK(atomic_load(entry_elsewhere()) & PTE_WRITE);
	atomic_store_explicit(&has_new_use, true, memory_order_relaxed);
}

static void one_gives_it_up(unsigned cpu)
{
	if (cpu == 0)
		write_elsewhere();
	else if (cpu == 1)
		unmap();
	for (unsigned i = 0; cpu == 2 && i < 2; i++) {
		read_page(cpu);
		tlb_catch_up();
	}
	if (cpu == 2)
		read_page(cpu);
	go_idle(cpu);
}

static void one_has_it(void)
{
	EXPLORE_CHECK(atomic_load(entry()) == 0 && maps == 1);
	EXPLORE_CHECK(!has_new_use || (atomic_load(entry_elsewhere()) & PTE_WRITE));
}

static void it_holds_an_object(void)
{
	EXPLORE_CHECK(frames[FRAME] == OBJECT_WORD);
}

static void it_is_free(void)
{
	EXPLORE_CHECK(maps == 0);
}

static void nothing_is_mapped(void)
{
	EXPLORE_CHECK(atomic_load(entry()) == 0);
	EXPLORE_CHECK(has_new_use);
}

/* The processor marks the entry while it is writable; it does not know of locks. */
static void the_other_marks(unsigned cpu)
{
	uint64_t old;

	if (cpu == 0) {
		protect();
		go_idle(cpu);
		return;
	}
	old = atomic_load(entry());
	while ((old & PTE_WRITE) && !atomic_compare_exchange_strong(entry(), &old, old | PTE_DIRTY))
		;
	if (old & PTE_WRITE)
		atomic_store(&rung, true);
	go_idle(cpu);
}

static void a_mark_is_kept(void)
{
	EXPLORE_CHECK(!(atomic_load(entry()) & PTE_WRITE));
	EXPLORE_CHECK(!rung || (atomic_load(entry()) & PTE_DIRTY));
}

static void nobody_writes(void)
{
	EXPLORE_CHECK(!(atomic_load(entry()) & PTE_WRITE) && forbidden);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "who_writes_is_stopped_first", 2, 3, 1, setup, the_other_writes, nobody_writes,
		  NULL },
		{ "what_is_unmapped_does_not_come_back", 2, 3, 1, setup, the_other_unmaps,
		  nothing_is_mapped, NULL },
		{ "what_is_given_up_is_not_written_to_at_once", 3, 2, 1, setup_forked,
		  one_gives_it_up, one_has_it, NULL },
		{ "what_the_processor_marks_is_kept", 2, 3, 1, setup, the_other_marks,
		  a_mark_is_kept, NULL },
		{ "a_frame_that_leaves_two_spaces_is_waited_for", 2, 3, 1, setup_two_spaces,
		  both_unmap, it_is_free, NULL },
		{ "a_frame_is_claimed_as_soon_as_it_comes_free", 2, 3, 1, setup_old_stamp,
		  the_other_claims, it_holds_an_object, NULL },
		{ "two_cpus_map_one_page_in_one_place", 2, 3, 1, setup_empty, both_map,
		  one_is_there, NULL },
		{ "a_shared_table_is_not_written_at_once", 1, 3, 1, setup_shared_table, map_at_once,
		  none_is_there, NULL },
		{ "a_table_that_others_may_know_is_not_written_at_once", 1, 3, 1,
		  setup_stamped_table, map_at_once, none_is_there, NULL },
		{ "who_has_left_a_table_reads_nothing_that_comes_there", 2, 3, 1, setup_left_table,
		  one_leaves_the_table, its_page_is_there, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
