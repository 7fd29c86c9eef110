#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's own busybox-static, a Linux executable not built here, through the foreign door."""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, exo_run, per_cpu_count, run_cases  # noqa: E402

FOLDER = os.path.join(BUILD, "busybox-static")
PROGRAM = os.path.join(FOLDER, "bin/busybox")


def fetch():
    if os.path.exists(PROGRAM):
        return
    os.makedirs(FOLDER, exist_ok=True)
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "busybox-static"],
                   cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)
    package = glob.glob(os.path.join(FOLDER, "busybox-static_*.deb"))[0]
    subprocess.run(["dpkg", "-x", package, FOLDER], check=True)


def foreign(cpus, line):
    """Every command of the line is the foreign program."""
    words = "for w in grep seq sort head cat wc; do ln -sf /tmp/busybox /tmp/f/$w; done"
    return exo_run("--cpus", str(cpus), "--file", f"{PROGRAM}:/tmp/busybox", "--", "sh", "-c",
                   f"mkdir /tmp/f; {words}; exec /tmp/busybox sh -c 'PATH=/tmp/f; {line}'")


def processors_are_counted(cpus):
    run = foreign(cpus, "grep -c ^processor /proc/cpuinfo")
    assert run.stdout == b"%d\n" % cpus, run


def a_pipeline_sorts(cpus):
    run = foreign(cpus, "seq 1 100000 | sort -rn | head -1 | grep 100000")
    assert run.stdout == b"100000\n", run


def the_exit_status_arrives(cpus):
    assert foreign(cpus, "exit 7").returncode == 7


fetch()
run_cases([*per_cpu_count(processors_are_counted), *per_cpu_count(a_pipeline_sorts),
           *per_cpu_count(the_exit_status_arrives)])
