/* SPDX-License-Identifier: MIT */
/* /proc: the files that programs read, and that they tell the truth. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static char text[65536];
static sem_t thread_is_there;

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

static void *wait_for_end(void *gate)
{
	pthread_setname_np(pthread_self(), "gatekeeper");
	sem_post(&thread_is_there);
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

static void threads_are_listed(void)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;
	struct dirent *e;
	int threads = 0, other = 0, id;
	char path[64], name[32], state;
	DIR *d;

	sem_init(&thread_is_there, 0, 0);
	pthread_mutex_lock(&gate);
	CHECK(pthread_create(&thread, NULL, wait_for_end, &gate) == 0);
	while (sem_wait(&thread_is_there) != 0)
		;
	d = opendir("/proc/self/task");
	CHECK(d != NULL);
	while ((e = readdir(d))) {
		id = atoi(e->d_name);
		threads += id > 0;
		other = id > 0 && id != getpid() ? id : other;
	}
	closedir(d);
	CHECK_EQ(threads, 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", other);
	CHECK(sscanf(contents(path), "%d (%31[^)]) %c", &id, name, &state) == 3);
	CHECK(id == other && strcmp(name, "gatekeeper") == 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", getpid());
	CHECK(strcmp(contents(path), "proc_files\n") == 0);
	pthread_mutex_unlock(&gate);
	CHECK(pthread_join(thread, NULL) == 0);
	/* A join does not wait for the very end. */
	snprintf(path, sizeof(path), "/proc/self/task/%d", other);
	for (int i = 0; i < 5000 && access(path, F_OK) == 0; i++)
		usleep(1000);
	CHECK(access(path, F_OK) == -1 && errno == ENOENT);
	CHECK(access("/proc/self/task/1", F_OK) == -1 && errno == ENOENT); /* init's */
}

/* What is averaged has to be seen to rise: the first look is five seconds after the boot. */
static void load_follows_what_runs(void)
{
	double load = 0;
	struct sysinfo info;
	time_t start = time(NULL);
	pid_t burner = fork();

	if (burner == 0)
		for (;;)
			;
	CHECK(burner > 0);
	while (load == 0 && time(NULL) - start < 30) {
		usleep(100000);
		sscanf(contents("/proc/loadavg"), "%lf", &load);
	}
	kill(burner, SIGKILL);
	CHECK(waitpid(burner, NULL, 0) == burner);
	CHECK(load > 0);
	CHECK(sysinfo(&info) == 0 && info.loads[0] > 0);
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

static void a_command_line_is_the_parents_until_exec(void)
{
	char own[256], path[64], byte;
	int executed[2], input[2];
	pid_t child;

	snprintf(own, sizeof(own), "%s", contents("/proc/self/cmdline"));
	CHECK(pipe2(executed, O_CLOEXEC) == 0 && pipe(input) == 0);
	child = fork();
	if (child == 0) {
		if (strcmp(contents("/proc/self/cmdline"), own) != 0)
			_exit(1);
		dup2(input[0], 0);
		execl("/bin/cat", "cat", NULL);
		_exit(2);
	}
	close(executed[1]);
	CHECK_EQ(read(executed[0], &byte, 1), 0);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	CHECK(strcmp(contents(path), "cat") == 0);
	CHECK(strcmp(contents("/proc/self/cmdline"), own) == 0);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	CHECK(strcmp(contents("/proc/self/cmdline"), own) == 0);
	close(executed[0]);
	close(input[0]);
	close(input[1]);
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

/* The last line of a directory is that of what is mounted there, over whatever else. */
static dev_t device_mounted_at(const char *directory)
{
	unsigned major = 0, minor = 0;
	bool found = false;
	char root[64], place[256];

	for (const char *line = contents("/proc/self/mountinfo"); *line; line++) {
		unsigned id, parent, a, b;

		if (sscanf(line, "%u %u %u:%u %63s %255s", &id, &parent, &a, &b, root, place) == 6 &&
		    !strcmp(place, directory)) {
			major = a;
			minor = b;
			found = true;
		}
		line = strchr(line, '\n');
		CHECK(line);
	}
	CHECK(found);
	return makedev(major, minor);
}

static void a_mount_has_the_device_number_of_its_files(void)
{
	static const char *const directories[] = { "/", "/proc" };
	char path[64];

	for (int i = 0; i < 2; i++) {
		dev_t mounted = device_mounted_at(directories[i]);
		struct stat s;

		CHECK_EQ(stat(directories[i], &s), 0);
		CHECK_EQ(mounted, s.st_dev);
	}
	CHECK(strstr(contents("/proc/self/mountinfo"), " - proc "));
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", getpid());
	CHECK(strstr(contents(path), " - proc "));
}

/* The name of the main thread's state, of the thread that looks, or of the process. */
static char state_in(const char *path)
{
	const char *end = strrchr(contents(path), ')');

	CHECK(end);
	return end[2];
}

static void *outlive_main(void *unused)
{
	char path[64], name[64] = "", wanted[64];
	int threads = 0;

	while (state_in("/proc/self/stat") != 'Z')
		sched_yield();
	if (!strstr(contents("/proc/self/status"), "\nState:\tZ (zombie)\n") ||
	    !strstr(text, "\nThreads:\t2\n"))
		_exit(1);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", getpid(), getpid());
	if (state_in(path) != 'Z' || state_in("/proc/thread-self/stat") != 'R')
		_exit(2);
	snprintf(wanted, sizeof(wanted), "%d/task/%d", getpid(), gettid());
	if (readlink("/proc/thread-self", name, sizeof(name) - 1) < 0 || strcmp(name, wanted) != 0)
		_exit(3);
	DIR *d = opendir("/proc/self/task");

	while (readdir(d))
		threads++;
	_exit(threads == 4 ? 0 : 4); /* with "." and ".." */
}

/* In a process of its own, whose main thread ends before it. */
static void a_main_thread_that_has_ended_is_a_zombie(void)
{
	pid_t child = fork();
	pthread_t thread;
	int status;

	if (child == 0) {
		if (pthread_create(&thread, NULL, outlive_main, NULL) == 0)
			pthread_exit(NULL);
		_exit(9);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void threads_find_themselves(void)
{
	struct stat st;
	int found = 0;
	DIR *d = opendir("/proc");

	for (struct dirent *e; (e = readdir(d));)
		found += strcmp(e->d_name, "thread-self") == 0 && e->d_type == DT_LNK;
	closedir(d);
	CHECK_EQ(found, 1);
	CHECK(lstat("/proc/thread-self", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK_EQ(atoi(contents("/proc/thread-self/stat")), gettid());
}

static void a_name_is_one_line(void)
{
	CHECK_EQ(prctl(PR_SET_NAME, "a\nState:\\b", 0, 0, 0), 0);
	CHECK(strstr(contents("/proc/self/status"), "Name:\ta\\nState:\\\\b\nUmask:") == text);
	CHECK_EQ(prctl(PR_SET_NAME, "proc_files", 0, 0, 0), 0);
}

static int reads_as_ended(int fd)
{
	return pread(fd, text, sizeof(text), 0) == -1 && errno == ESRCH;
}

static _Atomic int listed_thread;
static sem_t may_end;

static void *wait_to_be_opened(void *unused)
{
	listed_thread = gettid();
	while (sem_wait(&may_end) != 0)
		;
	return NULL;
}

/* A file that was opened before tells of nobody else then. */
static void what_has_ended_says_so(void)
{
	static const char *const names[] = { "stat", "status", "comm", "cmdline" };
	int files[8], status;
	pthread_t thread;
	char path[64];
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	sem_init(&may_end, 0, 0);
	CHECK(pthread_create(&thread, NULL, wait_to_be_opened, NULL) == 0);
	while (!listed_thread)
		sched_yield();
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), i < 4 ? "/proc/self/task/%d/%s" : "/proc/%d/%s",
			 i < 4 ? listed_thread : child, names[i % 4]);
		files[i] = open(path, O_RDONLY);
		CHECK(files[i] >= 0);
		CHECK(pread(files[i], text, sizeof(text), 0) > 0);
	}
	sem_post(&may_end);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
	/* A join does not wait for the very end. */
	for (int i = 0; i < 5000 && !reads_as_ended(files[0]); i++)
		usleep(1000);
	for (int i = 0; i < 8; i++) {
		CHECK(reads_as_ended(files[i]));
		close(files[i]);
	}
}

/* So many mappings of a page each, every other one of which may be written. */
#define MANY 24000

static char *map_many(void)
{
	char *m = mmap(NULL, MANY * 4096ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(m != MAP_FAILED);
	for (long i = 0; i < MANY; i += 2)
		CHECK(mprotect(m + i * 4096, 4096, PROT_READ | PROT_WRITE) == 0);
	return m;
}

#define BEGINNING 5000
#define PLACE 700001

/* Read in pieces of `size`: the lines of mappings within [m, m + MANY pages). */
static int count_lines(const char *m, size_t size, char beginning[BEGINNING], char at_place[100])
{
	static char buffer[8192];
	int fd = open("/proc/self/maps", O_RDONLY), lines = 0;
	size_t kept = 0, position = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, buffer + kept, size)) > 0) {
		for (ssize_t i = 0; i < n; i++, position++) {
			if (position < BEGINNING)
				beginning[position] = buffer[kept + (size_t)i];
			if (position >= PLACE && position < PLACE + 100)
				at_place[position - PLACE] = buffer[kept + (size_t)i];
		}
		kept += (size_t)n;
		for (char *end, *line = buffer; (end = memchr(line, '\n', kept)); line = end + 1) {
			unsigned long start = strtoul(line, NULL, 16);

			lines += start >= (unsigned long)m && start < (unsigned long)m + MANY * 4096ul;
			kept -= (size_t)(end + 1 - line);
			if (kept == 0 || !memchr(end + 1, '\n', kept)) {
				memmove(buffer, end + 1, kept);
				break;
			}
		}
	}
	CHECK_EQ(n, 0);
	close(fd);
	return lines;
}

/* As many lines as there may be mappings, whatever the pieces are in which they are read. */
static void maps_are_as_long_as_they_are(void)
{
	static char beginning[2][BEGINNING], at_place[2][100], again[BEGINNING];
	char *m = map_many(), *volatile nowhere = (char *)8;
	int fd;

	CHECK_EQ(count_lines(m, 4096, beginning[0], at_place[0]), MANY);
	CHECK_EQ(count_lines(m, 77, beginning[1], at_place[1]), MANY);
	CHECK(memcmp(beginning[0], beginning[1], 1000) == 0 && memcmp(at_place[0], at_place[1], 100) == 0);
	/* Whoever goes elsewhere is led there. */
	fd = open("/proc/self/maps", O_RDONLY);
	CHECK(fd >= 0 && pread(fd, again, 100, PLACE) == 100 && memcmp(again, at_place[0], 100) == 0);
	CHECK(pread(fd, again, 500, 301) == 500 && memcmp(again, beginning[0] + 301, 500) == 0);
	CHECK(read(fd, again, 50) == 50 && memcmp(again, beginning[0], 50) == 0);
	CHECK(read(fd, nowhere, 50) == -1 && errno == EFAULT);
	CHECK(read(fd, again, 70) == 70 && memcmp(again, beginning[0] + 50, 70) == 0);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, again, 90) == 90);
	CHECK(memcmp(again, beginning[0], 90) == 0);
	close(fd);
	munmap(m, MANY * 4096ul);
}

#define LOW ((void *)0x200000)

/* Whatever else is mapped, and wherever. */
static void exe_is_the_program(void)
{
	char directory[600] = "/tmp", path[620], link[2][PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", link[0], PATH_MAX), again;
	int fd, status;
	pid_t child;

	for (int i = 0; i < 2; i++) {
		size_t end = strlen(directory);

		directory[end++] = '/';
		memset(directory + end, 'a' + i, 200);
		directory[end + 200] = 0;
		CHECK(mkdir(directory, 0700) == 0);
	}
	snprintf(path, sizeof(path), "%s/file", directory);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
	CHECK(mmap(LOW, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == LOW);
	again = readlink("/proc/self/exe", link[1], PATH_MAX);
	CHECK(n > 0 && again == n && memcmp(link[0], link[1], (size_t)n) == 0);
	child = fork();
	if (child == 0) {
		again = readlink("/proc/self/exe", link[1], PATH_MAX);
		_exit(again != n || memcmp(link[0], link[1], (size_t)n) != 0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	/* A long name does not end the map. */
	CHECK(strstr(contents("/proc/self/maps"), path) && strstr(text, "[stack]"));
	CHECK(munmap(LOW, 4096) == 0 && close(fd) == 0 && unlink(path) == 0 && rmdir(directory) == 0);
	*strrchr(directory, '/') = 0;
	CHECK(rmdir(directory) == 0);
}

int main(void)
{
	RUN(cpuinfo_has_a_block_for_each_cpu);
	RUN(meminfo_adds_up);
	RUN(stat_grows_with_time);
	RUN(own_process_is_described);
	RUN(descriptors_are_links);
	RUN(threads_are_listed);
	RUN(load_follows_what_runs);
	RUN(processes_come_and_go);
	RUN(a_command_line_is_the_parents_until_exec);
	RUN(names_are_told);
	RUN(a_mount_has_the_device_number_of_its_files);
	RUN(a_main_thread_that_has_ended_is_a_zombie);
	RUN(threads_find_themselves);
	RUN(a_name_is_one_line);
	RUN(what_has_ended_says_so);
	RUN(maps_are_as_long_as_they_are);
	RUN(exe_is_the_program);
	return test_result();
}
