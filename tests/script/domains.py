#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Domains made by domainctl: what they print, how they end, and that all they had comes back."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, TOP, exo_run, run_cases, shell  # noqa: E402

CPU_COUNTS = (1, 2, 4)


def run(cpus, line, options=(), **keywords):
    result = shell(cpus, line, *options, **keywords)
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
        seq 3000 > /tmp/n; domainctl create --cpus {last} -- sh -c 'while read n; do echo $n; done' < /tmp/n | cmp - /tmp/n
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
        domainctl list | awk -v id=$id '$1 == id {{ print $2, $4, $8 }}'
        domainctl kill $id
        domainctl wait $id 2>/dev/null; echo $?
        domainctl list | wc -l
        domainctl wait $id 2>&1
        true
        """)
    assert out == "alive 32768 sleep\n137\n1\ndomainctl: 1: No such process\n", out


def an_interrupt_reaches_the_program(cpus):
    out = run(cpus, f"""
        domainctl create --cpus {cpus - 1} -- \\
            sh -c 'trap "echo interrupted; exit 5" INT; echo ready; while :; do :; done' > /tmp/out &
        until grep -q ready /tmp/out; do :; done
        kill -INT $!; wait $!; echo $?; cat /tmp/out
        """)
    assert out == "5\nready\ninterrupted\n", out


def a_domain_may_have_many_cpus(cpus):
    """More than one page of its handle table has handles for."""
    out = run(cpus, f"""
        domainctl create --cpus 0-{cpus - 1} --mem 64M -- grep -c ^processor /proc/cpuinfo
        dmesg | grep 'have not come back'
        true
        """, options=("--mem", "512M"))
    assert out == f"{cpus}\n", out


def input_arrives_as_it_is(cpus):
    """Its last line without an end, a line that is longer than a terminal's, control characters, and none at all."""
    out = run(cpus, f"""
        make="domainctl create --cpus {cpus - 1} --mem 12M --budget 30/100ms"
        printf abc | $make -- cat; echo " $?"
        printf 'a\\003\\004\\021\\023\\025\\026\\027\\032\\034\\177\\r\\nb' > /tmp/bytes
        $make -- cat < /tmp/bytes | cmp - /tmp/bytes; echo $?
        head -c 6143 /dev/zero | tr '\\0' y > /tmp/long
        $make -- wc -c < /tmp/long; echo y >> /tmp/long; $make -- wc -lc < /tmp/long
        $make -- cat <&-; echo $?
        """)
    assert out == "abc 0\n0\n6143\n        1      6145\n0\n", out


def who_gets_none_is_told_why(_):
    """... and nothing is left of one whose number nobody has been told, or whose output nobody takes."""
    out = run(1, """
        exec 2>&1
        make="domainctl create --mem 10M --budget 10/100ms"
        none() { until [ $(domainctl list | wc -l) = 1 ]; do :; done; }
        $make --sched nosuch -- true; echo $?
        $make --detach -- cat > /dev/full; echo $?; none
        $make -- yes > /dev/full; echo $?; none
        for i in 1 2 3 4 5 6 7 8 9; do $make --detach -- cat; done | wc -l
        for id in $(domainctl list | grep -o '^[0-9]*'); do domainctl kill $id; domainctl wait $id; done 2> /dev/null
        none
        """)
    full = "domainctl: standard output: No space left on device\n125\n"
    assert re.fullmatch(r"domain-init: there is no scheduler nosuch; there are: .*fifo.*\n125\n" + 2 * full +
                        "domainctl: create: No space left on device: 8 domains at most .*\n8\n", out), out


def the_demonstration_leaves_none(cpus):
    """Whether it can be given or not."""
    out = run(cpus, """
        exec 2>&1
        domains-demo /tmp/records | grep -c nice; [ -s /tmp/records ] && domainctl list | wc -l
        domains-demo /nodir/records; echo $?; domainctl list | wc -l
        id=$(domainctl create --cpus 1 --mem 10M --budget 50/100ms --detach -- cat)
        domains-demo; echo $?; domainctl list | awk 'NR > 1 { print $1, $8 }'
        domainctl kill $id
        """)
    assert re.fullmatch(r"6\n1\ndomains-demo: /nodir/records: No such file or directory\n1\n1\n"
                        r"domainctl: create: Resource busy: .*\n1\n\d+ cat\n", out), out


COUNTS = """
    counts() { awk '/^frames free/ { print $3 } /^handle pages/ { print $4 }' /proc/exo/stats; }
"""


def bad_ends_are_the_domains_own(cpus):
    """A panic, no memory left, no time left, an image that is none: nobody else is hurt."""
    out = run(cpus, f"""
        domainctl create --cpus {cpus - 1} --append panic=test-libos -- true 2>&1; echo $?
        domainctl create --cpus {cpus - 1} --mem 12M -- dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?
        domainctl create --cpus {cpus - 1} --mem 4M -- true 2>&1
        domainctl create --cpus {cpus - 1} --budget 100/100ms -- true 2>&1
        domainctl create --cpus {cpus} -- true 2>&1
        domainctl create --image /bin/busybox -- true 2>&1
        id=$(domainctl create --detach --cpus {cpus - 1} -- sh -c 'while :; do :; done')
        domainctl kill $id; domainctl wait $id 2>/dev/null; echo $?
        """)
    assert out.splitlines() == ["domainctl: domain 1 died: its libos panicked", "126", "137"] + [
        "domainctl: create: " + text for text in (
            "Out of memory: not as much is free, or its libos and its files do not fit into it",
            "Resource busy: its CPUs have not as much time left (domainctl list)",
            f"Invalid argument: there is no CPU {cpus} here", "Exec format error: /bin/busybox")] + ["137"], out


def a_hundred_lives_leave_nothing(cpus):
    """Most are killed while they start, each a little later than the one before.  One frame that each
    leaves would be missed fifty times in either half, its handles would want pages, and its number
    would not be used again."""
    with tempfile.NamedTemporaryFile() as log:
        out = run(cpus, COUNTS + f"""
            end() {{ domainctl kill $1; domainctl wait $1 2>/dev/null; }}
            make="domainctl create --cpus {cpus - 1} --mem 10M"
            for half in 1 2; do
                for i in $(seq 40); do
                    id=$($make --detach -- true)
                    n=0; while [ $n -lt $((i * 40)) ]; do n=$((n + 1)); done
                    end $id
                done
                for i in $(seq 10); do $make -- sh -c "exit $i"; [ $? = $i ] || echo status; done
                counts
            done
            domainctl list | wc -l
            """, options=("--log", log.name))
        numbers = set(re.findall(r"^exo: domain (\d+) died", log.read().decode(), re.MULTILINE))
    free, pages, free_later, pages_later, listed = map(int, out.split())
    assert free - free_later < 45 and (pages, pages_later, listed) == (0, 0, 1), out
    assert numbers == {"2"}, numbers


def run_program(name, cpus, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, name)
        subprocess.run([EXO_CC, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                        os.path.join(TOP, f"tests/script/domains_{name}.c")], check=True)
        return exo_run("--cpus", str(cpus), "--file", f"{program}:/{name}", "--", f"/{name}", *arguments)


def one_that_is_being_made_is_not_there_yet(cpus):
    """Others reach for it by its number all the time, look at its console, and kill it."""
    result = run_program("making", cpus, "10")
    assert (result.returncode, result.stdout) == (0, b"made\n"), result


def one_that_cannot_be_made_is_never_there(cpus):
    """Not even until what there was of it has been taken apart: it has no console to be looked at."""
    result = run_program("making", cpus, "12", "much")
    assert (result.returncode, result.stdout) == (0, b"made\n"), result


def one_that_is_watched_before_it_is_made_tells(cpus):
    """By epoll, which begins to watch a file once."""
    result = run_program("watched", cpus)
    assert (result.returncode, result.stdout) == (0, b"hello\n1 1 3\n"), result


CASES = [case for function in (a_program_runs_in_a_domain, it_has_what_it_was_given,
                               a_domain_makes_one_of_its_own,
                               one_that_is_detached_is_listed_and_killed,
                               an_interrupt_reaches_the_program,
                               bad_ends_are_the_domains_own)
         for case in for_cpus(function)]
CASES += [(f"{function.__name__}-cpus-{cpus}", lambda function=function, cpus=cpus: function(cpus))
          for function, cpus in ((input_arrives_as_it_is, 2),
                                 (who_gets_none_is_told_why, 1),
                                 (the_demonstration_leaves_none, 2),
                                 (a_domain_may_have_many_cpus, 32),
                                 (a_hundred_lives_leave_nothing, 2),
                                 (one_that_is_being_made_is_not_there_yet, 2),
                                 (one_that_cannot_be_made_is_never_there, 2),
                                 (one_that_is_watched_before_it_is_made_tells, 2))]

if __name__ == "__main__":
    run_cases(CASES)
