#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs of the host with the host's dynamic linker and libraries: exec starts the linker that they name."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import TOP, exo_run, per_cpu_count, run_cases  # noqa: E402

FOLDER = tempfile.TemporaryDirectory(prefix="dynamic-")  # pylint: disable=consider-using-with
PROGRAM = os.path.join(FOLDER.name, "dynamic")
SOURCE = os.path.join(TOP, "tests/script/dynamic.c")


def build(name, *options):
    path = os.path.join(FOLDER.name, name)
    subprocess.run(["gcc", "-O1", "-pthread", *options, "-o", path, SOURCE, "-ldl"], check=True)
    return path


def libm():
    """It is opened by name, so that ldd does not know of it."""
    found = subprocess.run(["gcc", "-print-file-name=libm.so.6"], check=True, capture_output=True, text=True)
    path = os.path.realpath(found.stdout.strip())
    return f"{path}:/usr/lib/x86_64-linux-gnu/libm.so.6"


def a_program_is_linked(cpus):
    run = exo_run("--cpus", str(cpus), "--libraries", "--file", PROGRAM, "--file", libm(), "--", "/dynamic")
    lines = run.stdout.decode().splitlines()
    assert run.returncode == 42 and len(lines) == 2, run
    for name, line in zip(("first", "again"), lines):
        assert line.startswith(f"{name}: thread 12, objects ") and line.endswith("base yes, opens yes"), run


def the_hosts_shell_runs():
    """Each command of the pipeline is a process of its own, made by fork with its libraries' memory."""
    run = exo_run("--cpus", "4", "--libraries", "--file", "/bin/bash:/bin/bash", "--", "/bin/bash", "-c",
                  "for i in {1..200}; do echo $((i * i)); done | while read n; do ((sum += n)); "
                  "echo $sum; done | (while read n; do last=$n; done; echo $last; exec /bin/bash -c 'exit 9')")
    assert run.returncode == 9 and run.stdout == b"2686700\n", run


def what_a_program_took_is_not_its_successors():
    """Both have their libraries at the same addresses; the second's are mapped while the first's are there."""
    run = exo_run("--cpus", "1", "--libraries", "--file", "/bin/bash:/bin/bash", "--file", "/bin/grep:/bin/grep",
                  "--", "/bin/bash", "-c", "exec /bin/grep -E '^Vm(RSS|HWM)' /proc/self/status")
    taken = [int(kib) for kib in re.findall(rb"(\d+) kB", run.stdout)]
    assert len(taken) == 2 and all(0 < kib < 100000 for kib in taken), run


EVENT_LOOP = """
import asyncio, multiprocessing, os, socket

async def main():
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    back, forth = await asyncio.open_connection(sock=theirs)
    async def answer():
        while line := await back.readline():
            forth.write(line.upper())
            await forth.drain()
        forth.close()
    task = asyncio.create_task(answer())
    for i in range(100):
        writer.write(b"line %d\\n" % i)
        assert await reader.readline() == b"LINE %d\\n" % i
    writer.write_eof()
    assert await reader.read() == b""
    await task
    assert await asyncio.get_running_loop().run_in_executor(None, os.getpid) == os.getpid()

def double(pipe):
    while (word := pipe.recv()) is not None:
        pipe.send(word * 2)

asyncio.run(main())
ours, theirs = multiprocessing.Pipe()
child = multiprocessing.get_context("fork").Process(target=double, args=(theirs,))
child.start()
for n in (1, 70000, 500000):
    ours.send("x" * n)
    assert ours.recv() == "x" * 2 * n
ours.send(None)
child.join()
print("status", child.exitcode)
"""


SERVERS = """
import asyncio, http.server, threading, urllib.request

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode() * 1000)
    def log_message(self, *arguments):
        pass

web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
web.daemon_threads = False
server = threading.Thread(target=web.serve_forever)
server.start()
def visit(number):
    address = "http://localhost:%d/%d" % (web.server_port, number)
    with urllib.request.urlopen(address) as page:
        assert page.read() == b"/%d" % number * 1000
visitors = [threading.Thread(target=visit, args=(n,)) for n in range(20)]
for v in visitors:
    v.start()
for v in visitors:
    v.join()
web.shutdown()
server.join()
web.server_close()

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
    writer.close()

async def talk(streams):
    reader, writer = await streams
    for i in range(20):
        writer.write(b"line %d\\n" % i)
        assert await reader.readline() == b"LINE %d\\n" % i
    writer.write_eof()
    assert await reader.read() == b""

async def main():
    port = (await asyncio.start_server(serve, "127.0.0.1", 0)).sockets[0].getsockname()[1]
    await asyncio.start_unix_server(serve, "/tmp/socket")
    await asyncio.gather(*[talk(asyncio.open_connection("127.0.0.1", port)) for _ in range(20)],
                         *[talk(asyncio.open_unix_connection("/tmp/socket")) for _ in range(20)])

asyncio.run(main())
print("all")
"""


def cpython(program):
    """With what it imports; not with its own tests, which are most of its library."""
    python = os.path.realpath("/usr/bin/python3")
    library = f"/usr/lib/{os.path.basename(python)}"
    folder = os.path.join(FOLDER.name, "cpython")
    if not os.path.exists(folder):
        shutil.copytree(library, folder, symlinks=True, ignore=shutil.ignore_patterns("test", "config-*"))
    return exo_run("--cpus", "4", "--mem", "512M", "--libraries", "--file", f"{python}:/usr/bin/python3",
                   "--file", f"{folder}:{library}", "--", "python3", "-c", program)


def cpythons_pairs_of_sockets_work():
    run = cpython(EVENT_LOOP)
    assert run.returncode == 0 and run.stdout == b"status 0\n", run


def cpythons_servers_are_found():
    run = cpython(SERVERS)
    assert run.returncode == 0 and run.stdout == b"all\n", run


def without_its_linker_there_is_no_program():
    run = exo_run("--file", PROGRAM, "--", "sh", "-c", "/dynamic; echo $?")
    assert run.stdout == b"127\n", run


def a_linker_must_be_one(linker):
    """It is no program for this machine, or no position-independent one: as it is when /dynamic is looked at,
    there is still somebody to be told (Linux's ELIBBAD)."""
    named = build("named", f"-Wl,--dynamic-linker={linker}")
    static = build("static", "-static", "-no-pie", "-w")
    text = os.path.join(FOLDER.name, "text")
    with open(text, "w", encoding="ascii") as stream:
        stream.write("this is no program\n")
    os.chmod(text, 0o755)
    run = exo_run("--file", f"{named}:/named", "--file", f"{static}:/static", "--file", f"{text}:/text", "--",
                  "sh", "-c", "/named; echo $?")
    assert run.stdout == b"126\n" and b"named" in run.stderr, run


def only_what_the_host_has_comes_along():
    named = build("nowhere", "-Wl,--dynamic-linker=/no/such/linker")
    run = exo_run("--libraries", "--file", f"{named}:/named", "--", "sh", "-c", "/named; echo $?")
    assert run.stdout == b"127\n", run


def build_library(path, source, *options):
    subprocess.run(["gcc", "-shared", "-fPIC", "-xc", "-o", path, "-", *options], input=source.encode(), check=True)


def libraries_of_its_own_come_along():
    """One needs another that lies beside it, and is found by the program alone; one that is nowhere is named."""
    folder = os.path.join(FOLDER.name, "own")
    os.mkdir(folder)
    build_library(f"{folder}/libinner.so", "int inner(void) { return 6; }")
    build_library(f"{folder}/libouter.so", "int inner(void); int outer(void) { return inner() * 7; }",
                  f"-L{folder}", "-linner")
    program = f"{folder}/program"
    subprocess.run(["gcc", "-xc", "-o", program, "-", f"-L{folder}", f"-Wl,-rpath-link,{folder}", "-louter"],
                   input=b"int outer(void); int main(void) { return outer(); }", check=True)
    run = exo_run("--libraries", "--env", "LD_LIBRARY_PATH=/own", "--file", f"{folder}:/own", "--", "/own/program")
    assert run.returncode == 42, run
    os.remove(f"{folder}/libinner.so")
    run = exo_run("--libraries", "--file", f"{folder}:/own", "--", "/own/program")
    assert run.returncode == 125 and b"libouter.so needs libinner.so, which" in run.stderr, run


build("dynamic")
run_cases([*per_cpu_count(a_program_is_linked), ("the_hosts_shell_runs", the_hosts_shell_runs),
           ("what_a_program_took_is_not_its_successors", what_a_program_took_is_not_its_successors),
           ("cpythons_pairs_of_sockets_work", cpythons_pairs_of_sockets_work),
           ("cpythons_servers_are_found", cpythons_servers_are_found),
           ("without_its_linker_there_is_no_program", without_its_linker_there_is_no_program),
           ("a_text_is_no_linker", lambda: a_linker_must_be_one("/text")),
           ("a_static_program_is_no_linker", lambda: a_linker_must_be_one("/static")),
           ("a_linker_that_is_nowhere_is_missing", only_what_the_host_has_comes_along),
           ("libraries_of_its_own_come_along", libraries_of_its_own_come_along)])
