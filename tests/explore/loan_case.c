/* SPDX-License-Identifier: MIT */
/* exo/frame_calls.c, exo/frame_word.c, exo/object.c: a loan that is taken back has no borrower, and one that
 * has a borrower stays as it is
 *
 * CPU 0 is the lender's, CPU 1 the borrower's, CPU 2 another one of the lender's.
 */
#include <asm/errno.h>
#include <string.h>
#include "calls.h"
#include "explore.h"
#include "frame.h"
#include "invariant.h"
#include "object.h"
#include "tlb_epoch.h"

enum { FRAMES = 8, OBJECT = 2, LENT = 3, LENDER = 1, BORROWER = 2 };

static _Atomic uint64_t words[FRAMES];
_Atomic uint64_t *frame_private = words;
uint64_t frame_end = FRAMES;
static _Atomic uint64_t lent; /* the frame's word */
static struct domain lender;
static struct object loan;
static uint64_t generation; /* of the loan, when it began */
static bool is_borrowed, is_over[3];
static atomic_bool in_tlb; /* of a borrower's CPU: the frame that it has let go */

/* ---------------------------------------------------------------- the rest of the kernel */

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

uint64_t frame_word(uint64_t frame)
{
	return frame == LENT ? atomic_load(&lent) : frame_word_make(LENDER, EXO_FRAME_KERNEL);
}

void frame_unpin(uint64_t frame)
{
	uint64_t old = atomic_load(&lent);

	while (!atomic_compare_exchange_strong(&lent, &old, frame_word_unpin(old)))
		;
}

bool tlb_frame_acknowledged(uint64_t frame)
{
	EXPLORE_CHECK(frame == LENT);
	return !atomic_load(&in_tlb);
}

void frame_release(uint64_t frame)
{
	EXPLORE_CHECK(frame == OBJECT && !object_is_live(frame));
}

struct domain *domain_current(void)
{
	return &lender;
}

bool handle_drop(struct domain *d, exo_handle h)
{
	return true;
}

/* What no call of these cases comes to. */
bool frame_pin(uint64_t frame, uint16_t owner) { return false; }
int frame_claim(uint64_t frame, uint16_t owner, enum exo_frame_type type) { return -EPERM; }
void frame_zero(uint64_t frame) {}
void frame_release_to(uint64_t frame, uint16_t new_owner) {}
int creation_begin(struct creation *c, enum exo_frame_type last_type) { return -EPERM; }
void creation_undo(struct creation *c) {}

exo_handle handle_fill(struct domain *d, int64_t number, enum object_kind kind, unsigned rights,
		       uint64_t object_frame, uint64_t first, uint64_t count)
{
	return 0;
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	memset((void *)words, 0, sizeof(words));
	memset(is_over, 0, sizeof(is_over));
	is_borrowed = in_tlb = false;
	loan = (struct object){ .kind = OBJECT_LOAN, .owner = &lender, .frame = OBJECT };
	object_word_start(OBJECT);
	object_put(&loan);
	generation = object_generation(OBJECT);
	lent = frame_word_pin(frame_word_make(LENDER, EXO_FRAME_USER), LENDER);
	explore_name(words, sizeof(words), "words");
	explore_name(&lent, sizeof(lent), "frame");
	explore_name(&loan, sizeof(loan), "loan");
	explore_name(&is_borrowed, sizeof(is_borrowed), "is_borrowed");
	explore_name(is_over, sizeof(is_over), "is_over");
	explore_name(&in_tlb, sizeof(in_tlb), "in_tlb");
}

static void setup_borrowed(void)
{
	setup();
	lent = frame_word_map(lent, LENDER, BORROWER);
	is_borrowed = true;
}

/* As call.c does. */
static void take_back(unsigned cpu)
{
	struct handle_view h = { .kind = OBJECT_LOAN, .object_frame = OBJECT,
				 .object_generation = generation, .first = LENT, .count = 1 };
	struct exo_regs regs = { 0 };
	int64_t result;

	if (!object_word_get(OBJECT, generation))
		return;
	h.object = &loan;
	result = call_frame_take_back(&regs, &h);
	EXPLORE_CHECK(result == 0 || result == -EBUSY);
	is_over[cpu] = result == 0;
	if (!h.kept)
		object_word_put(OBJECT);
}

/* As an update does that maps the loan's page. */
static void borrow(void)
{
	uint64_t old, new;

	if (!object_word_get(OBJECT, generation))
		return;
	old = atomic_load(&lent);
	do {
		new = frame_word_map(old, LENDER, BORROWER);
		EXPLORE_CHECK(new != FRAME_WORD_REFUSED);
	} while (!atomic_compare_exchange_strong(&lent, &old, new));
	is_borrowed = true;
	object_word_put(OBJECT);
}

static void it_is_taken_back(unsigned cpu)
{
	if (cpu == 1)
		borrow();
	else
		take_back(cpu);
}

/* The borrower unmaps it, as harvest_bring_in() does, and another CPU of his flushes later. */
static void it_is_let_go(unsigned cpu)
{
	uint64_t old = atomic_load(&lent);

	if (cpu != 1) {
		take_back(cpu);
		EXPLORE_CHECK(!is_over[cpu] || !atomic_load(&in_tlb));
		return;
	}
	atomic_store(&in_tlb, true);
	while (!atomic_compare_exchange_strong(&lent, &old, frame_word_unmap(old, BORROWER)))
		;
	is_borrowed = false;
	atomic_store(&in_tlb, false);
}

static void it_is_borrowed_or_over(void)
{
	bool over = is_over[0] || is_over[2];

	EXPLORE_CHECK(!(is_over[0] && is_over[2]));
	EXPLORE_CHECK(!(is_borrowed && over));
	EXPLORE_CHECK(frame_word_maps(lent) == is_borrowed);
	EXPLORE_CHECK(frame_word_pins(lent) == (over ? 0u : 1u + is_borrowed));
	EXPLORE_CHECK(words[OBJECT] == (over ? 0 : generation << 16));
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_loan_is_taken_back_or_borrowed", 2, 4, 1, setup, it_is_taken_back,
		  it_is_borrowed_or_over, NULL },
		{ "a_loan_is_taken_back_once", 3, 3, 0, setup, it_is_taken_back, it_is_borrowed_or_over,
		  NULL },
		{ "a_loan_in_a_tlb_is_not_taken_back", 2, 4, 1, setup_borrowed, it_is_let_go,
		  it_is_borrowed_or_over, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
