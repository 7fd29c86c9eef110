/* SPDX-License-Identifier: MIT */
/*
 * All exo calls: number, handler, and what the handles in RDI and RSI must name, with which right.
 *
 * A handler finds its arguments in RDI RSI RDX R10 of the current vcore's frame, and what its handles
 * name in h[0] and h[1], looked up and held for as long as it runs, unless it sets `kept`: then the
 * reference has gone elsewhere.  What it returns goes to RAX.  A call that gives the CPU away says
 * so to the exit function (run.h) and returns what the vcore sees when it goes on.
 */
#ifndef EXO_CALLS_H
#define EXO_CALLS_H

#include "object.h"

#define EXO_CALL_LIST(CALL) \
	CALL(DEBUG_WRITE, call_debug_write, NOTHING, NOTHING) \
	CALL(RESET, call_reset, NEEDS(PORTS, MANAGE), NOTHING) \
	CALL(HANDLE_COPY, call_handle_copy, NEEDS(ANY, COPY), NEEDS(DOMAIN, USE)) \
	CALL(HANDLE_DROP, call_handle_drop, NOTHING, NOTHING) \
	CALL(HANDLE_REVOKE, call_handle_revoke, NEEDS(ANY, REVOKE), NOTHING) \
	CALL(HANDLE_FEED, call_handle_feed, NOTHING, NOTHING) \
	CALL(DOMAIN_CREATE, call_domain_create, NEEDS(VCORE, MANAGE), NOTHING) \
	CALL(DOMAIN_KILL, call_domain_kill, NEEDS(DOMAIN, MANAGE), NOTHING) \
	CALL(FRAME_GIVE, call_frame_give, NEEDS(DOMAIN, USE), NOTHING) \
	CALL(FRAME_LEND, call_frame_lend, NOTHING, NOTHING) \
	CALL(FRAME_TAKE_BACK, call_frame_take_back, NEEDS(LOAN, MANAGE), NOTHING) \
	CALL(SPACE_CREATE, call_space_create, NEEDS(DOMAIN, MANAGE), NOTHING) \
	CALL(SPACE_FEED, call_space_feed, NEEDS(SPACE, WRITE), NOTHING) \
	CALL(SPACE_DESTROY, call_space_destroy, NEEDS(ANY, MANAGE), NOTHING) \
	CALL(UPDATE, call_update, NEEDS(SPACE, WRITE), NOTHING) \
	CALL(TLB_POLL, call_tlb_poll, NEEDS(SPACE, USE), NOTHING) \
	CALL(VCORE_CREATE, call_vcore_create, NEEDS(DOMAIN, MANAGE), NEEDS(SPACE, USE)) \
	CALL(VCORE_START, call_vcore_start, NEEDS(VCORE, MANAGE), NOTHING) \
	CALL(SWITCH, call_switch, NEEDS(SPACE, USE), NOTHING) \
	CALL(HALT, call_halt, NOTHING, NOTHING) \
	CALL(SC_SPLIT, call_sc_split, NEEDS(SC, MANAGE), NOTHING) \
	CALL(SC_BIND, call_sc_bind, NEEDS(SC, MANAGE), NEEDS(VCORE, MANAGE)) \
	CALL(SC_RECLAIM, call_sc_reclaim, NEEDS(SC, MANAGE), NOTHING) \
	CALL(SC_CONSUMED, call_sc_consumed, NEEDS(SC, USE), NOTHING) \
	CALL(TIMER, call_timer, NOTHING, NOTHING) \
	CALL(DONATE, call_donate, NEEDS(VCORE, DONATE), NOTHING) \
	CALL(SEND, call_send, NEEDS(VCORE, USE), NOTHING) \
	CALL(DOORBELL, call_doorbell, NEEDS(VCORE, USE), NOTHING) \
	CALL(IRQ_BIND, call_irq_bind, NEEDS(IRQS, USE), NEEDS(VCORE, MANAGE)) \
	CALL(MSI_BIND, call_msi_bind, NEEDS(IRQS, USE), NEEDS(VCORE, MANAGE)) \
	CALL(IRQ_ACK, call_irq_ack, NEEDS(LINE, USE), NOTHING) \
	CALL(PORT, call_port, NEEDS(PORTS, USE), NOTHING) \
	CALL(PORT_READ, call_port_read, NEEDS(PORTS, USE), NOTHING) \
	CALL(PORT_WRITE, call_port_write, NEEDS(PORTS, USE), NOTHING) \
	CALL(CPU_STATS, call_cpu_stats, NOTHING, NOTHING)

#define DECLARE_CALL(number, handler, first, second) \
	int64_t handler(struct exo_regs *regs, struct handle_view *h);
EXO_CALL_LIST(DECLARE_CALL)

#endif
