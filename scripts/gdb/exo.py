# SPDX-License-Identifier: MIT
"""Commands for gdb that know the kernel and the libos.  `make gdb` loads them."""

import os
import re

import gdb

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

def header_constant(header, name):
    """The value of a #define, which debug information does not hold."""
    with open(os.path.join(TOP, header), encoding="utf-8") as stream:
        match = re.search(rf"^#define {name}\s+(0x[0-9a-f]+|\d+)", stream.read(), re.MULTILINE)
    return int(match.group(1), 0)


def of_libos(symbol):
    """A variable of the libos; kernel and libos may use the same name."""
    for objfile in gdb.objfiles():
        if os.path.basename(objfile.filename or "") != "libos.elf":
            continue
        # Of a static variable each file that was optimised with its own has a description, but only
        # one says where it is.
        for found in [objfile.lookup_global_symbol(symbol), *gdb.lookup_static_symbols(symbol)]:
            if found is not None and found.symtab.objfile == objfile and \
                    not found.value().is_optimized_out:
                return found.value()
    raise gdb.GdbError(f"the libos has no {symbol}")


def kernel_cpus():
    cpu_type = gdb.lookup_type("struct cpu").pointer()
    base, block, size = (header_constant("exo/cpu.h", f"CPU_{name}")
                         for name in ("AREAS_BASE", "AREA_BLOCK", "AREA_SIZE"))
    for number in range(int(gdb.parse_and_eval("cpu_count"))):
        address = base + number * size + block
        yield gdb.Value(address).cast(cpu_type).dereference()


def libos_vcores():
    # From assembly, so it has no type of its own; the kernel has nothing of that name.
    areas = gdb.parse_and_eval("(struct vcore_area *)&vcore_areas")
    for number in range(int(of_libos("vcore_count"))):
        yield areas[number]["vcore"]


def name_of(task):
    if int(task) == 0:
        return "idle"
    return f"{task['name'].string(errors='replace')} (id {int(task['self']['id'])})"


def enumerator(type_name, value):
    for field in gdb.lookup_type(type_name).fields():
        if field.enumval == int(value):
            return field.name.partition("_")[2].lower()
    return str(int(value))


def queued_tasks(vcore):
    """The core's own list of the tasks queued on a CPU, oldest first."""
    head = vcore["queue"]["ready"].address
    task_type = gdb.lookup_type("struct task")
    offset = next(field.bitpos // 8 for field in task_type.fields()
                  if field.name == "ready_link")
    link = head.dereference()["next"]
    while int(link) != int(head):
        yield gdb.Value(int(link) - offset).cast(task_type.pointer())
        link = link["next"]


def all_tasks():
    """Every task of the libos, by slot: libos/core/task_slot.c lays them out."""
    task_type = gdb.lookup_type("struct task")
    size = header_constant("libos/core/task.h", "TASK_SLOT_SIZE")
    near = header_constant("include/exo/abi.h", "EXO_DYNAMIC_BASE")
    heap, far = (header_constant("libos/core/region_map.h", name) for name in ("HEAP_BASE", "SLOTS_FAR"))
    near_slots = (heap - near) // size
    vector_area = header_constant("libos/core/task.h", "TASK_VECTOR_MAX")
    task_offset = size - vector_area - (task_type.sizeof + 63 & ~63)
    for slot in range(int(of_libos("slots_used"))):
        start = near + slot * size if slot < near_slots else far + (slot - near_slots) * size
        task = gdb.Value(start + task_offset).cast(task_type.pointer())
        if int(task["references"]) != 0:
            yield task


class Command(gdb.Command):
    """A command named for its class: ExoCpus is exo-cpus."""

    def __init__(self):
        name = re.sub(r"(?<!^)([A-Z])", r"-\1", type(self).__name__).lower()
        super().__init__(name, gdb.COMMAND_DATA)


class ExoCpus(Command):
    """exo-cpus: what each CPU does, as the kernel and as the libos see it."""

    def invoke(self, _argument, _from_tty):
        for cpu in kernel_cpus():
            run = cpu["run"]
            print(f"cpu {int(cpu['number'])}: apic {int(cpu['apic_id'])}, "
                  f"vcore {int(cpu['current']):#x}, sc {int(run['sc']):#x}, "
                  f"timer armed for {int(run['armed'])}")
        for vcore in libos_vcores():
            page = vcore["page"]
            if int(page) == 0:
                continue
            print(f"vcore {int(vcore['cpu'])}: runs {name_of(vcore['current'])}, "
                  f"masked {int(page['masked'])}, pending {int(page['pending']):#x}, "
                  f"{int(vcore['queue']['count'])} queued")


class ExoTasks(Command):
    """exo-tasks: every task of the libos, its state and where it is."""

    def invoke(self, _argument, _from_tty):
        for task in all_tasks():
            print(f"{name_of(task):24} {enumerator('enum task_state', task['state']):10} "
                  f"{enumerator('enum task_place', task['where']):8} cpu {int(task['home'])}, "
                  f"{int(task['user_ns'])} ns, stack pointer {int(task['stack_pointer']):#x}")


class ExoRunqueues(Command):
    """exo-runqueues: the tasks queued on each CPU, in the order that they arrived."""

    def invoke(self, _argument, _from_tty):
        for vcore in libos_vcores():
            instance = vcore["queue"]["instance"]
            scheduler = instance["ops"]["name"].string() if int(instance) else "none"
            print(f"cpu {int(vcore['cpu'])}, scheduler {scheduler}:")
            for task in queued_tasks(vcore):
                state = enumerator("enum task_state", task["state"])
                print(f"    {name_of(task)} {state}, ready since {int(task['ready_tsc'])}")


class ExoTrace(Command):
    """exo-trace [CPU]: the last things that the kernel did on a CPU, oldest first, and then
    those that the libos did, if it is tracing."""

    def invoke(self, argument, _from_tty):
        wanted = int(argument) if argument else 0
        self.print_kernel(wanted)
        self.print_libos(wanted)

    def print_kernel(self, wanted):
        cpu = list(kernel_cpus())[wanted]
        size = cpu["trace"].type.range()[1] + 1
        following = int(cpu["traced"])
        for index in range(max(0, following - size), following):
            event = cpu["trace"][index % size]
            what = event["what"].string(errors="replace")
            print(f"{int(event['tsc']):16} {what:10} {int(event['a']):#x} {int(event['b']):#x}")

    def print_libos(self, wanted):
        ring = of_libos("trace_rings")[wanted]["events"]
        size, following = int(ring["slot_count"]), int(ring["next"])
        for index in range(max(0, following - size), following):
            slot = ring["slots"][index % size]
            tsc, what, value = (int(slot["words"][i]) for i in range(3))
            kind = enumerator("enum trace_kind", what & 0xff)
            print(f"{tsc:16} libos {kind:10} task {what >> 32} detail {what >> 8 & 0xff} "
                  f"number {what >> 16 & 0xffff} value {value:#x}")


class ProgramBreakpoint(gdb.Breakpoint):
    """Counts in one program: others have code of their own at the same address."""

    def __init__(self, address, name):
        super().__init__(f"*{address:#x}", type=gdb.BP_HARDWARE_BREAKPOINT)
        self.name = name

    def stop(self):
        # The machine's CPUs are gdb's threads, in the same order.
        task = list(libos_vcores())[gdb.selected_thread().num - 1]["current"]
        return int(task) != 0 and task["name"].string(errors="replace") == self.name


class ExoBreak(Command):
    """exo-break FILE PLACE: reads the symbols of a program, FILE here, and stops at PLACE (a function,
    file.c:12) in processes of that name only."""

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2:
            raise gdb.GdbError("usage: exo-break FILE PLACE")
        path = os.path.realpath(words[0])
        if not any(objfile.filename == path for objfile in gdb.objfiles()):
            gdb.execute(f"add-symbol-file {path}", to_string=True)
        try:
            places = gdb.decode_line(words[1])[1] or ()
        except gdb.error:
            places = ()
        found = [sal for sal in places if sal.symtab and sal.symtab.objfile.filename == path]
        if not found:
            raise gdb.GdbError(f"{words[0]} has no {words[1]}, or no debug information (-g)")
        ProgramBreakpoint(found[0].pc, os.path.basename(path)[:15])


class ExoHelp(Command):
    """exo-help: what these commands are."""

    def invoke(self, _argument, _from_tty):
        for command in COMMANDS:
            print(command.__doc__)
        print("The machine is halted before its firmware; `hbreak exo_main` and `continue` "
              "go to the kernel's start.")


COMMANDS = [ExoCpus, ExoTasks, ExoRunqueues, ExoTrace, ExoBreak, ExoHelp]
for command_class in COMMANDS:
    command_class()
