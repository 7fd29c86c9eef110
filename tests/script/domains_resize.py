#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""CPUs and budgets of a domain change while it works: nothing is lost or stuck, under any scheduler
library, and its share is what it is resized to."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, TOP, exo_run, run_cases  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "20"))
LIBRARIES = ("fifo", "central", "edf", "fair", "forkjoin", "lottery", "mlfq", "prio", "stride")

# `load ARGUMENTS` starts the load in a domain; `check N` has it look at itself; `end` ends it.
FUNCTIONS = """
load() {
    rm -f /tmp/in /tmp/out; mkfifo /tmp/in /tmp/out
    domainctl create --mem 48M "$@" < /tmp/in > /tmp/out &
    exec 3> /tmp/in 4< /tmp/out
    id=$(domainctl list | awk 'END { print $1 }')
    until domainctl list | grep -q "^$id alive"; do id=$(domainctl list | awk 'END { print $1 }'); done
}
check() { echo go $1 >&3; read answer <&4; [ "$answer" = "on $1" ] || echo "checked $1: $answer"; }
end() { echo end >&3; read answer <&4; echo "$answer"; exec 3>&- 4<&-; wait $!; echo $?; }
"""


def guest(cpus, lines, *options, environment=None):
    result = exo_run("--cpus", str(cpus), "--file", f"{PROGRAM}:/resize", *options, "--", "sh", "-c",
                     FUNCTIONS + lines, limit=300, environment=environment)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode()


def it_shrinks_and_grows_under_load(cpus):
    """To each of its CPUs in turn, so that the first goes too."""
    out = guest(cpus, f"""
        load --cpus 0-{cpus - 1} --budget 60/100ms -- /resize load
        check {cpus}
        for i in $(seq {ROUNDS}); do
            domainctl resize $id --cpus $((i % {cpus})) || echo shrinking $?
            check 1
            domainctl resize $id --cpus 0-{cpus - 1} || echo growing $?
            check {cpus}
        done
        domainctl list | awk -v id=$id '$1 == id {{ print $2, $3 }}'
        end
        """)
    assert out == f"alive {(1 << cpus) - 1:x}\nall there\n0\n", out


def it_is_resized_before_it_is_up():
    """A CPU comes while the first is still at the start, and that one is to go before the other is there."""
    out = guest(2, """
        for i in 1 2 3 4 5 6; do
            id=$(domainctl create --detach --mem 24M --cpus 0 --budget 1/100ms -- sleep 1000)
            domainctl resize $id --cpus 0-1 && domainctl resize $id --cpus 1
            domainctl list | awk 'NR > 1 { print $2, $3 }'
            domainctl kill $id; domainctl wait $id 2>/dev/null
        done
        true
        """)
    assert out == "alive 2\n" * 6, out


def who_is_bound_to_a_cpu_follows_it():
    """Without it, a task runs elsewhere; nobody but the CPU that comes back sends it there again."""
    out = guest(2, """
        load --cpus 0-1 --budget 60/100ms -- /resize bound
        check 2
        for i in 1 2 3; do
            domainctl resize $id --cpus 0; check 1
            domainctl resize $id --cpus 0-1; check 2
        done
        end
        """)
    assert out == "all there\n0\n", out


def every_library_copes():
    """The core would have one that does not ejected, and the domain's own /proc says who is in force."""
    lines = "".join(f"""
        load --cpus 0-1 --budget 80/100ms --sched {library} -- \\
            sh -c '/resize load; grep -o "\\[.*\\]" /proc/exo/sched'
        check 2
        domainctl resize $id --cpus 1; check 1
        domainctl resize $id --cpus 0-1; check 2
        echo end >&3; read answer <&4; read in_force <&4; echo "$answer" "$in_force"
        exec 3>&- 4<&-; wait $!
        """ for library in LIBRARIES)
    out = guest(2, lines)
    assert out == "".join(f"all there [{library}]\n" for library in LIBRARIES), out


def a_library_is_told_what_the_contract_says():
    """tests/schedulers/strict.h is ejected if it is called on a CPU that is not online."""
    out = guest(2, """
        load --cpus 0-1 --budget 60/100ms -- \\
            sh -c 'echo /strict.so > /proc/exo/sched-load; echo strict > /proc/exo/sched
                   /resize load; grep -o "\\[.*\\]" /proc/exo/sched'
        check 2
        for i in 1 2 3; do
            domainctl resize $id --cpus $((i % 2)); check 1
            domainctl resize $id --cpus 0-1; check 2
        done
        echo end >&3; read answer <&4; read in_force <&4; echo "$answer" "$in_force"
        exec 3>&- 4<&-; wait $!
        """, "--file", f"{BUILD}/tests/schedulers/strict.so:/strict.so")
    assert out == "all there [strict]\n", out


def its_children_leave_a_cpu_first():
    """What a child has on a CPU runs on the others that it has, when its maker is to give the CPU up: also
    while one computes there for ever.  What was taken from a child comes back only by its maker."""
    out = guest(2, """
        load --cpus 0-1 --mem 128M --budget 90/100ms -- sh -c '/resize spin & /resize spin &
            exec domainctl create --cpus 0-1 --mem 48M --budget 60/100ms -- /resize load'
        check 2
        domainctl resize $id --cpus 0 || echo shrinking $?
        check 1
        domainctl resize $id --cpus 0-1 || echo growing $?
        check 1
        domainctl resize $id --cpus 0 || echo shrinking $?
        check 1
        end
        """, "--mem", "384M")
    assert out == "all there\n0\n", out


def a_child_that_has_no_other_cpu_ends():
    """Or whose end would be told there, though one computes there for ever."""
    out = guest(2, """
        for cpu in 1 0; do
            id=$(domainctl create --detach --cpus 0-1 --mem 96M --budget 60/100ms --channel up -- sh -c '
                taskset 1 /resize spin & taskset 2 /resize spin &
                id=$(domainctl create --detach --cpus 0 --mem 16M --budget 10/100ms -- cat)
                domainctl resize $id --cpus 1; echo > /dev/channel/up
                domainctl wait $id 2> /dev/null; echo $? > /dev/channel/up; wait')
            read up < /dev/channel/up
            domainctl resize $id --cpus $((1 - cpu)) || echo $?
            head -n 1 /dev/channel/up
            domainctl list | awk 'END { print $2, $3 }'
            domainctl kill $id; domainctl wait $id 2> /dev/null
        done
        true
        """, "--mem", "384M")
    assert out == "137\nalive 1\n137\nalive 2\n", out


def a_child_that_does_not_leave_loses_the_cpu():
    """In time for its maker, who would lose it while tasks are there, and be at its end."""
    out = guest(2, """
        id=$(domainctl create --detach --cpus 0-1 --mem 96M --budget 60/100ms --channel up -- sh -c '
            for i in 1 2 3; do
                domainctl create --detach --cpus 0-1 --mem 8M --budget 10/100ms --image /hostile -- masked
            done
            exec 3<>/dev/channel/up; echo up >&3; read end <&3')
        exec 3<>/dev/channel/up; read up <&3
        domainctl resize $id --cpus 0 --patience 4000 || echo $?
        domainctl list | awk 'END { print $2, $3 }'
        """, "--mem", "384M", "--file", f"{HOSTILE}:/hostile")
    assert out == "alive 1\n", out


def what_cannot_be_is_refused():
    out = guest(2, """
        id=$(domainctl create --detach --mem 32M --cpus 0 --budget 30/100ms -- sleep 1000)
        domainctl resize $id --budget 100/100ms 2>&1
        domainctl resize $id --budget 10/0ms 2>/dev/null; echo $?
        domainctl resize $id --cpus 2 2>&1
        other=$(domainctl create --detach --mem 32M --cpus 1 --budget 60/100ms -- sleep 1000)
        domainctl resize $id --cpus 0-1 --budget 50/100ms 2>&1
        domainctl resize $id --cpus 1 --budget 30/100ms; echo $?
        domainctl list | awk 'NR > 1 { print $3, $5, $6 }'
        domainctl kill $id; domainctl wait $id 2>/dev/null
        domainctl resize $id --cpus 0 2>&1
        domainctl kill $other; domainctl wait $other 2>/dev/null; echo $?
        """)
    busy = ("domainctl: resize: Resource busy: its CPUs have not as much time left (domainctl list), or another "
            "resize of it is under way")
    assert out.splitlines() == [busy, "125", "domainctl: resize: Invalid argument: there is no CPU 2 here",
                                busy, "0", "2 30000 100000",
                                "2 60000 100000", "domainctl: 1: No such process", "137"], out


def budgets_are_what_they_are_resized_to():
    """Where time is counted in instructions: within 2 % of each, beside one that never sleeps."""
    settings = ((300, "15/50ms"), (600, "6/10ms"), (100, "2/20ms"))
    lines = "".join(f"domainctl resize $id --budget {budget}; /resize share $id 100 >/dev/null; "
                    "/resize share $id 600; " for _, budget in settings)
    out = guest(1, "id=$(domainctl create --detach --mem 32M --budget 50/100ms -- /resize spin); " +
                lines + "domainctl kill $id; domainctl wait $id 2>/dev/null; true",
                environment={"ACCEL": "icount"})
    for had, (wanted, _) in zip(map(int, out.split()), settings, strict=True):
        assert abs(had - wanted) <= 0.02 * wanted, out


with tempfile.TemporaryDirectory() as FOLDER:
    PROGRAM = os.path.join(FOLDER, "resize")
    HOSTILE = os.path.join(FOLDER, "hostile")
    subprocess.run([f"{TOP}/tests/kernel_harness/bare-module", HOSTILE,
                    f"{TOP}/tests/hostile_domain/entry.asm", f"{TOP}/tests/hostile_domain/hostile.c"],
                   check=True)
    subprocess.run([EXO_CC, "-O2", "-pthread", "-I", os.path.join(TOP, "include"), "-o", PROGRAM,
                    os.path.join(TOP, "tests/script/domains_resize.c")], check=True)
    CASES = [(f"it_shrinks_and_grows_under_load-cpus-{cpus}",
              lambda cpus=cpus: it_shrinks_and_grows_under_load(cpus)) for cpus in (2, 4)]
    run_cases(CASES + [(case.__name__, case) for case in (
        it_is_resized_before_it_is_up, who_is_bound_to_a_cpu_follows_it, every_library_copes,
        a_library_is_told_what_the_contract_says, its_children_leave_a_cpu_first,
        a_child_that_has_no_other_cpu_ends, a_child_that_does_not_leave_loses_the_cpu,
        what_cannot_be_is_refused,
        budgets_are_what_they_are_resized_to)])
