/* SPDX-License-Identifier: MIT */
/*
 * The uninvolved process: while others are killed, starved and failed, it computes, forks, and sends
 * bytes through pipes, and knows what must come out.
 *
 *     struct witness *w = witness_start();
 *     ...
 *     CHECK(witness_ends_well(w));
 */
#ifndef TESTS_GUEST_WITNESS_H
#define TESTS_GUEST_WITNESS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WITNESS_WORDS 4096 /* 32 KiB */

/* Shared by both. */
struct witness {
	pid_t pid;               /* fixed */
	_Atomic unsigned rounds; /* the witness */
	_Atomic bool stop;       /* who has started it */
	char complaint[128];     /* the witness, before it ends early */
};

static uint64_t witness_sum(const uint64_t *words, uint64_t seed)
{
	uint64_t sum = seed;

	for (int i = 0; i < WITNESS_WORDS; i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15u + (sum >> 29);
	return sum;
}

static _Noreturn void witness_complain(struct witness *w, const char *what)
{
	snprintf(w->complaint, sizeof(w->complaint), "round %u: %s (errno %d)", w->rounds, what, errno);
	_exit(1);
}

/* The child's memory is the parent's as it was, and what it sends is what arrives. */
static void witness_round(struct witness *w, uint64_t *words)
{
	uint64_t seed = w->rounds + 1ull, received[2];
	int ends[2], status;
	pid_t child;

	for (int i = 0; i < WITNESS_WORDS; i++)
		words[i] = seed * (uint64_t)(i + 1);
	if (pipe(ends) != 0)
		witness_complain(w, "no pipe");
	child = fork();
	if (child < 0)
		witness_complain(w, "no child");
	if (child == 0) {
		uint64_t sums[2] = { witness_sum(words, seed), ~seed };

		words[0] = 0; /* in a copy */
		_exit(write(ends[1], sums, sizeof(sums)) == sizeof(sums) ? 7 : 8);
	}
	close(ends[1]);
	if (read(ends[0], received, sizeof(received)) != sizeof(received))
		witness_complain(w, "too little arrived");
	close(ends[0]);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
		witness_complain(w, "the child ended in another way");
	if (received[1] != ~seed || received[0] != witness_sum(words, seed))
		witness_complain(w, "the sum is wrong");
}

/* NULL: it could not be started.  It is in a session of its own, and the last to be ended for lack of
 * memory, by the time that this returns. */
static struct witness *witness_start(void)
{
	struct witness *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);
	pid_t pid = w == MAP_FAILED ? -1 : fork();
	uint64_t *words;

	if (pid != 0) {
		if (pid > 0)
			w->pid = pid;
		while (pid > 0 && w->rounds == 0 && waitpid(pid, NULL, WNOHANG) == 0)
			usleep(1000);
		return pid > 0 ? w : NULL;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	FILE *adjust = fopen("/proc/self/oom_score_adj", "w");

	if (!adjust || fprintf(adjust, "-1000") < 0 || fclose(adjust) != 0)
		witness_complain(w, "not spared for lack of memory");
	words = malloc(WITNESS_WORDS * sizeof(*words));
	if (!words)
		witness_complain(w, "no memory");
	while (!w->stop) {
		witness_round(w, words);
		w->rounds++;
	}
	_exit(0);
}

/* It goes on after all that has happened, and has seen nothing of it. */
static bool witness_ends_well(struct witness *w)
{
	unsigned seen = w->rounds;
	int status = 0;
	bool well;

	while (w->rounds < seen + 2 && waitpid(w->pid, &status, WNOHANG) == 0)
		usleep(1000);
	well = w->rounds >= seen + 2;
	w->stop = true;
	if (well)
		well = waitpid(w->pid, &status, 0) == w->pid;
	well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!well)
		printf("the witness: status %x, %s\n", status, w->complaint);
	munmap(w, sizeof(*w));
	return well;
}

#endif
