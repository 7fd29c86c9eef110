/* SPDX-License-Identifier: MIT */
/*
 * libos/tty/host_frames.c: in whatever pieces frames come, the same frames come out.
 *
 *	input: a byte that says how the rest is cut; the stream from the host
 */
#include <string.h>
#include "fuzz.h"
#include "tty/host_frames.h"

/* What is taken out of a frame, with a header before each. */
#define RECORD_MAX (FUZZ_INPUT_MAX * 4)

const struct fuzz_target fuzz_target = { "host_frames", "frames_come_whole_from_any_pieces", 20000 };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	size_t n = 0;

	if (number > 1)
		return 0;
	out[n++] = (uint8_t)(number * 5);
	host_encode_header(out + n, HOST_INPUT, number ? 300 : 5);
	n += HOST_HEADER_SIZE;
	memset(out + n, 'x', 300);
	n += number ? 300 : 5;
	host_encode_header(out + n, HOST_SIGNAL, 1);
	n += HOST_HEADER_SIZE;
	out[n++] = 2;
	host_encode_header(out + n, HOST_END, 0);
	return n + HOST_HEADER_SIZE;
}

/* {type, payload byte} for each byte, {type, 0, 1} for a frame without any. */
struct record {
	uint8_t bytes[RECORD_MAX];
	size_t size;
};

static void put(struct record *r, uint8_t type, uint8_t byte, uint8_t empty)
{
	FUZZ_CHECK(r->size + 3 <= RECORD_MAX);
	r->bytes[r->size++] = type;
	r->bytes[r->size++] = byte;
	r->bytes[r->size++] = empty;
}

static void piece(void *context, uint8_t type, const uint8_t *bytes, size_t n)
{
	if (n == 0)
		put(context, type, 0, 1);
	for (size_t i = 0; i < n; i++)
		put(context, type, bytes[i], 0);
}

/* The whole stream is there: a frame is its header, and what follows. */
static void reference(const uint8_t *stream, size_t size, struct record *r)
{
	while (size >= HOST_HEADER_SIZE) {
		size_t length = stream[1] + 256u * stream[2], there;

		there = length < size - HOST_HEADER_SIZE ? length : size - HOST_HEADER_SIZE;
		if (length == 0)
			put(r, stream[0], 0, 1);
		for (size_t i = 0; i < there; i++)
			put(r, stream[0], stream[HOST_HEADER_SIZE + i], 0);
		stream += HOST_HEADER_SIZE + there;
		size -= HOST_HEADER_SIZE + there;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record got, wanted;
	struct host_decoder d = { .piece = piece, .context = &got };
	size_t cut;

	if (size < 1)
		return 0;
	got.size = wanted.size = 0;
	cut = data[0];
	data++, size--;
	reference(data, size, &wanted);
	for (size_t i = 0, n; i < size; i += n) {
		n = cut == 0 ? size : 1 + (i * 7 + cut) % cut;
		n = n < size - i ? n : size - i;
		host_decode(&d, data + i, n);
	}
	FUZZ_CHECK(got.size == wanted.size && memcmp(got.bytes, wanted.bytes, got.size) == 0);
	return 0;
}
