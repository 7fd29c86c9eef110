#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs in a debug build that stands still, preempts and moves tasks where it is least convenient
(libos/debug/races.c), on more CPUs than the host has.

    races.py [SEED [ROUNDS [CPUS...]]]      a failure is told with its seed, which repeats it"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import DEBUG_RUN, exo_run, run_cases  # noqa: E402

SEED = int(sys.argv[1]) if sys.argv[1:] else 20261126
ROUNDS = int(sys.argv[2]) if sys.argv[2:] else 1
CPUS = [int(word) for word in sys.argv[3:]] or [8]
SHORT = "kill_storm"
LONG = "futex wait threads signal pipe fork kill_storm donation in_flight poll memory_stress faults"
PROGRAMS = (LONG if sys.argv[1:] else SHORT).split()
LINE = "timeout 120 /tests/{0} </dev/null >/tmp/out 2>&1 || { cat /tmp/out; echo failed: {0}; exit 1; }; "
LIMIT_S = 600


def programs_hold_out_against_races(seed, cpus):
    with tempfile.NamedTemporaryFile() as log:
        run = exo_run("--cpus", str(cpus), "--races", str(seed), "--log", log.name, "--", "sh", "-c",
                      "".join(LINE.replace("{0}", program) for program in PROGRAMS),
                      program=DEBUG_RUN, limit=LIMIT_S)
        text = log.read().decode("utf-8", "replace")
    print(run.stdout.decode("utf-8", "replace")[-2000:], end="")
    assert run.returncode == 0, (f"--races {seed} --cpus {cpus}", run.returncode, text[-3000:])
    assert f"races={seed}" in text, text[-300:]


run_cases([(f"programs_hold_out_against_races-cpus-{cpus}-seed-{seed}",
            lambda seed=seed, cpus=cpus: programs_hold_out_against_races(seed, cpus))
           for seed in range(SEED, SEED + ROUNDS) for cpus in CPUS])
