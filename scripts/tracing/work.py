# SPDX-License-Identifier: MIT
"""A trace as work for the simulator: docs/scheduler.md, "Writing work down".

What a task does is its own, and what a scheduler does to it is left out: how long
it ran between two sleeps, by whom or by what it was woken, whom it woke and
started.  Who waits for another task waits for it in the simulator too, however
long that takes there; who was woken by an event (a timer, a device) sleeps as
long as it did.  When it got a CPU, which, and who preempted it is decided anew."""

import re

from tracing.records import STOPS, WAKES, BadTrace

NAME_MAX = 15
LINE_MAX = 100


class Task:
    def __init__(self, task, at_ns):
        self.task = task
        self.at_ns = at_ns          # starts by itself then; None: another one starts it
        self.name = ""
        self.ended_ns = float("inf")
        self.steps = []             # (what, ns, or another Task, or None)
        self.since_ns = None        # it has run, or slept, from here on; None: neither
        self.sleeps = False
        self.early = []             # wakes that came before it was seen to sleep

    def ran_until(self, time):
        """It runs: up to here it has done nothing but that."""
        if self.since_ns is None or time <= self.since_ns:
            return
        ran = time - self.since_ns
        if self.steps and self.steps[-1][0] == "run":
            ran += self.steps.pop()[1]
        self.steps.append(("run", ran))
        self.since_ns = time


def step_text(what, value):
    if value is None:
        return what
    return f"{what} {value.name}" if isinstance(value, Task) else f"{what} {value}ns"


class Recorded:
    """Goes through the records once, in the order of time."""

    def __init__(self, trace):
        if trace.lost:
            raise BadTrace("records have been overwritten, so the work is not whole: "
                           "give each CPU more memory for them")
        self.trace = trace
        self.tasks = []             # in the order in which they are met
        self.by_id = {}             # ... the last one of each
        self.ended = {}             # ... what it woke last is delivered when it has left its CPU
        for record in trace.records:
            handler = getattr(self, "on_" + record.kind, None)
            if handler and record.task:
                handler(record)
        for task in self.by_id.values():
            if not task.sleeps:
                task.ran_until(trace.end)
        self.give_names()

    def add(self, record, at_ns):
        task = Task(record.task, at_ns)
        self.tasks.append(task)
        self.by_id[record.task] = task
        return task

    def known(self, record):
        return self.by_id.get(record.task) or self.add(record, record.time - self.trace.start)

    def on_run(self, record):
        task = self.known(record)
        task.since_ns = record.time

    def on_stop(self, record):
        task = self.known(record)
        task.ran_until(record.time)
        task.since_ns = None
        stop = STOPS[record.detail]
        if stop == "yielded":
            task.steps.append(("yield", None))
        elif stop == "ended":
            task.ended_ns = record.time
            self.ended[record.task] = self.by_id.pop(record.task)
        elif stop == "waits":
            task.since_ns, task.sleeps = record.time, True
            if task.early:
                self.wake(task, task.early.pop(0))

    def on_wake(self, record):
        waker = self.by_id.get(record.value) or self.ended.get(record.value)
        kind = WAKES[record.detail]
        if waker and not waker.sleeps:
            waker.ran_until(record.time)
        if kind == "started":
            task = self.add(record, None if waker else record.time - self.trace.start)
            if waker:
                waker.steps.append(("start", task))
            return
        task = self.by_id.get(record.task)
        if not task:
            # Asleep since before the trace began.
            task = self.add(record, 0 if waker else record.time - self.trace.start)
            task.sleeps = bool(waker)
            if not waker:
                return
        if waker:
            waker.steps.append(("hand" if kind == "given a slice" else "post", task))
        if task.sleeps:
            self.wake(task, (waker, record.time))
        else:
            task.early.append((waker, record.time))

    @staticmethod
    def wake(task, by):
        waker, time = by
        if waker:
            task.steps.append(("wait", task))
        else:
            task.steps.append(("sleep", max(time - task.since_ns, 0)))
        task.since_ns, task.sleeps = None, False

    # ---- as text

    def give_names(self):
        taken = set()
        for task in self.tasks:
            name, _pid = self.trace.names.at(task.task, task.ended_ns)
            name = re.sub(r"[^\w.+-]", "_", name)
            number = str(task.task)
            while True:
                task.name = f"{name[:NAME_MAX - 1 - len(number)]}.{number}"
                if task.name not in taken:
                    break
                number += "'"
            taken.add(task.name)

    def until_ns(self):
        """Time enough for one CPU to do all of it, one task after the other."""
        times = (value for task in self.tasks for what, value in task.steps
                 if what in ("run", "sleep"))
        return self.trace.end - self.trace.start + 2 * sum(times)

    def lines(self, title):
        trace = self.trace
        length = trace.end - trace.start
        yield f"# {title}: {len(self.tasks)} tasks, {length / 1e6:.3f} ms under {trace.scheduler()}.\n"
        yield f"cpus {trace.cpus}\n"
        yield f"until {self.until_ns()}ns\n"
        yield f"column {max(length // 100, 1)}ns\n"
        # Who is started has to be known already: the last ones first.
        for task in reversed(self.tasks):
            yield from self.task_lines(task)

    @staticmethod
    def task_lines(task):
        if task.at_ns is None:
            line = f"work {task.name}:"
        else:
            line = f"task {task.name} at={task.at_ns}ns:"
        first = True
        for step in task.steps:
            text = step_text(*step)
            if len(line) + len(text) > LINE_MAX:
                yield line + "\n"
                line, first = "then:", True
            line += (" " if first else "; ") + text
            first = False
        yield line + "\n"


def work_lines(trace, title):
    return Recorded(trace).lines(title)
