/* SPDX-License-Identifier: MIT */
/*
 * The vector state of a signal frame: an XSAVE image, described in the bytes that FXSAVE leaves
 * to software, as Linux's asm/sigcontext.h says.
 *
 * The image goes through libos memory in both directions: XSAVE and XRSTOR would fault on a bad
 * user address, or on a header that the program has spoilt, with nobody to turn that into an error.
 */
#include <asm/sigcontext.h>
#include <exo/abi.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

#define IMAGE_ALIGNMENT 64ul
#define LEGACY_SIZE 512u  /* FXSAVE; the XSAVE header follows */
#define HEADER_SIZE 64u
#define FEATURES_LEGACY 3ul /* x87, SSE */

#define MXCSR_INITIAL 0x1f80u
#define MXCSR_VALID 0xffffu /* the others are reserved: loading them faults */
#define X87_CONTROL_INITIAL 0x37fu
#define CONTROL_WORDS_VALID (1ul << 63)

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

uint64_t signal_vector_size(void)
{
	return machine()->vector_size + FP_XSTATE_MAGIC2_SIZE;
}

/* An image in the heap; *block is what is to be freed. */
static struct _xstate *image_alloc(void **block)
{
	*block = heap_alloc(signal_vector_size() + IMAGE_ALIGNMENT);
	return (struct _xstate *)(((uint64_t)*block + IMAGE_ALIGNMENT - 1) & ~(IMAGE_ALIGNMENT - 1));
}

static void xsave(struct _xstate *image)
{
	uint64_t features = machine()->vector_features;

	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(image), "a"((uint32_t)features), "d"((uint32_t)(features >> 32))
			 : "memory");
}

static void xrstor(const struct _xstate *image)
{
	uint64_t features = machine()->vector_features;

	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(image), "a"((uint32_t)features), "d"((uint32_t)(features >> 32))
			 : "memory");
}

static uint32_t *magic2(struct _xstate *image)
{
	return (uint32_t *)((char *)image + machine()->vector_size);
}

/* The state that a program starts with, whatever XRSTOR is given to read besides the header. */
static void vector_reset(struct _xstate *image)
{
	memset(image, 0, LEGACY_SIZE + HEADER_SIZE);
	image->fpstate.mxcsr = MXCSR_INITIAL;
	xrstor(image);
}

int signal_vector_save(struct task *t, uint64_t user)
{
	void *block;
	struct _xstate *image = image_alloc(&block);
	int r;

	if (block == NULL)
		return -ENOMEM;
	xsave(image);
	image->fpstate.sw_reserved = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = (uint32_t)signal_vector_size(),
		.xfeatures = machine()->vector_features,
		.xstate_size = machine()->vector_size,
	};
	*magic2(image) = FP_XSTATE_MAGIC2;
	r = copy_to_user(user, image, signal_vector_size());
	if (r == 0)
		vector_reset(image);
	heap_free(block);
	return r;
}

/* Whatever the program wrote, XRSTOR accepts the result (SDM vol. 1, 13.8). */
static void sanitise(struct _xstate *image, bool extended)
{
	uint64_t features = machine()->vector_features;

	features &= extended ? image->xstate_hdr.xfeatures : FEATURES_LEGACY;
	memset(&image->xstate_hdr, 0, HEADER_SIZE);
	image->xstate_hdr.xfeatures = features;
	image->fpstate.mxcsr &= MXCSR_VALID;
}

int signal_vector_restore(struct task *t, uint64_t user)
{
	void *block;
	struct _xstate *image = image_alloc(&block);
	const struct _fpx_sw_bytes *described = &image->fpstate.sw_reserved;
	bool extended = false;
	int r;

	if (block == NULL)
		return -ENOMEM;
	r = copy_from_user(image, user, LEGACY_SIZE);
	if (r == 0) {
		extended = described->magic1 == FP_XSTATE_MAGIC1 &&
			   described->xstate_size == machine()->vector_size;
		if (extended)
			r = copy_from_user((char *)image + LEGACY_SIZE, user + LEGACY_SIZE,
					   signal_vector_size() - LEGACY_SIZE);
	}
	if (r == 0) {
		sanitise(image, extended && *magic2(image) == FP_XSTATE_MAGIC2);
		/* First: a preemption between the two then keeps what XRSTOR has loaded. */
		t->vector_live = true;
		__asm__ volatile("" ::: "memory");
		xrstor(image);
	}
	heap_free(block);
	return r;
}

uint64_t signal_control_words(void)
{
	uint32_t mxcsr;
	uint16_t x87;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(x87));
	return CONTROL_WORDS_VALID | (uint64_t)x87 << 32 | mxcsr;
}

void signal_control_words_load(uint64_t words)
{
	uint32_t mxcsr = MXCSR_INITIAL;
	uint16_t x87 = X87_CONTROL_INITIAL;

	if ((words & CONTROL_WORDS_VALID) != 0) {
		mxcsr = (uint32_t)words & MXCSR_VALID;
		x87 = (uint16_t)(words >> 32);
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fldcw %0" : : "m"(x87));
}
