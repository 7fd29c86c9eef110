/* SPDX-License-Identifier: MIT */
/* libos/domain/byte_ring.c: no byte is lost or comes twice, and neither end sleeps through the other */
#include <string.h>
#include "domain/byte_ring.h"
#include "explore.h"

#define SIZE 2
#define BYTES 3 /* more than fit: the writer has to wait, too */

static struct byte_ring_shared shared;
static uint8_t bytes[SIZE];
static struct byte_ring writer, reader;
static _Atomic bool writer_rung, reader_rung;

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	memset(bytes, 0, sizeof(bytes));
	writer_rung = reader_rung = false;
	byte_ring_init(&writer, &shared, bytes, SIZE);
	byte_ring_init(&reader, &shared, bytes, SIZE);
	explore_name(&shared.written, sizeof(shared.written), "written");
	explore_name(&shared.writer_sleeps, sizeof(shared.writer_sleeps), "writer_sleeps");
	explore_name(&shared.read, sizeof(shared.read), "read");
	explore_name(&shared.reader_sleeps, sizeof(shared.reader_sleeps), "reader_sleeps");
	explore_name(bytes, sizeof(bytes), "bytes");
	explore_name(&writer_rung, sizeof(writer_rung), "writer_rung");
	explore_name(&reader_rung, sizeof(reader_rung), "reader_rung");
}

static bool is_rung(void *rung)
{
	return *(_Atomic bool *)rung;
}

static void halt(_Atomic bool *rung)
{
	explore_wait(is_rung, rung, "halts until it is rung");
	atomic_store(rung, false);
}

static void write_all(void)
{
	bool ring;

	for (uint8_t next = 1; next <= BYTES;) {
		size_t n = byte_ring_put(&writer, &next, 1, &ring);

		if (ring)
			atomic_store(&reader_rung, true);
		next += n;
		if (n == 0 && byte_ring_writer_sleeps(&writer))
			halt(&writer_rung);
	}
}

static void read_all(void)
{
	uint8_t got = 0;
	bool ring;

	for (uint8_t next = 1; next <= BYTES;) {
		size_t n = byte_ring_take(&reader, &got, 1, &ring);

		if (ring)
			atomic_store(&writer_rung, true);
		EXPLORE_CHECK(n == 0 || got == next);
		next += n;
		if (n == 0 && byte_ring_reader_sleeps(&reader))
			halt(&reader_rung);
	}
}

static void one_writes_one_reads(unsigned number)
{
	if (number == 0)
		read_all();
	else
		write_all();
}

static void all_was_read(void)
{
	EXPLORE_CHECK(!writer.broken && !reader.broken && shared.read == BYTES);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "bytes_arrive_in_order", 2, 3, 2, setup, one_writes_one_reads, all_was_read,
		  NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
