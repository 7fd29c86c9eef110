#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""docs/hazards.md and docs/locking.md agree with the tree: what they name is there, each mutant stands in
the chapter with its row and its detector, each patch still applies, and the ranks are those of the code."""

import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../mutants"))
from cases import BUILD, TOP, run_cases  # noqa: E402
from mutants import all_mutants, wanted  # noqa: E402

ROWS = 20
# "`a()`, `b` in `file`": what is there, and where.
PLACES = re.compile(r"((?:`\w+(?:\(\))?`,?\s+(?:and\s+)?)+)in\s+`([\w./-]+)`")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as stream:
        return stream.read()


CHAPTER = read("docs/hazards.md")


def sections():
    """-> {title: text}"""
    pieces = re.split(r"^##+ (.*)$", CHAPTER, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2]))


def rows_of(title):
    return [int(number) for number in re.findall(r"\d+", title.partition(":")[0])] \
        if re.match(r"[\d, ]+:", title) else []


def deaths(text):
    """[(verdict, row, mutant, detector, how)]: the lines of `make mutants` that a section quotes."""
    lines = [re.split(r" {2,}", line.strip(), maxsplit=6) for line in text.splitlines()
             if re.match(r"    (not )?ok  ", line)]
    return [(verdict, row, mutant, detector, how)
            for verdict, row, mutant, detector, _after, _seed, how in lines]


def there_are_twenty_rows():
    found = [row for title in sections() for row in rows_of(title)]
    assert found == list(range(1, ROWS + 1)), found


def each_row_has_code_a_test_and_a_mutant():
    for title, text in sections().items():
        if title in ("To show one", "Invariants", "What such lists leave out"):
            continue
        removed, _, shown = text.partition("- Shown by")
        assert "- Removed " in removed and PLACES.search(removed.partition("- Removed")[2]), \
            f"{title}: which function removes it?"
        assert PLACES.search(shown) or re.search(r"`tests/[\w./-]+`", shown), f"{title}: which test?"
        assert deaths(text), f"{title}: which mutant?"


def what_is_named_is_there():
    count = 0
    for names, path in PLACES.findall(CHAPTER):
        assert os.path.exists(os.path.join(TOP, path)), path
        words = set(re.findall(r"\w+", read(path)))
        for name in re.findall(r"`(\w+)(?:\(\))?`", names):
            assert name in words, f"{name} is not in {path}"
            count += 1
    assert count > 2 * ROWS, "the chapter names hardly anything"


def every_mutant_is_in_the_chapter():
    printed = {mutant: (verdict, row, detector, how)
               for verdict, row, mutant, detector, how in deaths(CHAPTER)}
    mutants = {mutant.name: mutant for mutant in all_mutants()}
    assert printed.keys() == mutants.keys(), sorted(printed.keys() ^ mutants.keys())
    for name, mutant in mutants.items():
        verdict, row, detector, how = printed[name]
        assert verdict == "ok" and how, f"{name}: did it die?"
        assert row == mutant.row, f"{name}: its row is {mutant.row}, not {row}"
        assert detector in mutant.detectors, f"{name}: {detector} is not its detector"


def every_mutant_stands_in_its_row():
    for title, text in sections().items():
        for _, row, name, _, _ in deaths(text):
            if rows_of(title):
                told = re.match(r"rows? ([\d, ]*\d)", row)
                assert told and [int(n) for n in told[1].split(",")] == rows_of(title), \
                    f"{name} of {row} stands in {title}"


def every_patch_applies():
    for mutant in all_mutants():
        run = subprocess.run(["patch", "-p1", "-s", "-F0", "--dry-run", "-i", mutant.path], cwd=TOP,
                             capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{mutant.name}: {run.stdout}"


def a_mutant_dies_and_the_tree_does_not():
    """One of each kind of host detector, run as `make mutants` does it."""
    with tempfile.TemporaryDirectory() as build:
        run = subprocess.run([os.path.join(TOP, "tests/mutants/mutants.py"), "53-", "79-"],
                             env=dict(os.environ, TOP=TOP, BUILD=build), capture_output=True,
                             text=True, check=False, timeout=300)
        assert run.stdout.endswith("\n4 passed, 0 failed\n"), run.stdout[-800:] + run.stderr[-400:]
        # What the detector said is there to be read: an order of the threads, with lines of the source.
        with open(os.path.join(build, "mutants/found/53-ioapic-lock-removed.txt"), encoding="utf-8") as stream:
            said = stream.read()
    assert re.search(r"^found by explore irq", said, re.MULTILINE) and \
        re.search(r"^# +thread 1: writes select and window +ioapic\.c:\d+ register_\w+\(\)$", said, re.MULTILINE), said


def words_select_by_the_beginning_of_a_name():
    def names(*words):
        return {mutant.name.partition("-")[0] for mutant in all_mutants() if wanted(mutant, words)}
    assert names("06-") == {"06"} and {"60", "61"} <= names("6") and not {"06", "106"} & names("6")
    assert "06" in names("wake") and "06" not in names("ake")


def disassembly():
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", os.path.join(BUILD, "exo.elf")],
                          capture_output=True, text=True, check=True).stdout


def interrupts_are_never_on_in_the_kernel():
    """But between STI, which takes effect one instruction later, and the end of the HLT behind it."""
    found = re.findall(r"\tsti *\n.*?\t(\w+)", disassembly())
    assert found == ["hlt"], f"behind STI: {found}"
    assert not re.search(r"\tpopfq? *\n", disassembly()), "POPF may turn interrupts on"


def the_kernel_has_no_heap():
    symbols = subprocess.run(["nm", os.path.join(BUILD, "exo.elf")], capture_output=True, text=True,
                             check=True).stdout
    assert " run_exit\n" in symbols, "the symbols are not those of the kernel"
    assert not re.search(r"(?i) \w*(alloc|heap)\w*\n", symbols)


def enumerators(path, enum):
    """[(name, value)]"""
    body = re.sub(r"/\*.*?\*/", "", re.search(rf"enum {enum} {{(.*?)}};", read(path), re.DOTALL)[1],
                  flags=re.DOTALL)
    found, value = [], -1
    for name, given in re.findall(r"(\w+)(?: = (\d+))?\s*,", body):
        value = int(given) if given else value + 1
        found.append((name, value))
    return found


def the_ranks_are_those_of_the_code():
    chapter = read("docs/locking.md")
    kernel, libos = chapter.split("## In the libos")
    table = [(f"RANK_{name}", int(rank))
             for rank, name in re.findall(r"^\| (\d+) \| (\w+) \|", libos, re.MULTILINE)]
    assert table == enumerators("libos/core/lock.h", "lock_rank"), table
    names = re.findall(r"^\| ([\w/ ]+) \| one", kernel, re.MULTILINE)
    ranks = [name for name, _ in enumerators("exo/lock.h", "lock_rank")][:-1]
    assert [f"LOCK_{name.upper().replace('I/O ', 'IO')}" for name in names] == ranks, names


def wakes_are_allowed_where_the_code_allows_them():
    libos = read("docs/locking.md").split("## In the libos")[1]
    ranks = dict(enumerators("libos/core/lock.h", "lock_rank"))
    for rank, answer in re.findall(r"^\| (\d+) \| .*\| (yes|no) \|$", libos, re.MULTILINE):
        assert (answer == "yes") == (int(rank) < ranks["RANK_LEAF"]), rank


def every_lock_has_a_rank_of_the_table():
    ranks = {name for name, _ in enumerators("libos/core/lock.h", "lock_rank")}
    used = set()
    for path in glob.glob(os.path.join(TOP, "libos/**/*.c"), recursive=True):
        with open(path, encoding="utf-8") as stream:
            used.update(re.findall(r"(?:LOCK_INIT|lock_init)\([^;]*?(RANK_\w+)\)", stream.read()))
    assert used <= ranks and len(used) > len(ranks) / 2, used ^ ranks


run_cases([(case.__name__, case) for case in (
    there_are_twenty_rows, each_row_has_code_a_test_and_a_mutant, what_is_named_is_there,
    every_mutant_is_in_the_chapter, every_mutant_stands_in_its_row, every_patch_applies,
    a_mutant_dies_and_the_tree_does_not, words_select_by_the_beginning_of_a_name,
    interrupts_are_never_on_in_the_kernel,
    the_kernel_has_no_heap, the_ranks_are_those_of_the_code,
    wakes_are_allowed_where_the_code_allows_them, every_lock_has_a_rank_of_the_table)])
