/* SPDX-License-Identifier: MIT */
/* A name of a socket, of whatever family, with its size. */
#ifndef TESTS_GUEST_SOCKET_NAME_H
#define TESTS_GUEST_SOCKET_NAME_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct name {
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in internet;
		char bytes[128];
	};
};

#endif
