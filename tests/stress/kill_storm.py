#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""Ten thousand processes ended at random, at each number of CPUs (tests/guest/kill_storm.c).

SEED=n in the environment is the first seed, KILLS=n how many; about twenty minutes in all.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import exo_run, per_cpu_count, run_cases  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "10000"))


def whoever_is_killed_leaves_nothing_behind(cpus):
    run = exo_run("--cpus", str(cpus), "--", "/tests/kill_storm", str(SEED + cpus), str(KILLS),
                  limit=60 + KILLS // 4)
    print(run.stdout.decode("utf-8", "replace"), end="")
    assert run.returncode == 0, (SEED + cpus, run.returncode, run.stderr[-600:])


run_cases(per_cpu_count(whoever_is_killed_leaves_nothing_behind))
