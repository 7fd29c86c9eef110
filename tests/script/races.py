#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs in a debug build that stands still, preempts and moves tasks where it is least convenient
(libos/debug/races.c), and loses, doubles and moves interrupts and sends NMIs (exo/debug/inject.c), on more
CPUs than the host has.

    races.py [SEED [ROUNDS [CPUS...]]]      a failure is told with its seed, which repeats it"""

import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import DEBUG_RUN, exo_run, run_debug_cases  # noqa: E402

SEED = int(sys.argv[1]) if sys.argv[1:] else 20261126
ROUNDS = int(sys.argv[2]) if sys.argv[2:] else 1
CPUS = [int(word) for word in sys.argv[3:]] or [8]
SHORT = ["kill_storm {0} 60"]
LONG = ["futex", "wait", "threads", "signal", "pipe", "fork", "kill_storm {0} 400", "donation", "in_flight",
        "poll", "memory_stress", "faults {0}"]
LINE = "timeout 240 /tests/{0} </dev/null >/tmp/out 2>&1 || {{ cat /tmp/out; echo failed: {0}; exit 1; }}; "
NMIS = "awk '/^[0-9]/ { sum += $12 } END { print \"NMIs\", sum }' /proc/exo/stats"
LIMIT_S = 900


def programs_hold_out(seed, cpus):
    programs = [program.format(seed) for program in (LONG if sys.argv[1:] else SHORT)]
    options = ["--races", str(seed), "--append", f"interrupts={seed} nmi={seed}"]
    with tempfile.NamedTemporaryFile() as log:
        run = exo_run("--cpus", str(cpus), *options, "--log", log.name, "--", "sh", "-c",
                      "".join(LINE.format(program) for program in programs) + NMIS,
                      program=DEBUG_RUN, limit=LIMIT_S)
        text = log.read().decode("utf-8", "replace")
    output = run.stdout.decode("utf-8", "replace")
    print(output[-2000:], end="")
    assert run.returncode == 0, (cpus, options, run.returncode, text[-3000:])
    assert f"races={seed}" in text, text[-300:]
    assert "interrupts were lost, doubled or moved" in text, text[-300:]
    assert int(re.search(r"^NMIs (\d+)$", output, re.MULTILINE).group(1)) > 10, output


run_debug_cases([(f"programs_hold_out-cpus-{cpus}-seed-{seed}",
                  lambda seed=seed, cpus=cpus: programs_hold_out(seed, cpus))
                 for seed in range(SEED, SEED + ROUNDS) for cpus in CPUS])
