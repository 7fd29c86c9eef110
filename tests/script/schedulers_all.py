#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: stress
"""All programs of tests/guest under every scheduler library that ships, at 1, 2, 4 and 8 CPUs."""

import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import CPU_COUNTS, TOP, run_cases  # noqa: E402
from each_scheduler import LIBRARIES, run_under  # noqa: E402

PROGRAMS = sorted(os.path.basename(path)[:-2] for path in glob.glob(os.path.join(TOP, "tests/guest/*.c")))

run_cases([(f"suite_under_{library}-cpus-{cpus}",
            lambda library=library, cpus=cpus: run_under(library, cpus, PROGRAMS, limit=900))
           for library in LIBRARIES for cpus in CPU_COUNTS])
