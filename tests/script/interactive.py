#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A session at the console, on a pseudo-terminal: what a person types, and what comes back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from console import PROMPT, Session  # noqa: E402


def session(cpus):
    s = Session(cpus)
    try:
        s.expect(PROMPT)
        s.line(b"seq 1 1000 | sort -rn | head -1", rb"1000\r+\n")
        # The shell redraws what is erased, so only the answer tells.
        s.type(b"echo abx\x7fc\r")
        s.expect(rb"\nabc\r+\n")
        s.expect(PROMPT)
        # A background job, and its end.
        s.line(b"sleep 1 & wait; echo waited", rb"waited\r+\n")
        # ^C ends a loop that never calls the system.
        s.start(b"while :; do :; done")
        s.type(b"\x03")
        s.expect(PROMPT)
        s.line(b"echo $?", rb"130\r+\n")
        # ^Z stops a job, fg goes on with it, ^C ends it.
        s.start(b"while :; do sleep 1; done", prepare=b"trap \"echo goes on\" CONT")
        s.type(b"\x1a")
        s.expect(rb"Stopped")
        s.expect(PROMPT)
        s.type(b"fg\r")
        s.expect(rb"\ngoes on\r+\n")
        s.type(b"\x03")
        s.expect(PROMPT)
        s.line(b"echo $?", rb"130\r+\n")
        # A whole pipeline stops, goes on in the background, and is ended by its number.
        s.start(b"sleep 1000 | cat")
        s.type(b"\x1a")
        s.expect(rb"Stopped")
        s.expect(PROMPT)
        s.type(b"bg\r")
        s.expect(PROMPT)
        s.line(b"jobs", rb"\[1\]\S* +Running +sh -c")
        s.line(b"kill %1; wait; jobs; echo no jobs", rb"\nno jobs\r+\n")
        # ^\ ends with SIGQUIT, when the program is there: a shell ignores it until its exec.
        s.start(b"exec cat")
        s.type(b"typed\r")
        s.expect(rb"typed\r+\ntyped\r+\n")
        s.type(b"\x1c")
        s.expect(PROMPT)
        s.line(b"echo $?", rb"131\r+\n")
        # An editor has the keys to itself, and gives the terminal back as it was.
        s.type(b"vi /tmp/text\r")
        s.expect(rb"- /tmp/text 1/1")
        s.type(b"itwo words\x1b")
        s.expect(rb"- /tmp/text \[[Mm]odified\]")
        s.type(b":wq\r")
        s.expect(PROMPT)
        s.line(b"cat /tmp/text", rb"\ntwo words\r+\n")
        # ^D at an empty line is the end of input for cat.
        # By its word the terminal echoes again, which it does not while the shell edits a line.
        s.start(b"exec cat")
        s.type(b"typed\r")
        s.expect(rb"typed\r+\ntyped\r+\n")
        s.type(b"\x04")
        s.expect(PROMPT)
        # What is typed after too much was thrown away is read.
        s.type(b"/tests/tty much; r=$?; stty sane; echo came to $r\r")
        s.expect(rb"type now")
        s.type(b"x" * 9000)
        s.expect(rb"thrown away")
        s.type(b"!")
        s.expect(rb"came to 0\r+\n")
        s.expect(PROMPT)
        # A long line comes to one of two readers, as a whole.
        s.type(b"/tests/tty lines; r=$?; stty sane; echo came to $r\r")
        for _ in range(20):
            s.expect(rb"type now")
            s.type((b"y" * 600 + b"\r") * 13)
        s.expect(rb"came to 0\r+\n")
        s.expect(PROMPT)
        # Of two readers of bytes one has it all, and the other waits for more.
        s.type(b"/tests/tty byte; r=$?; stty sane; echo came to $r\r")
        for _ in range(2):
            s.expect(rb"type now")
            s.type(b"z")
        s.expect(rb"came to 0\r+\n")
        s.expect(PROMPT)
        s.line(b"stty size", rb"\d+ \d+\r+\n")
        # When the shell ends there is another.
        s.type(b"old=$$; exit\r")
        s.expect(PROMPT)
        s.line(b"echo \"<$old>\"", rb"\n<>\r+\n")
        s.type(b"poweroff\r")
        s.machine.wait(30)
    finally:
        s.close()


run_cases([(f"a_session_at_the_console-cpus-{cpus}", lambda cpus=cpus: session(cpus))
           for cpus in (1, 4)])
