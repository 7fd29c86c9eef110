/* SPDX-License-Identifier: MIT */
/*
 * Making domains: other instances of the libos on the same machine.  For programs, by ioctl() on a
 * file opened on /dev/domain (apps/domainctl uses all of it):
 *
 *	int fd = open("/dev/domain", O_RDWR);
 *
 *	ioctl(fd, DOMAIN_CREATE, &create);     the domain runs; fd is its console from now on
 *	read(fd, ...), write(fd, ...)          what it prints, what it is to read; read() returns 0 when
 *	                                       it is dead and all has been read
 *	ioctl(fd, DOMAIN_WAIT, &status);       waits until it is dead and all it had has come back
 *
 * A domain is killed, and forgotten, when the file that it was made through is closed (but DOMAIN_KEEP).
 * Other files reach it by its number (DOMAIN_ATTACH), to wait for it or to kill it.
 */
#ifndef LIBOS_DOMAIN_H
#define LIBOS_DOMAIN_H

#include <stdint.h>

enum domain_ioctl {
	DOMAIN_CREATE = 0x4401, /* struct domain_create; EINVAL, ENOMEM, EBUSY (the CPU's time is given
				 * out, or a channel's end or a line is taken), ENOSPC (too many domains),
				 * EPERM (not root), ESRCH (it was ended while it was made: the first of its
				 * CPUs goes) */
	DOMAIN_ATTACH = 0x4402, /* the number itself; ESRCH */
	DOMAIN_KILL = 0x4403,
	DOMAIN_WAIT = 0x4404,   /* struct domain_status; the domain's number means nothing afterwards */
	DOMAIN_KEEP = 0x4405,   /* closing the file does not end the domain, and its end is remembered
				 * until somebody waits for it */
	DOMAIN_RESIZE = 0x4406, /* struct domain_resize; EINVAL, ENOMEM, ESRCH (it is dead), EBUSY (another
				 * resize, or it has less than could be taken from it), EPERM (not root) */
};

struct domain_create {
	uint64_t cpus;       /* a bit for each CPU that it is to have a vcore on */
	uint64_t memory;     /* bytes: all that it costs */
	uint64_t budget_ns, period_ns; /* on each of them */
	uint64_t command_line; /* address of a string: words for its libos, such as sched=edf */
	uint64_t words, words_size; /* the program and its arguments, each ended by a NUL */
	uint64_t image;      /* address of a path: the libos; 0: DOMAIN_IMAGE */
	uint64_t links, links_size; /* what it shares with others, each ended by a NUL: "channel NAME",
				     * "serve NAME", "use NAME" (channel.h, server.h) */
	uint32_t id;         /* out: its number */
	uint32_t flags;      /* enum domain_flag */
	uint32_t lines;      /* a bit for each interrupt line, 0 to 23, that it is to have: /dev/irq/N */
	uint32_t reserved;
};
#define DOMAIN_IMAGE "/lib/exo/libos"

struct domain_resize {
	uint64_t memory;      /* bytes that it is to have, counted as for DOMAIN_CREATE; 0: as now */
	uint64_t cpus;        /* a bit for each CPU that it is to have; 0: as now */
	uint64_t budget_ns, period_ns; /* on each of them; 0: as now */
	uint32_t patience_ms; /* so long it has to give back what it is to lose; then that is taken */
	uint32_t flags;       /* enum domain_resize_flag */
	uint64_t forced;      /* out: bytes that had to be taken */
	uint32_t lines;       /* with DOMAIN_RESIZE_LINES: those that it is to have */
	uint32_t reserved;
};

enum domain_resize_flag {
	DOMAIN_RESIZE_LINES = 1 << 0,
};

enum domain_flag {
	DOMAIN_PASSIVE = 1 << 0, /* a server: it loses its time when it serves on all of its CPUs */
};

enum domain_cause {
	DOMAIN_CAUSE_NONE,   /* it is alive */
	DOMAIN_CAUSE_EXIT,   /* its program ended; status is as wait(2) has it */
	DOMAIN_CAUSE_PANIC,  /* its libos found a bug in itself */
	DOMAIN_CAUSE_FAULT,  /* its libos faulted while it handled a fault */
	DOMAIN_CAUSE_KILLED, /* by DOMAIN_KILL, or because its file was closed */
};

struct domain_status {
	uint32_t id;
	uint32_t cause; /* enum domain_cause */
	int32_t status;
	uint32_t reserved;
};

#endif
