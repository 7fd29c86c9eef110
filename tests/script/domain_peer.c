/* SPDX-License-Identifier: MIT */
/*
 * The programs of domains.py's kind of tests that share something with another domain:
 *
 *	fill NAME BYTES SEED      writes that many bytes into a channel, made from the seed
 *	check NAME BYTES SEED     reads them: "same", or what differs
 *	echo NAME                 sends back what it reads, and opens the channel anew, for ever
 *	scribble KIND NAME        writes random words over the memory of a channel or server, for ever
 *	states NAME VALUE [taken] says this of all requests to a server, once one has been taken or at once
 *
 *	serve NAME [NEXT]         answers: `add A B`, `spin MS`, `sleep MS`, `hang`, `end`,
 *	                          `next A B`, which is `add` of the server NEXT, `interrupt`, which
 *	                          has a signal come to the thread that serves each millisecond,
 *	                          `signals`, how many have come to it between two requests, `posted`,
 *	                          which waits until somebody posts another request, a minute at most
 *	call NAME WHAT [A [B [LIMIT-MS]]]
 *	                          calls it, and prints the answer or what went wrong
 *	calls NAME COUNT          as many additions; the sum of all answers
 *	moved NAME ROUNDS         calls it on CPU 1, and is bound to CPU 0 on the way there: "bound", or
 *	                          what went wrong
 *	late NAME WHAT A B LIMIT-US   how many microseconds after its limit a call without an answer ends
 */
#define _GNU_SOURCE
#include <errno.h>
#include <exo/abi.h>
#include <libos/channel.h>
#include <libos/server.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void start_random(const char *seed)
{
	random_state = strtoul(seed, NULL, 10) * 2654435761u + 1;
}

static int open_or_die(const char *name)
{
	int fd = channel_open(name, 0);

	if (fd < 0) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static int fill(int fd, size_t left)
{
	while (left > 0) {
		unsigned char bytes[3000];
		size_t n = left < sizeof(bytes) ? left : 1 + next_random() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)next_random();
		for (size_t done = 0; done < n;) {
			ssize_t put = write(fd, bytes + done, n - done);

			if (put <= 0) {
				printf("write: %s\n", strerror(errno));
				return 1;
			}
			done += (size_t)put;
		}
		left -= n;
	}
	return 0;
}

/* The writer draws one more number for each of its pieces. */
static int check(int fd, size_t size)
{
	size_t at = 0, piece = 0;

	while (at < size) {
		unsigned char bytes[2500];
		struct pollfd wait = { fd, POLLIN, 0 };
		ssize_t n = poll(&wait, 1, -1) < 0 ? -1 : read(fd, bytes, sizeof(bytes));

		if (n <= 0) {
			printf("%zu bytes came, then %s\n", at, n < 0 ? strerror(errno) : "the end");
			return 1;
		}
		for (ssize_t i = 0; i < n; i++, at++, piece--) {
			if (piece == 0)
				piece = size - at < 3000 ? size - at : 1 + next_random() % 3000;
			if (bytes[i] != (unsigned char)next_random()) {
				printf("byte %zu differs\n", at);
				return 1;
			}
		}
	}
	puts("same");
	return 0;
}

static void echo(const char *name)
{
	for (;;) {
		int fd = open_or_die(name);
		char bytes[2048];
		ssize_t n;

		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write(fd, bytes, (size_t)n) < 0)
				break;
		close(fd);
	}
}

/* Where it lies in this domain's shared region. */
static uint64_t *memory_of(const char *module, size_t *words)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;

	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct exo_module *m = &info->modules[i];

		if (strcmp(m->name, module) == 0) {
			*words = (m->size - EXO_PAGE_SIZE) / sizeof(uint64_t);
			return (uint64_t *)(m->address + EXO_PAGE_SIZE);
		}
	}
	printf("%s: there is none\n", module);
	exit(1);
}

static void scribble(const char *kind, const char *name)
{
	char module[64];
	size_t words;
	uint64_t *memory;

	snprintf(module, sizeof(module), "%s %s", kind, name);
	memory = memory_of(module, &words);
	start_random("7");
	for (;;)
		((volatile uint64_t *)memory)[next_random() % words] =
			next_random() % 4 ? next_random() : next_random() % 70000;
}

/* As in struct service_page: a slot has 8 words, of which the first is its state, and the first slot is
 * none. */
static int states(const char *name, uint64_t value, bool wait)
{
	enum { SLOT_WORDS = 8, TAKEN = 2 };
	char module[64];
	volatile uint64_t *memory;
	size_t words;

	snprintf(module, sizeof(module), "use %s", name);
	memory = memory_of(module, &words);
	while (wait && (uint32_t)memory[SLOT_WORDS] != TAKEN)
		;
	for (size_t at = SLOT_WORDS; at < words; at += SLOT_WORDS)
		memory[at] = value;
	return 0;
}

/* ---------------------------------------------------------------- servers */

static const char *const orders[] = { "add",  "spin",      "sleep",   "hang",  "end",
				      "next", "interrupt", "signals", "posted" };
enum { ADD, SPIN, SLEEP, HANG, END, NEXT, INTERRUPT, SIGNALS, POSTED, ORDERS };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static _Atomic bool handling; /* of the thread that serves */
static _Atomic uint64_t signals;

static void on_alarm(int number)
{
	(void)number;
	signals += !handling;
}

/* Of all threads to this one: the others have it blocked, as serve() had. */
static void interrupt_often(void)
{
	struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static const volatile uint64_t
	*pages;           /* of all callers: each begins with a bit for what is posted */
static size_t page_words; /* in all of them */

static bool is_posted(void)
{
	bool any = false;

	for (size_t at = 0; at < page_words; at += EXO_PAGE_SIZE / sizeof(*pages))
		any |= pages[at] != 0;
	return any;
}

static void handle(uint64_t words[SERVER_WORDS], unsigned caller, void *next)
{
	uint64_t start = now_ns();

	handling = true;
	switch (words[0]) {
	case SPIN:
		while (now_ns() < start + words[1] * 1000000)
			;
		break;
	case SLEEP:
		usleep((useconds_t)words[1] * 1000);
		break;
	case POSTED:
		while (!is_posted() && now_ns() < start + 60000000000)
			usleep(1000);
		words[3] = 0;
		break;
	case HANG:
		for (;;)
			;
	case END:
		exit(3);
	case NEXT:
		words[0] = ADD;
		words[3] = (uint64_t)(int64_t)server_call(*(int *)next, words, 0);
		break;
	case INTERRUPT:
		interrupt_often();
		words[3] = 0;
		break;
	case SIGNALS:
		words[1] = signals;
		words[2] = words[3] = 0;
		break;
	default:
		words[3] = 0;
	}
	words[0] = words[1] + words[2];
	words[4] = caller;
	handling = false;
}

static int serve(const char *name, const char *next)
{
	int fd = next ? server_open(next) : -1, r;
	char module[64];
	sigset_t alarms;

	snprintf(module, sizeof(module), "serve %s", name);
	pages = memory_of(module, &page_words);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarms, NULL);
	r = server_run(name, handle, &fd);

	printf("%s: %s\n", name, strerror(-r));
	return 1;
}

static void set_order(uint64_t *m, const char *what)
{
	while (m[0] < ORDERS && strcmp(what, orders[m[0]]) != 0)
		m[0]++;
}

static int call(const char *name, char **words, int count)
{
	uint64_t m[SERVER_WORDS] = { 0 };
	int fd = server_open(name), r;

	if (fd < 0) {
		printf("%s: %s\n", name, strerror(errno));
		return 1;
	}
	set_order(m, words[0]);
	for (int i = 1; i < 3 && i < count; i++)
		m[i] = strtoul(words[i], NULL, 10);
	r = server_call(fd, m, count > 3 ? strtoul(words[3], NULL, 10) * 1000000 : 0);
	if (r == 0)
		r = (int)(int64_t)m[3];
	if (r)
		printf("%s\n", strerror(-r));
	else
		printf("%lu\n", (unsigned long)m[0]);
	return r != 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int late(const char *name, char **words)
{
	uint64_t m[SERVER_WORDS] = { 0, strtoul(words[1], NULL, 10), strtoul(words[2], NULL, 10) };
	uint64_t limit_us = strtoul(words[3], NULL, 10), began;
	int fd = server_open(name), r;

	set_order(m, words[0]);
	began = now_us();
	r = server_call(fd, m, limit_us * 1000);
	printf("%lu\n", now_us() - began - limit_us);
	return r != -ETIMEDOUT;
}

static int calls(const char *name, uint64_t count)
{
	int fd = server_open(name), r = fd < 0 ? -errno : 0;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count && r == 0; i++) {
		uint64_t m[SERVER_WORDS] = { ADD, i, 1 };

		r = server_call(fd, m, 0);
		sum += m[0];
	}
	printf("%s%lu\n", r ? strerror(-r) : "", (unsigned long)sum);
	return r != 0;
}

/* ---------------------------------------------------------------- a caller that is moved */

static _Atomic int caller; /* its thread id */
static _Atomic long rounds_left;
static _Atomic bool is_calling, is_bound; /* in this round */
static _Atomic unsigned looks;            /* at the caller, so far */
static char complaint[100];

static cpu_set_t cpus_of(unsigned long bits)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int cpu = 0; cpu < 64; cpu++)
		if (bits >> cpu & 1)
			CPU_SET(cpu, &cpus);
	return cpus;
}

static void bind(int tid, unsigned long bits)
{
	cpu_set_t cpus = cpus_of(bits);

	sched_setaffinity(tid, sizeof(cpus), &cpus);
}

static bool is_bound_to(int tid, unsigned long bits)
{
	cpu_set_t cpus, wanted = cpus_of(bits);

	return sched_getaffinity(tid, sizeof(cpus), &cpus) == 0 && CPU_EQUAL(&cpus, &wanted);
}

/* To CPU 0, and to the one where it is served, in turn. */
static int where_to(void)
{
	return rounds_left % 2;
}

/* From CPU 0, by a thread that may run on both until it is bound. */
static void call_on_the_way(int fd)
{
	int cpu = where_to();
	uint64_t m[SERVER_WORDS] = { SPIN, 10, 1 };
	unsigned seen;
	int r;

	bind(0, 1);
	is_bound = false;
	bind(0, 3);
	is_calling = true;
	r = server_call(fd, m, 0);
	is_calling = false;
	for (seen = looks; looks - seen < 2;) /* the one that is in progress ends, too */
		sched_yield();
	if (!is_bound)
		return;
	rounds_left--;
	if (r || m[0] != 11 || !is_bound_to(0, 1ul << cpu) || sched_getcpu() != cpu)
		snprintf(complaint, sizeof(complaint), "%s, %lu on CPU %d, not bound to %d", strerror(-r),
			 (unsigned long)m[0], sched_getcpu(), cpu);
}

static void *call_again(void *name)
{
	int fd = server_open(name);

	caller = gettid();
	while (rounds_left > 0 && !complaint[0])
		call_on_the_way(fd);
	return NULL;
}

/* CPU 1 has something else to do as well: so the caller waits there until it has its turn. */
static void *keep_busy(void *unused)
{
	(void)unused;
	bind(0, 2);
	for (;;)
		;
	return NULL;
}

static int moved(char *name, long rounds)
{
	pthread_t calls, other;
	uint64_t end_us;

	rounds_left = rounds;
	bind(0, 1);
	pthread_create(&other, NULL, keep_busy, NULL);
	pthread_create(&calls, NULL, call_again, name);
	for (end_us = now_us() + 20000000; rounds_left > 0 && !complaint[0];) {
		if (is_calling && !is_bound && is_bound_to(caller, 2)) {
			bind(caller, 1ul << where_to());
			is_bound = true;
		}
		looks++;
		if (now_us() > end_us)
			snprintf(complaint, sizeof(complaint), "%ld rounds are left", rounds_left);
		sched_yield();
	}
	puts(complaint[0] ? complaint : "bound");
	return complaint[0] != 0;
}

int main(int count, char **words)
{
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count < 3)
		return 2;
	if (strcmp(words[1], "echo") == 0)
		echo(words[2]);
	if (strcmp(words[1], "serve") == 0)
		return serve(words[2], words[3]);
	if (count < 4)
		return 2;
	if (strcmp(words[1], "scribble") == 0)
		scribble(words[2], words[3]);
	if (strcmp(words[1], "call") == 0)
		return call(words[2], words + 3, count - 3);
	if (strcmp(words[1], "calls") == 0)
		return calls(words[2], strtoul(words[3], NULL, 10));
	if (strcmp(words[1], "moved") == 0)
		return moved(words[2], strtol(words[3], NULL, 10));
	if (strcmp(words[1], "states") == 0)
		return states(words[2], strtoul(words[3], NULL, 10), count > 4);
	if (strcmp(words[1], "late") == 0 && count == 7)
		return late(words[2], words + 3);
	if (count < 5)
		return 2;
	start_random(words[4]);
	if (strcmp(words[1], "fill") == 0)
		return fill(open_or_die(words[2]), strtoul(words[3], NULL, 10));
	return check(open_or_die(words[2]), strtoul(words[3], NULL, 10));
}
