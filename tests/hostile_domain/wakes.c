/* SPDX-License-Identifier: MIT */
/*
 * wakes SECONDS: sleeps for a millisecond again and again, and says how late it was woken: the mean and
 * the worst, in microseconds; and how often a MiB of memory was found changed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORDS (1 << 17)
#define LOOK_EVERY 64

static uint64_t words[WORDS];

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static unsigned changed_words(void)
{
	unsigned changed = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		changed += words[i] != i * 0x9e3779b97f4a7c15;
	return changed;
}

int main(int argc, char **argv)
{
	long long end = now_ns() + (argc > 1 ? atoll(argv[1]) : 1) * 1000000000ll, worst = 0, sum = 0;
	unsigned wakes = 0, changed = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = i * 0x9e3779b97f4a7c15;
	for (; now_ns() < end; wakes++) {
		struct timespec millisecond = { .tv_nsec = 1000000 };
		long long before = now_ns(), late;

		nanosleep(&millisecond, NULL);
		late = now_ns() - before - 1000000;
		sum += late;
		if (late > worst)
			worst = late;
		if (wakes % LOOK_EVERY == 0)
			changed += changed_words();
	}
	printf("%lld %lld %u\n", sum / 1000 / (wakes ? wakes : 1), worst / 1000, changed);
	return changed != 0;
}
