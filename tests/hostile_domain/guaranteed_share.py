#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""A domain with 30 ms in every 100 has 30, within 2 % over ten seconds, whatever either libos does: on each
CPU one that computes and one that forks for ever, beside two that want no good (hostile.c) and a maker that
never sleeps.  The clock counts instructions, so nothing that the host does can be seen in it.

    guaranteed_share.py [CPUS...]"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import run_cases, shell  # noqa: E402
from hostile_domain import build, compiled  # noqa: E402

SHARE = 0.30
HOSTILE_SHARE = 0.15
MS = 10000
# A masked vcore's preemption is put off for so long, of which it pays what falls behind the end of the ten
# seconds in the next ones (docs/cpu-time.md).
MASKED_LIMIT_MS = 100
ACCEL = "icount:3"  # 8 ns for an instruction

# What is left of each CPU, 10 ms of 100, is the maker's.
SCRIPT = """
make="domainctl create --detach --mem 10M"
for cpu in $(seq 0 {last}); do
    $make --cpus $cpu --budget 30/100ms -- /shares spin
    $make --cpus $cpu --budget 30/100ms --sched edf -- /shares fork
done
$make --cpus 0-{last} --budget 15/100ms --image /hostile -- 1
$make --cpus 0-{last} --budget 15/100ms --image /hostile -- masked
/shares spin & spin=$!
/shares had 300 > /dev/null # until they have begun
/shares had {ms} > /tmp/had
kill $spin
cat /tmp/had
"""


def a_share_that_was_given_is_had(cpus):
    result = shell(cpus, SCRIPT.format(last=cpus - 1, ms=MS),
                   "--file", IMAGE + ":/hostile", "--file", SHARES + ":/shares", limit=580,
                   environment={"ACCEL": ACCEL})
    had = [int(line.split()[-1]) / 1e6 for line in result.stdout.decode().splitlines()[2 * cpus + 2:]]
    print("# of a CPU:", *(f"{part:.4f}" for part in had))
    assert result.returncode == 0 and len(had) == 2 * cpus + 2, result
    for part in had[:-2]:
        assert abs(part - SHARE) <= 0.02 * SHARE, had
    for part in had[-2:]:
        assert part <= (1.02 * HOSTILE_SHARE + MASKED_LIMIT_MS / MS) * cpus, had


with tempfile.TemporaryDirectory() as FOLDER:
    IMAGE, SHARES = build(FOLDER), compiled(FOLDER, "shares")
    run_cases([(f"a_share_that_was_given_is_had-cpus-{cpus}", lambda cpus=cpus: a_share_that_was_given_is_had(cpus))
               for cpus in map(int, sys.argv[1:] or ["1"])])
