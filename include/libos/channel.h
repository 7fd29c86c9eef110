/* SPDX-License-Identifier: MIT */
/*
 * Channels: a stream of bytes each way between programs of two domains.  Who makes a domain says which
 * channels it has (`domainctl create --channel NAME`); the other end is that of the next domain made
 * with the same name, or the maker's own:
 *
 *	int fd = channel_open("NAME", 0);
 *
 *	read(fd, ...), write(fd, ...), poll()    as with a socket
 *
 * Opening waits until the other end is open too, as with a FIFO.  Once the other end has been closed,
 * or its domain has died, read() returns what is left and then 0, and write() fails with EPIPE.  Files
 * of one end share it.  Neither end has to trust the other: what one scribbles into the memory that both
 * see can spoil what is read, or end it (EIO), and nothing else.
 */
#ifndef LIBOS_CHANNEL_H
#define LIBOS_CHANNEL_H

#include <fcntl.h>
#include <string.h>

#define CHANNEL_DIRECTORY "/dev/channel/"
#define CHANNEL_NAME_MAX 23

/*
 * channel_open - open this domain's end of a channel
 *
 * flags   of open(2): O_CLOEXEC, O_NONBLOCK (does not wait for the other end)
 *
 * Returns a descriptor, or -1 and errno: ENOENT (no channel of that name), ENXIO (nobody has an end of
 * it now), EBUSY (both ends are others'), EINTR.
 */
static inline int channel_open(const char *name, int flags)
{
	char path[sizeof(CHANNEL_DIRECTORY) + CHANNEL_NAME_MAX] = CHANNEL_DIRECTORY;

	strncat(path, name, CHANNEL_NAME_MAX);
	return open(path, O_RDWR | flags);
}

#endif
