/* SPDX-License-Identifier: MIT */
/*
 * A socket's queue against plain arrays: streams and datagrams in and out, of one buffer or several, looked
 * at and taken, with copies that fault, pages that cannot be had, and descriptors beside some messages.
 * libos/fs/socket_queue.c libos/fs/pipe_ring.c */
#include "libos_shim.h"
#include "check.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

#define ROUNDS 200000
#define PAGES 4
#define BYTES_MAX (PAGES * EXO_PAGE_SIZE)
#define RECORDS_MAX (BYTES_MAX / sizeof(struct record))
#define PIECES_MAX 4

static uint64_t random_state = 1;
static uint8_t next_byte;

/* What should be in the queue: its bytes, and the messages that they came in; of a stream those that have
 * descriptors alone are told apart. */
static uint8_t model[BYTES_MAX];
static size_t model_used;
static struct {
	size_t length;
	struct rights *rights;
	struct socket_name name;
} messages[RECORDS_MAX];
static size_t message_count, model_heads;

static uint8_t bytes[BYTES_MAX];
static struct iovec pieces[PIECES_MAX];

static size_t below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

/* All of the n bytes at `bytes`, in pieces of which some are empty. */
static struct socket_message message(size_t n, unsigned flags)
{
	size_t at = 0;

	for (unsigned i = 0; i < PIECES_MAX; i++) {
		size_t length = i == PIECES_MAX - 1 ? n - at : below(3) ? 0 : below(n - at + 1);

		pieces[i] = (struct iovec){ bytes + at, length };
		at += length;
	}
	return (struct socket_message){
		.vector = pieces, .size = n, .is_user = true, .flags = flags
	};
}

static struct rights *some_rights(void)
{
	struct rights *r = below(4) ? NULL : heap_alloc(sizeof(*r));

	if (r)
		atomic_init(&r->references, 1);
	return r;
}

/* Sometimes the next copy but few faults, or the next page is not to be had. */
static void let_something_fail(void)
{
	shim_fault_after = below(6) ? 0 : 1 + (unsigned)below(4);
	shim_fail_after = below(20) ? 0 : 1;
}

static void nothing_fails(void)
{
	shim_fault_after = shim_fail_after = 0;
}

/* A sender's; half of them have none. */
static struct socket_name some_name(void)
{
	struct socket_name name = { .size = below(2)
						    ? 0
						    : 2 + (uint32_t)below(sizeof(name.bytes) - 1) };

	memset(name.bytes, 1 + (int)below(255), name.size);
	return name;
}

static void put_in_model(size_t n, struct rights *rights, const struct socket_name *name)
{
	memcpy(model + model_used, bytes, n);
	model_used += n;
	messages[message_count].length = n;
	messages[message_count].name = *name;
	model_heads += sizeof(struct record) + name->size;
	messages[message_count++].rights = rights;
}

static void forget_first_message(void)
{
	message_count--;
	model_heads -= sizeof(struct record) + messages[0].name.size;
	memmove(messages, messages + 1, message_count * sizeof(messages[0]));
}

static void take_from_model(size_t n)
{
	model_used -= n;
	memmove(model, model + n, model_used);
}

static size_t put_some(struct socket_queue *q, bool stream)
{
	size_t room = q->ring.capacity - q->ring.used, n = below(8) ? below(300) : below(BYTES_MAX);
	struct socket_name name = stream ? (struct socket_name){ 0 } : some_name();
	size_t head = sizeof(struct record) + name.size;
	struct socket_message m;
	struct rights *rights = some_rights();
	long put;

	if (!stream && room < head) {
		heap_free(rights);
		return 0;
	}
	if (!stream)
		room -= head;
	if (n > room || (stream && !n)) {
		heap_free(rights);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		bytes[i] = next_byte++;
	m = message(n, 0);
	m.rights = rights;
	m.name = name.size ? &name : NULL;
	if (!stream)
		CHECK_EQ(socket_queue_record_size(&m), head + n);
	let_something_fail();
	put = stream ? socket_queue_put(q, &m, 0, n) : socket_queue_put_record(q, &m);
	nothing_fails();
	CHECK(put == -EFAULT || put == -ENOMEM || (size_t)put == n ||
	      (stream && put > 0 && put < (long)n));
	/* They have gone, or are the caller's as before. */
	CHECK(m.rights == (put < 0 ? rights : NULL));
	if (put >= 0)
		put_in_model((size_t)put, rights, &name);
	else
		heap_free(rights);
	return put >= 0;
}

/* Came they as they should?  Who has taken them has their memory. */
static void check_rights(const struct socket_message *m, struct rights *expected)
{
	CHECK(m->rights == expected);
	if (!m->rights)
		return;
	CHECK_EQ(m->rights->references, m->flags & MSG_PEEK ? 2 : 1);
	if (m->flags & MSG_PEEK)
		m->rights->references = 1;
	else
		heap_free(m->rights);
}

static void take_record(struct socket_queue *q)
{
	size_t length = messages[0].length, n = below(3) ? BYTES_MAX : below(300);
	size_t there = n < length ? n : length;
	struct socket_message m =
		message(n, (below(2) ? MSG_PEEK : 0) | (below(2) ? MSG_TRUNC : 0));
	struct socket_name name;
	long taken;

	m.name = below(2) ? &name : NULL;
	memset(bytes, 0, n);
	CHECK_EQ(socket_queue_bytes(q, true), length);
	let_something_fail();
	taken = socket_queue_take_record(q, &m);
	nothing_fails();
	if (taken == -EFAULT) {
		CHECK(!m.rights && m.touch == there);
		return;
	}
	CHECK_EQ(taken, m.flags & MSG_TRUNC ? length : there);
	CHECK_EQ(m.came, n < length ? MSG_TRUNC : 0);
	CHECK_EQ(memcmp(bytes, model, there), 0);
	check_rights(&m, messages[0].rights);
	if (m.name)
		CHECK_EQ(memcmp(&name, &messages[0].name, sizeof(name)), 0);
	if (!(m.flags & MSG_PEEK)) {
		take_from_model(length);
		forget_first_message();
	}
}

/* Up to the end of the first message with descriptors, if the bytes come as far as it. */
static size_t most_of_stream(size_t n, struct rights **rights)
{
	size_t at = 0;

	*rights = NULL;
	for (size_t i = 0; i < message_count && at < n; at += messages[i++].length) {
		if (!messages[i].rights)
			continue;
		*rights = messages[i].rights;
		return n < at + messages[i].length ? n : at + messages[i].length;
	}
	return n < at ? n : at;
}

/* Bytes that may have been looked at before: those of no message with descriptors, which end a look. */
static size_t some_seen(void)
{
	size_t n = 0;

	for (size_t i = 0; i < message_count && !messages[i].rights; i++)
		n += messages[i].length;
	return n ? below(n) : 0;
}

static void take_bytes(struct socket_queue *q)
{
	unsigned flags = below(2) ? MSG_PEEK : 0;
	size_t seen = flags & MSG_PEEK ? some_seen() : 0, most;
	size_t n = 1 + (below(3) ? below(300) : below(BYTES_MAX - 1));
	struct socket_message m;
	struct rights *rights;
	long taken;

	if (n > BYTES_MAX - seen)
		n = BYTES_MAX - seen;
	m = message(seen + n, flags);
	most = most_of_stream(seen + n, &rights) - seen;
	let_something_fail();
	taken = socket_queue_take(q, &m, seen, n);
	nothing_fails();
	if (taken == -EFAULT) {
		CHECK(!m.rights && m.touch);
		return;
	}
	CHECK(taken > 0 && taken <= (long)most);
	CHECK(taken == (long)most || m.touch);
	CHECK_EQ(memcmp(bytes + seen, model + seen, (size_t)taken), 0);
	most_of_stream(seen + (size_t)taken,
		       &rights); /* of what was taken, if a copy has faulted */
	check_rights(&m, rights);
	if (m.flags & MSG_PEEK)
		return;
	take_from_model((size_t)taken);
	while (taken > 0 && (size_t)taken >= messages[0].length) {
		taken -= (long)messages[0].length;
		forget_first_message();
	}
	if (taken > 0) {
		messages[0].length -= (size_t)taken;
		messages[0].rights = NULL;
	}
}

static void fill_and_empty(bool stream)
{
	struct socket_queue q = { 0 };
	unsigned long moved = 0;

	CHECK(socket_queue_init(&q, BYTES_MAX));
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* By turns it runs full and empty. */
		if (below(10) < (round / 1000 % 2 ? 7u : 4u))
			moved += put_some(&q, stream);
		else if (message_count)
			stream ? take_bytes(&q) : take_record(&q);
		CHECK_EQ(socket_queue_bytes(&q, false), model_used);
		CHECK_EQ(q.heads, stream ? 0 : model_heads);
	}
	CHECK(moved > ROUNDS / 10);
	for (struct rights *r = socket_queue_drop(&q), *next; r; r = next) {
		next = r->next;
		heap_free(r);
	}
	CHECK_EQ(q.ring.used, 0);
	socket_queue_destroy(&q);
	model_used = message_count = model_heads = 0;
}

static void datagrams_come_out_as_they_went_in(void)
{
	fill_and_empty(false);
}

static void streams_stop_at_descriptors(void)
{
	fill_and_empty(true);
}

/* ---------------------------------------------------------------- pages */

#define MANY_PAGES 53

static unsigned pages_of(const struct socket_queue *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MANY_PAGES; i++)
		n += q->ring.pages[i] != NULL;
	return n;
}

/* Whatever it is that filled it: much at a time, or little that went around and was never all taken. */
static void an_empty_queue_has_few_pages(void)
{
	static char many[MANY_PAGES * EXO_PAGE_SIZE];
	struct iovec one = { many, sizeof(many) };
	struct socket_message m = { .vector = &one, .size = sizeof(many), .is_user = true };
	struct socket_queue q = { 0 };

	nothing_fails();
	CHECK(socket_queue_init(&q, sizeof(many)));
	for (unsigned round = 0; round < 3; round++) {
		CHECK_EQ(socket_queue_put(&q, &m, 0, 200000), 200000);
		CHECK(pages_of(&q) > 48);
		CHECK_EQ(socket_queue_take(&q, &m, 0, 199999), 199999);
		CHECK(pages_of(&q) > 48);
		CHECK_EQ(socket_queue_take(&q, &m, 0, 1), 1);
		CHECK(pages_of(&q) <= 16);
		CHECK_EQ(socket_queue_put(&q, &m, 0, 1), 1);
		for (unsigned i = 0; i < MANY_PAGES; i++) {
			CHECK_EQ(socket_queue_put(&q, &m, 0, EXO_PAGE_SIZE), EXO_PAGE_SIZE);
			CHECK_EQ(socket_queue_take(&q, &m, 0, EXO_PAGE_SIZE), EXO_PAGE_SIZE);
		}
		CHECK(pages_of(&q) > 48);
		CHECK_EQ(socket_queue_take(&q, &m, 0, 1), 1);
		CHECK(pages_of(&q) <= 16);
		m.size = 150000;
		CHECK_EQ(socket_queue_put_record(&q, &m), 150000);
		CHECK_EQ(socket_queue_take_record(&q, &m), 150000);
		CHECK(pages_of(&q) <= 16);
		m.size = sizeof(many);
	}
	CHECK(!socket_queue_drop(&q));
	socket_queue_destroy(&q);
}

static void run(void)
{
	RUN(datagrams_come_out_as_they_went_in);
	RUN(streams_stop_at_descriptors);
	RUN(an_empty_queue_has_few_pages);
	CHECK_EQ(shim_blocks, 0);
}

int main(void)
{
	shim_run(run);
	return check_result();
}
