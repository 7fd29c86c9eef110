#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A loader that brings an archive of cpio's own, with files that have several names, and whose data comes
with the last of them; and that has words for the libos that it can do nothing with."""

import functools
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import run_disk  # noqa: E402
from cases import run_cases  # noqa: E402

LIMIT_S = 60
WORDS = "nosched=mlfq trace=99999999"
CHECKS = """
cd /links
test one -ef two && test two -ef sub/three || exit 1
test "$(stat -c '%h %s' one) $(stat -c '%h %s' other)" = "3 10000 2 5" || exit 2
test "$(cat other)" = other && test other -ef again && ! test other -ef one || exit 3
echo more >> two && test "$(tail -c 5 one)" = more && test "$(head -c 10000 one | tr -d x)" = "" || exit 4
rm one two && test "$(stat -c '%h %s' sub/three)" = "1 10005" || exit 5
"""


def made_by_cpio():
    """Two files, of three names and of two, between others, in the order of find -depth."""
    with tempfile.TemporaryDirectory() as directory:
        top = os.path.join(directory, "links")
        os.makedirs(os.path.join(top, "sub"))
        for name, text in (("one", "x" * 10000), ("other", "other"), ("alone", "alone")):
            with open(os.path.join(top, name), "w", encoding="utf-8") as stream:
                stream.write(text)
        for name, other in (("two", "one"), ("sub/three", "one"), ("again", "other")):
            os.link(os.path.join(top, other), os.path.join(top, name))
        names = [".", "links", "links/alone", "links/other", "links/one", "links/two", "links/again",
                 "links/sub", "links/sub/three"]
        return subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=directory, check=True,
                              input="\n".join(names).encode(), stdout=subprocess.PIPE).stdout


@functools.cache
def booted():
    lines = [f"multiboot2 /boot/exo.elf console=serial panic=reset {WORDS} run",
             "module2 /boot/libos.module libos", "module2 /boot/root.cpio archive root",
             "module2 ($run)/links.cpio archive links", "module2 ($run)/run.cpio archive run",
             "boot"]
    return run_disk.boot(lines, {"links.cpio": made_by_cpio()}, "--timeout", str(LIMIT_S),
                         "sh", "-c", CHECKS)


def all_names_are_one_file():
    status, log = booted()
    assert status == 0, (status, log[-1500:])


def words_that_are_wrong_are_told_and_left():
    _, log = booted()
    assert "scheduler mlfq" not in log, log[-1500:]
    assert "trace=99999999: error 22" in log, log[-1500:]


run_cases([("all_names_are_one_file", all_names_are_one_file),
           ("words_that_are_wrong_are_told_and_left", words_that_are_wrong_are_told_and_left)])
