/* SPDX-License-Identifier: MIT */
/* bench.c - portable POSIX micro-benchmarks; one self-contained file.
 *   musl-gcc -static -O2 -o bench bench.c
 *   bench [-r reps] [-s scale%] [-n] [-l] [name...]     name may end in '*' (prefix match)
 * Output, one line per benchmark (first three columns are the result):
 *   name value unit [cyc <tsc cycles per op>] min <v> max <v> n <ops/rep> r <reps>
 * or "name n/a".  value = median over reps by CLOCK_MONOTONIC, cyc = median by rdtsc.
 * Iteration counts are fixed (not time-calibrated) so that runs under -icount repeat.
 * -n: do not execute rdtsc.  -s 10: 10% of the iterations.  -l: list names.
 * Definitions (an "op"):
 *  null_syscall    raw syscall(SYS_getppid)         pipe_self   write 1B + read 1B, one process
 *  pipe_pp*        1-byte round trip, 2 processes   _same: both pinned cpu0, _diff: cpu0/cpu1
 *  pipe_bw         64 MiB in 64 KiB writes -> a reader process (64 KiB reads), MiB/s
 *  ctx_ring8*      one hop of a token in a ring of 8 processes over pipes (read+write+switch)
 *  ctx_ring8_net   ctx_ring8_same - pipe_self (lmbench lat_ctx style)
 *  fork_exit       fork + _exit + wait4             vfork/spawn/fork_exec: + exec of /bin/true
 *  fork_16m*       same with 16 MiB dirty heap; _4k: MADV_NOHUGEPAGE; _cow: child writes every page
 *  mmap_touch*     mmap 4 MiB + touch all + munmap, PER 4K PAGE;  page_fault: only the touching
 *  mprotect_pair   RW->R, R->RW, one store          sigsegv_mprot: mprotect(NONE), fault, handler
 *  mprotects RW and returns (2 mprotect + 1 signal); sigsegv_jmp: fault, siglongjmp out of handler
 *  futex_pp / cond_pp  round trip between two threads (raw futex / mutex+condvar)
 *  hackbench       4 groups x (10 senders, 10 receivers), processes+pipes, every sender sends
 *                  100 messages of 100 bytes to each receiver of its group (40000 messages); s
 *  cpu_par_K       fixed integer work split over K forked processes; cpu_speedup_K = T1/TK
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

extern char **environ;
static int use_tsc = 1, reps = 7, ncpu = 1;
static long scale = 100;
static const char *true_path;
static char *true_argv[3];
static const char *tmpfile_name = "/tmp/bench.tmp";

/* ---------------------------------------------------------------- timing */
struct T {
	double ns, cyc;
	uint64_t c0;
	struct timespec a;
};

static inline uint64_t rdtsc(void)
{
#if defined(__x86_64__) || defined(__i386__)
	if (use_tsc) {
		uint32_t lo, hi;
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
		return ((uint64_t)hi << 32) | lo;
	}
#endif
	return 0;
}
static void t_on(struct T *t) /* may be used repeatedly: accumulates */
{
	clock_gettime(CLOCK_MONOTONIC, &t->a);
	t->c0 = rdtsc();
}
static void t_off(struct T *t)
{
	struct timespec b;
	uint64_t c1 = rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &b);
	t->cyc += (double)(c1 - t->c0);
	t->ns += (b.tv_sec - t->a.tv_sec) * 1e9 + (b.tv_nsec - t->a.tv_nsec);
}

/* ---------------------------------------------------------------- affinity */
#if defined(__linux__) && defined(CPU_SET)
static cpu_set_t cpus_all;
static int cpus_ok;
static void cpus_init(void)
{
	cpus_ok = sched_getaffinity(0, sizeof cpus_all, &cpus_all) == 0;
	if (cpus_ok)
		ncpu = CPU_COUNT(&cpus_all);
	else {
		long k = sysconf(_SC_NPROCESSORS_ONLN);
		ncpu = k > 0 ? k : 1;
	}
}
static int pin(int cpu)
{
	cpu_set_t s;
	if (!cpus_ok)
		return -1;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	return sched_setaffinity(0, sizeof s, &s);
}
static void unpin(void)
{
	if (cpus_ok)
		sched_setaffinity(0, sizeof cpus_all, &cpus_all);
}
#else
static void cpus_init(void)
{
	long k = sysconf(_SC_NPROCESSORS_ONLN);
	ncpu = k > 0 ? k : 1;
}
static int pin(int cpu)
{
	(void)cpu;
	return -1;
}
static void unpin(void)
{
}
#endif
/* mode 0: free, 1: both on cpu 0, 2: cpu 0 and cpu 1 */
static int pin_first(int mode)
{
	if (!mode)
		return 0;
	if (mode == 2 && ncpu < 2)
		return -1;
	return pin(0);
}
static int pin_second(int mode)
{
	return mode == 2 ? pin(1) : mode == 1 ? pin(0) : 0;
}

/* ---------------------------------------------------------------- simple syscalls */
/* LOOP: a benchmark that just repeats "body"; "pre" sets up and may return -1 (n/a) */
#define LOOP(name, pre, body, post)                                                                \
	static int name(long n, int a, struct T *t)                                                \
	{                                                                                          \
		pre;                                                                               \
		t_on(t);                                                                           \
		for (long i = 0; i < n; i++) {                                                     \
			body;                                                                      \
		}                                                                                  \
		t_off(t);                                                                          \
		post;                                                                              \
		return 0 * a;                                                                      \
	}
static int mktmp(void)
{
	int fd = open(tmpfile_name, O_RDWR | O_CREAT, 0644);
	if (fd < 0) {
		tmpfile_name = "bench.tmp";
		fd = open(tmpfile_name, O_RDWR | O_CREAT, 0644);
	}
	return fd < 0 ? -1 : close(fd);
}
#ifdef SYS_getppid
LOOP(b_null, if (syscall(SYS_getppid) < 0) return -1, syscall(SYS_getppid), )
#else
static int b_null(long n, int a, struct T *t)
{
	return -1 + 0 * (n + a + (t != 0));
}
#endif
LOOP(b_getpid, volatile int x = 0, x += getpid(), )
LOOP(b_clock, struct timespec ts;
     if (clock_gettime(CLOCK_MONOTONIC, &ts)) return -1, clock_gettime(CLOCK_MONOTONIC, &ts), )
LOOP(b_rdtsc, if (!rdtsc()) return -1, rdtsc(), )
LOOP(b_open, int fd;
     if (mktmp()) return -1, if ((fd = open(tmpfile_name, O_RDONLY)) < 0 || close(fd)) return -1, )
LOOP(b_stat, struct stat st; if (mktmp()) return -1, if (stat(tmpfile_name, &st)) return -1, )
LOOP(b_yield, if (sched_yield()) return -1, sched_yield(), )
static int b_rw1(long n, int wr, struct T *t)
{
	char c = 0;
	int bad = 0, fd = open(wr ? "/dev/null" : "/dev/zero", wr ? O_WRONLY : O_RDONLY);
	if (fd < 0)
		return -1;
	t_on(t);
	for (long i = 0; i < n && !bad; i++)
		bad = (wr ? write(fd, &c, 1) : read(fd, &c, 1)) != 1;
	t_off(t);
	close(fd);
	return -bad;
}

/* ---------------------------------------------------------------- pipes */
static int b_pipe_self(long n, int a, struct T *t)
{
	int p[2], bad = 0;
	char c = 'x';
	if (pipe(p))
		return -1;
	t_on(t);
	for (long i = 0; i < n && !bad; i++)
		bad = write(p[1], &c, 1) != 1 || read(p[0], &c, 1) != 1;
	t_off(t);
	close(p[0]);
	close(p[1]);
	return -bad + 0 * a;
}
static int b_pipe_pp(long n, int mode, struct T *t)
{
	int a[2], b[2], bad = 0, st = 0;
	char c = 'x';
	if (pin_first(mode)) {
		unpin();
		return -1;
	}
	if (pipe(a)) {
		unpin();
		return -1;
	}
	if (pipe(b)) {
		close(a[0]);
		close(a[1]);
		unpin();
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(a[1]);
		close(b[0]);
		if (pin_second(mode))
			_exit(1);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	if (pid < 0)
		bad = 1;
	for (int i = 0; i < 16 && !bad; i++)
		if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
			bad = 1;
	t_on(t);
	for (long i = 0; i < n && !bad; i++)
		if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
			bad = 1;
	t_off(t);
	close(a[1]);
	close(b[0]);
	if (pid > 0)
		waitpid(pid, &st, 0);
	unpin();
	return -bad;
}
static int b_pipe_bw(long n, int mode, struct T *t) /* n MiB */
{
	static char buf[65536];
	int a[2], b[2], bad = 0;
	char c = 'x';
	if (pin_first(mode)) {
		unpin();
		return -1;
	}
	if (pipe(a))
		return -1;
	if (pipe(b)) {
		close(a[0]);
		close(a[1]);
		return -1;
	}
	memset(buf, 1, sizeof buf);
	long total = n * 1048576L;
	pid_t pid = fork();
	if (pid == 0) {
		long got = 0;
		ssize_t k;
		close(a[1]);
		close(b[0]);
		if (pin_second(mode))
			_exit(1);
		if (write(b[1], &c, 1) != 1)
			_exit(1);
		while (got < total && (k = read(a[0], buf, sizeof buf)) > 0)
			got += k;
		if (got == total && write(b[1], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	if (pid < 0 || read(b[0], &c, 1) != 1)
		bad = 1;
	t_on(t);
	for (long left = total; left > 0 && !bad;) {
		ssize_t k = write(a[1], buf, left < (long)sizeof buf ? left : (long)sizeof buf);
		if (k <= 0)
			bad = 1;
		left -= k;
	}
	if (!bad && read(b[0], &c, 1) != 1)
		bad = 1;
	t_off(t);
	close(a[1]);
	close(b[0]);
	if (pid > 0)
		waitpid(pid, 0, 0);
	unpin();
	return -bad;
}
#define RING 8
static int b_ring(long n, int mode, struct T *t) /* n hops, rounded to whole laps */
{
	int first[2], in, bad = 0, k = 0;
	char c = 'x';
	pid_t pid[RING];
	long laps = n / RING;
	if (pin_first(mode)) {
		unpin();
		return -1;
	}
	if (pipe(first)) {
		unpin();
		return -1;
	}
	in = first[0];
	for (int i = 1; i < RING && !bad; i++) {
		int p[2];
		if (pipe(p)) {
			bad = 1;
			break;
		}
		if ((pid[k] = fork()) < 0) {
			close(p[0]);
			close(p[1]);
			bad = 1;
			break;
		}
		if (pid[k] == 0) {
			close(first[1]);
			close(p[0]);
			while (read(in, &c, 1) == 1)
				if (write(p[1], &c, 1) != 1)
					break;
			_exit(0);
		}
		k++;
		close(in);
		close(p[1]);
		in = p[0];
	}
	for (int i = 0; i < 4 && !bad; i++)
		if (write(first[1], &c, 1) != 1 || read(in, &c, 1) != 1)
			bad = 1;
	t_on(t);
	for (long i = 0; i < laps && !bad; i++)
		if (write(first[1], &c, 1) != 1 || read(in, &c, 1) != 1)
			bad = 1;
	t_off(t);
	close(first[1]);
	close(in);
	for (int i = 0; i < k; i++)
		waitpid(pid[i], 0, 0);
	unpin();
	return -bad;
}

/* ---------------------------------------------------------------- processes */
static int reap(pid_t pid)
{
	int st = -1;
	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 0 ? 0 : -1;
}
static int b_fork(long n, int a, struct T *t)
{
	(void)a;
	t_on(t);
	for (long i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return -1;
		if (pid == 0)
			_exit(0);
		if (reap(pid))
			return -1;
	}
	t_off(t);
	return 0;
}
static void nohuge(void *p, size_t len)
{
#ifdef MADV_NOHUGEPAGE
	madvise(p, len, MADV_NOHUGEPAGE);
#endif
	(void)p;
	(void)len;
}
static void *anon(size_t len)
{
	void *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}
#define PG 4096
static int b_fork16(long n, int mode, struct T *t) /* 0 plain, 1: 4K pages, 2: 4K + child writes */
{
	size_t len = 16u << 20;
	int bad = 0;
	char *p = anon(len);
	if (!p)
		return -1;
	if (mode)
		nohuge(p, len);
	memset(p, 1, len);
	t_on(t);
	for (long i = 0; i < n && !bad; i++) {
		pid_t pid = fork();
		if (pid < 0)
			bad = 1;
		else if (pid == 0) {
			if (mode == 2)
				for (size_t o = 0; o < len; o += PG)
					p[o] = 2;
			_exit(0);
		} else if (reap(pid))
			bad = 1;
	}
	t_off(t);
	munmap(p, len);
	return -bad;
}
static int b_exec(long n, int how, struct T *t) /* 0 vfork, 1 posix_spawn, 2 fork */
{
	t_on(t);
	for (long i = 0; i < n; i++) {
		pid_t pid = -1;
		if (how == 1) {
			if (posix_spawn(&pid, true_path, NULL, NULL, true_argv, environ))
				return -1;
		} else {
			pid = how == 0 ? vfork() : fork();
			if (pid == 0) {
				execve(true_path, true_argv, environ);
				_exit(127);
			}
		}
		if (pid < 0 || reap(pid))
			return -1;
	}
	t_off(t);
	return 0;
}

/* ---------------------------------------------------------------- memory */
static int b_mmap(long n, int small, struct T *t) /* n pages, 1024 per mapping */
{
	size_t len = 4u << 20;
	t_on(t);
	for (long i = 0; i < n / 1024; i++) {
		char *p = anon(len);
		if (!p)
			return -1;
		if (small)
			nohuge(p, len);
		for (size_t o = 0; o < len; o += PG)
			((volatile char *)p)[o] = 1;
		if (munmap(p, len))
			return -1;
	}
	t_off(t);
	return 0;
}
static int b_fault(long n, int a, struct T *t)
{
	size_t len = 4u << 20;
	(void)a;
	for (long i = 0; i < n / 1024; i++) {
		char *p = anon(len);
		if (!p)
			return -1;
		nohuge(p, len);
		t_on(t);
		for (size_t o = 0; o < len; o += PG)
			((volatile char *)p)[o] = 1;
		t_off(t);
		munmap(p, len);
	}
	return 0;
}
static int b_mprotect(long n, int a, struct T *t)
{
	volatile char *p = anon(PG);
	int bad = 0;
	(void)a;
	if (!p)
		return -1;
	*p = 1;
	t_on(t);
	for (long i = 0; i < n && !bad; i++) {
		if (mprotect((void *)p, PG, PROT_READ))
			bad = 1;
		if (mprotect((void *)p, PG, PROT_READ | PROT_WRITE))
			bad = 1;
		if (!bad)
			*p = 2;
	}
	t_off(t);
	munmap((void *)p, PG);
	return -bad;
}

/* ---------------------------------------------------------------- signals */
static volatile sig_atomic_t sig_count;
static volatile char *fault_page;
static sigjmp_buf fault_jb;
static void on_usr1(int s)
{
	(void)s;
	sig_count++;
}
static void on_segv_fix(int s)
{
	(void)s;
	sig_count++;
	if (mprotect((void *)fault_page, PG, PROT_READ | PROT_WRITE))
		_exit(9);
}
static void on_segv_jmp(int s)
{
	(void)s;
	sig_count++;
	siglongjmp(fault_jb, 1);
}
LOOP(b_siginstall, struct sigaction sa; memset(&sa, 0, sizeof sa); sa.sa_handler = on_usr1;
     if (sigaction(SIGUSR1, &sa, NULL)) return -1, sigaction(SIGUSR1, &sa, NULL), )
static int b_sigself(long n, int use_raise, struct T *t)
{
	struct sigaction sa;
	pid_t me = getpid();
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_usr1;
	if (sigaction(SIGUSR1, &sa, NULL))
		return -1;
	sig_count = 0;
	t_on(t);
	for (long i = 0; i < n; i++)
		if (use_raise ? raise(SIGUSR1) : kill(me, SIGUSR1))
			return -1;
	t_off(t);
	return sig_count == n ? 0 : -1;
}
static int b_segv(long n, int jmp, struct T *t)
{
	struct sigaction sa, old;
	volatile long i;
	fault_page = anon(PG);
	if (!fault_page)
		return -1;
	*fault_page = 1;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = jmp ? on_segv_jmp : on_segv_fix;
	if (sigaction(SIGSEGV, &sa, &old))
		return -1;
	sig_count = 0;
	if (jmp && mprotect((void *)fault_page, PG, PROT_NONE))
		return -1;
	t_on(t);
	for (i = 0; i < n; i++) {
		if (jmp) {
			if (!sigsetjmp(fault_jb, 1))
				*fault_page = 2;
		} else {
			if (mprotect((void *)fault_page, PG, PROT_NONE))
				break;
			*fault_page = 2;
		}
	}
	t_off(t);
	sigaction(SIGSEGV, &old, NULL);
	munmap((void *)fault_page, PG);
	return sig_count == n ? 0 : -1;
}

/* ---------------------------------------------------------------- threads */
static void *th_nop(void *p)
{
	return p;
}
static int b_thread(long n, int a, struct T *t)
{
	(void)a;
	t_on(t);
	for (long i = 0; i < n; i++) {
		pthread_t th;
		if (pthread_create(&th, NULL, th_nop, NULL))
			return -1;
		if (pthread_join(th, NULL))
			return -1;
	}
	t_off(t);
	return 0;
}
LOOP(b_mutex, static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, pthread_mutex_lock(&m);
     pthread_mutex_unlock(&m), )
static struct {
	int mode, raw;
	long n;
	volatile int bad;
} pa;
static pthread_mutex_t pm = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pcv[2] = { PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER };
static volatile int turn; /* 0: main thread, 1: second thread */
static void pass(int me)  /* hand the turn over and wait to get it back */
{
#if defined(SYS_futex)
	if (pa.raw) {
		__atomic_store_n(&turn, !me, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &turn, 129 /* WAKE|PRIVATE */, 1, 0, 0, 0);
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != me)
			syscall(SYS_futex, &turn, 128 /* WAIT|PRIVATE */, !me, 0, 0, 0);
		return;
	}
#endif
	pthread_mutex_lock(&pm);
	turn = !me;
	pthread_cond_signal(&pcv[!me]);
	while (turn != me)
		pthread_cond_wait(&pcv[me], &pm);
	pthread_mutex_unlock(&pm);
}
static void *th_pp(void *p)
{
	if (pin_second(pa.mode))
		pa.bad = 1;
	/* wait for the first turn, answer n-1 times, then give the turn back for good */
	pthread_mutex_lock(&pm);
	while (!pa.raw && turn != 1)
		pthread_cond_wait(&pcv[1], &pm);
	pthread_mutex_unlock(&pm);
	while (pa.raw && turn != 1)
		sched_yield();
	for (long i = 0; i < pa.n - 1; i++)
		pass(1);
	if (pa.raw) {
		__atomic_store_n(&turn, 0, __ATOMIC_SEQ_CST);
#if defined(SYS_futex)
		syscall(SYS_futex, &turn, 129, 1, 0, 0, 0);
#endif
	} else {
		pthread_mutex_lock(&pm);
		turn = 0;
		pthread_cond_signal(&pcv[0]);
		pthread_mutex_unlock(&pm);
	}
	return p;
}
static int b_thread_pp(long n, int arg, struct T *t) /* arg: mode | 16 for raw futex */
{
	pthread_t th;
#if !defined(SYS_futex)
	if (arg & 16)
		return -1;
#endif
	pa.mode = arg & 15;
	pa.raw = arg & 16;
	pa.bad = 0;
	pa.n = n + 8;
	turn = 0;
	if (pin_first(pa.mode)) {
		unpin();
		return -1;
	}
	if (pthread_create(&th, NULL, th_pp, NULL)) {
		unpin();
		return -1;
	}
	for (int i = 0; i < 8; i++)
		pass(0);
	t_on(t);
	for (long i = 0; i < n; i++)
		pass(0);
	t_off(t);
	pthread_join(th, NULL);
	unpin();
	return pa.bad ? -1 : 0;
}

/* ---------------------------------------------------------------- load tests */
#define HG 4
#define HN 10
#define HMSG 100
static int b_hack(long loops, int a, struct T *t)
{
	int ready[2], go[2], kids = 0, bad = 0;
	char c = 'x', msg[HMSG];
	static pid_t pid[HG * HN * 2];
	(void)a;
	memset(msg, 'm', sizeof msg);
	if (pipe(ready))
		return -1;
	if (pipe(go)) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	for (int g = 0; g < HG && !bad; g++) {
		int fd[HN][2], np = 0;
		for (; np < HN; np++)
			if (pipe(fd[np])) {
				bad = 1;
				break;
			}
		for (int i = 0; i < 2 * HN && !bad; i++) {
			pid_t p = fork();
			if (p < 0) {
				bad = 1;
				break;
			}
			if (p > 0) {
				pid[kids++] = p;
				continue;
			}
			if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
				_exit(1);
			if (i < HN) { /* receiver i */
				long want = (long)HN * loops * HMSG;
				while (want > 0) {
					ssize_t k = read(fd[i][0], msg, HMSG);
					if (k <= 0)
						_exit(2);
					want -= k;
				}
			} else {
				for (long l = 0; l < loops; l++)
					for (int r = 0; r < HN; r++)
						if (write(fd[r][1], msg, HMSG) != HMSG)
							_exit(3);
			}
			_exit(0);
		}
		while (np-- > 0) {
			close(fd[np][0]);
			close(fd[np][1]);
		}
	}
	for (int i = 0; i < kids; i++)
		if (read(ready[0], &c, 1) != 1)
			bad = 1;
	t_on(t);
	if (bad)
		for (int i = 0; i < kids; i++)
			kill(pid[i], SIGKILL);
	else
		for (int i = 0; i < kids; i++)
			if (write(go[1], &c, 1) != 1)
				bad = 1;
	for (int i = 0; i < kids; i++)
		if (reap(pid[i]))
			bad = 1;
	t_off(t);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	return -bad;
}
static uint32_t cpu_work(uint32_t n)
{
	uint32_t x = 2463534242u;
	while (n--) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	return x;
}
static volatile uint32_t sink;
static int b_cpu(long n, int k, struct T *t) /* n = total loop count, over k processes */
{
	int ready[2], go[2], bad = 0, kids = 0;
	char c = 'x';
	pid_t pid[16];
	if (pipe(ready))
		return -1;
	if (pipe(go)) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	for (; kids < k; kids++) {
		if ((pid[kids] = fork()) < 0) {
			bad = 1;
			break;
		}
		if (pid[kids] == 0) {
			if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
				_exit(1);
			sink = cpu_work((uint32_t)(n / k));
			_exit(0);
		}
	}
	for (int i = 0; i < kids; i++)
		if (read(ready[0], &c, 1) != 1)
			bad = 1;
	t_on(t);
	for (int i = 0; i < kids; i++)
		if (write(go[1], &c, 1) != 1)
			bad = 1;
	for (int i = 0; i < kids; i++)
		if (reap(pid[i]))
			bad = 1;
	t_off(t);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	return -bad;
}

/* ---------------------------------------------------------------- table and driver */
enum { NS, SEC, MIBS };
static const struct B {
	const char *name;
	int (*fn)(long, int, struct T *);
	long n;
	int arg, kind;
} tab[] = {
	{ "null_syscall", b_null, 50000, 0, NS },
	{ "getpid", b_getpid, 50000, 0, NS },
	{ "clock_gettime", b_clock, 20000, 0, NS },
	{ "rdtsc", b_rdtsc, 200000, 0, NS },
	{ "read_zero_1", b_rw1, 30000, 0, NS },
	{ "write_null_1", b_rw1, 30000, 1, NS },
	{ "open_close", b_open, 5000, 0, NS },
	{ "stat", b_stat, 10000, 0, NS },
	{ "sched_yield", b_yield, 30000, 0, NS },
	{ "pipe_self", b_pipe_self, 10000, 0, NS },
	{ "pipe_pp", b_pipe_pp, 3000, 0, NS },
	{ "pipe_pp_same", b_pipe_pp, 3000, 1, NS },
	{ "pipe_pp_diff", b_pipe_pp, 3000, 2, NS },
	{ "pipe_bw", b_pipe_bw, 64, 0, MIBS },
	{ "pipe_bw_same", b_pipe_bw, 64, 1, MIBS },
	{ "pipe_bw_diff", b_pipe_bw, 64, 2, MIBS },
	{ "ctx_ring8", b_ring, 4000, 0, NS },
	{ "ctx_ring8_same", b_ring, 4000, 1, NS },
	{ "fork_exit", b_fork, 100, 0, NS },
	{ "vfork_exec", b_exec, 60, 0, NS },
	{ "spawn_exec", b_exec, 60, 1, NS },
	{ "fork_exec", b_exec, 60, 2, NS },
	{ "fork_16m", b_fork16, 50, 0, NS },
	{ "fork_16m_4k", b_fork16, 30, 1, NS },
	{ "fork_16m_4k_cow", b_fork16, 6, 2, NS },
	{ "mmap_touch", b_mmap, 16384, 0, NS },
	{ "mmap_touch_4k", b_mmap, 16384, 1, NS },
	{ "page_fault", b_fault, 16384, 0, NS },
	{ "mprotect_pair", b_mprotect, 4000, 0, NS },
	{ "sig_install", b_siginstall, 30000, 0, NS },
	{ "sig_kill", b_sigself, 6000, 0, NS },
	{ "sig_raise", b_sigself, 6000, 1, NS },
	{ "sigsegv_mprot", b_segv, 3000, 0, NS },
	{ "sigsegv_jmp", b_segv, 3000, 1, NS },
	{ "pthread_create", b_thread, 500, 0, NS },
	{ "mutex", b_mutex, 500000, 0, NS },
	{ "futex_pp", b_thread_pp, 3000, 16, NS },
	{ "futex_pp_same", b_thread_pp, 3000, 17, NS },
	{ "futex_pp_diff", b_thread_pp, 3000, 18, NS },
	{ "cond_pp", b_thread_pp, 2000, 0, NS },
	{ "cond_pp_same", b_thread_pp, 2000, 1, NS },
	{ "cond_pp_diff", b_thread_pp, 2000, 2, NS },
	{ "hackbench", b_hack, 100, 0, SEC },
	{ "cpu_par_1", b_cpu, 120000000, 1, SEC },
	{ "cpu_par_2", b_cpu, 120000000, 2, SEC },
	{ "cpu_par_4", b_cpu, 120000000, 4, SEC },
};
#define NTAB (sizeof tab / sizeof *tab)
static double med[NTAB], medc[NTAB];

static int cmpd(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}
static int find(const char *s)
{
	for (unsigned i = 0; i < NTAB; i++)
		if (!strcmp(tab[i].name, s))
			return i;
	return -1;
}
static int matches(const char *name, const char *sel)
{
	size_t l = strlen(sel);
	return l && sel[l - 1] == '*' ? !strncmp(sel, name, l - 1) : !strcmp(sel, name);
}
static int wanted(const char *name, char **sel)
{
	if (!*sel)
		return 1;
	for (; *sel; sel++)
		if (matches(name, *sel))
			return 1;
	return 0;
}
/* a word that names none is a mistake: nothing is measured */
static int all_known(char **sel)
{
	for (; *sel; sel++) {
		unsigned k = 0;
		while (k < NTAB && !matches(tab[k].name, *sel))
			k++;
		if (k == NTAB) {
			fprintf(stderr, "bench: %s: no such benchmark (-l lists them)\n", *sel);
			return 0;
		}
	}
	return 1;
}
static long number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 10);
	if (end == text || *end || n < least || n > most) {
		fprintf(stderr, "bench: %s: a number from %ld to %ld is wanted\n", text, least,
			most);
		exit(2);
	}
	return n;
}
static void run(unsigned i)
{
	const struct B *b = &tab[i];
	double v[64], c[64];
	long n = b->kind == NS || b->kind == SEC ? b->n * scale / 100 : b->n;
	struct T t;
	if (n < 1)
		n = 1;
	if (b->fn == b_ring && n < RING)
		n = RING;
	n -= b->fn == b_ring ? n % RING : 0;
	if (b->fn == b_mmap || b->fn == b_fault)
		n = n < 1024 ? 1024 : n - n % 1024;
	for (int r = -1; r < reps; r++) { /* r == -1: warm-up, not counted */
		memset(&t, 0, sizeof t);
		if (b->fn(n, b->arg, &t)) {
			printf("%s n/a\n", b->name);
			fflush(stdout);
			return;
		}
		if (r < 0)
			continue;
		v[r] = b->kind == NS ? t.ns / n : b->kind == SEC ? t.ns / 1e9 : n / (t.ns / 1e9);
		c[r] = b->kind == NS ? t.cyc / n : t.cyc;
	}
	qsort(v, reps, sizeof *v, cmpd);
	qsort(c, reps, sizeof *c, cmpd);
	med[i] = (v[(reps - 1) / 2] + v[reps / 2]) / 2;
	medc[i] = (c[(reps - 1) / 2] + c[reps / 2]) / 2;
	if (b->kind == SEC)
		printf("%s %.4f s", b->name, med[i]);
	else
		printf("%s %.1f %s", b->name, med[i], b->kind == NS ? "ns" : "MiB/s");
	if (use_tsc)
		printf(" cyc %.1f", medc[i]);
	printf(b->kind == SEC ? " min %.4f max %.4f" : " min %.1f max %.1f", v[0], v[reps - 1]);
	printf(" n %ld r %d\n", n, reps);
	fflush(stdout);
}
int main(int argc, char **argv)
{
	struct stat st;
	int i, o;
	if (argc > 1 && !strcmp(argv[1], "--true"))
		return 0;
	while ((o = getopt(argc, argv, "r:s:nl")) != -1) {
		if (o == 'r')
			reps = (int)number(optarg, 1, 64);
		else if (o == 's')
			scale = number(optarg, 1, 10000);
		else if (o == 'n')
			use_tsc = 0;
		else if (o == 'l') {
			for (unsigned k = 0; k < NTAB; k++)
				puts(tab[k].name);
			return 0;
		} else
			return 2;
	}
	if (!all_known(argv + optind))
		return 2;
	true_path = getenv("BENCH_TRUE");
	if (!true_path)
		true_path = "/bin/true";
	true_argv[0] = (char *)true_path;
	if (stat(true_path, &st)) {
		true_path = true_argv[0] = argv[0];
		true_argv[1] = "--true";
	}
	signal(SIGPIPE, SIG_IGN);
	cpus_init();
	printf("# bench ncpu %d reps %d scale %ld%% exec %s\n", ncpu, reps, scale, true_path);
	fflush(stdout);
	for (unsigned k = 0; k < NTAB; k++)
		if (wanted(tab[k].name, argv + optind))
			run(k);
	if ((i = find("ctx_ring8_same")) >= 0 && med[i] > 0 && (o = find("pipe_self")) >= 0 &&
	    med[o] > 0)
		printf("ctx_ring8_net %.1f ns cyc %.1f\n", med[i] - med[o], medc[i] - medc[o]);
	if ((i = find("cpu_par_1")) >= 0 && med[i] > 0) {
		if ((o = find("cpu_par_2")) >= 0 && med[o] > 0)
			printf("cpu_speedup_2 %.3f x\n", med[i] / med[o]);
		if ((o = find("cpu_par_4")) >= 0 && med[o] > 0)
			printf("cpu_speedup_4 %.3f x\n", med[i] / med[o]);
	}
	unlink(tmpfile_name);
	printf("# bench done\n");
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
