/* SPDX-License-Identifier: MIT */
/*
 * Bad pointers: every system call that takes one is given addresses that are not the program's, and
 * has to answer EFAULT, whichever door it came through.  At the end threads change a buffer's
 * mapping while others use it in calls: then any answer is right, but there must be one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pointer_calls.h"
#include "test.h"

#define RACE_SECONDS 1
#define RACERS 4

/* ---------------------------------------------------------------- the addresses */

static char *page; /* one page that may be used, and none behind it */
static char *read_only, *inaccessible, *unmapped;

/* Places that are never a program's. */
static const uint64_t foreign[] = {
	8,
	PAGE - 8,
	USER_TOP,
	USER_TOP + 8,
	0x7ebf5fafd7e8 /* page tables */,
	0x7effffffffffu & ~7ul,
	0x7f0000000000 /* the libos: text */,
	0x7f0007000000 /* what the kernel tells */,
	0x7f0008000000,
	0x7f003c018000 /* a vcore's page */,
	0x7f003c05e000 /* a stack */,
	0x7f003c180000 /* the heap */,
	0x7f4000000000,
	0x7ffffffffff8,
	0x800000000000,
	0x8000000000000000,
	0xffff7ffffffffff8,
	0xffff800000000000,
	0xffffff8000000000 /* all of memory, the kernel's */,
	0xffffffff80100000,
	0xffffffff80180000 /* its stacks */,
	-PAGE,
	-8ul,
};

static void make_addresses(void)
{
	char *pages = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	page = pages;
	memset(page, 'a', PAGE);
	unmapped = pages + PAGE;
	CHECK_EQ(munmap(unmapped, PAGE), 0);
	read_only = pages + 3 * PAGE;
	memset(read_only, 0, PAGE);
	CHECK_EQ(mprotect(read_only, PAGE, PROT_READ), 0);
	inaccessible = pages + 5 * PAGE;
	memset(inaccessible, 0, PAGE);
	CHECK_EQ(mprotect(inaccessible, PAGE, PROT_NONE), 0);
}

static void put_at(int from, int to)
{
	CHECK(from >= 0);
	CHECK_EQ(dup2(from, to), to);
	close(from);
}

/* With one file that is ready, and one to be changed. */
static void make_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	put_at(epoll_create1(0), EPOLL);
	CHECK_EQ(epoll_ctl(EPOLL, EPOLL_CTL_ADD, FILLED_PIPE, &e), 0);
	CHECK_EQ(epoll_ctl(EPOLL, EPOLL_CTL_ADD, EMPTY_PIPE, &e), 0);
}

/* With a message in it, to be looked at; and ourselves. */
static void make_socket(void)
{
	int ends[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CHECK_EQ(write(ends[1], good, 64), 64);
	put_at(ends[0], SOCKET);
	put_at((int)syscall(SYS_pidfd_open, getpid(), 0), PROCESS);
}

static void make_files(void)
{
	static char text[4096];
	int filled[2], empty[2];

	CHECK_EQ(pipe2(filled, O_NONBLOCK), 0);
	CHECK_EQ(pipe2(empty, O_NONBLOCK), 0);
	while (write(filled[1], text, sizeof(text)) > 0)
		;
	put_at(filled[0], FILLED_PIPE);
	put_at(empty[1], EMPTY_PIPE);
	int file = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(write(file, text, sizeof(text)) == sizeof(text));
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	put_at(file, TEXT_FILE);
	make_epoll();
	put_at((int)syscall(SYS_signalfd4, -1, &empty_set, 8, 0), SIGNALS);
	put_at((int)syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0), TIMER);
	make_socket();
	put_at(open("/bin", O_RDONLY), DIRECTORY);
	put_at(open("/dev/zero", O_RDWR), ZERO);
	put_at(open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK), TERMINAL);
}

/* ---------------------------------------------------------------- calling */

static long through_syscall_instruction(long number, const long a[6])
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long through_library(long number, const long a[6])
{
	long r = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return r == -1 ? -errno : r;
}

static long call_with(const struct call *call, uint64_t pointer, bool library)
{
	long arguments[6];

	memset(good, 0, sizeof(good));
	for (int i = 0; i < 6; i++)
		arguments[i] = call->arguments[i] == BAD ? (long)pointer : call->arguments[i];
	return (library ? through_library : through_syscall_instruction)(call->number, arguments);
}

static int wrong; /* answers, shown as they come */

static void expect_fault(const struct call *call, uint64_t pointer, bool crosses)
{
	for (int library = 0; library < 2; library++) {
		vector.iov_base = signal_argument.set = (void *)pointer;
		long r = call_with(call, pointer, library);
		bool some = crosses && (call->flags & PARTIAL) && r > 0;

		if (r == -EFAULT || some)
			continue;
		printf("%s(%#lx, %#lx, %#lx, %#lx) with %#lx: %ld\n", call->name,
		       call->arguments[0], call->arguments[1], call->arguments[2],
		       call->arguments[3], (unsigned long)pointer, r);
		wrong++;
	}
}

static void expect_faults(const struct call *call)
{
	uint64_t end = (uint64_t)page + PAGE;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		expect_fault(call, foreign[i], false);
	if (!(call->flags & MAY_NULL))
		expect_fault(call, 0, false);
	expect_fault(call, (uint64_t)unmapped, false);
	expect_fault(call, (uint64_t)inaccessible, false);
	if (call->flags & OUT)
		expect_fault(call, (uint64_t)read_only, false);
	memset(page, 'a', PAGE);
	if (call->flags & ALIGNED)
		return;
	expect_fault(call, end - call->size / 2, true);
	expect_fault(call, end - 1, true);
	expect_fault(call, end - call->size + 1, true);
}

#define EXPECT_ALL(calls)                                                                  \
	do {                                                                               \
		wrong = 0;                                                                 \
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)                \
			expect_faults(&calls[i]);                                          \
		CHECK_EQ(wrong, 0);                                                        \
	} while (0)

static void calls_on_files_refuse_bad_pointers(void)
{
	EXPECT_ALL(file_calls);
}

static void calls_on_processes_refuse_bad_pointers(void)
{
	EXPECT_ALL(process_calls);
}

/* A string is read as far as it goes and no further, wherever it starts and ends, and whatever its length. */
static void a_name_may_end_with_its_page(void)
{
	static const char letters[] = "/tmp/abcdefghijklmnopqrstuvwxyz";
	char copy[sizeof(letters)];

	for (size_t length = strlen("/tmp/") + 1; length < sizeof(letters); length++) {
		char *name = page + PAGE - length - 1;

		memcpy(name, letters, length);
		name[length] = 0;
		CHECK_EQ(mkdir(name, 0755), 0);
		memcpy(copy, letters, length);
		copy[length] = 0;
		CHECK_EQ(chdir(copy), 0);
		CHECK_EQ(rmdir(name), 0);
		CHECK_EQ(chdir("/"), 0);
		memmove(name + 1, name, length);
		CHECK(mkdir(name + 1, 0755) == -1 && errno == EFAULT);
		CHECK(access(copy, F_OK) == -1 && errno == ENOENT);
	}
}

/* ---------------------------------------------------------------- calls that need more around them */

static pid_t ended_child(void)
{
	siginfo_t info;
	pid_t child = fork();

	if (child == 0)
		_exit(3);
	CHECK(child > 0);
	CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
	return child;
}

static void waiting_refuses_bad_pointers(void)
{
	static const uint64_t bad[] = { 8, USER_TOP, 0x7f0000000000, 0xffffff8000000000, -8ul };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		void *p = (void *)bad[i];

		CHECK(syscall(SYS_wait4, ended_child(), p, 0, NULL) == -1 && errno == EFAULT);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		CHECK(syscall(SYS_wait4, ended_child(), NULL, 0, p) == -1 && errno == EFAULT);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		CHECK(syscall(SYS_waitid, P_PID, ended_child(), p, WEXITED, NULL) == -1 &&
		      errno == EFAULT);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void timers_refuse_bad_pointers(void)
{
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer_id), 0);
	const struct call calls[] = {
		CALL(timer_settime, IN | MAY_NULL, 32, timer_id, 0, BAD, 0), /* EINVAL */
		CALL(timer_settime, OUT | MAY_NULL, 32, timer_id, 0, GOOD, BAD),
		CALL(timer_gettime, OUT, 32, timer_id, BAD),
	};

	EXPECT_ALL(calls);
	CHECK_EQ(syscall(SYS_timer_delete, timer_id), 0);
}

static void segments_refuse_bad_pointers(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	const struct call calls[] = {
		CALL(shmctl, OUT, 112, id, IPC_STAT, BAD),
		CALL(shmctl, IN, 112, id, IPC_SET, BAD),
	};

	CHECK(id >= 0);
	EXPECT_ALL(calls);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

/* A signal whose frame finds no place ends the process, and only it. */
static void on_signal(int number)
{
}

static void a_bad_stack_pointer_ends_the_process(void)
{
	static const uint64_t bad[] = { 0, 8, USER_TOP + 4096, 0x7f0000002000, 0xffffff8000001000, -8ul };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			signal(SIGUSR1, on_signal);
			/* kill(getpid(), SIGUSR1) on that stack */
			__asm__ volatile("mov %0, %%rsp; syscall; ud2"
					 : : "r"(bad[i]), "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1));
			_exit(0);
		}
		CHECK(child > 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

/* rt_sigreturn takes its frame from the stack pointer, and whatever is in it. */
static void a_bad_signal_frame_ends_the_process(void)
{
	unsigned seed = 4711;

	for (int i = 0; i < 32; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			static unsigned frame[1024] __attribute__((aligned(64)));

			for (int j = 0; j < 1024; j++)
				frame[j] = i & 1 ? rand_r(&seed) * 2654435761u : i * 0x01010101u;
			alarm(5); /* should it be taken for a good one, and loop */
			__asm__ volatile("mov %0, %%rsp; syscall; ud2"
					 : : "r"(i == 0 ? NULL : &frame[256]), "a"(SYS_rt_sigreturn));
			_exit(0);
		}
		CHECK(child > 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status));
		seed += 17;
	}
}

/* ---------------------------------------------------------------- a mapping that changes */

static _Atomic int stop_race;
static _Atomic unsigned long raced_calls;

static void *change_mapping(void *unused)
{
	unsigned seed = 1;

	while (!atomic_load(&stop_race)) {
		static const int rights[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };

		switch (rand_r(&seed) % 4) {
		case 0:
			munmap(page, PAGE);
			break;
		case 1:
			mprotect(page, PAGE, rights[rand_r(&seed) % 3]);
			break;
		default:
			mmap(page, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		}
	}
	return NULL;
}

static void race_through(const struct call *calls, size_t count)
{
	for (size_t i = 0; i < count && !atomic_load(&stop_race); i++) {
		if (!(calls[i].flags & RACED))
			continue;
		for (size_t offset = 0; offset < PAGE; offset += PAGE - calls[i].size / 2) {
			long r = call_with(&calls[i], (uint64_t)page + offset, offset & 1);

			atomic_fetch_add(&raced_calls, 1);
			/* A path of what happens to be in the page opened something. */
			if (r > 2 && (calls[i].number == SYS_open || calls[i].number == SYS_openat))
				close((int)r);
		}
	}
}

static void *use_mapping(void *unused)
{
	vector.iov_base = page;
	while (!atomic_load(&stop_race)) {
		race_through(file_calls, sizeof(file_calls) / sizeof(*file_calls));
		race_through(process_calls, sizeof(process_calls) / sizeof(*process_calls));
	}
	return NULL;
}

static void calls_survive_a_mapping_that_changes(void)
{
	pthread_t users[RACERS], changer;

	CHECK_EQ(pthread_create(&changer, NULL, change_mapping, NULL), 0);
	for (int i = 0; i < RACERS; i++)
		CHECK_EQ(pthread_create(&users[i], NULL, use_mapping, NULL), 0);
	sleep(RACE_SECONDS);
	atomic_store(&stop_race, 1);
	for (int i = 0; i < RACERS; i++)
		CHECK_EQ(pthread_join(users[i], NULL), 0);
	CHECK_EQ(pthread_join(changer, NULL), 0);
	printf("%lu calls\n", atomic_load(&raced_calls));
	CHECK(atomic_load(&raced_calls) > 0);
}

int main(void)
{
	RUN(make_addresses);
	RUN(make_files);
	RUN(calls_on_files_refuse_bad_pointers);
	RUN(calls_on_processes_refuse_bad_pointers);
	RUN(a_name_may_end_with_its_page);
	RUN(waiting_refuses_bad_pointers);
	RUN(timers_refuse_bad_pointers);
	RUN(segments_refuse_bad_pointers);
	RUN(a_bad_stack_pointer_ends_the_process);
	RUN(a_bad_signal_frame_ends_the_process);
	RUN(calls_survive_a_mapping_that_changes);
	unlink(file_name);
	return test_result();
}
