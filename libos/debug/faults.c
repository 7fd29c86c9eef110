/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail though there is something left.
 *
 *	/proc/exo/faults    SEED EVERY KINDS    written by a process: in its session one of EVERY
 *	                                        allocations fails, of those KINDS (bits of enum
 *	                                        fault_kind); 0 stops it.  One session at a time
 *
 * A place in the code (told by its callers) that allocates for the first time fails half of the time,
 * so that those that are rarely reached are tried, too.  The numbers are a function of the seed and of
 * how many were drawn before: on one CPU, or with -icount, a seed repeats itself.
 */
#include <stdatomic.h>
#include "abi/errno.h"
#include "core/lock.h"
#include "core/task.h"
#include "core/vcore.h"
#include "debug/inject.h"
#include "debug/random.h"
#include "fs/procfs.h"
#include "proc/process.h"

#define CALLERS 4   /* that tell one place from another */
#define PLACES 4096 /* a hash table without chains: two that share an entry count as one */
#define SHOWN 8

static const char *const kind_names[FAULT_KINDS] = { "frame", "heap", "task", "descriptor",
						     "handle" };

/* Written by who writes the file, `session` last (release); read by all. */
static struct {
	uint64_t seed;
	uint32_t every, kinds;
	_Atomic uint32_t session;
} config;

/* Any CPU. */
static _Atomic uint64_t drawn, asked[FAULT_KINDS], failed[FAULT_KINDS], places;
static _Atomic bool known[PLACES];
static _Atomic uint64_t failed_at[SHOWN], last;

/* The task whose allocation this is, if it is one of those that are to fail: an event in its stead is
 * not, and has another stack. */
static bool concerned(uint32_t session)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	const struct task *t;
	bool yes;

	upcalls_mask();
	t = this_vcore()->current;
	yes = t && t->process && t->process->session == session &&
	      (((uint64_t)t ^ here) & ~(TASK_SLOT_SIZE - 1)) == 0;
	upcalls_unmask();
	return yes;
}

/* Of the callers' addresses; they have frame pointers, and lie in one stack. */
static uint64_t place_of(const uint64_t *frame, enum fault_kind kind, uint64_t *caller)
{
	uint64_t slot = (uint64_t)frame & ~(TASK_SLOT_SIZE - 1), hash = (uint64_t)kind;

	for (int i = 0; i < CALLERS && (uint64_t)frame - slot < TASK_OFFSET && frame[1]; i++) {
		if (i == 1)
			*caller = frame[1];
		hash = random_mixed(hash ^ frame[1]);
		frame = (const uint64_t *)frame[0];
	}
	return hash;
}

bool fault_decide(enum fault_kind kind)
{
	uint32_t session = atomic_load_explicit(&config.session, memory_order_acquire);
	uint64_t place, number, caller = 0;
	bool fails;

	if (!session || !(config.kinds >> kind & 1) || !concerned(session))
		return false;
	place = place_of(__builtin_frame_address(0), kind, &caller);
	number = random_mixed(config.seed + atomic_fetch_add(&drawn, 1));
	atomic_fetch_add(&asked[kind], 1);
	if (!atomic_exchange(&known[place % PLACES], true)) {
		atomic_fetch_add(&places, 1);
		fails = number & 1;
	} else {
		fails = number % config.every == 0;
	}
	if (fails) {
		atomic_fetch_add(&failed[kind], 1);
		failed_at[atomic_fetch_add(&last, 1) % SHOWN] = caller;
	}
	return fails;
}

void inject_report(void)
{
	uint64_t end = last;

	if (races_seed)
		log_print("libos: races=%lu\n", races_seed);
	if (!config.seed)
		return;
	log_print("libos: faults with seed %lu, the last ones for:\n", config.seed);
	for (uint64_t i = end > SHOWN ? end - SHOWN : 0; i < end; i++)
		log_print("  %016lx\n", failed_at[i % SHOWN]);
}

static void print_faults(struct text *out, void *unused)
{
	text_print(out, "session %u seed %lu every %u kinds %x places %lu\n", config.session, config.seed,
		   config.every, config.kinds, (uint64_t)places);
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		text_print(out, "%s %lu %lu\n", kind_names[kind], (uint64_t)asked[kind],
			   (uint64_t)failed[kind]);
}

static int write_faults(const char *data, size_t n, void *unused)
{
	uint64_t word[3] = { 0 };

	atomic_store(&config.session, 0);
	for (int i = 0; i < 3; i++)
		data = number_read(data, &word[i]);
	if (word[0] == 0)
		return 0;
	if (word[1] == 0 || word[1] > UINT32_MAX)
		return -EINVAL;
	config.seed = word[0];
	config.every = (uint32_t)word[1];
	config.kinds = (uint32_t)word[2];
	drawn = places = 0;
	for (int kind = 0; kind < FAULT_KINDS; kind++)
		asked[kind] = failed[kind] = 0;
	for (int i = 0; i < PLACES; i++)
		known[i] = false;
	atomic_store_explicit(&config.session, current_process()->session, memory_order_release);
	return 0;
}

void faults_proc_init(void)
{
	if (proc_register("exo/faults", print_faults, write_faults, NULL) < 0)
		log_print("libos: no memory for /proc/exo/faults\n");
}
