"""The figure of scripts/bench-engine: accuracy against latency, one panel a batch size, peers as vertical marks."""

import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from charts import COLOURS, LEFT, PANEL_HEIGHT, TOP, Axis, LogAxis, Panel, document, legend_entry  # noqa: E402

LABEL_HEIGHT = 13
DASHES = {"int8": "", "bf16": ' stroke-dasharray="2 3"', "fp32": ' stroke-dasharray="7 4"'}


def draw(network, machine, ours_is):
    accuracies = {name: 100 * accuracy for name, accuracy in network["accuracies"].items() if accuracy is not None}
    percents = range(math.floor(min(accuracies.values())), math.ceil(max(accuracies.values()) + 0.1) + 1)
    accuracy_axis = Axis(percents[0], percents[-1], [(percent, f"{percent} %") for percent in percents])
    theirs = dict.fromkeys((r["who"], r["what"]) for m in network["batches"] for r in m["rows"] if r["who"] != ours_is)
    colours = dict(zip(dict.fromkeys([ours_is, *(who for who, _ in theirs)]), [COLOURS[0], *COLOURS[2:]]))
    parts, legend_end = legend(colours, {what for _, what in theirs}, ours_is)
    for index, measured in enumerate(network["batches"]):
        milliseconds = {(row["who"], row["what"]): row["us_per_batch"] / 1000 for row in measured["rows"]}
        latency_axis = LogAxis(0.8 * min(milliseconds.values()), 1.25 * max(milliseconds.values()))
        title = f"top-1 accuracy against ms for a batch of {measured['batch']}"
        panel = Panel(index, title, latency_axis, accuracy_axis)
        parts += panel.axes()
        parts += [
            vertical_mark(panel, value, colours[who], DASHES[what])
            for (who, what), value in milliseconds.items()
            if who != ours_is
        ]
        ours = sorted((milliseconds[ours_is, name], accuracy, name) for name, accuracy in accuracies.items())
        parts += panel.line([(x, y) for x, y, _ in ours], colours[ours_is], bold=True)
        parts += point_labels(panel, ours, colours[ours_is])
    return document(len(network["batches"]), parts, machine, least_width=legend_end)


def legend(colours, variants, ours_is):
    """The entries, and where they end."""
    entries = [(who, colour, who == ours_is, "") for who, colour in colours.items()]
    entries += [(what, COLOURS[1], False, dashes) for what, dashes in DASHES.items() if what in variants]
    parts, x = [], LEFT
    for name, colour, bold, dashes in entries:
        parts += legend_entry(x, name, colour, bold, dashes)
        x += 44 + 8 * len(name)
    return parts, x


def vertical_mark(panel, value, colour, dashes):
    x, bottom = f"{panel.x(value):.1f}", TOP + PANEL_HEIGHT
    return f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}" stroke="{colour}" stroke-width="1.7"{dashes}/>'


def point_labels(panel, points, colour):
    """Names beside the dots, a row lower where the one before is in the way."""
    style = f"font-weight:bold;fill:{colour};stroke:white;stroke-width:3;paint-order:stroke"
    parts, taken = [], []
    for x, y, name in points:
        at_x, at_y, width = panel.x(x) + 6, panel.y(y) - 7, 8 * len(name)
        while any(abs(at_x - x) < width and abs(at_y - y) < LABEL_HEIGHT for x, y in taken):
            at_y += LABEL_HEIGHT
        taken.append((at_x, at_y))
        parts.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" style="{style}">{name}</text>')
    return parts
