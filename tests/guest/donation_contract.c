/* SPDX-License-Identifier: MIT */
/*
 * What a scheduler library sees of donation.  The libraries of tests/schedulers that are used here
 * are ejected at the first callback that does not agree with the contract, so that one which is
 * still in force after a load has seen nothing wrong.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include "asleep.h"
#include "donation_load.h"
#include "test.h"
#include "test_library.h"

#define ROUNDS 100

/* Gifts of every kind but signals, on one CPU and across two; 0: all came to an end. */
static int give_in_every_way(void)
{
	struct spinner s;
	int wrong = ping_pong(0, ROUNDS) != ROUNDS;

	if (cpus() > 1)
		wrong |= ping_pong(1, ROUNDS) != ROUNDS;
	wrong |= run_threads() != 0;
	run_on(0);
	wrong |= start_spinner(&s, 0) != 0;
	for (int i = 0; i < ROUNDS; i++) {
		int r = sched_donate(s.ref, i % 2 ? SCHED_DONATE_WAIT : 0);

		wrong |= r != 0 && r != -EAGAIN;
	}
	stop_spinner(&s);
	run_anywhere();
	return wrong;
}

static void a_library_is_told_of_gifts_as_the_contract_says(void)
{
	long direct = total("switches-direct"), same = donations("pipe", "same-cpu");

	CHECK_EQ(use("strict"), 0);
	int wrong = give_in_every_way();

	CHECK_EQ(stop_using("strict"), 0);
	CHECK_EQ(wrong, 0);
	CHECK(total("switches-direct") - direct >= ROUNDS / 2);
	CHECK(donations("pipe", "same-cpu") - same >= ROUNDS / 2);
}

static void a_refused_gift_is_an_ordinary_wake(void)
{
	CHECK_EQ(use("refuses"), 0);
	/* Another CPU may not have come to the library yet, and have no work of ours either. */
	long refused = donations("pipe", "refused"), same = donations("pipe", "same-cpu");
	long explicit = donations("explicit", "refused"), given = donations("explicit", "same-cpu");
	long at_sleep = donations("signal", "refused"), slept = donations("signal", "same-cpu");
	int wrong = give_in_every_way();

	wrong |= ping_pong_by_signals(ROUNDS) != ROUNDS;
	at_sleep = donations("signal", "refused") - at_sleep;
	refused = donations("pipe", "refused") - refused;
	explicit = donations("explicit", "refused") - explicit;
	CHECK_EQ(stop_using("refuses"), 0);
	CHECK_EQ(wrong, 0);
	CHECK(refused >= ROUNDS / 2);
	CHECK(explicit >= ROUNDS / 2);
	CHECK(at_sleep >= ROUNDS / 2);
	CHECK_EQ(donations("pipe", "same-cpu"), same);
	CHECK_EQ(donations("signal", "same-cpu"), slept);
	CHECK_EQ(donations("explicit", "same-cpu"), given);
}

/* The giver is enqueued before its heir runs, and this library wants to be asked then.  What returns
 * to a giver comes from a task that sleeps: nobody is enqueued, and there is nothing to ask. */
static void a_library_that_wants_to_be_asked_is_asked(void)
{
	CHECK_EQ(use("asks"), 0);
	run_on(0);
	run_anywhere();
	long direct = total("switches-direct"), same = donations("pipe", "same-cpu");
	long returned = donations("return", "same-cpu");
	int wrong = ping_pong(0, ROUNDS) != ROUNDS;

	direct = total("switches-direct") - direct;
	same = donations("pipe", "same-cpu") - same;
	returned = donations("return", "same-cpu") - returned;
	CHECK_EQ(stop_using("asks"), 0);
	CHECK_EQ(wrong, 0);
	CHECK(same >= ROUNDS / 2);
	CHECK(direct <= returned + same / 10);
}

/* On another CPU, as urgent as nobody else. */
static pid_t spin_urgently(void)
{
	struct sched_param urgent = { .sched_priority = 50 };
	int here[2];
	char byte;

	CHECK_EQ(pipe(here), 0);
	pid_t child = fork();

	if (child == 0) {
		run_on(1);
		if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &urgent) != 0 ||
		    write(here[1], "", 1) != 1)
			_exit(1);
		for (;;)
			;
	}
	close(here[1]);
	CHECK_EQ(read(here[0], &byte, 1), 1);
	close(here[0]);
	CHECK(child > 0);
	return child;
}

static long long used_ns(pid_t pid)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return -1;
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

#define PATIENCE_NS 5000000000ll

/* Who is given the slice is queued on another CPU, where somebody more urgent computes. */
static void a_giver_whose_receiver_does_not_run_can_be_killed(void)
{
	struct spinner receiver;
	int status;

	if (cpus() < 2)
		return;
	current_scheduler(before);
	CHECK_EQ(tell("sched", "prio"), 0);
	run_on(0);
	CHECK_EQ(start_spinner(&receiver, 1), 0);
	pid_t urgent = spin_urgently(), giver = fork(), ended = 0;

	if (giver == 0) {
		/* Refused as long as that runs, and nothing as long as we have nothing to give. */
		for (;;)
			sched_donate(receiver.ref, SCHED_DONATE_WAIT);
	}
	wait_asleep(giver, giver);
	kill(giver, SIGKILL);
	long long end_ns = used_ns(urgent) + PATIENCE_NS;

	while (!ended && used_ns(urgent) < end_ns) {
		ended = waitpid(giver, &status, WNOHANG);
		usleep(1000);
	}
	kill(urgent, SIGKILL);
	waitpid(urgent, NULL, 0);
	if (!ended)
		waitpid(giver, NULL, 0);
	stop_spinner(&receiver);
	run_anywhere();
	CHECK_EQ(tell("sched", before), 0);
	CHECK(ended == giver && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
	RUN(a_library_is_told_of_gifts_as_the_contract_says);
	RUN(a_refused_gift_is_an_ordinary_wake);
	RUN(a_library_that_wants_to_be_asked_is_asked);
	RUN(a_giver_whose_receiver_does_not_run_can_be_killed);
	return test_result();
}
