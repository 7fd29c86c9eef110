/* SPDX-License-Identifier: MIT */
/*
 * Threads, and the search through their schedules.
 *
 * A schedule is a list of choices.  Each run follows the list made so far, takes the first option
 * wherever it is at its end, and notes how many there were; the next run changes the last choice
 * that has an option left.  So no state is ever stored: all threads start afresh each time.
 *
 * When all schedules within the bounds have been seen, and there is time (EXPLORE_SECONDS, for each
 * case), schedules beyond them are drawn by chance.  Each has a seed of its own, which EXPLORE_SEED
 * repeats.  EXPLORE_SHOW=1 prints what is found in cases that are wrong on purpose, too.
 */
#include "engine.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_SIZE 65536
#define CHOICES_MAX 4096
#define STEPS_MAX 100000u /* of one schedule; a thread that spins makes no end of them */
#define RUNS_MAX 20000000ul /* a case that needs more has bounds that are too wide */
#define MORE_PREEMPTIONS 4u /* of a schedule that is drawn by chance, than of all that are searched */
#define MORE_DELAYS 3u

struct thread {
	void *stack_pointer;
	char *stack;
	size_t stack_size;
	bool ended;
	bool (*ready)(void *); /* sleeps until then; NULL: does not sleep */
	void *argument;
	const char *waits_for;
};

static char own_stacks[EXPLORE_THREADS_MAX][STACK_SIZE] __attribute__((aligned(16)));
static struct thread threads[EXPLORE_THREADS_MAX];
static const struct explore_case *the_case;
static unsigned current = NOBODY;
static void *engine_stack_pointer;
static jmp_buf failed;

static struct {
	uint16_t chosen, options;
} choices[CHOICES_MAX];
static unsigned choice_count, choice_at;
static unsigned preemptions_left, delays_left, steps;
static uint64_t chance; /* state of the generator; 0: all schedules are searched */
static unsigned rarity; /* the first option is not taken once in so many choices */

static char reason[512];

__asm__(".text\n"
	".globl context_switch\n"
	"context_switch:\n"
	"	push %rbp\n	push %rbx\n"
	"	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n"
	"	pop %rbx\n	pop %rbp\n"
	"	ret\n");

/* ---------------------------------------------------------------- threads */

unsigned explore_self(void)
{
	return current;
}

bool engine_on_own_stack(const volatile void *address)
{
	const struct thread *t = &threads[current];

	return (size_t)((const volatile char *)address - t->stack) < t->stack_size;
}

void explore_stack(unsigned thread, void *bottom, size_t size)
{
	threads[thread].stack = bottom;
	threads[thread].stack_size = size;
}

static void to_engine(void)
{
	context_switch(&threads[current].stack_pointer, engine_stack_pointer);
}

_Noreturn void explore_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	longjmp(failed, 1);
}

/* What is broken may follow a pointer that is none: that is a failure like others, with its schedule. */
static void fault(int number)
{
	explore_fail("thread %u ends by a fault: %s", current, strsignal(number));
}

static void catch_faults(void)
{
	static char stack[65536];
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction action = { .sa_handler = fault,
					  .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&other, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

static void thread_main(void)
{
	the_case->thread(current);
	engine_point();
	memory_drain_all(current);
	schedule_note(current, "ends", NULL, NULL, NULL);
	threads[current].ended = true;
	to_engine();
	abort();
}

static void start_threads(void)
{
	for (unsigned i = 0; i < the_case->threads; i++) {
		struct thread *t = &threads[i];
		uint64_t *top = (uint64_t *)(t->stack + t->stack_size);

		*--top = 0; /* as if somebody had called thread_main() */
		*--top = (uint64_t)thread_main;
		for (unsigned n = 0; n < 6; n++)
			*--top = 0;
		t->stack_pointer = top;
	}
}

/* Conditions are the engine's: what they read is no access of any thread. */
static bool can_run(unsigned number)
{
	struct thread *t = &threads[number];
	unsigned saved = current;
	bool ready;

	if (t->ended)
		return false;
	if (!t->ready)
		return true;
	current = NOBODY;
	ready = t->ready(t->argument);
	current = saved;
	return ready;
}

/* ---------------------------------------------------------------- choices */

/* The generator is Marsaglia's xorshift with 64 bits. */
static unsigned choose_by_chance(unsigned options)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance % rarity ? 0 : 1 + (unsigned)(chance >> 32) % (options - 1);
}

unsigned engine_choose(unsigned options)
{
	if (options == 1)
		return 0;
	if (chance)
		return choose_by_chance(options);
	if (choice_at == CHOICES_MAX)
		explore_fail("a schedule has more than %d choices: the case is too long",
			     CHOICES_MAX);
	if (choice_at == choice_count) {
		choices[choice_count].chosen = 0;
		choices[choice_count++].options = (uint16_t)options;
	} else if (choices[choice_at].options != options) {
		explore_fail("the same schedule went another way: the case keeps something over");
	}
	return choices[choice_at++].chosen;
}

/* To the next schedule; false after the last. */
static bool next_schedule(void)
{
	while (choice_count > 0) {
		if (++choices[choice_count - 1].chosen < choices[choice_count - 1].options)
			return true;
		choice_count--;
	}
	return false;
}

bool engine_may_delay(void)
{
	if (delays_left == 0 || engine_choose(2) == 0)
		return false;
	delays_left--;
	return true;
}

/*
 * Whoever is left may have stores under way.  How many of them others will see is chosen when another
 * thread goes on, since only then it makes a difference.
 */
static void drain_some(void)
{
	for (unsigned i = 0; i < the_case->threads; i++)
		for (unsigned n = engine_choose(memory_buffered(i) + 1); n > 0; n--)
			memory_drain_one(i);
}

/* First what costs nothing.  NOBODY was running, or sleeps: any may. */
static unsigned list_options(unsigned *options)
{
	bool on = current != NOBODY && can_run(current);
	unsigned count = 0;

	if (on)
		options[count++] = current;
	for (unsigned i = 0; i < the_case->threads; i++)
		if (i != current && (!on || preemptions_left > 0) && can_run(i))
			options[count++] = i;
	return count;
}

/* Who goes on?  NOBODY: none can, and nothing is under way. */
static unsigned decide(void)
{
	unsigned options[EXPLORE_THREADS_MAX], count = list_options(options), next;

	if (count == 0) {
		for (unsigned i = 0; i < the_case->threads; i++)
			memory_drain_all(i);
		count = list_options(options);
	}
	if (count == 0)
		return NOBODY;
	next = options[engine_choose(count)];
	if (next == current)
		return next;
	if (options[0] == current)
		preemptions_left--;
	drain_some();
	return next;
}

void engine_point(void)
{
	unsigned next;

	if (current == NOBODY)
		return;
	if (++steps > STEPS_MAX)
		explore_fail("a schedule without an end: thread %u spins", current);
	next = decide();
	if (next != current) {
		unsigned from = current;

		current = next;
		context_switch(&threads[from].stack_pointer, threads[next].stack_pointer);
	}
}

void explore_wait(bool (*ready)(void *), void *argument, const char *what)
{
	struct thread *t = &threads[current];

	memory_settle(); /* others may go on next */
	engine_point();
	memory_drain_all(current);
	t->argument = argument;
	t->waits_for = what;
	t->ready = ready;
	if (!can_run(current)) {
		schedule_note(current, what, NULL, NULL, NULL);
		to_engine();
	}
	t->ready = NULL;
}

/* ---------------------------------------------------------------- runs */

static void report_stuck(void)
{
	char text[256] = "";

	for (unsigned i = 0; i < the_case->threads; i++) {
		size_t length = strlen(text);

		if (!threads[i].ended)
			snprintf(text + length, sizeof(text) - length, "%sthread %u %s",
				 length ? ", " : "", i, threads[i].waits_for);
	}
	explore_fail("nobody can go on: %s", text);
}

static bool all_ended(void)
{
	for (unsigned i = 0; i < the_case->threads; i++)
		if (!threads[i].ended)
			return false;
	return true;
}

static void run_once(void)
{
	memset(threads, 0, sizeof(threads));
	choice_at = steps = 0;
	schedule_begin();
	for (unsigned i = 0; i < the_case->threads; i++)
		explore_stack(i, own_stacks[i], STACK_SIZE);
	current = NOBODY;
	memory_reset(the_case->threads);
	the_case->setup();
	start_threads();
	while (!all_ended()) {
		unsigned next;

		/* Whoever was running sleeps or has ended: to leave it costs nothing. */
		current = NOBODY;
		next = decide();
		if (next == NOBODY)
			report_stuck();
		current = next;
		context_switch(&engine_stack_pointer, threads[next].stack_pointer);
	}
	current = NOBODY;
	the_case->check();
}

/* All schedules within the bounds; returns how many, 0 if one failed. */
static unsigned long run_all(unsigned preemptions, unsigned delays)
{
	volatile unsigned long runs = 0; /* survives the longjmp() */

	choice_count = 0;
	if (setjmp(failed))
		return 0;
	do {
		preemptions_left = preemptions;
		delays_left = delays;
		run_once();
		if (++runs > RUNS_MAX)
			explore_fail("more than %lu schedules: the bounds are too wide", RUNS_MAX);
	} while (next_schedule());
	return runs;
}

static void print_failure(unsigned preemptions, unsigned delays)
{
	printf("# %s\n# with %u preemptions and %u delayed stores:\n", reason, preemptions, delays);
	schedule_print();
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* A schedule that is drawn.  False: it failed. */
static bool draw(uint64_t seed, unsigned preemptions, unsigned delays)
{
	if (setjmp(failed))
		return false;
	chance = seed * 0x9e3779b97f4a7c15ul | 1;
	rarity = 4u << seed % 5;
	preemptions_left = preemptions;
	delays_left = delays;
	run_once();
	return true;
}

/*
 * The first schedule has the seed that was given, each further one the next number.  A case that delays
 * no stores still does not: it may load parts of what it stores as a whole, which the buffer cannot tell.
 */
static bool run_by_chance(const struct explore_case *c, time_t seconds)
{
	unsigned preemptions = c->preemptions + MORE_PREEMPTIONS;
	unsigned delays = c->delays ? c->delays + MORE_DELAYS : 0;
	uint64_t first = environment_number("EXPLORE_SEED", (uint64_t)time(NULL) << 20), seed = first;
	time_t end = time(NULL) + seconds;
	bool well = true;

	for (; well && time(NULL) < end; seed++)
		well = draw(seed, preemptions, delays);
	chance = 0;
	if (well) {
		printf("# %lu schedules by chance, from seed %#lx\n", seed - first, first);
	} else {
		print_failure(preemptions, delays);
		printf("not ok %s\n", c->name);
		printf("# again: EXPLORE_SECONDS=1 EXPLORE_SEED=%#lx\n", seed - 1);
	}
	return well;
}

static bool run_case(const struct explore_case *c)
{
	time_t seconds = (time_t)environment_number("EXPLORE_SECONDS", 0);
	unsigned long runs = 0;
	bool found;

	the_case = c;
	for (unsigned bound = 0; bound <= c->preemptions || bound <= c->delays; bound++) {
		unsigned preemptions = bound < c->preemptions ? bound : c->preemptions;
		unsigned delays = bound < c->delays ? bound : c->delays;

		runs = run_all(preemptions, delays);
		if (runs)
			continue;
		found = c->finds && strstr(reason, c->finds);
		if (!found || environment_number("EXPLORE_SHOW", 0))
			print_failure(preemptions, delays);
		printf("%sok %s\n", found ? "" : "not ", c->name);
		return found;
	}
	if (c->finds) {
		printf("# in %lu schedules nothing was found\nnot ok %s\n", runs, c->name);
		return false;
	}
	printf("# %lu schedules: up to %u preemptions, %u delayed stores\n", runs, c->preemptions,
	       c->delays);
	if (seconds && !run_by_chance(c, seconds))
		return false;
	printf("ok %s\n", c->name);
	return true;
}

int explore(const struct explore_case *cases, size_t count)
{
	bool all = true;

	catch_faults();
	for (size_t i = 0; i < count; i++) {
		all &= run_case(&cases[i]);
		fflush(stdout);
	}
	return all ? 0 : 1;
}
