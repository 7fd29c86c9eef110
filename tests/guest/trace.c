/* SPDX-License-Identifier: MIT */
/* Tracing: known events appear, in order and with names; turning it on and off disturbs nobody. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libos/trace.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define RECORDS_MAX 400000

static struct trace_record *records;
static size_t record_count;

static bool command(const char *text)
{
	int fd = open("/proc/exo/trace", O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text);
}

static bool read_records(void)
{
	int fd = open("/dev/exo/trace", O_RDONLY);
	ssize_t n;
	size_t used = 0;

	if (!records)
		records = malloc(RECORDS_MAX * sizeof(*records));
	while ((n = read(fd, (char *)records + used, RECORDS_MAX * sizeof(*records) - used)) > 0)
		used += (size_t)n;
	close(fd);
	record_count = used / sizeof(*records);
	return n == 0 && used % sizeof(*records) == 0;
}

/* The first record from `from` on of this kind and task, on this CPU (-1: any); or record_count. */
static size_t find(size_t from, enum trace_kind kind, pid_t task, int cpu)
{
	for (; from < record_count; from++)
		if (records[from].kind == kind && records[from].task == (uint32_t)task &&
		    (cpu < 0 || records[from].cpu == (uint32_t)cpu))
			break;
	return from;
}

static void pin(pid_t task, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(task, sizeof(set), &set);
}

static void unpin(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

/* A child on this CPU that answers each byte with a byte. */
static pid_t start_echo(int cpu, int *to, int *from)
{
	int there[2], back[2];
	pid_t child;
	char byte;

	if (pipe(there) < 0 || pipe(back) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		pin(0, cpu);
		close(there[1]);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	*to = there[1];
	*from = back[0];
	return child;
}

static void stop_echo(pid_t child, int to, int from)
{
	close(to);
	close(from);
	waitpid(child, NULL, 0);
}

static bool ask_echo(int to, int from)
{
	char byte = 'e';

	return write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1;
}

/* The next record of this kind on CPU 0, of whatever task; or record_count. */
static size_t next_of(size_t from, enum trace_kind kind)
{
	while (from < record_count && (records[from].kind != kind || records[from].cpu != 0))
		from++;
	return from;
}

/* The last such record before this one; or 0. */
static size_t last_of(size_t from, enum trace_kind kind)
{
	while (from > 0 && (records[from].kind != kind || records[from].cpu != 0))
		from--;
	return from;
}

/*
 * Records of CPU 0 around a gift: one of two tasks writes into a pipe, on which the other sleeps.
 * The wake comes with that call, the gift when the giver has stopped, or right before if the library has the
 * other run at once, and what runs next is the other, with that slice; its read() returns what was written.
 */
static bool is_gift_over_a_pipe(size_t gift, pid_t from, pid_t to)
{
	size_t run = next_of(gift, TRACE_RUN), back = find(run, TRACE_RETURN, to, 0);
	size_t stop = last_of(run, TRACE_STOP), wake = last_of(gift, TRACE_WAKE);
	size_t call = last_of(wake, TRACE_CALL);

	return back < record_count && records[gift].number == from &&
	       records[gift].value > 0 && records[call].task == (uint32_t)from &&
	       records[call].number == SYS_write && records[wake].task == (uint32_t)to &&
	       records[wake].detail == TRACE_WAKE_DONATE && records[wake].value == (uint64_t)from &&
	       records[wake].number == 0 && stop > wake && records[stop].task == (uint32_t)from &&
	       records[run].task == (uint32_t)to && records[run].value == records[gift].value &&
	       records[back].value == 1;
}

static void a_gift_over_a_pipe_shows_each_step_in_order(void)
{
	pid_t me = getpid(), child;
	int to, from, found = 0;

	pin(0, 0);
	child = start_echo(0, &to, &from);
	CHECK(child > 0 && command("on"));
	for (int i = 0; i < 50; i++)
		CHECK(ask_echo(to, from));
	CHECK(command("off"));
	stop_echo(child, to, from);
	unpin();
	CHECK(read_records());
	for (size_t at = 0; (at = next_of(at, TRACE_DONATE)) < record_count; at++)
		found += is_gift_over_a_pipe(at, me, child) || is_gift_over_a_pipe(at, child, me);
	CHECK(found > 0);
}

/* The run that the giver was in: the last one of this CPU before the gift; or record_count. */
static size_t run_before(size_t gift)
{
	size_t at = gift;

	while (at > 0 && (records[at].kind != TRACE_RUN || records[at].cpu != records[gift].cpu))
		at--;
	return records[at].kind == TRACE_RUN && records[at].task == records[gift].number ?
		       at : record_count;
}

/*
 * No gift is more than the giver's slice without what it has used of it; so a chain of gifts has one
 * slice in all.  Each record is written a moment after what it tells, and the machine may be off its
 * host's CPU in between: hence "nearly all".
 */
static void a_gift_is_what_is_left_and_never_a_fresh_slice(void)
{
	int to, from, gifts = 0, fresh = 0;
	pid_t child;

	pin(0, 0);
	child = start_echo(0, &to, &from);
	CHECK(child > 0 && command("on"));
	for (int i = 0; i < 50; i++) {
		for (volatile int work = 0; work < 50000; work++)
			;
		CHECK(ask_echo(to, from));
	}
	CHECK(command("off"));
	stop_echo(child, to, from);
	unpin();
	CHECK(read_records());
	for (size_t at = 0; (at = next_of(at, TRACE_DONATE)) < record_count; at++) {
		size_t run = run_before(at);

		if (run == record_count)
			continue;
		gifts++;
		fresh += records[at].value + (records[at].time_ns - records[run].time_ns) >
			 records[run].value + 20000;
	}
	printf("%d gifts, %d too large\n", gifts, fresh);
	CHECK(gifts >= 25); /* with other CPUs about, who is late gives nothing */
	CHECK(fresh <= gifts / 4);
}

/* A CPU that has been idle for so long has halted, and does not look for its mail any more. */
static void let_it_halt(void)
{
	struct timespec moment = { 0, 20 * 1000 * 1000 };

	nanosleep(&moment, NULL);
}

static void a_wake_on_another_cpu_rings_it(void)
{
	pid_t child;
	int to, from;
	size_t wake, ring, arrival;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	pin(0, 0);
	child = start_echo(1, &to, &from);
	CHECK(child > 0 && ask_echo(to, from));
	CHECK(command("on"));
	for (int i = 0; i < 20; i++) {
		let_it_halt();
		CHECK(ask_echo(to, from));
	}
	CHECK(command("off"));
	stop_echo(child, to, from);
	unpin();
	CHECK(read_records());
	/* The first ring that belongs to a wake: one that found the mailbox empty. */
	for (wake = 0; (wake = find(wake, TRACE_WAKE, child, 0)) < record_count; wake++)
		if (records[wake].number == 1 && records[wake + 1].kind == TRACE_IPI)
			break;
	CHECK(wake < record_count);
	ring = wake + 1;
	CHECK(records[ring].number == 1 && records[ring].cpu == 0);
	for (arrival = 0; (arrival = find(arrival, TRACE_ARRIVE, child, 1)) < record_count; arrival++)
		if (records[arrival].time_ns >= records[wake].time_ns)
			break;
	CHECK(arrival < record_count);
	CHECK(find(arrival, TRACE_RUN, child, 1) < record_count);
}

/* Its timers fire on the CPU on which we compute, and wake nobody in our name. */
static void who_computes_is_not_who_wakes_a_sleeper(void)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	unsigned wakes = 0;
	pid_t child;

	pin(0, 0);
	CHECK(command("on"));
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 10; i++)
			nanosleep(&nap, NULL);
		_exit(0);
	}
	CHECK(child > 0);
	while (waitpid(child, NULL, WNOHANG) == 0)
		for (volatile int work = 0; work < 10000; work++)
			;
	CHECK(command("off"));
	unpin();
	CHECK(read_records());
	for (size_t at = 0; (at = find(at, TRACE_WAKE, child, 0)) < record_count; at++) {
		CHECK_EQ(records[at].value, records[at].detail == TRACE_WAKE_START ? getpid() : 0);
		wakes++;
	}
	CHECK(wakes > 10);
}

/* The name that task has after the youngest records that name it, whichever CPU wrote them: they are read CPU
 * by CPU. */
static bool has_name(pid_t task, const char *name)
{
	char found[17] = { 0 };
	uint64_t youngest[2] = { 0 };

	for (size_t at = 0; (at = find(at, TRACE_NAME, task, -1)) < record_count; at++) {
		const struct trace_record *r = &records[at];

		if (r->detail == 0 || r->time_ns < youngest[r->detail - 1])
			continue;
		youngest[r->detail - 1] = r->time_ns;
		memcpy(found + 8 * (r->detail - 1), &r->value, 8);
	}
	return strcmp(found, name) == 0;
}

static void tasks_have_names(void)
{
	pid_t child;
	int go[2];
	char byte = 'g';

	CHECK(pipe(go) == 0);
	child = fork();
	if (child == 0) {
		if (read(go[0], &byte, 1) == 1)
			prctl(PR_SET_NAME, "a-longer-name");
		_exit(0);
	}
	CHECK(child > 0 && command("on"));
	CHECK(write(go[1], &byte, 1) == 1);
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(command("off") && read_records());
	close(go[0]);
	close(go[1]);
	CHECK(has_name(getpid(), "trace"));
	CHECK(has_name(1, "exo-init") || has_name(1, "init"));
	CHECK(has_name(child, "a-longer-name"));
}

static void a_fault_tells_its_address(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	bool seen = false;

	CHECK(page != MAP_FAILED && command("on"));
	page[123] = 1;
	CHECK(command("off") && read_records());
	for (size_t at = 0; (at = find(at, TRACE_FAULT, getpid(), -1)) < record_count; at++)
		seen |= records[at].number == 14 && records[at].value == (uint64_t)page + 123;
	CHECK(seen);
	munmap((void *)page, 4096);
}

/* They have entries of their own, which calls take only while nobody traces. */
static void calls_that_only_read_are_seen(void)
{
	struct timespec now;
	pid_t me = getpid();
	size_t call, back;

	CHECK(command("on"));
	CHECK_EQ(getpid(), me);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	CHECK(command("off") && read_records());
	for (call = 0; (call = find(call, TRACE_CALL, me, -1)) < record_count; call++)
		if (records[call].number == SYS_getpid)
			break;
	back = find(call, TRACE_RETURN, me, -1);
	CHECK(back < record_count && records[back].value == (uint64_t)me);
	call = find(back, TRACE_CALL, me, -1);
	CHECK(call < record_count && records[call].number == SYS_clock_gettime);
}

/* What has a ring of its own. */
static bool is_rare(const struct trace_record *r)
{
	return r->kind == TRACE_NAME || r->kind == TRACE_SCHED || r->kind == TRACE_EJECT;
}

/* The first number of a CPU's line in /proc/exo/trace, summed over the CPUs. */
static unsigned long events_counted(void)
{
	FILE *f = fopen("/proc/exo/trace", "r");
	unsigned long sum = 0, events;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u %lu", &events) == 1)
			sum += events;
	if (f)
		fclose(f);
	return sum;
}

static void what_is_overwritten_is_counted(void)
{
	unsigned long read = 0, lost = 0;

	CHECK(command("on 16"));
	for (int i = 0; i < 5000; i++)
		syscall(SYS_getppid);
	CHECK(command("off") && read_records());
	for (size_t at = 0; at < record_count; at++)
		if (records[at].kind == TRACE_LOST && records[at].detail == 0)
			lost += records[at].value;
		else if (records[at].kind != TRACE_LOST)
			read += !is_rare(&records[at]);
	CHECK(lost > 0);
	CHECK_EQ(read + lost, events_counted());
}

static void off_is_off(void)
{
	unsigned long events;

	CHECK(command("on") && command("off"));
	events = events_counted();
	for (int i = 0; i < 1000; i++)
		syscall(SYS_getppid);
	CHECK(events > 0);
	CHECK_EQ(events_counted(), events);
}

static void each_ring_is_in_order_of_time(void)
{
	uint64_t last[2][64] = { 0 };

	CHECK(command("on"));
	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			_exit(0);
	while (wait(NULL) > 0)
		;
	CHECK(command("off") && read_records());
	CHECK(record_count > 0);
	for (size_t at = 0; at < record_count; at++) {
		uint64_t *before = &last[is_rare(&records[at])][records[at].cpu];

		CHECK(records[at].cpu < 64 && records[at].kind < TRACE_KINDS);
		CHECK(records[at].time_ns >= *before);
		*before = records[at].time_ns;
	}
}

static void small_reads_give_the_same_bytes(void)
{
	char piece[7], *copy;
	size_t used = 0;
	ssize_t n;
	int fd;

	CHECK(command("on 16") && command("off") && read_records());
	copy = malloc(record_count * sizeof(*records));
	fd = open("/dev/exo/trace", O_RDONLY);
	CHECK(copy && fd >= 0);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		CHECK(used + (size_t)n <= record_count * sizeof(*records));
		memcpy(copy + used, piece, (size_t)n);
		used += (size_t)n;
	}
	close(fd);
	CHECK_EQ(used, record_count * sizeof(*records));
	CHECK(memcmp(copy, records, used) == 0);
	free(copy);
}

static void ignore(int number)
{
	(void)number;
}

/* -> in how many pieces all of it came */
static unsigned read_beside_signals(void)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { 0 };
	unsigned pieces = 0;
	size_t used = 0;
	ssize_t n;
	int fd = open("/dev/exo/trace", O_RDONLY);

	setitimer(ITIMER_REAL, &often, NULL);
	while ((n = read(fd, records, RECORDS_MAX * sizeof(*records))) > 0) {
		used += (size_t)n;
		pieces++;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	close(fd);
	CHECK_EQ(n, 0);
	CHECK_EQ(used, record_count * sizeof(*records));
	return pieces;
}

/* Sooner or later one comes in the midst of it. */
static void a_signal_ends_a_reading_and_nothing_is_lost(void)
{
	unsigned pieces = 1;

	signal(SIGALRM, ignore);
	CHECK(command("on 2048"));
	for (int i = 0; i < 10000; i++)
		syscall(SYS_getppid);
	CHECK(command("off") && read_records());
	for (int tries = 0; pieces == 1 && tries < 1000; tries++)
		pieces = read_beside_signals();
	CHECK(pieces > 1);
}

static void nonsense_is_refused(void)
{
	static const char *const nonsense[] = { "", "o", "onn", "on x", "on 1", "on 15", "on 1000000",
						"on -1", "on 99999999999999999999", "offf", "16" };

	for (size_t i = 1; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		CHECK(!command(nonsense[i]));
		CHECK_EQ(errno, EINVAL);
	}
}

#define LEFT (3ul << 20) /* less than the largest rings of one CPU take */
#define PIECE (64ul << 10)

static unsigned long free_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? info.freeram * info.mem_unit : 0;
}

/* Has all memory but LEFT, says so, and keeps it until it is told to end. */
static int take_memory(int to, int from)
{
	char byte = 0, *at;

	while (free_memory() > LEFT) {
		at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			return 1;
		for (size_t i = 0; i < PIECE; i += 4096)
			at[i] = 1;
	}
	return write(from, &byte, 1) != 1 || read(to, &byte, 1) != 0;
}

/* The rings that there were have been given up by then. */
static void without_memory_for_rings_there_is_nothing_to_read(void)
{
	int before, to[2], from[2], status = -1;
	pid_t child;
	char byte;

	CHECK(command("on 16") && command("off") && read_records());
	before = open("/dev/exo/trace", O_RDONLY);
	CHECK(read(before, &byte, 1) == 1);
	CHECK(pipe(to) == 0 && pipe(from) == 0);
	child = fork();
	if (child == 0) {
		close(to[1]);
		_exit(take_memory(to[0], from[1]));
	}
	CHECK(read(from[0], &byte, 1) == 1);
	CHECK(!command("on 4096"));
	CHECK_EQ(errno, ENOMEM);
	close(to[0]);
	close(to[1]);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	close(from[0]);
	close(from[1]);
	CHECK(read(before, &byte, 1) == 0);
	close(before);
	CHECK(read_records());
	CHECK_EQ(record_count, 0);
	CHECK(command("on 16") && command("off") && read_records());
	CHECK(record_count > 0);
}

#define WORKERS 4
#define ROUNDS 300

/* A process that passes numbers through a child of its own, and ends with 0 if none was lost. */
static pid_t start_worker(void)
{
	pid_t worker = fork(), child;
	int to, from, failed = 0;

	if (worker != 0)
		return worker;
	child = start_echo(0, &to, &from);
	unpin();
	for (int i = 0; i < ROUNDS; i++)
		failed |= !ask_echo(to, from);
	stop_echo(child, to, from);
	_exit(child < 0 || failed);
}

static void turning_it_on_and_off_under_load_loses_no_task(void)
{
	static const char *const sizes[] = { "on 16", "on 64", "on", "on 16" };
	int status, left = WORKERS;

	for (int i = 0; i < WORKERS; i++)
		CHECK(start_worker() > 0);
	for (unsigned i = 0; left > 0; i++) {
		CHECK(command(sizes[i % 4]));
		if (i % 3 == 0)
			CHECK(read_records());
		CHECK(command("off"));
		while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
			CHECK_EQ(status, 0);
			left--;
		}
	}
}

int main(void)
{
	RUN(a_gift_over_a_pipe_shows_each_step_in_order);
	RUN(a_gift_is_what_is_left_and_never_a_fresh_slice);
	RUN(a_wake_on_another_cpu_rings_it);
	RUN(who_computes_is_not_who_wakes_a_sleeper);
	RUN(tasks_have_names);
	RUN(a_fault_tells_its_address);
	RUN(calls_that_only_read_are_seen);
	RUN(what_is_overwritten_is_counted);
	RUN(off_is_off);
	RUN(each_ring_is_in_order_of_time);
	RUN(small_reads_give_the_same_bytes);
	RUN(a_signal_ends_a_reading_and_nothing_is_lost);
	RUN(nonsense_is_refused);
	RUN(without_memory_for_rings_there_is_nothing_to_read);
	RUN(turning_it_on_and_off_under_load_loses_no_task);
	return test_result();
}
