/* SPDX-License-Identifier: MIT */
/*
 * What the test domains share that are loaded in place of a libos: entries, printing, checking,
 * sleeping, and what was seen.  A suite has suite_main() and suite_other().
 */
#ifndef TESTS_KERNEL_HARNESS_H
#define TESTS_KERNEL_HARNESS_H

#include <exo/abi.h>
#include <asm/errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define STACK_SIZE 16384
#define CPUS 8 /* as in entry.asm */

/* entry.asm */
int64_t exo_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
uint64_t read_unmapped(void);
uint64_t foreign_call(uint64_t number);
bool vectors_hold(uint64_t pattern, uint64_t loops);
extern const struct exo_entries child_entries;

/* What each CPU's vcore has seen.  Written by it, read by all. */
struct seen {
	_Atomic uint64_t timer, doorbell, mailbox, budget, messages, faults, masked_faults, overruns,
		overruns_on_stack; /* that came while an entry for another was on its stack */
	_Atomic uint64_t last_kind, last_word;
	atomic_bool started;
};
extern struct seen seen[CPUS];

/* By each suite: what CPU 0 does, and what the others do once they are started. */
void suite_main(void);
_Noreturn void suite_other(void);
/* Step over the load in read_unmapped(), which returns the address, or while masked 1 more. */
void parent_fault(struct exo_vcore_page *page);
void parent_fault_masked(struct exo_vcore_page *page);
/* The upcalls of its child domains, if it makes any (child.h). */
void child_event(struct exo_vcore_page *page);
void child_fault(struct exo_vcore_page *page);
void child_fault_masked(struct exo_vcore_page *page);

/* Is the word on the kernel's command line? */
bool told(const char *word);
/* The number behind the word there, or `otherwise`. */
uint64_t told_number(const char *word, uint64_t otherwise);

/* Called for each message of each vcore, unless it is NULL. */
extern void (*message_hook)(const struct exo_message *message);
/* What comes is not read meanwhile. */
extern bool leave_mail;

static inline const struct exo_info *info(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

static inline unsigned this_cpu(void)
{
	uint32_t selector;

	asm volatile("movl %%es, %0" : "=r"(selector));
	return (selector - EXO_CPU_SELECTOR) >> EXO_CPU_SELECTOR_SHIFT;
}

static inline struct exo_vcore_page *my_page(void)
{
	return (struct exo_vcore_page *)(EXO_VCORE_BASE + this_cpu() * EXO_VCORE_STRIDE);
}

static inline uint64_t tsc(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

extern uint64_t linger_until; /* the entry for faults while masked stays on its stack until then */
extern uint64_t tsc_khz; /* the child has no struct exo_info */

static inline uint64_t ms(uint64_t n)
{
	return n * tsc_khz;
}

static inline uint64_t vcore_handle(unsigned cpu)
{
	return EXO_HANDLE(EXO_SLOT_VCORE + cpu);
}

void print(const char *text);
void print_part(const char *name, int64_t value);
void print_number(const char *name, int64_t value); /* and the end of the line */

extern bool failed; /* the case that runs */
extern unsigned failures;

#define CHECK_EQ(left, right)                                                          \
	do {                                                                           \
		int64_t check_left = (left), check_right = (right);                    \
		if (check_left != check_right) {                                       \
			failed = true;                                                 \
			print("# " #left " is not " #right "\n");                      \
			print_number("#   it is ", check_left);                        \
		}                                                                      \
	} while (0)
#define CHECK(condition) CHECK_EQ(!!(condition), 1)

/* Prints the verdict on the case that ran. */
void verdict(const char *name);

#define RUN(test)                                                                      \
	do {                                                                           \
		failed = false;                                                        \
		test();                                                                \
		verdict(#test);                                                        \
	} while (0)

/* Until the condition holds; the limit only ends a test that hangs. */
#define WAIT_FOR(condition)                                                            \
	do {                                                                           \
		uint64_t give_up = tsc() + ms(30000);                                  \
		while (!(condition) && tsc() < give_up)                                \
			asm volatile("pause");                                         \
		CHECK(condition);                                                      \
	} while (0)

/* The same for what must not cost time that another wants: sleeps between two looks. */
#define SLEEP_UNTIL(condition, mine)                                                   \
	do {                                                                           \
		uint64_t give_up = tsc() + ms(30000);                                  \
		while (!(condition) && tsc() < give_up)                                \
			halt(tsc() + ms(1) / 10, mine);                                \
		CHECK(condition);                                                      \
	} while (0)

void mask(void);
/* There is no upcall for what became pending while masked: this takes it. */
void unmask(struct seen *mine);
/* Takes what is pending. */
void take_events(struct exo_vcore_page *page, struct seen *mine);
/* Sleeps until an event; returns what the call returned. */
int64_t halt(uint64_t deadline, struct seen *mine);
void sleep_ms(uint64_t n, struct seen *mine);

/* The number-th from the end of the frames that the domain owns; none of them is in use.  Those
 * from FRAMES_OF_SUITE on are the child's (child.c). */
uint64_t spare_frame(unsigned number);
#define FRAMES_OF_SUITE 32

#endif
