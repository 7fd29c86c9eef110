/* SPDX-License-Identifier: MIT */
/* libos/tty/host_frames.c: frames in whatever pieces they come. */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "tty/host_frames.h"

static uint8_t got[70000];
static size_t got_size;
static unsigned ends;
static uint8_t last_type;

static void piece(void *context, uint8_t type, const uint8_t *bytes, size_t n)
{
	last_type = type;
	if (n != 0)
		memcpy(got + got_size, bytes, n);
	got_size += n;
	ends += type == HOST_END;
}

static void frames_come_whole_from_any_pieces(void)
{
	static uint8_t stream[66000];

	for (size_t step = 1; step < 50; step += 7) {
		struct host_decoder d = { .piece = piece };
		size_t at = 0;

		got_size = ends = 0;
		host_encode_header(stream, HOST_INPUT, 60000);
		for (size_t i = 0; i < 60000; i++)
			stream[HOST_HEADER_SIZE + i] = (uint8_t)(i * 7);
		at = HOST_HEADER_SIZE + 60000;
		host_encode_header(stream + at, HOST_END, 0);
		at += HOST_HEADER_SIZE;
		host_encode_header(stream + at, HOST_SIGNAL, 1);
		stream[at + HOST_HEADER_SIZE] = 2;
		at += HOST_HEADER_SIZE + 1;
		for (size_t i = 0; i < at; i += step)
			host_decode(&d, stream + i, at - i < step ? at - i : step);
		CHECK_EQ(got_size, 60001);
		CHECK_EQ(ends, 1);
		CHECK_EQ(last_type, HOST_SIGNAL);
		CHECK_EQ(got[60000], 2);
		CHECK(memcmp(got, stream + HOST_HEADER_SIZE, 60000) == 0);
	}
}

int main(void)
{
	RUN(frames_come_whole_from_any_pieces);
	return check_result();
}
