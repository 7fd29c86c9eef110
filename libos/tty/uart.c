/* SPDX-License-Identifier: MIT */
/* A 16550 serial port.  Register names are National's (PC16550D data sheet). */
#include "tty/uart.h"
#include "abi/errno.h"
#include "core/exo.h"

#define PORTS EXO_HANDLE(EXO_SLOT_PORTS)

enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7,
       DIVISOR_LOW = 0, DIVISOR_HIGH = 1 };

#define IER_RECEIVED 0x01
#define IER_CAN_SEND 0x02
#define FCR_ENABLE_CLEAR_14 0xc7 /* FIFOs on and cleared, receive interrupt at 14 bytes */
#define LCR_8N1 0x03
#define LCR_DIVISOR 0x80
#define MCR_DTR_RTS_OUT2 0x0b    /* OUT2 gates the interrupt line on PCs */
#define LSR_RECEIVED 0x01
#define LSR_CAN_SEND 0x20
#define LSR_IDLE 0x40

/* Looks at the status before the interrupt is asked for: QEMU is ready at the first. */
#define SEND_LOOKS 8
/* In one interrupt: enough for most bursts, and not for so many that other events wait for long. */
#define ROUNDS_MAX 64

static uint8_t in(const struct uart *u, unsigned reg)
{
	return (uint8_t)exo_port(PORTS, EXO_PORT_IN8, (uint16_t)(u->port + reg), 0);
}

static void out(const struct uart *u, unsigned reg, uint8_t value)
{
	(void)exo_port(PORTS, EXO_PORT_OUT8, (uint16_t)(u->port + reg), value);
}

int uart_init(struct uart *u, uint16_t port)
{
	u->port = port;
	lock_init(&u->lock, "uart", RANK_LEAF);
	/* Without a port there is nobody to remember the byte. */
	out(u, SCRATCH, 0x5a);
	if (in(u, SCRATCH) != 0x5a)
		return -ENODEV;
	out(u, IER, 0);
	out(u, LCR, LCR_DIVISOR);
	out(u, DIVISOR_LOW, 1);
	out(u, DIVISOR_HIGH, 0);
	out(u, LCR, LCR_8N1);
	out(u, FCR, FCR_ENABLE_CLEAR_14);
	out(u, MCR, MCR_DTR_RTS_OUT2);
	u->enabled = IER_RECEIVED;
	out(u, IER, u->enabled);
	return 0;
}

static void enable(struct uart *u, uint8_t enabled)
{
	if (u->enabled != enabled) {
		u->enabled = enabled;
		out(u, IER, enabled);
	}
}

static bool is_ready(const struct uart *u)
{
	for (int look = 0; look < SEND_LOOKS; look++) {
		if ((in(u, LSR) & LSR_CAN_SEND) != 0)
			return true;
	}
	return false;
}

/*
 * Why "can send" is not missed: the interrupt is enabled after the last look, and a port whose
 * transmitter is empty when it is enabled interrupts at once.
 */
size_t uart_send(struct uart *u, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	lock_acquire(&u->lock);
	while (done < n && is_ready(u)) {
		size_t piece = n - done < UART_FIFO_SIZE ? n - done : UART_FIFO_SIZE;

		(void)exo_port_write(PORTS, u->port + DATA, bytes + done, piece);
		done += piece;
	}
	enable(u, done < n ? u->enabled | IER_CAN_SEND : u->enabled & (uint8_t)~IER_CAN_SEND);
	lock_release(&u->lock);
	return done;
}

/*
 * A burst is read in one exo call.  Under QEMU that is what makes input fast: its main loop, woken
 * by the first byte read, finds the FIFO empty and fills it at once, not byte by byte.
 */
size_t uart_receive(struct uart *u, enum uart_interrupt why, uint8_t bytes[UART_FIFO_SIZE])
{
	size_t n = 0;

	lock_acquire(&u->lock);
	if (why == UART_RECEIVED_BURST) {
		(void)exo_port_read(PORTS, u->port + DATA, bytes, UART_BURST);
		lock_release(&u->lock);
		return UART_BURST;
	}
	while (n < UART_FIFO_SIZE && (in(u, LSR) & LSR_RECEIVED) != 0)
		bytes[n++] = in(u, DATA);
	lock_release(&u->lock);
	return n;
}

void uart_listen(struct uart *u, bool on)
{
	lock_acquire(&u->lock);
	enable(u, on ? u->enabled | IER_RECEIVED : u->enabled & (uint8_t)~IER_RECEIVED);
	lock_release(&u->lock);
}

bool uart_is_idle(struct uart *u)
{
	bool idle;

	lock_acquire(&u->lock);
	idle = (in(u, LSR) & LSR_IDLE) != 0;
	lock_release(&u->lock);
	return idle;
}

static enum uart_interrupt ask(struct uart *u)
{
	enum uart_interrupt why;

	lock_acquire(&u->lock);
	switch (in(u, IIR) & 0x0f) {
	case 0x04:
		why = UART_RECEIVED_BURST;
		break;
	case 0x0c: /* nothing came for a while and the FIFO is not empty */
		why = UART_RECEIVED;
		break;
	case 0x02:
		enable(u, u->enabled & (uint8_t)~IER_CAN_SEND);
		why = UART_CAN_SEND;
		break;
	case 0x06:
		(void)in(u, LSR); /* reading the status is what ends the interrupt */
		why = UART_OTHER;
		break;
	case 0x00:
		(void)in(u, MSR);
		why = UART_OTHER;
		break;
	default:
		why = UART_QUIET;
		break;
	}
	lock_release(&u->lock);
	return why;
}

/* A port that has still something to say when its interrupts come on raises its line anew. */
static void interrupt_again(struct uart *u)
{
	uint8_t enabled;

	lock_acquire(&u->lock);
	enabled = u->enabled;
	enable(u, 0);
	enable(u, enabled);
	lock_release(&u->lock);
}

void uart_serve(struct uart *u, bool (*receive)(enum uart_interrupt why), void (*can_send)(void))
{
	bool quick = true;

	for (int round = 0; round < ROUNDS_MAX && quick; round++) {
		enum uart_interrupt why = ask(u);

		switch (why) {
		case UART_RECEIVED:
		case UART_RECEIVED_BURST:
			quick = receive(why);
			break;
		case UART_CAN_SEND:
			can_send();
			break;
		case UART_OTHER:
			break;
		case UART_QUIET:
			return;
		}
	}
	interrupt_again(u);
}
