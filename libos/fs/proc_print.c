/* SPDX-License-Identifier: MIT */
/* What /proc/PID/stat, status and the others say; the formats are those of proc(5). */
#include <linux/capability.h>
#include "core/string.h"
#include "core/task.h"
#include "core/vcore.h"
#include "fs/context.h"
#include "fs/linux.h"
#include "fs/memfs.h"
#include "fs/proc_files.h"
#include "fs/proc_inode.h"
#include "proc/process.h"
#include "proc/sched_parameters.h"
#include "proc/signal.h"
#include "time/cpu_clock.h"
#include "time/time.h"
#include "tty/tty.h"
#include "vm/vm.h"

#define TICK_NS 10000000ul /* times are told in hundredths of a second */
#define PAGE_KIB (EXO_PAGE_SIZE / 1024)

/* A process, or one thread of it, at one moment. */
struct picture {
	uint32_t pid, id, parent, group, session, foreground, uid, gid;
	bool has_terminal;
	char state, name[16];
	unsigned threads;
	struct usage own, children;
	uint64_t start_ns, pages, peak_pages, bytes;
	uint64_t signals_pending, signals_of_task, signals_blocked, signals_ignored, signals_handled;
	uint64_t voluntary, involuntary;
	uint32_t umask;
	int cpu;
	struct sched_parameters scheduling; /* as it was set */
	int priority;                       /* as it is in force, Linux's numbers */
};

/* `thread` 0 means all of them, here and below. */
static bool is_in(const struct task *t, uint32_t thread)
{
	return !thread || task_thread_id(t) == thread;
}

/* The state that ps shows: of a process with several tasks, that of the liveliest.  But as on Linux one
 * whose main task has ended is a zombie, however lively the others are. */
static char state_of(const struct process *p, uint32_t thread)
{
	if (p->state == PROCESS_ZOMBIE)
		return 'Z';
	if (process_main_has_ended_locked(p) && (!thread || thread == p->pid))
		return 'Z';
	bool stopped = p->stopped;

	list_for_each(link, &p->tasks) {
		const struct task *t = list_entry(link, struct task, thread_link);

		if (!is_in(t, thread) || task_has_stopped_locked(p, t))
			continue;
		stopped = false;
		/* One that is BLOCKING still runs: it may not be where its waker looks for it yet. */
		if (t->state != TASK_BLOCKED)
			return 'R';
	}
	return stopped ? 'T' : 'S';
}

/* From 0, the most urgent, to 39 is the nice value; below are real-time priorities, then deadlines. */
static int priority_in_force(const struct task *t)
{
	int policy = t->policy;

	if (policy == SCHED_POLICY_DEADLINE)
		return -101;
	return policy == SCHED_POLICY_FIFO || policy == SCHED_POLICY_RR ? -1 - t->rt_priority
									: 20 + t->nice;
}

static void picture_task(struct picture *pic, struct task *t)
{
	uint64_t boot_tsc = ((const struct exo_info *)EXO_INFO_BASE)->boot_tsc;

	pic->scheduling = sched_parameters(t);
	pic->scheduling.affinity &= vcores_present(); /* as sched_getaffinity(2) has it */
	pic->priority = priority_in_force(t);
	pic->cpu = t->home;
	pic->signals_of_task = t->signal_pending;
	pic->signals_blocked = t->signal_blocked;
	if (t->start_tsc > boot_tsc)
		pic->start_ns = tsc_to_ns(t->start_tsc - boot_tsc);
}

/* Under process_tree_lock.  False: the thread has ended. */
static bool picture_tasks(struct picture *pic, const struct process *p, uint32_t thread)
{
	bool found = !thread || thread == p->pid;

	if (!thread)
		pic->own = p->self_usage;
	if (p->leader && p->state != PROCESS_REAPED)
		picture_task(pic, p->leader);
	list_for_each(link, &p->tasks) {
		struct task *t = list_entry(link, struct task, thread_link);
		uint64_t user_ns = 0, total_ns = 0;

		if (!is_in(t, thread))
			continue;
		found = true;
		if (thread) {
			picture_task(pic, t);
			memcpy(pic->name, t->name, sizeof(pic->name));
		}
		cpu_time_of_task(t, &user_ns, &total_ns);
		pic->own.user_ns += user_ns;
		pic->own.system_ns += total_ns - user_ns;
		pic->voluntary += t->voluntary_switches;
		pic->involuntary += t->involuntary_switches;
	}
	return found;
}

static void picture_actions(struct picture *pic, const struct signal_actions *actions)
{
	for (int number = 1; actions && number <= SIGNAL_COUNT; number++) {
		uint64_t handler = actions->action[number - 1].handler;

		if (handler == HANDLER_IGNORE)
			pic->signals_ignored |= SIGNAL_BIT(number);
		else if (handler != 0)
			pic->signals_handled |= SIGNAL_BIT(number);
	}
}

/* Under exec_mutex. */
static void picture_parts(struct picture *pic, const struct process *p)
{
	if (p->fs)
		pic->umask = p->fs->mask; /* one aligned word */
	if (!p->vm)
		return;
	pic->pages = vm_resident_pages(p->vm);
	pic->peak_pages = vm_resident_peak(p->vm);
	pic->bytes = vm_size_bytes(p->vm);
	pic->own.minor_faults += vm_fault_count(p->vm);
}

/* False: there is none, since the thread has ended; out->error says so. */
static bool take_picture(struct picture *pic, struct process *p, uint32_t thread, struct text *out)
{
	bool found;

	*pic = (struct picture){ .pid = p->pid, .uid = p->uid, .gid = p->gid };
	pic->id = thread ? thread : p->pid;
	lock_acquire(&process_tree_lock);
	pic->parent = p->parent ? p->parent->pid : 0;
	pic->group = p->process_group;
	pic->session = p->session;
	pic->has_terminal = p->controlling_tty != NULL;
	pic->foreground = p->controlling_tty ? p->controlling_tty->foreground : 0;
	pic->threads = p->task_count + process_main_has_ended_locked(p);
	pic->children = p->children_usage;
	pic->signals_pending = p->signal_pending;
	pic->state = state_of(p, thread);
	found = picture_tasks(pic, p, thread);
	picture_actions(pic, p->signal_actions);
	lock_release(&process_tree_lock);
	if (!found) {
		out->error = -ESRCH;
		return false;
	}
	mutex_lock(&p->exec_mutex);
	if (!pic->name[0])
		memcpy(pic->name, p->name, sizeof(pic->name));
	picture_parts(pic, p);
	mutex_unlock(&p->exec_mutex);
	pic->name[sizeof(pic->name) - 1] = 0;
	return true;
}

void proc_print_thread_stat(struct process *p, uint32_t thread, struct text *out)
{
	struct picture pic;

	if (!take_picture(&pic, p, thread, out))
		return;
	text_print(out, "%u (%s) %c %u %u %u %lu %d 0 ", pic.id, pic.name, pic.state, pic.parent,
		   pic.group, pic.session, pic.has_terminal ? device_number(5, 1) : 0,
		   pic.has_terminal ? (int)pic.foreground : -1);
	/* Faults of its own and of its children, small and large; then times. */
	text_print(out, "%lu %lu 0 0 %lu %lu %lu %lu ", pic.own.minor_faults,
		   pic.children.minor_faults, pic.own.user_ns / TICK_NS,
		   pic.own.system_ns / TICK_NS, pic.children.user_ns / TICK_NS,
		   pic.children.system_ns / TICK_NS);
	text_print(out, "%d %d %u 0 %lu %lu %lu %lu ", pic.priority, pic.scheduling.nice,
		   pic.threads, pic.start_ns / TICK_NS, pic.bytes, pic.pages, UINT64_MAX);
	/* Of addresses only the stack's top is told, for collectors of garbage; signals are told as words. */
	text_print(out, "0 0 %lu 0 0 %lu %lu %lu %lu 0 0 0 17 %d %d %d 0 0 0 0 0 0 0 0 0 0 0\n",
		   pic.bytes ? VM_STACK_TOP : 0, pic.signals_pending | pic.signals_of_task,
		   pic.signals_blocked, pic.signals_ignored, pic.signals_handled, pic.cpu,
		   pic.scheduling.priority, pic.scheduling.policy);
}

void proc_print_stat(struct process *p, struct text *out)
{
	proc_print_thread_stat(p, 0, out);
}

void proc_print_statm(struct process *p, struct text *out)
{
	struct picture pic;

	if (!take_picture(&pic, p, 0, out))
		return;
	text_print(out, "%lu %lu 0 0 0 %lu 0\n", pic.bytes / EXO_PAGE_SIZE, pic.pages,
		   pic.bytes / EXO_PAGE_SIZE);
}

static const char *state_word(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	default:
		return "sleeping";
	}
}

/* As capget(2) has it: root may do everything, nobody else anything. */
static void print_rights(const struct process *p, struct text *out)
{
	uint64_t all = (2ul << CAP_LAST_CAP) - 1, held = p->euid == 0 ? all : 0;

	text_print(out, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\n", 0ul,
		   held, held, all);
	text_print(out, "NoNewPrivs:\t1\nSeccomp:\t0\n");
}

/* A list such as 0-3,6. */
static void print_bits(uint64_t set, struct text *out)
{
	const char *between = "";

	while (set) {
		int first = __builtin_ctzl(set), last = first;

		while (last < 63 && (set >> (last + 1) & 1))
			last++;
		text_print(out, last > first ? "%s%d-%d" : "%s%d", between, first, last);
		set &= last < 63 ? ~0ul << (last + 1) : 0;
		between = ",";
	}
	text_print(out, "\n");
}

/* A name that has a new line in it begins no line of its own. */
static void print_name_line(const char *name, struct text *out)
{
	text_print(out, "Name:\t");
	for (; *name; name++) {
		if (*name == '\n' || *name == '\\')
			text_print(out, "\\%c", *name == '\n' ? 'n' : '\\');
		else
			text_print(out, "%c", *name);
	}
	text_print(out, "\n");
}

void proc_print_thread_status(struct process *p, uint32_t thread, struct text *out)
{
	struct picture pic;

	if (!take_picture(&pic, p, thread, out))
		return;
	print_name_line(pic.name, out);
	text_print(out, "Umask:\t%04o\nState:\t%c (%s)\nTgid:\t%u\nNgid:\t0\n", pic.umask, pic.state,
		   state_word(pic.state), pic.pid);
	text_print(out, "Pid:\t%u\nPPid:\t%u\nTracerPid:\t0\n", pic.id, pic.parent);
	text_print(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", p->uid, p->euid, p->suid,
		   p->euid, p->gid, p->egid, p->sgid, p->egid);
	text_print(out, "Groups:\t");
	for (uint32_t i = 0; i < p->more_group_count; i++)
		text_print(out, i ? " %u" : "%u", p->more_groups[i]);
	text_print(out, " \n");
	if (pic.bytes)
		text_print(out, "VmSize:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
			   pic.bytes / 1024, pic.peak_pages * PAGE_KIB, pic.pages * PAGE_KIB);
	text_print(out, "Threads:\t%u\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
		   pic.threads, pic.signals_of_task, pic.signals_pending, pic.signals_blocked);
	text_print(out, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", pic.signals_ignored,
		   pic.signals_handled);
	print_rights(p, out);
	text_print(out, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", pic.scheduling.affinity);
	print_bits(pic.scheduling.affinity, out);
	text_print(out, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		   pic.voluntary, pic.involuntary);
}

void proc_print_status(struct process *p, struct text *out)
{
	proc_print_thread_status(p, 0, out);
}

void proc_print_command_line(struct process *p, struct text *out)
{
	mutex_lock(&p->exec_mutex);
	if (p->vm && p->command_line)
		text_append(out, p->command_line->text, p->command_line->size);
	mutex_unlock(&p->exec_mutex);
}

void proc_print_thread_command_line(struct process *p, uint32_t thread, struct text *out)
{
	struct picture pic;

	if (take_picture(&pic, p, thread, out))
		proc_print_command_line(p, out);
}

void proc_print_thread_name(struct process *p, uint32_t thread, struct text *out)
{
	struct picture pic;

	if (!take_picture(&pic, p, thread, out))
		return;
	text_print(out, "%s\n", pic.name);
}

void proc_print_name(struct process *p, struct text *out)
{
	proc_print_thread_name(p, 0, out);
}

void proc_print_mounts(struct process *p, struct text *out)
{
	text_print(out, "memory / tmpfs rw 0 0\nproc /proc proc rw 0 0\n");
}

/* The numbers of devices are st_dev of the files there: programs look for a file's mount by it. */
void proc_print_mount_info(struct process *p, struct text *out)
{
	text_print(out, "1 0 0:%u / / rw - tmpfs memory rw\n2 1 0:%u / /proc rw - proc proc rw\n",
		   MEMFS_DEVICE, PROC_DEVICE);
}

void proc_print_limits(struct process *p, struct text *out)
{
	static const char *const names[LIMITS] = {
		"Max cpu time",         "Max file size",      "Max data size",
		"Max stack size",       "Max core file size", "Max resident set",
		"Max processes",        "Max open files",     "Max locked memory",
		"Max address space",    "Max file locks",     "Max pending signals",
		"Max msgqueue size",    "Max nice priority",  "Max realtime priority",
		"Max realtime timeout",
	};

	text_print(out, "%-26s%-21s%-21s\n", "Limit", "Soft Limit", "Hard Limit");
	for (int n = 0; n < LIMITS; n++) {
		text_print(out, "%-26s", names[n]);
		for (int which = 0; which < 2; which++) {
			uint64_t limit = p->limits[n][which];

			if (limit == LIMIT_INFINITY)
				text_print(out, "%-21s", "unlimited");
			else
				text_print(out, "%-21lu", limit);
		}
		text_print(out, "\n");
	}
}
