/* SPDX-License-Identifier: MIT */
/* libos/vm/copy.c, included below: what one CPU writes to a page that is being copied on write, another that
 * is told of it reads
 *
 * CPU 0 writes to the page first, so that it is copied. CPU 1 writes to it when it finds that it may, and
 * says so; CPU 2, which has the page in its TLB as it was, then reads it. The kernel's update is what it
 * promises: other CPUs forget an entry that was replaced some time after that, and its epoch says when.
 */
#include <string.h>
#include <sys/mman.h>
#include "core/exo.h"
#include "explore.h"
#include "proc/process.h"

static struct process process;
static int64_t protect_entry(exo_handle space, uint64_t va, uint64_t pages, unsigned prot,
			     unsigned flags);
#define exo_protect protect_entry
#define current_process() (&process)
#include "../../libos/vm/copy.c"
#undef exo_protect

#define VA 0x400000ul
#define OLD 7 /* the frame that is copied, */
#define NEW 8 /* and its copy */
#define BEFORE (OLD << EXO_PAGE_SHIFT | EXO_PTE_PRESENT | EXO_PTE_USER | EXO_PTE_SOFT0)

static struct vm vm;
static struct mapping mapping;
static _Atomic uint64_t entry;
enum { UNTOLD, BEHIND, FORGOTTEN };
static _Atomic int behind[3]; /* is the CPU's TLB to forget the entry, or has it? */
static _Atomic unsigned said; /* what CPU 1 says that it has written */
static _Atomic unsigned data[NEW + 1];
static uint64_t tlb[3];

/* ---------------------------------------------------------------- what the code under test calls */

static uint64_t entry_of(uint64_t frame, unsigned prot)
{
	return frame << EXO_PAGE_SHIFT | EXO_PTE_PRESENT | EXO_PTE_USER |
	       (prot & EXO_PROT_WRITE ? EXO_PTE_WRITE : 0) |
	       (prot & EXO_PROT_SOFT0 ? EXO_PTE_SOFT0 : 0);
}

int space_update(struct vm *v, const struct exo_op *ops, unsigned count, uint64_t *epoch)
{
	EXPLORE_CHECK(count == 1 && ops->code == EXO_OP_MAP && ops->source == OLD &&
		      ops->frame == NEW && ops->flags == (EXO_OP_REPLACE | EXO_OP_FILL));
	atomic_store(&data[NEW], atomic_load(&data[OLD]));
	atomic_store(&entry, entry_of(NEW, ops->prot));
	atomic_store(&behind[1], BEHIND);
	atomic_store(&behind[2], BEHIND);
	*epoch = 1;
	return 0;
}

static int64_t protect_entry(exo_handle space, uint64_t va, uint64_t pages, unsigned prot,
			     unsigned flags)
{
	uint64_t frame = EXO_PTE_FRAME(atomic_load(&entry));

	EXPLORE_CHECK(va == VA && pages == 1 && frame == NEW);
	atomic_store(&entry, entry_of(frame, prot));
	return 0;
}

static bool has_passed(void *unused)
{
	return atomic_load(&behind[1]) == FORGOTTEN && atomic_load(&behind[2]) == FORGOTTEN;
}

void space_wait(struct vm *v, uint64_t epoch)
{
	if (epoch)
		explore_wait(has_passed, NULL, "waits for the epoch");
}

unsigned take_frames(uint64_t *frames, unsigned wanted)
{
	frames[0] = NEW;
	return 1;
}

unsigned touched_below(const struct mapping *m, uint64_t va, uint64_t bits)
{
	return 0;
}
void frame_free(uint64_t frame)
{
}
uint8_t mapping_own_prot(const struct mapping *m)
{
	return EXO_PROT_READ | EXO_PROT_WRITE;
}

int space_protect_again(struct vm *v, uint64_t start, uint64_t end, unsigned prot, unsigned flags,
			int64_t r, uint64_t *epoch)
{
	return (int)r;
}

/* ---------------------------------------------------------------- the cases */

/* A page of one of the kernel's windows. */
static void *window(const volatile void *place)
{
	void *page = (void *)((uint64_t)place & ~(PAGE - 1));

	page = mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0);
	EXPLORE_CHECK(page != MAP_FAILED);
	return page;
}

static void setup(void)
{
	struct exo_frame_info *frames = window((const void *)EXO_FRAMES_BASE);

	frames[OLD].maps = 2;
	window(&EXO_PDE(VA));
	*(uint64_t *)&EXO_PDE(VA) = EXO_PTE_PRESENT | EXO_PTE_WRITE;
	memset(&vm, 0, sizeof(vm));
	memset(data, 0, sizeof(data));
	memset(behind, 0, sizeof(behind));
	memset(tlb, 0, sizeof(tlb));
	vm.references = 1;
	process.vm = &vm;
	process.task_count = 3;
	mapping.region = (struct region){ .start = VA, .end = VA + PAGE };
	mapping.prot = PROT_READ | PROT_WRITE;
	entry = tlb[2] = BEFORE;
	said = 0;
	explore_name(&vm, sizeof(vm), "vm");
	explore_name(&process, sizeof(process), "process");
	explore_name(&mapping, sizeof(mapping), "mapping");
	explore_name(&entry, sizeof(entry), "entry");
	explore_name(behind, sizeof(behind), "behind");
	explore_name(&said, sizeof(said), "said");
	explore_name(data, sizeof(data), "data");
	explore_name(tlb, sizeof(tlb), "tlb");
}

/* The interrupt that tells a CPU comes between two of its instructions. */
static void catch_up(unsigned cpu)
{
	if (atomic_load(&behind[cpu]) != BEHIND)
		return;
	tlb[cpu] = 0;
	atomic_store(&behind[cpu], FORGOTTEN);
}

static uint64_t look_up(unsigned cpu)
{
	if (!tlb[cpu])
		tlb[cpu] = atomic_load(&entry);
	return tlb[cpu];
}

static void write_and_tell(unsigned cpu)
{
	for (unsigned tries = 0; tries < 3; tries++) {
		uint64_t found = look_up(cpu);

		if (found & EXO_PTE_WRITE) {
			atomic_store(&data[EXO_PTE_FRAME(found)], 1);
			atomic_store(&said, 1);
			tries = 3;
		} else {
			tlb[cpu] = 0; /* a fault, and it waits for the mutex */
		}
		catch_up(cpu);
	}
}

static void read_what_was_told(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		unsigned told = atomic_load(&said);

		EXPLORE_CHECK(atomic_load(&data[EXO_PTE_FRAME(look_up(cpu))]) >= told);
		catch_up(cpu);
	}
}

static bool is_told(void *cpu)
{
	return atomic_load(&behind[(uintptr_t)cpu]) != UNTOLD;
}

static void a_page_is_copied(unsigned cpu)
{
	uint64_t epoch = 0;

	if (cpu == 0) {
		EXPLORE_CHECK(copy_on_write(&vm, &mapping, VA, BEFORE, &epoch) == 0);
		space_wait(&vm, epoch);
		return;
	}
	if (cpu == 1)
		write_and_tell(cpu);
	else
		read_what_was_told(cpu);
	explore_wait(is_told, (void *)(uintptr_t)cpu, "runs on until it is interrupted");
	catch_up(cpu);
}

static void the_copy_is_writable(void)
{
	EXPLORE_CHECK(atomic_load(&entry) == entry_of(NEW, EXO_PROT_WRITE));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "what_is_written_to_a_copy_is_read_by_all", 3, 2, 1, setup, a_page_is_copied,
		  the_copy_is_writable, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
