/* SPDX-License-Identifier: MIT */
/*
 * Tasks that sleep and wake each other, on the CPUs of one libos.
 *
 *	task                           its CPU                          another CPU
 *	----                           -------                          -----------
 *	wait_begin, look, sleep -----> leave_blocked, loop
 *	                               idle: steal_ask, halt <--------- wake_later, task_send, ring
 *	goes on <--------------------- events_take, enter
 *
 * Each of TASKS tasks waits until the ball is its own, and passes it on.  A CPU executes its task's
 * code as well as its own: `resume_at` says where.
 *
 * SIGNALS: the last task sends the first a signal instead of the ball.
 *
 * HOG: the last task passes the ball on once and then computes for ever.  Nothing preempts it, so who
 * is queued behind it runs only if another CPU gets it.
 *
 * WATCH: an idle CPU may look into its mailbox for a while before it halts, and is not rung meanwhile.
 *
 * Beyond what is modelled: a kernel call is one step (exo_halt: halt.pml has what is in it), accesses are
 * sequentially consistent (tests/explore has store buffers), and a scheduler library picks any queued
 * task and any CPU, so what holds here holds for all of them.
 *
 * What is checked (models.py):
 *
 * holds first_runs: quick -DPREEMPTIONS=0; full -DPREEMPTIONS=2
 * holds last_runs: quick -DSIGNALS=1 -DPREEMPTIONS=0; full -DSIGNALS=1 -DPREEMPTIONS=1
 * holds queued_is_stolen: quick -DHOG -DSTEAL -DPREEMPTIONS=0 depth=180; full -DHOG -DSTEAL -DPREEMPTIONS=0
 * holds first_runs: quick -DWATCH -DPREEMPTIONS=0; full -DWATCH -DPREEMPTIONS=1
 * holds queued_is_stolen: quick -DWATCH -DHOG -DSTEAL -DPREEMPTIONS=0 depth=180; full -DWATCH -DHOG -DSTEAL -DPREEMPTIONS=0
 * broken first_runs: -DNO_RECHECK who leaves its stack does not look at wake_pending
 * broken first_runs: -DHALT_BLIND the kernel halts although something is pending
 * broken first_runs: -DBELL_FIRST the doorbell rings before the task is in the mailbox
 * broken first_runs: -DLOOK_BEFORE_WAITING it looks, but before it is WAITING
 * broken first_runs: -DBEGIN_AFTER_LOOK the condition is looked at before wait_begin()
 * broken first_runs: -DWAITING_BEFORE_LEFT WAITING is published before the stack is left
 * broken first_runs: -DSIGNALS=1 -DCLAIM_IN_TWO_STEPS a claim looks, then stores
 * broken last_runs: -DSIGNALS=1 -DSIGNAL_LOOKS_FIRST wait_flags is looked at before the signal is pending
 * broken queued_is_stolen: -DHOG -DSTEAL -DOFFER_BEFORE_COUNT idle_cpus is looked at before the task is counted
 * broken queued_is_stolen: -DHOG -DSTEAL -DLOOK_BEFORE_IDLE_BIT who goes idle looks at the queues before it says so
 * broken first_runs: -DWATCH -DNO_LAST_LOOK who stops watching does not look into the mailbox again
 * broken first_runs: -DWATCH -DLOOK_BEFORE_UNWATCH it looks, but before it says that it stops
 *
 * How it is tied to the code (code_steps.py):
 *
 * watch libos/core/wait.c: atomic wake_pending work wait_flags
 * watch libos/core/wake.c: atomic wake_pending wait_flags
 * watch libos/core/wake.h: atomic wake_pending on_cpu
 * watch libos/core/wake.h: call task_claim task_move
 * watch libos/core/wake.c: call task_claim task_move run_queue_add place_offer vcore_ring_if
 * watch libos/core/wake.c: call task_send task_accept place_choose
 * watch libos/sched/gift.c: atomic wake_pending
 * watch libos/sched/gift.c: call task_claim
 * watch libos/core/task_state.h: atomic where
 * watch libos/core/mailbox.c: atomic tasks
 * watch libos/core/mailbox.h: atomic tasks thieves refused flags watched
 * watch libos/core/idle.c: atomic idle_cpus
 * watch libos/core/idle_poll.c: call mailbox_watch mailbox_unwatch mailbox_has_mail
 * watch libos/core/idle.c: call mailbox_has_mail steal_ask halt exo_halt
 * watch libos/core/switch.c: atomic on_cpu pending
 * watch libos/core/switch_steps.h: atomic on_cpu
 * watch libos/core/hand_over.c: call leave_blocked
 * watch libos/core/switch.c: call leave_blocked idle idle_ends events_take run_queue_pick wakes_deliver
 * watch libos/core/event.c: atomic pending
 * watch libos/core/event.c: call messages_drain wakes_deliver exo_doorbell
 * watch libos/sched/place.c: atomic idle_cpus flags
 * watch libos/sched/messages.c: atomic flags thieves refused
 * watch libos/sched/messages.c: call mailbox_take_tasks task_accept run_queue_steal
 *
 * beside libos/core/switch.c leave: "atomic_store_explicit(&t->on_cpu, false" a task that ends
 * beside libos/core/hand_over.c hand_over: "leave_blocked(v, t)" no heirs here: tests/explore
 * beside libos/core/wake.c wake_at_once: "place_choose(v, t, SCHED_WOKEN)" no affinities here: tests/explore
 * beside libos/core/wake.c task_start: "task_move(t, PLACE_NONE, PLACE_MAILBOX)" a task that begins
 * beside libos/core/mailbox.h mailbox_has_mail: "atomic_load(&m->calls)" calls travel as tasks do
 * beside libos/sched/messages.c requeue_changed: "" a queued task whose parameters change: no wake
 * beside libos/sched/messages.c message_call_wait: "" waits as a task does here
 */
#ifndef TASKS
#define TASKS 2
#endif
#ifndef SIGNALS
#define SIGNALS 0
#endif
#ifndef PREEMPTIONS
#define PREEMPTIONS 1
#endif
#define CPUS 2
#define NONE 7
#define BIT(n) (1 << (n))
#define OTHER(c) (1 - (c))
#define NEXT(t) (((t) + 1) % TASKS)
#define LAST (TASKS - 1)

mtype = { RUNNABLE, RUNNING, BLOCKING, BLOCKED };    /* enum task_state */
mtype = { QUEUED, ON_CPU, MAILBOX, WAITING };        /* enum task_place */
mtype = { TOP, ASLEEP };                             /* where a task goes on */

/* Tasks. */
mtype state[TASKS], where[TASKS], resume_at[TASKS];
bool on_cpu[TASKS], wake_pending[TASKS], work[TASKS], wait_flags[TASKS], stolen[TASKS];

/* CPUs: masks of tasks, and of CPUs. */
byte current[CPUS], queue[CPUS], deferred[CPUS], box_tasks[CPUS];
byte box_thieves[CPUS], box_refused[CPUS];
bool box_pull[CPUS], steal_asked[CPUS], steal_tried[CPUS];
byte idle_cpus;

/* The kernel: a doorbell on its way, and what the libos sees of it. */
bool latched[CPUS], late[CPUS], pending[CPUS];

bool watched[CPUS]; /* the mailbox, by who need not be rung */

byte ball, preemptions, tasks_made;
bool hogging;

#define COUNT(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1))
#define FIRST(mask) ((mask) & 1 -> 0 : ((mask) & 2 -> 1 : 2))
#define HAS_MAIL(c) (box_tasks[c] || box_thieves[c] || box_refused[c] || box_pull[c])

/* ---------------------------------------------------------------- rings and placing */

inline ring_if(target, first)
{
	/* code: libos/core/mailbox.h mailbox_must_ring: "first && !atomic_load(&m->watched)" */
	/* code: libos/core/event.c vcore_ring_if: "mailbox_must_ring(&vcore_of(cpu)->mailbox, first)" */
	/* code: libos/core/event.c vcore_ring: "exo_doorbell(vcore_of(cpu)->handle)" */
	if
	:: first && !watched[target] -> latched[target] = true
	:: else
	fi
}

/* Any CPU: a library may say so.  An idle one is claimed. */
inline place_choose()
{
	/* code: libos/sched/place.c default_cpu: "atomic_load_explicit(&idle_cpus, memory_order_relaxed)" */
	if
#ifdef STEAL
	:: idle_cpus & BIT(0) -> to = 0; claim_idle(to)
	:: idle_cpus & BIT(1) -> to = 1; claim_idle(to)
#endif
	:: to = 0
	:: to = 1
	fi
}

inline claim_idle(target)
{
	/* code: libos/sched/place.c claim_idle: "atomic_fetch_and(&idle_cpus, ~bit(cpu))" */
	idle_cpus = idle_cpus & ~BIT(target)
}

/* u is this CPU's now. */
inline task_accept(u)
{
	atomic {
		if
		:: stolen[u] -> stolen[u] = false; steal_asked[c] = false
		:: else
		fi
		if
		:: state[u] == BLOCKED -> state[u] = RUNNABLE
		:: else
		fi
		/* code: libos/core/wake.c task_accept: "task_move(t, PLACE_MAILBOX, PLACE_QUEUED)" */
		assert(where[u] == MAILBOX && state[u] == RUNNABLE);
		where[u] = QUEUED
	}
#ifdef OFFER_BEFORE_COUNT
	place_offer(1);
	queue[c] = queue[c] | BIT(u)
#else
	/* code: libos/core/wake.c task_accept: "run_queue_add(v, t, why_of(t))" */
	queue[c] = queue[c] | BIT(u);
	/* code: libos/core/wake.c task_accept: "place_offer(v, t)" */
	place_offer(0)
#endif
}

/* An idle CPU is told that somebody has to wait here. */
inline place_offer(more)
{
#ifdef STEAL
	/* code: libos/sched/place.c place_offer: "atomic_load(&idle_cpus)" */
	if
	:: (idle_cpus & BIT(OTHER(c))) && COUNT(queue[c]) + more + (current[c] != NONE) >= 2 ->
		claim_idle(OTHER(c));
		/* code: libos/sched/place.c place_offer: "atomic_fetch_or(&vcore_of(cpu)->mailbox.flags, MAILBOX_PULL)" */
		atomic { first = !box_pull[OTHER(c)]; box_pull[OTHER(c)] = true };
		ring_if(OTHER(c), first)
	:: else
	fi
#else
	skip
#endif
}

/* To the CPU `to`. */
inline task_send(u)
{
	if
	:: to == c -> task_accept(u)
	:: else ->
#ifdef BELL_FIRST
		ring_if(to, box_tasks[to] == 0);
		box_tasks[to] = box_tasks[to] | BIT(u)
#else
		/* code: libos/core/mailbox.c mailbox_push_task: "atomic_load_explicit(&m->tasks, memory_order_relaxed)" */
		/* code: libos/core/mailbox.c mailbox_push_task: "atomic_compare_exchange_weak_explicit(&m->tasks, &first, t, memory_order_seq_cst," */
		/* code: libos/core/mailbox.c mailbox_push_task: "return first == NULL" */
		atomic { first = (box_tasks[to] == 0); box_tasks[to] = box_tasks[to] | BIT(u) };
		/* code: libos/core/wake.c send_to_cpu: "vcore_ring_if(cpu, mailbox_push_task(&vcore_of(cpu)->mailbox, t))" */
		/* code: libos/core/wake.c send_to_cpu: "task_accept(v, t)" */
		ring_if(to, first)
#endif
	fi
}

/* ---------------------------------------------------------------- waking */

inline wake_later(u)
{
	/* code: libos/core/wake.c wake_later: "atomic_store(&t->wake_pending, true)" */
	/* code: libos/sched/gift.c wake_giver: "atomic_store(&giver->wake_pending, true)" */
	wake_pending[u] = true;
	/* code: libos/core/wake.c wake_later: "if (!task_claim(t)) return" */
	/* code: libos/sched/gift.c wake_giver: "if (!task_claim(giver)) return" */
	/* code: libos/core/task_state.h task_claim: "atomic_compare_exchange_strong(&t->where, &expect, PLACE_MAILBOX)" */
#ifdef CLAIM_IN_TWO_STEPS
	if
	:: where[u] == WAITING -> where[u] = MAILBOX; deferred[c] = deferred[c] | BIT(u)
	:: else
	fi
#else
	atomic {
		if
		:: where[u] == WAITING -> where[u] = MAILBOX; deferred[c] = deferred[c] | BIT(u)
		:: else
		fi
	}
#endif
}

inline wakes_deliver()
{
	do
	:: deferred[c] ->
		atomic {
			u = FIRST(deferred[c]);
			deferred[c] = deferred[c] & ~BIT(u)
		};
		/* code: libos/core/wake.c deliver_ordinarily: "cpu = place_choose(v, t, why_of(t))" */
		place_choose();
		/* code: libos/core/wake.c deliver_ordinarily: "task_send(v, t, cpu)" */
		task_send(u)
	:: else -> break
	od
}

inline wake_task_signal(u)
{
#ifdef SIGNAL_LOOKS_FIRST
	first = wait_flags[u];
	work[u] = true;
	if
	:: first -> wake_later(u)
#else
	work[u] = true;
	/* code: libos/core/wake.c wake_task_signal: "atomic_load(&t->wait_flags) & (WAIT_INTERRUPTIBLE | WAIT_KILLABLE)" */
	if
	:: wait_flags[u] -> wake_later(u)
#endif
	:: else
	fi
}

/* ---------------------------------------------------------------- what comes from outside */

/* A queued task to spare goes to the thief; otherwise the thief is told so. */
inline answer_thief(thief)
{
	if
	:: COUNT(queue[c]) + (current[c] != NONE) >= 2 && queue[c] ->
		atomic {
			u = FIRST(queue[c]);
			/* code: libos/sched/messages.c answer_thief: "run_queue_steal(v, thief)" */
			queue[c] = queue[c] & ~BIT(u);
			assert(where[u] == QUEUED);
			where[u] = MAILBOX;
			stolen[u] = true
		};
		to = thief;
		task_send(u)
	:: else ->
		/* code: libos/sched/messages.c answer_thief: "atomic_fetch_or(&m->refused, 1ul << v->cpu)" */
		atomic { first = !box_refused[thief]; box_refused[thief] = BIT(c) };
		ring_if(thief, first)
	fi
}

inline messages_drain()
{
	/* code: libos/core/mailbox.h mailbox_has_mail: "atomic_load(&m->tasks)" */
	/* code: libos/core/mailbox.h mailbox_has_mail: "atomic_load(&m->thieves)" */
	/* code: libos/core/mailbox.h mailbox_has_mail: "atomic_load(&m->refused)" */
	/* code: libos/core/mailbox.h mailbox_has_mail: "atomic_load(&m->flags)" */
	if
	:: HAS_MAIL(c) ->
		/* code: libos/sched/messages.c messages_drain: "mailbox_take_tasks(m)" */
		/* code: libos/core/mailbox.c mailbox_take_tasks: "atomic_load_explicit(&m->tasks, memory_order_relaxed)" */
		/* code: libos/core/mailbox.c mailbox_take_tasks: "atomic_exchange_explicit(&m->tasks, NULL, memory_order_acquire)" */
		atomic { took = box_tasks[c]; box_tasks[c] = 0 };
		do
		:: took ->
			atomic {
				u = FIRST(took);
				took = took & ~BIT(u)
			};
			/* code: libos/sched/messages.c messages_drain: "task_accept(v, t)" */
			task_accept(u)
		:: else -> break
		od;
#ifdef STEAL
		/* code: libos/sched/messages.c messages_drain: "atomic_exchange(&m->flags, 0)" */
		atomic { steal_tried[c] = steal_tried[c] && !box_pull[c]; box_pull[c] = false };
		/* code: libos/sched/messages.c messages_drain: "atomic_exchange(&m->refused, 0)" */
		atomic { steal_asked[c] = steal_asked[c] && !box_refused[c]; box_refused[c] = 0 };
		/* code: libos/sched/messages.c messages_drain: "atomic_exchange(&m->thieves, 0)" */
		atomic { took = box_thieves[c]; box_thieves[c] = 0 };
		if
		:: took -> took = 0; answer_thief(OTHER(c))
		:: else
		fi
#endif
	:: else
	fi
}

inline events_take()
{
	/* code: libos/core/event.c events_take: "__atomic_exchange_n(&v->page->pending, 0, __ATOMIC_ACQ_REL)" */
	pending[c] = false;
	/* code: libos/core/event.c events_take: "messages_drain(v)" */
	messages_drain();
	/* code: libos/core/event.c events_take: "wakes_deliver(v)" */
	wakes_deliver()
}

/* So that states do not differ in what nobody looks at any more. */
inline forget()
{
	u = 0; to = 0; took = 0; first = false; seen = false
}

/* An interrupt comes a little late, but it comes. */
inline kernel_delivers()
{
	if
	:: latched[c] -> latched[c] = false; pending[c] = true; late[c] = false
	:: latched[c] && !late[c] -> late[c] = true
	:: else
	fi
}

/* Unmasked, in the code of a task. */
inline event_upcall()
{
	if
	:: atomic { latched[c] || pending[c] -> kernel_delivers() };
		if
		:: pending[c] -> events_take(); atomic { forget() }
		:: else
		fi
	:: !latched[c] && !pending[c]
	fi
}

/* ---------------------------------------------------------------- a CPU with nothing to run */

inline look_at_counts()
{
	seen = queue[OTHER(c)] != 0
}

inline steal_ask()
{
	if
	:: !steal_asked[c] && !steal_tried[c] && seen ->
		atomic { steal_asked[c] = true; steal_tried[c] = true };
		/* code: libos/sched/messages.c steal_ask: "atomic_fetch_or(&vcore_of(victim)->mailbox.thieves, 1ul << v->cpu)" */
		atomic { first = !box_thieves[OTHER(c)]; box_thieves[OTHER(c)] = BIT(c) };
		ring_if(OTHER(c), first)
	:: else
	fi
}

/* Refused while something is pending or on its way; ended by what comes. */
inline exo_halt()
{
	/* code: libos/core/idle.c halt: "exo_halt(token, 0)" */
#ifdef HALT_BLIND
	atomic { latched[c] -> latched[c] = false; pending[c] = true }
#else
	atomic {
		latched[c] || pending[c] ->
		if
		:: latched[c] -> latched[c] = false; pending[c] = true
		:: else
		fi
	}
#endif
}

/* True in `seen`: something has come. */
inline idle_poll()
{
	seen = false;
#ifdef WATCH
	if
	:: true ->
		/* code: libos/core/mailbox.h mailbox_watch: "atomic_store(&m->watched, true)" */
		/* code: libos/core/idle_poll.c idle_poll: "mailbox_watch(&v->mailbox)" */
		watched[c] = true;
		/* code: libos/core/idle_poll.c has_come: "mailbox_has_mail(&v->mailbox)" */
		atomic { kernel_delivers() };
		if
		:: pending[c] || HAS_MAIL(c) -> seen = true
		:: true
		fi;
#ifdef LOOK_BEFORE_UNWATCH
		seen = seen || HAS_MAIL(c);
#endif
		/* code: libos/core/mailbox.h mailbox_unwatch: "atomic_store(&m->watched, false)" */
		watched[c] = false;
#if !defined(NO_LAST_LOOK) && !defined(LOOK_BEFORE_UNWATCH)
		/* code: libos/core/mailbox.h mailbox_unwatch: "return mailbox_has_mail(m)" */
		/* code: libos/core/idle_poll.c idle_poll: "found |= mailbox_unwatch(&v->mailbox)" */
		seen = seen || HAS_MAIL(c)
#endif
	:: true
	fi
#endif
}

inline idle()
{
#ifdef STEAL
#ifdef LOOK_BEFORE_IDLE_BIT
	look_at_counts();
#endif
	/* code: libos/core/idle.c idle: "atomic_fetch_or(&idle_cpus, 1ul << v->cpu)" */
	idle_cpus = idle_cpus | BIT(c);
#endif
	/* code: libos/core/idle.c idle: "if (!mailbox_has_mail(&v->mailbox))" */
	if
	:: !HAS_MAIL(c) ->
#ifdef STEAL
#ifndef LOOK_BEFORE_IDLE_BIT
		look_at_counts();
#endif
		/* code: libos/core/idle.c idle: "steal_ask(v)" */
		steal_ask();
#endif
		/* code: libos/core/idle.c idle: "halt(v, token)" */
		idle_poll();
		if
		:: seen
		:: else ->
			atomic { kernel_delivers() };
			exo_halt()
		fi
	:: else
	fi
}

/* ---------------------------------------------------------------- a CPU and its tasks */

inline set_state(from, to_state)
{
	assert(state[t] == from);
	state[t] = to_state
}

/* The stack has been left. */
inline leave_blocked()
{
#ifdef WAITING_BEFORE_LEFT
	atomic { set_state(BLOCKING, BLOCKED); where[t] = WAITING };
	on_cpu[t] = false;
#else
	/* code: libos/core/wake.h leave_blocked: "atomic_store_explicit(&t->on_cpu, false, memory_order_release)" */
	on_cpu[t] = false;
	/* code: libos/core/wake.h leave_blocked: "task_move(t, PLACE_RUNNING, PLACE_WAITING)" */
	/* code: libos/core/task_state.h task_move: "if (task_place(t) != from" */
	/* code: libos/core/task_state.h task_place: "atomic_load(&t->where)" */
	/* code: libos/core/task_state.h task_move: "atomic_store(&t->where, (uint8_t)to)" */
#ifdef LOOK_BEFORE_WAITING
	first = wake_pending[t];
#endif
	atomic { set_state(BLOCKING, BLOCKED); assert(where[t] == ON_CPU); where[t] = WAITING };
#endif
	/* code: libos/core/wake.h leave_blocked: "if (!atomic_load(&t->wake_pending) || !task_claim(t))" */
	/* code: libos/core/wake.c wake_at_once: "task_send(v, t, cpu)" */
	if
#ifdef NO_RECHECK
	:: false
#elif defined(LOOK_BEFORE_WAITING)
	:: first ->
#else
	:: wake_pending[t] ->
#endif
#ifndef NO_RECHECK
		atomic {
			if
			:: where[t] == WAITING -> where[t] = MAILBOX
			:: else -> goto loop
			fi
		};
		to = c;
		task_send(t)
#endif
	:: else
	fi
}

inline enter()
{
	/* code: libos/core/switch.c take_place: "task_move(t, PLACE_QUEUED, PLACE_RUNNING)" */
	atomic { assert(where[t] == QUEUED); where[t] = ON_CPU; set_state(RUNNABLE, RUNNING) };
	/* code: libos/core/switch.c enter: "idle_ends(v)" */
	/* code: libos/core/idle.c idle_ends: "atomic_fetch_and(&idle_cpus, ~(1ul << v->cpu))" */
#ifdef STEAL
	idle_cpus = idle_cpus & ~BIT(c);
#endif
	/* code: libos/core/switch_steps.h switch_run: "!atomic_load(&t->on_cpu)" */
	/* code: libos/core/switch_steps.h switch_run: "atomic_store(&t->on_cpu, true)" */
	atomic { assert(!on_cpu[t]); on_cpu[t] = true; current[c] = t; steal_tried[c] = false }
}

proctype cpu(byte c)
{
	byte t, u, to, took;
	bool first, seen;

	goto loop;

top:	/* Task t, unmasked, where it takes its signals. */
	if
	:: work[t] -> work[t] = false; goto passes
	:: else
	fi;
	event_upcall();
	if
	:: preemptions < PREEMPTIONS ->
		atomic { preemptions++; resume_at[t] = TOP; current[c] = NONE; set_state(RUNNING, RUNNABLE) };
		/* code: libos/core/switch.c leave_runnable: "atomic_store_explicit(&t->on_cpu, false, memory_order_release)" */
		on_cpu[t] = false;
		where[t] = QUEUED;
		queue[c] = queue[c] | BIT(t);
		place_offer(0);
		goto loop
	:: true
	fi;
#ifdef BEGIN_AFTER_LOOK
	if
	:: ball == t -> goto passes
	:: else
	fi;
#endif
	/* code: libos/core/wait.c wait_begin: "atomic_store(&t->wake_pending, false)" */
	/* code: libos/core/wait.c wait_begin: "task_set_state(t, TASK_BLOCKING)" */
	atomic { wake_pending[t] = false; set_state(RUNNING, BLOCKING) };
	event_upcall();
#ifndef BEGIN_AFTER_LOOK
	if
	:: ball == t -> set_state(BLOCKING, RUNNING); goto passes
	:: else
	fi;
#endif
	/* code: libos/core/wait.c announce_sleep: "atomic_store_explicit(&t->wait_flags, flags, memory_order_relaxed)" */
	wait_flags[t] = true;
	/* code: libos/core/wait.c interrupted: "atomic_load_explicit(&t->work, memory_order_acquire) & ends_sleep(flags)" */
	/* code: libos/core/wait.c is_woken: "interrupted(t, flags)" */
	if
	:: work[t] -> goto cancel
	:: else
	fi;
	/* code: libos/core/wait.c is_woken: "atomic_load(&t->wake_pending)" */
	if
	:: wake_pending[t] -> goto cancel
	:: else
	fi;
	/* code: libos/core/switch.c give_and_leave: "wakes_deliver(v)" */
	atomic { resume_at[t] = ASLEEP; current[c] = NONE };
	/* code: libos/core/switch.c leave: "leave_blocked(v, t)" */
	leave_blocked();
	goto loop;

cancel:	/* code: libos/core/wait.c wait_cancel: "task_set_state(current(), TASK_RUNNING)" */
	atomic { set_state(BLOCKING, RUNNING) };
awake:	/* code: libos/core/wait.c end_sleep: "atomic_store_explicit(&t->wait_flags, 0, memory_order_relaxed)" */
	wait_flags[t] = false;
	goto top;

passes:	if
	:: !SIGNALS || t != LAST -> ball = NEXT(t); wake_later(NEXT(t))
	:: else -> ball = NONE; wake_task_signal(0)
	fi;
	/* code: libos/core/vcore.c unmask: "wakes_deliver(v)" */
	wakes_deliver();
	atomic { forget() };
#ifdef HOG
	if
	:: t == LAST -> goto hogs
	:: else
	fi;
#endif
	goto top;

#ifdef HOG
hogs:	hogging = true;
	event_upcall();
	goto hogs;
#endif

loop:	/* code: libos/core/switch.c schedule_loop: "events_take(v)" */
	/* code: libos/core/switch.c events_wait: "__atomic_load_n(&v->page->pending, __ATOMIC_RELAXED)" */
	atomic {
		kernel_delivers();
		if
		:: pending[c] || HAS_MAIL(c)
		:: else -> goto pick
		fi
	};
	events_take();
pick:	/* code: libos/core/switch.c schedule_loop: "run_queue_pick(v, prev)" */
	atomic {
		forget();
		t = NONE;
		if
		:: queue[c] ->
			t = FIRST(queue[c]);
			queue[c] = queue[c] & ~BIT(t)
		:: else
		fi
	};
	if
	:: t == NONE ->
		/* code: libos/core/switch.c schedule_loop: "idle(v, token)" */
		idle();
		goto loop
	:: else
	fi;
	enter();
	if
	:: resume_at[t] == TOP -> goto top
	:: resume_at[t] == ASLEEP -> goto awake
	fi
}

/* All tasks are queued on CPU 0, and the first has the ball. */
init
{
	atomic {
		current[0] = NONE;
		current[1] = NONE;
		do
		:: tasks_made < TASKS ->
			state[tasks_made] = RUNNABLE;
			where[tasks_made] = QUEUED;
			resume_at[tasks_made] = TOP;
			queue[0] = queue[0] | BIT(tasks_made);
			tasks_made++
		:: else -> break
		od;
		run cpu(0);
		run cpu(1)
	}
}

/* Each task gets the ball again and again. */
ltl first_runs { []<> (ball == 0) }
ltl last_runs { []<> (ball == LAST) }
/* Those who have the ball after the hog run although it never stops. */
ltl queued_is_stolen { <>[] (hogging && ball == LAST) }
