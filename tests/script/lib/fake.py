# SPDX-License-Identifier: MIT
"""exo-run with fake-machine in QEMU's place: what is exo-run's own costs no boot."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
EXO_RUN = os.path.join(HERE, "../../../scripts/exo-run")
ENVIRONMENT = dict(os.environ, QEMU=os.path.join(HERE, "../fake-machine"), EXO_ISO=__file__, ACCEL="tcg")


def exo_run(*arguments, machine="", stdin=b"", environment=None, **keywords):
    return subprocess.run([EXO_RUN, *arguments], input=stdin, capture_output=True, timeout=60,
                          env=dict(ENVIRONMENT, FAKE_MACHINE=machine, **(environment or {})), check=False,
                          **keywords)


def start(*arguments, machine="", environment=None, **keywords):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
    return subprocess.Popen([EXO_RUN, *arguments],
                            env=dict(ENVIRONMENT, FAKE_MACHINE=machine, **(environment or {})), **streams)
