/* SPDX-License-Identifier: MIT */
/* libos/trace/ring.c: nothing torn, and what is overwritten is counted. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include "check.h"
#include "trace/ring.h"

#define SLOTS 8
#define EVENTS 2000000u
#define INTERRUPTIONS 20000

static struct trace_slot slots[SLOTS];
static struct trace_ring ring;

/* An event whose words tell its index, each in its own way. */
static void fill(uint64_t words[TRACE_WORDS], uint64_t index)
{
	for (uint64_t i = 0; i < TRACE_WORDS; i++)
		words[i] = (index + 1) * (0x9e3779b97f4a7c15ul + 2 * i);
}

static bool tells(const uint64_t words[TRACE_WORDS], uint64_t index)
{
	uint64_t expected[TRACE_WORDS];

	fill(expected, index);
	for (int i = 0; i < TRACE_WORDS; i++)
		if (words[i] != expected[i])
			return false;
	return true;
}

static void write_events(uint64_t from, uint64_t to)
{
	uint64_t words[TRACE_WORDS];

	for (; from < to; from++) {
		fill(words, from);
		trace_ring_write(&ring, words);
	}
}

static void what_is_written_is_read(void)
{
	uint64_t words[TRACE_WORDS];

	trace_ring_reset(&ring, slots, SLOTS);
	CHECK_EQ(trace_ring_read(&ring, 0, words), TRACE_READ_NOTHING);
	write_events(0, SLOTS);
	for (uint64_t i = 0; i < SLOTS; i++) {
		CHECK_EQ(trace_ring_read(&ring, i, words), TRACE_READ_DONE);
		CHECK(tells(words, i));
	}
	CHECK_EQ(trace_ring_read(&ring, SLOTS, words), TRACE_READ_NOTHING);
	CHECK_EQ(trace_ring_oldest(&ring), 0);
}

static void the_oldest_is_overwritten_and_told(void)
{
	uint64_t words[TRACE_WORDS];

	trace_ring_reset(&ring, slots, SLOTS);
	write_events(0, SLOTS + 3);
	CHECK_EQ(trace_ring_oldest(&ring), 3);
	CHECK_EQ(trace_ring_read(&ring, 2, words), TRACE_READ_OVERWRITTEN);
	CHECK_EQ(trace_ring_read(&ring, 3, words), TRACE_READ_DONE);
	CHECK(tells(words, 3));
	CHECK_EQ(trace_ring_read(&ring, SLOTS + 2, words), TRACE_READ_DONE);
	CHECK(tells(words, SLOTS + 2));
}

static void an_event_that_is_being_written_is_not_there(void)
{
	uint64_t words[TRACE_WORDS];

	trace_ring_reset(&ring, slots, SLOTS);
	write_events(0, 2);
	/* As the writer leaves it in the middle of event 2 ... */
	ring.next = 3;
	CHECK_EQ(trace_ring_read(&ring, 2, words), TRACE_READ_NOTHING);
	/* ... and of event 8, in the place of event 0. */
	write_events(3, SLOTS);
	ring.next = SLOTS + 1;
	slots[0].sequence = 0;
	CHECK_EQ(trace_ring_read(&ring, 0, words), TRACE_READ_OVERWRITTEN);
	CHECK_EQ(trace_ring_read(&ring, SLOTS, words), TRACE_READ_NOTHING);
}

static const uint64_t mended[TRACE_WORDS] = { 7, 8, 9 };

static bool is_mended(uint64_t index)
{
	uint64_t words[TRACE_WORDS];

	return trace_ring_read(&ring, index, words) == TRACE_READ_DONE && words[0] == 7 &&
	       words[2] == 9;
}

static void an_event_that_was_left_in_the_middle_is_mended(void)
{
	uint64_t words[TRACE_WORDS];

	trace_ring_reset(&ring, slots, SLOTS);
	trace_ring_mend(&ring, mended); /* nothing was */
	CHECK_EQ(ring.next, 0);
	write_events(0, 2);
	trace_ring_mend(&ring, mended);
	CHECK(trace_ring_read(&ring, 1, words) == TRACE_READ_DONE && tells(words, 1));
	/* Before the slot was cleared, where nothing was and where an old event is; and after. */
	ring.next = 3;
	trace_ring_mend(&ring, mended);
	CHECK(is_mended(2));
	write_events(3, SLOTS);
	ring.next = SLOTS + 1;
	trace_ring_mend(&ring, mended);
	CHECK(is_mended(SLOTS));
	ring.next = SLOTS + 2;
	slots[1].sequence = 0;
	trace_ring_mend(&ring, mended);
	CHECK(is_mended(SLOTS + 1));
	write_events(SLOTS + 2, SLOTS + 3);
	CHECK(trace_ring_read(&ring, SLOTS + 2, words) == TRACE_READ_DONE &&
	      tells(words, SLOTS + 2));
}

static volatile sig_atomic_t interruptions;

static void write_inside(int number)
{
	write_events(0, 1);
	interruptions++;
}

static void *interrupt_it(void *writer)
{
	while (interruptions < INTERRUPTIONS)
		pthread_kill(*(pthread_t *)writer, SIGUSR1);
	return NULL;
}

/* As when the kernel complains, in the middle of an event, that a CPU is masked for too long. */
static void an_event_inside_an_event_takes_an_index_of_its_own(void)
{
	struct sigaction action = { .sa_handler = write_inside };
	pthread_t me = pthread_self(), other;
	uint64_t written = 0;

	trace_ring_reset(&ring, slots, SLOTS);
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&other, NULL, interrupt_it, &me);
	for (; interruptions < INTERRUPTIONS; written++)
		write_events(0, 1);
	pthread_join(other, NULL);
	CHECK_EQ(ring.next, written + (uint64_t)interruptions);
}

static void reset_empties_it(void)
{
	uint64_t words[TRACE_WORDS];

	trace_ring_reset(&ring, slots, SLOTS);
	write_events(0, 3);
	trace_ring_reset(&ring, slots, SLOTS);
	CHECK_EQ(trace_ring_read(&ring, 0, words), TRACE_READ_NOTHING);
}

static void *write_all(void *unused)
{
	write_events(0, EVENTS);
	return NULL;
}

/* A writer that never waits, and a reader that falls behind again and again. */
static void a_reader_beside_the_writer_gets_whole_events_or_counts_them(void)
{
	uint64_t words[TRACE_WORDS], at = 0, read = 0, lost = 0, torn = 0;
	pthread_t writer;

	trace_ring_reset(&ring, slots, SLOTS);
	pthread_create(&writer, NULL, write_all, NULL);
	while (at < EVENTS) {
		uint64_t oldest = trace_ring_oldest(&ring);

		if (at < oldest) {
			lost += oldest - at;
			at = oldest;
		}
		if (at < EVENTS && trace_ring_read(&ring, at, words) == TRACE_READ_DONE) {
			torn += !tells(words, at);
			read++;
			at++;
		}
	}
	pthread_join(writer, NULL);
	CHECK_EQ(torn, 0);
	CHECK_EQ(read + lost, EVENTS);
	CHECK(read >= SLOTS); /* the last ones are nobody's to overwrite */
}

int main(void)
{
	RUN(what_is_written_is_read);
	RUN(the_oldest_is_overwritten_and_told);
	RUN(an_event_that_is_being_written_is_not_there);
	RUN(an_event_that_was_left_in_the_middle_is_mended);
	RUN(an_event_inside_an_event_takes_an_index_of_its_own);
	RUN(reset_empties_it);
	RUN(a_reader_beside_the_writer_gets_whole_events_or_counts_them);
	return check_result();
}
