/* SPDX-License-Identifier: MIT */
/* The channel to exo-run.  See host_channel.h. */
#include "tty/host_channel.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "core/wait.h"
#include "fs/device.h"
#include "fs/poll.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/timespec.h"
#include "tty/host_frames.h"
#include "tty/host_send.h"
#include "tty/uart.h"

#define COM2_PORT 0x2f8
#define COM2_IRQ 3

#define MAJOR_HOST 240 /* Linux's range for local use */

#define INPUT_SIZE 65536u /* a power of two; what the host may send without a further grant */
#define GRANT_PIECE (INPUT_SIZE / 4)
#define PAYLOAD_MAX 1024u /* of the frames that we send: they are built on a task's stack */

static struct {
	struct uart uart;
	struct lock lock; /* RANK_TTY */

	/* Under lock. */
	struct host_decoder decoder;
	uint8_t input[INPUT_SIZE];
	uint32_t read_at, write_at;     /* free-running */
	bool input_ended;
	uint32_t owed;                  /* read by programs, not yet granted to the host again */
	uint32_t group;                 /* that the host's signals go to, 0 for none */
	uint64_t signals;               /* received, not yet sent to the group; bit n - 1 */
	struct wait_queue readers;
} channel;

/* ------------------------------------------------------------------ from the host */

static void store_input(const uint8_t *bytes, size_t n)
{
	uint32_t room = INPUT_SIZE - (channel.write_at - channel.read_at);

	/* The host keeps to what it has been granted: there is room. */
	if (n > room) {
		log_print("host channel: %zu bytes more than granted are lost\n", n - room);
		n = room;
	}
	for (size_t i = 0; i < n; i++)
		channel.input[channel.write_at++ % INPUT_SIZE] = bytes[i];
	wake_all(&channel.readers, POLLIN | POLLRDNORM);
}

/* Event context, with the lock held. */
static void piece(void *context, uint8_t type, const uint8_t *bytes, size_t n)
{
	switch (type) {
	case HOST_INPUT:
		store_input(bytes, n);
		break;
	case HOST_END:
		channel.input_ended = true;
		wake_all(&channel.readers, WAKE_ANY);
		break;
	case HOST_SIGNAL:
		for (size_t i = 0; i < n; i++) {
			if (bytes[i] >= 1 && bytes[i] <= SIGNAL_COUNT)
				channel.signals |= SIGNAL_BIT(bytes[i]);
		}
		break;
	default:
		break;
	}
}

/* The channel's lock has been dropped: signal state ranks before it. */
static void send_signals(uint64_t signals, uint32_t group)
{
	for (; signals != 0; signals &= signals - 1)
		signal_send_group(group, __builtin_ctzl(signals) + 1, NULL);
}

static bool receive(enum uart_interrupt why)
{
	uint8_t bytes[UART_FIFO_SIZE];
	uint64_t signals = 0;
	uint32_t group;
	size_t n;

	lock_acquire(&channel.lock);
	n = uart_receive(&channel.uart, why, bytes);
	host_decode(&channel.decoder, bytes, n);
	group = channel.group;
	if (group != 0) {
		signals = channel.signals;
		channel.signals = 0;
	}
	lock_release(&channel.lock);
	send_signals(signals, group);
	return true;
}

static void can_send(void)
{
	lock_acquire(&channel.lock);
	host_send_ready();
	lock_release(&channel.lock);
}

static void interrupt(void *argument)
{
	uart_serve(&channel.uart, receive, can_send);
}

/* ------------------------------------------------------------------ standard output, error, trace */

/* Standard output, error, and the trace: private is the frame type. */
static long write_from(struct file *f, uint64_t user, const uint8_t *own, size_t n)
{
	uint8_t type = (uint8_t)(uint64_t)f->private;
	uint8_t frame[HOST_HEADER_SIZE + PAYLOAD_MAX];
	size_t done = 0;
	int r = 0;

	while (done < n) {
		size_t count = n - done < PAYLOAD_MAX ? n - done : PAYLOAD_MAX;

		if (own != NULL)
			memcpy(frame + HOST_HEADER_SIZE, own + done, count);
		else
			r = copy_from_user(frame + HOST_HEADER_SIZE, user + done, count);
		if (r == 0)
			r = host_send_frame(frame, type, count, WAIT_INTERRUPTIBLE);
		if (r != 0)
			break;
		done += count;
	}
	if (done != 0 || r == 0)
		return (long)done;
	return r == -EINTR ? -ERESTARTSYS : r;
}

static long output_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return write_from(f, user, NULL, n);
}

static long output_write_kernel(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	return write_from(f, 0, data, n);
}

/* A write may wait, but only for the host to go on. */
static uint32_t output_poll(struct file *f, struct poll_waiter *w)
{
	return POLLOUT | POLLWRNORM;
}

/* ------------------------------------------------------------------ standard input */

/* Gives the host credit for what has been read, in large pieces: it always has some left. */
static void grant(void)
{
	uint32_t owed;

	lock_acquire(&channel.lock);
	owed = channel.owed >= GRANT_PIECE ? channel.owed : 0;
	channel.owed -= owed;
	lock_release(&channel.lock);
	if (owed != 0)
		host_send_number(HOST_GRANT, owed);
}

/* With the lock held: what there is, up to n bytes. */
static size_t take(uint8_t *to, size_t n)
{
	uint32_t have = channel.write_at - channel.read_at;

	if (n > have)
		n = have;
	for (size_t i = 0; i < n; i++)
		to[i] = channel.input[channel.read_at++ % INPUT_SIZE];
	channel.owed += (uint32_t)n;
	return n;
}

/* What could not be stored is still to be read, unless another has read on from `end`, where it ended.  Its
 * place has not been given to the host again while it is owed. */
static void put_back(size_t n, uint32_t end)
{
	lock_acquire(&channel.lock);
	if (channel.read_at == end && channel.owed >= n) {
		channel.read_at -= (uint32_t)n;
		channel.owed -= (uint32_t)n;
	}
	lock_release(&channel.lock);
}

/* With the lock held: 0 if there is something to read, or the end. */
static int wait_input(const struct file *f)
{
	while (channel.read_at == channel.write_at && !channel.input_ended) {
		if ((f->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		if (wait_on(&channel.readers, &channel.lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			return -ERESTARTSYS;
	}
	return 0;
}

static long input_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	uint8_t bytes[PAYLOAD_MAX];
	size_t done = 0, got;
	uint32_t end;
	int r = 0;

	if (n == 0)
		return 0;
	do {
		lock_acquire(&channel.lock);
		if (done == 0)
			r = wait_input(f);
		got = r == 0 ? take(bytes, n - done < PAYLOAD_MAX ? n - done : PAYLOAD_MAX) : 0;
		end = channel.read_at;
		lock_release(&channel.lock);
		if (r == 0)
			r = copy_to_user(user + done, bytes, got);
		if (r == 0)
			done += got;
		else
			put_back(got, end);
	} while (r == 0 && got != 0 && done < n);
	grant();
	return done != 0 ? (long)done : r;
}

static uint32_t input_poll(struct file *f, struct poll_waiter *w)
{
	uint32_t events = 0;

	lock_acquire(&channel.lock);
	if (w != NULL)
		poll_wait(w, &channel.readers, &channel.lock);
	if (channel.read_at != channel.write_at)
		events |= POLLIN | POLLRDNORM;
	if (channel.input_ended)
		events |= POLLIN | POLLHUP;
	lock_release(&channel.lock);
	return events;
}

static long input_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	uint32_t have;

	if (command != FIONREAD)
		return -ENOTTY;
	lock_acquire(&channel.lock);
	have = channel.write_at - channel.read_at;
	lock_release(&channel.lock);
	return copy_to_user(argument, &have, sizeof(have));
}

/* ------------------------------------------------------------------ control */

#define SET_GROUP 'g'
#define DRAIN_LOOK_NS 1000000ul
#define DRAIN_LIMIT_NS (10 * NS_PER_SECOND) /* for a host that does not read */

static void set_group(uint32_t group)
{
	uint64_t signals;

	lock_acquire(&channel.lock);
	channel.group = group;
	signals = channel.signals;
	channel.signals = 0;
	lock_release(&channel.lock);
	send_signals(signals, group);
}

/* The machine is powered off next: nothing may be left in the port. */
static void send_status(uint32_t status)
{
	uint64_t give_up_ns = deadline_after(DRAIN_LIMIT_NS);

	host_send_number(HOST_STATUS, status);
	while (!uart_is_idle(&channel.uart) && time_now_ns() < give_up_ns)
		wait_until(deadline_after(DRAIN_LOOK_NS));
}

static long control_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	uint8_t command[1 + sizeof(uint32_t)];
	uint32_t value;

	if (current_process()->euid != 0)
		return -EPERM;
	if (n != sizeof(uint32_t) && n != sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, user, n) != 0)
		return -EFAULT;
	memcpy(&value, command + n - sizeof(value), sizeof(value));
	if (n == sizeof(uint32_t))
		send_status(value);
	else if (command[0] == SET_GROUP)
		set_group(value);
	else
		return -EINVAL;
	return (long)n;
}

static const struct file_ops input_ops = {
	.read = input_read,
	.poll = input_poll,
	.ioctl = input_ioctl,
};
static const struct file_ops output_ops = {
	.write = output_write,
	.write_kernel = output_write_kernel,
	.poll = output_poll,
};
static const struct file_ops control_ops = {
	.write = control_write,
};

void host_channel_init(void)
{
	uint8_t ready[HOST_HEADER_SIZE];

	if (uart_init(&channel.uart, COM2_PORT) != 0)
		return;
	lock_init(&channel.lock, "host channel", RANK_TTY);
	channel.decoder.piece = piece;
	wait_queue_init(&channel.readers);
	host_send_init(&channel.uart, &channel.lock);
	if (irq_register(COM2_IRQ, interrupt, NULL) != 0)
		return;
	device_register("host/0", DEVICE_FOR_ROOT, MAJOR_HOST, 0, &input_ops, NULL);
	device_register("host/1", DEVICE_FOR_ROOT, MAJOR_HOST, 1, &output_ops, (void *)(uint64_t)HOST_OUTPUT);
	device_register("host/2", DEVICE_FOR_ROOT, MAJOR_HOST, 2, &output_ops, (void *)(uint64_t)HOST_ERROR);
	device_register("host/ctl", DEVICE_FOR_ROOT, MAJOR_HOST, 3, &control_ops, NULL);
	device_register("host/trace", DEVICE_FOR_ROOT, MAJOR_HOST, 4, &output_ops,
			(void *)(uint64_t)HOST_TRACE);
	host_send_frame(ready, HOST_READY, 0, 0);
	host_send_number(HOST_GRANT, INPUT_SIZE);
}
