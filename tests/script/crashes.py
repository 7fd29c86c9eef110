#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program that is ended by a fault of its own: the log says what it did and where, and exo-run says it too."""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
from cases import EXO_CC, exo_run, run_cases  # noqa: E402

NEAR = r"0x7e7f\w+"
NOWHERE = ", where nothing is mapped"
# kind: (status, what the log says that it did, functions from the fault on, as far as they are looked at)
KINDS = {
    "read": (139, f"a read of 0x8{NOWHERE}", "inner middle main"),
    "write": (139, f"a write to 0x10{NOWHERE}", "inner middle main"),
    "constant": (139, r"a write to 0x\w+, which it may not", "inner middle main"),
    "jump": (139, f"a jump to 0x1234{NOWHERE}", "?? inner middle main"),
    "divide": (136, "a division by zero, or out of range", "inner middle main"),
    "illegal": (132, "an instruction that does not exist", "inner middle main"),
    "file": (135, r"a read of 0x\w+, beyond the end of the file", "beyond_a_file inner middle main"),
    "stack": (139, rf"a write to {NEAR}{NOWHERE}: has its stack run out\?", "recurse recurse recurse"),
    "handler": (139, "no room on its stack to call a signal's handler", "inner"),
}
SIGNALS = {132: ("SIGILL", 4), 135: ("SIGBUS", 7), 136: ("SIGFPE", 8), 139: ("SIGSEGV", 11)}


class Program:
    """The program, compiled once for all cases."""
    folder = tempfile.TemporaryDirectory()  # pylint: disable=R1732
    path = os.path.join(folder.name, "crashes")

    @classmethod
    def make(cls):
        if not os.path.exists(cls.path):
            # What is called last is to be in its own function, and found there.
            subprocess.run([EXO_CC, "-g", "-O1", "-w", "-fno-optimize-sibling-calls", "-fno-inline", "-o", cls.path,
                            os.path.join(HERE, "crashes.c")], check=True)
        return cls.path

    @classmethod
    def functions(cls, addresses):
        """The functions that these are in; debug information is the host's affair."""
        out = subprocess.run(["addr2line", "-f", "-e", cls.path, *addresses], check=True, capture_output=True,
                             text=True).stdout
        return out.splitlines()[::2]


def fault_is_told(kind):
    status, did, wanted = KINDS[kind]
    name, number = SIGNALS[status]
    run = exo_run("--cpus", "2", "--file", Program.make(), "--", "/crashes", kind)
    said = run.stderr.decode()
    assert run.returncode == status, run
    found = re.search(rf"^exo-run: log: crashes \(pid \d+\) is ended by {name} at (0x\w+), "
                      rf"stack pointer 0x\w+: {did}\n", said, re.MULTILINE)
    assert found, said
    called = re.search(r"^exo-run: log: crashes \(pid \d+\) was called, as far as its stack tells, at( .*)\n", said,
                       re.MULTILINE)
    wanted = wanted.split()
    functions = Program.functions([found.group(1), *(called.group(1).split() if called else [])])
    assert functions[:len(wanted)] == wanted, (functions, said)
    assert re.search(rf"^exo-run: /crashes was ended by signal {number} \(", said, re.MULTILINE), said


def what_is_no_fault_is_not_told():
    """A signal that somebody sends, and a fault that has a handler."""
    run = exo_run("--file", Program.make(), "--", "sh", "-c", "mkfifo /never; cat /never & kill -SEGV $!; wait $!; "
                  "echo $?; /crashes caught; echo $?; dmesg | grep -c 'is ended by'")
    assert run.stdout == b"139\n11\n0\n" and b"was ended" not in run.stderr, run


def many_in_a_short_time_do_not_fill_the_log():
    """Time is the number of instructions: forty take less than the five seconds in which ten are told of."""
    run = exo_run("--file", Program.make(), "--", "sh", "-c", "for i in $(seq 40); do /crashes illegal; done 2> /x; "
                  "dmesg | grep -c 'is ended by SIGILL'", environment={"ACCEL": "icount"})
    assert run.stdout == b"10\n", run


def a_name_forges_no_line():
    """It has a new line, an escape sequence, and one that begins with a single byte on terminals of eight bits."""
    run = exo_run("--file", Program.make(), "--", "sh", "-c", "/crashes name; dmesg")
    told = [line for line in run.stdout.splitlines() if b"is ended by SIGILL" in line]
    assert len(told) == 1 and re.match(rb"a\?libos: \?\[7m\?\? \(pid \d+\) is ended", told[0]), run
    assert b"\033" not in run.stdout and b"\nlibos: ?" not in run.stdout, run


def a_report_brings_no_pages_in():
    run = exo_run("--file", Program.make(), "--", "/crashes", "pages")
    assert run.returncode == 0 and abs(int(run.stdout)) < 100, run


run_cases([*((f"{kind}_is_told", lambda kind=kind: fault_is_told(kind)) for kind in KINDS),
           *((case.__name__, case) for case in (what_is_no_fault_is_not_told, a_name_forges_no_line,
                                                 a_report_brings_no_pages_in,
                                                 many_in_a_short_time_do_not_fill_the_log))])
