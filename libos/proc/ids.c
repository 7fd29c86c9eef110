/* SPDX-License-Identifier: MIT */
/*
 * User and group ids: credentials(7); the other groups of a process are in more_groups.c.  It has no
 * capabilities but root's.
 * The fields are words that only the process's own tasks write, those of one call under one hold of
 * process_tree_lock.
 */
#include "abi/errno.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "proc/user.h"

#define KEEP (~0u) /* an argument that leaves an id as it is */

/* One kind of id, by address, so that users and groups share the rules. */
struct identity {
	uint32_t *real, *effective, *saved;
};

static struct identity users(void)
{
	struct process *p = current_process();

	return (struct identity){ &p->uid, &p->euid, &p->suid };
}

static struct identity groups(void)
{
	struct process *p = current_process();

	return (struct identity){ &p->gid, &p->egid, &p->sgid };
}

static bool privileged(void)
{
	return current_process()->euid == 0;
}

static bool is_one_of(const struct identity *i, uint32_t id)
{
	return id == KEEP || id == *i->real || id == *i->effective || id == *i->saved;
}

/* A process counts with its real user, so that goes with the count. */
static long set_real_locked(const struct identity *i, uint32_t id)
{
	struct process *p = current_process();

	if (i->real == &p->uid && id != p->uid)
		return user_change_locked(p, id) ? 0 : -EAGAIN;
	*i->real = id;
	return 0;
}

/* Who has other rights now did not ask to be sent a signal, nor to be dumped. */
static long set_checked_locked(const struct identity *i, uint32_t real, uint32_t effective,
			       uint32_t saved)
{
	long r = real != KEEP ? set_real_locked(i, real) : 0;

	if (r < 0)
		return r;
	if (effective != KEEP && effective != *i->effective) {
		*i->effective = effective;
		current_process()->parent_death_signal = 0;
		current_process()->dumpable = false;
	}
	if (saved != KEEP)
		*i->saved = saved;
	return 0;
}

static long set_all_locked(const struct identity *i, uint32_t real, uint32_t effective,
			   uint32_t saved)
{
	if (!privileged() &&
	    !(is_one_of(i, real) && is_one_of(i, effective) && is_one_of(i, saved)))
		return -EPERM;
	return set_checked_locked(i, real, effective, saved);
}

static long set_all(struct identity i, uint32_t real, uint32_t effective, uint32_t saved)
{
	lock_acquire(&process_tree_lock);
	long r = set_all_locked(&i, real, effective, saved);

	lock_release(&process_tree_lock);
	return r;
}

/* setuid: root changes all three, others only the effective id, and not back to what that is alone. */
static long set_one(struct identity i, uint32_t id)
{
	long r = -EPERM;

	if (id == KEEP)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	if (privileged())
		r = set_checked_locked(&i, id, id, id);
	else if (id == *i.real || id == *i.saved)
		r = set_checked_locked(&i, KEEP, id, KEEP);
	lock_release(&process_tree_lock);
	return r;
}

/* setreuid: the saved id follows the effective one when the real id or another one is set. */
static long set_two_locked(const struct identity *i, uint32_t real, uint32_t effective)
{
	uint32_t former = *i->real;
	bool follows = real != KEEP || (effective != KEEP && effective != former);
	uint32_t saved = follows ? (effective != KEEP ? effective : *i->effective) : KEEP;

	if (!privileged() && real != KEEP && real != *i->real && real != *i->effective)
		return -EPERM;
	if (!privileged() && !is_one_of(i, effective))
		return -EPERM;
	return set_checked_locked(i, real, effective, saved);
}

static long set_two(struct identity i, uint32_t real, uint32_t effective)
{
	lock_acquire(&process_tree_lock);
	long r = set_two_locked(&i, real, effective);

	lock_release(&process_tree_lock);
	return r;
}

static long get_all(struct identity i, uint64_t real, uint64_t effective, uint64_t saved)
{
	if (store_user32(real, *i.real) < 0 || store_user32(effective, *i.effective) < 0 ||
	    store_user32(saved, *i.saved) < 0)
		return -EFAULT;
	return 0;
}

long sys_getuid(void)
{
	return current_process()->uid;
}

long sys_geteuid(void)
{
	return current_process()->euid;
}

long sys_getgid(void)
{
	return current_process()->gid;
}

long sys_getegid(void)
{
	return current_process()->egid;
}

/* The effective user decides whether a group may be set, so it changes last in a program. */
long sys_setuid(uint32_t id)
{
	return set_one(users(), id);
}

long sys_setgid(uint32_t id)
{
	return set_one(groups(), id);
}

long sys_setreuid(uint32_t real, uint32_t effective)
{
	return set_two(users(), real, effective);
}

long sys_setregid(uint32_t real, uint32_t effective)
{
	return set_two(groups(), real, effective);
}

long sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return set_all(users(), real, effective, saved);
}

long sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return set_all(groups(), real, effective, saved);
}

long sys_getresuid(uint64_t real, uint64_t effective, uint64_t saved)
{
	return get_all(users(), real, effective, saved);
}

long sys_getresgid(uint64_t real, uint64_t effective, uint64_t saved)
{
	return get_all(groups(), real, effective, saved);
}

/* Files are always accessed with the effective ids; returns those, as if the change had failed. */
long sys_setfsuid(uint32_t id)
{
	return current_process()->euid;
}

long sys_setfsgid(uint32_t id)
{
	return current_process()->egid;
}

/* Linux's version 3: two words for each of effective, permitted and inheritable. */
#define CAPABILITY_VERSION_3 0x20080522u

struct capability_words {
	uint32_t effective, permitted, inheritable;
};
#define CAPABILITIES_HIGH 0x1ffu /* of the second word: as many as Linux has */

struct capability_sets {
	struct capability_words low, high;
};

static struct capability_sets own_capabilities(void)
{
	uint32_t all = privileged() ? ~0u : 0, high = all & CAPABILITIES_HIGH;

	return (struct capability_sets){ { all, all, 0 }, { high, high, 0 } };
}

/* Another version is told which one is known here. */
static int check_version(uint64_t header)
{
	uint32_t version;

	if (load_user32(&version, header) < 0)
		return -EFAULT;
	if (version == CAPABILITY_VERSION_3)
		return 0;
	return store_user32(header, CAPABILITY_VERSION_3) < 0 ? -EFAULT : -EINVAL;
}

long sys_capget(uint64_t header, uint64_t data)
{
	struct capability_sets own = own_capabilities();
	int r = check_version(header);

	if (!data) /* it is asked for the version */
		return r == -EINVAL ? 0 : r;
	return r < 0 ? r : copy_to_user(data, &own, sizeof(own));
}

static bool are_the_same(struct capability_words a, struct capability_words b, uint32_t known)
{
	return ((a.effective ^ b.effective) & known) == 0 && ((a.permitted ^ b.permitted) & known) == 0 &&
	       ((a.inheritable ^ b.inheritable) & known) == 0;
}

/* They follow from the user and cannot be changed: who was told that he has dropped some would trust in
 * it. */
long sys_capset(uint64_t header, uint64_t data)
{
	struct capability_sets own = own_capabilities(), wanted;
	int r = check_version(header);

	if (r < 0)
		return r;
	if (copy_from_user(&wanted, data, sizeof(wanted)) < 0)
		return -EFAULT;
	return are_the_same(wanted.low, own.low, ~0u) &&
			       are_the_same(wanted.high, own.high, CAPABILITIES_HIGH)
		       ? 0
		       : -EPERM;
}
