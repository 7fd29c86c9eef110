/* SPDX-License-Identifier: MIT */
/* /dev/domain and /proc/exo/domains. */
#ifndef LIBOS_DOMAIN_DEVICE_H
#define LIBOS_DOMAIN_DEVICE_H

/* Once, task context, after fs_init(). */
void domain_device_init(void);

#endif
