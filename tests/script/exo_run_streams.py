#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""exo-run against a machine that is not there: fake-machine speaks its protocol."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from fake import ENVIRONMENT, EXO_RUN, exo_run, start  # noqa: E402
from run_disk import load_exo_run  # noqa: E402


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


def until(condition):
    """Only the bound after which it counts as never."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it does not come about")


def state(process):
    """Its letter in /proc; "" if it is gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def dies_with(run, machine):
    run.kill()
    run.wait()
    until(lambda: state(machine) in ("", "Z"))


def machine_does_not_outlive_exo_run():
    run = start("sh", "-c", "echo $PPID; sleep 50", stdin=subprocess.DEVNULL)
    dies_with(run, int(run.stdout.readline()))


def nor_does_one_at_a_terminal():
    with tempfile.TemporaryDirectory() as folder:
        machine = os.path.join(folder, "machine")
        with open(machine, "w", encoding="ascii") as stream:
            stream.write("#!/bin/sh\necho $$\nexec sleep 50\n")
        os.chmod(machine, 0o755)
        run = start("--interactive", environment={"QEMU": machine}, stdin=subprocess.DEVNULL)
        assert b"Ctrl-A X" in run.stdout.readline()
        dies_with(run, int(run.stdout.readline()))


def a_stop_stops_the_machine_too():
    with tempfile.TemporaryDirectory() as folder:
        goes_on = os.path.join(folder, "goes-on")
        # A group of its own, whose stops somebody of its session sees: else it would not be stopped.
        run = start("sh", "-c", f"echo $PPID; until [ -e {goes_on} ]; do sleep 0.05; done; echo done",
                    stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
        try:
            machine = int(run.stdout.readline())
            run.send_signal(signal.SIGTSTP)
            os.waitid(os.P_PID, run.pid, os.WSTOPPED)
            assert state(run.pid) == "T"
            until(lambda: state(machine) == "T")
            run.send_signal(signal.SIGCONT)
            until(lambda: state(machine) != "T")
            with open(goes_on, "wb"):
                pass
            assert run.stdout.read() == b"done\n" and run.wait(30) == 0
        finally:
            run.kill()


def a_signal_while_files_are_read_ends_exo_run():
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        run = start("--file", pipe, "true")
        with open(pipe, "wb"):                  # it reads, for as long as this is open
            run.send_signal(signal.SIGINT)
            assert run.wait(30) == 128 + signal.SIGINT
        assert run.stderr.read() == b""


def a_signal_leaves_no_files():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        own = os.path.join(folder, "own")
        os.mkfifo(log)
        os.mkdir(own)
        # It waits for a reader of its log, with its directory made.
        run = start("--log", log, "true", environment={"TMPDIR": own})
        until(lambda: os.listdir(own))
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 128 + signal.SIGTERM and os.listdir(own) == [], run


def a_signal_that_comes_too_late_is_nobodys():
    module = load_exo_run()
    handlers = {number: signal.getsignal(number) for number in module.FORWARDED_SIGNALS}
    try:
        with module.catch_signals() as receiver:
            os.kill(os.getpid(), signal.SIGTERM)
            assert receiver.recv(1) == bytes([signal.SIGTERM])
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def an_end_that_is_far_off_is_waited_for():
    for far in ("inf", "1e10"):
        run = exo_run("--timeout", far, "sh", "-c", "exit 4")
        assert run.returncode == 4, run


def messages_that_nobody_reads_end_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    run = start("--keep-console", "sh", "-c", "exit 3", stdin=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    assert run.wait(30) == 3


def a_trace_comes_also_when_the_time_is_up():
    """Of a program that has not ended: it is, first.  Of a machine that says nothing exo-run says so."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace")
        run = exo_run("--timeout", "4", "--trace", path, "sh", "-c", "trap '' TERM; sleep 50")
        with open(path, "rb") as stream:
            assert stream.read() == b"records" and run.returncode == 124 and run.stderr == b"", run
        run = exo_run("--timeout", "1", "--trace", path, "true", machine="hangs")
        assert run.returncode == 124 and b"did not tell what it has traced" in run.stderr, run
        assert os.path.getsize(path) == 0
        run = exo_run("--trace", path, "sh", "-c", "exit 6")
        with open(path, "rb") as stream:
            assert stream.read() == b"records" and run.returncode == 6, run


NOT_CASES = ("run_cases", "exo_run", "start", "load_exo_run", "until", "state", "dies_with")
run_cases([(name, case) for name, case in list(globals().items()) if callable(case) and name not in NOT_CASES])
