/* SPDX-License-Identifier: MIT */
/* Unpacking the archives that the machine was started with (fs/archive.c). */
#ifndef LIBOS_ARCHIVE_H
#define LIBOS_ARCHIVE_H

/* Every module whose name begins with "archive", in order; -ENOMEM, or 0 also for damage, which
 * is reported. */
int archives_unpack(void);

#endif
