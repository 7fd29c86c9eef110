/* SPDX-License-Identifier: MIT */
/*
 * The fuzzers without libFuzzer, for `make test`: the same inputs in each run.
 *
 *	NAME_fuzz                 regressions, seeds, and fuzz_target.runs damaged ones of them
 *	NAME_fuzz SEED [RUNS]     the damage of another seed
 *	NAME_fuzz --seeds DIR     writes the seeds as files, for libFuzzer
 *	NAME_fuzz FILE...         these inputs alone
 *
 * An input that breaks a promise is left beside the program, as NAME_fuzz-found.
 */
#include "fuzz.h"
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CORPUS_MAX 256

struct input {
	uint8_t bytes[FUZZ_INPUT_MAX];
	size_t size;
};

static struct input *corpus[CORPUS_MAX];
static unsigned corpus_count;
static struct input now;
static char found_path[4096];

/* Every report of a sanitiser ends in keep_input(). */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1:detect_stack_use_after_return=1";
}
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void keep_input(int number)
{
	int file = open(found_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (file < 0 || write(file, now.bytes, now.size) != (ssize_t)now.size)
		_exit(3);
	printf("# the input is in %s, which is the argument that repeats it\n", found_path);
	printf("not ok %s: an input broke a promise\n", fuzz_target.shows);
	fflush(stdout);
	_exit(1);
}

static void try_input(const struct input *in)
{
	uint8_t *exact;

	now = *in;
	exact = fuzz_copy(in->bytes, in->size);
	LLVMFuzzerTestOneInput(exact, in->size);
	fuzz_free(exact);
}

static void add(const struct input *in)
{
	if (corpus_count == CORPUS_MAX) {
		fprintf(stderr, "more than %u seeds and regressions\n", CORPUS_MAX);
		exit(1);
	}
	corpus[corpus_count++] = fuzz_copy(in, sizeof(*in));
}

static void read_input(const char *path, struct input *in)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(1);
	}
	in->size = fread(in->bytes, 1, FUZZ_INPUT_MAX, file);
	fclose(file);
}

static unsigned add_regressions(void)
{
	char pattern[256];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "tests/fuzz/regressions/%s-*", fuzz_target.name);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct input in;

		read_input(found.gl_pathv[i], &in);
		add(&in);
	}
	globfree(&found);
	return corpus_count;
}

static unsigned add_seeds(void)
{
	struct input in;
	unsigned n = 0;

	while ((in.size = fuzz_seed(n, in.bytes)) != 0) {
		add(&in);
		n++;
	}
	return n;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)((random_state >> 33) % limit);
}

static void overwrite(struct input *in)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x7fff, 0xffff,
					  0x7fffffff, 0x80000000, 0xffffffff, 1ul << 47, ~0ul - 7, ~0ul };
	uint64_t value = edges[random_below(sizeof(edges) / sizeof(edges[0]))];
	size_t width = 1ul << random_below(4), at = random_below((uint32_t)in->size);

	memcpy(in->bytes + at, &value, width < in->size - at ? width : in->size - at);
}

/* A piece of another input goes to some place of this one, over what is there or before it. */
static void splice(struct input *in, bool insert)
{
	const struct input *from = corpus[random_below(corpus_count)];
	size_t start = random_below((uint32_t)from->size), at = random_below((uint32_t)in->size + 1);
	size_t n = 1 + random_below(64);

	n = n < from->size - start ? n : from->size - start;
	n = n < FUZZ_INPUT_MAX - in->size ? n : FUZZ_INPUT_MAX - in->size;
	if (insert) {
		memmove(in->bytes + at + n, in->bytes + at, in->size - at);
		in->size += n;
	} else if (n > in->size - at) {
		n = in->size - at;
	}
	memcpy(in->bytes + at, from->bytes + start, n);
}

static void cut_out(struct input *in)
{
	size_t at = random_below((uint32_t)in->size), n = 1 + random_below(16);

	n = n < in->size - at ? n : in->size - at;
	memmove(in->bytes + at, in->bytes + at + n, in->size - at - n);
	in->size -= n;
}

static void damage(struct input *in)
{
	for (unsigned n = 1 + random_below(6); n > 0 && in->size > 0; n--) {
		size_t at = random_below((uint32_t)in->size);

		switch (random_below(8)) {
		case 0: case 1:
			in->bytes[at] = (uint8_t)random_below(256);
			break;
		case 2:
			in->bytes[at] ^= (uint8_t)(1u << random_below(8));
			break;
		case 3:
			in->bytes[at] = (uint8_t)(in->bytes[at] + random_below(9) - 4);
			break;
		case 4:
			overwrite(in);
			break;
		case 5:
			cut_out(in);
			break;
		case 6: case 7:
			splice(in, random_below(2));
			break;
		}
	}
}

static int run_all(uint64_t seed, unsigned runs)
{
	unsigned regressions = add_regressions(), seeds = add_seeds();

	random_state = seed;
	for (unsigned i = 0; i < corpus_count; i++)
		try_input(corpus[i]);
	for (unsigned i = 0; i < runs; i++) {
		struct input in = *corpus[random_below(corpus_count)];

		damage(&in);
		try_input(&in);
	}
	printf("ok %s: %u regressions, %u seeds, %u damaged ones (seed %lu)\n", fuzz_target.shows,
	       regressions, seeds, runs, seed);
	while (corpus_count > 0)
		fuzz_free(corpus[--corpus_count]);
	return 0;
}

static int write_seeds(const char *directory)
{
	unsigned count = add_seeds();

	for (unsigned i = 0; i < count; i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/seed-%u", directory, i);
		file = fopen(path, "wb");
		if (!file || fwrite(corpus[i]->bytes, 1, corpus[i]->size, file) != corpus[i]->size ||
		    fclose(file) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct input in;

	snprintf(found_path, sizeof(found_path), "%s-found", argv[0]);
	signal(SIGABRT, keep_input);
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	if (argc < 2 || isdigit((unsigned char)argv[1][0]))
		return run_all(argc > 1 ? strtoul(argv[1], NULL, 0) : 1,
			       argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : fuzz_target.runs);
	for (int i = 1; i < argc; i++) {
		read_input(argv[i], &in);
		try_input(&in);
	}
	printf("ok %s: %d inputs\n", fuzz_target.shows, argc - 1);
	return 0;
}
