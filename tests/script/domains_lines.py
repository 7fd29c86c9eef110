#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Interrupt lines of domains: granted and taken back while they run.  The line is that of the PC's interval
timer, which the firmware has left ticking and nobody else uses."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, TOP, exo_run, run_cases  # noqa: E402

PROGRAMS = """
    create() { domainctl create --mem 12M --budget 30/100ms "$@"; }
    tick() { head -c 4 /dev/irq/0 2>&1 | wc -c; }  # 4 bytes, or words that say why not
    # In a domain: what it is told to do with its line.
    serves='exec 3<>/dev/channel/c; while read what <&3; do
                case $what in
                open) if (exec 4</dev/irq/0) 2>/dev/null; then exec 4</dev/irq/0; echo opened; else echo none; fi >&3 ;;
                read) if head -c 4 <&4 >/dev/null 2>&1; then echo ticked; else echo gone; fi >&3 ;;
                esac
            done'
    ask() { echo $1 >&5; [ $2 ] && echo $2 >&5; read answer <&5; echo $answer; }
"""

BUSY = ("domainctl: create: Resource busy: its CPUs have not as much time left (domainctl list), or somebody has one "
        "of the interrupt lines")


def run(cpus, lines):
    result = exo_run("--cpus", str(cpus), "--", "sh", "-c", PROGRAMS + lines)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode().splitlines()


def a_line_is_whose_it_was_given_to(cpus):
    """Its maker's, one domain's, and after that domain's end another's."""
    out = run(cpus, f"""
        tick
        create --cpus {cpus - 1} --irq 0 -- sh -c 'head -c 12 /dev/irq/0 | od -An -tu4 -w4' | uniq | wc -l
        create --cpus {cpus - 1} --irq 0 -- sh -c 'head -c 4 /dev/irq/5' 2>&1
        id=$(create --cpus {cpus - 1} --irq 0 --detach -- sleep 1000)
        sh -c 'head -c 4 /dev/irq/0' 2>&1; create --irq 0 -- true 2>&1; create --irq 24 -- true 2>/dev/null; echo $?
        domainctl kill $id; domainctl wait $id 2>/dev/null
        tick
        exec 4</dev/irq/0; create --irq 0 -- true 2>&1; exec 4<&-
        create --irq 4 -- true 2>&1; true
        """)
    assert out == ["4", "3", "head: /dev/irq/5: No such device or address",
                   "head: /dev/irq/0: Resource busy", BUSY, "125", "4", BUSY, BUSY], out


def each_interrupt_is_an_edge(cpus):
    """For epoll, when it has been answered by reading until there is nothing."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "edges")
        subprocess.run([EXO_CC, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                        os.path.join(TOP, "tests/script/domains_edges.c")], check=True)
        result = exo_run("--cpus", str(cpus), "--file", f"{program}:/edges", "--", "/edges")
    assert (result.returncode, result.stdout) == (0, b"edges\n"), result


def lines_come_and_go_while_it_runs(cpus):
    """One that is being read is gone for its reader; and each time it comes again it ticks."""
    out = run(cpus, f"""
        id=$(create --cpus {cpus - 1} --detach --channel c -- sh -c "$serves"); exec 5<>/dev/channel/c
        ask open
        for i in 1 2 3; do
            domainctl resize $id --irq 0; ask open; ask read
            (exec 6</dev/irq/0) && echo stolen
            echo read >&5; read answer <&5; echo $answer
            domainctl resize $id --irq none; tick
            ask read
        done 2>/dev/null
        domainctl kill $id; domainctl wait $id 2>/dev/null; true
        """)
    assert out == ["none"] + ["opened", "ticked", "ticked", "4", "gone"] * 3, out


def a_reader_is_woken_when_its_line_goes(cpus):
    """Nothing ever comes on this one."""
    out = run(cpus, f"""
        id=$(create --cpus {cpus - 1} --irq 5 --detach --channel c -- sh -c '
            exec 3<>/dev/channel/c 4</dev/irq/5; echo reads >&3; cat <&4 >&3 2>&3'); exec 5<>/dev/channel/c
        read answer <&5; echo $answer; domainctl resize $id --irq none; read answer <&5; echo $answer
        domainctl kill $id; domainctl wait $id 2>/dev/null; true
        """)
    assert out == ["reads", "cat: read error: No such device"], out


def a_line_goes_with_the_cpus(cpus):
    """It interrupts a CPU that its domain has."""
    out = run(cpus, """
        id=$(create --cpus 0 --irq 0 --detach --channel c -- sh -c "$serves"); exec 5<>/dev/channel/c
        ask open; ask read
        for i in 1 2 3; do
            domainctl resize $id --cpus 1; ask open; ask read
            domainctl resize $id --cpus 0; ask open; ask read
        done
        domainctl kill $id; domainctl wait $id 2>/dev/null; true
        """)
    assert out == ["opened", "ticked"] * 7, out


def a_made_domain_passes_its_line_on(cpus):
    """To one of its own, and that one to another: it is nobody else's meanwhile, and its maker's afterwards."""
    out = run(cpus, f"""
        create --cpus {cpus - 1} --mem 40M --irq 0 -- sh -c '
            make() {{ memory=$1; budget=$2; shift 2; domainctl create --cpus {cpus - 1} --mem $memory --budget $budget/100ms "$@"; }}
            make 12M 20 --irq 5 -- true
            make 24M 20 --irq 0 -- sh -c "
                head -c 12 /dev/irq/0 | wc -c
                domainctl create --cpus {cpus - 1} --mem 12M --budget 10/100ms --irq 0 -- sh -c \\"head -c 12 /dev/irq/0 | wc -c\\"
                head -c 8 /dev/irq/0 | wc -c"
            id=$(make 12M 20 --irq 0 --detach -- sleep 1000)
            head -c 4 /dev/irq/0; make 12M 5 --irq 0 -- true
            domainctl resize $id --irq none; head -c 4 /dev/irq/0 | wc -c
            domainctl resize $id --irq 0; domainctl kill $id; domainctl wait $id
            head -c 4 /dev/irq/0 | wc -c
            (exec 4</dev/irq/0; make 12M 20 --irq 0 -- true)' 2>&1
        tick
        """)
    assert out == ["domainctl: create: No such device or address", "12", "12", "8",
                   "head: /dev/irq/0: Resource busy", BUSY, "4", "domainctl: domain 3 was killed", "4", BUSY,
                   "4"], out


def who_loses_a_line_loses_it_for_those_it_was_passed_on_to(cpus):
    """... and when it is given again, it ticks for them again."""
    out = run(cpus, f"""
        reads='while :; do head -c 4 /dev/irq/0 >/dev/null 2>&1 && echo ticks || echo gone; done'
        create --cpus {cpus - 1} --mem 24M --irq 0 -- sh -c "
            domainctl create --cpus {cpus - 1} --mem 12M --budget 10/100ms --irq 0 -- sh -c '$reads'" > /tmp/out 2>&1 &
        until_it_says() {{ until grep -q $1 /tmp/out; do :; done; : > /tmp/out; echo $1; }}
        until_it_says ticks
        for i in 1 2 3; do
            domainctl resize 1 --irq none; until_it_says gone
            until [ $(grep -c gone /tmp/out) -ge 5 ]; do :; done; grep ticks /tmp/out
            domainctl resize 1 --irq 0; until_it_says ticks
        done
        domainctl kill 1; wait; tick
        """)
    assert out == ["ticks"] + ["gone", "ticks"] * 3 + ["4"], out


def a_line_that_is_soon_given_again_is_heard_by_who_had_it_open(cpus):
    """Though the one in the middle, and the one that reads, may see nothing of its having been away."""
    out = run(cpus, f"""
        reads='exec 4</dev/irq/0; while :; do head -c 4 <&4 >/dev/null 2>&1 && echo ticks; done'
        create --cpus {cpus - 1} --mem 24M --irq 0 -- sh -c "
            domainctl create --cpus {cpus - 1} --mem 12M --budget 10/100ms --irq 0 -- sh -c '$reads'" > /tmp/out 2>&1 &
        ticks() {{ : > /tmp/out; until [ $(grep -c ticks /tmp/out) -ge 3 ]; do :; done; }}
        ticks
        for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
            domainctl resize 1 --irq none --patience 0; domainctl resize 1 --irq 0
            [ $((i % 3)) = 0 ] && ticks
        done
        echo heard; domainctl kill 1; wait; tick
        """)
    assert out == ["heard", "4"], out


def who_does_not_give_it_back_loses_it(_):
    """A server without time of its own cannot; its maker has the line nevertheless."""
    out = run(1, """
        id=$(create --irq 0 --detach --serve demo --passive -- server-demo serve)
        until domainctl list | grep -q "^$id passive"; do :; done
        domainctl resize $id --irq none --patience 50; echo $?
        tick; domainctl list | awk 'NR > 1 { print $2 }'
        domainctl kill $id; domainctl wait $id 2>/dev/null; true
        """)
    assert out == ["0", "4", "passive"], out


CASES = [(f"{function.__name__}-cpus-{cpus}", lambda function=function, cpus=cpus: function(cpus))
         for function, counts in (
             (a_line_is_whose_it_was_given_to, (1, 4)),
             (each_interrupt_is_an_edge, (1, 2)),
             (lines_come_and_go_while_it_runs, (1, 2)),
             (a_reader_is_woken_when_its_line_goes, (2,)),
             (a_line_goes_with_the_cpus, (2,)),
             (a_made_domain_passes_its_line_on, (1, 2)),
             (who_loses_a_line_loses_it_for_those_it_was_passed_on_to, (1, 2)),
             (a_line_that_is_soon_given_again_is_heard_by_who_had_it_open, (1, 2)),
             (who_does_not_give_it_back_loses_it, (1,)))
         for cpus in counts]

if __name__ == "__main__":
    run_cases([case for case in CASES if all(word in case[0] for word in sys.argv[1:])])
