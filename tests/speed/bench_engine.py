#!/usr/bin/env python3
"""How fast whole networks are: our engine at every operating point, and with --peers other runtimes, taking turns.

usage: scripts/bench-engine [--peers] [--networks LIST] [--batches LIST] [--rounds N] [--isa NAME] [--threads N]
                            [--layers] [--json FILE] [--svg FILE] ...

Every contender is a process pinned to the same core. In each round each of them runs once for --milliseconds, in an
order that is shuffled anew; a figure is the median over rounds of the medians of those turns, and a ratio is the median
over rounds of the ratios within a round, so that what the machine does to one it does to the other. --layers also
prints where the time of each of our points goes, node by node, on one thread.
"""

import argparse
import contextlib
import json
import math
import operator
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/speed"))

import speed_figure  # noqa: E402

ENGINE = ROOT / ".bazel/bin/model/engine/engine_benchmark"
PACKAGES = ROOT / ".cache/peers"
OURS = "anybit"
PEER = ROOT / "tests/speed/peer.py"
LIBRARIES = ["openvino", "onnxruntime", "ncnn"]
# Of the peers only OpenVINO can be told which instructions to use.
HELD_TO_AVX2 = {"openvino": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}


class Refused(Exception):
    """A process could not do what it was asked."""


class TimedProcess:
    """A program that speaks the protocol of model/engine/engine_benchmark.cc; use it in a with statement."""

    def __init__(self, command, cores, **environment):
        self._command = [str(word) for word in command]
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(len(cores)), **environment},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def ask(self, *words):
        line = " ".join(str(word) for word in words)
        with contextlib.suppress(BrokenPipeError):  # then it says nothing either
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Refused(f"'{' '.join(self._command)}' ended with {self._process.wait()} when asked '{line}'")
        answer = json.loads(answer)
        if "error" in answer:
            raise Refused(f"'{line}' was answered with: {answer['error']}")
        return answer


class Contender:
    """One row of a table: a process and what it is asked to run."""

    def __init__(self, process, who, what):
        self.process, self.who, self.what = process, who, what
        self.name = f"{who} {what}"
        self.is_ours = who == OURS


def warmed_up(contenders, batch, left_out):
    """Those that ran; peers that did not are added to `left_out`, with the reason."""
    ready = []
    for contender in contenders:
        try:
            contender.process.ask("run", contender.what, batch, 0)
            ready.append(contender)
        except Refused as refusal:
            if contender.is_ours:
                raise
            left_out[f"{contender.name}, batch {batch}"] = str(refusal)
    return ready


def take_turns(contenders, batch, arguments, chance):
    """The median microseconds of a run of each contender in each round, by name; the least of all its runs, by name;
    the core's peaks in each round; and the speed of tiles before each turn, by name, None where there are none."""
    turns, least, peaks = {contender.name: [] for contender in contenders}, {}, []
    tile_rates = {contender.name: [] for contender in contenders}
    engine = next(contender.process for contender in contenders if contender.is_ours)
    for _ in range(arguments.rounds):
        peaks.append(engine.ask("peak"))
        for contender in chance.sample(contenders, len(contenders)):
            tile_rates[contender.name].append(engine.ask("state")["tile_gmacs"])
            answer = contender.process.ask("run", contender.what, batch, arguments.milliseconds)
            turns[contender.name].append(answer["median_us"])
            least[contender.name] = min(answer["min_us"], least.get(contender.name, math.inf))
    return turns, least, peaks, tile_rates


# Where a tile unit is short of power, it runs at a quarter of its rate.
FULL_RATE = 0.5


def at_full_rate(rates, highest):
    """In how many of the turns tiles had their full rate, or None where there are no tiles."""
    if None in rates:
        return None
    return sum(rate >= FULL_RATE * highest for rate in rates)


def peak_of(what, peaks):
    """The peak of the unit that computes such numbers."""
    return peaks[{"fp32": "float_gmacs", "bf16": "bfloat_gmacs"}.get(what, "gmacs")] if peaks else None


def ratio(ours, theirs):
    """How many times as long `theirs` took as `ours`: the median over rounds of the ratios within a round."""
    return statistics.median(other / one for one, other in zip(ours, theirs))


def rows_of(contenders, turns, least, peaks, tile_rates, work):
    """What the table and the JSON file say of each contender. `work`: multiplications of a batch."""
    highest = max((peaks_of_round["gmacs"] for peaks_of_round in peaks if peaks_of_round), default=0)
    int8_peers = [c.name for c in contenders if not c.is_ours and c.what == "int8"]
    best = min(int8_peers, key=lambda name: statistics.median(turns[name]), default=None)
    rows, dearer = [], None
    for contender in contenders:
        took = turns[contender.name]
        rates = [work / microseconds / 1000 for microseconds in took]
        own_peaks = [peak_of(contender.what, peaks_of_round) for peaks_of_round in peaks]
        row = {
            "who": contender.who,
            "what": contender.what,
            "us_per_batch": statistics.median(took),
            "gmacs": statistics.median(rates),
            "to_best_int8": ratio(took, turns[best]) if best else None,
            "is_best_int8": contender.name == best,
            # Of each its quietest moment: what a machine shared with others hides in the medians.
            "least_us_per_batch": least[contender.name],
            "to_best_int8_at_least": min(least[name] for name in int8_peers) / least[contender.name] if best else None,
            "to_dearer_point": None,
            "of_peak": statistics.median(map(operator.truediv, rates, own_peaks)) if all(own_peaks) else None,
            "turns_at_full_rate": at_full_rate(tile_rates[contender.name], highest),
            "us_by_round": took,
        }
        if contender.is_ours:
            row["to_dearer_point"] = ratio(took, turns[dearer]) if dearer else None
            dearer = contender.name
        rows.append(row)
    return rows


def print_table(title, batch, rows):
    print(f"\n{title}, batch {batch}")
    columns = [
        ("us/row", "us_per_batch", lambda row, us: f"{us / batch:.1f} "),
        ("GMAC/s", "gmacs", lambda row, rate: f"{rate:.1f} "),
        ("% of peak", "of_peak", lambda row, share: f"{100 * share:.0f} "),
        ("x dearer point", "to_dearer_point", lambda row, times: f"{times:.2f} "),
        ("x best int8 peer", "to_best_int8", lambda row, times: f"{times:.2f}{'*' if row['is_best_int8'] else ' '}"),
        ("same, least times", "to_best_int8_at_least", lambda row, times: f"{times:.2f} "),
        ("tiles at full rate", "turns_at_full_rate", lambda row, turns: f"{turns} of {len(row['us_by_round'])} "),
    ]
    # A column of which nothing is known is not there.
    columns = [column for column in columns if any(row[column[1]] is not None for row in rows)]
    print(f"  {'':18}" + "".join(f"{heading + ' ':>18}" for heading, _, _ in columns))
    for row in rows:
        cells = ["" if row[key] is None else text(row, row[key]) for _, key, text in columns]
        print(f"  {row['who'] + ' ' + row['what']:18}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def part_of(layer, first):
    """The part of a network that a node belongs to: what it is, and how wide where that decides its speed."""
    window, channels = layer["shape"].split(" ")[0], layer["shape"].split("x")[-1].split(" ")[0]
    if layer is first:
        return "stem"
    if "depthwise" in layer["shape"]:
        return "depthwise"
    if not layer["algorithm"]:
        return "pools" if layer["macs"] == 0 else "head"
    return f"{window}, {channels} outputs" if window == "3x3/1" else window


def parts_of(layers):
    """The layers of each part, by name, in the order of the network."""
    parts = {}
    for layer in layers:
        parts.setdefault(part_of(layer, layers[0]), []).append(layer)
    return parts


def of_best_kernels(answer):
    """The time of a network whose every node takes its least, divided by that of a whole run."""
    return sum(layer["min_us"] for layer in answer["layers"]) / answer["median_us"]


def print_layers(title, answer, peak):
    """Where the time of a run goes. `answer`: the engine's to `layers`; peak: GMAC/s, or 0."""
    layers = answer["layers"]
    whole = sum(layer["median_us"] for layer in layers)
    of_peak = f"{100 * whole_share(layers, peak):.0f} % of the peak"
    print(f"\n{title}: {whole:.1f} us node by node, {of_peak}; median of {answer['runs']} runs")
    share = f"{100 * of_best_kernels(answer):.0f} %"
    print(f"  {answer['median_us']:.1f} us at once: the nodes' least times add up to {share} of it")
    for part, of_part in parts_of(layers).items():
        share = sum(layer["median_us"] for layer in of_part) / whole
        reached = f", {100 * whole_share(of_part, peak):.0f} % of the peak" if sum(l["macs"] for l in of_part) else ""
        print(f"  {part:26}{100 * share:5.1f} % of the time{reached}")
    print(f"  {'us':>9}{'share':>8}{'% of peak':>11}  {'algorithm':28}{'node':26}shape")
    for layer in layers:
        of_peak = f"{100 * whole_share([layer], peak):.0f}" if layer["algorithm"] else ""
        share = f"{100 * layer['median_us'] / whole:.1f} %"
        print(
            f"  {layer['median_us']:9.1f}{share:>8}{of_peak:>11}  {layer['algorithm']:28}{layer['node']:26}"
            f"{layer['shape']}"
        )


def whole_share(layers, peak):
    """The share of the peak that layers reach together."""
    nanoseconds = 1000 * sum(layer["median_us"] for layer in layers)
    return sum(layer["macs"] for layer in layers) / nanoseconds / peak if peak and nanoseconds else 0


# ---- One network


def engine_command(network, arguments):
    command = [arguments.engine, f"--threads={arguments.threads}", f"--choose={arguments.choose}s"]
    command.append(f"--artifact={arguments.artifact}" if network == "default" else f"--arch={network}")
    if arguments.isa:
        command.append(f"--isa={arguments.isa}")
    return command


def start_peers(stack, spec, cores, arguments):
    """The peers' contenders; their versions; what is left out, and why, by name."""
    file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".json"))
    json.dump(spec, file)
    file.flush()
    contenders, versions, left_out = [], {}, {}
    for library in LIBRARIES:
        environment = {"PYTHONPATH": str(PACKAGES)}
        if arguments.isa == "avx2":
            environment |= HELD_TO_AVX2.get(library, {})
            if library not in HELD_TO_AVX2 and cpu_has_more_than_avx2():
                left_out[library] = "it cannot be held to AVX2"
                continue
        command = [sys.executable, PEER, library, "--network", file.name, "--threads", arguments.threads]
        process = stack.enter_context(TimedProcess(command, cores, **environment))
        facts = process.ask("describe")
        versions[facts["name"]] = facts["version"]
        contenders += [Contender(process, facts["name"], variant) for variant in facts["variants"]]
        left_out |= {f"{facts['name']} {variant}": reason for variant, reason in facts["left_out"].items()}
    return contenders, versions, left_out


def cpu_fact(key):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "")


def cpu_has_more_than_avx2():
    return not {"avx512f", "avx_vnni"}.isdisjoint(cpu_fact("flags").split())


def measure_layers(network, engine, points, batch, arguments):
    """By point, what the engine says of its nodes."""
    found = {}
    for name in (point["name"] for point in points):
        peak = peak_of(name, engine.ask("peak"))
        answer = engine.ask("layers", name, batch, arguments.milliseconds)
        print_layers(f"{network} {name}, batch {batch}", answer, peak)
        found[name] = answer["layers"]
    return found


def measure_network(network, arguments, cores, chance):
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(TimedProcess(engine_command(network, arguments), cores))
        facts = engine.ask("describe")
        contenders = [Contender(engine, OURS, point["name"]) for point in facts["points"]]
        versions, left_out = {}, {}
        if arguments.peers:
            peers, versions, left_out = start_peers(stack, facts["network"], cores, arguments)
            contenders += peers
        batches = []
        for batch in arguments.batches:
            ready = warmed_up(contenders, batch, left_out)
            turns, least, peaks, tile_rates = take_turns(ready, batch, arguments, chance)
            rows = rows_of(ready, turns, least, peaks, tile_rates, facts["macs"] * batch)
            print_table(f"{network}, {facts['macs'] / 1e6:.1f} million multiplications a row", batch, rows)
            batches.append({"batch": batch, "peaks_by_round": peaks, "rows": rows})
            if arguments.layers:
                batches[-1]["layers"] = measure_layers(network, engine, facts["points"], batch, arguments)
    return {
        "network": network,
        "macs": facts["macs"],
        "accuracies": {point["name"]: point["accuracy"] for point in facts["points"]},
        "peers": versions,
        "left_out": left_out,
        "batches": batches,
    }


# ---- The command


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-engine", description=__doc__.splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="also time OpenVINO, ONNX Runtime and ncnn, from PyPI")
    networks = "default,resnet18,resnet20,resnet50_imagenet,mobilenetv2_imagenet"
    parser.add_argument("--networks", default=networks, help="default, or names of model/arch")
    parser.add_argument("--artifact", default=ROOT / "model/default/fashion.safetensors", help="the network 'default'")
    parser.add_argument("--batches", type=numbers, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--milliseconds", type=float, default=200, help="of each contender's turn in a round")
    parser.add_argument("--threads", type=int, default=1, help="of each contender, each on a core of its own")
    parser.add_argument("--isa", help="instruction set of our kernels; avx2 holds the peers to it as well")
    parser.add_argument("--choose", type=float, default=40, help="most seconds to measure which kernels are fastest")
    parser.add_argument("--layers", action="store_true", help="also print the time of every node; with one thread")
    parser.add_argument("--engine", default=ENGINE, help="the program that times our networks")
    parser.add_argument("--json", type=pathlib.Path, help="file for everything that was measured")
    parser.add_argument("--svg", type=pathlib.Path, help="file for the figure: accuracy against latency of 'default'")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.threads, *arguments.batches) < 1:
        parser.error("--rounds, --threads and --batches start at 1")
    if arguments.layers and arguments.threads > 1:
        parser.error("--layers is for one thread")
    return arguments


def main():
    arguments = parse_arguments()
    usable = sorted(os.sched_getaffinity(0))
    if arguments.threads > len(usable):
        raise SystemExit(f"--threads {arguments.threads}: this machine lets us use {len(usable)} cores")
    cores = usable[-arguments.threads :]  # the last: the first is where systems do their own work
    threads = "1 thread" if arguments.threads == 1 else f"{arguments.threads} threads"
    machine = ", ".join([cpu_fact("model name"), threads, *([arguments.isa] if arguments.isa else [])])
    print(f"{machine}; core {','.join(map(str, cores))}; median of {arguments.rounds} rounds")
    chance = random.Random(1)
    try:
        networks = [measure_network(name, arguments, cores, chance) for name in arguments.networks.split(",")]
    except Refused as refusal:
        raise SystemExit(f"bench-engine: {refusal}") from refusal
    if arguments.peers:
        versions = {name: version for network in networks for name, version in network["peers"].items()}
        print("\n* the best int8 peer, of", ", ".join(f"{name} {version}" for name, version in versions.items()))
        for name, reason in {item: why for network in networks for item, why in network["left_out"].items()}.items():
            print(f"left out: {name}: {reason}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "networks": networks}, indent=1) + "\n")
        print(f"\nwrote {arguments.json}")
    if arguments.svg:
        default = next((network for network in networks if network["network"] == "default"), None)
        if default is None:
            raise SystemExit("--svg shows the network 'default', which was not measured")
        arguments.svg.write_text(speed_figure.draw(default, machine, OURS))
        print(f"wrote {arguments.svg}")


if __name__ == "__main__":
    main()
