/* SPDX-License-Identifier: MIT */
/* The domain's handle table, which the kernel keeps in frames that it is given. */
#ifndef LIBOS_HANDLES_H
#define LIBOS_HANDLES_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic uint32_t handle_pages; /* added to those that it began with; any CPU */

/* One more page for it.  0 or -ENOMEM.  Any context. */
int handles_feed(void);
/* Sees that there is room for `count` more now, for calls that fail when there is none.  0 or
 * -ENOMEM.  Any context. */
int handles_make_room(unsigned count);
/* How many are in use, but for a constant; exact while nobody makes or drops any.  -ENOMEM.  Task context. */
int64_t handles_used(void);

#endif
