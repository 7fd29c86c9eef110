#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands of `make gdb`, in a machine that stops where its first shell waits for a child; and in one that
runs a program, which stops in a function of it."""

import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, TOP, run_cases  # noqa: E402

CPUS = 2
LIMIT_S = 120
COMMANDS = ("set pagination off", "set confirm off", "hbreak sys_wait4", "continue", "exo-cpus",
            "exo-tasks", "exo-runqueues", "exo-trace 0", "exo-help", "kill", "quit")


def session(commands, *files, command=""):
    done = subprocess.run([os.path.join(TOP, "scripts/gdb/session"), BUILD, str(CPUS), "256M", *files], cwd=TOP,
                          input="".join(line + "\n" for line in commands), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False,
                          env=dict(os.environ, APP=command))
    return done.stdout


def check_kernel_trace(out):
    """Which events it is that a CPU's ring has last depends on the hour: all are the kernel's, in their order."""
    known = set()
    for path in glob.glob(os.path.join(TOP, "exo/**/*.c"), recursive=True):
        with open(path, encoding="utf-8") as stream:
            known |= set(re.findall(r'\btrace\("(\w+)"', stream.read()))
    found = re.findall(r"^(?:\(gdb\) )? *(\d+) (\w+) +0x[0-9a-f]+ 0x[0-9a-f]+$", out, re.MULTILINE)
    times = [int(time) for time, _ in found]
    assert known and {name for _, name in found} <= known, (known, found)
    assert 4 <= len(found) <= 32 and times == sorted(times), found


def the_commands_show_cpus_tasks_queues_and_traces():
    out = session(COMMANDS)
    for wanted in (r"^.*cpu 1: apic 1, ", r"^vcore 1: runs (?:idle|\S+ \(id \d+\)), masked",
                   r"^.*init \(id 1\) +\w+ +\w+ +cpu \d, ", r"^.*vcore 0.*queued", r"exo-runqueues: "):
        assert re.search(wanted, out, re.MULTILINE), (wanted, out[-3000:])
    check_kernel_trace(out)
    assert not re.search(r"Python Exception|Error occurred|optimized out|Undefined command", out), out[-3000:]


def a_program_stops_in_its_own_function():
    """Another one has the same code at the same addresses, and runs before it and in between."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "crashes")
        subprocess.run([EXO_CC, "-g", "-O1", "-w", "-fno-inline", "-fno-optimize-sibling-calls", "-o", program,
                        os.path.join(TOP, "tests/script/crashes.c")], check=True)
        # Whether an argument is also shown as it was at the entry depends on the compiler's taste.
        out = session(("set pagination off", "set confirm off", "set width 0", "set print entry-values no",
                       f"exo-break {program} nowhere", f"exo-break {program} inner", "continue", "bt", "continue",
                       "bt", "continue"), program, program + ":/other",
                      command="seq 3 | wc -l; /other none; /crashes none; /other none; "
                      "seq 4 | wc -l; /crashes read; echo status $?")
    stack = [rf"#0  inner \(kind=\w+ \"{kind}\"\).*\n#1 .* in middle \(.*\n#2 .* in main \((?s:.*?)"
             for kind in ("none", "read")]
    wanted = rf"^3\n(?s:.*?){stack[0]}^4\n(?s:.*?){stack[1]}^status 139$"
    assert re.search(wanted, out, re.MULTILINE), out[-3000:]
    # What was asked for first was not found, and said to be so.
    assert "crashes has no nowhere, or no debug information" in out, out[-3000:]
    assert len(re.findall(r"hit Breakpoint", out)) == 2, out[-3000:]


if __name__ == "__main__":
    sys.exit(run_cases([(case.__name__, case) for case in (
        the_commands_show_cpus_tasks_queues_and_traces, a_program_stops_in_its_own_function)]))
