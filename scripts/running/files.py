# SPDX-License-Identifier: MIT
"""The files that a machine is given, and the archive that they are in."""

import os
import re
import shlex
import stat
import subprocess
import time

from running import Failure

# With less the boot loader has no room for the files, or the shell none to start a program.
MEMORY_LEAST_MIB = 12


def bytes_of(size):
    """What QEMU takes 64M and the like for, a number alone for MiB; None if it is not of that form."""
    match = re.fullmatch(r"(\d+)([KMGT]?)(?:i?B)?", size, re.IGNORECASE)
    return match and int(match.group(1)) << {"K": 10, "G": 30, "T": 40}.get(match.group(2).upper(), 20)


class MachineFile:
    """A file, directory or link that the machine is to have.  One that comes from the host keeps the time of its
    last change: compiled Python, make and others go by it."""

    def __init__(self, mode, data=b"", modified=None):
        self.mode = mode
        self.data = data
        self.modified = int(time.time() if modified is None else modified)


def newc_entry(name, file, inode):
    """One entry of a cpio archive in the newc format, whose times are unsigned and of 32 bits, as are sizes."""
    if len(file.data) >> 32:
        raise Failure(f"--file: {name} is larger than 4 GiB")
    name = os.fsencode(name) + b"\0"
    modified = min(max(file.modified, 0), 0xffffffff)
    fields = (inode, file.mode, 0, 0, 1, modified, len(file.data), 0, 0, 0, 0, len(name), 0)
    entry = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    entry += bytes(-len(entry) % 4) + file.data
    return entry + bytes(-len(entry) % 4)


def newc_archive(files):
    """files: {path in the machine: MachineFile}.  Directories that they are in and that were not asked for are
    not there: the machine makes those that it does not have, and leaves the others as they are."""
    archive = [newc_entry(path.lstrip("/"), file, inode)
               for inode, (path, file) in enumerate(sorted(files.items()), 1) if path != "/"]
    return b"".join(archive) + newc_entry("TRAILER!!!", MachineFile(0), 0)


def read_for_machine(host, guest, options, size=0, look=os.stat):
    """What a --file brings: the files under `host`, named as the machine sees them.  `size` bytes have been
    read before.

    What is named itself may be a link, or a pipe that is read to its end; in a directory
    links stay links, and nothing is opened that could make us wait."""
    info = look(host)
    if stat.S_ISDIR(info.st_mode):
        files = {guest: MachineFile(stat.S_IFDIR | stat.S_IMODE(info.st_mode), b"", info.st_mtime)}
        for name in sorted(os.listdir(host)):
            files.update(read_for_machine(os.path.join(host, name), os.path.join(guest, name), options, size,
                                          os.lstat))
        return files
    if stat.S_ISLNK(info.st_mode):
        return {guest: MachineFile(stat.S_IFLNK | 0o777, os.fsencode(os.readlink(host)), info.st_mtime)}
    if look is os.lstat and not stat.S_ISREG(info.st_mode):
        raise Failure(f"--file: {host} is not a file, a directory or a link")
    check_fits(size + info.st_size, options, host)
    with open(host, "rb") as stream:
        return {guest: MachineFile(stat.S_IFREG | stat.S_IMODE(info.st_mode), stream.read(), info.st_mtime)}


def libraries_of(host, along):
    """What ldd says of a program or library; nothing of another file, or of a static program.  What it does not
    find may come along by name: a program's own libraries lie where it looks for them itself."""
    with open(host, "rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return []
    listed = subprocess.run(["ldd", host], capture_output=True, text=True, check=False).stdout
    missing = set(re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE)) - along
    if missing:
        raise Failure(f"--libraries: {host} needs {', '.join(sorted(missing))}, which the host does not have")
    return re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", listed, re.MULTILINE)


def libraries_for_machine(hosts, options):
    """Each at the place that the program looks for it; of directories the libraries of all files in them."""
    programs = []
    for host in hosts:
        if os.path.isdir(host):
            programs += [os.path.join(folder, name) for folder, _, names in os.walk(host)
                         for name in names if os.path.isfile(os.path.join(folder, name))]
        elif os.path.isfile(host):
            programs.append(host)
    files = {}
    along = {os.path.basename(program) for program in programs}
    for library in sorted({library for program in programs for library in libraries_of(program, along)}):
        files.update(read_for_machine(library, os.path.normpath(library), options))
    return files


def check_fits(size, options, path="all files"):
    """Before a file is read: whoever names a disk by mistake is told so, and not the host's memory used up."""
    memory = bytes_of(options.mem)
    if memory is not None and size + (MEMORY_LEAST_MIB << 20) > memory:
        raise Failure(f"--file: up to {path} it is {size >> 20} MiB, for which a machine of {options.mem} "
                      "has no room: see --mem")


def add_files(files, more, mapping):
    """One that is named twice would win or lose by its place among the options."""
    for path, file in more.items():
        known = files.get(path)
        if known and not (stat.S_ISDIR(known.mode) and stat.S_ISDIR(file.mode)):
            raise Failure(f"--file {mapping}: {path} has been given already")
    files.update(more)


def check_places(files):
    for path in files:
        above = os.path.dirname(path)
        while above != "/" and path != "/":
            if above in files and stat.S_ISREG(files[above].mode):
                raise Failure(f"--file: {above} is a file, so that there can be no {path}")
            above = os.path.dirname(above)
    if "/" in files and not stat.S_ISDIR(files["/"].mode):
        raise Failure("--file: / is a directory in the machine: give a name below it")


def named_files(options):
    """What the --file options bring."""
    files, size = {}, 0
    for mapping in options.file:
        host, _, guest = mapping.partition(":")
        guest = guest or os.path.basename(os.path.abspath(host))
        try:
            more = read_for_machine(host, os.path.normpath("/" + guest.lstrip("/")), options, size)
        except OSError as error:
            where = "" if error.filename == host else f" ({error.filename})"
            raise Failure(f"--file {mapping}: {error.strerror}{where}") from error
        add_files(files, more, mapping)
        size = sum(len(file.data) for file in files.values())
    return files


def files_for_machine(options):
    files = named_files(options)
    if options.libraries:
        hosts = [mapping.partition(":")[0] for mapping in options.file]
        files = {**libraries_for_machine(hosts, options), **files}
    check_places(files)
    for path, file in (interactive_files if options.interactive else program_files)(options).items():
        if path in files:
            raise Failure(f"--file: {path} is exo-run's own")
        files[path] = file
    check_fits(sum(len(file.data) for file in files.values()), options)
    return files


def program_files(options):
    """For /sbin/exo-init, which is init in a machine without a terminal."""
    files = {"args": [options.program, *options.arguments], "env": options.env}
    if options.trace:
        files["trace"] = []
    return {"/.exo-run/" + name: MachineFile(stat.S_IFREG | 0o644,
                                             b"".join(os.fsencode(word) + b"\0" for word in words))
            for name, words in files.items()}


def interactive_files(options):
    """Without a program, init's own table starts a shell."""
    if options.program is None:
        return {}
    lines = ["#!/bin/sh", ". /etc/profile"]
    lines += ["export " + shlex.quote(setting) for setting in options.env]
    lines += [shlex.join([options.program, *options.arguments])]
    return {"/.exo-run/start": MachineFile(stat.S_IFREG | 0o755, ("\n".join(lines) + "\n").encode()),
            "/etc/inittab": MachineFile(stat.S_IFREG | 0o644, b"::wait:/.exo-run/start\n::wait:/sbin/poweroff\n")}
