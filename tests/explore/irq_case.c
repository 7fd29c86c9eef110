/* SPDX-License-Identifier: MIT */
/* Included below, exo/irq.c and exo/x86/ioapic.c: an IO APIC's register pair is one CPU's at a time, a
 * line is bound once, and no interrupt of it is forgotten
 *
 * The registers are plain memory that two CPUs may not touch at the same time; a mailbox is a count.
 */
#include "kernel_cpus.h"
#include "../../exo/irq.c"
#include "../../exo/x86/ioapic.c"

#define LINE 3 /* an ISA line, edge-triggered */

struct boot_info boot_info;
static struct domain domain;
static struct vcore vcore;
static uint32_t registers[WINDOW + 1];
static _Atomic unsigned posted, bound;

/* ---------------------------------------------------------------- the rest of the kernel */

static bool lock_is_free(void *l)
{
	return !((struct lock *)l)->owner;
}

void lock_acquire(struct lock *l)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_strong(&l->owner, &free, explore_self() + 1)) {
		explore_wait(lock_is_free, l, "waits for the lock");
		free = 0;
	}
}

void lock_release(struct lock *l)
{
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

int mailbox_post(struct vcore *v, enum exo_message_kind kind, uint64_t word0, uint64_t word1,
		 uint64_t word2)
{
	atomic_fetch_add(&posted, 1);
	return 0;
}

struct domain *domain_current(void)
{
	return &domain;
}

int64_t handle_reserve(struct domain *d)
{
	return 1;
}

exo_handle handle_fill(struct domain *d, int64_t slot, enum object_kind kind, unsigned rights,
		       uint64_t frame, uint64_t first, uint64_t count)
{
	return 1;
}

void handle_cancel(struct domain *d, int64_t slot)
{
}

void object_put(struct object *o)
{
}

bool revoke_due(_Atomic uint64_t *by, struct vcore *v, const struct revoked *what, uint64_t deadline)
{
	return true;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
	return 0;
}

volatile void *mmio_map(uint64_t address, size_t size)
{
	return registers;
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	struct line *line = &lines[LINE];

	cpus_setup(2);
	memset(lines, 0, sizeof(lines));
	memset(registers, 0, sizeof(registers));
	posted = bound = 0;
	ioapic_count = 1;
	ioapics[0] = (struct ioapic){ .registers = registers, .gsi_count = 24 };
	for (unsigned i = 0; i < ACPI_ISA_LINES; i++)
		boot_info.acpi.isa_lines[i].gsi = i;
	explore_name(registers, sizeof(registers), "select and window");
	explore_name(&ioapics[0].lock, sizeof(ioapics[0].lock), "lock");
	explore_name(&posted, sizeof(posted), "posted");
	explore_name(&bound, sizeof(bound), "bound");
	explore_name(line, sizeof(*line), "line");
}

static void setup_bound(void)
{
	setup();
	lines[LINE] = (struct line){ .state = LINE_TAKEN | LINE_BOUND, .vcore = &vcore };
}

/* A line of its own for each CPU, through one register pair. */
static void two_lines(unsigned cpu)
{
	ioapic_set_mask(LINE + cpu, false);
}

static void the_pair_is_free(void)
{
	EXPLORE_CHECK(!ioapics[0].lock.owner);
}

static void both_bind(unsigned cpu)
{
	if (take(&lines[LINE], &vcore) > 0)
		atomic_fetch_add(&bound, 1);
}

static void one_has_it(void)
{
	EXPLORE_CHECK(bound == 1 && lines[LINE].state == LINE_TAKEN);
}

static bool enough_are_posted(void *wanted)
{
	return posted >= *(const unsigned *)wanted;
}

static void serve(unsigned interrupt)
{
	struct handle_view line = { .first = LINE };

	explore_wait(enough_are_posted, &interrupt, "waits for an interrupt");
	EXPLORE_CHECK(call_irq_ack(NULL, &line) == 0);
}

/* CPU 0 is interrupted three times; CPU 1 serves the first, CPU 0 the second before the third comes. */
static void both_serve(unsigned cpu)
{
	if (cpu == 1) {
		serve(1);
		return;
	}
	irq_latch(VECTOR_DEVICE_FIRST + LINE);
	irq_latch(VECTOR_DEVICE_FIRST + LINE);
	serve(2);
	irq_latch(VECTOR_DEVICE_FIRST + LINE);
}

static void none_is_forgotten(void)
{
	EXPLORE_CHECK(posted == 3 && lines[LINE].state == (LINE_TAKEN | LINE_BOUND | LINE_SENT));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "the_register_pair_is_one_cpus", 2, 2, 1, setup, two_lines, the_pair_is_free, NULL },
		{ "a_line_is_bound_once", 2, 1, 0, setup, both_bind, one_has_it, NULL },
		{ "an_interrupt_is_not_forgotten", 2, 3, 1, setup_bound, both_serve,
		  none_is_forgotten, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
