/* SPDX-License-Identifier: MIT */
/* Taking apart a domain that dies: all that the kernel has of it. */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/task.h"
#include "domain/domain.h"
#include "domain/lines.h"
#include "time/timespec.h"

/* Between two steps when others still hold something. */
#define RETRY_NS 1000000ul

static void drop_handles(struct domain *d)
{
	for (unsigned cpu = 0; cpu < EXO_CPUS_MAX; cpu++)
		if (d->vcores[cpu].vcore)
			exo_handle_drop(d->vcores[cpu].vcore);
	exo_handle_drop(d->space);
	exo_handle_drop(d->shared);
	exo_handle_drop(d->domain);
}

void domain_dismantle(struct domain *d)
{
	int64_t r = 0;

	while (d->domain && (r = exo_domain_kill(d->domain, 0)) != 0) {
		if (r != 1 && r != -EBUSY) {
			log_print("domain %u: cannot be taken apart: error %ld\n", d->id, (long)r);
			break;
		}
		if (r == 1) {
			task_yield();
			continue;
		}
		wait_until(deadline_after(RETRY_NS));
	}
	links_leave(d, d->domain && r != 0);
	lines_leave(d);
	domain_reclaim_time(d);
	drop_handles(d);
	d->lost = domain_memory_return(&d->memory);
	if (d->lost)
		log_print("domain %u: %lu of its frames have not come back\n", d->id, d->lost);
}
