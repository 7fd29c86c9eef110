/* SPDX-License-Identifier: MIT */
/* What /proc/exo/sched-dump and /proc/exo/cpus print, under every library that is linked in, while
 * tasks wait: they come to an end, and what a library says of its queues is what the core counts. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include "sched_attr.h"
#include "scheduler_files.h"
#include "test.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

#define EXTRA 2 /* threads that compute, besides one for each CPU: some wait */
#define SPINNERS_MAX (64 + EXTRA)
#define DUMPS_MAX 200 /* until one is seen in which a task waits; it is nearly always the first */

static const char *library; /* under test */
static atomic_bool stop;
static atomic_int spinning;

/* Some are nicer than others, and one only has what nobody wants, so that there is more than one level,
 * or weight, to print.  Under edf three ask for half a CPU each, so that they are often throttled; two CPUs
 * have room for only two of them, and one for what is a fifth each. */
static struct sched_attr attributes(int number)
{
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;

	if (number < 3 && strcmp(library, "edf") == 0)
		return (struct sched_attr){ .size = sizeof(struct sched_attr),
					    .sched_policy = SCHED_DEADLINE,
					    .sched_runtime = alone ? 2000000 : 5000000,
					    .sched_deadline = 10000000, .sched_period = 10000000 };
	return (struct sched_attr){ .size = sizeof(struct sched_attr), .sched_nice = number % 3,
				    .sched_policy = number == 1 ? SCHED_IDLE : SCHED_OTHER };
}

static void *spin(void *number)
{
	struct sched_attr a = attributes((int)(long)number);
	long r;

	spinning++; /* first, since it may get nothing from then on */
	r = syscall(SYS_sched_setattr, 0, &a, 0);
	usleep(1); /* who wakes is placed anew */
	while (!stop)
		;
	return (void *)r;
}

static void *wait_in_queue(void *unused)
{
	spinning++;
	while (!stop)
		sched_yield();
	return NULL;
}

/* From its start on, or nothing. */
static const char *last_line_with(const char *text, const char *start)
{
	const char *last = "";

	for (const char *at = text; (at = strstr(at, start)); at++)
		last = at;
	return last;
}

/* What the library's line adds to the tasks that it has; 0 for other lines. */
static unsigned waiting_in(const char *line)
{
	unsigned a = 0, b = 0, c = 0;

	if (sscanf(line, "  level %*d: %u waiting", &a) == 1 ||
	    sscanf(line, "  %u due, %u throttled, %u others, ", &a, &b, &c) == 3 ||
	    sscanf(line, "  %u eligible, %u early, ", &a, &b) == 2)
		return a + b + c;
	return 0;
}

static bool prints_its_queues(void)
{
	return strcmp(library, "edf") == 0 || strcmp(library, "fair") == 0 ||
	       strcmp(library, "mlfq") == 0 || strcmp(library, "prio") == 0;
}

/* One CPU's part, which begins at `line`: how many wait.  `line` is then the next CPU's. */
static unsigned check_cpu(char **line, char **rest, int cpu)
{
	char start[64];
	unsigned queued = 0, sum = 0;

	snprintf(start, sizeof(start), "CPU %d: %s, ", cpu, library);
	CHECK(*line && strncmp(*line, start, strlen(start)) == 0);
	CHECK(sscanf(strrchr(*line, ','), ", %u queued", &queued) == 1);
	for (unsigned i = 0; i < queued; i++) {
		*line = strtok_r(NULL, "\n", rest);
		CHECK(*line && strncmp(*line, "  ", 2) == 0);
	}
	while ((*line = strtok_r(NULL, "\n", rest)) && strncmp(*line, "CPU ", 4) != 0)
		sum += waiting_in(*line);
	CHECK_EQ(sum, prints_its_queues() ? queued : 0);
	return queued;
}

static unsigned check_dump(int cpus)
{
	static char text[TEXT_ROOM];
	unsigned queued = 0;
	char *rest = NULL, *line = strtok_r(read_proc("sched-dump", text), "\n", &rest);

	for (int cpu = 0; cpu < cpus; cpu++)
		queued += check_cpu(&line, &rest, cpu);
	CHECK(line == NULL);
	return queued;
}

/* At once, although most have had no reason yet to look at their queues. */
static void every_cpu_has_it(int cpus)
{
	char start[64];

	for (int cpu = 0; cpu < cpus; cpu++) {
		snprintf(start, sizeof(start), "CPU %d: %s, ", cpu, library);
		CHECK(has_line("sched-dump", start));
	}
}

static void check_counters(int cpus)
{
	char start[16];

	CHECK(has_line("cpus", "cpu queued switches "));
	for (int cpu = 0; cpu < cpus; cpu++) {
		snprintf(start, sizeof(start), "%d ", cpu);
		CHECK(has_line("cpus", start));
	}
}

static void queues_are_printed(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), n = cpus + EXTRA, dumps = 0;
	pthread_t threads[SPINNERS_MAX];
	void *wrong;

	CHECK(n <= SPINNERS_MAX);
	CHECK_EQ(tell("sched", library), 0);
	every_cpu_has_it(cpus);
	stop = false;
	spinning = 0;
	for (int i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, spin, (void *)(long)i), 0);
	while (spinning < n)
		sched_yield();
	/* They may all sleep still, in spin(), and a host that has other work ends that late. */
	while (check_dump(cpus) == 0) {
		CHECK(++dumps < DUMPS_MAX);
		usleep(1);
	}
	check_counters(cpus);
	CHECK_EQ(tell("cpus", "to the log"), 0);
	stop = true;
	for (int i = 0; i < n; i++) {
		CHECK_EQ(pthread_join(threads[i], &wrong), 0);
		CHECK(wrong == NULL);
	}
}

#define CROWD 150

/* Masked, it would last for as long as the console takes for all of them. */
static void a_long_queue_is_cut_in_the_log(void)
{
	static pthread_t threads[CROWD];
	static char text[TEXT_ROOM];
	cpu_set_t first;
	int n, more;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	CHECK_EQ(sched_setaffinity(0, sizeof(first), &first), 0);
	stop = false;
	spinning = 0;
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_queue, NULL), 0);
	while (spinning < CROWD)
		sched_yield();
	CHECK_EQ(tell("cpus", "to the log"), 0);
	n = klogctl(3, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	CHECK(sscanf(last_line_with(text, "  and "), "  and %d more", &more) == 1);
	CHECK(more > 0 && more <= CROWD - 100);
	stop = true;
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	char before[NAME_ROOM], names[256] = "", title[64], *rest = NULL;

	current_scheduler(before);
	find_line("sched", "", names, sizeof(names));
	for (library = strtok_r(names, " []", &rest); library;
	     library = strtok_r(NULL, " []", &rest)) {
		snprintf(title, sizeof(title), "queues_are_printed_under_%s", library);
		test_run(title, queues_are_printed);
		stop = true; /* also for what a failed case has left */
	}
	if (tell("sched", before) < 0)
		printf("not ok the_scheduler_is_put_back: errno %d\n", errno);
	RUN(a_long_queue_is_cut_in_the_log);
	return test_result();
}
