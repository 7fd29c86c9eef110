/* SPDX-License-Identifier: MIT */
/*
 * Little memory left: calls say so, or one program dies; nothing else does.  A hog takes all but so
 * many pages, others fork, exec, make threads, map and use files, and afterwards all is as before.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096

static long free_pages(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (long)(info.freeram * info.mem_unit / PAGE);
}

/* A process that holds all memory but `left` pages until it is killed. */
static pid_t hog(long left)
{
	int ends[2];
	char c;

	if (pipe(ends) != 0)
		return -1;
	pid_t child = fork();

	if (child == 0) {
		for (;;) {
			long n = free_pages() - left;

			if (n <= 0)
				break;
			char *p = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (long i = 0; p != MAP_FAILED && i < n && free_pages() > left; i++)
				p[i * PAGE] = 1;
		}
		write(ends[1], "x", 1);
		for (;;)
			pause();
	}
	close(ends[1]);
	read(ends[0], &c, 1);
	close(ends[0]);
	return child;
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
	}
	close(fd);
}

static void survive_with(long left)
{
	long before = free_pages();
	pid_t greedy = hog(left);

	CHECK(greedy > 0);
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		if (child == 0) {
			try_everything();
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	kill(greedy, SIGKILL);
	CHECK(waitpid(greedy, NULL, 0) == greedy);
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

	for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		survive_with(left[i]);
}

int main(void)
{
	RUN(with_little_left);
	return test_result();
}
