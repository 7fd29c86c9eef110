/* SPDX-License-Identifier: MIT */
/*
 * O_ASYNC: a file whose news is told by SIGIO, of fcntl(2) and ioctl(2).
 *
 *	news --wakes--> [notice] --is put into--> list --timer--> SIGIO to the owner
 *
 * A notice waits in the file's queues as an epoll's item does (fs/epoll.h), from when it is first wanted
 * until the file is closed.  Who has news holds the file's lock, under which no signal can be sent: so
 * he arms a timer that is due at once, and that fires with no lock held.
 */
#ifndef LIBOS_FS_ASYNC_H
#define LIBOS_FS_ASYNC_H

#include <stdint.h>

struct async_notice;
struct file;

/* All but the last in task context, with no lock held and a reference on f. */

/* From now on O_ASYNC among the flags of f has an effect: 0, -ENOMEM, or -ENOSPC: the user has too many;
 * -ENOTTY: f never has news. */
int async_prepare(struct file *f);
/* F_SETOWN, with who may be a process, or a group if negative; 0: nobody.  0, or -ESRCH, -EINVAL or as
 * above. */
int async_set_owner(struct file *f, int who);
int async_owner(struct file *f); /* likewise; 0: nobody, or it has ended */
/* F_SETOWN_EX and F_GETOWN_EX, with a struct f_owner_ex in the program. */
long async_set_owner_ex(struct file *f, uint64_t user);
long async_owner_ex(struct file *f, uint64_t user);

/* Nobody has the file any more. */
void async_forget(struct async_notice *n);

#endif
