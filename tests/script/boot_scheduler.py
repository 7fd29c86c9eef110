#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A scheduler library, linked in and named by sched=, that does not come into force: FIFO does, a report says why,
and programs run.

None that ships has an init() that fails.  So one is given to `mlfq` in the libos that is booted: the code of one of
its other callbacks, which nobody calls, is written over.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import run_disk  # noqa: E402
from cases import BUILD, TOP, run_cases  # noqa: E402

LIBOS = os.path.join(BUILD, "libos.elf")
STATUS = 33     # that the program ends with
# kind: (code of init(), what the report says that it did)
KINDS = {
    "returns_an_error": ("b8 f4 ff ff ff c3", "returned error -12"),        # mov eax, -12; ret
    "returns_no_errno": ("b8 05 00 00 00 c3", "returned error 5"),
    "faults": ("31 c0 89 00", "faulted, at 0x"),                            # xor eax, eax; mov [rax], eax
    "never_returns": ("eb fe", "ran too long, at 0x"),
}


def symbol(pattern):
    """The address of the one symbol that fits."""
    names = subprocess.run(["nm", LIBOS], check=True, capture_output=True, text=True).stdout
    found = re.findall(rf"^(\w+) [a-zA-Z] {pattern}$", names, re.MULTILINE)
    assert len(found) == 1, (pattern, found)
    return int(found[0], 16)


def file_offset(address):
    """Where it is in the file: readelf's columns are type, offset, address, its physical one, size."""
    lines = subprocess.run(["readelf", "-lW", LIBOS], check=True, capture_output=True, text=True).stdout
    for offset, start, size in re.findall(r"LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)", lines):
        if int(start, 16) <= address < int(start, 16) + int(size, 16):
            return address - int(start, 16) + int(offset, 16)
    raise AssertionError(hex(address))


def place_of_init(folder):
    """In struct sched_ops."""
    program = os.path.join(folder, "place")
    subprocess.run(["gcc", "-x", "c", "-I" + os.path.join(TOP, "include"), "-o", program, "-"], check=True, text=True,
                   input="#include <stddef.h>\n#include <stdio.h>\n#include <libos/sched.h>\n"
                         'int main(void) { printf("%zu", offsetof(struct sched_ops, init)); }\n')
    return int(subprocess.run([program], check=True, capture_output=True).stdout)


def libos_with_init(code):
    with open(LIBOS, "rb") as stream:
        data = bytearray(stream.read())
    victim = symbol(r"mlfq_dump(?:\.\S+)?")
    with tempfile.TemporaryDirectory() as folder:
        at = file_offset(symbol("mlfq")) + place_of_init(folder)
        assert data[at:at + 8] == bytes(8), "mlfq has an init() by now: take another library"
        struct.pack_into("<Q", data, at, victim)
        start = file_offset(victim)
        data[start:start + len(code)] = code
        changed, module = os.path.join(folder, "libos.elf"), os.path.join(folder, "module")
        with open(changed, "wb") as stream:
            stream.write(data)
        subprocess.run([os.path.join(TOP, "scripts/mkmodule"), changed, module], check=True)
        with open(module, "rb") as stream:
            return stream.read()


def boot(code, *arguments):
    return run_disk.boot(["multiboot2 /boot/exo.elf console=serial panic=reset run sched=mlfq",
                          "module2 ($run)/changed libos", "module2 /boot/root.cpio archive root",
                          "module2 ($run)/run.cpio archive run", "boot"],
                         {"changed": libos_with_init(bytes.fromhex(code))}, "--timeout", "60", *arguments)


def fifo_takes_over(kind, cpus):
    code, did = KINDS[kind]
    status, log = boot(code, "--cpus", str(cpus), "--", "sh", "-c",
                       f"grep -q '\\[fifo\\]' /proc/exo/sched && seq 100 | wc -l | grep -qx 100 && exit {STATUS}")
    assert re.search(rf"^libos: scheduler mlfq is not put in force: on CPU 0 its init\(\) {did}", log,
                     re.MULTILINE), log[-3000:]
    assert re.search(rf"^libos: {cpus} CPUs, \d+ MiB, scheduler fifo$", log, re.MULTILINE), log[-3000:]
    assert status == STATUS and "panic" not in log.split("run", 1)[1], (status, log[-3000:])


def what_succeeds_is_put_in_force():
    """Else the change itself would be what the others see."""
    status, log = boot("31 c0 c3", "--", "sh", "-c", f"grep -q '\\[mlfq\\]' /proc/exo/sched && exit {STATUS}")
    assert status == STATUS and "is not put in force" not in log, (status, log[-3000:])


run_cases([*((f"{kind}-cpus-{cpus}", lambda kind=kind, cpus=cpus: fifo_takes_over(kind, cpus))
             for kind in KINDS for cpus in (1, 4)),
           (what_succeeds_is_put_in_force.__name__, what_succeeds_is_put_in_force)])
