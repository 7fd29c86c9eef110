/* SPDX-License-Identifier: MIT */
/* Scheduler libraries that are loaded from files, put in force, and unloaded again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "scheduler_files.h"
#include "test.h"

#define RR "/lib/sched/rr.so"
#define DAMAGED "/tmp/damaged.so"

static void a_library_is_loaded_used_and_unloaded(void)
{
	char before[NAME_ROOM], now[NAME_ROOM];

	current_scheduler(before);
	CHECK_EQ(tell("sched", "fifo"), 0);
	CHECK_EQ(tell("sched-load", "/tests/quiet.so"), 0);
	CHECK(has_line("sched-load", "quiet "));
	CHECK_EQ(tell("sched", "quiet"), 0);
	CHECK(strcmp(current_scheduler(now), "quiet") == 0);
	CHECK_EQ(run_threads(), 0);
	CHECK_EQ(tell("sched-unload", "quiet"), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(tell("sched-load", "/tests/quiet.so"), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(tell("sched-unload", "quiet"), 0);
	CHECK(!has_line("sched-load", "quiet "));
	CHECK_EQ(tell("sched", "quiet"), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(tell("sched-unload", "quiet"), -1);
	CHECK_EQ(errno, ENOENT);
}

/* rr is linked in, too.  Which of the two runs is told by its address: the loaded one alone keeps
 * its file from being loaded again. */
static void a_loaded_library_comes_before_a_linked_one(void)
{
	char before[NAME_ROOM];

	current_scheduler(before);
	CHECK_EQ(tell("sched", "fifo"), 0);
	CHECK_EQ(tell("sched-load", RR), 0);
	CHECK_EQ(tell("sched", "rr"), 0);
	CHECK_EQ(tell("sched-unload", "rr"), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(tell("sched", "fifo"), 0);
	CHECK_EQ(tell("sched-unload", "rr"), 0);
	CHECK_EQ(tell("sched", "rr"), 0);
	CHECK_EQ(tell("sched-unload", "rr"), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(tell("sched", before), 0);
}

static int is_library(const struct dirent *entry)
{
	return strstr(entry->d_name, ".so") != NULL;
}

/* Those that ship run from their files as they do when they are linked in. */
static void every_library_that_ships_can_be_loaded(void)
{
	struct dirent **files;
	int n = scandir("/lib/sched", &files, is_library, alphasort);
	char before[NAME_ROOM];

	current_scheduler(before);
	CHECK(n >= 1);
	for (int i = 0; i < n; i++) {
		char path[300], name[NAME_ROOM], now[NAME_ROOM];

		snprintf(path, sizeof(path), "/lib/sched/%s", files[i]->d_name);
		CHECK_EQ(tell("sched", "fifo"), 0);
		CHECK_EQ(tell("sched-load", path), 0);
		CHECK(first_line("sched-unload", name));
		CHECK_EQ(tell("sched", name), 0);
		CHECK_EQ(run_threads(), 0);
		CHECK(strcmp(current_scheduler(now), name) == 0);
		CHECK_EQ(tell("sched", "fifo"), 0);
		CHECK_EQ(tell("sched-unload", name), 0);
		free(files[i]);
	}
	free(files);
	CHECK_EQ(tell("sched", before), 0);
}

static void what_is_loaded_again_replaces_what_was(void)
{
	CHECK_EQ(tell("sched-load", "/tests/quiet.so"), 0);
	CHECK_EQ(tell("sched-param", "quiet slice_us 77"), 0);
	CHECK(has_line("sched-param", "quiet slice_us 77 "));
	CHECK_EQ(tell("sched-load", "/tests/quiet.so"), 0);
	CHECK(has_line("sched-param", "quiet slice_us 4000 "));
	CHECK_EQ(tell("sched-unload", "quiet"), 0);
}

static void tunables_keep_their_limits(void)
{
	CHECK_EQ(tell("sched-load", "/tests/quiet.so"), 0);
	CHECK_EQ(tell("sched-param", "quiet slice_us 50"), 0);
	CHECK_EQ(tell("sched-param", "quiet slice_us 49"), -1);
	CHECK_EQ(errno, ERANGE);
	CHECK_EQ(tell("sched-param", "quiet slice_us 1000001"), -1);
	CHECK_EQ(errno, ERANGE);
	CHECK_EQ(tell("sched-param", "quiet slice_us 99999999999999999999"), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(tell("sched-param", "quiet slice_us"), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(tell("sched-param", "quiet other 1"), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(tell("sched-param", "nobody slice_us 1"), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK(has_line("sched-param", "quiet slice_us 50 50 1000000"));
	CHECK_EQ(tell("sched-unload", "quiet"), 0);
}

static void queues_are_dumped_to_the_reader(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	for (int cpu = 0; cpu < cpus; cpu++) {
		char line[32];

		snprintf(line, sizeof(line), "CPU %d: ", cpu);
		CHECK(has_line("sched-dump", line));
	}
}

static void what_is_no_library_is_refused(void)
{
	CHECK_EQ(tell("sched-load", "/no/such/file.so"), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(tell("sched-load", "/dev/null"), -1);
	CHECK_EQ(errno, ENOEXEC);
	CHECK_EQ(tell("sched-load", "/tests/sched_load"), -1);
	CHECK_EQ(errno, ENOEXEC);
	CHECK(has_line("sched-load", "refused /tests/sched_load: "));
}

static size_t file_bytes;

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	char *bytes;

	if (fd < 0 || fstat(fd, &status) < 0)
		return NULL;
	file_bytes = (size_t)status.st_size;
	bytes = malloc(file_bytes);
	if (bytes && read(fd, bytes, file_bytes) != (ssize_t)file_bytes)
		return NULL;
	close(fd);
	return bytes;
}

static int write_file(const char *path, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	int ok = fd >= 0 && write(fd, bytes, n) == (ssize_t)n;

	close(fd);
	return ok ? 0 : -1;
}

/* It may be loaded, if what was hit has no meaning; it is not put in force, since a library that does
 * something else than it was written to is not what is tested here. */
static void damaged_libraries_do_no_harm(void)
{
	char *bytes = read_file("/tests/quiet.so");
	int refused = 0;

	CHECK(bytes != NULL);
	srandom(1);
	for (int i = 0; i < 300; i++) {
		size_t at = (size_t)random() % file_bytes;
		char kept = bytes[at];

		bytes[at] = (char)random();
		CHECK_EQ(write_file(DAMAGED, bytes, i % 3 ? file_bytes : at), 0);
		bytes[at] = kept;
		refused += tell("sched-load", DAMAGED) < 0;
	}
	CHECK(refused >= 90); /* at least those that were cut off before their segments ended */
	free(bytes);
	unlink(DAMAGED);
	for (char name[NAME_ROOM]; first_line("sched-unload", name);)
		CHECK_EQ(tell("sched-unload", name), 0);
}

static long free_frames(void)
{
	char line[128];
	long frames = -1;

	if (find_line("stats", "frames free ", line, sizeof(line)))
		sscanf(line, "frames free %ld", &frames);
	return frames;
}

/* The heap keeps some free pages, and the first round fills what is allocated only once. */
static void unloading_gives_memory_back(void)
{
	long before = 0, after;

	for (int i = 0; i < 120; i++) {
		if (i == 20)
			before = free_frames();
		CHECK_EQ(tell("sched-load", "/tests/quiet.so"), 0);
		CHECK_EQ(tell("sched-unload", "quiet"), 0);
	}
	after = free_frames();
	CHECK(before > 0 && after > 0);
	CHECK(before - after < 100); /* one page for each would be 100 */
}

int main(void)
{
	RUN(a_library_is_loaded_used_and_unloaded);
	RUN(a_loaded_library_comes_before_a_linked_one);
	RUN(every_library_that_ships_can_be_loaded);
	RUN(what_is_loaded_again_replaces_what_was);
	RUN(tunables_keep_their_limits);
	RUN(queues_are_dumped_to_the_reader);
	RUN(what_is_no_library_is_refused);
	RUN(damaged_libraries_do_no_harm);
	RUN(unloading_gives_memory_back);
	return test_result();
}
