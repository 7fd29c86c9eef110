/* SPDX-License-Identifier: MIT */
/* libos/tty/keymap.c: what keys type. */
#include <string.h>
#include "check.h"
#include "tty/keymap.h"

static struct keymap k;
static char typed[256];

/* Presses the codes, which end with 0; returns what they type. */
static const char *press(const char *codes)
{
	size_t used = 0;

	for (; *codes != '\0'; codes++)
		used += keymap_press(&k, (uint8_t)*codes, false, typed + used);
	typed[used] = '\0';
	return typed;
}

static void start(void)
{
	memset(&k, 0, sizeof(k));
}

static void letters_and_shift(void)
{
	start();
	CHECK(strcmp(press("\x1e\x9e\x2a\x1e\x9e\xaa\x30\xb0\x1c\x39"), "aAb\r ") == 0);
	CHECK(strcmp(press("\x36\x02\xb6\x02\x0e\x0f\x01"), "!1\x7f\t\033") == 0);
}

static void caps_lock_turns_letters_only(void)
{
	start();
	CHECK(strcmp(press("\x3a\xba\x1e\x02\x2a\x1e\xaa\x3a\xba\x1e"), "A1aa") == 0);
}

static void control_and_alt(void)
{
	start();
	CHECK(strcmp(press("\x1d\x2e\x1a\x9d"), "\x03\x1b") == 0);
	CHECK(strcmp(press("\x38\x21\xb8\x21"), "\033ff") == 0);
	CHECK(strcmp(press("\xe0\x1d\x1e\xe0\x9d\x1e"), "\001a") == 0);
}

static void cursor_and_function_keys_send_sequences(void)
{
	char text[KEYMAP_TEXT_MAX];

	start();
	CHECK(strcmp(press("\xe0\x48\xe0\xc8\xe0\x4b"), "\033[A\033[D") == 0);
	CHECK(strcmp(press("\xe0\x53\xe0\x49\x3b\x3f\x58"), "\033[3~\033[5~\033OP\033[15~\033[24~") == 0);
	keymap_press(&k, 0xe0, true, text);
	CHECK_EQ(keymap_press(&k, 0x50, true, text), 3);
	CHECK(memcmp(text, "\033OB", 3) == 0);
	/* The shift that the keyboard makes up around them is none. */
	CHECK(strcmp(press("\xe0\x2a\xe0\x47\xe0\xaa\x1e"), "\033[Ha") == 0);
}

static void pause_types_nothing(void)
{
	start();
	CHECK(strcmp(press("\xe1\x1d\x45\xe1\x9d\xc5\x1e"), "a") == 0);
}

static void any_code_is_harmless(void)
{
	char text[KEYMAP_TEXT_MAX];
	size_t longest = 0;

	start();
	for (unsigned i = 0; i < 1000000; i++) {
		size_t n = keymap_press(&k, (uint8_t)(i * 2654435761u >> 13), i & 1, text);

		longest = n > longest ? n : longest;
	}
	CHECK(longest <= KEYMAP_TEXT_MAX);
}

int main(void)
{
	RUN(letters_and_shift);
	RUN(caps_lock_turns_letters_only);
	RUN(control_and_alt);
	RUN(cursor_and_function_keys_send_sequences);
	RUN(pause_types_nothing);
	RUN(any_code_is_harmless);
	return check_result();
}
