/* SPDX-License-Identifier: MIT */
/* exec: what reaches the new program, and what is refused. Runs itself with words as arguments. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static const char *self;

/* Status of a child that execs; -errno if it could not. */
static int run(const char *path, char *const argv[], char *const envp[])
{
	int ends[2], error = 0, status;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1000;
	pid_t child = fork();

	if (child == 0) {
		execve(path, argv, envp);
		error = errno;
		write(ends[1], &error, sizeof(error));
		_exit(127);
	}
	close(ends[1]);
	read(ends[0], &error, sizeof(error));
	close(ends[0]);
	if (waitpid(child, &status, 0) != child)
		return -1001;
	return error ? -error : status;
}

static int run_self(const char *word, const char *second)
{
	char *argv[] = { "name", (char *)word, (char *)second, NULL };
	char *envp[] = { "COLOUR=blue", "EMPTY=", NULL };

	return run(self, argv, envp);
}

static void arguments_and_environment_arrive(void)
{
	CHECK_EQ(run_self("arguments", "two words"), 0);
}

static void auxiliary_vector_is_sound(void)
{
	CHECK_EQ(run_self("auxiliary", NULL), 0);
}

static void file_that_holds(char *name, const void *bytes, size_t n, mode_t mode)
{
	int fd;

	strcpy(name, "/tmp/exec-XXXXXX");
	fd = mkstemp(name);
	write(fd, bytes, n);
	fchmod(fd, mode);
	close(fd);
}

static void bad_files_are_refused(void)
{
	char name[32], *argv[] = { "x", NULL }, *envp[] = { NULL };
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F' } };

	CHECK_EQ(run("/nonexistent", argv, envp), -ENOENT);
	CHECK_EQ(run("/tmp", argv, envp), -EACCES);
	file_that_holds(name, "echo", 4, 0644);
	CHECK_EQ(run(name, argv, envp), -EACCES);
	unlink(name);
	file_that_holds(name, "not a program", 13, 0755);
	CHECK_EQ(run(name, argv, envp), -ENOEXEC);
	unlink(name);
	file_that_holds(name, "", 0, 0755);
	CHECK_EQ(run(name, argv, envp), -ENOEXEC);
	unlink(name);
	file_that_holds(name, &header, sizeof(header), 0755);
	CHECK_EQ(run(name, argv, envp), -ENOEXEC);
	unlink(name);
	file_that_holds(name, "\177ELF\2\1\1", 7, 0755);
	CHECK_EQ(run(name, argv, envp), -ENOEXEC);
	unlink(name);
}

static void scripts_run_their_interpreter(void)
{
	char name[32], text[256];
	char *argv[] = { "ignored", "given", NULL }, *envp[] = { NULL };

	snprintf(text, sizeof(text), "#! %s script \nrest\n", self);
	file_that_holds(name, text, strlen(text), 0755);
	setenv("SCRIPT", name, 1);
	CHECK_EQ(run(name, argv, envp), 0);
	unlink(name);
	file_that_holds(name, "#!/nonexistent\n", 15, 0755);
	CHECK_EQ(run(name, argv, envp), -ENOENT);
	unlink(name);
	file_that_holds(name, "#!\n", 3, 0755);
	CHECK_EQ(run(name, argv, envp), -ENOEXEC);
	unlink(name);
}

static void scripts_may_not_go_round_in_circles(void)
{
	char name[32], text[64], *argv[] = { "x", NULL }, *envp[] = { NULL };
	int fd;

	file_that_holds(name, "", 0, 0755);
	snprintf(text, sizeof(text), "#!%s\n", name);
	fd = open(name, O_WRONLY);
	write(fd, text, strlen(text));
	close(fd);
	CHECK_EQ(run(name, argv, envp), -ELOOP);
	unlink(name);
}

/* Five interpreters may be scripts, as on Linux; and a line counts up to 255 bytes. */
static void scripts_of_scripts_have_a_depth(void)
{
	char names[7][32], text[400], *argv[] = { "x", NULL }, *envp[] = { NULL };

	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "#!%s\n", i ? names[i - 1] : "/bin/true");
		file_that_holds(names[i], text, strlen(text), 0755);
	}
	CHECK_EQ(run(names[4], argv, envp), 0);
	CHECK_EQ(run(names[5], argv, envp), -ELOOP);
	CHECK_EQ(run(names[6], argv, envp), -ELOOP);
	for (int i = 0; i < 7; i++)
		unlink(names[i]);
	memset(text, 'y', sizeof(text));
	memcpy(text, "#!/bin/true ", 12);
	file_that_holds(names[0], text, sizeof(text), 0755);
	CHECK_EQ(run(names[0], argv, envp), 0);
	unlink(names[0]);
	text[11] = 'y';
	file_that_holds(names[0], text, sizeof(text), 0755);
	CHECK_EQ(run(names[0], argv, envp), -ENOEXEC);
	unlink(names[0]);
}

static void long_arguments_have_a_limit(void)
{
	static char big[100001];
	char *argv[64], *envp[] = { NULL };

	memset(big, 'a', sizeof(big) - 1);
	argv[0] = "name";
	argv[1] = "long";
	argv[2] = argv[3] = argv[4] = big;
	argv[5] = NULL;
	CHECK_EQ(run(self, argv, envp), 0);
	for (int i = 2; i < 63; i++)
		argv[i] = big;
	argv[63] = NULL;
	CHECK_EQ(run(self, argv, envp), -E2BIG);
}

static void bad_pointers_are_faults(void)
{
	char *argv[] = { (char *)8, NULL }, *envp[] = { NULL };

	CHECK_EQ(run(self, argv, envp), -EFAULT);
	CHECK_EQ(run((char *)8, argv, envp), -EFAULT);
}

static void descriptors_close_on_exec(void)
{
	int open_one = open("/", O_RDONLY), closed = open("/", O_RDONLY | O_CLOEXEC);
	char numbers[32];

	CHECK(open_one >= 0 && closed >= 0);
	snprintf(numbers, sizeof(numbers), "%d,%d", open_one, closed);
	CHECK_EQ(run_self("descriptors", numbers), 0);
	close(open_one);
	close(closed);
}

/* A process that shares its descriptors with another has a copy of them as soon as it executes. */
static void shared_descriptors_are_ones_own_after_exec(void)
{
	int status, closed = open("/", O_RDONLY | O_CLOEXEC), shared = closed + 50;
	char numbers[32];
	pid_t child;

	CHECK(closed >= 0);
	snprintf(numbers, sizeof(numbers), "%d,%d", shared, closed);
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		if (dup2(closed, shared) != shared)
			_exit(9);
		execl("/proc/self/exe", "exec", "descriptors", numbers, NULL);
		_exit(8);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(fcntl(shared, F_GETFD), 0); /* opened before exec, when it was the same table */
	CHECK_EQ(fcntl(closed, F_GETFD), FD_CLOEXEC);
	close(shared);
	close(closed);
}

/* The one that shared the descriptors has gone: they stay what they are, with the locks that belong to
 * them. */
static void record_locks_outlast_exec_after_sharing(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const char *path = "/tmp/exec-lock";
	int fd = open(path, O_RDWR | O_CREAT, 0600), status;

	CHECK(fd >= 0);
	if (fork() == 0) {
		pid_t sharer = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

		if (sharer == 0)
			_exit(0);
		CHECK(waitpid(sharer, &status, 0) == sharer && fcntl(fd, F_SETLK, &lock) == 0);
		execl("/proc/self/exe", "exec", "lock", path, NULL);
		_exit(8);
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	close(fd);
	unlink(path);
}

static void on_signal(int number)
{
}

static void signals_are_reset_but_ignored_stay(void)
{
	sigset_t set, old;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &old);
	int r = run_self("signals", NULL);

	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	CHECK_EQ(r, 0);
}

static void *spin(void *argument)
{
	for (;;)
		;
	return NULL;
}

static void *exec_here(void *argument)
{
	char *argv[] = { "name", "only", argument, NULL };

	execv(self, argv);
	return NULL;
}

/* Another thread than the first execs: all others end, the pid stays, and is now the name of the one
 * that is left. */
static void exec_ends_other_threads(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char pid[16];
		pthread_t thread;

		snprintf(pid, sizeof(pid), "%d", getpid());
		pthread_create(&thread, NULL, spin, NULL);
		pthread_create(&thread, NULL, exec_here, pid);
		pause();
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

static void vfork_and_exec(void)
{
	char *argv[] = { "name", "pid", "0", NULL };
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execv(self, argv);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

/* execve(2): the signal of a parent's death is kept, that of its own death becomes SIGCHLD. */
static void signals_of_death_over_exec(void)
{
	char *argv[] = { "name", "death", NULL };
	pid_t child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
	int status;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		execv(self, argv);
		_exit(1);
	}
	/* Without __WALL, for children that send SIGCHLD only; WNOHANG would see it too soon. */
	siginfo_t info;

	CHECK(waitid(P_PID, child, &info, WEXITED | WNOWAIT | __WALL) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

/* set_robust_list(2): who execs gives up its robust locks, as who ends does. */
static void exec_gives_up_robust_locks(void)
{
	pthread_mutex_t *lock =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *argv[] = { "name", "pid", "0", NULL };
	pthread_mutexattr_t robust;
	pid_t child;
	int status;

	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	CHECK(lock != MAP_FAILED && pthread_mutex_init(lock, &robust) == 0);
	child = fork();
	if (child == 0) {
		pthread_mutex_lock(lock);
		execv(self, argv);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(pthread_mutex_trylock(lock), EOWNERDEAD);
	pthread_mutex_consistent(lock);
	pthread_mutex_unlock(lock);
	munmap(lock, 4096);
}

static void descriptors_can_be_executed(void)
{
	char *argv[] = { "name", "pid", "0", NULL }, *envp[] = { NULL };
	int fd = open(self, O_RDONLY), status;
	pid_t child = fork();

	if (child == 0) {
		fexecve(fd, argv, envp);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	close(fd);
}

static _Atomic bool is_about_to_stop;

/* If there is such a CPU. */
static void run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *stop_the_process(void *rounds)
{
	run_on(1);
	is_about_to_stop = true;
	for (volatile int n = 0; n < (int)(intptr_t)rounds; n++)
		;
	pthread_kill(pthread_self(), SIGSTOP); /* so that exec has not to see to it */
	return NULL;
}

/* True: it was stopped, and so until it was continued. */
static bool stops_or_ends(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, WUNTRACED) == child);
	if (WIFEXITED(status)) { /* the thread came too late */
		CHECK_EQ(WEXITSTATUS(status), 0);
		return false;
	}
	CHECK(WIFSTOPPED(status));
	usleep(2000);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	return true;
}

/* A thread stops the process while another is anywhere in exec, which ends the first: it stays stopped. */
static void a_stop_outlasts_exec(void)
{
	char *argv[] = { "exec", "nothing", NULL };
	pthread_t thread;
	int stopped = 0;

	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		if (child == 0) {
			run_on(0);
			pthread_create(&thread, NULL, stop_the_process,
				       (void *)(intptr_t)(i * 397 % 40000));
			while (!is_about_to_stop)
				sched_yield();
			execv("/tests/exec", argv);
			_exit(1);
		}
		stopped += stops_or_ends(child);
	}
	printf("# %d of 200 were stopped\n", stopped);
}

/* ---- the other side */

extern char **environ;

static int check_arguments(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[0], "name") == 0 && strcmp(argv[2], "two words") == 0 &&
	       !argv[3] && environ[0] && environ[1] && !environ[2] &&
	       strcmp(getenv("COLOUR"), "blue") == 0 && strcmp(getenv("EMPTY"), "") == 0;
}

static int check_auxiliary(void)
{
	const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const char *random = (const char *)getauxval(AT_RANDOM);
	int loads = 0;

	if (!headers || !random || getauxval(AT_PAGESZ) != 4096 ||
	    getauxval(AT_PHENT) != sizeof(*headers) || getauxval(AT_UID) != getuid() ||
	    getauxval(AT_CLKTCK) != 100 || getauxval(AT_SECURE) != 0)
		return 0;
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		loads += headers[i].p_type == PT_LOAD;
	if (strcmp((const char *)getauxval(AT_PLATFORM), "x86_64") != 0 ||
	    strcmp((const char *)getauxval(AT_EXECFN), self) != 0)
		return 0;
	for (int i = 0; i < 16; i++)
		if (random[i])
			return loads > 0;
	return 0;
}

static int check_descriptors(const char *numbers)
{
	int open_one, closed;

	sscanf(numbers, "%d,%d", &open_one, &closed);
	return fcntl(open_one, F_GETFD) == 0 && fcntl(closed, F_GETFD) == -1 && errno == EBADF;
}

/* What was locked before exec another process finds locked. */
static int check_lock(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t owner = getpid();
	int status;

	if (fork() == 0) {
		int fd = open(path, O_RDWR);

		_exit(fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_WRLCK ||
		      lock.l_pid != owner);
	}
	return wait(&status) > 0 && status == 0;
}

static int check_signals(void)
{
	struct sigaction one, two;
	sigset_t blocked;

	sigaction(SIGUSR1, NULL, &one);
	sigaction(SIGUSR2, NULL, &two);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	return one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN &&
	       sigismember(&blocked, SIGWINCH) == 1 && sigismember(&blocked, SIGUSR1) == 0;
}

/* Every call that names a thread finds this one by its id. */
static int check_only_thread(pid_t pid)
{
	cpu_set_t set;
	pid_t me = (pid_t)syscall(SYS_gettid);

	return me == pid && getpid() == pid && syscall(SYS_tkill, me, 0) == 0 &&
	       syscall(SYS_tgkill, pid, me, 0) == 0 &&
	       sched_getaffinity(me, sizeof(set), &set) == 0 && raise(0) == 0;
}

static int check_death(void)
{
	int number = 0;

	return prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGUSR1;
}

static int other_side(int argc, char **argv)
{
	if (strcmp(argv[1], "nothing") == 0)
		return 0;
	if (strcmp(argv[1], "arguments") == 0)
		return !check_arguments(argc, argv);
	if (strcmp(argv[1], "auxiliary") == 0)
		return !check_auxiliary();
	if (strcmp(argv[1], "descriptors") == 0)
		return !check_descriptors(argv[2]);
	if (strcmp(argv[1], "lock") == 0)
		return !check_lock(argv[2]);
	if (strcmp(argv[1], "signals") == 0)
		return !check_signals();
	if (strcmp(argv[1], "long") == 0)
		return !(argc == 5 && strlen(argv[4]) == 100000);
	if (strcmp(argv[1], "only") == 0)
		return !check_only_thread(atoi(argv[2]));
	if (strcmp(argv[1], "death") == 0)
		return !check_death();
	if (strcmp(argv[1], "pid") == 0)
		return !(atoi(argv[2]) == 0 || atoi(argv[2]) == getpid());
	if (strcmp(argv[1], "script") == 0)
		return !(argc == 4 && strncmp(argv[2], "/tmp/exec-", 10) == 0 &&
			 strcmp(argv[3], "given") == 0);
	return 1;
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc > 1)
		return other_side(argc, argv);
	RUN(arguments_and_environment_arrive);
	RUN(auxiliary_vector_is_sound);
	RUN(bad_files_are_refused);
	RUN(scripts_run_their_interpreter);
	RUN(scripts_may_not_go_round_in_circles);
	RUN(scripts_of_scripts_have_a_depth);
	RUN(long_arguments_have_a_limit);
	RUN(bad_pointers_are_faults);
	RUN(descriptors_close_on_exec);
	RUN(shared_descriptors_are_ones_own_after_exec);
	RUN(record_locks_outlast_exec_after_sharing);
	RUN(signals_are_reset_but_ignored_stay);
	RUN(exec_ends_other_threads);
	RUN(a_stop_outlasts_exec);
	RUN(vfork_and_exec);
	RUN(signals_of_death_over_exec);
	RUN(exec_gives_up_robust_locks);
	RUN(descriptors_can_be_executed);
	return test_result();
}
