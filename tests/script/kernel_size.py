#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""The kernel stays small, and what counts its lines counts code: scripts/kernel-size."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, run_cases  # noqa: E402

C_SOURCE = """/* one comment */
#include "kernel.h"

/*
 * another
 */
int answer(void) // a third
{
\treturn 42; /* a fourth */
}
"""
C_LINES = 5     # the directive, and the function's four
ASSEMBLY_SOURCE = """; a comment
section .text

\tret ; and another
"""
ASSEMBLY_LINES = 2


def count(*arguments):
    return subprocess.run([os.path.join(TOP, "scripts/kernel-size"), *arguments], check=False,
                          text=True, stdout=subprocess.PIPE)


def the_kernel_is_within_its_limit():
    run = count()
    lines = int(run.stdout.split()[0])
    assert run.returncode == 0 and lines > 0, run.stdout
    assert count("--limit", str(lines)).returncode == 0
    assert count("--limit", str(lines - 1)).returncode == 1


def comments_and_blank_lines_do_not_count():
    with tempfile.TemporaryDirectory() as directory:
        for name, text, lines in (("a.c", C_SOURCE, C_LINES), ("b.asm", ASSEMBLY_SOURCE, ASSEMBLY_LINES)):
            path = os.path.join(directory, name)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            run = count(path)
            assert run.stdout.split()[0] == str(lines), (name, run.stdout)


run_cases([(case.__name__, case) for case in (the_kernel_is_within_its_limit,
                                              comments_and_blank_lines_do_not_count)])
