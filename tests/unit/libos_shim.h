/* SPDX-License-Identifier: MIT */
/*
 * What the libos's file system stands on, for tests on the host with one task: heap and pages
 * from malloc, locks that only check that they are used in pairs, user memory that is memory.
 * Include it once, after the C library's headers.
 *
 * The code under test finds its task by its stack pointer (core/task.h); shim_run() gives it a
 * stack of that form.
 */
#ifndef TESTS_UNIT_LIBOS_SHIM_H
#define TESTS_UNIT_LIBOS_SHIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include "abi/errno.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/mutex.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/wait.h"
#include "fs/file.h"
#include "panic.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/time.h"

static unsigned shim_locks_held;
static uint64_t shim_now_ns = 1000;
static unsigned long shim_blocks; /* allocated and not freed */
/* Allocations until one fails; 0: none does. */
static unsigned shim_fail_after;
/* The same of copies to and from a program's memory. */
static unsigned shim_fault_after;
/* What somebody else does just before a page is made; or NULL. */
static void (*shim_meanwhile)(void);

struct lock process_tree_lock;
struct list all_processes = LIST_INIT(all_processes);

static void shim_die(const char *why)
{
	printf("not ok shim: %s\n", why);
	abort();
}

static bool shim_faults(void)
{
	return shim_fault_after && --shim_fault_after == 0;
}

static bool shim_fails(void)
{
	return shim_fail_after && --shim_fail_after == 0;
}

void *heap_alloc(size_t size)
{
	if (shim_fails())
		return NULL;
	shim_blocks++;
	return calloc(1, size);
}

void *heap_alloc_uncleared(size_t size)
{
	void *block = heap_alloc(size);

	return block ? memset(block, 0xa5, size) : NULL;
}

void heap_free(void *p)
{
	shim_blocks -= p != NULL;
	free(p);
}

void *pages_alloc(size_t count)
{
	if (shim_meanwhile)
		shim_meanwhile();
	void *p = shim_fails() ? NULL : aligned_alloc(EXO_PAGE_SIZE, count * EXO_PAGE_SIZE);

	if (p) {
		shim_blocks++;
		memset(p, 0, count * EXO_PAGE_SIZE);
	}
	return p;
}

void pages_free(void *p, size_t count)
{
	shim_blocks--;
	free(p);
}

uint64_t frame_of_page(const void *p)
{
	return (uint64_t)p >> EXO_PAGE_SHIFT;
}

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	*l = (struct lock){ .rank = (uint16_t)rank, .name = name };
}

void lock_take_checked(struct lock *l)
{
	if (l->holder)
		shim_die("a lock is taken twice");
	l->holder = 1;
	shim_locks_held++;
}

void lock_drop_checked(struct lock *l)
{
	if (!l->holder)
		shim_die("a free lock is released");
	l->holder = 0;
	shim_locks_held--;
}

void mutex_init(struct mutex *m, const char *name, enum mutex_rank rank)
{
	m->owner = 0;
	m->rank = (uint16_t)rank;
}

void mutex_lock(struct mutex *m)
{
	if (m->owner || shim_locks_held)
		shim_die("a mutex is taken twice, or under a lock");
	m->owner = (uintptr_t)m;
}

void mutex_unlock(struct mutex *m)
{
	if (!m->owner)
		shim_die("a free mutex is released");
	m->owner = 0;
}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	return -4; /* EINTR: the only task there is cannot be woken */
}

void waiter_init(struct waiter *w, uint32_t key) {}
void waiter_add(struct wait_queue *q, struct waiter *w) {}
void waiter_remove(struct waiter *w) {}
void wait_begin(void) {}
void wait_cancel(void) {}
int wait_sleep(unsigned flags, uint64_t deadline_ns) { return -4; }
void wake_all(struct wait_queue *q, uint32_t key) {}
struct task *wake_one(struct wait_queue *q, uint32_t key) { return NULL; }
struct task *wake_one_donate(struct wait_queue *q, uint32_t key, enum donation_kind gift)
{
	return NULL;
}

int copy_from_user(void *to, uint64_t from, size_t n)
{
	if (shim_faults())
		return -EFAULT;
	memcpy(to, (const void *)from, n);
	return 0;
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	if (shim_faults())
		return -EFAULT;
	memcpy((void *)to, from, n);
	return 0;
}

long zero_user(uint64_t to, size_t n)
{
	memset((void *)to, 0, n);
	return (long)n;
}

long copy_string_from_user(char *to, uint64_t from, size_t max)
{
	size_t length = strnlen((const char *)from, max);

	memcpy(to, (const void *)from, length < max ? length + 1 : max);
	return length < max ? (long)length : -36; /* ENAMETOOLONG */
}

int user_touch(uint64_t address, size_t n, int write)
{
	return 0;
}

size_t string_copy(char *to, const char *from, size_t size);
size_t string_copy(char *to, const char *from, size_t size)
{
	return (size_t)snprintf(to, size, "%s", from);
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

void log_print(const char *fmt, ...)
{
}

uint64_t time_now_ns(void) { return shim_now_ns += 1000; }
uint64_t time_real_ns(void) { return time_now_ns(); }
void signal_raise(int number) {}
void signal_mask_replace(uint64_t mask) {}
int signal_mask_replace_by(uint64_t user, uint64_t size) { return 0; }
long signal_mask_restore_after(uint64_t user, long result) { return result; }

static struct process shim_process;

static inline void shim_run(void (*test)(void))
{
	static ucontext_t here, there;
	char *slot = aligned_alloc(TASK_SLOT_SIZE, TASK_SLOT_SIZE);
	struct task *t = (struct task *)(slot + TASK_OFFSET);

	memset(slot, 0, TASK_SLOT_SIZE);
	t->process = &shim_process;
	for (int n = 0; n < LIMITS; n++)
		shim_process.limits[n][0] = shim_process.limits[n][1] = LIMIT_INFINITY;
	shim_process.limits[LIMIT_NOFILE][0] = 64;
	getcontext(&there);
	there.uc_stack.ss_sp = slot;
	there.uc_stack.ss_size = (size_t)((char *)t - slot) & ~63ul;
	there.uc_link = &here;
	makecontext(&there, test, 0);
	swapcontext(&here, &there);
	free(slot);
}

#endif
