/* SPDX-License-Identifier: MIT */
/* hold MIB: has so much memory, says "ready", and then goes on reading and writing all of it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096

int main(int count, char **words)
{
	size_t size = (count > 1 ? strtoul(words[1], NULL, 10) : 1) << 20;
	volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		for (size_t at = 0; at < size; at += PAGE)
			memory[at] += memory[at];
}
