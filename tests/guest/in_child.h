/* SPDX-License-Identifier: MIT */
/* What is done in a child leaves nothing behind: identities, actions, children. */
#ifndef TESTS_GUEST_IN_CHILD_H
#define TESTS_GUEST_IN_CHILD_H

#include <sys/wait.h>
#include <unistd.h>

/* The status of a child that does `what`, which returns 0 or the number of what was wrong. */
static inline int in_child(int (*what)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(what());
	return waitpid(child, &status, 0) == child ? status : -1;
}

#endif
