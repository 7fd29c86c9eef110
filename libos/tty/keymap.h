/* SPDX-License-Identifier: MIT */
/* From scan codes (set 1, US layout) to what a terminal sends.  Pure: tests/unit/keymap_test.c. */
#ifndef LIBOS_KEYMAP_H
#define LIBOS_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYMAP_TEXT_MAX 8

struct keymap {
	bool extended; /* 0xe0 came before */
	uint8_t skip;  /* bytes of the Pause key's sequence still to come */
	bool left_shift, right_shift, left_control, right_control, left_alt, right_alt;
	bool caps_lock;
};

/* One byte from the keyboard; the characters it types, 0 for none.  `application`: cursor keys
 * send ESC O. */
size_t keymap_press(struct keymap *k, uint8_t code, bool application, char text[KEYMAP_TEXT_MAX]);

#endif
