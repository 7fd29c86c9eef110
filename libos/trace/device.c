/* SPDX-License-Identifier: MIT */
/* /dev/exo/trace: the rings, read while they are written or after. */
#include "abi/errno.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "fs/device.h"
#include "proc/signal.h"
#include "time/time.h"
#include "trace/rings.h"

#define MAJOR_TRACE 241 /* Linux's range for local use */
#define BATCH 32u

/* How far one opening of the device has come.  Under trace_mutex. */
struct reader {
	uint32_t session; /* that the rest belongs to */
	struct trace_record part; /* whose last part_left bytes are to be read first */
	uint32_t part_left;
	struct {
		uint64_t rare, events;
	} at[EXO_CPUS_MAX];
};

static struct trace_record lost_record(unsigned cpu, bool is_rare, uint64_t count)
{
	return (struct trace_record){ .time_ns = time_now_ns(), .kind = TRACE_LOST, .cpu = cpu,
				      .detail = is_rare, .value = count };
}

/* Up to `room` records of one ring from *at on.  What has been overwritten since is counted by a
 * record in its place. */
static size_t read_ring(const struct trace_ring *ring, uint64_t *at, unsigned cpu,
			struct trace_record *out, size_t room)
{
	size_t n = 0;

	while (n < room) {
		uint64_t oldest = trace_ring_oldest(ring), words[TRACE_WORDS];

		if (*at < oldest) {
			out[n++] = lost_record(cpu, ring == &trace_rings[cpu].rare, oldest - *at);
			*at = oldest;
			continue;
		}
		switch (trace_ring_read(ring, *at, words)) {
		case TRACE_READ_DONE:
			trace_unpack(&out[n++], cpu, words);
			(*at)++;
			break;
		case TRACE_READ_OVERWRITTEN:
			break; /* as the next look at the oldest one shows */
		case TRACE_READ_NOTHING:
			return n;
		}
	}
	return n;
}

static size_t read_rings(struct reader *r, struct trace_record *out, size_t room)
{
	size_t n = 0;

	for (unsigned cpu = 0; cpu < vcore_count && n < room; cpu++) {
		n += read_ring(&trace_rings[cpu].rare, &r->at[cpu].rare, cpu, out + n, room - n);
		n += read_ring(&trace_rings[cpu].events, &r->at[cpu].events, cpu, out + n, room - n);
	}
	return n;
}

/* Under trace_mutex.  Some bytes, up to n > 0, 0 if there is no more, or -EFAULT.  A program may ask
 * for part of a record: the C library's streams do. */
static long read_some(struct reader *r, uint64_t user, size_t n)
{
	struct trace_record batch[BATCH];
	size_t whole = n / sizeof(batch[0]);

	if (r->part_left == 0 && whole > 0) {
		n = read_rings(r, batch, whole < BATCH ? whole : BATCH) * sizeof(batch[0]);
		return copy_to_user(user, batch, n) ?: (long)n;
	}
	if (r->part_left == 0)
		r->part_left = (uint32_t)(read_rings(r, &r->part, 1) * sizeof(r->part));
	if (n > r->part_left)
		n = r->part_left;
	if (copy_to_user(user, (char *)(&r->part + 1) - r->part_left, n) < 0)
		return -EFAULT;
	r->part_left -= (uint32_t)n;
	return (long)n;
}

static long trace_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct reader *r = f->private;
	size_t done = 0;
	long got = 1;

	mutex_lock(&trace_mutex);
	if (r->session != trace_session)
		*r = (struct reader){ .session = trace_session };
	/* What is traced may come as fast as it is read, and whoever turns it off waits for us. */
	while (trace_has_rings() && done < n && got > 0 && !(done && signal_is_pending())) {
		got = read_some(r, user + done, n - done);
		if (got > 0)
			done += (size_t)got;
	}
	mutex_unlock(&trace_mutex);
	return done == 0 && got < 0 ? got : (long)done;
}

static int trace_open(struct file *f)
{
	f->private = heap_alloc(sizeof(struct reader));
	return f->private ? 0 : -ENOMEM;
}

static void trace_release(struct file *f)
{
	heap_free(f->private);
}

static const struct file_ops trace_ops = {
	.read = trace_read,
	.open = trace_open,
	.release = trace_release,
};

int trace_device_init(void)
{
	return device_register("exo/trace", DEVICE_FOR_ROOT, MAJOR_TRACE, 0, &trace_ops, NULL);
}
