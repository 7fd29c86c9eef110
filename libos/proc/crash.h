/* SPDX-License-Identifier: MIT */
/* What the log says of a program that is ended by a fault of its own, since there are no core files. */
#ifndef LIBOS_CRASH_H
#define LIBOS_CRASH_H

struct signal_info;
struct task;

/*
 * t, which is the current task, was about to go on at t->frame: it made the fault that `info` tells of, or
 * with `info` NULL there is no room on its stack for the frame of a signal.  Task context, unmasked, no lock.
 */
void crash_report(const struct task *t, int number, const struct signal_info *info);

#endif
