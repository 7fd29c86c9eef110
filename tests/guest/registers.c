/* SPDX-License-Identifier: MIT */
/*
 * Registers across preemption and system calls.  More threads than CPUs spin with known values in
 * all registers, so that they are preempted again and again; each looks whether its own come back.
 */
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define THREADS 10
#define DURATION_NS 400000000ll

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Runs `check` with a different seed in each thread; it returns what is wrong, 0 for nothing. */
static long (*check_function)(uint64_t seed);

static void *check_for_a_while(void *argument)
{
	long long end = now() + DURATION_NS;
	long wrong = 0;

	while (!wrong && now() < end)
		wrong = check_function((uint64_t)argument * 0x0101010101010101ul);
	return (void *)wrong;
}

static long run_threads(long (*function)(uint64_t seed))
{
	pthread_t thread[THREADS];
	long wrong = 0;

	check_function = function;
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, check_for_a_while, (void *)(i + 1)) != 0)
			return -1;
	for (int i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(thread[i], &result);
		wrong |= (long)result;
	}
	return wrong;
}

/* The result has a bit set if any register differs after a spin. */
static long general_registers(uint64_t seed)
{
	register uint64_t kept __asm__("r15") = seed;
	long wrong;

	__asm__ volatile(
		"push %%rbp\n\t"
		"mov %1, %%rbx\n\t" "lea 1(%1), %%rcx\n\t" "lea 2(%1), %%rdx\n\t"
		"lea 3(%1), %%rsi\n\t" "lea 4(%1), %%rdi\n\t" "lea 5(%1), %%rbp\n\t"
		"lea 6(%1), %%r8\n\t" "lea 7(%1), %%r9\n\t" "lea 8(%1), %%r10\n\t"
		"lea 9(%1), %%r11\n\t" "lea 10(%1), %%r12\n\t" "lea 11(%1), %%r13\n\t"
		"lea 12(%1), %%r14\n\t"
		"mov $200000, %%eax\n\t"
		"1: dec %%eax\n\t" "jnz 1b\n\t"
		"lea -1(%%rcx), %%rcx\n\t" "lea -2(%%rdx), %%rdx\n\t" "lea -3(%%rsi), %%rsi\n\t"
		"lea -4(%%rdi), %%rdi\n\t" "lea -5(%%rbp), %%rbp\n\t" "lea -6(%%r8), %%r8\n\t"
		"lea -7(%%r9), %%r9\n\t" "lea -8(%%r10), %%r10\n\t" "lea -9(%%r11), %%r11\n\t"
		"lea -10(%%r12), %%r12\n\t" "lea -11(%%r13), %%r13\n\t" "lea -12(%%r14), %%r14\n\t"
		"xor %%rbx, %%rcx\n\t" "xor %%rbx, %%rdx\n\t" "xor %%rbx, %%rsi\n\t"
		"xor %%rbx, %%rdi\n\t" "xor %%rbx, %%rbp\n\t" "xor %%rbx, %%r8\n\t"
		"xor %%rbx, %%r9\n\t" "xor %%rbx, %%r10\n\t" "xor %%rbx, %%r11\n\t"
		"xor %%rbx, %%r12\n\t" "xor %%rbx, %%r13\n\t" "xor %%rbx, %%r14\n\t"
		"or %%rcx, %%rax\n\t" "or %%rdx, %%rax\n\t" "or %%rsi, %%rax\n\t"
		"or %%rdi, %%rax\n\t" "or %%rbp, %%rax\n\t" "or %%r8, %%rax\n\t"
		"or %%r9, %%rax\n\t" "or %%r10, %%rax\n\t" "or %%r11, %%rax\n\t"
		"or %%r12, %%rax\n\t" "or %%r13, %%rax\n\t" "or %%r14, %%rax\n\t"
		"pop %%rbp"
		: "=&a"(wrong)
		: "r"(kept)
		: "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		  "cc", "memory");
	return wrong;
}

static void general_registers_survive_preemption(void)
{
	CHECK_EQ(run_threads(general_registers), 0);
}

static long vector_registers(uint64_t seed)
{
	uint64_t low, high;

	__asm__ volatile("movq %2, %%xmm0\n\t"
			 "punpcklqdq %%xmm0, %%xmm0\n\t"
			 "movdqa %%xmm0, %%xmm7\n\t"
			 "movdqa %%xmm0, %%xmm15\n\t"
			 "mov $200000, %%eax\n\t"
			 "1: dec %%eax\n\t"
			 "jnz 1b\n\t"
			 "pxor %%xmm0, %%xmm7\n\t"
			 "por %%xmm15, %%xmm7\n\t"
			 "movq %%xmm7, %0\n\t"
			 "psrldq $8, %%xmm7\n\t"
			 "movq %%xmm7, %1"
			 : "=r"(low), "=r"(high)
			 : "r"(seed)
			 : "rax", "xmm0", "xmm7", "xmm15", "cc");
	return (long)((low ^ seed) | (high ^ seed));
}

static void vector_registers_survive_preemption(void)
{
	CHECK_EQ(run_threads(vector_registers), 0);
}

/* The kernel clears pages with YMM0: the first touch of a page must leave it whole. */
static void vector_registers_survive_first_touch(void)
{
	const uint64_t seen[4] = { 0x0123456789abcdef, 0xfedcba9876543210, 0x55aa55aa55aa55aa, 42 };
	const size_t pages = 200, page = 4096;
	volatile char *memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t wrong = 0;

	CHECK(memory != MAP_FAILED);
	for (size_t i = 0; i < pages && __builtin_cpu_supports("avx"); i++) {
		uint64_t after[4];

		__asm__ volatile("vmovdqu %2, %%ymm0\n\t"
				 "movb $1, %1\n\t"
				 "vmovdqu %%ymm0, %0\n\t"
				 "vzeroupper"
				 : "=m"(after), "=m"(memory[i * page])
				 : "m"(seen)
				 : "xmm0");
		wrong += memcmp(after, seen, sizeof(seen)) != 0;
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(munmap((void *)memory, pages * page), 0);
}

/*
 * Every other thread is preempted with a full x87 stack; what comes back from a system call must not
 * find those registers taken, since then its own first value would be a NaN (but not in QEMU, which
 * only keeps the tags).
 */
static long x87_stack(uint64_t seed)
{
	struct {
		uint16_t control, pad1, status, pad2, tags, rest[9];
	} environment;

	if (seed % 2) {
		__asm__ volatile("fld1\n\t" "fld1\n\t" "fld1\n\t" "fld1\n\t"
				 "fld1\n\t" "fld1\n\t" "fld1\n\t" "fld1\n\t"
				 "mov $200000, %%eax\n\t"
				 "1: dec %%eax\n\t"
				 "jnz 1b\n\t"
				 "fninit"
				 : : : "rax", "cc", "memory");
		return 0;
	}
	for (int i = 0; i < 20; i++) {
		syscall(SYS_sched_yield);
		__asm__ volatile("fnstenv %0\n\t" "fldenv %0" : "+m"(environment));
		if (environment.tags != 0xffff)
			return 1;
	}
	return 0;
}

static void x87_stack_is_empty_after_calls(void)
{
	CHECK_EQ(run_threads(x87_stack), 0);
}

/* The red zone: 128 bytes below RSP that a leaf function may use. */
static long red_zone(uint64_t seed)
{
	uint64_t found;

	__asm__ volatile("mov %1, -8(%%rsp)\n\t"
			 "mov %1, -128(%%rsp)\n\t"
			 "mov $200000, %%eax\n\t"
			 "1: dec %%eax\n\t"
			 "jnz 1b\n\t"
			 "mov -8(%%rsp), %0\n\t"
			 "xor -128(%%rsp), %0\n\t"
			 "mov -128(%%rsp), %0"
			 : "=&r"(found)
			 : "r"(seed)
			 : "rax", "cc", "memory");
	return (long)(found ^ seed);
}

static void red_zone_survives_preemption(void)
{
	CHECK_EQ(run_threads(red_zone), 0);
}

/*
 * A task that is interrupted while the direction flag is set, as in a copy that goes downwards, has
 * it set again afterwards; but what comes back from a system call later does not, be it the caller
 * or its child.
 */
static long direction_flag(uint64_t seed)
{
	uint64_t flags, after;
	int status;

	__asm__ volatile("std\n\t"
			 "mov $200000, %%eax\n\t"
			 "1: dec %%eax\n\t"
			 "jnz 1b\n\t"
			 "lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "pop %0\n\t"
			 "lea 128(%%rsp), %%rsp\n\t"
			 "cld"
			 : "=r"(flags)
			 :
			 : "rax", "cc", "memory");
	pid_t child = fork();

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "pop %0\n\t"
			 "lea 128(%%rsp), %%rsp\n\t"
			 "cld"
			 : "=r"(after)
			 :
			 : "cc", "memory");
	if (child == 0)
		_exit((after & 0x400) != 0);
	waitpid(child, &status, 0);
	return (flags & 0x400) == 0 || (after & 0x400) != 0 || status != 0;
}

static void direction_flag_does_not_leak_into_calls(void)
{
	CHECK_EQ(run_threads(direction_flag), 0);
}

/*
 * With NT set IRETQ faults.  A program may set it, and calls the libos with it set: that is no
 * reason for the libos, or for the other program that runs next on this CPU, to end.
 */
static long nested_task_flag(uint64_t seed)
{
	for (int i = 0; i < 20; i++) {
		__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "orq $0x4000, (%%rsp)\n\t"
				 "popfq\n\t"
				 "lea 128(%%rsp), %%rsp"
				 : : : "cc", "memory");
		if (raise(SIGUSR1) != 0 || usleep(50) != 0)
			return 1;
	}
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static void nested_task_flag_does_no_harm(void)
{
	signal(SIGUSR1, on_signal);
	CHECK_EQ(run_threads(nested_task_flag), 0);
}

static long rounding_modes(uint64_t seed)
{
	static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
	int mode = modes[seed % 4];

	fesetround(mode);
	for (volatile int i = 0; i < 20000; i++)
		;
	syscall(SYS_sched_yield);
	usleep(100);
	return fegetround() != mode;
}

static void rounding_modes_are_each_threads_own(void)
{
	CHECK_EQ(run_threads(rounding_modes), 0);
}

static _Thread_local uint64_t mine;

static long thread_local_storage(uint64_t seed)
{
	mine = seed;
	for (volatile int i = 0; i < 20000; i++)
		if (mine != seed)
			return 1;
	syscall(SYS_sched_yield);
	return mine != seed;
}

static void thread_local_storage_is_each_threads_own(void)
{
	CHECK_EQ(run_threads(thread_local_storage), 0);
}

/*
 * More processes than CPUs ask who they are, again and again, and are preempted and moved in between:
 * the answer is found through the CPU, and must not be about another process on it.  (QEMU interrupts
 * only between blocks of code; with its option -singlestep every instruction is one.)
 */
static void process_id_is_ones_own(void)
{
	pid_t children[THREADS];
	int status;

	for (int i = 0; i < THREADS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			pid_t me = (pid_t)syscall(SYS_getpid);
			long long end = now() + DURATION_NS;
			int wrong = 0;

			while (!wrong && now() < end)
				for (int n = 0; n < 1000; n++)
					wrong |= getpid() != me;
			_exit(wrong);
		}
	}
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
		CHECK_EQ(status, 0);
	}
}

/* A SYSCALL instruction outside the libos: all but RAX, RCX and R11 come back. */
static long foreign_call(uint64_t seed)
{
	register uint64_t r8 __asm__("r8") = seed + 1;
	register uint64_t r9 __asm__("r9") = seed + 2;
	register uint64_t r10 __asm__("r10") = seed + 3;
	register uint64_t r12 __asm__("r12") = seed + 4;
	uint64_t rdi = seed + 5, rsi = seed + 6, rdx = seed + 7, rbx = seed + 8;
	long rax = SYS_sched_yield;

	__asm__ volatile("movq %[seed], %%xmm9\n\t"
			 "syscall\n\t"
			 "movq %%xmm9, %%rcx\n\t"
			 "cmp %[seed], %%rcx\n\t"
			 "je 1f\n\t"
			 "inc %%rax\n\t"
			 "1:"
			 : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+b"(rbx), "+r"(r8), "+r"(r9),
			   "+r"(r10), "+r"(r12)
			 : [seed] "r"(seed)
			 : "rcx", "r11", "xmm9", "cc", "memory");
	return rax || r8 != seed + 1 || r9 != seed + 2 || r10 != seed + 3 || r12 != seed + 4 ||
	       rdi != seed + 5 || rsi != seed + 6 || rdx != seed + 7 || rbx != seed + 8;
}

static void foreign_system_calls_keep_registers(void)
{
	CHECK_EQ(run_threads(foreign_call), 0);
}

int main(void)
{
	RUN(general_registers_survive_preemption);
	RUN(vector_registers_survive_preemption);
	RUN(vector_registers_survive_first_touch);
	RUN(x87_stack_is_empty_after_calls);
	RUN(red_zone_survives_preemption);
	RUN(direction_flag_does_not_leak_into_calls);
	RUN(nested_task_flag_does_no_harm);
	RUN(rounding_modes_are_each_threads_own);
	RUN(thread_local_storage_is_each_threads_own);
	RUN(process_id_is_ones_own);
	RUN(foreign_system_calls_keep_registers);
	return test_result();
}
