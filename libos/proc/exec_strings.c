/* SPDX-License-Identifier: MIT */
/* Arguments and environment on their way from the old program to the new one. */
#include "proc/exec.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/process.h"

#define FIRST_SIZE 512 /* doubled when it is full */

void exec_strings_free(struct exec_strings *s)
{
	heap_free(s->data);
	*s = (struct exec_strings){ 0 };
}

static int grow(struct exec_strings *s)
{
	size_t size = s->size ? s->size * 2 : FIRST_SIZE;

	if (s->size >= EXEC_STRINGS_MAX)
		return -E2BIG;
	char *data = heap_alloc_uncleared(size);

	if (!data)
		return -ENOMEM;
	memcpy(data, s->data, s->used);
	heap_free(s->data);
	s->data = data;
	s->size = size;
	return 0;
}

/* Each string also takes a pointer on the new stack. */
static int check_limit(const struct exec_strings *s)
{
	size_t pointers = (s->argument_count + s->environment_count) * sizeof(uint64_t);
	uint64_t limit = process_limit(current_process(), LIMIT_STACK) / 4;

	if (limit < EXEC_STRINGS_MIN)
		limit = EXEC_STRINGS_MIN;
	if (limit > EXEC_STRINGS_MAX)
		limit = EXEC_STRINGS_MAX;
	return s->used + pointers > limit ? -E2BIG : 0;
}

static int add(struct exec_strings *s, const char *string)
{
	size_t n = strlen(string) + 1;

	while (s->size - s->used < n) {
		int r = grow(s);

		if (r < 0)
			return r;
	}
	memcpy(s->data + s->used, string, n);
	s->used += n;
	return 0;
}

int exec_strings_add_argument(struct exec_strings *s, const char *string)
{
	int r = add(s, string);

	if (r < 0)
		return r;
	s->argument_count++;
	s->argument_bytes = s->used;
	return check_limit(s);
}

int exec_strings_add_environment(struct exec_strings *s, const char *string)
{
	int r = add(s, string);

	if (r < 0)
		return r;
	s->environment_count++;
	return check_limit(s);
}

static int add_from_user(struct exec_strings *s, uint64_t user)
{
	for (;;) {
		size_t room = s->size - s->used;
		long n = room ? copy_string_from_user(s->data + s->used, user, room) : -ENAMETOOLONG;

		if (n >= 0) {
			s->used += (size_t)n + 1;
			return n < (long)EXEC_STRING_MAX ? 0 : -E2BIG;
		}
		int r = n == -ENAMETOOLONG ? grow(s) : (int)n;

		if (r < 0)
			return r;
	}
}

static int copy_array(struct exec_strings *s, uint64_t array, unsigned *count)
{
	for (; array; array += sizeof(uint64_t)) {
		uint64_t string;
		int r = copy_from_user(&string, array, sizeof(string));

		if (r < 0 || !string)
			return r;
		r = add_from_user(s, string);
		++*count;
		if (r == 0)
			r = check_limit(s);
		if (r < 0)
			return r;
	}
	return 0;
}

int exec_strings_copy(struct exec_strings *s, uint64_t argv, uint64_t envp)
{
	int r = copy_array(s, argv, &s->argument_count);

	/* Linux since 5.18: a program always has an argument 0. */
	if (r == 0 && s->argument_count == 0)
		r = exec_strings_add_argument(s, "");
	s->argument_bytes = s->used;
	return r < 0 ? r : copy_array(s, envp, &s->environment_count);
}

/* The strings after the first `skip` bytes go behind what `out` has. */
static int append_rest(struct exec_strings *out, const struct exec_strings *s, size_t skip)
{
	while (out->size - out->used < s->used - skip) {
		int r = grow(out);

		if (r < 0)
			return r;
	}
	memcpy(out->data + out->used, s->data + skip, s->used - skip);
	out->argument_bytes = out->used + (s->argument_bytes - skip);
	out->used += s->used - skip;
	out->argument_count += s->argument_count - 1;
	out->environment_count = s->environment_count;
	return check_limit(out);
}

int exec_strings_prepend(struct exec_strings *s, const char *interpreter, const char *argument,
			 const char *path)
{
	struct exec_strings out = { 0 };
	int r = exec_strings_add_argument(&out, interpreter);

	if (r == 0 && argument)
		r = exec_strings_add_argument(&out, argument);
	if (r == 0)
		r = exec_strings_add_argument(&out, path);
	if (r == 0)
		r = append_rest(&out, s, strlen(s->data) + 1);
	if (r < 0) {
		exec_strings_free(&out);
		return r;
	}
	exec_strings_free(s);
	*s = out;
	return 0;
}
