/* SPDX-License-Identifier: MIT */
/* libos/time/clock.c, included: a timer's TSC value is no earlier than its time, and hardly later, however
 * long the machine has been up and whatever its TSC's rate is. */
#include <exo/abi.h>
#include "check.h"

static struct exo_info info;
#undef EXO_INFO_BASE
#define EXO_INFO_BASE (&info)

#include "../../libos/time/clock.c"

bool parent_exists(void)
{
	return false;
}
int64_t parent_real_offset_ns(void)
{
	return 0;
}
uint64_t rtc_unix_seconds(void)
{
	return 0;
}

#define SECOND 1000000000ul
#define YEAR (365ul * 86400 * SECOND)

/* Rates that do not divide a second are those that are measured. */
static const uint64_t rates_khz[] = { 333333,  999999,  1000000, 1000003,
				      2399999, 2900001, 4999999, 7000003 };
static const uint64_t times_ns[] = {
	1,        7,    999,          SECOND,   3600 * SECOND, 86400 * SECOND, 30 * 86400 * SECOND,
	YEAR - 1, YEAR, 3 * YEAR + 5, 30 * YEAR
};

static void a_timer_is_not_early(void)
{
	for (size_t rate = 0; rate < sizeof(rates_khz) / sizeof(*rates_khz); rate++) {
		info.tsc_khz = rates_khz[rate];
		info.boot_tsc = 12345;
		time_init();
		for (size_t i = 0; i < sizeof(times_ns) / sizeof(*times_ns); i++) {
			uint64_t at_ns = tsc_to_ns(time_deadline_tsc(times_ns[i]) - info.boot_tsc);

			CHECK(at_ns >= times_ns[i]);
			CHECK(at_ns <= times_ns[i] + 100);
		}
	}
}

static void never_is_in_the_future(void)
{
	CHECK(time_deadline_tsc(INT64_MAX) == time_deadline_tsc(~0ul));
	CHECK(time_deadline_tsc(INT64_MAX) > time_deadline_tsc(30 * YEAR));
}

int main(void)
{
	RUN(a_timer_is_not_early);
	RUN(never_is_in_the_future);
	return check_result();
}
