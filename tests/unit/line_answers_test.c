/* SPDX-License-Identifier: MIT */
/* What a domain's owner of an interrupt line may cost the domain above it: libos/domain/lines.c, with a
 * kernel, a maker and timers that only count. */
#include "libos_shim.h"
#include "check.h"

/* ---- the kernel's side (core/exo.h has calls that only the libos's own text may make) */

#define LIBOS_EXO_H
static unsigned sent, acknowledged;

static int64_t exo_send(exo_handle vcore, uint64_t w0, uint64_t w1, uint64_t w2)
{
	sent++;
	return 0;
}

static int64_t exo_irq_ack(exo_handle line)
{
	acknowledged++;
	return 0;
}

static int64_t exo_irq_bind(exo_handle irqs, exo_handle vcore, unsigned line, uint64_t word)
{
	return 77;
}

static int64_t exo_revoke(exo_handle h, uint64_t deadline_ns)
{
	return 0;
}

static int64_t exo_handle_drop(exo_handle h)
{
	return 0;
}

#include "../../libos/domain/lines.c"

struct vcore_area vcore_areas[EXO_CPUS_MAX];

/* ---- the maker's side, and timers */

#define LINE 5u

static exo_handle granted;
static uint32_t interrupts;        /* so far, by the maker's count */
static uint32_t answered, answers; /* which was answered last, and how often */
static struct timer *armed;
static uint64_t armed_for_ns;

bool parent_exists(void)
{
	return true;
}

exo_handle parent_line(unsigned number)
{
	return number == LINE ? granted : 0;
}

bool parent_wants_line(unsigned number)
{
	return false;
}

uint32_t parent_interrupts(unsigned number)
{
	return number == LINE ? interrupts : 0;
}

void parent_answer(unsigned number, uint32_t interrupt)
{
	CHECK_EQ(number, LINE);
	answered = interrupt;
	answers++;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	armed = t;
	armed_for_ns = deadline_ns;
}

int device_register(const char *path, uint32_t permissions, unsigned major, unsigned minor,
		    const struct file_ops *ops, void *private)
{
	return 0;
}

void poll_wait(struct poll_waiter *w, struct wait_queue *q, struct lock *lock)
{
}

/* ---- the owner's */

static struct domain owner;
static struct domain_boot boot;
static struct domain_console console;

static void start(void)
{
	owner.boot = &boot;
	owner.console = &console;
	granted = domain_line_relayed(++interrupts);
	CHECK_EQ(line_lend(LINE, &owner), 0);
	CHECK_EQ(boot.lines[LINE], domain_line_relayed(lines[LINE].lendings));
	armed = NULL;
	answers = 0;
	shim_now_ns += 2 * ANSWER_NS;
}

static void interrupt(void)
{
	uint32_t before = boot.interrupts[LINE];

	interrupts++;
	lines_rung();
	CHECK_EQ(boot.interrupts[LINE], before + 1);
}

static void owner_answers(void)
{
	console.answers[LINE] = boot.interrupts[LINE];
	lines_rung();
}

static void an_answer_is_passed_on(void)
{
	start();
	interrupt();
	CHECK_EQ(answers, 0);
	owner_answers();
	CHECK_EQ(answers, 1);
	CHECK_EQ(answered, interrupts);
	lines_rung(); /* it is answered: nothing more is */
	CHECK_EQ(answers, 1);
	CHECK(!armed);
	line_take_back(LINE);
}

/* Its device interrupts without a pause, since it does nothing about it. */
static void answers_without_a_pause_are_passed_on_with_one(void)
{
	start();
	interrupt();
	owner_answers();
	for (unsigned i = 0; i < 10; i++) {
		uint64_t before = shim_now_ns;

		interrupt();
		owner_answers();
		lines_rung();
		CHECK_EQ(answers, i + 1);
		CHECK(armed && armed_for_ns > before && armed_for_ns <= before + ANSWER_NS);
		shim_now_ns = armed_for_ns;
		armed->fire(armed);
		CHECK_EQ(answers, i + 2);
		CHECK_EQ(answered, interrupts);
	}
	line_take_back(LINE);
}

static void an_answer_that_waits_ends_with_the_loan(void)
{
	start();
	interrupt();
	owner_answers();
	interrupt();
	owner_answers();
	CHECK(armed);
	line_take_back(LINE);
	shim_now_ns = armed_for_ns;
	armed->fire(armed);
	CHECK_EQ(answers, 1);
}

static void all(void)
{
	lines_init();
	RUN(an_answer_is_passed_on);
	RUN(answers_without_a_pause_are_passed_on_with_one);
	RUN(an_answer_that_waits_ends_with_the_loan);
}

int main(void)
{
	shim_run(all);
	return check_result();
}
