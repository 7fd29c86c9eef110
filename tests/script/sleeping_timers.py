#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A process that sleeps, with timers on the CPU time that it does not use, takes next to none from the others:
what its CPU is interrupted for, by a clock that counts instructions."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, exo_run, run_cases  # noqa: E402

SLEEPERS, SECONDS = 20, 2
LOOKS_A_SECOND_MAX = 10  # of one timer

SLEEPER = """
#include <sys/time.h>
#include <unistd.h>
int main(void)
{
	struct itimerval soon = { .it_value = { 0, 5000 } };
	setitimer(ITIMER_VIRTUAL, &soon, 0);
	setitimer(ITIMER_PROF, &soon, 0);
	pause();
	return 0;
}
"""

LINE = f"""
interrupts() {{ awk '$1 == "cpu" {{ for (i = 1; i <= NF; i++) if ($i == "interrupts") at = i }}
	$1 == "0" {{ print $at; exit }}' /proc/exo/stats; }}
measure() {{ before=$(interrupts); sleep {SECONDS}; echo "$1 $(($(interrupts) - before))"; }}
measure nobody
for i in $(seq {SLEEPERS}); do /sleeper & done
measure sleepers
kill %1 %2 %3
"""


def who_sleeps_is_looked_at_seldom():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "sleeper")
        subprocess.run([EXO_CC, "-x", "c", "-o", program, "-"], input=SLEEPER.encode(), check=True)
        run = exo_run("--cpus", "1", "--file", program + ":/sleeper", "--", "sh", "-c", LINE,
                      environment={"ACCEL": "icount"})
    counts = dict(re.findall(r"^(\w+) (\d+)$", run.stdout.decode(), re.MULTILINE))
    looks = int(counts["sleepers"]) - int(counts["nobody"])
    assert looks <= 2 * SLEEPERS * SECONDS * LOOKS_A_SECOND_MAX, (looks, run)


run_cases([("who_sleeps_is_looked_at_seldom", who_sleeps_is_looked_at_seldom)])
