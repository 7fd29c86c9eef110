/* SPDX-License-Identifier: MIT */
/*
 * Process 1: the first program.  In run mode (the word `run` on the boot command line) it is
 * /sbin/exo-init, which runs one program for exo-run; in a child domain /sbin/domain-init, which runs
 * one for the domain that made it; otherwise /sbin/init.
 */
#include <exo/abi.h>
#include <linux/fcntl.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/power.h"
#include "core/string.h"
#include "core/task.h"
#include "domain/parent.h"
#include "fs/file.h"
#include "proc/exec.h"
#include "proc/proc_private.h"
#include "proc/signal.h"
#include "proc/user.h"
#include "vm/vm.h"

#define STACK_LIMIT (8ul << 20)
#define NOFILE_LIMIT 1024
#define NOFILE_LIMIT_HARD 4096
/* A process takes some 32 frames, its stacks and page tables with it: a fork bomb that reaches
 * this limit leaves half of the memory. */
#define FRAMES_PER_TASK 64

static bool has_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(line, word); p; p = strstr(p + 1, word))
		if ((p == line || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static _Noreturn void no_init(const char *what, const char *path, int error)
{
	log_print("cannot %s %s: error %d; there is nothing to run\n", what, path, -error);
	machine_power_off();
	libos_panic("the machine does not power off");
}

static void open_console(void)
{
	int error;
	struct file *f = file_open_kernel("/dev/console", O_RDWR, &error);

	if (!f) {
		log_print("cannot open /dev/console: error %d\n", -error);
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_get(f);
		fd_install(f, fd, false);
	}
	file_put(f);
}

/* In a child domain, what its parent wants run. */
static int add_words(struct exec_strings *strings)
{
	int r = 0;

	for (const char *w = parent_word(NULL); w && r == 0; w = parent_word(w))
		r = exec_strings_add_argument(strings, w);
	return r;
}

/* The first code of process 1, on its own stack, with an empty address space. */
static void init_start(void *unused)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;
	bool run = has_word(info->command_line, "run");
	const char *path = run ? "/sbin/exo-init" : "/sbin/init";
	struct exec_strings strings = { 0 };

	if (parent_exists())
		path = "/sbin/domain-init";
	open_console();
	int r = exec_strings_add_argument(&strings, path);

	if (r == 0 && parent_exists())
		r = add_words(&strings);
	if (r == 0)
		r = exec_strings_add_environment(&strings, "PATH=/bin:/sbin:/usr/bin:/usr/sbin");
	if (r == 0)
		r = exec_strings_add_environment(&strings, "HOME=/");
	if (r == 0)
		r = exec_strings_add_environment(&strings, "TERM=linux");
	if (r == 0)
		r = exec_program(path, &strings);
	if (r < 0)
		no_init("run", path, r);
	exec_strings_free(&strings);
	return_to_user();
}

static void set_limits(struct process *p)
{
	uint64_t tasks = frames_total_count() / FRAMES_PER_TASK;

	for (unsigned i = 0; i < LIMITS; i++)
		p->limits[i][0] = p->limits[i][1] = LIMIT_INFINITY;
	p->limits[LIMIT_STACK][0] = STACK_LIMIT;
	p->limits[LIMIT_CORE][0] = 0;
	p->limits[LIMIT_NOFILE][0] = NOFILE_LIMIT;
	p->limits[LIMIT_NOFILE][1] = NOFILE_LIMIT_HARD;
	p->limits[LIMIT_NPROC][0] = p->limits[LIMIT_NPROC][1] = tasks;
	p->limits[LIMIT_SIGPENDING][0] = p->limits[LIMIT_SIGPENDING][1] = SIGNAL_QUEUE_MAX;
	p->limits[LIMIT_NICE][0] = p->limits[LIMIT_NICE][1] = 0;
	p->limits[LIMIT_RTPRIO][0] = p->limits[LIMIT_RTPRIO][1] = 0;
}

static bool give_parts(struct process *p)
{
	p->vm = vm_create();
	p->files = file_table_create();
	fs_context_init(p);
	return p->vm && p->files && signal_fork(p, NULL, false) == 0;
}

void process_init(void)
{
	struct process *p = process_create(NULL);
	struct task *t = NULL;

	if (p && give_parts(p)) {
		set_limits(p);
		p->vfork_done = p->dumpable = true;
		string_copy(p->name, "init", sizeof(p->name));
		t = task_create(p, init_start, NULL, "init");
	}
	if (!t)
		no_init("make", "process 1", -ENOMEM);
	lock_acquire(&process_tree_lock);
	if (!user_enter_locked(p))
		no_init("count", "process 1", -ENOMEM);
	process_link_locked(p, NULL, t);
	init_process = p;
	lock_release(&process_tree_lock);
	task_start(t);
}
