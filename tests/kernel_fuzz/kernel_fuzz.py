#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random exo calls from a domain in place of the libos (kernel_fuzz.c): the kernel stands.

The domain may end the machine, or itself; then the CPUs idle or run ring 3.  A panic, a CPU that
spins in the kernel and a triple fault are what must not be.
SEEDS=first:count and CALLS=n in the environment say which and how many.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../script/lib"))
from cases import BUILD, TOP, run_cases  # noqa: E402

FIRST, COUNT = (int(word) for word in os.environ.get("SEEDS", "1:3").split(":"))
CALLS = int(os.environ.get("CALLS", "30000"))
QUIET_S = 30        # without any end, and more for the calls: then the CPUs are looked at
LOOKS = 50
OWN_END = r"PANIC on CPU \d+: there is nothing left to run"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def build(work):
    iso = os.path.join(work, "iso/boot/grub")
    os.makedirs(iso)
    run(f"{TOP}/tests/kernel_harness/bare-module", f"{work}/iso/boot/libos.module",
        f"{TOP}/tests/kernel_calls/entry.asm", f"{HERE}/kernel_fuzz.c")
    run("cp", f"{BUILD}/exo.elf", f"{HERE}/kernel_fuzz.c", f"{work}/iso/boot")


def make_iso(work, seed):
    with open(f"{work}/iso/boot/grub/grub.cfg", "w", encoding="utf-8") as stream:
        stream.write(f"set timeout=0\nmultiboot2 /boot/exo.elf console=serial panic=reset "
                     f"seed={seed} calls={CALLS}\nmodule2 /boot/libos.module libos\n"
                     "module2 /boot/kernel_fuzz.c archive root\nboot\n")
    run("grub-mkrescue", "-o", f"{work}/{seed}.iso", f"{work}/iso")


def ask(path, command):
    """One command to QEMU's monitor."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(10)
        monitor.connect(path)
        answer = b""
        monitor.sendall(command.encode() + b"\n")
        while answer.count(b"(qemu)") < 2:
            part = monitor.recv(65536)
            if not part:
                raise ConnectionResetError("the machine has ended")
            answer += part
    return answer.decode("utf-8", "replace")


def cpus_that_stay_in_the_kernel(path, cpus):
    """Those never seen to be halted or in ring 3, and where they were."""
    stuck = {number: [] for number in range(cpus)}
    for _ in range(LOOKS):
        parts = re.split(r"CPU#(\d+)", ask(path, "info registers -a"))
        for number, text in zip(parts[1::2], parts[2::2]):
            if "HLT=1" in text or "CPL=3" in text:
                stuck.pop(int(number), None)
            elif int(number) in stuck:
                stuck[int(number)] += re.findall(r"RIP=([0-9a-f]+)", text)
        time.sleep(0.2)
    return stuck


def fuzz(work, seed):
    cpus = (1, 2, 4)[seed % 3]
    make_iso(work, seed)
    serial, monitor = f"{work}/{seed}.serial", f"{work}/{seed}.monitor"
    machine = subprocess.Popen(
        [os.environ.get("QEMU", "qemu-system-x86_64"), "-cpu", "max", "-smp", str(cpus), "-m", "128M", "-cdrom",
         f"{work}/{seed}.iso", "-serial", f"file:{serial}", "-display", "none", "-no-reboot",
         "-monitor", f"unix:{monitor},server,nowait"])
    try:
        machine.wait(QUIET_S + CALLS // 2000)
        stuck = {}
    except subprocess.TimeoutExpired:
        try:
            stuck = cpus_that_stay_in_the_kernel(monitor, cpus)
        except OSError:     # it was only slow: it ends while we look
            stuck = {}
    finally:
        machine.kill()
        machine.wait()
    with open(serial, encoding="utf-8", errors="replace") as stream:
        log = stream.read()
    print(f"seed {seed}, {cpus} CPUs:", *log.splitlines()[-1:])
    # The only domain has ended itself: what the kernel says then, and stops.
    assert "PANIC" not in re.sub(OWN_END, "", log), log[log.index("PANIC"):][:1500]
    assert not stuck, ("CPUs in the kernel", stuck)
    assert "exo: " in log, log[-500:]


with tempfile.TemporaryDirectory() as directory:
    build(directory)
    run_cases([(f"seed-{seed}", lambda seed=seed: fuzz(directory, seed))
               for seed in range(FIRST, FIRST + COUNT)])
