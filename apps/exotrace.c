/* SPDX-License-Identifier: MIT */
/*
 * exotrace [-s KIB] [-o FILE] command [argument...]
 *
 * Runs a command while every CPU records what it does, and then prints the records, or puts them
 * into FILE for scripts/trace.  KIB is the memory for each CPU's records; the oldest go first.
 * The status is the command's.  Ctrl-C and Ctrl-\ are for the command, and so is what else asks a
 * process to end: what was recorded until then is kept, and tracing, which is the whole machine's, is off
 * afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <libos/sched.h>
#include <libos/trace.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include "program.h"

#define CONTROL "/proc/exo/trace"
#define KIB_MIN 16
#define KIB_MAX 4096
#define EXIT_FAILED 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127
#define TASKS 65536

static const char *const kinds[] = TRACE_KIND_NAMES;

/* What each task is called, by its id: as far as the records have told. */
static char names[TASKS][17];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "exotrace: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILED);
}

static void control(int trace, const char *command)
{
	if (pwrite(trace, command, strlen(command), 0) < 0) {
		fprintf(stderr, "exotrace: " CONTROL ": %s\n", strerror(errno));
		_exit(EXIT_FAILED); /* exit() may be what has called us */
	}
}

/* ---------------------------------------------------------------- on and off */

static int trace_on = -1; /* the file that says off, while tracing is on */

static void stop_tracing(void)
{
	int trace = trace_on;

	if (trace < 0)
		return;
	trace_on = -1;
	control(trace, "off");
	close(trace);
}

/* The lock is one exotrace's, from before it looks until its file is closed.  Somebody else who writes "on"
 * meanwhile, by hand, has what comes of it. */
static void start_tracing(unsigned long kib)
{
	int trace = open(CONTROL, O_RDWR | O_CLOEXEC);
	char state[32] = "";

	if (trace < 0)
		die(CONTROL);
	if ((flock(trace, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
	    (pread(trace, state, sizeof(state) - 1, 0) > 0 && strncmp(state, "on ", 3) == 0)) {
		fprintf(stderr,
			"exotrace: somebody traces already (echo off > " CONTROL " ends it)\n");
		exit(EXIT_FAILED);
	}
	snprintf(state, sizeof(state), "on %lu", kib);
	control(trace, state);
	trace_on = trace;
	atexit(stop_tracing);
}

/* ---------------------------------------------------------------- the command */

static const int passed_on[] = { SIGTERM, SIGHUP };
#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static pid_t child; /* set while what is passed on is blocked */
static sigset_t signals_before;
static struct sigaction interrupt_before, quit_before;

static void pass_on(int number)
{
	int saved = errno;

	kill(child, number);
	errno = saved;
}

/* From before tracing is on until the command runs: what is passed on waits. */
static void hold_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < PASSED_ON; i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_BLOCK, &set, &signals_before);
	sigaction(SIGINT, &ignore, &interrupt_before);
	sigaction(SIGQUIT, &ignore, &quit_before);
}

static _Noreturn void become(char **command)
{
	sigaction(SIGINT, &interrupt_before, NULL);
	sigaction(SIGQUIT, &quit_before, NULL);
	sigprocmask(SIG_SETMASK, &signals_before, NULL);
	execvp(command[0], command);
	fprintf(stderr, "exotrace: %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static int run(char **command)
{
	struct sigaction pass = { .sa_handler = pass_on }, before[PASSED_ON];
	siginfo_t ended;
	int status;

	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		become(command);
	for (size_t i = 0; i < PASSED_ON; i++) {
		sigaction(passed_on[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(passed_on[i], &pass, NULL);
	}
	sigprocmask(SIG_SETMASK, &signals_before, NULL);
	while (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			die("waitid");
	stop_tracing();
	/* Only now does the number become another's, and whoever does not want the records may end us. */
	for (size_t i = 0; i < PASSED_ON; i++)
		sigaction(passed_on[i], &before[i], NULL);
	sigaction(SIGINT, &interrupt_before, NULL);
	sigaction(SIGQUIT, &quit_before, NULL);
	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---------------------------------------------------------------- the records */

static struct trace_record *read_all(size_t *count)
{
	int fd = open("/dev/exo/trace", O_RDONLY | O_CLOEXEC);
	size_t room = 1 << 20, used = 0;
	char *data = malloc(room);
	ssize_t n;

	if (fd < 0)
		die("/dev/exo/trace");
	while (data && (n = read(fd, data + used, room - used)) > 0) {
		used += (size_t)n;
		if (used == room)
			data = realloc(data, room *= 2);
	}
	if (!data || n < 0)
		die("/dev/exo/trace");
	close(fd);
	*count = used / sizeof(struct trace_record);
	return (struct trace_record *)data;
}

/* A name explains what happens at the same time.  (No CPU has two events in one nanosecond.) */
static int by_time(const void *left, const void *right)
{
	const struct trace_record *a = left, *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (b->kind == TRACE_NAME) - (a->kind == TRACE_NAME);
}

static void learn_name(const struct trace_record *r)
{
	if (r->detail > 0 && r->task < TASKS)
		memcpy(names[r->task] + 8 * (r->detail - 1), &r->value, 8);
}

/* The text of a note: the records that follow it on its CPU. */
static void print_note(const struct trace_record *r, const struct trace_record *end)
{
	char text[SCHED_TRACE_MAX + 1] = { 0 };
	unsigned parts = 0;

	for (const struct trace_record *p = r + 1; p < end && parts < r->number; p++) {
		if (p->cpu != r->cpu)
			continue;
		if (p->kind != TRACE_NOTE || p->detail != parts + 1 || parts >= SCHED_TRACE_MAX / 8)
			break;
		memcpy(text + 8 * parts++, &p->value, 8);
	}
	printf("%s: %lld\n", text, (long long)r->value);
}

static void print(const struct trace_record *records, size_t count)
{
	for (const struct trace_record *r = records; r < records + count; r++) {
		if (r->kind == TRACE_NAME) {
			learn_name(r);
			continue;
		}
		if (r->kind == TRACE_NOTE && r->detail > 0)
			continue;
		printf("%12.3f us  cpu %u  %-9s  %s %u  ", (double)r->time_ns / 1000, r->cpu,
		       r->kind < TRACE_KINDS ? kinds[r->kind] : "?",
		       r->task && r->task < TASKS ? names[r->task] : "-", r->task);
		if (r->kind == TRACE_NOTE)
			print_note(r, records + count);
		else
			printf("detail %u  number %u  value %#llx\n", r->detail, r->number,
			       (unsigned long long)r->value);
	}
}

static void save(FILE *f, const char *path, const struct trace_record *records, size_t count)
{
	if (fwrite(records, sizeof(*records), count, f) != count || fclose(f) != 0)
		die(path);
}

static void show(struct trace_record *records, size_t count)
{
	qsort(records, count, sizeof(*records), by_time);
	print(records, count);
	if (!program_has_printed("exotrace"))
		exit(EXIT_FAILED);
}

static _Noreturn void usage(FILE *to, int status)
{
	fprintf(to,
		"usage: exotrace [-s KIB] [-o FILE] command [argument...]\n"
		"  -s KIB   memory for each CPU's records: %d to %d (1024)\n"
		"  -o FILE  puts the records there, for exo-trace\n",
		KIB_MIN, KIB_MAX);
	exit(status);
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	unsigned long kib = 1024;
	struct trace_record *records;
	FILE *file = NULL;
	int option, status;
	size_t count;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		usage(stdout, 0);
	while ((option = getopt(argc, argv, "+s:o:")) > 0) {
		if (option == 's' && !program_number(optarg, KIB_MIN, KIB_MAX, &kib)) {
			fprintf(stderr, "exotrace: -s: a number of KiB from %d to %d, not %s\n",
				KIB_MIN, KIB_MAX, optarg);
			return EXIT_FAILED;
		} else if (option == 'o')
			path = optarg;
		else if (option != 's')
			usage(stderr, EXIT_FAILED);
	}
	if (optind >= argc)
		usage(stderr, EXIT_FAILED);
	if (path && !(file = fopen(path, "wbe")))
		die(path);
	hold_signals();
	start_tracing(kib);
	status = run(argv + optind);
	records = read_all(&count);
	if (path)
		save(file, path, records, count);
	else
		show(records, count);
	return status;
}
