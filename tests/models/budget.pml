/* SPDX-License-Identifier: MIT */
/*
 * The vcores of one CPU and the budgets that they run on.
 *
 *	ring 3 --> entry: charges, marks --> call: wishes --> exit: moves, chooses --> ring 3
 *
 * VCORES vcores have a budget each.  At every entry and at every exit a tick may have passed, so a
 * budget may end at any step of anything; one of the two has it, since time goes on.  The
 * running vcore calls what it likes: it halts, donates to another, replies.  Vcores that halt get events.
 * The first has a timeout handler elsewhere, which may not be reachable; if it is, it answers.
 * An interrupt, before which time has passed, may be for one that does not run: it owes the time that
 * the interrupt takes, and pays when it runs next.
 *
 * Beyond what is modelled: all periods are alike, so deadlines come in the order in which vcores become
 * READY, and nobody is preempted by an earlier one; a replenishment brings back all that was used.
 *
 * What is checked (models.py):
 *
 * holds funded_runs: quick -DVCORES=2; full -DVCORES=3
 * holds waiting_ends: quick -DVCORES=2; full -DVCORES=3
 * holds event_wakes: quick -DVCORES=2; full -DVCORES=3
 * broken funded_runs: -DREQUEUE_AT_ENTRY the entry moves who has spent its budget, and the call goes on (seL4 issue 346)
 * broken funded_runs: -DFRESH_SLICE a donation pays with the budget of who gets it
 * broken event_wakes: -DRUNG_BEFORE_WISH what is rung is taken before the vcore is put to sleep
 * broken waiting_ends: -DHELD_UNTOLD a vcore is held although its handler was not told
 * broken funded_runs: -DEXPIRED_STAYS the mark outlives who it was for
 *
 * How it is tied to the code (code_steps.py):
 *
 * watch exo/transitions.c: call vcore_move run_charge set_current stop_paying refills_ready sc_tell_handler
 * watch exo/transitions.c: store expired held donor
 * watch exo/account.c: store expired used owed served
 * watch exo/transitions.c: store used owed
 * watch exo/account.c: call pay refills_charge refills_ready
 * watch exo/exit.c: store wish
 * watch exo/exit.c: call grant_wish take_rung take_due choose run_account run_halt run_donate run_reply
 * watch exo/exit.c: call run_leave run_recall run_dispatch vcore_wake vcore_place_runnable
 * watch exo/vcore_calls.c: store wish
 *
 * beside exo/transitions.c vcore_kill: "" the end of a vcore
 * beside exo/transitions.c sc_reclaim: "" the end of a context
 * beside exo/transitions.c sc_resize: "" another share
 * beside exo/transitions.c run_recall: "" a donor's event, as a reply
 * beside exo/exit.c cpu_run: "" the start
 * beside exo/exit.c idle: "" time without a vcore
 */
#ifndef VCORES
#define VCORES 2
#endif
#define BUDGET 2
#define NONE 7

mtype = { RUNNING, READY, WAITING_, HALTED, DONATING };    /* enum vcore_place */
mtype = { GO_ON, HALT, DONATE, REPLY };                    /* enum run_wish */

mtype place[VCORES];
byte left[VCORES], back[VCORES], donor[VCORES], owed[VCORES];
bool events[VCORES], held, told;
chan ready = [VCORES] of { byte };

byte current = NONE, run_sc = NONE, served = NONE, used;
bool expired;

/* I1 to I3: a vcore is in one place, and in the list of that place. */
inline vcore_move(v, from, to)
{
	assert(place[v] == from);
	if
	:: from == READY -> assert(ready??[eval(v)]); ready??eval(v)
	:: else
	fi;
	assert(!(ready??[eval(v)]));
	if
	:: to == READY -> ready!v
	:: else
	fi;
	place[v] = to
}

inline vcore_place_runnable(v)
{
	/* code: exo/transitions.c vcore_place_runnable: "vcore_move(vcore, vcore_place(vcore), VCORE_WAITING, VCORE_NEVER)" */
	/* code: exo/transitions.c vcore_place_runnable: "refills_ready(&sc->refills, now)" */
	/* code: exo/transitions.c vcore_place_runnable: "vcore_move(vcore, vcore_place(vcore), VCORE_READY, sc_deadline(sc))" */
	/* code: exo/transitions.c vcore_place_runnable: "vcore_move(vcore, vcore_place(vcore), VCORE_WAITING, refills_head(&sc->refills).time)" */
	if
	:: (v != 0 || !held) && left[v] -> vcore_move(v, place[v], READY)
	:: else -> vcore_move(v, place[v], WAITING_)
	fi
}

/* What was used comes back later.  An overrun is no more than the budget here. */
inline run_charge()
{
	/* code: exo/account.c run_charge: "refills_charge(&sc->refills, run->used, now)" */
	/* code: exo/account.c run_charge: "run->used = 0" */
	/* code: exo/account.c run_charge: "run->expired = !refills_ready(&sc->refills, now)" */
	if
	:: used > left[run_sc] -> used = left[run_sc]
	:: else
	fi;
	left[run_sc] = left[run_sc] - used;
	back[run_sc] = back[run_sc] + used;
	used = 0;
	assert(left[run_sc] + back[run_sc] == BUDGET)
}

/* At entry and at exit: charges and marks. */
inline run_account()
{
	/* code: exo/account.c run_account: "pay(cpu, run->served ? run->served : run->sc, ticks)" */
	/* code: exo/account.c pay: "sc->owed += ticks" */
	/* code: exo/account.c pay: "run->used += ticks" */
	/* code: exo/account.c pay: "run->expired = true" */
	if
	:: served != NONE && served != run_sc ->
		if
		:: !ticked && owed[served] <= BUDGET -> owed[served]++; ticked = true
		:: else
		fi
	:: else -> charge_running()
	fi
#ifdef REQUEUE_AT_ENTRY
	;
	if
	:: expired && place[current] == RUNNING && donor[current] == NONE ->
		run_charge();
		vcore_place_runnable(current)
	:: else
	fi
#endif
}

inline charge_running()
{
	if
	:: run_sc != NONE && !ticked ->
		ticked = true;
		if
		:: used <= BUDGET -> used++
		:: else
		fi;
		if
		:: used >= left[run_sc] -> expired = true
		:: else
		fi
	:: else
	fi
}

inline stop_paying()
{
	/* code: exo/transitions.c stop_paying: "run_charge(cpu, run->sc, now)" */
	/* code: exo/transitions.c stop_paying: "run->expired = false" */
	run_charge();
	run_sc = NONE;
#ifndef EXPIRED_STAYS
	expired = false;
#endif
	current = NONE
}

/* Who has donated goes on. */
inline back_to_donor()
{
	w = donor[current];
	donor[current] = NONE;
	vcore_move(w, DONATING, RUNNING);
	current = w
}

inline run_halt()
{
	/* code: exo/transitions.c run_halt: "vcore_move(vcore, VCORE_RUNNING, VCORE_HALTED," */
	vcore_move(current, RUNNING, HALTED);
	/* code: exo/transitions.c run_halt: "vcore->donor = NULL; vcore_move(donor, VCORE_DONATING, VCORE_RUNNING, 0); set_current(cpu, donor)" */
	/* code: exo/transitions.c run_halt: "stop_paying(cpu, now)" */
	if
	:: donor[current] != NONE -> back_to_donor()
	:: else -> stop_paying()
	fi
}

inline run_reply()
{
	/* code: exo/transitions.c run_reply: "vcore->donor = NULL" */
	/* code: exo/transitions.c run_reply: "vcore_move(donor, VCORE_DONATING, VCORE_RUNNING, 0); set_current(cpu, donor)" */
	vcore_place_runnable(current);
	back_to_donor()
}

inline run_donate()
{
	/* code: exo/transitions.c run_donate: "vcore_move(from, VCORE_RUNNING, VCORE_DONATING, 0); vcore_move(to, place, VCORE_RUNNING, 0); to->donor = from" */
	/* code: exo/transitions.c run_donate: "set_current(cpu, to)" */
	if
	:: place[wish_vcore] == READY || place[wish_vcore] == WAITING_ || place[wish_vcore] == HALTED ->
		vcore_move(current, RUNNING, DONATING);
		vcore_move(wish_vcore, place[wish_vcore], RUNNING);
		donor[wish_vcore] = current;
		current = wish_vcore
#ifdef FRESH_SLICE
		; run_charge(); run_sc = current
#endif
	:: else
	fi
}

/* The chain is undone, and the one that pays loses the CPU. */
inline run_leave()
{
	do
	:: donor[current] != NONE -> run_reply()
	:: else -> break
	od;
	w = current;
	/* code: exo/transitions.c run_leave: "stop_paying(cpu, now)" */
	stop_paying();
	/* code: exo/transitions.c run_leave: "if (!refills_ready(&vcore->sc->refills, now)) vcore->sc->held = sc_tell_handler(vcore->sc)" */
	if
	:: w == 0 && !left[w] && !told -> told = true; held = true
	:: w == 0 && !left[w] && !told -> held = false
#ifdef HELD_UNTOLD
	:: w == 0 && !left[w] && !told -> held = true
#endif
	:: else
	fi;
	vcore_place_runnable(w)
}

inline grant_wish()
{
	/* code: exo/exit.c grant_wish: "run->wish = RUN_GO_ON" */
	/* code: exo/exit.c grant_wish: "run_halt(cpu, now)" */
	/* code: exo/exit.c grant_wish: "run_donate(cpu, run->wish_vcore)" */
	/* code: exo/exit.c grant_wish: "run_reply(cpu, now)" */
	if
	:: wish == HALT -> run_halt()
	:: wish == DONATE -> run_donate()
	:: wish == REPLY -> run_reply()
	:: wish == GO_ON
	fi;
	wish = GO_ON
}

/* An event for any vcore, and the handler's answer: the context is bound again. */
inline take_rung()
{
	if
	:: true
	:: !events[rings] -> events[rings] = true
	fi;
	rings = (rings + 1) % VCORES;
	v = 0;
	do
	:: v < VCORES ->
		/* code: exo/exit.c take_rung: "vcore_wake(v, now)" */
#ifdef RUNG_BEFORE_WISH
		if
		:: events[v] && !shown[v] && place[v] == HALTED -> vcore_place_runnable(v)
		:: else
		fi;
		shown[v] = events[v];
#else
		if
		:: events[v] && place[v] == HALTED -> vcore_place_runnable(v)
		:: else
		fi;
#endif
		v++
	:: else -> break
	od;
	if
	:: told && !answer_late -> answer_late = true
	:: told ->
		/* code: exo/transitions.c vcore_bind: "sc->held = false" */
		answer_late = false;
		told = false;
		held = false;
		if
		:: place[0] == WAITING_ -> back[0] = 0; left[0] = BUDGET; vcore_place_runnable(0)
		:: else
		fi
	:: else
	fi
}

/* Replenishments come a little late, but they come. */
inline take_due()
{
	v = 0;
	do
	:: v < VCORES ->
		if
		:: back[v] && v != run_sc && !refill_late[v] && current != NONE -> refill_late[v] = true
		:: back[v] && v != run_sc ->
			refill_late[v] = false;
			back[v] = 0;
			left[v] = BUDGET;
			/* code: exo/exit.c take_due: "vcore_wake(first, now)" */
			/* code: exo/exit.c take_due: "vcore_place_runnable(first, now)" */
			if
			:: place[v] == WAITING_ -> vcore_place_runnable(v)
			:: else
			fi
		:: else
		fi;
		v++
	:: else -> break
	od
}

inline choose()
{
	/* code: exo/exit.c choose: "run_dispatch(cpu, first)" */
	/* code: exo/exit.c interrupt_current: "run_leave(cpu, now)" */
	/* code: exo/exit.c interrupt_current: "run_recall(cpu, called, now)" */
	if
	:: current != NONE && expired -> run_leave()
	:: else
	fi;
	if
	:: current == NONE && nempty(ready) ->
		/* code: exo/transitions.c run_dispatch: "vcore_move(vcore, VCORE_READY, VCORE_RUNNING, 0)" */
		/* code: exo/transitions.c run_dispatch: "set_current(cpu, vcore)" */
		assert(run_sc == NONE && !expired);
		ready?<v>;
		assert(left[v]);
		vcore_move(v, READY, RUNNING);
		run_sc = v;
		/* code: exo/transitions.c run_dispatch: "cpu->run.used = vcore->sc->owed; vcore->sc->owed = 0" */
		used = owed[v];
		owed[v] = 0;
		current = v
	:: else
	fi;
	assert((current == NONE) == (run_sc == NONE));
	/* Whoever is at the beginning of the chain pays. */
	if
	:: current != NONE ->
		assert(place[current] == RUNNING);
		w = current;
		do
		:: donor[w] != NONE -> w = donor[w]; assert(place[w] == DONATING)
		:: else -> break
		od;
		assert(w == run_sc)
	:: else
	fi
}

/* What the running vcore asks for. */
inline call()
{
	/* code: exo/vcore_calls.c call_halt: "run->wish = RUN_HALT" */
	/* code: exo/vcore_calls.c call_donate: "run->wish = RUN_DONATE" */
	/* code: exo/vcore_calls.c call_reply: "run->wish = RUN_REPLY" */
	if
	:: true
	:: current != NONE && events[current] -> events[current] = false; shown[current] = false
	:: current != NONE && !events[current] -> wish = HALT
	:: current != NONE && !events[current] -> wish = DONATE; wish_vcore = (current + 1) % VCORES
	:: current != NONE && donor[current] != NONE -> wish = REPLY
	fi
}

active proctype cpu()
{
	byte v, w, wish_vcore, rings;
	bool ticked, answer_late, refill_late[VCORES], shown[VCORES];
	mtype wish = GO_ON;

	atomic {
		do
		:: v < VCORES ->
			left[v] = BUDGET;
			donor[v] = NONE;
			place[v] = HALTED;
			events[v] = true;
			v++
		:: else -> break
		od
	};
	do
	:: atomic {
		ticked = false;
		/* code: exo/exit.c exit_with_work: "run_account(cpu, now)" */
		if
		:: true -> run_account()
		:: true
		fi;
		call();
		/* code: exo/account.c run_serve: "run->served = v->sc" */
		if
		:: wish == GO_ON && current != NONE && ticked -> served = (current + 1) % VCORES; ticked = false
		:: true
		fi;
		run_account();
		/* code: exo/exit.c exit_with_work: "grant_wish(cpu, now); take_rung(cpu, now); take_due(cpu, now); choose(cpu, now)" */
#ifdef RUNG_BEFORE_WISH
		take_rung();
		grant_wish();
#else
		grant_wish();
		take_rung();
#endif
		take_due();
		choose();
		/* code: exo/exit.c exit_with_work: "if (run->served) run_account(cpu, tsc_read()); run->served = NULL" */
		if
		:: served != NONE -> run_account()
		:: else
		fi;
		served = NONE;
		v = 0;
		w = 0;
		wish_vcore = 0
	}
	od
}

/* Who is runnable and funded gets the CPU. */
ltl funded_runs { [] (place[0] == READY -> <> (place[0] == RUNNING)) }
/* Who waits for a replenishment or a handler gets it. */
ltl waiting_ends { [] (place[0] == WAITING_ -> <> (place[0] != WAITING_)) }
/* Who sleeps with an event to see wakes up. */
ltl event_wakes { [] (place[0] == HALTED && events[0] -> <> (place[0] != HALTED)) }
