/* SPDX-License-Identifier: MIT */
/*
 * /dev/irq/N: see lines.h.
 *
 * Why no interrupt is slept over: it is counted under the line's lock, which a reader holds from its look
 * at the count until it is registered as waiting.
 */
#include "domain/lines.h"
#include <linux/fcntl.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "domain/domain.h"
#include "domain/parent.h"
#include "time/time.h"
#include "fs/device.h"
#include "fs/poll.h"
#include "proc/process.h"
#include "proc/signal.h"

#define MAJOR_LINE 246 /* Linux's range for local use */
#define ANSWER_NS 200000ul /* between two answers that are passed on: the CPU's tasks have their turn */

/* All of it under its lock. */
struct line {
	struct lock lock;
	exo_handle given;   /* what our maker has granted, as we saw it last */
	exo_handle handle;  /* 0: it is not ours now */
	uint32_t count;     /* interrupts so far */
	uint32_t relayed;   /* the last of them by our maker's count, if it relays them */
	bool unanswered;    /* it is silent: the kernel, or our maker, waits for our answer */
	unsigned files;
	struct domain *lent_to; /* lives at least as long as it stands here */
	uint32_t lendings;
	uint64_t next_answer_ns; /* not before then are answers of its new owner passed on */
	struct timer answer_later;
	struct wait_queue changed;
};

static struct line lines[IRQ_LINES];
static _Atomic bool ready; /* release: they are initialised */

/* Private of a file. */
struct line_file {
	struct line *line;
	uint32_t seen; /* under the line's lock: the count that was read last */
};

static unsigned number_of(const struct line *l)
{
	return (unsigned)(l - lines);
}

/* ---------------------------------------------------------------- relayed to a domain of our own */

/* Under lock: its new owner looks at it after the message.  An answer of his that is older is to another
 * number than this one, which may be of an interrupt that nobody has seen to. */
static void tell_heir(struct line *l)
{
	exo_handle name = l->handle ? domain_line_relayed(++l->lendings) : 0;

	atomic_store(&l->lent_to->boot->interrupts[number_of(l)], ++l->count);
	atomic_store(&l->lent_to->boot->lines[number_of(l)], name);
	(void)exo_send(l->lent_to->first_vcore, DOMAIN_MESSAGE_LOOK, 0, 0);
}

/* Under lock. */
static void acknowledge(struct line *l)
{
	l->unanswered = false;
	if (domain_line_is_relayed(l->handle))
		parent_answer(number_of(l), l->relayed);
	else
		exo_irq_ack(l->handle);
}

/* Under lock.  One is on its way at most, so the answer is to this one or an old one.  Who answers without
 * seeing to the device, which then interrupts at once, must not have all of our time. */
static void look_at_answer(struct line *l)
{
	uint64_t now;

	if (!l->lent_to || !l->handle || !l->unanswered ||
	    atomic_load(&l->lent_to->console->answers[number_of(l)]) != l->count)
		return;
	now = time_now_ns();
	if (now < l->next_answer_ns) {
		timer_arm(&l->answer_later, l->next_answer_ns);
		return;
	}
	l->next_answer_ns = now + ANSWER_NS;
	acknowledge(l);
}

static void answer_later(struct timer *t)
{
	struct line *l = container_of(t, struct line, answer_later);

	lock_acquire(&l->lock);
	look_at_answer(l);
	lock_release(&l->lock);
}

/* Under lock. */
static void happened(struct line *l)
{
	l->count++;
	l->unanswered = true;
	if (l->lent_to) {
		atomic_store(&l->lent_to->boot->interrupts[number_of(l)], l->count);
		(void)exo_send(l->lent_to->first_vcore, DOMAIN_MESSAGE_LOOK, 0, 0);
	}
	wake_all(&l->changed, POLLIN | POLLRDNORM);
}

/* Under lock. */
static void look_at_relay(struct line *l)
{
	uint32_t now = parent_interrupts(number_of(l));

	if (!domain_line_is_relayed(l->handle) || now == l->relayed)
		return;
	l->relayed = now;
	happened(l);
}

/* ---------------------------------------------------------------- whose it is */

/* Under lock.  Of two grants since the last look the first one's name is lost to the table of handles. */
static void look_at_grant(struct line *l)
{
	exo_handle now = parent_line(number_of(l));

	if (now == l->given)
		return;
	if (l->given && !domain_line_is_relayed(l->given))
		exo_handle_drop(l->given);
	l->given = l->handle = now;
	l->relayed = parent_interrupts(number_of(l));
	/* There may have been an interrupt already, so this counts as one: who has it open reads it. */
	l->unanswered = true;
	l->count += now != 0;
	if (l->lent_to)
		tell_heir(l);
	wake_all(&l->changed, WAKE_ANY);
}

/* Under lock.  Our own vcore is bound to it, so it is unbound at once. */
static void give_up(struct line *l)
{
	while (l->handle && exo_revoke(l->handle, 0) == 1)
		; /* another CPU is just reporting an interrupt of it */
	l->handle = 0;
	wake_all(&l->changed, WAKE_ANY);
}

/* Under lock. */
static int take(struct line *l)
{
	int64_t handle;

	if (parent_exists())
		look_at_grant(l);
	if (l->lent_to)
		return -EBUSY;
	if (parent_exists() || l->files > 0)
		return l->handle ? 0 : -ENXIO;
	handle = exo_irq_bind(EXO_HANDLE(EXO_SLOT_IRQS), vcore_of(0)->handle, number_of(l), number_of(l));
	if (handle < 0)
		return (int)handle;
	l->handle = (exo_handle)handle;
	l->unanswered = false;
	return 0;
}

static bool is_ready(void)
{
	return atomic_load_explicit(&ready, memory_order_acquire);
}

void lines_interrupt(unsigned number)
{
	struct line *l = &lines[number];

	if (!is_ready())
		return;
	lock_acquire(&l->lock);
	if (parent_exists())
		look_at_grant(l); /* its message may come before the one that tells of the grant */
	happened(l);
	lock_release(&l->lock);
}

void lines_revoked(unsigned number)
{
	if (number >= IRQ_LINES || !is_ready() || !parent_exists())
		return;
	lock_acquire(&lines[number].lock);
	look_at_grant(&lines[number]);
	if (parent_wants_line(number)) /* else this is about an earlier grant, and comes late */
		give_up(&lines[number]);
	lock_release(&lines[number].lock);
}

void lines_rung(void)
{
	if (!is_ready() || !parent_exists())
		return;
	for (struct line *l = lines; l < &lines[IRQ_LINES]; l++) {
		lock_acquire(&l->lock);
		look_at_grant(l);
		look_at_relay(l);
		look_at_answer(l);
		lock_release(&l->lock);
	}
}

int line_lend(unsigned number, struct domain *d)
{
	struct line *l = &lines[number];
	int r;

	lock_acquire(&l->lock);
	r = l->files > 0 ? -EBUSY : take(l);
	if (r == 0) {
		l->lent_to = d;
		tell_heir(l);
	}
	lock_release(&l->lock);
	return r;
}

/* Whoever opens it next answers what is unanswered, by reading. */
void line_take_back(unsigned number)
{
	struct line *l = &lines[number];

	lock_acquire(&l->lock);
	l->lent_to = NULL;
	lock_release(&l->lock);
}

/* ---------------------------------------------------------------- files */

/* Under lock: who asks for more has seen to the device. */
static void answer(struct line_file *lf)
{
	struct line *l = lf->line;

	if (!l->unanswered || !l->handle || l->count != lf->seen)
		return;
	acknowledge(l);
}

/* Under lock: 0, or why there is nothing to read. */
static int await_interrupt(const struct file *f, struct line_file *lf)
{
	struct line *l = lf->line;

	answer(lf);
	while (l->count == lf->seen) {
		if (!l->handle)
			return -ENODEV;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_on(&l->changed, &l->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			return -ERESTARTSYS;
	}
	lf->seen = l->count;
	return 0;
}

static long line_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct line_file *lf = f->private;
	uint32_t count;
	int r;

	if (n < sizeof(count))
		return -EINVAL;
	lock_acquire(&lf->line->lock);
	r = await_interrupt(f, lf);
	count = lf->seen;
	lock_release(&lf->line->lock);
	if (r == 0)
		r = copy_to_user(user, &count, sizeof(count)) ? -EFAULT : (int)sizeof(count);
	return r;
}

static uint32_t line_poll(struct file *f, struct poll_waiter *w)
{
	struct line_file *lf = f->private;
	struct line *l = lf->line;
	uint32_t events;

	lock_acquire(&l->lock);
	if (w)
		poll_wait(w, &l->changed, &l->lock);
	answer(lf);
	events = l->count != lf->seen ? POLLIN | POLLRDNORM : 0;
	if (!l->handle)
		events |= POLLERR;
	lock_release(&l->lock);
	return events;
}

static int line_open(struct file *f)
{
	struct line *l = f->private;
	struct line_file *lf;
	int r;

	if (current_process()->euid != 0)
		return -EPERM;
	lf = heap_alloc(sizeof(*lf));
	if (!lf)
		return -ENOMEM;
	lock_acquire(&l->lock);
	r = take(l);
	l->files += r == 0;
	*lf = (struct line_file){ l, l->count };
	lock_release(&l->lock);
	if (r)
		heap_free(lf);
	else
		f->private = lf;
	return r;
}

static void line_release(struct file *f)
{
	struct line_file *lf = f->private;
	struct line *l = lf->line;

	lock_acquire(&l->lock);
	if (--l->files == 0 && !parent_exists() && l->handle) {
		exo_handle own = l->handle;

		give_up(l);
		exo_handle_drop(own);
	}
	lock_release(&l->lock);
	heap_free(lf);
}

static const struct file_ops line_ops = {
	.read = line_read,
	.poll = line_poll,
	.open = line_open,
	.release = line_release,
};

void lines_init(void)
{
	char path[16];

	for (unsigned n = 0; n < IRQ_LINES; n++) {
		lock_init(&lines[n].lock, "line", RANK_PIPE);
		wait_queue_init(&lines[n].changed);
		lines[n].answer_later.fire = answer_later;
		format(path, sizeof(path), "irq/%u", n);
		if (device_register(path, DEVICE_FOR_ROOT, MAJOR_LINE, n, &line_ops, &lines[n]) != 0)
			log_print("line: /dev/%s cannot be made\n", path);
	}
	atomic_store_explicit(&ready, true, memory_order_release);
}
