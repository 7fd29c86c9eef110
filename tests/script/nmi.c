/* SPDX-License-Identifier: MIT */
/*
 * For nmi.py: a process for each CPU and one more, that enter the kernel and leave it all the time, by
 * SYSCALL instructions and page faults, and look whether they get the answer, their registers and their
 * GS base.
 *
 *     nmi ROUNDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 17
#define FAULT_EACH 16 /* rounds */

/* What SYS_getpid says, or -1 if a register has changed that may not. */
static long ask(uint64_t seed)
{
	register uint64_t r8 __asm__("r8") = seed + 1;
	register uint64_t r10 __asm__("r10") = seed + 2;
	register uint64_t r12 __asm__("r12") = seed + 3;
	uint64_t rdi = seed + 4, rbx = seed + 5, gs;
	long rax = SYS_getpid;

	__asm__ volatile("wrgsbase %[seed]; syscall; rdgsbase %[gs]"
			 : "+a"(rax), "+D"(rdi), "+b"(rbx), "+r"(r8), "+r"(r10), "+r"(r12), [gs] "=r"(gs)
			 : [seed] "r"(seed)
			 : "rcx", "r11", "memory");
	if (r8 != seed + 1 || r10 != seed + 2 || r12 != seed + 3 || rdi != seed + 4 || rbx != seed + 5 ||
	    gs != seed)
		return -1;
	return rax;
}

static int work(long rounds)
{
	long pid = getpid();
	char *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; i < rounds; i++) {
		if (ask((uint64_t)i) != pid)
			return 1;
		if (i % FAULT_EACH)
			continue;
		if (*page != 0)
			return 2;
		*page = 1;
		if (madvise(page, 1, MADV_DONTNEED) != 0)
			return 3;
	}
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int status, worst = 0;

	for (long i = 0; i <= cpus && i < PROCESSES_MAX; i++)
		if (fork() == 0)
			_exit(work(rounds));
	while (wait(&status) > 0)
		worst |= status;
	return worst != 0;
}
