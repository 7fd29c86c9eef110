#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""NMIs at any instruction: the debug build takes those of its CPUs' LINT1 pins (exo/debug/nmi.c), and QEMU's
monitor sends them, to all CPUs, at moments that nothing in the machine has to do with.  QEMU looks for
interrupts between the blocks that it has translated, so each block is made one instruction.  Meanwhile
programs look whether their registers, signals, pipes and children are what they must be, in a domain of their
own too, and whether anything is left behind.

    nmi.py [SEED [NMIS [CPUS...]]]      until each CPU has taken so many"""

import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import DEBUG_RUN, EXO_CC, TOP, run_debug_cases  # noqa: E402

SEED = int(sys.argv[1]) if sys.argv[1:] else 20261126
NMIS = int(sys.argv[2]) if sys.argv[2:] else 300
CPUS = [int(word) for word in sys.argv[3:]] or [2]
LIMIT_S = 120 + NMIS // 10
PAUSE_MAX_S = 0.004
QEMU = """#!/bin/sh
exec {qemu} "$@" -qmp unix:{socket},server=on,wait=off
"""
SHORT = ["/nmi 10000", "/tests/kill_storm {0} 3", "domainctl create --mem 16M --cpus 0 -- true"]
LONG = ["/nmi 50000", "/tests/registers", "/tests/signal", "/tests/sigreturn", "/tests/pipe", "/tests/fork",
        "/tests/kill_storm {0} 40", "domainctl create --mem 24M --cpus 0 -- /tests/pipe"]
# The first line of output says that NMIs may come, the last how many did.
LINE = """
    nmis() {{ awk '/^[0-9]/ {{ sum += $12 }} END {{ print int(sum / {cpus}) }}' /proc/exo/stats; }}
    run() {{ "$@" </dev/null >/tmp/out 2>&1 || {{ cat /tmp/out; echo failed: "$@"; exit 1; }}; }}
    echo begin
    until [ $(nmis) -ge {nmis} ]; do
        {programs}
    done
    echo NMIs $(nmis)
"""


class Monitor:
    """QEMU's, at a socket that its wrapper adds."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.lines.readline()
        self.command("qmp_capabilities")
        self.command("human-monitor-command", **{"command-line": "singlestep on"})

    def command(self, name, **arguments):
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return


def send_until(stop, path, numbers):
    """A machine that has ended answers no more; how it has ended is seen elsewhere."""
    try:
        monitor = Monitor(path)
        while not stop.wait(numbers.random() * PAUSE_MAX_S):
            monitor.command("inject-nmi")
    except (OSError, ValueError):
        pass


def line_of(seed, cpus):
    programs = "; ".join("run " + program.format(seed) for program in (LONG if sys.argv[1:] else SHORT))
    return LINE.format(programs=programs, cpus=cpus, nmis=NMIS)


def start(seed, cpus, folder):
    wrapper = os.path.join(folder, "qemu")
    with open(wrapper, "w", encoding="utf-8") as stream:
        stream.write(QEMU.format(qemu=os.environ.get("QEMU", "qemu-system-x86_64"),
                                 socket=os.path.join(folder, "monitor")))
    os.chmod(wrapper, 0o755)
    program = os.path.join(folder, "nmi")
    subprocess.run([EXO_CC, "-O2", "-o", program, os.path.join(TOP, "tests/script/nmi.c")], check=True)
    return subprocess.Popen(
        [DEBUG_RUN, "--cpus", str(cpus), "--timeout", str(LIMIT_S), "--append", "nmi=pin", "--file",
         program + ":/nmi", "--log", os.path.join(folder, "log"), "--", "sh", "-c", line_of(seed, cpus)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        env={**os.environ, "QEMU": wrapper, "ACCEL": "tcg"})


def nmis_harm_nobody(seed, cpus):
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        with start(seed, cpus, folder) as machine:
            first = machine.stdout.readline()
            sender = threading.Thread(target=send_until, args=(
                stop, os.path.join(folder, "monitor"), random.Random(seed)))
            sender.start()
            output = machine.stdout.read().decode("utf-8", "replace")
            stop.set()
            sender.join()
        with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as stream:
            log = stream.read()
    assert first == b"begin\n" and machine.returncode == 0, (machine.returncode, output[-300:],
                                                                  log[-300:])
    taken = int(re.search(r"^NMIs (\d+)$", output, re.MULTILINE).group(1))
    places = re.findall(r"^exo: (\d+ NMIs, .* at (\d+) of its instructions, .*)", log, re.MULTILINE)
    assert taken >= NMIS and places and int(places[-1][1]) > 50, (output, places)
    print(f"cpus {cpus}, seed {seed}: {taken} at each CPU; of the first", places[-1][0])


run_debug_cases([(f"nmis_harm_nobody-cpus-{cpus}", lambda cpus=cpus: nmis_harm_nobody(SEED, cpus))
                 for cpus in CPUS])
