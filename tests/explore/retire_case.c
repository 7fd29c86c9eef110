/* SPDX-License-Identifier: MIT */
/* exo/object.c, and included below how vcores are rung and retired: a vcore whose frames go back is in no
 * CPU's stack, and no longer is one that could not be retired yet
 *
 * CPU 0 has a dead vcore, and retires it with its own reference, as when it is revoked or its domain is taken
 * apart.  CPU 1 gets a reference too, rings it, and puts the reference.
 */
#include "kernel_cpus.h"
#include "../../exo/rung.c"
#include "../../exo/vcore.c"

static union {
	struct vcore vcore;
	char page[EXO_PAGE_SIZE];
} memory __attribute__((aligned(EXO_PAGE_SIZE)));
#define dead memory.vcore
#define FRAME (((uint64_t)&memory - PHYSMAP_BASE) >> EXO_PAGE_SHIFT)

static _Atomic uint64_t word;
_Atomic uint64_t *frame_private;
uint64_t frame_end = UINT64_MAX;
struct cpu_features cpu_features;
static struct domain domain;
static bool is_retired;

/* ---------------------------------------------------------------- the rest of the kernel */

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(1, EXO_FRAME_KERNEL);
}

bool lapic_send(unsigned apic_id, unsigned vector) { return true; }
void frame_zero(uint64_t frame) {}
void frame_release(uint64_t frame) {}
void frame_unshare(uint64_t frame) {}
void frame_poison(uint64_t frame) {}
bool inject_interrupt(const struct cpu *target, unsigned vector) { return false; }
int copy_from_user(void *to, uint64_t from, size_t size) { return 0; }
int creation_begin(struct creation *c, enum exo_frame_type last_type) { return 0; }
void creation_undo(struct creation *c) {}
exo_handle creation_finish(struct creation *c, enum object_kind kind) { return 0; }

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	cpus_setup(2);
	memset(&domain, 0, sizeof(domain));
	memset(&memory, 0, sizeof(memory));
	word = 0;
	frame_private = (_Atomic uint64_t *)((uint64_t)&word - FRAME * sizeof(word));
	dead.object = (struct object){ OBJECT_VCORE, &domain, FRAME };
	dead.where = VCORE_DEAD;
	domain.vcores[0] = &dead;
	is_retired = false;
	object_word_start(FRAME);
	explore_name(&word, sizeof(word), "word");
	explore_name(&dead.latched, sizeof(dead.latched), "latched");
	explore_name(&domain.vcores[0], sizeof(domain.vcores[0]), "table");
}

static void it_is_rung_meanwhile(unsigned cpu)
{
	if (cpu == 0) {
		is_retired = vcore_retire(&dead);
	} else if (object_word_get_live(FRAME)) {
		vcore_ring(&dead, EXO_EVENT_DOORBELL);
		object_put(&dead.object);
	}
}

/* One that is in the stack is taken out by its CPU, and then nothing is in the way. */
static void it_is_in_no_stack(void)
{
	struct vcore *rung = atomic_exchange(&cpu_blocks[0].run.rung, NULL);

	EXPLORE_CHECK(!is_retired || (!rung && !domain.vcores[0]));
	if (is_retired)
		return;
	if (rung)
		EXPLORE_CHECK(rung == &dead && atomic_exchange(&dead.latched, 0) == EXO_EVENT_DOORBELL);
	EXPLORE_CHECK(domain.vcores[0] == &dead && vcore_retire(&dead));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "what_is_retired_is_not_rung", 2, 4, 2, setup, it_is_rung_meanwhile, it_is_in_no_stack,
		  NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
