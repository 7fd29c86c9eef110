/* SPDX-License-Identifier: MIT */
/* Ends by a fault of the kind that its argument names, in inner(), called by middle(), called by main(). But
 * "pages" says how many pages a report takes that could look at very many. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

/* Its stack is full of pointers to pages that nobody has touched, if they are for the log to look at. */
static void full_of_pointers(int are_there)
{
	enum { WORDS = 2048, PAGE = 4096 };
	char *pages = mmap(NULL, WORDS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **words = calloc(WORDS, sizeof(*words));

	for (int i = 0; i < WORDS; i++)
		words[i] = are_there ? pages + i * PAGE + 64 : (char *)1;
	__asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"(words) : "memory");
}

static int pages_taken(int are_there)
{
	struct rusage used;
	pid_t child = fork();

	if (child == 0)
		full_of_pointers(are_there);
	wait4(child, NULL, 0, &used);
	return (int)used.ru_maxrss / 4;
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
	if (strcmp(kind, "name") == 0) {
		prctl(PR_SET_NAME, "a\nlibos: \033[7m\302\233", 0, 0, 0);
		__asm__ volatile("ud2");
	}
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
	if (count > 1 && strcmp(arguments[1], "pages") == 0)
		return !(printf("%d\n", pages_taken(1) - pages_taken(0)) > 0);
	return count > 1 ? middle(arguments[1]) + 1 : 0;
}
