/* SPDX-License-Identifier: MIT */
/* What a scheduler library may ask of the core: see libos/sched.h. */
#include <libos/sched.h>
#include "core/event.h"
#include "core/log.h"
#include "core/task.h"
#include "core/vcore.h"
#include "fs/procfs.h"
#include "sched/library.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "time/time.h"
#include "trace/trace.h"

_Static_assert(SCHED_CPUS_MAX == EXO_CPUS_MAX, "as the header says");

/* A library that asks about a CPU that there is not faults here, so that the report says which call it was:
 * not by what it would write where no CPU is. */
static void check_cpu(int cpu)
{
	if ((unsigned)cpu >= vcore_count)
		__builtin_trap();
}

void *sched_private(struct task *t)
{
	return t->sched_private;
}

void *sched_cpu_private(int cpu)
{
	const struct run_queue *q = &this_vcore()->queue;
	const struct sched_instance *s = q->visited ? q->visited : q->instance;

	check_cpu(cpu);
	return (char *)s->cpu_private + (size_t)cpu * s->cpu_stride;
}

struct task_ref sched_task_ref(const struct task *t)
{
	return t->self;
}

const char *sched_task_name(const struct task *t)
{
	return t->name;
}

uint32_t sched_task_process(const struct task *t)
{
	return t->pid;
}

int sched_task_cpu(const struct task *t)
{
	return atomic_load_explicit(&t->home, memory_order_relaxed);
}

int sched_task_nice(const struct task *t)
{
	return t->nice;
}

int sched_task_policy(const struct task *t)
{
	return t->policy;
}

int sched_task_priority(const struct task *t)
{
	return t->rt_priority;
}

uint64_t sched_task_runtime_ns(const struct task *t)
{
	return t->runtime_ns;
}

uint64_t sched_task_deadline_ns(const struct task *t)
{
	return t->deadline_ns;
}

uint64_t sched_task_period_ns(const struct task *t)
{
	return t->period_ns;
}

bool sched_task_inherits(const struct task *t)
{
	return t->inherits;
}

inline bool sched_allowed(const struct task *t, int cpu)
{
	uint64_t online = atomic_load_explicit(&online_cpus, memory_order_relaxed);
	uint64_t allowed = t->affinity & online;

	return (allowed ? allowed : online) >> cpu & 1; /* as place_choose() has it */
}

uint64_t sched_slice_left_ns(const struct task *t)
{
	return t->slice_ns;
}

uint64_t sched_donated_ns(const struct task *t)
{
	return t->donated_ns;
}

uint64_t sched_ready_since_ns(const struct task *t)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;

	return tsc_to_ns(t->ready_tsc - info->boot_tsc);
}

uint64_t sched_now_ns(void)
{
	return time_now_ns();
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators"). */
uint64_t sched_random(void)
{
	struct run_queue *q = &this_vcore()->queue;

	q->random ^= q->random >> 12;
	q->random ^= q->random << 25;
	q->random ^= q->random >> 27;
	return q->random * 0x2545f4914f6cdd1dul;
}

int sched_cpu_count(void)
{
	return (int)vcore_count;
}

int sched_this_cpu(void)
{
	return this_vcore()->cpu;
}

bool sched_cpu_is_idle(int cpu)
{
	check_cpu(cpu);
	return atomic_load_explicit(&idle_cpus, memory_order_relaxed) >> cpu & 1;
}

unsigned sched_cpu_queued(int cpu)
{
	check_cpu(cpu);
	return atomic_load_explicit(&vcore_of(cpu)->queue.count, memory_order_relaxed);
}

void sched_resched(int cpu)
{
	struct vcore *v = this_vcore();

	check_cpu(cpu);
	if (cpu == v->cpu)
		v->need_resched = v->must_pick = true;
	else
		vcore_ring_if((unsigned)cpu, !(atomic_fetch_or(&vcore_of(cpu)->mailbox.flags,
							       MAILBOX_RESCHED) & MAILBOX_RESCHED));
}

/* One that another library has known still has that one's private state: while it runs on after a swap, and
 * for init() and exit(), which may be of a library that is not in force here. */
struct task *sched_running(void)
{
	const struct vcore *v = this_vcore();
	struct task *t = v->current;

	if (!t || t->sched_core_only || v->queue.visited)
		return NULL;
	return t->sched_generation == v->queue.generation ? t : NULL;
}

void sched_trace(const char *what, const struct task *t, int64_t value)
{
	struct vcore *v = this_vcore();

	if (__builtin_expect(v->traced, false))
		trace_record_note(v, what, t, value);
}

/* ---- dump: each CPU prints its own queue, since nobody else may look at it */

struct dump_call {
	struct mailbox_call call;
	sched_printf print;
	_Atomic bool busy; /* in a mailbox */
};

static struct dump_call dump_calls[EXO_CPUS_MAX];

/* Lines that a CPU writes to the log at once: masked, and a serial line takes a millisecond for each. */
#define LOGGED_MAX 100u

/* So many of the tasks that are queued. */
static void dump_this_cpu(sched_printf print, unsigned most)
{
	unsigned left;
	struct vcore *v = this_vcore();

	sched_follow(v); /* who idles has not come by yet */
	print("CPU %d: %s, %s, %u queued\n", v->cpu, v->queue.instance->ops->name,
	      v->current ? v->current->name : "idle",
	      atomic_load_explicit(&v->queue.count, memory_order_relaxed));
	left = atomic_load_explicit(&v->queue.count, memory_order_relaxed);
	list_for_each(at, &v->queue.ready) {
		struct task *t = list_entry(at, struct task, ready_link);

		if (most-- == 0) {
			print("  and %u more\n", left);
			break;
		}
		left--;
		print("  %u %s\n", t->self.id, t->name);
	}
	run_queue_dump(v, print);
}

static void dump_cpu(struct mailbox_call *call)
{
	struct dump_call *d = (struct dump_call *)call;

	dump_this_cpu(d->print, LOGGED_MAX);
	atomic_store(&d->busy, false);
}

void sched_dump(sched_printf print)
{
	struct vcore *v;

	upcalls_mask();
	v = this_vcore();
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		struct dump_call *d = &dump_calls[cpu];

		if (!cpu_is_online(cpu) || atomic_exchange(&d->busy, true))
			continue;
		d->call.function = dump_cpu;
		d->print = print;
		message_call(v, cpu, &d->call);
	}
	upcalls_unmask();
}

/* A sched_printf has no argument for where to print to: so one dump at a time, one CPU at a time. */
static struct text *dump_out; /* under sched_mutex, by the CPU whose turn it is */

static void dump_print(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		text_append(dump_out, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void dump_here(void *unused)
{
	dump_this_cpu(dump_print, UINT32_MAX);
}

void sched_dump_text(struct text *out)
{
	mutex_lock(&sched_mutex);
	dump_out = out;
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		(void)message_call_wait(cpu, dump_here, NULL);
	mutex_unlock(&sched_mutex);
}
