/* SPDX-License-Identifier: MIT */
/*
 * libos/proc/signal_frame.c, libos/proc/signal_vector.c and libos/proc/signal_altstack.c: whatever a
 * program's handler has made of its frame, sigreturn takes over only what a program may set.  That the
 * vector state is accepted is judged by the processor: the restored image is loaded with XRSTOR.
 *
 *	input: a byte of options; the context of the frame; then the image of the vector state, as
 *	far as it goes.  Addresses behind its end are not there.
 */
#include <setjmp.h>
#include <stddef.h>
#include "core/task.h"
/* Not by the stack, which is the host's. */
#define current task_of_fuzz
static struct task *task_of_fuzz(void);
#include "../../libos/proc/signal_frame.c"
#include "../../libos/proc/signal_vector.c"
#include "../../libos/proc/signal_altstack.c"
#include "fuzz.h"

const char mask_change_again[1], mask_change[1], mask_changed[1], mask_looked[1], mask_settle[1];

#define PROGRAM_BASE 0x10000000ul /* of the memory that the program has: the input */
#define VECTOR_SIZE 832u          /* x87, SSE and AVX */
#define FLAGS_PRIVILEGED (~FLAGS_FIXED & ~FLAGS_OF_PROGRAM)

/* Options: what the frame says of itself is put right, so that the rest is looked at; and what the
 * handler has left behind: a floating-point exception that the next x87 instruction would raise.  And whether
 * the straight way of a fault's frame is tried first, which does nothing to the user frame. */
enum {
	POINT_TO_IMAGE = 1, DESCRIBE_IMAGE = 2, SOUND_IP = 4, HAS_STACK = 8, ON_STACK = 16,
	EXCEPTION_PENDING = 32, STRAIGHT = 64, NOT_STRAIGHT,
};

const struct fuzz_target fuzz_target = {
	"signal_frame",
	"no_frame_gives_what_a_program_may_not_have",
	60000,
};

static jmp_buf straight_end;
static const struct frame_input *straight_input;

static const uint8_t *program;
static size_t program_size;

struct frame_input {
	struct signal_context context;
	uint8_t image[VECTOR_SIZE + FP_XSTATE_MAGIC2_SIZE];
};

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	struct frame_input f;
	struct _xstate *x = (struct _xstate *)f.image;
	struct sigcontext_64 *registers = &f.context.registers;

	if (number > 5)
		return 0;
	memset(&f, 0, sizeof(f));
	registers->ip = number == 5 ? CANONICAL_END : 0x401000;
	registers->sp = 0x7ffff000;
	registers->flags = 0x246;
	registers->r12 = 12;
	f.context.mask = 1ul << 14;
	if (number == 1 || number == 3) { /* made for a call: without vector state */
		registers->reserved1[0] = CONTROL_WORDS_VALID | 0x37ful << 32 | 0x1f80;
		registers->reserved1[1] = registers->ip;
	}
	x->fpstate.mxcsr = MXCSR_INITIAL;
	x->fpstate.cwd = X87_CONTROL_INITIAL;
	x->xstate_hdr.xfeatures = 3;
	out[0] = number % 2 && number < 5 ? 0 : POINT_TO_IMAGE | HAS_STACK;
	out[0] |= number < 5 ? SOUND_IP : 0;
	out[0] |= number == 2 ? DESCRIBE_IMAGE : 0;
	out[0] |= number >= 2 ? EXCEPTION_PENDING : 0;
	out[0] |= number >= 4 ? STRAIGHT : 0;
	memcpy(out + 1, &f, sizeof(f));
	return 1 + sizeof(f);
}

/* ---- What the files under test stand on: the program's memory is the input. */

int copy_from_user(void *to, uint64_t from, size_t n)
{
	if (from < PROGRAM_BASE || from - PROGRAM_BASE > program_size ||
	    n > program_size - (from - PROGRAM_BASE))
		return -EFAULT;
	memcpy(to, program + (from - PROGRAM_BASE), n);
	return 0;
}

int copy_to_user(uint64_t to, const void *from, size_t n) { return -EFAULT; }

/* What usercopy.asm does with each word: the order is of no matter, as long as it may end in between. */
int user_frame_read(struct exo_regs *to, struct signal_words *words, const struct signal_context *from)
{
	struct signal_context c;
	const struct sigcontext_64 *s = &c.registers;

	to->r8 = ~0ul;
	if (copy_from_user(&c, (uint64_t)from, sizeof(c)) != 0)
		return -EFAULT;
	to->r8 = s->r8, to->r9 = s->r9, to->r10 = s->r10, to->r11 = s->r11;
	to->r12 = s->r12, to->r13 = s->r13, to->r14 = s->r14, to->r15 = s->r15;
	to->rdi = s->di, to->rsi = s->si, to->rbp = s->bp, to->rbx = s->bx;
	to->rdx = s->dx, to->rax = s->ax, to->rcx = s->cx;
	*words = (struct signal_words){
		.stack_sp = c.stack.sp, .stack_size = c.stack.size, .stack_flags = c.stack.flags,
		.mask = c.mask, .vector = s->fpstate, .control_words = s->reserved1[0],
		.caller = s->reserved1[1], .rip = s->ip, .rsp = s->sp, .rflags = s->flags,
	};
	return 0;
}

int user_frame_write(struct signal_frame *to, const struct exo_regs *from, const struct signal_words *words)
{
	return -EFAULT;
}

int signal_info_write(uint64_t to, const struct signal_info *info) { return -EFAULT; }
int user_vector_save(struct _xstate *to, uint64_t features, uint32_t size) { return -EFAULT; }
int user_vector_load(const struct _xstate *from, uint64_t features, uint32_t size) { return -EFAULT; }
void upcalls_mask(void) {}
void upcalls_unmask(void) {}
void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}
struct lock process_tree_lock;
bool signal_force(int number, const struct signal_info *info)
{
	return true;
}
bool work_waits(const struct task *t) { return false; }
_Noreturn void return_to_user(void)
{
	if (straight_input)
		longjmp(straight_end, NOT_STRAIGHT);
	fuzz_failed("nobody returns to user mode here", __FILE__, __LINE__);
}
_Noreturn void return_to_user_masked(void) { return_to_user(); }
_Noreturn void return_by_call(struct exo_regs *frame) { return_to_user(); }
_Noreturn void return_to_handler(struct exo_regs *frame) { return_to_user(); }

_Noreturn void user_frame_return(const struct signal_context *from, struct exo_regs *frame)
{
	return_to_user();
}

int user_plain_frame_read(struct signal_words *words, const struct signal_context *from)
{
	return -EFAULT;
}

int user_fault_frame_read(struct signal_words *words, const struct signal_context *from)
{
	struct exo_regs unused;

	if (user_frame_read(&unused, words, from) != 0 || words->stack_size != 0 || words->stack_flags != 0)
		return -EFAULT;
	words->stack_sp = words->control_words = words->caller = ~0ul; /* not read */
	return 0;
}

/* The straight way ends here. */
_Noreturn void user_fault_frame_return(const struct signal_context *from, const struct signal_words *words,
				       struct exo_regs *frame)
{
	FUZZ_CHECK((uint64_t)from == PROGRAM_BASE && frame->rsp == PROGRAM_BASE && frame->rip == 0);
	FUZZ_CHECK(words->rip < CANONICAL_END && words->rsp == straight_input->context.registers.sp);
	FUZZ_CHECK((words->rflags & FLAGS_FIXED) == FLAGS_FIXED && !(words->rflags & FLAGS_PRIVILEGED));
	FUZZ_CHECK((words->rflags & ~(uint64_t)FLAGS_BY_POPFQ) == 0);
	longjmp(straight_end, STRAIGHT);
}

int user_plain_frame_write(struct signal_frame *to, const struct exo_regs *from, uint64_t mask,
			   uint64_t restorer)
{
	return -EFAULT;
}

int user_fault_frame_write(struct signal_frame *to, const struct exo_regs *from, uint64_t mask,
			   uint64_t restorer, uint64_t vector, uint64_t address)
{
	return -EFAULT;
}
void signal_settle_blocked(struct task *t, uint64_t newly_blocked, bool locked) {}
void signal_frame_failed(struct task *t, int number) {}

/* ---- The machine. */

static uint64_t enabled_features(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & 7u;
}

static uint8_t host_state[TASK_VECTOR_MAX] __attribute__((aligned(64)));
static uint8_t vector_area[TASK_VECTOR_MAX] __attribute__((aligned(64)));
static struct exo_regs regs;
static struct task task;
static struct process process;

static struct task *task_of_fuzz(void)
{
	return &task;
}

static void start(uint8_t options)
{
	static struct exo_info *info;

	if (!info) {
		info = fuzz_pages_at(EXO_INFO_BASE, EXO_INFO_PAGES * EXO_PAGE_SIZE);
		info->vector_size = VECTOR_SIZE;
		info->vector_features = enabled_features();
	}
	memset(vector_area, 0, sizeof(vector_area));
	memset(&task, 0, sizeof(task));
	memset(&regs, 0, sizeof(regs));
	task.frame = &regs;
	task.process = &process;
	task.vector_area = vector_area;
	task.vector_live = true;
	task.signal_stack.flags = SS_DISABLE;
	if (options & HAS_STACK) {
		task.signal_stack.sp = 0x20000000;
		task.signal_stack.size = 0x10000;
		task.signal_stack.flags = 0;
	}
	regs.rsp = PROGRAM_BASE;
}

static void leave_exception(void)
{
	static const uint16_t unmasked = X87_CONTROL_INITIAL & ~4; /* division by zero */
	static const float zero;

	__asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfdivs %1" : : "m"(unmasked), "m"(zero));
}

static void put_right(struct frame_input *f, uint8_t options)
{
	struct _fpx_sw_bytes *described = &((struct _xstate *)f->image)->fpstate.sw_reserved;
	uint32_t magic2 = FP_XSTATE_MAGIC2;

	if (options & POINT_TO_IMAGE)
		f->context.registers.fpstate = PROGRAM_BASE + offsetof(struct frame_input, image);
	if (options & SOUND_IP)
		f->context.registers.ip %= CANONICAL_END;
	if (options & ON_STACK)
		f->context.registers.sp = 0x20008000;
	if (options & DESCRIBE_IMAGE) {
		described->magic1 = FP_XSTATE_MAGIC1;
		described->xstate_size = VECTOR_SIZE;
		memcpy(f->image + VECTOR_SIZE, &magic2, sizeof(magic2));
	}
}

/* The alternate stack is left, or is what the frame says, if that is one. */
static void check_stack(const struct frame_input *f, uint8_t options)
{
	const uint64_t size = task.signal_stack.size;

	if (size == 0)
		return;
	FUZZ_CHECK(size >= MINSIGSTKSZ);
	if ((options & HAS_STACK) && (options & ON_STACK))
		FUZZ_CHECK(task.signal_stack.sp == 0x20000000 && size == 0x10000);
	else
		FUZZ_CHECK(size == f->context.stack.size || ((options & HAS_STACK) && size == 0x10000));
}

static void check_restored(const struct frame_input *f, uint8_t options)
{
	FUZZ_CHECK(regs.cs == 0 && regs.ss == 0); /* neither is the frame's: leave.c sets both */
	FUZZ_CHECK(regs.rip < CANONICAL_END);
	FUZZ_CHECK((regs.rflags & FLAGS_FIXED) == FLAGS_FIXED && (regs.rflags & FLAGS_PRIVILEGED) == 0);
	FUZZ_CHECK(regs.rsp == f->context.registers.sp && regs.rax == f->context.registers.ax);
	FUZZ_CHECK(regs.r15 == f->context.registers.r15 && regs.rcx == f->context.registers.cx);
	FUZZ_CHECK(task.signal_blocked == (f->context.mask & ~SIGNALS_UNMASKABLE));
	FUZZ_CHECK(task.vector_live);
	/* A call leaves by RET, which sets none of the flags that mean something to the processor. */
	FUZZ_CHECK(task.entry == ENTRY_FULL || (task.entry == ENTRY_CALL && !(regs.rflags & 0x50500ul)));
	check_stack(f, options);
}

static void check_vector(void)
{
	const struct _xstate *image = (const struct _xstate *)vector_area;
	const uint8_t *rest = (const uint8_t *)&image->xstate_hdr;

	FUZZ_CHECK((image->fpstate.mxcsr & ~MXCSR_VALID) == 0);
	FUZZ_CHECK((image->xstate_hdr.xfeatures & ~machine()->vector_features) == 0);
	for (size_t i = 8; i < HEADER_SIZE; i++)
		FUZZ_CHECK(rest[i] == 0);
}

static void go_straight(const struct frame_input *f, uint8_t options)
{
	int end;

	straight_input = f;
	end = setjmp(straight_end);
	if (end == 0)
		return_by_fault_frame(&task, (const struct signal_context *)PROGRAM_BASE);
	if (end == NOT_STRAIGHT)
		start(options);
	straight_input = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_input f;
	uint8_t options;
	int result;

	if (size < 1)
		return 0;
	options = data[0];
	memset(&f, 0, sizeof(f));
	program_size = size - 1 < sizeof(f) ? size - 1 : sizeof(f);
	memcpy(&f, data + 1, program_size);
	put_right(&f, options);
	program = fuzz_copy(&f, program_size);
	start(options);
	/* The host's own vector state goes on afterwards as if nothing had been loaded. */
	vector_save(host_state);
	if (options & EXCEPTION_PENDING)
		leave_exception();
	if (options & STRAIGHT)
		go_straight(&f, options);
	result = frame_restore(&task);
	vector_load(host_state);
	FUZZ_CHECK(result == 0 || result == -EFAULT);
	if (result != 0) {
		FUZZ_CHECK(regs.rip == 0 && regs.rsp == PROGRAM_BASE && regs.rflags == 0);
		FUZZ_CHECK(task.signal_stack.sp == (options & HAS_STACK ? 0x20000000 : 0));
	}
	if (result == 0) {
		check_restored(&f, options);
		if (f.context.registers.fpstate != 0)
			check_vector();
	}
	fuzz_free((void *)program);
	return 0;
}
