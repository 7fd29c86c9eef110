/* SPDX-License-Identifier: MIT */
/*
 * What the flags of recv and the sizes of a message mean.  All of it holds on Linux as well:
 * gcc -pthread tests/guest/socket_receive.c tries it there.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "socket_make.h"

#define BYTES 150000

static int client, server;

static void end(void)
{
	close(client);
	close(server);
}

/* All that is there is seen, from the beginning each time, into whatever memory. */
static void what_is_looked_at_stays(void)
{
	size_t size = BYTES + 4096;
	char *out = malloc(BYTES), *in;

	make_joined(abstract_name(1), &client, &server);
	for (int i = 0; i < BYTES; i++)
		out[i] = (char)(i * 7 + i / 256);
	CHECK_EQ(write(client, out, BYTES), BYTES);
	for (int i = 0; i < 3; i++) {
		in = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(in != MAP_FAILED);
		CHECK_EQ(recv(server, in, size, MSG_PEEK), BYTES);
		CHECK_EQ(memcmp(in, out, BYTES), 0);
		CHECK_EQ(recv(server, in, 100000, MSG_PEEK), 100000);
		munmap(in, size);
	}
	in = malloc(size);
	CHECK_EQ(recv(server, in, 1000, 0), 1000);
	CHECK_EQ(recv(server, in, size, MSG_PEEK), BYTES - 1000);
	CHECK_EQ(memcmp(in, out + 1000, BYTES - 1000), 0);
	CHECK_EQ(recv(server, in, size, 0), BYTES - 1000);
	FAILS(recv(server, in, size, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	free(in);
	free(out);
	end();
}

/* Of a network: it takes nothing, and does not wait. */
static void errors_are_asked_for_in_vain(int sender, int receiver)
{
	char c = 0;

	FAILS(recv(receiver, &c, 1, MSG_ERRQUEUE), EAGAIN);
	CHECK_EQ(write(sender, "x", 1), 1);
	CHECK(ready_to_receive(receiver) & POLLIN);
	FAILS(recv(receiver, &c, 1, MSG_ERRQUEUE), EAGAIN);
	CHECK_EQ(recv(receiver, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');
}

static void there_are_no_errors_with_more_to_them(void)
{
	make_joined(loopback(0), &client, &server);
	errors_are_asked_for_in_vain(client, server);
	end();
	server = make_bound(SOCK_DGRAM, loopback(0));
	client = make_connected(SOCK_DGRAM, own_name(server));
	errors_are_asked_for_in_vain(client, server);
	end();
}

static void a_networks_bytes_may_be_dropped(void)
{
	char got[16];

	make_joined(loopback(0), &client, &server);
	CHECK_EQ(write(client, "abcdefgh", 8), 8);
	CHECK(ready_to_receive(server) & POLLIN);
	CHECK_EQ(recv(server, NULL, 3, MSG_TRUNC | MSG_PEEK), 3);
	CHECK_EQ(recv(server, NULL, 3, MSG_TRUNC), 3);
	CHECK_EQ(recv(server, got, sizeof(got), 0), 5);
	CHECK_EQ(memcmp(got, "defgh", 5), 0);
	end();
	make_joined(abstract_name(1), &client, &server);
	CHECK_EQ(write(client, "abc", 3), 3);
	CHECK_EQ(recv(server, got, sizeof(got), MSG_TRUNC), 3);
	CHECK_EQ(memcmp(got, "abc", 3), 0);
	end();
}

static void a_long_name_is_cut_off(void)
{
	char bytes[200] = { 0 };
	struct iovec one = { "x", 1 };
	struct msghdr m = {
		.msg_name = bytes, .msg_namelen = sizeof(bytes), .msg_iov = &one, .msg_iovlen = 1
	};
	struct name n;

	server = make_bound(SOCK_DGRAM, loopback(0));
	client = make(AF_INET, SOCK_DGRAM);
	n = own_name(server);
	memcpy(bytes, &n.internet, sizeof(n.internet));
	CHECK_EQ(sendmsg(client, &m, 0), 1);
	CHECK(ready_to_receive(server) & POLLIN);
	FAILS(sendto(client, "x", 1, 0, (void *)bytes, sizeof(bytes)), EINVAL);
	m.msg_namelen = -1u;
	FAILS(sendmsg(client, &m, 0), EINVAL);
	end();
}

int main(void)
{
	RUN(what_is_looked_at_stays);
	RUN(there_are_no_errors_with_more_to_them);
	RUN(a_networks_bytes_may_be_dropped);
	RUN(a_long_name_is_cut_off);
	return test_result();
}
