#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""All programs of tests/guest under every scheduler library that ships, at 1, 2, 4 and 8 CPUs.

Except those that choose their libraries themselves, and what asks a library for more than it is for.
"""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import CPU_COUNTS, TOP, run_cases  # noqa: E402
from each_scheduler import LIBRARIES, run_under  # noqa: E402

CHOOSES = re.compile(r'"/proc/exo/sched"|"safety_net.h"|"scheduler_files.h"')
PUTS_IT_BACK = {"sched"}
# What is for a library to say, and these say otherwise: equals lend each other no slices, so that turns take
# minutes; nobody who has a CPU is moved to even things out.
NOT_UNDER = {
    "mutex_turns": {"central", "edf", "prio"},
    "balance": {"central", "edf", "forkjoin", "prio"},
}


def keeps_the_library(path):
    with open(path, encoding="utf-8") as stream:
        return not CHOOSES.search(stream.read()) or name_of(path) in PUTS_IT_BACK


def name_of(path):
    return os.path.basename(path)[:-2]


PROGRAMS = sorted(name_of(path) for path in glob.glob(os.path.join(TOP, "tests/guest/*.c"))
                  if keeps_the_library(path))


def programs_for(library):
    return [program for program in PROGRAMS if library not in NOT_UNDER.get(program, ())]


run_cases([(f"suite_under_{library}-cpus-{cpus}",
            lambda library=library, cpus=cpus: run_under(library, cpus, programs_for(library), limit=900))
           for library in LIBRARIES for cpus in CPU_COUNTS])
