/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls before each access and in place of each atomic operation
 * (-fsanitize=thread), and what happens then.
 *
 *	atomic store    may wait in the thread's store buffer, if it is not sequentially consistent
 *	atomic load     sees the thread's own buffered store first
 *	locked, fence   drains the buffer
 *	plain store     likewise
 *	plain access    two of them, or one and an atomic, that are not ordered by release and
 *	                acquire are a race, and fail the case
 *
 * Order is kept by vector clocks: each thread has one, each atomic word the one that its last
 * release published.  On x86 a missing release or acquire costs nothing until a compiler uses the
 * freedom; the race says so at once.
 */
#include "engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_MAX 64
#define SHADOW_BITS 14
#define SHADOW_SLOTS (1u << SHADOW_BITS)

enum { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST }; /* as the compiler numbers them */

struct clock {
	uint32_t at[EXPLORE_THREADS_MAX];
};

struct buffered {
	volatile void *address;
	uint64_t value;
	unsigned size;
	bool is_atomic;
	const void *place;     /* of the store in the code */
	struct clock issued;   /* the thread's clock at the store */
	struct clock released; /* what the store publishes */
};

/* What is known about one byte. */
struct shadow {
	const volatile char *address; /* NULL: free */
	uint32_t generation;          /* of the run that uses the slot */
	unsigned users;               /* of what has no name: bit for each thread ... */
	bool changed;                 /* ... and whether one writes */
	unsigned writer;              /* NOBODY: setup */
	uint32_t written;             /* at this time of the writer */
	bool written_atomically;
	struct clock read;            /* plain reads, by thread */
	struct clock read_atomically;
	struct clock released;        /* by the last store, if this is where an atomic word begins */
};

static struct buffered buffers[EXPLORE_THREADS_MAX][BUFFER_MAX];
static unsigned buffer_count[EXPLORE_THREADS_MAX];
static struct clock clocks[EXPLORE_THREADS_MAX];
static struct clock fence_acquired[EXPLORE_THREADS_MAX], fence_released[EXPLORE_THREADS_MAX];
static struct shadow shadows[SHADOW_SLOTS];
static uint32_t generation;
static const void *places[EXPLORE_THREADS_MAX + 1]; /* behind the call by which each is here */

/* ---------------------------------------------------------------- clocks */

static void join(struct clock *into, const struct clock *from)
{
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX; i++)
		if (from->at[i] > into->at[i])
			into->at[i] = from->at[i];
}

static __attribute__((noinline)) struct shadow *shadow_search(const volatile char *address,
							      unsigned slot)
{
	for (unsigned tries = 0; tries < SHADOW_SLOTS; tries++) {
		struct shadow *s = &shadows[(slot + tries) % SHADOW_SLOTS];

		if (s->generation != generation) {
			memset(s, 0, sizeof(*s));
			s->generation = generation;
			s->address = address;
			s->writer = NOBODY;
			return s;
		}
		if (s->address == address)
			return s;
	}
	explore_fail("the case touches too much memory");
}

/* The bytes of a word lie side by side. */
static inline struct shadow *shadow_of(const volatile char *address)
{
	uint64_t word = (uint64_t)address / 8, byte = (uint64_t)address % 8;
	unsigned slot =
		(unsigned)((word * 0x9e3779b97f4a7c15ul >> (64 - SHADOW_BITS + 3)) * 8 + byte);
	struct shadow *s = &shadows[slot];

	return s->generation == generation && s->address == address ? s
								    : shadow_search(address, slot);
}

static void note(unsigned thread, const char *what, const volatile void *address, uint64_t value)
{
	schedule_note(thread, what, address, &value, places[thread]);
}

/* ---------------------------------------------------------------- races */

static void race(unsigned thread, const char *what, unsigned other, const char *earlier,
		 const volatile void *address)
{
	schedule_note(thread, what, address, NULL, places[thread]);
	explore_fail("race: what thread %u %s (last line) is not ordered after thread %u's %s", thread,
		     what, other, earlier);
}

static void note_read(unsigned thread, const volatile char *address, unsigned size, bool atomic)
{
	for (unsigned i = 0; i < size; i++) {
		struct shadow *s = shadow_of(address + i);

		if (s->writer != NOBODY && s->writer != thread &&
		    s->written > clocks[thread].at[s->writer] && !(atomic && s->written_atomically))
			race(thread, "reads", s->writer, "write", address);
		(atomic ? &s->read_atomically : &s->read)->at[thread] = clocks[thread].at[thread];
	}
}

static void note_write(unsigned thread, const struct clock *issued, const volatile char *address,
		       unsigned size, bool atomic)
{
	for (unsigned i = 0; i < size; i++) {
		struct shadow *s = shadow_of(address + i);

		if (s->writer != NOBODY && s->writer != thread &&
		    s->written > issued->at[s->writer] && !(atomic && s->written_atomically))
			race(thread, "writes", s->writer, "write", address);
		for (unsigned other = 0; other < EXPLORE_THREADS_MAX; other++) {
			uint32_t known = issued->at[other];

			if (other != thread && (s->read.at[other] > known ||
						(!atomic && s->read_atomically.at[other] > known)))
				race(thread, "writes", other, "read", address);
		}
		s->writer = thread;
		s->written = issued->at[thread];
		s->written_atomically = atomic;
	}
}

/* ---------------------------------------------------------------- the store buffer */

static uint64_t load_bytes(const volatile void *address, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)address, size);
	return value;
}

static void store_bytes(volatile void *address, uint64_t value, unsigned size)
{
	memcpy((void *)address, &value, size);
}

static void become_visible(unsigned thread, const struct buffered *b)
{
	note_write(thread, &b->issued, b->address, b->size, b->is_atomic);
	shadow_of(b->address)->released = b->released;
	store_bytes(b->address, b->value, b->size);
}

unsigned memory_buffered(unsigned thread)
{
	return buffer_count[thread];
}

void memory_drain_one(unsigned thread)
{
	struct buffered *buffer = buffers[thread];

	become_visible(thread, buffer);
	schedule_note(thread, "(buffered store drains)", buffer->address, &buffer->value,
		      buffer->place);
	memmove(buffer, buffer + 1, --buffer_count[thread] * sizeof(*buffer));
}

static void drain_all(unsigned thread)
{
	while (memory_buffered(thread))
		memory_drain_one(thread);
}

static void keep_back(unsigned thread, const struct buffered *b)
{
	if (buffer_count[thread] == BUFFER_MAX)
		memory_drain_one(thread);
	buffers[thread][buffer_count[thread]++] = *b;
	schedule_note(thread, "stores (buffered)", b->address, &b->value, b->place);
}

/*
 * May this store wait?  Once one does, those behind it must.  Not on the thread's own stack, where what
 * the compiler pushes goes past the hooks, and must find the earlier store done.
 */
static bool may_wait(unsigned thread, const volatile void *address)
{
	if (engine_on_own_stack(address)) {
		drain_all(thread);
		return false;
	}
	return memory_buffered(thread) || engine_may_delay();
}

/* What the thread itself would load: its youngest store to it, else what is visible. */
static uint64_t forwarded(unsigned thread, const volatile void *address, unsigned size, bool *own)
{
	for (unsigned i = buffer_count[thread]; i-- > 0;) {
		const struct buffered *b = &buffers[thread][i];
		const volatile char *from = b->address, *at = address;

		*own = at < from + b->size && from < at + size;
		if (!*own)
			continue;
		if (at == from && size == b->size)
			return b->value;
		explore_fail("a load of a part of what is stored as a whole, or the other way round");
	}
	*own = false;
	return load_bytes(address, size);
}

/* ---------------------------------------------------------------- plain accesses */

/*
 * A plain access is made by the thread itself after the hook has returned.  Nobody else runs before
 * the thread's next hook, so until then memory may hold what only this thread is to see: there it is
 * put right.
 */
static struct {
	enum { NOTHING, SEES_ITS_OWN_STORE, STORE_TO_KEEP_BACK } what;
	volatile void *address;
	uint64_t visible; /* what the others see */
	unsigned size;
	unsigned thread;
	const void *place;
	struct clock issued;
} unsettled;

void memory_settle(void)
{
	struct buffered b = {
		.address = unsettled.address,
		.size = unsettled.size,
		.issued = unsettled.issued,
		.place = unsettled.place,
	};

	if (unsettled.what == NOTHING)
		return;
	b.value = load_bytes(b.address, b.size);
	/* It changes nothing; or it is the copy of a structure, of which the hooks for both sides come
	 * first, and is yet to be made: then it is not kept back, nor is anything before it. */
	if (unsettled.what == STORE_TO_KEEP_BACK && b.value == unsettled.visible) {
		unsettled.what = NOTHING;
		drain_all(unsettled.thread);
		store_bytes(b.address, b.value, b.size);
		note_write(unsettled.thread, &unsettled.issued, b.address, b.size, false);
		schedule_note(unsettled.thread, "writes", b.address, &b.value, b.place);
		return;
	}
	store_bytes(b.address, unsettled.visible, b.size);
	if (unsettled.what == STORE_TO_KEEP_BACK)
		keep_back(unsettled.thread, &b);
	unsettled.what = NOTHING;
}

void memory_drain_all(unsigned thread)
{
	memory_settle();
	drain_all(thread);
}

void memory_reset(unsigned threads)
{
	generation++;
	unsettled.what = NOTHING;
	memset(buffer_count, 0, sizeof(buffer_count));
	memset(clocks, 0, sizeof(clocks));
	memset(fence_acquired, 0, sizeof(fence_acquired));
	memset(fence_released, 0, sizeof(fence_released));
	for (unsigned i = 0; i < threads; i++)
		clocks[i].at[i] = 1;
}

/* What has no name is thought to be one thread's alone, or read only; and that is checked. */
static void unnamed(unsigned thread, const volatile char *address, bool write)
{
	struct shadow *s = shadow_of(address);

	s->users |= 1u << thread;
	s->changed |= write;
	if (s->changed && (s->users & (s->users - 1)))
		explore_fail("threads share %p (thread %u %s it): explore_name() it",
			     (const void *)address, thread, write ? "writes" : "reads");
}

/* Others may go on here only while they do not see all that the thread has done: this may end that. */
static void begin_plain(unsigned thread)
{
	if (memory_buffered(thread))
		engine_point();
	clocks[thread].at[thread]++;
}

static void plain_read(volatile void *address, unsigned size)
{
	unsigned thread = explore_self();
	uint64_t own_value;
	bool own;

	if (thread == NOBODY || (engine_on_own_stack(address) && !engine_has_name(address)))
		return;
	memory_settle();
	if (!engine_has_name(address)) {
		unnamed(thread, address, false);
		return;
	}
	begin_plain(thread);
	if (size > sizeof(uint64_t)) {
		drain_all(thread);
		own = false;
	} else {
		own_value = forwarded(thread, address, size, &own);
	}
	if (!own) {
		note_read(thread, address, size, false);
		note(thread, "reads", address, load_bytes(address, size < 8 ? size : 8));
		return;
	}
	unsettled.what = SEES_ITS_OWN_STORE;
	unsettled.address = address;
	unsettled.size = size;
	unsettled.visible = load_bytes(address, size);
	store_bytes(address, own_value, size);
}

static void plain_write(volatile void *address, unsigned size)
{
	unsigned thread = explore_self();

	if (thread == NOBODY || (engine_on_own_stack(address) && !engine_has_name(address)))
		return;
	memory_settle();
	if (!engine_has_name(address)) {
		unnamed(thread, address, true);
		return;
	}
	begin_plain(thread);
	if (size > sizeof(uint64_t)) {
		drain_all(thread);
	} else if (may_wait(thread, address)) {
		unsettled.what = STORE_TO_KEEP_BACK;
		unsettled.address = address;
		unsettled.size = size;
		unsettled.visible = load_bytes(address, size);
		unsettled.thread = thread;
		unsettled.place = places[thread];
		unsettled.issued = clocks[thread];
		return;
	}
	note_write(thread, &clocks[thread], address, size, false);
	schedule_note(thread, "writes", address, NULL, places[thread]);
}

/* ---------------------------------------------------------------- atomic operations */

static bool acquires(int order)
{
	return order == ACQUIRE || order == CONSUME || order >= ACQ_REL;
}

static bool releases(int order)
{
	return order >= RELEASE;
}

/* The thread is about to do something that others can see: its time goes on. */
static unsigned begin(bool locked)
{
	unsigned thread = explore_self();

	if (thread == NOBODY)
		return thread;
	memory_settle();
	engine_point();
	clocks[thread].at[thread]++;
	if (locked)
		drain_all(thread);
	return thread;
}

static void acquire(unsigned thread, const volatile void *address, int order)
{
	const struct clock *released = &shadow_of(address)->released;

	join(acquires(order) ? &clocks[thread] : &fence_acquired[thread], released);
}

static uint64_t atomic_load_sized(const volatile void *address, unsigned size, int order)
{
	unsigned thread = begin(false);
	uint64_t value;
	bool own;

	if (thread == NOBODY)
		return load_bytes(address, size);
	value = forwarded(thread, address, size, &own);
	if (own)
		return value;
	note_read(thread, address, size, true);
	acquire(thread, address, order);
	note(thread, "loads", address, value);
	return value;
}

static void atomic_store_sized(volatile void *address, uint64_t value, unsigned size, int order)
{
	unsigned thread = begin(order == SEQ_CST);
	struct buffered b = { .address = address,
			      .value = value,
			      .size = size,
			      .is_atomic = true,
			      .place = places[thread] };

	if (thread == NOBODY) {
		store_bytes(address, value, size);
		return;
	}
	b.issued = clocks[thread];
	b.released = releases(order) ? clocks[thread] : fence_released[thread];
	if (order != SEQ_CST && may_wait(thread, address)) {
		keep_back(thread, &b);
		return;
	}
	become_visible(thread, &b);
	note(thread, "stores", address, value);
}

/* A read-modify-write: locked on x86.  It goes on with the release that was there before it. */
static void exchange_begin(unsigned thread, const volatile void *address, unsigned size, int order)
{
	note_read(thread, address, size, true);
	acquire(thread, address, order);
}

static void exchange_end(unsigned thread, volatile void *address, uint64_t value, unsigned size,
			 int order, const char *what)
{
	note_write(thread, &clocks[thread], address, size, true);
	join(&shadow_of(address)->released, releases(order) ? &clocks[thread] : &fence_released[thread]);
	store_bytes(address, value, size);
	note(thread, what, address, value);
}

static uint64_t modify(volatile void *address, uint64_t operand, unsigned size, int order, char what)
{
	unsigned thread = begin(true);
	uint64_t old = load_bytes(address, size), value = operand;

	switch (what) {
	case '+':
		value = old + operand;
		break;
	case '-':
		value = old - operand;
		break;
	case '&':
		value = old & operand;
		break;
	case '|':
		value = old | operand;
		break;
	case '^':
		value = old ^ operand;
		break;
	}
	if (thread == NOBODY) {
		store_bytes(address, value, size);
		return old;
	}
	exchange_begin(thread, address, size, order);
	exchange_end(thread, address, value, size, order, "exchanges");
	return old;
}

static bool compare_exchange(volatile void *address, void *expected, uint64_t value, unsigned size,
			     int order, int failure_order)
{
	unsigned thread = begin(true);
	uint64_t old = load_bytes(address, size);
	bool same = memcmp(&old, expected, size) == 0;

	if (thread == NOBODY) {
		if (same)
			store_bytes(address, value, size);
	} else if (same) {
		exchange_begin(thread, address, size, order);
		exchange_end(thread, address, value, size, order, "compares and exchanges");
	} else {
		exchange_begin(thread, address, size, failure_order);
		note(thread, "compares in vain with", address, old);
	}
	memcpy(expected, &old, size);
	return same;
}

/* ---------------------------------------------------------------- what the compiler calls */

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}

/* Only the code under test calls these. */
static inline __attribute__((always_inline)) void note_place(void)
{
	places[explore_self()] = __builtin_return_address(0);
}

#define HOOK(result, name, parameters, action)                                                     \
	result name parameters;                                                                    \
	result name parameters                                                                     \
	{                                                                                          \
		note_place();                                                                      \
		action;                                                                            \
	}

#define PLAIN(size)                                                                                \
	HOOK(void, __tsan_read##size, (void *p), plain_read(p, size))                              \
	HOOK(void, __tsan_write##size, (void *p), plain_write(p, size))                            \
	HOOK(void, __tsan_unaligned_read##size, (void *p), plain_read(p, size))                    \
	HOOK(void, __tsan_unaligned_write##size, (void *p), plain_write(p, size))                  \
	HOOK(void, __tsan_volatile_read##size, (void *p), plain_read(p, size))                     \
	HOOK(void, __tsan_volatile_write##size, (void *p), plain_write(p, size))
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
HOOK(void, __tsan_read_range, (void *p, size_t size), plain_read(p, (unsigned)size))
HOOK(void, __tsan_write_range, (void *p, size_t size), plain_write(p, (unsigned)size))

#define MODIFY(bits, type, name, what)                                                             \
	HOOK(type, __tsan_atomic##bits##_##name, (volatile type * p, type v, int order),           \
	     return (type)modify(p, v, bits / 8, order, what))
#define COMPARE(bits, type, name)                                                                  \
	HOOK(int, __tsan_atomic##bits##_compare_exchange_##name,                                   \
	     (volatile type * p, type * expected, type v, int order, int failure),                 \
	     return compare_exchange(p, expected, v, bits / 8, order, failure))
#define ATOMIC(bits, type)                                                                         \
	HOOK(type, __tsan_atomic##bits##_load, (const volatile type *p, int order),                \
	     return (type)atomic_load_sized(p, bits / 8, order))                                   \
	HOOK(void, __tsan_atomic##bits##_store, (volatile type * p, type v, int order),            \
	     atomic_store_sized(p, v, bits / 8, order))                                            \
	MODIFY(bits, type, exchange, '=')                                                          \
	MODIFY(bits, type, fetch_add, '+')                                                         \
	MODIFY(bits, type, fetch_sub, '-')                                                         \
	MODIFY(bits, type, fetch_and, '&')                                                         \
	MODIFY(bits, type, fetch_or, '|')                                                          \
	MODIFY(bits, type, fetch_xor, '^')                                                         \
	COMPARE(bits, type, strong)                                                                \
	COMPARE(bits, type, weak)
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	unsigned thread = begin(order == SEQ_CST);

	if (thread == NOBODY)
		return;
	if (acquires(order))
		join(&clocks[thread], &fence_acquired[thread]);
	if (releases(order))
		fence_released[thread] = clocks[thread];
}
