#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: mutants
"""Each patch beside this file puts one hazard back; the detectors that it names must find it.

A patch begins with

    Hazard: what goes wrong
    Row: the row of docs/hazards.md, or the invariant, that it belongs to
    Detector: explore NAME | unit NAME | script DIRECTORY/NAME [debug] | guest NAME CPUS [debug]

and any number of detectors.  First all of them pass on the tree as it is; then each patch is
applied to a copy, what its detectors need is built, and one of them has to fail.  A patch that does
not apply, a mutant that does not build, and one that nobody finds, fail the run.
"""

import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.environ.get("TOP", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
TREE = os.path.join(BUILD, "mutants/tree")
DETECTOR_LIMIT_S = 240


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-len(".patch")]
        with open(path, encoding="utf-8") as stream:
            head = stream.read().partition("\n--- ")[0]
        self.hazard = re.search(r"^Hazard: (.*)", head, re.MULTILINE).group(1)
        self.row = re.search(r"^Row: (.*)", head, re.MULTILINE).group(1)
        self.detectors = re.findall(r"^Detector: (.*)", head, re.MULTILINE)
        assert self.detectors, f"{self.name}: no detector"


def run(command, limit, **keywords):
    """(status, output); 124 when it had to be ended, which counts as found: it hung."""
    try:
        done = subprocess.run(command, cwd=TREE, capture_output=True, timeout=limit, check=False,
                              **keywords)
    except subprocess.TimeoutExpired:
        return 124, f"still running after {limit} s"
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def make(*goals, debug=False):
    build = "build/debug" if debug else "build"
    status, output = run(["make", "-s", f"BUILD={build}", f"CACHE={os.path.abspath(BUILD)}",
                          *(["DEBUG=1"] if debug else []), *goals], 600)
    if status:
        raise RuntimeError(f"does not build: {output[-400:]}")


def host_program(kind, name):
    program = f"build/{kind}/{name}_{'case' if kind == 'explore' else 'test'}"
    make(program)
    return run([program], DETECTOR_LIMIT_S)


def script(path, kind=""):
    debug = kind == "debug"
    make("all", debug=debug)
    program = next(os.path.join(TREE, "tests", path + ending) for ending in (".sh", ".py")
                   if os.path.exists(os.path.join(TREE, "tests", path + ending)))
    build = os.path.join(TREE, "build/debug" if debug else "build")
    environment = dict(os.environ, TOP=TREE, BUILD=build,
                       EXO_RUN=os.path.join(build, "bin/exo-run"),
                       EXO_CC=os.path.join(os.path.abspath(BUILD), "bin/exo-cc"))
    return run([program], DETECTOR_LIMIT_S, env=environment)


def guest(name, cpus, kind=""):
    debug = kind == "debug"
    make("all", debug=debug)
    build = "build/debug" if debug else "build"
    return run([f"{build}/bin/exo-run", "--cpus", cpus, "--timeout", str(DETECTOR_LIMIT_S - 30),
                "--", f"/tests/{name}"], DETECTOR_LIMIT_S)


def detect(detector):
    """None: passed; else how it failed."""
    kind, *words = detector.split()
    if kind in ("explore", "unit"):
        status, output = host_program(kind, *words)
    else:
        status, output = {"script": script, "guest": guest}[kind](*words)
    bad = [line for line in output.splitlines() if line.startswith("not ok")]
    if status == 0 and not bad:
        return None
    said = bad or [line for line in output.splitlines() if line.strip()][-1:]
    return f"status {status}: {said[0] if said else ''}"


def make_tree():
    shutil.rmtree(TREE, ignore_errors=True)
    os.makedirs(TREE)
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name:
            os.makedirs(os.path.dirname(os.path.join(TREE, name)), exist_ok=True)
            shutil.copy2(os.path.join(TOP, name), os.path.join(TREE, name))


def patch(mutant, *options):
    with open(mutant.path, "rb") as stream:
        return subprocess.run(["patch", "-p1", "-s", "-F0", *options], cwd=TREE, stdin=stream,
                              capture_output=True, check=False)


def kill(mutant):
    applied = patch(mutant, "--dry-run")
    if applied.returncode:
        return "not ok", f"does not apply: {applied.stdout.decode()[-200:]}"
    patch(mutant)
    start = time.monotonic()
    try:
        for detector in mutant.detectors:
            how = detect(detector)
            if how:
                return "ok", f"{detector}, {time.monotonic() - start:.0f} s, {how}"
        return "not ok", f"survives {', '.join(mutant.detectors)}"
    except RuntimeError as error:
        return "not ok", str(error)
    finally:
        patch(mutant, "-R")


def main():
    mutants = [Mutant(os.path.join(HERE, name)) for name in sorted(os.listdir(HERE))
               if name.endswith(".patch") and all(w in name or w.startswith("-")
                                                  for w in sys.argv[1:])]
    failed = 0
    make_tree()
    for detector in sorted({detector for mutant in mutants for detector in mutant.detectors}):
        how = detect(detector)
        print(f"not ok unchanged: {detector}: {how}" if how else f"ok unchanged/{detector.replace(' ', '-')}",
              flush=True)
        failed += bool(how)
    for mutant in mutants:
        verdict, why = kill(mutant)
        print(f"# {mutant.hazard} ({mutant.row}): {why}".replace("\n", " "))
        print(verdict, mutant.name + (": " + why.replace("\n", " ") if verdict != "ok" else ""),
              flush=True)
        failed += verdict != "ok"
    return 1 if failed else 0


sys.exit(main())
