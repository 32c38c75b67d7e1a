#!/usr/bin/env python3
"""Sends one flash crowd to a server under two policies; draws load, operating points, accuracy, latency over time.

usage: tests/load/flash_crowd.py [--policies P,Q] [--keep] [--seconds S] [--load X] [--capacity N] [--out FOLDER]

Needs the programs that scripts/serve builds. The server has one half of the processors, the load the other. The load's
mean is X times the capacity, which is measured at w8a8 unless it is given. Both policies get the same calls; the first
one is drawn in full, the second one as a grey line beside it. With --keep, results that flash_crowd.json has of other
policies are kept, so that each can be run by itself. Writes flash_crowd.json and flash_crowd.svg into the folder.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from server_process import ServerProcess  # noqa: E402

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
SEED = 22
TIME_UNIT_MS = 400  # the crowd stays for five of them
DEADLINE_MS = 50
CAPACITY_POINT = "w8a8"


def load(server, *flags):
    """Runs anybit-load; returns its first step's report."""
    command = [
        ROOT / ".bazel/bin/client/anybit-load",
        f"--server={server.grpc_address}",
        f"--images={DATA / 't10k-images-idx3-ubyte.gz'}",
        f"--labels={DATA / 't10k-labels-idx1-ubyte.gz'}",
        f"--deadline_ms={DEADLINE_MS}",
        f"--seed={SEED}",
        "--connections=2",
        "--json",
        *flags,
    ]
    ran = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    print(ran.stderr, end="", file=sys.stderr)
    return json.loads(ran.stdout.splitlines()[0])


def run(policy, arguments, capacity):
    """(capacity, {"report", "intervals"}) of the policy."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[: (len(processors) + 1) // 2])
    with ServerProcess(
        ROOT / ".bazel/bin/server/anybit-server",
        ROOT / "model/default/fashion.safetensors",
        f"--policy={policy}",
        "--max_batch=16",
    ) as server, tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, processors[len(processors) // 2 :])
        if capacity is None:
            measured = load(server, "--steps=0.01x", "--step_seconds=1", f"--capacity_point={CAPACITY_POINT}")
            capacity = measured["capacity"]
        table = pathlib.Path(folder) / "load.csv"
        report = load(
            server,
            f"--steps={arguments.load}x",
            f"--capacity={capacity}",
            f"--step_seconds={arguments.seconds}",
            "--arrivals=flash",
            f"--time_unit_ms={TIME_UNIT_MS}",
            f"--csv={table}",
        )
        with open(table, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        intervals = [{name: float(text) if text else None for name, text in row.items()} for row in rows]
        server.terminate()
        server.exit_code()
    os.sched_setaffinity(0, processors)
    print(
        f"{policy}: in time {100 * report['attainment']:.2f} %, expected {100 * report['expected_accuracy']:.2f} %,"
        f" true {100 * report['top1']:.2f} %, p99 {report['p99_ms']:.1f} ms, client limited {report['client_limited']}"
    )
    return capacity, {"report": report, "intervals": intervals}


# ---- The figure: four panels, one below the other, over the same seconds.

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 130, 62, 52, 46
FIRST, SECOND, BLACK, RED = "#0b6e4f", "#8a8a8a", "#1d1d1d", "#c1666b"
SHADES = ["#0b6e4f", "#5ba58a", "#b7d3a8", "#e3c98f", "#c1666b"]


class Panel:
    def __init__(self, index, title, seconds, low, high, unit, logarithmic=False):
        self.top = TOP + index * (HEIGHT + GAP)
        self.title, self.seconds, self.low, self.high, self.unit = title, seconds, low, high, unit
        self.logarithmic = logarithmic

    def x(self, second):
        return LEFT + WIDTH * second / self.seconds

    def y(self, value):
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.top + HEIGHT * (1 - share)

    def axes(self, marks, last):
        parts = [f'<text x="{LEFT}" y="{self.top - 10}" class="title">{self.title}</text>']
        for mark in marks:
            y = self.y(mark)
            parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}{self.unit}</text>')
        for second in range(0, int(self.seconds) + 1, 2):
            text = f"{second} s" if last else f"{second}"
            parts.append(
                f'<text x="{self.x(second):.1f}" y="{self.top + HEIGHT + 16}" text-anchor="middle">{text}</text>'
            )
        return parts

    def line(self, points, colour, width=2.0, dashes=""):
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def middle(interval):
    return interval["begin_s"] + interval["seconds"] / 2


def smoothed(intervals, key, weight, seconds=1.0):
    """(second, mean of `key`, weight) over pieces of `seconds`, weighted: single intervals have too few images."""
    pieces = {}
    for interval in intervals:
        if interval[key] is None or not interval[weight]:
            continue
        total, count, moments = pieces.get(int(interval["begin_s"] / seconds), (0, 0, 0))
        pieces[int(interval["begin_s"] / seconds)] = (
            total + interval[key] * interval[weight],
            count + interval[weight],
            moments + middle(interval) * interval[weight],
        )
    return [(moments / count, total / count, count) for total, count, moments in pieces.values()]


def stack(panel, intervals, points):
    parts = []
    below = [0.0] * len(intervals)
    for colour, point in zip(SHADES, points):
        above = list(below)
        for i, interval in enumerate(intervals):
            answers = sum(interval[f"answers_{name}"] for name in points)
            above[i] += 100 * interval[f"answers_{point}"] / answers if answers else 0
        corners = []
        for values, order in ((above, 1), (below, -1)):
            for interval, value in list(zip(intervals, values))[::order]:
                ends = (interval["begin_s"], interval["begin_s"] + interval["seconds"])
                corners += [(second, value) for second in ends[::order]]
        path = " ".join(f"{panel.x(x):.1f},{panel.y(y):.1f}" for x, y in corners)
        parts.append(f'<polygon points="{path}" fill="{colour}"/>')
        below = above
    return parts


def legend(x, y, name, colour, filled=False, dashes=""):
    mark = (
        f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>'
        if filled
        else f'<line x1="{x}" x2="{x + 18}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2.4"{dashes}/>'
    )
    return mark + f'<text x="{x + (17 if filled else 24)}" y="{y}">{name}</text>'


def rate(interval, key):
    return interval[key] / interval["seconds"]


def draw_load(seconds, names, intervals, other):
    most = max(rate(interval, "offered") for interval in intervals)
    panel = Panel(0, "calls per second: offered, and answered in time", seconds, 0, 2000 * math.ceil(most / 2000), "")
    step = 2000 if panel.high <= 8000 else 4000 if panel.high <= 16000 else 8000
    parts = panel.axes(range(0, int(panel.high) + 1, step), False)
    parts.append(panel.line([(middle(i), rate(i, "offered")) for i in intervals], BLACK, 1.4))
    if other:
        parts.append(panel.line([(middle(i), rate(i, "attained")) for i in other], SECOND))
        parts.append(legend(LEFT + 540, panel.top - 10, f"in time, {names[1]}", SECOND))
    parts.append(panel.line([(middle(i), rate(i, "attained")) for i in intervals], FIRST))
    parts.append(legend(LEFT + 330, panel.top - 10, "offered", BLACK))
    parts.append(legend(LEFT + 420, panel.top - 10, f"in time, {names[0]}", FIRST))
    return parts


def draw_points(seconds, names, intervals):
    points = [name.removeprefix("answers_") for name in intervals[0] if name.startswith("answers_")]
    panel = Panel(1, f"operating points of the answers, {names[0]}", seconds, 0, 100, " %")
    parts = panel.axes((0, 50, 100), False) + stack(panel, intervals, points)
    for i, point in enumerate(points):
        parts.append(legend(LEFT + 330 + 80 * i, panel.top - 10, point, SHADES[i], filled=True))
    return parts


def draw_accuracy(seconds, names, intervals):
    expected = smoothed(intervals, "expected_accuracy", "attained", 0.25)
    true = smoothed(intervals, "top1", "attained", 2.0)
    errors = [math.sqrt(y * (1 - y) / count) for _, y, count in true]
    low = math.floor(100 * min(y - error for (_, y, _), error in zip(true, errors)))
    high = math.ceil(100 * max(y + error for (_, y, _), error in zip(true, errors)))
    panel = Panel(2, f"accuracy of what was in time, {names[0]}", seconds, low, high, " %")
    parts = panel.axes(range(low, high + 1), False)
    parts.append(panel.line([(x, 100 * y) for x, y, _ in expected], FIRST))
    for (x, y, _), error in zip(true, errors):
        parts.append(panel.line([(x, 100 * (y - error)), (x, 100 * (y + error))], BLACK, 1))
        parts.append(f'<circle cx="{panel.x(x):.1f}" cy="{panel.y(100 * y):.1f}" r="3" fill="white" stroke="{BLACK}"/>')
    parts.append(legend(LEFT + 330, panel.top - 10, "expected", FIRST))
    parts.append(f'<circle cx="{LEFT + 436}" cy="{panel.top - 14}" r="3" fill="none" stroke="{BLACK}"/>')
    parts.append(f'<text x="{LEFT + 446}" y="{panel.top - 10}">true, of two seconds, and its standard error</text>')
    return parts


def draw_latency(seconds, names, intervals, other):
    panel = Panel(3, "latency, ms", seconds, 1, 100, "", logarithmic=True)
    dashes = ' stroke-dasharray="5 4"'
    parts = panel.axes((1, 2, 5, 10, 20, 50, 100), True)
    parts.append(panel.line([(0, DEADLINE_MS), (seconds, DEADLINE_MS)], RED, 1.4, dashes))
    if other:
        parts.append(panel.line([(middle(i), i["p99_ms"]) for i in other if i["p99_ms"]], SECOND))
        parts.append(legend(LEFT + 510, panel.top - 10, f"p99, {names[1]}", SECOND))
    parts.append(panel.line([(middle(i), i["p99_ms"]) for i in intervals if i["p99_ms"]], FIRST))
    parts.append(panel.line([(middle(i), i["p50_ms"]) for i in intervals if i["p50_ms"]], FIRST, 1.2))
    parts.append(legend(LEFT + 330, panel.top - 10, f"p99 and median, {names[0]}", FIRST))
    parts.append(legend(LEFT + 660, panel.top - 10, "deadline", RED, dashes=dashes))
    return parts


def draw(results):
    names, seconds = list(results["policies"]), results["seconds"]
    intervals = results["policies"][names[0]]["intervals"]
    other = results["policies"][names[1]]["intervals"] if len(names) > 1 else []
    parts = draw_load(seconds, names, intervals, other) + draw_points(seconds, names, intervals)
    parts += draw_accuracy(seconds, names, intervals) + draw_latency(seconds, names, intervals, other)
    width, height = LEFT + WIDTH + 24, TOP + 4 * (HEIGHT + GAP) + 6
    caption = (
        f"one flash crowd, mean load {results['load']:g} times the capacity at {CAPACITY_POINT}"
        f" ({results['capacity']:.0f} calls/s); deadline {DEADLINE_MS} ms"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<style>text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.grid{stroke:#ddd}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *parts,
        f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">{caption}</text>',
    ]
    return "\n".join(lines) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policies", default="anybit,fixed:w8a8")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seconds", type=float, default=24)
    parser.add_argument("--load", type=float, default=0.33)
    parser.add_argument("--capacity", type=float)
    parser.add_argument("--out", default=str(ROOT / "tests/load"))
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    results = {"capacity": arguments.capacity, "seconds": arguments.seconds, "load": arguments.load, "policies": {}}
    if arguments.keep:
        results["policies"] = json.loads((out / "flash_crowd.json").read_text())["policies"]
    for policy in filter(None, arguments.policies.split(",")):
        results["capacity"], results["policies"][policy] = run(policy, arguments, results["capacity"])
    (out / "flash_crowd.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "flash_crowd.svg").write_text(draw(results))
    print(f"wrote {out / 'flash_crowd.json'} and {out / 'flash_crowd.svg'}")


if __name__ == "__main__":
    main()
