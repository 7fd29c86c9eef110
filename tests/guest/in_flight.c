/* SPDX-License-Identifier: MIT */
/*
 * Nothing is lost between send and receive: tasks and slices are on their way from queue to queue
 * while their targets end, change affinity, or come under another scheduler.  Each load has an
 * answer that must come out exactly, and ends only if every task was run again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libos/donate.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAIRS_MAX 8
#define ROUNDS 300      /* of each pair */
#define CHILDREN 60     /* of each parent */
#define SERVERS 6
#define ASKED 20        /* how often each of them is */
#define ASKED_MAX 400

static int cpus; /* sysconf() counts those that the caller may use: asked once, before any change */

static int allow(int tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set);
}

static void allow_all(int tid)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(tid, sizeof(set), &set);
}

static int put_in_force(const char *name)
{
	int fd = open("/proc/exo/sched", O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, name, strlen(name));

	close(fd);
	return n == (ssize_t)strlen(name) ? 0 : -1;
}

/* The library in force, whose name is in brackets. */
static const char *in_force(void)
{
	static char text[512];
	int fd = open("/proc/exo/sched", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *name;

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	name = strchr(text, '[');
	return name ? strtok(name + 1, "]") : "";
}

#define LIBRARIES_MAX 32

static char libraries[512]; /* the names, each ended by 0 */
static const char *library[LIBRARIES_MAX];
static unsigned library_count;

/* All that are in the system: they stand in one line, one of them in brackets. */
static int find_libraries(void)
{
	int fd = open("/proc/exo/sched", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, libraries, sizeof(libraries) - 1);
	char *rest;

	close(fd);
	libraries[n < 0 ? 0 : n] = 0;
	for (char *name = strtok_r(libraries, " []\n", &rest); name && library_count < LIBRARIES_MAX;
	     name = strtok_r(NULL, " []\n", &rest))
		library[library_count++] = name;
	return library_count > 1 ? 0 : -1;
}

/* ---- the load: pairs that hand a number to and fro, each adding one */

struct pair {
	int there[2], back[2];
	pthread_t thread[2];
	_Atomic int tid[2];
	long sum;
};

static struct pair pairs[PAIRS_MAX];
static int pair_count;
static atomic_int pairs_running;

static void *pair_first(void *argument)
{
	struct pair *p = argument;
	long number = 0;

	p->tid[0] = (int)syscall(SYS_gettid);
	for (int i = 0; i < ROUNDS; i++) {
		number++;
		if (write(p->there[1], &number, sizeof(number)) != sizeof(number) ||
		    read(p->back[0], &number, sizeof(number)) != sizeof(number))
			break;
	}
	p->sum = number;
	close(p->there[1]);
	atomic_fetch_sub(&pairs_running, 1);
	return NULL;
}

static void *pair_second(void *argument)
{
	struct pair *p = argument;
	long number;

	p->tid[1] = (int)syscall(SYS_gettid);
	while (read(p->there[0], &number, sizeof(number)) == sizeof(number)) {
		number++;
		if (write(p->back[1], &number, sizeof(number)) != sizeof(number))
			break;
	}
	return NULL;
}

static int start_pairs(void)
{
	pair_count = cpus < PAIRS_MAX / 2 ? 2 * cpus : PAIRS_MAX;
	pairs_running = pair_count;
	for (int i = 0; i < pair_count; i++) {
		struct pair *p = &pairs[i];

		p->sum = 0;
		p->tid[0] = p->tid[1] = 0;
		if (pipe(p->there) || pipe(p->back) ||
		    pthread_create(&p->thread[0], NULL, pair_first, p) ||
		    pthread_create(&p->thread[1], NULL, pair_second, p))
			return -1;
	}
	for (int i = 0; i < pair_count; i++)
		while (!pairs[i].tid[0] || !pairs[i].tid[1])
			sched_yield();
	return 0;
}

/* How many pairs have another result than they must. */
static int end_pairs(void)
{
	int wrong = 0;

	for (int i = 0; i < pair_count; i++) {
		struct pair *p = &pairs[i];

		pthread_join(p->thread[0], NULL);
		pthread_join(p->thread[1], NULL);
		close(p->there[0]);
		close(p->back[0]);
		close(p->back[1]);
		wrong += p->sum != 2l * ROUNDS;
	}
	return wrong;
}

/* ---- what disturbs them */

static void swap_once(unsigned turn)
{
	put_in_force(library[turn % library_count]);
}

/* One thread after the other to one CPU after the other. */
static void move_one(unsigned turn)
{
	struct pair *p = &pairs[turn % (unsigned)pair_count];

	allow(p->tid[turn / (unsigned)pair_count % 2], (int)(turn / 3 % (unsigned)cpus));
}

static void give_to_one(unsigned turn)
{
	struct task_ref ref;

	if (sched_find(pairs[turn % (unsigned)pair_count].tid[turn / 2 % 2], &ref) == 0)
		sched_donate(ref, turn % 3 ? 0 : SCHED_DONATE_WAIT);
}

/* The pairs end with the right numbers while all of `disturb` go on. */
static int wrong_pairs(unsigned kinds, void (*const disturb[])(unsigned turn))
{
	unsigned turn = 0;

	if (start_pairs())
		return -1;
	for (; atomic_load(&pairs_running) > 0; turn++) {
		for (unsigned i = 0; i < kinds; i++)
			disturb[i](turn);
		sched_yield();
	}
	return end_pairs();
}

static void wakes_survive_swaps_of_the_scheduler(void)
{
	char before[32];

	snprintf(before, sizeof(before), "%s", in_force());
	int wrong = wrong_pairs(1, (void (*const[])(unsigned)){ swap_once });

	CHECK_EQ(put_in_force(before), 0);
	CHECK_EQ(wrong, 0);
}

static void wakes_survive_changes_of_affinity(void)
{
	CHECK_EQ(wrong_pairs(1, (void (*const[])(unsigned)){ move_one }), 0);
}

static void wakes_survive_slices_given_by_name(void)
{
	CHECK_EQ(wrong_pairs(1, (void (*const[])(unsigned)){ give_to_one }), 0);
}

static void wakes_survive_all_of_it_at_once(void)
{
	char before[32];

	snprintf(before, sizeof(before), "%s", in_force());
	int wrong = wrong_pairs(3, (void (*const[])(unsigned)){ swap_once, move_one, give_to_one });

	CHECK_EQ(put_in_force(before), 0);
	CHECK_EQ(wrong, 0);
}

/* ---- targets that end */

static atomic_int parents_running, children_wrong, fork_error, wrong_status;

/* Each child is queued now and then, and ends at some time while it is being given slices. */
static int raise_child(int number)
{
	struct task_ref ref;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (number % 3)
			allow(0, number % cpus);
		for (int i = 0; i < number % 5; i++)
			sched_yield();
		_exit(number % 100);
	}
	if (child < 0) {
		fork_error = errno;
		return 1;
	}
	if (sched_find(child, &ref) == 0)
		while (waitpid(child, &status, WNOHANG) == 0)
			sched_donate(ref, number % 2 ? SCHED_DONATE_WAIT : 0);
	else
		waitpid(child, &status, 0); /* it has ended already */
	if (status == (number % 100) << 8)
		return 0;
	wrong_status = status;
	return 1;
}

static void *raise_children(void *unused)
{
	for (int i = 0; i < CHILDREN; i++)
		atomic_fetch_add(&children_wrong, raise_child(i));
	atomic_fetch_sub(&parents_running, 1);
	return unused;
}

static void slices_survive_the_end_of_their_targets(void)
{
	pthread_t parent[4];
	char before[32];

	snprintf(before, sizeof(before), "%s", in_force());
	children_wrong = 0;
	parents_running = 4;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&parent[i], NULL, raise_children, NULL), 0);
	for (unsigned turn = 0; atomic_load(&parents_running) > 0; turn++) {
		swap_once(turn);
		usleep(1000);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(parent[i], NULL);
	CHECK_EQ(put_in_force(before), 0);
	CHECK_EQ(fork_error, 0);
	CHECK_EQ(wrong_status, 0);
	CHECK_EQ(children_wrong, 0);
}

/* ---- the same by force: everything on CPU 0, which runs nothing that we do not give way to */

struct server {
	pid_t pid;
	int asked;
	struct task_ref ref;
};

/* Shared with the servers. */
struct answers {
	_Atomic int count[SERVERS];
	_Atomic bool moved[SERVERS]; /* it may not run on CPU 0: the parent has said so */
	_Atomic int placed, misplaced; /* answers from another CPU; of those, from CPU 0 */
};

static struct answers *answers;

/* Sleeps on CPU 0 until it is asked. */
static int start_server(struct server *s, int number)
{
	uint64_t one;

	s->asked = eventfd(0, 0);
	s->pid = fork();
	if (s->pid == 0) {
		while (read(s->asked, &one, sizeof(one)) == sizeof(one)) {
			/* In this order; a queued task is moved before the parent can say so. */
			bool moved = answers->moved[number];

			if (sched_getcpu() != 0)
				answers->placed++;
			else if (moved)
				answers->misplaced++;
			answers->count[number]++;
		}
		_exit(0);
	}
	return sched_find(s->pid, &s->ref);
}

static void stop_servers(struct server *s)
{
	for (int i = 0; i < SERVERS; i++) {
		kill(s[i].pid, SIGKILL);
		waitpid(s[i].pid, NULL, 0);
		close(s[i].asked);
	}
}

/* Wakes all of them without a gift, so that they wait in the queue; then `between`, then gives. */
static int ask_all(struct server *s, void (*between)(struct server *s, int number), bool wait)
{
	uint64_t one = 1;

	for (int i = 0; i < SERVERS; i++)
		if (write(s[i].asked, &one, sizeof(one)) != sizeof(one))
			return -1;
	for (int i = 0; i < SERVERS; i++)
		between(s, i);
	/* -EAGAIN: it has run already, because our own slice was over or went to another. */
	for (int i = 0; i < SERVERS; i++) {
		int r = sched_donate(s[i].ref, wait ? SCHED_DONATE_WAIT : 0);

		if (r != 0 && r != -EAGAIN)
			return -1;
	}
	return 0;
}

static void swap_in_between(struct server *s, int number)
{
	swap_once((unsigned)number);
}

static void move_in_between(struct server *s, int number)
{
	if (allow(s[number].pid, 1 + number % (cpus - 1)) == 0)
		answers->moved[number] = true;
}

static void swap_and_move_in_between(struct server *s, int number)
{
	swap_in_between(s, number);
	move_in_between(s, number);
}

/* Each answer is given once; the servers that have been moved give it where they may. */
static void run_servers(void (*between)(struct server *s, int number), bool moves)
{
	int round = 0, wrong = 0, placed, misplaced;
	struct server s[SERVERS];
	char before[32];

	answers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(answers != MAP_FAILED);
	snprintf(before, sizeof(before), "%s", in_force());
	allow(0, 0);
	for (int i = 0; i < SERVERS; i++)
		CHECK_EQ(start_server(&s[i], i), 0);
	/* All may run, stolen or because our slice is over, before the parent can say that they have been
	 * moved: then more is tried. */
	while (!wrong && (round < ASKED || (moves && !answers->placed && round < ASKED_MAX))) {
		round++;
		wrong |= ask_all(s, between, round % 2);
		for (int i = 0; i < SERVERS; i++) {
			while (answers->count[i] < round)
				sched_yield();
			answers->moved[i] = false;
			allow(s[i].pid, 0);
		}
	}
	stop_servers(s);
	CHECK_EQ(put_in_force(before), 0);
	allow_all(0);
	for (int i = 0; i < SERVERS; i++)
		wrong |= answers->count[i] != round;
	placed = answers->placed;
	misplaced = answers->misplaced;
	munmap(answers, 4096);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(misplaced, 0);
	CHECK(!moves || placed > 0);
}

static void a_queued_target_may_have_come_under_another_scheduler(void)
{
	run_servers(swap_in_between, false);
}

static void a_queued_target_may_not_run_here_any_more(void)
{
	char before[32];

	if (cpus < 2)
		return;
	snprintf(before, sizeof(before), "%s", in_force());
	CHECK_EQ(put_in_force("rr"), 0); /* where who is woken waits, and does not run at once */
	run_servers(move_in_between, true);
	CHECK_EQ(put_in_force(before), 0);
}

static void a_queued_target_may_have_both_happen_to_it(void)
{
	if (cpus > 1)
		run_servers(swap_and_move_in_between, true);
}

int main(void)
{
	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (find_libraries())
		return 2;
	RUN(wakes_survive_swaps_of_the_scheduler);
	RUN(wakes_survive_changes_of_affinity);
	RUN(wakes_survive_slices_given_by_name);
	RUN(wakes_survive_all_of_it_at_once);
	RUN(slices_survive_the_end_of_their_targets);
	RUN(a_queued_target_may_have_come_under_another_scheduler);
	RUN(a_queued_target_may_not_run_here_any_more);
	RUN(a_queued_target_may_have_both_happen_to_it);
	return test_result();
}
