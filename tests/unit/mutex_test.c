/* SPDX-License-Identifier: MIT */
/* libos/core/mutex.c, included: a debug build notices mutexes in the wrong order, and a list whose links are
 * broken.
 *
 * A libos_panic() ends the attempt that led to it, and leaves its message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "check.h"
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
static jmp_buf on_panic;
static char message[200];

void libos_panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	longjmp(on_panic, 1);
}

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	*l = (struct lock){ .rank = (uint16_t)rank, .name = name };
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

static void start(void)
{
	mutex_init(&fs, "tree", MUTEX_FS);
	mutex_init(&inode, "inode", MUTEX_INODE);
	mutex_init(&other_inode, "other inode", MUTEX_INODE);
	mutex_init(&vm, "space", MUTEX_VM);
	current()->held_mutexes = NULL;
	message[0] = 0;
}

static void mutexes_are_taken_in_rising_rank(void)
{
	start();
	if (!setjmp(on_panic)) {
		mutex_lock(&fs);
		mutex_lock(&inode);
		mutex_lock(&vm);
		mutex_unlock(&fs);
		mutex_unlock(&vm);
		mutex_unlock(&inode);
		mutex_lock(&fs);
		mutex_unlock(&fs);
	}
	CHECK(!*message);
	CHECK(!current()->held_mutexes);
}

static void an_inversion_is_named(void)
{
	start();
	if (!setjmp(on_panic)) {
		mutex_lock(&vm);
		mutex_lock(&inode);
	}
	CHECK(strstr(message, "mutex order: inode (rank 5) is wanted while space (rank 7) is held"));
}

static void two_of_one_rank_are_an_inversion(void)
{
	start();
	if (!setjmp(on_panic)) {
		mutex_lock(&inode);
		mutex_lock(&other_inode);
	}
	CHECK(strstr(message, "other inode (rank 5) is wanted while inode (rank 5)"));
}

static void a_broken_link_is_noticed(void)
{
	struct list head, first, second;

	list_init(&head);
	list_push_back(&head, &first);
	list_push_back(&head, &second);
	message[0] = 0;
	second.prev = &second;
	if (!setjmp(on_panic))
		list_remove(&first);
	CHECK(strstr(message, "node->next->prev == node"));
	message[0] = 0;
	if (!setjmp(on_panic))
		list_insert_after(&first, &(struct list){ 0 });
	CHECK(strstr(message, "at->next->prev == at"));
}

int main(void)
{
	RUN(mutexes_are_taken_in_rising_rank);
	RUN(an_inversion_is_named);
	RUN(two_of_one_rank_are_an_inversion);
	RUN(a_broken_link_is_noticed);
	return check_result();
}
