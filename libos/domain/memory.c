/* SPDX-License-Identifier: MIT */
/* The frames of a child domain: see memory.h. */
#include "domain/memory.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/wait.h"
#include "time/timespec.h"

/* For what another CPU still has to do: to take a scheduling context out of its tree, to flush. */
#define LOOK_NS 1000000ul
#define LOOKS_MAX 2000u

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void put_back(const struct domain_memory *m)
{
	for (uint32_t i = 0; i < m->run_count; i++)
		frames_put_run(m->runs[i].first, m->runs[i].count);
}

int domain_memory_take(struct domain_memory *m, uint64_t frames)
{
	m->run_count = 0;
	while (frames > 0 && m->run_count < EXO_RANGES_MAX) {
		uint64_t first, n = frames_take_run(frames, &first);

		if (n == 0)
			break;
		m->runs[m->run_count].first = first;
		m->runs[m->run_count].count = n;
		m->runs[m->run_count].used = 0;
		m->run_count++;
		frames -= n;
	}
	if (frames == 0)
		return 0;
	put_back(m);
	m->run_count = 0;
	return -ENOMEM;
}

uint64_t domain_memory_some(struct domain_memory *m, uint64_t most, uint64_t *first)
{
	for (uint32_t i = 0; i < m->run_count; i++) {
		uint64_t n = least(m->runs[i].count - m->runs[i].used, most);

		if (n == 0)
			continue;
		*first = m->runs[i].first + m->runs[i].used;
		m->runs[i].used += n;
		return n;
	}
	return 0;
}

uint64_t domain_memory_row(struct domain_memory *m, uint64_t count)
{
	for (uint32_t i = 0; i < m->run_count; i++) {
		uint64_t first = m->runs[i].first + m->runs[i].used;

		if (m->runs[i].count - m->runs[i].used < count)
			continue;
		m->runs[i].used += count;
		return first;
	}
	return 0;
}

/* Is it ours again, and nobody's use of it left? */
static bool is_back(uint64_t frame)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;
	const volatile struct exo_frame_info *f =
		&((const volatile struct exo_frame_info *)EXO_FRAMES_BASE)[frame];

	return f->owner == info->domain_id && f->type == EXO_FRAME_USER && f->maps == 0 && f->pins == 0;
}

static bool comes_back(uint64_t frame, unsigned *looks)
{
	while (!is_back(frame)) {
		if (++*looks > LOOKS_MAX)
			return false;
		wait_begin();
		(void)wait_sleep(0, deadline_after(LOOK_NS));
	}
	return true;
}

uint64_t domain_memory_return(struct domain_memory *m)
{
	uint64_t lost = 0;
	unsigned looks = 0;

	for (uint32_t i = 0; i < m->run_count; i++) {
		for (uint64_t n = 0; n < m->runs[i].count; n++) {
			if (comes_back(m->runs[i].first + n, &looks))
				frames_put_run(m->runs[i].first + n, 1);
			else
				lost++;
		}
	}
	m->run_count = 0;
	return lost;
}
