/* SPDX-License-Identifier: MIT */
#ifndef SIMULATOR_CONFORM_H
#define SIMULATOR_CONFORM_H

struct sched_ops;

/* Runs every case, prints `ok NAME` or `not ok NAME: why`; 0 if all passed. */
int conform(const struct sched_ops *ops);

#endif
