#!/usr/bin/env python3
"""Serves one network under several policies, sends each the same load, and draws how they compare.

usage: tests/load/compare_policies.py [--artifact FILE] [--seconds S] [--deadline-ms MS] [--max-batch N] [--out FOLDER]

Needs the programs that scripts/serve builds. Loads are multiples of one capacity, measured
once: what 32 callers without deadlines get at the capacity point. Writes load.json and load.svg into the folder.
"""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
STEPS = [0.2, 0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0]


def send_load(server, arguments, steps, capacity):
    """The load generator's reports, one a step."""
    command = [
        ROOT / ".bazel/bin/client/anybit-load",
        "--server", server.grpc_address,
        "--images", DATA / "t10k-images-idx3-ubyte.gz",
        "--labels", DATA / "t10k-labels-idx1-ubyte.gz",
        "--deadline-ms", str(arguments.deadline_ms),
        "--step-seconds", str(arguments.seconds),
        "--steps", steps,
        "--capacity", str(capacity),
        "--json",
    ]  # fmt: skip
    if capacity == "auto":
        command += ["--capacity-point", arguments.capacity_point]
    printed = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def run(arguments):
    results = {}
    capacity = "auto"
    for policy in arguments.policies.split(","):
        flags = [f"--policy={policy}", f"--max_batch={arguments.max_batch}"]
        with ServerProcess(ROOT / ".bazel/bin/server/anybit-server", arguments.artifact, *flags) as server:
            if capacity == "auto":
                capacity = send_load(server, arguments, "0.01x", "auto")[0]["capacity"]
                print(f"capacity at {arguments.capacity_point}: {capacity:.0f} calls/s")
            results[policy] = send_load(server, arguments, ",".join(f"{s}x" for s in STEPS), capacity)
            server.terminate()
            server.exit_code()
        for step, report in zip(STEPS, results[policy]):
            print(
                f"{policy:14} {step:4}x  in time {100 * report['attainment']:6.2f} %"
                f"  accuracy {100 * (report.get('top1') or 0):6.2f} %  p99 {report['p99_ms']:7.1f} ms"
                f"  {report['operating_points']}",
                flush=True,
            )
    return {"capacity": capacity, "deadline_ms": arguments.deadline_ms, "steps": STEPS, "policies": results}


# ---- The figure: three panels over the same horizontal axis.

COLOURS = ["#0b6e4f", "#7a7a7a", "#3b6fb5", "#c1666b", "#b98b2f"]
PANEL_WIDTH, PANEL_HEIGHT, GAP, LEFT, TOP, BOTTOM = 300, 210, 62, 52, 58, 44


class Panel:
    def __init__(self, index, title, low, high, steps, unit):
        self.x0 = LEFT + index * (PANEL_WIDTH + GAP)
        self.title, self.low, self.high, self.steps, self.unit = title, low, high, steps, unit

    def x(self, step):
        return self.x0 + PANEL_WIDTH * step / max(self.steps)

    def y(self, value):
        value = min(max(value, self.low), self.high)
        return TOP + PANEL_HEIGHT * (1 - (value - self.low) / (self.high - self.low))

    def axes(self):
        parts = [f'<text x="{self.x0}" y="{TOP - 12}" class="title">{self.title}</text>']
        for i in range(5):
            value = self.low + (self.high - self.low) * i / 4
            y = self.y(value)
            parts.append(f'<line x1="{self.x0}" x2="{self.x0 + PANEL_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(f'<text x="{self.x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}{self.unit}</text>')
        for step in (0, 1, 2, 3):
            parts.append(f'<text x="{self.x(step):.1f}" y="{TOP + PANEL_HEIGHT + 18}" text-anchor="middle">{step}×</text>')
        return parts

    def line(self, values, colour, bold):
        points = [(self.x(s), self.y(v)) for s, v in zip(self.steps, values) if v is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{3 if bold else 1.7}"/>']
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 if bold else 2.2}" fill="{colour}"/>' for x, y in points]
        return parts


def draw(results):
    steps, policies = results["steps"], results["policies"]
    # Expected accuracy (of the operating points that answered, by the whole test set): the images of one step are too few
    # to tell two points apart. What they gave is in load.json.
    accuracies = [100 * r["expected_accuracy"] for reports in policies.values() for r in reports if r.get("expected_accuracy")]
    low = int(min(accuracies, default=0))
    slowest = max(r["p99_ms"] for reports in policies.values() for r in reports)
    panels = [
        (Panel(0, "answered in time", 0, 100, steps, " %"), lambda r: 100 * r["attainment"]),
        (
            Panel(1, "accuracy of what was answered in time", low, low + 4, steps, " %"),
            lambda r: 100 * r["expected_accuracy"] if r.get("expected_accuracy") else None,
        ),
        (Panel(2, "p99 latency of the answered, ms", 0, 20 * (slowest // 20 + 1), steps, ""), lambda r: r["p99_ms"]),
    ]
    width, height = LEFT + 3 * PANEL_WIDTH + 2 * GAP + 20, TOP + PANEL_HEIGHT + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<style>text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.grid{stroke:#ddd}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    x = LEFT
    for i, policy in enumerate(policies):
        name = policy if policy.startswith("fixed") else f"anybit ({policy})"
        parts.append(f'<line x1="{x}" x2="{x + 22}" y1="18" y2="18" stroke="{COLOURS[i]}" stroke-width="{3 if i == 0 else 1.7}"/>')
        parts.append(f'<text x="{x + 28}" y="22">{name}</text>')
        x += 50 + 8 * len(name)
    for panel, value in panels:
        parts += panel.axes()
        for i, reports in reversed(list(enumerate(policies.values()))):
            parts += panel.line([value(r) for r in reports], COLOURS[i], bold=i == 0)
    parts.append(
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">offered load, as a multiple of the capacity at '
        f"w8a8 ({results['capacity']:.0f} calls/s); deadline {results['deadline_ms']:g} ms</text>"
    )
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", default=str(ROOT / "model/default/fashion.safetensors"))
    parser.add_argument("--policies", default="slackfit,fixed:fp32,fixed:w8a8,fixed:w1a1")
    parser.add_argument("--capacity-point", default="w8a8")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--deadline-ms", type=float, default=50)
    # Larger ones take longer than the deadline, and what the profile spends on them it cannot spend on repetitions.
    parser.add_argument("--max-batch", type=int, default=16)
    parser.add_argument("--out", default=str(ROOT / "tests/load"))
    arguments = parser.parse_args()
    results = run(arguments)
    out = pathlib.Path(arguments.out)
    (out / "load.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "load.svg").write_text(draw(results))
    print(f"wrote {out / 'load.json'} and {out / 'load.svg'}")


if __name__ == "__main__":
    main()
