/* SPDX-License-Identifier: MIT */
/*
 * Turning tracing on and off.
 *
 *	off, no rings ---- on: memory for rings ----> on <---- on ---- off, rings kept for readers
 *	                                              |                  ^
 *	                                              +------- off ------+
 *
 * On with rings of another size frees those that there are; if there is no memory then, tracing is off
 * without rings, and there is nothing to read.
 *
 * v->traced belongs to its CPU, like all of a vcore; so each CPU is asked to change it by a message,
 * and whoever asks sleeps until all have.  After that no CPU is in the middle of an event: the rings
 * can be emptied, and exchanged for larger ones.
 */
#include "abi/errno.h"
#include "abi/syscall.h"
#include "core/list.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/task.h"
#include "core/wait.h"
#include "fs/procfs.h"
#include "sched/library.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "trace/rings.h"
#include "trace/trace.h"

#define KIB_DEFAULT 1024u
#define KIB_MIN 16u
#define KIB_MAX 4096u /* the largest run of pages that there is */
#define PAGE_KIB (EXO_PAGE_SIZE / 1024)
#define RARE_PART 8u /* so much less room for what is rare */
#define SLOTS_PER_PAGE (EXO_PAGE_SIZE / sizeof(struct trace_slot))

struct mutex trace_mutex;
uint32_t trace_session;

/* Under trace_mutex; pages of each CPU's rings, 0: none. */
static uint32_t event_pages;
static bool is_on;

system_call *const *_Atomic syscall_table_in_force = syscall_table;
_Atomic bool calls_are_traced;

static system_call *const traced_table[SYSCALL_COUNT] = {
	[0 ... SYSCALL_COUNT - 1] = (system_call *)(void (*)(void))trace_call,
};

/* ---- memory */

bool trace_has_rings(void)
{
	return event_pages != 0;
}

static uint32_t rare_pages(uint32_t events)
{
	return events > RARE_PART ? events / RARE_PART : 1;
}

static void free_rings(void)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		pages_free(trace_rings[cpu].events.slots, event_pages);
		pages_free(trace_rings[cpu].rare.slots, rare_pages(event_pages));
		trace_rings[cpu] = (struct cpu_trace){ 0 };
	}
	event_pages = 0;
}

static bool alloc_rings(uint32_t pages)
{
	event_pages = pages;
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		trace_rings[cpu].events.slots = pages_alloc(pages);
		trace_rings[cpu].rare.slots = pages_alloc(rare_pages(pages));
		if (!trace_rings[cpu].events.slots || !trace_rings[cpu].rare.slots) {
			free_rings();
			return false;
		}
	}
	return true;
}

/* No CPU writes: empty rings of this size for each.  A ring has a power of two of slots. */
static int prepare_rings(uint64_t kib)
{
	uint32_t pages = 1;

	if (kib < KIB_MIN || kib > KIB_MAX)
		return -EINVAL;
	while (pages * 2 * PAGE_KIB <= kib)
		pages *= 2;
	if (pages != event_pages) {
		free_rings();
		if (!alloc_rings(pages))
			return -ENOMEM;
	}
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		struct cpu_trace *c = &trace_rings[cpu];

		trace_ring_reset(&c->events, c->events.slots, pages * SLOTS_PER_PAGE);
		trace_ring_reset(&c->rare, c->rare.slots, rare_pages(pages) * SLOTS_PER_PAGE);
	}
	trace_session++;
	return 0;
}

/* ---- asking every CPU */

struct change {
	struct mailbox_call call;
	bool on;
};

static struct change changes[EXO_CPUS_MAX]; /* under trace_mutex */
static struct lock change_lock;
/* Under change_lock. */
static unsigned change_left; /* CPUs that have not answered */
static struct wait_queue change_done;

static void change_here(struct mailbox_call *call)
{
	struct vcore *v = this_vcore();

	/* One that is on its way out was asked before it was none of us any more, and is not asked again. */
	v->traced = container_of(call, struct change, call)->on && cpu_is_online(v->cpu);
	trace(v, TRACE_SCHED, 0, 0, 0, trace_word(v->queue.instance->ops->name));
	lock_acquire(&change_lock);
	if (--change_left == 0)
		wake_all(&change_done, WAKE_ANY);
	lock_release(&change_lock);
}

/* A CPU that comes later does as it is said then (trace_cpu_start). */
static void change_all(bool on)
{
	uint64_t online;

	upcalls_mask();
	online = atomic_load(&online_cpus);
	change_left = (unsigned)__builtin_popcountl(online);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		changes[cpu] = (struct change){ .call.function = change_here, .on = on };
		if (online >> cpu & 1)
			message_call(this_vcore(), cpu, &changes[cpu].call);
	}
	upcalls_unmask();
	lock_acquire(&change_lock);
	while (change_left > 0)
		wait_on(&change_done, &change_lock, 0, 0);
	lock_release(&change_lock);
}

/* ---- on and off */

/* Those that were there before: later ones are named when they start, and know of no descriptors. */
static void take_up_all_tasks(void)
{
	struct task *t;

	for (uint32_t id = 0; (t = task_next(id)); id = t->self.id + 1, task_put(t)) {
		own_descriptors_forget(&t->own);
		upcalls_mask();
		trace_name(this_vcore(), t);
		upcalls_unmask();
	}
}

/* Which table the doors use, and whether calls that only read go through the doors at all. */
static void trace_calls(bool on)
{
	atomic_store_explicit(&syscall_table_in_force, on ? traced_table : syscall_table,
			      memory_order_relaxed);
	atomic_store(&calls_are_traced, on);
}

static void turn_off(void)
{
	if (!is_on)
		return;
	is_on = false;
	trace_calls(false);
	change_all(false);
}

static int turn_on(uint64_t kib)
{
	int r;

	turn_off();
	r = prepare_rings(kib);
	if (r < 0)
		return r;
	is_on = true;
	change_all(true);
	trace_calls(true);
	take_up_all_tasks();
	return 0;
}

void trace_init(uint64_t kib)
{
	int r = prepare_rings(kib);

	if (r < 0) {
		log_print("libos: trace=%lu: error %d\n", kib, -r);
		return;
	}
	is_on = true;
	trace_calls(true);
	trace_cpu_start(this_vcore());
}

void trace_cpu_start(struct vcore *v)
{
	v->traced = is_on;
}

/* ---- /proc/exo/trace */

static void print_state(struct text *out, void *unused)
{
	mutex_lock(&trace_mutex);
	text_print(out, "%s %lu KiB\ncpu events overwritten rare overwritten\n",
		   is_on ? "on" : "off", event_pages * PAGE_KIB);
	for (unsigned cpu = 0; cpu < vcore_count && event_pages; cpu++) {
		const struct cpu_trace *c = &trace_rings[cpu];

		text_print(out, "%u %lu %lu %lu %lu\n", cpu, atomic_load(&c->events.next),
			   trace_ring_oldest(&c->events), atomic_load(&c->rare.next),
			   trace_ring_oldest(&c->rare));
	}
	mutex_unlock(&trace_mutex);
}

/* `on` and a number of KiB, which may be left out; 0 if it is anything else. */
static uint64_t on_size(const char *word)
{
	uint64_t kib = 0;

	if (strncmp(word, "on", 2) != 0)
		return 0;
	word += 2;
	if (*word == '\n' || *word == '\0')
		return KIB_DEFAULT;
	if (*word++ != ' ')
		return 0;
	for (; *word >= '0' && *word <= '9' && kib <= KIB_MAX; word++)
		kib = kib * 10 + (uint64_t)(*word - '0');
	return *word == '\n' || *word == '\0' ? kib : 0;
}

static int change_state(const char *data, size_t n, void *unused)
{
	uint64_t kib = on_size(data);
	int r = 0;

	mutex_lock(&trace_mutex);
	if (kib)
		r = turn_on(kib);
	else if (strcmp(data, "off") == 0 || strcmp(data, "off\n") == 0)
		turn_off();
	else
		r = -EINVAL;
	mutex_unlock(&trace_mutex);
	return r;
}

void trace_files_init(void)
{
	mutex_init(&trace_mutex, "trace", MUTEX_TRACE);
	lock_init(&change_lock, "trace change", RANK_TRACE);
	wait_queue_init(&change_done);
	if (proc_register("exo/trace", print_state, change_state, NULL) < 0 ||
	    trace_device_init() < 0)
		log_print("libos: no memory for /proc/exo/trace\n");
}
