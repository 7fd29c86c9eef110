#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""scripts/mkarchive: archives that cpio reads, with large files on page boundaries."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, run_cases  # noqa: E402

PAGE = 4096
LIST = """
dir /tmp 1777
nod /dev/null 0666 c 1 3
slink /dev/stdin /proc/self/fd/0
file /sbin/big {big} 0755
links {links} /bin/one
"""


def make(directory):
    """A tree with files of many sizes around a page; returns the archive's bytes."""
    tree = os.path.join(directory, "tree")
    os.makedirs(os.path.join(tree, "bin"), exist_ok=True)
    for size in (0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 100_001):
        with open(os.path.join(tree, "bin", f"size{size}"), "wb") as stream:
            stream.write(bytes(index % 251 for index in range(size)))
    links = os.path.join(directory, "links")
    with open(links, "w", encoding="utf-8") as stream:
        stream.write("/bin/ls\n/usr/bin/env\n")
    listing = os.path.join(directory, "list")
    with open(listing, "w", encoding="utf-8") as stream:
        stream.write(LIST.format(big=os.path.join(tree, "bin/size100001"), links=links))
    output = os.path.join(directory, "out.cpio")
    subprocess.run([os.path.join(TOP, "scripts/mkarchive"), output, tree, listing], check=True)
    with open(output, "rb") as stream:
        return stream.read()


def entries(archive):
    """(name, mode, offset of the data, data) of each entry but the last."""
    offset = 0
    while True:
        assert archive[offset:offset + 6] == b"070701", offset
        fields = [int(archive[offset + 6 + 8 * i:offset + 14 + 8 * i], 16) for i in range(13)]
        name_end = offset + 110 + fields[11]
        assert archive[name_end - 1] == 0, "the name is not terminated"
        assert fields[11] <= PAGE, "Linux refuses so long a name field"
        name = archive[offset + 110:name_end].split(b"\0")[0].decode()
        data = name_end + 3 & ~3
        if name == "TRAILER!!!":
            return
        yield name, fields[1], data, archive[data:data + fields[6]]
        offset = data + fields[6] + 3 & ~3


def large_files_lie_on_page_boundaries():
    with tempfile.TemporaryDirectory() as directory:
        found = 0
        for name, mode, offset, data in entries(make(directory)):
            if mode & 0o170000 == 0o100000 and len(data) >= PAGE:
                assert offset % PAGE == 0, (name, offset)
                found += 1
        assert found == 5, found


def same_input_gives_the_same_bytes():
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        assert make(one) == make(two)


def cpio_reads_back_what_went_in():
    with tempfile.TemporaryDirectory() as directory:
        archive = make(directory)
        out = os.path.join(directory, "out")
        os.makedirs(out)
        listing = subprocess.run(["cpio", "-t", "--quiet"], input=archive, check=True,
                                 capture_output=True).stdout.decode().split()
        assert "dev/null" in listing and "usr/bin/env" in listing, listing
        subprocess.run(["cpio", "-id", "--quiet", "bin/*", "sbin/*"], input=archive, check=True,
                       cwd=out)
        subprocess.run(["diff", "-r", "--exclude=ls", os.path.join(directory, "tree/bin"),
                        os.path.join(out, "bin")], check=True)
        assert os.readlink(os.path.join(out, "bin/ls")) == "/bin/one"
        assert os.stat(os.path.join(out, "sbin/big")).st_size == 100_001


def a_file_just_before_a_boundary_still_fits():
    with tempfile.TemporaryDirectory() as directory:
        tree = os.path.join(directory, "tree")
        for small in range(0, PAGE, 97):
            os.makedirs(tree, exist_ok=True)
            for name, size in (("a", small), ("b" * 120, PAGE)):
                with open(os.path.join(tree, name), "wb") as stream:
                    stream.write(b"x" * size)
            output = os.path.join(directory, "out.cpio")
            subprocess.run([sys.executable, os.path.join(TOP, "scripts/mkarchive"), output, tree],
                           check=True)
            with open(output, "rb") as stream:
                aligned = {name: offset % PAGE for name, _, offset, data in entries(stream.read())
                           if len(data) >= PAGE}
            assert aligned == {"b" * 120: 0}, (small, aligned)


run_cases([(case.__name__, case) for case in (
    large_files_lie_on_page_boundaries, same_input_gives_the_same_bytes,
    cpio_reads_back_what_went_in, a_file_just_before_a_boundary_still_fits)])
