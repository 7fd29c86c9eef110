/* SPDX-License-Identifier: MIT */
/* Start-up of the file systems. */
#ifndef LIBOS_FS_H
#define LIBOS_FS_H

/*
 * Makes the root tree, unpacks every archive module into it, and adds /dev and /proc.  Once, in
 * task context, after the heap works and before the first program.  A damaged archive is
 * reported and unpacked as far as it is sound; only lack of memory is an error (-ENOMEM).
 */
int fs_init(void);

#endif
