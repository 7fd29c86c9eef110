/* SPDX-License-Identifier: MIT */
/* From scan codes to what a terminal sends.  Pure. */
#include "tty/keymap.h"

#define RELEASED 0x80
#define PREFIX 0xe0
#define PAUSE_PREFIX 0xe1
#define PAUSE_REST 5

enum { LEFT_CONTROL = 0x1d, LEFT_SHIFT = 0x2a, RIGHT_SHIFT = 0x36, ALT = 0x38, CAPS_LOCK = 0x3a };

/* Codes 0x00 to 0x39, without and with shift; 0 where a key types nothing. */
static const char plain[] = "\0\033" "1234567890-=\x7f\t"
			    "qwertyuiop[]\r\0"
			    "asdfghjkl;'`\0\\"
			    "zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033" "!@#$%^&*()_+\x7f\t"
			      "QWERTYUIOP{}\r\0"
			      "ASDFGHJKL:\"~\0|"
			      "ZXCVBNM<>?\0*\0 ";

/* Keys that send a sequence: its last character, or a number for ESC [ number ~. */
struct special {
	uint8_t code;
	char letter;    /* ESC [ letter, or ESC O letter in application mode */
	uint8_t number; /* ESC [ number ~ */
};

static const struct special specials[] = {
	{ 0x48, 'A', 0 }, { 0x50, 'B', 0 }, { 0x4d, 'C', 0 }, { 0x4b, 'D', 0 },
	{ 0x47, 'H', 0 }, { 0x4f, 'F', 0 },
	{ 0x52, 0, 2 },   { 0x53, 0, 3 },   { 0x49, 0, 5 },   { 0x51, 0, 6 },
};

/* Function keys, in code order from F1: xterm's numbers. */
static const char first_four[] = "PQRS";
static const uint8_t from_fifth[] = { 15, 17, 18, 19, 20, 21 };

static size_t put(char *text, const char *from)
{
	size_t n = 0;

	for (; from[n] != '\0'; n++)
		text[n] = from[n];
	return n;
}

static size_t numbered(char *text, uint8_t number)
{
	size_t n = put(text, "\033[");

	if (number >= 10)
		text[n++] = (char)('0' + number / 10);
	text[n++] = (char)('0' + number % 10);
	text[n++] = '~';
	return n;
}

static size_t lettered(char *text, bool application, char letter)
{
	size_t n = put(text, application ? "\033O" : "\033[");

	text[n++] = letter;
	return n;
}

static size_t function_key(uint8_t code, char *text)
{
	if (code >= 0x3b && code <= 0x3e)
		return lettered(text, true, first_four[code - 0x3b]);
	if (code >= 0x3f && code <= 0x44)
		return numbered(text, from_fifth[code - 0x3f]);
	if (code == 0x57 || code == 0x58)
		return numbered(text, (uint8_t)(code - 0x57 + 23));
	return 0;
}

static size_t special_key(uint8_t code, bool application, char *text)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
		const struct special *s = &specials[i];

		if (s->code == code)
			return s->number != 0 ? numbered(text, s->number)
					      : lettered(text, application, s->letter);
	}
	return 0;
}

/* Keys that change others; true if `key` is one. */
static bool modifier(struct keymap *k, uint8_t key, bool extended, bool down)
{
	switch (key) {
	case LEFT_SHIFT:
	case RIGHT_SHIFT:
		/* Extended ones are made up by the keyboard around cursor keys. */
		if (!extended)
			*(key == LEFT_SHIFT ? &k->left_shift : &k->right_shift) = down;
		return true;
	case LEFT_CONTROL:
		*(extended ? &k->right_control : &k->left_control) = down;
		return true;
	case ALT:
		*(extended ? &k->right_alt : &k->left_alt) = down;
		return true;
	case CAPS_LOCK:
		if (down)
			k->caps_lock = !k->caps_lock;
		return true;
	default:
		return false;
	}
}

static char character(const struct keymap *k, uint8_t key)
{
	bool shift = k->left_shift || k->right_shift;
	char c = plain[key];

	if (c >= 'a' && c <= 'z' ? shift != k->caps_lock : shift)
		c = shifted[key];
	if (k->left_control || k->right_control) {
		if (c == ' ')
			return '\0';
		if (c >= '@' && c <= '~')
			c &= 0x1f;
		else if (c == '/' || c == '-')
			c = 0x1f;
	}
	return c;
}

static bool types_something(uint8_t key)
{
	return key < sizeof(plain) - 1 && plain[key] != '\0';
}

size_t keymap_press(struct keymap *k, uint8_t code, bool application, char text[KEYMAP_TEXT_MAX])
{
	bool extended = k->extended, down = (code & RELEASED) == 0;
	uint8_t key = code & (uint8_t)~RELEASED;
	size_t n = 0;

	if (k->skip > 0) {
		k->skip--;
		return 0;
	}
	if (code == PAUSE_PREFIX) {
		k->skip = PAUSE_REST;
		return 0;
	}
	k->extended = code == PREFIX;
	if (k->extended || modifier(k, key, extended, down) || !down)
		return 0;
	/* The keypad's keys without the prefix are its cursor keys: there is no Num Lock. */
	n = special_key(key, application, text);
	if (n == 0)
		n = function_key(key, text);
	if (n != 0)
		return n;
	if (extended && key == 0x1c) {
		text[0] = '\r';
		return 1;
	}
	if (extended && key == 0x35) {
		text[0] = '/';
		return 1;
	}
	if (extended || !types_something(key))
		return 0;
	if (k->left_alt || k->right_alt)
		text[n++] = '\033';
	text[n++] = character(k, key);
	return n;
}
