/* SPDX-License-Identifier: MIT */
/*
 * The frame of a signal that a task causes itself, in a call: what stands in it, and that what a handler
 * changes there counts, as it does in any other frame.  Once with a handler that asks for siginfo, and once
 * with one that does not, whose frame is written and read in one go.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

#define PRESERVED 6
#define FLAG_DIRECTION 0x400
#define FLAGS_OF_A_CALL 0x202
#define SELECTORS 0x001b000000000023 /* SS and CS of a program here */
#define UC_FLAGS 6                   /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define ALTERNATE_SIZE 65536

/* As on Linux: of a stack that is not there the frame says what was last set, and 0 if nothing was. */
static int stack_flags;

static void (*act)(ucontext_t *uc);
static ucontext_t seen;

static void handler(int number, siginfo_t *info, void *context)
{
	seen = *(ucontext_t *)context;
	if (act)
		act(context);
}

static void raise_with(void (*how)(ucontext_t *uc), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags };

	act = how;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
}

/* ---- what stands in it */

/* Calls raise() with 1 to 6 in the registers that a call preserves; what they are afterwards. */
void raise_with_registers(int number, uint64_t after[PRESERVED]);
__asm__(".globl raise_with_registers\n"
	"raise_with_registers:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
	"	mov $1, %ebx; mov $2, %ebp; mov $3, %r12d; mov $4, %r13d; mov $5, %r14d; mov $6, "
	"%r15d\n"
	"	call raise\n"
	"	pop %rsi\n"
	"	mov %rbx, (%rsi); mov %rbp, 8(%rsi); mov %r12, 16(%rsi)\n"
	"	mov %r13, 24(%rsi); mov %r14, 32(%rsi); mov %r15, 40(%rsi)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

/* So that a zero in the frame is one that was written. */
static __attribute__((noinline)) void spoil_stack(void)
{
	volatile char below[4096];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = (char)0xee;
}

static void it_says_what_there_was(int flags)
{
	static const int registers[PRESERVED] = { REG_RBX, REG_RBP, REG_R12,
						  REG_R13, REG_R14, REG_R15 };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags };
	const greg_t *g = seen.uc_mcontext.gregs;
	uint64_t after[PRESERVED];
	sigset_t mask;

	memset(&seen, 0xee, sizeof(seen));
	act = NULL;
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	spoil_stack();
	raise_with_registers(SIGUSR1, after);
	for (int i = 0; i < PRESERVED; i++) {
		CHECK_EQ(g[registers[i]], i + 1);
		CHECK_EQ(after[i], i + 1);
	}
	CHECK_EQ(g[REG_RAX], 0);
	CHECK(g[REG_RSP] > (greg_t)&after - 4096 && g[REG_RSP] < (greg_t)&after);
	CHECK_EQ(g[REG_EFL], FLAGS_OF_A_CALL);
	CHECK_EQ(g[REG_CSGSFS], SELECTORS);
	CHECK(g[REG_ERR] == 0 && g[REG_TRAPNO] == 0 && g[REG_CR2] == 0);
	CHECK_EQ(g[REG_OLDMASK], 1 << (SIGWINCH - 1));
	CHECK(seen.uc_flags == UC_FLAGS && seen.uc_link == NULL && seen.uc_mcontext.fpregs == NULL);
	CHECK(seen.uc_stack.ss_sp == NULL && seen.uc_stack.ss_size == 0);
	CHECK_EQ(seen.uc_stack.ss_flags, stack_flags);
	CHECK_EQ(memcmp(&seen.uc_sigmask, &mask, sizeof(uint64_t)), 0);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGWINCH));
	CHECK(!sigismember(&mask, SIGUSR1));
	sigemptyset(&mask);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
}

/* ---- what a handler changes */

uint64_t landed[2], goes_on_at;
void land(void);
__asm__(".globl land\n"
	"land:\n"
	"	mov %rdi, landed(%rip)\n"
	"	mov %r10, landed+8(%rip)\n"
	"	jmp *goes_on_at(%rip)\n");

static void to_another_place(ucontext_t *uc)
{
	goes_on_at = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)land;
	uc->uc_mcontext.gregs[REG_RDI] = 1111;
	uc->uc_mcontext.gregs[REG_R10] = 2222;
}

static void another_place_has_all_registers(int flags)
{
	landed[0] = landed[1] = 0;
	raise_with(to_another_place, flags);
	CHECK_EQ(landed[0], 1111);
	CHECK_EQ(landed[1], 2222);
}

static void backwards(ucontext_t *uc)
{
	uc->uc_mcontext.gregs[REG_EFL] |= FLAG_DIRECTION;
}

static void flags_with_a_meaning_count(int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags };
	uint64_t found, unused[PRESERVED];

	act = backwards;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	raise_with_registers(SIGUSR1, unused);
	__asm__ volatile("pushfq; pop %0; cld" : "=r"(found));
	CHECK_EQ(found & FLAG_DIRECTION, FLAG_DIRECTION);
}

static uint32_t mxcsr(void)
{
	uint32_t word;

	__asm__ volatile("stmxcsr %0" : "=m"(word));
	return word;
}

static uint16_t x87_control(void)
{
	uint16_t word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	return word;
}

static void round_down(ucontext_t *uc)
{
	uint32_t word = mxcsr() | 0x2000;
	uint16_t control = x87_control() | 0x400;

	(void)uc;
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(word), "m"(control));
}

static void control_words_come_back(int flags)
{
	uint32_t word = mxcsr();
	uint16_t control = x87_control();

	raise_with(round_down, flags);
	CHECK_EQ(mxcsr(), word);
	CHECK_EQ(x87_control(), control);
}

static void nowhere(ucontext_t *uc)
{
	uc->uc_mcontext.fpregs = (fpregset_t)4096;
}

static void vector_state_that_is_nowhere_is_a_fault(int flags)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		raise_with(nowhere, flags);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static char alternate[ALTERNATE_SIZE];

static void another_stack(ucontext_t *uc)
{
	uc->uc_stack = (stack_t){ .ss_sp = alternate, .ss_size = sizeof(alternate) };
}

static void an_alternate_stack_is_taken_over(int flags)
{
	stack_t now, none = { .ss_flags = SS_DISABLE };

	raise_with(another_stack, flags);
	CHECK_EQ(sigaltstack(&none, &now), 0);
	stack_flags = SS_DISABLE;
	CHECK(now.ss_sp == alternate && now.ss_size == sizeof(alternate) && now.ss_flags == 0);
}

/* Who has one finds it in the frame, and has it afterwards. */
static void an_alternate_stack_stays(int flags)
{
	stack_t now, mine = { .ss_sp = alternate, .ss_size = sizeof(alternate) },
		     none = { .ss_flags = SS_DISABLE };

	CHECK_EQ(sigaltstack(&mine, NULL), 0);
	raise_with(NULL, flags);
	CHECK_EQ(sigaltstack(&none, &now), 0);
	stack_flags = SS_DISABLE;
	CHECK(seen.uc_stack.ss_sp == alternate && seen.uc_stack.ss_size == sizeof(alternate));
	CHECK(now.ss_sp == alternate && now.ss_size == sizeof(alternate) && now.ss_flags == 0);
}

static void shut_out(ucontext_t *uc)
{
	sigaddset(&uc->uc_sigmask, SIGTTOU);
}

static void the_mask_is_taken_over(int flags)
{
	sigset_t now, before;

	CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &before), 0);
	raise_with(shut_out, flags);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &before, &now), 0);
	CHECK(sigismember(&now, SIGTTOU) && !sigismember(&before, SIGTTOU));
}

static void (*const cases[])(int flags) = {
	it_says_what_there_was,
	another_place_has_all_registers,
	flags_with_a_meaning_count,
	control_words_come_back,
	vector_state_that_is_nowhere_is_a_fault,
	an_alternate_stack_is_taken_over,
	an_alternate_stack_stays,
	the_mask_is_taken_over,
};

static void without_siginfo(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cases[i](0);
}

static void with_siginfo(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cases[i](SA_SIGINFO);
}

int main(void)
{
	RUN(without_siginfo);
	RUN(with_siginfo);
	return test_result();
}
