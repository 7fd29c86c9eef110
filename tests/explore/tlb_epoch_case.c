/* SPDX-License-Identifier: MIT */
/* exo/tlb_epoch.c: no TLB holds a translation to a frame that has a new use (I10), and who waits for an
 * epoch is rung
 *
 * CPU 0 takes an entry away and then gives its frame a new use; CPU 1 runs a program that uses the
 * address, with a TLB that fills itself at the worst moment: at once after each flush.
 */
#include "kernel_cpus.h"

static void cr3_write(uint64_t root);
static void tlb_flush_all(void);
#include "../../exo/tlb_epoch.c"

#define FRAME 7

static _Atomic uint64_t entry;   /* the page-table entry: FRAME, or 0 */
static _Atomic bool has_new_use; /* of the frame */
static uint64_t tlb[CPUS];       /* what the CPU's TLB says */
static _Atomic bool vcore_rung;
static _Atomic bool interrupted[CPUS];

static _Atomic uint64_t frames[FRAME + 1];
_Atomic uint64_t *frame_private = frames;
static struct domain domain;
static struct space space, shared;
static struct vcore vcore;

/* ---------------------------------------------------------------- the machine and the kernel */

static void tlb_flush_all(void)
{
	if (this_cpu()->run.space)
		tlb[this_cpu()->number] = atomic_load_explicit(&entry, memory_order_relaxed);
}

static void cr3_write(uint64_t root)
{
	tlb_flush_all();
}

void cpu_interrupt(const struct cpu *target, unsigned vector)
{
	atomic_store(&interrupted[target->number], true);
}

void vcore_ring(struct vcore *v, uint64_t bits)
{
	atomic_store(&vcore_rung, true);
}

void object_get(struct object *o)
{
}

void object_put(struct object *o)
{
}

bool lock_held(const struct lock *l)
{
	return true;
}

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

/* ---------------------------------------------------------------- the cases */

static void load_of(unsigned cpu, struct space *s, struct space *below)
{
	struct run *run = &cpu_blocks[cpu].run;

	run->space = s;
	run->shared = below;
	tlb_cpus[cpu].loaded[0].next = tlb_cpus[cpu].loaded[0].last = s;
	tlb_cpus[cpu].loaded[1].next = tlb_cpus[cpu].loaded[1].last = below;
}

static void setup_cpus(unsigned cpus)
{
	cpus_setup(cpus);
	memset(tlb_cpus, 0, sizeof(tlb_cpus));
	memset(frames, 0, sizeof(frames));
	memset(&space, 0, sizeof(space));
	memset(&shared, 0, sizeof(shared));
	memset(&vcore, 0, sizeof(vcore));
	tlb_clock = waiting = 0;
	space.object.owner = &domain;
	domain.shared = &shared;
	entry = FRAME;
	has_new_use = vcore_rung = false;
	memset(tlb, 0, sizeof(tlb));
	memset(interrupted, 0, sizeof(interrupted));
	shared.is_shared = true;
	for (unsigned i = 0; i < cpus; i++) {
		load_of(i, &space, &shared);
		cpu_blocks[i].current = &vcore;
		tlb[i] = FRAME;
	}
	explore_name(&entry, sizeof(entry), "entry");
	explore_name(&has_new_use, sizeof(has_new_use), "has_new_use");
	explore_name(&vcore_rung, sizeof(vcore_rung), "vcore_rung");
	explore_name(interrupted, sizeof(interrupted), "interrupted");
	explore_name(&space.behind, sizeof(space.behind), "behind");
	explore_name(&shared.behind, sizeof(shared.behind), "behind (shared)");
	explore_name(&tlb_clock, sizeof(tlb_clock), "clock");
	explore_name(&waiting, sizeof(waiting), "waiting");
	explore_name(&tlb_cpus[0], sizeof(tlb_cpus[0]), "CPU 0");
	explore_name(&tlb_cpus[1], sizeof(tlb_cpus[1]), "CPU 1");
	explore_name(&tlb_cpus[2], sizeof(tlb_cpus[2]), "CPU 2");
	explore_name(&frames[FRAME], sizeof(frames[FRAME]), "stamp");
	explore_name(&space.object, sizeof(space.object), "space");
	explore_name(&space.is_shared, sizeof(space.is_shared), "is_shared");
	explore_name(&domain, sizeof(domain), "domain");
}

static void setup(void)
{
	setup_cpus(2);
}

static void setup_three(void)
{
	setup_cpus(3);
}

static void setup_not_loaded(void)
{
	setup();
	load_of(1, NULL, NULL);
	tlb[1] = 0;
}

static bool frame_is_free(void *unused)
{
	return tlb_frame_acknowledged(FRAME);
}

static tlb_stamp take_entry_away(void)
{
	tlb_stamp stamp;

	atomic_store_explicit(&entry, 0, memory_order_relaxed);
	stamp = tlb_publish(&space);
	tlb_stamp_frame(FRAME, stamp);
	tlb_flush_all();
	return stamp;
}

static void use_anew(unsigned cpu)
{
	take_entry_away();
	explore_wait(frame_is_free, NULL, "waits until the frame may be used");
	atomic_store_explicit(&has_new_use, true, memory_order_relaxed);
}

/* Ring 3 on CPU 1. */
static void touch(unsigned cpu)
{
	if (!tlb[cpu])
		tlb[cpu] = atomic_load_explicit(&entry, memory_order_relaxed);
	if (tlb[cpu])
		EXPLORE_CHECK(!atomic_load_explicit(&has_new_use, memory_order_relaxed));
}

/* In the end it idles, so what waits for it need not wait. */
static void go_idle(unsigned cpu)
{
	atomic_store(&cpu_blocks[cpu].idle, true);
}

static void it_runs(unsigned cpu)
{
	if (cpu == 0) {
		use_anew(cpu);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		touch(cpu);
		tlb_catch_up();
	}
	touch(cpu);
	go_idle(cpu);
}

/* Another entry has gone just before: the CPU may be on its way to say so. */
static void two_epochs(unsigned cpu)
{
	if (cpu == 0)
		tlb_publish(&space);
	it_runs(cpu);
}

static void two_run(unsigned cpu)
{
	if (cpu == 0) {
		use_anew(cpu);
		return;
	}
	touch(cpu);
	tlb_catch_up();
	touch(cpu);
	go_idle(cpu);
}

static void it_was_idle(unsigned cpu)
{
	if (cpu == 0) {
		use_anew(cpu);
		return;
	}
	go_idle(cpu);
	atomic_store(&cpu_blocks[cpu].idle, false);
	tlb_catch_up();
	touch(cpu);
	go_idle(cpu);
}

static void it_loads_the_space(unsigned cpu)
{
	if (cpu == 0) {
		use_anew(cpu);
		return;
	}
	tlb_load(1, &space, &shared);
	touch(cpu);
	tlb_catch_up();
	touch(cpu);
	go_idle(cpu);
}

static bool is_rung(void *unused)
{
	return vcore_rung;
}

/* CPU 0's vcore asks for the epoch until it has passed, and sleeps in between. */
static void somebody_waits(unsigned cpu)
{
	if (cpu == 0) {
		tlb_stamp stamp = take_entry_away();
		struct exo_regs regs = { .rsi = tlb_stamp_epoch(stamp), .rdx = 1 };
		struct handle_view view = { .space = &space };

		tlb_stamp_add(&space.stale, stamp);
		while (call_tlb_poll(&regs, &view) != 1) {
			explore_wait(is_rung, NULL, "halts until it is rung");
			atomic_store(&vcore_rung, false);
		}
		EXPLORE_CHECK(tlb_frame_acknowledged(FRAME));
		atomic_store_explicit(&has_new_use, true, memory_order_relaxed);
		return;
	}
	touch(cpu);
	tlb_catch_up();
	touch(cpu);
	/* The interrupt, wherever it comes. */
	for (unsigned i = 0; i < 2; i++) {
		if (!atomic_exchange(&interrupted[cpu], false))
			continue;
		tlb_catch_up();
		touch(cpu);
	}
	go_idle(cpu);
	tlb_catch_up();
}

static void the_frame_has_its_new_use(void)
{
	EXPLORE_CHECK(has_new_use);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_cpu_that_runs_flushes_first", 2, 4, 2, setup, it_runs,
		  the_frame_has_its_new_use, NULL },
		{ "each_of_two_cpus_that_run_flushes_first", 3, 3, 1, setup_three, two_run,
		  the_frame_has_its_new_use, NULL },
		{ "an_epoch_says_nothing_of_the_next", 2, 3, 1, setup, two_epochs,
		  the_frame_has_its_new_use, NULL },
		{ "a_cpu_that_was_idle_flushes_first", 2, 4, 2, setup, it_was_idle,
		  the_frame_has_its_new_use, NULL },
		{ "a_cpu_that_loads_the_space_sees_the_change", 2, 4, 2, setup_not_loaded,
		  it_loads_the_space, the_frame_has_its_new_use, NULL },
		{ "who_waits_is_rung", 2, 3, 1, setup, somebody_waits, the_frame_has_its_new_use,
		  NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
