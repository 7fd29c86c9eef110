/* SPDX-License-Identifier: MIT */
/*
 * Little memory left: calls say so, or one program dies; nothing else does.  A hog takes all but so
 * many pages, others fork, exec, make threads, map and use files, and afterwards all is as before.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

#define PAGE 4096

static long free_pages(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (long)(info.freeram * info.mem_unit / PAGE);
}

/* How much rather than others a process is to be ended for its memory. */
static bool adjust(pid_t pid, int by)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", pid);
	int fd = open(name, O_WRONLY);
	bool done = fd >= 0 && dprintf(fd, "%d", by) > 0;

	close(fd);
	return done;
}

static pid_t parent_of(pid_t pid)
{
	char name[64], text[512] = "";
	int parent = 0;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	int fd = open(name, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	CHECK_EQ(sscanf(strrchr(text, ')') + 1, " %*c %d", &parent), 1);
	return parent;
}

/* This process, its children to come, and those that wait for it: the test's shell. */
static void adjust_all(int by)
{
	for (pid_t pid = getpid(); pid > 1; pid = parent_of(pid))
		CHECK(adjust(pid, by));
}

/* A process that holds all memory but `left` pages until it is killed; it stops when it has them,
 * which takes no memory to tell.  0: it was ended when it took the last.  As a last resort it is
 * ended after all who take little, but before those who are protected. */
static pid_t hog(long left, bool last_resort)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* none of it outlives this program */
		if (last_resort && !adjust(getpid(), -999))
			_exit(1);
		for (;;) {
			long n = free_pages() - left;

			if (n <= 0)
				break;
			char *p = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (long i = 0; p != MAP_FAILED && i < n && free_pages() > left; i++)
				p[i * PAGE] = 1;
		}
		raise(SIGSTOP);
		syscall(SYS_exit, 0); /* of the thread, which is the last one */
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	if (WIFSTOPPED(status))
		return child;
	CHECK_EQ(status, SIGKILL);
	return 0;
}

static void *use_stack(void *argument)
{
	volatile char local[10000];

	local[0] = local[9999] = 1;
	return NULL;
}

/* In a child, which may well die of it. */
static void try_everything(void)
{
	pthread_t thread;
	int ends[2], fd = open("/tmp/oom", O_CREAT | O_RDWR, 0600);
	static char block[65536];

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
		if (pthread_create(&thread, NULL, use_stack, NULL) == 0)
			pthread_join(thread, NULL);
		char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (p != MAP_FAILED)
			munmap(p, 64 * PAGE);
		write(fd, block, sizeof(block));
		if (pipe(ends) == 0) {
			fcntl(ends[1], F_SETFL, O_NONBLOCK);
			write(ends[1], block, sizeof(block));
			close(ends[0]);
			close(ends[1]);
		}
		if (socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, ends) == 0) {
			send(ends[1], block, sizeof(block), MSG_DONTWAIT);
			close(ends[0]);
			close(ends[1]);
		}
	}
	close(fd);
}

static void survive_with(long left)
{
	long before = free_pages();
	pid_t greedy = hog(left, true);

	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		if (child == 0) {
			if (adjust(getpid(), 0))
				try_everything();
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	if (greedy) {
		kill(greedy, SIGKILL);
		CHECK(waitpid(greedy, NULL, 0) == greedy);
	}
	unlink("/tmp/oom");
	for (int tries = 0; before - free_pages() > 256 && tries < 100; tries++)
		usleep(10000);
	CHECK(before - free_pages() <= 256);
	pid_t child = fork(); /* and everything works again */

	CHECK(child >= 0);
	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

static void with_little_left(void)
{
	static const long left[] = { 400, 200, 100, 60, 40, 30, 20, 15, 10, 5, 2, 0 };

	adjust_all(-1000);
	for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		survive_with(left[i]);
	adjust_all(0);
}

/* A child takes so many pages, and is not ended. */
static void modest_has(long wanted)
{
	pid_t modest = fork();
	int status;

	if (modest == 0) {
		char *p = mmap(NULL, (size_t)wanted * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (long i = 0; p != MAP_FAILED && i < wanted; i++)
			p[i * PAGE] = 1;
		_exit(p == MAP_FAILED);
	}
	CHECK(modest > 0);
	CHECK_EQ(waitpid(modest, &status, 0), modest);
	CHECK_EQ(status, 0);
}

/* Who takes little is not ended in the place of who took all. */
static void the_largest_is_ended(void)
{
	pid_t greedy = hog(300, false);
	int status;

	CHECK(greedy > 0);
	modest_has(16000); /* more than the stacks of ended tasks and the like would give */
	kill(greedy, SIGCONT); /* it ends by itself, if it was not ended */
	CHECK_EQ(waitpid(greedy, &status, 0), greedy);
	CHECK_EQ(status, SIGKILL);
}

#define SPAN (512l * PAGE) /* of a page table */

/* All but `left` pages as page tables: each is for one page, which is given back again. */
static void take_tables(long left)
{
	const size_t size = 1ul << 40;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (size_t at = 0; p != MAP_FAILED && at < size && free_pages() > left; at += SPAN) {
		p[at] = 1;
		madvise(p + at, PAGE, MADV_DONTNEED);
	}
}

static void tables_count_as_what_they_are_for(void)
{
	pid_t greedy = fork();
	int status;

	if (greedy == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		take_tables(300);
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(waitpid(greedy, &status, WUNTRACED), greedy);
	CHECK(WIFSTOPPED(status));
	modest_has(4000);
	kill(greedy, SIGCONT); /* it ends by itself, if it was not ended */
	CHECK_EQ(waitpid(greedy, &status, 0), greedy);
	CHECK_EQ(status, SIGKILL);
}

#define FILES 900

/* Takes nearly all there is, and more as soon as the last of the other ends is closed. */
static int takes_when_it_is_closed(int end)
{
	enum { WANTED = 8000 };
	char *p = mmap(NULL, WANTED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	long i = 0;
	char c;

	if (p == MAP_FAILED)
		return 1;
	for (; i < WANTED && free_pages() > 50; i++)
		p[i * PAGE] = 1;
	if (read(end, &c, 1) != 0)
		return 2;
	for (; i < WANTED; i++)
		p[i * PAGE] = 1;
	return 0;
}

/* Who ends by himself gives back what he has: while he closes his files, the first of which is waited for
 * on another CPU, who needs a page is not ended, nor anybody else. */
static void who_ends_by_himself_is_waited_for(void)
{
	int ends[2], more[FILES], status;
	pid_t greedy, modest;

	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < FILES; i++)
		CHECK((more[i] = open("/tmp/oom", O_CREAT | O_RDWR, 0600)) >= 0);
	greedy = hog(300, false);
	close(ends[1]);
	for (int i = 0; i < FILES; i++)
		close(more[i]);
	unlink("/tmp/oom");
	CHECK(greedy > 0);
	modest = fork();
	if (modest == 0)
		_exit(takes_when_it_is_closed(ends[0]));
	CHECK(modest > 0);
	wait_asleep(modest, modest);
	kill(greedy, SIGCONT);
	CHECK_EQ(waitpid(modest, &status, 0), modest);
	CHECK_EQ(status, 0);
	CHECK_EQ(waitpid(greedy, &status, 0), greedy);
	close(ends[0]);
}

/* In a process whose pages another one has as well: each lock that is left at the end needs a page of its
 * own, to say so in it, and there is no memory for so many.  What is said at the end is said all the same.
 * */
static void end_with_locks(void)
{
	enum { LOCKS = 2000 };
	static struct {
		char *first;
		long offset;
		void *pending;
	} head = { .offset = sizeof(char *) };
	char *pages = mmap(NULL, LOCKS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || !adjust(getpid(), 1000))
		_exit(1);
	head.first = pages;
	for (int i = 0; i < LOCKS; i++) {
		char *page = pages + i * PAGE;

		*(char **)page = i + 1 < LOCKS ? page + PAGE : (char *)&head;
		*(int *)(page + sizeof(char *)) = gettid();
	}
	syscall(SYS_set_robust_list, &head, sizeof(head));
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	raise(SIGSTOP);
	_exit(33);
}

static void an_exit_has_the_last_word(void)
{
	pid_t child, greedy;
	int status;

	adjust_all(-1000);
	child = fork();
	if (child == 0)
		end_with_locks();
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	greedy = hog(100, true);
	CHECK(greedy > 0 && kill(child, SIGCONT) == 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	kill(greedy, SIGKILL);
	CHECK_EQ(waitpid(greedy, NULL, 0), greedy);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 33);
	adjust_all(0);
}

static void protection_is_inherited_and_checked(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR);
	char text[16] = "";

	CHECK(fd >= 0);
	CHECK(write(fd, "1001", 4) < 0 && errno == EINVAL);
	CHECK(write(fd, "-", 1) < 0 && errno == EINVAL);
	CHECK_EQ(write(fd, "-17", 3), 3);
	pid_t child = fork();

	if (child == 0) {
		int mine = open("/proc/self/oom_score_adj", O_RDWR);

		read(mine, text, sizeof(text));
		if (strcmp(text, "-17\n") != 0 || setuid(1000) != 0)
			_exit(1);
		_exit(write(mine, "-18", 3) < 0 && errno == EACCES ? 0 : 2);
	}
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(write(fd, "0", 1), 1);
	close(fd);
}

int main(void)
{
	RUN(the_largest_is_ended);
	RUN(tables_count_as_what_they_are_for);
	RUN(who_ends_by_himself_is_waited_for);
	RUN(protection_is_inherited_and_checked);
	RUN(an_exit_has_the_last_word);
	RUN(with_little_left);
	return test_result();
}
