#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whose turn it is how often at a mutex of the libos, exactly: on machines whose time is the number of
instructions, so that nothing that the host does can be seen in it (tests/guest/mutex_turns.c)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases, shell  # noqa: E402

COUNTED = {"ACCEL": "icount"}
# Not those under which equals lend each other no slices, or chance decides who has how many turns; nor mlfq, under
# which they need not be equals: one that is on a lower level than the others has fewer; nor stride, under which a
# thread that has just been made waits for a slice's worth, unless its maker has given it one: whose threads come to
# wait has a quarter of the turns of the others, or less.
LIBRARIES = ("rr", "fair", "forkjoin")


def turns_are_had(cpus, library):
    run = shell(cpus, "/tests/mutex_turns counted", "--sched", library, environment=COUNTED)
    assert run.returncode == 0 and run.stdout.count(b"\nok ") + run.stdout.startswith(b"ok ") == 3, run


run_cases([*((f"turns_are_had_under_{library}", lambda library=library: turns_are_had(1, library))
             for library in LIBRARIES),
           *((f"turns_are_had-cpus-{cpus}", lambda cpus=cpus: turns_are_had(cpus, "rr")) for cpus in (2, 4))])
