#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Domains made by domainctl: what they print, how they end, and that all they had comes back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import run_cases, shell  # noqa: E402

CPU_COUNTS = (1, 2, 4)


def run(cpus, line, **keywords):
    result = shell(cpus, line, **keywords)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode()


def for_cpus(function):
    for cpus in CPU_COUNTS:
        yield f"{function.__name__}-cpus-{cpus}", lambda cpus=cpus: function(cpus)


def a_program_runs_in_a_domain(cpus):
    """On the last CPU: its output, its input and its status are as if it ran here."""
    last = cpus - 1
    out = run(cpus, f"""
        domainctl create --cpus {last} -- echo hello
        echo over | domainctl create --cpus {last} -- cat
        domainctl create --cpus {last} -- sh -c 'exit 7'; echo $?
        domainctl create --cpus {last} -- sh -c 'kill -TERM $$'; echo $?
        domainctl create --cpus {last} -- nothing-of-this-name; echo $?
        domainctl create --cpus {last} -- sh -c 'head -c 100000 /dev/zero | tr "\\0" x' | wc -c
        domainctl create --cpus {last} -- poweroff; echo $?
        """)
    assert out == ("hello\nover\n7\n143\ndomain-init: nothing-of-this-name: No such file or directory\n"
                   "127\n100000\n0\n"), out


def it_has_what_it_was_given(cpus):
    """Its CPUs, memory and scheduler; and the machine's time."""
    out = run(cpus, f"""
        domainctl create --cpus 0-{cpus - 1} --mem 24M --sched edf -- sh -c '
            grep -c ^processor /proc/cpuinfo; grep -o "\\[.*\\]" /proc/exo/sched
            for n in $(seq {cpus}); do sh -c "i=0; while [ \\$i -lt 3000 ]; do i=\\$((i+1)); done" & done
            wait; free -k | awk "/Mem/ {{ print \\$2 }}"; date +%Y'
        date +%Y
        """)
    count, scheduler, memory, inside, outside = out.split()
    assert (int(count), scheduler, inside) == (cpus, "[edf]", outside), out
    assert 16 << 10 < int(memory) < 24 << 10, out


def a_domain_makes_one_of_its_own(cpus):
    out = run(cpus, f"""
        domainctl create --cpus {cpus - 1} --mem 40M -- sh -c '
            domainctl create --cpus {cpus - 1} --mem 10M --budget 10/100ms -- echo grandchild; echo $?'
        """)
    assert out == "grandchild\n0\n", out


def one_that_is_detached_is_listed_and_killed(cpus):
    out = run(cpus, f"""
        id=$(domainctl create --detach --cpus {cpus - 1} -- sleep 1000)
        domainctl list | awk -v id=$id '$1 == id {{ print $2, $4, $7 }}'
        domainctl kill $id
        domainctl wait $id 2>/dev/null; echo $?
        domainctl list | wc -l
        domainctl wait $id 2>&1
        true
        """)
    assert out == "alive 32768 sleep\n137\n1\ndomainctl: 1: No such process\n", out


CASES = [case for function in (a_program_runs_in_a_domain, it_has_what_it_was_given,
                               a_domain_makes_one_of_its_own,
                               one_that_is_detached_is_listed_and_killed)
         for case in for_cpus(function)]

if __name__ == "__main__":
    run_cases(CASES)
