#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""All programs of tests/guest under every scheduler library that ships, at 1, 2, 4 and 8 CPUs.

Except those that choose their libraries themselves.
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


def keeps_the_library(path):
    with open(path, encoding="utf-8") as stream:
        return not CHOOSES.search(stream.read()) or name_of(path) in PUTS_IT_BACK


def name_of(path):
    return os.path.basename(path)[:-2]


PROGRAMS = sorted(name_of(path) for path in glob.glob(os.path.join(TOP, "tests/guest/*.c"))
                  if keeps_the_library(path))

run_cases([(f"suite_under_{library}-cpus-{cpus}",
            lambda library=library, cpus=cpus: run_under(library, cpus, PROGRAMS, limit=900))
           for library in LIBRARIES for cpus in CPU_COUNTS])
