#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# tags: check
"""A scheduler library of one's own, from an installed toolkit to a program that runs under it."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cases import BUILD, TOP, run_cases  # noqa: E402


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as stream:
        return stream.read()


def header_functions():
    """The functions of <libos/sched.h> that a library may call."""
    part = read("include/libos/sched.h").partition("what a library may call")[2]
    part = part.partition("for the rest of the libos")[0]
    part = re.sub(r"/\*.*?\*/", "", part, flags=re.DOTALL)
    return set(re.findall(r"\b(sched_\w+)\(", part))


def every_function_of_the_header_is_exported():
    exported = set(re.findall(r"^\tEXPORT\((\w+)\)", read("libos/sched/exports.c"), re.MULTILINE))
    assert len(exported) > 30 and header_functions() == exported - {"memcpy", "memmove", "memset", "memcmp"}, \
        header_functions() ^ exported


class Toolkit:
    """What `make install` installs, in a directory of its own."""

    def __init__(self, folder):
        self.bin = os.path.join(folder, "bin")
        subprocess.run(["make", "-s", "install", f"PREFIX={folder}", f"BUILD={os.path.relpath(BUILD, TOP)}"], cwd=TOP,
                       check=True, stdout=subprocess.DEVNULL)

    def run(self, *command, folder, **keywords):
        """Finds nothing of this tree: only what is installed, and the system's programs."""
        return subprocess.run([os.path.join(self.bin, command[0]), *command[1:]], cwd=folder,
                              env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
                              check=False, timeout=300, **keywords)


def in_folder(test):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "work"))
            test(Toolkit(os.path.join(folder, "kit")), os.path.join(folder, "work"))
    run.__name__ = test.__name__
    return run


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
        stream.write(text)


@in_folder
def a_new_scheduler_works_out_of_the_tree(kit, folder):
    made = kit.run("exo-new-scheduler", "mine", folder=folder)
    assert made.returncode == 0, made.stderr
    made = kit.run("exo-sched", "-Werror", "mine.c", "-o", "mine.so", folder=folder)
    assert made.returncode == 0 and not made.stderr, made.stderr
    line = ("schedctl use /mine.so && schedctl current && /tests/threads > /threads && "
            "schedctl current && schedctl use fifo && schedctl unload mine && schedctl list")
    ran = kit.run("exo-run", "--cpus", "4", "--timeout", "120", "--file", "mine.so:/mine.so", "--",
                  "sh", "-c", line, folder=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[:2] == ["mine", "mine"] and "mine" not in lines[2], lines


@in_folder
def a_new_scheduler_does_not_overwrite_a_file(kit, folder):
    write(folder, "mine.c", "mine\n")
    made = kit.run("exo-new-scheduler", "mine", folder=folder)
    assert made.returncode == 1 and "there already" in made.stderr, made.stderr
    for bad in ("", "Mine", "1st", "a-b", "much_too_long_a_name"):
        made = kit.run("exo-new-scheduler", bad, folder=folder)
        assert made.returncode == 2, bad
    assert kit.run("exo-new-scheduler", "one", "two", folder=folder).returncode == 2
    made = kit.run("exo-new-scheduler", "fifo", folder=folder)
    assert made.returncode == 2 and "fifo takes over" in made.stderr, made.stderr
    assert os.listdir(folder) == ["mine.c"], os.listdir(folder)


@in_folder
def a_new_scheduler_may_have_any_name(kit, folder):
    """Words of C, of its own file, and of the header."""
    for name in ("int", "tunables", "slice_us", "cpu", "task", "bool", "sched", "sched_run", "memcpy", "main", "_"):
        made = kit.run("exo-new-scheduler", name, folder=folder)
        assert made.returncode == 0, made.stderr
        made = kit.run("exo-sched", "-Werror", name + ".c", "-o", name + ".so", folder=folder)
        assert made.returncode == 0, made.stderr


@in_folder
def tools_print_their_usage_when_asked(kit, folder):
    for tool in ("exo-new-scheduler", "exo-sched"):
        made = kit.run(tool, "--help", folder=folder)
        assert made.returncode == 0 and made.stdout.startswith("usage: ") and not made.stderr, made


@in_folder
def what_a_library_may_not_call_is_said_when_it_is_built(kit, folder):
    write(folder, "bad.c", "#include <libos/sched.h>\n"
          "int puts(const char *s);\n"
          "static int start(int ncpu) { return puts(\"hello\"); }\n"
          "static const struct sched_ops bad = { .name = \"bad\", .init = start };\n"
          "SCHED_LIBRARY(bad);\n")
    made = kit.run("exo-sched", "bad.c", "-o", "bad.so", folder=folder)
    assert made.returncode == 1 and "puts" in made.stderr, made.stderr
    assert not os.path.exists(os.path.join(folder, "bad.so"))


@in_folder
def what_the_header_has_for_the_libos_is_not_for_a_library(kit, folder):
    """Neither what it declares behind that, nor what its comments name."""
    calls = {"sched_set_tunable": "sched_set_tunable(\"rr\", \"slice_us\", 50)", "sched_swap": "sched_swap(\"rr\")",
             "sched_load": "sched_load(\"/x\")", "sched_dump": "(sched_dump(0), 0)", "init": "init(1)",
             "sched_this_cpu": "sched_this_cpu()"}
    for name, call in calls.items():
        write(folder, "calls.c", "#include <libos/sched.h>\n"
              "int init(int ncpu) __attribute__((visibility(\"default\")));\n"
              f"static int start(int ncpu) {{ return {call}; }}\n"
              "static const struct sched_ops calls = { .name = \"calls\", .init = start };\n"
              "SCHED_LIBRARY(calls);\n")
        made = kit.run("exo-sched", "calls.c", "-o", "calls.so", folder=folder)
        if name == "sched_this_cpu":
            assert made.returncode == 0, made.stderr
        else:
            assert made.returncode == 1 and made.stderr.strip().endswith(f"may call: {name}"), (name, made.stderr)


@in_folder
def a_library_is_used_by_its_file(kit, folder):
    """With a blank in its name, from its own directory, with a long path, and rebuilt while it is in force."""
    made = kit.run("exo-new-scheduler", "mine", folder=folder)
    made = kit.run("exo-sched", "mine.c", "-o", "mine.so", folder=folder)
    assert made.returncode == 0, made.stderr
    deep = "/tmp/" + "d" * 120
    line = ("cp /mine.so '/tmp/a b.so'; schedctl use '/tmp/a b.so'; schedctl current; schedctl use rr; "
            f"mkdir {deep}; cp /mine.so {deep}; schedctl use {deep}/mine.so; schedctl current; schedctl use rr; "
            "cd /; schedctl use mine.so; schedctl current; schedctl use mine.so; schedctl current; "
            "schedctl load mine.so; schedctl unload mine; schedctl current")
    ran = kit.run("exo-run", "--cpus", "2", "--timeout", "120", "--file", "mine.so:/mine.so", "--",
                  "sh", "-c", line, folder=folder)
    assert ran.stdout.splitlines() == ["mine"] * 5, ran.stdout + ran.stderr
    said = ran.stderr.splitlines()
    assert len(said) == 4 and all("put another in force first" in said[i] and "busy" in said[i + 1]
                                  for i in (0, 2)), said


def build_by_hand(folder, name, text, *options):
    """As somebody would who does not know exo-sched."""
    write(folder, name + ".c", text)
    subprocess.run(["gcc", "-shared", "-ffreestanding", "-nostdlib", "-I" + os.path.join(TOP, "include"),
                    *options, "-o", name + ".so", name + ".c"], cwd=folder, check=True)


LIBRARY = """#include <libos/sched.h>
%s
static const struct sched_ops by_hand = { %s };
SCHED_LIBRARY(by_hand);
"""
NAME = '.name = "by_hand"'
SYSV = "-Wl,--hash-style=sysv,-z,max-page-size=4096"

# name: (source, options, what is said of it; "" if it is loaded)
BY_HAND = {
    "plain": (LIBRARY % ("", NAME), ["-fPIC", SYSV], ""),
    "gnu_hash": (LIBRARY % ("", NAME), ["-fPIC", "-Wl,--hash-style=gnu"], "hash-style"),
    "no_library": ("int nothing;\n", ["-fPIC", SYSV], "SCHED_LIBRARY"),
    "no_name": (LIBRARY % ("", ".flags = 0"), ["-fPIC", SYSV], "its name is none"),
    "named_fifo": (LIBRARY % ("", '.name = "fifo"'), ["-fPIC", SYSV], "its name is fifo"),
    "empty_name": (LIBRARY % ("", '.name = ""'), ["-fPIC", SYSV], "its name is empty"),
    "long_name": (LIBRARY % ("", '.name = "0123456789abcdef"'), ["-fPIC", SYSV], "its name is too long"),
    "wrong_name": (LIBRARY % ("", '.name = "a b/c"'), ["-fPIC", SYSV], "its name has a blank, a /"),
    "flags": (LIBRARY % ("", NAME + ", .flags = SCHED_FLAGS + 1"), ["-fPIC", SYSV], "its flags have a bit"),
    "huge": (LIBRARY % ("char all[SCHED_LIBRARY_SIZE_MAX];", NAME), ["-fPIC", SYSV], "more than 256 KiB"),
    "later": (LIBRARY % ("", NAME + ", .abi = SCHED_ABI + 1"), ["-fPIC", SYSV], "later version"),
    "large": (LIBRARY % ("", NAME + ", .task_size = 4096"), ["-fPIC", SYSV], "its task_size is more"),
    "large_cpu": (LIBRARY % ("", NAME + ", .cpu_size = 65537"), ["-fPIC", SYSV], "its cpu_size is more"),
    "half": (LIBRARY % ("static struct sched_run pick(int cpu, struct task *t)"
                        "{ return (struct sched_run){ 0 }; }", NAME + ", .pick = pick"),
             ["-fPIC", SYSV], "it has no enqueue()"),
    "not_code": (LIBRARY % ("static int data;", NAME + ", .init = (int (*)(int))&data"),
                 ["-fPIC", SYSV], "no function of its own: init"),
    "tunable": (LIBRARY % ("static const struct sched_tunable all[] = "
                           "{ { \"x\", (uint64_t *)0x7f0000000000, 0, 1 }, { 0 } };",
                           NAME + ", .tunables = all"), ["-fPIC", SYSV], "value is no variable of its own: x"),
    "min": (LIBRARY % ("static uint64_t n; static const struct sched_tunable all[] = { { \"x\", &n, 2, 1 }, { 0 } };",
                       NAME + ", .tunables = all"), ["-fPIC", SYSV], "min is above its max: x"),
    "begins": (LIBRARY % ("static uint64_t n; static const struct sched_tunable all[] = "
                          "{ { \"x\", &n, 1, 2 }, { 0 } };",
                          NAME + ", .tunables = all"), ["-fPIC", SYSV], "its max to begin with: x"),
    "tunable_name": (LIBRARY % ("static uint64_t n; static const struct sched_tunable all[] = "
                                "{ { \"y\", &n, 0, 1 }, { \"a b\", &n, 0, 1 }, { 0 } };",
                                NAME + ", .tunables = all"), ["-fPIC", SYSV], "what is not ASCII: tunables[1]"),
    "missing": (LIBRARY % ("int puts(const char *s);\n"
                           "static int init(int n) { return puts(\"\"); }", NAME + ", .init = init"),
                ["-fPIC", SYSV], "offer: puts"),
    "constructor": (LIBRARY % ("__attribute__((constructor)) static void start(void) {}", NAME),
                    ["-fPIC", SYSV], "constructors"),
    "thread_local": (LIBRARY % ("__thread int mine; int init(int n) { return mine++; }",
                                NAME + ", .init = init"),
                     ["-fPIC", SYSV, "-ftls-model=initial-exec"], "thread-local"),
    "ifunc": (LIBRARY % ("static int one(int n) { return 0; }\n"
                         "static void *choose(void) { return one; }\n"
                         "int init(int n) __attribute__((ifunc(\"choose\")));", NAME + ", .init = init"),
              ["-fPIC", SYSV], "uses"),
}


def libraries_built_by_hand_are_loaded_or_refused_with_the_reason():
    with tempfile.TemporaryDirectory() as folder:
        files, line = [], ""
        for name, (text, options, _) in BY_HAND.items():
            build_by_hand(folder, name, text, *options)
            files += ["--file", f"{folder}/{name}.so:/{name}.so"]
            line += f"echo '@ {name}'; schedctl load /{name}.so 2>&1 | grep -v format; "
        run = subprocess.run([os.path.join(BUILD, "bin/exo-run"), "--cpus", "2", "--timeout", "120", *files,
                              "--", "sh", "-c", line], capture_output=True, text=True, check=False,
                             timeout=180)
        found = dict(re.findall(r"@ (\w+)\n([^@]*)", run.stdout))
        for name, (_, _, reason) in BY_HAND.items():
            said = found.get(name, "nothing")
            if reason:
                assert reason in said and ("refused" in said or name == "named_fifo"), f"{name}: {said}"
            else:
                assert said == "by_hand\n", f"{name}: {said}"


MEMBERS = """#include <libos/sched.h>
static struct { uint32_t task, process, ended; } known[4096];
static int attach(struct task *t)
{
	uint32_t id = sched_task_ref(t).id;

	if (id < 4096) {
		known[id].task = id;
		known[id].process = sched_task_process(t);
	}
	return 0;
}
static void detach(struct task *t)
{
	uint32_t id = sched_task_ref(t).id;

	if (id < 4096)
		known[id].ended = sched_task_process(t);
}
static void dump(int cpu, sched_printf print)
{
	for (int i = 0; cpu == 0 && i < 4096; i++)
		if (known[i].task)
			print("task %u process %u %u\\n", known[i].task, known[i].process, known[i].ended);
}
static const struct sched_ops members = { .name = "members", .attach = attach, .detach = detach, .dump = dump };
SCHED_LIBRARY(members);
"""
THREADS = """#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *thread(void *unused) { printf("%ld %d\\n", syscall(SYS_gettid), getpid()); return NULL; }
int main(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, thread, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return thread(NULL) != NULL;
}
"""

# The library hears of an end some time after who waits for it.
UNTIL_TOLD = ("for look in $(seq 500); do schedctl dump > /told; late=; "
              "while read task process; do grep -q \"^task $task process $process $process$\" /told || late=1; done < /ids; "
              "[ \"$late\" ] || break; done")


@in_folder
def a_library_is_told_whose_thread_a_task_is(kit, folder):
    write(folder, "members.c", MEMBERS)
    write(folder, "threads.c", THREADS)
    for made in (kit.run("exo-sched", "-Werror", "members.c", "-o", "members.so", folder=folder),
                 kit.run("exo-cc", "threads.c", "-o", "threads", folder=folder)):
        assert made.returncode == 0, made.stderr
    ran = kit.run("exo-run", "--cpus", "2", "--timeout", "60", "--file", "members.so:/members.so", "--file",
                  "threads:/threads", "--", "sh", "-c",
                  f"schedctl use members.so; /threads > /ids; /threads >> /ids; cat /ids; {UNTIL_TOLD}; cat /told",
                  folder=folder)
    told = {int(task): (int(process), int(ended)) for task, process, ended in
            re.findall(r"^task (\d+) process (\d+) (\d+)$", ran.stdout, re.MULTILINE)}
    truth = {int(task): int(process) for task, process in re.findall(r"^(\d+) (\d+)$", ran.stdout, re.MULTILINE)}
    assert len(truth) == 8 and len(set(truth.values())) == 2, ran.stdout + ran.stderr
    for task, process in truth.items():
        assert told[task] == (process, process), (task, process, told)


MISUSING = """#include <libos/sched.h>
struct cpu { struct sched_fifo ready, other; struct sched_ordered ordered; };
static int passed;
static void enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_push_back(&c->ready, t);
}
static void dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}
static struct sched_run pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_first(&c->ready);

	if (++passed > 9) {
%s
	}
	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(1) };
}
static void dump(int cpu, sched_printf print)
{
	struct cpu *c = sched_cpu_private(cpu);

%s
	print("%%u tasks\\n", c->ready.count);
}
static const struct sched_ops misusing = {
	.name = "%s", .cpu_size = sizeof(struct cpu), .enqueue = enqueue, .dequeue = dequeue, .pick = pick,
	.dump = dump,
};
SCHED_LIBRARY(misusing);
"""

RULE = "what it was given breaks its rule, see <libos/sched.h>"

# name: (line of pick(), line of dump(), what of the libos's it is in, what was done there)
MISUSE = {
    "twice": ("\t\tsched_fifo_push_back(&c->other, t);", "", r"sched_fifo_push_back\(\)", RULE),
    "not_in": ("\t\tsched_fifo_remove(&c->other, t);", "", r"sched_fifo_remove\(\)", RULE),
    "no_cpu": ("\t\tsched_resched(sched_cpu_count());", "", r"sched_resched\(\)", RULE),
    "private": ("\t\tsched_fifo_first(sched_cpu_private(-1));", "", r"sched_cpu_private\(\)", RULE),
    "queued": ("\t\tpassed += (int)sched_cpu_queued(2);", "", r"sched_cpu_queued\(\)", RULE),
    "idle_cpu": ("\t\tpassed += sched_cpu_is_idle(64);", "", r"sched_cpu_is_idle\(\)", RULE),
    "null": ("\t\tsched_ordered_insert(&c->ordered, NULL, 7);", "", r"sched_ordered_insert\(\)", r"a read of 0x\w+"),
    "nice": ("\t\tsched_task_nice(NULL);", "", r"sched_task_nice\(\)", r"a read of 0x\w+"),
    "clears": ("\t\t__builtin_memset((void *)64, 0, passed * 1000);", "", r"mem\w+\(\)", "a write to 0x40"),
    "prints": ("", "\tprint(\"%s\\n\", (char *)64);", r"\w+\(\)", "a read of 0x40"),
    "calls": ("\t\t__asm__ volatile(\"syscall\" : : \"a\"(39) : \"rcx\", \"r11\", \"memory\");", "", r"\S+",
              "a system call"),
    "faults": ("\t\t*(volatile int *)8 = 1;", "", None, "a write to 0x8"),
    "halts": ("\t\t__asm__ volatile(\"hlt\");", "", None, "an instruction or an address that the processor refuses"),
    "divides": ("\t\t__asm__ volatile(\"div %0\" : : \"r\"(0) : \"eax\", \"edx\");", "", None,
                "a division by zero, or out of range"),
    "recurses": ("\t\t__asm__ volatile(\"1: push %%rax; jmp 1b\" : : : \"memory\");", "", None,
                 "its stack is full, of 28672 bytes"),
}


@in_folder
def a_misused_helper_is_reported_with_the_line_that_called_it(kit, folder):
    files, line = [], ""
    for name, (in_pick, in_dump, *_) in MISUSE.items():
        write(folder, name + ".c", MISUSING % (in_pick, in_dump, name))
        made = kit.run("exo-sched", name + ".c", "-o", name + ".so", folder=folder)
        assert made.returncode == 0, made.stderr
        files += ["--file", f"{name}.so:/{name}.so"]
        line += (f"schedctl use /{name}.so; for look in $(seq 500); do schedctl dump > /dump; "
                 f"schedctl current | grep -q {name} || break; done; ")
    ran = kit.run("exo-run", "--cpus", "2", "--timeout", "120", "--log", "log", *files, "--", "sh", "-c", line,
                  folder=folder)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as stream:
        log = stream.read()
    for name, (in_pick, in_dump, helper, did) in MISUSE.items():
        found = re.search(rf"scheduler {name} is ejected, .* faulted, at 0x.*\n(?:libos:  .*\n)*?"
                          rf"libos:   that is at (?:(\S+), called at )?(0x\w+) of the library: {did}\n", log)
        assert found, (name, log[-3000:])
        assert helper is None if found.group(1) is None else re.fullmatch(helper, found.group(1)), found.group(0)
        where = subprocess.run(["addr2line", "-e", name + ".so", found.group(2)], cwd=folder, check=True,
                               capture_output=True, text=True).stdout
        with open(os.path.join(folder, name + ".c"), encoding="utf-8") as stream:
            number = stream.read().splitlines().index(in_pick or in_dump) + 1
        assert re.search(rf"\b{name}\.c:{number}\b", where), (name, number, where, found.group(0))


@in_folder
def the_books_deadlines_over_all_cpus_run_programs(kit, folder):
    """tests/schedulers/soonest.c, that is, in the system; the simulator's part is in tests/simulator/simulator.py."""
    made = kit.run("exo-sched", os.path.join(TOP, "tests/schedulers/soonest.c"), "-o", "soonest.so", folder=folder)
    assert made.returncode == 0, made.stderr
    line = ("schedctl use /soonest.so; for i in $(seq 8); do seq 5000 | sort -rn | head -1 & done; wait; "
            "pipeline-demo 2 | wc -l; schedctl current")
    for cpus in ("1", "4"):
        ran = kit.run("exo-run", "--cpus", cpus, "--timeout", "120", "--file", "soonest.so:/soonest.so", "--",
                      "sh", "-c", line, folder=folder)
        assert ran.stdout.split() == ["5000"] * 8 + ["1", "soonest"] and not ran.stderr, ran


run_cases([(case.__name__, case) for case in (
    every_function_of_the_header_is_exported,
    a_new_scheduler_works_out_of_the_tree,
    a_new_scheduler_does_not_overwrite_a_file,
    a_new_scheduler_may_have_any_name,
    tools_print_their_usage_when_asked,
    what_a_library_may_not_call_is_said_when_it_is_built,
    what_the_header_has_for_the_libos_is_not_for_a_library,
    a_library_is_used_by_its_file,
    libraries_built_by_hand_are_loaded_or_refused_with_the_reason,
    a_misused_helper_is_reported_with_the_line_that_called_it,
    a_library_is_told_whose_thread_a_task_is,
    the_books_deadlines_over_all_cpus_run_programs,
)])
