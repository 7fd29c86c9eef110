/* SPDX-License-Identifier: MIT */
/* The numbers of scheduler libraries that may be changed from outside. */
#ifndef LIBOS_SCHED_TUNABLES_H
#define LIBOS_SCHED_TUNABLES_H

struct text;

/* Task context, no lock held. */
void sched_tunables_print(struct text *out);
/* "LIBRARY NAME VALUE", and no fourth word: 0, -EINVAL if it is not that, or as sched_set_tunable(). */
int sched_tunable_write(const char *line);

#endif
