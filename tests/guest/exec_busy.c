/* SPDX-License-Identifier: MIT */
/* A program that runs is not written, and a file that is being written does not run. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define COPY "/tmp/exec_busy"
#define SCRIPT "/tmp/exec_busy.script"

static void make_copy(void)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(COPY, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	struct stat s;

	CHECK(from >= 0 && to >= 0 && fstat(from, &s) == 0);
	CHECK_EQ(sendfile(to, from, NULL, (size_t)s.st_size), s.st_size);
	CHECK(close(from) == 0 && close(to) == 0);
}

static int run_error_of(const char *path)
{
	char *words[] = { "exec_busy", "end", NULL }, *none[] = { NULL };
	pid_t child = fork();
	int status;

	if (child == 0) {
		execve(path, words, none);
		_exit(errno);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The copy, which says that it runs and then waits for its end; *said is to be read. */
static pid_t start_copy(const char *what)
{
	int said[2];
	pid_t child;
	char c;

	CHECK_EQ(pipe(said), 0);
	child = fork();
	if (child == 0) {
		dup2(said[1], 1);
		execl(COPY, "exec_busy", what, NULL);
		_exit(1);
	}
	close(said[1]);
	CHECK(child > 0 && read(said[0], &c, 1) == 1);
	close(said[0]);
	return child;
}

static void end_copy(pid_t child)
{
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static int is_busy(long result)
{
	return result == -1 && errno == ETXTBSY;
}

static void check_not_written(void)
{
	int fd = open(COPY, O_RDONLY);

	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(is_busy(open(COPY, O_WRONLY)));
	CHECK(is_busy(open(COPY, O_RDWR | O_CREAT, 0700)));
	CHECK(is_busy(open(COPY, O_RDONLY | O_TRUNC)));
	CHECK(is_busy(truncate(COPY, 0)));
	CHECK_EQ(run_error_of(COPY), 0); /* a second time */
}

static void check_written(void)
{
	int fd = open(COPY, O_RDWR);
	struct stat s;

	CHECK(fd >= 0 && fstat(fd, &s) == 0);
	CHECK(truncate(COPY, s.st_size) == 0);
	close(fd);
}

static void a_running_program_is_not_written(void)
{
	pid_t child;

	make_copy();
	check_written();
	child = start_copy("wait");
	check_not_written();
	end_copy(child);
	check_written();
	CHECK_EQ(run_error_of(COPY), 0);
	check_written();
}

/* The child of the copy is it as well, and outlives it. */
static void nor_while_its_child_runs(void)
{
	pid_t child = start_copy("fork");
	int held;

	held = open("/tmp/exec_busy.pid", O_RDONLY);
	CHECK(held >= 0);

	char text[16] = "";

	CHECK(read(held, text, sizeof(text) - 1) > 0);
	close(held);
	end_copy(child);
	check_not_written();
	CHECK_EQ(kill(atoi(text), SIGKILL), 0);
	/* It is not ours to be waited for. */
	for (int i = 0; i < 5000 && is_busy(held = open(COPY, O_WRONLY)); i++)
		usleep(1000);
	CHECK(held >= 0 && close(held) == 0);
	unlink("/tmp/exec_busy.pid");
}

/* Its name may go to another file: the old one is there as long as it runs. */
static void its_name_may_be_taken(void)
{
	pid_t child = start_copy("wait");

	CHECK_EQ(unlink(COPY), 0);
	make_copy();
	check_written();
	end_copy(child);
}

static void what_is_being_written_does_not_run(void)
{
	int fd = open(COPY, O_WRONLY), script = open(SCRIPT, O_RDWR | O_CREAT | O_TRUNC, 0700);
	char *shown;

	CHECK(fd >= 0 && run_error_of(COPY) == ETXTBSY);
	close(fd);
	CHECK_EQ(run_error_of(COPY), 0);
	CHECK(script >= 0 && dprintf(script, "#!" COPY " end\n") > 0);
	CHECK_EQ(run_error_of(SCRIPT), ETXTBSY);
	close(script);
	CHECK_EQ(run_error_of(SCRIPT), 0);
	script = open(SCRIPT, O_WRONLY);
	CHECK(script >= 0 && close(script) == 0 && unlink(SCRIPT) == 0);
	/* Through a mapping it can be written after its descriptor is gone. */
	fd = open(COPY, O_RDWR);
	shown = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(fd >= 0 && shown != MAP_FAILED && close(fd) == 0);
	CHECK_EQ(run_error_of(COPY), ETXTBSY);
	CHECK_EQ(munmap(shown, 1), 0);
	CHECK_EQ(run_error_of(COPY), 0);
}

static void a_failed_start_leaves_it_writable(void)
{
	int fd;

	CHECK_EQ(truncate(COPY, 100), 0);
	CHECK_EQ(run_error_of(COPY), ENOEXEC);
	fd = open(COPY, O_WRONLY);
	CHECK(fd >= 0 && close(fd) == 0 && unlink(COPY) == 0);
}

static int be_the_copy(const char *what)
{
	if (strcmp(what, "end") == 0)
		return 0;
	if (strcmp(what, "fork") == 0) {
		pid_t child = fork();
		int fd;

		if (child == 0)
			for (;;)
				pause();
		fd = open("/tmp/exec_busy.pid", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dprintf(fd, "%d", child);
	}
	if (write(1, "x", 1) == 1)
		for (;;)
			pause();
	return 1;
}

/* By its descriptor, which has no path, and by the name in /proc; it may be written all the time. */
static void a_memory_file_runs_while_it_is_open(void)
{
	char *words[] = { "exec_busy", "end", NULL }, *none[] = { NULL }, path[32];
	int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("copy", 0), status;
	struct stat s;
	pid_t child;

	CHECK(from >= 0 && to >= 0 && fstat(from, &s) == 0);
	CHECK_EQ(sendfile(to, from, NULL, (size_t)s.st_size), s.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	CHECK_EQ(run_error_of(path), 0);
	child = fork();
	if (child == 0) {
		syscall(SYS_execveat, to, "", words, none, AT_EMPTY_PATH);
		_exit(errno);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK(close(from) == 0 && close(to) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_the_copy(argv[1]);
	RUN(a_running_program_is_not_written);
	RUN(nor_while_its_child_runs);
	RUN(its_name_may_be_taken);
	RUN(what_is_being_written_does_not_run);
	RUN(a_failed_start_leaves_it_writable);
	RUN(a_memory_file_runs_while_it_is_open);
	return test_result();
}
