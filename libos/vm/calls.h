/* SPDX-License-Identifier: MIT */
/* The system calls of vm/: arguments and results as in Linux's manual pages, section 2. */
#ifndef LIBOS_VM_CALLS_H
#define LIBOS_VM_CALLS_H

#include <stdint.h>

long sys_mmap(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset);
long sys_munmap(uint64_t addr, uint64_t len);
long sys_mprotect(uint64_t addr, uint64_t len, int prot);
long sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr);
long sys_madvise(uint64_t addr, uint64_t len, int advice);
long sys_brk(uint64_t addr);
long sys_msync(uint64_t addr, uint64_t len, int flags);
long sys_mincore(uint64_t addr, uint64_t len, uint64_t out);
long sys_mlock(uint64_t addr, uint64_t len);
long sys_mlock2(uint64_t addr, uint64_t len, int flags);
long sys_munlock(uint64_t addr, uint64_t len);
long sys_mlockall(int flags);
long sys_munlockall(void);

/* segment.c */
long sys_shmget(int32_t key, uint64_t size, int flags);
long sys_shmat(int id, uint64_t address, int flags);
long sys_shmdt(uint64_t address);
long sys_shmctl(int id, int command, uint64_t user);

#endif
