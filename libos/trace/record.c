/* SPDX-License-Identifier: MIT */
/* Writing events into this CPU's ring. */
#include "abi/syscall.h"
#include "core/cpu.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/string.h"
#include "core/task.h"
#include "proc/process.h"
#include "time/time.h"
#include "trace/rings.h"
#include "trace/trace.h"

#define SHOWN_IN_PANIC 24u

struct cpu_trace trace_rings[EXO_CPUS_MAX];

static const char *const kind_names[TRACE_KINDS] = TRACE_KIND_NAMES;

static void write_event(struct trace_ring *ring, enum trace_kind kind, uint32_t task,
			unsigned detail, unsigned number, uint64_t value)
{
	uint64_t words[TRACE_WORDS] = {
		rdtsc(),
		(uint64_t)task << 32 | (uint64_t)(uint16_t)number << 16 |
			(uint64_t)(uint8_t)detail << 8 | (uint64_t)kind,
		value,
	};

	trace_ring_write(ring, words);
}

void trace_unpack(struct trace_record *record, unsigned cpu, const uint64_t words[TRACE_WORDS])
{
	uint64_t boot_tsc = ((const struct exo_info *)EXO_INFO_BASE)->boot_tsc;

	*record = (struct trace_record){
		.time_ns = tsc_to_ns(words[0] - boot_tsc),
		.kind = (uint8_t)words[1],
		.detail = (uint8_t)(words[1] >> 8),
		.number = (uint16_t)(words[1] >> 16),
		.task = (uint32_t)(words[1] >> 32),
		.value = words[2],
		.cpu = cpu,
	};
}

void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value)
{
	struct cpu_trace *c = &trace_rings[v->cpu];
	bool is_rare = kind == TRACE_SCHED || kind == TRACE_EJECT;

	ASSERT_INVARIANT(vcore_is_mine(v));
	write_event(is_rare ? &c->rare : &c->events, kind, task, detail, number, value);
}

void trace_record_name(struct vcore *v, const struct task *t)
{
	struct trace_ring *ring = &trace_rings[v->cpu].rare;

	ASSERT_INVARIANT(vcore_is_mine(v));
	write_event(ring, TRACE_NAME, t->self.id, 0, 0, t->process ? t->process->pid : 0);
	write_event(ring, TRACE_NAME, t->self.id, 1, 0, trace_word(t->name));
	write_event(ring, TRACE_NAME, t->self.id, 2, 0, trace_word(t->name + sizeof(uint64_t)));
}

/* The text is copied before anything is written, and made printable: a library that has gone wrong, or has
 * been unloaded since, is nobody's concern who reads it. */
void trace_record_note(struct vcore *v, const char *what, const struct task *t, int64_t value)
{
	uint64_t words[SCHED_TRACE_MAX / sizeof(uint64_t)] = { 0 };
	uint32_t task = t ? t->self.id : 0;
	unsigned length = 0, parts;

	for (char c; length < SCHED_TRACE_MAX && (c = what[length]); length++)
		((char *)words)[length] = c < ' ' || c > '~' ? '?' : c;
	parts = (length + sizeof(words[0]) - 1) / sizeof(words[0]);
	trace_record(v, TRACE_NOTE, task, 0, parts, (uint64_t)value);
	for (unsigned i = 0; i < parts; i++)
		trace_record(v, TRACE_NOTE, task, i + 1, 0, words[i]);
}

void trace_mend(struct vcore *v)
{
	const uint64_t words[TRACE_WORDS] = { rdtsc(), TRACE_LOST, 1 };

	if (v->traced)
		trace_ring_mend(&trace_rings[v->cpu].events, words);
}

void trace_name_changed(void)
{
	upcalls_mask();
	trace_name(this_vcore(), current());
	upcalls_unmask();
}

uint64_t trace_word(const char *name)
{
	uint64_t word = 0;

	memcpy(&word, name, strnlen(name, sizeof(word)));
	return word;
}

/* ---- system calls: from call.asm, in task context, unmasked */

void trace_call_begins(uint64_t number, uint64_t first_argument);
void trace_call_ends(uint64_t result);

/* A task that is not masked moves from CPU to CPU: masked, it writes into the ring of one. */
static void record_call(enum trace_kind kind, uint64_t number, uint64_t value)
{
	struct vcore *v;

	upcalls_mask();
	v = this_vcore();
	trace(v, kind, current()->self.id, 0, (unsigned)number, value);
	upcalls_unmask();
}

void trace_call_begins(uint64_t number, uint64_t first_argument)
{
	record_call(TRACE_CALL, number, first_argument);
}

void trace_call_ends(uint64_t result)
{
	record_call(TRACE_RETURN, 0, result);
}

/* ---- panic */

void trace_print_last(const struct vcore *v)
{
	const struct trace_ring *ring = &trace_rings[v->cpu].events;
	uint64_t next = atomic_load(&ring->next), index = trace_ring_oldest(ring);
	uint64_t words[TRACE_WORDS];
	struct trace_record r;

	if (next == 0)
		return;
	if (next - index > SHOWN_IN_PANIC)
		index = next - SHOWN_IN_PANIC;
	log_print("last events of CPU %d:\n", v->cpu);
	for (; index < next; index++) {
		if (trace_ring_read(ring, index, words) != TRACE_READ_DONE)
			continue;
		trace_unpack(&r, (unsigned)v->cpu, words);
		log_print("  %10lu.%03lu us %-9s task %u detail %u number %u value %lx\n",
			  r.time_ns / 1000, r.time_ns % 1000,
			  r.kind < TRACE_KINDS ? kind_names[r.kind] : "?", r.task, r.detail,
			  r.number, r.value);
	}
}
