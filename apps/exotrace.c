/* SPDX-License-Identifier: MIT */
/*
 * exotrace [-s KIB] [-o FILE] command [argument...]
 *
 * Runs a command while every CPU records what it does, and then prints the records, or puts them
 * into FILE for scripts/trace.  KIB is the memory for each CPU's records; the oldest go first.
 * The status is the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <libos/sched.h>
#include <libos/trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void control(const char *command)
{
	int fd = open("/proc/exo/trace", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, command, strlen(command)) < 0)
		die("/proc/exo/trace");
	close(fd);
}

static int run(char **command)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		execvp(command[0], command);
		fprintf(stderr, "exotrace: %s: %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

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

static void save(const char *path, const struct trace_record *records, size_t count)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(records, sizeof(*records), count, f) != count || fclose(f) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	const char *path = NULL, *kib = "1024";
	struct trace_record *records;
	char command[32];
	int option, status;
	size_t count;

	while ((option = getopt(argc, argv, "+s:o:")) > 0) {
		if (option == 's')
			kib = optarg;
		else if (option == 'o')
			path = optarg;
		else
			argc = 0;
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: exotrace [-s KIB] [-o FILE] command [argument...]\n");
		return EXIT_FAILED;
	}
	snprintf(command, sizeof(command), "on %s", kib);
	control(command);
	status = run(argv + optind);
	control("off");
	records = read_all(&count);
	if (path) {
		save(path, records, count);
	} else {
		qsort(records, count, sizeof(*records), by_time);
		print(records, count);
	}
	return status;
}
