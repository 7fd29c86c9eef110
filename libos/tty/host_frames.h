/* SPDX-License-Identifier: MIT */
/*
 * The frames that exo-run and the host channel exchange: a type byte, a 16-bit little-endian
 * length, and that many bytes.  Pure: tests/unit/host_frames_test.c.
 */
#ifndef LIBOS_HOST_FRAMES_H
#define LIBOS_HOST_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define HOST_HEADER_SIZE 3

enum host_frame {
	/* From the host. */
	HOST_INPUT = 'i',   /* standard input */
	HOST_END = 'e',     /* ... ends here */
	HOST_SIGNAL = 'k',  /* one byte: a signal number for the program's process group */
	/* To the host. */
	HOST_OUTPUT = 'o',  /* standard output */
	HOST_ERROR = 'r',   /* standard error */
	HOST_TRACE = 't',   /* records of /dev/exo/trace */
	HOST_STATUS = 'x',  /* four bytes: the program's wait status */
	HOST_READY = 'R',   /* input may be sent, as far as granted */
	HOST_GRANT = 'w',   /* four bytes: so many more bytes of input may be sent */
};

struct host_decoder {
	uint8_t header[HOST_HEADER_SIZE];
	uint8_t header_have;    /* bytes of it */
	uint16_t payload_left;
	/* A piece of a frame's payload, or the frame itself if it has none (n = 0). */
	void (*piece)(void *context, uint8_t type, const uint8_t *bytes, size_t n);
	void *context;
};

/* Bytes as they come, in pieces of any size. */
void host_decode(struct host_decoder *d, const uint8_t *bytes, size_t n);
void host_encode_header(uint8_t header[HOST_HEADER_SIZE], uint8_t type, size_t n);

#endif
