/* SPDX-License-Identifier: MIT */
/*
 * The frame of a fault: what stands in it, and that the program goes on with all that it had.  With a handler
 * that asks for siginfo and with one that does not, and on a stack of its own, of which the frame tells.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "test.h"

#define SELECTORS 0x001b000000000023 /* SS and CS of a program here */
#define UC_FLAGS 7                   /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define PAGE_FAULT 14
#define USER_WRITE 6
#define CARRY 1
#define ALTERNATE_SIZE 65536
#define VECTOR_VALUE 0x1234
#define REGISTERS 10

struct seen_after {
	uint64_t general[REGISTERS]; /* 1 to 10 */
	uint64_t vector, carry;
};

static char *page;
static ucontext_t seen;
static uint64_t seen_vector;
static siginfo_t seen_info;
static int asks_for_info;

/* Writes to `at` with 1 to 10 in registers, a value in XMM7, and carry set; then what they are. */
void write_with_registers(char *at, struct seen_after *after);
extern const char the_write[];
__asm__(".globl write_with_registers, the_write\n"
	"write_with_registers:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov $0x1234, %eax; movq %rax, %xmm7\n"
	"	mov $1, %ebx; mov $2, %ebp; mov $3, %r12d; mov $4, %r13d; mov $5, %r14d; mov $6, %r15d\n"
	"	mov $7, %r8d; mov $8, %r9d; mov $9, %r10d; mov $10, %r11d\n"
	"	stc\n"
	"the_write:\n"
	"	movb $2, (%rdi)\n"
	"	setc %al\n"
	"	movzbl %al, %eax; mov %rax, 88(%rsi)\n"
	"	mov %rbx, (%rsi); mov %rbp, 8(%rsi); mov %r12, 16(%rsi); mov %r13, 24(%rsi)\n"
	"	mov %r14, 32(%rsi); mov %r15, 40(%rsi); mov %r8, 48(%rsi); mov %r9, 56(%rsi)\n"
	"	mov %r10, 64(%rsi); mov %r11, 72(%rsi); movq %xmm7, 80(%rsi)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static void handler(int number, siginfo_t *info, void *context)
{
	seen = *(ucontext_t *)context;
	if (seen.uc_mcontext.fpregs)
		memcpy(&seen_vector, &seen.uc_mcontext.fpregs->_xmm[7], sizeof(seen_vector));
	if (asks_for_info)
		seen_info = *info;
	__asm__ volatile("pxor %%xmm7, %%xmm7" : : : "xmm7");
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void check_context(struct seen_after *after)
{
	static const int places[REGISTERS] = { REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14,
					       REG_R15, REG_R8,  REG_R9,  REG_R10, REG_R11 };
	greg_t *general = seen.uc_mcontext.gregs;

	for (int i = 0; i < REGISTERS; i++)
		CHECK_EQ(general[places[i]], i + 1);
	CHECK_EQ(general[REG_RDI], (greg_t)page);
	CHECK_EQ(general[REG_RSI], (greg_t)after);
	CHECK_EQ(general[REG_RAX], VECTOR_VALUE);
	CHECK_EQ(general[REG_RIP], (greg_t)the_write);
	CHECK_EQ(general[REG_CSGSFS], SELECTORS);
	CHECK_EQ(general[REG_CR2], (greg_t)page);
	CHECK_EQ(general[REG_TRAPNO], PAGE_FAULT);
	CHECK_EQ(general[REG_ERR] & USER_WRITE, USER_WRITE);
	CHECK_EQ(general[REG_EFL] & CARRY, CARRY);
	CHECK_EQ(seen.uc_flags, UC_FLAGS);
	CHECK(seen.uc_link == NULL);
	CHECK(sigismember(&seen.uc_sigmask, SIGHUP) == 1 && sigismember(&seen.uc_sigmask, SIGSEGV) == 0);
	CHECK(seen.uc_mcontext.fpregs != NULL && (uint64_t)seen.uc_mcontext.fpregs % 64 == 0);
	CHECK_EQ(seen_vector, VECTOR_VALUE);
}

static void check_fault(int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags };
	struct seen_after after;

	asks_for_info = flags & SA_SIGINFO;
	memset(&seen, 0xff, sizeof(seen));
	memset(&seen_info, 0, sizeof(seen_info));
	seen_vector = 0;
	CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	CHECK_EQ(mprotect(page, 4096, PROT_NONE), 0);
	write_with_registers(page, &after);
	check_context(&after);
	for (int i = 0; i < REGISTERS; i++)
		CHECK_EQ(after.general[i], (uint64_t)i + 1);
	CHECK_EQ(after.vector, VECTOR_VALUE);
	CHECK_EQ(after.carry, 1);
	CHECK_EQ(*page, 2);
	if (asks_for_info)
		CHECK(seen_info.si_signo == SIGSEGV && seen_info.si_code == SEGV_ACCERR &&
		      seen_info.si_addr == page);
}

static void the_frame_says_all(void)
{
	check_fault(0);
	check_fault(SA_SIGINFO);
	check_fault(SA_NODEFER);
	CHECK(seen.uc_stack.ss_sp == NULL && seen.uc_stack.ss_size == 0 && seen.uc_stack.ss_flags == 0);
}

/* Also when the handler does not run there. */
static void and_of_an_alternate_stack(void)
{
	static char memory[ALTERNATE_SIZE];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };

	CHECK_EQ(sigaltstack(&stack, NULL), 0);
	for (int on = 0; on < 2; on++) {
		check_fault(SA_SIGINFO | (on ? SA_ONSTACK : 0));
		CHECK(seen.uc_stack.ss_sp == memory && seen.uc_stack.ss_size == sizeof(memory));
		CHECK_EQ((char *)seen.uc_mcontext.fpregs > memory &&
				 (char *)seen.uc_mcontext.fpregs < memory + sizeof(memory),
			 on);
	}
}

int main(void)
{
	sigset_t hangup;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	*page = 1;
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &hangup, NULL), 0);
	RUN(the_frame_says_all);
	RUN(and_of_an_alternate_stack);
	return test_result();
}
