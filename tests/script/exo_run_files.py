#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What exo-run brings into a real machine: files, and words for the kernel; and what is said of a program that is
there and cannot be started."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import exo_run, run_cases  # noqa: E402


def brought(*pairs):
    return [word for host, guest in pairs for word in ("--file", f"{host}:{guest}")]


def directories_that_are_there_keep_their_modes():
    """And GRUB, whose script they are in, leaves the words as they are."""
    words = "a;b $root x|y &z {w} #c <d> é*"
    files = brought(*((__file__, place + "/zz") for place in ("/tmp", "/root", "/new/deep")))
    run = exo_run(*files, "--append", words, "--", "sh", "-c", "stat -c %a /tmp /root /new /new/deep; "
                  "cat /tmp/zz /root/zz /new/deep/zz | wc -c; sed 's/.* run //' /proc/cmdline; exit 5")
    size = 3 * os.path.getsize(__file__)
    assert run.stdout.decode().splitlines() == ["1777", "700", "755", "755", str(size), words], run
    assert run.returncode == 5 and run.stderr == b"", run


def a_file_in_a_directorys_place_is_told():
    run = exo_run(*brought((__file__, "/tmp")), "true")
    assert run.returncode == 125, run
    assert run.stderr == b"exo-run: --file: /tmp cannot be put into the machine: it has a directory there\n", run


def what_starts_a_program_is_told_to_be_missing():
    with tempfile.TemporaryDirectory() as folder:
        linked, script = (os.path.join(folder, name) for name in ("linked", "script"))
        subprocess.run(["gcc", "-x", "c", "-o", linked, "-"], input=b"int main(void) { return 0; }", check=True)
        with open(script, "w", encoding="ascii") as stream:
            stream.write("#!/bin/no-such\n")
        os.chmod(script, 0o755)
        run = exo_run(*brought((linked, "/linked")), "/linked")
        assert run.returncode == 127 and b"its dynamic linker is not in the machine" in run.stderr, run
        run = exo_run(*brought((script, "/bin/script")), "script")
        assert run.returncode == 127 and b"the interpreter that its first line names is not" in run.stderr, run


run_cases([(case.__name__, case) for case in (
    directories_that_are_there_keep_their_modes, a_file_in_a_directorys_place_is_told,
    what_starts_a_program_is_told_to_be_missing)])
