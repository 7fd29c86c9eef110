#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small machines at the end of their memory: the shell survives, and all is usable afterwards."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import exo_run, run_cases, shell  # noqa: E402


def lines_of(run):
    assert run.returncode == 0, (run.returncode, run.stdout[-500:], run.stderr[-500:])
    return run.stdout.decode().split("\n")


def each_resource_ends_and_comes_back():
    """tests/guest/exhaustion.c where there is little: its own cases tell what went wrong."""
    run = exo_run("--cpus", "2", "--mem", "48M", "--", "/tests/exhaustion")
    assert run.returncode == 0, run.stdout.decode()[-1500:]


def tmp_fills_and_is_usable_again():
    """dd says what it was told, the files are whole, and all of the space comes back."""
    lines = lines_of(shell(2, """
        df / | tail -1 | awk '{ print "before", $4 }'
        told=$(dd if=/dev/zero of=/tmp/full bs=64k 2>&1) || echo dd failed
        echo "$told" | grep -c 'No space left'
        echo word > /tmp/more 2>/dev/null && cat /tmp/more
        rm -f /tmp/full /tmp/more
        df / | tail -1 | awk '{ print "after", $4 }'
        dd if=/dev/zero of=/tmp/again bs=64k count=64 2>/dev/null && wc -c < /tmp/again
        rm /tmp/again
    """, "--mem", "64M"))
    before = int(re.search(r"before (\d+)", "\n".join(lines)).group(1))
    after = int(re.search(r"after (\d+)", "\n".join(lines)).group(1))
    assert "dd failed" in lines and "1" in lines and str(64 * 65536) in lines, lines
    assert abs(before - after) <= 64, lines


def a_shell_fork_bomb_under_ulimit_leaves_the_machine_usable():
    """The bomb is the shell's own; what it may start is counted."""
    lines = lines_of(shell(4, """
        (ulimit -u 40; bomb() { bomb | bomb & }; bomb; wait) >/dev/null 2>&1 &
        sleep 1
        echo alive
        bombs=$!
        for i in 1 2 3 4 5 6 7 8 9 10; do
            for pid in $(ls /proc | grep '^[0-9]*$'); do
                [ $pid -gt $$ ] && kill -9 $pid 2>/dev/null
            done
        done
        wait
        seq 1 1000 | sort -n | tail -1
    """, "--mem", "64M"))
    assert "alive" in lines and "1000" in lines, lines


def the_log_names_who_ran_out_of_memory():
    log = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"end-of-resources-{os.getpid()}.log")
    try:
        lines = lines_of(shell(2, """
            awk 'BEGIN { x = "0123456789abcdef"; while (1) x = x x }'
            echo status $?
            free | awk '/^Mem/ { print "total", $2, "free", $4 }'
        """, "--mem", "48M", "--log", log))
        with open(log, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    finally:
        os.unlink(log)
    status = int(re.search(r"status (\d+)", "\n".join(lines)).group(1))
    assert status != 0, lines
    # An mmap that was refused is awk's to tell of; a page that is missing is ours.
    assert status != 137 or re.search(r"out of memory: awk \(pid \d+\)", text), text[-800:]
    total, free = map(int, re.search(r"total (\d+) free (\d+)", "\n".join(lines)).groups())
    assert free > total // 2, lines


run_cases([(case.__name__, case) for case in (
    each_resource_ends_and_comes_back, tmp_fills_and_is_usable_again,
    a_shell_fork_bomb_under_ulimit_leaves_the_machine_usable,
    the_log_names_who_ran_out_of_memory)])
