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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_BAD_USAGE 125 /* as domainctl has it */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127
#define SCHEDULER "sched="
#define STATUS_CANNOT_RUN (EXIT_CANNOT_RUN << 8) /* as wait() has it */

/* One line. */
static void read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "r");

	line[0] = '\0';
	if (!f || !fgets(line, size, f))
		perror(path);
	if (f)
		fclose(f);
}

/* Whoever asked for a scheduler by a name that is not there wants no result of another one's. */
static bool has_its_scheduler(void)
{
	char words[2048], known[2048], list[2048], *wanted, *rest;

	read_line("/proc/cmdline", words, sizeof(words));
	for (wanted = strtok_r(words, " \n", &rest); wanted; wanted = strtok_r(NULL, " \n", &rest))
		if (strncmp(wanted, SCHEDULER, strlen(SCHEDULER)) == 0)
			break;
	if (!wanted)
		return true;
	wanted += strlen(SCHEDULER);
	read_line("/proc/exo/sched", known, sizeof(known));
	memcpy(list, known, sizeof(list));
	for (char *name = strtok_r(list, " []\n", &rest); name;
	     name = strtok_r(NULL, " []\n", &rest))
		if (strcmp(name, wanted) == 0)
			return true;
	dprintf(STDERR_FILENO, "domain-init: there is no scheduler %s; there are: %s", wanted,
		known);
	return false;
}

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

	if (!has_its_scheduler())
		status = EXIT_BAD_USAGE << 8;
	else if (count > 1)
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
