/* SPDX-License-Identifier: MIT */
/* libos/vm/mapping.c, libos/vm/region.c, and included below: regions and page tables say the same when two
 * threads of a program change the rights of overlapping ranges (libos/vm/mprotect.c)
 *
 * A page table is the rights of some pages; the kernel's update changes them one by one.
 */
#include <string.h>
#include <sys/mman.h>
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "explore.h"

static int64_t change_entries(exo_handle space, uint64_t va, uint64_t pages, unsigned prot, unsigned flags);
#define exo_protect change_entries
#include "../../libos/vm/mprotect.c"
#undef exo_protect
#include "core/memory.h"

#define PAGES 4
#define MAPPINGS 8
#define START 0x400000ul

static struct vm vm;
static struct mapping mappings[MAPPINGS];
static bool is_used[MAPPINGS];
static uint8_t table[PAGES]; /* EXO_PROT_ of each page */

static uint64_t address_of(unsigned page)
{
	return START + page * PAGE;
}

/* ---------------------------------------------------------------- what the code under test calls */

static bool mutex_is_free(void *m)
{
	return !((struct mutex *)m)->lock.holder;
}

void mutex_lock(struct mutex *m)
{
	uint8_t free = 0;

	while (!atomic_compare_exchange_strong(&m->lock.holder, &free, 1)) {
		explore_wait(mutex_is_free, m, "waits for the mutex");
		free = 0;
	}
}

void mutex_unlock(struct mutex *m)
{
	atomic_store_explicit(&m->lock.holder, 0, memory_order_release);
}

void *heap_alloc_uncleared(size_t size)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		if (!is_used[i]) {
			is_used[i] = true;
			return &mappings[i];
		}
	}
	return NULL;
}

void heap_free(void *p)
{
	is_used[(struct mapping *)p - mappings] = false;
}

uint64_t space_next_present(uint64_t va, uint64_t end)
{
	return va;
}

static int64_t change_entries(exo_handle space, uint64_t va, uint64_t pages, unsigned prot, unsigned flags)
{
	for (unsigned i = 0; i < pages; i++)
		table[(va - START) / PAGE + i] = (uint8_t)prot;
	return 0;
}

int space_protect_again(struct vm *v, uint64_t start, uint64_t end, unsigned prot, unsigned flags,
			int64_t said, uint64_t *epoch)
{
	return (int)said;
}

bool space_has_table(uint64_t va) { return false; }
void space_wait(struct vm *v, uint64_t epoch) {}
int space_unmap(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch) { return 0; }
uint64_t space_entry(uint64_t va) { return 0; }
int vm_populate(struct vm *v, uint64_t start, uint64_t end, bool write) { return 0; }
void file_map_get(struct file *f) {}
void file_map_put(struct file *f) {}
void shared_memory_get(struct shared_memory *s) {}
void shared_memory_put(struct shared_memory *s) {}
int copy_to_user(uint64_t to, const void *from, size_t size) { return 0; }

uint64_t process_limit(const struct process *p, enum process_limit which)
{
	return LIMIT_INFINITY;
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(mappings, 0, sizeof(mappings));
	memset(is_used, 0, sizeof(is_used));
	memset(table, EXO_PROT_READ | EXO_PROT_WRITE, sizeof(table));
	is_used[0] = true;
	mappings[0].region = (struct region){ .start = START, .end = address_of(PAGES) };
	mappings[0].prot = PROT_READ | PROT_WRITE;
	mapping_insert(&vm, &mappings[0]);
	explore_name(&vm, sizeof(vm), "vm");
	explore_name(mappings, sizeof(mappings), "mappings");
	explore_name(is_used, sizeof(is_used), "is_used");
	explore_name(table, sizeof(table), "table");
}

static void two_threads_protect(unsigned thread)
{
	if (thread == 0)
		EXPLORE_CHECK(vm_mprotect(&vm, address_of(0), 3 * PAGE, PROT_READ) == 0);
	else
		EXPLORE_CHECK(vm_mprotect(&vm, address_of(1), 3 * PAGE, PROT_READ | PROT_EXEC) == 0);
}

/* All of a mapping that nothing has to be looked for of: it was found last, alone, and has its first page. */
static void setup_known(void)
{
	uint64_t *entry = (uint64_t *)&EXO_PTE(START);
	void *page = (void *)((uint64_t)entry & ~(PAGE - 1));

	setup();
	page = mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPLORE_CHECK(page != MAP_FAILED);
	*entry = EXO_PTE_PRESENT;
	vm.recent = &mappings[0];
	vm.regions.alone = &mappings[0].region;
	vm.known_table = START | (TABLE_SPAN - 1);
}

static void two_threads_protect_all(unsigned thread)
{
	EXPLORE_CHECK(vm_mprotect(&vm, START, PAGES * PAGE, thread == 0 ? PROT_READ : PROT_EXEC) == 0);
	if (thread == 0)
		EXPLORE_CHECK(vm_mprotect(&vm, START, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void both_say_the_same(void)
{
	EXPLORE_CHECK(region_tree_ok(&vm.regions));
	for (unsigned i = 0; i < PAGES; i++) {
		const struct mapping *m = mapping_find(&vm, address_of(i));

		EXPLORE_CHECK(m && mapping_present_prot(m) == table[i]);
	}
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "regions_and_page_tables_change_together", 2, 2, 0, setup, two_threads_protect,
		  both_say_the_same, NULL },
		{ "a_mapping_and_its_pages_change_together", 2, 3, 1, setup_known, two_threads_protect_all,
		  both_say_the_same, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
