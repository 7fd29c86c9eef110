/* SPDX-License-Identifier: MIT */
/* What /proc says of the machine and of the system; the formats are those of proc(5). */
#include <exo/abi.h>
#include <linux/capability.h>
#include <linux/utsname.h>
#include "abi/random.h"
#include "abi/release.h"
#include "abi/syscall.h"
#include "core/exo.h"
#include "core/handles.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/task_table.h"
#include "core/vcore.h"
#include "fs/proc_files.h"
#include "fs/proc_inode.h"
#include "fs/space.h"
#include "proc/process.h"
#include "time/timespec.h"
#include "vm/vm.h"

#define TICK_NS 10000000ul
#define PAGE_KIB (EXO_PAGE_SIZE / 1024)

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
	__asm__("cpuid"
		: "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		: "a"(leaf), "c"(0));
}

/* The features that programs ask for by name: bits of leaf 1's EDX and ECX. */
static void print_flags(struct text *out)
{
	static const struct {
		uint8_t word, bit; /* word: 2 = ECX, 3 = EDX */
		const char *name;
	} flags[] = {
		{ 3, 0, "fpu" },    { 3, 4, "tsc" },      { 3, 5, "msr" },      { 3, 6, "pae" },
		{ 3, 8, "cx8" },    { 3, 9, "apic" },     { 3, 15, "cmov" },    { 3, 23, "mmx" },
		{ 3, 24, "fxsr" },  { 3, 25, "sse" },     { 3, 26, "sse2" },    { 2, 0, "pni" },
		{ 2, 9, "ssse3" },  { 2, 12, "fma" },     { 2, 13, "cx16" },    { 2, 19, "sse4_1" },
		{ 2, 20, "sse4_2" }, { 2, 23, "popcnt" }, { 2, 25, "aes" },     { 2, 26, "xsave" },
		{ 2, 28, "avx" },   { 2, 30, "rdrand" },
	};
	uint32_t leaf1[4];

	cpuid(1, leaf1);
	text_print(out, "flags\t\t:");
	for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++)
		if (leaf1[flags[n].word] >> flags[n].bit & 1)
			text_print(out, " %s", flags[n].name);
	text_print(out, "\n");
}

static void print_cpuinfo(struct text *out, void *argument)
{
	uint32_t vendor[4], leaf1[4], brand[12];
	char vendor_name[13] = { 0 }, model_name[49] = { 0 };
	uint64_t present = vcores_present();

	cpuid(0, vendor);
	memcpy(vendor_name, &vendor[1], 4);
	memcpy(vendor_name + 4, &vendor[3], 4);
	memcpy(vendor_name + 8, &vendor[2], 4);
	cpuid(1, leaf1);
	for (uint32_t n = 0; n < 3; n++)
		cpuid(0x80000002 + n, brand + 4 * n);
	memcpy(model_name, brand, 48);
	for (uint32_t cpu = 0; cpu < machine()->cpu_count; cpu++) {
		const struct exo_cpu_info *c = &machine()->cpus[cpu];

		if (!(present >> cpu & 1))
			continue;
		text_print(out,
			   "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n",
			   cpu, vendor_name, leaf1[0] >> 8 & 0xf,
			   (leaf1[0] >> 4 & 0xf) | (leaf1[0] >> 12 & 0xf0));
		text_print(out, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %lu.%03lu\n",
			   model_name, leaf1[0] & 0xf, c->tsc_khz / 1000, c->tsc_khz % 1000);
		text_print(out, "apicid\t\t: %u\ncpu cores\t: %u\n", c->apic_id,
			   (unsigned)__builtin_popcountl(present));
		print_flags(out);
		text_print(out, "\n");
	}
}

static void print_meminfo(struct text *out, void *argument)
{
	uint64_t free = frames_free_count() * PAGE_KIB;
	struct space_usage files = space_usage();

	text_print(out,
		   "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n",
		   frames_total_count() * PAGE_KIB, free, free);
	text_print(out,
		   "Buffers:        %8u kB\nCached:         %8lu kB\nShmem:          %8lu kB\n", 0,
		   files.used_bytes / 1024, files.used_bytes / 1024);
	text_print(out, "SwapCached:     %8u kB\nSwapTotal:      %8u kB\nSwapFree:       %8u kB\n",
		   0, 0, 0);
}

static uint64_t ticks_to_jiffies(uint64_t tsc)
{
	return tsc_to_ns(tsc) / TICK_NS;
}

/* Programs and the libos run in ring 3, the kernel below: user and system are told apart there. */
static void print_cpu_line(struct text *out, const char *name, const struct exo_cpu_stats *s)
{
	text_print(out, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, ticks_to_jiffies(s->charged),
		   ticks_to_jiffies(s->kernel), ticks_to_jiffies(s->idle));
}

static struct exo_cpu_stats cpu_stats(unsigned cpu)
{
	struct exo_cpu_stats s = { 0 };

	while (exo_cpu_stats(cpu, &s) == -EAGAIN)
		;
	return s;
}

static void print_stat(struct text *out, void *argument)
{
	struct exo_cpu_stats sum = { 0 };
	char name[16];

	for (unsigned cpu = 0; cpu < machine()->cpu_count; cpu++) {
		struct exo_cpu_stats s = cpu_stats(cpu);

		sum.charged += s.charged;
		sum.kernel += s.kernel;
		sum.idle += s.idle;
		sum.interrupts += s.interrupts;
		sum.switches += s.switches;
	}
	print_cpu_line(out, "cpu ", &sum);
	for (unsigned cpu = 0; cpu < machine()->cpu_count; cpu++) {
		struct exo_cpu_stats s = cpu_stats(cpu);

		format(name, sizeof(name), "cpu%u", cpu);
		print_cpu_line(out, name, &s);
	}
	text_print(out, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %u\n", sum.interrupts,
		   sum.switches, (time_real_ns() - time_now_ns()) / NS_PER_SECOND, process_count);
}

static void print_uptime(struct text *out, void *argument)
{
	uint64_t up = time_now_ns() / TICK_NS, idle = 0;

	for (unsigned cpu = 0; cpu < machine()->cpu_count; cpu++)
		idle += ticks_to_jiffies(cpu_stats(cpu).idle);
	text_print(out, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
}

static void print_loadavg(struct text *out, void *argument)
{
	unsigned running = 0, tasks = 0, last = 0;
	uint64_t load[LOAD_AVERAGES];

	load_average(load);
	for (int i = 0; i < LOAD_AVERAGES; i++) {
		uint64_t hundredths = (load[i] * 100 + (1 << (LOAD_SHIFT - 1))) >> LOAD_SHIFT;

		text_print(out, "%lu.%02lu ", hundredths / 100, hundredths % 100);
	}
	lock_acquire(&process_tree_lock);
	list_for_each(link, &all_processes) {
		const struct process *p = list_entry(link, struct process, all_link);

		last = p->pid > last ? p->pid : last;
		list_for_each(task_link, &p->tasks) {
			const struct task *t = list_entry(task_link, struct task, thread_link);

			tasks++;
			running += t->state == TASK_RUNNING || t->state == TASK_RUNNABLE;
		}
	}
	lock_release(&process_tree_lock);
	text_print(out, "%u/%u %u\n", running, tasks, last);
}

static void print_version(struct text *out, void *argument)
{
	struct new_utsname names;

	system_names(&names);
	text_print(out, "%s version %s %s\n", names.sysname, names.release, names.version);
}

static void print_mounts(struct text *out, void *argument)
{
	proc_print_mounts(NULL, out);
}

static void print_filesystems(struct text *out, void *argument)
{
	text_print(out, "nodev\ttmpfs\nnodev\tproc\n");
}

static void print_command_line(struct text *out, void *argument)
{
	text_print(out, "%s\n", machine()->command_line);
}

/* sys/kernel/...: one field of the names; argument is its offset. */
static void print_name(struct text *out, void *argument)
{
	struct new_utsname names;

	system_names(&names);
	text_print(out, "%s\n", (const char *)&names + (size_t)argument);
}

static void print_number(struct text *out, void *argument)
{
	text_print(out, "%lu\n", (uint64_t)argument);
}

/* RFC 9562, version 4: random but for six bits. */
static void print_id(struct text *out, const uint8_t random[16])
{
	for (int n = 0; n < 16; n++) {
		uint8_t byte = random[n];

		if (n == 6)
			byte = (byte & 0x0f) | 0x40;
		else if (n == 8)
			byte = (byte & 0x3f) | 0x80;
		text_print(out, n == 4 || n == 6 || n == 8 || n == 10 ? "-%02x" : "%02x", byte);
	}
	text_print(out, "\n");
}

static void print_uuid(struct text *out, void *argument)
{
	uint8_t random[16];

	random_bytes(random, sizeof(random));
	print_id(out, random);
}

static uint8_t boot_id[16]; /* fixed after proc_system_init() */

static void print_boot_id(struct text *out, void *argument)
{
	print_id(out, boot_id);
}

/* What the kernel counts for each CPU, times in milliseconds, and what the libos counts in all. */
static void print_exo_stats(struct text *out, void *argument)
{
	struct space_usage files_space = space_usage();

	text_print(out, "%-4s%12s%12s%12s%12s%12s%12s%12s%12s%12s%12s%12s\n", "cpu", "charged_ms",
		   "idle_ms", "kernel_ms", "interrupts", "ipis", "upcalls", "switches", "exo_calls",
		   "faults", "tlb_flushes", "nmis");
	for (unsigned cpu = 0; cpu < machine()->cpu_count; cpu++) {
		struct exo_cpu_stats s = cpu_stats(cpu);

		text_print(out, "%-4u%12lu%12lu%12lu%12lu%12lu%12lu%12lu%12lu%12lu%12lu%12lu\n", cpu,
			   tsc_to_ns(s.charged) / 1000000, tsc_to_ns(s.idle) / 1000000,
			   tsc_to_ns(s.kernel) / 1000000, s.interrupts, s.ipis_received, s.upcalls,
			   s.switches, s.exo_calls, s.faults, s.tlb_flushes, s.nmis);
	}
	text_print(out, "frames free %lu of %lu\nfiles %lu of %lu bytes, %lu inodes\n"
		   "handle pages added %u\nunknown system calls %lu\n", frames_free_count(),
		   frames_total_count(), files_space.used_bytes, files_space.limit_bytes,
		   files_space.inodes, handle_pages, (uint64_t)syscalls_unknown);
}

static const struct {
	const char *path;
	void (*print)(struct text *out, void *argument);
	uint64_t argument;
} files[] = {
	{ "cmdline", print_command_line, 0 },
	{ "cpuinfo", print_cpuinfo, 0 },
	{ "filesystems", print_filesystems, 0 },
	{ "loadavg", print_loadavg, 0 },
	{ "meminfo", print_meminfo, 0 },
	{ "mounts", print_mounts, 0 },
	{ "stat", print_stat, 0 },
	{ "uptime", print_uptime, 0 },
	{ "version", print_version, 0 },
	{ "exo/held", proc_print_held, 0 },
	{ "exo/stats", print_exo_stats, 0 },
	{ "sys/kernel/hostname", print_name, offsetof(struct new_utsname, nodename) },
	{ "sys/kernel/domainname", print_name, offsetof(struct new_utsname, domainname) },
	{ "sys/kernel/osrelease", print_name, offsetof(struct new_utsname, release) },
	{ "sys/kernel/ostype", print_name, offsetof(struct new_utsname, sysname) },
	{ "sys/kernel/version", print_name, offsetof(struct new_utsname, version) },
	{ "sys/kernel/pid_max", print_number, TASK_PROGRAM_IDS },
	{ "sys/kernel/ngroups_max", print_number, PROCESS_GROUPS_MAX },
	{ "sys/kernel/cap_last_cap", print_number, CAP_LAST_CAP },
	{ "sys/kernel/threads-max", print_number, TASK_PROGRAM_IDS },
	{ "sys/kernel/random/uuid", print_uuid, 0 },
	{ "sys/kernel/random/boot_id", print_boot_id, 0 },
	{ "sys/fs/pipe-max-size", print_number, 1 << 20 },
	{ "sys/vm/max_map_count", print_number, VM_MAPPINGS_MAX },
	{ "sys/vm/overcommit_memory", print_number, 1 }, /* as vm/mmap.c says it */
};

void proc_system_init(void)
{
	random_bytes(boot_id, sizeof(boot_id));
	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++)
		if (proc_register(files[n].path, files[n].print, NULL, (void *)files[n].argument))
			log_print("proc: no memory for %s\n", files[n].path);
}
