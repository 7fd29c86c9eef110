/* SPDX-License-Identifier: MIT */
/*
 * All exo calls: number, handler, and what the handle in RDI must name, with which rights.
 *
 * A handler finds its arguments in RDI RSI RDX R10 R8 of the current vcore's frame, and what its
 * handle names in `h`, looked up and held for as long as it runs, unless it sets h->kept: then the
 * reference has gone elsewhere.  What it returns goes to RAX.  A call that gives the CPU away says
 * so to the exit function (run.h) and returns what the vcore sees when it goes on.
 */
#ifndef EXO_CALLS_H
#define EXO_CALLS_H

#include "object.h"

#define EXO_CALL_LIST(CALL) \
	CALL(DEBUG_WRITE, call_debug_write, OBJECT_NONE, 0) \
	CALL(RESET, call_reset, OBJECT_PORTS, EXO_RIGHT_MANAGE) \
	CALL(HANDLE_COPY, call_handle_copy, OBJECT_ANY, EXO_RIGHT_COPY) \
	CALL(HANDLE_DROP, call_handle_drop, OBJECT_NONE, 0) \
	CALL(HANDLE_REVOKE, call_handle_revoke, OBJECT_ANY, EXO_RIGHT_REVOKE) \
	CALL(HANDLE_FEED, call_handle_feed, OBJECT_NONE, 0) \
	CALL(DOMAIN_CREATE, call_domain_create, OBJECT_NONE, 0) \
	CALL(DOMAIN_KILL, call_domain_kill, OBJECT_DOMAIN, EXO_RIGHT_MANAGE) \
	CALL(FRAME_GIVE, call_frame_give, OBJECT_DOMAIN, EXO_RIGHT_USE) \
	CALL(FRAME_LEND, call_frame_lend, OBJECT_NONE, 0) \
	CALL(FRAME_TAKE_BACK, call_frame_take_back, OBJECT_LOAN, EXO_RIGHT_MANAGE) \
	CALL(SPACE_CREATE, call_space_create, OBJECT_NONE, 0) \
	CALL(SPACE_CREATE_IN, call_space_create_in, OBJECT_DOMAIN, EXO_RIGHT_MANAGE) \
	CALL(SPACE_FEED, call_space_feed, OBJECT_SPACE, EXO_RIGHT_WRITE) \
	CALL(SPACE_DESTROY, call_space_destroy, OBJECT_NONE, 0) \
	CALL(UPDATE, call_update, OBJECT_SPACE, EXO_RIGHT_WRITE) \
	CALL(TLB_POLL, call_tlb_poll, OBJECT_SPACE, EXO_RIGHT_USE) \
	CALL(VCORE_CREATE, call_vcore_create, OBJECT_NONE, 0) \
	CALL(VCORE_START, call_vcore_start, OBJECT_VCORE, EXO_RIGHT_MANAGE) \
	CALL(SWITCH, call_switch, OBJECT_SPACE, EXO_RIGHT_USE) \
	CALL(HALT, call_halt, OBJECT_NONE, 0) \
	CALL(SC_SPLIT, call_sc_split, OBJECT_SC, EXO_RIGHT_MANAGE) \
	CALL(SC_BIND, call_sc_bind, OBJECT_SC, EXO_RIGHT_MANAGE) \
	CALL(SC_RECLAIM, call_sc_reclaim, OBJECT_SC, EXO_RIGHT_MANAGE) \
	CALL(SC_CONSUMED, call_sc_consumed, OBJECT_SC, EXO_RIGHT_USE) \
	CALL(TIMER, call_timer, OBJECT_NONE, 0) \
	CALL(DONATE, call_donate, OBJECT_VCORE, EXO_RIGHT_DONATE) \
	CALL(SEND, call_send, OBJECT_VCORE, EXO_RIGHT_USE) \
	CALL(DOORBELL, call_doorbell, OBJECT_VCORE, EXO_RIGHT_USE) \
	CALL(IRQ_BIND, call_irq_bind, OBJECT_IRQS, EXO_RIGHT_USE) \
	CALL(MSI_BIND, call_msi_bind, OBJECT_IRQS, EXO_RIGHT_USE) \
	CALL(IRQ_ACK, call_irq_ack, OBJECT_LINE, EXO_RIGHT_USE) \
	CALL(PORT, call_port, OBJECT_PORTS, EXO_RIGHT_USE) \
	CALL(PORT_READ, call_port_read, OBJECT_PORTS, EXO_RIGHT_USE) \
	CALL(PORT_WRITE, call_port_write, OBJECT_PORTS, EXO_RIGHT_USE) \
	CALL(CPU_STATS, call_cpu_stats, OBJECT_NONE, 0)

#define DECLARE_CALL(number, handler, kind, rights) \
	int64_t handler(struct exo_regs *regs, struct handle_view *h);
EXO_CALL_LIST(DECLARE_CALL)

#endif
