/* SPDX-License-Identifier: MIT */
/* libos/domain/byte_ring.c: one writes, one reads, and either may lie. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "domain/byte_ring.h"

#define SIZE 64u

static struct byte_ring_shared shared;
static uint8_t memory[SIZE + 16];
static struct byte_ring writer, reader;

/* Both ends at the same number, and bytes behind the memory that must stay as they are. */
static void start(uint32_t at)
{
	memset(&shared, 0, sizeof(shared));
	memset(memory, 0xee, sizeof(memory));
	shared.written = shared.read = at;
	byte_ring_init(&writer, &shared, memory, SIZE);
	byte_ring_init(&reader, &shared, memory, SIZE);
	writer.at = reader.at = at;
}

static bool fence_holds(void)
{
	for (unsigned i = SIZE; i < sizeof(memory); i++)
		if (memory[i] != 0xee)
			return false;
	return true;
}

static void bytes_come_in_order_over_the_wrap(void)
{
	uint8_t next = 0, expected = 0, bytes[SIZE];
	bool ring;

	start(UINT32_MAX - 100);
	for (unsigned round = 0; round < 1000; round++) {
		size_t n = (size_t)rand() % (SIZE + 1), taken;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(next + i);
		next = (uint8_t)(next + byte_ring_put(&writer, bytes, n, &ring));
		taken = byte_ring_take(&reader, bytes, (size_t)rand() % (SIZE + 1), &ring);
		for (size_t i = 0; i < taken; i++)
			CHECK_EQ(bytes[i], expected++);
	}
	CHECK(fence_holds());
}

static void a_full_ring_takes_no_more(void)
{
	uint8_t bytes[SIZE * 2] = { 0 };
	bool ring;

	start(0);
	CHECK_EQ(byte_ring_put(&writer, bytes, sizeof(bytes), &ring), SIZE);
	CHECK_EQ(byte_ring_put(&writer, bytes, 1, &ring), 0);
	CHECK_EQ(byte_ring_room(&writer), 0);
	CHECK_EQ(byte_ring_used(&reader), SIZE);
}

static void only_a_sleeper_is_rung_and_once(void)
{
	uint8_t byte = 1;
	bool ring;

	start(0);
	byte_ring_put(&writer, &byte, 1, &ring);
	CHECK(!ring);
	byte_ring_take(&reader, &byte, 1, &ring);
	CHECK(!ring);
	CHECK(byte_ring_reader_sleeps(&reader));
	byte_ring_put(&writer, &byte, 1, &ring);
	CHECK(ring);
	byte_ring_put(&writer, &byte, 1, &ring);
	CHECK(!ring);
	CHECK(!byte_ring_reader_sleeps(&reader));
}

/* Whatever the other end says, this one stays inside its memory and stops believing it. */
static void an_end_that_lies_breaks_the_ring(void)
{
	static const uint32_t lies[] = { SIZE + 1, 1000, UINT32_MAX, 0x80000000 };
	uint8_t bytes[SIZE * 2] = { 0 };
	bool ring;

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		start(0);
		shared.written = lies[i];
		CHECK_EQ(byte_ring_take(&reader, bytes, sizeof(bytes), &ring), 0);
		CHECK(reader.broken);
		shared.written = 5; /* too late */
		CHECK_EQ(byte_ring_take(&reader, bytes, sizeof(bytes), &ring), 0);
		shared.read = writer.at - lies[i];
		CHECK_EQ(byte_ring_put(&writer, bytes, sizeof(bytes), &ring), 0);
		CHECK(writer.broken);
		CHECK(fence_holds());
	}
}

/* ---- two threads that sleep until they are rung */

#define BYTES 200000u

struct bell {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	unsigned count;
};
static struct bell reader_bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
static struct bell writer_bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void bell_ring(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	b->count++;
	pthread_cond_signal(&b->rung);
	pthread_mutex_unlock(&b->lock);
}

static void bell_wait(struct bell *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->count == 0)
		pthread_cond_wait(&b->rung, &b->lock);
	b->count--;
	pthread_mutex_unlock(&b->lock);
}

static void *write_all(void *unused)
{
	uint32_t done = 0;
	bool ring;

	while (done < BYTES) {
		uint8_t bytes[7];
		size_t n = BYTES - done < sizeof(bytes) ? BYTES - done : sizeof(bytes), put;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)((done + i) * 31);
		put = byte_ring_put(&writer, bytes, n, &ring);
		done += (uint32_t)put;
		if (ring)
			bell_ring(&reader_bell);
		if (put == 0 && byte_ring_writer_sleeps(&writer))
			bell_wait(&writer_bell);
	}
	return unused;
}

/* A doorbell that is missing leaves one of them asleep, and this test hanging. */
static void nobody_sleeps_over_the_other(void)
{
	pthread_t thread;
	uint32_t done = 0, wrong = 0;
	bool ring;

	start(0);
	pthread_create(&thread, NULL, write_all, NULL);
	while (done < BYTES) {
		uint8_t bytes[11];
		size_t n = byte_ring_take(&reader, bytes, sizeof(bytes), &ring);

		for (size_t i = 0; i < n; i++)
			wrong += bytes[i] != (uint8_t)(done++ * 31);
		if (ring)
			bell_ring(&writer_bell);
		if (n == 0 && byte_ring_reader_sleeps(&reader))
			bell_wait(&reader_bell);
	}
	pthread_join(thread, NULL);
	CHECK_EQ(wrong, 0);
}

int main(void)
{
	RUN(bytes_come_in_order_over_the_wrap);
	RUN(a_full_ring_takes_no_more);
	RUN(only_a_sleeper_is_rung_and_once);
	RUN(an_end_that_lies_breaks_the_ring);
	RUN(nobody_sleeps_over_the_other);
	return check_result();
}
