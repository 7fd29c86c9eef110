/* SPDX-License-Identifier: MIT */
/*
 * A domain meets its end while it is being made.
 *
 *	domains_making ROUNDS     one process makes domains, and others reach for each by its number from
 *	                          before it is there: they look at its console, and kill it
 *	domains_making ROUNDS much  asks for more time than there is: none can be made
 */
#include <errno.h>
#include <fcntl.h>
#include <libos/domain.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLERS 2

static _Atomic uint32_t *number; /* of the one that is made, in memory of all */

static int open_or_die(void)
{
	int fd = open("/dev/domain", O_RDWR);

	if (fd < 0) {
		perror("/dev/domain");
		exit(1);
	}
	return fd;
}

/* For ever: one whose end has been told is not there any more. */
static void reach_for_all(void)
{
	for (;;) {
		int fd = open_or_die();
		struct pollfd look = { fd, POLLIN | POLLOUT, 0 };
		struct domain_status end;

		if (ioctl(fd, DOMAIN_ATTACH, *number) == 0) {
			poll(&look, 1, 0);
			ioctl(fd, DOMAIN_KILL);
			ioctl(fd, DOMAIN_WAIT, &end);
		}
		close(fd);
	}
}

/* It ends only by the others' doing, or is not made. */
static void make(bool much)
{
	static const char words[] = "sleep\0" "1000";
	struct domain_create create = {
		.cpus = 1, .memory = 10 << 20, .budget_ns = 20000000, .period_ns = 100000000,
		.words = (uint64_t)words, .words_size = sizeof(words),
	};
	struct domain_status end;
	int fd = open_or_die(), r;

	++*number;
	if (much)
		create.budget_ns = create.period_ns;
	r = ioctl(fd, DOMAIN_CREATE, &create);
	if (much ? r == 0 || errno != EBUSY : r < 0 || ioctl(fd, DOMAIN_WAIT, &end) < 0) {
		perror("create");
		exit(1);
	}
	close(fd);
}

int main(int count, char **words)
{
	pid_t killers[KILLERS];

	if (count < 2)
		return 2;
	number = mmap(NULL, sizeof(*number), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (number == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < KILLERS; i++) {
		killers[i] = fork();
		if (killers[i] == 0)
			reach_for_all();
	}
	for (long rounds = strtol(words[1], NULL, 10); rounds > 0; rounds--)
		make(count > 2);
	for (unsigned i = 0; i < KILLERS; i++) {
		kill(killers[i], SIGKILL);
		waitpid(killers[i], NULL, 0);
	}
	puts("made");
	return 0;
}
