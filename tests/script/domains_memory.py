#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""The memory of a domain while it runs: it gets more, gives back what it likes best, or loses it."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import EXO_CC, TOP, run_cases, shell  # noqa: E402

CPU_COUNTS = (1, 2, 4)
LEFT_BEHIND = 250   # frames, of the caches and tables that this domain needs for making others

# A domain says "ready" when it is, and does what comes in by $in; what it prints is in $out.
SCRIPT = """
    in=/tmp/in out=/tmp/out made=0
    mkfifo $in
    begin() { # MEMORY PROGRAM...
        memory=$1; shift; made=$((made + 1)); : > $out
        domainctl create --cpus $last --mem $memory -- "$@" < $in > $out 2>&1 & domain=$!
        exec 3> $in
        until grep -q ready $out; do :; done
    }
    say() { echo "$*" >&3; }
    until_it_says() { until grep -q "^$1" $out; do :; done; }
    resize() { domainctl resize $made "$@"; echo "resized $? $(size)"; }
    size() { domainctl list | awk -v id=$made '$1 == id { print $4 }'; }
    end() { exec 3>&-; wait $domain 2> /dev/null; echo "ended $?"; }
    free_frames() { awk '/^frames free/ { print $3 }' /proc/exo/stats; }
    section() { echo "@ $1"; echo "@ $1" > /dev/console; before=$(free_frames); }
    section_ends() { dmesg | grep 'have not come back'; echo lost $((before - $(free_frames))); }
    obeys="echo ready; while read -r line; do eval \\"\\$line\\"; done; exit 0"
    begin 10M sh -c "$obeys"; end > /dev/null
"""

GROWS = """
    section grows
    free='awk "/Mem(Total|Free)/ { print \\$1, \\$2 }" /proc/meminfo; echo'
    begin 20M sh -c "$obeys"
    say "$free one"; until_it_says one
    resize --mem 36M
    say "$free two"; until_it_says two
    resize --mem 16M
    say "ulimit -u 400; /hold threads 150 || echo bad; head -c 3000000 /dev/zero > /tmp/f; rm /tmp/f; $free three"
    until_it_says three
    grep -v ready $out
    left=$(tail -n 2 $out | awk '/MemFree/ { print $2 }')
    say 'sleep 1000 & small=$!; echo four'; until_it_says four
    resize --mem $((16384 - left - 2800))K --patience 20000
    say 'kill -0 $small && echo small lives'; until_it_says small
    resize --mem 24M
    say '/hold threads 100 || echo bad; echo five'; until_it_says five
    end; grep -E "bad|small" $out
    section_ends
"""

ENDS = """
    section ends
    begin 20M sh -c 'sleep 1000 & small=$!; /hold 4 $small $$ & hog=$!
        wait $hog; echo hog $?; kill -0 $small && echo small lives; read -r line'
    resize --mem 9M --patience 20000
    until_it_says small; say end
    end; cat $out
    section_ends
"""

# The second has too little that is free, by more than its caches hold.
LOSES = """
    section loses
    begin 20M sh -c "$obeys"
    resize --mem 12M --patience 0
    say 'for i in 1 2 3 4 5 6 7 8; do ls /bin > /dev/null || echo bad; done; echo works'
    until_it_says works; grep bad $out
    end
    begin 20M sh -c 'sleep 1000 & small=$!; /hold 6 $small $$ & hog=$!
        wait $hog; echo hog $?; kill -0 $small && echo small lives; read -r line'
    resize --mem 9M --patience 0
    until_it_says small; say end
    end; cat $out
    section_ends
"""

TWENTY = """
    section twenty
    begin 16M sh -c 'echo ready; while :; do
        head -c 300000 /dev/zero > /tmp/f; ls /bin | wc -l > /tmp/g; cat /tmp/f | md5sum > /tmp/h
    done'
    for i in 1 2 3 4 5; do
        for request in '40M' '14M --patience 20000' '32M' '20M --patience 0'; do
            domainctl resize $made --mem $request > /dev/null || echo failed $?
        done
    done
    size
    domainctl kill $made
    end
    section_ends
"""


def sections(text):
    """What comes after each "@ NAME"."""
    parts = re.split(r"^@ (\w+)$", text.replace("\r", ""), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def run_all(cpus, hold):
    """{section: (what the script prints, log)}."""
    with tempfile.NamedTemporaryFile() as log:
        result = shell(cpus, f"last={cpus - 1}" + SCRIPT + GROWS + ENDS + LOSES + TWENTY,
                       "--file", hold + ":/hold", "--log", log.name)
        text = log.read().decode(errors="replace")
    out = result.stdout.decode()
    assert result.returncode == 0, (result.returncode, out, result.stderr, text[-500:])
    logs = sections(text)
    return {name: (part.splitlines()[1:], logs[name]) for name, part in sections(out).items()}


def lost(out):
    """Nothing that another does for its own sake costs as much as one domain."""
    what, number = out[-1].split()
    return what == "lost" and int(number) > LEFT_BEHIND or any("not come back" in line for line in out)


def it_grows_and_gives_back(out, log):
    """Free memory, which /proc/meminfo shows; and its caches, before any of its processes.  Most of what it has
    there are stacks of a hundred and fifty tasks that have ended, and it can make others later."""
    resized = [line.split()[1:] for line in out if line.startswith("resized")]
    assert resized[:2] == [["0", "36864"], ["0", "16384"]] and resized[2][0] == "0", out
    first, bigger, smaller = (int(line.split()[1]) for line in out if line.startswith("MemTotal"))
    assert bigger - first == 16 << 10 and smaller - first == -4 << 10, out
    first, bigger, smaller = (int(line.split()[1]) for line in out if line.startswith("MemFree"))
    assert bigger - first > 15 << 10 and smaller - first < -4 << 10, out
    assert "small lives" in out and "ended 0" in out and "bad" not in out, out
    assert "is ended" not in log and "taken" not in log, log[-600:]
    assert not lost(out), out


def a_process_is_ended_by_the_rule(out, log):
    """The one that holds the most, but never process 1; and the log says who and why."""
    assert out[0] == "resized 0 9216", out
    assert {"hog 137", "small lives", "ended 0"} <= set(out), out
    told = re.findall(r"^memory is asked back: \d+ pages are missing; hold \(pid \d+\) is ended, "
                      r"which holds (\d+) of \d+ pages$", log, re.MULTILINE)
    assert len(told) == 1 and int(told[0]) >= 1024, log[-800:]
    assert "taken" not in log and not lost(out), (out, log[-800:])


def who_has_no_time_loses_frames_and_learns_which(out, log):
    """Those that were free it does without; under a process's mapping they are that process's end."""
    assert out[:4] == ["domain 4: 8192 KiB had to be taken from it", "resized 0 12288", "ended 0",
                       "domain 5: 11264 KiB had to be taken from it"], out
    assert {"resized 0 9216", "hog 135", "small lives"} <= set(out) and out[-2] != "ended 126", out
    assert re.search(r"^libos: frames [0-9a-f]+ to [0-9a-f]+ have been taken$", log, re.MULTILINE), log
    assert re.search(r"^libos: \d+ of the frames that were taken were free$", log, re.MULTILINE), log
    assert not lost(out), (out, log[-800:])


def twenty_resizes_under_load_lose_nothing(out, log):
    """While it forks, writes files and ends processes all the time; half of the times it has no time."""
    assert out[:2] == ["20480", "ended 137"] and len(out) == 3, (out, log[-800:])
    assert not lost(out), (out, log[-800:])


CASES = {"grows": it_grows_and_gives_back, "ends": a_process_is_ended_by_the_rule,
         "loses": who_has_no_time_loses_frames_and_learns_which,
         "twenty": twenty_resizes_under_load_lose_nothing}


def main():
    with tempfile.TemporaryDirectory() as folder:
        hold, found = os.path.join(folder, "hold"), {}
        subprocess.run([EXO_CC, "-O2", "-o", hold, os.path.join(TOP, "tests/script/domains_memory.c")],
                       check=True)

        def case(cpus, name, check):
            if cpus not in found:
                found[cpus] = "the run with so many CPUs did not come to its end"
                found[cpus] = run_all(cpus, hold)
            assert isinstance(found[cpus], dict), found[cpus]
            check(*found[cpus][name])

        run_cases([(f"{check.__name__}-cpus-{cpus}",
                    lambda cpus=cpus, name=name, check=check: case(cpus, name, check))
                   for cpus in CPU_COUNTS for name, check in CASES.items()])


if __name__ == "__main__":
    main()
