/* SPDX-License-Identifier: MIT */
/*
 * The program's part of the processor that libos code does not use, and so has not saved: what a switch keeps
 * for a task while it does not run.  By the CPU that stops or enters it, masked.
 */
#ifndef LIBOS_TASK_REGISTERS_H
#define LIBOS_TASK_REGISTERS_H

#include "core/cpu.h"
#include "core/task.h"

/* Bases are read back because a program may set them without asking (FSGSBASE). */
static inline void task_registers_save(struct task *t)
{
	t->fs_base = read_fs_base();
	t->gs_base = read_gs_base();
	/* A system call is a function call: it keeps the control words and nothing else. */
	if (t->vector_live)
		vector_save(t->vector_area);
	else
		control_save(&t->mxcsr, &t->x87_control);
}

static inline void task_registers_load(const struct task *t)
{
	write_fs_base(t->fs_base);
	write_gs_base(t->gs_base);
	if (t->vector_live)
		vector_load(t->vector_area);
	else
		control_load(&t->mxcsr, &t->x87_control);
}

#endif
