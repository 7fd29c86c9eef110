/* SPDX-License-Identifier: MIT */
/* Ends by a fault of the kind that its argument names, in inner(), called by middle(), called by main(). */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int (*volatile nothing)(void) = (int (*)(void))0x1234;
static volatile int zero;

static void handler(int number)
{
	_exit(number);
}

static int recurse(int depth)
{
	volatile char local[3000];

	local[depth % 3000] = 1;
	return recurse(depth + 1) + local[7];
}

static int beyond_a_file(void)
{
	FILE *f = tmpfile();
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);

	return *p;
}

static __attribute__((noinline)) int inner(const char *kind)
{
	if (strcmp(kind, "read") == 0 || strcmp(kind, "caught") == 0)
		return *(volatile int *)8;
	if (strcmp(kind, "write") == 0)
		*(volatile int *)16 = 1;
	if (strcmp(kind, "constant") == 0)
		*(volatile char *)"a constant" = 1;
	if (strcmp(kind, "jump") == 0)
		return nothing() + 1;
	if (strcmp(kind, "divide") == 0)
		__asm__ volatile("div %0" : : "r"(zero) : "eax", "edx");
	if (strcmp(kind, "illegal") == 0)
		__asm__ volatile("ud2");
	if (strcmp(kind, "file") == 0)
		return beyond_a_file();
	if (strcmp(kind, "stack") == 0)
		return recurse(1);
	if (strcmp(kind, "handler") == 0)
		__asm__ volatile("mov $0x10000, %%rsp\n\tpush %%rax" : : : "memory");
	return 0;
}

static __attribute__((noinline)) int middle(const char *kind)
{
	return inner(kind) + 1;
}

int main(int count, char **arguments)
{
	if (count > 1 &&
	    (strcmp(arguments[1], "handler") == 0 || strcmp(arguments[1], "caught") == 0))
		signal(SIGSEGV, handler);
	return count > 1 ? middle(arguments[1]) + 1 : 0;
}
