/* SPDX-License-Identifier: MIT */
/* The return from a fault's handler restores all registers, whatever happens meanwhile. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

enum { GENERAL = 15, FLAGS_AFTER = 2 * GENERAL, VALUES_OF_FAULT };
#define FLAGS_OF_RESULTS 0x8d5

/* UD2 with the general registers but RSP from values[0] on, and all flags set that results set; what is in
 * them behind it goes into the values that follow. */
void fault_with(uint64_t values[VALUES_OF_FAULT]);
__asm__(".pushsection .text\n"
	"fault_with:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rdi\n"
	"pushq $0xad7\n popfq\n"
	"mov (%rdi), %rax\n mov 8(%rdi), %rbx\n mov 16(%rdi), %rcx\n mov 24(%rdi), %rdx\n"
	"mov 32(%rdi), %rsi\n mov 40(%rdi), %rbp\n mov 48(%rdi), %r8\n mov 56(%rdi), %r9\n"
	"mov 64(%rdi), %r10\n mov 72(%rdi), %r11\n mov 80(%rdi), %r12\n mov 88(%rdi), %r13\n"
	"mov 96(%rdi), %r14\n mov 104(%rdi), %r15\n mov 112(%rdi), %rdi\n"
	"ud2\n"
	"pushfq\n"
	"push %rdi\n push %r15\n push %r14\n push %r13\n push %r12\n push %r11\n push %r10\n push %r9\n"
	"push %r8\n push %rbp\n push %rsi\n push %rdx\n push %rcx\n push %rbx\n push %rax\n"
	"mov 128(%rsp), %rdi\n"
	".set at, 120\n .rept 16\n pop at(%rdi)\n .set at, at + 8\n .endr\n"
	"pop %rdi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n"
	".popsection");

static void go_on(int number, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void nothing_to_do(int number)
{
}

static struct sigaction going_on;
static atomic_bool done;
static atomic_int round_now;
static int rounds;

/* How often a fault has changed a register. */
static void *fault_often(void *unused)
{
	uint64_t values[VALUES_OF_FAULT], value = 1;
	long changed = 0;

	for (int i = 0; i < rounds; i++) {
		round_now = i;
		for (int w = 0; w < GENERAL; w++)
			values[w] = value = value * 6364136223846793005ul + 1442695040888963407ul;
		fault_with(values);
		changed += memcmp(values, values + GENERAL, GENERAL * sizeof(values[0])) != 0 ||
			   (values[FLAGS_AFTER] & FLAGS_OF_RESULTS) != FLAGS_OF_RESULTS;
	}
	done = true;
	return (void *)changed;
}

static long faults_in_a_thread(const pthread_attr_t *attributes, int how_many, void (*meanwhile)(pthread_t))
{
	struct sigaction before;
	pthread_t thread;
	void *changed;

	going_on = (struct sigaction){ .sa_sigaction = go_on, .sa_flags = SA_SIGINFO };
	CHECK_EQ(sigaction(SIGILL, &going_on, &before), 0);
	done = false;
	rounds = how_many;
	CHECK_EQ(pthread_create(&thread, attributes, fault_often, NULL), 0);
	while (!done)
		meanwhile(thread);
	CHECK_EQ(pthread_join(thread, &changed), 0);
	sigaction(SIGILL, &before, NULL);
	return (long)changed;
}

/* One a round, and each time a little later in it: who sent more, and faster than they are handled, might
 * keep the thread from going on at all. */
static void interrupt(pthread_t thread)
{
	static unsigned times;
	int round = round_now;

	for (volatile unsigned spins = times++ % 64; spins > 0; spins--)
		;
	pthread_kill(thread, SIGUSR1);
	while (!done && round_now == round)
		sched_yield();
}

static void a_return_that_is_interrupted_restores_all_registers(void)
{
	signal(SIGUSR1, nothing_to_do);
	CHECK_EQ(faults_in_a_thread(NULL, 40000, interrupt), 0);
	signal(SIGUSR1, SIG_DFL);
}

#define STACK_SIZE 0x10000
static char *file_stack;
static int file_of_stack;

/* The same pages of the same file: whoever comes meanwhile finds what there was, but has to fetch it. */
static void map_again(pthread_t thread)
{
	CHECK(mmap(file_stack, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_of_stack,
		   0) == file_stack);
	sched_yield();
}

static void a_frame_whose_page_has_to_be_fetched_is_whole(void)
{
	pthread_attr_t attributes;

	file_of_stack = memfd_create("stack", 0);
	CHECK(file_of_stack >= 0 && ftruncate(file_of_stack, STACK_SIZE) == 0);
	file_stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file_of_stack, 0);
	CHECK(file_stack != MAP_FAILED);
	pthread_attr_init(&attributes);
	CHECK_EQ(pthread_attr_setstack(&attributes, file_stack, STACK_SIZE), 0);
	CHECK_EQ(faults_in_a_thread(&attributes, 20000, map_again), 0);
	munmap(file_stack, STACK_SIZE);
	close(file_of_stack);
}

int main(void)
{
	RUN(a_return_that_is_interrupted_restores_all_registers);
	RUN(a_frame_whose_page_has_to_be_fetched_is_whole);
	return test_result();
}
