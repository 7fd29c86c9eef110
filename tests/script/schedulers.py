#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the suite shows of the system holds under every scheduler library that ships.

At 4 CPUs those programs that depend on scheduling most; tests/script/schedulers_all.py runs more of
them, at 1, 2, 4 and 8 CPUs (make stress).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from each_scheduler import LIBRARIES, run_under  # noqa: E402

PROGRAMS = ("sched", "futex", "pipe", "wait", "threads", "signal", "donation")

run_cases([(f"suite_under_{library}", lambda library=library: run_under(library, 4, PROGRAMS))
           for library in LIBRARIES])
