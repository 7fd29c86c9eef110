#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What a scheduler library writes into the trace, by sched_trace(): it is shown as text, for Perfetto and in
the picture, whatever has become of the library; and one that has gone wrong harms nobody but itself."""

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, exo_run, run_cases  # noqa: E402
from traces import SVG, check_json, convert, traced  # noqa: E402

EXO_SCHED = os.path.join(os.path.dirname(EXO_CC), "exo-sched")
LIBRARY = """#include <libos/sched.h>
struct cpu { struct sched_fifo ready; unsigned picks; };
static uint64_t pause;
static const struct sched_tunable tunables[] = { { "pause", &pause, 0, 100 }, { 0 } };
static void notes_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_push_back(&c->ready, t);
}
static void notes_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}
static struct sched_run notes_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_pop(&c->ready);

%s
	return (struct sched_run){ t, SCHED_MS(4) };
}
static const struct sched_ops notes = {
	.name = "notes", .cpu_size = sizeof(struct cpu), .enqueue = notes_enqueue, .dequeue = notes_dequeue,
	.pick = notes_pick, .tunables = tunables,
};
SCHED_LIBRARY(notes);
"""
LONG = "a text of more characters than are taken of it"
BUSY = "for i in 1 2 3 4; do seq 9000 | sort -n | tail -1 & done; wait"
ANSWERS = [b"9000"] * 4
SAYS = f"""
	sched_trace("picked", t, cpu);
	sched_trace("{LONG[:32]}", NULL, INT64_MAX);
	sched_trace("{LONG}", NULL, -7);
	sched_trace("odd\\n\\033[31m<&>\\xff\\"", t, INT64_MIN);
	sched_trace("", t, 1);"""


def make_library(folder, code):
    source, library = os.path.join(folder, "notes.c"), os.path.join(folder, "notes.so")
    with open(source, "w", encoding="ascii") as stream:
        stream.write(LIBRARY % code)
    subprocess.run([EXO_SCHED, "-Werror", source, "-o", library], check=True)
    return "--file", library + ":/notes.so"


def check_text(path):
    with open(path, encoding="ascii") as stream:
        lines = stream.read()
    head = r"^ +[\d.]+ cpu [01] note +"
    for said in (r"[\w-]+ [1-9]\d* picked: [01]", rf"- 0 {LONG[:32]}: {2**63 - 1}", rf"- 0 {LONG[:32]}: -7",
                 rf"\S+ \d+ odd\?\?\[31m<&>\?\": -{2**63}", r"\S+ \d+ : 1"):
        assert re.search(head + said + "$", lines, re.MULTILINE), (said, re.findall(".* note .*", lines)[:9])


def check_marks(svg, notes):
    tree = xml.etree.ElementTree.parse(svg)
    titles = [mark.find(SVG + "title").text for mark in tree.iter(SVG + "path") if mark.get("class") == "note"]
    words = [element.text or "" for element in tree.iter(SVG + "text")]
    assert titles and any(re.fullmatch(r"\S+ \d+: picked: [01]", title) for title in titles), titles
    assert any(f", notes: {notes}" in word for word in words), words
    assert any(re.fullmatch(r"the library says: \d+ of \d+ drawn", word) for word in words), words


def what_a_library_said_outlives_it():
    with tempfile.TemporaryDirectory() as folder:
        run, path, trace = traced(folder, 2, f"schedctl use /notes.so; {BUSY}; schedctl use rr; schedctl unload notes; "
                                  "seq 3 | tail -1", *make_library(folder, SAYS))
        assert run.stdout.split() == ANSWERS + [b"3"] and len(trace.notes) > 20 and not trace.lost, (run, trace.lost)
        document, svg = convert(path, "--text", path + ".txt", "--work", path + ".work")
        check_text(path + ".txt")
        for cpu in (0, 1):
            said = [note.text for note in trace.notes if note.cpu == cpu]
            assert said == ["picked", LONG[:32], LONG[:32], 'odd??[31m<&>?"', ""] * (len(said) // 5), said
        check_json(document)
        noted = [event for event in document["traceEvents"] if event.get("cat") == "note"]
        assert len(noted) == len(trace.notes) and {event["ph"] for event in noted} == {"i"}, noted[:9]
        assert {event["args"]["task"] for event in noted} & {"seq", "sort", "sh"}, noted[:9]
        assert all(event["tid"] == event["args"]["value"] for event in noted if event["name"] == "picked"), noted[:9]
        check_marks(svg, len(trace.notes))


def exotrace_prints_it():
    with tempfile.TemporaryDirectory() as folder:
        run = exo_run("--cpus", "2", *make_library(folder, SAYS), "--", "sh", "-c",
                      f"schedctl use /notes.so; exotrace sh -c '{BUSY}' | grep ' note '")
        for said in (r"(?:seq|sort|sh|tail) \d+  picked: [01]", rf"- 0  {LONG[:32]}: -7", r"\S+ \d+  : 1"):
            assert re.search(rf"^ +[\d.]+ us  cpu [01]  note +{said}$", run.stdout.decode(), re.MULTILINE), run
        assert b" detail " not in run.stdout, run


def what_cannot_be_read_ejects_its_library_if_somebody_traces():
    """Each after some picks, and read from while nobody traces only by who put it there."""
    for what in ("(const char *)64, t", '"of", (const struct task *)64'):
        with tempfile.TemporaryDirectory() as folder:
            log, library = os.path.join(folder, "log"), make_library(folder, f"\tsched_trace({what}, 0);")
            run = exo_run("--cpus", "2", "--log", log, *library, "--", "sh", "-c",
                          f"schedctl use /notes.so; {BUSY}; schedctl current; "
                          f"exotrace sh -c '{BUSY}' | grep -c ' run '; schedctl current")
            assert re.fullmatch(rb"(9000\n){4}notes\n[1-9]\d*\nfifo\n", run.stdout), run
            with open(log, encoding="utf-8", errors="replace") as stream:
                said = stream.read()
            assert re.search(r"that is at (?:sched_trace|trace_record_note)\(\), called at 0x\w+ of the library: "
                             r"a read of 0x", said), said[-2000:]


TALKS = """
	if (++c->picks > 3)
		for (;;) {
			sched_trace("", t, 0);
			for (uint64_t i = 0; i < pause; i++)
				__asm__ volatile("nop");
		}"""


def who_never_stops_talking_is_ejected_and_the_trace_goes_on():
    """It is abandoned in the middle of an event, some times: where depends on the pause.  The time is that of
    instructions, since otherwise the emulator would stop it between a few of them only."""
    with tempfile.TemporaryDirectory() as folder:
        line = ("schedctl load /notes.so >/dev/null; while :; do :; done & "
                "for pause in $(seq 1 3 32); do schedctl param notes pause $pause; exotrace -s 64 sh -c "
                "'schedctl use notes; while schedctl current | grep -q notes; do :; done; seq 9' > /lines; "
                "sed -n '/ eject /,$p' /lines | grep -c ' run '; done; kill $!")
        run = exo_run("--cpus", "1", *make_library(folder, TALKS), "--", "sh", "-c", line,
                      environment={"ACCEL": "icount"})
        seen = run.stdout.split()
        assert len(seen) == 11 and all(int(runs) > 0 for runs in seen), run


run_cases([(case.__name__, case) for case in (
    what_a_library_said_outlives_it,
    exotrace_prints_it,
    what_cannot_be_read_ejects_its_library_if_somebody_traces,
    who_never_stops_talking_is_ejected_and_the_trace_goes_on,
)])
