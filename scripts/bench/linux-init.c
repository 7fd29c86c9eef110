/* SPDX-License-Identifier: MIT */
/* /init for a throw-away Linux guest: mounts what programs expect, runs the
 * program named on the kernel command line after "--", prints its status and powers off.
 * Kernel console messages are silenced so that the serial line carries the program's output only. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec up;
	char line[128];
	int status = 0;

	clock_gettime(CLOCK_BOOTTIME, &up);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	mount("proc", "/proc", "proc", 0, 0);
	mount("sysfs", "/sys", "sysfs", 0, 0);
	mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
	mkdir("/dev/shm", 01777);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, 0);
	mount("tmpfs", "/tmp", "tmpfs", 0, 0);
	printf("linux: first program after %ld.%03ld s of guest time\n", (long)up.tv_sec,
	       up.tv_nsec / 1000000);
	FILE *f = fopen("/proc/meminfo", "r");
	for (int i = 0; f && i < 2 && fgets(line, sizeof line, f); i++)
		printf("linux: %s", line);
	fflush(stdout);
	while (argc > 1 && argv[1][0] != '/') {	/* words that the kernel did not know come first */
		argv++;
		argc--;
	}
	if (argc > 1) {
		pid_t pid = fork();
		if (pid == 0) {
			char *env[] = { "PATH=/bin:/sbin", "HOME=/", "TERM=linux", NULL };
			execve(argv[1], argv + 1, env);
			perror(argv[1]);
			_exit(127);
		}
		waitpid(pid, &status, 0);
	}
	printf("linux: status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
