#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lines for the shell, run by exo-run at 1, 2, 4 and 8 CPUs: streams and statuses are exact."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, exo_run, per_cpu_count, run_cases, shell  # noqa: E402


def every_cpu_is_counted(cpus):
    run = shell(cpus, "grep -c ^processor /proc/cpuinfo")
    assert run.stdout == b"%d\n" % cpus and run.returncode == 0, run


def a_pipeline_sorts(cpus):
    run = shell(cpus, "seq 1 30000 | sort -rn | head -1 | grep 30000")
    assert run.stdout == b"30000\n" and run.returncode == 0, run


def the_exit_status_arrives(cpus):
    assert shell(cpus, "exit 7").returncode == 7


def random_bytes_come_back(cpus):
    """More than the machine takes at once, several times, and so in many frames each way."""
    data = os.urandom(144 << 10)
    run = exo_run("--cpus", str(cpus), "--", "cat", stdin=data)
    assert run.stdout == data and run.returncode == 0, (len(run.stdout), run.returncode)


def eight_busy_processes_use_every_cpu(cpus):
    """Each line cpuN of /proc/stat tells of work done: each computes for some twenty ticks, of which one would do."""
    busy = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done"
    run = shell(cpus, f"for n in 1 2 3 4 5 6 7 8; do ( {busy} ) & done; wait; "
                      "grep '^cpu[0-9]' /proc/stat")
    lines = run.stdout.decode().splitlines()
    assert len(lines) == cpus, run
    for line in lines:
        user = int(line.split()[1]) + int(line.split()[3])
        assert user > 0, lines


def a_web_server_answers(cpus):
    """BusyBox's: httpd listens before it leaves the shell alone."""
    run = shell(cpus, "mkdir /tmp/www; seq 1 20000 > /tmp/www/numbers; httpd -p 127.0.0.1:8080 -h /tmp/www; "
                      "for i in 1 2 3 4; do wget -q -O - http://localhost:8080/numbers | cksum & done; wait; "
                      "cksum < /tmp/www/numbers; wget -q -O - http://127.0.0.1:8080/none 2> /dev/null; echo $?")
    assert run.returncode == 0 and run.stdout == b"3231941463 108894\n" * 5 + b"1\n", run


def netcat_finds_netcat(cpus):
    run = shell(cpus, "nc -l -p 9000 > /tmp/got & until seq 1 1000 | nc 127.0.0.1 9000 2> /dev/null; do :; done; "
                      "wait; cksum < /tmp/got; seq 1 1000 | cksum")
    first, second = run.stdout.splitlines()
    assert run.returncode == 0 and first == second, run


def a_segmentation_fault_gives_139():
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "crash.c"), os.path.join(folder, "crash")
        with open(source, "w", encoding="ascii") as stream:
            stream.write("int main(void) { *(volatile int *)8 = 1; return 0; }\n")
        subprocess.run([EXO_CC, "-o", program, source], check=True)
        run = exo_run("--file", f"{program}:/tmp/crash", "--", "/tmp/crash")
        assert run.returncode == 139, run


# Reads to where there is room for a hundred bytes only, and then the rest; writes what it was given.
READS_PAST_THE_END = """
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;
	int rest = 0;
	munmap(page + 4096, 4096);
	n = read(0, page + 3996, 2000);
	do
		if (n > 0)
			write(1, rest ? page : page + 3996, n);
	while (rest = 1, (n = read(0, page, 64)) > 0);
	return 0;
}
"""


def input_that_cannot_be_stored_is_not_lost():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "reads")
        subprocess.run([EXO_CC, "-x", "c", "-o", program, "-"], input=READS_PAST_THE_END.encode(), check=True)
        data = os.urandom(5000)
        run = exo_run("--file", f"{program}:/tmp/reads", "--", "/tmp/reads", stdin=data)
        assert run.stdout == data, (len(run.stdout), run)


def a_loop_ends_with_124():
    run = exo_run("--timeout", "3", "--", "sh", "-c", "while :; do :; done")
    assert run.returncode == 124, run


def standard_error_is_apart():
    run = shell(2, "echo out; echo err >&2")
    assert run.stdout == b"out\n" and run.stderr == b"err\n", run


def a_missing_program_gives_127():
    run = exo_run("--", "no-such-program")
    assert run.returncode == 127 and b"no-such-program" in run.stderr and \
        b"--file" in run.stderr, run


def a_directory_of_ours_is_there():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "sub/empty"))
        with open(os.path.join(folder, "sub/data"), "wb") as stream:
            stream.write(bytes(range(256)))
        os.chmod(os.path.join(folder, "sub/data"), 0o640)
        os.symlink("sub/data", os.path.join(folder, "link"))
        os.chmod(folder, 0o700)
        os.chmod(os.path.join(folder, "sub"), 0o3771)
        os.utime(os.path.join(folder, "sub/data"), (0, 1_100_000_000))
        os.utime(os.path.join(folder, "sub"), (0, -1))
        run = exo_run("--file", f"{folder}:/deep/er", "--", "sh", "-c",
                      "cat /deep/er/link; readlink /deep/er/link; ls /deep/er/sub/empty;"
                      "stat -c '%a %s %Y %F' /deep/er/sub/data; stat -c %a /deep/er; stat -c '%a %Y' /deep/er/sub")
    assert run.stdout == bytes(range(256)) + b"sub/data\n640 256 1100000000 regular file\n700\n3771 0\n", run


def an_unknown_scheduler_is_refused():
    run = exo_run("--sched", "nosuch", "--", "echo", "ran")
    assert run.returncode == 125 and not run.stdout, run
    assert re.search(rb"^exo-run: --sched nosuch: there is no such scheduler; there are: .*\bfifo\b",
                     run.stderr) and b"died" not in run.stderr, run


run_cases([
    *per_cpu_count(every_cpu_is_counted),
    *per_cpu_count(a_pipeline_sorts),
    *per_cpu_count(the_exit_status_arrives),
    *per_cpu_count(random_bytes_come_back),
    *per_cpu_count(eight_busy_processes_use_every_cpu),
    *per_cpu_count(a_web_server_answers),
    *per_cpu_count(netcat_finds_netcat),
    *((case.__name__, case) for case in (
        a_segmentation_fault_gives_139, a_loop_ends_with_124, standard_error_is_apart,
        input_that_cannot_be_stored_is_not_lost,
        a_missing_program_gives_127, an_unknown_scheduler_is_refused, a_directory_of_ours_is_there)),
])
