#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A callback that loops is given up soon even where nothing else happens: within a second of a
time that is counted in instructions.  (It takes 0.3 s; without the guard's own timer, 5 s.)"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import exo_run, run_cases  # noqa: E402


def loops_are_noticed_in_time(cpus):
    run = exo_run("--cpus", str(cpus), "--env", "NOTICED_MS=1000", "--", "/tests/safety_quiet",
                  environment={"ACCEL": "icount"})
    lines = [line for line in run.stdout.decode().splitlines() if not line.startswith("#")]
    assert run.returncode == 0 and len(lines) == 2, run
    assert all(line.startswith("ok ") for line in lines), run


run_cases([(f"loops_are_noticed_in_time-cpus-{cpus}", lambda cpus=cpus: loops_are_noticed_in_time(cpus))
           for cpus in (1, 2)])
