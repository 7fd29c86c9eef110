#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What domains do with each other: channels between them, and servers that run on their callers' time.
All with programs of tests/script/domain_peer.c, and with hostile ones."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, TOP, exo_run, run_cases  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
PEER = os.path.join(FOLDER.name, "peer")

ROUNDS = int(os.environ.get("ROUNDS", "5"))

COUNTS = """
    counts() { awk '/^frames free/ { print $3 } /^handle pages/ { print $4 }' /proc/exo/stats; }
    end() { domainctl kill $1; domainctl wait $1 2>/dev/null; }
"""


def run(cpus, line, *options, **keywords):
    result = exo_run("--timeout", "120", "--cpus", str(cpus), "--file", PEER + ":/peer", *options, "--",
                     "sh", "-c", COUNTS + line, **keywords)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode()


def a_channel_to_a_child_carries_all(cpus):
    """A megabyte each way at once, with the child on the last CPU."""
    out = run(cpus, f"""
        id=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --channel c -- /peer echo c)
        exec 3<>/dev/channel/c
        /peer check c 1000000 5 & /peer fill c 1000000 5; wait $!
        exec 3>&-
        exec 3<>/dev/channel/c
        /peer check c 20000 6 & /peer fill c 20000 6; wait $!
        end $id
        read x <&3; echo $?; sh -c 'echo >&3'; echo $?
        id=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --channel d -- sleep 1000)
        cat /dev/channel/d & until grep -q 'State:.S' /proc/$!/status; do :; done; kill $!
        end $id; timeout 5 cat /dev/channel/d 2>&1; true
        """)
    # Who gives up waiting for the other end has no end open any more.
    assert out == ("same\nsame\n1\n141\n"
                   "cat: can't open '/dev/channel/d': No such device or address\n"), out


def siblings_have_a_channel_by_their_parents_decision(cpus):
    """Only those that were given it; each end is one domain's; the end of one is the end for the other."""
    out = run(cpus, f"""
        make="domainctl create --mem 12M --cpus {cpus - 1} --budget 20/100ms"
        $make --channel c -- sh -c 'cat /bin/busybox > /dev/channel/c' & first=$!
        $make --channel c -- sh -c 'cmp /bin/busybox /dev/channel/c; echo $?'
        wait $first
        $make -- sh -c 'ls /dev/channel 2>&1; cat /dev/channel/c 2>&1'
        $make --channel c -- sleep 1000 & $make --channel c -- sleep 1000 &
        until [ $(domainctl list | grep -c alive) = 2 ]; do :; done
        $make --channel c -- true 2>&1; cat /dev/channel/c 2>&1
        for id in $(domainctl list | awk '$2 == "alive" {{ print $1 }}'); do domainctl kill $id; done
        wait 2>/dev/null
        cat /dev/channel/c 2>&1; true
        """)
    assert out.splitlines() == [
        "0", "ls: /dev/channel: No such file or directory",
        "cat: can't open '/dev/channel/c': No such file or directory",
        "domainctl: create: Resource busy: its CPUs have not as much time left (domainctl list), "
        "or a channel's end or a server's name is taken", "cat: can't open '/dev/channel/c': Resource busy",
        "cat: can't open '/dev/channel/c': No such device or address"], out


def peers_are_killed_twenty_times(cpus):
    """Each a little later in its life than the one before; the other end sees its end, talks to the next,
    and nothing is missing afterwards."""
    with tempfile.NamedTemporaryFile() as log:
        out = run(cpus, f"""
            make="domainctl create --detach --mem 10M --cpus {cpus - 1} --budget 20/100ms --channel c --"
            echo=$($make /peer echo c)
            live() {{
                for i in $(seq $1); do
                    id=$($make /peer fill c 1000000000 $i)
                    n=0; while [ $n -lt $((i * 40)) ]; do n=$((n + 1)); done
                    end $id
                done
            }}
            # Stacks of tasks that have ended are kept: so there are more than are needed at once later.
            for i in $(seq 20); do sleep 1000 & idle="$idle $!"; done; kill $idle; wait 2>/dev/null
            live 15; counts
            live 20; counts
            # A channel keeps what was under way to one that died for the next, so this is with two that are new.
            end $echo; echo=$($make /peer echo c)
            timeout 20 /peer fill c 5000 3 > /dev/null & /peer check c 5000 3
            end $echo; cat /dev/channel/c 2>&1; domainctl list | wc -l
            """, "--log", log.name)
        assert b"have not come back" not in log.read()
    lines = out.splitlines()
    free, pages, free_later, pages_later = map(int, lines[:4])
    assert free - free_later < 20 and pages == pages_later, out
    assert lines[4:] == ["same", "cat: can't open '/dev/channel/c': No such device or address", "1"], out


def a_peer_that_scribbles_spoils_only_the_data(cpus):
    """The other end reads rubbish or an error, and everything else goes on."""
    out = run(cpus, f"""
        id=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --channel c -- /peer scribble channel c)
        other=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --budget 20/100ms --channel d -- /peer echo d)
        for i in 1 2; do
            timeout 1 head -c 100000 /dev/channel/c > /tmp/rubbish 2>&1
            timeout 1 head -c 100000 /bin/busybox > /dev/channel/c 2>/dev/null
        done
        (/peer fill d 100000 3; sleep 1000) <> /dev/channel/d & /peer check d 100000 3; kill $!
        end $id; end $other; domainctl list | wc -l
        """)
    assert out == "same\n1\n", out


SERVER = """
    server() { domainctl create --detach --mem 12M --passive --budget 20/100ms "$@"; }
    serves() { until domainctl list | grep -q "^$1 passive"; do :; done; }
    consumed() { domainctl list | awk -v id=$1 '$1 == id { print $7 }'; }
    ticks() { cut -d' ' -f14 /proc/$1/stat; }
    until_it_had() { until [ "$(ticks $1)" -gt $2 ]; do :; done; }  # who is in a call pays for it
    on_its_own() { echo $(($(consumed $1) - $2)); }  # since it began to serve
"""


def a_server_is_called_from_its_maker_and_a_sibling(cpus):
    """On each CPU where both are; it pays for nothing itself."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus 0-{cpus - 1} --serve s -- /peer serve s); serves $s; began=$(consumed $s)
        for cpu in $(seq 0 {cpus - 1}); do
            taskset -c $cpu /peer calls s 300
            domainctl create --mem 12M --cpus $cpu --budget 20/100ms --use s -- /peer calls s 300
        done
        /peer call s sleep 20 1
        domainctl create --mem 12M --budget 20/100ms -- /peer call s add 1 1
        on_its_own $s $began
        """)
    assert out == "45150\n" * 2 * cpus + "21\ns: No such file or directory\n0\n", out


def the_callers_pay(_):
    """Exactly, where the clock counts instructions: a call of 60 ms by one that has 20 in every 100."""
    out = run(1, SERVER + """
        s=$(server --serve s -- /peer serve s); serves $s; began=$(consumed $s)
        c=$(domainctl create --detach --mem 12M --budget 20/100ms --use s --channel go -- sh -c '
            exec 3<>/dev/channel/go; echo ready >&3; read x <&3; /peer call s spin 300 0 >&3; sleep 1000')
        exec 3<>/dev/channel/go; read x <&3
        before=$(consumed $c); echo >&3; read x <&3; after=$(consumed $c)
        echo $x $((after - before)) $(on_its_own $s $began)
        for limit in 2500 3300 4700; do /peer late s sleep 100 0 $limit; done
        """, environment={"ACCEL": "icount"})
    answer, used, server, *late = map(int, out.split())
    assert (answer, server) == (300, 0) and 55000 < used < 90000, out
    # Who waits for a server that sleeps looks each millisecond, but not beyond the limit.
    assert len(late) == 3 and max(late) < 200, out


def the_demo_shows_who_paid(_):
    """Two callers, each with a quarter of the CPU, and a server that has nothing."""
    out = run(1, "server-demo", environment={"ACCEL": "icount"})
    had = list(map(int, re.findall(r"had (\d+) ms of the CPU", out)))
    assert out.count(": 200 calls, the last said 4999950000\n") == 2, out
    assert had[0] == 0 and min(had[1:]) > 20 and max(had[1:]) < 1.2 * min(had[1:]), out


def two_schedulers_run_side_by_side(_):
    """One shares alike, the other by nice values; and their records make one picture."""
    records, picture = (os.path.join(FOLDER.name, name) for name in ("records", "picture.svg"))
    result = exo_run("--timeout", "120", "--cpus", "2", "--", "sh", "-c", "domains-demo /tmp/r >&2; cat /tmp/r",
                     environment={"ACCEL": "icount"})
    had = {(who, int(nice)): int(ms) for who, nice, ms in
           re.findall(r"^(\w+) nice (\d+): (\d+) ms$", result.stderr.decode(), re.MULTILINE)}
    assert had["stride", 0] > 2 * had["stride", 5] > 3 * had["stride", 10], had
    assert 2 * min(had["rr", nice] for nice in (0, 5, 10)) > max(had["rr", nice] for nice in (0, 5, 10)), had
    with open(records, "wb") as stream:
        stream.write(result.stdout)
    subprocess.run([os.path.join(TOP, "scripts/trace"), records, "--svg", picture], check=True)
    with open(picture, encoding="utf-8") as stream:
        text = stream.read()
    assert "domains-demo 1" in text and text.rstrip().endswith("</svg>"), text[-200:]


def a_server_calls_a_server(cpus):
    """And dies in the middle of it; then the other."""
    out = run(cpus, SERVER + f"""
        t=$(server --cpus {cpus - 1} --serve t -- /peer serve t); serves $t
        s=$(server --cpus {cpus - 1} --serve s --use t -- /peer serve s t); serves $s
        /peer call s next 20 22
        /peer call t hang & until_it_had $! 5; kill $!; wait $! 2>/dev/null
        /peer call s next 20 22 100
        /peer call s next 20 22 & until_it_had $! 5; end $t; wait $!
        /peer call s next 20 22; /peer call s add 20 22
        end $s; /peer call s add 20 22
        true
        """)
    assert out.splitlines() == ["42", "Operation timed out", "Broken pipe", "No such device or address", "42",
                                "No such device or address"], out


def a_server_dies_while_it_is_called(cpus):
    """By itself, or killed; the next one of its name is called by those that were there before."""
    out = run(cpus, SERVER + f"""
        c=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --budget 20/100ms --use s --channel go -- sh -c '
            exec 3<>/dev/channel/go; while read what <&3; do /peer call s $what >&3; done')
        exec 3<>/dev/channel/go
        ask() {{ echo "$@" >&3; }}; answer() {{ read -r x <&3; echo "$x"; }}
        ask add 1 2; answer
        for i in 1 2 3; do
            s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
            ask add 1 2; answer
            ask end; answer
            domainctl wait $s; /peer call s add 1 2
            s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
            ask hang; /peer call s hang & until_it_had $! 5
            domainctl kill $s; wait $!; answer; domainctl wait $s 2>/dev/null
        done
        exec 3>&-; domainctl wait $c; domainctl list | wc -l
        """)
    none, gone = "No such device or address", "Broken pipe"
    assert out.splitlines() == [none] + ["3", gone, none, gone, gone] * 3 + ["1"], out


def what_a_dead_server_has_not_answered_is_no_answer(cpus):
    """Its caller gets to look only when it has been taken apart: something more urgent has the CPU until then."""
    out = run(cpus, SERVER + """
        taskset -p 2 $$ > /dev/null
        for i in 1 2 3; do
            s=$(server --cpus 0 --serve s -- /peer serve s); serves $s
            taskset -c 0 /peer call s sleep 100000 7 & caller=$!; until_it_had $caller 2
            taskset -c 0 nice -n -20 sh -c 'while :; do :; done' & urgent=$!; until_it_had $urgent 20
            end $s; kill $urgent; wait $caller
        done
        true
        """, "--sched", "prio")
    assert out == "Broken pipe\n" * 3, out


def a_server_that_never_answers_is_abandoned(cpus):
    """Its caller's domain goes on meanwhile, and so does every other task on the CPU."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
        taskset -c {cpus - 1} sh -c 'while :; do :; done' & spinner=$!
        /peer call s hang 0 0 200
        /peer call s hang 0 0 & until_it_had $! 5; until_it_had $spinner $(($(ticks $spinner) + 20)); echo 1
        kill $!; wait $! 2>/dev/null
        kill $spinner; end $s; /peer call s add 1 1
        true
        """)
    assert out.splitlines() == ["Operation timed out", "1", "No such device or address"], out


def a_server_goes_on_after_signals(cpus):
    """Its thread gets one each millisecond: while it waits, and between two requests."""
    out = run(cpus, """
        signalled() { n=0; while [ $n -lt $1 ]; do n=$(/peer call s signals 0 0 5000) || return; done; }
        id=$(domainctl create --detach --mem 12M --cpus 0 --serve s -- /peer serve s)
        until /peer call s add 1 1 >/dev/null 2>&1; do :; done
        /peer call s interrupt; signalled 50
        /peer call s add 1 2 5000; /peer calls s 300; signalled 100; /peer call s add 2 3 5000
        end $id; true
        """)
    assert out.splitlines() == ["0", "3", "45150", "5"], out


def a_caller_that_scribbles_harms_nobody_else(cpus):
    """Not the server, and not the others that call it."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
        bad=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --budget 20/100ms --use s -- sh -c '
            /peer scribble use s & while :; do timeout 1 /peer call s add 1 2 100 > /dev/null; done')
        /peer calls s 2000
        domainctl create --mem 12M --cpus {cpus - 1} --budget 20/100ms --use s -- /peer calls s 1000
        domainctl kill $bad; domainctl wait $bad 2>/dev/null
        domainctl create --mem 12M --cpus {cpus - 1} --budget 20/100ms --use s -- /peer calls s 1000
        """)
    assert out == "2001000\n500500\n500500\n", out


def a_caller_that_lies_spoils_nothing_for_the_next(cpus):
    """It says that what the server has taken is not taken, and dies: the answer is not the next caller's.
    It says that everything is taken: the next has room all the same."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
        caller() {{ domainctl create --mem 12M --cpus {cpus - 1} --budget 20/100ms --use s -- "$@"; }}
        caller sh -c '/peer call s posted 8 7 & exec /peer states s 0 taken'
        caller /peer calls s 100
        for i in $(seq 16); do caller /peer states s 2; done
        caller /peer calls s 100
        """)
    assert out == "5050\n5050\n", out


def who_is_bound_while_it_calls_is_so_afterwards(cpus):
    """And the call goes on where it is served."""
    out = run(cpus, SERVER + """
        s=$(server --cpus 1 --serve s -- /peer serve s); serves $s
        /peer moved s 30
        true
        """)
    assert out == "bound\n", out


def a_limit_may_be_farther_away_than_time_goes(cpus):
    """Nearly 2^64 ns from now: no call has ended by then."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus {cpus - 1} --serve s -- /peer serve s); serves $s
        /peer call s posted 5 2 18446744073709 & called=$!
        while kill -0 $called && ! grep -q 'State:.[SZ]' /proc/$called/status; do :; done 2>/dev/null
        while kill -0 $called 2>/dev/null; do /peer call s add 1 1 > /dev/null; done
        """)
    assert out == "7\n", out


def callers_are_killed_in_the_middle(cpus):
    """What they wanted is finished on the time of those that call next."""
    out = run(cpus, SERVER + f"""
        s=$(server --cpus 0-{cpus - 1} --serve s -- /peer serve s); serves $s; began=$(consumed $s)
        for i in $(seq 12); do
            c=$(domainctl create --detach --mem 10M --cpus {cpus - 1} --budget 20/100ms --use s -- /peer calls s 1000000)
            n=0; while [ $n -lt $((i * 300)) ]; do n=$((n + 1)); done
            end $c
            taskset -c {cpus - 1} /peer calls s 10
        done
        on_its_own $s $began
        """)
    assert out == "55\n" * 12 + "0\n", out


def servers_and_callers_come_to_more_cpus(cpus):
    """And lose them: who calls on a CPU that both have is served there.  What is read from the channel has been
    rung for on the CPU that its end has at the time."""
    out = run(cpus, SERVER + """
        s=$(domainctl create --detach --mem 12M --cpus 0 --budget 20/100ms --serve s -- /peer serve s)
        c=$(domainctl create --detach --mem 12M --cpus 0 --budget 20/100ms --use s --channel go -- sh -c '
            exec 3<>/dev/channel/go
            while read cpu; do
                until taskset -c $cpu true 2>/dev/null; do :; done # a CPU that was given is on its way
                taskset -c $cpu /peer calls s 10 >&3
            done <&3')
        exec 3<>/dev/channel/go
        ask() { echo $1 >&3; read -r x <&3; echo "$x"; }
        ask 0; taskset -c 1 /peer calls s 10
        domainctl resize $s --cpus 0-1; taskset -c 1 /peer calls s 10
        domainctl resize $c --cpus 0-1; ask 1; ask 0
        domainctl resize $c --cpus 1; ask 1
        domainctl resize $s --cpus 0; ask 1
        domainctl resize $s --cpus 1; ask 1; taskset -c 0 /peer calls s 10
        domainctl resize $s --cpus 0-1; ask 1; taskset -c 0 /peer calls s 10
        end $c; end $s; domainctl list | wc -l
        """)
    far, nowhere = "Cross-device link0", "No such device or address0"
    assert out.splitlines() == ["55", far] + ["55"] * 4 + [nowhere, "55", far, "55", "55", "1"], out


def a_passive_server_changes_its_cpus(cpus):
    """It has time of its own there until it serves there too; and when it is to leave one, until it has."""
    out = run(cpus, SERVER + f"""
        for i in $(seq {ROUNDS}); do
            s=$(server --cpus 0 --serve s -- /peer serve s); serves $s
            domainctl resize $s --cpus 0-1
            until domainctl list | grep -q "^$s passive"; do taskset -c 0 /peer calls s 1 > /dev/null; done
            began=$(consumed $s); taskset -c 1 /peer calls s 10; on_its_own $s $began
            domainctl resize $s --cpus 1; serves $s
            began=$(consumed $s); taskset -c 1 /peer calls s 10; on_its_own $s $began
            taskset -c 0 /peer calls s 10
            end $s; domainctl list | wc -l
        done
        """)
    assert out == "55\n0\n55\n0\nCross-device link0\n1\n" * ROUNDS, out


CASES = [(f"{function.__name__}-cpus-{cpus}", lambda function=function, cpus=cpus: function(cpus))
         for function, counts in (
             (a_channel_to_a_child_carries_all, (1, 4)),
             (siblings_have_a_channel_by_their_parents_decision, (2,)),
             (peers_are_killed_twenty_times, (2,)),
             (a_peer_that_scribbles_spoils_only_the_data, (2,)),
             (a_server_is_called_from_its_maker_and_a_sibling, (1, 4)),
             (the_callers_pay, (1,)),
             (the_demo_shows_who_paid, (1,)),
             (two_schedulers_run_side_by_side, (2,)),
             (servers_and_callers_come_to_more_cpus, (2,)),
             (a_server_calls_a_server, (1,)),
             (a_server_dies_while_it_is_called, (2,)),
             (what_a_dead_server_has_not_answered_is_no_answer, (2,)),
             (a_server_that_never_answers_is_abandoned, (2,)),
             (a_server_goes_on_after_signals, (1,)),
             (a_caller_that_scribbles_harms_nobody_else, (4,)),
             (a_caller_that_lies_spoils_nothing_for_the_next, (1,)),
             (who_is_bound_while_it_calls_is_so_afterwards, (2,)),
             (a_limit_may_be_farther_away_than_time_goes, (1,)),
             (callers_are_killed_in_the_middle, (1,)),
             (a_passive_server_changes_its_cpus, (2,)))
         for cpus in counts]

if __name__ == "__main__":
    CASES = [case for case in CASES if all(word in case[0] for word in sys.argv[1:])]
    subprocess.run([EXO_CC, "-O2", "-Wall", "-Wextra", "-Werror", "-o", PEER,
                    os.path.join(TOP, "tests/script/domain_peer.c")], check=True)
    run_cases(CASES)
