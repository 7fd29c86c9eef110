/* SPDX-License-Identifier: MIT */
/*
 * Servers: a domain that others call, on the callers' time.
 *
 *	domainctl create --passive --serve NAME -- PROGRAM     the server; it gives up its own time
 *	domainctl create --use NAME -- PROGRAM                 one that may call it, as its maker may
 *
 *	int fd = server_open("NAME");                          in the caller
 *	uint64_t words[SERVER_WORDS] = { 1, 2 };
 *	int r = server_call(fd, words, 1000000000);            words are the answer then
 *
 *	static void handler(uint64_t words[SERVER_WORDS], unsigned caller, void *argument);
 *	return server_run("NAME", handler, NULL);              in the server
 *
 * A call blocks its task.  Its CPU's time is the server's meanwhile: the server's vcore on that CPU
 * runs on the caller's budget, and on nobody else's.  When the budget ends, both stop, and go on when
 * there is time again; when something happens that the caller's domain has to see to, a timer or a
 * task that must run, it is interrupted like a program, and goes on with the call afterwards.  A server
 * that is in the middle of another caller's request finishes that first, on the time of whoever calls.
 */
#ifndef LIBOS_SERVER_H
#define LIBOS_SERVER_H

#include <stdint.h>

#define SERVER_DIRECTORY "/dev/server/"
#define SERVER_NAME_MAX 23
#define SERVER_WORDS 6

/* What the functions below do, by ioctl() on a file of /dev/server. */
enum server_ioctl {
	SERVER_CALL = 0x5301,          /* struct server_message */
	SERVER_REPLY_RECEIVE = 0x5302, /* likewise; by a thread that is bound to one CPU (EINVAL) */
	SERVER_AWAIT_CPU = 0x5303,     /* likewise: until there is a CPU that is not in words[0], a mask,
					* which then has all that there are */
};

struct server_message {
	uint64_t words[SERVER_WORDS];
	uint64_t timeout_ns; /* of a call; 0: for ever */
	uint32_t request;    /* in: which one the words answer, 0: none; out: which one this is */
	uint32_t caller;     /* out: 0: the server's maker; others as they came */
};

#ifdef __cplusplus
extern "C" {
#endif

/* A descriptor, or -1 and errno (ENOENT: this domain may not call it). */
int server_open(const char *name);

/*
 * server_call - have the server do something, on this task's time
 *
 * words        the request; overwritten by the answer
 * timeout_ns   how long to wait, 0: for ever.  A server that does not answer is abandoned then
 *
 * Returns 0, -ENXIO (there is no server now, or on no CPU of this domain), -EXDEV (it has no vcore on a
 * CPU that the task may run on), -EPIPE (it died, or one of the two lost the CPU), -ETIMEDOUT, -EINTR (a
 * signal came), -EDEADLK (it is waiting for this domain, or the chain of callers is longer than four),
 * -EAGAIN (63 calls of this domain are under way).  After -EPIPE, -ETIMEDOUT, -EINTR and -EDEADLK the
 * server may or may not have done it.
 *
 * The task stays on one CPU while it calls.  A mask that another sets for it meanwhile holds afterwards.
 */
int server_call(int fd, uint64_t words[SERVER_WORDS], uint64_t timeout_ns);

/* caller: 0 is the server's maker.  What it leaves in words is the answer. */
typedef void (*server_handler)(uint64_t words[SERVER_WORDS], unsigned caller, void *argument);

/*
 * server_run - serve, with one thread on each CPU of this domain, also those that it is given later
 *
 * The handler is called in several threads at once, each on its CPU.  It may call servers itself, and it
 * may block: its caller then looks again each millisecond, and pays for that.
 * Returns only on failure: -errno.
 */
int server_run(const char *name, server_handler handler, void *argument);

#ifdef __cplusplus
}
#endif

#endif
