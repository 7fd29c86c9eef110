/* SPDX-License-Identifier: MIT */
/* Constants that the nasm sources share with C: becomes offsets.inc (mk/compile.mk). */
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd_64.h>
#include <exo/abi.h>
#include <linux/signal.h>
#include <stddef.h>
#include "abi/syscall.h"
#include "core/entry.h"
#include "core/task.h"
#include "core/vcore.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "proc/process.h"
#include "proc/signal_frame.h"
#include "proc/signal_private.h"

#define REGS(field) ((long)offsetof(struct exo_regs, field))

#define CONTEXT(field) ((long)offsetof(struct signal_context, registers.field))
#define WORDS(field) ((long)offsetof(struct signal_words, field))

void offsets(void);

void offsets(void)
{
	DEFINE(CPU_SELECTOR, EXO_CPU_SELECTOR);
	DEFINE(PAGE_SIZE, EXO_PAGE_SIZE);
	DEFINE(USER_TOP, EXO_USER_TOP);
	DEFINE(CPU_SELECTOR_SHIFT, EXO_CPU_SELECTOR_SHIFT);
	DEFINE(CPUS_MAX, EXO_CPUS_MAX);

	DEFINE(VCORE_SHIFT, VCORE_SHIFT);
	DEFINE(VCORE_PAGE, offsetof(struct vcore, page));
	DEFINE(VCORE_CURRENT, offsetof(struct vcore, current));
	DEFINE(VCORE_MASK_DEPTH, offsetof(struct vcore, mask_depth));
	DEFINE(VCORE_HOLDER, offsetof(struct vcore, holder));
	DEFINE(VCORE_BEFORE_UNMASKING, offsetof(struct vcore, need_resched));
	DEFINE(VCORE_LEAVE, offsetof(struct vcore, leave));
	DEFINE(LEAVE_RAX, offsetof(struct vcore, leave.rax) - offsetof(struct vcore, leave));
	DEFINE(LEAVE_REGS, offsetof(struct vcore, leave.regs) - offsetof(struct vcore, leave));
	DEFINE(LEAVE_RFLAGS, offsetof(struct vcore, leave.rflags) - offsetof(struct vcore, leave));
	DEFINE(LEAVE_RIP, offsetof(struct vcore, leave.rip) - offsetof(struct vcore, leave));
	DEFINE(LEAVE_RSP, offsetof(struct vcore, leave.rsp) - offsetof(struct vcore, leave));
	DEFINE(LEAVE_JUMP_SIZE, LEAVE_JUMP_SIZE);
	DEFINE(FLAGS_BY_POPFQ, FLAGS_BY_POPFQ);

	DEFINE(LOCK_WORD, offsetof(struct lock, word));
	DEFINE(LOCK_HOLDER, offsetof(struct lock, holder));

	DEFINE(VCORE_IN_AREA, offsetof(struct vcore_area, vcore));

	DEFINE(PAGE_MASKED, offsetof(struct exo_vcore_page, masked));
	DEFINE(PAGE_PENDING, offsetof(struct exo_vcore_page, pending));

	DEFINE(REGS_R15, REGS(r15));
	DEFINE(REGS_R14, REGS(r14));
	DEFINE(REGS_R13, REGS(r13));
	DEFINE(REGS_R12, REGS(r12));
	DEFINE(REGS_R11, REGS(r11));
	DEFINE(REGS_R10, REGS(r10));
	DEFINE(REGS_R9, REGS(r9));
	DEFINE(REGS_R8, REGS(r8));
	DEFINE(REGS_RBP, REGS(rbp));
	DEFINE(REGS_RDI, REGS(rdi));
	DEFINE(REGS_RSI, REGS(rsi));
	DEFINE(REGS_RDX, REGS(rdx));
	DEFINE(REGS_RCX, REGS(rcx));
	DEFINE(REGS_RBX, REGS(rbx));
	DEFINE(REGS_RAX, REGS(rax));
	DEFINE(REGS_VECTOR, REGS(vector));
	DEFINE(REGS_ERROR, REGS(error));
	DEFINE(REGS_RIP, REGS(rip));
	DEFINE(REGS_CS, REGS(cs));
	DEFINE(REGS_RFLAGS, REGS(rflags));
	DEFINE(REGS_RSP, REGS(rsp));
	DEFINE(REGS_SIZE, sizeof(struct exo_regs));

	DEFINE(USER_TOP, EXO_USER_TOP);
	DEFINE(TASK_SIGNAL_BLOCKED, offsetof(struct task, signal_blocked));
	DEFINE(TASK_SIGNAL_PENDING, offsetof(struct task, signal_pending));
	DEFINE(PROCESS_SIGNAL_PENDING, offsetof(struct process, signal_pending));
	DEFINE(SIGNALS_UNMASKABLE, SIGNALS_UNMASKABLE);
	DEFINE(CALL_RT_SIGPROCMASK, __NR_rt_sigprocmask);
	DEFINE(CALL_MASK_CHANGED, LIBOS_CALL_MASK_CHANGED);
	DEFINE(CALL_ACTION_CHANGED, LIBOS_CALL_ACTION_CHANGED);
	DEFINE(SIGNAL_COUNT, SIGNAL_COUNT);
	DEFINE(SIGNAL_IGNORED, HANDLER_LAST_SPECIAL);
	DEFINE(PROCESS_SIGNAL_ACTIONS, offsetof(struct process, signal_actions));
	DEFINE(ACTIONS_OWN, ACTIONS_OWN);
	DEFINE(ACTIONS_SET, offsetof(struct signal_actions, set));
	DEFINE(ACTIONS_FIRST, offsetof(struct signal_actions, action));
	DEFINE(ACTION_SHIFT, __builtin_ctzl(sizeof(struct signal_action)));
	DEFINE(ACTION_HANDLER, offsetof(struct signal_action, handler));
	DEFINE(ACTION_FLAGS, offsetof(struct signal_action, flags));
	DEFINE(ACTION_RESTORER, offsetof(struct signal_action, restorer));
	DEFINE(ACTION_MASK, offsetof(struct signal_action, mask));
	DEFINE(QUICK_SIZE, QUICK_SIZE);
	DEFINE(QUICK_CHECK, QUICK_CHECK);
	DEFINE(PROCESS_UID, offsetof(struct process, uid));
	DEFINE(PROCESS_EUID, offsetof(struct process, euid));
	DEFINE(PROCESS_GID, offsetof(struct process, gid));
	DEFINE(PROCESS_EGID, offsetof(struct process, egid));

	DEFINE(SIGNAL_RESTORER, offsetof(struct signal_frame, restorer));
	DEFINE(SIGNAL_CONTEXT, offsetof(struct signal_frame, context));
	DEFINE(SIGNAL_FLAGS_PLAIN, SIGNAL_FLAGS_PLAIN);
	DEFINE(SIGNAL_FLAGS_FAULT, SIGNAL_FLAGS_FAULT);
	DEFINE(CONTROL_WORDS_VALID, CONTROL_WORDS_VALID);
	DEFINE(RFLAGS_FIXED, FLAGS_FIXED);
	DEFINE(RFLAGS_WITH_A_MEANING, FLAGS_OF_PROGRAM & ~FLAGS_OF_RESULTS);
	DEFINE(CONTEXT_FLAGS, offsetof(struct signal_context, flags));
	DEFINE(CONTEXT_LINK, offsetof(struct signal_context, link));
	DEFINE(CONTEXT_STACK_SP, offsetof(struct signal_context, stack.sp));
	DEFINE(CONTEXT_STACK_FLAGS, offsetof(struct signal_context, stack.flags));
	DEFINE(CONTEXT_STACK_SIZE, offsetof(struct signal_context, stack.size));
	DEFINE(CONTEXT_REGISTERS, CONTEXT(r8));
	DEFINE(CONTEXT_R8, CONTEXT(r8));
	DEFINE(CONTEXT_R9, CONTEXT(r9));
	DEFINE(CONTEXT_R10, CONTEXT(r10));
	DEFINE(CONTEXT_R11, CONTEXT(r11));
	DEFINE(CONTEXT_R12, CONTEXT(r12));
	DEFINE(CONTEXT_R13, CONTEXT(r13));
	DEFINE(CONTEXT_R14, CONTEXT(r14));
	DEFINE(CONTEXT_R15, CONTEXT(r15));
	DEFINE(CONTEXT_RDI, CONTEXT(di));
	DEFINE(CONTEXT_RSI, CONTEXT(si));
	DEFINE(CONTEXT_RBP, CONTEXT(bp));
	DEFINE(CONTEXT_RBX, CONTEXT(bx));
	DEFINE(CONTEXT_RDX, CONTEXT(dx));
	DEFINE(CONTEXT_RAX, CONTEXT(ax));
	DEFINE(CONTEXT_RCX, CONTEXT(cx));
	DEFINE(CONTEXT_RSP, CONTEXT(sp));
	DEFINE(CONTEXT_RIP, CONTEXT(ip));
	DEFINE(CONTEXT_RFLAGS, CONTEXT(flags));
	DEFINE(CONTEXT_SELECTORS, CONTEXT(cs));
	DEFINE(CONTEXT_ERROR, CONTEXT(err));
	DEFINE(CONTEXT_TRAP, CONTEXT(trapno));
	DEFINE(CONTEXT_OLD_MASK, CONTEXT(oldmask));
	DEFINE(CONTEXT_CR2, CONTEXT(cr2));
	DEFINE(CONTEXT_VECTOR, CONTEXT(fpstate));
	DEFINE(CONTEXT_RESERVED, CONTEXT(reserved1));
	DEFINE(CONTEXT_MASK, offsetof(struct signal_context, mask));

	DEFINE(VECTOR_HEADER, offsetof(struct _xstate, xstate_hdr));
	DEFINE(VECTOR_HEADER_SIZE, sizeof(struct _header));
	DEFINE(FEATURE_SSE, VECTOR_FEATURE_SSE);
	DEFINE(FEATURE_AVX, VECTOR_FEATURE_AVX);
	DEFINE(MXCSR_VALID, MXCSR_VALID);
	DEFINE(VECTOR_MXCSR, offsetof(struct _xstate, fpstate.mxcsr));
	DEFINE(VECTOR_SSE, offsetof(struct _xstate, fpstate.xmm_space));
	DEFINE(VECTOR_AVX, offsetof(struct _xstate, ymmh));
	DEFINE(VECTOR_DESCRIBED, offsetof(struct _xstate, fpstate.sw_reserved));
	DEFINE(VECTOR_MAGIC_1, FP_XSTATE_MAGIC1);
	DEFINE(VECTOR_MAGIC_2, FP_XSTATE_MAGIC2);
	DEFINE(VECTOR_MAGIC_2_SIZE, FP_XSTATE_MAGIC2_SIZE);

	DEFINE(WORDS_STACK_SP, WORDS(stack_sp));
	DEFINE(WORDS_STACK_SIZE, WORDS(stack_size));
	DEFINE(WORDS_STACK_FLAGS, WORDS(stack_flags));
	DEFINE(WORDS_MASK, WORDS(mask));
	DEFINE(WORDS_VECTOR, WORDS(vector));
	DEFINE(WORDS_CONTROL, WORDS(control_words));
	DEFINE(WORDS_CALLER, WORDS(caller));
	DEFINE(WORDS_RESTORER, WORDS(restorer));
	DEFINE(WORDS_FLAGS, WORDS(flags));
	DEFINE(WORDS_FAULT_ADDRESS, WORDS(fault_address));
	DEFINE(WORDS_RIP, WORDS(rip));
	DEFINE(WORDS_RSP, WORDS(rsp));
	DEFINE(WORDS_RFLAGS, WORDS(rflags));

	DEFINE(TASK_PROCESS, offsetof(struct task, process));
	DEFINE(TASK_PID, offsetof(struct task, pid));
	DEFINE(TASK_WORK_AND_ENTRY, offsetof(struct task, work));
	DEFINE(TASK_OWN_FILES, offsetof(struct task, own.files));
	DEFINE(TASK_OWN_CAPACITY, offsetof(struct task, own.capacity));
	DEFINE(TASK_ENTRY, offsetof(struct task, entry));
	DEFINE(TASK_VECTOR_LIVE, offsetof(struct task, vector_live));
	DEFINE(TASK_STACK_POINTER, offsetof(struct task, stack_pointer));
	DEFINE(ENTRY_FULL, ENTRY_FULL);

	DEFINE(FILE_READ_AT_ONCE, offsetof(struct file, read_at_once));
	DEFINE(FILE_WRITE_AT_ONCE, offsetof(struct file, write_at_once));
	DEFINE(IO_BYTES_MAX, IO_BYTES_MAX);
	DEFINE(DOOR_SIZE, DOOR_SIZE);
	DEFINE(DOOR_OUTSIDE, DOOR_OUTSIDE);

	DEFINE(VECTOR_SYSCALL, VECTOR_SYSCALL);
	DEFINE(SYSCALL_COUNT, SYSCALL_COUNT);
	DEFINE(USER_CODE, USER_CODE_SELECTOR);
	DEFINE(USER_DATA, USER_DATA_SELECTOR);
	DEFINE(USER_FLAGS, USER_FLAGS_INITIAL);
}
