# SPDX-License-Identifier: MIT
"""A machine at whose console somebody types."""

import os
import pty
import re
import select
import signal
import subprocess
import time

from cases import EXO_RUN

PROMPT = rb"[#$] $"
LIMIT_S = 40


class Session:
    """A machine whose console is a pseudo-terminal of ours."""

    def __init__(self, cpus):
        self.terminal, other = pty.openpty()
        self.machine = subprocess.Popen([EXO_RUN, "--interactive", "--cpus", str(cpus)],
                                        stdin=other, stdout=other, stderr=other,
                                        start_new_session=True)
        os.close(other)
        self.seen = b""

    def expect(self, pattern):
        """Wait until what has come since the last match matches; returns it."""
        end = time.monotonic() + LIMIT_S
        while True:
            found = re.search(pattern, self.seen)
            if found:
                text, self.seen = self.seen[:found.end()], self.seen[found.end():]
                return text
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise AssertionError(f"waited for {pattern!r}, saw {self.seen[-600:]!r}")
            try:
                self.seen += os.read(self.terminal, 65536)
            except OSError as error:
                raise AssertionError(f"console closed, saw {self.seen[-600:]!r}") from error

    def type(self, text):
        os.write(self.terminal, text)

    def line(self, text, answer):
        """A command, its echo, its answer, the next prompt."""
        self.type(text + b"\r")
        self.expect(re.escape(text))
        self.expect(answer)
        self.expect(PROMPT)

    def start(self, command, prepare=b":", word=b"ready"):
        """A command that goes on, seen to run, and before it one that has ended by then.  The word
        that tells of it is not in what is echoed."""
        self.type(b"sh -c '" + prepare + b"; echo " + word[:1] + b"\"\"" + word[1:] + b"; " +
                  command + b"'\r")
        self.expect(rb"\n" + word + rb"\r+\n")

    def close(self):
        if self.machine.poll() is None:
            os.killpg(self.machine.pid, signal.SIGTERM)
        self.machine.wait(20)
        os.close(self.terminal)
