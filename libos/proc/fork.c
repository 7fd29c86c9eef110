/* SPDX-License-Identifier: MIT */
/*
 * fork, vfork, clone: fork(2), clone(2).
 *
 * Everything that can fail comes first, while nobody can see the child; then the child is linked
 * into the tree, under process_tree_lock, and started.
 */
#include <asm/signal.h>
#include <linux/sched.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/string.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "fs/descriptor.h"
#include "proc/calls.h"
#include "proc/proc_private.h"
#include "proc/sched_parameters.h"
#include "proc/signal.h"
#include "proc/user.h"
#include "time/time.h"
#include "vm/vm.h"

struct clone_request {
	uint64_t flags; /* CLONE_..., without the exit signal */
	int exit_signal;
	uint64_t stack, parent_tid, child_tid, tls;
};

#define CLONE_SUPPORTED                                                                          \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_PARENT |        \
	 CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |                     \
	 CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED | CLONE_CHILD_SETTID | CLONE_IO)

/* A thread has its process's memory, actions, files and directory, and nobody waits for it as for a child. */
#define THREAD_SHARES (CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS)

static int decode(const struct clone_request *c)
{
	if (c->flags & ~(uint64_t)CLONE_SUPPORTED)
		return -EINVAL; /* name spaces, pidfds, tracing */
	if ((c->flags & CLONE_THREAD) &&
	    (c->flags & (THREAD_SHARES | CLONE_VFORK)) != THREAD_SHARES)
		return -EINVAL;
	if ((c->flags & CLONE_SIGHAND) && !(c->flags & CLONE_VM))
		return -EINVAL;
	if ((c->flags & CLONE_PARENT) && current_process() == init_process)
		return -EINVAL;
	if (c->exit_signal < 0 || c->exit_signal > SIGNAL_COUNT)
		return -EINVAL;
	if ((c->flags & CLONE_SETTLS) && c->tls >= EXO_USER_TOP)
		return -EPERM;
	if (current()->policy == SCHED_POLICY_DEADLINE && !current()->reset_on_fork &&
	    sched_parameters(current()).policy == SCHED_POLICY_DEADLINE)
		return -EAGAIN; /* its bandwidth cannot be had twice */
	return 0;
}

/* The first code of every new task of a program; argument: where the program wants its thread id. */
static void child_start(void *argument)
{
	uint64_t child_tid = (uint64_t)argument;

	if (child_tid)
		store_user32(child_tid, task_thread_id(current()));
	return_to_user();
}

/* The child goes on where its parent is, with another result. */
static void copy_registers(struct task *child, const struct clone_request *c)
{
	struct task *t = current();

	*child->frame = *t->frame;
	child->frame->rax = 0;
	child->frame->vector = 0; /* in no system call */
	if (c->stack)
		child->frame->rsp = c->stack;
	child->entry = t->entry;
	child->fs_base = c->flags & CLONE_SETTLS ? c->tls : read_fs_base();
	child->gs_base = read_gs_base();
	control_save(&child->mxcsr, &child->x87_control);
	/* After a SYSCALL instruction the program still counts on its vector registers. */
	if (t->vector_live) {
		vector_save(child->vector_area);
		child->vector_live = true;
	}
}

/* sched(7), "Resetting the scheduling policy for child processes".  Under the parent's lock, as others may
 * change them meanwhile: to DEADLINE, too, since decode() has looked, and then the child begins as it does
 * after a reset.  The child is nobody else's yet. */
static void copy_scheduling(struct task *child, struct task *t)
{
	lock_acquire(&t->lock);

	const struct sched_parameters own = sched_parameters_locked(t);
	bool reset = own.reset_on_fork;
	bool real_time = own.policy == SCHED_POLICY_FIFO || own.policy == SCHED_POLICY_RR;

	atomic_init(&child->affinity, own.affinity);
	if (own.policy != SCHED_POLICY_DEADLINE && !(reset && real_time)) {
		atomic_init(&child->policy, own.policy);
		atomic_init(&child->rt_priority, own.priority);
		atomic_init(&child->nice, reset && own.nice < 0 ? 0 : own.nice);
		atomic_init(&child->runtime_ns, reset ? 0 : own.runtime_ns);
	}
	lock_release(&t->lock);
}

static struct task *make_task(struct process *p, const struct clone_request *c)
{
	struct task *t = current();
	uint64_t set = c->flags & CLONE_CHILD_SETTID ? c->child_tid : 0;
	struct task *child = task_create(p, child_start, (void *)set, NULL);

	if (!child)
		return NULL;
	memcpy(child->name, t->name, sizeof(child->name));
	copy_registers(child, c);
	child->signal_blocked = t->signal_blocked;
	/* A thread has a stack of its own, so the alternate one is not its own. */
	if (!(c->flags & CLONE_VM) || (c->flags & CLONE_VFORK))
		child->signal_stack = t->signal_stack;
	if (c->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = c->child_tid;
	copy_scheduling(child, t);
	return child;
}

static void release_parts(struct process *p)
{
	lock_acquire(&process_tree_lock);
	if (p->signal_actions)
		signal_release_locked(p);
	lock_release(&process_tree_lock);
	if (p->files)
		file_table_put(p->files);
	if (p->fs)
		fs_context_put(p->fs, p);
	if (p->vm)
		vm_put(p->vm);
	time_process_release(p);
	process_put(p);
}

/* Both processes go on with the top of the stack and with the thread's own data, both write there. */
static struct vm *fork_memory(struct vm *parent, int *error)
{
	uint64_t stack = current()->frame->rsp & ~(EXO_PAGE_SIZE - 1);
	uint64_t thread = read_fs_base() & ~(EXO_PAGE_SIZE - 1);
	uint64_t hot[2] = { stack, thread };

	return vm_fork(parent, hot, thread == stack ? 1 : 2, error);
}

static int copy_parts(struct process *child, struct process *parent, uint64_t flags)
{
	int error = signal_fork(child, parent, flags & CLONE_SIGHAND);

	if (error < 0)
		return error;
	if (flags & CLONE_FILES) {
		file_table_get(parent->files);
		child->files = parent->files;
		fd_own_forget();
		child->shares_files = parent->shares_files = true;
	} else {
		child->files = file_table_copy(parent->files);
	}
	if (flags & CLONE_FS)
		fs_context_share(child, parent->fs);
	else
		fs_context_copy(child, parent->fs);
	if (!child->files)
		return -ENOMEM;
	if (flags & CLONE_VM) {
		vm_get(parent->vm);
		child->vm = parent->vm;
		return 0;
	}
	child->vm = fork_memory(parent->vm, &error);
	return child->vm ? 0 : error;
}

/*
 * What is pending is handled first, then the call is made again: the child would not have it.  From then on
 * the child is owed what is sent to its group, also while a place for it is waited for.
 */
static int take_task_place(struct process *parent)
{
	uint64_t limit = process_limit(parent, LIMIT_NPROC);
	struct task *t = current();
	int r = 0;

	lock_acquire(&process_tree_lock);
	t->child_signals = 0;
	t->makes_child = true;
	if (signal_is_pending())
		r = -ERESTARTNOINTR;
	else if (!user_take_place_locked(parent, limit))
		r = -EAGAIN;
	else
		vm_copy_begin_locked();
	if (r < 0)
		t->makes_child = false;
	lock_release(&process_tree_lock);
	return r;
}

static void give_task_place_back(struct process *parent)
{
	lock_acquire(&process_tree_lock);
	vm_copy_end_locked();
	current()->makes_child = false;
	parent->forking--;
	user_give_place_locked(parent);
	lock_release(&process_tree_lock);
}

/* Work that every task of p has to do also falls to one that joins it now. */
static void share_work_locked(struct process *p, struct task *t)
{
	if (p->group_exit || p->exec_task)
		atomic_fetch_or_explicit(&t->work, WORK_EXIT, memory_order_relaxed);
	if (p->stopped)
		process_stop_includes_locked(p, t);
}

/* What its group, or everybody, has been sent while it was made. */
static void catch_up_locked(struct process *child, struct task *maker)
{
	maker->makes_child = false;
	for (uint64_t set = maker->child_signals; set != 0; set &= set - 1)
		signal_send_process_locked(child, __builtin_ctzl(set) + 1, NULL);
}

/*
 * A process that is killed while it forks does not leave the child behind, nor does a signal to a group
 * miss it: both this and the senders run under the lock, so either the child is linked first, and they
 * find it, or the parent has been marked first, and that is seen here.
 *
 * False: the task's id is the name of a group or a session, whose leader has gone, or of a terminal's
 * foreground group, which may be gone as a whole, and no process may have it: it would be taken for that.
 */
static bool link_process(struct process *child, struct task *t, uint64_t flags)
{
	struct process *here = current_process();

	lock_acquire(&process_tree_lock);
	if (names_group_or_session(t->self.id)) {
		t->process = NULL; /* who finds the task meanwhile must not look there */
		lock_release(&process_tree_lock);
		return false;
	}
	vm_copy_end_locked();
	user_hand_over_locked(here, child);
	process_link_locked(child, flags & CLONE_PARENT ? here->parent : here, t);
	child->parent_thread = flags & CLONE_PARENT ? here->parent_thread : current()->self.id;
	child->parent_execs = flags & CLONE_PARENT ? here->parent_execs : here->execs;
	current()->has_children = true;
	/* Of the forking process, whoever becomes the parent. */
	process_set_group_locked(child, here->process_group);
	process_set_session_locked(child, here->session);
	child->controlling_tty = here->controlling_tty;
	catch_up_locked(child, current());
	if (here->group_exit)
		process_kill_locked(child, here->exit_status);
	lock_release(&process_tree_lock);
	return true;
}

/* Until the child has given the address space back.  A signal that has a handler waits with us; one
 * that ends the process does not wait. */
static void wait_for_vfork(struct process *child)
{
	unsigned flags = WAIT_INTERRUPTIBLE;

	lock_acquire(&process_tree_lock);
	while (!child->vfork_done) {
		if (wait_on(&child->vfork_wait, &process_tree_lock, flags, 0) != -EINTR)
			continue;
		if (atomic_load_explicit(&current()->work, memory_order_relaxed) & WORK_EXIT)
			break;
		flags = WAIT_KILLABLE;
	}
	lock_release(&process_tree_lock);
}

static long clone_process(const struct clone_request *c)
{
	struct process *parent = current_process(), *child = process_create(parent);

	if (!child)
		return -ENOMEM;
	/* Whoever shares its parent does not choose what that one is sent. */
	child->exit_signal = c->flags & CLONE_PARENT ? parent->exit_signal : c->exit_signal;
	child->vfork_done = !(c->flags & CLONE_VFORK);
	int r = copy_parts(child, parent, c->flags);

	if (r == 0)
		r = time_process_fork(child);
	struct task *t = r == 0 ? make_task(child, c) : NULL;

	while (t && !link_process(child, t, c->flags)) {
		task_put(t); /* the next one has another id: they go round */
		t = make_task(child, c);
	}
	if (!t) {
		release_parts(child);
		return r < 0 ? r : -ENOMEM;
	}
	uint32_t pid = t->self.id;

	process_get(child); /* for wait_for_vfork(): it may end and be reaped at once */
	if (c->flags & CLONE_PARENT_SETTID)
		store_user32(c->parent_tid, pid);
	task_start(t);
	if (c->flags & CLONE_VFORK)
		wait_for_vfork(child);
	process_put(child);
	return pid;
}

static long clone_thread(const struct clone_request *c)
{
	struct process *p = current_process();
	struct task *t = make_task(p, c);

	if (!t)
		return -ENOMEM;
	uint32_t tid = t->self.id;

	if (c->flags & CLONE_PARENT_SETTID)
		store_user32(c->parent_tid, tid);
	lock_acquire(&process_tree_lock);
	process_add_task_locked(p, t);
	fd_own_forget();
	vm_copy_end_locked();
	current()->makes_child = false;
	p->forking--;
	share_work_locked(p, t);
	lock_release(&process_tree_lock);
	task_start(t);
	return tid;
}

static long clone(const struct clone_request *c)
{
	int r = decode(c);

	if (r == 0)
		r = take_task_place(current_process());
	if (r < 0)
		return r;
	long id = c->flags & CLONE_THREAD ? clone_thread(c) : clone_process(c);

	if (id < 0)
		give_task_place_back(current_process());
	return id;
}

long sys_fork(void)
{
	struct clone_request c = { .exit_signal = SIGCHLD };

	return clone(&c);
}

long sys_vfork(void)
{
	struct clone_request c = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return clone(&c);
}

long sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls)
{
	struct clone_request c = {
		.flags = (uint32_t)flags & ~(uint32_t)CSIGNAL,
		.exit_signal = (int)(flags & CSIGNAL),
		.stack = stack,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	return clone(&c);
}

long sys_clone3(uint64_t args, uint64_t size)
{
	struct clone_args a = { 0 };

	if (size < CLONE_ARGS_SIZE_VER0 || size > EXO_PAGE_SIZE)
		return size > EXO_PAGE_SIZE ? -E2BIG : -EINVAL;
	if (copy_from_user(&a, args, size < sizeof(a) ? size : sizeof(a)) < 0)
		return -EFAULT;
	if (a.set_tid_size || a.cgroup || (a.stack == 0) != (a.stack_size == 0) ||
	    (a.flags & CSIGNAL))
		return -EINVAL;
	struct clone_request c = {
		.flags = a.flags,
		.exit_signal = a.exit_signal > SIGNAL_COUNT ? -1 : (int)a.exit_signal,
		.stack = a.stack ? a.stack + a.stack_size : 0,
		.parent_tid = a.parent_tid,
		.child_tid = a.child_tid,
		.tls = a.tls,
	};

	return clone(&c);
}
