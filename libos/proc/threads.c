/* SPDX-License-Identifier: MIT */
/*
 * What is a thread's own: its id, its thread pointer, and what it leaves behind when it ends, as
 * set_tid_address(2) and get_robust_list(2) say.
 */
#include <asm/prctl.h>
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/inheritance.h"
#include "proc/proc_private.h"

/* Linux's struct robust_list_head. */
struct robust_head {
	uint64_t first;
	int64_t word_offset; /* from an entry to its futex word */
	uint64_t pending;    /* an entry that is being added or removed */
};

#define ROBUST_ENTRIES_MAX 2048 /* as Linux: a list that the program has made circular ends */

long sys_gettid(void)
{
	return task_thread_id(current());
}

long sys_set_tid_address(uint64_t address)
{
	current()->clear_child_tid = address;
	return task_thread_id(current());
}

long sys_set_robust_list(uint64_t head, uint64_t size)
{
	if (size != sizeof(struct robust_head))
		return -EINVAL;
	current()->robust_list = head;
	current()->robust_list_size = size;
	return 0;
}

long sys_get_robust_list(int tid, uint64_t head, uint64_t size)
{
	struct task *t = tid ? thread_find((uint32_t)tid) : task_get(current()->self);

	if (!t)
		return -ESRCH;
	uint64_t words[2] = { t->robust_list, sizeof(struct robust_head) };
	bool mine = t->process == current_process();

	task_put(t);
	if (!mine)
		return -EPERM;
	if (copy_to_user(head, &words[0], 8) < 0 || copy_to_user(size, &words[1], 8) < 0)
		return -EFAULT;
	return 0;
}

#define ENTRY_INHERITS 1ul /* bit 0 of an entry's address: a lock with priority inheritance */

static uint64_t word_of(uint64_t entry, int64_t word_offset)
{
	return (entry & ~ENTRY_INHERITS) + (uint64_t)word_offset;
}

/*
 * The owner of a robust futex has died: says so in the word, and wakes one who waits for it.
 *
 * One that is `pending` may be nobody's by now.  Then its owner may have died after it left the word and
 * before it woke who waits: that one is woken here.  No wake is lost between the two, as an entry stays
 * pending until its owner has made the call that wakes; one too many does no harm.
 */
static int abandon(uint64_t entry, int64_t word_offset, uint32_t tid, bool pending)
{
	uint64_t address = word_of(entry, word_offset);
	/* Else who waits is told by inheritance_release(). */
	bool wakes = !(entry & ENTRY_INHERITS);
	uint32_t word, found;
	int r = load_user32(&word, address);

	while (r == 0 && (word & FUTEX_TID_MASK) == tid) {
		r = cmpxchg_user32(address, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &found);
		if (r == 0 && found == word) {
			if (wakes && (word & FUTEX_WAITERS))
				futex_wake_word(address, 1);
			return 0;
		}
		word = found;
	}
	if (r == 0 && wakes && pending && (word & FUTEX_TID_MASK) == 0)
		futex_wake_word(address, 1);
	return r;
}

static void abandon_all(struct task *t)
{
	uint32_t tid = task_thread_id(t);
	struct robust_head head;
	uint64_t entry;

	if (!t->robust_list || copy_from_user(&head, t->robust_list, sizeof(head)) < 0)
		return;
	entry = head.first;
	for (int i = 0; i < ROBUST_ENTRIES_MAX && (entry & ~ENTRY_INHERITS) != t->robust_list;
	     i++) {
		uint64_t next;

		/* The entry's owner may free it as soon as it is abandoned. */
		if (copy_from_user(&next, entry & ~ENTRY_INHERITS, sizeof(next)) < 0)
			return;
		if (entry != head.pending && abandon(entry, head.word_offset, tid, false) < 0)
			return;
		entry = next;
	}
	if (head.pending)
		abandon(head.pending, head.word_offset, tid, true);
}

/* The program's memory may be gone or never have been there: nothing here fails. */
void thread_release_futexes(struct task *t)
{
	abandon_all(t);
	inheritance_release(t, task_is_leaving(t));
	if (t->clear_child_tid && store_user32(t->clear_child_tid, 0) == 0)
		futex_wake_word(t->clear_child_tid, 1);
	t->robust_list = t->clear_child_tid = 0;
}

/* Masked: a switch between the two stores would save the old base over the new one. */
long sys_arch_prctl(int code, uint64_t address)
{
	struct task *t = current();
	uint64_t base;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (address >= EXO_USER_TOP)
			return -EPERM;
		upcalls_mask();
		if (code == ARCH_SET_FS) {
			t->fs_base = address;
			write_fs_base(address);
		} else {
			t->gs_base = address;
			write_gs_base(address);
		}
		upcalls_unmask();
		return 0;
	case ARCH_GET_FS:
		base = read_fs_base();
		return copy_to_user(address, &base, sizeof(base));
	case ARCH_GET_GS:
		base = read_gs_base();
		return copy_to_user(address, &base, sizeof(base));
	default:
		return -EINVAL;
	}
}
