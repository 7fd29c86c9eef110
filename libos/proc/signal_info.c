/* SPDX-License-Identifier: MIT */
/*
 * siginfo_t as the program has it: 128 bytes, of which nothing behind the first 48 has a meaning in any
 * signal that there is.  So these are kept and copied, and the others are 0 whatever was sent; as on Linux.
 */
#include <asm/siginfo.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

#define USER_SIZE 128
#define REST (USER_SIZE - sizeof(struct signal_info))

int signal_info_write(uint64_t user, const struct signal_info *info)
{
	if (copy_to_user(user, info, sizeof(*info)) != 0)
		return -EFAULT;
	return zero_user(user + sizeof(*info), REST) < 0 ? -EFAULT : 0;
}

/* Of the codes that calls of the system give, what is behind is known to be padding.  With a code of its
 * own a program may mean it, and is told that it would be lost. */
int signal_info_read(struct signal_info *info, uint64_t user)
{
	static const uint8_t nothing[REST];
	uint8_t rest[REST];

	if (copy_from_user(info, user, sizeof(*info)) != 0 ||
	    copy_from_user(rest, user + sizeof(*info), REST) != 0)
		return -EFAULT;
	if (info->code >= SI_DETHREAD || info->code == SI_ASYNCNL)
		return 0;
	return memcmp(rest, nothing, REST) == 0 ? 0 : -E2BIG;
}
