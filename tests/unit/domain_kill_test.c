/* SPDX-License-Identifier: MIT */
/* exo/domain_kill.c, included: how much one step does where a domain has made objects of all of its
 * frames. */
#include <asm/errno.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "kernel.h"
#include "../../exo/domain_kill.c"

/* One after the other in memory, so that a step's frames hold nothing else. */
enum { OBJECTS = 1000, MOST = 64 };

unsigned cpu_count = 1;
uint64_t frame_end = OBJECTS;

static struct space shared, spaces[OBJECTS];
static struct domain domain = { .shared = &shared, .sweep_phase = PHASE_OBJECTS };
static unsigned ended;
static int result; /* of a space's end */

/* By number: a domain, its two children, and another. */
enum { FAMILY = 5 };
static struct domain *family[FAMILY];

struct object *object_find(const struct domain *d, uint64_t frame)
{
	spaces[frame].object.kind = OBJECT_SPACE;
	return &spaces[frame].object;
}

int space_destroy_step(struct space *s, struct frame_list *list)
{
	ended++;
	return result;
}

void object_get(struct object *o) {}
void object_put(struct object *o) {}
unsigned object_users(const struct object *o) { return 1; }
bool object_word_get_live(uint64_t frame) { return true; }
void object_word_put(uint64_t frame) {}
uint64_t object_word_retire(uint64_t frame) { return 1; }
uint64_t object_word_renew(uint64_t frame, uint64_t generation) { return 1; }
uint64_t object_generation(uint64_t frame) { return 1; }
uint64_t frame_word(uint64_t frame) { return 0; }
bool frame_seize(uint64_t frame, uint16_t owner) { return false; }
void frame_zero(uint64_t frame) {}
void frame_release(uint64_t frame) {}
void frame_release_to(uint64_t frame, uint16_t new_owner) {}
void frame_poison(uint64_t frame) {}
struct domain *domain_by_id(uint16_t id) { return id < FAMILY ? family[id] : NULL; }
struct domain *domain_current(void) { return &domain; }
struct vcore *domain_vcore_get(struct domain *d, unsigned cpu) { return NULL; }
void domain_forget(struct domain *d) {}
void handle_view_put(const struct handle_view *view) {}
bool irq_unbind_vcore(const struct vcore *v) { return true; }
bool vcore_retire(struct vcore *v) { return true; }
void vcore_ring(struct vcore *v, uint64_t bits) {}
void kprintf(const char *format, ...) {}
int mailbox_post(struct vcore *v, enum exo_message_kind kind, uint64_t word0, uint64_t word1, uint64_t word2)
{
	return 0;
}

_Noreturn void panic_with_regs(const struct exo_regs *regs, const char *format, ...)
{
	abort();
}

/* -> what the last step returns */
static int steps(int each)
{
	int left;

	result = each;
	ended = 0;
	do {
		unsigned before = ended;

		left = sweep(&domain);
		CHECK(ended > before && ended - before <= MOST);
	} while (left == 1 && ended < 2 * OBJECTS);
	return left;
}

static void a_step_ends_few_objects(void)
{
	CHECK_EQ(steps(0), 0);
	CHECK_EQ(ended, OBJECTS);
}

static void nor_does_it_try_more_in_vain(void)
{
	CHECK_EQ(steps(-EBUSY), -EBUSY);
	CHECK_EQ(ended, OBJECTS);
}

/* One of two siblings may wait for the other's end: each is among those that are taken apart next. */
static void each_child_has_its_turn(void)
{
	static struct domain members[FAMILY];
	unsigned turns[FAMILY] = { 0 };

	for (uint16_t id = 1; id < FAMILY; id++) {
		members[id] = (struct domain){ .id = id, .parent_id = id == 2 || id == 4 };
		family[id] = &members[id];
	}
	for (int i = 0; i < 100000 && (!turns[2] || !turns[4]); i++)
		turns[leaf_below(&members[1])->id]++;
	CHECK(turns[2] > 0 && turns[4] > 0);
	CHECK_EQ(turns[1] + turns[3], 0);
	CHECK_EQ(leaf_below(&members[3])->id, 3);
	memset(family, 0, sizeof(family));
}

int main(void)
{
	RUN(each_child_has_its_turn);
	RUN(a_step_ends_few_objects);
	RUN(nor_does_it_try_more_in_vain);
	return check_result();
}
