#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the debug build finds out by itself, where time is the number of instructions: nothing in a sound
system; and where tasks wait when nothing runs; a stack that is too small; a death that must be asked for."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import DEBUG_RUN, run_debug_cases  # noqa: E402
import cases  # noqa: E402

SLOT_SIZE, PAGE = 0x8000, 0x1000        # libos/core/task.h


def log_of(*arguments, status=0):
    """What kernel and libos said meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        run = cases.exo_run("--log", log, *arguments, environment={"ACCEL": "icount"}, limit=300,
                            program=DEBUG_RUN)
        with open(log, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    assert run.returncode == status, (run, text[-1500:])
    return text


def who_waits_is_told_when_nothing_runs():
    text = log_of("--", "sleep", "20")
    assert len(re.findall(r"^libos: no task has run for 3 s", text, re.MULTILINE)) == 1, text
    assert re.search(r"^libos:   task \d+ \(sleep\): blocked, waiting, CPU 0, woken last by \d+", text,
                     re.MULTILINE), text
    assert "panic:" not in text, text


def interrupts_are_never_off_for_long():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "protect")
        subprocess.run([cases.EXO_CC, "-O2", "-o", program,
                        os.path.join(cases.TOP, "tests/script/debug_build.c")], check=True)
        text = log_of("--file", program + ":/protect", "--", "sh", "-c",
                      "/tests/fork && /protect")
    assert "interrupts off" not in text, text


def a_death_that_no_message_tells_of_is_noticed():
    run = cases.exo_run("--cpus", "2", "--", "sh", "-c", """
        echo 3 > /proc/exo/deaths-lost
        for n in 7 8; do domainctl create --mem 24M --cpus 1 -- sh -c "exit $n"; echo $?; done
        id=$(domainctl create --detach --mem 24M -- sleep 1000)
        domainctl kill $id; domainctl wait $id 2>/dev/null; echo $?
        cat /proc/exo/deaths-lost
        """, program=DEBUG_RUN)
    assert (run.returncode, run.stdout) == (0, b"7\n8\n137\n0\n"), run


def a_stack_that_overflows_meets_its_guard_page():
    text = log_of("--append", "panic=test-stack", "--", "sleep", "1000", status=126)
    address = re.search(r"libos: panic: .*exception 14 .*address (\w+)", text)
    assert address, text[-1500:]
    assert int(address[1], 16) % SLOT_SIZE < PAGE, address[0]


CASES = (who_waits_is_told_when_nothing_runs, interrupts_are_never_off_for_long,
         a_death_that_no_message_tells_of_is_noticed,
         a_stack_that_overflows_meets_its_guard_page)
run_debug_cases([(case.__name__, case) for case in CASES])
