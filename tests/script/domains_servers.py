#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""What domains do with each other: channels between them, and servers that run on their callers' time.
All with programs of tests/script/domain_peer.c, and with hostile ones."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, TOP, exo_run, run_cases  # noqa: E402

CPU_COUNTS = (1, 2, 4)
FOLDER = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
PEER = os.path.join(FOLDER.name, "peer")

COUNTS = """
    counts() { awk '/^frames free/ { print $3 } /^handle pages/ { print $4 }' /proc/exo/stats; }
    end() { domainctl kill $1; domainctl wait $1 2>/dev/null; }
"""


def run(cpus, line, *options):
    result = exo_run("--timeout", "60", "--cpus", str(cpus), "--file", PEER + ":/peer", *options, "--", "sh", "-c", COUNTS + line)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode()


def a_channel_to_a_child_carries_all(cpus):
    """A megabyte each way at once, with the child on the last CPU."""
    out = run(cpus, f"""
        id=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --channel c -- /peer echo c)
        exec 3<>/dev/channel/c
        /peer check c 1000000 5 & /peer fill c 1000000 5; wait $!
        exec 3>&-
        exec 3<>/dev/channel/c
        /peer check c 20000 6 & /peer fill c 20000 6; wait $!
        end $id
        read x <&3; echo $?; sh -c 'echo >&3'; echo $?
        """)
    assert out == "same\nsame\n1\n141\n", out


def siblings_have_a_channel_by_their_parents_decision(cpus):
    """Only those that were given it; each end is one domain's; the end of one is the end for the other."""
    out = run(cpus, f"""
        make="domainctl create --mem 12M --cpus {cpus - 1} --budget 20/100ms"
        $make --channel c -- sh -c 'cat /bin/busybox > /dev/channel/c' & first=$!
        $make --channel c -- sh -c 'cmp /bin/busybox /dev/channel/c; echo $?'
        wait $first
        $make -- sh -c 'ls /dev/channel 2>&1; cat /dev/channel/c 2>&1'
        $make --channel c -- sleep 1000 & $make --channel c -- sleep 1000 &
        until [ $(domainctl list | grep -c alive) = 2 ]; do :; done
        $make --channel c -- true 2>&1; cat /dev/channel/c 2>&1
        for id in $(domainctl list | awk '$2 == "alive" {{ print $1 }}'); do domainctl kill $id; done
        wait 2>/dev/null
        cat /dev/channel/c 2>&1; true
        """)
    assert out.splitlines() == [
        "0", "ls: /dev/channel: No such file or directory",
        "cat: can't open '/dev/channel/c': No such file or directory",
        "domainctl: create: Resource busy", "cat: can't open '/dev/channel/c': Resource busy",
        "cat: can't open '/dev/channel/c': No such device or address"], out


def peers_are_killed_twenty_times(cpus):
    """Each a little later in its life than the one before; the other end sees its end, talks to the next,
    and nothing is missing afterwards."""
    with tempfile.NamedTemporaryFile() as log:
        out = run(cpus, f"""
            make="domainctl create --detach --mem 10M --cpus {cpus - 1} --budget 20/100ms --channel c --"
            echo=$($make /peer echo c)
            for lives in 5 20; do
                for i in $(seq $lives); do
                    id=$($make /peer fill c 1000000000 $i)
                    n=0; while [ $n -lt $((i * 40)) ]; do n=$((n + 1)); done
                    end $id
                done
                counts
            done
            timeout 20 /peer fill c 5000 3 > /dev/null & /peer check c 5000 3
            end $echo; cat /dev/channel/c 2>&1; domainctl list | wc -l
            """, "--log", log.name)
        assert b"have not come back" not in log.read()
    lines = out.splitlines()
    free, pages, free_later, pages_later = map(int, lines[:4])
    assert free - free_later < 60 and pages == pages_later, out
    assert lines[4:] == ["same", "cat: can't open '/dev/channel/c': No such device or address", "1"], out


def a_peer_that_scribbles_spoils_only_the_data(cpus):
    """The other end reads rubbish or an error, and everything else goes on."""
    out = run(cpus, f"""
        id=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --channel c -- /peer scribble c)
        other=$(domainctl create --detach --mem 12M --cpus {cpus - 1} --budget 20/100ms --channel d -- /peer echo d)
        for i in 1 2 3 4 5 6; do
            timeout 1 head -c 100000 /dev/channel/c > /tmp/rubbish 2>&1
            timeout 1 head -c 100000 /bin/busybox > /dev/channel/c 2>/dev/null
        done
        (/peer fill d 100000 3; sleep 1000) <> /dev/channel/d & /peer check d 100000 3; kill $!
        end $id; end $other; domainctl list | wc -l
        """)
    assert out == "same\n1\n", out


CASES = [(f"{function.__name__}-cpus-{cpus}", lambda function=function, cpus=cpus: function(cpus))
         for function, counts in (
             (a_channel_to_a_child_carries_all, CPU_COUNTS),
             (siblings_have_a_channel_by_their_parents_decision, (1, 4)),
             (peers_are_killed_twenty_times, (2,)),
             (a_peer_that_scribbles_spoils_only_the_data, (1, 2)))
         for cpus in counts]

if __name__ == "__main__":
    subprocess.run([EXO_CC, "-O2", "-Wall", "-Wextra", "-Werror", "-o", PEER,
                    os.path.join(TOP, "tests/script/domain_peer.c")], check=True)
    run_cases(CASES)
