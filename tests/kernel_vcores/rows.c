/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's own operations cost, which no program can ask for: `make bench-ours`.  Where the
 * TSC counts instructions (-icount shift=0) the numbers are instructions; each is the mean of a loop,
 * with the few of the loop itself, and of the test domain's upcall entries.
 */
#include "cases.h"

#define TIMES 200
#define TABLES 12           /* page tables that the largest range may need */
#define PAGES_MAX 2048
#define AREA 0x40000000ul   /* nothing else is there */

static struct seen *const mine = &seen[0];

static void mean(const char *name, void (*operation)(void))
{
	uint64_t start;

	operation();
	start = tsc();
	for (unsigned i = 0; i < TIMES; i++)
		operation();
	print_number(name, (int64_t)((tsc() - start) / TIMES));
}

static void no_work(void)
{
	exo_call(EXO_CALLS, 0, 0, 0, 0);
}

static void same_space(void)
{
	exo_call(EXO_CALL_SWITCH, EXO_HANDLE(EXO_SLOT_SPACE), my_page()->token, 0, 0);
}

static void set_timer(void)
{
	exo_call(EXO_CALL_TIMER, tsc() + ms(10000), 0, 0, 0);
}

static void timer_upcall(void)
{
	exo_call(EXO_CALL_TIMER, 1, 0, 0, 0); /* has passed: delivered at once */
}

static void doorbell_upcall(void)
{
	exo_call(EXO_CALL_DOORBELL, vcore_handle(0), 0, 0, 0);
}

static void doorbell_pending(void)
{
	mask();
	exo_call(EXO_CALL_DOORBELL, vcore_handle(0), 0, 0, 0);
	unmask(mine);
}

static void send_upcall(void)
{
	exo_call(EXO_CALL_SEND, vcore_handle(0), 1, 2, 3);
}

static void fault(void)
{
	read_unmapped();
}

static void fault_masked(void)
{
	mask();
	read_unmapped();
	unmask(mine);
}

/* The first serial port interrupts as soon as it may, since nothing is being sent. */
#define SERIAL_LINE 4
#define SERIAL_INTERRUPTS 0x3f9 /* enabled by bit; 2: may be written to */
#define SERIAL_CAUSE 0x3fa      /* reading it ends the interrupt */
#define SERIAL_MODEM 0x3fc
#define SERIAL_MODEM_ON 0x0b    /* ready, and interrupts reach the line */

static volatile uint64_t interrupted_at;

static void note_interrupt(const struct exo_message *message)
{
	if (message->kind == EXO_MESSAGE_IRQ)
		interrupted_at = tsc();
}

static void port(uint64_t operation, uint64_t number, uint64_t value)
{
	CHECK(exo_call(EXO_CALL_PORT, EXO_HANDLE(EXO_SLOT_PORTS), operation, number, value) >= 0);
}

/* From before the call that lets the port interrupt until a handler of ours has its message. */
static void device_upcall(const char *name)
{
	int64_t line = exo_call(EXO_CALL_IRQ_BIND, EXO_HANDLE(EXO_SLOT_IRQS), vcore_handle(0), SERIAL_LINE,
				0);
	uint64_t start, spent = 0;

	CHECK(line > 0);
	message_hook = note_interrupt;
	port(EXO_PORT_OUT8, SERIAL_MODEM, SERIAL_MODEM_ON);
	for (unsigned i = 0; i < TIMES; i++) {
		interrupted_at = 0;
		start = tsc();
		port(EXO_PORT_OUT8, SERIAL_INTERRUPTS, 2);
		WAIT_FOR(interrupted_at != 0);
		spent += interrupted_at - start;
		port(EXO_PORT_OUT8, SERIAL_INTERRUPTS, 0);
		port(EXO_PORT_IN8, SERIAL_CAUSE, 0);
		CHECK_EQ(exo_call(EXO_CALL_IRQ_ACK, line, 0, 0, 0), 0);
	}
	message_hook = NULL;
	exo_call(EXO_CALL_HANDLE_DROP, line, 0, 0, 0);
	print_number(name, (int64_t)(spent / TIMES));
}

static uint64_t freed[PAGES_MAX + TABLES];

static uint64_t update(struct exo_op op, uint64_t *spent)
{
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1, .freed = (uint64_t)freed,
				.freed_max = PAGES_MAX + TABLES };
	uint64_t count = 0, start = tsc();
	int64_t r;

	do {
		r = exo_call(EXO_CALL_UPDATE, EXO_HANDLE(EXO_SLOT_SPACE), (uint64_t)&u, 0, 0);
		count += u.freed_count;
		u.freed += u.freed_count * sizeof(freed[0]);
		u.freed_max -= u.freed_count;
	} while (r == 1);
	*spent += tsc() - start;
	CHECK_EQ(r, 0);
	return count;
}

static void feed(const uint64_t *frames, uint64_t count)
{
	CHECK_EQ(exo_call(EXO_CALL_SPACE_FEED, EXO_HANDLE(EXO_SLOT_SPACE), (uint64_t)frames, count, 0),
		 0);
}

/* Page tables that went with their pages come back; what is measured is not that. */
static void feed_tables(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (freed[i] < first || freed[i] >= first + PAGES_MAX)
			feed(&freed[i], 1);
}

static void range(uint32_t pages, const char *map, const char *protect, const char *unmap)
{
	uint64_t first = spare_frame(PAGES_MAX + TABLES), spent[3] = { 0 };
	struct exo_op op = { .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = pages, .va = AREA,
			     .frame = first };
	unsigned times = TIMES / pages + 3;

	for (unsigned i = 0; i < times; i++) {
		op.code = EXO_OP_MAP;
		op.prot = EXO_PROT_READ | EXO_PROT_WRITE;
		update(op, &spent[0]);
		op.code = EXO_OP_PROTECT;
		op.prot = EXO_PROT_READ;
		update(op, &spent[1]);
		op.code = EXO_OP_UNMAP;
		feed_tables(first, update(op, &spent[2]));
	}
	print_number(map, (int64_t)(spent[0] / times));
	print_number(protect, (int64_t)(spent[1] / times));
	print_number(unmap, (int64_t)(spent[2] / times));
}

/* The short call; it takes the right to write away half of the time. */
static void protect_page(void)
{
	static unsigned times;

	CHECK(exo_call(EXO_CALL_PROTECT, EXO_HANDLE(EXO_SLOT_SPACE), AREA, 1,
		       EXO_PROT_READ | (times++ % 2 ? EXO_PROT_WRITE : 0)) >= 0);
}

static void one_page_by_a_call(const char *name)
{
	struct exo_op op = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = 1,
			     .va = AREA, .frame = spare_frame(TABLES + 1) };
	uint64_t unused = 0;

	update(op, &unused);
	mean(name, protect_page);
	op.code = EXO_OP_UNMAP;
	feed_tables(op.frame, update(op, &unused));
}

static void one_frame(const char *name, uint16_t flags)
{
	struct exo_op op = { .code = EXO_OP_COPY, .flags = flags, .count = 1,
			     .frame = spare_frame(TABLES + 1), .source = spare_frame(TABLES + 2) };
	uint64_t spent = 0;

	for (unsigned i = 0; i < TIMES; i++)
		update(op, &spent);
	print_number(name, (int64_t)(spent / TIMES));
}

void rows_of_the_kernel(void)
{
	uint64_t tables[TABLES];

	mean("kernel_no_work ", no_work);
	mean("kernel_switch_same ", same_space);
	mean("kernel_timer_set ", set_timer);
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
	mean("kernel_timer_upcall ", timer_upcall);
	mean("kernel_doorbell_upcall ", doorbell_upcall);
	mean("kernel_doorbell_masked ", doorbell_pending);
	mean("kernel_send_upcall ", send_upcall);
	device_upcall("kernel_device_upcall ");
	row_of_a_call();
	mean("kernel_fault ", fault);
	mean("kernel_fault_masked ", fault_masked);
	for (unsigned i = 0; i < TABLES; i++)
		tables[i] = spare_frame(i);
	feed(tables, TABLES);
	one_frame("kernel_zero_frame ", EXO_OP_CLEAR);
	one_frame("kernel_copy_frame ", 0);
	one_page_by_a_call("kernel_protect_call ");
	range(1, "kernel_map_1 ", "kernel_protect_1 ", "kernel_unmap_1 ");
	range(512, "kernel_map_512 ", "kernel_protect_512 ", "kernel_unmap_512 ");
	range(2048, "kernel_map_2048 ", "kernel_protect_2048 ", "kernel_unmap_2048 ");
}

/* ---- several CPUs, in time: what an operation takes, in calls with no work of the same run */

static uint64_t time_of(void (*operation)(void), unsigned times)
{
	uint64_t start;

	operation();
	start = tsc();
	for (unsigned i = 0; i < times; i++)
		operation();
	return (tsc() - start) / times;
}

static void ask(unsigned cpu)
{
	uint64_t before = mine->messages;

	exo_call(EXO_CALL_SEND, vcore_handle(cpu), 1, 2, 3);
	WAIT_FOR(mine->messages != before);
}

/* To a CPU that halts, and the answer, for which this one waits awake. */
static void message_and_answer(void)
{
	ask(1);
}

static void unmap_everywhere(void)
{
	struct exo_op op = { .prot = EXO_PROT_READ | EXO_PROT_WRITE, .count = 1, .va = AREA,
			     .frame = spare_frame(TABLES + 1) };
	struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1, .freed = (uint64_t)freed,
				.freed_max = TABLES };
	uint64_t unused = 0;

	op.code = EXO_OP_MAP;
	update(op, &unused);
	op.code = EXO_OP_UNMAP;
	CHECK_EQ(exo_call(EXO_CALL_UPDATE, EXO_HANDLE(EXO_SLOT_SPACE), (uint64_t)&u, 0, 0), 0);
	for (unsigned i = 0; i < u.freed_count; i++)
		if (freed[i] != op.frame)
			feed(&freed[i], 1);
	WAIT_FOR(exo_call(EXO_CALL_TLB_POLL, EXO_HANDLE(EXO_SLOT_SPACE), u.epoch, 1, 0) != 0);
}

void rows_of_several_cpus(void)
{
	uint64_t tables[TABLES], unit = time_of(no_work, 10 * TIMES);

	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++) {
		CHECK_EQ(exo_call(EXO_CALL_VCORE_START, vcore_handle(cpu), 0, 0, 0), 0);
		WAIT_FOR(seen[cpu].started);
	}
	print_number("cross_message_and_answer ", (int64_t)(time_of(message_and_answer, TIMES) / unit));
	for (unsigned i = 0; i < TABLES; i++)
		tables[i] = spare_frame(i);
	feed(tables, TABLES);
	print_number("cross_map_unmap_others_halted ", (int64_t)(time_of(unmap_everywhere, TIMES) / unit));
	atomic_store(&keep_awake, true);
	for (unsigned cpu = 1; cpu < info()->cpu_count; cpu++)
		ask(cpu);
	print_number("cross_map_unmap_others_awake ", (int64_t)(time_of(unmap_everywhere, TIMES) / unit));
	atomic_store(&keep_awake, false);
}
