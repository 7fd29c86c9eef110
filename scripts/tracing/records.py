# SPDX-License-Identifier: MIT
"""Reads the records of include/libos/trace.h and says what they mean.

A Trace has what the pictures are made of: when each task had which CPU, its
system calls, and the arrows: who woke, donated to or sent away whom."""

import bisect
import collections
import struct

RECORD = struct.Struct("<QBBHIQII")

# enum trace_kind, by number; tests/script/trace.py holds it against the header.
KINDS = ("", "lost", "name", "run", "stop", "wake", "migrate", "arrive", "donate", "steal-ask",
         "steal", "ipi", "upcall", "fault", "call", "return", "sched", "eject", "idle", "note")
STOPS = ("waits", "preempted", "yielded", "ended")
WAKES = ("", "woken", "started", "given a slice", "migrated", "stolen")
# enum sched_exit_reason, likewise.
EJECTED = ("swapped out", "fault", "overrun", "bad task", "idled", "stalled", "init")
# Where the detail is an index.
DETAILS = {"stop": range(len(STOPS)), "wake": range(1, len(WAKES)), "arrive": range(1, len(WAKES)),
           "eject": range(len(EJECTED))}
CPUS_MAX = 64                           # EXO_CPUS_MAX

Record = collections.namedtuple("Record", "time kind detail number task value cpu index")
# A task on a CPU, [start, end) in ns; slice_ns as it was given, stop one of STOPS or "".
Run = collections.namedtuple("Run", "start end cpu task slice_ns stop")
Call = collections.namedtuple("Call", "start end task number result")
# From a moment on one CPU to the run that it led to.  kind: wake, donate, migrate, steal;
# rings: the CPU was rung for it.  giver: a task, 0 if it was an event.
Arrow = collections.namedtuple("Arrow", "kind time cpu giver run rings")
Moment = collections.namedtuple("Moment", "kind time cpu task number value detail")
# What a scheduler library has said; index: of the record that it begins with.
Note = collections.namedtuple("Note", "time cpu task text value index")


def one_line(text):
    """A program may call itself anything, also what ends a line or is not allowed in a page."""
    return "".join(character if character.isprintable() else "?" for character in text)


def text_of(data):
    return one_line(data.split(b"\0")[0].decode("utf-8", "replace"))


def word(value):
    """Of eight bytes, the text that they are."""
    return text_of(struct.pack("<Q", value))


def printable(data):
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in data.rstrip(b"\0"))


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class BadTrace(Exception):
    """The file does not hold records; the text tells why."""


def read_records(data):
    if len(data) % RECORD.size:
        raise BadTrace(f"{len(data)} bytes are not a whole number of records")
    records = []
    for index, fields in enumerate(RECORD.iter_unpack(data)):
        time, kind, detail, number, task, value, cpu, _zero = fields
        if not 0 < kind < len(KINDS):
            raise BadTrace(f"record {index} is of unknown kind {kind}")
        if detail not in DETAILS.get(KINDS[kind], (detail,)):
            raise BadTrace(f"record {index} ({KINDS[kind]}) is of unknown detail {detail}")
        if cpu >= CPUS_MAX:
            raise BadTrace(f"record {index} is of CPU {cpu}")
        records.append(Record(time, KINDS[kind], detail, number, task, value, cpu, index))
    # Each CPU's are in order, and stay so: a stable sort.
    return sorted(records, key=lambda record: record.time)


class Names:
    """What a task was called, and whose it was, at a time: exec gives another name."""

    def __init__(self, records):
        self.times = collections.defaultdict(list)
        self.names = collections.defaultdict(list)
        parts = {}
        for record in records:
            if record.kind != "name":
                continue
            if record.detail == 0:
                parts[record.cpu] = (record.task, record.value, b"")
                continue
            task, pid, name = parts.get(record.cpu, (0, 0, b""))
            if task != record.task:
                continue
            parts[record.cpu] = (task, pid, name + struct.pack("<Q", record.value))
            if record.detail == 2:
                text = text_of(parts[record.cpu][2])
                self.times[task].append(record.time)
                self.names[task].append((text, pid))

    def at(self, task, time):
        """(name, process id); a task whose naming was overwritten is called by its number."""
        if task not in self.times:
            return f"task {task}", task
        place = bisect.bisect_right(self.times[task], time)
        return self.names[task][max(place - 1, 0)]

    def last(self, task):
        return self.at(task, float("inf"))

    def known(self, task):
        return task in self.times


class Trace:
    def __init__(self, data):
        self.records = read_records(data)
        if not self.records:
            raise BadTrace("there are no records")
        self.names = Names(self.records)
        timed = [record for record in self.records if record.kind not in ("name", "lost", "sched")]
        if not timed:
            raise BadTrace("nothing has happened")
        self.start = timed[0].time
        self.end = max(timed[-1].time, self.start + 1)
        self.cpus = max(record.cpu for record in self.records) + 1
        self.lost = {record.cpu: record.value for record in self.records
                     if record.kind == "lost" and record.detail == 0}
        # A CPU whose oldest records are gone has nothing to tell of before this time.
        self.known_from = {cpu: next((r.time for r in timed if r.cpu == cpu), self.end)
                           for cpu in self.lost}
        self.runs = self.find_runs()
        self.calls = self.find_calls()
        self.arrows = self.find_arrows()
        self.notes = self.find_notes()
        self.moments = [Moment(r.kind, r.time, r.cpu, r.task, r.number, r.value, r.detail)
                        for r in self.records
                        if r.kind in ("ipi", "fault", "upcall", "sched", "eject", "steal-ask",
                                      "steal", "migrate")]

    def schedulers(self):
        """The libraries that were followed, in the order in which any CPU began to."""
        return list(dict.fromkeys(word(record.value) for record in self.records if record.kind == "sched"))

    def scheduler(self):
        """The library that was followed last."""
        names = [record.value for record in self.records if record.kind == "sched"]
        return word(names[-1]) if names else ""

    def find_runs(self):
        runs, running = [], {}

        def end(cpu, time, stop):
            began = running.pop(cpu, None)
            if began and time > began.time:
                runs.append(Run(began.time, time, cpu, began.task, began.value, stop))

        for record in self.records:
            if record.kind == "run":
                end(record.cpu, record.time, "")
                running[record.cpu] = record
            elif record.kind == "stop":
                if record.cpu in running and running[record.cpu].task == record.task:
                    end(record.cpu, record.time, STOPS[record.detail])
        for cpu in list(running):
            end(cpu, self.end, "")
        return sorted(runs, key=lambda run: (run.start, run.cpu))

    def find_calls(self):
        calls, begun = [], {}
        for record in self.records:
            if record.kind == "call":
                begun[record.task] = record
            elif record.kind == "return" and record.task in begun:
                began = begun.pop(record.task)
                calls.append(Call(began.time, record.time, record.task, began.number, record.value))
            elif record.kind == "stop" and STOPS[record.detail] == "ended" and record.task in begun:
                began = begun.pop(record.task)
                calls.append(Call(began.time, record.time, record.task, began.number, None))
        for task, began in begun.items():
            if self.end > began.time:
                calls.append(Call(began.time, self.end, task, began.number, None))
        return sorted(calls, key=lambda call: call.start)

    def find_notes(self):
        """A library that is abandoned within one has not said all of its text."""
        begun, texts, last = [], {}, {}
        for record in self.records:
            if record.kind == "note" and record.detail == 0:
                begun.append(record)
                texts[record.index] = b""
                last[record.cpu] = record.index
            elif record.kind == "note" and record.cpu in last:
                texts[last[record.cpu]] += struct.pack("<Q", record.value)
        return [Note(record.time, record.cpu, record.task, printable(texts[record.index]), signed(record.value),
                     record.index) for record in begun]

    def find_arrows(self):
        """Each wake, donation and migration, to the next run of its task."""
        starts = collections.defaultdict(list)
        for run in self.runs:
            starts[run.task].append(run)
        rung = self.rings_after()
        arrows = []
        for record in self.records:
            if record.kind not in ("wake", "donate", "migrate", "steal") or not record.task:
                continue
            later = starts[record.task]
            place = bisect.bisect_left(later, record.time, key=lambda run: run.start)
            if place == len(later) or record.time < self.known_from.get(later[place].cpu, 0):
                continue
            giver = {"wake": record.value, "donate": record.number}.get(record.kind, 0)
            arrows.append(Arrow(record.kind, record.time, record.cpu, giver, later[place],
                                record.index in rung))
        return self.merge(arrows)

    def rings_after(self):
        """Indices of the records that are directly followed by a ring of the CPU they name."""
        rung, last = set(), {}
        for record in self.records:
            before = last.get(record.cpu)
            if record.kind == "ipi" and before and before.number == record.number:
                rung.add(before.index)
            last[record.cpu] = record
        return rung

    @staticmethod
    def merge(arrows):
        """One arrow for each cause: a gift comes with a wake, a steal with a migration."""
        kept = []
        for arrow in arrows:
            stronger = {"wake": "donate", "migrate": "steal"}.get(arrow.kind)
            same = [other for other in kept[-4:] if other.kind == stronger and
                    other.run is arrow.run and other.cpu == arrow.cpu]
            if same:
                place = kept.index(same[-1])
                kept[place] = same[-1]._replace(rings=same[-1].rings or arrow.rings)
            else:
                kept.append(arrow)
        return kept

    def tasks(self):
        """Every task that a record of something that happened is about."""
        return {record.task for record in self.records
                if record.task and record.kind not in ("name", "lost")}
