#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an operation costs does not grow with the tasks that are there; with mappings, as their logarithm.

scripts/bench/scaling.c in 256 MiB, in instructions, which repeat.  The bounds are on what may be needed with
thousands there: so many times the instructions with ten there, or so many more.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, TOP, exo_run, run_cases  # noqa: E402

FEW = 10


def times(factor):
    return lambda few: few * factor


def more(instructions):
    return lambda few: few + instructions


# row: how many are many, and how much may be needed then.  A wake and its answer find, put in and take out four
# times among the others whose words share a bucket: that takes the same, whatever else a wake takes.
ROWS = {"thread": (10000, times(1.15)), "wake": (5000, more(290)), "pick": (5000, times(1.1)),
        "fork": (5000, times(1.1)), "children": (1000, times(1.1)), "mmap": (10000, times(3)),
        "list": (2000, times(1.1))}
RESULT_LINE = re.compile(r"^(\w+)_(\d+) ([\d.]+) (ns|kB)$", re.MULTILINE)
THREAD_KB_MAX = 20.5  # 16 of a slot, 4 of its own stack


def measure():
    words = [word for row, (many, _) in ROWS.items() for word in (row, str(FEW), str(many))]
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "scaling")
        subprocess.run([EXO_CC, "-static", "-O2", "-s", "-o", program,
                        os.path.join(TOP, "scripts/bench/scaling.c")], check=True)
        os.environ["ACCEL"] = "icount"
        run = exo_run("--cpus", "1", "--mem", "256M", "--sched", "rr", "--timeout", "120",
                      "--file", program, "--", "/scaling", *words)
    output = run.stdout.decode()
    assert run.returncode == 0 and "# scaling done, 0 failed" in output, run
    return {(row, int(n)): float(value) for row, n, value, _ in RESULT_LINE.findall(output)}


def grows_no_more(found, row):
    many, bound = ROWS[row]
    few, then = found[row, FEW], found[row, many]
    assert then <= bound(few), f"{few:,.0f} instructions with {FEW}, {then:,.0f} with {many:,}"


def ten_thousand_fit(found):
    each = found["thread_kb", ROWS["thread"][0]]
    assert 0 < each <= THREAD_KB_MAX, f"{each} kB for each thread"


def is_debug_build():
    with open(os.path.join(BUILD, "libos/flags"), encoding="ascii") as stream:
        return "EXO_DEBUG=1" in stream.read()


def main():
    if is_debug_build():
        print("ok rows # skip costs are of the build without checks")
        return
    found = measure()
    run_cases([(row, lambda row=row: grows_no_more(found, row)) for row in ROWS] +
              [("ten_thousand_tasks_in_256_mib", lambda: ten_thousand_fit(found))])


if __name__ == "__main__":
    main()
