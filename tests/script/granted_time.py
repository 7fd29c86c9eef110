#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A scheduler library is judged by the time that its CPU was given, not by the host's."""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_RUN, LIMIT_S, run_cases  # noqa: E402

# The library's limit is 0.2 s, and it does nothing wrong.  Each CPU has tasks that wait.
PROGRAM = """
schedctl load /tests/broken.so > /dev/null && schedctl use broken || exit 1
for i in 1 2 3 4 5 6; do while :; do :; done & done
echo ready
read line
schedctl current
"""
STANDSTILL_S = 2


def machine_of(parent):
    """The process id of the QEMU that exo-run has started."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as stream:
                name, _, rest = stream.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == parent and name.startswith("qemu"):
            return int(entry)
    raise AssertionError("exo-run has no machine")


def a_host_that_stands_still_ejects_nobody():
    with subprocess.Popen([EXO_RUN, "--cpus", "2", "--timeout", str(LIMIT_S), "--", "sh", "-c", PROGRAM],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        line = run.stdout.readline()
        assert line == "ready\n", line
        machine = machine_of(run.pid)
        os.kill(machine, signal.SIGSTOP)
        time.sleep(STANDSTILL_S)  # what is tried, not a synchronisation
        os.kill(machine, signal.SIGCONT)
        run.stdin.write("\n")
        run.stdin.close()
        assert run.stdout.read() == "broken\n"


run_cases([(case.__name__, case) for case in (a_host_that_stands_still_ejects_nobody,)])
