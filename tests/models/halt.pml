/* SPDX-License-Identifier: MIT */
/*
 * Messages and doorbells for a vcore that halts: what is in wake.pml's exo_halt().
 *
 *	sender: slot, sequence, head? ---> latched, rung, interrupt ---> exit: pending ---> libos: messages
 *
 * CPU 0 runs the kernel and a masked libos that takes what is pending, reads its mailbox, gives its task a
 * turn and halts.  A sender and a doorbell never stop.  Who has read as many messages as the ring has slots
 * leaves the rest to a timer, which expires at any time.  Indices count modulo 4, for a ring of 2 slots.
 *
 * What is checked (models.py):
 *
 * holds message_is_read: quick -DSLOTS=1; full -DSLOTS=2
 * holds bell_is_heard: quick -DSLOTS=1; full -DSLOTS=2
 * holds task_runs: quick -DSLOTS=1; full -DSLOTS=2
 * broken task_runs: -DREADS_ALL it reads until the ring is empty, and the sender is as fast
 * broken message_is_read: -DREST_FORGOTTEN who stops before the ring is empty does not say that there is more
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
 * watch libos/core/kernel_messages.c: call kernel_mailbox_read timer_arm
 * watch libos/core/kernel_messages.c: store mail_rests
 * watch exo/upcall.c: atomic pending
 *
 * beside exo/upcall.c force_if_stuck: "" one that does not take its events
 * beside exo/upcall.c upcall_first_entry: "" the first entry
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#define MAIL 1
#define BELL 2
#define TIMER 4

byte sequence[SLOTS], head, tail;      /* of the ring */
bool unread[SLOTS], belled;            /* what must end */
byte latched, pending;
bool rung, interrupted, halted;
bool rests, armed, expired;            /* what was not read at once, and the timer that reads on */
bool turn;                             /* the libos's task runs */

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
		(tail + 4 - head) % 4 < SLOTS -> index = tail; tail = (tail + 1) % 4
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

/* Sooner or later. */
proctype clock()
{
again:	atomic { armed -> armed = false; expired = true };
	goto again
}

/* What comes between two steps of ring 3. */
inline interrupt()
{
	if
	:: interrupted -> interrupted = false; take_rung(); deliver()
	:: true
	fi;
	if
	:: expired -> atomic { expired = false; pending = pending | TIMER }
	:: else
	fi
}

#define IS_FULL (sequence[head % SLOTS] == (head + 1) % 4)

inline read_some()
{
	/* code: libos/core/kernel_messages.c read_some: "v->mail_rests = kernel_mailbox_read(v->page, kernel_message, &count)" */
	/* code: libos/core/kernel_mailbox.c slot_at: "__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == index + 1" */
	/* code: libos/core/kernel_mailbox.c kernel_mailbox_take: "__atomic_exchange_n(&page->mailbox_head, head + 1, __ATOMIC_SEQ_CST)" */
	count = 0;
	do
#ifdef READS_ALL
	:: IS_FULL ->
#else
	:: count < SLOTS && IS_FULL -> count++;
#endif
		atomic { unread[head % SLOTS] = false; head = (head + 1) % 4 }
	:: else -> break
	od;
	/* code: libos/core/kernel_mailbox.c kernel_mailbox_read: "return slot_at(page, page->mailbox_head) != NULL" */
	/* code: libos/core/kernel_messages.c read_some: "timer_arm(&turns[v->cpu], time_now_ns() + TURN_NS)" */
#ifdef REST_FORGOTTEN
	rests = false;
#else
	rests = count == SLOTS && IS_FULL;
#endif
	armed = rests;
	count = 0
}

proctype cpu()
{
	byte took, events, count;

libos:	turn = false;
	interrupt();
	atomic { took = pending; pending = 0 };
	if
	:: took & BELL -> belled = false
	:: else
	fi;
	if
	:: (took & TIMER) || ((took & MAIL) && !rests) -> read_some()
	:: else
	fi;
	took = 0;
	turn = true;
	interrupt();
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
		if
		:: (interrupted || rung) -> interrupted = false; take_rung()
		:: expired -> atomic { expired = false; events = events | TIMER; halted = false }
		fi
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
		run clock();
		run sender()
	}
}

/* A message that was sent is read. */
ltl message_is_read { [] (unread[0] -> <> !unread[0]) }
/* A doorbell is heard. */
ltl bell_is_heard { [] (belled -> <> !belled) }
/* However many there are, the task goes on. */
ltl task_runs { []<> turn }
