/* SPDX-License-Identifier: MIT */
/* Ways through calls that hardly any program takes; each as its manual page has it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

/* clone(2) without a stack of the child's own: it goes on as after fork(). */
static long clone_here(unsigned long flags, pid_t *parent_tid, pid_t *child_tid)
{
	return syscall(SYS_clone, flags | SIGCHLD, NULL, parent_tid, child_tid, 0);
}

static void wait_for_the_group(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(3);
	CHECK_EQ(waitpid(0, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 3);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		pause();
	}
	setpgid(child, child);
	CHECK(waitpid(0, &status, WNOHANG) == -1 && errno == ECHILD);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(-child, &status, 0), child);
}

static void a_directory_is_shared_with_clone_fs(void)
{
	char place[64];
	int status;

	CHECK_EQ(chdir("/"), 0);
	long child = clone_here(CLONE_FS, NULL, NULL);
	if (child == 0)
		_exit(chdir("/tmp") != 0);
	CHECK(waitpid((pid_t)child, &status, 0) == child && status == 0);
	CHECK(getcwd(place, sizeof(place)) != NULL);
	CHECK_EQ(strcmp(place, "/tmp"), 0);
	CHECK_EQ(chdir("/"), 0);
}

static void a_childs_number_is_stored_on_both_sides(void)
{
	static pid_t in_parent, in_child;
	int status;
	long child = clone_here(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, &in_parent, &in_child);

	if (child == 0)
		_exit(in_child != getpid());
	CHECK(waitpid((pid_t)child, &status, 0) == child && status == 0);
	CHECK_EQ(in_parent, child);
	CHECK_EQ(in_child, 0);
}

static void ignored(int number) {}

static int sets_a_handler_and_execs(void *ignores)
{
	signal(SIGUSR2, ignored);
	if (ignores)
		signal(SIGURG, SIG_IGN);
	execl("/bin/true", "true", NULL);
	return 1;
}

/* The child's handler is the parent's, too; when the child execs it has its own before it forgets it. */
static void exec_leaves_shared_handlers(void *ignores)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct sigaction now;
	int status;

	CHECK(signal(SIGUSR2, SIG_DFL) != SIG_ERR);
	int child = clone(sets_a_handler_and_execs, stack + sizeof(stack),
			  CLONE_VM | CLONE_SIGHAND | CLONE_VFORK | SIGCHLD, ignores);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
	CHECK(now.sa_handler == ignored);
	signal(SIGUSR2, SIG_DFL);
}

/* Also if it takes something along that it ignores. */
static void handlers_are_shared_with_clone_sighand(void)
{
	static char yes;
	struct sigaction now;

	exec_leaves_shared_handlers(NULL);
	exec_leaves_shared_handlers(&yes);
	CHECK_EQ(sigaction(SIGURG, NULL, &now), 0);
	CHECK(now.sa_handler == SIG_IGN);
	signal(SIGURG, SIG_DFL);
}

static void a_subreaper_knows_that_it_is_one(void)
{
	int is_one = -1;

	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &is_one) == 0 && is_one == 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &is_one) == 0 && is_one == 1);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void signals_to_no_group_are_refused(void)
{
	CHECK(syscall(SYS_tgkill, 0, gettid(), 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_tgkill, getpid(), -1, 0) == -1 && errno == EINVAL);
}

static volatile sig_atomic_t armed_in_handler = -1;

static void looks_at_its_stack(int number)
{
	stack_t now;

	sigaltstack(NULL, &now);
	armed_in_handler = !(now.ss_flags & SS_DISABLE);
}

/* sigaltstack(2), SS_AUTODISARM: cleared on entry of the handler, and back on its return. */
static void an_alternate_stack_that_disarms_itself_comes_back(void)
{
	static char memory[1 << 16];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory), .ss_flags = (int)SS_AUTODISARM };
	struct sigaction action = { .sa_handler = looks_at_its_stack, .sa_flags = SA_ONSTACK };
	stack_t after;

	CHECK_EQ(syscall(SYS_sigaltstack, &stack, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(armed_in_handler, 0);
	CHECK_EQ(syscall(SYS_sigaltstack, NULL, &after), 0);
	CHECK(after.ss_sp == memory && !(after.ss_flags & SS_DISABLE));
	stack.ss_flags = SS_DISABLE;
	CHECK_EQ(sigaltstack(&stack, NULL), 0);
	signal(SIGUSR1, SIG_DFL);
}

static void a_descriptor_that_is_not_open_is_told_by_poll(void)
{
	struct pollfd wanted = { .fd = 400, .events = POLLIN };

	CHECK_EQ(poll(&wanted, 1, 0), 1);
	CHECK_EQ(wanted.revents, POLLNVAL);
}

/* Offset -1 is the file's own position, which moves. */
static void vectors_go_where_the_file_is(void)
{
	struct iovec piece[2] = { { "ab", 2 }, { "cd", 2 } };
	char back[5] = "";
	int fd = open("/tmp/corners", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(syscall(SYS_pwritev2, fd, piece, 2, -1l, -1l, 0), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	piece[0] = (struct iovec){ back, 4 };
	CHECK_EQ(syscall(SYS_preadv2, fd, piece, 1, -1l, -1l, 0), 4);
	CHECK_EQ(strcmp(back, "abcd"), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	close(fd);
	unlink("/tmp/corners");
}

static void the_time_of_day_can_be_set(void)
{
	struct timeval before, later;

	CHECK_EQ(gettimeofday(&before, NULL), 0);
	later = before;
	later.tv_sec += 100000;
	CHECK_EQ(syscall(SYS_settimeofday, &later, NULL), 0); /* musl has another call for it */
	CHECK_EQ(gettimeofday(&later, NULL), 0);
	CHECK(later.tv_sec >= before.tv_sec + 100000);
	later.tv_sec -= 100000;
	CHECK_EQ(settimeofday(&later, NULL), 0);
	later.tv_usec = 1000000;
	CHECK(settimeofday(&later, NULL) == -1 && errno == EINVAL);
}

static int tries_to_set_the_zone(void)
{
	struct timezone zone = { 0 };

	if (syscall(SYS_settimeofday, NULL, &zone) != 0 || seteuid(1000) != 0)
		return 1;
	errno = 0;
	return syscall(SYS_settimeofday, NULL, &zone) != -1 || errno != EPERM;
}

static void the_zone_is_not_everybodys(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(tries_to_set_the_zone());
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void an_absolute_timer_of_the_day_fires(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec when = { .it_value = { 0, 0 } }, left;
	struct timespec now;
	sigset_t wanted;
	timer_t timer;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &wanted, NULL), 0);
	CHECK_EQ(timer_create(CLOCK_REALTIME, &event, &timer), 0);
	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
	when.it_value = (struct timespec){ now.tv_sec + 1000, 0 };
	CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &when, NULL), 0);
	CHECK_EQ(timer_gettime(timer, &left), 0);
	CHECK(left.it_value.tv_sec > 0 && left.it_value.tv_sec <= 1000);
	when.it_value = now; /* has been: it fires at once */
	CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &when, NULL), 0);
	CHECK_EQ(sigwaitinfo(&wanted, NULL), SIGUSR1);
	CHECK_EQ(timer_getoverrun(timer), 0);
	CHECK_EQ(timer_delete(timer), 0);
	CHECK(timer_getoverrun(timer) == -1 && errno == EINVAL);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &wanted, NULL), 0);
}

static _Atomic int stay = 1;

static void *spins(void *unused)
{
	while (atomic_load(&stay))
		;
	return unused;
}

static void the_time_of_another_thread_can_be_read(void)
{
	struct timespec first, later;
	clockid_t clock;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, spins, NULL), 0);
	CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
	CHECK_EQ(clock_gettime(clock, &first), 0);
	do
		CHECK_EQ(clock_gettime(clock, &later), 0);
	while (later.tv_sec == first.tv_sec && later.tv_nsec == first.tv_nsec);
	atomic_store(&stay, 0);
	pthread_join(thread, NULL);
	CHECK(later.tv_sec > first.tv_sec || later.tv_nsec > first.tv_nsec);
}

static void kinds_of_file_systems_are_listed(void)
{
	char text[128] = "";
	int fd = open("/proc/filesystems", O_RDONLY);

	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	CHECK(strstr(text, "tmpfs") && strstr(text, "proc"));
}

/* Requests that do not fit the generator's batches evenly: no word comes twice, and none was left empty. */
static void random_bytes_are_given_out_once(void)
{
	uint64_t words[128][3], *all = words[0];
	unsigned count = sizeof(words) / sizeof(*all);

	for (unsigned i = 0; i < 128; i++)
		CHECK_EQ(getrandom(words[i], sizeof(words[i]), 0), sizeof(words[i]));
	for (unsigned i = 0; i < count; i++) {
		CHECK(all[i] != 0);
		for (unsigned j = 0; j < i; j++)
			CHECK(all[i] != all[j]);
	}
	CHECK_EQ(getrandom(all, 8, GRND_RANDOM | GRND_NONBLOCK), 8);
	CHECK_EQ(getrandom(all, 8, GRND_RANDOM | 4 /* GRND_INSECURE */), -1);
	CHECK_EQ(errno, EINVAL);
}

int main(void)
{
	RUN(wait_for_the_group);
	RUN(a_directory_is_shared_with_clone_fs);
	RUN(a_childs_number_is_stored_on_both_sides);
	RUN(handlers_are_shared_with_clone_sighand);
	RUN(a_subreaper_knows_that_it_is_one);
	RUN(signals_to_no_group_are_refused);
	RUN(an_alternate_stack_that_disarms_itself_comes_back);
	RUN(a_descriptor_that_is_not_open_is_told_by_poll);
	RUN(vectors_go_where_the_file_is);
	RUN(the_time_of_day_can_be_set);
	RUN(the_zone_is_not_everybodys);
	RUN(an_absolute_timer_of_the_day_fires);
	RUN(the_time_of_another_thread_can_be_read);
	RUN(kinds_of_file_systems_are_listed);
	RUN(random_bytes_are_given_out_once);
	return test_result();
}
