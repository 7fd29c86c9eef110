#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Models of the protocols, searched by spin for states and cycles that must not be.

Each NAME.pml beside this file says in its opening comment what is searched:

  holds PROPERTY: quick OPTIONS; full OPTIONS     an ltl formula of the model, under weak fairness;
                                                  assertions are checked as well
  broken PROPERTY: OPTIONS what is wrong          with these a counterexample must be found

OPTIONS are -DNAME and depth=N, the number of steps after which a path is given up (else: none is).
`make test` has the quick searches and the first broken variants of each model; `make models`
(--full) all of them.  How a model is tied to the code is said in code_steps.py.

Each counterexample, whether asked for or not, is left in BUILD/models, with the code that each step stands for.
"""

import glob
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../script/lib")]
from cases import BUILD, TOP, run_cases  # noqa: E402
from code_steps import STEP, Code, Model  # noqa: E402

DIRECTORY = os.path.join(os.path.abspath(BUILD), "models")
DEPTH = 2_000_000
MEMORY_MB = 2800
LIMIT_S = {"quick": 120, "full": 1800}
BROKEN_QUICK = 3
HOLDS = re.compile(r"^ \* holds (\w+): quick (.*?); full (.*)$", re.MULTILINE)
BROKEN = re.compile(r"^ \* broken (\w+): ((?:-D\S+ )+)(.*)$", re.MULTILINE)
ROW = "{:<8} {:<18} {:<52} {:>10} {:>8} {:>7}  {}"


class Search:
    """One run of spin over a model."""

    def __init__(self, model, prop, options, bounds):
        self.model, self.prop, self.bounds = model, prop, bounds
        self.defines = [word for word in options.split() if word.startswith("-D")]
        depth = re.search(r"depth=(\d+)", options)
        self.depth = int(depth.group(1)) if depth else DEPTH
        self.bounded = depth is not None
        self.name = "-".join([os.path.basename(model)[:-len(".pml")], prop,
                              *(define[2:].lower() for define in self.defines)])
        self.directory = os.path.join(DIRECTORY, self.name)

    def command(self, *words, limit=120):
        return subprocess.run(words, cwd=self.directory, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit, check=False, text=True)

    def build(self):
        os.makedirs(self.directory, exist_ok=True)
        for old in glob.glob(os.path.join(self.directory, "*.trail")):
            os.remove(old)
        done = self.command("spin", "-a", *self.defines, self.model)
        assert done.returncode == 0, done.stdout
        # Where the search is short, compiling takes longer.
        done = self.command("gcc", "-O2" if self.bounds == "full" else "-O0", "-w", f"-DMEMLIM={MEMORY_MB}",
                            "-DNFAIR=3", "-o", "pan", "pan.c")
        assert done.returncode == 0, done.stdout

    def run(self):
        """True: nothing was found."""
        self.build()
        started = time.monotonic()
        output = self.command("./pan", "-a", "-f", f"-m{self.depth}", "-w20", "-N", self.prop,
                              limit=LIMIT_S[self.bounds]).stdout
        self.seconds = time.monotonic() - started
        errors = re.search(r"errors: (\d+)", output)
        assert errors, output
        self.states = int(re.search(r"(\d[\d.e+]*) states, stored", output).group(1).partition(".")[0])
        self.reached = int(re.search(r"depth reached (\d+)", output).group(1))
        found = re.findall(r"^pan:\d+: (.*?)(?: \(at depth.*)?$", output, re.MULTILINE)
        if not glob.glob(os.path.join(self.directory, "*.trail")):
            complete = self.bounded or ("Search not completed" not in output and not found)
            assert complete and errors.group(1) == "0", output
            self.found = None
        else:
            self.found = found[0] if found else "a counterexample"
        return self.found is None

    def explain(self):
        """The counterexample, each step with the code that it stands for."""
        code_at, code = {}, ""
        with open(self.model, encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                match = STEP.search(line)
                if match:
                    code = f"{match.group(1)} {match.group(2)}"
                elif line.startswith("}") or not line.strip():
                    code = ""
                code_at[number] = code
        trail = os.path.basename(self.model) + ".trail"
        replay = self.command("spin", "-t", "-k", trail, "-p", *self.defines, self.model).stdout
        path = os.path.join(DIRECTORY, self.name + ".txt")
        with open(path, "w", encoding="utf-8") as out:
            for line in replay.splitlines():
                step = re.search(r"proc +(\d+) \((\w+):\d+\) \S*?:(\d+) \(state \d+\)\s+\[(.*)\]", line)
                if step:
                    number, process, at, statement = step.groups()
                    out.write(f"{process} {number}  line {at:<4} {statement:<56} {code_at[int(at)]}\n")
                elif "CYCLE" in line or "assert" in line.lower():
                    out.write(line.strip() + "\n")
        return path

    def row(self, result):
        return ROW.format(os.path.basename(self.model)[:-len(".pml")], self.prop,
                          " ".join(self.defines), self.states, self.reached, f"{self.seconds:.1f}",
                          result)


def holds(search, report):
    well = search.run()
    report(search.row(("holds" if not search.bounded else f"holds to depth {search.depth}") if well else
                      "FOUND: " + search.found))
    assert well, f"{search.found}: see {search.explain()}"


def is_refuted(search, why, report):
    well = search.run()
    report(search.row(f"refuted ({search.found}): {why}" if not well else "NOT REFUTED: " + why))
    assert not well, f"nothing is found although {why}"
    with open(search.explain(), encoding="utf-8") as steps:
        assert steps.read(), "the counterexample has no steps"


def nothing_is_missing(missing):
    found = list(missing)
    assert not found, "; ".join(found)


def cases(full):
    code = Code(TOP)
    bounds = "full" if full else "quick"

    def report(line):
        print(line, flush=True)
    report(ROW.format("model", "property", "variant", "states", "depth", "seconds", "result"))
    for path in sorted(glob.glob(os.path.join(HERE, "*.pml"))):
        model = Model(path)
        name = os.path.basename(path)[:-len(".pml")]
        yield f"{name}_says_what_the_code_says", \
            lambda model=model: nothing_is_missing(code.missing_quotes(model))
        yield f"{name}_has_every_step_of_the_code", \
            lambda model=model: nothing_is_missing(code.missing_steps(model))
        named = set()
        for prop, quick, whole in HOLDS.findall(model.text):
            search = Search(path, prop, whole if full else quick, bounds)
            yield search.name if prop in named else f"{name}_{prop}", lambda search=search: holds(search, report)
            named.add(prop)
        for prop, options, why in BROKEN.findall(model.text)[:None if full else BROKEN_QUICK]:
            search = Search(path, prop, options, bounds)
            yield search.name, lambda search=search, why=why: is_refuted(search, why, report)


if __name__ == "__main__":
    run_cases(cases("--full" in sys.argv[1:]))
