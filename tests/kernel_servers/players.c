/* SPDX-License-Identifier: MIT */
/* What A, B and C do, and their parent with them: see players.h. */
#include "players.h"

int64_t vcore_of[CALLERS][CHILDREN_MAX], domain_of[CHILDREN_MAX], context_of_a;
void (*_Atomic order)(void);
_Atomic uint64_t cuts[CALLERS], served[CHILDREN_MAX];
_Atomic int64_t ended_by[CALLERS];
char notes[64];

static _Atomic unsigned note_count;

/* ---------------------------------------------------------------- what they do */

void note(char what)
{
	unsigned at = note_count++;

	if (at < sizeof(notes) - 1)
		notes[at] = what;
}

bool noted(const char *text)
{
	unsigned i = 0;

	while (text[i] && i < sizeof(notes) && notes[i] == text[i])
		i++;
	if (!text[i] && i == note_count)
		return true;
	print("# they noted ");
	print(notes);
	print("\n");
	return false;
}

bool has_noted(char what)
{
	unsigned i = 0;

	while (notes[i] && notes[i] != what)
		i++;
	return notes[i] == what;
}

void spin(uint64_t n)
{
	uint64_t end = tsc() + ms(n);

	while (tsc() < end)
		asm volatile("pause");
}

int64_t donate(int64_t vcore)
{
	int64_t result;

	do
		result = exo_call(EXO_CALL_DONATE, vcore, my_page()->token, 0, 0);
	while (result == -EAGAIN); /* preempted between the two */
	return result;
}

int64_t call(unsigned caller, unsigned server)
{
	uint64_t answers = served[server];
	int64_t result;

	do {
		result = donate(vcore_of[caller][server]);
		cuts[caller] += result == 1;
	} while (result >= 0 && served[server] == answers);
	ended_by[caller] = result;
	return result;
}

static void reply(unsigned server)
{
	int64_t result;

	served[server]++;
	do
		result = exo_call(EXO_CALL_REPLY, my_page()->token, 0, 0, 0);
	while (result == -EAGAIN);
	CHECK(result == 0 || result == -ESRCH);
	if (result)
		halt(0, &children[server].seen);
}

static void a_main(void)
{
	for (;;) {
		halt(0, &children[A].seen);
		note('A');
		note(call(A, B) < 0 ? '!' : 'a');
	}
}

static void b_main(void)
{
	for (;;) {
		note('B');
		note(call(B, C) < 0 ? '!' : 'b');
		reply(B);
	}
}

static void c_main(void)
{
	for (;;) {
		void (*now)(void) = atomic_exchange(&order, NULL);

		note('C');
		if (now)
			now();
		note('c');
		reply(C);
	}
}

void sleeper_main(void)
{
	for (;;) {
		served[this_one() - children]++;
		halt(0, &this_one()->seen);
	}
}

/* ---------------------------------------------------------------- the parent's side */

int64_t copy(int64_t handle, unsigned to)
{
	int64_t copied = exo_call(EXO_CALL_HANDLE_COPY, handle, children[to].domain, EXO_RIGHTS_ALL, 0);

	CHECK(copied > 0);
	return copied;
}

static void start_notes(void)
{
	order = NULL;
	note_count = 0;
	for (unsigned i = 0; i < sizeof(notes); i++)
		notes[i] = 0;
	for (unsigned i = 0; i < CALLERS; i++)
		cuts[i] = ended_by[i] = 0;
}

void make_three(uint64_t budget_ns)
{
	start_notes();
	for (unsigned i = 0; i < CHILDREN_MAX; i++)
		served[i] = 0;
	one_make(&children[A], a_main);
	one_make(&children[B], b_main);
	one_make(&children[C], c_main);
	if (budget_ns)
		one_fund(&children[A], budget_ns);
	for (unsigned i = A; i <= C; i++) {
		vcore_of[PARENT][i] = children[i].vcore;
		domain_of[i] = copy(children[i].domain, C);
		for (unsigned caller = A; caller <= C; caller++)
			vcore_of[caller][i] = copy(children[i].vcore, caller);
	}
	if (budget_ns)
		context_of_a = copy(children[A].sc, C);
	for (unsigned i = A; i <= C; i++)
		one_start(&children[i]);
	pass_ms(1); /* A sleeps now */
	CHECK(noted(""));
}

void end_three(void)
{
	for (unsigned i = A; i <= C; i++)
		if (children[i].domain)
			one_end(&children[i]);
}

void let_a_call(void (*in_the_middle)(void), uint64_t at_most_ms)
{
	start_notes();
	order = in_the_middle;
	exo_call(EXO_CALL_DOORBELL, children[A].vcore, 0, 0, 0);
	pass_ms(at_most_ms);
}

int64_t consumed_ns(int64_t sc)
{
	return exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0);
}
