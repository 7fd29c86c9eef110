/* SPDX-License-Identifier: MIT */
/* A ring of bytes between two domains: see byte_ring.h. */
#include "domain/byte_ring.h"

void byte_ring_init(struct byte_ring *end, struct byte_ring_shared *shared, uint8_t *bytes,
		    uint32_t size)
{
	*end = (struct byte_ring){ .shared = shared, .bytes = bytes, .size = size };
}

uint32_t byte_ring_room(struct byte_ring *end)
{
	uint32_t used = end->at - atomic_load(&end->shared->read);

	if (used > end->size)
		end->broken = true;
	return end->broken ? 0 : end->size - used;
}

uint32_t byte_ring_used(struct byte_ring *end)
{
	uint32_t used = atomic_load(&end->shared->written) - end->at;

	if (used > end->size)
		end->broken = true;
	return end->broken ? 0 : used;
}

size_t byte_ring_put(struct byte_ring *end, const uint8_t *bytes, size_t n, bool *ring)
{
	uint32_t room = byte_ring_room(end);

	*ring = false;
	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		end->bytes[end->at++ & (end->size - 1)] = bytes[i];
	atomic_store(&end->shared->written, end->at);
	*ring = atomic_load(&end->shared->reader_sleeps) &&
		atomic_exchange(&end->shared->reader_sleeps, 0);
	return n;
}

size_t byte_ring_take(struct byte_ring *end, uint8_t *bytes, size_t n, bool *ring)
{
	uint32_t used = byte_ring_used(end);

	*ring = false;
	if (n > used)
		n = used;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		bytes[i] = end->bytes[end->at++ & (end->size - 1)];
	atomic_store(&end->shared->read, end->at);
	*ring = atomic_load(&end->shared->writer_sleeps) &&
		atomic_exchange(&end->shared->writer_sleeps, 0);
	return n;
}

bool byte_ring_writer_sleeps(struct byte_ring *end)
{
	atomic_store(&end->shared->writer_sleeps, 1);
	return byte_ring_room(end) == 0;
}

bool byte_ring_reader_sleeps(struct byte_ring *end)
{
	atomic_store(&end->shared->reader_sleeps, 1);
	return byte_ring_used(end) == 0;
}
