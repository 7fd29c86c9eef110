/* SPDX-License-Identifier: MIT */
/* How a library is found to be wrong while it runs, and what is said then: see library.h. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "library.h"
#include "machine.h"
#include "where.h"

#define LOOP_TICK_MS 50
#define LOOP_TICKS_MAX 20 /* of CPU time: a callback that takes a second does not end */
#define MESSAGE_MAX 512

const char *library_case;

static void tell(const char *text)
{
	char buffer[2 * MESSAGE_MAX + 256];
	int n;

	if (callback.name)
		n = snprintf(buffer, sizeof(buffer),
			     "not ok %s: %s: %s() on CPU %d at %.3f ms%s%s: %s\n", library_case,
			     machine.ops->name, callback.name, callback.cpu,
			     (double)machine.now_ns / 1e6, callback.task ? ", task " : "",
			     callback.task ? callback.task->t.name : "", text);
	else
		n = snprintf(buffer, sizeof(buffer), "not ok %s: %s: %s\n", library_case,
			     machine.ops ? machine.ops->name : "?", text);
	if (n > 0 && write(STDOUT_FILENO, buffer, (size_t)n) != n)
		_exit(3);
}

/* As where_was() has it. */
static void tell_where(const char *what, const ucontext_t *at)
{
	char text[2 * MESSAGE_MAX], where[MESSAGE_MAX];

	where_was(where, sizeof(where), at);
	snprintf(text, sizeof(text), "%s%s%s", what, *where ? ", at " : "", where);
	tell(text);
}

static _Noreturn void wrong(bool with_line, const char *format, va_list ap)
{
	char text[MESSAGE_MAX];

	vsnprintf(text, sizeof(text), format, ap);
	fflush(stdout);
	if (with_line)
		tell_where(text, NULL);
	else
		tell(text);
	_exit(1);
}

_Noreturn void library_is_wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	wrong(false, format, ap);
}

_Noreturn void library_misuses(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	wrong(true, format, ap);
}

_Noreturn void libos_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The ready-made queues, built with their invariants checked, call this. */
_Noreturn void libos_panic(const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (strstr(text, "run_queue == queue"))
		library_misuses("took a task out of a queue that it is not in (I3)");
	if (strstr(text, "run_queue == ")) /* NULL, however that is written */
		library_misuses("put a task into a queue that is in one already (I3)");
	library_misuses("%s", text);
}

static _Noreturn void stopped(const char *why, const ucontext_t *at)
{
	tell_where(why, at);
	_exit(1);
}

static void on_fault(int number, siginfo_t *info, void *at)
{
	char text[96];

	if (!callback.name) {
		tell("the simulator faulted: was its memory overwritten?");
		_exit(1);
	}
	if (number == SIGSEGV && info->si_code > 0 && info->si_addr)
		snprintf(text, sizeof(text), "faulted: %s, address %p", strsignal(number),
			 info->si_addr);
	else
		snprintf(text, sizeof(text), "faulted: %s", strsignal(number));
	stopped(text, at);
}

static void on_tick(int number, siginfo_t *info, void *at)
{
	static unsigned long last;
	static unsigned ticks;

	ticks = callback.name && callback.number == last ? ticks + 1 : 0;
	last = callback.number;
	if (ticks >= LOOP_TICKS_MAX)
		stopped("does not return", at);
}

/* ---- the sanitizers' side */

const char *__asan_get_report_description(void);
const char *__asan_default_options(void);
void __asan_on_error(void);
void __ubsan_get_current_report_data(const char **kind, const char **message, const char **file,
				     unsigned *line, unsigned *column, char **address);
void __ubsan_on_report(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
	       "detect_leaks=0:exitcode=1:detect_stack_use_after_return=0";
}

void __asan_on_error(void)
{
	char text[128];

	snprintf(text, sizeof(text), "used memory that is not its own: %s",
		 __asan_get_report_description());
	tell_where(text, NULL);
}

void __ubsan_on_report(void)
{
	const char *kind, *message, *file;
	unsigned source_line, column;
	char *address, text[MESSAGE_MAX];

	__ubsan_get_current_report_data(&kind, &message, &file, &source_line, &column, &address);
	snprintf(text, sizeof(text), "did what C does not define: %s", message);
	tell_where(text, NULL);
}

void library_watch(void)
{
	static char stack[1 << 18]; /* reading which lines there are takes much */
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct itimerval tick = { { 0, LOOP_TICK_MS * 1000 }, { 0, LOOP_TICK_MS * 1000 } };
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };

	where_prepare();
	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &action, NULL);
	action = (struct sigaction){ .sa_sigaction = on_tick,
				     .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &tick, NULL);
}
