/* SPDX-License-Identifier: MIT */
/*
 * A process: an address space, files, signal actions, and one or more tasks.
 */
#ifndef LIBOS_PROCESS_H
#define LIBOS_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"
#include "core/lock.h"
#include "core/mutex.h"
#include "core/name_tree.h"
#include "core/task.h"
#include "core/wait.h"

struct vm;
struct file_table;
struct inode;
struct signal_actions;
struct tty;

enum process_state { PROCESS_ALIVE, PROCESS_EXITING, PROCESS_ZOMBIE, PROCESS_REAPED };

/* What getrusage and wait4 report, in ns and counts. */
struct usage {
	uint64_t user_ns, system_ns, minor_faults, voluntary_switches, involuntary_switches;
	uint64_t max_resident_pages;
};

/* What a program was started with, NUL separated, for /proc.  Never changed. */
struct command_line {
	_Atomic uint32_t references;
	uint32_t size;
	char text[];
};

/* Where it stands in the tree of files (fs/context.h). */
struct fs_context {
	_Atomic uint32_t references;     /* processes: shared with CLONE_FS */
	struct lock lock;                /* RANK_FILES; guards: */
	struct inode *directory, *root;  /* counted */
	uint32_t mask;
};

/* Linux has 65536; more than all groups of most systems, and as many as musl's NGROUPS_MAX. */
#define PROCESS_GROUPS_MAX 32

struct process {
	/* Fixed after creation. */
	uint32_t pid, generation;

	/* Under the process tree lock (process_tree_lock, RANK_PROCESS). */
	enum process_state state;
	struct process *parent;
	struct list children, sibling_link; /* struct process.sibling_link */
	uint32_t parent_thread;             /* the parent's task that made it or has it since: __WNOTHREAD */
	struct list all_link;               /* every process */
	uint32_t process_group, session;
	struct named group_named, session_named; /* of its process group, its session (group.c) */
	struct wait_queue child_wait;       /* of this process's wait4 callers */
	struct wait_queue *end_wait;        /* who polls its descriptors (pidfd.c); NULL: has had none */
	int exit_status;                    /* Linux wait status, of use when ZOMBIE */
	int exit_signal;                    /* to the parent that made it: SIGCHLD, another, or 0 */
	uint32_t execs, parent_execs;       /* programs begun by it; by its parent, when that made it */
	bool stopped;                       /* it is to stop, or has stopped (stop.c) */
	bool stop_unreported;               /* all of it has stopped: to be told by wait4 */
	bool continued_unreported;
	int stop_signal;
	unsigned tasks_to_stop;             /* while stopped: those of its tasks that still run */
	uint32_t stops;                     /* the number of the last stop */
	struct wait_queue stop_wait;        /* its tasks that have stopped */
	int parent_death_signal;            /* prctl(PR_SET_PDEATHSIG), 0 for none */
	struct usage self_usage, children_usage; /* of ended tasks; of reaped children */
	struct tty *controlling_tty;
	bool has_executed;                  /* since fork; setpgid's EACCES */
	bool subreaper;
	bool newly_orphan; /* while its parent ends: its group has not been looked at yet */
	bool dumpable;                      /* prctl(PR_SET_DUMPABLE): only remembered */
	struct wait_queue vfork_wait;       /* the parent, inside vfork */
	bool vfork_done;                    /* this child has execed or exited */
	struct list tasks;                  /* struct task.thread_link */
	unsigned task_count;
	unsigned forking;                   /* tasks being made, not yet linked */
	struct user *user;                  /* who counts its tasks (user.c) */
	struct wait_queue thread_wait;      /* who waits for other tasks of it to end: exec, and a clone
					     * for which there is no place */
	struct task *exec_task;             /* in exec, waits for the others to end; or NULL */
	struct task *leader;                /* the main task, after exec the one that called it; counted
					     * until reaped */
	struct task *pid_holder;            /* the first task: keeps its id, which is the pid, from being
					     * used again; counted until reaped */
	bool group_exit;                    /* exit_group or fatal signal: exit_status is decided */
	/* Signals: see proc/signal.h. */
	/* Shared with CLONE_SIGHAND, and after fork until one changes them. */
	struct signal_actions *signal_actions;
	_Atomic uint64_t signal_pending;       /* for the process as a whole; its tasks may read it without
						* the lock */
	struct list signal_queue;
	/* Who waits for signals to read (signal_file.c); its links are NULL until somebody does. */
	struct wait_queue signal_watchers;

	/* Changed by exec and exit in the only remaining task, under exec_mutex; read by its own tasks,
	 * and by others under exec_mutex.  vm, files and fs are NULL in a zombie. */
	struct mutex exec_mutex;
	struct vm *vm;            /* counted: shared with CLONE_VM.  Changed under process_tree_lock
				   * as well: read under either */
	struct file_table *files; /* counted: shared with CLONE_FILES */
	struct fs_context *fs;    /* counted: its own, or that of another process, which is counted too */
	bool shares_files;        /* since CLONE_FILES: exec makes a copy, if others still do */
	char name[16];            /* comm */
	struct command_line *command_line; /* counted: shared since fork; or NULL */

	_Atomic int memory_adjust; /* any CPU: /proc/PID/oom_score_adj (out_of_memory.c) */

	/* Identity: written by the process's own tasks under process_tree_lock, all that one call changes
	 * together; a word by itself is read without. */
	uint32_t uid, euid, suid, gid, egid, sgid;
	uint32_t more_group_count; /* of more_groups (more_groups.c) */

	/* Timers and limits: under the process tree lock. */
	void *interval_timer;     /* time/process_timers.h */

	_Atomic uint32_t references;

	/* The last ones, which need not be cleared. */
	uint64_t limits[16][2];    /* enum process_limit; soft, hard */
	struct fs_context own_fs;  /* of use while it has references; any process that it is the `fs` of */
	uint32_t more_groups[PROCESS_GROUPS_MAX]; /* part of its identity, as above */
};

/* Its main task has ended, and others go on: under process_tree_lock. */
static inline bool process_main_has_ended_locked(const struct process *p)
{
	return p->state == PROCESS_ALIVE && p->leader && !p->leader->process;
}

/* It has said that it ends, and may still belong to its process.  Acquire: who was told of that sees it. */
static inline bool task_is_leaving(const struct task *t)
{
	return atomic_load_explicit(&t->leaving, memory_order_acquire);
}

extern struct lock process_tree_lock;
extern struct list all_processes;
extern _Atomic unsigned process_count; /* of those; changed under process_tree_lock */
extern struct process *init_process;

static inline struct process *current_process(void) { return current()->process; }

/* Linux's RLIMIT_ numbers: indices of process.limits; [n][0] is the soft limit, [n][1] the hard. */
enum process_limit {
	LIMIT_CPU, LIMIT_FSIZE, LIMIT_DATA, LIMIT_STACK, LIMIT_CORE, LIMIT_RSS, LIMIT_NPROC,
	LIMIT_NOFILE, LIMIT_MEMLOCK, LIMIT_AS, LIMIT_LOCKS, LIMIT_SIGPENDING, LIMIT_MSGQUEUE,
	LIMIT_NICE, LIMIT_RTPRIO, LIMIT_RTTIME, LIMITS
};
#define LIMIT_INFINITY (~0ul)

struct process *process_find(uint32_t pid); /* under process_tree_lock */
/* Likewise; any of its threads may be named. */
struct process *process_find_by_thread(uint32_t tid);
/* The task that programs know by this id, counted, or NULL; no lock held. */
struct task *thread_find(uint32_t tid);
/* Likewise, but only who has this very id as his own; and also who has said that he ends, until he has left
 * his process, which he does when he has released his locks. */
struct task *thread_find_holder(uint32_t tid);
/* Whose t is, which the caller holds, or was, if it is the leader: that stays until the process has been
 * reaped.  NULL: it has ended, or is none of a program's.  Under process_tree_lock. */
struct process *process_of_thread_locked(const struct task *t);
/* Does t, which the caller holds, belong to a process with another address space than the caller's?  No lock
 * held; it may be so no more, or have begun, by the time of the answer. */
bool thread_is_elsewhere(const struct task *t);
void process_get(struct process *p);
void process_put(struct process *p);
/* NULL: out of memory. */
struct command_line *command_line_create(const char *text, uint32_t size);
void command_line_put(struct command_line *line);

/*
 * group.c, under process_tree_lock: a walk along a process group, zombies included.  The one that was
 * returned last may leave it.
 *
 *	for (struct group_walk w = group_begin(group); w.next;) {
 *		struct process *p = group_next(&w);
 */
struct group_walk {
	struct named *next, *last;
};
struct group_walk group_begin(uint32_t group);
struct process *group_next(struct group_walk *w);

/* Soft limit; one word, read without the lock. */
uint64_t process_limit(const struct process *p, enum process_limit which);
/* init.c: makes pid 1 from the boot command line and starts it. */
void process_init(void);

/*
 * stop.c, under process_tree_lock: job control.  Stopping asks every task of p to stop before it
 * next runs program code; when all have, the parent is told (SIGCHLD unless SA_NOCLDSTOP, and wait4).
 * Continuing lets them run, and tells the parent.  Both are harmless when there is nothing to do.
 */
void process_stop_locked(struct process *p, int signal);
void process_continue_locked(struct process *p);
/* Has t, a task of p, stopped with p?  It runs no program code until p is continued. */
static inline bool task_has_stopped_locked(const struct process *p, const struct task *t)
{
	return p->stopped && t->stop == p->stops;
}
/* Work WORK_STOP: sleeps until continued or killed; no lock held. */
void process_stop_self(void);
/* Does process group `group` have a member whose parent is in the same session but in another
 * group?  If not it is orphaned (POSIX 3.264) and job-control stops from the terminal are ignored. */
bool process_group_orphaned_locked(uint32_t group, const struct process *except);

/* exit.c.  Neither may hold a lock. */
_Noreturn void process_exit_group(int wait_status); /* Linux wait status encoding */
_Noreturn void task_exit_self(int wait_status);     /* exit(2) of one thread */
/* Under process_tree_lock: every task of p ends before it runs program code again. */
void process_kill_locked(struct process *p, int wait_status);

/*
 * out_of_memory.c: a page is needed at `address` and there is no frame.  Has memory been found, or
 * is it on its way, so that the caller should try again?  If not, the calling process is being
 * killed (init is not).  `attempt` counts the calls for one page, from 0.  No lock held; may sleep.
 */
bool out_of_memory(uint64_t address, unsigned attempt);
/* So many pages are to be given back, and nothing but processes has any.  Has one been ended, or was one
 * already on its way?  Task context, no lock held; sleeps. */
bool memory_is_asked_back(uint64_t pages);
#define MEMORY_ADJUST_MAX 1000 /* memory_adjust is between its negative, which spares, and this */

/* The thread id as the program knows it: an exec makes its task the leader, whatever it was. */
static inline uint32_t task_thread_id(const struct task *t)
{
	return t->process && t->process->leader == t ? t->process->pid : t->self.id;
}

/* tty/: the session leader `p` ends; called without locks before its children are given away.
 * Hangs up its controlling terminal. */
void tty_session_leader_exit(struct process *p);

/*
 * Is p, the calling process, in this group beside its effective one?  Whatever lock is held, and without
 * one of its own: the words are written one after the other, under process_tree_lock, so a look meanwhile,
 * by another task of the process, sees some of the old list and some of the new one.  Each of them was its
 * group just before, or is just after, and a call that runs at the same time as setgroups() may be judged
 * by either.
 */
static inline bool process_is_in_more_group(const struct process *p, uint32_t gid)
{
	for (uint32_t i = 0; i < p->more_group_count; i++)
		if (p->more_groups[i] == gid)
			return true;
	return false;
}

static inline bool process_is_in_group(const struct process *p, uint32_t gid)
{
	return p->egid == gid || process_is_in_more_group(p, gid);
}

/* more_groups.c, with process_tree_lock held: a child, which is new, is in the groups of who makes it. */
void more_groups_copy_locked(struct process *child, const struct process *from);

/* group.c: with process_tree_lock held.  No process is given the number of this group, though all of it end,
 * until n lets it go. */
void group_keep_name(struct named *n, uint32_t group);
void group_let_name_go(struct named *n);

#endif
