/* SPDX-License-Identifier: MIT */
/* For debug_build.py: takes a right from 96 MiB that are there, page by page, at once. */
#include <string.h>
#include <sys/mman.h>

#define SIZE (96ul << 20)

int main(void)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, SIZE);
	return mprotect(memory, SIZE, PROT_READ) != 0;
}
