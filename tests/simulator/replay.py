#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""A load that was recorded in the system is repeated in the simulator, under every library: the
same tasks run for as long as they did, and wait for each other as they did."""

import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.environ.get("TOP", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/script/lib"))
from cases import BUILD, exo_run, run_cases  # noqa: E402
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
from tracing.records import KINDS, RECORD, STOPS, WAKES, BadTrace, Trace  # noqa: E402
from tracing.work import work_lines  # noqa: E402

LIBRARIES = sorted(os.path.basename(path)[:-2]
                   for path in glob.glob(os.path.join(TOP, "libos/schedulers/*.c")))
ROUNDING_MS = 0.0006                    # the simulator prints three digits

# Processes that hand bytes on, that compute, and that sleep by a timer; and one that computes for so
# long after it has woken another that the slice that it promised is not waited for.
LOAD = ("for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo $k; "
        "i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; done | while read -r k; do :; done; "
        "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done & usleep 300000 & "
        "seq 1 2000 | sort -rn | head -1; pipeline-demo 2 >/dev/null; wait")


# ---------------------------------------------------------------- by hand


def record(time, kind, task, detail="", number=0, value=0, cpu=0):
    details = {"stop": STOPS, "wake": WAKES}.get(kind, ("",)).index(detail)
    return RECORD.pack(time, KINDS.index(kind), details, number, task, value, cpu, 0)


KNOWN = [
    # Task 1 starts task 2, which waits for a byte from it, and then for a timer; 1 is preempted.
    record(1000, "wake", 1, "started"),
    record(1100, "run", 1),
    record(1500, "wake", 2, "started", value=1),
    record(1600, "stop", 1, "preempted"),
    record(1650, "run", 2),
    record(1700, "stop", 2, "waits"),
    record(1800, "run", 1),
    record(1900, "wake", 2, "given a slice", value=1),
    record(1950, "stop", 1, "yielded"),
    record(2000, "run", 2),
    record(2300, "stop", 2, "waits"),
    record(2310, "run", 1),
    record(2320, "stop", 1, "waits"),
    record(9300, "wake", 2, "woken"),
    record(9400, "run", 2),
    record(9500, "wake", 1, "woken", value=2),
    record(9600, "stop", 2, "ended"),
    record(9700, "run", 1),
    record(9800, "stop", 1, "ended")]


def a_known_trace_becomes_this_work():
    found = "".join(work_lines(Trace(b"".join(KNOWN)), "by hand")).replace("\nthen:", ";")
    assert found.splitlines() == [
        "# by hand: 2 tasks, 0.009 ms under .", "cpus 1", "until 25420ns", "column 88ns",
        "work task_2.2: run 50ns; wait task_2.2; run 300ns; sleep 7000ns; run 100ns; post task_1.1; "
        "run 100ns",
        "task task_1.1 at=0ns: run 400ns; start task_2.2; run 200ns; hand task_2.2; run 50ns; yield; "
        "run 10ns; wait task_1.1; run 100ns"], found


def an_incomplete_trace_is_refused():
    try:
        work_lines(Trace(b"".join([RECORD.pack(1, KINDS.index("lost"), 0, 0, 0, 7, 0, 0), *KNOWN])), "")
    except BadTrace:
        return
    raise AssertionError("it was taken")


# ---------------------------------------------------------------- recorded


def run_ns_by_task(trace):
    """How long each task ran, by id; as the pictures of traces count it."""
    ran = collections.Counter()
    for run in trace.runs:
        ran[run.task] += run.end - run.start
    return ran


def wakes_by_pair(trace):
    """How often each task woke or started each other one."""
    return collections.Counter((r.value, r.task) for r in trace.records if r.kind == "wake" and r.value)


def check_wakes(trace):
    """Who sleeps is woken once, whatever becomes of the slice that was promised to it."""
    sleeps = collections.Counter(r.task for r in trace.records
                                 if r.kind == "stop" and STOPS[r.detail] == "waits")
    woken = collections.Counter(r.task for r in trace.records
                                if r.kind == "wake" and WAKES[r.detail] != "started")
    assert woken and not woken - sleeps, woken - sleeps


def programs(text):
    """{name: [(what, argument)...]} of a work file."""
    found = {}
    for head, steps in re.findall(r"^(?:task|work) (\S+?)(?: at=\d+ns)?: ?(.*)$",
                                  text.replace("\nthen:", ";"), re.MULTILINE):
        found[head] = [tuple(step.split()) for step in steps.split("; ") if step]
    return found


def number(name):
    return int(name.rpartition(".")[2])


def replay(library, path, *options):
    """({name: ms that it ran}, tasks, tasks not ended) of a run in the simulator."""
    run = subprocess.run([os.path.join(BUILD, "simulator", library), *options, path], check=False,
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout[-500:] + run.stderr[-500:]
    ran = {match.group(1): float(match.group(2)) for match in
           re.finditer(r"^\S (\S+) +([\d.]+) ", run.stdout, re.MULTILINE)}
    tasks, left = re.search(r"; (\d+) tasks, (\d+) not ended$", run.stdout, re.MULTILINE).groups()
    return ran, int(tasks), int(left)


def check_work(trace, text):
    """What is written down is what was recorded: the tasks, their times, who wakes whom."""
    work = programs(text)
    ran = collections.Counter({number(name): sum(int(argument[:-2]) for what, *rest in steps
                                                 for argument in rest if what == "run")
                               for name, steps in work.items()})
    assert +ran == run_ns_by_task(trace), (ran, run_ns_by_task(trace))
    wakes = collections.Counter((number(name), number(step[1])) for name, steps in work.items()
                                for step in steps if step[0] in ("post", "hand", "start"))
    assert wakes == wakes_by_pair(trace), wakes - wakes_by_pair(trace)
    assert len(wakes) >= len(work) - 3 and sum(wakes.values()) > 2000, wakes
    assert any(step[0] == "sleep" and int(step[1][:-2]) > 100e6 for steps in work.values()
               for step in steps), "usleep has not slept"
    return work


def check_replay(path, work, library, *options):
    ran, tasks, left = replay(library, path, *options)
    assert tasks == len(work) == len(ran) and left == 0, (library, tasks, left, len(work))
    for name, steps in work.items():
        wanted = sum(int(step[1][:-2]) for step in steps if step[0] == "run") / 1e6
        assert abs(ran[name] - wanted) < ROUNDING_MS, (library, name, ran[name], wanted)


def forget_a_wake(path, text):
    """With one wake less, somebody waits for ever: so the others were needed."""
    shorter, count = re.subn(r"(post|hand) \S+?;", "", text, count=1)
    with open(path, "w", encoding="ascii") as stream:
        stream.write(shorter)
    assert count == 1 and replay("rr", path)[2] > 0


def recorded_work_is_conserved(cpus):
    with tempfile.TemporaryDirectory() as folder:
        records, path = os.path.join(folder, "trace.bin"), os.path.join(folder, "recorded.work")
        run = exo_run("--cpus", str(cpus), "--trace", records, "--trace-size", "4096", "--",
                      "sh", "-c", LOAD)
        assert run.returncode == 0 and run.stdout == b"2000\n", run
        with open(records, "rb") as stream:
            trace = Trace(stream.read())
        text = "".join(work_lines(trace, "a load"))
        with open(path, "w", encoding="ascii") as stream:
            stream.write(text)
        check_wakes(trace)
        work = check_work(trace, text)
        for library in LIBRARIES:
            check_replay(path, work, library)
        for other in ("1", "16"):
            check_replay(path, work, "fair", "--cpus", other)
        forget_a_wake(path, text)


run_cases([
    *((case.__name__, case) for case in (a_known_trace_becomes_this_work,
                                         an_incomplete_trace_is_refused)),
    *((f"recorded_work_is_conserved-cpus-{cpus}", lambda cpus=cpus: recorded_work_is_conserved(cpus))
      for cpus in (2, 4)),
])
