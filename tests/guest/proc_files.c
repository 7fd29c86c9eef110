/* SPDX-License-Identifier: MIT */
/* /proc: the files that programs read, and that they tell the truth. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static char text[65536];

/* In small pieces, as programs do. */
static const char *contents(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	long n;

	CHECK(fd >= 0);
	while ((n = read(fd, text + used, 100)) > 0 && used + 200 < sizeof(text))
		used += (size_t)n;
	CHECK_EQ(n, 0);
	text[used] = 0;
	close(fd);
	return text;
}

static void cpuinfo_has_a_block_for_each_cpu(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), blocks = 0;

	for (const char *p = contents("/proc/cpuinfo"); (p = strstr(p, "processor\t:")); p++)
		blocks++;
	CHECK_EQ(blocks, cpus);
}

static void meminfo_adds_up(void)
{
	long total, free;
	const char *p = contents("/proc/meminfo");

	CHECK(sscanf(p, "MemTotal: %ld kB MemFree: %ld kB", &total, &free) == 2);
	CHECK(total > 0 && free > 0 && free < total);
}

static void stat_grows_with_time(void)
{
	unsigned long user, nice, system, idle;
	double up, up_later;

	CHECK(sscanf(contents("/proc/stat"), "cpu %lu %lu %lu %lu", &user, &nice, &system, &idle) ==
	      4);
	CHECK(strstr(text, "cpu0 ") && strstr(text, "btime "));
	CHECK(sscanf(contents("/proc/uptime"), "%lf", &up) == 1);
	usleep(50000);
	CHECK(sscanf(contents("/proc/uptime"), "%lf", &up_later) == 1);
	CHECK(up > 0 && up_later > up);
}

static void own_process_is_described(void)
{
	int pid, parent;
	char name[32], state, link[256];
	long n;

	CHECK(sscanf(contents("/proc/self/stat"), "%d (%31[^)]) %c %d", &pid, name, &state,
		     &parent) == 4);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(parent, getppid());
	CHECK(strcmp(name, "proc_files") == 0 && state == 'R');
	CHECK(strstr(contents("/proc/self/status"), "Name:\tproc_files\n"));
	CHECK(strstr(contents("/proc/self/maps"), "[stack]"));
	CHECK(strstr(contents("/proc/self/cmdline"), "proc_files"));
	n = readlink("/proc/self/exe", link, sizeof(link) - 1);
	CHECK(n > 0);
	link[n] = 0;
	CHECK(strstr(link, "proc_files"));
	CHECK(chdir("/tmp") == 0);
	n = readlink("/proc/self/cwd", link, sizeof(link) - 1);
	CHECK(n == 4 && memcmp(link, "/tmp", 4) == 0);
}

static void descriptors_are_links(void)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	char path[64], link[64];
	struct dirent *e;
	int found = 0;
	long n;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	CHECK(n == 4 && memcmp(link, "/tmp", 4) == 0);
	snprintf(path, sizeof(path), "%d", fd);
	d = opendir("/proc/self/fd");
	CHECK(d != NULL);
	while ((e = readdir(d)))
		found += strcmp(e->d_name, path) == 0;
	CHECK_EQ(found, 1);
	closedir(d);
	close(fd);
}

static int listed(pid_t pid)
{
	char name[16];
	struct dirent *e;
	int found = 0;
	DIR *d = opendir("/proc");

	CHECK(d != NULL);
	snprintf(name, sizeof(name), "%d", pid);
	while ((e = readdir(d)))
		found += strcmp(e->d_name, name) == 0;
	closedir(d);
	return found;
}

static void processes_come_and_go(void)
{
	pid_t child = fork();
	char path[64], state;

	if (child == 0)
		for (;;)
			pause();
	CHECK_EQ(listed(child), 1);
	CHECK(kill(child, SIGKILL) == 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	for (int tries = 0; tries < 100; tries++) {
		CHECK(sscanf(contents(path), "%*d (%*[^)]) %c", &state) == 1);
		if (state == 'Z')
			break;
		usleep(10000);
	}
	CHECK_EQ(state, 'Z');
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	CHECK_EQ(strlen(contents(path)), 0);
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK_EQ(listed(child), 0);
	CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);
}

static void names_are_told(void)
{
	CHECK(strstr(contents("/proc/version"), "Linux version"));
	CHECK(strstr(contents("/proc/mounts"), " /proc proc "));
	CHECK(strlen(contents("/proc/sys/kernel/hostname")) > 1);
	CHECK(strlen(contents("/proc/loadavg")) > 10);
	CHECK(strstr(contents("/proc/exo/stats"), "\n0 "));
	CHECK(open("/proc/version", O_WRONLY) >= 0 || errno == EACCES);
	CHECK(open("/proc/nothing", O_RDONLY) == -1 && errno == ENOENT);
}

int main(void)
{
	RUN(cpuinfo_has_a_block_for_each_cpu);
	RUN(meminfo_adds_up);
	RUN(stat_grows_with_time);
	RUN(own_process_is_described);
	RUN(descriptors_are_links);
	RUN(processes_come_and_go);
	RUN(names_are_told);
	return test_result();
}
