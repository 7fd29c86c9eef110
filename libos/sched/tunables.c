/* SPDX-License-Identifier: MIT */
/* See tunables.h.  sched_mutex keeps a library where it is while its numbers are touched; the
 * library itself reads them without asking. */
#include "sched/tunables.h"
#include <libos/sched.h>
#include "abi/errno.h"
#include "core/string.h"
#include "fs/procfs.h"
#include "sched/library.h"

#define WORDS 3
#define WORD_MAX 32

static const struct sched_tunable *first_of(const struct sched_ops *ops)
{
	static const struct sched_tunable none;

	return ops->tunables ? ops->tunables : &none;
}

void sched_tunables_print(struct text *out)
{
	const struct sched_ops *ops;

	mutex_lock(&sched_mutex);
	for (unsigned i = 0; (ops = sched_library(i)); i++) {
		if (library_find(ops->name) != ops)
			continue;
		for (const struct sched_tunable *t = first_of(ops); t->name; t++)
			text_print(out, "%s %s %lu %lu %lu\n", ops->name, t->name,
				   __atomic_load_n(t->value, __ATOMIC_RELAXED), t->min, t->max);
	}
	mutex_unlock(&sched_mutex);
}

/* Under sched_mutex. */
static int set(const char *library, const char *name, uint64_t value)
{
	const struct sched_ops *ops = library_find(library);
	const struct sched_tunable *t;

	if (!ops)
		return -ENOENT;
	for (t = first_of(ops); t->name && strcmp(t->name, name) != 0; t++)
		;
	if (!t->name)
		return -ENOENT;
	if (value < t->min || value > t->max)
		return -ERANGE;
	__atomic_store_n(t->value, value, __ATOMIC_RELAXED);
	return 0;
}

int sched_set_tunable(const char *library, const char *name, uint64_t value)
{
	int r;

	mutex_lock(&sched_mutex);
	r = set(library, name, value);
	mutex_unlock(&sched_mutex);
	return r;
}

/* The next word of the line, copied; NULL if there is none, or if it is too long. */
static const char *next_word(const char *at, char word[WORD_MAX])
{
	size_t n = 0;

	while (*at == ' ')
		at++;
	for (; at[n] && at[n] != ' '; n++)
		if (n < WORD_MAX - 1)
			word[n] = at[n];
	if (n == 0 || n >= WORD_MAX)
		return NULL;
	word[n] = 0;
	return at + n;
}

static bool parse_number(const char *word, uint64_t *value)
{
	*value = 0;
	for (; *word >= '0' && *word <= '9'; word++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*word - '0'), value))
			return false;
	return *word == 0;
}

int sched_tunable_write(const char *line)
{
	char word[WORDS][WORD_MAX];
	uint64_t value;

	for (unsigned i = 0; i < WORDS; i++) {
		line = next_word(line, word[i]);
		if (!line)
			return -EINVAL;
	}
	while (*line == ' ')
		line++;
	if (*line || !parse_number(word[2], &value))
		return -EINVAL;
	return sched_set_tunable(word[0], word[1], value);
}
