/* SPDX-License-Identifier: MIT */
/*
 * The programs of domains.py's kind of tests that share something with another domain:
 *
 *	fill NAME BYTES SEED      writes that many bytes into a channel, made from the seed
 *	check NAME BYTES SEED     reads them: "same", or what differs
 *	echo NAME                 sends back what it reads, and opens the channel anew, for ever
 *	scribble NAME             writes random words over the memory of the channel, for ever
 */
#include <errno.h>
#include <exo/abi.h>
#include <libos/channel.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void start_random(const char *seed)
{
	random_state = strtoul(seed, NULL, 10) * 2654435761u + 1;
}

static int open_or_die(const char *name)
{
	int fd = channel_open(name, 0);

	if (fd < 0) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static int fill(int fd, size_t left)
{
	while (left > 0) {
		unsigned char bytes[3000];
		size_t n = left < sizeof(bytes) ? left : 1 + next_random() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)next_random();
		for (size_t done = 0; done < n;) {
			ssize_t put = write(fd, bytes + done, n - done);

			if (put <= 0) {
				printf("write: %s\n", strerror(errno));
				return 1;
			}
			done += (size_t)put;
		}
		left -= n;
	}
	return 0;
}

/* The writer draws one more number for each of its pieces. */
static int check(int fd, size_t size)
{
	size_t at = 0, piece = 0;

	while (at < size) {
		unsigned char bytes[2500];
		struct pollfd wait = { fd, POLLIN, 0 };
		ssize_t n = poll(&wait, 1, -1) < 0 ? -1 : read(fd, bytes, sizeof(bytes));

		if (n <= 0) {
			printf("%zu bytes came, then %s\n", at, n < 0 ? strerror(errno) : "the end");
			return 1;
		}
		for (ssize_t i = 0; i < n; i++, at++, piece--) {
			if (piece == 0)
				piece = size - at < 3000 ? size - at : 1 + next_random() % 3000;
			if (bytes[i] != (unsigned char)next_random()) {
				printf("byte %zu differs\n", at);
				return 1;
			}
		}
	}
	puts("same");
	return 0;
}

static void echo(const char *name)
{
	for (;;) {
		int fd = open_or_die(name);
		char bytes[2048];
		ssize_t n;

		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write(fd, bytes, (size_t)n) < 0)
				break;
		close(fd);
	}
}

/* Where it lies in this domain's shared region. */
static uint64_t *memory_of(const char *module, size_t *words)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;

	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct exo_module *m = &info->modules[i];

		if (strcmp(m->name, module) == 0) {
			*words = (m->size - EXO_PAGE_SIZE) / sizeof(uint64_t);
			return (uint64_t *)(m->address + EXO_PAGE_SIZE);
		}
	}
	printf("%s: there is none\n", module);
	exit(1);
}

static void scribble(const char *kind, const char *name)
{
	char module[64];
	size_t words;
	uint64_t *memory;

	snprintf(module, sizeof(module), "%s %s", kind, name);
	memory = memory_of(module, &words);
	start_random("7");
	for (;;)
		((volatile uint64_t *)memory)[next_random() % words] =
			next_random() % 4 ? next_random() : next_random() % 70000;
}

int main(int count, char **words)
{
	signal(SIGPIPE, SIG_IGN);
	if (count == 3 && strcmp(words[1], "echo") == 0)
		echo(words[2]);
	if (count == 3 && strcmp(words[1], "scribble") == 0)
		scribble("channel", words[2]);
	if (count != 5)
		return 2;
	start_random(words[4]);
	if (strcmp(words[1], "fill") == 0)
		return fill(open_or_die(words[2]), strtoul(words[3], NULL, 10));
	return check(open_or_die(words[2]), strtoul(words[3], NULL, 10));
}
