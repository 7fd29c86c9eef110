/* SPDX-License-Identifier: MIT */
/*
 * For tests/script/dynamic.py: linked by the host's compiler with the host's C library, which is there by way
 * of its dynamic linker only.  In two processes: `dynamic again` is what the first one executes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread int of_the_thread = 7;

static void *run(void *argument)
{
	of_the_thread += (int)(long)argument;
	return (void *)(long)of_the_thread;
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *count)
{
	(void)info;
	(void)size;
	++*(int *)count;
	return 0;
}

static int calls_what_it_opens(void)
{
	void *library = dlopen("libm.so.6", RTLD_NOW);
	double (*root)(double) = NULL;

	if (library)
		*(void **)&root = dlsym(library, "sqrt");
	return root && root(2.25) == 1.5;
}

static int is_linked(const char *name)
{
	pthread_t thread;
	void *result = NULL;
	int objects = 0;

	if (pthread_create(&thread, NULL, run, (void *)5L) != 0 ||
	    pthread_join(thread, &result) != 0)
		return 0;
	dl_iterate_phdr(count_objects, &objects);
	printf("%s: thread %ld, objects %d, base %s, opens %s\n", name, (long)result, objects,
	       getauxval(AT_BASE) ? "yes" : "no", calls_what_it_opens() ? "yes" : "no");
	fflush(stdout);
	return of_the_thread == 7;
}

int main(int argc, char **argv)
{
	int status;

	if (!is_linked(argc > 1 ? argv[1] : "first"))
		return 1;
	if (argc > 1)
		return 42;
	if (fork() == 0) {
		execl(argv[0], argv[0], "again", (char *)NULL);
		_exit(1);
	}
	return wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
