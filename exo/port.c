/* SPDX-License-Identifier: MIT */
/*
 * I/O ports by handle.  The kernel keeps the ports of the masked PICs, which could bring interrupts
 * where nobody expects them.  Everything else is the first domain's: configuration space, since
 * the kernel drives no device; COM1, which it shares for messages; and the ACPI ports, which it
 * uses only to end everything.
 */
#include "kernel.h"
#include "calls.h"

#define PORT_BYTES_MAX 256
#define PORTS_END 65536ul

static int check(uint64_t port, unsigned width)
{
	if (port > PORTS_END - width)
		return -EPERM;
	for (uint64_t end = port + width; port < end; port++)
		if ((port >= 0x20 && port <= 0x23) || port == 0xa0 || port == 0xa1)
			return -EPERM;
	return 0;
}

/* (ports handle, enum exo_port_op, port, value) -> value read */
int64_t call_port(struct exo_regs *regs, struct handle_view *h)
{
	uint64_t port = regs->rdx, value = regs->r10;
	/* 8, 16 and 32 bits, first in and then out. */
	int error = regs->rsi > EXO_PORT_OUT32 ? -EINVAL : check(port, 1u << (regs->rsi % EXO_PORT_OUT8));

	if (error)
		return error;
	switch ((enum exo_port_op)regs->rsi) {
	case EXO_PORT_IN8:
		return port_in8(port);
	case EXO_PORT_IN16:
		return port_in16(port);
	case EXO_PORT_IN32:
		return port_in32(port);
	case EXO_PORT_OUT8:
		port_out8(port, value);
		break;
	case EXO_PORT_OUT16:
		port_out16(port, value);
		break;
	case EXO_PORT_OUT32:
		port_out32(port, value);
		break;
	}
	return 0;
}

/* (ports handle, port, buffer, length) */
int64_t call_port_write(struct exo_regs *regs, struct handle_view *h)
{
	uint8_t bytes[PORT_BYTES_MAX];
	int error = regs->r10 > PORT_BYTES_MAX ? -E2BIG : check(regs->rsi, 1);

	if (!error)
		error = copy_from_user(bytes, regs->rdx, regs->r10);
	for (uint64_t i = 0; !error && i < regs->r10; i++)
		port_out8(regs->rsi, bytes[i]);
	return error ? error : (int64_t)regs->r10;
}

/* (ports handle, port, buffer, length).  What has been read is lost if the buffer is bad. */
int64_t call_port_read(struct exo_regs *regs, struct handle_view *h)
{
	uint8_t bytes[PORT_BYTES_MAX];
	int error = regs->r10 > PORT_BYTES_MAX ? -E2BIG : check(regs->rsi, 1);

	for (uint64_t i = 0; !error && i < regs->r10; i++)
		bytes[i] = port_in8(regs->rsi);
	if (!error)
		error = copy_to_user(regs->rdx, bytes, regs->r10);
	return error ? error : (int64_t)regs->r10;
}
