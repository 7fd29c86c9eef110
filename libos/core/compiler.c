/* SPDX-License-Identifier: MIT */
/* Functions that the compiler calls by itself, and that libgcc would have. */
#include <stdint.h>

int __popcountdi2(uint64_t value);

/* Sums of neighbouring 1, 2, 4 bits, then all bytes by multiplication. */
int __popcountdi2(uint64_t value)
{
	value -= value >> 1 & 0x5555555555555555ul;
	value = (value & 0x3333333333333333ul) + (value >> 2 & 0x3333333333333333ul);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0ful;
	return (int)(value * 0x0101010101010101ul >> 56);
}
