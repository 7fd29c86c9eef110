/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory: shmget(2), shmop(2), shmctl(2).
 *
 *	by_id ------> segment --memory--> shared_memory <--memory-- mappings of processes
 *	by_key ---/      ^------segment------/
 *
 * A segment is memory that is shared without a file, with a name and an owner.  The segment has one
 * reference on its memory, and each mapping has one: so as many less one are attached, also after fork,
 * exec, exit and whatever cuts mappings in two.
 *
 * Until when a segment is there: it is taken out of the trees, and gives its reference up, when it has
 * been removed and nobody is attached.  References are dropped under the lock, and taken under it by who
 * finds the segment, or by who has one; so whoever finds, under the lock, that it has been removed and
 * has its own reference alone is the one to end it, and nobody finds it or attaches it any more.
 *
 * Its bytes count as the memory file system's from the beginning: a segment that nobody has attached is
 * like a file.
 */
#include "vm/segment.h"
#include <asm/ipcbuf.h>
#include <asm/shmbuf.h>
#include <linux/ipc.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/name_tree.h"
#include "core/usercopy.h"
#include "fs/space.h"
#include "proc/process.h"
#include "time/timespec.h"
#include "vm/calls.h"
#include "vm/space.h"

/* Linux's <linux/shm.h>, which wants a C library. */
#define SHM_HUGETLB 04000
#define SHM_RDONLY 010000
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_DEST 01000 /* of shm_perm.mode: removed, and still attached */

#define SEGMENTS_MAX 4096 /* SHMMNI */
#define MODE_ALL 0777u
#define WANT_READ 0444u
#define WANT_WRITE 0222u

struct segment {
	/* Fixed. */
	struct shared_memory *memory; /* counted, until it has ended */
	uint64_t size, charged;       /* bytes: as was asked for, as it takes */
	uint32_t creator_uid, creator_gid, creator_pid;
	int id;

	/* Under segments_lock. */
	struct named id_named, key_named; /* in by_id; in by_key unless the key is IPC_PRIVATE */
	int32_t key;
	uint32_t uid, gid, mode;
	uint32_t last_pid;
	uint64_t attached_at, detached_at, changed_at; /* seconds since 1970; 0: never */
	bool removed;                                  /* it ends with the last mapping */
};

static struct lock segments_lock = LOCK_INIT("segments", RANK_LEAF); /* guards, with the above: */
static struct named *by_id, *by_key;
static unsigned segment_count;
static int last_id;

static uint64_t now_s(void)
{
	return time_real_ns() / NS_PER_SECOND;
}

/* ---------------------------------------------------------------- under segments_lock */

static struct segment *find_id(int id)
{
	struct named *n = id < 0 ? NULL : named_find(&by_id, name_key((uint64_t)id));

	return n ? container_of(n, struct segment, id_named) : NULL;
}

static struct segment *find_key(int32_t key)
{
	struct named *n = key == IPC_PRIVATE ? NULL : named_find(&by_key, name_key((uint32_t)key));

	return n ? container_of(n, struct segment, key_named) : NULL;
}

static void forget_key(struct segment *g)
{
	if (g->key != IPC_PRIVATE)
		named_remove(&by_key, &g->key_named);
	g->key = IPC_PRIVATE;
}

/* `want` has the same bits for owner, group and others. */
static bool may(const struct segment *g, unsigned want)
{
	const struct process *p = current_process();
	unsigned mode = g->mode;

	if (p->euid == 0)
		return true;
	if (p->euid == g->uid || p->euid == g->creator_uid)
		mode >>= 6;
	else if (process_is_in_group(p, g->gid) || process_is_in_group(p, g->creator_gid))
		mode >>= 3;
	return (want & ~mode & 7) == 0;
}

static bool is_owner(const struct segment *g)
{
	uint32_t euid = current_process()->euid;

	return euid == 0 || euid == g->uid || euid == g->creator_uid;
}

/* It is in no tree any more; what it has is to be given up by segment_free(). */
static void take_out(struct segment *g)
{
	forget_key(g);
	named_remove(&by_id, &g->id_named);
	segment_count--;
}

/* With a number that no other has; false: there are too many. */
static bool put_in(struct segment *g, int32_t key)
{
	if (segment_count >= SEGMENTS_MAX)
		return false;
	do
		last_id = (last_id + 1) & INT32_MAX;
	while (find_id(last_id));
	segment_count++;
	g->id = last_id;
	named_insert(&by_id, &g->id_named, name_key((uint64_t)g->id));
	g->key = key;
	if (key != IPC_PRIVATE)
		named_insert(&by_key, &g->key_named, name_key((uint32_t)key));
	return true;
}

/* ---------------------------------------------------------------- their life; no lock held */

static void segment_free(struct segment *g)
{
	space_uncharge(g->charged);
	heap_free(g);
}

bool segment_let_go(struct segment *g, _Atomic uint32_t *references)
{
	const struct process *p = current_process();
	bool last = false;

	lock_acquire(&segments_lock);
	if (atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 2 && g->removed) {
		take_out(g);
		atomic_store_explicit(references, 0, memory_order_relaxed);
		last = true;
	} else {
		g->detached_at = now_s();
		if (p) /* it may be its end */
			g->last_pid = p->pid;
	}
	lock_release(&segments_lock);
	if (last)
		segment_free(g);
	return last;
}

/* In no tree yet; NULL and an error. */
static struct segment *segment_make(uint64_t size, int flags, long *error)
{
	const struct process *p = current_process();
	uint64_t bytes = PAGE_UP(size);
	struct segment *g;

	*error = -EINVAL;
	if (size == 0)
		return NULL;
	*error = -ENOMEM;
	if (size > VM_LENGTH_MAX || !space_charge(bytes))
		return NULL;
	g = heap_alloc(sizeof(*g));
	if (g)
		g->memory = shared_memory_create(bytes / PAGE);
	if (!g || !g->memory) {
		heap_free(g);
		space_uncharge(bytes);
		return NULL;
	}
	g->size = size;
	g->charged = bytes;
	g->creator_uid = g->uid = p->euid;
	g->creator_gid = g->gid = p->egid;
	g->creator_pid = p->pid;
	g->mode = (unsigned)flags & MODE_ALL;
	g->changed_at = now_s();
	shared_memory_name(g->memory, g);
	return g;
}

/* That is in no tree. */
static void segment_unmake(struct segment *g)
{
	if (!g)
		return;
	shared_memory_name(g->memory, NULL);
	shared_memory_put(g->memory);
	segment_free(g);
}

/* ---------------------------------------------------------------- shmget */

/* Under the lock: what shmget() says of one that is there.  Whose bits it is that ask for a right does
 * not matter. */
static long get_present(const struct segment *g, uint64_t size, int flags)
{
	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	if (!may(g, (unsigned)(flags >> 6 | flags >> 3 | flags) & MODE_ALL))
		return -EACCES;
	return size > g->size ? -EINVAL : g->id;
}

/* With one that has been made meanwhile, or NULL: the number, or -ENOENT if one must be made. */
static long get_or_put(int32_t key, uint64_t size, int flags, struct segment **made)
{
	const struct segment *g;
	long result = -ENOENT;

	lock_acquire(&segments_lock);
	g = find_key(key);
	if (g) {
		result = get_present(g, size, flags);
	} else if (*made) {
		result = put_in(*made, key) ? (*made)->id : -ENOSPC;
		if (result >= 0)
			*made = NULL;
	}
	lock_release(&segments_lock);
	return result;
}

long sys_shmget(int32_t key, uint64_t size, int flags)
{
	struct segment *made = NULL;
	long result = get_or_put(key, size, flags, &made), error;

	if (result != -ENOENT || !((flags & IPC_CREAT) || key == IPC_PRIVATE))
		return result;
	if (flags & SHM_HUGETLB)
		return -ENOMEM;
	made = segment_make(size, flags, &error);
	if (!made)
		return error;
	result = get_or_put(key, size, flags, &made);
	segment_unmake(made);
	return result;
}

/* ---------------------------------------------------------------- shmat, shmdt */

/* The segment, with a reference on its memory, for who may do that with it. */
static struct segment *segment_attach(int id, unsigned want, long *error)
{
	struct segment *g;

	lock_acquire(&segments_lock);
	g = find_id(id);
	*error = g ? -EACCES : -EINVAL;
	if (g && !may(g, want))
		g = NULL;
	if (g) {
		shared_memory_get(g->memory);
		g->attached_at = now_s();
		g->last_pid = current_process()->pid;
	}
	lock_release(&segments_lock);
	return g;
}

long sys_shmat(int id, uint64_t address, int flags)
{
	bool read_only = flags & SHM_RDONLY;
	struct vm *v = current_process()->vm;
	int prot = PROT_READ | (read_only ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
	int place = flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	struct segment *g;
	long result;

	if (flags & SHM_RND)
		address = PAGE_DOWN(address);
	if (address % PAGE || (!address && flags & SHM_REMAP))
		return -EINVAL;
	g = segment_attach(id, WANT_READ | (read_only ? 0 : WANT_WRITE), &result);
	if (!g)
		return result;
	result = vm_map_memory(v, g->memory, address, g->charged, prot, address ? place : 0);
	return result == -EEXIST || result == -EPERM ? -EINVAL : result;
}

/* Does it lie where it would if the whole segment was mapped at `address`? */
static bool is_in_place(const struct mapping *m, uint64_t address)
{
	return m->memory && shared_memory_is_segment(m->memory) && m->region.start >= address &&
	       m->page == (m->region.start - address) / PAGE;
}

/* What is left, in its place, of the mapping that began at `address`. */
static int detach(struct vm *v, uint64_t address, uint64_t *epoch)
{
	struct mapping *m = mapping_at_or_after(v, address), *next;
	const struct shared_memory *memory;
	uint64_t end;
	int r = 0;

	while (m && !is_in_place(m, address))
		m = mapping_next(v, m);
	if (!m)
		return -EINVAL;
	memory = m->memory;
	end = address + shared_memory_pages(memory) * PAGE;
	for (; m && m->region.start < end && r == 0; m = next) {
		uint64_t start = m->region.start;

		next = mapping_next(v, m);
		if (m->memory == memory && is_in_place(m, address))
			r = mapping_remove_range(v, start, m->region.end, epoch);
	}
	return r;
}

long sys_shmdt(uint64_t address)
{
	struct vm *v = current_process()->vm;
	uint64_t epoch = 0;
	int r;

	if (address % PAGE)
		return -EINVAL;
	mutex_lock(&v->mutex);
	r = detach(v, address, &epoch);
	vm_unlock(v, epoch);
	return r;
}

/* ---------------------------------------------------------------- shmctl */

static void describe(const struct segment *g, struct shmid64_ds *out)
{
	*out = (struct shmid64_ds){
		.shm_perm = { .key = g->key,
			      .uid = g->uid,
			      .gid = g->gid,
			      .cuid = g->creator_uid,
			      .cgid = g->creator_gid,
			      .mode = g->mode | (g->removed ? SHM_DEST : 0) },
		.shm_segsz = g->size,
		.shm_atime = (long)g->attached_at,
		.shm_dtime = (long)g->detached_at,
		.shm_ctime = (long)g->changed_at,
		.shm_cpid = (int)g->creator_pid,
		.shm_lpid = (int)g->last_pid,
		.shm_nattch = shared_memory_references(g->memory) - 1,
	};
}

static void change(struct segment *g, const struct shmid64_ds *in)
{
	g->uid = in->shm_perm.uid;
	g->gid = in->shm_perm.gid;
	g->mode = in->shm_perm.mode & MODE_ALL;
	g->changed_at = now_s();
}

/* Its name goes at once.  true: nobody is attached, and it is in no tree any more. */
static bool remove_segment(struct segment *g)
{
	if (shared_memory_references(g->memory) == 1) {
		take_out(g);
		return true;
	}
	forget_key(g);
	g->removed = true;
	return false;
}

/* Under the lock; *gone: to be unmade. */
static long control(struct segment *g, int command, struct shmid64_ds *data, bool *gone)
{
	if (!g)
		return -EINVAL;
	if (command == IPC_STAT) {
		if (!may(g, WANT_READ))
			return -EACCES;
		describe(g, data);
		return 0;
	}
	if (!is_owner(g))
		return -EPERM;
	if (command == IPC_SET)
		change(g, data);
	else if (command == IPC_RMID)
		*gone = remove_segment(g);
	return 0; /* to lock it is nothing: it is always in memory */
}

static bool is_command(int command)
{
	return command == IPC_STAT || command == IPC_SET || command == IPC_RMID ||
	       command == SHM_LOCK || command == SHM_UNLOCK;
}

long sys_shmctl(int id, int command, uint64_t user)
{
	struct shmid64_ds data;
	struct segment *g;
	bool gone = false;
	long result;

	if (!is_command(command))
		return -EINVAL;
	if (command == IPC_SET && copy_from_user(&data, user, sizeof(data)) != 0)
		return -EFAULT;
	lock_acquire(&segments_lock);
	g = find_id(id);
	result = control(g, command, &data, &gone);
	lock_release(&segments_lock);
	if (gone)
		segment_unmake(g);
	if (result == 0 && command == IPC_STAT)
		result = copy_to_user(user, &data, sizeof(data));
	return result;
}
