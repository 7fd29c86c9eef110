# SPDX-License-Identifier: MIT
"""What the script tests share: running a program in a machine, and counting cases."""

import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("TOP", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
EXO_RUN = os.environ.get("EXO_RUN", os.path.join(BUILD, "bin/exo-run"))
EXO_CC = os.environ.get("EXO_CC", os.path.join(BUILD, "bin/exo-cc"))
# The build that checks invariants and can be made to fail: this one, or the one beside it.
DEBUG_RUN = os.path.join(BUILD, "" if os.path.basename(BUILD) == "debug" else "debug", "bin/exo-run")
CPU_COUNTS = (1, 2, 4, 8)

# Never asserted; only the bound after which a machine counts as hanging.
LIMIT_S = 120
# What the machine said that ran last, unless a test keeps that itself: a case that fails shows its end.
LAST_LOG = tempfile.NamedTemporaryFile(prefix="log-", mode="r+", errors="replace")  # pylint: disable=R1732


def exo_run(*arguments, stdin=b"", limit=LIMIT_S, environment=None, program=EXO_RUN):
    """Run exo-run with these arguments; its own --timeout ends a machine that hangs."""
    if "--timeout" not in arguments:
        arguments = ("--timeout", str(limit), *arguments)
    if "--log" not in arguments:
        arguments = ("--log", LAST_LOG.name, *arguments)
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, check=False,
                          timeout=limit + 60, env={**os.environ, **(environment or {})})


def shell(cpus, line, *options, **keywords):
    return exo_run("--cpus", str(cpus), *options, "--", "sh", "-c", line, **keywords)


def log_end():
    LAST_LOG.seek(0)
    return " | ".join(line for line in LAST_LOG.read().splitlines() if line)[-2000:]


def run_cases(cases):
    """Each case is (name, function); a function that raises has failed."""
    failed = 0
    for name, case in cases:
        try:
            case()
            print("ok", name, flush=True)
        except Exception as error:  # pylint: disable=broad-except
            print("not ok", name + ":", repr(error).replace("\n", " ")[:800], "log:", log_end(), flush=True)
            failed += 1
    sys.exit(1 if failed else 0)


def run_debug_cases(cases):
    """Those that only the debug build can be put to."""
    if os.path.exists(DEBUG_RUN):
        run_cases(cases)
    for name, _ in cases:
        print(f"ok {name} # skip there is no debug build")


def per_cpu_count(function):
    """A case for each number of CPUs."""
    for cpus in CPU_COUNTS:
        yield f"{function.__name__}-cpus-{cpus}", lambda cpus=cpus: function(cpus)
