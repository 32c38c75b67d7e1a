#!/usr/bin/env python3
"""Serves one network under several policies, sends each the same load, and draws how they compare.

usage: tests/load/compare_policies.py [--artifact FILE] [--policies P,...] [--keep] [--seconds S] [--deadline-ms MS]
                                      [--max-batch N] [--capacity-point POINT] [--capacity N] [--out FOLDER]

Needs the programs that scripts/serve builds. The server has one half of the processors, the load the other, so that
neither takes the other's. The first policy is the figure's bold one. Loads are multiples of one capacity, measured
once: what 32 callers without deadlines get at the capacity point. With --keep, the policies that load.json has
already are kept with its capacity, so that each can be run by itself. Accuracy is the true one, of the images whose
answers were in time. Dots are hollow where the load itself was a bottleneck. Writes load.json and load.svg into the
folder.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from charts import COLOURS, LEFT, Axis, Panel, document, legend_entry  # noqa: E402
from server_process import ServerProcess  # noqa: E402

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
FEW_IMAGES = 500
STEPS = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5]


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
        "--connections", "2",
        "--nofeedback",
        "--json",
    ]  # fmt: skip
    if capacity == "auto":
        command += ["--capacity-point", arguments.capacity_point]
    printed = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def run(arguments):
    results = {}
    capacity = arguments.capacity if arguments.capacity == "auto" else float(arguments.capacity)
    if arguments.keep:
        kept = json.loads((pathlib.Path(arguments.out) / "load.json").read_text())
        results, capacity = kept["policies"], kept["capacity"]
    processors = sorted(os.sched_getaffinity(0))
    of_the_server, of_the_load = processors[: (len(processors) + 1) // 2], processors[len(processors) // 2 :]
    for policy in arguments.policies.split(","):
        flags = [f"--policy={policy}", f"--max_batch={arguments.max_batch}"]
        os.sched_setaffinity(0, of_the_server)
        with ServerProcess(ROOT / ".bazel/bin/server/anybit-server", arguments.artifact, *flags) as server:
            os.sched_setaffinity(0, of_the_load)
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
                f"  {report['operating_points']}{'  CLIENT LIMITED' if report['client_limited'] else ''}",
                flush=True,
            )
    return {
        "capacity": capacity,
        "capacity_point": arguments.capacity_point,
        "deadline_ms": arguments.deadline_ms,
        "steps": STEPS,
        "policies": results,
    }


# ---- The figure: three panels over the same horizontal axis.


def draw(results):
    steps, policies = results["steps"], results["policies"]
    # A share of few images says little.
    true = lambda r: 100 * r["top1"] if r["attained"] >= FEW_IMAGES else None  # noqa: E731
    known = [r["top1"] for reports in policies.values() for r in reports if true(r)]
    low = math.floor(100 * min(known, default=0))
    high = low + 2 * max(1, math.ceil((100 * max(known, default=0) - low) / 2))
    slowest = max(r["p99_ms"] for reports in policies.values() for r in reports)
    loads = Axis(0, max(steps), [(multiple, f"{multiple:g}×") for multiple in (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)])
    panels = [
        (
            Panel(0, "answered in time", loads, Axis.in_quarters(0, 100, " %")),
            lambda r: 100 * r["attainment"],
        ),
        (
            Panel(1, "true accuracy of what was answered in time", loads, Axis.in_quarters(low, high, " %")),
            true,
        ),
        (
            Panel(2, "p99 latency of the answered, ms", loads, Axis.in_quarters(0, 20 * (slowest // 20 + 1), "")),
            lambda r: r["p99_ms"],
        ),
    ]
    parts = []
    x = LEFT
    for i, policy in enumerate(policies):
        parts += legend_entry(x, policy, COLOURS[i], bold=i == 0)
        x += 50 + 8 * len(policy)
    for panel, value in panels:
        parts += panel.axes()
        for i, reports in reversed(list(enumerate(policies.values()))):
            points = [(step, value(r)) for step, r in zip(steps, reports) if value(r) is not None]
            parts += panel.line(points, COLOURS[i], bold=i == 0)
            parts += [
                f'<circle cx="{panel.x(step):.1f}" cy="{panel.y(value(r)):.1f}" r="2" fill="white"/>'
                for step, r in zip(steps, reports)
                if r["client_limited"] and value(r) is not None
            ]
    caption = (
        "offered load, as a multiple of the capacity at "
        f"{results['capacity_point']} ({results['capacity']:.0f} calls/s); deadline {results['deadline_ms']:g} ms"
    )
    return document(len(panels), parts, caption)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", default=str(ROOT / "model/default/fashion.safetensors"))
    parser.add_argument("--policies", default="anybit,fixed:fp32,fixed:w8a8,fixed:w4a4f,fixed:w3a2f,fixed:w1a1")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--capacity", default="auto", help="calls/s; by default measured")
    parser.add_argument("--capacity-point", default="w8a8")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--deadline-ms", type=float, default=50)
    # Larger ones take longer than the deadline, and what the profile spends on them it cannot spend on repetitions.
    parser.add_argument("--max-batch", type=int, default=16)
    parser.add_argument("--out", default=str(ROOT / "tests/load"))
    arguments = parser.parse_args()
    if arguments.policies.count(",") >= len(COLOURS):
        count = arguments.policies.count(",") + 1
        parser.error(f"--policies names {count} policies; the figure has {len(COLOURS)} colours")
    results = run(arguments)
    out = pathlib.Path(arguments.out)
    (out / "load.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "load.svg").write_text(draw(results))
    print(f"wrote {out / 'load.json'} and {out / 'load.svg'}")


if __name__ == "__main__":
    main()
