/* SPDX-License-Identifier: MIT */
/* The parent's vcores: each does what CPU 0 asks for, and sleeps between. */
#include "budget.h"

static void (*_Atomic orders[CPUS])(unsigned cpu);

void crew_spend(unsigned cpu)
{
	while (tsc() < subjects[cpu].go_on)
		asm volatile("pause");
}

void crew_do(unsigned cpu, void (*what)(unsigned cpu))
{
	if (cpu == 0) {
		what(0);
		return;
	}
	orders[cpu] = what;
	exo_call(EXO_CALL_DOORBELL, vcore_handle(cpu), 0, 0, 0);
	SLEEP_UNTIL(!orders[cpu], &seen[0]);
}

void suite_other(void)
{
	unsigned cpu = this_cpu();

	for (;;) {
		mask();
		if (!orders[cpu])
			exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0);
		unmask(&seen[cpu]);
		crew_spend(cpu);
		if (orders[cpu]) {
			orders[cpu](cpu);
			orders[cpu] = NULL;
		}
	}
}
