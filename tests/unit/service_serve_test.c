/* SPDX-License-Identifier: MIT */
/* libos/domain/service_serve.c, included: whose time a server begins requests on. */
#include <string.h>
#include "check.h"
#include "panic.h"
#define current current_by_its_stack
#define this_vcore this_vcore_by_its_selector
#include "core/exo.h"
#include "core/task.h"
#include "core/vcore.h"
#undef current
#undef this_vcore

static struct task task = { .affinity = 1 };
static struct vcore vcore;
static struct exo_vcore_page vcore_page;

static struct task *current(void)
{
	return &task;
}

static struct vcore *this_vcore(void)
{
	return &vcore;
}

static int64_t replies(uint64_t token);
#define exo_reply(token) replies(token)
#define exo_send(handle, a, b, c) ((int64_t)0)
#include "proc/signal.h"
#include "../../libos/domain/service_serve.c"

static struct service_page pages[SERVICE_CALLERS];
static struct link_page link;
static struct service service = { .pages = pages, .link = &link };
static unsigned reply_count, taken_when_replied;
static bool somebody_gives;

static unsigned taken(void)
{
	unsigned n = 0;

	for (unsigned caller = 0; caller < SERVICE_CALLERS; caller++)
		n += (unsigned)__builtin_popcountl(service.taken[caller]);
	return n;
}

static int64_t replies(uint64_t token)
{
	reply_count++;
	taken_when_replied = taken();
	return somebody_gives ? 0 : -ESRCH;
}

/* ---------------------------------------------------------------- what it calls */

struct vcore_area vcore_areas[EXO_CPUS_MAX];

void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}
void upcalls_mask(void) {}
void upcalls_unmask(void) {}

uint64_t vcores_present(void)
{
	return 1;
}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	return -EINTR;
}

/* ---------------------------------------------------------------- the cases */

static void post(unsigned caller, unsigned number)
{
	atomic_store(&service_slot(&pages[caller], number)->state, SLOT_POSTED_FOR(0));
	atomic_fetch_or(&pages[caller].posted, 1ul << number);
}

static void start(void)
{
	memset(pages, 0, sizeof(pages));
	memset(service.taken, 0, sizeof(service.taken));
	service.next_caller = reply_count = 0;
	vcore.page = &vcore_page;
	somebody_gives = true;
}

/* Else a caller pays for whatever others have posted, until its slice ends, and then sees its answer. */
static void the_time_goes_back_with_each_answer(void)
{
	struct server_message m = { 0 };

	start();
	post(1, 1);
	post(2, 1);
	post(2, 2);
	CHECK_EQ(service_reply_receive(&service, &m), 0);
	CHECK_EQ(m.caller, 1);
	CHECK_EQ(reply_count, 0);
	for (unsigned answered = 1; answered <= 2; answered++) {
		CHECK_EQ(service_reply_receive(&service, &m), 0);
		CHECK_EQ(reply_count, answered);
		CHECK_EQ(taken_when_replied, 0);
		CHECK_EQ(m.caller, 2);
	}
}

/* The bound on what a caller pays for others. */
static void one_request_of_each_caller_is_begun_in_turn(void)
{
	struct server_message m = { 0 };

	start();
	for (unsigned caller = 0; caller < SERVICE_CALLERS; caller++)
		for (unsigned number = 1; number < SERVICE_SLOTS; number++)
			post(caller, number);
	for (unsigned n = 0; n < 3 * SERVICE_CALLERS; n++) {
		CHECK_EQ(service_reply_receive(&service, &m), 0);
		CHECK_EQ(m.caller, n % SERVICE_CALLERS);
	}
}

static void who_has_time_of_its_own_goes_on(void)
{
	struct server_message m = { 0 };

	start();
	somebody_gives = false;
	post(1, 1);
	post(1, 2);
	CHECK_EQ(service_reply_receive(&service, &m), 0);
	CHECK_EQ(service_reply_receive(&service, &m), 0);
	CHECK_EQ(service_reply_receive(&service, &m), -ERESTARTSYS);
	CHECK_EQ(m.request, 0);
	CHECK_EQ(atomic_load(&service_slot(&pages[1], 2)->state), SLOT_DONE);
}

int main(void)
{
	RUN(the_time_goes_back_with_each_answer);
	RUN(one_request_of_each_caller_is_begun_in_turn);
	RUN(who_has_time_of_its_own_goes_on);
	return check_result();
}
