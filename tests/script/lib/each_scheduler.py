# SPDX-License-Identifier: MIT
"""The in-guest suite under a scheduler library of one's choice."""

import glob
import os
import re
import tempfile

from cases import TOP, exo_run

LIBRARIES = sorted(os.path.basename(path)[:-2]
                   for path in glob.glob(os.path.join(TOP, "libos/schedulers/*.c")))

# As tests/run does, with more time: what takes turns takes as long as its slices, 32 ms in mlfq; and whether the
# library is still in force at the end.
LINE = "echo '@@ {0}'; timeout 300 /tests/{0} </dev/null 2>&1; echo '@@ {0}' $?; "
END = "echo '@@ in force:'; cat /proc/exo/sched"


def run_under(library, cpus, programs, limit=240):
    """All cases pass, and the library has not been ejected."""
    with tempfile.NamedTemporaryFile() as log:
        run = exo_run("--cpus", str(cpus), "--sched", library, "--log", log.name, "--", "sh", "-c",
                      "".join(LINE.format(program) for program in programs) + END, limit=limit)
        messages = log.read().decode("utf-8", "replace")
    output = run.stdout.decode("utf-8", "replace")
    failed = [line for line in output.splitlines() if line.startswith("not ok")]
    assert not failed, (failed, output[-300:], messages[-6000:])
    ended = dict(re.findall(r"^@@ (\w+) (\d+)$", output, re.MULTILINE))
    wrong = {program: ended.get(program) for program in programs if ended.get(program) != "0"}
    assert not wrong, (wrong, output[-200:], run.returncode, messages[-6000:])
    assert f"[{library}]" in output.partition("@@ in force:")[2], (output[-200:], messages[-400:])
    # A program may bring a library of its own that is ejected, but not this one.
    assert f"scheduler {library} is ejected" not in messages, messages[-500:]
