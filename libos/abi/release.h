/* SPDX-License-Identifier: MIT */
/* What uname(2) and /proc say that the system is. */
#ifndef LIBOS_RELEASE_H
#define LIBOS_RELEASE_H

#define SYSTEM_NAME "Linux"        /* whose system-call interface this is */
#define SYSTEM_RELEASE "6.1.0-exo" /* programs compare it with Linux versions */
#define SYSTEM_MACHINE "x86_64"

struct new_utsname;
/* The names as they are now (sethostname may have changed them). */
void system_names(struct new_utsname *copy);

#endif
