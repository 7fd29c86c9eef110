# SPDX-License-Identifier: MIT
"""Traced runs for the script tests, and a checker of what is made of them for Perfetto."""

import bisect
import collections
import json
import os
import subprocess
import sys

from cases import TOP, exo_run
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
from tracing.records import Trace  # noqa: E402

CONVERT = os.path.join(TOP, "scripts/trace")
SVG = "{http://www.w3.org/2000/svg}"
ROUNDING_US = 1e-6


def traced(folder, cpus, line, *options, **keywords):
    path = os.path.join(folder, "trace.bin")
    run = exo_run("--cpus", str(cpus), "--trace", path, *options, "--", "sh", "-c", line, **keywords)
    assert run.returncode == 0, run
    with open(path, "rb") as stream:
        return run, path, Trace(stream.read())


def convert(path, *options):
    run = subprocess.run([CONVERT, path, "--json", path + ".json", "--svg", path + ".svg", *options],
                         capture_output=True, check=False)
    assert run.returncode == 0, run
    with open(path + ".json", encoding="utf-8") as stream:
        return json.load(stream), path + ".svg"


# ---------------------------------------------------------------- the format checker


class Malformed(Exception):
    pass


def require(condition, *what):
    if not condition:
        raise Malformed(*what)


def check_event(event):
    require(isinstance(event, dict), event)
    for field in ("ph", "ts", "pid", "tid", "name"):
        require(field in event, "no", field, event)
    require(event["ph"] in ("X", "M", "i", "s", "f"), event)
    for field in ("pid", "tid"):
        require(isinstance(event[field], int), field, event)
    require(isinstance(event["ts"], (int, float)) and event["ts"] >= 0, "ts", event)
    require(isinstance(event["name"], str) and event["name"], "name", event)
    if event["ph"] == "X":
        require(event.get("dur", -1) > 0, "dur", event)
    if event["ph"] == "i":
        require(event.get("s") in ("g", "p", "t"), "s", event)
    if event["ph"] == "M":
        require(event["name"] in ("process_name", "thread_name", "process_sort_index"), event)
        require(event.get("args"), "args", event)


def check_tracks(slices):
    """Slices of one track are one after the other."""
    for track, its in slices.items():
        its.sort(key=lambda event: event["ts"])
        for before, after in zip(its, its[1:]):
            require(before["ts"] + before["dur"] <= after["ts"] + ROUNDING_US,
                    "overlap", track, before, after)


def check_flows(flows, slices):
    """Each has one beginning and one end, not before it, and both are inside of slices, which are in order."""
    starts = {track: [event["ts"] for event in its] for track, its in slices.items()}
    for key, its in flows.items():
        require([event["ph"] for event in its] == ["s", "f"], "flow", key, its)
        start, end = its
        require(start["ts"] <= end["ts"], "flow backwards", key)
        require(start["name"] == end["name"] and end.get("bp") == "e", "flow", key)
        for event in its:
            track = event["pid"], event["tid"]
            begun = bisect.bisect_right(starts.get(track, ()), event["ts"] + ROUNDING_US)
            require(any(event["ts"] <= inner["ts"] + inner["dur"]
                        for inner in slices[track][max(begun - 2, 0):begun]), "loose end", event)


def check_json(document):
    """What Perfetto asks of the JSON format, and what makes sense besides."""
    require(isinstance(document.get("traceEvents"), list), "traceEvents")
    slices, flows = collections.defaultdict(list), collections.defaultdict(list)
    named, used = set(), set()
    for event in document["traceEvents"]:
        check_event(event)
        track = event["pid"], event["tid"]
        if event["ph"] == "X":
            slices[track].append(event)
        elif event["ph"] in ("s", "f"):
            require("id" in event and "cat" in event, event)
            flows[event["cat"], event["id"]].append(event)
        elif event["ph"] == "M" and event["name"] == "thread_name":
            named.add(track)
        if event["ph"] != "M":
            used.add(track)
    check_tracks(slices)
    check_flows(flows, slices)
    require(used <= named, "tracks without a name", used - named)
    return slices, flows
