/* SPDX-License-Identifier: MIT */
/* Names of sockets, as programs write and read them. */
#include "fs/socket_name.h"
#include <string.h>
#include "abi/errno.h"
#include "core/usercopy.h"

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define LOOPBACK_NET 127

/* A path ends at its first NUL, or where the name ends. */
static void end_path(struct socket_name *n)
{
	size_t i = PATH_AT;

	while (i < n->size && n->bytes[i])
		i++;
	n->bytes[i] = '\0';
	n->size = (uint32_t)i + 1;
}

int socket_name_fetch(struct socket_name *n, uint64_t user, int size)
{
	if (size < 0 || size > SOCKET_NAME_BYTES_MAX)
		return -EINVAL;
	*n = (struct socket_name){ .size = (uint32_t)size };
	/* What is longer than any name is not looked at. */
	return copy_from_user(n->bytes, user,
			      n->size < sizeof(n->bytes) ? n->size : sizeof(n->bytes));
}

int socket_name_check(struct socket_name *n, int family)
{
	if (n->size < sizeof(n->family))
		return -EINVAL;
	if (n->family != family)
		return family == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
	if (family == AF_INET) {
		if (n->size < sizeof(n->internet))
			return -EINVAL;
		n->size = sizeof(n->internet);
		memset(n->internet.sin_zero, 0, sizeof(n->internet.sin_zero));
		return 0;
	}
	if (n->size > sizeof(n->local))
		return -EINVAL;
	if (socket_name_is_path(n))
		end_path(n);
	return 0;
}

static int write_name(const struct socket_name *n, int whole, uint64_t user, uint64_t size_user)
{
	int room;

	if (copy_from_user(&room, size_user, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (room > whole)
		room = whole;
	return copy_to_user(user, n->bytes, (size_t)room)
		       ?: copy_to_user(size_user, &whole, sizeof(whole));
}

int socket_name_write(const struct socket_name *n, int family, uint64_t user, uint64_t size_user)
{
	struct socket_name none = { .size = sizeof(none.family), .family = (uint16_t)family };

	if (family == AF_INET)
		none.size = sizeof(none.internet);
	if (!n->size)
		n = &none;
	return write_name(n, (int)n->size, user, size_user);
}

int socket_name_write_sender(const struct socket_name *n, uint64_t user, uint64_t size_user)
{
	return write_name(n, (int)n->size, user, size_user);
}

bool socket_name_is_same(const struct socket_name *a, const struct socket_name *b)
{
	if (a->size != b->size || a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->internet.sin_port == b->internet.sin_port &&
		       a->internet.sin_addr.s_addr == b->internet.sin_addr.s_addr;
	return memcmp(a->bytes, b->bytes, a->size) == 0;
}

bool socket_name_is_here(const struct socket_name *n)
{
	uint32_t address = __builtin_bswap32(n->internet.sin_addr.s_addr);

	return address == INADDR_ANY || address >> 24 == LOOPBACK_NET;
}
