#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""exo-run against a machine that is not there: fake-machine speaks its protocol."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXO_RUN = os.path.join(HERE, "../../scripts/exo-run")
ENVIRONMENT = dict(os.environ, QEMU=os.path.join(HERE, "fake-machine"), EXO_ISO=__file__,
                   ACCEL="tcg")


def exo_run(*arguments, machine="", stdin=b"", **keywords):
    return subprocess.run([EXO_RUN, *arguments], input=stdin, capture_output=True, timeout=60,
                          env=dict(ENVIRONMENT, FAKE_MACHINE=machine), check=False, **keywords)


def start(*arguments, machine="", **keywords):
    return subprocess.Popen([EXO_RUN, *arguments], env=dict(ENVIRONMENT, FAKE_MACHINE=machine),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


def output_and_error_arrive_apart_and_exact():
    run = exo_run("sh", "-c", r"printf 'a\000b\377\r\n'; printf 'err\n' >&2; exit 7")
    assert run.stdout == b"a\0b\xff\r\n" and run.stderr == b"err\n" and run.returncode == 7, run


def binary_input_comes_back_whole():
    data = os.urandom(300_000)
    assert exo_run("cat", stdin=data).stdout == data


def frames_survive_being_cut_anywhere():
    assert exo_run("cat", machine="slices", stdin=b"some text\n").stdout == b"some text\n"


def what_a_firmware_writes_is_passed_over():
    assert exo_run("cat", machine="chatty", stdin=b"text\n").stdout == b"text\n"


def arguments_arrive_as_they_are():
    run = exo_run("printf", "%s|", "a b", "", "--cpus", "*")
    assert run.stdout == b"a b||--cpus|*|", run


def a_double_dash_ends_the_options():
    assert exo_run("--", "echo", "-n").stdout == b""


def absent_input_is_empty():
    run = subprocess.run(["sh", "-c", f"exec {EXO_RUN} cat <&-"], env=ENVIRONMENT,
                         capture_output=True, timeout=60, check=False)
    assert run.returncode == 0 and run.stdout == b"", run


def input_that_nobody_reads_does_not_hang():
    assert exo_run("true", stdin=bytes(1_000_000)).returncode == 0


def slow_reader_gets_everything():
    run = start("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x", stdin=subprocess.DEVNULL)
    digest = hashlib.sha256()
    time.sleep(1)
    while chunk := run.stdout.read(100_000):
        digest.update(chunk)
        time.sleep(0.01)
    assert digest.digest() == hashlib.sha256(b"x" * 3_000_000).digest()
    assert run.wait() == 0


def reader_that_leaves_ends_the_program_with_sigpipe():
    run = start("sh", "-c", "trap '' INT; exec yes", stdin=subprocess.DEVNULL)
    run.stdout.read(10)
    run.stdout.close()
    assert run.wait(30) == 128 + signal.SIGPIPE


def signals_reach_the_program():
    for number in (signal.SIGINT, signal.SIGTERM):
        run = start("sh", "-c", f"trap 'echo caught; exit 9' {int(number)}; echo up; "
                    "while :; do sleep 0.05; done", stdin=subprocess.DEVNULL)
        assert run.stdout.readline() == b"up\n"
        run.send_signal(number)
        assert run.stdout.read() == b"caught\n" and run.wait(30) == 9


def death_by_signal_is_128_plus_its_number():
    assert exo_run("sh", "-c", "kill -9 $$").returncode == 128 + 9


def timeout_is_124():
    started = time.monotonic()
    assert exo_run("--timeout", "1", "sleep", "50").returncode == 124
    assert time.monotonic() - started < 45


def signal_before_the_program_starts_ends_exo_run():
    run = start("true", machine="hangs")
    time.sleep(1)
    run.send_signal(signal.SIGTERM)
    assert run.wait(30) == 128 + signal.SIGTERM


def dead_machine_is_126_and_shows_its_log():
    run = exo_run("true", machine="dies")
    assert run.returncode == 126 and b"fake machine: started" in run.stderr, run


def failures_of_exo_run_are_125():
    for options in (["--cpus", "none"], ["--cpus", "0"], ["--timeout", "-1"],
                    ["--timeout", "nan"], ["--env", "A"], ["--bogus"]):
        run = exo_run(*options, "true")
        assert run.returncode == 125 and options[0].encode() in run.stderr, run
    assert exo_run("--file", "/nonexistent", "true").returncode == 125
    for little in ("4M", "11", "8192k"):
        run = exo_run("--mem", little, "true")
        assert run.returncode == 125 and b"the system needs 12M at least" in run.stderr, run
    assert exo_run().returncode == 125
    missing = subprocess.run([EXO_RUN, "true"], env=dict(ENVIRONMENT, QEMU="no-such-qemu"),
                             capture_output=True, timeout=10, check=False)
    assert missing.returncode == 125, missing


def messages_go_to_the_log_alone():
    log = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"exo-run-test-{os.getpid()}.log")
    try:
        run = exo_run("--log", log, "echo", "hello")
        with open(log, "rb") as stream:
            assert stream.read() == b"fake machine: started\n"
        assert run.stdout == b"hello\n" and run.stderr == b"", run
    finally:
        os.unlink(log)


def a_log_or_a_stream_that_is_full_is_told():
    run = exo_run("--log", "/dev/full", "true")
    assert run.returncode == 125 and b"--log /dev/full: No space left" in run.stderr, run
    with open("/dev/full", "wb") as full:
        run = subprocess.run([EXO_RUN, "yes"], env=dict(ENVIRONMENT, FAKE_MACHINE=""), stdout=full,
                             stderr=subprocess.PIPE, timeout=60, check=False)
    assert run.returncode == 128 + signal.SIGPIPE and b"No space left" in run.stderr, run


def machine_does_not_outlive_exo_run():
    run = start("sh", "-c", "echo $PPID; sleep 50", stdin=subprocess.DEVNULL)
    machine = int(run.stdout.readline())
    run.kill()
    run.wait()
    for _ in range(100):
        try:
            os.kill(machine, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the machine still runs")


def dry_run_starts_nothing_and_lists_the_files():
    run = exo_run("--dry-run", "--file", __file__ + ":/a/b.py", "--sched", "rr", "prog", "x")
    assert run.returncode == 0 and b" /a/b.py" in run.stdout and b"sched=rr" in run.stdout, run


def a_directory_is_brought_with_its_links():
    with tempfile.TemporaryDirectory() as folder:
        for path in ("tree/sub/empty", "elsewhere"):
            os.makedirs(os.path.join(folder, path))
        with open(os.path.join(folder, "tree/sub/a file"), "wb") as stream:
            stream.write(b"12345")
        for target, link in (("sub", "link"), ("nowhere", "dangling"), (".", "loop")):
            os.symlink(target, os.path.join(folder, "tree", link))
        listed = exo_run("--dry-run", "--file", f"{folder}/tree:/t", "true").stdout.decode()
        for line in (r"^d\S+ +0 /t/sub/empty$", r"^-\S+ +5 /t/sub/a file$", r"^l\S+ +3 /t/link$",
                     r"^l\S+ +7 /t/dangling$", r"^l\S+ +1 /t/loop$"):
            assert re.search(line, listed, re.MULTILINE), (line, listed)
        # A link that is named itself brings what it leads to.
        listed = exo_run("--dry-run", "--file", f"{folder}/tree/link:/t", "true").stdout.decode()
        assert " /t/a file\n" in listed, listed
        os.mkfifo(os.path.join(folder, "tree/fifo"))
        run = exo_run("--file", f"{folder}/tree", "true")
        assert run.returncode == 125 and b"tree/fifo" in run.stderr, run


CASES = [value for name, value in list(globals().items())
         if callable(value) and name not in ("exo_run", "start")]


def main():
    failed = 0
    for case in CASES:
        try:
            case()
            print("ok", case.__name__, flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            print("not ok", case.__name__ + ":", repr(error)[:500], flush=True)
            failed += 1
    return 1 if failed else 0


sys.exit(main())
