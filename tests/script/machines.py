#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machines of other shapes: UEFI, 16 CPUs, little and much memory, and CPUs that lack features."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import exo_run, run_cases, shell  # noqa: E402

SORT = "seq 1 20000 | sort -rn | head -1"


def uefi_boots():
    os.environ["UEFI"] = "1"
    try:
        run = shell(2, SORT)
    finally:
        del os.environ["UEFI"]
    assert run.stdout == b"20000\n" and run.returncode == 0, run


def sixteen_cpus_work():
    run = shell(16, f"grep -c ^processor /proc/cpuinfo; {SORT}")
    assert run.stdout == b"16\n20000\n" and run.returncode == 0, run


def little_memory_is_enough():
    run = exo_run("--mem", "64M", "--cpus", "2", "--", "sh", "-c", SORT)
    assert run.stdout == b"20000\n", run


def memory_above_4_gib_is_used():
    run = exo_run("--mem", "6G", "--cpus", "2", "--", "sh", "-c",
                  "grep MemTotal /proc/meminfo")
    kib = int(run.stdout.split()[1])
    assert kib > 5 << 20, run


# What the kernel does without where it is not there.
SPARED = "avx", "smap", "smep", "umip", "pdpe1gb", "xsaveopt"


def a_processor_with_less_is_enough():
    qemu = os.environ.get("QEMU", "qemu-system-x86_64")
    with tempfile.NamedTemporaryFile("w", prefix="qemu-", delete=False) as stream:
        # Of two -cpu the later one counts.
        print(f'#!/bin/sh\nexec {qemu} "$@" -cpu max,-{",-".join(SPARED)}', file=stream)
    try:
        os.chmod(stream.name, 0o755)
        run = shell(2, f"grep -c -E ' ({'|'.join(SPARED)}) ' /proc/cpuinfo; {SORT}; /tests/registers",
                    environment={"QEMU": stream.name})
    finally:
        os.unlink(stream.name)
    lines = run.stdout.decode().splitlines()
    assert lines[:2] == ["0", "20000"] and run.returncode == 0, run
    assert len(lines) > 5 and all(line.startswith("ok ") for line in lines[2:]), run


run_cases([(case.__name__, case) for case in (
    uefi_boots, sixteen_cpus_work, little_memory_is_enough, memory_above_4_gib_is_used,
    a_processor_with_less_is_enough)])
