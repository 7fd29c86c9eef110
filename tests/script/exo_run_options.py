#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What exo-run makes of its options and of the files that it is given, against fake-machine."""

import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases  # noqa: E402
from fake import ENVIRONMENT, EXO_RUN, exo_run, start  # noqa: E402


def refused(*options, says, **keywords):
    run = exo_run(*options, **keywords)
    assert run.returncode == 125 and says.encode() in run.stderr, (options, says, run)
    assert b"Traceback" not in run.stderr and run.stdout == b"", run


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


def what_means_nothing_is_refused():
    only = "only without --interactive"
    for options, says in (
            (["--interactive", "--timeout", "9"], "--timeout: " + only),
            (["--interactive", "--log", "/dev/null"], "--log: " + only),
            (["--interactive", "--trace", "/dev/null"], "--trace: " + only),
            (["--interactive", "--gdb", "0"], "--gdb: " + only),
            (["--interactive", "--keep-console"], "--keep-console: " + only),
            (["--interactive", "--env", "A=B"], "--env: only with a program"),
            (["--interactive", "--menu", "--file", "/etc/passwd"], "--file: not with --menu"),
            (["--interactive", "--menu", "--sched", "rr"], "--sched: not with --menu"),
            (["--interactive", "--menu", "sh"], "a program: not with --menu"),
            (["--menu", "true"], "--menu: only with --interactive"),
            (["--trace-size", "64", "true"], "--trace-size: only with --trace"),
            (["--trace-size", "8", "--trace", "/dev/null", "true"], "--trace-size: from 16 to 4096"),
            (["--libraries", "true"], "--libraries: only with --file"),
            (["--races", "0", "true"], "--races"), (["--sched", "", "true"], "--sched"),
            (["--sched", "two words", "true"], "--sched"), (["--cpus", "65", "true"], "--cpus: from 1 to 64")):
        refused(*options, says=says)
    run = exo_run("--interactive", "--log", "/dev/null", "--dry-run", environment={"DISPLAY_MODE": "vga"})
    assert run.returncode == 0 and b"-serial file:/dev/null" in run.stdout, run


def words_that_the_loader_would_change_are_refused():
    for word in ("it's", 'a"b', "a\\b", "a\x01b", b"\xff"):
        refused("--append", word, "true", says="do not pass through GRUB")
    run = exo_run("--append", "a;b  $root", "--dry-run", "true")
    assert b"boot words: console=serial panic=reset run a;b $root\n" in run.stdout, run


@contextlib.contextmanager
def folder_with(**files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as stream:
                stream.write(text)
        yield folder


def gdb_takes_only_what_is_a_socket():
    with folder_with(program="text") as folder:
        program, place = os.path.join(folder, "program"), os.path.join(folder, "socket")
        refused("--gdb", program, "true", says="--gdb")
        with open(program, encoding="ascii") as stream:
            assert stream.read() == "text"
        # One that is left over is replaced; none is left behind.
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(place)
        run = exo_run("--gdb", place, "test", "-S", place)
        assert run.returncode == 0 and not os.path.lexists(place), run
        refused("--gdb", "program:no-port", "true", says="is not a port", cwd=folder)
        run = exo_run("--gdb", "localhost:0", "true", cwd=folder)
        assert run.returncode == 0 and os.listdir(folder) == ["program"], (run, os.listdir(folder))


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


def what_cannot_be_in_the_machine_is_refused():
    with folder_with(a="a", b="b") as folder:
        a, b = (os.path.join(folder, name) for name in "ab")
        refused("--file", f"{a}:/d", "--file", f"{b}:/d", "true", says="/d has been given already")
        refused("--file", f"{a}:/d", "--file", f"{b}:/d/e/f", "true", says="/d is a file")
        refused("--file", f"{a}:/", "true", says="/ is a directory")
        refused("--file", f"{a}:/.exo-run/args", "true", says="exo-run's own")
        # Two directories become one.
        listed = exo_run("--dry-run", "--file", folder + ":/d", "--file", folder + ":/d/sub", "--file",
                         f"{a}:/d/x", "true").stdout
        assert all(name in listed for name in (b" /d/a\n", b" /d/sub/b\n", b" /d/x\n")), listed


def what_has_no_room_is_refused():
    with folder_with(a="") as folder:
        large = os.path.join(folder, "a")
        os.truncate(large, 300 << 20)
        refused("--file", large, "true", says="300 MiB, for which a machine of 256M has no room")
        refused("--file", folder, "--mem", "311M", "true", says="no room")
        os.truncate(large, 3 << 30)
        refused("--file", large, "--mem", "8G", "true", says="the host has not enough memory",
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)))


def parents_are_left_to_the_machine():
    """Whose modes are not exo-run's to say; / itself is there always."""
    with folder_with(a="a") as folder:
        os.mkdir(os.path.join(folder, "tree"))
        os.rename(os.path.join(folder, "a"), os.path.join(folder, "tree/a"))
        run = exo_run("--file", folder + "/tree:/", "--file", __file__ + ":/tmp/deep/b", "true", machine="lists")
        assert run.stdout.split() == [b".exo-run/args", b".exo-run/env", b"a", b"tmp/deep/b"], run


def a_machine_that_refuses_a_file_is_ended():
    """The program, which would run without it, is not asked for its status."""
    run = exo_run("sh", "-c", "exit 3", machine="refuses")
    assert run.returncode == 125 and b"/tmp cannot be put into the machine" in run.stderr, run


NOT_CASES = ("run_cases", "exo_run", "start", "refused", "folder_with")
run_cases([(name, case) for name, case in list(globals().items()) if callable(case) and name not in NOT_CASES])
