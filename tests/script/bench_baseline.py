#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No row of the benchmark takes over 3% more instructions than tests/bench-baseline says.

One CPU whose clock counts instructions: a run repeats itself whatever else the host does.
With --lower, numbers that have fallen are written into the file.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, TOP, exo_run, run_cases  # noqa: E402

BASELINE = os.path.join(TOP, "tests/bench-baseline")
MORE_ALLOWED = 1.03
REPETITIONS, SCALE = 3, 20
# 'name value unit': a time counts instructions, and MiB/s are MiB in 10^9 of them.
RESULT_LINE = re.compile(r"^(\w+) ([\d.]+) (ns|MiB/s) ", re.MULTILINE)


def read_baseline():
    with open(BASELINE, encoding="ascii") as stream:
        return {name: int(instructions) for name, instructions in
                (line.split() for line in stream if line.strip() and not line.startswith("#"))}


def measure(rows):
    with tempfile.TemporaryDirectory() as folder:
        true = os.path.join(folder, "bench-true")
        subprocess.run([EXO_CC, "-static", "-O2", "-s", "-o", true,
                        os.path.join(TOP, "scripts/bench/true.c")], check=True)
        os.environ["ACCEL"] = "icount"
        run = exo_run("--cpus", "1", "--mem", "1G", "--sched", "rr", "--file", true,
                      "--env", "BENCH_TRUE=/bench-true", "--", "bench", "-n", "-r", str(REPETITIONS),
                      "-s", str(SCALE), *rows)
    output = run.stdout.decode()
    assert run.returncode == 0 and "# bench done" in output, run
    return {name: float(value) if unit == "ns" else 1e9 / float(value)
            for name, value, unit in RESULT_LINE.findall(output)}


def within(found, allowed):
    assert found is not None, "was not measured"
    assert found <= allowed * MORE_ALLOWED, \
        f"{found:,.0f} instructions, {found / allowed - 1:.1%} more than {allowed:,}"


def lower(baseline, found):
    def line_of(line):
        name = line.split(maxsplit=1)[0]
        return f"{name:<20}{round(found[name])}\n" if round(found[name]) < baseline[name] else line

    with open(BASELINE, encoding="ascii") as stream:
        lines = [line if line.startswith("#") else line_of(line) for line in stream]
    with open(BASELINE, "w", encoding="ascii") as stream:
        stream.writelines(lines)


def is_debug_build():
    with open(os.path.join(BUILD, "libos/flags"), encoding="ascii") as stream:
        return "EXO_DEBUG=1" in stream.read()


def main():
    if is_debug_build():
        print("ok rows # skip the baseline is of the build without checks")
        return
    baseline = read_baseline()
    found = measure(baseline)
    if sys.argv[1:] == ["--lower"]:
        lower(baseline, found)
        return
    run_cases([(name, lambda name=name: within(found.get(name), baseline[name])) for name in baseline])


if __name__ == "__main__":
    main()
