/* SPDX-License-Identifier: MIT */
/* A CPU whose mailbox never gets empty runs its tasks, and reads every message (/proc/exo/flood of the debug
 * build, where a message comes for each that is read). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "test.h"
#include "donation_load.h"

#define FILE_NAME "/proc/exo/flood"
#define MESSAGES 6400l /* a hundred times what is read at once */
#define TURNS_LEAST 20
#define LIMIT_S 20     /* not reached unless messages are forgotten */

/* How many have been sent, and read. */
static bool look(long *sent, long *read_so_far)
{
	char text[64] = "";
	int fd = open(FILE_NAME, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && sscanf(text, "sent %ld read %ld", sent, read_so_far) == 2;
}

static bool begin(long messages)
{
	char text[32];
	int fd = open(FILE_NAME, O_WRONLY), n = snprintf(text, sizeof(text), "%ld", messages);
	bool done = write(fd, text, (size_t)n) == n;

	close(fd);
	return done;
}

/* Counted by this task, which can run nowhere else: how often it finds that some have been read since it
 * looked last.  If all were read in one go it would be once. */
static void a_flood_of_messages_leaves_the_tasks_their_turn(void)
{
	long sent = 0, before = 0, now = 0;
	time_t start = time(NULL);
	int turns = 0;

	run_on(cpus() - 1);
	CHECK(begin(MESSAGES));
	while (now < MESSAGES && time(NULL) - start < LIMIT_S) {
		CHECK(look(&sent, &now));
		turns += now != before;
		before = now;
	}
	CHECK_EQ(sent, MESSAGES);
	CHECK_EQ(now, MESSAGES);
	printf("%d turns\n", turns);
	CHECK(turns >= TURNS_LEAST);
	run_anywhere();
}

int main(void)
{
	if (access(FILE_NAME, F_OK) != 0) {
		printf("ok a_flood_of_messages_leaves_the_tasks_their_turn # skip only in the debug build\n");
		return 0;
	}
	RUN(a_flood_of_messages_leaves_the_tasks_their_turn);
	return test_result();
}
