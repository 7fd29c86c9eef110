/* SPDX-License-Identifier: MIT */
/* printf-style formatting into a buffer; pure, so the host tests it too. */
#include <stdbool.h>
#include <stdint.h>
#include "core/log.h"
#include "core/string.h"

struct output {
	char *buf;
	size_t size, length; /* length counts what would have been written, as snprintf */
};

static void put(struct output *o, char c)
{
	if (o->length + 1 < o->size)
		o->buf[o->length] = c;
	o->length++;
}

struct field {
	bool left, zero;
	size_t width;
	int precision; /* -1: none */
};

static void put_padded(struct output *o, const struct field *f, const char *s, size_t n)
{
	bool sign = f->zero && n > 0 && s[0] == '-';

	if (sign) {
		put(o, *s++);
		n--;
	}
	size_t width = f->width - (sign && f->width > 0);

	for (size_t i = n; !f->left && i < width; i++)
		put(o, f->zero ? '0' : ' ');
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	for (size_t i = n; f->left && i < width; i++)
		put(o, ' ');
}

static void put_number(struct output *o, const struct field *f, uint64_t value, bool negative,
		       unsigned base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value > 0);
	while (f->precision > (int)(sizeof(text) - at) && at > 1)
		text[--at] = '0';
	if (negative)
		text[--at] = '-';
	put_padded(o, f, text + at, sizeof(text) - at);
}

static const char *parse_number(const char *p, size_t *out, va_list *ap)
{
	if (*p == '*') {
		int n = va_arg(*ap, int);

		*out = n > 0 ? (size_t)n : 0;
		return p + 1;
	}
	for (*out = 0; *p >= '0' && *p <= '9'; p++)
		*out = *out * 10 + (size_t)(*p - '0');
	return p;
}

/* Flags, width and precision, from behind the '%' on.  Returns what follows them. */
static const char *parse_field(const char *p, struct field *f, va_list *ap)
{
	*f = (struct field){ .precision = -1 };
	for (; *p == '-' || *p == '0'; p++) {
		f->left |= *p == '-';
		f->zero |= *p == '0';
	}
	p = parse_number(p, &f->width, ap);
	if (*p == '.') {
		size_t n;

		p = parse_number(p + 1, &n, ap);
		f->precision = (int)n;
	}
	return p;
}

static void put_string(struct output *o, struct field *f, const char *s)
{
	s = s ? s : "(null)";
	f->zero = false;
	put_padded(o, f, s, f->precision < 0 ? strlen(s) : strnlen(s, (size_t)f->precision));
}

static void put_unsigned(struct output *o, const struct field *f, uint64_t value, char kind)
{
	put_number(o, f, value, false, kind == 'u' ? 10 : kind == 'o' ? 8 : 16, kind == 'X');
}

/* One conversion; p is after the '%'.  Returns where to go on. */
static const char *put_conversion(struct output *o, const char *p, va_list *ap)
{
	bool is_long = false;
	struct field f;
	int64_t value;
	char c;

	p = parse_field(p, &f, ap);
	for (; *p == 'l' || *p == 'z'; p++)
		is_long = true;
	switch (*p) {
	case 'd':
	case 'i':
		value = is_long ? va_arg(*ap, long) : va_arg(*ap, int);
		put_number(o, &f, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0, 10, false);
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_unsigned(o, &f, is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned), *p);
		break;
	case 'p':
		put(o, '0');
		put(o, 'x');
		put_unsigned(o, &f, (uint64_t)va_arg(*ap, void *), 'x');
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		put_padded(o, &f, &c, 1);
		break;
	case 's':
		put_string(o, &f, va_arg(*ap, const char *));
		break;
	case 0:
		return p;
	default:
		put(o, *p);
	}
	return p + 1;
}

int vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct output o = { buf, size, 0 };
	va_list copy;

	va_copy(copy, ap);
	while (*fmt) {
		if (*fmt != '%')
			put(&o, *fmt++);
		else
			fmt = put_conversion(&o, fmt + 1, &copy);
	}
	va_end(copy);
	if (size > 0)
		buf[o.length < size ? o.length : size - 1] = 0;
	return (int)o.length;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vformat(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
