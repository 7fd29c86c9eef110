/* SPDX-License-Identifier: MIT */
/* The system calls of proc/, signals excepted: arguments and results as in Linux's manual pages,
 * section 2.  Addresses of the program are uint64_t. */
#ifndef LIBOS_PROC_CALLS_H
#define LIBOS_PROC_CALLS_H

#include <stdint.h>

/* fork.c */
long sys_fork(void);
long sys_vfork(void);
long sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls);
long sys_clone3(uint64_t args, uint64_t size);

/* exec.c */
long sys_execve(uint64_t path, uint64_t argv, uint64_t envp);
long sys_execveat(int fd, uint64_t path, uint64_t argv, uint64_t envp, int flags);

/* exit.c */
long sys_exit(int status);
long sys_exit_group(int status);

/* wait.c */
long sys_wait4(int pid, uint64_t status, int options, uint64_t rusage);
long sys_waitid(int type, int id, uint64_t info, int options, uint64_t rusage);

/* group.c */
long sys_getpid(void);
long sys_getppid(void);
long sys_setpgid(int pid, int group);
long sys_getpgid(int pid);
long sys_getpgrp(void);
long sys_setsid(void);
long sys_getsid(int pid);

/* ids.c */
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_setuid(uint32_t id);
long sys_setgid(uint32_t id);
long sys_setreuid(uint32_t real, uint32_t effective);
long sys_setregid(uint32_t real, uint32_t effective);
long sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
long sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
long sys_getresuid(uint64_t real, uint64_t effective, uint64_t saved);
long sys_getresgid(uint64_t real, uint64_t effective, uint64_t saved);
long sys_setfsuid(uint32_t id);
long sys_setfsgid(uint32_t id);
long sys_getgroups(int size, uint64_t list);
long sys_setgroups(int size, uint64_t list);
long sys_capget(uint64_t header, uint64_t data);
long sys_capset(uint64_t header, uint64_t data);

/* pidfd.c */
long sys_pidfd_open(int pid, unsigned flags);
long sys_pidfd_send_signal(int fd, int number, uint64_t info_user, unsigned flags);

/* limits.c */
long sys_getrlimit(unsigned which, uint64_t out);
long sys_setrlimit(unsigned which, uint64_t in);
long sys_prlimit64(int id, unsigned which, uint64_t in, uint64_t out);

/* usage.c */
long sys_getrusage(int who, uint64_t out);
long sys_times(uint64_t out);

/* futex.c */
long sys_futex(uint64_t address, int op, uint32_t value, uint64_t timeout, uint64_t address2,
	       uint32_t value3);

/* threads.c */
long sys_gettid(void);
long sys_set_tid_address(uint64_t address);
long sys_set_robust_list(uint64_t head, uint64_t size);
long sys_get_robust_list(int tid, uint64_t head, uint64_t size);
long sys_arch_prctl(int code, uint64_t address);

/* prctl.c */
long sys_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* sched_calls.c */
long sys_sched_yield(void);
long sys_sched_getaffinity(int tid, uint64_t size, uint64_t mask);
long sys_sched_setaffinity(int tid, uint64_t size, uint64_t mask);
long sys_getcpu(uint64_t cpu, uint64_t node, uint64_t unused);
long sys_getpriority(int which, int who);
long sys_setpriority(int which, int who, int nice);
long sys_sched_find(int tid, uint64_t ref);
long sys_sched_donate(uint64_t id, uint64_t generation, uint64_t flags);

/* sched_policy.c */
long sys_sched_getscheduler(int tid);
long sys_sched_setscheduler(int tid, int policy, uint64_t param);
long sys_sched_getparam(int tid, uint64_t param);
long sys_sched_setparam(int tid, uint64_t param);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int tid, uint64_t out);
long sys_sched_setattr(int tid, uint64_t attr, unsigned flags);
long sys_sched_getattr(int tid, uint64_t attr, unsigned size, unsigned flags);

#endif
