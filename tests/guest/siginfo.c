/* SPDX-License-Identifier: MIT */
/* What a handler is told about its signal: from whom, why, and where. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096

static volatile siginfo_t told;
static sigjmp_buf after_fault;

static void note(int number, siginfo_t *info, void *context)
{
	told = *info;
}

static void note_fault(int number, siginfo_t *info, void *context)
{
	told = *info;
	siglongjmp(after_fault, 1);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(number, &action, NULL) == 0);
	told.si_signo = 0;
}

/* The statement faults: this signal with this code and address. */
#define FAULTS(statement, number, code, address)                         \
	do {                                                             \
		handle(number, note_fault);                              \
		if (sigsetjmp(after_fault, 1) == 0) {                    \
			statement;                                       \
		}                                                        \
		CHECK_EQ(told.si_signo, number);                         \
		CHECK_EQ(told.si_code, code);                            \
		CHECK_EQ((intptr_t)told.si_addr, (intptr_t)(address));   \
		signal(number, SIG_DFL);                                 \
	} while (0)

static void a_missing_page_and_a_missing_right_are_told_apart(void)
{
	volatile char *page = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile uintptr_t low = 16;
	static char seen;

	CHECK(page != MAP_FAILED);
	/* Neither depends on whether the page has been there yet. */
	FAULTS(page[5] = 1, SIGSEGV, SEGV_ACCERR, page + 5);
	seen = page[5];
	FAULTS(page[5] = 1, SIGSEGV, SEGV_ACCERR, page + 5);
	CHECK(mprotect((void *)page, PAGE, PROT_NONE) == 0);
	FAULTS(seen = page[6], SIGSEGV, SEGV_ACCERR, page + 6);
	FAULTS(((void (*)(void))(page + PAGE))(), SIGSEGV, SEGV_ACCERR, page + PAGE);
	CHECK(munmap((void *)page, 2 * PAGE) == 0);
	FAULTS(seen = page[7], SIGSEGV, SEGV_MAPERR, page + 7);
	FAULTS(*(volatile int *)low = seen, SIGSEGV, SEGV_MAPERR, low);
}

static void the_end_of_a_mapped_file_is_told(void)
{
	int fd = memfd_create("short", 0);
	volatile char *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	static char seen;

	CHECK(page != MAP_FAILED);
	FAULTS(seen = page[9], SIGBUS, BUS_ADRERR, page + 9);
	(void)seen;
	munmap((void *)page, PAGE);
	close(fd);
}

static void exceptions_are_told_as_linux_does(void)
{
	volatile int zero = 0, value = 1;

	FAULTS(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0);
	FAULTS(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL, 0);
	/* A selector of the local table, which nobody has. */
	FAULTS(__asm__ volatile("mov %w0, %%fs" : : "r"(0x1234)), SIGSEGV, SI_KERNEL, 0);
	handle(SIGFPE, note_fault);
	if (sigsetjmp(after_fault, 1) == 0)
		value /= zero;
	CHECK(told.si_code == FPE_INTDIV && told.si_addr != NULL);
	signal(SIGFPE, SIG_DFL);
}

static void senders_are_told(void)
{
	handle(SIGUSR1, note);
	kill(getpid(), SIGUSR1);
	CHECK(told.si_code == SI_USER && told.si_pid == getpid());
	handle(SIGUSR1, note);
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	CHECK(told.si_code == SI_TKILL && told.si_pid == getpid());
	handle(SIGUSR1, note);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 77 });
	CHECK(told.si_code == SI_QUEUE && told.si_pid == getpid() && told.si_value.sival_int == 77);
}

/* What is behind the fields of a signal's kind is 0 for whoever gets it, and not lost unnoticed. */
static void a_sender_cannot_say_more_than_arrives(void)
{
	siginfo_t info = { .si_code = -61 };
	uint8_t *last = (uint8_t *)&info + sizeof(info) - 1;
	sigset_t set;

	handle(SIGUSR1, note);
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info) == 0);
	CHECK_EQ(told.si_code, -61);
	*last = 1;
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info) == -1 && errno == E2BIG);
	info.si_code = SI_QUEUE;
	handle(SIGUSR1, note);
	memset((void *)&told, 0xff, sizeof(told));
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info) == 0);
	CHECK(told.si_code == SI_QUEUE && ((volatile uint8_t *)&told)[sizeof(told) - 1] == 0);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(kill(getpid(), SIGUSR2) == 0);
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
	CHECK(info.si_code == SI_USER && info.si_pid == getpid() && *last == 0);
}

/* Without SA_SIGINFO a handler finds its context, and the program its registers, nevertheless. */
static volatile uint64_t context_stack;
static void as_many_are_queued_as_the_limit_says(void)
{
	struct rlimit limit;
	sigset_t set;
	rlim_t sent = 0;

	CHECK(getrlimit(RLIMIT_SIGPENDING, &limit) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	while (sent <= limit.rlim_cur && sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ 0 }) == 0)
		sent++;
	CHECK(errno == EAGAIN);
	CHECK_EQ(sent, limit.rlim_cur);
	signal(SIGRTMIN + 1, SIG_IGN); /* drops them */
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

#define RECEIVERS 20

/* Each of whom has a queue of its own. */
static void a_user_has_only_so_many_in_all(void)
{
	sigset_t set, old;
	pid_t child[RECEIVERS];
	long sent = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	for (int i = 0; i < RECEIVERS; i++) {
		child[i] = fork();
		while (child[i] == 0)
			pause();
		CHECK(child[i] > 0);
		while (sigqueue(child[i], SIGRTMIN + 1, (union sigval){ 0 }) == 0)
			sent++;
		CHECK_EQ(errno, EAGAIN);
	}
	CHECK(sent > 4096 && sent <= 16384);
	CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ 0 }) == -1 && errno == EAGAIN);
	for (int i = 0; i < RECEIVERS; i++) {
		CHECK(kill(child[i], SIGKILL) == 0);
		CHECK(waitpid(child[i], NULL, 0) == child[i]);
	}
	CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ 7 }) == 0);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGRTMIN + 1);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void plain(int number, siginfo_t *info, void *context)
{
	context_stack = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
}

static void a_plain_handler_has_a_context(void)
{
	struct sigaction action = { .sa_sigaction = plain };
	volatile char here;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(context_stack <= (uint64_t)&here && context_stack > (uint64_t)&here - 4096);
}

static void calls_that_end_with_a_signal_tell_of_their_caller(void)
{
	int fds[2], fd = memfd_create("limited", 0);
	struct rlimit old, limit;

	handle(SIGPIPE, note);
	CHECK(pipe(fds) == 0);
	close(fds[0]);
	CHECK(write(fds[1], "x", 1) == -1 && errno == EPIPE);
	CHECK_EQ(told.si_signo, SIGPIPE);
	CHECK(told.si_code == SI_USER && told.si_pid == getpid());
	close(fds[1]);

	handle(SIGXFSZ, note);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	limit = (struct rlimit){ 10, old.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(ftruncate(fd, 11) == -1 && errno == EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK_EQ(told.si_signo, SIGXFSZ);
	CHECK(told.si_code == SI_USER && told.si_pid == getpid());
	close(fd);
}

static void the_system_is_the_sender_of_an_alarm(void)
{
	struct itimerval soon = { { 0, 0 }, { 0, 1000 } };

	handle(SIGALRM, note);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	while (told.si_signo != SIGALRM)
		usleep(1000);
	CHECK_EQ(told.si_code, SI_KERNEL);
}

int main(void)
{
	RUN(a_missing_page_and_a_missing_right_are_told_apart);
	RUN(the_end_of_a_mapped_file_is_told);
	RUN(exceptions_are_told_as_linux_does);
	RUN(senders_are_told);
	RUN(a_sender_cannot_say_more_than_arrives);
	RUN(as_many_are_queued_as_the_limit_says);
	RUN(a_user_has_only_so_many_in_all);
	RUN(a_plain_handler_has_a_context);
	RUN(calls_that_end_with_a_signal_tell_of_their_caller);
	RUN(the_system_is_the_sender_of_an_alarm);
	return test_result();
}
