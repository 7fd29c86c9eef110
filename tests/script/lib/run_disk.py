# SPDX-License-Identifier: MIT
"""A machine whose boot loader is told something else than exo-run would tell it."""

import importlib.machinery
import importlib.util
import os
import sys
import tempfile

from cases import BUILD, EXO_RUN


def load_exo_run():
    """exo-run as a module: its machine, with another second disk."""
    loader = importlib.machinery.SourceFileLoader("exo_run", EXO_RUN)
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("exo_run", loader))
    loader.exec_module(module)
    return module


def boot(lines, files, *arguments):
    """exo-run with these arguments, but `lines` for the loader, who finds `files` ({name: data})
    on the disk $run; run.cpio is exo-run's own unless it is given.  (exit status, log)."""
    exo_run = load_exo_run()

    def write_run_disk(path, _options, own_files):
        contents = {"run.cfg": "\n".join([*lines, ""]).encode(),
                    "run.cpio": exo_run.newc_archive(own_files), **files}
        with exo_run.tarfile.open(path, "w", format=exo_run.tarfile.USTAR_FORMAT) as tar:
            for name, data in contents.items():
                member = exo_run.tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, exo_run.io.BytesIO(data))

    exo_run.write_run_disk = write_run_disk
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "log")
        os.environ["EXO_ISO"] = os.path.join(BUILD, "exo.iso")
        status = exo_run.run(exo_run.parse_arguments(["--log", log, *arguments]))
        with open(log, encoding="utf-8", errors="replace") as stream:
            return status, stream.read()
