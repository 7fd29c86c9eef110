/* SPDX-License-Identifier: MIT */
/* exo/update_decode.c, exo/frame_word.c: what a program has asked for is read once, and what was checked is
 * what is done (K5).
 *
 * Another thread of the program writes its wish for something forbidden over the op as soon as the
 * kernel has read a byte of it. */
#include <string.h>
#include "check.h"
#include "kernel.h"
#include "page_table.h"
#include "update.h"

enum { ME = 1, OTHER = 2 };

static struct exo_op in_memory; /* what user memory holds now */
static struct exo_op hostile;   /* and after the first read */
static unsigned reads;
static struct domain domain = { .id = ME };
static struct space space = { .object = { .owner = &domain } };
static struct update_plan plan;

int copy_from_user(void *to, uint64_t from, size_t size)
{
	memcpy(to, (char *)&in_memory + (from - (uint64_t)&in_memory), size);
	in_memory = hostile;
	reads++;
	return 0;
}

/* Frames below 100 are ours. */
uint64_t frame_word(uint64_t frame)
{
	return frame_word_make(frame < 100 ? ME : OTHER, EXO_FRAME_USER);
}

bool page_table_range_ok(const struct space *s, const struct domain *d, uint64_t va, uint64_t count)
{
	return va < EXO_USER_TOP && count <= (EXO_USER_TOP - va) / EXO_PAGE_SIZE;
}

uint64_t page_table_bits(unsigned prot)
{
	return prot;
}

int handle_view(struct domain *d, exo_handle handle, enum object_kind kind, unsigned right,
		struct handle_view *view)
{
	return -EBADF;
}

void handle_view_put(const struct handle_view *view) {}
_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	__builtin_trap();
}

static int decode(struct exo_op first)
{
	in_memory = first;
	reads = 0;
	return update_decode(&domain, &space, (uint64_t)&in_memory, &plan);
}

static const struct exo_op allowed = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ, .count = 1,
				       .va = 0x1000, .frame = 7 };

/* The plan is of the first contents, whatever the second say. */
static void what_was_checked_is_planned(void)
{
	struct exo_op wishes[] = { allowed, allowed, allowed, allowed };

	wishes[0].frame = 700;
	wishes[1].va = EXO_SHARED_BASE;
	wishes[2].count = UINT32_MAX;
	wishes[3].code = 99;
	for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		hostile = wishes[i];
		CHECK_EQ(decode(allowed), 0);
		CHECK_EQ(reads, 1);
		CHECK_EQ(plan.op.code, EXO_OP_MAP);
		CHECK_EQ(plan.op.frame, 7);
		CHECK_EQ(plan.frame_owner, ME);
		CHECK_EQ(plan.op.va, 0x1000);
		CHECK_EQ(plan.op.count, 1);
	}
}

static void what_is_forbidden_stays_so(void)
{
	struct exo_op wish = allowed;

	hostile = allowed;
	wish.frame = 700;
	CHECK_EQ(decode(wish), -EPERM);
	wish = allowed;
	wish.va = EXO_USER_TOP;
	CHECK_EQ(decode(wish), -EINVAL);
	wish = allowed;
	wish.code = 99;
	CHECK_EQ(decode(wish), -EINVAL);
}

int main(void)
{
	RUN(what_was_checked_is_planned);
	RUN(what_is_forbidden_stays_so);
	return check_result();
}
