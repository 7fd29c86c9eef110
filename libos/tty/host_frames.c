/* SPDX-License-Identifier: MIT */
/* Frames between exo-run and the host channel.  See host_frames.h. */
#include "tty/host_frames.h"

static void header_complete(struct host_decoder *d)
{
	d->payload_left = (uint16_t)(d->header[1] | d->header[2] << 8);
	if (d->payload_left == 0) {
		d->piece(d->context, d->header[0], NULL, 0);
		d->header_have = 0;
	}
}

void host_decode(struct host_decoder *d, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		size_t piece = 1;

		if (d->header_have < HOST_HEADER_SIZE) {
			d->header[d->header_have++] = *bytes;
			if (d->header_have == HOST_HEADER_SIZE)
				header_complete(d);
		} else {
			piece = n < d->payload_left ? n : d->payload_left;
			d->piece(d->context, d->header[0], bytes, piece);
			d->payload_left = (uint16_t)(d->payload_left - piece);
			if (d->payload_left == 0)
				d->header_have = 0;
		}
		bytes += piece;
		n -= piece;
	}
}

void host_encode_header(uint8_t header[HOST_HEADER_SIZE], uint8_t type, size_t n)
{
	header[0] = type;
	header[1] = (uint8_t)n;
	header[2] = (uint8_t)(n >> 8);
}
