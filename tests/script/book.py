#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""The book says what is so: its examples are built and run, what it quotes and names exists.

The word after a fenced block's language says what becomes of it:

  ```c program=NAME.c     a program: compiled by exo-cc, and /bin/NAME in the machine
  ```c kernel             statements with exo calls: compiled against the libos's headers
  ```c scheduler          a scheduler library: compiled as the libos's are
  ```c from=FILE          a quotation: these lines stand in FILE
  ```text explore=NAME    what `EXPLORE_SHOW=1 build/explore/NAME_case` prints, these lines among others
  ```console guest        lines after '$ ' are run in the machine, one boot for all of them
  ```console host         the same on the host, in a directory that holds the chapter's programs

The other lines of a console block are the output; '...' in it stands for anything.

With the word "quotations" only what needs no build is looked at: what the text quotes and names.
"""

import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, EXO_CC, EXO_RUN, TOP, exo_run, run_cases  # noqa: E402

CHAPTERS = [os.path.join(TOP, "README.md"), os.path.join(TOP, "CONTRIBUTING.md"),
            os.path.join(TOP, "tests/README.md"),
            *sorted(glob.glob(os.path.join(TOP, "docs/*.md")))]
Block = collections.namedtuple("Block", "name chapter language kind value text")
MARK = "@@book"

KERNEL_FRAME = """#include "core/exo.h"
void example(exo_handle space, exo_handle ports, uint64_t frame, uint64_t page, uint64_t epoch);
void example(exo_handle space, exo_handle ports, uint64_t frame, uint64_t page, uint64_t epoch)
{
%s}
"""
LIBOS_FLAGS = ["-std=gnu11", "-ffreestanding", "-Wall", "-Werror", "-Wno-unused-variable",
               "-fsyntax-only", "-I" + os.path.join(TOP, "include"),
               "-I" + os.path.join(TOP, "libos"), "-x", "c", "-"]


def read_blocks(path):
    chapter = os.path.basename(path)[:-3]
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    start, words = None, []
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if start is None:
            start, words = number, line[3:].split()
            continue
        if len(words) > 1:
            kind, _, value = words[1].partition("=")
            name = f"{chapter}-line-{start}-{kind}"
            yield Block(name, chapter, words[0], kind, value,
                        "\n".join(lines[start:number - 1]) + "\n")
        start = None


BLOCKS = [block for chapter in CHAPTERS for block in read_blocks(chapter)]


def compile_text(text, command):
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def quotation_is_exact(block):
    with open(os.path.join(TOP, block.value), encoding="utf-8") as stream:
        assert block.text in stream.read(), f"these lines are not in {block.value}"


# ---------------------------------------------------------------- programs and consoles


def compile_programs(chapter, folder):
    """Writes a chapter's sources into the folder and compiles them: -> names of the programs."""
    for block in BLOCKS:
        if block.kind == "program" and block.chapter == chapter:
            source = os.path.join(folder, block.value)
            with open(source, "w", encoding="utf-8") as stream:
                stream.write(block.text)
            program = os.path.splitext(block.value)[0]
            subprocess.run([EXO_CC, "-O2", "-Wall", "-Werror", "-pthread", "-o", program, block.value],
                           cwd=folder, check=True)
            yield program


def steps(block):
    """-> [(command, expected output)]"""
    result = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            result.append([line[2:], ""])
        else:
            result[-1][1] += line + "\n"
    return result


def compare(found, command, expected):
    pattern = re.escape(expected.rstrip()).replace(re.escape("..."), ".*")
    assert re.fullmatch(pattern, found.strip("\n").rstrip(), re.DOTALL), \
        f"{command}: expected {expected!r}, found {found!r}"


def script(blocks):
    """Runs the blocks' commands, with a line before and after the output of each."""
    lines = []
    for block in blocks:
        lines.append("(")
        for number, (command, _) in enumerate(steps(block)):
            lines += [f"echo '{MARK} {block.name} {number}'", f"{{ {command}", "} 2>&1"]
        lines.append(")")
    return "\n".join(lines) + f"\necho '{MARK} end'\n"


def split_output(output):
    """-> {(block's name, number of the command): output}"""
    pieces = re.split(rf"^{MARK} (\S+) ?(\d*)\n", output, flags=re.MULTILINE)
    return {(pieces[i], pieces[i + 1]): pieces[i + 2] for i in range(1, len(pieces) - 2, 3)}


class Guest:
    """The one boot, when the first case wants its output."""
    output = None
    all_of_it = ""

    @classmethod
    def run(cls):
        blocks = [block for block in BLOCKS if block.kind == "guest"]
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for chapter in {block.chapter for block in BLOCKS}:
                for program in compile_programs(chapter, folder):
                    files += ["--file", f"{os.path.join(folder, program)}:/bin/{program}"]
            run = exo_run("--cpus", "4", *files, "--", "sh", "-c", script(blocks))
        cls.all_of_it = run.stdout.decode("utf-8", "replace")
        cls.output = split_output(cls.all_of_it)

    @classmethod
    def check(cls, block):
        if cls.output is None:
            cls.run()
        for number, (command, expected) in enumerate(steps(block)):
            found = cls.output.get((block.name, str(number)))
            assert found is not None, f"{command}: was not reached: {cls.all_of_it[-300:]!r}"
            compare(found, command, expected)


def check_host(block):
    path = os.pathsep.join([os.path.dirname(EXO_RUN), os.path.dirname(EXO_CC), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        list(compile_programs(block.chapter, folder))
        run = subprocess.run(["sh", "-c", script([block])], cwd=folder, capture_output=True,
                             stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=path), text=True,
                             check=False, timeout=300)
        output = split_output(run.stdout)
        for number, (command, expected) in enumerate(steps(block)):
            compare(output.get((block.name, str(number)), ""), command, expected)


def is_explored(block):
    run = subprocess.run([os.path.join(BUILD, "explore", block.value + "_case")], capture_output=True, text=True,
                         check=True, env=dict(os.environ, EXPLORE_SHOW="1"))
    assert block.text in run.stdout, run.stdout


def check_block(block):
    if block.kind == "kernel":
        compile_text(KERNEL_FRAME % block.text, ["gcc", *LIBOS_FLAGS])
    elif block.kind == "scheduler":
        compile_text(block.text, ["gcc", *LIBOS_FLAGS])
    elif block.kind == "from":
        quotation_is_exact(block)
    elif block.kind == "explore":
        is_explored(block)
    elif block.kind == "guest":
        Guest.check(block)
    elif block.kind == "host":
        check_host(block)
    elif block.kind == "program":
        with tempfile.TemporaryDirectory() as folder:
            assert list(compile_programs(block.chapter, folder))
    else:
        raise AssertionError(f"what is a block of kind {block.kind}?")


# ---------------------------------------------------------------- what the text names


def chapter_texts():
    for path in CHAPTERS:
        with open(path, encoding="utf-8") as stream:
            yield path, stream.read()


def headings_of(path):
    """As links name them: small letters, hyphens for blanks, and nothing but letters, digits and these."""
    with open(path, encoding="utf-8") as stream:
        headings = re.findall(r"^#+ (.*)$", stream.read(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_lead_somewhere():
    for path, text in chapter_texts():
        prose = re.sub(r"^(    |```[^`]*?^```).*$|`[^`\n]+`", "", text, flags=re.MULTILINE)
        # A link's text may go over the end of a line.
        for target in re.findall(r"\]\(([^)]+)\)", prose):
            if "://" in target:
                continue
            name, _, heading = target.partition("#")
            found = os.path.join(os.path.dirname(path), name) if name else path
            assert os.path.exists(found), f"{os.path.basename(path)}: {target}"
            assert not heading or heading in headings_of(found), f"{os.path.basename(path)}: {target}"


def named_files_exist():
    """Paths in the text, with or without the directory that the chapter is about."""
    name = re.compile(r"`((?:[\w-]+/)+[\w.-]+\.(?:c|h|S|asm|inc|ld|md|py|sh|mk))`")
    for path, text in chapter_texts():
        for named in name.findall(text):
            if "NAME" in named:
                continue
            found = [os.path.join(TOP, place, named) for place in ("", "libos", "exo", "include")]
            assert any(map(os.path.exists, found)), f"{os.path.basename(path)}: {named}"


def named_functions_exist():
    sources = subprocess.run(["git", "-C", TOP, "ls-files", "*.c", "*.h", "*.asm", "*.py", "*.S"],
                             capture_output=True, text=True, check=True).stdout.split()
    words = set()
    for source in sources:
        with open(os.path.join(TOP, source), encoding="utf-8") as stream:
            words.update(re.findall(r"\w+", stream.read()))
    for path, text in chapter_texts():
        for named in re.findall(r"`(\w+)\(\)`", text):
            assert named in words, f"{os.path.basename(path)}: {named}() does not exist"


def figures_are_those_of_the_tables():
    """What README, the chart and other chapters say of docs/performance.md and docs/testing.md."""
    run = subprocess.run([os.path.join(TOP, "scripts/bench/derive"), "--check"], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 0, run.stderr


WANTED = [block for block in BLOCKS if block.kind == "from"] if sys.argv[1:] == ["quotations"] else BLOCKS
run_cases([
    *((case.__name__, case) for case in (links_lead_somewhere, named_files_exist, named_functions_exist,
                                         figures_are_those_of_the_tables)),
    *((block.name, lambda block=block: check_block(block)) for block in WANTED),
])
