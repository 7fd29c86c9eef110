/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail though there is something left, of each kind, wherever there are any
 * (/proc/exo/faults of the debug build): a call says so, or the process that needed a page is ended.
 * Nobody else notices, and afterwards nothing is missing.
 *
 *     faults [SEED [ROUNDS]]
 */
#define _GNU_SOURCE
#include "test.h"
#include "held.h"
#include "witness.h"
#include "workload.h"

#define WORKERS 10 /* more than address spaces that are kept for the next: those need no new handle */
#define TURNS 12   /* of a worker */
#define HANDLES (1u << 4) /* they are wanted least */
#define MORE_ROUNDS 20
#define FILE_NAME "/proc/exo/faults"

static unsigned seed = 20261123;
static unsigned rounds = 4;

/* How many of the kind have failed since the file was written. */
static unsigned long failures(const char *kind)
{
	static char text[512];
	int fd = open(FILE_NAME, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *at;

	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strstr(text, kind);
	if (!at)
		return 0;
	strtoul(at + strlen(kind), &at, 10); /* asked */
	return strtoul(at, NULL, 10);
}

/* Of our session; 0: no more of them.  With what is there already: opening it may fail, too. */
static bool set_faults(int file, unsigned number, unsigned every, unsigned kinds)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%u %u %u", number, every, kinds);

	return write(file, text, (size_t)n) == n;
}

/* First to be ended where a page is missing: so it is one of us. */
static bool offer_ourselves(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	bool done = write(fd, "1000", 4) == 4;

	close(fd);
	return done;
}

static void end_workers(pid_t group)
{
	kill(-group, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* The workers and their children are a session and a process group; whoever is left of them is ours to
 * bury. */
static _Noreturn void fail_for_a_while(unsigned number, unsigned kinds)
{
	unsigned every = kinds == HANDLES ? 1 : 2 + number % 60;
	int file = open(FILE_NAME, O_WRONLY);
	pid_t leader;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	leader = fork();
	if (leader == 0) {
		setsid();
		if (!offer_ourselves() || !set_faults(file, number, every, kinds))
			_exit(1);
		for (int i = 0; i < WORKERS; i++)
			if (fork() == 0)
				work(i, number + (unsigned)i, TURNS);
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	waitpid(leader, NULL, 0);
	set_faults(file, 0, 0, 0);
	end_workers(leader);
	for (int i = 0; i < WORKERS; i++)
		work_clean(i);
	_exit(0);
}

static void one_round(unsigned number, unsigned kinds)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		fail_for_a_while(number, kinds);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* Some kind alone, or all together. */
static void what_fails_costs_nobody_anything(void)
{
	static const char *const kinds[] = { "frame", "heap", "task", "descriptor", "handle" };
	unsigned long failed[sizeof(kinds) / sizeof(kinds[0])] = { 0 };
	const unsigned n = sizeof(kinds) / sizeof(kinds[0]);
	struct witness *witness = witness_start();
	struct held before;

	CHECK(witness != NULL);
	CHECK(witness_ends_well(witness));
	work_prepare(WORKERS);
	one_round(1, 0); /* what is made once is there before the first look, also of our own */
	failures("none");
	before = held_now();
	witness = witness_start();
	CHECK(witness != NULL);
	for (unsigned i = 0; i < rounds * (n + 1); i++) {
		one_round((unsigned)rand_r(&seed), i % (n + 1) < n ? 1u << i % (n + 1) : (1u << n) - 1);
		for (unsigned kind = 0; kind < n; kind++)
			failed[kind] += failures(kinds[kind]);
	}
	/* Where the workers have hardly run side by side nobody may have wanted a handle. */
	for (unsigned more = 0; more < MORE_ROUNDS && failed[n - 1] == 0; more++) {
		one_round((unsigned)rand_r(&seed), HANDLES);
		failed[n - 1] += failures(kinds[n - 1]);
	}
	CHECK(witness_ends_well(witness));
	for (unsigned kind = 0; kind < n; kind++) {
		printf("%s: %lu failures\n", kinds[kind], failed[kind]);
		CHECK(failed[kind] > 0);
	}
	CHECK(held_returns_to(&before));
	CHECK_EQ(system("seq 1 100 | sort -rn | head -1 | grep -q 100"), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = (unsigned)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		rounds = (unsigned)strtoul(argv[2], NULL, 0);
	printf("seed %u, %u rounds\n", seed, rounds);
	fflush(stdout);
	if (access(FILE_NAME, F_OK) != 0)
		printf("ok what_fails_costs_nobody_anything # skip only in the debug build\n");
	else
		RUN(what_fails_costs_nobody_anything);
	return test_result();
}
