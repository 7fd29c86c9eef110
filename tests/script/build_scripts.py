#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""The scripts that the build calls, when they are called wrongly, and when apt-get has no luck."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, run_cases  # noqa: E402

# Stands in for the tools of the distribution; FAILS names what fails.
APT_GET = """#!/bin/sh
for word; do
	case $word in update|source) verb=$word ;; esac
	package=$word
done
echo $verb >>"$CALLS"
case " $FAILS " in *" $verb "*) exit 100 ;; esac
[ $verb = update ] || : >"${package}_1.dsc"
"""
DPKG_SOURCE = """#!/bin/sh
for directory; do :; done
mkdir "$directory"
"""


def usage_is_told():
    for script in ("check-scheduler", "mkiso", "mkmodule", "gdb/session", "fetch-source", "deps"):
        for arguments in (["--help"], ["typo"]):
            run = subprocess.run([os.path.join(TOP, "scripts", script), *arguments], cwd=TOP, capture_output=True,
                                 text=True, check=False)
            assert run.returncode == 2 and run.stderr.startswith("usage: "), (script, run)


def files_of_gdb_need_a_command():
    run = subprocess.run([os.path.join(TOP, "scripts/gdb/session"), "/nowhere", "1", "64M", "a file"],
                         env=dict(os.environ, APP=""), capture_output=True, text=True, check=False)
    assert run.returncode == 2 and "(a file) only with a command, APP" in run.stderr, run


def lists_that_were_not_fetched_are_fetched_again():
    with tempfile.TemporaryDirectory() as folder:
        calls = os.path.join(folder, "calls")
        for name, text in (("apt-get", APT_GET), ("dpkg-source", DPKG_SOURCE)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as stream:
                stream.write(text)
            os.chmod(os.path.join(folder, name), 0o755)

        def fetched(package, fails):
            with open(calls, "w", encoding="ascii"):
                pass
            run = subprocess.run([os.path.join(TOP, "scripts/fetch-source"), package, os.path.join(folder, "to")],
                                 env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"], CALLS=calls,
                                          FAILS=fails), capture_output=True, check=False)
            with open(calls, encoding="ascii") as stream:
                return run.returncode == 0, stream.read().split()

        assert fetched("one", "update source") == (False, ["update", "source"])
        # One list of many may be what failed: the source is there all the same.
        assert fetched("one", "update") == (True, ["update", "source"])
        assert fetched("two", "") == (True, ["source"])
        assert os.path.isdir(os.path.join(folder, "to/two"))


run_cases([(case.__name__, case) for case in (
    usage_is_told, files_of_gdb_need_a_command, lists_that_were_not_fetched_are_fetched_again)])
