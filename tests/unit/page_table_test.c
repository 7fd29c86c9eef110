/* SPDX-License-Identifier: MIT */
/* exo/page_table.c, included: the way to an entry, remembered or not, what of an address space may be
 * changed, and what an entry says.
 *
 * Frames are those of an array. */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#define phys_to_virt phys_to_virt_of_the_machine
#define frame_pointer frame_pointer_of_the_machine
#include "kernel.h"
#undef phys_to_virt
#undef frame_pointer

enum { FRAMES = 32, ROOT = 1, OTHER_ROOT = 2, FIRST_TABLE = 3 };

static _Alignas(EXO_PAGE_SIZE) char memory[FRAMES][EXO_PAGE_SIZE];
static _Atomic uint64_t private_words[FRAMES], all_words[FRAMES];
_Atomic uint64_t *frame_private = private_words, *frame_words = all_words;
uint64_t frame_end = FRAMES;
static struct domain me = { .id = 1 }, other = { .id = 2 };
static struct space space, other_space, shared;

static void *phys_to_virt(uint64_t physical)
{
	return (char *)memory + physical;
}

static void *frame_pointer(uint64_t frame)
{
	return memory[frame];
}

#include "../../exo/page_table.c"

uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(1, EXO_FRAME_TABLE);
}

void frame_zero(uint64_t frame)
{
	memset(memory[frame], 0, EXO_PAGE_SIZE);
}

bool lock_held(const struct lock *lock)
{
	return true;
}

bool tlb_frame_acknowledged(uint64_t frame)
{
	return true;
}

bool frame_is_ram(uint64_t frame)
{
	return true;
}

bool frame_map(uint64_t frame, uint16_t frame_owner, uint16_t space_owner)
{
	return true;
}

uint64_t frame_unmap(uint64_t frame, uint64_t seen, uint16_t space_owner)
{
	return seen;
}

void invariant_failed(const char *condition, const char *file, unsigned line)
{
	printf("# %s:%u: %s\n", file, line, condition);
	abort();
}

static void start(void)
{
	memset(memory, 0, sizeof(memory));
	space = (struct space){ .object.owner = &me, .root = ROOT };
	other_space = (struct space){ .object.owner = &me, .root = OTHER_ROOT };
	shared = (struct space){ .object.owner = &me, .root = ROOT, .is_shared = true };
	for (uint64_t frame = FIRST_TABLE; frame < FRAMES; frame++)
		page_table_pool_add(frame % 2 ? &space : &other_space, frame);
}

/* The entry, with tables that are made as they are missing. */
static table_entry *make(struct space *s, uint64_t va)
{
	struct table_place at;
	table_entry *entry;

	while (!(entry = page_table_walk(s, va, 0, &at)))
		if (!page_table_make(s, &at))
			return NULL;
	return entry;
}

/* What the tables say, from the root on. */
static table_entry *look_up(const struct space *s, uint64_t va)
{
	uint64_t frame = s->root;

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		frame = pte_frame(((table_entry *)memory[frame])[(va >> shift) % TABLE_ENTRIES]);
		if (!frame)
			return NULL;
	}
	return &((table_entry *)memory[frame])[(va >> 12) % TABLE_ENTRIES];
}

static const uint64_t places[] = {
	0, 0x1000, TABLE_SPAN - EXO_PAGE_SIZE, TABLE_SPAN, 7 * TABLE_SPAN, 0x40000000, 0x8000000000,
	EXO_USER_TOP - EXO_PAGE_SIZE, TABLE_SPAN + 0x3000,
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static void each_page_has_an_entry_of_its_own(void)
{
	start();
	for (unsigned i = 0; i < PLACES; i++) {
		table_entry *entry = make(&space, places[i]);

		CHECK(entry && *entry == 0);
		*entry = i + 1;
	}
	for (unsigned i = 0; i < PLACES; i++)
		for (unsigned j = 0; j < PLACES; j++) {
			CHECK_EQ(*make(&space, places[i]), i + 1);
			CHECK_EQ(*make(&space, places[j]), j + 1);
			CHECK(make(&space, places[j]) == look_up(&space, places[j]));
		}
}

static void a_way_is_one_space_s(void)
{
	start();
	*make(&space, places[3]) = 1;
	CHECK_EQ(*make(&other_space, places[3]), 0);
	CHECK_EQ(*make(&space, places[3]), 1);
	CHECK(make(&other_space, places[3]) == look_up(&other_space, places[3]));
}

/* A table comes, goes and is another one, wherever the last walk was. */
static void a_directory_entry_is_read_each_time(void)
{
	struct table_place at;
	table_entry *directory;
	uint64_t before;

	start();
	CHECK(page_table_walk(&space, places[3], 0, &at) == NULL);
	*make(&space, places[3]) = 1;
	directory = page_table_walk(&space, places[3], 1, &at);
	CHECK(page_table_walk(&space, places[3], 0, &at) && at.directory == directory && at.level == 1);
	before = atomic_exchange(directory, 0);
	CHECK(page_table_walk(&space, places[3], 0, &at) == NULL && at.directory == directory);
	CHECK_EQ(table_pages_missing(places[3], &at), TABLE_ENTRIES);
	CHECK_EQ(*make(&space, places[3]), 0);
	*directory = before;
	CHECK_EQ(*make(&space, places[3]), 1);
}

static void the_shared_region_begins_a_level_lower(void)
{
	uint64_t va = EXO_DYNAMIC_BASE;

	start();
	page_table_pool_add(&shared, FIRST_TABLE);
	page_table_pool_add(&shared, FIRST_TABLE + 1);
	*make(&shared, va) = 5;
	CHECK_EQ(*make(&shared, va), 5);
	CHECK_EQ(pte_frame(((table_entry *)memory[ROOT])[(va >> 30) % TABLE_ENTRIES]), FIRST_TABLE + 1);
}

static void only_whole_pages_inside_may_be_changed(void)
{
	start();
	CHECK(page_table_range_ok(&space, &me, 0, 0));
	CHECK(page_table_range_ok(&space, &me, 0, EXO_USER_TOP >> EXO_PAGE_SHIFT));
	CHECK(!page_table_range_ok(&space, &me, 0, (EXO_USER_TOP >> EXO_PAGE_SHIFT) + 1));
	CHECK(!page_table_range_ok(&space, &me, EXO_PAGE_SIZE, EXO_USER_TOP >> EXO_PAGE_SHIFT));
	CHECK(!page_table_range_ok(&space, &me, EXO_PAGE_SIZE, UINT64_MAX));
	CHECK(page_table_range_ok(&space, &me, EXO_USER_TOP - EXO_PAGE_SIZE, 1));
	CHECK(page_table_range_ok(&space, &me, EXO_USER_TOP, 0));
	CHECK(!page_table_range_ok(&space, &me, EXO_USER_TOP, 1));
	CHECK(!page_table_range_ok(&space, &me, EXO_USER_TOP + EXO_PAGE_SIZE, 0));
	CHECK(!page_table_range_ok(&space, &me, -EXO_PAGE_SIZE, 1));
	CHECK(!page_table_range_ok(&space, &me, EXO_PAGE_SIZE + 1, 1));
	CHECK(!page_table_range_ok(&space, &me, 2 * EXO_PAGE_SIZE - 1, 0));
	CHECK(!page_table_range_ok(&shared, &me, EXO_DYNAMIC_BASE - EXO_PAGE_SIZE, 1));
	CHECK(page_table_range_ok(&shared, &me, EXO_DYNAMIC_BASE, 1));
	CHECK(!page_table_range_ok(&shared, &me, EXO_DYNAMIC_BASE + 8, 1));
	CHECK(page_table_range_ok(&shared, &me, EXO_MODULE_BASE - EXO_PAGE_SIZE, 1));
	CHECK(!page_table_range_ok(&shared, &me, EXO_MODULE_BASE - EXO_PAGE_SIZE, 2));
	CHECK(!page_table_range_ok(&shared, &me, EXO_MODULE_BASE, 1));
	CHECK(page_table_range_ok(&shared, &other, EXO_SHARED_BASE, 1));
	CHECK(!page_table_range_ok(&shared, &other, EXO_SHARED_BASE - EXO_PAGE_SIZE, 1));
	CHECK(!page_table_range_ok(&shared, &other, 0, 1));
	CHECK(!page_table_range_ok(&shared, &other, EXO_SHARED_END, 1));
}

static void an_entry_says_what_is_allowed(void)
{
	for (unsigned prot = 0; prot < 128; prot++) {
		uint64_t bits = page_table_bits(prot);

		CHECK(bits & PTE_PRESENT);
		CHECK_EQ(!(bits & PTE_USER), !(prot & (EXO_PROT_READ | EXO_PROT_WRITE | EXO_PROT_EXEC)));
		CHECK_EQ(!(bits & PTE_WRITE), !(prot & EXO_PROT_WRITE));
		CHECK_EQ(!(bits & PTE_NX), !!(prot & EXO_PROT_EXEC));
		CHECK_EQ(!(bits & EXO_PTE_SOFT0), !(prot & EXO_PROT_SOFT0));
		CHECK_EQ(!(bits & EXO_PTE_SOFT1), !(prot & EXO_PROT_SOFT1));
		CHECK_EQ(!(bits & EXO_PTE_SOFT2), !(prot & EXO_PROT_SOFT2));
		CHECK_EQ(bits & ~(PTE_PRESENT | PTE_RIGHTS | PTE_SOFT), 0);
	}
}

int main(void)
{
	RUN(each_page_has_an_entry_of_its_own);
	RUN(a_way_is_one_space_s);
	RUN(a_directory_entry_is_read_each_time);
	RUN(the_shared_region_begins_a_level_lower);
	RUN(only_whole_pages_inside_may_be_changed);
	RUN(an_entry_says_what_is_allowed);
	return check_result();
}
