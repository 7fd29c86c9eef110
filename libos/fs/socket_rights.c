/* SPDX-License-Identifier: MIT */
/* Passing descriptors: see socket_rights.h. */
#include <stdbool.h>
#include "fs/socket_rights.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/descriptor.h"
#include "fs/socket.h"
#include "proc/process.h"
#include "proc/user.h"

/* Of all control messages of one call. */
#define CONTROL_BYTES_MAX 20480

/* Linux's struct cmsghdr; the next one is at a multiple of its alignment. */
struct control_header {
	uint64_t length; /* with this header */
	int32_t level, type;
};

static size_t control_align(size_t n)
{
	return (n + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
}

/* ---------------------------------------------------------------- the files */

static struct rights *rights_create(void)
{
	struct rights *r = heap_alloc(sizeof(*r) + RIGHTS_MAX * sizeof(*r->files));

	if (r) {
		atomic_init(&r->references, 1);
		r->user = user_hold_own();
	}
	return r;
}

/* Acquire and release: what others did with the files comes before they are closed. */
void rights_put(struct rights *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < r->count; i++)
		file_put(r->files[i]);
	user_remove_passed(r->user, r->count);
	user_let_go(r->user);
	heap_free(r);
}

void rights_put_all(struct rights *r)
{
	while (r) {
		struct rights *next = r->next;

		rights_put(r);
		r = next;
	}
}

/* Another one, by its descriptor. */
static int rights_add(struct rights *r, int fd)
{
	struct file *f;

	if (r->count == RIGHTS_MAX)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (!user_add_passed(r->user, current_process()->limits[RLIMIT_NOFILE][0])) {
		file_put(f);
		return -ETOOMANYREFS;
	}
	r->files[r->count++] = f;
	r->sockets += socket_of_file(f) != NULL;
	return 0;
}

/* ---------------------------------------------------------------- from the program */

/* The descriptors behind one header. */
static int read_descriptors(struct rights **rights, const uint8_t *data, size_t size)
{
	int error = 0;

	if (!*rights)
		*rights = rights_create();
	if (!*rights)
		return -ENOMEM;
	for (size_t at = 0; !error && at + sizeof(int) <= size; at += sizeof(int)) {
		int fd;

		memcpy(&fd, data + at, sizeof(fd));
		error = rights_add(*rights, fd);
	}
	return error;
}

static int read_messages(struct rights **rights, const uint8_t *control, size_t size)
{
	int error = 0;

	for (size_t at = 0; !error && size - at >= sizeof(struct control_header);) {
		struct control_header header;

		memcpy(&header, control + at, sizeof(header));
		if (header.length < sizeof(header) || header.length > size - at)
			return -EINVAL;
		/* As Linux does, what is for another protocol is passed over. */
		if (header.level == SOL_SOCKET)
			error = header.type == SCM_RIGHTS
					? read_descriptors(rights, control + at + sizeof(header),
							   header.length - sizeof(header))
					: -EINVAL;
		at += control_align(header.length);
		if (at > size)
			break;
	}
	return error;
}

int rights_read(uint64_t from, size_t size, struct rights **rights)
{
	uint8_t *control;
	int error;

	*rights = NULL;
	if (!size)
		return 0;
	if (size > CONTROL_BYTES_MAX)
		return -ENOBUFS;
	control = heap_alloc(size);
	if (!control)
		return -ENOMEM;
	error = copy_from_user(control, from, size) ?: read_messages(rights, control, size);
	heap_free(control);
	if (*rights && (error || !(*rights)->count)) {
		rights_put(*rights);
		*rights = NULL;
	}
	return error;
}

/* ---------------------------------------------------------------- to the program */

/* The descriptor is told before it has its file: then it need not be taken back from where others saw it. */
static int write_descriptor(uint64_t to, struct file *f, bool close_on_exec)
{
	int fd = fd_reserve();

	if (fd < 0)
		return fd;
	if (copy_to_user(to, &fd, sizeof(fd))) {
		fd_unreserve(fd);
		return -EFAULT;
	}
	file_get(f);
	fd_fill(fd, f, close_on_exec);
	return 0;
}

size_t rights_write(const struct rights *r, uint64_t control, size_t size, bool close_on_exec,
		    unsigned *came)
{
	struct control_header header = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	size_t room = size > sizeof(header) ? (size - sizeof(header)) / sizeof(int) : 0, used;
	unsigned i = 0;

	if (!r)
		return 0;
	while (i < r->count && i < room &&
	       write_descriptor(control + sizeof(header) + i * sizeof(int), r->files[i],
				close_on_exec) == 0)
		i++;
	if (i < r->count)
		*came |= MSG_CTRUNC;
	if (i == 0)
		return 0;
	header.length = sizeof(header) + i * sizeof(int);
	if (copy_to_user(control, &header, sizeof(header)))
		return 0;
	used = control_align(header.length);
	return used < size ? used : size;
}
