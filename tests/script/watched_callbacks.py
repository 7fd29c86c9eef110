#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When a callback counts as one that loops, where time is counted in instructions: one that does is given up
within a second, even where nothing else happens (it takes 0.4 s; without the guard's own timer, 5 s), and three
in a row that are only slow are not."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import exo_run, run_cases  # noqa: E402

# Two tasks take turns; the next 12 callbacks are slow, as three are in a row where one makes way for the other.
TAKE_TURNS = """
take_turns() { i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; }
forced() { awk '{ for (i = 1; i <= NF; i++) if ($i == "overruns") at = i } NR == 2 { print $at }' /proc/exo/cpus; }
echo /tests/slow.so > /proc/exo/sched-load && echo slow > /proc/exo/sched || exit 1
echo 'slow take_ms 130' > /proc/exo/sched-param
before=$(forced)
take_turns &
echo 'slow left 12' > /proc/exo/sched-param
take_turns
wait
echo "forced $(($(forced) - before))"
grep '^slow left' /proc/exo/sched-param
cat /proc/exo/sched
"""


def loops_are_noticed_in_time(cpus):
    run = exo_run("--cpus", str(cpus), "--env", "NOTICED_MS=1000", "--", "/tests/safety_quiet",
                  environment={"ACCEL": "icount"})
    lines = [line for line in run.stdout.decode().splitlines() if not line.startswith("#")]
    assert run.returncode == 0 and len(lines) == 2, run
    assert all(line.startswith("ok ") for line in lines), run


def callbacks_that_are_only_slow_together_are_kept():
    """Each takes more than the time that an event may be pending for, and less than twice that."""
    run = exo_run("--cpus", "1", "--", "sh", "-c", TAKE_TURNS, environment={"ACCEL": "icount"})
    said = run.stdout.decode()
    forced = re.search(r"^forced (\d+)$", said, re.MULTILINE)
    assert forced and int(forced.group(1)) >= 2, said
    assert re.search(r"^slow left 0\b", said, re.MULTILINE), said
    assert "[slow]" in said, said


run_cases([(f"loops_are_noticed_in_time-cpus-{cpus}", lambda cpus=cpus: loops_are_noticed_in_time(cpus))
           for cpus in (1, 2)] +
          [("callbacks_that_are_only_slow_together_are_kept", callbacks_that_are_only_slow_together_are_kept)])
