/* SPDX-License-Identifier: MIT */
/* The smallest program: an ordinary C program needs nothing of this system's. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	printf("Hello from process %d, a program called %s", getpid(), argv[0]);
	for (int i = 1; i < argc; i++)
		printf("%s%s", i == 1 ? ", with " : " and ", argv[i]);
	printf(".\n");
	return 0;
}
