/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a machine that exo-run started: runs one program with exo-run's streams, tells its
 * wait status, and switches the machine off.
 *
 *	/.exo-run/args    the program's words, each ended by a NUL
 *	/.exo-run/env     the same for NAME=value
 *	/.exo-run/trace   if it is there, exo-run wants the trace
 *	/dev/host/0 1 2   exo-run's standard input, output and error
 *	/dev/host/trace   takes the trace, before
 *	/dev/host/ctl     takes the group that exo-run's signals go to, and the wait status
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_BAD_USAGE 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/* A failure of ours is none of the program's: it goes to the console, and exo-run reports that
 * the machine died without a status. */
static _Noreturn void die(const char *what)
{
	fprintf(stderr, "exo-init: %s: %s\n", what, strerror(errno));
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* Reads a file of NUL-terminated words into an array that ends with NULL. */
static char **read_words(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *text, **words;
	size_t size = 0, count = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &status) < 0)
		die(path);
	text = malloc(status.st_size + 1);
	words = malloc((status.st_size + 1) * sizeof(*words));
	if (!text || !words)
		die(path);
	while ((n = read(fd, text + size, status.st_size - size)) > 0)
		size += n;
	if (n < 0)
		die(path);
	close(fd);
	text[size] = '\0';
	for (size_t i = 0; i < size; i += strlen(text + i) + 1)
		words[count++] = text + i;
	words[count] = NULL;
	return words;
}

static void read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		die(path);
	text[n] = '\0';
	close(fd);
}

/* Whoever asked for a scheduler by a name that is not there wants no result of another one's: that is
 * bad usage of exo-run, and told as exo-run tells it. */
static _Noreturn void refuse_scheduler(int control, const char *wanted)
{
	int error = open("/dev/host/2", O_WRONLY | O_CLOEXEC), status = EXIT_BAD_USAGE << 8;
	char known[2048];

	read_text("/proc/exo/sched", known, sizeof(known));
	known[strcspn(known, "\n")] = '\0';
	if (error < 0 ||
	    dprintf(error, "exo-run: --sched %s: there is no such scheduler; there are: %s\n"
		    "exo-run: one in a file is loaded by a program: schedctl use FILE\n",
		    wanted, known) < 0 ||
	    write(control, &status, sizeof(status)) != sizeof(status))
		die("the scheduler named by sched=");
	reboot(RB_POWER_OFF);
	die("reboot");
}

static void check_scheduler(int control)
{
	char line[2048], known[2048], *wanted, *name, *rest;

	read_text("/proc/cmdline", line, sizeof(line));
	wanted = strstr(line, " sched=");
	if (!wanted)
		return;
	wanted = strtok_r(wanted + strlen(" sched="), " \n", &rest);
	read_text("/proc/exo/sched", known, sizeof(known));
	for (name = strtok_r(known, " []\n", &rest); name; name = strtok_r(NULL, " []\n", &rest))
		if (wanted && strcmp(name, wanted) == 0)
			return;
	refuse_scheduler(control, wanted ? wanted : "");
}

/* The console stays with init: the program gets the host's streams and nothing else. */
static void connect_streams(void)
{
	static const char *const devices[] = { "/dev/host/0", "/dev/host/1", "/dev/host/2" };

	for (int stream = 0; stream < 3; stream++) {
		int fd = open(devices[stream], stream == 0 ? O_RDONLY : O_WRONLY);

		if (fd < 0 || dup2(fd, stream) < 0)
			die(devices[stream]);
		if (fd != stream)
			close(fd);
	}
}

/* The file that a word of a command line means, if it is there; into the text. */
static bool find_program(const char *word, char *path, size_t size)
{
	char folders[4096], *rest;

	if (*word == '\0')
		return false;
	if (strchr(word, '/')) {
		snprintf(path, size, "%s", word);
		return access(path, F_OK) == 0;
	}
	snprintf(folders, sizeof(folders), "%s", getenv("PATH"));
	for (char *f = strtok_r(folders, ":", &rest); f; f = strtok_r(NULL, ":", &rest)) {
		snprintf(path, size, "%s/%s", f, word);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* ENOENT is also said of a program that is there, when what it is to be started by is not. */
static const char *what_is_missing(const char *word)
{
	char path[4096], begin[2] = "";
	int fd;

	if (!find_program(word, path, sizeof(path)))
		return " in the machine (--file HOST[:GUEST] puts one there)";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, begin, sizeof(begin)) == sizeof(begin) &&
	    memcmp(begin, "#!", sizeof(begin)) == 0)
		return ": the interpreter that its first line names is not in the machine";
	return ": its dynamic linker is not in the machine (--libraries puts it there; exo-cc needs none)";
}

/* In the child.  A session of its own, so that a signal from the host meets the program's group
 * and not init; the libos holds signals back until it is told of that group. */
static _Noreturn void run(int control, char **words, char **environment)
{
	struct { char kind; int32_t group; } __attribute__((packed)) message = { 'g', setsid() };

	if (write(control, &message, sizeof(message)) != sizeof(message))
		die("/dev/host/ctl");
	connect_streams();
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin:.", 1);
	setenv("HOME", "/root", 1);
	for (; *environment; environment++)
		putenv(*environment);
	execvp(words[0], words);
	bool missing = errno == ENOENT;

	dprintf(2, "exo-run: %s: %s%s\n", words[0], strerror(errno),
		missing ? what_is_missing(words[0]) : "");
	_exit(missing ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* Waits for the program, and for orphans that end before it does. */
static int wait_for(pid_t program)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
		if (pid < 0 && errno != EINTR)
			die("wait");
	} while (pid != program);
	return status;
}

/* The libos has traced from its start (trace= on the boot command line). */
static void send_trace(void)
{
	int switch_off = open("/proc/exo/trace", O_WRONLY | O_CLOEXEC);
	int from = open("/dev/exo/trace", O_RDONLY | O_CLOEXEC);
	int to = open("/dev/host/trace", O_WRONLY | O_CLOEXEC);
	static char records[1 << 16];
	ssize_t n;

	if (switch_off < 0 || from < 0 || to < 0 || write(switch_off, "off", 3) != 3)
		die("/dev/exo/trace");
	while ((n = read(from, records, sizeof(records))) > 0)
		if (write(to, records, (size_t)n) != n)
			die("/dev/host/trace");
	if (n < 0)
		die("/dev/exo/trace");
}

int main(void)
{
	char **words = read_words("/.exo-run/args");
	char **environment = read_words("/.exo-run/env");
	int control = open("/dev/host/ctl", O_WRONLY | O_CLOEXEC);
	pid_t program;
	int status;

	if (control < 0)
		die("/dev/host/ctl");
	check_scheduler(control);
	if (!words[0]) {
		errno = EINVAL;
		die("/.exo-run/args");
	}
	program = fork();
	if (program < 0)
		die("fork");
	if (program == 0)
		run(control, words, environment);
	status = wait_for(program);
	if (access("/.exo-run/trace", F_OK) == 0)
		send_trace();
	if (write(control, &status, sizeof(status)) != sizeof(status))
		die("/dev/host/ctl");
	reboot(RB_POWER_OFF);
	die("reboot");
}
