/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a child domain: runs one program on the domain's console, and ends the domain with its
 * wait status.
 *
 *	domain-init PROGRAM [ARGUMENT...]
 *
 *	/dev/exo/exit   takes the wait status; the write does not return
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127
#define STATUS_CANNOT_RUN (EXIT_CANNOT_RUN << 8) /* as wait() has it */

/* In the child: a session of its own, so that the console's signals meet the program. */
static _Noreturn void run(char **words)
{
	setsid();
	ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	setenv("HOME", "/root", 1);
	execvp(words[0], words);
	dprintf(STDERR_FILENO, "domain-init: %s: %s\n", words[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* Waits for the program, and for orphans that end before it does. */
static int wait_for(pid_t program)
{
	int status = STATUS_CANNOT_RUN;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid != program && (pid > 0 || errno == EINTR));
	return status;
}

int main(int count, char **words)
{
	int end = open("/dev/exo/exit", O_WRONLY | O_CLOEXEC), status = STATUS_CANNOT_RUN;
	pid_t program = -1;

	if (count > 1)
		program = fork();
	if (program == 0)
		run(words + 1);
	if (program > 0)
		status = wait_for(program);
	tcdrain(STDOUT_FILENO);
	if (end < 0 || write(end, &status, sizeof(status)) < 0)
		perror("/dev/exo/exit");
	return 1;
}
