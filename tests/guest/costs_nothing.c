/* SPDX-License-Identifier: MIT */
/*
 * What is to be had without the kernel or without memory: by the kernel's own count of calls, and by
 * the frames that are free.  Others may run meanwhile (a timer, an idle CPU), so the bounds are a
 * small share of what the thing would cost if it cost anything.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define TIMES 100000
#define PAGE 4096

/* Kernel calls since the boot, of all CPUs: the column exo_calls of /proc/exo/stats. */
static unsigned long kernel_calls(void)
{
	char line[512];
	unsigned long calls, sum = 0;
	FILE *stats = fopen("/proc/exo/stats", "r");

	CHECK(stats != NULL);
	CHECK(fgets(line, sizeof(line), stats) && strstr(line, "exo_calls"));
	while (fgets(line, sizeof(line), stats) &&
	       sscanf(line, "%*u %*u %*u %*u %*u %*u %*u %*u %lu", &calls) == 1)
		sum += calls;
	fclose(stats);
	CHECK(sum > 0);
	return sum;
}

#define ENTERS_NO_KERNEL(statement)                              \
	do {                                                     \
		unsigned long before = kernel_calls();           \
                                                                 \
		for (int i = 0; i < TIMES; i++)                  \
			statement;                               \
		CHECK(kernel_calls() - before < TIMES / 20);     \
	} while (0)

static void clocks_are_read_without_the_kernel(void)
{
	struct timespec t;
	struct timeval tv;

	ENTERS_NO_KERNEL(clock_gettime(CLOCK_REALTIME, &t));
	ENTERS_NO_KERNEL(clock_gettime(CLOCK_MONOTONIC, &t));
	ENTERS_NO_KERNEL(gettimeofday(&tv, NULL));
}

static void a_system_call_is_a_function_call(void)
{
	struct stat st;

	ENTERS_NO_KERNEL(syscall(SYS_getppid));
	ENTERS_NO_KERNEL(stat("/bin/busybox", &st));
}

static void a_pipe_in_one_process_is_memory(void)
{
	char byte = 'x';
	int fds[2];

	CHECK(pipe(fds) == 0);
	ENTERS_NO_KERNEL((write(fds[1], &byte, 1), read(fds[0], &byte, 1)));
	close(fds[0]);
	close(fds[1]);
}

static unsigned long free_pages(void)
{
	struct sysinfo info;

	CHECK(sysinfo(&info) == 0);
	return info.freeram * info.mem_unit / PAGE;
}

/* Table pages for the mapping, and what the machine does by itself. */
#define SLACK_PAGES 20

static void a_file_of_the_archive_is_mapped_where_it_lies(void)
{
	int fd = open("/bin/busybox", O_RDONLY);
	struct stat st;
	volatile const char *p;
	unsigned long before, pages;
	int sum = 0;

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	pages = (unsigned long)st.st_size / PAGE;
	CHECK(pages > 3 * SLACK_PAGES);
	before = free_pages();
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	for (unsigned long i = 0; i < pages; i++)
		sum += p[i * PAGE];
	CHECK(sum != 0);
	CHECK(free_pages() + SLACK_PAGES > before);
	munmap((void *)p, (size_t)st.st_size);
	close(fd);
}

int main(void)
{
	RUN(clocks_are_read_without_the_kernel);
	RUN(a_system_call_is_a_function_call);
	RUN(a_pipe_in_one_process_is_memory);
	RUN(a_file_of_the_archive_is_mapped_where_it_lies);
	return test_result();
}
