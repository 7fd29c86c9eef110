/* SPDX-License-Identifier: MIT */
/* Watches an interrupt line by its edges, and reads until there is nothing, which is its answer: so each
 * interrupt is one. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int line = open("/dev/irq/0", O_RDONLY | O_NONBLOCK), ep = epoll_create1(0);
	uint32_t count;

	if (line < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, line, &event) != 0)
		return 1;
	for (int i = 0; i < 5; i++) {
		if (epoll_wait(ep, &event, 1, -1) != 1 || event.events != EPOLLIN)
			return 2;
		if (read(line, &count, sizeof(count)) != sizeof(count))
			return 3;
		while (read(line, &count, sizeof(count)) == sizeof(count))
			;
		if (errno != EAGAIN)
			return 4;
	}
	puts("edges");
	return 0;
}
