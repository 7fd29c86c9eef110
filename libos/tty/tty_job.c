/* SPDX-License-Identifier: MIT */
/*
 * Sessions and terminals: who may use a terminal, and what happens when its session ends.
 *
 * tty->session, tty->foreground and process->controlling_tty are under process_tree_lock, and
 * agree: if p->controlling_tty is t then t->session is p's session, or t has just been given up
 * and p->controlling_tty is being cleared under the same lock.
 *
 * A terminal's foreground group may have ended, and is still what the session has said.  So that no other
 * group is taken for it, perhaps of another session, no process is given its number as long as it is that.
 *
 * A terminal that goes tells the session's leader alone; the foreground group hears of it when that one
 * ends, as on Linux.  Until then the terminal is kept in `lost`, for the sake of the group's number: a leader
 * has one there at most, since another terminal that becomes his takes its place.
 */
#include <asm/poll.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/signal_private.h"
#include "tty/tty.h"

/* struct tty.lost_link; under process_tree_lock. */
static struct list lost = LIST_INIT(lost);

struct tty *tty_of_caller(uint32_t *hangups)
{
	struct tty *t;

	lock_acquire(&process_tree_lock);
	t = current_process()->controlling_tty;
	if (t != NULL) {
		tty_hold(t);
		*hangups = t->hangups;
	}
	lock_release(&process_tree_lock);
	return t;
}

static bool blocked_or_ignored(const struct process *p, int signal)
{
	return (current()->signal_blocked & SIGNAL_BIT(signal)) != 0 || signal_ignored(p, signal);
}

int tty_check_foreground(struct tty *t, int signal)
{
	struct process *p = current_process();
	int r = 0;

	lock_acquire(&process_tree_lock);
	if (p->controlling_tty != t || t->foreground == 0 || p->process_group == t->foreground)
		goto out;
	if (blocked_or_ignored(p, signal)) {
		/* Then a write goes through, and a read fails. */
		r = signal == SIGTTIN ? -EIO : 0;
	} else if (process_group_orphaned_locked(p->process_group, NULL)) {
		r = -EIO;
	} else {
		signal_send_group_locked(p->process_group, signal, NULL);
		/* It may be another task of ours that has been told. */
		atomic_fetch_or_explicit(&current()->work, WORK_SIGNAL, memory_order_relaxed);
		r = -ERESTARTSYS;
	}
out:
	lock_release(&process_tree_lock);
	return r;
}

static bool is_leader(const struct process *p)
{
	return p->session == p->pid;
}

/* With process_tree_lock held: nobody else writes it. */
static void set_foreground(struct tty *t, uint32_t group)
{
	if (t->foreground != 0)
		group_let_name_go(&t->foreground_named);
	t->foreground = group;
	if (group != 0)
		group_keep_name(&t->foreground_named, group);
}

/* With process_tree_lock held: everybody in the session loses it. */
static void detach_session(struct tty *t)
{
	list_for_each(node, &all_processes) {
		struct process *p = list_entry(node, struct process, all_link);

		if (p->controlling_tty == t)
			p->controlling_tty = NULL;
	}
	t->session = 0;
}

/* With process_tree_lock held: the terminal that this leader has lost, which is to be let go without; or
 * NULL. */
static struct tty *take_lost(const struct process *leader)
{
	list_for_each(node, &lost) {
		struct tty *t = list_entry(node, struct tty, lost_link);

		if (t->lost_by == leader->pid) {
			list_remove(&t->lost_link);
			t->lost_by = 0;
			return t;
		}
	}
	return NULL;
}

/* With process_tree_lock held: *before is to be let go without, unless it is NULL. */
static void attach(struct tty *t, struct process *p, struct tty **before)
{
	*before = take_lost(p);
	if (*before != NULL)
		set_foreground(*before, 0);
	t->session = p->session;
	set_foreground(t, p->process_group);
	p->controlling_tty = t;
}

static void let_go_of_lost(struct tty *t)
{
	if (t != NULL)
		tty_let_go(t);
}

static bool may_be_read(const struct file *f)
{
	unsigned mode = f->flags & O_ACCMODE;

	return mode == O_RDONLY || mode == O_RDWR;
}

void tty_acquire_by_open(struct tty *t, const struct file *f)
{
	struct process *p = current_process();
	struct tty *before = NULL;

	if (!may_be_read(f))
		return;
	lock_acquire(&process_tree_lock);
	if (is_leader(p) && p->controlling_tty == NULL && t->session == 0 && !t->gone)
		attach(t, p, &before);
	lock_release(&process_tree_lock);
	let_go_of_lost(before);
}

int tty_acquire(struct tty *t, const struct file *f, bool steal)
{
	struct process *p = current_process();
	struct tty *before = NULL;
	int r = 0;

	lock_acquire(&process_tree_lock);
	if (is_leader(p) && p->controlling_tty == t && t->session == p->session)
		goto out;
	r = -EPERM;
	if (!is_leader(p) || p->controlling_tty != NULL || t->gone)
		goto out;
	if (!may_be_read(f) && p->euid != 0)
		goto out;
	if (t->session != 0) {
		if (!steal || p->euid != 0)
			goto out;
		detach_session(t); /* and attach() sets the foreground group */
	}
	attach(t, p, &before);
	r = 0;
out:
	lock_release(&process_tree_lock);
	let_go_of_lost(before);
	return r;
}

/* With process_tree_lock held: the foreground group, if there is one, hears that the terminal is not its. */
static void tell_foreground(const struct tty *t, bool continues)
{
	if (t->foreground == 0)
		return;
	signal_send_group_locked(t->foreground, SIGHUP, NULL);
	if (continues)
		signal_send_group_locked(t->foreground, SIGCONT, NULL);
}

/*
 * With process_tree_lock held: the foreground group hears of it, and the session is gone.  If the leader
 * ends that is SIGHUP (POSIX, _exit()), and who is stopped is continued if nobody else would
 * (orphan_group_locked).
 */
static void hang_up_session(struct tty *t, bool leader_ends)
{
	tell_foreground(t, !leader_ends);
	detach_session(t);
	set_foreground(t, 0);
}

int tty_give_up(struct tty *t)
{
	struct process *p = current_process();
	int r = 0;

	lock_acquire(&process_tree_lock);
	if (p->controlling_tty != t)
		r = -ENOTTY;
	else if (is_leader(p))
		hang_up_session(t, false);
	else
		p->controlling_tty = NULL;
	lock_release(&process_tree_lock);
	return r;
}

/*
 * With process_tree_lock held: the files that are open become dead, so that what the session leaves behind
 * does not read the next session's input.  A reader that sleeps is woken and finds its file dead.
 *
 * Why no file is taken for one of the other session: the session has lost the terminal under the same hold of
 * that lock.  Who gets the terminal next opens its file, or looks at `hangups` again, after that; who still
 * had it when it opened /dev/tty has looked before, under that lock too, and has a dead file.
 */
static void hang_up_files(struct tty *t)
{
	lock_acquire(&t->lock);
	t->hangups++;
	t->open_files = 0;
	line_flush_input(&t->line);
	t->line.stopped = t->line.held = false;
	wake_all(&t->readers, WAKE_ANY);
	wake_all(&t->writers, WAKE_ANY);
	lock_release(&t->lock);
}

void tty_session_leader_exit(struct process *p)
{
	struct tty *t, *before;

	lock_acquire(&process_tree_lock);
	before = take_lost(p);
	if (before != NULL) {
		tell_foreground(before, true);
		set_foreground(before, 0);
	}
	t = p->controlling_tty;
	if (t != NULL && is_leader(p)) {
		tty_hold(t);
		hang_up_session(t, true);
		if (!t->driver->is_program)
			hang_up_files(t);
	} else {
		t = NULL;
	}
	lock_release(&process_tree_lock);
	let_go_of_lost(before);
	if (t == NULL)
		return;
	tty_output_ready(t); /* it is not stopped any more */
	tty_resume_input(t);
	tty_let_go(t);
}

/* With process_tree_lock held: who leads the session, if there is one, hears that it has lost the terminal,
 * and the foreground group stays for his end.  That is to come, or the session would have lost the terminal
 * in it. */
static void tell_leader(struct tty *t)
{
	struct process *leader = t->session != 0 ? process_find(t->session) : NULL;

	if (leader == NULL) {
		set_foreground(t, 0);
		return;
	}
	signal_send_process_locked(leader, SIGHUP, NULL);
	signal_send_process_locked(leader, SIGCONT, NULL);
	tty_hold(t);
	t->lost_by = leader->pid;
	list_push_back(&lost, &t->lost_link);
}

/*
 * Why nobody has it for a controlling terminal any more when it is freed: `gone` is set under
 * process_tree_lock, under which it is looked at by whoever would make it his; and who had it loses it
 * under the same hold.
 */
void tty_device_goes(struct tty *t)
{
	lock_acquire(&process_tree_lock);
	lock_acquire(&t->lock);
	t->gone = true;
	lock_release(&t->lock);
	tell_leader(t);
	detach_session(t);
	hang_up_files(t);
	lock_release(&process_tree_lock);
}

/* -ENOTTY: it is not the caller's controlling terminal. */
static int get_of_own(struct tty *t, const uint32_t *field, uint32_t *value)
{
	int r = -ENOTTY;

	lock_acquire(&process_tree_lock);
	if (current_process()->controlling_tty == t) {
		*value = *field;
		r = 0;
	}
	lock_release(&process_tree_lock);
	return r;
}

int tty_get_foreground(struct tty *t, uint32_t *group)
{
	return get_of_own(t, &t->foreground, group);
}

int tty_get_session(struct tty *t, uint32_t *session)
{
	return get_of_own(t, &t->session, session);
}

int tty_get_foreground_of(struct tty *t, uint32_t *group)
{
	lock_acquire(&process_tree_lock);
	*group = t->foreground;
	lock_release(&process_tree_lock);
	return 0;
}

int tty_get_session_of(struct tty *t, uint32_t *session)
{
	lock_acquire(&process_tree_lock);
	*session = t->session;
	lock_release(&process_tree_lock);
	return *session != 0 ? 0 : -ENOTTY;
}

/* 0 if there is such a group in the session, -EPERM if it is in another, -ESRCH if there is none. */
static int look_for_group(uint32_t group, uint32_t session)
{
	int r = -ESRCH;

	for (struct group_walk w = group_begin(group); w.next && r != 0;)
		r = group_next(&w)->session == session ? 0 : -EPERM;
	return r;
}

int tty_set_foreground(struct tty *t, uint32_t group)
{
	struct process *p = current_process();
	int r = 0;

	lock_acquire(&process_tree_lock);
	if (p->controlling_tty != t || t->session != p->session)
		r = -ENOTTY;
	else if ((int32_t)group < 0)
		r = -EINVAL;
	else
		r = look_for_group(group, p->session);
	if (r == 0)
		set_foreground(t, group);
	lock_release(&process_tree_lock);
	return r;
}
