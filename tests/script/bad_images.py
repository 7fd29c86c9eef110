#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Truncated and corrupt modules: a message names what is wrong, and the machine ends in order.

Each case boots the kernel of the image with modules of its own, which lie on the second disk.
"""

import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import run_disk  # noqa: E402
from cases import BUILD, TOP, run_cases  # noqa: E402
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
from running.files import MachineFile, newc_archive  # noqa: E402

LIMIT_S = 30
EXIT_MACHINE_DIED = 126
HEADER_SIZE = 110   # of an entry of a newc archive


def libos_module():
    """Made as the image's own is."""
    with tempfile.TemporaryDirectory() as directory:
        module = os.path.join(directory, "module")
        subprocess.run([os.path.join(TOP, "scripts/mkmodule"), os.path.join(BUILD, "libos.elf"),
                        module], check=True)
        with open(module, "rb") as stream:
            return stream.read()


def boot(modules):
    """modules: (name on the disk or path in the image, words, data or None).  (status, log)."""
    lines = ["multiboot2 /boot/exo.elf console=serial panic=reset run"]
    lines += [f"module2 {name if data is None else f'($run)/{name}'} {words}"
              for name, words, data in modules]
    return run_disk.boot([*lines, "boot"],
                         {name: data for name, _, data in modules if data is not None},
                         "--timeout", str(LIMIT_S), "true")


def must_say(modules, *words):
    """The machine ends by itself, and the log has a line with all of these words."""
    status, log = boot(modules)
    assert status == EXIT_MACHINE_DIED, (status, log[-1500:])
    assert any(all(word in line for word in words) for line in log.splitlines()), log[-1500:]
    assert "exception" not in log, log[-1500:]


LIBOS = ("/boot/libos.module", "libos", None)
ROOT = ("/boot/root.cpio", "archive root", None)


def archive(files):
    return ("run.cpio", "archive run", newc_archive(files))


def small_archive():
    return bytearray(archive({"/a": MachineFile(0o100644, b"x" * 100), "/b": MachineFile(0o100644, b"y" * 100)})[2])


def bad_libos(data, *words):
    must_say([("libos.bad", "libos", bytes(data)), ROOT], "libos", *words)


def bad_archive(data):
    must_say([LIBOS, ROOT, ("bad.cpio", "archive broken", bytes(data))], "broken")


def no_libos():
    must_say([], "no libos")


def changed_libos(offset, word):
    """The header's fields are 64-bit words (struct exo_image)."""
    data = bytearray(libos_module())
    struct.pack_into("<Q", data, offset, word)
    bad_libos(data)


def an_empty_libos():
    bad_libos(b"")


def a_libos_without_magic():
    changed_libos(0, 0)


def a_libos_of_another_version():
    changed_libos(8, 999)


def a_truncated_libos():
    data = libos_module()
    bad_libos(data[:len(data) // 2])


def a_libos_cut_in_its_header():
    bad_libos(libos_module()[:100])


def a_libos_that_is_an_archive():
    bad_libos(small_archive())


def a_libos_with_text_in_the_kernel():
    changed_libos(16, 0xffffffff80100000)


def a_libos_with_a_huge_end():
    changed_libos(40, 1 << 62)


def a_libos_with_an_entry_outside():
    changed_libos(64, 0xffff800000000000)


def no_archive():
    status, log = boot([LIBOS])
    assert status == EXIT_MACHINE_DIED, (status, log[-1500:])
    assert "archive" in log or "init" in log, log[-1500:]
    assert "exception" not in log, log[-1500:]


def an_empty_archive():
    bad_archive(b"")


def a_truncated_archive():
    bad_archive(small_archive()[:HEADER_SIZE + 50])


def an_archive_cut_in_a_header():
    data = small_archive()
    second = data.index(b"070701", 6)
    bad_archive(data[:second + 40])


def an_archive_with_bad_magic_in_the_middle():
    data = small_archive()
    second = data.index(b"070701", 6)
    data[second:second + 6] = b"BROKEN"
    bad_archive(data)


def an_archive_with_a_huge_file():
    data = small_archive()
    data[54:62] = b"FFFFFFFF"
    bad_archive(data)


def an_archive_with_a_huge_name():
    data = small_archive()
    data[94:102] = b"FFFFFFF0"
    bad_archive(data)


def an_archive_with_letters_for_numbers():
    data = small_archive()
    data[54:62] = b"zzzzzzzz"
    bad_archive(data)


def an_archive_without_an_end():
    data = small_archive()
    bad_archive(data[:data.index(b"TRAILER!!!") - HEADER_SIZE])


def a_module_of_another_kind_is_named():
    """It is passed over, or refused; the log says which."""
    _, log = boot([LIBOS, ROOT, ("run.cpio", "picture of-something", b"no archive at all" * 10)])
    assert "picture" in log, log[-1500:]
    assert "exception" not in log, log[-1500:]


run_cases([(case.__name__, case) for case in (
    no_libos, an_empty_libos, a_libos_without_magic, a_libos_of_another_version,
    a_truncated_libos, a_libos_cut_in_its_header, a_libos_that_is_an_archive,
    a_libos_with_text_in_the_kernel, a_libos_with_a_huge_end, a_libos_with_an_entry_outside,
    no_archive, an_empty_archive, a_truncated_archive, an_archive_cut_in_a_header,
    an_archive_with_bad_magic_in_the_middle, an_archive_with_a_huge_file,
    an_archive_with_a_huge_name, an_archive_with_letters_for_numbers, an_archive_without_an_end,
    a_module_of_another_kind_is_named)])
