#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proportions and deadlines in the system, exactly: on a machine with one CPU whose time is the number
of instructions, so that nothing that the host does can be seen in them.

    exact_shares.py [MS]        for so long, by that machine's clock"""

import math
import os
import re
import subprocess
import sys
import tempfile

TOP = os.environ.get("TOP", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/script/lib"))
from cases import EXO_CC, exo_run, run_cases  # noqa: E402

MS = int(sys.argv[1]) if sys.argv[1:] else 1000
CONTROL_MS = 300
LIMIT_S = 540

# sched_weight() of these nice values.
WEIGHTS = {0: 1024, 3: 524, 6: 268}
WANTED = [weight / sum(WEIGHTS.values()) for weight in WEIGHTS.values()]
NICES = " ".join(str(nice) for nice in WEIGHTS)
LOTTERY_SLICE_MS = 1

RUNS = [(library, NICES, MS) for library in ("stride", "fair", "lottery")] + [
    ("edf", "deadlines", MS), ("rr", NICES, CONTROL_MS), ("rr", "deadlines", CONTROL_MS)]


def run_all():
    """{(library, what): [(count, late) of each task]}, all in one boot."""
    os.environ["ACCEL"] = "icount"
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "exact")
        subprocess.run([EXO_CC, "-O2", "-o", program, os.path.join(TOP, "tests/script/exact_shares.c")],
                       check=True)
        line = "; ".join(f"echo {library} > /proc/exo/sched && echo '@ {library} {what}' && "
                         f"/exact {what} {ms}" for library, what, ms in RUNS)
        run = exo_run("--file", program + ":/exact", "--", "sh", "-c", line, limit=LIMIT_S)
    assert run.returncode == 0, run
    found = {}
    for part in run.stdout.decode().split("@ ")[1:]:
        head, _, rest = part.partition("\n")
        library, _, what = head.partition(" ")
        found[library, what] = [tuple(map(int, pair)) for pair in re.findall(r"^(\d+) (\d+)$", rest,
                                                                            re.MULTILINE)]
    return found


def shares(library):
    counts = [count for count, _late in RESULTS[library, NICES]]
    assert len(counts) == len(WANTED), counts
    return [count / sum(counts) for count in counts]


def shares_are_within_two_hundredths_of_the_weights(library):
    """Of each share, that is."""
    for share, wanted in zip(shares(library), WANTED):
        assert abs(share - wanted) <= 0.02 * wanted, (shares(library), WANTED)


def lotterys_shares_are_what_chance_allows():
    """Four standard deviations of as many draws as there were slices."""
    draws = MS / LOTTERY_SLICE_MS
    for share, wanted in zip(shares("lottery"), WANTED):
        assert abs(share - wanted) <= 4 * math.sqrt(wanted * (1 - wanted) / draws), \
            (shares("lottery"), WANTED)


def edf_meets_every_deadline_at_95_percent():
    *periodic, (_rest, _late) = RESULTS["edf", "deadlines"]
    assert [count for count, _late in periodic] == [MS // period for period in (8, 10, 20, 50)], periodic
    assert all(late == 0 for _count, late in periodic), periodic


def round_robin_does_neither():
    """So the cases above can fail."""
    assert all(abs(share - 1 / 3) < 0.02 for share in shares("rr")), shares("rr")
    assert sum(late for _count, late in RESULTS["rr", "deadlines"]) > 10, RESULTS["rr", "deadlines"]


RESULTS = run_all()
run_cases([
    *((f"shares_are_within_two_hundredths_of_the_weights-{library}",
       lambda library=library: shares_are_within_two_hundredths_of_the_weights(library))
      for library in ("stride", "fair")),
    *((case.__name__, case) for case in (
        lotterys_shares_are_what_chance_allows, edf_meets_every_deadline_at_95_percent,
        round_robin_does_neither)),
])
