#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: fuzz
"""libFuzzer with the fuzzers of tests/fuzz/*_fuzz.c, one after the other.

FUZZ_SECONDS says for how long each (default 60), FUZZ_SEED with which seed (default 1), FUZZERS
which ones (default all).  What they have learned stays in build/fuzz/corpus/NAME and is where the
next run begins.  An input that breaks a promise is made small, and left in build/fuzz/found/.
"""

import os
import re
import subprocess
import sys

TOP = os.environ["TOP"]
FUZZ = os.path.join(os.environ["BUILD"], "fuzz")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
SEED = os.environ.get("FUZZ_SEED", "1")
MINIMIZE_SECONDS = 30


def all_fuzzers():
    return sorted(name[:-len("_fuzz.c")] for name in os.listdir(os.path.join(TOP, "tests/fuzz"))
                  if name.endswith("_fuzz.c"))


def minimized(program, found):
    small = found + "-small"
    subprocess.run([program, "-minimize_crash=1", f"-max_total_time={MINIMIZE_SECONDS}",
                    f"-exact_artifact_path={small}", found],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return small if os.path.exists(small) else found


def newest(directory, prefix):
    files = [os.path.join(directory, name) for name in os.listdir(directory)
             if name.startswith(prefix)]
    return max(files, key=os.path.getmtime, default=None)


def regressions(name):
    directory = os.path.join(TOP, "tests/fuzz/regressions")
    if not os.path.isdir(directory):
        return []
    return [os.path.join(directory, file) for file in os.listdir(directory)
            if file.startswith(name + "-")]


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(name):
    program = os.path.join(FUZZ, name + "_libfuzzer")
    corpus = os.path.join(FUZZ, "corpus", name)
    found = os.path.join(FUZZ, "found")
    for directory in (corpus, found):
        os.makedirs(directory, exist_ok=True)
    subprocess.run([os.path.join(FUZZ, name + "_fuzz"), "--seeds", corpus], check=True)
    for path in regressions(name):
        with open(path, "rb") as source, \
                open(os.path.join(corpus, os.path.basename(path)), "wb") as copy:
            copy.write(source.read())
    run = subprocess.run([program, f"-seed={SEED}", f"-max_total_time={SECONDS}", "-max_len=8192",
                          "-timeout=10", "-print_final_stats=1",
                          f"-artifact_prefix={found}/{name}-", corpus],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    log = run.stdout.decode("utf-8", "replace")
    with open(os.path.join(FUZZ, name + ".log"), "w", encoding="utf-8") as stream:
        stream.write(log)
    executions = last_number(r"stat::number_of_executed_units: *(\d+)", log)
    if executions == 0:
        executions = last_number(r"^#(\d+)\t", log)
    edges = last_number(r"\bcov: (\d+)", log)
    told = f"{executions} executions, {edges} edges, seed {SEED}"
    if run.returncode == 0:
        print(f"ok {name}: {told}, nothing found", flush=True)
        return True
    print("\n".join("# " + line for line in log.splitlines()[-60:]
                    if "not so:" in line or "ERROR" in line or "error" in line or " in " in line))
    artifact = newest(found, name + "-")
    if artifact:
        artifact = os.path.relpath(minimized(program, artifact), TOP)
    print(f"not ok {name}: {told}; repeat it with "
          f"{os.path.relpath(program, TOP)} {artifact}", flush=True)
    return False


def main():
    names = os.environ.get("FUZZERS", "").split() or all_fuzzers()
    return 0 if all([fuzz(name) for name in names]) else 1


sys.exit(main())
