/* SPDX-License-Identifier: MIT */
/*
 * /dev/domain (include/libos/domain.h): a file opened on it makes a domain, and is its console then;
 * or it is attached to one that another file has made.  /proc/exo/domains lists them.
 */
#include "domain/device.h"
#include <linux/fcntl.h>
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "domain/domain.h"
#include "domain/lines.h"
#include "fs/device.h"
#include "fs/poll.h"
#include "fs/procfs.h"
#include "proc/process.h"
#include "proc/signal.h"

#define MAJOR_DOMAIN 242 /* Linux's range for local use */
#define PIECE 512u
#define MEMORY_LEAST (4ul << 20)
#define MEMORY_MOST (1ul << 40)
#define PATIENCE_MOST_MS 60000u

/* What a file is attached to; private of the file. */
struct domain_file {
	struct lock lock;
	struct domain *domain; /* under lock, and fixed once it is not NULL */
	bool is_console;       /* likewise */
	struct domain_pollers pollers;
	_Atomic bool keep;     /* closing the console's file does not kill the domain */
};

static struct domain *domain_of(struct file *f)
{
	struct domain_file *df = f->private;
	struct domain *d;

	lock_acquire(&df->lock);
	d = df->domain;
	lock_release(&df->lock);
	return d;
}

/* Consumes the caller's reference.  -EBUSY: another thread was faster; nobody would have the console. */
static int attach(struct file *f, struct domain *d, bool console)
{
	struct domain_file *df = f->private;
	bool taken;

	lock_acquire(&df->lock);
	taken = df->domain != NULL;
	if (!taken) {
		df->domain = d;
		df->is_console = console;
	}
	lock_release(&df->lock);
	if (taken && console) {
		domain_kill(d);
		domain_told(d);
	}
	if (taken)
		domain_put(d);
	else
		domain_attach(d, &df->pollers);
	return taken ? -EBUSY : 0;
}

static bool may_wait(const struct file *f)
{
	return !(f->flags & O_NONBLOCK);
}

static long domain_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct domain *d = domain_of(f);
	uint8_t bytes[PIECE];
	long got;

	if (!d || !((struct domain_file *)f->private)->is_console)
		return -EINVAL;
	got = domain_console_read(d, may_wait(f), bytes, n < sizeof(bytes) ? n : sizeof(bytes));
	if (got > 0 && copy_to_user(user, bytes, (size_t)got) != 0)
		return -EFAULT;
	return got;
}

static long domain_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct domain *d = domain_of(f);
	uint8_t bytes[PIECE];

	if (!d || !((struct domain_file *)f->private)->is_console)
		return -EINVAL;
	if (n > sizeof(bytes))
		n = sizeof(bytes);
	if (copy_from_user(bytes, user, n) != 0)
		return -EFAULT;
	return domain_console_write(d, may_wait(f), bytes, n);
}

/*
 * Why nothing is missed between the registration and the look, though they are not under one hold of the
 * lock: attach() sets the domain, and then wakes the pollers.  If that is before the registration,
 * domain_of() finds the domain; else it wakes this one.  The file is in the domain's list by then, so later
 * changes wake it, too.
 */
static uint32_t domain_poll(struct file *f, struct poll_waiter *w)
{
	struct domain_file *df = f->private;
	struct domain *d;

	if (w) {
		lock_acquire(&domains_lock);
		poll_wait(w, &df->pollers.queue, &domains_lock);
		lock_release(&domains_lock);
	}
	d = domain_of(f);
	return d ? domain_console_poll(d) : POLLERR;
}

/* 0 or -ERESTARTSYS. */
static int wait_until_dead(struct domain *d, unsigned flags)
{
	int r = 0;

	lock_acquire(&domains_lock);
	while (d->state != DOMAIN_DEAD && r != -EINTR)
		r = wait_on(&d->changed, &domains_lock, flags, 0);
	r = d->state == DOMAIN_DEAD ? 0 : -ERESTARTSYS;
	lock_release(&domains_lock);
	return r;
}

/* ---------------------------------------------------------------- making one */

static int check_request(const struct domain_create *c)
{
	if (!c->cpus || (c->cpus & ~vcores_present()) || c->words_size == 0 ||
	    c->words_size > DOMAIN_WORDS_MAX || c->links_size > DOMAIN_LINKS_MAX ||
	    (c->flags & ~(uint32_t)DOMAIN_PASSIVE) || c->lines >> IRQ_LINES ||
	    c->memory < MEMORY_LEAST || c->memory > MEMORY_MOST)
		return -EINVAL;
	return 0;
}

/* What it is to share with others. */
static int take_links(const struct domain_create *c, struct domain *d)
{
	int r = c->links_size ? copy_from_user(d->links, c->links, c->links_size) : 0;

	d->links_size = (uint32_t)c->links_size;
	if (r == 0 && d->links_size && d->links[d->links_size - 1])
		r = -EINVAL;
	for (const char *at = d->links; at < d->links + d->links_size && r == 0; at += strlen(at) + 1)
		r = link_is_known(at) ? 0 : -EINVAL;
	return r;
}

/* Copies what the request names into d. */
static int take_request(const struct domain_create *c, struct domain *d)
{
	int r = copy_from_user(d->words, c->words, c->words_size);

	d->cpus = c->cpus;
	d->reports_to = (unsigned)__builtin_ctzl(c->cpus);
	d->passive = c->flags & DOMAIN_PASSIVE;
	d->memory_bytes = c->memory & ~(EXO_PAGE_SIZE - 1);
	d->budget_ns = c->budget_ns;
	d->period_ns = c->period_ns;
	d->words_size = (uint32_t)c->words_size;
	d->words[c->words_size - 1] = 0;
	string_copy(d->image, DOMAIN_IMAGE, sizeof(d->image));
	if (r == 0 && c->image)
		r = (int)copy_string_from_user(d->image, c->image, sizeof(d->image));
	if (r >= 0 && c->command_line)
		r = (int)copy_string_from_user(d->command_line, c->command_line,
					       sizeof(d->command_line));
	if (r >= 0)
		r = take_links(c, d);
	return r < 0 ? r : 0;
}

/* Builds it and lets it run. */
static int bring_up(const struct domain_create *c, struct domain *d)
{
	int r = domain_build(d);

	if (r)
		return r;
	if (d->passive && !d->serving)
		return -EINVAL;
	r = links_connect(d);
	if (r == 0)
		r = lines_set(d, c->lines, 0);
	if (r == 0)
		r = domain_begin(d);
	return r ? r : domain_start(d);
}

static long create(struct file *f, uint64_t user)
{
	struct domain_create c;
	struct domain *d;
	int r;

	if (current_process()->euid != 0)
		return -EPERM;
	if (copy_from_user(&c, user, sizeof(c)) != 0)
		return -EFAULT;
	r = check_request(&c);
	if (r)
		return r;
	d = domain_new();
	if (!d)
		return -ENOMEM;
	r = take_request(&c, d);
	if (r == 0)
		r = domain_list(d);
	if (r) {
		domain_discard(d);
		return r;
	}
	r = bring_up(&c, d);
	domain_busy_end(d);
	c.id = d->id;
	if (r == 0 && copy_to_user(user, &c, sizeof(c)) != 0)
		r = -EFAULT;
	if (r == 0)
		return attach(f, d, true);
	/* Whoever tries again finds all that this one had. */
	domain_kill(d);
	(void)wait_until_dead(d, 0);
	domain_told(d);
	domain_put(d);
	return r;
}

/* ---------------------------------------------------------------- the rest */

static long wait_for_end(struct domain *d, uint64_t user)
{
	struct domain_status s = { .id = d->id };
	int r = wait_until_dead(d, WAIT_INTERRUPTIBLE);

	if (r)
		return r;
	s.cause = d->cause;
	s.status = d->status;
	r = copy_to_user(user, &s, sizeof(s));
	if (r == 0)
		domain_told(d);
	return r;
}

static long resize(struct domain *d, uint64_t user)
{
	struct domain_resize request;
	uint64_t forced = 0, patience_ns;
	int r = copy_from_user(&request, user, sizeof(request));

	if (r)
		return r;
	if ((request.memory && (request.memory < MEMORY_LEAST || request.memory > MEMORY_MOST)) ||
	    (request.cpus & ~vcores_present()) || request.patience_ms > PATIENCE_MOST_MS ||
	    (request.flags & ~(uint32_t)DOMAIN_RESIZE_LINES) || request.lines >> IRQ_LINES)
		return -EINVAL;
	patience_ns = request.patience_ms * 1000000ul;
	r = domain_resize_begin(d);
	if (r)
		return r;
	if (request.budget_ns)
		r = domain_resize_budget(d, request.budget_ns, request.period_ns);
	if (r == 0 && request.cpus)
		r = domain_resize_cpus(d, request.cpus, patience_ns);
	if (r == 0 && (request.flags & DOMAIN_RESIZE_LINES))
		r = lines_set(d, request.lines, patience_ns);
	if (r == 0 && request.memory)
		r = domain_resize_memory(d, request.memory, patience_ns, &forced);
	domain_busy_end(d);
	request.forced = forced * EXO_PAGE_SIZE;
	return copy_to_user(user, &request, sizeof(request)) ? -EFAULT : r;
}

static long domain_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct domain *d = domain_of(f);

	if (command == DOMAIN_CREATE)
		return d ? -EBUSY : create(f, argument);
	if (command == DOMAIN_ATTACH) {
		struct domain *other;

		if (current_process()->euid != 0)
			return -EPERM;
		other = domain_find((uint32_t)argument);
		return other ? attach(f, other, false) : -ESRCH;
	}
	if (command != DOMAIN_KILL && command != DOMAIN_WAIT && command != DOMAIN_KEEP &&
	    command != DOMAIN_RESIZE)
		return -ENOTTY;
	if (!d)
		return -EINVAL;
	if (command == DOMAIN_RESIZE)
		return resize(d, argument);
	if (command == DOMAIN_WAIT)
		return wait_for_end(d, argument);
	if (command == DOMAIN_KILL)
		domain_kill(d);
	else
		((struct domain_file *)f->private)->keep = true;
	return 0;
}

static int domain_open(struct file *f)
{
	struct domain_file *df = heap_alloc(sizeof(*df));

	if (!df)
		return -ENOMEM;
	lock_init(&df->lock, "domain file", RANK_LEAF);
	wait_queue_init(&df->pollers.queue);
	list_init(&df->pollers.link);
	f->private = df;
	return 0;
}

static void domain_release(struct file *f)
{
	struct domain_file *df = f->private;

	if (df->domain && df->is_console && !df->keep) {
		domain_kill(df->domain);
		domain_told(df->domain);
	}
	if (df->domain) {
		domain_detach(&df->pollers);
		domain_put(df->domain);
	}
	heap_free(df);
}

static const struct file_ops domain_ops = {
	.read = domain_read,
	.write = domain_write,
	.poll = domain_poll,
	.ioctl = domain_ioctl,
	.open = domain_open,
	.release = domain_release,
};

/* ---------------------------------------------------------------- /proc/exo/domains */

static const char *const states[] = {
	[DOMAIN_MAKING] = "making", [DOMAIN_ALIVE] = "alive", [DOMAIN_DYING] = "dying",
	[DOMAIN_DEAD] = "dead",
};

static void print_domains(struct text *out, void *unused)
{
	struct domain *d;

	text_print(out, "id state cpus memory-KiB budget-us period-us consumed-us program\n");
	for (uint32_t id = 0; (d = domain_next(id)) != NULL; id++) {
		id = d->id;
		text_print(out, "%u %s %lx %lu %lu %lu %lu %s\n", d->id,
			   d->has_no_time && d->state == DOMAIN_ALIVE ? "passive" : states[d->state], d->cpus,
			   d->memory_bytes / 1024, d->budget_ns / 1000, d->period_ns / 1000,
			   domain_consumed_ns(d) / 1000, d->words);
		domain_put(d);
	}
}

void domain_device_init(void)
{
	if (device_register("domain", DEVICE_FOR_ROOT, MAJOR_DOMAIN, 0, &domain_ops, NULL) != 0 ||
	    proc_register("exo/domains", print_domains, NULL, NULL) != 0)
		log_print("domain: /dev/domain cannot be made\n");
}
