#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The VGA console and the PS/2 keyboard: GRUB's menu, a shell and an editor on the screen.

The screen is read from the text buffer through QEMU's monitor, and keys are pressed there.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, run_cases  # noqa: E402

LIMIT_S = 60
KEYS = {" ": "spc", "\n": "ret", "/": "slash", "-": "minus", "|": "shift-backslash", ".": "dot",
        ":": "shift-semicolon", "!": "shift-1", "$": "shift-4"}


class Screen:
    """A machine with a screen that we read and a keyboard that we press."""

    def __init__(self, folder):
        path = os.path.join(folder, "monitor")
        self.machine = subprocess.Popen(
            [os.environ.get("QEMU", "qemu-system-x86_64"), "-accel", "tcg,thread=multi",
             "-cpu", "max", "-nodefaults", "-no-reboot", "-smp", "2", "-m", "256M",
             "-cdrom", os.path.join(BUILD, "exo.iso"), "-vga", "std", "-display", "none",
             "-serial", "null", "-monitor", f"unix:{path},server=on,wait=off"])
        end = time.monotonic() + LIMIT_S
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.settimeout(LIMIT_S)
        while True:
            try:
                self.monitor.connect(path)
                break
            except OSError:
                assert time.monotonic() < end, "QEMU does not start"
                time.sleep(0.05)
        self.answer()

    def answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            part = self.monitor.recv(65536)
            assert part, "QEMU has ended"
            text += part
        return text.decode(errors="replace")

    def command(self, line):
        self.monitor.sendall(line.encode() + b"\n")
        return self.answer()

    def text(self):
        """80 columns by 25 rows of character and attribute."""
        words = re.findall(r"0x([0-9a-f]{4})\b", self.command("xp /2000hx 0xb8000"))
        # The monitor echoes the command in pieces that look like words too: ours are the last.
        characters = [chr(int(word, 16) & 0xff) for word in words[-2000:]]
        rows = ["".join(characters[i:i + 80]).rstrip() for i in range(0, len(characters), 80)]
        return "\n".join(rows)

    def wait_for(self, pattern):
        end = time.monotonic() + LIMIT_S
        while True:
            text = self.text()
            if re.search(pattern, text, re.MULTILINE):
                return text
            assert time.monotonic() < end, f"waited for {pattern!r}, the screen says {text!r}"
            time.sleep(0.2)

    def press(self, *keys):
        for key in keys:
            self.command(f"sendkey {key} 20")
            time.sleep(0.05)

    def type(self, text):
        self.press(*(KEYS.get(c) or (f"shift-{c.lower()}" if c.isupper() else c) for c in text))

    def close(self):
        self.machine.terminate()
        self.machine.wait(20)


def default_scheduler():
    with open(os.path.join(BUILD, "libos/default-sched"), encoding="ascii") as stream:
        return stream.read().strip()


def a_shell_and_an_editor_on_the_screen():
    with tempfile.TemporaryDirectory() as folder:
        screen = Screen(folder)
        try:
            screen.wait_for(r"VGA console")
            screen.press("down", "ret")
            screen.wait_for(r"^~ #$")
            # The menu begins with the scheduler that the image was built with.
            screen.type("cat /proc/exo/sched\n")
            screen.wait_for(rf"\[{default_scheduler()}\]")
            screen.type("echo Up | tr U u | cat - /etc/hostname\n")
            screen.wait_for(r"^up$")
            # Scrolling: the last lines stay, the first are gone.
            screen.type("seq 1 100\n")
            text = screen.wait_for(r"^100\n~ #$")
            assert "\n99\n" in text and "\n50\n" not in text, text
            # An editor uses the cursor and the whole screen.
            screen.type("vi /etc/passwd\n")
            text = screen.wait_for(r"/etc/passwd 1/\d+")
            assert text.startswith("root:") and "\n~\n" in text, text
            screen.type(":q!\n")
            # Control keys: ^C ends a loop.
            screen.type("clear\n")
            screen.wait_for(r"\A~ #\s*\Z")
            screen.type("sleep 1000\n")
            screen.wait_for(r"sleep 1000")
            screen.press("ctrl-c")
            screen.wait_for(r"sleep 1000\n(\^C)?\n?~ #$")
            screen.type("poweroff\n")
            screen.machine.wait(30)
        finally:
            screen.close()


run_cases([(case.__name__, case) for case in (a_shell_and_an_editor_on_the_screen,)])
