# SPDX-License-Identifier: MIT
"""Curves of both systems, panel by panel, as SVG: log scales, one colour for each system."""

import math

COLOURS = {"Linux": "#fb8c00", "ours": "#1e88e5"}
WIDTH, HEIGHT, COLUMNS = 380, 250, 2
LEFT, RIGHT, TOP, BOTTOM = 66, 18, 34, 40


def short(value):
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


class Axis:
    """A logarithmic scale from `low` to `high` on the pixels from `start` to `end`."""

    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def decades(values):
    """1, 2 or 5 times a power of ten, around the values."""
    low, high = min(values), max(values)
    steps = [m * 10.0 ** e for e in range(-3, 13) for m in (1, 2, 5)]
    first = max(s for s in steps if s <= low)
    last = min(s for s in steps if s >= high)
    if last <= first:
        last = min(s for s in steps if s > first)
    return [s for s in steps if first <= s <= last]


def panel(title, unit, what, curves, left, top):
    """curves: {system: {x: y}}."""
    xs = sorted({x for curve in curves.values() for x in curve})
    marks = decades([y for curve in curves.values() for y in curve.values()])
    if len(marks) > 8:
        marks = [m for m in marks if m in (marks[0], marks[-1]) or f"{m:e}".startswith("1")]
    across = Axis(xs[0], xs[-1], left + LEFT, left + WIDTH - RIGHT)
    up = Axis(marks[0], marks[-1], top + HEIGHT - BOTTOM, top + TOP)
    out = [f'<text x="{left + LEFT}" y="{top + 20}" font-size="13" font-weight="bold">{title}</text>']
    for mark in marks:
        y = up.at(mark)
        out.append(f'<line x1="{across.start}" y1="{y:.1f}" x2="{across.end}" y2="{y:.1f}" stroke="#ddd"/>'
                   f'<text x="{across.start - 6}" y="{y + 4:.1f}" text-anchor="end">{short(mark)}</text>')
    for x in xs:
        out.append(f'<line x1="{across.at(x):.1f}" y1="{up.start}" x2="{across.at(x):.1f}" '
                   f'y2="{up.start + 4}" stroke="#555"/>'
                   f'<text x="{across.at(x):.1f}" y="{up.start + 17}" text-anchor="middle">{short(x)}</text>')
    out.append(f'<line x1="{across.start}" y1="{up.start}" x2="{across.end}" y2="{up.start}" stroke="#555"/>'
               f'<text x="{across.end}" y="{up.start + 33}" text-anchor="end" fill="#555">{what}</text>'
               f'<text x="{across.end}" y="{top + 20}" text-anchor="end" fill="#555">{unit}</text>')
    for system, curve in curves.items():
        points = [(across.at(x), up.at(y)) for x, y in sorted(curve.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = COLOURS[system]
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    return out


def figure(heading, panels):
    """panels: (title, unit, what the x axis counts, curves)."""
    rows = (len(panels) + COLUMNS - 1) // COLUMNS
    width, height, head = WIDTH * COLUMNS, HEIGHT * rows + 40, 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="14">{heading}</text>']
    for number, (system, colour) in enumerate(COLOURS.items()):
        x = width - 170 + number * 80
        out.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>'
                   f'<text x="{x + 18}" y="22">{system}</text>')
    for number, (title, unit, what, curves) in enumerate(panels):
        out += panel(title, unit, what, curves, number % COLUMNS * WIDTH, head + number // COLUMNS * HEIGHT)
    out.append("</svg>\n")
    return "\n".join(out)
