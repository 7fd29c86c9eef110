/* SPDX-License-Identifier: MIT */
/*
 * Makes domains, other instances of the libos on this machine, and looks after them.
 * docs/domains.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <libos/domain.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_FAILED 125      /* domainctl itself */
#define EXIT_DOMAIN_DIED 126 /* its libos, under the program */
#define WORDS_MAX 3072
#define LINKS_MAX 512
#define END_OF_INPUT 4       /* Ctrl-D, for the domain's terminal */
#define INTERRUPT 3          /* Ctrl-C, likewise */

static _Noreturn void usage(void)
{
	fputs("usage: domainctl create [options] -- PROGRAM [ARGUMENT...]\n"
	      "         --cpus 0,2-3          the CPUs that it runs on (0)\n"
	      "         --mem 32M             all the memory that it costs (32M)\n"
	      "         --budget 30/100ms     its part of each of them (50/100ms)\n"
	      "         --sched NAME          its scheduler library\n"
	      "         --append WORDS        more words for its libos\n"
	      "         --image FILE          its libos (" DOMAIN_IMAGE ")\n"
	      "         --channel NAME        an end of that channel; the other is the next domain's\n"
	      "                               with the same option, or is opened here\n"
	      "         --serve NAME          it answers calls to this server\n"
	      "         --use NAME            it may call this server, as may its maker\n"
	      "         --irq 8,12            those interrupt lines, as /dev/irq/N there; or none\n"
	      "         --passive             once it serves, it runs on its callers' time alone\n"
	      "         --detach              print its number and let it run; its lines come on\n"
	      "                               the console, after its number\n"
	      "       domainctl list\n"
	      "       domainctl resize NUMBER [options]\n"
	      "         --cpus, --mem, --budget, --irq  what it is to have from now on\n"
	      "         --patience 10000      milliseconds until what it does not give back is taken\n"
	      "       domainctl wait NUMBER\n"
	      "       domainctl kill NUMBER\n"
	      "exit status of create and wait: the program's; 128 + the signal that ended it; 126: the\n"
	      "domain died under it; 137: it was killed; 125: domainctl failed\n",
	      stderr);
	exit(EXIT_FAILED);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "domainctl: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILED);
}

/* ---------------------------------------------------------------- options */

/* "0,2-3" */
static uint64_t parse_cpus(const char *text)
{
	uint64_t cpus = 0;
	char *end;

	for (;;) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			usage();
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
		}
		if (last < first || last > 63 || (*end && *end != ','))
			usage();
		for (unsigned long cpu = first; cpu <= last; cpu++)
			cpus |= 1ul << cpu;
		if (!*end)
			return cpus;
		text = end + 1;
	}
}

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoul(text, &end, 10);

	switch (*end) {
	case 'G':
		size <<= 10; /* fall through */
	case 'M':
		size <<= 10; /* fall through */
	case 'K':
		size <<= 10;
		end++;
	}
	if (*end || end == text)
		usage();
	return size;
}

/* "30/100ms": the unit, ms if there is none, is that of both. */
static void parse_budget(const char *text, uint64_t *budget_ns, uint64_t *period_ns)
{
	uint64_t unit = 1000000;
	char *end;

	*budget_ns = strtoul(text, &end, 10);
	if (*end != '/')
		usage();
	*period_ns = strtoul(end + 1, &end, 10);
	if (strcmp(end, "us") == 0)
		unit = 1000;
	else if (*end && strcmp(end, "ms") != 0)
		usage();
	*budget_ns *= unit;
	*period_ns *= unit;
}

/* "8,12" or "none": a bit for each. */
static uint32_t parse_lines(const char *text)
{
	uint32_t lines = 0;

	if (strcmp(text, "none") == 0)
		return 0;
	for (char *end = NULL; !end || *end; text = end + 1) {
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || (*end && *end != ',') || n > 23)
			usage();
		lines |= 1u << n;
	}
	return lines;
}

static void add_words(char *line, size_t size, const char *key, const char *words)
{
	size_t used = strlen(line);

	if ((size_t)snprintf(line + used, size - used, "%s%s%s", used ? " " : "", key, words) >=
	    size - used)
		usage();
}

/* What it is to share: a list of strings, each ended by a NUL. */
static void add_link(struct domain_create *c, const char *kind, const char *name)
{
	static char links[LINKS_MAX];
	int n = snprintf(links + c->links_size, sizeof(links) - c->links_size, "%s %s", kind, name);

	if ((size_t)n >= sizeof(links) - c->links_size)
		usage();
	c->links = (uint64_t)links;
	c->links_size += (uint64_t)n + 1;
}

/* The index of the first word of the program. */
static int parse_options(int count, char **words, struct domain_create *c, char *line, size_t size,
			 int *detach)
{
	int i = 2;

	for (; i < count && strncmp(words[i], "--", 2) == 0; i++) {
		const char *option = words[i] + 2, *value = words[i + 1];

		if (!*option)
			return i + 1;
		if (strcmp(option, "detach") == 0) {
			*detach = 1;
			continue;
		}
		if (strcmp(option, "passive") == 0) {
			c->flags |= DOMAIN_PASSIVE;
			continue;
		}
		if (!value)
			usage();
		i++;
		if (strcmp(option, "cpus") == 0)
			c->cpus = parse_cpus(value);
		else if (strcmp(option, "mem") == 0)
			c->memory = parse_size(value);
		else if (strcmp(option, "budget") == 0)
			parse_budget(value, &c->budget_ns, &c->period_ns);
		else if (strcmp(option, "irq") == 0)
			c->lines = parse_lines(value);
		else if (strcmp(option, "sched") == 0)
			add_words(line, size, "sched=", value);
		else if (strcmp(option, "append") == 0)
			add_words(line, size, "", value);
		else if (strcmp(option, "channel") == 0 || strcmp(option, "serve") == 0 ||
			 strcmp(option, "use") == 0)
			add_link(c, option, value);
		else if (strcmp(option, "image") == 0)
			c->image = (uint64_t)value;
		else
			usage();
	}
	return i;
}

/* ---------------------------------------------------------------- the console */

static int write_all(int to, const char *bytes, ssize_t n)
{
	while (n > 0) {
		ssize_t done = write(to, bytes, (size_t)n);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			bytes += done;
			n -= done;
		}
	}
	return 0;
}

/* Its terminal takes an end of input at the beginning of a line. */
static int end_input(int domain)
{
	char end = END_OF_INPUT;

	return write_all(domain, &end, 1);
}

static int interrupted_domain;

/* Ctrl-C is for the program in the domain, whose terminal makes a signal of it there; Ctrl-\ is ours. */
static void pass_interrupt(int signal)
{
	char interrupt = INTERRUPT;
	int saved = errno;

	(void)signal;
	if (write(interrupted_domain, &interrupt, 1) < 0)
		_exit(EXIT_FAILED);
	errno = saved;
}

static void pass_interrupts(int domain)
{
	struct sigaction action = { .sa_handler = pass_interrupt, .sa_flags = SA_RESTART };

	interrupted_domain = domain;
	sigaction(SIGINT, &action, NULL);
}

/* Standard input to the domain, its output to ours, until it is dead. */
static void connect_console(int domain)
{
	struct pollfd files[2] = { { domain, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	char bytes[1024];
	ssize_t n;

	for (;;) {
		if (poll(files, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (files[1].revents) {
			n = read(STDIN_FILENO, bytes, sizeof(bytes));
			if (n > 0 && write_all(domain, bytes, n) < 0)
				files[1].fd = -1;
			if (n == 0)
				end_input(domain);
			if (n == 0 || (n < 0 && errno != EINTR))
				files[1].fd = -1;
		}
		if (files[0].revents) {
			n = read(domain, bytes, sizeof(bytes));
			if (n == 0 || (n > 0 && write_all(STDOUT_FILENO, bytes, n) < 0))
				return;
		}
		files[0].revents = files[1].revents = 0;
	}
}

/* Whole lines to the system's console, each with the domain's number, until it is dead. */
static void keep_console(int domain, unsigned id)
{
	FILE *from = fdopen(dup(domain), "r"), *to = fopen("/dev/console", "w");
	char line[1024];

	while (from && to && fgets(line, sizeof(line), from)) {
		fprintf(to, "%u: %s", id, line);
		if (!strchr(line, '\n'))
			fputc('\n', to);
		fflush(to);
	}
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

	if (keeper < 0)
		die("fork");
	if (keeper > 0) {
		printf("%u\n", id);
		return 0;
	}
	setsid();
	for (int stream = 0; stream < 3; stream++)
		close(stream);
	keep_console(domain, id);
	ioctl(domain, DOMAIN_KEEP);
	return 0;
}

static int create(int count, char **words)
{
	struct domain_create c = { .cpus = 1, .memory = 32ul << 20, .budget_ns = 50000000,
				   .period_ns = 100000000 };
	char line[1024] = "", text[WORDS_MAX];
	int detach = 0, domain = open_device();
	int at = parse_options(count, words, &c, line, sizeof(line), &detach);

	if (at == count)
		usage();
	for (; at < count; at++) {
		size_t n = strlen(words[at]) + 1;

		if (c.words_size + n > sizeof(text))
			usage();
		memcpy(text + c.words_size, words[at], n);
		c.words_size += n;
	}
	c.words = (uint64_t)text;
	c.command_line = (uint64_t)line;
	if (ioctl(domain, DOMAIN_CREATE, &c) < 0)
		die("create");
	if (detach)
		return keep(domain, c.id);
	pass_interrupts(domain);
	connect_console(domain);
	return wait_for(domain);
}

static int list(void)
{
	char bytes[4096];
	int fd = open("/proc/exo/domains", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;

	while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
		write_all(STDOUT_FILENO, bytes, n);
	if (n < 0)
		die("/proc/exo/domains");
	return 0;
}

static int attach(const char *number)
{
	int domain = open_device();

	if (ioctl(domain, DOMAIN_ATTACH, strtoul(number, NULL, 10)) < 0)
		die(number);
	return domain;
}

static int kill_domain(const char *number)
{
	if (ioctl(attach(number), DOMAIN_KILL) < 0)
		die("kill");
	return 0;
}

static int resize(int count, char **words)
{
	struct domain_resize r = { .patience_ms = 10000 };
	int domain = attach(words[2]);

	for (int i = 3; i < count; i += 2) {
		if (i + 1 == count)
			usage();
		if (strcmp(words[i], "--mem") == 0)
			r.memory = parse_size(words[i + 1]);
		else if (strcmp(words[i], "--cpus") == 0)
			r.cpus = parse_cpus(words[i + 1]);
		else if (strcmp(words[i], "--budget") == 0)
			parse_budget(words[i + 1], &r.budget_ns, &r.period_ns);
		else if (strcmp(words[i], "--irq") == 0) {
			r.lines = parse_lines(words[i + 1]);
			r.flags |= DOMAIN_RESIZE_LINES;
		} else if (strcmp(words[i], "--patience") == 0)
			r.patience_ms = (uint32_t)strtoul(words[i + 1], NULL, 10);
		else
			usage();
	}
	if (ioctl(domain, DOMAIN_RESIZE, &r) < 0)
		die("resize");
	if (r.forced)
		printf("domain %s: %lu KiB had to be taken from it\n", words[2],
		       (unsigned long)(r.forced >> 10));
	return 0;
}

int main(int count, char **words)
{
	if (count >= 2 && strcmp(words[1], "create") == 0)
		return create(count, words);
	if (count == 2 && strcmp(words[1], "list") == 0)
		return list();
	if (count >= 4 && strcmp(words[1], "resize") == 0)
		return resize(count, words);
	if (count == 3 && strcmp(words[1], "wait") == 0)
		return wait_for(attach(words[2]));
	if (count == 3 && strcmp(words[1], "kill") == 0)
		return kill_domain(words[2]);
	usage();
}
