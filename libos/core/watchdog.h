/* SPDX-License-Identifier: MIT */
/* In debug builds: says where every task is when nothing runs any more. */
#ifndef LIBOS_WATCHDOG_H
#define LIBOS_WATCHDOG_H

/* Task context, once: from now on this CPU looks. */
void watchdog_start(void);

#endif
