/* SPDX-License-Identifier: MIT */
/*
 * Constants that C knows and nasm needs.  Included ahead of each part's
 * offsets.c, which is compiled to assembly only; mk/compile.mk picks the marked
 * lines out of it and writes %define lines into offsets.inc.
 *
 *     void offsets(void);
 *     void offsets(void)
 *     {
 *             DEFINE(TASK_SIZE, sizeof(struct task));
 *             OFFSET(TASK_STACK, struct task, stack);
 *     }
 */
#ifndef MK_OFFSETS_H
#define MK_OFFSETS_H

#include <stddef.h>

#define DEFINE(name, value) asm volatile("\n.ascii \"->" #name " %0 \"" : : "i"(value))
#define OFFSET(name, type, member) DEFINE(name, offsetof(type, member))

#endif
