/* SPDX-License-Identifier: MIT */
/* Donation: pipes, futexes, wait4 and signals hand on the rest of a slice, /proc/exo/sched-stats
 * counts it, and a third task still runs. */
#define _GNU_SOURCE
#include <libos/donate.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "donation_load.h"
#include "scheduler_files.h"
#include "test.h"

#define ROUNDS 200
#define TRIES 20 /* of what needs a host with time for us */
#define SIGNAL_ROUNDS 100
#define RING 12 /* longer than a chain of gifts may be */

/* All wakes whose tasks have run since. */
static long wakes_that_ran(void)
{
	char name[64];
	long sum = 0;

	for (unsigned long ns = 1; ns; ns <<= 1) {
		snprintf(name, sizeof(name), "wake-to-run-%lu-ns", ns);
		long n = total(name);

		if (n < 0)
			return sum;
		sum += n;
	}
	return -1;
}

static void a_pipe_donates_on_the_same_cpu(void)
{
	long same = donations("pipe", "same-cpu"), cross = donations("pipe", "cross-cpu");
	long spent = donations("pipe", "spent"), direct = total("switches-direct");

	CHECK_EQ(ping_pong(0, ROUNDS), ROUNDS);
	same = donations("pipe", "same-cpu") - same;
	spent = donations("pipe", "spent") - spent;
	/* In each round one wakes the other, but for a round in which both were preempted. */
	CHECK(same + spent >= ROUNDS * 3 / 4);
	CHECK(same >= ROUNDS / 2);
	CHECK_EQ(donations("pipe", "cross-cpu"), cross);
	CHECK(total("switches-direct") - direct >= same);
}

static void a_pipe_donates_across_cpus(void)
{
	if (cpus() < 2)
		return;
	long same = donations("pipe", "same-cpu"), cross = donations("pipe", "cross-cpu");
	long told = total("ipis-sent") + total("ipis-coalesced");

	CHECK_EQ(ping_pong(1, ROUNDS), ROUNDS);
	/* Who gives goes on, as nobody waits for that but now and then. */
	printf("# stopped %ld times\n", stops);
	CHECK(stops <= ROUNDS / 2);
	CHECK_EQ(donations("pipe", "same-cpu"), same);
	cross = donations("pipe", "cross-cpu") - cross;
	CHECK(cross > 0);
	/* Each is a message, for which that CPU is rung, or need not be, as it looks. */
	CHECK(total("ipis-sent") + total("ipis-coalesced") >= told + cross);
	CHECK(total("mailbox-high") >= 1);
}

/* A writer that gives way instead of waiting: what the reader left of its slice comes back to it,
 * before others. */
static void what_is_left_of_a_gift_returns(void)
{
	long returned = donations("return", "same-cpu");
	int there[2], status;
	char byte = 'x';

	CHECK_EQ(pipe(there), 0);
	run_on(0);
	pid_t child = fork();
	if (child == 0) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1)
			;
		_exit(0);
	}
	for (int i = 0; i < ROUNDS && write(there[1], &byte, 1) == 1; i++)
		sched_yield();
	close(there[0]);
	close(there[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	run_anywhere();
	CHECK(donations("return", "same-cpu") - returned >= ROUNDS / 2);
}

/* A writer that does not wait is not stopped by its reader's waking up: it writes all, and is read. */
static void a_writer_that_goes_on_keeps_its_slice(void)
{
	int there[2], status, written = 0;
	char byte = 'x';

	CHECK_EQ(pipe(there), 0);
	run_on(0);
	pid_t child = fork();
	if (child == 0) {
		int got = 0;

		close(there[1]);
		while (read(there[0], &byte, 1) == 1)
			got++;
		_exit(got == ROUNDS ? 0 : 1);
	}
	sched_yield();
	long switches = total("switches");
	while (written < ROUNDS && write(there[1], &byte, 1) == 1)
		written++;
	switches = total("switches") - switches;
	close(there[0]);
	close(there[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	run_anywhere();
	CHECK_EQ(written, ROUNDS);
	CHECK(switches < ROUNDS / 2);
}

static void every_wake_that_ran_is_in_the_histogram(void)
{
	long ran = wakes_that_ran(), woken = total("wakes");

	CHECK_EQ(ping_pong(0, ROUNDS), ROUNDS);
	ran = wakes_that_ran() - ran;
	woken = total("wakes") - woken;
	CHECK(ran >= ROUNDS);
	/* A few tasks may have been on their way at either look. */
	CHECK(labs(woken - ran) < ROUNDS / 10);
}

static _Atomic int word;

/* Sets the word, and wakes up to `wanted`. */
static void set_and_wake(int value, int wanted)
{
	atomic_store(&word, value);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, wanted, NULL, NULL, 0);
}

static void wait_while(int value)
{
	while (atomic_load(&word) == value)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void *futex_partner(void *wanted)
{
	run_on(0);
	for (int i = 0; i < ROUNDS; i++) {
		wait_while(0);
		set_and_wake(0, *(int *)wanted);
	}
	return NULL;
}

/* How many slices two that wake each other, `wanted` at most, give away. */
static long given_by_a_futex(int wanted)
{
	pthread_t partner;
	long before = donations("futex", "same-cpu");

	run_on(0);
	if (pthread_create(&partner, NULL, futex_partner, &wanted))
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		set_and_wake(1, wanted);
		wait_while(1);
	}
	pthread_join(partner, NULL);
	run_anywhere();
	return donations("futex", "same-cpu") - before;
}

static void a_futex_donates(void)
{
	CHECK(given_by_a_futex(1) >= ROUNDS / 2);
}

/* As pthread_cond_broadcast() and barriers do. */
static void a_wake_of_all_donates_to_the_only_sleeper(void)
{
	CHECK(given_by_a_futex(INT_MAX) >= ROUNDS / 2);
}

/* The child ends only once its parent sleeps in wait4. */
static void an_end_donates_to_the_parent_that_waits(void)
{
	long before = donations("wait4", "same-cpu");

	run_on(0);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			usleep(3000);
			_exit(7);
		}
		int status = 0;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WEXITSTATUS(status), 7);
	}
	run_anywhere();
	CHECK(donations("wait4", "same-cpu") - before >= 10);
}

/* How many children of ROUNDS ran on their parents' slices, instead of on a CPU that has to be woken. */
static long children_with_a_slice(void)
{
	long same = donations("start", "same-cpu"), spent = donations("start", "spent");

	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(7);
		int status = 0;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WEXITSTATUS(status), 7);
	}
	same = donations("start", "same-cpu") - same;
	spent = donations("start", "spent") - spent;
	CHECK(same + spent >= ROUNDS * 3 / 4);
	return same;
}

/* The child is not given to another CPU, which would have to be woken for it: its parent waits.  Where the
 * host has other things to do, slices end before they can be given: then it is tried again. */
static void who_makes_a_task_and_waits_gives_it_the_slice(void)
{
	int tries = 0;

	while (children_with_a_slice() < ROUNDS / 2)
		CHECK(++tries < TRIES);
}

static void *set_flag(void *flag)
{
	atomic_store((atomic_bool *)flag, true);
	return NULL;
}

/* Waits for two threads without ever stopping by itself. */
static void make_two_and_go_on(void)
{
	atomic_bool flags[2] = { false, false };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, set_flag, &flags[i]), 0);
	while (!atomic_load(&flags[0]) || !atomic_load(&flags[1]))
		;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* Who makes a task and goes on keeps it from the other CPUs for a moment only.  A host that takes the CPU
 * away meanwhile ends the slice first: therefore the rounds. */
static void who_makes_a_task_and_goes_on_leaves_it_to_others(void)
{
	long late = donations("start", "late"), second = donations("start", "second");
	int rounds = 500;

	do
		make_two_and_go_on();
	while (cpus() > 1 && --rounds &&
	       !(donations("start", "late") > late && donations("start", "second") > second));
	CHECK(rounds > 0);
}

/* Who sends a signal and then waits for one gives what is left of its slice to whom it woke. */
static void a_sender_that_sleeps_donates_to_whom_its_signal_woke(void)
{
	long before = donations("signal", "same-cpu");

	CHECK_EQ(ping_pong_by_signals(SIGNAL_ROUNDS), SIGNAL_ROUNDS);
	CHECK(donations("signal", "same-cpu") - before >= SIGNAL_ROUNDS / 2);
}

/* Hands bytes on until there are no more. */
static void pass_on(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1)
		if (write(to, &byte, 1) != 1)
			break;
}

/* A byte goes round a ring of processes on one CPU, each of which wakes the next. */
static void a_chain_of_gifts_ends(void)
{
	long capped = donations("pipe", "capped");
	int link[RING][2], done = 0;
	char byte = 'x';

	for (int i = 0; i < RING; i++)
		CHECK_EQ(pipe(link[i]), 0);
	run_on(0);
	for (int i = 0; i < RING - 1; i++) {
		if (fork() != 0)
			continue;
		for (int j = 0; j < RING; j++) {
			if (j != i)
				close(link[j][0]);
			if (j != i + 1)
				close(link[j][1]);
		}
		pass_on(link[i][0], link[i + 1][1]);
		_exit(0);
	}
	for (int i = 0; i < RING; i++) {
		if (i != RING - 1)
			close(link[i][0]);
		if (i != 0)
			close(link[i][1]);
	}
	while (done < ROUNDS && write(link[0][1], &byte, 1) == 1 &&
	       read(link[RING - 1][0], &byte, 1) == 1)
		done++;
	close(link[0][1]);
	for (int i = 0; i < RING - 1; i++)
		wait(NULL);
	close(link[RING - 1][0]);
	run_anywhere();
	CHECK_EQ(done, ROUNDS);
	CHECK(donations("pipe", "capped") > capped);
}

/* ---- sched_donate() from applications */

static void a_task_is_given_a_slice_by_name(void)
{
	long same = donations("explicit", "same-cpu"), cross = donations("explicit", "cross-cpu");
	struct spinner s;

	run_on(0);
	CHECK_EQ(start_spinner(&s, 0), 0);
	int idle = give(&s, 0, 50), idle_waiting = give(&s, SCHED_DONATE_WAIT, 50);

	stop_spinner(&s);
	run_anywhere();
	/* Now and then, on a busy host often, the machine's own CPU is taken away for the whole of a slice;
	 * if none were given, all would be idle. */
	CHECK(idle >= 0 && idle <= 25);
	CHECK(idle_waiting >= 0 && idle_waiting <= 25);
	CHECK(donations("explicit", "same-cpu") - same >= 50);
	CHECK_EQ(donations("explicit", "cross-cpu"), cross);
}

/* Two spin on CPU 1, so that one of them waits; whoever gives to it from CPU 0 and waits finds that
 * it has run, and has not run itself in the meantime. */
static void a_slice_goes_to_a_task_of_another_cpu(void)
{
	long cross = donations("explicit", "cross-cpu"), same = donations("explicit", "same-cpu");
	struct spinner s[2];
	int given = 0, idle = 0, wrong = 0;

	if (cpus() < 2)
		return;
	run_on(0);
	CHECK(start_spinner(&s[0], 1) == 0 && start_spinner(&s[1], 1) == 0);
	/* As above: of all that are given some are lost to the host, and nearly all if it did not run. */
	for (long i = 0; given - idle < 16 && given < 80; i++) {
		struct spinner *to = &s[i % 2];
		long before = atomic_load(to->count);
		int r = sched_donate(to->ref, SCHED_DONATE_WAIT);

		given += r == 0;
		idle += r == 0 && atomic_load(to->count) == before;
		wrong += r != 0 && r != -EAGAIN;
	}
	stop_spinner(&s[0]);
	stop_spinner(&s[1]);
	run_anywhere();
	CHECK_EQ(wrong, 0);
	CHECK_EQ(given - idle, 16);
	CHECK(donations("explicit", "cross-cpu") - cross >= 10);
	CHECK_EQ(donations("explicit", "same-cpu"), same);
}

/* A child that writes a one for each that it reads, until it reads something else. */
static pid_t start_server(int asked, int answered)
{
	pid_t child = fork();
	uint64_t n, one = 1;

	if (child == 0) {
		while (read(asked, &n, sizeof(n)) == sizeof(n) && n == 1)
			if (write(answered, &one, sizeof(one)) != sizeof(one))
				break;
		_exit(0);
	}
	return child;
}

static void stop_server(pid_t child, int asked)
{
	uint64_t two = 2;
	int status;

	CHECK_EQ(write(asked, &two, sizeof(two)), sizeof(two));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* A server that is woken without a gift is given one; what it leaves comes back to the caller. */
static void a_giver_that_waits_has_the_rest_back(void)
{
	long returned = donations("return", "same-cpu");
	int asked = eventfd(0, 0), answered = eventfd(0, EFD_NONBLOCK), answers = 0;
	struct task_ref server;
	uint64_t one = 1;

	run_on(0);
	pid_t child = start_server(asked, answered);

	CHECK_EQ(sched_find(child, &server), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = 0;

		CHECK_EQ(write(asked, &one, sizeof(one)), sizeof(one));
		while (read(answered, &n, sizeof(n)) != sizeof(n))
			sched_donate(server, SCHED_DONATE_WAIT);
		answers += n == 1;
	}
	stop_server(child, asked);
	run_anywhere();
	close(asked);
	close(answered);
	CHECK_EQ(answers, ROUNDS);
	CHECK(donations("return", "same-cpu") - returned >= ROUNDS / 2);
}

/* The server promises what it was given to a third, and sleeps: its run has ended, and the giver is told. */
static void a_giver_goes_on_when_the_receiver_hands_over(void)
{
	int asked = eventfd(0, 0), further[2], counted[2];
	struct task_ref server;
	uint64_t one = 1, sum = 0;

	CHECK(pipe(further) == 0 && pipe(counted) == 0);
	run_on(0);
	pid_t third = start_server(further[0], counted[1]), child = start_server(asked, further[1]);

	sched_yield(); /* both sleep */
	CHECK_EQ(sched_find(child, &server), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = 0;

		CHECK_EQ(write(asked, &one, sizeof(one)), sizeof(one));
		sched_donate(server, SCHED_DONATE_WAIT);
		CHECK_EQ(read(counted[0], &n, sizeof(n)), sizeof(n));
		sum += n;
	}
	stop_server(child, asked);
	stop_server(third, further[1]);
	run_anywhere();
	close(asked);
	for (int i = 0; i < 2; i++)
		close(further[i]), close(counted[i]);
	CHECK_EQ(sum, ROUNDS);
}

static void stale_and_unfit_targets_are_refused(void)
{
	struct task_ref me, gone;

	CHECK_EQ(sched_find(0, &me), 0);
	CHECK_EQ(me.id, (uint32_t)getpid());
	CHECK_EQ(sched_donate(me, 0), -EAGAIN);
	CHECK_EQ(sched_donate(me, ~0u), -EINVAL);
	CHECK_EQ(sched_find(32767, &gone), -ESRCH);
	CHECK_EQ(sched_find(-1, &gone), -ESRCH);
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	CHECK_EQ(sched_find(child, &gone), 0);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	/* The process has been reaped; its task may still be leaving its stack. */
	int r = sched_donate(gone, 0);
	for (int i = 0; i < 10000 && r != -ESRCH; i++, r = sched_donate(gone, 0))
		sched_yield();
	CHECK_EQ(r, -ESRCH);
	gone.id = me.id;
	CHECK_EQ(sched_donate(gone, 0), -ESRCH);
}

/* No question remains open once nobody has anything to do; at most one per CPU is on its way. */
static void every_steal_is_answered(void)
{
	long tried = total("steals-tried"), won = total("steals-won");
	long refused = total("steals-refused");

	CHECK(tried >= 0);
	CHECK(labs(tried - won - refused) <= cpus());
	CHECK(labs(total("migrations-in") - total("migrations-out")) <= cpus());
}

static void two_that_donate_do_not_starve_a_third(void)
{
	_Atomic long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(count != MAP_FAILED);
	run_on(0);
	pid_t third = fork();
	if (third == 0)
		for (;;)
			atomic_fetch_add(count, 1);
	long done = 0;
	/* Until the third has been seen to run in between; starved, it never would. */
	for (int i = 0; i < 200 && !done; i++) {
		long before = atomic_load(count);

		CHECK_EQ(ping_pong(0, 100), 100);
		done += atomic_load(count) > before;
	}
	kill(third, SIGKILL);
	CHECK_EQ(waitpid(third, NULL, 0), third);
	CHECK(done > 0);
	munmap(count, 4096);
}

/* The counts are known where a wake alone preempts nobody, and no gift is refused. */
int main(void)
{
	char before[NAME_ROOM];

	current_scheduler(before);
	if (tell("sched", "rr"))
		return 2;
	RUN(a_pipe_donates_on_the_same_cpu);
	RUN(a_pipe_donates_across_cpus);
	RUN(what_is_left_of_a_gift_returns);
	RUN(a_writer_that_goes_on_keeps_its_slice);
	RUN(every_wake_that_ran_is_in_the_histogram);
	RUN(a_futex_donates);
	RUN(a_wake_of_all_donates_to_the_only_sleeper);
	RUN(an_end_donates_to_the_parent_that_waits);
	RUN(who_makes_a_task_and_waits_gives_it_the_slice);
	RUN(who_makes_a_task_and_goes_on_leaves_it_to_others);
	RUN(a_sender_that_sleeps_donates_to_whom_its_signal_woke);
	RUN(a_chain_of_gifts_ends);
	RUN(two_that_donate_do_not_starve_a_third);
	RUN(a_task_is_given_a_slice_by_name);
	RUN(a_slice_goes_to_a_task_of_another_cpu);
	RUN(a_giver_that_waits_has_the_rest_back);
	RUN(a_giver_goes_on_when_the_receiver_hands_over);
	RUN(stale_and_unfit_targets_are_refused);
	RUN(every_steal_is_answered);
	if (tell("sched", before))
		return 2;
	return test_result();
}
