/* SPDX-License-Identifier: MIT */
/*
 * Start-up.  The CPU that is entered first sets up what all share, starts the other CPUs' vcores,
 * and goes on as they do: it schedules.  One that is entered meanwhile waits until that is done.  What
 * may sleep while it starts (files, devices, process 1) is started by a task.
 */
#include "core/main.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "core/watchdog.h"
#include "debug/inject.h"
#include "domain/device.h"
#include "domain/lines.h"
#include "domain/link.h"
#include "domain/parent.h"
#include "fs/fs.h"
#include "proc/process.h"
#include "proc/sched_parameters.h"
#include "sched/library.h"
#include "sched/offline.h"
#include "sched/proc.h"
#include "time/time.h"
#include "trace/trace.h"
#include "tty/console.h"
#include "tty/host_channel.h"

#ifndef LIBOS_DEFAULT_SCHED
#define LIBOS_DEFAULT_SCHED "rr"
#endif

#define SCHED_NAME_MAX 16
#define START_LOOK_MS 1 /* between two looks of a CPU that has come too early */

/* NOT_STARTED -> STARTING by the first CPU, and by it alone -> STARTED. */
enum start_state { NOT_STARTED, STARTING, STARTED };
static _Atomic unsigned start_state;

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* What stands behind `key` on the boot command line, or NULL. */
static const char *boot_word(const char *key)
{
	const char *line = machine()->command_line, *at = line;

	while ((at = strstr(at, key)) && at != line && at[-1] != ' ')
		at++;
	return at ? at + strlen(key) : NULL;
}

/* The word after sched= on the boot command line, or the default. */
static void sched_name(char name[SCHED_NAME_MAX])
{
	const char *at = boot_word("sched=");
	size_t n = 0;

	string_copy(name, LIBOS_DEFAULT_SCHED, SCHED_NAME_MAX);
	if (!at)
		return;
	for (; at[n] && at[n] != ' ' && n < SCHED_NAME_MAX - 1; n++)
		name[n] = at[n];
	name[n] = 0;
}

/* The number behind `key` on the boot command line, or 0. */
static uint64_t boot_number(const char *key)
{
	const char *digit = boot_word(key);
	uint64_t number = 0;

	for (; digit && *digit >= '0' && *digit <= '9' && number < UINT32_MAX; digit++)
		number = number * 10 + (uint64_t)(*digit - '0');
	return number;
}

/* trace=KIB on the boot command line: everything from here on is traced. */
static void start_trace(void)
{
	uint64_t kib = boot_number("trace=");

	if (kib)
		trace_init(kib);
}

/* Uses all of the stack, and then the page that guards it. */
static __attribute__((noinline)) uint64_t overflow_stack(uint64_t depth)
{
	volatile uint64_t here[64];

	here[0] = depth;
	return depth ? overflow_stack(depth + 1) + here[0] : 0;
}

/* panic=test-libos and panic=test-stack on the boot command line are bugs of the libos, to see the
 * report. */
static __attribute__((noinline)) void panic_test(void)
{
	if (boot_word("panic=test-stack"))
		overflow_stack(1);
	if (boot_word("panic=test-libos"))
		*(volatile int *)(EXO_SHARED_END - EXO_PAGE_SIZE) = 0;
}

static void start_services(void *unused)
{
	int r = fs_init();

	if (r < 0)
		libos_panic("the file system does not start: error %d", r);
	sched_proc_init();
	if (EXO_INJECT) {
		faults_proc_init();
		flood_proc_init();
	}
	load_average_start();
	if (EXO_DEBUG)
		watchdog_start();
	trace_files_init();
	console_init();
	domain_device_init();
	links_init();
	lines_init();
	host_channel_init();
	process_init();
	panic_test();
	task_exit();
}

static void start_other_cpus(const struct vcore *boot)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		int64_t r = 0;

		if (vcore_of(cpu)->handle && (int)cpu != boot->cpu)
			r = exo_vcore_start(vcore_of(cpu)->handle);
		if (r < 0)
			log_print("libos: CPU %u does not start: error %ld\n", cpu, (long)r);
	}
}

static void start_libos(struct vcore *v)
{
	char name[SCHED_NAME_MAX];
	struct task *t;

	vcores_init();
	parent_find();
	time_init();
	vcores_know_time();
	if (machine()->vector_size > TASK_VECTOR_MAX)
		libos_panic("vector registers take %u bytes: there is room for %lu", machine()->vector_size,
			    TASK_VECTOR_MAX);
	frames_init(machine());
	frames_tables_init();
	heap_init();
	start_trace();
	if (EXO_INJECT)
		races_init(boot_number("races="));
	else if (boot_word("races="))
		log_print("libos: races= is for the debug build\n");
	sched_name(name);
	sched_init(name);
	log_print("libos: %u CPUs, %lu MiB, scheduler %s\n",
		  (unsigned)__builtin_popcountl(vcores_present()),
		  machine()->ram_frames >> (20 - EXO_PAGE_SHIFT), sched_current_name());
	t = task_create(NULL, start_services, NULL, "start");
	if (!t)
		libos_panic("no memory for the first task");
	task_start(t);
	/* Release: who sees it finds all that is above. */
	atomic_store_explicit(&start_state, STARTED, memory_order_release);
	start_other_cpus(v);
}

/* A CPU that the domain was granted while its first one was still at it.  Masked: what comes meanwhile, the
 * end of a halt among it, is put aside, and is pending again afterwards. */
static void wait_for_start(struct exo_vcore_page *page)
{
	uint32_t pending = 0;

	while (atomic_load_explicit(&start_state, memory_order_acquire) != STARTED) {
		pending |= __atomic_exchange_n(&page->pending, 0, __ATOMIC_ACQ_REL);
		(void)exo_halt(page->token, rdtsc() + machine()->tsc_khz * START_LOOK_MS);
	}
	__atomic_fetch_or(&page->pending, pending, __ATOMIC_RELEASE);
}

_Noreturn void vcore_start(struct vcore *v, struct exo_vcore_page *page)
{
	unsigned first = NOT_STARTED;

	/* By event_upcall(), on each CPU: a lock that is taken and dropped here lets no event in. */
	ASSERT_INVARIANT(v->mask_depth == 1);
	if (atomic_compare_exchange_strong(&start_state, &first, STARTING))
		start_libos(v);
	else
		wait_for_start(page);
	cpu_arrive(v);
	trace_cpu_start(v);
	sched_cpu_start(v);
	sched_gather_bound((unsigned)v->cpu);
	links_rung(); /* a server may serve here */
	wakes_deliver(v);
	schedule(v, NULL, SCHED_YIELDED);
}
