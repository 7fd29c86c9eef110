#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPUs that the firmware lists and that do not come up: reported, left out, and nobody misses them.

GRUB's acpi command puts a table of ours in the place of the firmware's.
"""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from run_disk import boot  # noqa: E402

LIMIT_S = 60
GRUB_ACPI = "/usr/lib/grub/i386-pc/acpi.mod"
ENABLED, DISABLED = 1, 0
HEADER_SIZE = 36
CHECKSUM_AT = 9


def madt(cpus):
    """cpus: [(APIC number, flags)]; the rest is as in QEMU's machine."""
    body = struct.pack("<II", 0xfee00000, 1)
    for number, (apic, flags) in enumerate(cpus):
        body += struct.pack("<BBBBI", 0, 8, number, apic, flags)
    body += struct.pack("<BBBBII", 1, 12, 0, 0, 0xfec00000, 0)
    body += struct.pack("<BBBBIH", 2, 10, 0, 0, 2, 0)       # the timer's line
    table = bytearray(struct.pack("<4sIBB6s8sI4sI", b"APIC", HEADER_SIZE + len(body), 3, 0, b"EXO",
                                  b"TEST", 1, b"EXO", 1) + body)
    table[CHECKSUM_AT] = -sum(table) & 0xff
    return bytes(table)


def run_with(cpus, present, program):
    with open(GRUB_ACPI, "rb") as stream:
        module = stream.read()
    lines = ["insmod ($run)/acpi.mod", "acpi --exclude=APIC ($run)/madt",
             "multiboot2 /boot/exo.elf console=serial panic=reset run",
             "module2 /boot/libos.module libos", "module2 /boot/root.cpio archive root",
             "module2 ($run)/run.cpio archive run", "boot"]
    return boot(lines, {"acpi.mod": module, "madt": madt(cpus)}, "--cpus", str(present),
                "--timeout", str(LIMIT_S), "--", "sh", "-c", program)


COUNT = "exit $(grep -c ^processor /proc/cpuinfo)"


def a_cpu_that_does_not_start_is_reported_and_left_out():
    status, log = run_with([(0, ENABLED), (77, ENABLED), (1, ENABLED), (78, ENABLED), (2, ENABLED)],
                           3, COUNT)
    assert status == 3, (status, log)
    for apic in (77, 78):
        assert f"exo: the CPU with APIC {apic} does not start and is left out\n" in log, log
    assert "exo: 3 CPUs\n" in log, log


def the_others_work():
    """On each of them: their numbers have no gap where the missing one would have been."""
    status, log = run_with([(0, ENABLED), (77, ENABLED), (1, ENABLED)], 2,
                           "taskset 1 true && taskset 2 true && ! taskset 4 true && exit 9")
    assert status == 9, (status, log)


def a_cpu_that_is_not_enabled_is_not_asked_for():
    status, log = run_with([(0, ENABLED), (1, DISABLED), (2, ENABLED)], 3, COUNT)
    assert status == 2 and "left out" not in log, (status, log)


run_cases([(case.__name__, case) for case in (
    a_cpu_that_does_not_start_is_reported_and_left_out, the_others_work,
    a_cpu_that_is_not_enabled_is_not_asked_for)])
