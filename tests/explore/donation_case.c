/* SPDX-License-Identifier: MIT */
/* libos/core/mailbox.c, libos/core/task_state.c, and included below: whoever is given a slice runs, once,
 * on one CPU, and every giver goes on (libos/sched/donate.c)
 *
 * CPU 0 runs the giver.  The heir is a task that no thread is: a CPU that chooses it makes its steps
 * from event context, and it ends when it has seen all that it waits for.  The run queues hold what they
 * are given, in order; no time goes by, so a slice ends when somebody says so.
 */
#include <string.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "explore.h"
#define rdtsc rdtsc_of_the_machine
#include "core/cpu.h"
#undef rdtsc
#define LIBOS_TASK_REGISTERS_H /* this machine's are its own */
#include "core/task.h"

static uint64_t rdtsc(void)
{
	return 1;
}

static void task_registers_save(struct task *t)
{
}

static void task_registers_load(const struct task *t)
{
}

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc);
#define exo_halt halt_until_rung
#include "../../libos/core/idle.c"
#undef exo_halt
static int64_t switch_or_not(exo_handle space, uint64_t token);
#define exo_switch switch_or_not
#include "../../libos/core/hand_over.c"
#undef exo_switch
#include "../../libos/core/wake.c"
#include "../../libos/sched/donate.c"
#include "../../libos/sched/gift.c"
#include "../../libos/sched/messages.c"
#include "../../libos/sched/place.c"
#include "libos_halts.h"
#include "libos_queues.h"

#define LEFT_NS (SCHED_SLICE_DEFAULT_NS / 2) /* of each CPU's slice at the beginning */

static char slots[CPUS][TASK_SLOT_SIZE] __attribute__((aligned(TASK_SLOT_SIZE)));
static struct task heir;
static uint32_t wanted;             /* what the heir waits for */
static bool heir_tells;             /* it wakes the giver when it ends */
static _Atomic uint32_t raised;     /* of it, what has happened */
static _Atomic bool is_running, has_ended;
static _Atomic unsigned givers;     /* that have yet to go on */
static _Atomic bool is_over;        /* and all givers have gone on */
static unsigned handed_over;        /* how often the short way was taken; CPU 0's */
static unsigned refusals; /* how often the kernel takes CPU 0 away from who switches to a space */
static bool wants_to_be_asked; /* the library, whenever somebody is queued */
static bool refuses_all, refuses_returns; /* gifts */
static bool was_asked_about_return;

static struct task *task_of(unsigned cpu)
{
	return (struct task *)(slots[cpu] + TASK_OFFSET);
}

/* ---------------------------------------------------------------- what they call */

static bool may_go_on(void *cpu)
{
	return is_rung(cpu) || (cpu && is_over);
}

static int64_t halt_until_rung(uint64_t token, uint64_t deadline_tsc)
{
	explore_wait(may_go_on, (void *)(uintptr_t)explore_self(), "halts");
	return 0;
}

static int64_t switch_or_not(exo_handle space, uint64_t token)
{
	return refusals && refusals-- ? -EAGAIN : 0;
}

bool run_queue_holds(const struct vcore *v, const struct task *t)
{
	return task_place(t) == PLACE_QUEUED && t->home == v->cpu && !list_empty(&t->ready_link);
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	EXPLORE_CHECK(sched_allowed(t, v->cpu));
	queue_add(v, t);
	if (wants_to_be_asked)
		v->need_resched = v->must_pick = true;
}

void run_queue_admit(struct vcore *v, struct task *t)
{
}

/* Asked about a task that cannot end meanwhile. */
int run_queue_may_donate(struct vcore *v, struct task *from, struct task *to)
{
	EXPLORE_CHECK(run_queue_holds(v, to) || task_place(to) == PLACE_MAILBOX);
	was_asked_about_return |= from == &heir;
	return refuses_all || (refuses_returns && from == &heir) ? -EAGAIN : 0;
}

bool run_queue_charge(struct vcore *v, struct task *t, uint64_t ns)
{
	return false;
}

bool vcore_slice_ends(const struct vcore *v)
{
	return vcore_has_waiting(v) || v->current->donor.id;
}

void schedule(struct vcore *v, struct task *prev, enum sched_why why)
{
	explore_fail("the case has a scheduler of its own");
}

void switch_space_bug(const struct task *t, int64_t error)
{
	explore_fail("there is one space");
}

struct task *task_get(struct task_ref ref)
{
	return ref.id == heir.self.id ? &heir : task_of(ref.id - 1);
}

void wait_begin(void)
{
	struct task *t = this_vcore()->current;

	atomic_store(&t->wake_pending, false);
	task_set_state(t, TASK_BLOCKING);
}

void wait_cancel(void)
{
	task_set_state(this_vcore()->current, TASK_RUNNING);
}

/* As sleep_masked() in core/wait.c. */
int wait_sleep_masked(unsigned flags)
{
	struct task *t = this_vcore()->current;
	bool killable = flags & WAIT_KILLABLE;

	atomic_store(&t->wait_flags, flags);
	if ((killable && atomic_load(&t->work)) || atomic_load(&t->wake_pending))
		wait_cancel();
	else
		switch_away(SCHED_YIELDED);
	atomic_store(&t->wait_flags, 0);
	return killable && atomic_load(&t->work) ? -EINTR : 0;
}

/* ---------------------------------------------------------------- the smallest scheduler */

static void take_events(struct vcore *v)
{
	ring_take(v);
	v->in_event = true;
	messages_drain(v);
	v->in_event = false;
	wakes_deliver(v);
}

static struct sched_run choose_next(struct vcore *v)
{
	struct sched_run run = donation_heir(v);

	if (!run.task && !list_empty(&v->queue.ready)) {
		run.task = run_queue_oldest(v);
		run_queue_remove(v, run.task);
	}
	return run;
}

/* As enter() in core/switch.c. */
static void start(struct vcore *v, struct task *t)
{
	uint64_t slice_ns;

	EXPLORE_CHECK(!atomic_load(&t->on_cpu) && t->home == v->cpu);
	EXPLORE_CHECK(t->donated_ns <= LEFT_NS); /* nothing is given but what is left */
	EXPLORE_CHECK(t != v->heir || t->donated_ns); /* and an heir is not forgotten */
	v->need_resched = v->must_pick = false;
	slice_ns = t->donated_ns ? t->donated_ns : SCHED_SLICE_DEFAULT_NS;
	t->donated_ns = 0;
	if (t == v->heir) {
		v->heir = NULL;
		task_move(t, PLACE_MAILBOX, PLACE_RUNNING);
	} else {
		task_move(t, PLACE_QUEUED, PLACE_RUNNING);
	}
	task_set_state(t, TASK_RUNNING);
	if (v->idle)
		idle_ends(v);
	atomic_store(&t->on_cpu, true);
	v->current = t;
	v->slice_end_tsc = rdtsc() + slice_ns;
}

/* As leave(). */
static void stop(struct vcore *v, struct task *t)
{
	t->slice_ns = slice_left_ns(v, rdtsc());
	v->need_resched = false;
	v->current = NULL;
	v->slice_end_tsc = 0;
	donation_leave(v, t);
	if (task_state(t) == TASK_BLOCKING) {
		leave_blocked(v, t);
	} else {
		task_move(t, PLACE_RUNNING, PLACE_NONE);
		atomic_store_explicit(&t->on_cpu, false, memory_order_release);
	}
}

/* Ends if all has happened that it waits for, and wakes the giver; else sleeps for the rest. */
static void heir_runs(struct vcore *v)
{
	EXPLORE_CHECK(!atomic_exchange(&is_running, true));
	wait_begin();
	if (atomic_load(&raised) == wanted) {
		wait_cancel();
		task_set_state(&heir, TASK_ZOMBIE);
		atomic_store(&has_ended, true);
		if (heir_tells)
			wake_later(task_of(0), DONATION_NONE);
		if (!atomic_load(&givers))
			atomic_store(&is_over, true);
	}
	atomic_store(&is_running, false);
	stop(v, &heir);
	wakes_deliver(v);
}

/* With no current task: until `t` runs again, or with NULL until all is over. */
static void run_others(struct vcore *v, const struct task *t)
{
	while (t ? v->current != t : !atomic_load(&is_over)) {
		struct sched_run run;

		take_events(v);
		run = choose_next(v);
		if (!run.task) {
			idle(v, 0);
			continue;
		}
		start(v, run.task);
		if (run.task == &heir)
			heir_runs(v);
	}
}

/* As switch_next(): the end of the slice stays where it is. */
static void run_next(struct vcore *v, struct task *t)
{
	struct task *next = v->heir;
	uint64_t end = v->slice_end_tsc;

	if (!next || !hand_over(v, t, next)) {
		if (v->current)
			stop(v, t);
		return;
	}
	handed_over++;
	EXPLORE_CHECK(v->current == next && !v->heir && v->slice_end_tsc == end && !v->must_pick);
	EXPLORE_CHECK(next->successor.task == t);
	if (next == &heir)
		heir_runs(v);
}

/* The stack is left in name only: nothing of this function is on it that a resume would destroy. */
void switch_away(enum sched_why why)
{
	struct vcore *v = this_vcore();
	struct task *t = v->current;

	EXPLORE_CHECK(v->mask_depth == 1 && task_state(t) == TASK_BLOCKING);
	if (v->deferred)
		wakes_deliver(v);
	run_next(v, t);
	run_others(v, t);
}

/* ---------------------------------------------------------------- the cases */

static void name_cpu(unsigned cpu)
{
	struct task *t = task_of(cpu);

	explore_stack(cpu, slots[cpu], TASK_OFFSET);
	explore_name(t, sizeof(*t), "giver or another");
	explore_name(slots[cpu] + TASK_OFFSET - 1024, 1024, "stack"); /* a gift is on its giver's */
}

static void setup(unsigned cpus)
{
	queues_setup(cpus);
	memset(&heir, 0, sizeof(heir));
	raised = 0;
	givers = 1;
	handed_over = refusals = 0;
	wants_to_be_asked = refuses_all = refuses_returns = was_asked_about_return = false;
	heir_tells = true;
	is_running = has_ended = is_over = false;
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		struct task *t = task_of(cpu);

		memset(t, 0, sizeof(*t));
		t->self = (struct task_ref){ cpu + 1, 1 };
		t->state = TASK_RUNNING;
		t->where = PLACE_RUNNING;
		t->home = (int16_t)cpu;
		t->on_cpu = true;
		t->affinity = 1ul << cpu;
		list_init(&t->ready_link);
		vcore_of(cpu)->current = t;
		vcore_of(cpu)->slice_end_tsc = rdtsc() + LEFT_NS;
		name_cpu(cpu);
	}
	heir.self = (struct task_ref){ CPUS + 1, 1 };
	heir.affinity = ~0ul;
	list_init(&heir.ready_link);
	explore_name(&heir, sizeof(heir), "heir");
	explore_name(&raised, sizeof(raised), "raised");
	explore_name(&is_running, sizeof(is_running), "is_running");
	explore_name(&givers, sizeof(givers), "givers");
	explore_name(&is_over, sizeof(is_over), "is_over");
	explore_name(&has_ended, sizeof(has_ended), "has_ended");
}

/* The heir sleeps, at home on CPU 0. */
static void setup_asleep(void)
{
	setup(2);
	heir.state = TASK_BLOCKED;
	heir.where = PLACE_WAITING;
	wanted = 2;
}

static void setup_late(void)
{
	setup_asleep();
	wanted = 1;
}

/* Another vcore has CPU 0 when it switches to the heir's space. */
static void setup_taken_away(void)
{
	setup_late();
	heir.space = 2;
	vcore_of(0)->space = 1;
	refusals = 1;
}

static void setup_asking(void)
{
	setup_late();
	wants_to_be_asked = true;
}

/* The heir is new, and made on CPU 0. */
static void setup_new(void)
{
	setup_asleep();
	heir.where = PLACE_NONE;
}

static void setup_new_late(void)
{
	setup_late();
	heir.where = PLACE_NONE;
}

/* The heir is queued on that CPU. */
static void setup_queued_of(unsigned cpus, unsigned cpu)
{
	setup(cpus);
	queue_setup_task(cpu, &heir);
	wanted = 0;
	heir_tells = false;
}

static void setup_queued_here(void)
{
	setup_queued_of(1, 0);
}

static void setup_queued(void)
{
	setup_queued_of(2, 1);
}

static void setup_refused(void)
{
	setup_queued();
	refuses_all = true;
}

/* CPU 1 has nothing else, so that nobody steals it. */
static void setup_alone(void)
{
	setup_queued_of(3, 1);
	vcore_of(1)->current = NULL;
}

static void setup_refused_return(void)
{
	setup_queued_here();
	refuses_returns = true;
}

static void setup_two_givers(void)
{
	setup_queued_of(3, 1);
	givers = 2;
}

/* There is a third CPU, which has nothing to do. */
static void setup_stolen(void)
{
	setup_queued();
	queue_setup_cpu(2);
	name_cpu(2);
}

/* The heir runs on CPU 0, which its affinity has just been taken from. */
static void setup_bound_elsewhere(void)
{
	struct vcore *v = vcore_of(0);

	setup(2);
	heir.affinity = 1ul << 1;
	heir.state = TASK_RUNNING;
	heir.where = PLACE_RUNNING;
	heir.on_cpu = true;
	v->current = &heir;
	wanted = 1;
	heir_tells = false;
	givers = 0;
}

static void raise_and_wake(enum donation_kind gift)
{
	atomic_fetch_add(&raised, 1);
	upcalls_mask();
	wake_later(&heir, gift);
	upcalls_unmask();
}

static void sleep_until_it_has_ended(void)
{
	upcalls_mask();
	while (!atomic_load(&has_ended)) {
		wait_begin();
		if (atomic_load(&has_ended))
			wait_cancel();
		else
			switch_away(SCHED_YIELDED);
	}
	upcalls_unmask();
	atomic_store(&is_over, true);
}

/* CPU 0 promises its slice and goes to sleep; meanwhile CPU 1 wakes the same task. */
static void promise_and_sleep(unsigned cpu)
{
	raise_and_wake(cpu == 0 ? DONATION_PIPE : DONATION_NONE);
	if (cpu == 0)
		sleep_until_it_has_ended();
}

/* CPU 0 hands over while CPU 1 wakes it for another reason: before it has left its stack, or after. */
static void hand_over_and_be_woken(unsigned cpu)
{
	if (cpu == 0) {
		raise_and_wake(DONATION_PIPE);
		EXPLORE_CHECK(vcore_of(0)->heir == &heir);
		sleep_until_it_has_ended();
		return;
	}
	upcalls_mask();
	wake_later(task_of(0), DONATION_NONE);
	upcalls_unmask();
}

/* The same, but CPU 0 has used up its slice when it goes to sleep. */
static void promise_and_leave_nothing(unsigned cpu)
{
	raise_and_wake(cpu == 0 ? DONATION_PIPE : DONATION_NONE);
	if (cpu == 0) {
		vcore_of(0)->slice_end_tsc = rdtsc();
		sleep_until_it_has_ended();
	}
}

/* CPU 0 makes the task and waits for its end; meanwhile CPU 1 wakes it, as a signal does. */
static void make_and_sleep(unsigned cpu)
{
	if (cpu == 1) {
		raise_and_wake(DONATION_NONE);
		return;
	}
	atomic_fetch_add(&raised, 1);
	task_start(&heir);
	EXPLORE_CHECK(vcore_of(0)->heir == &heir);
	sleep_until_it_has_ended();
}

/* CPU 1 has nothing to do. */
static void be_idle(unsigned cpu)
{
	struct vcore *v = vcore_of(cpu);

	upcalls_mask();
	if (v->current) {
		task_set_state(v->current, TASK_ZOMBIE);
		stop(v, v->current);
	}
	run_others(v, NULL);
}

/* CPU 1 wakes it, and alone may run it. */
static void sleep_and_be_woken_elsewhere(unsigned cpu)
{
	if (cpu == 0) {
		upcalls_mask();
		heir_runs(vcore_of(0));
		return;
	}
	raise_and_wake(DONATION_NONE);
	be_idle(cpu);
}

static void the_heir_has_ended(void)
{
	EXPLORE_CHECK(has_ended && task_place(&heir) == PLACE_NONE);
}

/* CPU 0 has promised its slice and goes on until that was too long. */
static void go_on_and_sleep(void)
{
	upcalls_mask();
	donation_release(this_vcore(), DONATION_LATE);
	take_events(this_vcore());
	upcalls_unmask();
	sleep_until_it_has_ended();
}

static void promise_and_go_on(unsigned cpu)
{
	if (cpu == 1) {
		be_idle(cpu);
		return;
	}
	raise_and_wake(DONATION_PIPE);
	go_on_and_sleep();
}

/* The promise was made to a new task, which is placed as one then. */
static void make_and_go_on(unsigned cpu)
{
	if (cpu == 1) {
		be_idle(cpu);
		return;
	}
	atomic_fetch_add(&raised, 1);
	task_start(&heir);
	go_on_and_sleep();
	EXPLORE_CHECK(heir.message == MESSAGE_START || heir.message == MESSAGE_STOLEN);
}

static bool heir_has_ended(void *unused)
{
	return has_ended;
}

/* CPU 0 gives to the task by its name, and waits, while CPU 1 is about to run it. */
static void give_across_cpus(unsigned cpu)
{
	int r;

	if (cpu == 1 || !vcore_of(cpu)->current) {
		be_idle(cpu);
		return;
	}
	r = sched_donate(heir.self, SCHED_DONATE_WAIT);
	EXPLORE_CHECK(r == 0 ? atomic_load(&has_ended) && !refuses_all : r == -EAGAIN);
	explore_wait(heir_has_ended, NULL, "waits for the heir's end");
	if (atomic_fetch_sub(&givers, 1) == 1)
		atomic_store(&is_over, true);
}

/* The same, and CPU 2 wakes the giver, who has a sleep before this one behind it. */
static void give_and_be_woken(unsigned cpu)
{
	if (cpu < 2) {
		give_across_cpus(cpu);
		return;
	}
	upcalls_mask();
	wake_later(task_of(0), DONATION_NONE);
	upcalls_unmask();
}

/* CPU 0 lends its slice to the task, which is queued there.  What that leaves is CPU 0's again, and nobody's
 * besides. */
static void lend(unsigned cpu)
{
	struct vcore *v = vcore_of(cpu);
	bool lent;

	upcalls_mask();
	lent = donation_may_lend(v, &heir) && donation_lend(v, &heir);
	upcalls_unmask();
	EXPLORE_CHECK(lent && atomic_load(&has_ended) && was_asked_about_return);
	EXPLORE_CHECK(heir.slice_ns == 0);
	EXPLORE_CHECK(slice_left_ns(v, rdtsc()) == (refuses_returns ? SCHED_SLICE_DEFAULT_NS : LEFT_NS));
}

static bool no_giver_waits(void *unused)
{
	return !givers;
}

/* CPU 0 gives to the task and waits, while CPU 2 kills the giver.  CPU 1 lets the task run only when that has
 * gone on. */
static void give_and_be_killed(unsigned cpu)
{
	if (cpu == 0) {
		EXPLORE_CHECK(sched_donate(heir.self, SCHED_DONATE_WAIT) == 0 && !has_ended);
		atomic_store(&givers, 0);
	} else if (cpu == 1) {
		upcalls_mask();
		explore_wait(may_go_on, (void *)(uintptr_t)cpu, "is given something");
		take_events(vcore_of(cpu));
		upcalls_unmask();
		explore_wait(no_giver_waits, NULL, "waits for the giver to go on");
		be_idle(cpu);
	} else {
		atomic_store(&task_of(0)->work, WORK_EXIT);
		upcalls_mask();
		if (atomic_load(&task_of(0)->wait_flags))
			wake_later(task_of(0), DONATION_NONE);
		upcalls_unmask();
	}
}

static void all_went_on(void)
{
	EXPLORE_CHECK(has_ended && task_place(&heir) == PLACE_NONE && !heir.donor.id);
	EXPLORE_CHECK(task_state(task_of(0)) == TASK_RUNNING && vcore_of(0)->current == task_of(0));
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		EXPLORE_CHECK(!vcore_of(cpu)->heir && !vcore_of(cpu)->deferred &&
			      !vcore_of(cpu)->mailbox.tasks && !vcore_of(cpu)->mailbox.calls);
}

/* By the short way, unless CPU 1's wake came before there was a sleep. */
static void handed_over_once(void)
{
	all_went_on();
	EXPLORE_CHECK(handed_over <= 1 && (handed_over == 1 || heir.message != MESSAGE_DONATE));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_promise_is_kept_whoever_else_wakes", 2, 2, 0, setup_asleep, promise_and_sleep,
		  all_went_on, NULL },
		{ "who_hands_over_is_woken_meanwhile", 2, 2, 0, setup_late, hand_over_and_be_woken,
		  handed_over_once, NULL },
		{ "what_is_handed_over_survives_the_loss_of_the_cpu", 2, 2, 0, setup_taken_away,
		  hand_over_and_be_woken, all_went_on, NULL },
		{ "a_library_that_asks_at_the_last_moment_is_heard", 2, 2, 0, setup_asking,
		  hand_over_and_be_woken, all_went_on, NULL },
		{ "a_promise_with_nothing_left_is_a_wake", 2, 1, 1, setup_asleep,
		  promise_and_leave_nothing, all_went_on, NULL },
		{ "a_promise_that_takes_too_long_is_a_wake", 2, 2, 0, setup_late, promise_and_go_on,
		  all_went_on, NULL },
		{ "a_new_task_runs_whoever_else_wakes_it", 2, 2, 0, setup_new, make_and_sleep,
		  all_went_on, NULL },
		{ "a_new_task_that_waits_too_long_goes_elsewhere", 2, 2, 0, setup_new_late,
		  make_and_go_on, all_went_on, NULL },
		{ "a_gift_across_arrives_or_comes_back", 2, 1, 1, setup_queued, give_across_cpus,
		  all_went_on, NULL },
		{ "what_is_lent_comes_back_once", 1, 0, 0, setup_queued_here, lend, all_went_on,
		  NULL },
		{ "what_may_not_come_back_is_a_wake", 1, 0, 0, setup_refused_return, lend, all_went_on,
		  NULL },
		{ "a_gift_across_may_be_refused_there", 2, 1, 1, setup_refused, give_across_cpus,
		  all_went_on, NULL },
		{ "a_giver_that_waits_can_be_killed", 3, 1, 1, setup_alone, give_and_be_killed,
		  all_went_on, NULL },
		{ "a_giver_may_be_woken_for_another_reason", 3, 1, 0, setup_stolen,
		  give_and_be_woken, all_went_on, NULL },
		{ "each_of_two_gifts_arrives_or_comes_back", 3, 1, 0, setup_two_givers,
		  give_across_cpus, all_went_on, NULL },
		{ "a_wake_that_meets_a_sleeper_heeds_its_affinity", 2, 2, 0, setup_bound_elsewhere,
		  sleep_and_be_woken_elsewhere, the_heir_has_ended, NULL },
		{ "a_gift_to_what_is_stolen_comes_back", 3, 1, 0, setup_stolen, give_across_cpus,
		  all_went_on, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
