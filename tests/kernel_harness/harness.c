/* SPDX-License-Identifier: MIT */
/*
 * A test domain: booted in place of the libos, prints `ok NAME` or `not ok NAME` for each case on
 * the debug console, last `kernel tests passed` or `kernel tests failed`, and restarts the machine.
 */
#include "harness.h"

#define READ_INSTRUCTION_SIZE 8 /* of the load in read_unmapped */

struct seen seen[CPUS];
void (*message_hook)(const struct exo_message *message);
bool leave_mail;
uint64_t tsc_khz;
bool failed;
unsigned failures;

static char stacks[CPUS][STACK_SIZE] __attribute__((aligned(16)));

void parent_event(struct exo_vcore_page *page);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

void print(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	exo_call(EXO_CALL_DEBUG_WRITE, (uint64_t)text, length, 0, 0);
}

void print_part(const char *name, int64_t value)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t rest = value < 0 ? -value : value;

	*--p = 0;
	do
		*--p = '0' + rest % 10;
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	print(name);
	print(p);
}

void print_number(const char *name, int64_t value)
{
	print_part(name, value);
	print("\n");
}

uint64_t spare_frame(unsigned number)
{
	const struct exo_range *last = &info()->ranges[info()->range_count - 1];

	return last->first + last->count - 1 - number;
}

void mask(void)
{
	__atomic_store_n(&my_page()->masked, 1, __ATOMIC_SEQ_CST);
}

static void read_mailbox(struct exo_vcore_page *page, struct seen *mine)
{
	for (;;) {
		uint32_t index = page->mailbox_head;
		struct exo_message *slot = &page->mailbox[index % EXO_MAILBOX_SLOTS];

		if (__atomic_load_n(&slot->sequence, __ATOMIC_SEQ_CST) != index + 1)
			return;
		mine->last_kind = slot->kind;
		mine->last_word = slot->word[0];
		mine->messages++;
		if (message_hook)
			message_hook(slot);
		__atomic_exchange_n(&page->mailbox_head, index + 1, __ATOMIC_SEQ_CST);
	}
}

void take_events(struct exo_vcore_page *page, struct seen *mine)
{
	uint32_t pending = __atomic_exchange_n(&page->pending, 0, __ATOMIC_SEQ_CST);

	mine->timer += !!(pending & EXO_EVENT_TIMER);
	mine->doorbell += !!(pending & EXO_EVENT_DOORBELL);
	mine->budget += !!(pending & EXO_EVENT_BUDGET);
	if ((pending & EXO_EVENT_MAILBOX) && !leave_mail) {
		mine->mailbox++;
		read_mailbox(page, mine);
	}
}

void unmask(struct seen *mine)
{
	struct exo_vcore_page *page = my_page();

	do {
		mask();
		take_events(page, mine);
		__atomic_store_n(&page->masked, 0, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&page->pending, __ATOMIC_SEQ_CST));
}

int64_t halt(uint64_t deadline, struct seen *mine)
{
	int64_t result;

	mask();
	result = exo_call(EXO_CALL_HALT, my_page()->token, deadline, 0, 0);
	unmask(mine);
	return result;
}

void sleep_ms(uint64_t n, struct seen *mine)
{
	uint64_t end = tsc() + ms(n);

	while (tsc() < end)
		halt(end, mine);
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
}

void verdict(const char *name)
{
	print(failed ? "not ok " : "ok ");
	print(name);
	print("\n");
	failures += failed;
}

/* What follows the word on the command line; NULL if it is not there. */
static const char *after(const char *word)
{
	for (const char *at = info()->command_line; *at; at++) {
		size_t n = 0;

		while (word[n] && at[n] == word[n])
			n++;
		if (!word[n])
			return at + n;
	}
	return NULL;
}

bool told(const char *word)
{
	return after(word) != NULL;
}

uint64_t told_number(const char *word, uint64_t otherwise)
{
	const char *digit = after(word);
	uint64_t n = 0;

	if (!digit)
		return otherwise;
	for (; *digit >= '0' && *digit <= '9'; digit++)
		n = n * 10 + (uint64_t)(*digit - '0');
	return n;
}

/* ---------------------------------------------------------------- the parent's upcalls */

static void boot_main(void)
{
	tsc_khz = info()->tsc_khz;
	suite_main();
	print(failures ? "kernel tests failed\n" : "kernel tests passed\n");
	exo_call(EXO_CALL_RESET, EXO_HANDLE(EXO_SLOT_PORTS), 0, 0, 0);
	for (;;)
		halt(0, &seen[0]);
}

void parent_event(struct exo_vcore_page *page)
{
	unsigned cpu = this_cpu();

	if (seen[cpu].started) {
		take_events(page, &seen[cpu]);
		return;
	}
	__atomic_exchange_n(&page->pending, 0, __ATOMIC_SEQ_CST);
	page->event = (struct exo_regs){
		.rip = cpu == 0 ? (uint64_t)boot_main : (uint64_t)suite_other,
		.rsp = (uint64_t)stacks[cpu] + STACK_SIZE - 8,
		.rflags = 0x202,
		.cs = 0x23,
		.ss = 0x1b,
	};
	seen[cpu].started = true;
}

void parent_fault(struct exo_vcore_page *page)
{
	seen[this_cpu()].faults++;
	page->fault.rax = page->fault_address;
	page->fault.rip += READ_INSTRUCTION_SIZE;
}

/* The last entry put `cause` back to 0, and takes its time to leave its stack. */
uint64_t linger_until;

void parent_fault_masked(struct exo_vcore_page *page)
{
	struct seen *mine = &seen[this_cpu()];

	if (page->cause == EXO_CAUSE_OVERRUN) {
		mine->overruns++;
	} else {
		mine->masked_faults++;
		page->fault_masked.rax = page->fault_masked_address + 1;
		page->fault_masked.rip += READ_INSTRUCTION_SIZE;
	}
	page->cause = 0;
	uint64_t before = mine->overruns;

	while (tsc() < linger_until)
		asm volatile("pause");
	mine->overruns_on_stack += mine->overruns - before;
}

/* The compiler may call them. */
void *memset(void *to, int byte, size_t size)
{
	for (char *p = to; size--; p++)
		*p = byte;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	const char *q = from;

	for (char *p = to; size--; p++, q++)
		*p = *q;
	return to;
}
