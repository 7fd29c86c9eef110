/* SPDX-License-Identifier: MIT */
/*
 * Messages and doorbells for a vcore that halts: what is in wake.pml's exo_halt().
 *
 *	sender: slot, sequence, head? ---> latched, rung, interrupt ---> exit: pending ---> libos: messages
 *
 * CPU 0 runs the kernel and a masked libos that takes what is pending, reads its mailbox and halts.  A
 * sender and a doorbell never stop, but send no more than BURST messages while the libos goes round once: who reads until
 * there is nothing would not get out otherwise.  Indices count modulo 4, for a ring of 2 slots.
 *
 * What is checked (models.py):
 *
 * holds message_is_read: quick -DBURST=1; full -DBURST=3
 * holds bell_is_heard: quick -DBURST=1; full -DBURST=3
 * broken message_is_read: -DHALT_BLIND a halt does not look at pending and latched
 * broken message_is_read: -DBELL_FIRST the vcore is rung before the message is published
 * broken bell_is_heard: -DRUNG_BEFORE_HALT the exit takes what is rung before it puts the vcore to sleep
 *
 * How it is tied to the code (code_steps.py):
 *
 * watch exo/rung.c: atomic latched rung
 * watch exo/rung.c: call cpu_interrupt
 * watch exo/mailbox.c: call mailbox_ring_send vcore_ring
 * watch exo/mailbox_ring.c: atomic tail head sequence
 * watch exo/vcore_calls.c: atomic pending latched
 * watch exo/exit.c: atomic latched
 * watch libos/core/kernel_mailbox.c: atomic sequence mailbox_head
 * watch exo/upcall.c: atomic pending
 *
 * beside exo/upcall.c force_if_stuck: "" one that does not take its events
 * beside exo/upcall.c upcall_first_entry: "" the first entry
 */
#define SLOTS 2
#ifndef BURST
#define BURST 3
#endif
#define MAIL 1
#define BELL 2

byte sequence[SLOTS], head, tail;      /* of the ring */
bool unread[SLOTS], belled;            /* what must end */
byte latched, pending;
bool rung, interrupted, halted;
byte burst;

inline vcore_ring(bits)
{
	/* code: exo/rung.c vcore_ring: "if (atomic_fetch_or_explicit(&vcore->latched, bits, memory_order_acq_rel))" */
	atomic { old = latched; latched = latched | bits };
	/* code: exo/rung.c vcore_ring: "atomic_load_explicit(&target->run.rung, memory_order_relaxed)" */
	/* code: exo/rung.c vcore_ring: "atomic_compare_exchange_weak_explicit(&target->run.rung, &first, vcore," */
	/* code: exo/rung.c vcore_ring: "cpu_interrupt(target, VECTOR_RESCHEDULE)" */
	if
	:: old == 0 ->
		atomic { old = rung; rung = true };
		if
		:: old == 0 -> interrupted = true
		:: else
		fi
	:: else
	fi;
	old = 0
}

proctype sender()
{
	byte index, old;

send:	/* code: exo/mailbox.c send: "mailbox_ring_send(&ring, message, limit)" */
	/* code: exo/mailbox_ring.c mailbox_ring_send: "atomic_load_explicit(ring->tail, memory_order_relaxed)" */
	/* code: exo/mailbox_ring.c mailbox_ring_send: "__atomic_load_n(ring->head, __ATOMIC_ACQUIRE)" */
	/* code: exo/mailbox_ring.c mailbox_ring_send: "atomic_compare_exchange_weak_explicit(ring->tail, &index, index + 1," */
	atomic {
		(tail + 4 - head) % 4 < SLOTS && burst < BURST -> burst++; index = tail; tail = (tail + 1) % 4
	};
#ifdef BELL_FIRST
	if
	:: head == index -> vcore_ring(MAIL)
	:: else
	fi;
#endif
	/* code: exo/mailbox_ring.c mailbox_ring_send: "__atomic_store_n(&slot->sequence, index + 1, __ATOMIC_SEQ_CST)" */
	atomic { sequence[index % SLOTS] = (index + 1) % 4; unread[index % SLOTS] = true };
#ifndef BELL_FIRST
	/* code: exo/mailbox_ring.c mailbox_ring_send: "__atomic_load_n(ring->head, __ATOMIC_SEQ_CST) == index" */
	/* code: exo/mailbox.c send: "vcore_ring(vcore, EXO_EVENT_MAILBOX)" */
	if
	:: head == index || halted -> vcore_ring(MAIL)
	:: else
	fi;
#endif
	goto send
}

proctype bell()
{
	byte old;

again:	atomic { !belled -> belled = true };
	vcore_ring(BELL);
	goto again
}

/* Of a vcore that runs: its events become pending. */
inline take_rung()
{
	/* code: exo/exit.c take_rung: "atomic_exchange_explicit(&v->latched, 0, memory_order_acq_rel)" */
	/* code: exo/upcall.c upcall_deliver: "__atomic_fetch_or(&vcore->page->pending, vcore->events, __ATOMIC_RELEASE)" */
	if
	:: rung ->
		rung = false;
		atomic { events = events | latched; latched = 0 };
		if
		:: halted && events -> halted = false
		:: else
		fi
	:: else
	fi
}

inline deliver()
{
	atomic { pending = pending | events; events = 0 }
}

proctype cpu()
{
	byte took, events;

libos:	burst = 0;
	if
	:: interrupted -> interrupted = false; take_rung(); deliver()
	:: true
	fi;
	atomic { took = pending; pending = 0 };
	if
	:: took & BELL -> belled = false
	:: else
	fi;
	if
	:: took & MAIL ->
		/* code: libos/core/kernel_mailbox.c kernel_mailbox_take: "__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) != head + 1" */
		/* code: libos/core/kernel_mailbox.c kernel_mailbox_take: "__atomic_exchange_n(&page->mailbox_head, head + 1, __ATOMIC_SEQ_CST)" */
		do
		:: sequence[head % SLOTS] == (head + 1) % 4 ->
			atomic { unread[head % SLOTS] = false; head = (head + 1) % 4 }
		:: else -> break
		od
	:: else
	fi;
	took = 0;
	if
	:: interrupted -> interrupted = false; take_rung(); deliver()
	:: true
	fi;
#ifndef HALT_BLIND
	/* code: exo/vcore_calls.c has_events: "__atomic_load_n(&vcore->page->pending, __ATOMIC_ACQUIRE)" */
	/* code: exo/vcore_calls.c has_events: "atomic_load_explicit(&vcore->latched, memory_order_relaxed)" */
	if
	:: pending || latched -> take_rung(); deliver(); goto libos
	:: else
	fi;
#endif
#ifdef RUNG_BEFORE_HALT
	take_rung();
	halted = true;
#else
	halted = true;
	take_rung();
#endif
	do
	:: halted ->
		(interrupted || rung) -> interrupted = false;
		take_rung()
	:: else -> break
	od;
	deliver();
	goto libos
}

init
{
	atomic {
		run cpu();
		run bell();
		run sender()
	}
}

/* A message that was sent is read. */
ltl message_is_read { [] (unread[0] -> <> !unread[0]) }
/* A doorbell is heard. */
ltl bell_is_heard { [] (belled -> <> !belled) }
