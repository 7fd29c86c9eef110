/* SPDX-License-Identifier: MIT */
/* Advisory locks on files: fcntl's record locks, its open-file locks, and flock. */
#ifndef LIBOS_RECORD_LOCK_H
#define LIBOS_RECORD_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct inode;

/* fcntl's two kinds see each other; flock's are a world of their own. */
enum record_lock_kind { RECORD_LOCK_FCNTL, RECORD_LOCK_FLOCK };

struct record_lock_request {
	enum record_lock_kind kind;
	const void *owner; /* a file_table (F_SETLK), or a file (F_OFD_SETLK, flock) */
	uint32_t pid;      /* told to others who ask */
	int type;          /* F_RDLCK, F_WRLCK, F_UNLCK */
	uint64_t first, last; /* bytes, both inclusive */
};

/* 0, -EAGAIN (held by another, and not wait), -ENOMEM, -ENOLCK (there are too many), -ERESTARTSYS.  With
 * -EAGAIN and -ERESTARTSYS, what flock's owner held before is given up; what fcntl's owners held is as it
 * was. */
int record_lock_set(struct inode *i, const struct record_lock_request *request, bool wait);
/* Turns the request into the first lock that conflicts with it, or into F_UNLCK. */
void record_lock_test(struct inode *i, struct record_lock_request *request);
/* The owner closes the file: whatever it holds there is free. */
void record_lock_release(struct inode *i, const void *owner);

#endif
