/* SPDX-License-Identifier: MIT */
/*
 * All exo calls: number, handler, and what the handles in RDI and RSI must name, with which right.
 *
 * A handler finds its arguments in RDI RSI RDX R10 of the current vcore's frame, and what its handles name
 * in h[0] and h[1], looked up and there for as long as it runs: by a reference that is put afterwards, or
 * without one, with `kept` set (or nothing set, for the loaded space alone).  A handler that sets `kept`
 * has given the reference away, if there was one; a space that is kept beyond the call is a vcore's.  What
 * it returns goes to RAX.  A call that gives the CPU away says so to the exit function (run.h) and returns
 * what the vcore sees when it goes on.
 */
#ifndef EXO_CALLS_H
#define EXO_CALLS_H

#include "object.h"

#define EXO_CALL_LIST(CALL) \
	CALL(DEBUG_WRITE, call_debug_write, NONE, NONE, NONE, NONE) \
	CALL(RESET, call_reset, PORTS, MANAGE, NONE, NONE) \
	CALL(HANDLE_COPY, call_handle_copy, ANY, COPY, DOMAIN, USE) \
	CALL(HANDLE_DROP, call_handle_drop, NONE, NONE, NONE, NONE) \
	CALL(HANDLE_REVOKE, call_handle_revoke, ANY, REVOKE, NONE, NONE) \
	CALL(HANDLE_FEED, call_handle_feed, DOMAIN, MANAGE, NONE, NONE) \
	CALL(DOMAIN_CREATE, call_domain_create, VCORE, MANAGE, NONE, NONE) \
	CALL(DOMAIN_KILL, call_domain_kill, DOMAIN, MANAGE, NONE, NONE) \
	CALL(FRAME_GIVE, call_frame_give, DOMAIN, USE, NONE, NONE) \
	CALL(FRAME_LEND, call_frame_lend, NONE, NONE, NONE, NONE) \
	CALL(FRAME_TAKE_BACK, call_frame_take_back, LOAN, MANAGE, NONE, NONE) \
	CALL(FRAME_REVOKE, call_frame_revoke, DOMAIN, REVOKE, NONE, NONE) \
	CALL(SPACE_CREATE, call_space_create, DOMAIN, MANAGE, NONE, NONE) \
	CALL(SPACE_FEED, call_space_feed, SPACE, WRITE, NONE, NONE) \
	CALL(SPACE_DESTROY, call_space_destroy, ANY, MANAGE, NONE, NONE) \
	CALL(UPDATE, call_update, SPACE, WRITE, NONE, NONE) \
	CALL(PROTECT, call_protect, SPACE, WRITE, NONE, NONE) \
	CALL(TLB_POLL, call_tlb_poll, SPACE, USE, NONE, NONE) \
	CALL(VCORE_CREATE, call_vcore_create, DOMAIN, MANAGE, SPACE, USE) \
	CALL(VCORE_START, call_vcore_start, VCORE, MANAGE, NONE, NONE) \
	CALL(SWITCH, call_switch, SPACE, USE, NONE, NONE) \
	CALL(HALT, call_halt, NONE, NONE, NONE, NONE) \
	CALL(SC_SPLIT, call_sc_split, SC, MANAGE, NONE, NONE) \
	CALL(SC_BIND, call_sc_bind, SC, MANAGE, VCORE, MANAGE) \
	CALL(SC_RECLAIM, call_sc_reclaim, SC, MANAGE, NONE, NONE) \
	CALL(SC_CONSUMED, call_sc_consumed, SC, USE, NONE, NONE) \
	CALL(TIMER, call_timer, NONE, NONE, NONE, NONE) \
	CALL(DONATE, call_donate, VCORE, DONATE, NONE, NONE) \
	CALL(REPLY, call_reply, NONE, NONE, NONE, NONE) \
	CALL(SEND, call_send, VCORE, USE, NONE, NONE) \
	CALL(DOORBELL, call_doorbell, VCORE, USE, NONE, NONE) \
	CALL(IRQ_BIND, call_irq_bind, IRQS, USE, VCORE, MANAGE) \
	CALL(MSI_BIND, call_msi_bind, IRQS, USE, VCORE, MANAGE) \
	CALL(IRQ_ACK, call_irq_ack, LINE, USE, NONE, NONE) \
	CALL(PORT, call_port, PORTS, USE, NONE, NONE) \
	CALL(PORT_READ, call_port_read, PORTS, USE, NONE, NONE) \
	CALL(PORT_WRITE, call_port_write, PORTS, USE, NONE, NONE) \
	CALL(REVOKE, call_revoke, ANY, USE, NONE, NONE) \
	CALL(SC_RESIZE, call_sc_resize, SC, REVOKE, NONE, NONE) \
	CALL(CPU_STATS, call_cpu_stats, NONE, NONE, NONE, NONE) \
	CALL(SC_TIMEOUT, call_sc_timeout, SC, MANAGE, NONE, NONE)

#define DECLARE_CALL(number, handler, kind, right, second_kind, second_right) \
	int64_t handler(struct exo_regs *regs, struct handle_view *h);
EXO_CALL_LIST(DECLARE_CALL)

struct cpu;
/* The call of the current vcore, from its number to its result; is there work on the way out?  The first does
 * EXO_CALL_SWITCH to a space that the vcore remembers, and leaves others to the second. */
bool switch_at_once(struct cpu *cpu, struct exo_regs *regs);
bool call_by_number(struct cpu *cpu, struct exo_regs *regs);

#endif
