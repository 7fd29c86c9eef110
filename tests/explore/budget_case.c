/* SPDX-License-Identifier: MIT */
/* exo/mailbox_ring.c, and included below the kernel's way out, charging, replenishments and timer, with their
 * invariants checked: a budget may end anywhere, and each tick is somebody's
 *
 * CPU 0 has two vcores.  One computes for longer than its budget lasts, and then sleeps until a doorbell,
 * which another CPU rings; the other one computes for ever, on a budget of its own.  Time is two threads:
 * ticks come when ring 3 waits for them, and between any two accesses to memory.
 */
#define EXO_DEBUG 1
#define tsc_read tsc_read_of_the_machine
#include "kernel_cpus.h"
#undef tsc_read

#define HASTY_TICKS 1 /* that come at any moment; the others when everybody waits for one */
#define EARLY_TICKS 4 /* that may come before the bell */
#define TICKS_MAX 90  /* long after the sleeper must have woken */
#define WORK 2
#define BUDGET 2
#define PERIOD 5
#define MASKED_LIMIT 50

static _Atomic uint64_t clock_ticks, armed;

static uint64_t tsc_read(void)
{
	return atomic_load(&clock_ticks);
}

#include "../../exo/account.c"
#include "../../exo/exit.c"
#include "../../exo/mailbox.c"
#include "../../exo/places.c"
#include "../../exo/refills.c"
#include "../../exo/rung.c"
#include "../../exo/timer.c"
#include "../../exo/transitions.c"
#include "../../exo/upcall.c"
#include "../../exo/vcore_calls.c"
#include "kernel_exit.h"

enum { SLEEPER, SPINNER, VCORES };
enum phase { COMPUTES, LOOKS, HALTS };

static struct vcore vcores[VCORES];
static struct exo_vcore_page pages[VCORES];
static struct sched_context contexts[VCORES];
static struct exo_regs frame, *live; /* the registers of whoever runs */
static _Atomic bool interrupted[CPUS], halted, rung, finished;
static _Atomic uint64_t computes_until; /* the next tick, which ring 3 waits for; 0: it does not */

/* The sleeper's. */
static enum phase phase;
static unsigned work;
static uint64_t token;
static bool belled;

/* ---------------------------------------------------------------- the machine */

bool lapic_send(uint32_t apic_id, uint32_t command)
{
	atomic_store(&interrupted[apic_id], true);
	return true;
}

void lapic_timer_arm(uint64_t deadline_tsc)
{
	atomic_store(&armed, deadline_tsc);
}

static bool is_interrupted(void *unused)
{
	return interrupted[0] || (armed && armed <= clock_ticks);
}

/* As dispatch_interrupt() in exo/x86/trap.c. */
static void dispatch_interrupt(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t now = tsc_read(), due = atomic_load(&armed);

	run_account(cpu, now);
	if (!atomic_exchange(&interrupted[0], false) && due && due <= now) {
		atomic_store(&armed, 0);
		cpu->run.armed = 0;
		cpu->run.attention = true;
	}
	run_serve(cpu, now);
}

void cpu_idle_wait(void)
{
	atomic_store(&halted, true);
	explore_wait(is_interrupted, NULL, "executes HLT");
	atomic_store(&halted, false);
	dispatch_interrupt();
}

/* ---------------------------------------------------------------- the rest of the kernel */

void frame_poison(uint64_t number)
{
}
void entry_begins(uint64_t vector)
{
}
void entry_ends(void)
{
}
void nmi_report(void)
{
}
void inject_entry(uint64_t vector)
{
}
bool inject_interrupt(const struct cpu *target, unsigned vector)
{
	return false;
}
uint64_t inject_timer(uint64_t next, uint64_t now)
{
	return next;
}

void vcore_save(struct vcore *v, const struct exo_regs *regs)
{
	v->regs = *regs;
}

/* ---------------------------------------------------------------- what the vcores do */

static struct exo_vcore_page *current_page(void)
{
	return cpu_blocks[0].current->page;
}

static bool take_pending(void)
{
	uint32_t pending = __atomic_exchange_n(&current_page()->pending, 0, __ATOMIC_ACQ_REL);

	belled |= pending & EXO_EVENT_DOORBELL;
	return pending != 0;
}

/* An upcall has masked whoever computes; it goes on when nothing is pending. */
static void finish_upcall(void)
{
	while (take_pending())
		;
	__atomic_store_n(&current_page()->masked, 0, __ATOMIC_RELAXED);
}

static void take_interrupt(void)
{
	if (!is_interrupted(NULL))
		return;
	dispatch_interrupt();
	live = run_exit(live);
}

static bool time_has_passed(void *unused)
{
	return clock_ticks >= computes_until || is_interrupted(NULL);
}

static void compute(void)
{
	if (__atomic_load_n(&current_page()->masked, __ATOMIC_RELAXED))
		finish_upcall();
	atomic_store(&computes_until, atomic_load(&clock_ticks) + 1);
	explore_wait(time_has_passed, NULL, "computes");
	atomic_store(&computes_until, 0);
}

static bool is_rung_or_interrupted(void *unused)
{
	return is_interrupted(NULL) || cpu_blocks[0].run.rung;
}

static void halt(void)
{
	struct handle_view none = { .kind = OBJECT_NONE };
	int64_t result;

	live->rdi = token;
	live->rsi = 0;
	result = call_halt(live, &none);
	EXPLORE_CHECK(result == 0 || result == -EAGAIN);
	phase = LOOKS;
	live = run_exit(live);
	/* It is also refused for what is latched and on its way into the stack. */
	if (cpu_blocks[0].current == &vcores[SLEEPER] && !vcores[SLEEPER].page->pending &&
	    atomic_load(&vcores[SLEEPER].latched))
		explore_wait(is_rung_or_interrupted, NULL, "spins until the vcore is in the stack");
}

/* A step, at whose end somebody else may have the CPU. */
static void sleeper_goes_on(void)
{
	switch (phase) {
	case COMPUTES:
		compute();
		if (--work == 0)
			phase = LOOKS;
		break;
	case LOOKS:
		__atomic_store_n(&current_page()->masked, 1, __ATOMIC_RELAXED);
		token = current_page()->token;
		take_pending();
		if (belled)
			atomic_store(&finished, true);
		phase = HALTS;
		break;
	case HALTS:
		halt();
		break;
	}
}

static void cpu_0(void)
{
	live = &frame;
	vcore_start(&vcores[SPINNER], 0);
	while (!finished) {
		if (cpu_blocks[0].current == &vcores[SLEEPER])
			sleeper_goes_on();
		else
			compute();
		take_interrupt();
	}
}

/* ---------------------------------------------------------------- time */

static bool somebody_waits_for_time(void *unused)
{
	return finished ||
	       (!is_interrupted(NULL) && (computes_until > clock_ticks || (halted && armed)));
}

static bool is_rung(void *unused)
{
	return rung;
}

static void clock(void)
{
	for (unsigned n = 0;; n++) {
		if (n == EARLY_TICKS)
			explore_wait(is_rung, NULL, "waits for the bell");
		explore_wait(somebody_waits_for_time, NULL, "waits until time is waited for");
		if (finished)
			return;
		do
			atomic_fetch_add(&clock_ticks, 1);
		while (halted && clock_ticks < armed);
		EXPLORE_CHECK(clock_ticks < TICKS_MAX);
	}
}

static void hurry(void)
{
	for (unsigned i = 0; i < HASTY_TICKS; i++)
		atomic_fetch_add(&clock_ticks, 1);
}

/* ---------------------------------------------------------------- the cases */

static void set_up_vcore(unsigned i)
{
	struct sched_context *sc = &contexts[i];
	struct vcore *v = &vcores[i];

	refills_init(&sc->refills, BUDGET, PERIOD, 1, 0);
	sc->vcore = v;
	v->object.owner = &domain;
	v->page = &pages[i];
	v->space = &space;
	v->sc = sc;
	explore_name(&v->latched, sizeof(v->latched), "latched");
	explore_name(&v->rung_next, sizeof(v->rung_next), "rung_next");
	explore_name(&v->where, sizeof(v->where), "where");
}

static void setup(void)
{
	struct run *run = &cpu_blocks[0].run;

	cpus_setup(CPUS);
	memset(vcores, 0, sizeof(vcores));
	memset(pages, 0, sizeof(pages));
	memset(contexts, 0, sizeof(contexts));
	memset(interrupted, 0, sizeof(interrupted));
	clock_ticks = armed = 0;
	computes_until = 0;
	halted = rung = finished = belled = false;
	phase = COMPUTES;
	work = WORK;
	for (unsigned i = 0; i < VCORES; i++)
		set_up_vcore(i);
	vcores[SLEEPER].where = VCORE_RUNNING;
	cpu_blocks[0].current = run->loaded = &vcores[SLEEPER];
	run->frame = &frame;
	run->sc = &contexts[SLEEPER];
	run->masked_limit = MASKED_LIMIT;
	run->recheck = MASKED_LIMIT;
	run->attention = true;
	explore_name(&clock_ticks, sizeof(clock_ticks), "clock_ticks");
	explore_name(&armed, sizeof(armed), "armed");
	explore_name(interrupted, sizeof(interrupted), "interrupted");
	explore_name(&computes_until, sizeof(computes_until), "computes_until");
	explore_name(&rung, sizeof(rung), "rung");
	explore_name(&halted, sizeof(halted), "halted");
	explore_name(&finished, sizeof(finished), "finished");
}

static void ring(void)
{
	vcore_ring(&vcores[SLEEPER], EXO_EVENT_DOORBELL);
	atomic_store(&rung, true);
}

static void a_bell_while_budgets_end(unsigned number)
{
	if (number == 0)
		cpu_0();
	else if (number == 1)
		ring();
	else if (number == 2)
		clock();
	else
		hurry();
}

static void each_tick_is_somebodys(void)
{
	const struct exo_cpu_stats *stats = &cpu_blocks[0].stats;

	EXPLORE_CHECK(stats->charged + stats->idle + stats->kernel == stats->elapsed);
	EXPLORE_CHECK(stats->elapsed == cpu_blocks[0].run.stamp && stats->elapsed <= clock_ticks);
	EXPLORE_CHECK(contexts[SLEEPER].consumed + contexts[SPINNER].consumed == stats->charged);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_doorbell_is_heard_when_budgets_end", 4, 1, 0, setup, a_bell_while_budgets_end,
		  each_tick_is_somebodys, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
