/* SPDX-License-Identifier: MIT */
/*
 * The vector state of a signal frame: an XSAVE image, described in the bytes that FXSAVE leaves
 * to software, as Linux's asm/sigcontext.h says.
 *
 * It is written where it is to stand, and read from there if it is still what was written (usercopy.asm).
 * What the program has made something else of goes through the task's own area, where it is put right.
 */
#include <asm/sigcontext.h>
#include <exo/abi.h>
#include <stdatomic.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/signal_frame.h"
#include "proc/signal_private.h"

#define LEGACY_SIZE 512u  /* FXSAVE; the XSAVE header follows */
#define HEADER_SIZE 64u
#define FEATURES_LEGACY (VECTOR_FEATURE_X87 | VECTOR_FEATURE_SSE)

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

uint64_t signal_vector_size(void)
{
	return machine()->vector_size + FP_XSTATE_MAGIC2_SIZE;
}

/* Without a bit in the header XRSTOR initialises all (SDM vol. 1, 13.8), and reads nothing of the rest
 * but MXCSR. */
static const struct {
	struct _fpstate_64 legacy;
	struct _header header;
} initial __attribute__((aligned(64))) = { .legacy.mxcsr = MXCSR_INITIAL };

void signal_vector_reset(void)
{
	vector_load(&initial);
}

/* For a handler, which is of the program that the registers belong to: so what the x87's have had may stay
 * there, as long as they are said to be empty. */
static void vector_clear(void)
{
	if (machine()->vector_features != (FEATURES_LEGACY | VECTOR_FEATURE_AVX)) {
		signal_vector_reset();
		return;
	}
	__asm__ volatile("fninit\n\tvzeroall");
	write_mxcsr(MXCSR_INITIAL);
}

/* The registers stay live meanwhile: nothing in the libos changes them. */
int signal_vector_save(uint64_t user)
{
	if (user > EXO_USER_TOP - signal_vector_size() ||
	    user_vector_save((struct _xstate *)user, machine()->vector_features, machine()->vector_size) != 0)
		return -EFAULT;
	vector_clear();
	return 0;
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

/* Reads the image as far as it is one; *extended says whether there is more than FXSAVE's. */
static int image_read(struct _xstate *image, uint64_t user, bool *extended)
{
	const struct _fpx_sw_bytes *described = &image->fpstate.sw_reserved;
	uint32_t size = machine()->vector_size, magic2;

	if (copy_from_user(image, user, LEGACY_SIZE) != 0)
		return -EFAULT;
	*extended = described->magic1 == FP_XSTATE_MAGIC1 && described->xstate_size == size;
	if (!*extended)
		return 0;
	if (copy_from_user((char *)image + LEGACY_SIZE, user + LEGACY_SIZE, size - LEGACY_SIZE) != 0 ||
	    copy_from_user(&magic2, user + size, sizeof(magic2)) != 0)
		return -EFAULT;
	*extended = magic2 == FP_XSTATE_MAGIC2;
	return 0;
}

/* As below, without a copy of the image; false: with nothing done. */
static bool load_in_place(struct task *t, uint64_t user)
{
	int r;

	if (user > EXO_USER_TOP - signal_vector_size())
		return false;
	upcalls_mask();
	r = user_vector_load((const struct _xstate *)user, machine()->vector_features,
			     machine()->vector_size);
	t->vector_live = true;
	if (r != 0)
		upcalls_unmask();
	return r == 0;
}

/*
 * What the registers hold now is lost, so a preemption need not save it: it leaves the task's area to
 * the image.  That the registers are live again and that they are loaded is one step.
 */
static __attribute__((noinline)) int load_by_copy(struct task *t, uint64_t user)
{
	struct _xstate *image = t->vector_area;
	bool extended;
	int r;

	t->vector_live = false;
	atomic_signal_fence(memory_order_seq_cst);
	r = image_read(image, user, &extended);
	if (r == 0)
		sanitise(image, extended);
	upcalls_mask();
	t->vector_live = true;
	vector_load(r == 0 ? (const void *)image : &initial);
	if (r != 0)
		upcalls_unmask();
	return r;
}

int signal_vector_restore(struct task *t, uint64_t user)
{
	return load_in_place(t, user) ? 0 : load_by_copy(t, user);
}

/*
 * The x87's word only where it is another one, and then with the state of a call: FLDCW would take an
 * exception that the program has left pending, here in the libos.  It stays the program's.
 */
__attribute__((noinline)) void signal_control_words_load(uint64_t words)
{
	bool valid = (words & CONTROL_WORDS_VALID) != 0;
	uint16_t x87;

	if (words == signal_control_words())
		return;
	x87 = valid ? (uint16_t)(words >> 32) : X87_CONTROL_INITIAL;

	write_mxcsr(valid ? (uint32_t)words & MXCSR_VALID : MXCSR_INITIAL);
	if (read_x87_control() != x87)
		write_x87_control(x87);
}
