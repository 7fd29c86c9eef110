# SPDX-License-Identifier: MIT
"""A trace as Chrome's trace event JSON, which https://ui.perfetto.dev shows.

One process "CPUs" has a track for each CPU with the tasks that ran there, and
arrows between them; each process of the system has a track for each of its tasks,
with system calls."""

import bisect

from tracing.records import EJECTED, signed, word

CPUS = 1 << 20          # the process id of the CPUs' tracks: no task has it
JUST_NS = 20000         # a task that goes to sleep delivers its wakes when it has left the CPU


class Writer:
    def __init__(self, trace, call_names):
        self.trace = trace
        self.call_names = call_names
        self.events = []
        self.tracks = {}        # (pid, tid): name

    def us(self, time):
        return max(time - self.trace.start, 0) / 1000

    def slice(self, pid, tid, start, end, name, **details):
        self.events.append({"ph": "X", "pid": pid, "tid": tid, "ts": self.us(start),
                            "dur": (end - start) / 1000, "name": name, "args": details})

    def write(self):
        for cpu in range(self.trace.cpus):
            self.tracks[CPUS, cpu] = f"CPU {cpu}"
        self.write_runs()
        self.write_calls()
        self.write_arrows()
        self.write_moments()
        self.write_notes()
        self.events.sort(key=lambda event: event["ts"])
        return {"traceEvents": self.names() + self.events, "displayTimeUnit": "ns",
                "otherData": {"scheduler": self.trace.scheduler(),
                              "lost": {f"CPU {cpu}": n for cpu, n in self.trace.lost.items()}}}

    def write_runs(self):
        for run in self.trace.runs:
            name, pid = self.trace.names.at(run.task, run.end)
            self.slice(CPUS, run.cpu, run.start, run.end, name, task=run.task, process=pid,
                       slice_ns=run.slice_ns, then=run.stop)

    def write_calls(self):
        """A task's track: a call covers what is waited for in it."""
        for call in self.trace.calls:
            _name, pid = self.trace.names.last(call.task)
            self.tracks.setdefault((pid, call.task), self.trace.names.last(call.task)[0])
            name = self.call_names.get(call.number, f"call {call.number}")
            result = {} if call.result is None else {"result": signed(call.result)}
            self.slice(pid, call.task, call.start, call.end, name, number=call.number, **result)

    def run_at(self, cpu, time):
        """The last run on a CPU that began before this moment."""
        runs = self.by_cpu[cpu]
        place = bisect.bisect_right(runs, time, key=lambda run: run.start)
        return runs[place - 1] if place else None

    def write_arrows(self):
        self.by_cpu = [[run for run in self.trace.runs if run.cpu == cpu]
                       for cpu in range(self.trace.cpus)]
        for number, arrow in enumerate(self.trace.arrows, 1):
            source = self.run_at(arrow.cpu, arrow.time)
            if source is None or source is arrow.run or arrow.time > source.end + JUST_NS:
                continue        # from an idle CPU: the viewer has nothing to fasten it to
            time = min(arrow.time, source.end - 1)
            common = {"cat": arrow.kind, "name": arrow.kind, "id": number, "pid": CPUS}
            self.events.append({"ph": "s", "tid": source.cpu, "ts": self.us(time), **common})
            self.events.append({"ph": "f", "bp": "e", "tid": arrow.run.cpu,
                                "ts": self.us(arrow.run.start), **common})

    def write_moments(self):
        for moment in self.trace.moments:
            name, details = self.describe(moment)
            self.events.append({"ph": "i", "s": "g" if moment.kind in ("sched", "eject") else "t",
                                "pid": CPUS, "tid": moment.cpu, "ts": self.us(moment.time),
                                "name": name, "args": details})

    def write_notes(self):
        for note in self.trace.notes:
            self.events.append({"ph": "i", "s": "t", "pid": CPUS, "tid": note.cpu, "ts": self.us(note.time),
                                "name": note.text or "note", "cat": "note",
                                "args": {"task": self.task_name(note), "number": note.task, "value": note.value}})

    def task_name(self, moment):
        return self.trace.names.at(moment.task, moment.time)[0] if moment.task else "none"

    def describe(self, moment):
        task = self.task_name(moment)
        if moment.kind == "fault":
            return f"fault {moment.number}", {"task": task, "address": hex(moment.value)}
        if moment.kind == "upcall":
            return "upcall", {"task": task, "pending": hex(moment.value)}
        if moment.kind == "sched":
            return "scheduler " + word(moment.value), {}
        if moment.kind == "eject":
            return "ejected " + word(moment.value), {"reason": EJECTED[moment.detail]}
        return f"{moment.kind} CPU {moment.number}", {"task": task}

    def names(self):
        names = [{"ph": "M", "ts": 0, "pid": CPUS, "tid": 0, "name": "process_name",
                  "args": {"name": "CPUs"}},
                 {"ph": "M", "ts": 0, "pid": CPUS, "tid": 0, "name": "process_sort_index",
                  "args": {"sort_index": -1}}]
        for (pid, tid), name in sorted(self.tracks.items()):
            if pid != CPUS and (tid == pid or (pid, pid) not in self.tracks):
                names.append({"ph": "M", "ts": 0, "pid": pid, "tid": tid, "name": "process_name",
                              "args": {"name": name}})
            names.append({"ph": "M", "ts": 0, "pid": pid, "tid": tid, "name": "thread_name",
                          "args": {"name": name}})
        return names


def chrome_json(trace, call_names):
    return Writer(trace, call_names).write()
