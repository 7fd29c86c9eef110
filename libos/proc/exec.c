/* SPDX-License-Identifier: MIT */
/*
 * execve: execve(2), POSIX.1-2017 exec.
 *
 * The new address space is complete before the old one is given up: up to the switch every error
 * leaves the old program as it was, except that it may have lost its other threads.  After it there
 * is no program to return to, and an error (no memory for the stack) ends the process.
 */
#include <asm/signal.h>
#include <linux/limits.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/entry.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/descriptor.h"
#include "fs/linux.h"
#include "proc/calls.h"
#include "proc/exec.h"
#include "proc/proc_private.h"
#include "proc/signal.h"
#include "time/time.h"
#include "trace/trace.h"
#include "vm/vm.h"

/*
 * The calling task becomes the only one of its process.  Two tasks that exec at once: the first to
 * get here wins, the other has WORK_EXIT and ends on its way out.  A kill that comes while we wait
 * marks the process, and we end as well.
 */
static int become_only_task(struct process *p)
{
	struct task *t = current(), *former = NULL;
	int r = 0;

	lock_acquire(&process_tree_lock);
	if (p->group_exit || p->exec_task) {
		lock_release(&process_tree_lock);
		return -EINTR;
	}
	p->exec_task = t;
	if (p->task_count > 1)
		process_end_other_tasks_locked(p);
	while (p->task_count > 1)
		wait_on(&p->thread_wait, &process_tree_lock, 0, 0);
	if (p->group_exit) {
		r = -EINTR;
	} else if (p->leader != t) {
		former = p->leader;
		p->leader = task_get(t->self);
	}
	p->exec_task = NULL;
	lock_release(&process_tree_lock);
	if (former)
		task_put(former);
	return r;
}

static void set_name(char name[16], const char *path)
{
	const char *slash = strrchr(path, '/');

	string_copy(name, slash ? slash + 1 : path, 16);
}

/* The process's parts that others may look at change together, under exec_mutex. */
static void switch_space(struct process *p, struct vm *v, const char *path, struct command_line *line)
{
	struct vm *old_vm = p->vm;
	struct command_line *old_line = p->command_line;

	mutex_lock(&p->exec_mutex);
	lock_acquire(&process_tree_lock);
	if (p->parent)
		vm_tell_origin(old_vm, p->parent->vm);
	p->vm = v;
	p->execs++;
	lock_release(&process_tree_lock);
	p->command_line = line;
	set_name(p->name, path);
	mutex_unlock(&p->exec_mutex);
	memcpy(current()->name, p->name, sizeof(p->name));
	trace_name_changed();
	current()->space = vm_space(v);
	vm_load(v);
	vm_put(old_vm);
	command_line_put(old_line);
}

/* What was saved to come back to is not for another program: that begins with its effective ids saved,
 * as POSIX has it.  One that has not its real user's rights is as one whose rights have changed (ids.c). */
static void settle_identity_locked(struct process *p)
{
	p->suid = p->euid;
	p->sgid = p->egid;
	p->dumpable = p->euid == p->uid && p->egid == p->gid;
	if (!p->dumpable)
		p->parent_death_signal = 0;
}

/* What POSIX and Linux reset, and the parent in vfork goes on. */
static void reset_process(struct process *p)
{
	file_table_close_on_exec(p->files);
	time_process_exec(p);
	lock_acquire(&process_tree_lock);
	signal_exec_locked(p);
	p->has_executed = true;
	p->exit_signal = SIGCHLD;
	p->vfork_done = true;
	settle_identity_locked(p);
	wake_all(&p->vfork_wait, WAKE_ANY);
	lock_release(&process_tree_lock);
}

static void set_registers(uint64_t entry, uint64_t stack_pointer)
{
	struct task *t = current();

	*t->frame = (struct exo_regs){
		.rip = entry,
		.rsp = stack_pointer,
		.cs = USER_CODE_SELECTOR,
		.ss = USER_DATA_SELECTOR,
		.rflags = USER_FLAGS_INITIAL,
	};
	t->entry = ENTRY_FULL;
	t->fs_base = t->gs_base = 0;
	write_fs_base(0);
	write_gs_base(0);
	t->vector_live = true; /* from here on a preemption keeps what the registers hold */
	signal_vector_reset();
}

/* The old program is gone: without a new one the process ends, when this task has given back what the call
 * has taken and is about to go back to a program. */
static void start_program(struct process *p, const struct exec_image *image,
			  const struct exec_strings *strings, const char *path)
{
	const struct exec_image *first = image->linker ? image->linker : image;
	uint64_t stack_pointer;
	int r = exec_image_clear(image, p->vm);

	if (r == 0)
		r = exec_stack_write(image, strings, path, &stack_pointer);
	if (r == 0) {
		set_registers(first->bias + first->elf.entry, stack_pointer);
		return;
	}
	log_print("exec of %s: error %d after the old program was gone\n", path, r);
	lock_acquire(&process_tree_lock);
	process_kill_locked(p, SIGKILL);
	lock_release(&process_tree_lock);
}

/* A new space, which then has the reference on the image's file; NULL, and it has not. */
static struct vm *build_space(struct exec_image *image, int *error)
{
	struct vm *v = vm_create();

	*error = -ENOMEM;
	if (!v)
		return NULL;
	*error = vm_map_stack(v, process_limit(current_process(), LIMIT_STACK),
			      image->elf.executable_stack);
	if (*error == 0)
		*error = exec_image_map(image, v);
	vm_drop_nodes(v);
	if (*error == 0) {
		vm_set_program(v, image->file);
		return v;
	}
	vm_put(v);
	return NULL;
}

/*
 * A copy would be without the record locks, which belong to the table: so there is none if those who shared
 * it have gone.  Nobody can come to share it, as this is the only task of all that have it.  Who looks at
 * it in /proc is counted meanwhile, like who shares it: hence shares_files, without which nobody looks at the
 * count.  Acquire: who has gone has done with it.
 */
static bool files_are_shared(struct process *p)
{
	if (p->shares_files)
		p->shares_files =
			atomic_load_explicit(&p->files->references, memory_order_acquire) > 1;
	return p->shares_files;
}

static int own_files(struct process *p)
{
	struct file_table *shared = p->files, *own;

	if (!files_are_shared(p))
		return 0;
	own = file_table_copy(shared);
	if (!own)
		return -ENOMEM;
	mutex_lock(&p->exec_mutex);
	p->files = own;
	fd_own_forget();
	mutex_unlock(&p->exec_mutex);
	p->shares_files = false;
	file_table_put(shared);
	return 0;
}

int exec_program(const char *path, struct exec_strings *strings)
{
	struct process *p = current_process();
	struct exec_image image;
	int r = exec_image_open(&image, path, strings);

	if (r < 0)
		return r;
	struct vm *v = build_space(&image, &r);
	struct command_line *line = NULL;

	if (!v)
		goto out_image;
	r = -ENOMEM;
	line = command_line_create(strings->data, (uint32_t)strings->argument_bytes);
	if (!line)
		goto out_space;
	r = become_only_task(p);
	/* Only now: the other tasks used the table that may go. */
	if (r == 0)
		r = own_files(p);
	if (r == 0)
		r = signal_exec_prepare(p);
	if (r < 0)
		goto out_space;
	thread_release_futexes(current()); /* the words are in the old program's memory */
	switch_space(p, v, path, line);
	reset_process(p);
	start_program(p, &image, strings, path);
	image.file = NULL;
	exec_image_close(&image);
	return 0;

out_space:
	command_line_put(line);
	vm_put(v);
	image.file = NULL;
out_image:
	exec_image_close(&image);
	return r;
}

static long exec_path(const char *path, uint64_t argv, uint64_t envp)
{
	struct exec_strings strings = { 0 };
	int r = exec_strings_copy(&strings, argv, envp);

	if (r == 0)
		r = exec_program(path, &strings);
	exec_strings_free(&strings);
	return r;
}

#define PATH_FIRST 128 /* nearly all are shorter */

long sys_execve(uint64_t path, uint64_t argv, uint64_t envp)
{
	char small[PATH_FIRST], *name = small;
	long r = copy_string_from_user(small, path, sizeof(small));

	if (r == -ENAMETOOLONG) {
		name = heap_alloc_uncleared(PATH_MAX);
		r = name ? copy_string_from_user(name, path, PATH_MAX) : -ENOMEM;
	}
	if (r >= 0)
		r = exec_path(name, argv, envp);
	if (name != small)
		heap_free(name);
	return r;
}

/* The file behind a descriptor, whatever has become of its name. */
static long path_of_descriptor(int fd, char *name)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	format(name, PATH_MAX, "/proc/self/fd/%d", fd);
	return 0;
}

/* Paths relative to a descriptor are not known here: EINVAL. */
long sys_execveat(int fd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
	char *name = heap_alloc_uncleared(PATH_MAX);
	long r = name ? copy_string_from_user(name, path, PATH_MAX) : -ENOMEM;

	bool is_unknown = flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);

	if (is_unknown || (r > 0 && fd != AT_FDCWD && name[0] != '/'))
		r = -EINVAL;
	else if (r == 0)
		r = flags & AT_EMPTY_PATH ? path_of_descriptor(fd, name) : -ENOENT;
	if (r >= 0)
		r = exec_path(name, argv, envp);
	heap_free(name);
	return r;
}
