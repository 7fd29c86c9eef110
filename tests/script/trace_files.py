#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What scripts/trace makes of files that no machine has written: damaged, large, and with odd names."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from traces import CONVERT, SVG  # noqa: E402
from tracing.records import KINDS, RECORD, Trace  # noqa: E402
from tracing.timeline import Timeline  # noqa: E402

LIMIT_S = 60            # within which a large trace is drawn, not after minutes


def record(time, kind, detail=0, number=0, task=0, value=0, cpu=0):
    return RECORD.pack(time, KINDS.index(kind), detail, number, task, value, cpu, 0)


def named(task, name):
    """The records that call a task so: its process, then 8 bytes and 8 more."""
    name = name.ljust(16, b"\0")
    return b"".join(record(1, "name", detail, task=task, value=value) for detail, value in (
        (0, task), (1, int.from_bytes(name[:8], "little")), (2, int.from_bytes(name[8:16], "little"))))


def simple(*records):
    """One run of task 7, and these records."""
    return b"".join((record(1000, "run", task=7, value=4000000), *records, record(9000, "stop", task=7)))


class Converter:
    def __init__(self, folder):
        self.path = os.path.join(folder, "records")

    def run(self, data, *options):
        with open(self.path, "wb") as stream:
            stream.write(data)
        return subprocess.run([CONVERT, self.path, *options], capture_output=True, text=True, check=False,
                              timeout=LIMIT_S)

    def made(self, data, *options):
        run = self.run(data, *options)
        assert run.returncode == 0 and run.stderr == "", run
        return run.stdout


def with_converter(case):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            case(Converter(folder))
    run.__name__ = case.__name__
    return run


def damage_is_told(convert):
    for bad, says in ((record(2000, "stop", 4), "record 1 (stop) is of unknown detail 4"),
                      (record(2000, "wake", 0), "detail 0"), (record(2000, "arrive", 6), "detail 6"),
                      (record(2000, "eject", 7), "detail 7"), (record(2000, "run", cpu=64), "CPU 64"),
                      (record(2000, "run", cpu=0xffffffff), "CPU 4294967295")):
        for output in ("--text", "--json", "--svg", "--work"):
            run = convert.run(simple(bad), output, "-")
            assert run.returncode == 1 and run.stderr.startswith(f"trace: {convert.path}: record 1 "), run
            assert says in run.stderr and run.stdout == "", run


def any_time_can_be_drawn(convert):
    for wild in (10 ** 16, 2 ** 64 - 1):
        data = simple(record(wild, "run", task=8, value=1))
        xml.etree.ElementTree.fromstring(convert.made(data, "--svg", "-"))
        convert.made(data, "--json", "-")


def a_detail_is_a_stretch_of_time(convert):
    for detail in ("nan:1", "1:nan", "inf:1", "0:inf", "1e300:1", "5:0", "5:-1", "5", ""):
        run = convert.run(simple(), "--svg", "-", "--detail", detail)
        assert run.returncode == 2 and "--detail" in run.stderr and "Traceback" not in run.stderr, run
    convert.made(simple(), "--svg", "-", "--detail", "5:0.000001")


def the_file_that_is_wrong_is_named(convert):
    for options, says in ((["--svg", "/nope/x.svg"], "/nope/x.svg: No such file"),
                          (["--text", "/dev/full"], "/dev/full: No space left"),
                          (["--text", "-", "--calls", "/nope/h"], "/nope/h: No such file")):
        run = convert.run(simple(*[record(2000, "call")] * 1000), *options)
        assert run.returncode == 1 and run.stderr.startswith("trace: " + says), run


def an_output_has_to_be_asked_for(convert):
    run = convert.run(simple())
    assert run.returncode == 2 and "--json, --svg, --text or --work" in run.stderr, run


def a_reader_may_have_enough(convert):
    """As with any program in a pipe: no complaint."""
    convert.run(simple(*[record(2000, "call", task=7)] * 5000))
    line = subprocess.run(f"{CONVERT} {convert.path} --text - | head -1", shell=True, capture_output=True,
                          text=True, check=True)
    assert line.stderr == "" and line.stdout.count("\n") == 1, line


def names_and_titles_are_one_line(convert):
    data = named(7, b"a\nb\x01c") + simple()
    assert [line.split()[4:6] for line in convert.made(data, "--text", "-").splitlines()][-1] == ["a?b?c", "7"]
    odd = "one\ntwo\x01 three\udcff"
    work = convert.made(data, "--work", "-", "--title", odd).splitlines()
    assert work[0].startswith("# one?two? three?: 1 tasks") and work[1] == "cpus 1", work
    tree = xml.etree.ElementTree.fromstring(convert.made(data, "--svg", "-", "--title", odd))
    words = [element.text for element in tree.iter(SVG + "text")]
    assert words[0] == "one?two? three?" and "a?b?c 7" in words, words


def a_large_trace_is_drawn(convert):
    """A run and a note at each step: what is looked at in all windows of it is looked up, not gone through."""
    parts = []
    for step in range(60000):
        time = 1000 + step * 1000
        parts += [record(time, "run", task=2 + step % 5, value=1000), record(time + 10, "note", value=step),
                  record(time + 900, "stop", task=2 + step % 5)]
    convert.made(b"".join(parts), "--svg", "-")


def the_detail_is_where_most_is_to_be_seen(_convert):
    """All runs are alike but for the notes of some: every window counted by hand."""
    parts = []
    for step in range(400):
        time = 1000000 + step * 1000
        parts.append(record(time, "run", task=2, value=1000))
        parts += [record(time + 10, "note", value=1)] * (200 <= step < 204)
        parts.append(record(time + 900, "stop", task=2))
    start, end = Timeline(Trace(b"".join(parts)), "").interesting()
    assert start < 1200000 and end > 1203000 and end - start < 60000, (start, end)


run_cases([(case.__name__, with_converter(case)) for case in (
    damage_is_told, any_time_can_be_drawn, a_detail_is_a_stretch_of_time, the_file_that_is_wrong_is_named,
    an_output_has_to_be_asked_for, a_reader_may_have_enough, names_and_titles_are_one_line,
    a_large_trace_is_drawn, the_detail_is_where_most_is_to_be_seen)])
