/* SPDX-License-Identifier: MIT */
/*
 * Makes domains, other instances of the libos on this machine, and looks after them.
 * docs/domains.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <libos/domain.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../program.h"
#include "console.h"
#include "options.h"
#include "reason.h"

#define EXIT_DOMAIN_DIED 126 /* its libos, under the program */

static void print_usage(void)
{
	fputs("usage: domainctl create [options] -- PROGRAM [ARGUMENT...]\n"
	      "         --cpus 0,2-3          the CPUs that it runs on (0)\n"
	      "         --mem 32M             all the memory that it costs (32M)\n"
	      "         --budget 30/100ms     its part of each of them (50/100ms)\n"
	      "         --sched NAME          its scheduler library\n"
	      "         --append WORDS        more words for its libos\n"
	      "         --image FILE          its libos (" DOMAIN_IMAGE ")\n"
	      "         --channel NAME        an end of that channel; the other is the next\n"
	      "                               domain's with the same option, or is opened here\n"
	      "         --serve NAME          it answers calls to this server\n"
	      "         --use NAME            it may call this server, as may its maker\n"
	      "         --irq 8,12            those interrupt lines, as /dev/irq/N there; or none\n"
	      "         --passive             once it serves, it runs on its callers' time alone\n"
	      "         --detach              print its number and let it run; its lines come on\n"
	      "                               the console, after its number\n"
	      "       domainctl list\n"
	      "       domainctl resize NUMBER [options]\n"
	      "         --cpus, --mem, --budget, --irq  what it is to have from now on\n"
	      "         --patience 10000      milliseconds until what it keeps is taken\n"
	      "       domainctl wait NUMBER\n"
	      "       domainctl kill NUMBER\n"
	      "exit status of create and wait: the program's; 128 + the signal that ended it;\n"
	      "126: the domain died under it; 137: it was killed; 125: domainctl failed\n",
	      stdout);
}

static _Noreturn void die(const char *what)
{
	refuse(what, strerror(errno));
}

/* ---------------------------------------------------------------- commands */

/* What domainctl exits with. */
static int wait_for(int domain)
{
	struct domain_status s;

	if (ioctl(domain, DOMAIN_WAIT, &s) < 0)
		die("wait");
	switch (s.cause) {
	case DOMAIN_CAUSE_EXIT:
		return WIFEXITED(s.status) ? WEXITSTATUS(s.status) : 128 + WTERMSIG(s.status);
	case DOMAIN_CAUSE_KILLED:
		fprintf(stderr, "domainctl: domain %u was killed\n", s.id);
		return 128 + 9;
	default:
		fprintf(stderr, "domainctl: domain %u died: its libos %s\n", s.id,
			s.cause == DOMAIN_CAUSE_PANIC ? "panicked" : "faulted twice");
		return EXIT_DOMAIN_DIED;
	}
}

static int open_device(void)
{
	int fd = open("/dev/domain", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/domain");
	return fd;
}

/* A process that nobody waits for and that holds none of our files holds the domain's. */
static int keep(int domain, unsigned id)
{
	pid_t keeper = fork();
	struct domain_status unseen;

	if (keeper < 0)
		die("fork");
	if (keeper > 0) {
		printf("%u\n", id);
		if (program_has_printed("domainctl"))
			return 0;
		ioctl(domain, DOMAIN_KILL); /* nobody would know it */
		ioctl(domain, DOMAIN_WAIT, &unseen);
		return EXIT_FAILED;
	}
	setsid();
	for (int stream = 0; stream < 3; stream++)
		close(stream);
	console_keep(domain, id);
	ioctl(domain, DOMAIN_KEEP);
	return 0;
}

static int create(char **options)
{
	struct domain_create c = {
		.cpus = 1, .memory = 32ul << 20, .budget_ns = 50000000, .period_ns = 100000000
	};
	bool detach = false;
	int domain;

	parse_create(options, &c, &detach);
	domain = open_device();
	if (ioctl(domain, DOMAIN_CREATE, &c) < 0)
		refused_create(&c);
	if (detach)
		return keep(domain, c.id);
	console_pass_interrupts(domain);
	console_connect(domain);
	return wait_for(domain);
}

static int list(void)
{
	char bytes[4096];
	int fd = open("/proc/exo/domains", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;

	while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
		if (write_all(STDOUT_FILENO, bytes, (size_t)n) < 0)
			die("standard output");
	if (n < 0)
		die("/proc/exo/domains");
	return 0;
}

static int attach(const char *number)
{
	unsigned id = parse_domain(number);
	int domain = open_device();

	if (ioctl(domain, DOMAIN_ATTACH, id) < 0)
		die(number);
	return domain;
}

static int kill_domain(const char *number)
{
	if (ioctl(attach(number), DOMAIN_KILL) < 0)
		die("kill");
	return 0;
}

static int resize(const char *number, char **options)
{
	struct domain_resize r = { .patience_ms = 10000 };
	int domain;

	parse_resize(options, &r);
	domain = attach(number);
	if (ioctl(domain, DOMAIN_RESIZE, &r) < 0)
		refused_resize(&r);
	if (r.forced)
		printf("domain %s: %lu KiB had to be taken from it\n", number,
		       (unsigned long)(r.forced >> 10));
	return program_has_printed("domainctl") ? 0 : EXIT_FAILED;
}

static int help(void)
{
	print_usage();
	return program_has_printed("domainctl") ? 0 : EXIT_FAILED;
}

/* One that is closed is empty, or takes all, and its number is nobody else's. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int count, char **words)
{
	const char *command = count >= 2 ? words[1] : "";

	open_standard_streams();
	if (strcmp(command, "--help") == 0)
		return help();
	if (strcmp(command, "create") == 0)
		return create(words + 2);
	if (strcmp(command, "list") == 0 && count == 2)
		return list();
	if (strcmp(command, "resize") == 0 && count >= 4)
		return resize(words[2], words + 3);
	if (strcmp(command, "wait") == 0 && count == 3)
		return wait_for(attach(words[2]));
	if (strcmp(command, "kill") == 0 && count == 3)
		return kill_domain(words[2]);
	fputs("usage: domainctl create|list|resize|wait|kill ...: see domainctl --help\n", stderr);
	return EXIT_FAILED;
}
