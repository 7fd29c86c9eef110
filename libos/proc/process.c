/* SPDX-License-Identifier: MIT */
/*
 * The table of processes and the tree of parents and children.
 *
 * A process is named by its pid, the thread id of its first task.  It holds that task until it is
 * reaped, so the id is not given to another task before, and pid and generation together never
 * name two processes.
 *
 * References: the tree has one, from process_create() to process_bury(); every task has one; and
 * whoever looks beyond process_tree_lock takes one.
 */
#include "proc/process.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/task_table.h"
#include "proc/proc_private.h"
#include "proc/user.h"

struct lock process_tree_lock = LOCK_INIT("process tree", RANK_PROCESS);
struct list all_processes = LIST_INIT(all_processes);
_Atomic unsigned process_count;
struct process *init_process;

/*
 * Why this needs no reference: `names` becomes a process, and NULL again, only under process_tree_lock,
 * which the caller holds, and while it does, the process keeps its id's task.  A task that has the id and
 * names no process, or is gone and made anew while we look, has NULL there.
 */
struct process *process_find(uint32_t pid)
{
	const struct task *t = task_peek(pid);

	return t ? t->names : NULL;
}

/*
 * A task is in its process's list exactly while it belongs to it.  Who has joined a thread looks for its id
 * in vain, though it may still be on its way out: it has said so before whoever joins it was told.
 */
struct process *process_find_by_thread(uint32_t tid)
{
	struct process *p = process_find(tid);
	struct task *t = p ? NULL : task_find(tid);

	if (!t)
		return p;
	if (t->process && !list_empty(&t->thread_link) && !task_is_leaving(t))
		p = t->process;
	task_put(t);
	return p;
}

/*
 * The first task's id stays its process's name when it has ended.  If another one has called exec, that one
 * goes by it.
 */
struct task *thread_find(uint32_t tid)
{
	struct task *t = task_find(tid), *leader = NULL;

	if (!t || (t->process && !task_is_leaving(t)))
		return t;
	lock_acquire(&process_tree_lock);
	if (t->names)
		leader = task_get(t->names->leader->self);
	lock_release(&process_tree_lock);
	task_put(t);
	return leader;
}

/* Of a process that has the same number since, it is not the leader: that is another task while t is held. */
struct process *process_of_thread_locked(const struct task *t)
{
	struct process *p = t->process;

	if (p)
		return p;
	p = process_find(t->pid);
	return p && p->leader == t ? p : NULL;
}

/* One that is being made belongs to no process yet, and may never do so (link_process() in fork.c): then
 * nobody would release what it has been taken for the owner of. */
struct task *thread_find_holder(uint32_t tid)
{
	struct task *t = task_find(tid), *holder;

	if (!t)
		return NULL;
	lock_acquire(&process_tree_lock);
	holder = t->names ? t->names->leader : t;
	if (list_empty(&holder->thread_link) || task_thread_id(holder) != tid)
		holder = NULL;
	else
		task_hold(holder, 1);
	lock_release(&process_tree_lock);
	task_put(t);
	return holder;
}

/* Who is leaving his process, or its memory, is nowhere. */
bool thread_is_elsewhere(const struct task *t)
{
	const struct vm *v;

	lock_acquire(&process_tree_lock);
	v = t->process ? t->process->vm : NULL;
	lock_release(&process_tree_lock);
	return v && v != current_process()->vm;
}

void process_get(struct process *p)
{
	atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
}

/* acq_rel: whoever drops the last reference sees all that the others wrote. */
void process_put(struct process *p)
{
	if (atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) != 1)
		return;
	command_line_put(p->command_line);
	if (p->end_wait)
		heap_free(p->end_wait);
	heap_free(p);
}

struct command_line *command_line_create(const char *text, uint32_t size)
{
	struct command_line *line = heap_alloc_uncleared(sizeof(*line) + size);

	if (!line)
		return NULL;
	atomic_init(&line->references, 1);
	line->size = size;
	memcpy(line->text, text, size);
	return line;
}

/* acq_rel: as in process_put(). */
void command_line_put(struct command_line *line)
{
	if (line && atomic_fetch_sub_explicit(&line->references, 1, memory_order_acq_rel) == 1)
		heap_free(line);
}

/* The limits with the lock, as another CPU may change one meanwhile, which is two words. */
static void inherit(struct process *p, const struct process *parent)
{
	lock_acquire(&process_tree_lock);
	memcpy(p->limits, parent->limits, sizeof(p->limits));
	p->dumpable = parent->dumpable;
	lock_release(&process_tree_lock);
	p->memory_adjust = parent->memory_adjust;
	memcpy(p->name, parent->name, sizeof(p->name));
	/* It stays the parent's meanwhile: only exec changes that, with no other task left. */
	p->command_line = parent->command_line;
	if (p->command_line)
		atomic_fetch_add_explicit(&p->command_line->references, 1, memory_order_relaxed);
}

struct process *process_create(const struct process *parent)
{
	struct process *p = heap_alloc_uncleared(sizeof(*p));

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct process, limits)); /* the rest is copied, or process_init() sets it */
	atomic_store_explicit(&p->references, 1, memory_order_relaxed);
	list_init(&p->children);
	list_init(&p->sibling_link);
	list_init(&p->all_link);
	list_init(&p->tasks);
	list_init(&p->signal_queue);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->stop_wait);
	wait_queue_init(&p->vfork_wait);
	wait_queue_init(&p->thread_wait);
	mutex_init(&p->exec_mutex, "exec", MUTEX_EXEC);
	if (parent)
		inherit(p, parent);
	return p;
}

void process_add_task_locked(struct process *p, struct task *t)
{
	process_get(p);
	t->pid = p->pid;
	list_push_back(&p->tasks, &t->thread_link);
	p->task_count++;
}

/* There is one writer at a time. */
static void count_processes_locked(unsigned more)
{
	unsigned now = atomic_load_explicit(&process_count, memory_order_relaxed);

	atomic_store_explicit(&process_count, now + more, memory_order_relaxed);
}

void process_link_locked(struct process *p, struct process *parent, struct task *first)
{
	p->pid = first->self.id;
	p->generation = first->self.generation;
	p->leader = p->pid_holder = first;
	task_hold(first, 2);
	p->parent = parent;
	if (parent) {
		group_enter(p, parent->process_group);
		session_enter(p, parent->session);
		p->controlling_tty = parent->controlling_tty;
		list_push_back(&parent->children, &p->sibling_link);
	} else {
		group_enter(p, p->pid);
		session_enter(p, p->pid);
	}
	list_push_back(&all_processes, &p->all_link);
	count_processes_locked(1);
	first->names = p;
	process_add_task_locked(p, first);
}

void process_unlink_locked(struct process *p)
{
	p->state = PROCESS_REAPED;
	list_remove(&p->sibling_link);
	list_remove(&p->all_link);
	count_processes_locked(-1u);
	group_leave(p);
	session_leave(p);
	user_give_place_locked(p);
	p->pid_holder->names = NULL;
	p->parent = NULL;
	/* Who still looks at it, as /proc does, is in no session that keeps the terminal there. */
	p->controlling_tty = NULL;
}

void process_bury(struct process *p)
{
	if (p->leader == p->pid_holder) {
		task_put_all(p->leader, 2);
	} else {
		task_put(p->leader);
		task_put(p->pid_holder);
	}
	process_put(p);
}
