/* SPDX-License-Identifier: MIT */
/*
 * The channel to exo-run on the second serial port: the standard streams of the program that it
 * runs, byte for byte, and its end.
 *
 *	/dev/host/0    read: standard input of exo-run
 *	/dev/host/1,2  write: its standard output and error
 *	/dev/host/trace  write: the file that its --trace names
 *	/dev/host/ctl  write 4 bytes: the program's wait status
 *	               write 'g' and 4 bytes: the process group that exo-run's signals go to
 *
 * Numbers are little-endian.
 */
#ifndef LIBOS_HOST_CHANNEL_H
#define LIBOS_HOST_CHANNEL_H

/* Task context, once; no devices if there is no port. */
void host_channel_init(void);

#endif
