/* SPDX-License-Identifier: MIT */
/*
 * Pending signals: a set, and a queue with what is known about them.
 *
 * The set says what is pending, the queue only adds information: a standard signal (1..31) is
 * pending once however often it is sent and may have no entry (sent from event context, or no
 * memory: it is delivered nevertheless, as from the kernel); a real-time signal has one entry for
 * each time it was sent, and is refused rather than counted short.  A timer's signal is queued whatever
 * its number and what else is pending, as on Linux: who has two timers with one signal learns of both.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "proc/signal_private.h"
#include "proc/user.h"
#include "time/process_timers.h"

/* Entries for the next signals, a chain by link.next, under process_tree_lock as all here: most are
 * taken out before another is sent, and then the heap has nothing to do with them. */
#define SPARE_MAX 16
static struct list *spare;
static unsigned spare_count;

unsigned signal_count_spare(void)
{
	return spare_count;
}

static struct list *queue_of(struct process *p, struct task *t)
{
	return t != NULL ? &t->signal_queue : &p->signal_queue;
}

static _Atomic uint64_t *pending_of(struct process *p, struct task *t)
{
	return t != NULL ? &t->signal_pending : &p->signal_pending;
}

static bool queue_is_full(const struct list *queue)
{
	unsigned n = 0;

	list_for_each(node, queue)
		n++;
	return n >= SIGNAL_QUEUE_MAX;
}

/* It counts with u, unless that is NULL. */
static struct signal_entry *entry_alloc(struct user *u, const struct signal_info *info)
{
	struct signal_entry *entry;

	if (u != NULL && !user_has_room_for_signal_locked(u))
		return NULL;
	if (spare != NULL) {
		entry = list_entry(spare, struct signal_entry, link);
		spare = spare->next;
		spare_count--;
	} else {
		entry = heap_alloc(sizeof(*entry));
		if (entry == NULL)
			return NULL;
	}
	entry->info = *info;
	entry->user = u;
	if (u != NULL)
		user_add_signal_locked(u);
	return entry;
}

static void entry_free(struct signal_entry *entry)
{
	if (entry->user != NULL)
		user_remove_signal_locked(entry->user);
	if (spare_count == SPARE_MAX) {
		heap_free(entry);
		return;
	}
	entry->link.next = spare;
	spare = &entry->link;
	spare_count++;
}

int signal_queue_add(struct process *p, struct task *t, int number, const struct signal_info *info,
		     struct signal_entry *entry)
{
	_Atomic uint64_t *pending = pending_of(p, t);
	struct list *queue = queue_of(p, t);
	bool real_time = number >= SIGRTMIN;

	if (!real_time && entry == NULL && (*pending & SIGNAL_BIT(number)) != 0)
		return SIGNAL_PENDING_ALREADY;
	if (entry == NULL && info != NULL && !queue_is_full(queue))
		entry = entry_alloc(real_time ? p->user : NULL, info);
	/* kill() of a real-time signal may lose count, sigqueue() may not (as on Linux). */
	if (entry == NULL && real_time && info != NULL && info->code != SI_USER)
		return -EAGAIN;
	if (entry != NULL) {
		entry->info.number = number;
		list_push_back(queue, &entry->link);
	}
	*pending |= SIGNAL_BIT(number);
	signal_tell_watchers(p);
	return 0;
}

static void entry_remove(struct signal_entry *entry)
{
	list_remove(&entry->link);
	if (entry->taken != NULL)
		entry->taken_overrun = entry->info.timer.overrun;
	else
		entry_free(entry);
}

/* Takes the first entry of a signal out; *more says whether there is another. */
static void take_entry(struct list *queue, int number, struct signal_info *info, bool *more)
{
	struct signal_entry *first = NULL;

	*more = false;
	list_for_each(node, queue) {
		struct signal_entry *entry = list_entry(node, struct signal_entry, link);

		if (entry->info.number != number)
			continue;
		if (first != NULL) {
			*more = true;
			break;
		}
		first = entry;
	}
	if (first == NULL) {
		*info = (struct signal_info){ .number = number, .code = SI_KERNEL };
		return;
	}
	if (first->taken != NULL)
		first->taken(first);
	*info = first->info;
	entry_remove(first);
}

/* Takes the next of `set`, which is pending, out; its number. */
static __attribute__((noinline)) int take_pending(_Atomic uint64_t *pending, struct list *queue,
						  uint64_t set, struct signal_info *info)
{
	bool more;
	int number;

	if ((set & SIGNALS_SYNCHRONOUS) != 0)
		set &= SIGNALS_SYNCHRONOUS;
	number = __builtin_ctzl(set) + 1;
	take_entry(queue, number, info, &more);
	if (!more)
		*pending &= ~SIGNAL_BIT(number);
	return number;
}

/* The next of `wanted`, or 0.  Most often nothing is pending. */
static inline int take(_Atomic uint64_t *pending, struct list *queue, uint64_t wanted,
		       struct signal_info *info)
{
	uint64_t set = *pending & wanted;

	return set != 0 ? take_pending(pending, queue, set, info) : 0;
}

void signal_queue_discard(_Atomic uint64_t *pending, struct list *queue, uint64_t set)
{
	if ((*pending & set) == 0)
		return;
	*pending &= ~set;
	list_for_each_safe(node, next, queue) {
		struct signal_entry *entry = list_entry(node, struct signal_entry, link);

		if ((SIGNAL_BIT(entry->info.number) & set) == 0)
			continue;
		if (entry->taken != NULL)
			entry->taken(entry);
		entry_remove(entry);
	}
}

int signal_take(struct task *t, uint64_t wanted, struct signal_info *info)
{
	struct process *p = t->process;
	int number = take(&t->signal_pending, &t->signal_queue, wanted, info);

	if (number != 0)
		return number;
	number = take(&p->signal_pending, &p->signal_queue, wanted, info);
	if (number == SIGALRM && p->interval_timer != NULL)
		interval_timer_heard_locked(p->interval_timer);
	return number;
}

/*
 * A timer's entry that is taken back leaves its bit in the set: the signal has been sent, and
 * whether another entry of the same number is queued does not matter for a set.  A copy takes its place, if
 * there is memory for one, and room: timers have room in any queue, but those that they leave behind can be
 * any number.
 */
void signal_entry_withdraw_locked(struct process *p, struct task *t, struct signal_entry *entry)
{
	struct list *behind = entry->link.next;
	struct signal_entry *copy;

	if (list_empty(&entry->link))
		return;
	list_remove(&entry->link);
	copy = queue_is_full(queue_of(p, t)) ? NULL : entry_alloc(p->user, &entry->info);
	if (copy != NULL)
		list_push_back(behind, &copy->link); /* before that */
}

void signal_entry_revoke_locked(struct process *p, struct task *t, struct signal_entry *entry)
{
	struct list *queue = queue_of(p, t);
	int number = entry->info.number;

	if (list_empty(&entry->link))
		return;
	list_remove(&entry->link);
	list_for_each(node, queue)
		if (list_entry(node, struct signal_entry, link)->info.number == number)
			return;
	*pending_of(p, t) &= ~SIGNAL_BIT(number);
}
