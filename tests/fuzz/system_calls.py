#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: fuzz
"""tests/guest/fuzz_calls.c for longer, each seed in a machine of its own.

SEEDS=first:count and SECONDS=n in the environment say which and how long.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import exo_run, run_cases  # noqa: E402

FIRST, COUNT = (int(word) for word in os.environ.get("SEEDS", "1:12").split(":"))
SECONDS = int(os.environ.get("SECONDS", "20"))


def random_calls(seed):
    cpus = (1, 2, 4, 8)[seed % 4]
    run = exo_run("--cpus", str(cpus), "--mem", "128M", "--", "/tests/fuzz_calls", str(seed),
                  str(SECONDS), limit=SECONDS * 4 + 60)
    print(run.stdout.decode("utf-8", "replace"), end="")
    assert run.returncode == 0, (cpus, run.returncode, run.stderr[-600:])


run_cases([(f"seed-{seed}", lambda seed=seed: random_calls(seed))
           for seed in range(FIRST, FIRST + COUNT)])
