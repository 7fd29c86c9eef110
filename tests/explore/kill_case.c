/* SPDX-License-Identifier: MIT */
/* exo/object.c, and included below how domains are numbered and taken apart: who is killed is below whom the
 * call names, whoever gets a number anew; and what a domain leaves behind comes before its heir's last sweep
 *
 * CPU 0 kills a domain.  CPU 1 takes the last step for its one child, as its other vcore does it.
 */
#include <asm/errno.h>
#include "kernel_cpus.h"

/* As few as are looked through without being there. */
#undef DOMAINS_MAX
#define DOMAINS_MAX 4
#undef HANDLE_FRAMES_MAX
#define HANDLE_FRAMES_MAX 1
#include "../../exo/domain.c"
#define tsc_read() 0ul /* whose turn it is: the same each time */
#include "../../exo/domain_kill.c"
#undef tsc_read

enum { HEIR = 1, HANDLE_PAGE = 4 };

static union {
	struct domain domain;
	struct vcore vcore;
	char page[EXO_PAGE_SIZE];
} memory[5] __attribute__((aligned(EXO_PAGE_SIZE)));
#define parent memory[0].domain
#define child memory[1].domain
#define other memory[2].domain
#define its_vcore memory[3].vcore
#define FRAME ((((uint64_t)memory - PHYSMAP_BASE) >> EXO_PAGE_SHIFT))

static _Atomic uint64_t words[5];
_Atomic uint64_t *frame_private;
uint64_t frame_end;
static struct domain maker;
static _Atomic bool has_stopped; /* the parent */

/* ---------------------------------------------------------------- the rest of the kernel */

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

_Noreturn void panic_with_regs(const struct exo_regs *regs, const char *format, ...)
{
	explore_fail("%s", format);
}

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(1, EXO_FRAME_KERNEL);
}

/* The child's, for its heir, who passes on what he has when nothing else is added to it any more. */
void frame_release_to(uint64_t frame, uint16_t new_owner)
{
	EXPLORE_CHECK(new_owner == HEIR && !atomic_load_explicit(&has_stopped, memory_order_relaxed));
}

void kprintf(const char *format, ...) {}
void frame_zero(uint64_t frame) {}
void frame_poison(uint64_t frame) {}
void frame_release(uint64_t frame) {}
bool frame_seize(uint64_t frame, uint16_t owner) { return false; }
void vcore_ring(struct vcore *v, uint64_t bits) {}
bool vcore_retire(struct vcore *v) { return false; }
bool irq_unbind_vcore(const struct vcore *v) { return true; }
int space_destroy_step(struct space *s, struct frame_list *list) { return 0; }
void handle_view_put(const struct handle_view *view) { object_put(&parent.object); }
int handle_feed(struct domain *d, uint64_t frame) { return 0; }
int64_t handle_reserve(struct domain *d) { return 0; }
void handle_cancel(struct domain *d, int64_t number) {}
exo_handle handle_fill(struct domain *d, int64_t number, enum object_kind kind, unsigned rights,
		       uint64_t object_frame, uint64_t first, uint64_t count)
{
	return 0;
}
void handle_install(struct domain *d, uint32_t number, enum object_kind kind, uint64_t object_frame,
		    unsigned rights)
{
}
int creation_begin(struct creation *c, enum exo_frame_type last_type) { return 0; }
void creation_undo(struct creation *c) {}
exo_handle creation_finish(struct creation *c, enum object_kind kind) { return 0; }
struct space *space_init(struct domain *owner, uint64_t frame, uint64_t root_frame, struct space *shared)
{
	return NULL;
}
int copy_from_user(void *to, uint64_t from, size_t size) { return 0; }
int copy_to_user(uint64_t to, const void *from, size_t size) { return 0; }
int mailbox_post(struct vcore *vcore, enum exo_message_kind kind, uint64_t word0, uint64_t word1,
		 uint64_t word2)
{
	return 0;
}

/* ---------------------------------------------------------------- the cases */

/* In a frame of memory[], without a number, and not alive. */
static void init(struct domain *d, uint16_t id, uint16_t parent_id)
{
	d->object = (struct object){ OBJECT_DOMAIN, d, frame_of_pointer(d) };
	d->id = id;
	d->parent_id = parent_id;
	d->parent_vcore = &its_vcore;
}

static void make(struct domain *d)
{
	EXPLORE_CHECK(take_id(d) == d->id);
	object_word_start(d->object.frame);
}

/* Both are dying: the child has nothing left but a page of handles; the parent has no vcore left.  CPU 0 has
 * a reference to the parent, CPU 1 one to the child. */
static void setup(void)
{
	static struct vcore current;

	cpus_setup(2);
	memset(memory, 0, sizeof(memory));
	memset((void *)words, 0, sizeof(words));
	memset((void *)domains, 0, sizeof(domains));
	frame_private = (_Atomic uint64_t *)((uint64_t)words - FRAME * sizeof(words[0]));
	frame_end = UINT64_MAX;
	current.object.owner = &maker;
	cpu_blocks[0].current = &current;
	its_vcore.object = (struct object){ OBJECT_VCORE, &parent, FRAME + 3 };
	object_word_start(FRAME + 3);
	init(&parent, HEIR, HEIR + 2);
	init(&child, HEIR + 1, HEIR);
	init(&other, HEIR + 1, HEIR + 2);
	make(&parent);
	make(&child);
	has_stopped = false;
	object_get(&its_vcore.object);
	child.handles[0] = (struct handle_slot *)memory[HANDLE_PAGE].page;
	parent.dying = child.dying = child.dismantling = true;
	child.sweep_phase = PHASE_SELF;
	explore_name(words, sizeof(words), "words");
	explore_name(domains, sizeof(domains), "domains");
	explore_name(&parent, sizeof(parent), "parent");
	explore_name(&child, sizeof(child), "child");
	explore_name(&other, sizeof(other), "other");
	explore_name(&has_stopped, sizeof(has_stopped), "has_stopped");
}

static void the_child_ends(unsigned cpu)
{
	struct exo_regs regs = { .rsi = 9 };
	struct handle_view view = { .domain = &parent };

	if (cpu == 1) {
		dismantle_step(&child);
		return;
	}
	call_domain_kill(&regs, &view);
	if (parent.sweep_phase != PHASE_STOP)
		atomic_store_explicit(&has_stopped, true, memory_order_relaxed);
}

/* Its number goes to a domain of somebody else's. */
static void its_number_is_given_anew(unsigned cpu)
{
	if (cpu == 0)
		the_child_ends(cpu);
	else if (dismantle_step(&child) == 0)
		make(&other);
}

static void the_other_lives(void)
{
	EXPLORE_CHECK(!other.dying);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "who_gets_a_dead_domains_number_is_not_killed", 2, 4, 1, setup, its_number_is_given_anew,
		  the_other_lives, NULL },
		{ "a_domain_ends_when_its_childrens_frames_are_there", 2, 4, 1, setup, the_child_ends,
		  the_other_lives, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
