#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""Scheduler libraries in the simulator: timelines, proportions, and the conformance suite.

    tests/simulator/simulator.py --update     writes the golden timelines anew: look at the difference
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../script/lib"))
from cases import BUILD, TOP, run_cases  # noqa: E402

HERE = os.path.join(TOP, "tests/simulator")
LIBRARIES = sorted(os.path.basename(path)[:-2]
                   for path in glob.glob(os.path.join(TOP, "libos/schedulers/*.c")))
BROKEN = sorted(os.path.basename(path)[:-2]
                for path in glob.glob(os.path.join(HERE, "broken/*.c")))
LIMIT_S = 120

# Which library's timeline shows what it is for.
GOLDEN = [(library, "mixed") for library in LIBRARIES] + [
    ("prio", "realtime"), ("prio", "priorities"), ("edf", "overrun"), ("edf", "deadlines"),
    ("mlfq", "dialogue"), ("rr", "dialogue"), ("fair", "latency"), ("forkjoin", "divide"),
    ("central", "divide"), ("stride", "shares"), ("fair", "shares"), ("lottery", "shares"),
    ("rr", "thousand"), ("fair", "thousand")]

# Those that leave it to the core where tasks go.
EVENED_OUT = ("rr", "fair", "stride", "lottery", "mlfq")

# sched_weight() of the nice values in work/spinners.work.
WEIGHTS = {"nice0": 1024, "nice3": 524, "nice6": 268, "nice10": 110}


def simulator(name, *arguments):
    return subprocess.run([os.path.join(BUILD, "simulator", name), *arguments], check=False, cwd=TOP,
                          capture_output=True, text=True, timeout=LIMIT_S)


def simulate(library, work, *options):
    run = simulator(library, *options, f"tests/simulator/work/{work}.work")
    assert run.returncode == 0, run.stdout[-500:] + run.stderr[-500:]
    return run.stdout


def golden_path(library, work):
    return os.path.join(HERE, "golden", f"{library}-{work}.txt")


def timeline_is_golden(library, work):
    with open(golden_path(library, work), encoding="ascii") as stream:
        wanted = stream.read()
    found = simulate(library, work)
    for number, (left, right) in enumerate(zip(wanted.splitlines(), found.splitlines()), 1):
        assert left == right, f"line {number} was {left!r}, and is {right!r}"
    assert wanted == found


def update():
    for library, work in GOLDEN:
        with open(golden_path(library, work), "w", encoding="ascii") as stream:
            stream.write(simulate(library, work))


def tasks_of(timeline):
    """{name: ms that it ran}"""
    return {match.group(1): float(match.group(2)) for match in
            re.finditer(r"^\S (\S+) +([\d.]+) ", timeline, re.MULTILINE)}


def shares_of(library):
    ran = tasks_of(simulate(library, "spinners"))
    total = sum(ran.values())
    assert set(ran) == set(WEIGHTS) and total > 9999, ran
    return {name: (ran[name] / total, WEIGHTS[name] / sum(WEIGHTS.values())) for name in WEIGHTS}


def shares_are_within_two_hundredths_of_the_weights(library):
    """Of each share, that is: 0.057 may be 0.0559 to 0.0581."""
    for name, (share, wanted) in shares_of(library).items():
        assert abs(share - wanted) <= 0.02 * wanted, (name, share, wanted)


def lotterys_shares_are_within_two_hundredths_of_the_cpu():
    """Chance allows for no more: the smallest share is 570 wins of 10,000, give or take 23."""
    for name, (share, wanted) in shares_of("lottery").items():
        assert abs(share - wanted) <= 0.02, (name, share, wanted)


def round_robin_has_other_shares():
    """So the cases above can fail."""
    share, wanted = shares_of("rr")["nice10"]
    assert share > 2 * wanted, (share, wanted)


def times_and_moves(timeline):
    return re.findall(r"^\w free\w* +([\d.]+) +[\d.]+ +[\d.]+ +\d+ +(\d+)", timeline, re.MULTILINE)


def three_share_two_cpus_evenly(library):
    """Without the core's evening out, one has a CPU for itself, and the others half of one each."""
    rows = times_and_moves(simulate(library, "uneven"))
    ran, moved = [float(row[0]) for row in rows], [int(row[1]) for row in rows]
    assert len(rows) == 3 and min(ran) > 3600 and max(ran) < 4400, rows
    assert max(moved) <= 6000 / 200, rows     # nobody to and fro: two periods are 200 ms


def who_may_not_move_does_not():
    rows = re.findall(r"^\w (?:first|free)\w* +([\d.]+) +[\d.]+ +[\d.]+ +\d+ +(\d+)", simulate("rr", "pinned"),
                      re.MULTILINE)
    assert len(rows) == 3 and all(int(moved) <= 1 for _, moved in rows), rows
    assert max(float(ran) for ran, _ in rows) > 1990, rows


def edf_meets_every_deadline_at_95_percent():
    timeline = simulate("edf", "deadlines")
    jobs = re.findall(r"(\d+) of (\d+)$", timeline, re.MULTILINE)
    assert len(jobs) == 5 and all(late == "0" and int(n) >= 200 for late, n in jobs), jobs


def edf_puts_servers_where_there_is_most_room():
    jobs = re.findall(r"(\d+) of (\d+)$", simulate("edf", "spread"), re.MULTILINE)
    assert len(jobs) == 5 and all(late == "0" and int(n) >= 99 for late, n in jobs), jobs


def round_robin_misses_some():
    assert not re.search(r" 0 of 2950$", simulate("rr", "deadlines"), re.MULTILINE)


def greed_costs_nobody_else_a_deadline():
    jobs = re.findall(r"(\d+) of (\d+)$", simulate("edf", "overrun"), re.MULTILINE)
    assert jobs and all(late == "0" for late, _ in jobs), jobs


def priorities_hold_everywhere(work):
    """The simulator stops with a message if not."""
    simulate("prio", work)
    for library in ("rr", "fair"):
        run = simulator(library, f"tests/simulator/work/{work}.work")
        assert run.returncode == 1 and "which has a higher priority" in run.stdout, run


def feedback_is_for_who_answers_now():
    """It wants 1 ms in 5 and has used up its time on every level; four that compute would have the rest of the CPU."""
    ran = tasks_of(simulate("mlfq", "server"))
    assert ran["answers"] > 500, ran


def a_helper_takes_nobody_past_others():
    """Woken by one that is always on top, it has half of the CPU, not what the other has left."""
    ran = tasks_of(simulate("mlfq", "helper"))
    assert abs(ran["pieces"] - ran["computes"]) < 500, ran


def a_central_queue_does_not_grow_with_the_machine():
    """Sixteen times the CPUs, and the same work: sixteen times as fast, or not."""
    def ends_at(library, cpus):
        return float(re.search(r"^([\d.]+) ms,", simulate(library, "servers", "--cpus", str(cpus)),
                               re.MULTILINE).group(1))
    assert ends_at("rr", 4) / ends_at("rr", 64) > 14
    assert ends_at("central", 4) / ends_at("central", 64) < 8


def the_same_work_gives_the_same_run(library):
    assert simulate(library, "priorities" if library == "prio" else "mixed") == \
        simulate(library, "priorities" if library == "prio" else "mixed")


def chatter_starves_nobody(library):
    ran = re.findall(r"^[A-E] \S+ +([\d.]+) ", simulate(library, "chatter"), re.MULTILINE)
    assert len(ran) == 5 and min(map(float, ran)) > 30, ran


def a_crowd_starves_nobody(library):
    """A thousand equals in 20 s: nobody among the first has had the turns of all who came later."""
    ran = re.findall(r"^\w comp\w+ +([\d.]+) ", simulate(library, "crowd"), re.MULTILINE)
    assert len(ran) > 30 and max(map(float, ran)) < 100, ran


# Where somebody rightly waits for longer than the ten seconds that libraries have for one task alone.
LONG_WAITS = [(library, work) for library in ("fair", "stride", "lottery") for work in ("nices", "idler", "turns")] + [
    ("rr", "turns")]


def who_waits_for_his_share_is_not_starved(library, work):
    options = ("--param", "slice_us=100000") if work == "turns" else ()
    longest = max(map(float, re.findall(r"^\S \S+ +[\d.]+ +[\d.]+ +([\d.]+) ", simulate(library, work, *options),
                                        re.MULTILINE)))
    assert longest > 10000 or (library, work) in (("stride", "idler"), ("lottery", "idler")), longest


def wrong_work_is_named():
    for text, message in (("cpus two\n", ":1: two: not a number"),
                          ("task a: run 5\n", ":1: 5: a time needs a unit"),
                          ("\ntask a: jump 5ms\n", ":2: jump: not a step"),
                          ("task a: spawn b\n", ":1: b: there is no such work"),
                          ("task a: repeat\n", "does for ever what takes no time")):
        with tempfile.NamedTemporaryFile("w", suffix=".work") as stream:
            stream.write(text)
            stream.flush()
            run = simulator("rr", stream.name)
            assert run.returncode == 2 and message in run.stderr, (text, run)


def shipped_library_conforms(library):
    run = simulator(library, "--check")
    wrong = [line for line in run.stdout.splitlines() if line.startswith("not ok")]
    assert run.returncode == 0 and not wrong and run.stdout.count("\nok ") > 10, wrong or run


def broken_library_is_found_out(name):
    with open(os.path.join(HERE, "broken", name + ".c"), encoding="ascii") as stream:
        expected = re.findall(r"/\* expect: (.*) \*/", stream.read())
    run = simulator("broken/" + name, "--check")
    wrong = [line for line in run.stdout.splitlines() if line.startswith("not ok")]
    assert run.returncode == 1 and wrong, run
    assert expected and any(all(re.search(part, line) for part in expected) for line in wrong), (expected, wrong)


def check_scheduler(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)
    return subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, TOP)}", "check-scheduler",
                           f"FILE={path}"], cwd=TOP, check=False, capture_output=True, text=True,
                          timeout=LIMIT_S)


def one_command_checks_an_authors_file():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(TOP, "scripts/new-scheduler"), "mine"], cwd=folder, check=True)
        with open(os.path.join(folder, "mine.c"), encoding="ascii") as stream:
            mine = stream.read()
        run = check_scheduler(folder, "mine.c", mine)
        assert run.returncode == 0 and "conforms" in run.stdout, run
        run = check_scheduler(folder, "wrong.c", mine.replace("push_back", "push_front"))
        assert run.returncode != 0 and "is starved" in run.stdout, run
        run = check_scheduler(folder, "calls.c", mine + "int kill(int, int);\n"
                              "int calls(void);\nint calls(void) { return kill(1, 9); }\n")
        assert run.returncode != 0 and "what a library may call: kill" in run.stderr, run


ARRAYS = """#include <libos/sched.h>
static int ups[SCHED_CPUS_MAX];
static void online(int cpu, int up)
{
	ups[cpu] = up;
}
static const struct sched_ops arrays = { .name = "arrays", .cpu_online = online };
SCHED_LIBRARY(arrays);
"""


def arrays_of_all_cpus_suffice():
    with tempfile.TemporaryDirectory() as folder:
        run = check_scheduler(folder, "arrays.c", ARRAYS)
        assert run.returncode == 0, run
        run = check_scheduler(folder, "small.c", ARRAYS.replace("[SCHED_CPUS_MAX]", "[SCHED_CPUS_MAX - 1]"))
        assert run.returncode != 0, run


def what_cannot_be_run_is_said():
    for cpus in ("2000", "65", "0", "two", ""):
        run = simulator("rr", "--cpus", cpus, "tests/simulator/work/mixed.work")
        assert run.returncode == 2 and run.stderr == f"--cpus {cpus}: from 1 to 64\n", run
    run = subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, TOP)}", "check-scheduler",
                          "FILE=/it's none.c"],
                         cwd=TOP, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert run.returncode != 0 and "/it's none.c: no such file" in run.stderr, run


def an_authors_file_runs_any_work():
    """That of a recording, for one; the same that the program does which `make` builds of a shipped one."""
    run = subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, TOP)}", "check-scheduler",
                          "FILE=libos/schedulers/rr.c", "WORK=--cpus 3 tests/simulator/work/mixed.work"],
                         cwd=TOP, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert run.returncode == 0 and run.stdout == simulate("rr", "mixed", "--cpus", "3"), run


GANG = """#include <libos/sched.h>
struct cpu {
	struct sched_fifo ready;
	uint32_t process;
};
static void gang_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	sched_fifo_push_back(&c->ready, t);
}
static void gang_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	sched_fifo_remove(&c->ready, t);
}
/* Those of the process that ran last first. */
static struct sched_run gang_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_first(&c->ready);
	while (t && sched_task_process(t) != c->process)
		t = sched_fifo_next(t);
	if (!t)
		t = sched_fifo_first(&c->ready);
	if (t) {
		sched_fifo_remove(&c->ready, t);
		c->process = sched_task_process(t);
	}
	return (struct sched_run){ t, SCHED_MS(5) };
}
static const struct sched_ops gang = {
	.name = "gang", .cpu_size = sizeof(struct cpu), .enqueue = gang_enqueue, .dequeue = gang_dequeue,
	.pick = gang_pick,
};
SCHED_LIBRARY(gang);
"""
GANGS = """until 100ms
column 5ms
task a process=1: run 10ms
task b: run 10ms
task c process=1: run 10ms
task d process=2: run 10ms
task e*2 process=2: run 10ms
"""


def work_says_which_tasks_are_threads_of_one_process():
    with tempfile.TemporaryDirectory() as folder:
        work = os.path.join(folder, "gangs.work")
        with open(work, "w", encoding="ascii") as stream:
            stream.write(GANGS)
        lane = re.search(r"^CPU 0 +(\w+)", run_under(folder, GANG, work), re.MULTILINE).group(1)
        assert re.fullmatch("[AC]{4}BB[DEF]{6}", lane), lane


def a_librarys_numbers_can_be_set():
    runs = {value: re.search(r"^A \S+ +(?:[\d.]+ +){3}(\d+) ",
                             simulate("rr", "latency", "--cpus", "1", "--param", f"slice_us={value}"),
                             re.MULTILINE).group(1) for value in (500, 4000)}
    assert int(runs[500]) > 6 * int(runs[4000]), runs
    for text, message in (("slice_us=49", "slice_us: a number from 50 to 100000"), ("slice_us", "a number from 50"),
                          ("none=1", "none: the library has no such number")):
        run = simulator("rr", "--param", text, "tests/simulator/work/latency.work")
        assert run.returncode == 2 and message in run.stderr, run


SOONEST = os.path.join(TOP, "tests/schedulers/soonest.c")
WOKEN = """cpus 1
until 1s
task long*2: run 10s
task short: run 100us; sleep 10ms; repeat
"""


def run_under(folder, text, work):
    """The timeline of an author's library."""
    path = os.path.join(folder, "mine.c")
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)
    run = subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, TOP)}", "check-scheduler",
                          f"FILE={path}", f"WORK={work}"], cwd=TOP, check=False, capture_output=True, text=True,
                         timeout=LIMIT_S)
    assert run.returncode == 0, run
    return run.stdout


def the_books_deadlines_over_all_cpus_are_kept():
    with open(SOONEST, encoding="ascii") as stream:
        soonest = stream.read()
    with tempfile.TemporaryDirectory() as folder:
        run = check_scheduler(folder, "soonest.c", soonest)
        assert run.returncode == 0, run
        work = os.path.join(folder, "woken.work")
        with open(work, "w", encoding="ascii") as stream:
            stream.write(WOKEN)
        waited = [float(re.search(r"^C short +[\d.]+ +([\d.]+)", run_under(folder, text, work),
                                  re.MULTILINE).group(1))
                  for text in (soonest, soonest.replace("sched_running()", "NULL"))]
        assert waited[0] < 30 and waited[1] > 100, waited


def what_a_library_says_is_printed_if_asked_for():
    with open(SOONEST, encoding="ascii") as stream:
        soonest = stream.read()
    with tempfile.TemporaryDirectory() as folder:
        work = os.path.join(folder, "woken.work")
        with open(work, "w", encoding="ascii") as stream:
            stream.write(WOKEN)
        plain, noted = run_under(folder, soonest, work), run_under(folder, soonest, "--notes " + work)
        lines = re.findall(r"^ +[\d.]+ ms  CPU 0  short  sooner than who runs, by ns: [1-9]\d*\n", noted,
                           re.MULTILINE)
        assert len(lines) > 10 and "".join(lines) + plain == noted, noted[:400]


def check_with(folder, library, text):
    work = os.path.join(folder, "some.work")
    with open(work, "w", encoding="ascii") as stream:
        stream.write(text)
    return subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, TOP)}", "check-scheduler",
                           f"FILE=tests/schedulers/{library}.c", f"WORK={work}"], cwd=TOP, check=False,
                          capture_output=True, text=True, timeout=LIMIT_S)


PASSED_ON = """cpus 2
until 5s
column 100ms
expect patience
task computes*2: run 10s
task moves nice=5: run 10s
"""
REFUSED = """until 5s
column 100ms
expect patience
task computes*3: run 10s
task nice nice=5: run 10s
"""


def who_is_starved_on_two_cpus_in_turn_is_found():
    with tempfile.TemporaryDirectory() as folder:
        run = check_with(folder, "passes_on", PASSED_ON)
        assert run.returncode != 0 and "task moves has waited for" in run.stdout, run
        run = check_with(folder, "passes_on", PASSED_ON.replace(" nice=5", ""))
        assert run.returncode == 0, run


def who_is_refused_runs_now_and_then():
    with tempfile.TemporaryDirectory() as folder:
        run = check_with(folder, "choosy", REFUSED)
        assert run.returncode == 0 and 150 < tasks_of(run.stdout)["nice"] < 250, run


def who_places_tasks_may_have_them_evened_out():
    """Of three that compute on two CPUs; without the flag one has a CPU for itself."""
    with open(SOONEST, encoding="ascii") as stream:
        soonest = stream.read()
    with tempfile.TemporaryDirectory() as folder:
        for text, least in ((soonest, 3600), (soonest.replace("\t.flags = SCHED_EVENED_OUT,\n", ""), 2900)):
            ran = [float(row[0]) for row in
                   times_and_moves(run_under(folder, text, "tests/simulator/work/uneven.work"))]
            assert len(ran) == 3 and least < min(ran) < least + 400, ran


def case(function, *arguments):
    name = "-".join([function.__name__, *(argument.replace("/", "-") for argument in arguments)])
    return name, lambda: function(*arguments)


def main():
    if sys.argv[1:] == ["--update"]:
        update()
        return
    run_cases([
        *(case(timeline_is_golden, library, work) for library, work in GOLDEN),
        *(case(shares_are_within_two_hundredths_of_the_weights, library)
          for library in ("stride", "fair")),
        case(lotterys_shares_are_within_two_hundredths_of_the_cpu),
        case(round_robin_has_other_shares),
        *(case(three_share_two_cpus_evenly, library) for library in EVENED_OUT),
        case(who_may_not_move_does_not),
        case(edf_meets_every_deadline_at_95_percent),
        case(edf_puts_servers_where_there_is_most_room),
        case(round_robin_misses_some),
        case(greed_costs_nobody_else_a_deadline),
        *(case(priorities_hold_everywhere, work) for work in ("realtime", "priorities")),
        case(feedback_is_for_who_answers_now),
        case(a_helper_takes_nobody_past_others),
        case(a_central_queue_does_not_grow_with_the_machine),
        *(case(the_same_work_gives_the_same_run, library) for library in LIBRARIES),
        *(case(chatter_starves_nobody, library) for library in LIBRARIES),
        *(case(a_crowd_starves_nobody, library) for library in LIBRARIES),
        *(case(who_waits_for_his_share_is_not_starved, library, work) for library, work in LONG_WAITS),
        case(wrong_work_is_named),
        *(case(shipped_library_conforms, library) for library in LIBRARIES),
        *(case(broken_library_is_found_out, name) for name in BROKEN),
        case(one_command_checks_an_authors_file),
        case(arrays_of_all_cpus_suffice),
        case(what_cannot_be_run_is_said),
        case(an_authors_file_runs_any_work),
        case(work_says_which_tasks_are_threads_of_one_process),
        case(a_librarys_numbers_can_be_set),
        case(the_books_deadlines_over_all_cpus_are_kept),
        case(what_a_library_says_is_printed_if_asked_for),
        case(who_is_starved_on_two_cpus_in_turn_is_found),
        case(who_is_refused_runs_now_and_then),
        case(who_places_tasks_may_have_them_evened_out),
    ])


main()
