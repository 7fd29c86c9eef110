/* SPDX-License-Identifier: MIT */
/* libos/core/mutex.c, included: a debug build notices mutexes in the wrong order, and a list whose links are
 * broken. */
#include <string.h>
#include "check.h"
#include "panic.h"
#define current current_by_its_stack
#include "core/task.h"
#undef current

static struct task task;
static struct task *current(void)
{
	return &task;
}

#include "../../libos/core/mutex.c"

static struct mutex fs, inode, other_inode, vm;

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	*l = (struct lock){ .rank = (uint16_t)rank, .name = name };
}

/* Only who has to wait, or is waited for, looks at them. */
struct vcore_area vcore_areas[EXO_CPUS_MAX];

static bool masked;

bool upcalls_masked(void)
{
	return masked;
}

void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	libos_panic("nobody else is there to be waited for");
}

struct task *wake_one(struct wait_queue *q, uint32_t key)
{
	return NULL;
}

bool donation_may_lend(const struct vcore *v, const struct task *to)
{
	libos_panic("nobody else is there to be lent to");
}

bool donation_lend(struct vcore *v, struct task *to)
{
	libos_panic("nobody else is there to be lent to");
}

void wait_begin(void)
{
	libos_panic("nobody sleeps here");
}

int wait_sleep_unlock(struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	libos_panic("nobody sleeps here");
}

void wake_later(struct task *t, enum donation_kind gift)
{
	libos_panic("nobody is woken here");
}

static void start(void)
{
	mutex_init(&fs, "tree", MUTEX_FS);
	mutex_init(&inode, "inode", MUTEX_INODE);
	mutex_init(&other_inode, "other inode", MUTEX_INODE);
	mutex_init(&vm, "space", MUTEX_VM);
	current()->held_mutexes = NULL;
}

static void mutexes_are_taken_in_rising_rank(void)
{
	start();
	mutex_lock(&fs);
	mutex_lock(&inode);
	mutex_lock(&vm);
	mutex_unlock(&fs);
	mutex_unlock(&vm);
	mutex_unlock(&inode);
	mutex_lock(&fs);
	mutex_unlock(&fs);
	CHECK(!current()->held_mutexes);
}

static void an_inversion_is_named(void)
{
	char expected[96];

	start();
	snprintf(expected, sizeof(expected),
		 "mutex order: inode (rank %d) is wanted while space (rank %d) is held", MUTEX_INODE,
		 MUTEX_VM);
	CHECK_PANICS(expected, {
		mutex_lock(&vm);
		mutex_lock(&inode);
	});
}

static void two_of_one_rank_are_an_inversion(void)
{
	char expected[96];

	start();
	snprintf(expected, sizeof(expected), "other inode (rank %d) is wanted while inode (rank %d)",
		 MUTEX_INODE, MUTEX_INODE);
	CHECK_PANICS(expected, {
		mutex_lock(&inode);
		mutex_lock(&other_inode);
	});
}

static void no_mutex_is_taken_or_given_back_under_a_spin_lock(void)
{
	start();
	CHECK_PANICS("!upcalls_masked()", {
		masked = true;
		mutex_lock(&vm);
	});
	masked = false;
	CHECK_PANICS("!upcalls_masked()", {
		mutex_lock(&vm);
		masked = true;
		mutex_unlock(&vm);
	});
	masked = false;
}

static void a_broken_link_is_noticed(void)
{
	struct list head, first, second;

	list_init(&head);
	list_push_back(&head, &first);
	list_push_back(&head, &second);
	second.prev = &second;
	CHECK_PANICS("node->next->prev == node", list_remove(&first));
	CHECK_PANICS("at->next->prev == at", list_insert_after(&first, &(struct list){ 0 }));
}

int main(void)
{
	RUN(mutexes_are_taken_in_rising_rank);
	RUN(an_inversion_is_named);
	RUN(two_of_one_rank_are_an_inversion);
	RUN(no_mutex_is_taken_or_given_back_under_a_spin_lock);
	RUN(a_broken_link_is_noticed);
	return check_result();
}
