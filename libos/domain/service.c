/* SPDX-License-Identifier: MIT */
/* The names of servers, and their devices: see service.h. */
#include "domain/service.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/device.h"

#define MAJOR_SERVER 245 /* Linux's range for local use */
#define SERVICES_MAX 256u /* names; each is remembered */

/* Only grows, under `names`; read without: published with release. */
static struct service *_Atomic services;
static struct lock names = LOCK_INIT("server names", RANK_LEAF);
static _Atomic uint32_t count;

struct service *service_first(void)
{
	return atomic_load_explicit(&services, memory_order_acquire);
}

static long service_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct service *s = f->private;
	struct server_message m;
	int r;

	if (command != SERVER_CALL && command != SERVER_REPLY_RECEIVE && command != SERVER_AWAIT_CPU)
		return -ENOTTY;
	if ((s->role == SERVICE_SERVES) != (command != SERVER_CALL))
		return -EPERM;
	if (copy_from_user(&m, argument, sizeof(m)) != 0)
		return -EFAULT;
	if (command == SERVER_CALL)
		r = service_call(s, &m);
	else if (command == SERVER_REPLY_RECEIVE)
		r = service_reply_receive(s, &m);
	else
		r = service_await_cpu(s, &m);
	/* Also when the call is to be made again: what has been answered is not answered twice, as by then
	 * another caller's request may have its number. */
	if ((r == 0 || command == SERVER_REPLY_RECEIVE) && copy_to_user(argument, &m, sizeof(m)) != 0)
		r = -EFAULT;
	return r;
}

static const struct file_ops service_ops = { .ioctl = service_ioctl };

/* Under links_mutex, or at boot. */
static int publish(struct service *s)
{
	char path[sizeof("server/") + LINK_NAME_MAX];
	uint32_t number = atomic_fetch_add(&count, 1);
	int r;

	if (number >= SERVICES_MAX)
		return -ENOSPC;
	format(path, sizeof(path), "server/%s", s->name);
	r = device_register(path, DEVICE_FOR_ALL, MAJOR_SERVER, number, &service_ops, s);
	if (r)
		return r;
	lock_acquire(&names);
	s->next = service_first();
	atomic_store_explicit(&services, s, memory_order_release);
	lock_release(&names);
	return 0;
}

static struct service *make(const char *name, enum service_role role, const struct link *from, int *error)
{
	struct service *s = heap_alloc(sizeof(*s));

	*error = -ENOMEM;
	if (!s)
		return NULL;
	string_copy(s->name, name, sizeof(s->name));
	s->role = role;
	lock_init(&s->lock, "server", RANK_PIPE);
	wait_queue_init(&s->waiting);
	if (from) {
		s->link = from->page;
		s->pages = from->memory;
	}
	*error = publish(s);
	return *error ? NULL : s; /* its device may have been published */
}

struct service *service_find(const char *name, int *error)
{
	struct service *s;

	mutex_lock(&links_mutex);
	s = service_first();
	while (s && strcmp(s->name, name) != 0)
		s = s->next;
	*error = s && s->link ? -EEXIST : 0;
	if (*error)
		s = NULL;
	else if (!s)
		s = make(name, SERVICE_MAKES, NULL, error);
	mutex_unlock(&links_mutex);
	return s;
}

static void find_shown(const char *kind, enum service_role role)
{
	struct link link;
	int r;

	for (uint32_t at = 0; link_next(kind, &at, &link);)
		if (!make(link.name, role, &link, &r))
			log_print("server %s: error %d\n", link.name, r);
}

void services_init(void)
{
	find_shown(SERVICE_SERVE, SERVICE_SERVES);
	find_shown(SERVICE_USE, SERVICE_USES);
}

void services_rung(void)
{
	for (struct service *s = service_first(); s; s = s->next) {
		lock_acquire(&s->lock);
		if (s->link)
			link_clean(s->link, &s->retired_seen);
		wake_all(&s->waiting, WAKE_ANY);
		lock_release(&s->lock);
	}
}
