#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Reports of kernel and libos panics: cause, CPUs, registers, names; and the machine's end is 126."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, exo_run, run_cases  # noqa: E402

EXIT_MACHINE_DIED = 126


def report(cpus, *options, program=("sleep", "1000")):
    log = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"panic-{os.getpid()}.log")
    try:
        run = exo_run("--cpus", str(cpus), "--log", log, *options, "--", *program)
        with open(log, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    finally:
        os.unlink(log)
    assert run.returncode == EXIT_MACHINE_DIED, (run, text[-1500:])
    # Whoever looks only at exo-run's own messages sees it from its first line on, without the events.
    first = next(line for line in text.splitlines() if "panic: " in line or "PANIC" in line)
    shown = run.stderr.decode().splitlines()
    # Of an ejection: its first line, the place, and the line of the source.
    assert shown[3 if "ejected" in shown[0] else 0] == "exo-run: log: " + first, shown
    assert shown[-2] == "exo-run: log: exo has stopped." and "last of" not in run.stderr.decode(), shown
    return text


def must_follow(text, *patterns):
    """Lines that match these, in this order."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(text, at)
        assert found, (pattern, text[at:at + 1500])
        at = found.end()


def a_kernel_panic_tells_all_and_stops_all(cpus):
    text = report(cpus, "--append", "panic=test")
    others = [rf"^CPU {n} was stopped at:\n  [0-9a-f]{{16}}" for n in range(1, cpus)]
    must_follow(text,
                r"^PANIC on CPU 0: page fault in the kernel: write to \w+, nothing is mapped there",
                *others,
                r"^ +r15 [0-9a-f]{16} ", r"rip [0-9a-f]{16} ", r"^cr2 \w+  cr3 \w+  vcore \w+",
                r"^backtrace:", r"^  \w{16}  panic_test\+0x", r"^  \w{16}  exo_main\+0x",
                *[rf"^cpu {n}, last of \d+ events:" for n in range(cpus)],
                r"^exo has stopped\.\s*\Z")
    assert "does not stop" not in text, text


def a_libos_panic_tells_all_and_ends_its_domain(cpus):
    text = report(cpus, "--append", "panic=test-libos")
    must_follow(text,
                r"^libos: panic: libos: exception 14 \(error \w+\), address \w+",
                r"^libos: CPU \d+, masked \d+ deep, task \d+ \(start\)",
                r"^rip \w{16} rsp \w{16}", r"^r14 \w{16}",
                r"^  \w{16}  panic_test\+0x", r"^  \w{16}  start_services\+0x",
                r"^libos: scheduler \w+, linked in$",
                r"^exo: domain 1 died, status 127")


# Ejected for its pick(), it writes in its exit() over the first task that it was given.  On one CPU that is
# the next to run; where there are more, another may go on for ever without it, and nobody sees what was done.
LEAVES_HARM = """#include <libos/sched.h>
static struct task *first;
static void enqueue(int cpu, struct task *t, enum sched_why why) { first = first ? first : t; }
static void dequeue(int cpu, struct task *t) { }
static struct sched_run pick(int cpu, struct task *prev)
{
	if (first)
		__builtin_trap();
	return (struct sched_run){ 0 };
}
static void leave(const struct sched_exit *why) { __builtin_memset(first, 0x5a, 256); }
static const struct sched_ops harm = {
	.name = "harm", .enqueue = enqueue, .dequeue = dequeue, .pick = pick, .exit = leave,
};
SCHED_LIBRARY(harm);
"""


def a_libos_panic_names_who_was_ejected_before(cpus):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "harm.c"), "w", encoding="utf-8") as stream:
            stream.write(LEAVES_HARM)
        subprocess.run([os.path.join(BUILD, "bin/exo-sched"), "harm.c", "-o", "harm.so"], cwd=folder, check=True)
        text = report(cpus, "--file", f"{folder}/harm.so:/harm.so",
                      program=("sh", "-c", "mkfifo /never; schedctl use /harm.so; cat /never"))
    must_follow(text,
                r"^libos: scheduler harm is ejected",
                r"^libos: panic: ",
                r"^libos: scheduler fifo, linked in$",
                r"^libos: ejected before: harm, loaded from /harm.so$")


run_cases([(f"{case.__name__}-cpus-{cpus}", lambda case=case, cpus=cpus: case(cpus))
           for case, counts in ((a_kernel_panic_tells_all_and_stops_all, (1, 4)),
                                (a_libos_panic_tells_all_and_ends_its_domain, (1, 4)),
                                (a_libos_panic_names_who_was_ejected_before, (1,))) for cpus in counts])
