#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""Allocations that fail, in the debug build, twenty rounds with each of ten seeds at each number of
CPUs (tests/guest/faults.c).

SEED=n in the environment is the first seed, ROUNDS=n how many; about half an hour in all.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import CPU_COUNTS, DEBUG_RUN, exo_run, run_debug_cases  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEEDS = 10


def what_fails_costs_nobody_anything(cpus, seed):
    run = exo_run("--cpus", str(cpus), "--", "/tests/faults", str(seed), str(ROUNDS),
                  program=DEBUG_RUN, limit=60 + ROUNDS * 20)
    print(run.stdout.decode("utf-8", "replace"), end="")
    assert run.returncode == 0, (cpus, seed, run.returncode, run.stderr[-600:])


run_debug_cases([(f"cpus-{cpus}-seed-{seed}",
                  lambda cpus=cpus, seed=seed: what_fails_costs_nobody_anything(cpus, seed))
                 for seed in range(SEED, SEED + SEEDS) for cpus in CPU_COUNTS])
