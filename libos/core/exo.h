/* SPDX-License-Identifier: MIT */
/*
 * Exo calls as C functions.  They return what the kernel returns: >= 0, or a negated errno.
 * The instruction is inlined, and so lies in the libos text, where the kernel accepts it.
 */
#ifndef LIBOS_EXO_H
#define LIBOS_EXO_H

#include <exo/abi.h>
#include <stddef.h>
#include <stdint.h>


static inline int64_t exo_call4(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "cc", "memory");
	return result;
}

static inline int64_t exo_call2(uint64_t number, uint64_t a, uint64_t b)
{
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b)
			 : "rcx", "r11", "cc", "memory");
	return result;
}

static inline int64_t exo_debug_write(const void *buffer, size_t length)
{
	return exo_call2(EXO_CALL_DEBUG_WRITE, (uint64_t)buffer, length);
}

static inline int64_t exo_reset(void)
{
	return exo_call2(EXO_CALL_RESET, EXO_HANDLE(EXO_SLOT_PORTS), 0);
}

static inline int64_t exo_handle_copy(exo_handle h, exo_handle domain, unsigned rights)
{
	return exo_call4(EXO_CALL_HANDLE_COPY, h, domain, rights, 0);
}

static inline int64_t exo_handle_drop(exo_handle h)
{
	return exo_call2(EXO_CALL_HANDLE_DROP, h, 0);
}

static inline int64_t exo_handle_revoke(exo_handle h)
{
	return exo_call2(EXO_CALL_HANDLE_REVOKE, h, 0);
}

static inline int64_t exo_handle_feed(exo_handle domain, uint64_t frame)
{
	return exo_call2(EXO_CALL_HANDLE_FEED, domain, frame);
}

static inline int64_t exo_domain_create(exo_handle parent_vcore,
					const struct exo_domain_create *create)
{
	return exo_call2(EXO_CALL_DOMAIN_CREATE, parent_vcore, (uint64_t)create);
}

static inline int64_t exo_domain_kill(exo_handle domain, uint64_t status)
{
	return exo_call2(EXO_CALL_DOMAIN_KILL, domain, status);
}

/* What it has died with, or -EAGAIN. */
static inline int64_t exo_domain_ask(exo_handle domain)
{
	return exo_call2(EXO_CALL_DOMAIN_KILL, domain, EXO_STATUS_ASK);
}

static inline int64_t exo_frame_give(exo_handle domain, uint64_t first, uint64_t count,
				     unsigned flags)
{
	return exo_call4(EXO_CALL_FRAME_GIVE, domain, first, count, flags);
}

static inline int64_t exo_frame_revoke(exo_handle domain, struct exo_frame_revoke *revoke)
{
	return exo_call2(EXO_CALL_FRAME_REVOKE, domain, (uint64_t)revoke);
}

static inline int64_t exo_frame_lend(uint64_t first, uint64_t count, unsigned rights, uint64_t object)
{
	return exo_call4(EXO_CALL_FRAME_LEND, first, count, rights, object);
}

static inline int64_t exo_frame_take_back(exo_handle loan)
{
	return exo_call2(EXO_CALL_FRAME_TAKE_BACK, loan, 0);
}

static inline int64_t exo_space_create(exo_handle domain, uint64_t object_frame,
				       uint64_t root_frame)
{
	return exo_call4(EXO_CALL_SPACE_CREATE, domain, object_frame, root_frame, 0);
}

static inline int64_t exo_space_feed(exo_handle space, const uint64_t *frames, size_t count)
{
	return exo_call4(EXO_CALL_SPACE_FEED, space, (uint64_t)frames, count, 0);
}

static inline int64_t exo_space_destroy(exo_handle space, uint64_t *out, size_t room)
{
	return exo_call4(EXO_CALL_SPACE_DESTROY, space, (uint64_t)out, room, 0);
}

static inline int64_t exo_update(exo_handle space, struct exo_update *update)
{
	return exo_call2(EXO_CALL_UPDATE, space, (uint64_t)update);
}

/* Returns the epoch. */
static inline int64_t exo_protect(exo_handle space, uint64_t va, uint64_t pages, unsigned prot,
				  unsigned flags)
{
	return exo_call4(EXO_CALL_PROTECT, space, va, pages, prot | flags << 8);
}

static inline int64_t exo_tlb_poll(exo_handle space, uint64_t epoch, int wait)
{
	return exo_call4(EXO_CALL_TLB_POLL, space, epoch, (uint64_t)wait, 0);
}

static inline int64_t exo_vcore_create(exo_handle domain, exo_handle space,
				       const struct exo_vcore_create *create)
{
	return exo_call4(EXO_CALL_VCORE_CREATE, domain, space, (uint64_t)create, 0);
}

static inline int64_t exo_vcore_start(exo_handle vcore)
{
	return exo_call2(EXO_CALL_VCORE_START, vcore, 0);
}

static inline int64_t exo_switch(exo_handle space, uint64_t token)
{
	return exo_call2(EXO_CALL_SWITCH, space, token);
}

static inline int64_t exo_halt(uint64_t token, uint64_t deadline_tsc)
{
	return exo_call2(EXO_CALL_HALT, token, deadline_tsc);
}

static inline int64_t exo_sc_split(exo_handle parent, uint64_t frame, uint64_t budget_ns,
				   uint64_t period_ns)
{
	return exo_call4(EXO_CALL_SC_SPLIT, parent, frame, budget_ns, period_ns);
}

static inline int64_t exo_sc_bind(exo_handle sc, exo_handle vcore)
{
	return exo_call2(EXO_CALL_SC_BIND, sc, vcore);
}

static inline int64_t exo_sc_reclaim(exo_handle sc)
{
	return exo_call2(EXO_CALL_SC_RECLAIM, sc, 0);
}

static inline int64_t exo_sc_timeout(exo_handle sc, exo_handle handler, uint64_t word)
{
	return exo_call4(EXO_CALL_SC_TIMEOUT, sc, handler, word, 0);
}

static inline int64_t exo_sc_resize(exo_handle sc, uint64_t budget_ns, uint64_t period_ns)
{
	return exo_call4(EXO_CALL_SC_RESIZE, sc, budget_ns, period_ns, 0);
}

static inline int64_t exo_revoke(exo_handle h, uint64_t deadline_ns)
{
	return exo_call2(EXO_CALL_REVOKE, h, deadline_ns);
}

static inline int64_t exo_sc_consumed(exo_handle sc)
{
	return exo_call2(EXO_CALL_SC_CONSUMED, sc, 0);
}

static inline int64_t exo_timer(uint64_t deadline_tsc)
{
	return exo_call2(EXO_CALL_TIMER, deadline_tsc, 0);
}

static inline int64_t exo_donate(exo_handle vcore, uint64_t token)
{
	return exo_call2(EXO_CALL_DONATE, vcore, token);
}

static inline int64_t exo_reply(uint64_t token)
{
	return exo_call2(EXO_CALL_REPLY, token, 0);
}

static inline int64_t exo_send(exo_handle vcore, uint64_t w0, uint64_t w1, uint64_t w2)
{
	return exo_call4(EXO_CALL_SEND, vcore, w0, w1, w2);
}

static inline int64_t exo_doorbell(exo_handle vcore)
{
	return exo_call2(EXO_CALL_DOORBELL, vcore, 0);
}

static inline int64_t exo_irq_bind(exo_handle irqs, exo_handle vcore, unsigned line, uint64_t word)
{
	return exo_call4(EXO_CALL_IRQ_BIND, irqs, vcore, line, word);
}

static inline int64_t exo_irq_ack(exo_handle line)
{
	return exo_call2(EXO_CALL_IRQ_ACK, line, 0);
}

static inline int64_t exo_port(exo_handle ports, enum exo_port_op op, uint16_t port, uint32_t value)
{
	return exo_call4(EXO_CALL_PORT, ports, op, port, value);
}

static inline int64_t exo_port_write(exo_handle ports, uint16_t port, const void *buffer,
				     size_t length)
{
	return exo_call4(EXO_CALL_PORT_WRITE, ports, port, (uint64_t)buffer, length);
}

static inline int64_t exo_port_read(exo_handle ports, uint16_t port, void *buffer, size_t length)
{
	return exo_call4(EXO_CALL_PORT_READ, ports, port, (uint64_t)buffer, length);
}

static inline int64_t exo_cpu_stats(unsigned cpu, struct exo_cpu_stats *stats)
{
	return exo_call2(EXO_CALL_CPU_STATS, cpu, (uint64_t)stats);
}

#endif
