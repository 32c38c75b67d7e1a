#!/usr/bin/env python3
"""Sends the same load to this server and to NVIDIA Triton, in turns, and prints what each answers.

usage: tests/load/compare_triton.py [--artifact FILE] [--runtimes openvino,onnxruntime] [--rounds N] [--seconds S]
                                    [--deadline-ms MS] [--triton-batching TEXT] [--json FILE]
                                    [--server BINARY] [--load BINARY] [--engine BINARY]

Needs a machine of two processors or more: the servers run on the first, http2-load on the second. Before it:

    scripts/setup --peers                                     # brings Triton, OpenVINO and ONNX Runtime
    bazel build //server:anybit-server //tests/load:http2-load //model/engine:engine_benchmark

Triton runs the network of the artifact in int8 in its Python backend, one thread, with dynamic batching up to 64 rows
(weights are random: its speed does not depend on them). All servers stay up; those whose turn it is not are stopped
(SIGSTOP). Each round asks each server in turn: a closed loop of 1, 16 and 64 callers, then open loops at 1 and 2 times
its own capacity (the median of its closed loops at 64) and one at the same rate for all, twice the smallest capacity,
with a deadline for each call. Prints medians over the rounds, with the least and the greatest.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / ".cache/peers"
sys.path[:0] = [str(PEERS), str(ROOT / "tests/integration"), str(ROOT / "tests/speed")]

from server_process import ServerProcess  # noqa: E402

CALLERS = [1, 16, 64]
PADDED_TO = [1, 2, 4, 8, 16, 24, 32, 48, 64]  # rows
SERVER_PROCESSOR, LOAD_PROCESSOR = "0", "1"
# Nothing here takes this long. It turns a hang into a failure.
LIMIT_SECONDS = 120

CONFIG = """
name: "network"
backend: "python"
max_batch_size: 64
input [{ name: "input" data_type: TYPE_UINT8 dims: [%s] }]
output [{ name: "logits" data_type: TYPE_FP32 dims: [%d] }]
dynamic_batching { %s }
instance_group [{ kind: KIND_CPU count: 1 }]
"""


class Contender:
    """A server that is up, and stopped except while it has its turn."""

    def __init__(self, name, address, processes):
        self.name, self.address = name, address
        self._processes = processes
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        for process in [self._processes, *descendants(self._processes)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    @contextlib.contextmanager
    def turn(self):
        self.signal(signal.SIGCONT)
        try:
            yield self
        finally:
            self.signal(signal.SIGSTOP)


def descendants(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [grand for child in children for grand in descendants(int(child))]


def pinned(folder, name, command):
    """A script that runs `command` on the servers' processor."""
    script = pathlib.Path(folder) / name
    script.write_text(f'#!/bin/sh\nexec taskset --cpu-list {SERVER_PROCESSOR} {command} "$@"\n')
    script.chmod(0o755)
    return str(script)


@contextlib.contextmanager
def our_server(arguments, folder):
    binary = pinned(folder, "anybit.sh", f"'{arguments.server}'")
    flags = ["--slots=1", "--threads_per_slot=1", "--max_batch=64"]
    ServerProcess.WATCHDOG_SECONDS = 24 * 3600  # the load's own limits end a hang
    with ServerProcess(binary, arguments.artifact, *flags) as server:
        contender = Contender("anybit", server.grpc_address, server.process.pid)
        try:
            yield contender
        finally:
            contender.signal(signal.SIGCONT)


def network_of(arguments):
    """The artifact's network as peers read it, with the ranges of its values."""
    import peer_models

    asked = subprocess.run(
        [arguments.engine, f"--artifact={arguments.artifact}"],
        input="describe\n", check=True, capture_output=True, text=True,
    )  # fmt: skip
    network = peer_models.Network.random(json.loads(asked.stdout)["network"])
    return network, peer_models.ranges(peer_models.run_by_definition(network, network.images(2)))


def write_repository(folder, runtime, network, limits, batching):
    import onnx
    import peer_models

    version = pathlib.Path(folder) / "network/1"
    version.mkdir(parents=True)
    for rows in PADDED_TO:
        model = peer_models.quantized_onnx(network, limits, rows, quantize_sums=runtime == "onnxruntime")
        onnx.save(model, str(version / f"network-{rows}.onnx"))
    (version / "runtime.txt").write_text(runtime)
    (version / "packages.txt").write_text(str(PEERS))
    shutil.copy(pathlib.Path(__file__).with_name("triton_model.py"), version / "model.py")
    extents = f"{network.channels}, {network.side}, {network.side}"
    classes = network.nodes[-1]["linear"]["out_features"]
    (version.parent / "config.pbtxt").write_text(CONFIG % (extents, classes, batching))


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def triton_server(arguments, folder, runtime, network, limits):
    home = PEERS / "pytriton/tritonserver"
    backends = pathlib.Path(folder) / "backends"
    if not backends.exists():
        shutil.copytree(home / "backends", backends, symlinks=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub = backends / "python/triton_python_backend_stub"
        stub.symlink_to(home / "python_backend_stubs" / version / "triton_python_backend_stub")
    repository = pathlib.Path(folder) / runtime
    write_repository(repository, runtime, network, limits, arguments.triton_batching)
    port = free_port()
    log = pathlib.Path(folder) / f"{runtime}.log"
    command = [
        "taskset", "--cpu-list", SERVER_PROCESSOR, home / "bin/tritonserver",
        f"--model-repository={repository}", f"--backend-directory={backends}", "--http-port=0",
        "--allow-http=false", "--allow-metrics=false", f"--grpc-port={port}", "--grpc-address=127.0.0.1",
        f"--backend-config=python,shm-region-prefix-name=anybit-{runtime}-{port}",
    ]  # fmt: skip
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, env=environment)
    try:
        give_up = time.monotonic() + LIMIT_SECONDS
        while "Started GRPCInferenceService" not in log.read_text():
            if process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit(f"Triton with {runtime} did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield (contender := Contender(f"Triton, {runtime}", f"127.0.0.1:{port}", process.pid))
    finally:
        with contextlib.suppress(UnboundLocalError):
            contender.signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def send(arguments, contender, *flags):
    """What http2-load reports, one dictionary for each rate."""
    # Whoever else runs on this processor must not delay the calls. Without the right to it nice warns, and runs.
    command = ["nice", "--adjustment=-20", "taskset", "--cpu-list", LOAD_PROCESSOR, arguments.load]
    command += ["--server", contender.address, "--json", "--seconds", arguments.seconds, *flags]
    printed = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    sys.stderr.write(printed.stderr)
    return [json.loads(line) for line in printed.stdout.splitlines()]


def measure(arguments, contenders):
    """By contender, by what was asked: one number a round."""
    found = {contender.name: {} for contender in contenders}

    def add(contender, what, value):
        found[contender.name].setdefault(what, []).append(value)

    for _ in range(arguments.rounds):
        for contender in contenders:
            with contender.turn():
                for callers in CALLERS:
                    report = send(arguments, contender, "--closed", callers)[0]
                    add(contender, f"closed {callers}, calls/s", report["calls_per_second"])
                    if callers == 1:
                        add(contender, "one caller, us a call", 1e6 / report["calls_per_second"])
        capacity = {name: statistics.median(times["closed 64, calls/s"]) for name, times in found.items()}
        same = 2 * min(capacity.values())
        for contender in contenders:
            rates = [capacity[contender.name], 2 * capacity[contender.name], same]
            with contender.turn():
                for what, rate in zip(("1x its capacity", "2x its capacity", "the same rate"), rates):
                    report = send(arguments, contender, "--rates", rate, "--deadline_ms", arguments.deadline_ms)[0]
                    add(contender, f"{what}, offered/s", report["offered"] / report["seconds"])
                    add(contender, f"{what}, in time/s", report["attained"] / report["seconds"])
                    add(contender, f"{what}, in time %", 100 * report["attained"] / report["offered"])
                    if report["was_bottleneck"]:
                        print(f"{contender.name}, {what}: the load generator was the bottleneck", file=sys.stderr)
    return found


def print_table(found):
    names = list(found)
    print(f"{'':28}" + "".join(f"{name:>34}" for name in names))
    for what in found[names[0]]:
        row = ""
        for name in names:
            values = found[name][what]
            row += f"{statistics.median(values):14.1f} ({min(values):8.1f} {max(values):8.1f})"
        print(f"{what:28}{row}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", default=str(ROOT / "model/default/fashion.safetensors"))
    parser.add_argument("--runtimes", default="openvino,onnxruntime")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each loop")
    parser.add_argument("--deadline-ms", type=float, default=50)
    parser.add_argument("--triton-batching", default="", help="what its configuration says in dynamic_batching")
    parser.add_argument("--server", default=str(ROOT / ".bazel/bin/server/anybit-server"))
    parser.add_argument("--load", default=str(ROOT / ".bazel/bin/tests/load/http2-load"))
    parser.add_argument("--engine", default=str(ROOT / ".bazel/bin/model/engine/engine_benchmark"))
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("one processor for the servers and another for the load are needed")
    network, limits = network_of(arguments)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        contenders = [stack.enter_context(our_server(arguments, folder))]
        for runtime in arguments.runtimes.split(","):
            server = triton_server(arguments, folder, runtime, network, limits)
            contenders.append(stack.enter_context(server))
        found = measure(arguments, contenders)
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    print(f"{processor}; medians of {arguments.rounds} rounds (least, greatest); deadline {arguments.deadline_ms:g} ms")
    print_table(found)
    if arguments.json:
        arguments.json.write_text(json.dumps({"processor": processor, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
