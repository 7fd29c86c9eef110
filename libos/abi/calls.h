/* SPDX-License-Identifier: MIT */
/*
 * System calls about signals, time and the system as a whole; each other area has a calls.h of its
 * own.  Arguments are as Linux's manual pages give them, with addresses in the program as uint64_t.
 */
#ifndef LIBOS_CALLS_H
#define LIBOS_CALLS_H

#include <stdint.h>

/* proc/signal_*.c */
long sys_rt_sigaction(int number, uint64_t new_user, uint64_t old_user, uint64_t set_size);
long sys_rt_sigprocmask(int how, uint64_t set_user, uint64_t old_user, uint64_t set_size);
long sys_rt_sigpending(uint64_t set_user, uint64_t set_size);
long sys_rt_sigsuspend(uint64_t set_user, uint64_t set_size);
long sys_rt_sigtimedwait(uint64_t set_user, uint64_t info_user, uint64_t timeout_user,
			 uint64_t set_size);
long sys_rt_sigqueueinfo(int pid, int number, uint64_t info_user);
long sys_rt_tgsigqueueinfo(int group, int tid, int number, uint64_t info_user);
long sys_rt_sigreturn(void);
long sys_sigaltstack(uint64_t new_user, uint64_t old_user);
long sys_kill(int pid, int number);
long sys_tkill(int tid, int number);
long sys_tgkill(int group, int tid, int number);
long sys_raise(int number);                                /* LIBOS_CALL_RAISE */
long sys_mask_changed(uint64_t old, uint64_t old_user); /* LIBOS_CALL_MASK_CHANGED */
long sys_action_changed(void);                          /* LIBOS_CALL_ACTION_CHANGED */
long sys_pause(void);
long sys_signalfd(int fd, uint64_t set_user, uint64_t set_size);
long sys_signalfd4(int fd, uint64_t set_user, uint64_t set_size, int flags);

/* time/ */
long sys_clock_gettime(int clock, uint64_t user);
long sys_clock_getres(int clock, uint64_t user);
long sys_clock_settime(int clock, uint64_t user);
long sys_gettimeofday(uint64_t time_user, uint64_t zone_user);
long sys_settimeofday(uint64_t time_user, uint64_t zone_user);
long sys_time(uint64_t user);
long sys_nanosleep(uint64_t request_user, uint64_t remainder_user);
long sys_clock_nanosleep(int clock, int flags, uint64_t request_user, uint64_t remainder_user);
long sys_restart_syscall(void);
long sys_setitimer(int which, uint64_t new_user, uint64_t old_user);
long sys_getitimer(int which, uint64_t user);
long sys_alarm(unsigned seconds);
long sys_timer_create(int clock, uint64_t event_user, uint64_t id_user);
long sys_timer_settime(int id, int flags, uint64_t new_user, uint64_t old_user);
long sys_timer_gettime(int id, uint64_t user);
long sys_timer_getoverrun(int id);
long sys_timer_delete(int id);
long sys_timerfd_create(int clock, int flags);
long sys_timerfd_settime(int fd, int flags, uint64_t new_user, uint64_t old_user);
long sys_timerfd_gettime(int fd, uint64_t user);

/* abi/system.c */
long sys_uname(uint64_t user);
long sys_sethostname(uint64_t name_user, uint64_t size);
long sys_setdomainname(uint64_t name_user, uint64_t size);
long sys_sysinfo(uint64_t user);
long sys_syslog(int action, uint64_t buffer, int size);
long sys_personality(uint64_t persona);
long sys_reboot(uint32_t magic, uint32_t magic2, uint32_t command, uint64_t argument);

/* abi/random.c */
long sys_getrandom(uint64_t buffer, uint64_t size, unsigned flags);

#endif
