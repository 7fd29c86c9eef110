/* SPDX-License-Identifier: MIT */
/* All vector registers, around a handler that a fault has called: in its frame, and afterwards. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include "test.h"

#define REGISTERS 16
#define OTHER_MXCSR 0x3f80u /* rounds down */
#define OTHER_X87 0x77fu    /* the same */
#define PLAIN_MXCSR 0x1f80u
#define PLAIN_X87 0x37fu
#define X87 1u
#define SSE 2u
#define AVX 4u

/* The image, in bytes: what FXSAVE writes, the header, and AVX's upper halves. */
#define CONTROL_AT 0
#define MXCSR_AT 24
#define X87_AT 32
#define SSE_AT 160
#define HEADER_AT 512
#define AVX_AT 576

struct registers {
	uint64_t vectors[REGISTERS][4]; /* without AVX the upper halves are not touched */
	double x87[2];
	uint32_t mxcsr;
	uint16_t control;
} __attribute__((aligned(32)));

/* What the program had, what the handler found in its frame and in the registers, what came of it. */
static struct registers before, framed, in_handler, after;
static uint16_t tags_in_handler;
static uint64_t features; /* according to the frame */
static unsigned leave_out, change; /* features that the handler takes away, a register that it sets */
static bool has_avx;

#define EACH(what)                                                                              \
	what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9) what(10) \
		what(11) what(12) what(13) what(14) what(15)
#define LOAD_SSE(i) "movups 32*" #i "(%0), %%xmm" #i "\n\t"
#define LOAD_AVX(i) "vmovups 32*" #i "(%0), %%ymm" #i "\n\t"
#define STORE_SSE(i) "movups %%xmm" #i ", 32*" #i "(%1)\n\t"
#define STORE_AVX(i) "vmovups %%ymm" #i ", 32*" #i "(%1)\n\t"
#define TOUCHED                                                                                \
	"memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",      \
		"xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define X87_AND_CONTROL                                                                        \
	"fninit\n\tfldcw %2\n\tfldl %3\n\tfldl %4\n\tldmxcsr %5\n\t"
#define X87_AND_CONTROL_BACK                                                                   \
	"fstpl %8\n\tfstpl %9\n\tfnstcw %6\n\tstmxcsr %7\n\tfninit\n\tldmxcsr %10\n\t"
#define OPERANDS                                                                               \
	: : "r"(before.vectors), "r"(after.vectors), "m"(before.control), "m"(before.x87[0]),   \
	    "m"(before.x87[1]), "m"(before.mxcsr), "m"(after.control), "m"(after.mxcsr),        \
	    "m"(after.x87[1]), "m"(after.x87[0]), "m"(plain_mxcsr) : TOUCHED

/* All registers as in `before`, a fault, and all of them into `after`. */
static void fault_with_registers(void)
{
	static const uint32_t plain_mxcsr = PLAIN_MXCSR;

	if (has_avx)
		__asm__ volatile(X87_AND_CONTROL EACH(LOAD_AVX) "ud2\n\t" EACH(STORE_AVX)
				 X87_AND_CONTROL_BACK OPERANDS);
	else
		__asm__ volatile(X87_AND_CONTROL EACH(LOAD_SSE) "ud2\n\t" EACH(STORE_SSE)
				 X87_AND_CONTROL_BACK OPERANDS);
}

static void store_all(struct registers *to)
{
	uint16_t environment[14];

	if (has_avx)
		__asm__ volatile(EACH(STORE_AVX) : : "r"(0), "r"(to->vectors) : "memory");
	else
		__asm__ volatile(EACH(STORE_SSE) : : "r"(0), "r"(to->vectors) : "memory");
	__asm__ volatile("stmxcsr %0\n\tfnstenv %1\n\tfldenv %1" : "=m"(to->mxcsr), "=m"(environment));
	to->control = environment[0];
	tags_in_handler = environment[4];
}

/* Nothing that a handler leaves in the registers may reach the program. */
static void spoil_all(void)
{
	static struct registers rubbish;
	static const uint32_t mxcsr = 0x5f80;

	memset(&rubbish, 0xa5, sizeof(rubbish));
	if (has_avx)
		__asm__ volatile(EACH(LOAD_AVX) : : "r"(rubbish.vectors) : TOUCHED);
	else
		__asm__ volatile(EACH(LOAD_SSE) : : "r"(rubbish.vectors) : TOUCHED);
	__asm__ volatile("fldpi\n\tfldpi\n\tfldpi\n\tldmxcsr %0" : : "m"(mxcsr));
}

static double of_extended(const void *image)
{
	double value;

	__asm__ volatile("fldt %1\n\tfstpl %0" : "=m"(value) : "m"(*(const char (*)[10])image));
	return value;
}

static void read_frame(const char *image)
{
	memcpy(&framed.control, image + CONTROL_AT, sizeof(framed.control));
	memcpy(&framed.mxcsr, image + MXCSR_AT, sizeof(framed.mxcsr));
	framed.x87[1] = of_extended(image + X87_AT);
	framed.x87[0] = of_extended(image + X87_AT + 16);
	memcpy(&features, image + HEADER_AT, sizeof(features));
	for (int i = 0; i < REGISTERS; i++) {
		memcpy(framed.vectors[i], image + SSE_AT + 16 * i, 16);
		if (has_avx)
			memcpy(framed.vectors[i] + 2, image + AVX_AT + 16 * i, 16);
	}
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *image = (char *)uc->uc_mcontext.fpregs;
	uint64_t kept;

	store_all(&in_handler);
	read_frame(image);
	if (change)
		memset(image + SSE_AT + 16 * change, 0x33, 16);
	kept = features & ~(uint64_t)leave_out;
	memcpy(image + HEADER_AT, &kept, sizeof(kept));
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	spoil_all();
}

static void run(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	has_avx = __builtin_cpu_supports("avx");
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	memset(&framed, 0, sizeof(framed));
	memset(&in_handler, 0, sizeof(in_handler));
	for (int i = 0; i < REGISTERS; i++)
		for (int word = 0; word < (has_avx ? 4 : 2); word++)
			before.vectors[i][word] = 0x0123456789abcdeful * (uint64_t)(4 * i + word + 1);
	before.x87[0] = 1.25;
	before.x87[1] = -7.5;
	before.mxcsr = OTHER_MXCSR;
	before.control = OTHER_X87;
	sigaction(SIGILL, &action, NULL);
	fault_with_registers();
}

static void a_frame_has_every_register(void)
{
	change = leave_out = 0;
	run();
	CHECK_EQ(features & (X87 | SSE | AVX), X87 | SSE | (has_avx ? AVX : 0));
	CHECK(memcmp(framed.vectors, before.vectors, sizeof(before.vectors)) == 0);
	CHECK(memcmp(framed.x87, before.x87, sizeof(before.x87)) == 0);
	CHECK_EQ(framed.mxcsr, OTHER_MXCSR);
	CHECK_EQ(framed.control, OTHER_X87);
}

static void a_handler_starts_with_none(void)
{
	static const uint64_t none[REGISTERS][4];

	change = leave_out = 0;
	run();
	CHECK(memcmp(in_handler.vectors, none, sizeof(none)) == 0);
	CHECK_EQ(in_handler.mxcsr, PLAIN_MXCSR);
	CHECK_EQ(in_handler.control, PLAIN_X87);
	CHECK_EQ(tags_in_handler, 0xffff);
}

static void every_register_is_there_afterwards(void)
{
	change = leave_out = 0;
	run();
	CHECK(memcmp(after.vectors, before.vectors, sizeof(before.vectors)) == 0);
	CHECK(memcmp(after.x87, before.x87, sizeof(before.x87)) == 0);
	CHECK_EQ(after.mxcsr, OTHER_MXCSR);
	CHECK_EQ(after.control, OTHER_X87);
}

static void a_handler_may_set_a_register(void)
{
	leave_out = 0;
	for (change = 1; change < REGISTERS; change++) {
		run();
		memset(before.vectors[change], 0x33, 16);
		CHECK(memcmp(after.vectors, before.vectors, sizeof(before.vectors)) == 0);
	}
}

/* A feature that the header leaves out starts afresh, and the others do not. */
static void a_handler_may_leave_registers_out(void)
{
	change = 0;
	for (leave_out = 1; leave_out <= (X87 | SSE | AVX); leave_out++) {
		run();
		for (int i = 0; i < REGISTERS; i++) {
			if (leave_out & SSE)
				memset(before.vectors[i], 0, 16);
			if (leave_out & AVX)
				memset(before.vectors[i] + 2, 0, 16);
		}
		CHECK(memcmp(after.vectors, before.vectors, sizeof(before.vectors)) == 0);
		CHECK_EQ(after.control, leave_out & X87 ? PLAIN_X87 : OTHER_X87);
		CHECK((after.x87[0] == before.x87[0]) == !(leave_out & X87));
	}
}

int main(void)
{
	RUN(a_frame_has_every_register);
	RUN(a_handler_starts_with_none);
	RUN(every_register_is_there_afterwards);
	RUN(a_handler_may_set_a_register);
	RUN(a_handler_may_leave_registers_out);
	return test_result();
}
