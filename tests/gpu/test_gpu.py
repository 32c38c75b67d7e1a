#!/usr/bin/env python3
"""Checks and measures the GPU engine on this machine's GPU; scripts/test-gpu makes the folder that this lies in.

usage: test_gpu.py [--out FOLDER] [--minutes N]

One unattended run, of at most eight minutes: every kernel and whole networks against the CPU engine, compute-sanitizer
on some cases, all test images at every point of the default network, speed beside PyTorch. Writes report.json and
report.md to FOLDER (.), and exits with 1 if anything differs or fails. What does not fit into the time is left out, and
the report says so.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SMALL = (
    "fashion_tiny,resnet20;side=12,mobilenetv2;width=0.25;side=32,vgg16;width=0.125,"
    "clip;width=0.25;side=16;frames=3,gated"
)
NOT_HERE = 77  # torch_peer.py's exit code where it cannot run
LARGE = "resnet18_imagenet,resnet50_imagenet"
# The goals of the engine's design, each with what it is measured by.
GOALS = [
    ("w8a8, ResNet-50, batch 32", 1.5, "times PyTorch fp16", lambda r: r.against_peer("resnet50_imagenet", "w8a8", 32)),
    ("w8a8, ResNet-50, batch 64", 1.5, "times PyTorch fp16", lambda r: r.against_peer("resnet50_imagenet", "w8a8", 64)),
    ("w8a8, ResNet-50, batch 64", 0.5, "of the int8 product rate", lambda r: r.rate("resnet50_imagenet", "w8a8", 64)),
    ("cheapest point, ResNet-50, batch 64", 1.5, "times w8a8", lambda r: r.cheapest("resnet50_imagenet", 64)),
    ("default network w8a8, batch 64", 1 / 60, "batches a microsecond", lambda r: r.inverse("default", "w8a8", 64)),
    ("its launch by the host", 1 / 10, "launches a microsecond", lambda r: r.launches("default", "w8a8", 64)),
    ("its points in turn", 0.98, "times as fast as by themselves", lambda r: r.switching("default", 64)),
]


class Run:
    """The parts of a run and what they printed."""

    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes
        self.lines, self.failures, self.left_out, self.seconds = [], [], [], {}
        self.program = self._program()

    def _program(self):
        """The check's command: plain where its libraries are there, else with those beside it."""
        plain = [str(HERE / "gpu_check")]
        try:
            if subprocess.run([*plain, "--help"], capture_output=True, check=False).returncode == 0:
                return plain
        except OSError:
            pass
        return [str(HERE / "lib" / "ld-linux-x86-64.so.2"), "--library-path", str(HERE / "lib"), *plain]

    def part(self, name, command, limit):
        """Runs a command of at most `limit` seconds; every line of JSON that it prints counts."""
        limit = min(limit, self.end - time.monotonic())
        if limit < 5:
            self.left_out.append(f"{name}: no time was left")
            return
        print(f"== {name}", flush=True)
        start = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
            out, error, code = done.stdout, done.stderr, done.returncode
        except subprocess.TimeoutExpired as late:
            out = late.stdout.decode() if late.stdout else ""
            error, code = "", None
            self.left_out.append(f"{name}: it was stopped after {limit:.0f} s")
        except OSError as missing:
            self.left_out.append(f"{name}: {missing}")
            return
        self.seconds[name] = round(time.monotonic() - start, 1)
        for line in out.splitlines():
            if line.startswith("{"):
                self.lines.append({**json.loads(line), "part": name})
        if code == NOT_HERE:
            self.left_out.append(f"{name}: {error.strip()}")
        elif code:
            self.failures.append(f"{name}: exit code {code}: {(error or out)[-1500:].strip()}")
        print(f"   {self.seconds[name]} s", flush=True)

    def of(self, check, **wanted):
        return [
            line for line in self.lines if line["check"] == check and all(line.get(k) == v for k, v in wanted.items())
        ]

    def microseconds(self, network, point, rows):
        found = self.of("speed", network=network, point=point, rows=rows)
        return found[0]["microseconds"] if found else None

    def against_peer(self, network, point, rows):
        ours, peer = self.microseconds(network, point, rows), self.of("peer", network=network, rows=rows)
        return peer[0]["microseconds"] / ours if ours and peer else None

    def rate(self, network, point, rows):
        found = self.of("speed", network=network, point=point, rows=rows)
        products = [line["operations_per_second"] for line in self.of("product")]
        ours = [line["operations_per_second"] for line in self.of("product", part="speed")]
        return found[0]["part_of_product_rate"] * max(ours) / max(products) if found and ours else None

    def cheapest(self, network, rows):
        base = self.microseconds(network, "w8a8", rows)
        others = [
            s["microseconds"]
            for s in self.of("speed", network=network, rows=rows)
            if s["point"] not in ("fp32", "bf16")
        ]
        return base / min(others) if base else None

    def launches(self, network, point, rows):
        found = self.of("speed", network=network, point=point, rows=rows)
        return 1 / found[0]["launch_microseconds"] if found else None

    def switching(self, network, rows):
        found = self.of("switch", network=network, rows=rows)
        return found[0]["each_by_itself_microseconds"] / found[0]["points_in_turn_microseconds"] if found else None

    def inverse(self, network, point, rows):
        found = self.microseconds(network, point, rows)
        return 1 / found if found else None


def run_all(run):
    program, data = run.program, HERE / "data"
    artifact = f"--artifact={data / 'default.safetensors'}"
    run.part("kernels", [*program, "--check=kernels"], 100)
    run.part("networks", [*program, "--check=networks", f"--networks={SMALL}"], 60)
    run.part("images", [*program, "--check=images", artifact, f"--data=idx:{data}"], 60)
    sanitizer = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    for tool, extra in (("memcheck", ["--leak-check", "full"]), ("racecheck", []), ("synccheck", [])):
        check = [*program, "--check=kernels", "--every=37"]
        command = [sanitizer, "--tool", tool, *extra, "--error-exitcode", "9", *check]
        run.part(f"compute-sanitizer {tool}", command, 60)
    run.part("speed", [*program, "--check=speed", artifact, f"--networks={LARGE}"], 200)
    run.part("torch", [sys.executable, str(HERE / "torch_peer.py")], 60)
    run.part("large networks", [*program, "--check=networks", "--networks=resnet50_imagenet;side=64"], 60)


def table(head, rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def markdown(run):
    device = (run.of("device") or [{}])[0]
    text = [f"# The GPU engine on {device.get('name', 'no device')}\n"]
    text.append(f"Architecture sm_{device.get('architecture')}, driver for CUDA {device.get('driver')}.\n")
    verdict = "Nothing differed and nothing failed." if not run.failures else "**Something differed or failed.**"
    text += [verdict + "\n", *(f"- {line}" for line in run.failures), *(f"- left out: {line}" for line in run.left_out)]
    text.append("\n## Equality with the CPU engine\n")
    rows = [[k["algorithm"], k["cases"], k["wrong"], k["first_wrong"]] for k in run.of("kernel", part="kernels")]
    text.append(table(["kernel", "cases", "wrong", "first"], rows))
    rows = [[n["network"], n["kernels"], n["rows"], n["wrong"]] for n in run.of("network")]
    text.append(table(["network", "kernels", "rows", "wrong"], rows))
    rows = [[i["point"], i["images"], i["wrong"]] for i in run.of("images")]
    text.append(table(["default network at", "test images", "wrong"], rows))
    text.append("## Speed\n")
    rows = [[p["algorithm"], f"{p['operations_per_second'] / 1e12:.0f}"] for p in run.of("product")]
    text.append(table(["int8 product of 8192 x 4096 x 4096", "10^12 operations a second"], rows))
    rows = []
    for line in run.of("speed"):
        ratio = run.against_peer(line["network"], line["point"], line["rows"])
        rate = run.rate(line["network"], line["point"], line["rows"])
        cells = [line["network"], line["point"], line["rows"], f"{line['microseconds']:.0f}"]
        rows.append([*cells, f"{rate:.2f}" if rate else "", f"{ratio:.2f}" if ratio else ""])
    head = ["network", "point", "rows", "microseconds", "part of the int8 product rate", "times PyTorch fp16"]
    text.append(table(head, rows))
    text.append("## Goals\n")
    rows = []
    for what, goal, unit, measure in GOALS:
        got = measure(run)
        reached = "not measured" if got is None else "reached" if got >= goal else "not reached"
        rows.append([what, f"{goal:.3g} {unit}", "" if got is None else f"{got:.3g}", reached])
    text.append(table(["what", "goal", "measured", ""], rows))
    text.append(table(["part", "seconds"], run.seconds.items()))
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--minutes", type=float, default=7.5)
    arguments = parser.parse_args()
    run = Run(arguments.minutes)
    run_all(run)
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = {"failures": run.failures, "left_out": run.left_out, "seconds": run.seconds, "lines": run.lines}
    (arguments.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "report.md").write_text(markdown(run), encoding="utf-8")
    print(markdown(run))
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
