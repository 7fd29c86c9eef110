#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Each test that docs/cpu-time.md names beside one of seL4's is there, and is run; each of seL4's is named."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, run_cases  # noqa: E402

SUITES = ("kernel_budget", "kernel_vcores", "kernel_servers", "kernel_revoke")
RANGES = {"SCHED_CONTEXT_": (1, 14), "TIMEOUTFAULT_": (1, 3), "IPC": (11, 28), "MULTICORE_": (1, 5),
          "SCHED": (11, 22)}


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as stream:
        return stream.read()


def rows():
    """(theirs, ours) of each row."""
    table = read("docs/cpu-time.md").partition("| seL4 |")[2].partition("\n\n")[0]
    return [(cells[1].strip(), cells[3].strip())
            for cells in (line.split("|") for line in table.splitlines()[2:])]


def run_by_suites():
    """Functions that a suite runs by name, and the cells of the table."""
    names = set()
    for suite in SUITES:
        for path in glob.glob(os.path.join(TOP, "tests", suite, "*.c")):
            names.update(re.findall(r"\bRUN\w*\((\w+)\)", read(path)))
    cells = read("tests/kernel_budget/cells.c")
    entries, outcomes = (re.findall(r'"(\w+)"', re.search(name + r"\[\w+\] = {(.*?)}", cells, re.DOTALL)[1])
                         for name in ("entry_names", "outcome_names"))
    return names | {f"{entry}_{outcome}" for entry in entries for outcome in outcomes}


def numbers(theirs):
    """The tests that a cell names: `A_0001, 0002 to 0004`."""
    prefix, found = "", []
    for to, name, number in re.findall(r"(to )?\b([A-Z_]*?)(\d{4})\b", theirs):
        prefix = name or prefix
        first = found[-1][1] + 1 if to else int(number)
        found += [(prefix, n) for n in range(first, int(number) + 1)]
    return found


def each_of_ours_is_run():
    known = run_by_suites()
    missing = []
    for theirs, ours in rows():
        named = re.findall(r"`([^`]+)`", ours)
        assert named or ours.startswith("none: "), theirs
        missing += [name for name in named
                    if not (os.path.exists(os.path.join(TOP, name)) if "/" in name else name in known)]
    assert not missing, missing


def each_of_theirs_is_named():
    named = {test for theirs, _ours in rows() for test in numbers(theirs)}
    wanted = {(prefix, n) for prefix, (first, last) in RANGES.items() for n in range(first, last + 1)}
    assert wanted <= named, sorted(wanted - named)


run_cases([(case.__name__, case) for case in (each_of_ours_is_run, each_of_theirs_is_named)])
