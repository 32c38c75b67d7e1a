#!/usr/bin/env python3
"""Sends a server up to ten times its capacity under several policies, and draws how much of it is answered in time.

usage: tests/load/goodput.py [--artifact FILE] [--policies P,...] [--seconds S] [--deadline-ms MS] [--max-batch N]
                             [--server BINARY] [--load BINARY] [--out FOLDER]

Needs a machine of two processors or more: the server runs on the first, http2-load on the second. Build both:

    bazel build //server:anybit-server //tests/load:http2-load

Loads are multiples of one capacity, measured once: what 64 callers without deadlines are answered under the first
policy. Even a refused call costs the server something: r, measured as its processor time for an empty call that arrives
at the same rate (the more arrive at a time, the less each costs). Of the processor time of a second, calls offered at a
rate leave 1 - rate * r; if a refusal costs r, no policy can answer more than

    (1 - rate * r) / (1 / capacity - r)

calls with it, and that is the dashed line. After 3 and after 10 times the capacity comes a light load: whether the
server has recovered. Writes goodput.json and goodput.svg into the folder.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from charts import COLOURS, LEFT, Axis, LogAxis, Panel, document, legend_entry  # noqa: E402
from server_process import ServerProcess  # noqa: E402

STEPS = [0.5, 0.75, 1, 1.5, 2, 3, 5, 10]
AFTER = 0.2  # whether the server has recovered
SENT = [0.5, 0.75, 1, 1.5, 2, 3, AFTER, 5, 10, AFTER]
CALLERS = 64


def send(arguments, server, *flags):
    """What http2-load prints, one dictionary a line."""
    # Whoever else runs on this processor must not delay the calls. Without the right to it nice warns, and runs.
    command = ["nice", "--adjustment=-20", arguments.load, "--server", server.grpc_address, "--json", *flags]
    command = ["taskset", "--cpu-list", "1", *(str(word) for word in command)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    sys.stderr.write(printed.stderr)
    return [json.loads(line) for line in printed.stdout.splitlines()]


def processor_seconds(pid):
    """What the process has used so far."""
    # The second field, the program's name in parentheses, may hold blanks.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def echo_seconds(arguments, server, rate):
    """The server's processor seconds for an empty call, of those that arrive at that rate."""
    before = processor_seconds(server.process.pid)
    report = send(arguments, server, "--echo", "--rates", rate, "--seconds", arguments.seconds)[0]
    return (processor_seconds(server.process.pid) - before) / report["offered"]


def bound(rate, capacity, echo):
    """Calls/s that could be answered at most of those offered; None where nothing is left to answer with."""
    left = 1 - rate * echo
    return min(rate, left / (1 / capacity - echo)) if left > 0 else None


def run(arguments):
    results = {
        "processor": re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1),
        "callers": CALLERS,
        "deadline_ms": arguments.deadline_ms,
        "steps": SENT,
        "policies": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        profile = f"{folder}/profile.json"
        for policy in arguments.policies.split(","):
            # The same profile for all: kernels chosen anew would be another server.
            flags = ["--slots=1", "--threads_per_slot=1", f"--max_batch={arguments.max_batch}", f"--policy={policy}"]
            flags += [f"--profile={profile}", f"--save_profile={profile}"]
            with pinned_server(arguments, folder, flags) as server:
                if "capacity" not in results:
                    callers = ("--closed", CALLERS, "--seconds", arguments.seconds)
                    results["capacity"] = send(arguments, server, *callers)[0]["calls_per_second"]
                rates = ",".join(str(results["capacity"] * step) for step in results["steps"])
                load = ("--rates", rates, "--seconds", arguments.seconds, "--deadline_ms", arguments.deadline_ms)
                results["policies"][policy] = send(arguments, server, *load)
            if "echo_seconds" not in results:
                # On a server of its own: the calls of such floods are still under way for seconds afterwards.
                with pinned_server(arguments, folder, flags) as server:
                    results["echo_seconds"] = {
                        step: echo_seconds(arguments, server, step * results["capacity"]) for step in sorted(set(SENT))
                    }
                print(f"capacity {results['capacity']:.0f} calls/s; the server's microseconds for an empty call:")
                print(", ".join(f"{1e6 * r:.1f} at {step}x" for step, r in results["echo_seconds"].items()))
            print_policy(policy, results)
    return results


def pinned_server(arguments, folder, flags):
    """A server on the first processor only: a child of a script that limits itself to it."""
    script = pathlib.Path(folder) / "server.sh"
    script.write_text(f'#!/bin/sh\nexec taskset --cpu-list 0 "{arguments.server}" "$@"\n')
    script.chmod(0o755)
    return ServerProcess(str(script), arguments.artifact, *flags)


def goodput(report):
    return report["attained"] / report["seconds"]


def print_policy(policy, results):
    titles = f"{'load':>6} {'offered/s':>9} {'in time':>8} {'served/s':>8} {'of bound':>8} {'p99 ms':>7} {'shed':>8}"
    print(f"{policy}\n  {titles}")
    for step, report in zip(results["steps"], results["policies"][policy]):
        rate = report["offered"] / report["seconds"]
        most = bound(rate, results["capacity"], results["echo_seconds"][step])
        remark = "  after" if step == AFTER else ""
        if report["was_bottleneck"]:
            remark += "  the load generator was the bottleneck"
        print(
            f"  {step:>5}x {rate:9.0f} {share(report['attained'], report['offered']):>8} {goodput(report):8.0f}"
            f" {share(goodput(report), most) if most else '-':>8} {report['p99_ms']:7.1f}"
            f" {share(report['shed'], report['offered']):>8}{remark}",
            flush=True,
        )


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


# ---- The figure: three panels over the same horizontal axis.


def draw(results):
    capacity, echo, deadline = results["capacity"], results["echo_seconds"], results["deadline_ms"]
    policies = {
        policy: [report for step, report in zip(SENT, reports) if step != AFTER]
        for policy, reports in results["policies"].items()
    }
    reports = [report for steps in policies.values() for report in steps]
    loads = LogAxis(min(STEPS), max(STEPS))
    loads.marks = [(step, f"{step:g}×") for step in (0.5, 1, 2, 3, 5, 10)]
    most = [
        (x, value)
        for x in STEPS
        if (value := bound(x * capacity, capacity, echo[x])) is not None
    ]
    known = [100 * r["expected_accuracy"] for r in reports if r.get("expected_accuracy")]
    highest = max([capacity, *map(goodput, reports)])
    slowest = max([deadline, *(r["p99_ms"] for r in reports)])
    panels = [
        (Panel(0, "answered in time, calls/s", loads, quarters(0, highest)), goodput),
        (Panel(1, "p99 latency of the answered, ms", loads, quarters(0, slowest)), lambda r: r["p99_ms"] or None),
    ]
    if known:
        low = math.floor(min(known))
        panel = Panel(2, "expected accuracy of the answers, %", loads, quarters(low, max(known) - low))
        panels.append((panel, lambda r: 100 * r["expected_accuracy"] if r.get("expected_accuracy") else None))
    parts = []
    x = LEFT
    for i, policy in enumerate(policies):
        parts += legend_entry(x, policy, COLOURS[i], bold=i == 0)
        x += 50 + 8 * len(policy)
    parts += legend_entry(x, "bound, deadline", "#333", bold=False, dashes=' stroke-dasharray="5 4"')
    for panel, value in panels:
        parts += panel.axes()
        for i, steps in reversed(list(enumerate(policies.values()))):
            points = [(step, value(r)) for step, r in zip(STEPS, steps) if value(r) is not None]
            parts += panel.line(points, COLOURS[i], bold=i == 0)
    parts.append(dashed(panels[0][0], most))
    parts.append(dashed(panels[1][0], [(min(STEPS), deadline), (max(STEPS), deadline)]))
    caption = (
        f"offered load, as a multiple of the capacity, {capacity:.0f} calls/s of {results['callers']} callers without"
        f" deadlines; deadline {deadline:g} ms; server on one processor, {results['processor']}"
    )
    return document(len(panels), parts, caption)


def quarters(low, extent):
    """An axis from `low` that covers `extent`, with round marks."""
    digit = 10 ** math.floor(math.log10(max(extent, 1e-9) / 4))
    step = next(digit * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if 4 * digit * factor >= extent)
    return Axis.in_quarters(low, low + 4 * step, "")


def dashed(panel, points):
    path = " ".join(f"{panel.x(x):.1f},{panel.y(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="#333" stroke-width="1.2" stroke-dasharray="5 4"/>'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", default=str(ROOT / "model/default/fashion.safetensors"))
    parser.add_argument("--policies", default="anybit,early-drop,fixed:w8a8,fixed:w4a4f,fixed:w1a1")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--deadline-ms", type=float, default=50)
    parser.add_argument("--max-batch", type=int, default=64)
    parser.add_argument("--server", default=str(ROOT / ".bazel/bin/server/anybit-server"))
    parser.add_argument("--load", default=str(ROOT / ".bazel/bin/tests/load/http2-load"))
    parser.add_argument("--out", default=str(ROOT / "tests/load"))
    arguments = parser.parse_args()
    policies = len(arguments.policies.split(","))
    if policies > len(COLOURS):
        parser.error(f"--policies names {policies} policies; the figure has {len(COLOURS)} colours")
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("one processor for the server and another for the load are needed")
    results = run(arguments)
    out = pathlib.Path(arguments.out)
    (out / "goodput.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "goodput.svg").write_text(draw(results))
    print(f"wrote {out / 'goodput.json'} and {out / 'goodput.svg'}")


if __name__ == "__main__":
    main()
