/* SPDX-License-Identifier: MIT */
/* Little-endian integers at any address, in tables that others have made. */
#ifndef EXO_BYTES_H
#define EXO_BYTES_H

#include <stdint.h>

static inline uint32_t read32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline uint64_t read64(const uint8_t *bytes)
{
	return read32(bytes) | (uint64_t)read32(bytes + 4) << 32;
}

#endif
