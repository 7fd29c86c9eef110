#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""A thousand scheduler libraries, one after the other, while programs run."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import exo_run, per_cpu_count, run_cases  # noqa: E402

# A round is slower the more virtual CPUs share the host's.
ROUNDS = {1: 1000, 2: 1000, 4: 1000, 8: 300}


def libraries_come_and_go_under_load(cpus):
    run = exo_run("--cpus", str(cpus), "--", "/tests/sched_storm", str(ROUNDS[cpus]), limit=500)
    assert run.returncode == 0, run.stdout[-300:]
    assert b"ok schedulers_come_and_go_under_load" in run.stdout


run_cases(per_cpu_count(libraries_come_and_go_under_load))
