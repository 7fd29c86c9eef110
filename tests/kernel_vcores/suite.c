/* SPDX-License-Identifier: MIT */
/* Vcores, CPU time, upcalls and mailboxes: which cases run, and what the other CPUs do meanwhile. */
#include "cases.h"

void suite_main(void)
{
	if (told("only=rows"))
		rows_of_the_kernel();
	else if (told("only=cross"))
		rows_of_several_cpus();
	else
		cases_of_several_cpus();
	if (!told("only=")) {
		cases_of_one_domain();
		cases_of_two_domains();
	}
}

atomic_bool keep_awake;
_Atomic int64_t looked_for;

/* The other CPUs answer each message with one to CPU 0, and sleep between. */
void suite_other(void)
{
	unsigned cpu = this_cpu();
	uint64_t answered = 0;

	for (;;) {
		while (answered < seen[cpu].messages) {
			while (exo_call(EXO_CALL_SEND, vcore_handle(0), cpu, 0, 0) == -EAGAIN)
				asm volatile("pause");
			answered++;
		}
		while (atomic_load(&keep_awake))
			asm volatile("pause");
		for (int64_t handle; (handle = atomic_load(&looked_for)) != 0;)
			exo_call(EXO_CALL_TLB_POLL, handle, 0, 0, 0);
		mask();
		if (answered == seen[cpu].messages)
			exo_call(EXO_CALL_HALT, my_page()->token, 0, 0, 0);
		unmask(&seen[cpu]);
	}
}
