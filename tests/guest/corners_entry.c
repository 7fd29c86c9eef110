/* SPDX-License-Identifier: MIT */
/* Other ways into the system than the C library's, calls that signals end or do not, and what /proc says of
 * those who are no more. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define ENTRY 0x7f0000000000ul /* scripts/musl/exo_call.h */
#define NOWHERE 0x800000000000ul
#define UNKNOWN 5000
#define WITH_ZEROS "/tmp/corners_zeros" /* this program, with one more segment */
#define LONG_WORD 9000                  /* with it the command line does not fit a page */

/* As in programs that were made for Linux. */
static long by_instruction(long number, long a, const void *b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

/* By a call, but not as the C library calls. */
static long by_another_call(long number, long a, const void *b, long c)
{
	long result;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tcall *%%rbx\n\tlea 128(%%rsp), %%rsp"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : "a"(number), "b"(ENTRY)
			 : "rcx", "r8", "r9", "r10", "r11", "cc", "memory");
	return result;
}

static void unknown_calls_are_told_so(void)
{
	CHECK_EQ(by_instruction(UNKNOWN, 0, NULL, 0), -ENOSYS);
	CHECK_EQ(by_another_call(UNKNOWN, 0, NULL, 0), -ENOSYS);
	CHECK_EQ(by_instruction(SYS_getpid, 0, NULL, 0), getpid());
	CHECK_EQ(by_another_call(SYS_getpid, 0, NULL, 0), getpid());
}

/* By a call that is to return to where nobody can be. */
static _Noreturn void call_for_ever(long number, long a, const void *b, long d)
{
	register long fourth __asm__("r10") = d;

	__asm__ volatile("xor %%edx, %%edx\n\tpush %%rbx\n\tjmp *%%rcx"
			 :
			 : "a"(number), "D"(a), "S"(b), "r"(fourth), "b"(NOWHERE), "c"(ENTRY)
			 : "memory");
	__builtin_unreachable();
}

static sigjmp_buf back;
static volatile uint64_t shown[NSIG]; /* where the program was, to the handler of each signal */

static void notes_where(int number, siginfo_t *info, void *context)
{
	const ucontext_t *c = context;

	(void)info;
	shown[number] = (uint64_t)c->uc_mcontext.gregs[REG_RIP];
	if (number == SIGSEGV)
		siglongjmp(back, 1);
}

/* Handlers are shown addresses that can be gone back to. */
static void a_call_that_cannot_return_is_a_fault(void)
{
	struct sigaction act = { .sa_sigaction = notes_where, .sa_flags = SA_SIGINFO }, old[2];
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	CHECK(sigaction(SIGSEGV, &act, &old[0]) == 0 && sigaction(SIGUSR1, &act, &old[1]) == 0);
	shown[SIGSEGV] = 1;
	if (sigsetjmp(back, 1) == 0)
		call_for_ever(SYS_getppid, 0, NULL, 0);
	CHECK(shown[SIGSEGV] != 1);
	shown[SIGSEGV] = 1;
	if (sigsetjmp(back, 1) == 0) {
		sigprocmask(SIG_BLOCK, &one, NULL);
		raise(SIGUSR1);
		call_for_ever(SYS_rt_sigprocmask, SIG_UNBLOCK, &one, sizeof(uint64_t));
	}
	CHECK_EQ(shown[SIGSEGV], 0);
	CHECK(shown[SIGUSR1] != 0 && shown[SIGUSR1] != NOWHERE);
	sigaction(SIGSEGV, &old[0], NULL);
	sigaction(SIGUSR1, &old[1], NULL);
}

/* ---- signals */

static int ends[2];
static volatile sig_atomic_t alarms, wanted;

/* The first may come before anybody sleeps. */
static void counts_and_writes(int number)
{
	if (++alarms == wanted && write(ends[1], "x", 1) != 1)
		_exit(98);
}

static void alarms_every_ms(unsigned ms)
{
	struct itimerval every = { { 0, (suseconds_t)ms * 1000 }, { 0, (suseconds_t)ms * 1000 } };

	CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void check_restart(long (*call)(long, long, const void *, long))
{
	struct sigaction action = { .sa_handler = counts_and_writes, .sa_flags = SA_RESTART };
	char byte = 0;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	alarms = 0;
	wanted = 3;
	alarms_every_ms(5);
	CHECK_EQ(call(SYS_read, ends[0], &byte, 1), 1);
	alarms_every_ms(0);
	CHECK_EQ(byte, 'x');
	CHECK(alarms >= 3);
	signal(SIGALRM, SIG_DFL);
	close(ends[0]);
	close(ends[1]);
}

static void calls_are_restarted_however_they_were_made(void)
{
	check_restart(by_instruction);
	check_restart(by_another_call);
}

/* sigsuspend(2) ends with a handler.  What is ignored, and was only kept while it was blocked, has none; and
 * the mask that comes back at the end is the one from before. */
static volatile sig_atomic_t right, wrong;

static void looks_at_its_arguments(int number, siginfo_t *info, void *context)
{
	const ucontext_t *c = context;

	if ((number == SIGUSR1 || number == SIGUSR2) && info->si_signo == number &&
	    c->uc_mcontext.gregs[REG_RSP] != 0)
		right++;
	else
		wrong++;
}

/* The handler of one is interrupted before its first instruction. */
static void two_signals_at_once_have_each_its_arguments(void)
{
	struct sigaction look = { .sa_sigaction = looks_at_its_arguments, .sa_flags = SA_SIGINFO };
	sigset_t both;

	CHECK(sigaction(SIGUSR1, &look, NULL) == 0 && sigaction(SIGUSR2, &look, NULL) == 0);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	right = wrong = 0;
	CHECK_EQ(sigprocmask(SIG_BLOCK, &both, NULL), 0);
	CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &both, NULL), 0);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(right, 2);
	CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR && signal(SIGUSR2, SIG_DFL) != SIG_ERR);
}

static void an_ignored_signal_ends_no_wait(void)
{
	sigset_t child_only, none, now;
	siginfo_t info;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &child_only, NULL), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(signal(SIGALRM, counts_and_writes) == SIG_ERR, 0);
	alarms = wanted = 0;
	alarms_every_ms(5);
	CHECK(sigsuspend(&none) == -1 && errno == EINTR);
	alarms_every_ms(0);
	CHECK(alarms > 0);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &child_only, &now), 0);
	CHECK_EQ(sigismember(&now, SIGCHLD), 1);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	signal(SIGALRM, SIG_DFL);
}

/* sigtimedwait(2): a handler of another signal ends it, and then runs. */
/* It comes before the call returns, though nothing but time has ended the call. */
static void what_a_call_kept_out_comes_with_its_end(void)
{
	struct sigaction count = { .sa_handler = counts_and_writes }, old;
	struct itimerval once = { .it_value.tv_usec = 5000 };
	struct timespec limit = { .tv_nsec = 30000000 };
	sigset_t alarm;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(sigaction(SIGALRM, &count, &old), 0);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	alarms = 0;
	CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
	CHECK_EQ(ppoll(NULL, 0, &limit, &alarm), 0);
	CHECK_EQ(alarms, 1);
	CHECK_EQ(sigaction(SIGALRM, &old, NULL), 0);
	CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void a_handler_ends_the_wait_for_another_signal(void)
{
	struct timespec long_time = { 1000, 0 };
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
	CHECK(signal(SIGALRM, counts_and_writes) != SIG_ERR);
	alarms = wanted = 0;
	alarms_every_ms(5);
	CHECK(syscall(SYS_rt_sigtimedwait, &usr1, NULL, &long_time, 8) == -1 && errno == EINTR);
	alarms_every_ms(0);
	CHECK(alarms > 0);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
	signal(SIGALRM, SIG_DFL);
}

/* ---- /proc and exec */

/* How many names there are besides . and .. */
static unsigned names_in(DIR *directory)
{
	unsigned count = 0;

	rewinddir(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	return count;
}

/* A process that has ended has its one thread, and no program, until it is waited for; then nothing. */
static void a_zombie_has_one_thread_and_no_program(void)
{
	char path[64];
	struct stat now;
	siginfo_t info;
	DIR *directory;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	CHECK(stat(path, &now) == -1 && errno == ENOENT);
	snprintf(path, sizeof(path), "/proc/%d/task", child);
	directory = opendir(path);
	CHECK(directory != NULL);
	CHECK_EQ(names_in(directory), 1);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(names_in(directory), 0);
	closedir(directory);
}

/* The program that a_segment_may_be_without_a_file() makes: are there zeros, which may be written to? */
static int has_zeros(void)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)((const char *)p - sizeof(*header));
	uintptr_t base = header->e_type == ET_DYN ? (uintptr_t)header : 0;

	for (unsigned long left = getauxval(AT_PHNUM); left > 0; left--, p++) {
		volatile char *bytes = (volatile char *)(base + p->p_vaddr);

		if (p->p_type != PT_LOAD || p->p_filesz > 0)
			continue;
		for (unsigned i = 0; i < p->p_memsz; i++)
			if (bytes[i]++ != 0)
				return 1;
		return 0;
	}
	return 2;
}

/* Makes the segment that says what rights the stack has one more of memory, behind all others. */
static bool add_segment(char *image)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(image + ((Elf64_Ehdr *)image)->e_phoff), *stack = NULL;
	Elf64_Addr end = 0;

	for (unsigned i = 0; i < ((Elf64_Ehdr *)image)->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD)
			end = p[i].p_vaddr + p[i].p_memsz;
		if (p[i].p_type == PT_GNU_STACK)
			stack = &p[i];
	}
	if (!stack || end == 0)
		return false;
	*stack = (Elf64_Phdr){ .p_type = PT_LOAD,
			       .p_flags = PF_R | PF_W,
			       .p_align = 4096,
			       .p_offset = 16,
			       .p_vaddr = (end + 8191) / 4096 * 4096 + 16,
			       .p_memsz = 9000 };
	return true;
}

static void a_segment_may_be_without_a_file(void)
{
	static char image[4 << 20];
	int fd = open("/proc/self/exe", O_RDONLY), status;
	ssize_t size = read(fd, image, sizeof(image));

	close(fd);
	CHECK(size > 0 && size < (ssize_t)sizeof(image));
	CHECK(add_segment(image));
	fd = open(WITH_ZEROS, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	CHECK_EQ(write(fd, image, (size_t)size), size);
	close(fd);
	pid_t child = fork();
	if (child == 0) {
		execl(WITH_ZEROS, WITH_ZEROS, NULL);
		_exit(99);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(unlink(WITH_ZEROS), 0);
}

/* The program that a_long_command_line_is_shown_whole() runs: its status. */
static int finds_its_words(char **words)
{
	static char text[2 * LONG_WORD];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	size_t got = 0, at = 0;

	for (ssize_t n; (n = read(fd, text + got, sizeof(text) - got)) > 0;)
		got += (size_t)n;
	for (; *words; at += strlen(*words++) + 1)
		if (at >= got || strcmp(text + at, *words) != 0)
			return 1;
	return at != got;
}

static void a_long_command_line_is_shown_whole(void)
{
	static char word[LONG_WORD];
	int status;
	pid_t child = fork();

	memset(word, 'x', sizeof(word) - 1);
	if (child == 0) {
		execl("/proc/self/exe", "corners_entry", word, NULL);
		_exit(99);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void a_program_may_have_a_long_path(void)
{
	char path[1024] = "";
	int status;
	pid_t child;

	for (unsigned i = 0; i < 100; i++)
		strcat(path, "/bin/..");
	strcat(path, "/bin/true");
	child = fork();
	if (child == 0) {
		execl(path, "true", NULL);
		_exit(99);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void a_line_of_words_has_no_zero_byte(void)
{
	int fd = open("/proc/exo/sched", O_WRONLY);

	CHECK(fd >= 0);
	CHECK(write(fd, "fifo\0s", 6) == -1 && errno == ENOENT);
	close(fd);
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], WITH_ZEROS) == 0)
		return has_zeros();
	if (argc > 1)
		return finds_its_words(argv);
	RUN(unknown_calls_are_told_so);
	RUN(a_call_that_cannot_return_is_a_fault);
	RUN(calls_are_restarted_however_they_were_made);
	RUN(two_signals_at_once_have_each_its_arguments);
	RUN(an_ignored_signal_ends_no_wait);
	RUN(what_a_call_kept_out_comes_with_its_end);
	RUN(a_handler_ends_the_wait_for_another_signal);
	RUN(a_zombie_has_one_thread_and_no_program);
	RUN(a_long_command_line_is_shown_whole);
	RUN(a_segment_may_be_without_a_file);
	RUN(a_program_may_have_a_long_path);
	RUN(a_line_of_words_has_no_zero_byte);
	return test_result();
}
