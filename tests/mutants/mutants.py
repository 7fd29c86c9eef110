#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: mutants
"""Each patch beside this file puts one hazard back; the detectors that it names must find it.

    mutants.py [word ...]       those whose name, or a word of it, begins with one of the words: 6, 06-, wake

A patch begins with

    Hazard: what goes wrong
    Row: the row of docs/hazards.md, or the invariant, that it belongs to
    Detector: explore NAME | unit NAME | script NAME [debug] | guest NAME CPUS [debug]

and any number of detectors.  First all of them pass on the tree as it is; then each patch is
applied to a copy, what its detectors need is built, and one of them has to fail.  A patch that does
not apply, a mutant that does not build, and one that nobody finds, fail the run.

A line is printed for each mutant when it has died; docs/hazards.md has them all.  All that its detector
said is left in BUILD/mutants/found, in a file of the mutant's name.  The seconds are those of the detector's run.  A detector with a seed says 'seed N', and N repeats its run.
"""

import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.environ.get("TOP", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
TREE = os.path.join(BUILD, "mutants/tree")
FOUND = os.path.join(BUILD, "mutants/found")
# A mutant may hang: it is given so long, and so many times what the tree as it is needs.
LEAST_LIMIT_S, TIMES_LONGER = 60, 10
FIRST_LIMIT_S, MAKE_LIMIT_S = 300, 900
LINE = "{:<6}  {:<14}  {:<41}  {:<25}  {:>7}  {:>4}  {}"


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


def all_mutants():
    names = [name for name in os.listdir(HERE) if name.endswith(".patch")]
    return [Mutant(os.path.join(HERE, name))
            for name in sorted(names, key=lambda name: int(name.partition("-")[0]))]


# ---------------------------------------------------------------- detectors


class Verdict:
    """What a detector says: `how` it failed, or None; `seconds`; the `seed` that repeats it; its `output`."""

    def __init__(self, status, output, seconds):
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        bad = [line for line in lines if line.startswith("not ok")]
        panics = [line for line in lines if re.search(r"(?i)\bpanic( on CPU \d+)?:", line)]
        seed = re.search(r"\bseed (\d+)", output)
        self.how = None
        if status or bad:
            how = (bad or panics or lines[-1:] or [f"status {status}"])[0]
            self.how = how.removeprefix("not ok ")
        self.seconds, self.output = seconds, output
        self.seed = seed.group(1) if seed else "-"


def run(command, limit, **keywords):
    """(status, output); 124 when it had to be ended, which counts as found: it hung."""
    try:
        done = subprocess.run(command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=limit, check=False, **keywords)
    except subprocess.TimeoutExpired:
        return 124, f"still running after {limit:.0f} s"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def make(*goals, debug=False):
    build = "build/debug" if debug else "build"
    status, output = run(["make", "-s", f"BUILD={build}", f"CACHE={BUILD}",
                          *(["DEBUG=1"] if debug else []), *goals], MAKE_LIMIT_S)
    if status:
        raise RuntimeError(f"does not build: {output[-400:]}")


def host_program(kind, name):
    program = f"build/{kind}/{name}_{'case' if kind == 'explore' else 'test'}"
    make(program)
    return [program], {}


def script(name, kind=""):
    """tests/NAME/NAME.sh or .py, or one of those in tests/script"""
    debug = kind == "debug"
    make("all", debug=debug)
    program = next(path for path in (os.path.join(TREE, "tests", folder, name + ending)
                                     for folder in (name, "script") for ending in (".sh", ".py"))
                   if os.path.exists(path))
    build = os.path.join(TREE, "build/debug" if debug else "build")
    environment = dict(os.environ, TOP=TREE, BUILD=build,
                       EXO_RUN=os.path.join(build, "bin/exo-run"),
                       EXO_CC=os.path.join(BUILD, "bin/exo-cc"))
    return [program], {"env": environment}


def guest(name, cpus, kind=""):
    debug = kind == "debug"
    make("all", debug=debug)
    build = "build/debug" if debug else "build"
    return [f"{build}/bin/exo-run", "--keep-console", "--cpus", cpus, "--timeout", "LIMIT", "--",
            f"/tests/{name}"], {}


def detect(detector, limit):
    kind, *words = detector.split()
    prepare = {"script": script, "guest": guest}.get(kind)
    command, keywords = prepare(*words) if prepare else host_program(kind, *words)
    start = time.monotonic()
    status, output = run([f"{limit:.0f}" if word == "LIMIT" else word for word in command],
                         limit + 30, **keywords)
    return Verdict(status, output, time.monotonic() - start)


# ---------------------------------------------------------------- mutants


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
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def wanted(mutant, words):
    return not words or any(("-" + mutant.name).find("-" + word) >= 0 for word in words)


def keep(mutant, detector, output):
    os.makedirs(FOUND, exist_ok=True)
    with open(os.path.join(FOUND, mutant.name + ".txt"), "w", encoding="utf-8") as stream:
        stream.write(f"{mutant.name}: {mutant.hazard}\nfound by {detector}, which said\n\n{output}")


def kill(mutant, limits):
    """-> (did it die, the columns of its line)"""
    applied = patch(mutant, "--dry-run")
    if applied.returncode:
        return False, ("-", "-", "-", f"does not apply: {applied.stdout.decode()[-200:]}")
    patch(mutant)
    try:
        for detector in mutant.detectors:
            verdict = detect(detector, limits[detector])
            if verdict.how:
                keep(mutant, detector, verdict.output)
                return True, (detector, f"{verdict.seconds:.1f} s", verdict.seed, verdict.how)
        return False, (", ".join(mutant.detectors), "-", "-", "survives")
    except RuntimeError as error:
        return False, ("-", "-", "-", str(error))
    finally:
        patch(mutant, "-R")


def say(*columns):
    print(LINE.format(*(str(column).replace("\n", " ") for column in columns)).rstrip(), flush=True)


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    mutants = [mutant for mutant in all_mutants() if wanted(mutant, words)]
    passed = failed = 0
    limits = {}
    make_tree()
    say("", "row or invariant", "mutant", "killed by", "after", "seed", "with")
    for detector in sorted({detector for mutant in mutants for detector in mutant.detectors}):
        verdict = detect(detector, FIRST_LIMIT_S)
        limits[detector] = max(LEAST_LIMIT_S, TIMES_LONGER * verdict.seconds)
        say("not ok" if verdict.how else "ok", "-", "unchanged", detector,
            f"{verdict.seconds:.1f} s", verdict.seed, verdict.how or "passes")
        passed, failed = passed + (not verdict.how), failed + bool(verdict.how)
    for mutant in mutants:
        died, columns = kill(mutant, limits)
        say("ok" if died else "not ok", mutant.row, mutant.name, *columns)
        passed, failed = passed + died, failed + (not died)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
