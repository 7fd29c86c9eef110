#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands of `make gdb`, in a machine that stops where its first shell waits for a child."""

import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, TOP, run_cases  # noqa: E402

CPUS = 2
LIMIT_S = 120
COMMANDS = ("set pagination off", "set confirm off", "hbreak sys_wait4", "continue", "exo-cpus",
            "exo-tasks", "exo-runqueues", "exo-trace 0", "exo-help", "kill", "quit")


def session():
    done = subprocess.run([os.path.join(TOP, "scripts/gdb/session"), BUILD, str(CPUS), "256M"], cwd=TOP,
                          input="".join(line + "\n" for line in COMMANDS), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False)
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
    out = session()
    for wanted in (r"^.*cpu 1: apic 1, ", r"^vcore 1: runs (?:idle|\S+ \(id \d+\)), masked",
                   r"^.*init \(id 1\) +\w+ +\w+ +cpu \d, ", r"^.*vcore 0.*queued", r"exo-runqueues: "):
        assert re.search(wanted, out, re.MULTILINE), (wanted, out[-3000:])
    check_kernel_trace(out)
    assert not re.search(r"Python Exception|Error occurred|optimized out|Undefined command", out), out[-3000:]


if __name__ == "__main__":
    sys.exit(run_cases([("the_commands_show_cpus_tasks_queues_and_traces",
                         the_commands_show_cpus_tasks_queues_and_traces)]))
