/* SPDX-License-Identifier: MIT */
/* The first program: how long after the kernel's first instruction, and how much memory is taken. */
#include <stdio.h>
#include <sys/sysinfo.h>
#include <time.h>

int main(void)
{
	struct timespec up;
	struct sysinfo info;

	clock_gettime(CLOCK_BOOTTIME, &up);
	sysinfo(&info);
	printf("boot %.6f s\nfree %lu kB\n", (double)up.tv_sec + (double)up.tv_nsec / 1e9,
	       info.freeram * info.mem_unit / 1024);
	return 0;
}
