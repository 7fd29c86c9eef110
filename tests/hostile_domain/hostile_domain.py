#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A domain whose libos wants no good (hostile.c), beside one that works on the same CPU: what the other
has stays as it is, what it asks for is done, and the end of the first is like any other's."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import TOP, run_cases, shell  # noqa: E402

HERE = os.path.join(TOP, "tests/hostile_domain")
SEEDS = os.environ.get("SEEDS", "1 2 3").split()
CFLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pie", "-mcmodel=large",
          "-mno-red-zone", "-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none",
          "-fno-tree-loop-distribute-patterns", "-I" + os.path.join(TOP, "include"),
          "-I" + os.path.join(TOP, "libos")]

# The neighbour lives until the work is done, which is why there is no time here.
SCRIPT = """
work() {{ cat /bin/busybox /lib/exo/libos | md5sum; }}
sum=$(work)
id=$(domainctl create --detach --cpus 0-{cpu} --mem 10M --image /hostile -- {seed})
for i in 1 2 3 4 5; do
    [ "$(work)" = "$sum" ] || echo changed
    domainctl create --cpus {cpu} --budget 20/100ms -- echo hello
done
domainctl list | awk -v id=$id '$1 == id {{ print $2, ($7 > 0) }}'
domainctl resize $id --mem 8M --patience 20
domainctl list | awk -v id=$id '$1 == id {{ print $4 }}'
domainctl kill $id; domainctl wait $id 2>/dev/null; echo $?
dmesg | grep 'have not come back'
true
"""


# It does not even read what it is asked for, and uses few of its frames.
LOSES = "alive 1\ndomain 1: 2048 KiB had to be taken from it\n8192\n137\n"


def build(folder):
    image = os.path.join(folder, "hostile")
    parts = [os.path.join(folder, name) for name in ("entry.o", "hostile.o")]
    subprocess.run(["nasm", "-f", "elf64", "-w-all", "-o", parts[0], f"{HERE}/entry.asm"], check=True)
    subprocess.run(["gcc", *CFLAGS, "-c", "-o", parts[1], f"{HERE}/hostile.c"], check=True)
    subprocess.run(["ld", "-nostdlib", "-static", "-z", "noexecstack", "-z", "max-page-size=4096",
                    "--no-warn-rwx-segments", "-T", f"{TOP}/tests/kernel_calls/test.ld",
                    "-o", image + ".elf", *parts], check=True)
    subprocess.run([f"{TOP}/scripts/mkmodule", image + ".elf", image], check=True)
    return image


def main():
    with tempfile.TemporaryDirectory() as folder:
        image = build(folder)

        def case(cpus, seed):
            result = shell(cpus, SCRIPT.format(cpu=cpus - 1, seed=seed), "--file", image + ":/hostile")
            out = result.stdout.decode()
            assert result.returncode == 0 and out == "hello\n" * 5 + LOSES, \
                (result.returncode, out, result.stderr)

        run_cases([(f"a_hostile_domain_hurts_nobody-cpus-{cpus}-seed-{seed}",
                    lambda cpus=cpus, seed=seed: case(cpus, seed))
                   for cpus, seed in zip((1, 2, 4), SEEDS)])


main()
