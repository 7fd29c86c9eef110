#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""tests/run itself, on a tree with tests of ours: how it counts, and that a signal ends it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, run_cases  # noqa: E402


@contextlib.contextmanager
def tree(**scripts):
    """A tree with these tests, which find a folder in $MARKS, and its tests/run."""
    with tempfile.TemporaryDirectory() as top:
        for folder in ("guest", "unit", "explore", "fuzz", "script"):
            os.makedirs(os.path.join(top, "tests", folder))
        for name, text in scripts.items():
            path = os.path.join(top, "tests/script", name + ".sh")
            with open(path, "w", encoding="ascii") as stream:
                stream.write("#!/bin/sh\n" + text)
            os.chmod(path, 0o755)
        program = os.path.join(top, "tests/run")
        shutil.copy(os.path.join(TOP, "tests/run"), program)
        yield top, program


def results_are_counted():
    with tree(good="echo ok one\necho 'ok two # skip not here'\n", bad="echo a comment\nexit 3\n",
              worse="echo ok one\necho not ok two: why\n") as (_top, program):
        run = subprocess.run([program], capture_output=True, text=True, check=False)
        assert run.returncode == 1 and run.stdout.endswith("2 passed, 2 failed, 1 skipped\n"), run
        assert "FAIL script/bad: ended with 3 | a comment\n" in run.stdout, run
        assert "FAIL script/worse: two: why\n" in run.stdout, run


def a_signal_ends_it_and_what_runs():
    wait = "trap 'exit 1' TERM; echo $$ > $MARKS/$(basename $0).part; " \
           "mv $MARKS/$(basename $0).part $MARKS/$(basename $0); mkfifo $MARKS/$$; read x < $MARKS/$$\n"
    with tree(a=wait, b=wait, c=wait) as (top, program), tempfile.TemporaryDirectory() as marks:
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([program, "-j", "2"], env=dict(os.environ, MARKS=marks), cwd=top,
                                  stdout=subprocess.DEVNULL) as run:
                while sum(name.endswith(".sh") for name in os.listdir(marks)) < 2:
                    assert run.poll() is None
                    time.sleep(0.01)
                run.send_signal(number)
                assert run.wait(60) == 128 + number
            started = [name for name in os.listdir(marks) if name.endswith(".sh")]
            assert len(started) == 2, started
            for name in started:
                with open(os.path.join(marks, name), encoding="ascii") as stream:
                    assert not os.path.exists("/proc/" + stream.read().strip()), name
            shutil.rmtree(marks)
            os.mkdir(marks)


def no_threads_run_nothing():
    for few in ("0", "-1"):
        run = subprocess.run([os.path.join(TOP, "tests/run"), "-j", few], capture_output=True, text=True, check=False)
        assert run.returncode == 2 and "-j: at least 1" in run.stderr, run


run_cases([(case.__name__, case) for case in (
    results_are_counted, a_signal_ends_it_and_what_runs, no_threads_run_nothing)])
