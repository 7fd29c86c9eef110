# SPDX-License-Identifier: MIT
"""A trace as a picture the size of a page: A4, landscape.

    title
    the whole run: a lane for each CPU; what is too narrow to be seen one by one is
    drawn as columns, filled as high as the CPU was busy
    a detail, in which single runs have names, with arrows
    legend

No more arrows than can be told apart; the legend says how many there are."""

import bisect
import collections
import itertools
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 1120, 790
LEFT, RIGHT = 62, 16
PLOT = WIDTH - LEFT - RIGHT
COLUMN = 2                      # width of a column of the overview
CHARACTER = 5.6                 # width of one at LABEL_SIZE
LABEL_SIZE = 10
ARROWS_MAX = 36
ARROW_GAP = 11                  # between arrows that leave or reach the same lane
DETAIL_RUNS = 44                # that are aimed at for the detail
NOTES_MAX = 200
NOTE_GAP = 5                    # between notes of a lane
NOTE_COLOUR = "#111111"

# Told apart by most eyes, also in grey print (after Okabe and Ito, with four more).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b2a429",
           "#7a5195", "#7f8c3a", "#a6611a")
OTHERS = "#9a9a9a"
DARK = {"#0072b2", "#d55e00", "#7a5195", "#a6611a", "#009e73"}     # white text on these

ARROW_STYLES = {
    "wake": ("#333333", "", "wakes on another CPU"),
    "donate": ("#b3007d", "", "gives it a slice"),
    "steal": ("#1a7a1a", "", "is stolen or migrates"),
    "ipi": ("#d02020", "4 3", "rings (IPI) for anything else"),
}


class Page:
    def __init__(self):
        self.parts = []

    def add(self, text):
        self.parts.append(text)

    def rect(self, x, y, width, height, fill, title="", extra=""):
        inside = f"<title>{escape(title)}</title></rect>" if title else "</rect>"
        self.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                 f'fill="{fill}"{extra}>{inside}')

    def text(self, x, y, text, size=LABEL_SIZE, anchor="start", fill="#222", extra=""):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                 f'fill="{fill}"{extra}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1.0, extra=""):
        self.add(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" '
                 f'stroke-width="{width}"{extra}/>')

    def svg(self, height):
        markers = "".join(
            f'<marker id="to-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
            f'markerHeight="6" orient="auto"><path d="M0 0.5L8 4L0 7.5z" fill="{style[0]}"/>'
            f"</marker>" for kind, style in ARROW_STYLES.items())
        markers += ('<pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse">'
                    '<rect width="6" height="6" fill="#fff"/>'
                    '<path d="M0 6L6 0" stroke="#bbb"/></pattern>')
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
                f'width="{WIDTH}" height="{height:.0f}" font-family="Helvetica, Arial, sans-serif">'
                f'<defs>{markers}</defs><rect width="100%" height="100%" fill="#fff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


class Axis:
    """Maps times of a window to the plot."""

    def __init__(self, start, end):
        self.start, self.end = start, max(end, start + 1)

    def x(self, time):
        time = min(max(time, self.start), self.end)
        return LEFT + PLOT * (time - self.start) / (self.end - self.start)

    def ticks(self, origin):
        """Round numbers of ns after the origin, 1, 2 or 5 times a power of ten apart."""
        steps = (digit * 10 ** power for power in itertools.count() for digit in (1, 2, 5))
        step = next(step for step in steps if (self.end - self.start) / step <= 12)
        tick = -((origin - self.start) // step) * step
        while origin + tick <= self.end:
            yield tick
            tick += step

    def draw(self, page, y, origin):
        unit, name = (1e6, "ms") if self.end - self.start > 2e5 else (1e3, "µs")
        page.line(LEFT, y, LEFT + PLOT, y, "#666")
        for tick in self.ticks(origin):
            x = self.x(origin + tick)
            page.line(x, y, x, y + 4, "#666")
            # At the left end it would stand in the unit's place.
            page.text(x, y + 15, f"{tick / unit:.10g}", anchor="middle" if x > LEFT + 12 else "start", fill="#444")
        page.text(LEFT - 8, y + 15, name, anchor="end", fill="#444")


def schedulers_line(trace):
    names = trace.schedulers()
    return ("scheduler " if len(names) < 2 else "schedulers ") + ", ".join(names)


class Timeline:
    def __init__(self, trace, title, window=None, by_process=False):
        self.trace = trace
        self.by_process = by_process
        self.title = title
        self.page = Page()
        start = self.program_start()
        self.whole = Axis(start, trace.end)
        self.origin = start
        if window:
            self.detail = Axis(start + window[0], start + window[0] + window[1])
        else:
            self.detail = Axis(*self.interesting())
        self.colours = self.choose_colours()
        self.drawn = collections.Counter()
        self.found = collections.Counter()

    def program_start(self):
        """Booting is left out if there is something after it: from the last time that process 1
        was named, a little before its first child runs."""
        children = [run.start for run in self.trace.runs
                    if run.task > 1 and self.trace.names.at(run.task, run.end)[1] > 1]
        return max(min(children) - 100000, self.trace.start) if children else self.trace.start

    # ---- what is shown in detail

    def interesting(self):
        """The stretch of some runs in a row that has most to see: CPUs, tasks, arrows, and runs
        that are wide enough for a name."""
        runs = [run for run in self.trace.runs if run.start >= self.origin]
        if len(runs) <= DETAIL_RUNS:
            return self.origin, self.trace.end
        times = collections.defaultdict(list)       # of each kind, in order
        for arrow in self.trace.arrows:
            if arrow.kind != "wake" or arrow.cpu != arrow.run.cpu:
                times[arrow.kind].append(arrow.time)
        times["note"] = [note.time for note in self.trace.notes]
        best, best_score = None, -1
        for first in range(0, len(runs) - DETAIL_RUNS, 4):
            some = runs[first:first + DETAIL_RUNS]
            start, end = some[0].start, some[-1].end
            scale = PLOT / (end - start)
            score = sum(min((run.end - run.start) * scale, 40) / 40 for run in some)
            score += 4 * len({run.cpu for run in some}) + 2 * len({run.task for run in some})
            score += sum(min(bisect.bisect_right(its, end) - bisect.bisect_left(its, start), 6)
                         for its in times.values())
            if score > best_score:
                best, best_score = (start, end), score
        margin = (best[1] - best[0]) // 50
        return best[0] - margin, best[1] + margin

    def choose_colours(self):
        """The tasks or processes that ran longest, in the detail above all, have a colour; the rest are grey."""
        times = collections.Counter()
        inside = self.detail
        for run in self.trace.runs:
            if run.end >= self.origin:
                times[self.key(run)] += (run.end - run.start) / (self.whole.end - self.whole.start)
            overlap = min(run.end, inside.end) - max(run.start, inside.start)
            if overlap > 0:
                times[self.key(run)] += overlap / (inside.end - inside.start)
        chosen = [key for key, _time in times.most_common(len(COLOURS))]
        self.other_count = len(times) - len(chosen)
        return dict(zip(sorted(chosen), COLOURS))

    def key(self, run):
        """Whose colour it has: the task's, or its process's, whose id is that of its first thread."""
        return self.trace.names.at(run.task, run.end)[1] if self.by_process else run.task

    def colour(self, run):
        return self.colours.get(self.key(run), OTHERS)

    def label(self, task, time):
        return f"{self.trace.names.at(task, time)[0]} {task}"

    # ---- lanes

    def lanes(self, axis, top, height, bar):
        for cpu in range(self.trace.cpus):
            y = top + cpu * height
            self.page.rect(LEFT, y, PLOT, bar, "#f1f1f1")
            self.page.text(LEFT - 8, y + bar / 2 + 3.5, f"CPU {cpu}", min(LABEL_SIZE, height),
                           anchor="end")
            known_from = self.trace.known_from.get(cpu, axis.start)
            if known_from > axis.start:
                self.page.rect(LEFT, y, axis.x(known_from) - LEFT, bar, "url(#unknown)",
                               "these records have been overwritten")

    def overview(self, top, height):
        """Columns: the share of each task in each column's time, one on the other."""
        bar = height - 5
        share = collections.defaultdict(lambda: collections.defaultdict(float))
        width_ns = -(-(self.whole.end - self.whole.start) * COLUMN // PLOT)
        for run in self.trace.runs:
            at = max(run.start, self.whole.start)
            while at < run.end:
                column = (at - self.whole.start) // width_ns
                end = min(run.end, self.whole.start + (column + 1) * width_ns)
                share[run.cpu, column][self.colour(run)] += (end - at) / width_ns
                at = end
        paths = collections.defaultdict(list)
        for (cpu, column), tasks in share.items():
            y = top + cpu * height + bar
            for colour, part in sorted(tasks.items()):
                tall = round(min(part, 1) * bar, 1)
                if tall < 0.3:
                    continue
                y -= tall
                paths[colour].append(f"M{LEFT + column * COLUMN} {y:.1f}h{COLUMN}v{tall}h-{COLUMN}z")
        self.lanes(self.whole, top, height, bar)
        for colour, pieces in sorted(paths.items()):
            self.page.add(f'<path fill="{colour}" d="{"".join(pieces)}"/>')

    def mark_detail(self, top, bottom, below):
        """Where in the whole the detail lies.  The numbers of the axis are kept clear."""
        left, right = self.whole.x(self.detail.start), self.whole.x(self.detail.end)
        self.page.rect(left, top - 3, max(right - left, 1), bottom - top + 3, "none", "",
                       ' stroke="#333"')
        self.page.add(f'<path d="M{left:.1f} {bottom + 20}L{LEFT} {below}M{right:.1f} {bottom + 20}'
                      f'L{LEFT + PLOT} {below}" stroke="#888" fill="none" stroke-dasharray="2 2"/>')

    def runs_in_detail(self, top, height):
        bar = self.bar(height)
        self.lanes(self.detail, top, height, bar)
        tiny = collections.defaultdict(list)
        for run in self.trace.runs:
            if run.end < self.detail.start or run.start > self.detail.end:
                continue
            x, y = self.detail.x(run.start), top + run.cpu * height
            width = self.detail.x(run.end) - x
            if width < 1:
                tiny[self.colour(run)].append(f"M{x:.1f} {y}v{bar}")
                continue
            self.page.rect(x, y, width, bar, self.colour(run),
                           f"{self.label(run.task, run.end)}, {(run.end - run.start) / 1000:g} µs, "
                           f"{run.stop}", ' stroke="#fff" stroke-width="0.5"')
            self.write_name(run, x, y + bar / 2, width)
        for colour, pieces in sorted(tiny.items()):
            self.page.add(f'<path stroke="{colour}" d="{"".join(pieces)}"/>')

    def write_name(self, run, x, y, width):
        """In the run, as much as there is room for; upright when it is narrow."""
        name, fill = self.label(run.task, run.end), "#fff" if self.colour(run) in DARK else "#111"
        if width >= CHARACTER * len(name) + 4:
            self.page.text(x + width / 2, y + 3.5, name, anchor="middle", fill=fill)
        elif width >= 11 and self.bar_height >= 26:
            self.page.text(0, 0, self.shortened(name, (self.bar_height - 4) / CHARACTER),
                           anchor="middle", fill=fill,
                           extra=f' transform="translate({x + width / 2 + 3.5:.1f} {y:.1f}) '
                                 f'rotate(-90)"')

    @staticmethod
    def shortened(label, room):
        """The number tells tasks of one program apart: the name gives way."""
        name, _, number = label.rpartition(" ")
        if len(label) <= room:
            return label
        left = int(room) - len(number) - 2
        return f"{name[:left]}… {number}" if left > 0 else number

    def bar(self, height):
        self.bar_height = min(height * 0.6, 46)
        return self.bar_height

    # ---- arrows

    def candidates(self):
        """(kind, time, cpu, end time, end cpu) of all arrows that belong in the detail."""
        for arrow in self.trace.arrows:
            kind = "steal" if arrow.kind == "migrate" else arrow.kind
            if kind == "wake" and arrow.cpu == arrow.run.cpu:
                continue
            yield kind, arrow.time, arrow.cpu, arrow.run.start, arrow.run.cpu
        for moment, next_time in self.lonely_rings():
            yield "ipi", moment.time, moment.cpu, next_time, moment.number

    def lonely_rings(self):
        """Rings that no arrow tells of, and when something next happened on the CPU rung."""
        told = {(arrow.cpu, arrow.run.cpu) + (arrow.time // 50000,)
                for arrow in self.trace.arrows if arrow.rings}
        by_cpu = collections.defaultdict(list)
        for record in self.trace.records:
            if record.kind in ("upcall", "idle", "arrive", "run", "steal"):
                by_cpu[record.cpu].append(record.time)
        for moment in self.trace.moments:
            if moment.kind != "ipi" or not self.detail.start <= moment.time <= self.detail.end:
                continue
            if (moment.cpu, moment.number, moment.time // 50000) in told or \
                    moment.time < self.trace.known_from.get(moment.number, 0):
                continue
            later = by_cpu[moment.number]
            place = bisect.bisect_right(later, moment.time)
            if place < len(later):
                yield moment, later[place]

    def arrows(self, top, height):
        bar = self.bar(height)
        taken = collections.defaultdict(list)
        order = {"donate": 0, "steal": 1, "wake": 2, "ipi": 3}
        inside = [c for c in self.candidates()
                  if self.detail.start <= c[1] <= self.detail.end and c[3] <= self.detail.end]
        for kind, *_rest in inside:
            self.found[kind] += 1
        inside.sort(key=lambda c: (order[c[0]], c[1]))
        for kind, time, cpu, end, end_cpu in inside:
            x1, x2 = self.detail.x(time), self.detail.x(end)
            ends = ((cpu, x1), (end_cpu, x2))
            if sum(self.drawn.values()) >= ARROWS_MAX or any(
                    abs(x - other) < ARROW_GAP for lane, x in ends for other in taken[lane, kind]):
                continue
            for lane, x in ends:
                taken[lane, kind].append(x)
            self.drawn[kind] += 1
            self.arrow(kind, x1, top + cpu * height, x2, top + end_cpu * height, bar)

    def arrow(self, kind, x1, y1, x2, y2, bar):
        colour, dash, _meaning = ARROW_STYLES[kind]
        if y1 == y2:
            # On one CPU: a hop over the lane.
            path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 - 15:.1f} {x2:.1f} {y1 - 15:.1f} {x2:.1f} {y1 - 1:.1f}"
        elif y2 > y1:
            path = f"M{x1:.1f} {y1 + bar:.1f}L{x2:.1f} {y2 - 1:.1f}"
        else:
            path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2 + bar + 1:.1f}"
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.page.add(f'<path class="arrow {kind}" d="{path}" stroke="{colour}" stroke-width="1.3" fill="none" '
                      f'marker-end="url(#to-{kind})"{dashes}/>')

    # ---- what the library says

    def notes(self, top, height):
        """A mark over the lane, which says it when the mouse stands still on it."""
        last = {}
        for note in self.trace.notes:
            if not self.detail.start <= note.time <= self.detail.end:
                continue
            self.found["note"] += 1
            x, y = self.detail.x(note.time), top + note.cpu * height
            if self.drawn["note"] >= NOTES_MAX or x - last.get(note.cpu, 0) < NOTE_GAP:
                continue
            last[note.cpu] = x
            self.drawn["note"] += 1
            about = f"{self.label(note.task, note.time)}: " if note.task else ""
            self.note(x, y, f"{about}{note.text}: {note.value}")

    def note(self, x, y, title=""):
        self.page.add(f'<path class="note" d="M{x:.1f} {y:.1f}l-3 -5h6z" fill="{NOTE_COLOUR}">'
                      f"<title>{escape(title)}</title></path>")

    # ---- words

    def heading(self):
        trace = self.trace
        self.page.text(LEFT, 26, self.title, 16, extra=' font-weight="bold"')
        runs = [run for run in trace.runs if run.end > self.origin]
        moved = sum(arrow.kind in ("steal", "migrate") for arrow in trace.arrows)
        facts = [f"{trace.cpus} CPU" + "s" * (trace.cpus > 1), schedulers_line(trace),
                 f"{(trace.end - self.origin) / 1e6:.1f} ms",
                 f"tasks: {len({run.task for run in runs})}", f"runs: {len(runs)}",
                 f"slices donated: {sum(a.kind == 'donate' for a in trace.arrows)}",
                 f"tasks moved: {moved}",
                 f"IPIs: {sum(m.kind == 'ipi' for m in trace.moments)}"]
        if trace.notes:
            facts.append(f"notes: {len(trace.notes)}")
        if trace.lost:
            facts.append(f"records overwritten: {sum(trace.lost.values())}")
        self.page.text(LEFT, 43, ", ".join(facts), 11, fill="#444")

    def legend(self, y):
        x = LEFT
        entries = [(colour, self.label(key, self.trace.end)) for key, colour in sorted(self.colours.items())]
        if self.other_count:
            entries.append((OTHERS, f"{self.other_count} others"))
        for colour, name in entries:
            width = CHARACTER * len(name) + 30
            if x + width > LEFT + PLOT:
                x, y = LEFT, y + 18
            self.page.rect(x, y - 9, 12, 11, colour)
            self.page.text(x + 16, y, name)
            x += width
        x, y = LEFT, y + 21
        for kind, (colour, dash, meaning) in ARROW_STYLES.items():
            text = meaning
            if self.found[kind]:
                text += f": {self.drawn[kind]} of {self.found[kind]} drawn"
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            self.page.line(x, y - 4, x + 24, y - 4, colour, 1.3,
                           f' marker-end="url(#to-{kind})"{dashes}')
            self.page.text(x + 30, y, text)
            x += CHARACTER * len(text) + 52
        if self.found["note"]:
            y += 18
            self.note(LEFT + 6, y - 1)
            self.page.text(LEFT + 30, y, f"the library says: {self.drawn['note']} of {self.found['note']} drawn")
        return y + 14

    def draw(self):
        cpus = self.trace.cpus
        self.heading()
        small = max(min(26, 240 / cpus), 6)
        top = 58
        self.overview(top, small)
        bottom = top + cpus * small
        self.whole.draw(self.page, bottom, self.origin)
        detail_top = bottom + 52
        height = max(min((HEIGHT - detail_top - 90) / cpus, 92), 14)
        self.mark_detail(top, bottom, detail_top - 14)
        self.runs_in_detail(detail_top, height)
        self.arrows(detail_top, height)
        self.notes(detail_top, height)
        bottom = detail_top + cpus * height
        self.detail.draw(self.page, bottom, self.origin)
        return self.page.svg(self.legend(bottom + 40))


def timeline_svg(trace, title, window=None, by_process=False):
    return Timeline(trace, title, window, by_process).draw()
