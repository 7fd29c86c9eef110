#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What the machine's programs say when they are asked for what cannot be, or have nowhere to print: a line that
names it, and a status that is not 0.  All in one boot, which has one CPU."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases, shell  # noqa: E402

FULL = ": standard output: No space left on device"
LIBRARIES = "there are: fifo"
SLICE = "schedctl: slice_us of rr is a number from 50 to 100000, not "
KIB = "exotrace: -s: a number of KiB from 16 to 4096, not "

# line: (status, what its first line of output begins with)
LINES = {
    "bench nosuch": (2, "bench: nosuch: no such benchmark"),
    "bench -r 2x getpid": (2, "bench: 2x: a number from 1 to 64"),
    "bench -r 1 -s 1 'getp*' | grep -c ' ns '": (0, "1"),
    "domains-demo": (1, "domains-demo: this needs two CPUs"),
    "pipeline-demo x": (2, "usage: pipeline-demo"),
    "pipeline-demo 2 >/dev/full": (1, "pipeline-demo" + FULL),
    "threads-demo 0": (2, "usage: threads-demo"),
    "threads-demo 2x": (2, "usage: threads-demo"),
    "ulimit -v 2000; threads-demo 64": (1, "threads-demo: thread "),
    "server-demo x": (2, "usage: server-demo"),
    "exotop -b -n 1 -d nan": (2, "exotop: -d: nan is out of range"),
    "exotop -b -n 1 -d 1s": (2, "exotop: -d: 1s is out of range"),
    "exotop -b -n 1x": (2, "exotop: -n: 1x is out of range"),
    "exotop -b -n 1 -d 0.1 >/dev/full": (1, "exotop" + FULL),
    "exotop --help": (0, "usage: exotop"),
    "exotrace -s junk true": (125, KIB + "junk"),
    "exotrace -s 99999 true": (125, KIB + "99999"),
    "exotrace -s 15 true": (125, KIB + "15"),
    "exotrace -o /nodir/t touch /tmp/ran; echo $?; ls /tmp/ran": (1, "exotrace: /nodir/t: No such file"),
    "exotrace true >/dev/full": (125, "exotrace" + FULL),
    "exotrace --help": (0, "usage: exotrace"),
    "schedctl --help": (0, "usage: schedctl"),
    "schedctl nosuch": (2, "usage: schedctl"),
    "schedctl list >/dev/full": (1, "schedctl" + FULL),
    "schedctl param nosuch": (1, "schedctl: there is no library named nosuch; " + LIBRARIES),
    "schedctl param fifo": (0, ""),
    "schedctl param rr slice_us '5000 6000'": (1, SLICE + "5000 6000"),
    "schedctl param 'rr slice_us' 5000 6000": (1, "schedctl: there is no number 5000 of rr slice_us"),
    "echo 'rr slice_us 5000 6000' >/proc/exo/sched-param": (1, "sh: write error: Invalid argument"),
    "schedctl param rr slice_us 5000; schedctl param rr": (0, "rr slice_us 5000 50 100000"),
    "echo ' rr  slice_us 6000 ' >/proc/exo/sched-param; schedctl param rr": (0, "rr slice_us 6000 50 100000"),
    "domainctl --help": (0, "usage: domainctl"),
    "domainctl --help >/dev/full": (125, "domainctl" + FULL),
    "domainctl nosuch": (125, "usage: domainctl"),
    "domainctl list >/dev/full": (125, "domainctl" + FULL),
    "domainctl kill 1x": (125, "domainctl: 1x: this is no number of a domain"),
    "domainctl wait -1": (125, "domainctl: -1: this is no number of a domain"),
    "domainctl resize 1 --patience x": (125, "domainctl: --patience x: a number of milliseconds"),
    "domainctl resize 1 --sched rr": (125, "domainctl: --sched: there is no such option"),
    "domainctl resize 1 --mem": (125, "domainctl: --mem: its value is missing"),
    "domainctl create --cpus 0- -- true": (125, "domainctl: --cpus 0-: numbers of CPUs"),
    "domainctl create --cpus 0, -- true": (125, "domainctl: --cpus 0,: numbers of CPUs"),
    "domainctl create --cpus 1-0 -- true": (125, "domainctl: --cpus 1-0: numbers of CPUs"),
    "domainctl create --cpus 3 -- true": (125, "domainctl: create: Invalid argument: there is no CPU 3 here"),
    "domainctl create --men 32M -- true": (125, "domainctl: --men: there is no such option"),
    "domainctl create --mem 1M -- true": (125, "domainctl: --mem 1M: a size from 4M"),
    "domainctl create --mem 32Mx -- true": (125, "domainctl: --mem 32Mx: a size from 4M"),
    "domainctl create --mem 99999999999G -- true": (125, "domainctl: --mem 99999999999G: a size from 4M"),
    "domainctl create --budget 10/0ms -- true": (125, "domainctl: --budget 10/0ms: a budget and a period"),
    "domainctl create --budget 10x/90ms -- true": (125, "domainctl: --budget 10x/90ms: a budget and a period"),
    "domainctl create --budget 1/1000ms -- true": (125, "domainctl: create: Invalid argument: a budget is more than"),
    "domainctl create --irq 24 -- true": (125, "domainctl: --irq 24: interrupt lines from 0 to 23"),
    "domainctl create --channel a/b -- true": (125, "domainctl: --channel a/b: a name of at most 23"),
    "domainctl create --passive -- true": (125, "domainctl: --passive: only with --serve"),
    "domainctl create --detach": (125, "domainctl: create: no program is named"),
}


def ran():
    """Each line's output and status."""
    mark = "; echo \"@ $?\"; "
    run = shell(1, "exec 2>&1; " + "".join(f"({line}){mark}" for line in LINES))
    parts = re.split(r"^@ (\d+)\n", run.stdout.decode(), flags=re.MULTILINE)
    assert run.returncode == 0 and len(parts) == 2 * len(LINES) + 1, run
    return zip(parts[::2], map(int, parts[1::2]))


def what_cannot_be_is_named():
    wrong = {line: found for (line, (status, begin)), found in zip(LINES.items(), ran())
             if found[1] != status or not found[0].startswith(begin)}
    assert not wrong, wrong


run_cases([(what_cannot_be_is_named.__name__, what_cannot_be_is_named)])
