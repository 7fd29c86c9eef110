/* SPDX-License-Identifier: MIT */
/*
 * libos/tty/keymap.c: whatever a keyboard sends, a few characters are typed at most, and once every key has
 * been let go of, keys mean what they meant.  The input is scan codes.
 */
#include <string.h>
#include "fuzz.h"
#include "tty/keymap.h"

#define RELEASED 0x80
#define CAPS_LOCK 0x3a

const struct fuzz_target fuzz_target = { "keymap", "no_key_stays_down", 4000 };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	/* Shift A; control C; Alt x; up; F5; Pause; Caps Lock a */
	static const uint8_t codes[] = {
		0x2a, 0x1e, 0x9e, 0xaa, 0x1d, 0x2e, 0xae, 0x9d, 0x38, 0x2d, 0xad,
		0xb8, 0xe0, 0x48, 0xe0, 0xc8, 0x3f, 0xbf, 0xe1, 0x1d, 0x45, 0xe1,
		0x9d, 0xc5, 0x3a, 0xba, 0x1e, 0x9e, 0xe0, 0x1c, 0xe0, 0x35,
	};

	if (number != 0)
		return 0;
	memcpy(out, codes, sizeof(codes));
	return sizeof(codes);
}

static size_t press(struct keymap *k, uint8_t code, bool application)
{
	char *text = fuzz_copy("........", KEYMAP_TEXT_MAX);
	size_t n = keymap_press(k, code, application, text);

	FUZZ_CHECK(n <= KEYMAP_TEXT_MAX);
	fuzz_free(text);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keymap k = { 0 }, fresh = { 0 };
	bool caps;

	for (size_t i = 0; i < size; i++)
		press(&k, data[i], i & 1);
	/* The end of any sequence, and then all keys: the plain ones and those with a prefix. */
	for (unsigned i = 0; i < 8; i++)
		FUZZ_CHECK(press(&k, RELEASED | 1, false) == 0);
	for (unsigned key = 1; key < 0x60; key++) {
		FUZZ_CHECK(press(&k, (uint8_t)(RELEASED | key), false) == 0);
		FUZZ_CHECK(press(&k, 0xe0, false) == 0);
		FUZZ_CHECK(press(&k, (uint8_t)(RELEASED | key), false) == 0);
	}
	caps = k.caps_lock;
	k.caps_lock = false;
	FUZZ_CHECK(memcmp(&k, &fresh, sizeof(k)) == 0);
	k.caps_lock = caps;
	press(&k, CAPS_LOCK, false);
	FUZZ_CHECK(k.caps_lock != caps);
	return 0;
}
