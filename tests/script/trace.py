#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Traced runs: the records, the JSON for Perfetto, the picture, and a panic's last events."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, TOP, exo_run, run_cases  # noqa: E402
from traces import CONVERT, SVG, Malformed, check_json, convert, traced  # noqa: E402
from tracing.records import KINDS, BadTrace, Trace  # noqa: E402

PIPELINE = "seq 1 3000 | sort -rn | head -1"
BUSY = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done"


# ---------------------------------------------------------------- the format checker


def the_checker_refuses_what_is_wrong():
    track = {"pid": 1, "tid": 2}
    good = {"traceEvents": [
        {"ph": "M", "ts": 0, "name": "thread_name", "args": {"name": "a"}, **track},
        {"ph": "X", "ts": 1, "dur": 2, "name": "one", **track},
        {"ph": "X", "ts": 3, "dur": 2, "name": "two", **track},
        {"ph": "s", "ts": 2, "name": "wake", "cat": "wake", "id": 1, **track},
        {"ph": "f", "bp": "e", "ts": 3, "name": "wake", "cat": "wake", "id": 1, **track}]}

    def damaged(index, **changes):
        bad = copy.deepcopy(good)
        bad["traceEvents"][index].update(changes)
        return bad

    check_json(good)
    for bad in (damaged(0, name="process_name"), damaged(1, dur=3), damaged(1, dur=0),
                damaged(1, ts="1"), damaged(1, ts=-1), damaged(1, ph="Y"), damaged(1, name=""),
                damaged(2, tid=3), damaged(3, id=2), damaged(3, ts=9), damaged(4, cat="donate"),
                damaged(4, ph="s"), {"traceEvents": good["traceEvents"][:4]},
                {"traceEvents": good["traceEvents"][1:]}, {}):
        try:
            check_json(bad)
        except Malformed:
            continue
        raise AssertionError(bad)


# ---------------------------------------------------------------- traced runs


def check_trace(folder, cpus):
    """Eight busy shells and a pipeline: every CPU works, every task has a name."""
    line = f"for n in 1 2 3 4 5 6 7 8; do ( {BUSY} ) & done; wait; {PIPELINE}"
    run, path, trace = traced(folder, cpus, line)
    assert run.stdout == b"3000\n", run
    assert trace.cpus == cpus and not trace.lost, (trace.cpus, trace.lost)
    unnamed = [task for task in trace.tasks() if not trace.names.known(task)]
    assert not unnamed, unnamed
    assert {run.cpu for run in trace.runs} == set(range(cpus))

    document, svg = convert(path)
    slices, flows = check_json(document)
    lanes = {tid for (pid, tid) in slices if pid == 1 << 20}
    assert lanes == set(range(cpus)), lanes
    names = {event["name"] for its in slices.values() for event in its}
    assert {"exo-init", "sh", "seq", "sort", "head"} <= names, names
    assert flows, "no arrows"
    if cpus > 1:
        assert any(record.kind == "ipi" for record in trace.records)
    check_picture(svg, cpus)


def check_picture(path, cpus):
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    tree = xml.etree.ElementTree.fromstring(text)
    words = [element.text for element in tree.iter(SVG + "text")]
    for cpu in range(cpus):
        assert words.count(f"CPU {cpu}") == 2, (cpu, words)     # the whole, and the detail
    assert "ms" in words and any("sh" in word for word in words), words
    assert len(text) < 300000, len(text)
    width, height = (float(tree.get(side)) for side in ("width", "height"))
    for element in tree.iter(SVG + "rect"):
        if element.get("x"):
            right = float(element.get("x")) + float(element.get("width"))
            bottom = float(element.get("y")) + float(element.get("height"))
            assert 0 <= right <= width and 0 <= bottom <= height, element.attrib


def a_traced_run_shows_every_cpu_and_task(cpus):
    with tempfile.TemporaryDirectory() as folder:
        check_trace(folder, cpus)


def donations_are_arrows():
    with tempfile.TemporaryDirectory() as folder:
        _run, path, trace = traced(folder, 1, "pipeline-demo 2")
        document, svg = convert(path)
        _slices, flows = check_json(document)
        gifts = [key for key in flows if key[0] == "donate"]
        assert gifts and len(gifts) <= sum(r.kind == "donate" for r in trace.records), len(gifts)
        arrows = [element.get("class") for element in
                  xml.etree.ElementTree.parse(svg).iter(SVG + "path")]
        assert "arrow donate" in arrows, arrows


THREADS = """#include <pthread.h>
#include <unistd.h>
static void *work(void *unused)
{
	for (volatile int i = 0; i < 3000000; i++)
		;
	return unused;
}
int main(void)
{
	pthread_t t;
	pid_t child = fork();
	pthread_create(&t, NULL, work, NULL);
	work(NULL);
	pthread_join(t, NULL);
	return child < 0;
}
"""


def threads_of_a_process_can_have_one_colour():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "threads")
        with open(program + ".c", "w", encoding="ascii") as stream:
            stream.write(THREADS)
        subprocess.run([EXO_CC, "-pthread", "-o", program, program + ".c"], check=True)
        _run, path, trace = traced(folder, 2, "/threads", "--file", program)
        process_of = {run.task: trace.names.last(run.task)[1] for run in trace.runs
                      if trace.names.last(run.task)[0] == "threads"}
        assert len(process_of) == 4 and len(set(process_of.values())) == 2, process_of
        for options, coloured in (([], process_of), (["--by-process"], set(process_of.values()))):
            _document, svg = convert(path, "--detail", "0:100000", *options)
            words = [element.text or "" for element in xml.etree.ElementTree.parse(svg).iter(SVG + "text")
                     if element.get("text-anchor") == "start"]
            legend = {int(word.split()[1]) for word in words if re.fullmatch(r"threads \d+", word)}
            assert legend == set(coloured), (legend, coloured)


def it_is_called_what_it_was_called_by():
    called = os.path.join(BUILD, "bin/exo-trace")
    said = subprocess.run([called, "--help"], check=True, capture_output=True, text=True).stdout
    assert said.startswith("usage: exo-trace "), said
    said = subprocess.run([called, "/none", "--json", "-"], check=False, capture_output=True, text=True).stderr
    assert said.startswith("exo-trace: /none: "), said


def schedulers_are_named():
    """Each that was in force, in the text and the picture; why one was ejected."""
    with tempfile.TemporaryDirectory() as folder:
        _run, path, trace = traced(folder, 2, "schedctl use fair; schedctl load /tests/broken.so; "
                                   "schedctl param broken rule 6; schedctl use broken; "
                                   "for look in $(seq 500); do schedctl current | grep -q broken || break; done",
                                   "--sched", "rr", "--timeout", "60")
        assert set(trace.schedulers()) == {"rr", "fair", "broken", "fifo"}, trace.schedulers()
        document, svg = convert(path, "--text", path + ".txt")
        text = read(path + ".txt")
        assert re.search(r" sched +- 0 - 0 fair$", text, re.MULTILINE), text[:400]
        assert re.search(r" eject +- 0 idled 0 broken$", text, re.MULTILINE), re.findall(".* eject .*", text)
        assert any("schedulers " + ", ".join(trace.schedulers()) in (element.text or "")
                   for element in xml.etree.ElementTree.parse(svg).iter(SVG + "text"))
        assert any(event["name"] == "ejected broken" and event["args"] == {"reason": "idled"}
                   for event in document["traceEvents"])


def what_is_overwritten_is_told():
    with tempfile.TemporaryDirectory() as folder:
        _run, path, trace = traced(folder, 2, PIPELINE + "; pipeline-demo", "--trace-size", "16")
        assert sum(trace.lost.values()) > 1000, trace.lost
        unnamed = [task for task in trace.tasks() if not trace.names.known(task)]
        assert not unnamed, unnamed
        document, svg = convert(path)
        check_json(document)
        assert document["otherData"]["lost"]
        with open(svg, encoding="utf-8") as stream:
            assert "records overwritten" in stream.read()


def exotrace_prints_and_saves():
    with tempfile.TemporaryDirectory() as folder:
        run = exo_run("--cpus", "2", "--", "sh", "-c",
                      "exotrace -o /tmp/t sh -c 'exit 5'; echo $? >&2; cat /tmp/t")
        assert run.stderr == b"5\n" and run.returncode == 0, run.stderr
        path = os.path.join(folder, "trace.bin")
        with open(path, "wb") as stream:
            stream.write(run.stdout)
        check_json(convert(path)[0])
        with open(path, "rb") as stream:
            trace = Trace(stream.read())
        assert "exotrace" in {trace.names.last(task)[0] for task in trace.tasks()}
        run = exo_run("--", "exotrace", "true")
        assert re.search(rb"us  cpu 0  call +true ", run.stdout), run.stdout[-400:]


def exotrace_leaves_no_tracing_on():
    """However its command, or it itself, is ended, it keeps what was recorded; and there is one at a time."""
    run = exo_run("--cpus", "2", "--", "sh", "-c", """
        state() { echo $1 $(head -n 1 /proc/exo/trace); [ "$(wc -c < /tmp/t)" -gt 99 ] || echo nothing; rm /tmp/t; }
        exotrace -s 64 -o /tmp/t sh -c 'kill -INT $PPID; kill -QUIT $PPID; kill -INT $$'; state $?
        for signal in TERM HUP; do
            exotrace -s 64 -o /tmp/t sh -c "kill -$signal \\$PPID; while :; do :; done"; state $?
        done
        exotrace -s 64 -o /tmp/t sh -c 'exotrace -s 16 touch /tmp/ran; echo $?; head -n 1 /proc/exo/trace; ls /tmp'; state $?
        echo on > /proc/exo/trace; exotrace true; echo $?; head -n 1 /proc/exo/trace
        """)
    assert run.stdout.decode().splitlines() == [
        "130 off 64 KiB", "143 off 64 KiB", "129 off 64 KiB", "125", "on 64 KiB", "t", "0 off 64 KiB",
        "125", "on 1024 KiB"], run
    assert run.stderr.count(b"exotrace: somebody traces already") == 2, run.stderr


def damaged_records_are_refused():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bad")
        for data in (b"", bytes(31), bytes(32), b"\xff" * 64):
            with open(path, "wb") as stream:
                stream.write(data)
            run = subprocess.run([CONVERT, path, "--json", "-"], capture_output=True, check=False)
            assert run.returncode == 1 and run.stderr.startswith(b"trace: "), run
            try:
                Trace(data)
            except BadTrace:
                continue
            raise AssertionError(data)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as stream:
        return stream.read()


def make_trace(*settings):
    """With the build that is tested, as it is: nothing is to be made again."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    cache = os.path.dirname(os.path.dirname(EXO_CC))
    return subprocess.run(
        ["make", "-s", "-C", TOP, "trace", *settings,
         "BUILD=" + os.path.relpath(BUILD, TOP), "CACHE=" + os.path.relpath(cache, TOP),
         "DEBUG=%d" % ("-DEXO_DEBUG=1" in read(BUILD, "libos/flags")),
         "SCHED=" + read(BUILD, "libos/default-sched").strip()],
        env=environment, capture_output=True, check=False)


def make_trace_leaves_both_files():
    run = make_trace("CPUS=2", "APP=echo traced; exit 3")
    assert run.returncode == 0 and run.stdout.startswith(b"traced\n"), run
    assert b"status 3" in run.stderr, run
    check_json(json.loads(read(BUILD, "trace.json")))
    check_picture(os.path.join(BUILD, "trace.svg"), 2)
    assert "echo traced" in read(BUILD, "trace.svg")
    # Of a run that was none they would show the one before it.
    run = make_trace("APP=echo second", "TRACE_KIB=9999")
    assert run.returncode == 2 and b"--trace-size: from 16 to 4096" in run.stderr, run
    left = [name for name in ("trace.bin", "trace.json", "trace.svg") if os.path.exists(os.path.join(BUILD, name))]
    assert not left, left


def kinds_are_those_of_the_header():
    with open(os.path.join(TOP, "include/libos/trace.h"), encoding="utf-8") as stream:
        header = stream.read()
    enum = re.search(r"enum trace_kind \{(.*?)\n\};", header, re.DOTALL).group(1)
    kinds = re.findall(r"^\tTRACE_(\w+)(?: = 1)?,", enum, re.MULTILINE)
    assert ["", *(kind.lower().replace("_", "-") for kind in kinds)] == list(KINDS), kinds
    names = re.search(r"TRACE_KIND_NAMES(.*?)\}", header, re.DOTALL).group(1)
    assert re.findall(r'"([^"]*)"', names) == list(KINDS)


PANIC = r"""
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (int i = 0; i < 3; i++)
		getppid();
	/* What this CPU runs, in the libos's memory, which a program can reach. */
	*(uint64_t *)strtoull(argv[1], NULL, 16) = 0;
	*(volatile int *)8 = 0;
	return 0;
}
"""


# core/vcore.h: in front of a vcore, whose second word is its task.
EVENT_STACK_SIZE = 0x5800


def a_panic_prints_the_last_events():
    """A program that destroys the libos's state ends its domain; the log says what came before."""
    symbols = subprocess.run(["nm", os.path.join(BUILD, "libos.elf")], capture_output=True,
                             check=True).stdout.decode()
    areas = int(re.search(r"^([0-9a-f]+) \w vcore_areas$", symbols, re.MULTILINE).group(1), 16)
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "panic.c"), os.path.join(folder, "panic")
        with open(source, "w", encoding="ascii") as stream:
            stream.write(PANIC)
        subprocess.run([EXO_CC, "-o", program, source], check=True)
        for traced_too, options in ((True, ("--append", "trace=64")), (False, ())):
            log = os.path.join(folder, "log")
            exo_run("--log", log, *options, "--file", f"{program}:/tmp/panic", "--", "/tmp/panic",
                    hex(areas + EVENT_STACK_SIZE + 8))
            with open(log, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            assert "libos: panic: no task" in text, text[-2000:]
            assert ("last events of CPU 0" in text) == traced_too, text[-2000:]
            if traced_too:
                last = text[text.index("last events"):]
                assert re.search(r"us call +task \d+ detail 0 number 110 ", last), last
                assert re.search(r"us fault +task 0 detail 0 number 14 value 8\n", last), last


def per_cpu_count(function):
    for cpus in (1, 2, 4, 8):
        yield f"{function.__name__}-cpus-{cpus}", lambda cpus=cpus: function(cpus)


run_cases([
    ("the_checker_refuses_what_is_wrong", the_checker_refuses_what_is_wrong),
    *per_cpu_count(a_traced_run_shows_every_cpu_and_task),
    *((case.__name__, case) for case in (
        donations_are_arrows, threads_of_a_process_can_have_one_colour, it_is_called_what_it_was_called_by,
        schedulers_are_named, what_is_overwritten_is_told, exotrace_prints_and_saves,
        exotrace_leaves_no_tracing_on,
        damaged_records_are_refused, make_trace_leaves_both_files,
        kinds_are_those_of_the_header, a_panic_prints_the_last_events)),
])
