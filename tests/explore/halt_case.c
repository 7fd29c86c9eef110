/* SPDX-License-Identifier: MIT */
/* exo/mailbox_ring.c, libos/core/kernel_mailbox.c, exo/refills.c, and included below the kernel's way
 * out, halt, rings and mailboxes: a vcore that halts with nothing to do never sleeps through an event
 *
 * CPU 0 runs a vcore as the libos's idle() does: masked, it takes what is pending, reads its mailbox,
 * and halts.  The others send messages and ring doorbells.  An interrupt is taken where ring 3 runs,
 * and by HLT.
 */
#define tsc_read tsc_read_of_the_machine
#include "kernel_cpus.h"
#undef tsc_read

static uint64_t tsc_read(void)
{
	return 1;
}

#include "core/kernel_mailbox.h"
#include "../../exo/exit.c"
#include "../../exo/mailbox.c"
#include "../../exo/places.c"
#include "../../exo/rung.c"
#include "../../exo/transitions.c"
#include "../../exo/upcall.c"
#include "../../exo/vcore_calls.c"
#include "kernel_exit.h"

static struct vcore vcore;
static struct exo_vcore_page page;
static struct sched_context context;
static struct exo_regs frame;
static _Atomic bool interrupted[CPUS];
static unsigned messages;
static bool belled;

/* ---------------------------------------------------------------- the rest of the kernel */

bool lapic_send(uint32_t apic_id, uint32_t command)
{
	atomic_store(&interrupted[apic_id], true);
	return true;
}

static bool is_interrupted(void *cpu)
{
	return interrupted[(uintptr_t)cpu];
}

void cpu_idle_wait(void)
{
	uintptr_t cpu = explore_self();

	explore_wait(is_interrupted, (void *)cpu, "executes HLT");
	atomic_store(&interrupted[cpu], false);
}

void run_account(struct cpu *cpu, uint64_t now)
{
}

void run_charge(struct cpu *cpu, struct sched_context *sc, uint64_t now)
{
}

bool run_stats(struct cpu *of, struct exo_cpu_stats *out)
{
	return false;
}

void timer_arm(struct vcore *v, uint64_t deadline_tsc)
{
}

void timer_expire(struct vcore *v)
{
}

void timer_set(struct cpu *cpu, uint64_t now)
{
}

void vcore_save(struct vcore *v, const struct exo_regs *regs)
{
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	struct run *run = &cpu_blocks[0].run;

	cpus_setup(CPUS);
	memset(&vcore, 0, sizeof(vcore));
	memset(&page, 0, sizeof(page));
	memset(&context, 0, sizeof(context));
	memset(interrupted, 0, sizeof(interrupted));
	messages = 0;
	belled = false;
	refills_init(&context.refills, 1000, 1000, 1, 0);
	vcore.object.owner = &domain;
	vcore.page = &page;
	vcore.space = &space;
	vcore.sc = &context;
	context.vcore = &vcore;
	vcore.where = VCORE_RUNNING;
	page.masked = 1;
	cpu_blocks[0].current = run->loaded = &vcore;
	run->frame = &frame;
	run->sc = &context;
	explore_name(&vcore.latched, sizeof(vcore.latched), "latched");
	explore_name(&vcore.rung_next, sizeof(vcore.rung_next), "rung_next");
	explore_name(&vcore.where, sizeof(vcore.where), "where");
	explore_name(&vcore.mailbox_tail, sizeof(vcore.mailbox_tail), "tail");
	explore_name(&page.pending, sizeof(page.pending), "pending");
	explore_name(&page.masked, sizeof(page.masked), "masked");
	explore_name(&page.mailbox_head, sizeof(page.mailbox_head), "head");
	explore_name(page.mailbox, sizeof(page.mailbox), "mailbox");
	explore_name(interrupted, sizeof(interrupted), "interrupted");
}

/* Ring 3 runs with interrupts on, so wherever it stands; masked, so it only finds `pending` set. */
static void take_interrupt(void)
{
	if (atomic_exchange(&interrupted[0], false))
		EXPLORE_CHECK(run_exit(&frame) == &frame);
}

static bool is_rung_or_interrupted(void *unused)
{
	return interrupted[0] || cpu_blocks[0].run.rung;
}

static void take_what_is_pending(void)
{
	uint32_t pending = __atomic_exchange_n(&page.pending, 0, __ATOMIC_ACQ_REL);
	struct exo_message message;

	belled |= pending & EXO_EVENT_DOORBELL;
	while ((pending & EXO_EVENT_MAILBOX) && kernel_mailbox_take(&page, &message))
		messages++;
}

static void idle_until(unsigned wanted, bool bell)
{
	struct handle_view none = { .kind = OBJECT_NONE };

	for (;;) {
		uint64_t token = page.token;

		take_interrupt();
		take_what_is_pending();
		if (messages == wanted && belled == bell)
			return;
		take_interrupt();
		frame.rdi = token;
		EXPLORE_CHECK(call_halt(&frame, &none) == 0);
		EXPLORE_CHECK(run_exit(&frame) == &frame);
		/* A halt is also refused for what is latched and on its way into the stack. */
		if (!page.pending && atomic_load(&vcore.latched))
			explore_wait(is_rung_or_interrupted, NULL,
				     "spins until the vcore is in the stack");
	}
}

static void two_messages(unsigned cpu)
{
	if (cpu == 0)
		idle_until(2, false);
	else
		EXPLORE_CHECK(mailbox_post(&vcore, EXO_MESSAGE_USER, cpu, 0, 0) == 0);
}

static void message_and_doorbell(unsigned cpu)
{
	if (cpu == 0)
		idle_until(1, true);
	else if (cpu == 1)
		EXPLORE_CHECK(mailbox_post(&vcore, EXO_MESSAGE_USER, cpu, 0, 0) == 0);
	else
		vcore_ring(&vcore, EXO_EVENT_DOORBELL);
}

static void it_runs(void)
{
	EXPLORE_CHECK(vcore_place(&vcore) == VCORE_RUNNING && cpu_blocks[0].current == &vcore);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "one_doorbell_ends_a_halt", 3, 2, 1, setup, message_and_doorbell, it_runs, NULL },
		{ "two_messages_end_a_halt", 3, 2, 1, setup, two_messages, it_runs, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
