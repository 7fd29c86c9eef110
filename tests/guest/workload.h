/* SPDX-License-Identifier: MIT */
/*
 * A worker that does all kinds of things, in an order that its seed says, until it is ended: pipes,
 * memory, threads, programs, files, sleeps, stops.  What a call cannot do for lack of something, it
 * leaves undone.  `slot` names its file; _GNU_SOURCE is set.
 *
 *     pid = fork();
 *     if (pid == 0)
 *             work(slot, seed, 0);
 */
#ifndef TESTS_GUEST_WORKLOAD_H
#define TESTS_GUEST_WORKLOAD_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_BLOCK 65536
#define WORK_DIRECTORY "/tmp/work-%d-names"

extern char **environ;

static char name_of_work[] = "/tmp/work";
static unsigned turn; /* its own random numbers */

static unsigned pick(unsigned n)
{
	return (unsigned)rand_r(&turn) % n;
}

static void wait_for(pid_t child)
{
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void send_through_a_pipe(int slot)
{
	static char block[WORK_BLOCK];
	int ends[2];

	if (pipe(ends) != 0)
		return;
	pid_t child = fork();

	if (child == 0) {
		close(ends[0]);
		for (int i = 0; i < 4; i++)
			if (write(ends[1], block, sizeof(block)) < 0)
				break;
		_exit(0);
	}
	close(ends[1]);
	while (read(ends[0], block, sizeof(block)) > 0)
		;
	close(ends[0]);
	wait_for(child);
}

/* A message with a file in it, or what is left of it, that nobody may come to read. */
static void send_through_a_socket(int slot)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	static char block[WORK_BLOCK];
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec vector = { block, WORK_BLOCK / 2 };
	struct msghdr m = { .msg_iov = &vector,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int ends[2], event;

	if (socketpair(AF_UNIX, kinds[pick(3)], 0, ends) != 0)
		return;
	event = eventfd(0, 0);
	memcpy(CMSG_DATA(&control.header), &event, sizeof(event));
	for (int i = 0; i < 4; i++)
		sendmsg(ends[0], &m, MSG_DONTWAIT);
	close(event);
	pid_t child = fork();

	if (child == 0) {
		close(ends[0]);
		for (int i = pick(4); i > 0 && recvmsg(ends[1], &m, MSG_DONTWAIT) > 0; i--)
			m.msg_controllen = sizeof(control);
		_exit(0);
	}
	close(ends[1]);
	send(ends[0], block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(ends[0]);
	wait_for(child);
}

static void touch_memory(int slot)
{
	int kind = pick(2) ? MAP_PRIVATE : MAP_SHARED;
	char *p = mmap(NULL, WORK_BLOCK, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	memset(p, 1, WORK_BLOCK);
	pid_t child = fork();

	memset(p, 2, WORK_BLOCK);
	if (child == 0)
		_exit(p[100]);
	wait_for(child);
	munmap(p, WORK_BLOCK);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_and_touch(void *argument)
{
	volatile char local[20000];

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		local[i * 100] = (char)i;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(intptr_t)local[0];
}

static void use_threads(int slot)
{
	pthread_t thread[3];
	int n = 0;

	while (n < 3 && pthread_create(&thread[n], NULL, lock_and_touch, NULL) == 0)
		n++;
	while (n > 0)
		pthread_join(thread[--n], NULL);
}

static void run_a_program(int slot)
{
	char *arguments[] = { "true", NULL };
	pid_t child;

	if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0)
		wait_for(child);
}

static void work_file_name(char name[32], int slot)
{
	snprintf(name, 32, "/tmp/work-%d", slot);
}

static void use_a_file(int slot)
{
	char name[32];

	work_file_name(name, slot);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return;
	for (int i = 0; i < 16; i++)
		write(fd, name, sizeof(name));
	ftruncate(fd, WORK_BLOCK);
	char *p = mmap(NULL, WORK_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	if (p != MAP_FAILED) {
		memset(p, 3, WORK_BLOCK);
		munmap(p, WORK_BLOCK);
	}
	if (pick(2))
		unlink(name);
}

static void sleep_a_while(int slot)
{
	struct itimerval timer = { .it_value.tv_usec = 1000 };
	struct pollfd none = { .fd = -1 };

	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &timer, NULL);
	if (pick(2))
		usleep(pick(5000));
	else
		poll(&none, 1, (int)pick(5));
}

/* Names in a directory of its own: files, links, a FIFO, and what /proc says of us. */
static void use_names(int slot)
{
	char name[64], inner[64], text[256];
	int fd;

	snprintf(name, sizeof(name), WORK_DIRECTORY, slot);
	mkdir(name, 0700);
	for (int i = 0; i < 4; i++) {
		snprintf(inner, sizeof(inner), WORK_DIRECTORY "/%d", slot, i);
		if (i == 0)
			mkfifo(inner, 0600);
		else if (i == 1)
			symlink(name, inner);
		else
			close(open(inner, O_CREAT | O_RDWR, 0600));
	}
	snprintf(text, sizeof(text), WORK_DIRECTORY "/4", slot);
	rename(inner, text);
	link(text, inner);
	DIR *d = opendir(name);

	while (d && readdir(d))
		;
	if (d)
		closedir(d);
	fd = open("/proc/self/maps", O_RDONLY);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void use_vectors(int slot)
{
	struct iovec vector[40];
	struct pollfd polled[40];
	int ends[2], event = eventfd(1, EFD_NONBLOCK);
	fd_set set;
	struct timeval now = { 0 };

	if (pipe(ends) == 0) {
		FD_ZERO(&set);
		FD_SET(ends[0], &set);
		for (int i = 0; i < 40; i++) {
			vector[i] = (struct iovec){ name_of_work, sizeof(name_of_work) };
			polled[i] = (struct pollfd){ .fd = ends[i % 2], .events = POLLIN | POLLOUT };
		}
		writev(ends[1], vector, 40);
		poll(polled, 40, 0);
		select(ends[0] + 1, &set, NULL, NULL, &now);
		fcntl(ends[0], F_SETPIPE_SZ, 1 << 18);
		close(ends[0]);
		close(ends[1]);
	}
	close(event);
}

static void use_signals_and_locks(int slot)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 };
	union sigval value = { 0 };
	char name[32];
	timer_t timer;

	signal(SIGRTMIN, SIG_IGN);
	for (int i = 0; i < 4; i++)
		sigqueue(getpid(), SIGRTMIN, value);
	if (timer_create(CLOCK_MONOTONIC, &none, &timer) == 0)
		timer_delete(timer);
	work_file_name(name, slot);
	int fd = open(name, O_RDWR | O_CREAT, 0600);

	for (int i = 0; i < 4; i++, lock.l_start += 20)
		fcntl(fd, F_SETLK, &lock);
	lock.l_start = 0;
	lock.l_type = F_UNLCK;
	fcntl(fd, F_SETLK, &lock);
	close(fd);
}

/* Regions that are cut, moved and joined, in two threads at once. */
static void *change_regions(void *argument)
{
	char *p = mmap(NULL, WORK_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p[0] = 1;
	mprotect(p + 4096, 4096, PROT_READ);
	munmap(p + 16384, 4096);
	char *q = mremap(p + 20480, 8192, 32768, MREMAP_MAYMOVE);

	if (q != MAP_FAILED) {
		q[16384] = 1;
		munmap(q, 32768);
	}
	munmap(p, WORK_BLOCK);
	return NULL;
}

static void use_regions(int slot)
{
	pthread_t thread;
	bool two = pthread_create(&thread, NULL, change_regions, NULL) == 0;

	change_regions(NULL);
	if (two)
		pthread_join(thread, NULL);
}

static void compute(int slot)
{
	for (volatile unsigned i = 0; i < 200000; i++)
		;
}

/* Until it is killed: in the middle of a stop, of a sleep without end, or of a wait for a child. */
static void wait_for_the_end(int slot)
{
	if (pick(4))
		return;
	pid_t child = fork();

	if (child == 0) {
		if (pick(2))
			raise(SIGSTOP);
		pause();
	}
	wait_for(child);
}

static void (*const work_kinds[])(int slot) = {
	send_through_a_pipe, send_through_a_socket, touch_memory,
	use_threads,         run_a_program,         use_a_file,
	use_names,           use_vectors,           use_signals_and_locks,
	use_regions,         sleep_a_while,         compute,
	wait_for_the_end
};

/* So many turns, or for ever (0); the last kind has no end, so it is for those who are ended. */
static _Noreturn void work(int slot, unsigned number, unsigned turns)
{
	unsigned kinds = sizeof(work_kinds) / sizeof(work_kinds[0]) - (turns != 0);

	turn = number;
	for (unsigned i = 0; turns == 0 || i < turns; i++)
		work_kinds[pick(kinds)](slot);
	_exit(0);
}

/* What it has left in /tmp, by whoever has ended it. */
static void work_clean(int slot)
{
	char name[64];

	work_file_name(name, slot);
	unlink(name);
	for (int i = 0; i <= 4; i++) {
		snprintf(name, sizeof(name), WORK_DIRECTORY "/%d", slot, i);
		unlink(name);
	}
	snprintf(name, sizeof(name), WORK_DIRECTORY, slot);
	rmdir(name);
}

/* What stays when they are gone: the room in /tmp for so many names, and of the program that is started the
 * page that is not whole in the archive, which it may come to only when it fails. */
static void work_prepare(int slots)
{
	int program = open("/bin/true", O_RDONLY);
	char name[64];
	struct stat s;

	if (program >= 0 && fstat(program, &s) == 0) {
		void *all = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, program, 0);

		if (all != MAP_FAILED) {
			(void)((volatile char *)all)[s.st_size - 1];
			munmap(all, (size_t)s.st_size);
		}
		close(program);
	}
	for (int i = 0; i < slots; i++) {
		work_file_name(name, i);
		close(open(name, O_RDWR | O_CREAT, 0600));
		snprintf(name, sizeof(name), WORK_DIRECTORY, i);
		mkdir(name, 0700);
	}
	for (int i = 0; i < slots; i++)
		work_clean(i);
}

#endif
