#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exotop: what it says of busy and idle CPUs, of switches and gifts; and its keys."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import per_cpu_count, run_cases, shell  # noqa: E402
from console import PROMPT, Session  # noqa: E402

# Time is the number of instructions, 8 ns each: what the host does is not seen in any load or count.
COUNTED = {"ACCEL": "icount:3"}
HEAD = re.compile(r"exotop: (\d+) CPUs, (\d+)% busy, scheduler (\S+), (\d+) processes; "
                  r"per second over [\d.]+ s")
CPU_ROW = re.compile(r" *(\d+) +(\d+)% [#.]{10} +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)  (\S.*)")
PROCESS_ROW = re.compile(r" *(\d+) +([\d.]+) +(\d+) ([RSTZ]) +(\d+) (.+)")


def screens(output):
    """Each screen as (head, rows of CPUs, rows of processes)."""
    found = []
    for line in output.decode().splitlines():
        if HEAD.fullmatch(line):
            found.append((HEAD.fullmatch(line).groups(), [], []))
        elif CPU_ROW.fullmatch(line):
            found[-1][1].append(CPU_ROW.fullmatch(line).groups())
        elif PROCESS_ROW.fullmatch(line):
            found[-1][2].append(PROCESS_ROW.fullmatch(line).groups())
        else:
            assert line == "" or line.split()[0] in ("CPU", "PID"), line
    return found


def a_busy_process_is_seen_where_it_runs(cpus):
    """The last screen, of three: by then the shell has started all."""
    run = shell(cpus, f"taskset {1 << cpus - 1:x} sh -c 'while :; do :; done' & "
                      "exotop -b -n 3 -d 0.5; kill $!", environment=COUNTED)
    shown = screens(run.stdout)
    assert len(shown) == 3 and run.returncode == 0, run
    head, cpu_rows, processes = shown[-1]
    assert int(head[0]) == cpus and head[2] and int(head[3]) == len(processes), head
    assert [int(row[0]) for row in cpu_rows] == list(range(cpus)), cpu_rows
    loads = [int(row[1]) for row in cpu_rows]
    assert loads[-1] == max(loads) > 0, cpu_rows
    if cpus > 2:        # exotop itself needs one for a while
        assert min(loads) < loads[-1], cpu_rows
    _pid, share, cpu, state, threads, name = processes[0]
    assert (int(cpu), state, int(threads), name) == (cpus - 1, "R", 1, "sh"), processes[0]
    assert all(float(share) >= float(row[1]) for row in processes) and float(share) > 0
    assert {"exo-init", "exotop"} <= {row[5] for row in processes}, processes


def switches_and_gifts_are_counted():
    run = shell(2, "taskset 1 pipeline-demo 2 >&2 & exotop -b -n 2 -d 0.3; wait", environment=COUNTED)
    _head, cpu_rows, _processes = screens(run.stdout)[0]
    switches, donated = int(cpu_rows[0][3]), int(cpu_rows[0][6])
    assert switches > 0 and 0 < donated <= switches + 2, cpu_rows


def wrong_words_are_refused():
    wrong = ("-x", "-n 0", "-d 0", "-d 1000", "word")
    run = shell(1, "".join(f"exotop -b {words}; echo $?; " for words in wrong))
    assert run.stdout == b"2\n" * len(wrong) and run.stderr.count(b"usage: ") == len(wrong), run


def keys_work():
    session = Session(2)
    try:
        session.expect(PROMPT)
        session.type(b"exotop -d 60\r")
        session.type(b" ")
        session.expect(rb"(?s)exotop: 2 CPUs.*PID.*exotop")
        session.type(b"-")
        session.expect(rb"(?s)exotop: 2 CPUs.*PID.*exotop")
        session.type(b"q")
        session.expect(PROMPT)
        session.line(b"stty -a | grep -o ' icanon'", rb" icanon\r+\n")
        keys_wait_until_there_is_something_to_count(session)
        the_terminal_is_given_back_while_it_is_stopped(session)
    finally:
        session.close()


def keys_wait_until_there_is_something_to_count(session):
    session.type(b"exotop -d 60\r")
    for _ in range(5):
        session.type(b"    ")
        seconds = session.expect(rb"per second over ([\d.]+) s").rpartition(b"over ")[2]
        assert float(seconds.split()[0]) >= 0.1, seconds
    session.type(b"q")
    session.expect(PROMPT)


def the_terminal_is_given_back_while_it_is_stopped(session):
    """By ^Z, and by whoever ends it."""
    session.type(b"exotop -d 60\r ")
    session.expect(rb"exotop: 2 CPUs")
    session.type(b"\x1a")
    session.expect(PROMPT)
    session.line(b"stty -a | grep -o ' icanon'", rb" icanon\r+\n")
    session.type(b"fg\r")
    session.expect(rb"(?s)exotop: 2 CPUs.*PID.*exotop")
    session.type(b"\x1c")
    session.expect(PROMPT)
    session.line(b"stty -a | grep -o ' echo'", rb" echo\r+\n")


run_cases([*per_cpu_count(a_busy_process_is_seen_where_it_runs),
           *((case.__name__, case) for case in (
               switches_and_gifts_are_counted, wrong_words_are_refused, keys_work))])
