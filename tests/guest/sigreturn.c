/* SPDX-License-Identifier: MIT */
/* Signal frames that come back damaged: they harm the program that damaged them and nobody else. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

/* One way to spoil a frame; `random` varies it. */
typedef void damage(ucontext_t *uc, uint8_t *vectors, uint64_t random);

static damage *chosen;
static uint64_t chosen_random;

/* The frame is that of a fault, so it has vector state, and goes on behind the faulting UD2. */
static void spoil(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] += 2;
	chosen(uc, (uint8_t *)uc->uc_mcontext.fpregs, chosen_random);
}

/* Waits for the child's end, but not for ever: what it does with spoilt registers may be a loop. */
static int wait_patiently(pid_t child)
{
	int status = -1;

	for (int ms = 0; ms < 500; ms++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		usleep(1000);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return status;
}

/* Wait status of a child that returns through a frame spoilt so. */
static int returns(damage *how, uint64_t random)
{
	pid_t child = fork();

	if (child == 0) {
		struct sigaction action = { .sa_sigaction = spoil, .sa_flags = SA_SIGINFO };

		chosen = how;
		chosen_random = random;
		sigaction(SIGILL, &action, NULL);
		__asm__ volatile("ud2" : : : "memory");
		_exit(0);
	}
	return wait_patiently(child);
}

static bool is_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static bool is_fine(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void nothing(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
}

static void bad_rip(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)random;
}

static void bad_selectors(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	uc->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)random;
}

static void bad_flags(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	uc->uc_mcontext.gregs[REG_EFL] = (greg_t)(random & ~0x100ul); /* no single steps */
}

static void bad_vector_pointer(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	uc->uc_mcontext.fpregs = (void *)random;
}

static void bad_mxcsr(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	*(uint32_t *)(vectors + 24) = 0xffffffff;
	*(uint32_t *)(vectors + 28) = (uint32_t)random;
}

static void bad_xsave_header(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	for (int i = 512; i < 576; i += 8)
		*(uint64_t *)(vectors + i) = random;
}

static void bad_magic(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	*(uint32_t *)(vectors + 464) = (uint32_t)random;
}

static void bad_mask(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	memset(&uc->uc_sigmask, 0xff, sizeof(uint64_t));
}

/* Anywhere but in the general registers: where the child goes on is known. */
static void bad_anything(ucontext_t *uc, uint8_t *vectors, uint64_t random)
{
	enum { REGISTERS = 40, FLAGS = 176, END = 304, VECTORS = 832 };
	uint8_t *frame = (uint8_t *)uc;

	for (int i = 0; i < 20; i++) {
		unsigned at = (random = random * 6364136223846793005ul + 1442695040888963407ul) >> 33;

		at %= REGISTERS + END - FLAGS;
		frame[at < REGISTERS ? at : at - REGISTERS + FLAGS] ^= (uint8_t)(random >> 20);
		vectors[(random >> 40) % VECTORS] ^= (uint8_t)(random >> 12);
	}
	uc->uc_mcontext.gregs[REG_EFL] &= ~0x500l; /* no single steps, no backward copies */
}

static const uint64_t words[] = {
	0, 1, 0xfff, 0x100000000, 0x7e8000000000, 0x7f0000000000, 0x7fffffffffff, 0x800000000000,
	0xffff800000000000, 0xffffffffffffffff, 0x5a5a5a5a5a5a5a5a,
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static void an_honest_frame_returns(void)
{
	CHECK(is_fine(returns(nothing, 0)));
}

static void an_impossible_address_is_a_fault(void)
{
	CHECK(is_killed(returns(bad_rip, 0)));
	CHECK(is_killed(returns(bad_rip, 0x800000000000)));
	CHECK(is_killed(returns(bad_rip, 0xffffffff80100000)));
	CHECK(is_killed(returns(bad_rip, 0x1234567890abcdef)));
}

static void selectors_and_flags_are_those_of_a_program(void)
{
	for (unsigned i = 0; i < WORDS; i++) {
		CHECK(is_fine(returns(bad_selectors, words[i])));
		CHECK(is_fine(returns(bad_flags, words[i] & ~0x400ul)));
	}
}

static void vector_state_is_checked(void)
{
	for (unsigned i = 0; i < WORDS; i++) {
		int status = returns(bad_vector_pointer, words[i]);

		CHECK(is_fine(status) || is_killed(status));
		CHECK(is_fine(returns(bad_mxcsr, words[i])) || words[i] == 0);
		CHECK(is_fine(returns(bad_xsave_header, words[i])));
		CHECK(is_fine(returns(bad_magic, words[i])));
	}
}

static void a_mask_cannot_shut_out_sigkill(void)
{
	CHECK(is_fine(returns(bad_mask, 0)));
}

static void random_damage_is_ignored_or_a_fault(void)
{
	for (uint64_t i = 0; i < 300; i++) {
		int status = returns(bad_anything, i * 0x9e3779b97f4a7c15ul);

		CHECK(is_fine(status) || is_killed(status));
	}
	CHECK(is_fine(returns(nothing, 0)));
}

static void a_return_without_a_frame_is_a_fault(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		/* The stack holds nothing that looks like a frame. */
		uint64_t junk[256];

		memset(junk, 0xee, sizeof(junk));
		__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall" : : "r"(junk) : "memory");
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(is_killed(status));
}

/* A handler on a stack that is not there cannot be called. */
static void a_frame_that_cannot_be_written_kills(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGUSR1, (void (*)(int))_exit);
		__asm__ volatile("mov $0x1000, %%rsp\n"
				 "\tmov %0, %%edi\n\tmov $10, %%esi\n\tmov $62, %%eax\n\tsyscall"
				 : : "r"(getpid()) : "memory");
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(is_killed(status));
}

static char first_stack[65536], second_stack[65536];
static int told_flags;

static void sets_a_stack(int number, siginfo_t *info, void *context)
{
	stack_t stack = { .ss_sp = second_stack, .ss_size = sizeof(second_stack) };

	told_flags = info ? ((ucontext_t *)context)->uc_stack.ss_flags : -1;
	sigaltstack(&stack, NULL);
}

static void sets_a_stack_plainly(int number)
{
	sets_a_stack(number, NULL, NULL);
}

/* The size of the alternate stack after a handler has set another one, having had the one given. */
static long size_after(const stack_t *before, bool plain)
{
	struct sigaction action = { .sa_sigaction = sets_a_stack, .sa_flags = SA_SIGINFO };
	int ends[2];
	long size = -1;
	stack_t now;

	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		if (plain)
			signal(SIGUSR1, sets_a_stack_plainly);
		else
			sigaction(SIGUSR1, &action, NULL);
		if (before)
			syscall(SYS_sigaltstack, before, NULL); /* musl allows fewer flags */
		raise(SIGUSR1);
		sigaltstack(NULL, &now);
		size = (long)now.ss_size;
		if (!plain && told_flags != (before ? before->ss_flags : 0))
			size = -2;
		_exit(write(ends[1], &size, sizeof(size)) != sizeof(size));
	}
	CHECK(read(ends[0], &size, sizeof(size)) == sizeof(size));
	CHECK(waitpid(child, NULL, 0) == child);
	close(ends[0]);
	close(ends[1]);
	return size;
}

/* Linux: what a frame says of a stack that never was is no stack, and taken for nothing. */
static void only_the_first_stack_that_a_handler_sets_stays(void)
{
	stack_t none = { .ss_flags = SS_DISABLE };
	stack_t first = { .ss_sp = first_stack, .ss_size = sizeof(first_stack) / 2 };
	stack_t marked = { .ss_sp = first_stack, .ss_size = 20000, .ss_flags = SS_ONSTACK };

	for (int plain = 0; plain < 2; plain++) {
		CHECK_EQ(size_after(NULL, plain), sizeof(second_stack));
		CHECK_EQ(size_after(&none, plain), 0);
		CHECK_EQ(size_after(&first, plain), sizeof(first_stack) / 2);
		CHECK_EQ(size_after(&marked, plain), 20000);
	}
}

int main(void)
{
	RUN(an_honest_frame_returns);
	RUN(an_impossible_address_is_a_fault);
	RUN(selectors_and_flags_are_those_of_a_program);
	RUN(vector_state_is_checked);
	RUN(a_mask_cannot_shut_out_sigkill);
	RUN(random_damage_is_ignored_or_a_fault);
	RUN(a_return_without_a_frame_is_a_fault);
	RUN(a_frame_that_cannot_be_written_kills);
	RUN(only_the_first_stack_that_a_handler_sets_stays);
	return test_result();
}
