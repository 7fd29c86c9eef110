/* SPDX-License-Identifier: MIT */
/* Calls about signals that do not go the way of other calls: rt_sigprocmask, raise() and sigaction(). */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096
#define LIBOS ((void *)0x7f0000000000)

static _Atomic int handled;
static _Atomic pthread_t handled_by;

static void count(int number)
{
	handled_by = pthread_self();
	handled++;
}

static sigset_t set_of(int number)
{
	sigset_t set;

	sigemptyset(&set);
	if (number)
		sigaddset(&set, number);
	return set;
}

static bool is_blocked(int number)
{
	sigset_t now;

	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	return sigismember(&now, number);
}

static void change(int how, int number)
{
	sigset_t set = set_of(number);

	CHECK_EQ(sigprocmask(how, &set, NULL), 0);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- rt_sigprocmask */

static void each_way_of_changing_a_mask(void)
{
	sigset_t old, set = set_of(SIGUSR1);

	change(SIG_SETMASK, 0);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
	CHECK(!sigismember(&old, SIGUSR1));
	set = set_of(SIGUSR2);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
	CHECK(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGUSR2));
	CHECK(is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
	change(SIG_UNBLOCK, SIGUSR1);
	CHECK(!is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
	change(SIG_SETMASK, SIGHUP);
	CHECK(is_blocked(SIGHUP) && !is_blocked(SIGUSR2));
	sigfillset(&set);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &set, NULL), 0);
	CHECK(!is_blocked(SIGKILL) && !is_blocked(SIGSTOP) && is_blocked(SIGTERM));
	change(SIG_SETMASK, 0);
}

static void old_and_new_may_be_one(void)
{
	sigset_t set = set_of(SIGUSR1), *same = &set;

	change(SIG_SETMASK, SIGUSR2);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, same), 0);
	CHECK(sigismember(&set, SIGUSR2) && !sigismember(&set, SIGUSR1));
	CHECK(is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
	change(SIG_SETMASK, 0);
}

static int refused(int how, const void *set, void *old)
{
	errno = 0;
	return sigprocmask(how, set, old) == -1 ? errno : 0;
}

static void bad_arguments_are_refused(void)
{
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *fixed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t set = set_of(SIGUSR1);

	change(SIG_SETMASK, 0);
	CHECK_EQ(refused(3, &set, NULL), EINVAL);
	CHECK_EQ(refused(-1, &set, NULL), EINVAL);
	CHECK_EQ(refused(7, NULL, NULL), 0);
	CHECK_EQ(refused(SIG_BLOCK, none, NULL), EFAULT);
	CHECK_EQ(refused(SIG_BLOCK, (void *)8, NULL), EFAULT);
	CHECK_EQ(refused(SIG_BLOCK, LIBOS, NULL), EFAULT);
	CHECK_EQ(refused(SIG_BLOCK, (void *)-8, NULL), EFAULT);
	CHECK(!is_blocked(SIGUSR1));
	CHECK_EQ(refused(SIG_BLOCK, NULL, none), EFAULT);
	CHECK_EQ(refused(SIG_BLOCK, NULL, fixed), EFAULT);
	CHECK_EQ(refused(SIG_BLOCK, NULL, LIBOS), EFAULT);
	/* As on Linux the mask has been changed when it is found that nobody can be told. */
	CHECK_EQ(refused(SIG_BLOCK, &set, fixed), EFAULT);
	CHECK(is_blocked(SIGUSR1));
	change(SIG_SETMASK, 0);
	munmap(none, PAGE);
	munmap(fixed, PAGE);
}

/* Pages that come when they are touched, or that are to be copied first. */
static void pages_are_brought(void)
{
	sigset_t *fresh = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t *other = (sigset_t *)((char *)fresh + PAGE);
	int status;
	pid_t child;

	change(SIG_SETMASK, SIGUSR2);
	CHECK_EQ(sigprocmask(SIG_SETMASK, other, fresh), 0);
	CHECK(sigismember(fresh, SIGUSR2) && !is_blocked(SIGUSR2));
	child = fork();
	if (child == 0) {
		change(SIG_SETMASK, SIGHUP);
		if (sigprocmask(SIG_BLOCK, NULL, fresh) != 0)
			_exit(2);
		_exit(sigismember(fresh, SIGHUP) && !sigismember(fresh, SIGUSR2) ? 0 : 3);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK(sigismember(fresh, SIGUSR2) && !sigismember(fresh, SIGHUP));
	munmap(fresh, 2 * PAGE);
}

/* ---------------------------------------------------------------- handlers in the middle of it */

#define ALARMS 200

static _Atomic int alarms;

/* Shuts SIGUSR1 out where it returns to. */
static void shut_another_out(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	sigaddset(&uc->uc_sigmask, SIGUSR1);
	alarms++;
}

static void what_a_handler_does_to_the_mask_stays(void)
{
	struct sigaction action = { .sa_sigaction = shut_another_out, .sa_flags = SA_SIGINFO };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	uint64_t end = now_ms() + 20000;
	sigset_t both = set_of(SIGUSR1);

	sigaddset(&both, SIGUSR2);
	alarms = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (alarms < ALARMS && now_ms() < end) {
		int before;

		CHECK_EQ(sigprocmask(SIG_UNBLOCK, &both, NULL), 0);
		before = alarms;
		for (int i = 0; i < 1000 && alarms == before; i++) {
			change(SIG_BLOCK, SIGUSR2);
			change(SIG_UNBLOCK, SIGUSR2);
		}
		if (alarms != before)
			CHECK(is_blocked(SIGUSR1));
	}
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
	CHECK(alarms >= ALARMS);
	change(SIG_SETMASK, 0);
}

/* ---------------------------------------------------------------- two tasks that take turns at a signal */

static _Atomic bool over;

static void *open_and_shut(void *unused)
{
	while (!over) {
		change(SIG_BLOCK, SIGUSR1);
		change(SIG_UNBLOCK, SIGUSR1);
	}
	return NULL;
}

#define SENT 2000
#define SENT_ALONE 300 /* on one CPU, where each waits for the slices of both */

/* Each is taken before long, since neither shuts it out for ever. */
static void a_signal_finds_who_is_open(void)
{
	struct sigaction action = { .sa_handler = count };
	int sends = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SENT : SENT_ALONE;
	pthread_t one, two;

	handled = 0;
	over = false;
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&one, NULL, open_and_shut, NULL);
	pthread_create(&two, NULL, open_and_shut, NULL);
	change(SIG_BLOCK, SIGUSR1);
	for (int sent = 0; sent < sends; sent++) {
		uint64_t end = now_ms() + 5000;

		kill(getpid(), SIGUSR1);
		while (handled <= sent && now_ms() < end)
			sched_yield();
		CHECK_EQ(handled, sent + 1);
	}
	over = true;
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	change(SIG_SETMASK, 0);
}

/* ---------------------------------------------------------------- raise() and sigaction() */

static void what_is_raised_has_been_handled(void)
{
	struct sigaction action = { .sa_handler = count };

	handled = 0;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(handled, 1);
	change(SIG_BLOCK, SIGUSR1);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(handled, 1);
	change(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(handled, 2);
	CHECK_EQ(raise(0), 0);
	errno = 0;
	CHECK(raise(65) == -1 && errno == EINVAL);
	CHECK(raise(-1) == -1 && errno == EINVAL);
}

static void *raise_here(void *unused)
{
	raise(SIGUSR1);
	return (void *)(uintptr_t)(handled_by == pthread_self());
}

static void a_thread_raises_for_itself(void)
{
	pthread_t thread;
	void *own;

	pthread_create(&thread, NULL, raise_here, NULL);
	pthread_join(thread, &own);
	CHECK(own != NULL);
}

/* A child of vfork() has its parent's memory, and with it what the library knows of the thread. */
static void a_child_raises_for_itself(void)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		raise(SIGKILL);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void an_action_is_what_was_set(void)
{
	struct sigaction set = { .sa_handler = count, .sa_flags = SA_RESTART | SA_NODEFER }, got;

	sigaddset(&set.sa_mask, SIGHUP);
	sigaddset(&set.sa_mask, SIGRTMAX);
	for (int number = 1; number <= SIGRTMAX; number++) {
		if (number == SIGKILL || number == SIGSTOP || (number >= 32 && number < SIGRTMIN)) {
			errno = 0;
			CHECK(sigaction(number, &set, NULL) == -1 && errno == EINVAL);
			continue;
		}
		CHECK_EQ(sigaction(number, &set, NULL), 0);
		memset(&got, 0xff, sizeof(got));
		CHECK_EQ(sigaction(number, NULL, &got), 0);
		CHECK(got.sa_handler == count);
		CHECK_EQ(got.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO), SA_RESTART | SA_NODEFER);
		CHECK(sigismember(&got.sa_mask, SIGHUP) && sigismember(&got.sa_mask, SIGRTMAX));
		CHECK(!sigismember(&got.sa_mask, SIGINT));
		CHECK(signal(number, SIG_DFL) == count);
	}
}

/* ---------------------------------------------------------------- sigaction(), as most call it */

static void other(int number)
{
	handled += 1000;
}

/* Twice, since what is set again goes the short way, with the old action asked for and without. */
static void what_is_set_again_is_what_counts(void)
{
	struct sigaction one = { .sa_handler = count }, two = { .sa_handler = other }, old;

	one.sa_flags = SA_RESTART;
	sigfillset(&two.sa_mask);
	CHECK_EQ(sigaction(SIGUSR1, &one, NULL), 0);
	for (int i = 0; i < 3; i++) {
		handled = 0;
		memset(&old, 0xff, sizeof(old));
		CHECK_EQ(sigaction(SIGUSR1, &two, &old), 0);
		CHECK(old.sa_handler == count && (old.sa_flags & SA_RESTART) != 0);
		CHECK(!sigismember(&old.sa_mask, SIGHUP));
		raise(SIGUSR1);
		CHECK_EQ(handled, 1000);
		CHECK_EQ(sigaction(SIGUSR1, &one, &old), 0);
		CHECK(old.sa_handler == other && (old.sa_flags & SA_RESTART) == 0);
		CHECK(sigismember(&old.sa_mask, SIGHUP) && !sigismember(&old.sa_mask, SIGKILL));
		CHECK(!sigismember(&old.sa_mask, SIGSTOP));
		raise(SIGUSR1);
		CHECK_EQ(handled, 1001);
		CHECK_EQ(sigaction(SIGUSR1, &two, NULL), 0);
		CHECK_EQ(sigaction(SIGUSR1, &one, NULL), 0);
		raise(SIGUSR1);
		CHECK_EQ(handled, 1002);
	}
}

static void what_is_not_a_handler_counts_too(void)
{
	struct sigaction action = { .sa_handler = count }, old;

	handled = 0;
	for (int i = 0; i < 3; i++) {
		action.sa_handler = count;
		action.sa_flags = 0;
		CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
		/* What is pending goes when it becomes ignored. */
		change(SIG_BLOCK, SIGUSR1);
		raise(SIGUSR1);
		action.sa_handler = SIG_IGN;
		CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
		action.sa_handler = count;
		CHECK_EQ(sigaction(SIGUSR1, &action, &old), 0);
		CHECK(old.sa_handler == SIG_IGN);
		change(SIG_UNBLOCK, SIGUSR1);
		CHECK_EQ(handled, i);
		action.sa_flags = SA_RESETHAND;
		CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
		raise(SIGUSR1);
		CHECK_EQ(handled, i + 1);
		CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
		CHECK(old.sa_handler == SIG_DFL);
	}
}

/* A child and its parent have the same actions until one of them changes them. */
static void a_child_sets_its_own(void)
{
	struct sigaction one = { .sa_handler = count }, two = { .sa_handler = other }, old;
	int status;
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &one, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &one, NULL), 0);
	child = fork();
	if (child == 0)
		_exit(sigaction(SIGUSR1, &two, &old) || old.sa_handler != count ||
		      sigaction(SIGUSR1, &one, &old) || old.sa_handler != other);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(sigaction(SIGUSR1, &one, &old), 0);
	CHECK(old.sa_handler == count);
}

/* The entry itself, which whoever calls it need not call as the C library does (scripts/musl/exo_call.h). */
static long set_at_the_entry(long number, uint64_t handler, uint64_t flags)
{
	register uint64_t r8 __asm__("r8") = handler, r9 __asm__("r9") = flags, r10 __asm__("r10") = 0,
			  r11 __asm__("r11") = 0;
	long r, entry = 0x7f00000005c0;

	__asm__ volatile("call *%%rcx"
			 : "=a"(r), "+c"(entry), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "+D"(number)
			 :
			 : "rdx", "cc", "memory");
	return r;
}

static void the_entry_sets_no_more_than_it_may(void)
{
	struct sigaction one = { .sa_handler = count }, old;
	uint64_t handler = (uint64_t)count;
	int status;
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &one, NULL), 0);
	CHECK_EQ(set_at_the_entry(SIGUSR2, handler, 0), 0);
	CHECK_EQ(sigaction(SIGUSR2, NULL, &old), 0);
	CHECK(old.sa_handler == count);
	CHECK_EQ(set_at_the_entry(0, handler, 0), 1);
	CHECK_EQ(set_at_the_entry(65, handler, 0), 1);
	CHECK_EQ(set_at_the_entry(-1, handler, 0), 1);
	CHECK_EQ(set_at_the_entry(SIGUSR1, (uint64_t)SIG_IGN, 0), 1);
	CHECK_EQ(set_at_the_entry(SIGUSR1, handler, (uint32_t)SA_RESETHAND), 1);
	CHECK_EQ(set_at_the_entry(SIGSTOP, handler, 0), 1);
	CHECK_EQ(set_at_the_entry(SIGKILL, handler, 0), 1);
	CHECK_EQ(sigaction(SIGKILL, NULL, &old), 0);
	CHECK(old.sa_handler == SIG_DFL);
	child = fork();
	if (child == 0) {
		kill(getpid(), SIGKILL);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static volatile int rung;

static void ring(int number)
{
	rung++;
}

/* Twenty times as many as it takes. */
#define MANY_ROUNDS 500000

/* What comes while the action is being changed is taken then: nothing else here would take it. */
static void no_event_is_lost_on_it(void)
{
	struct sigaction action = { .sa_handler = count }, bell = { .sa_handler = ring };
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0 }, { 0 } };
	int rounds = 0;

	rung = 0;
	CHECK_EQ(sigaction(SIGALRM, &bell, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (; rung < 3000 && rounds < MANY_ROUNDS; rounds++)
		for (int i = 0; i < 1000; i++)
			sigaction(SIGUSR1, &action, NULL);
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
	CHECK(rounds < MANY_ROUNDS);
}

/* ---------------------------------------------------------------- an action is taken as a whole */

static _Atomic int mixed, sets;

/* Each of the two shuts a signal out that the other lets in. */
static void with_hup(int number)
{
	if (!is_blocked(SIGHUP) || is_blocked(SIGTERM))
		mixed++;
}

static void with_term(int number)
{
	if (is_blocked(SIGHUP) || !is_blocked(SIGTERM))
		mixed++;
}

static void *set_in_turn(void *unused)
{
	struct sigaction one = { .sa_handler = with_hup }, two = { .sa_handler = with_term };

	sigaddset(&one.sa_mask, SIGHUP);
	sigaddset(&two.sa_mask, SIGTERM);
	while (!over) {
		sigaction(SIGUSR1, &one, NULL);
		sigaction(SIGUSR1, &two, NULL);
		sets++;
	}
	return NULL;
}

static void an_action_is_taken_as_a_whole(void)
{
	struct sigaction first = { .sa_handler = with_hup };
	uint64_t end = now_ms() + 1000;
	pthread_t thread;

	sigaddset(&first.sa_mask, SIGHUP);
	change(SIG_SETMASK, 0);
	sigaction(SIGUSR1, &first, NULL);
	over = false;
	mixed = sets = 0;
	pthread_create(&thread, NULL, set_in_turn, NULL);
	while (now_ms() < end || sets < 1000)
		for (int i = 0; i < 100; i++)
			raise(SIGUSR1);
	over = true;
	pthread_join(thread, NULL);
	CHECK_EQ(mixed, 0);
}

/* A program that changes its mask all the time, and makes a child from a handler now and then. */
static volatile int children, strange_children;
static volatile bool is_child;

static void make_child(int number)
{
	int status = 0;
	pid_t child;

	if (is_child)
		return;
	child = fork();
	if (child == 0) {
		is_child = true;
		return;
	}
	children++;
	if (waitpid(child, &status, 0) != child || status != 0)
		strange_children++;
}

static void change_and_look(int how, bool blocked)
{
	change(how, SIGUSR1);
	if (is_child)
		_exit(is_blocked(SIGUSR1) != blocked);
	if (is_blocked(SIGUSR1) != blocked)
		strange_children++;
	if (is_child)
		_exit(is_blocked(SIGUSR1) != blocked);
}

/* The change that was interrupted goes on in both, and is that of each. */
static void a_child_made_by_a_handler_has_a_mask_of_its_own(void)
{
	struct sigaction action = { .sa_handler = make_child };
	struct itimerval often = { { 0, 4000 }, { 0, 4000 } }, never = { { 0 }, { 0 } };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (children < 100) {
		change_and_look(SIG_BLOCK, true);
		change_and_look(SIG_UNBLOCK, false);
	}
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
	CHECK_EQ(strange_children, 0);
}

int main(void)
{
	RUN(each_way_of_changing_a_mask);
	RUN(old_and_new_may_be_one);
	RUN(bad_arguments_are_refused);
	RUN(pages_are_brought);
	RUN(what_a_handler_does_to_the_mask_stays);
	RUN(a_signal_finds_who_is_open);
	RUN(what_is_raised_has_been_handled);
	RUN(a_thread_raises_for_itself);
	RUN(a_child_raises_for_itself);
	RUN(an_action_is_what_was_set);
	RUN(what_is_set_again_is_what_counts);
	RUN(what_is_not_a_handler_counts_too);
	RUN(a_child_sets_its_own);
	RUN(the_entry_sets_no_more_than_it_may);
	RUN(no_event_is_lost_on_it);
	RUN(an_action_is_taken_as_a_whole);
	RUN(a_child_made_by_a_handler_has_a_mask_of_its_own);
	return test_result();
}
