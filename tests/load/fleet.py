#!/usr/bin/env python3
"""Three replicas behind a client's own balancing: what its calls see while replicas restart, stall and are killed.

usage: tests/load/fleet.py [--artifact FILE] [--rate CALLS/S] [--seconds S] [--deadline-ms MS] [--processes N]
                           [--drain-delay S] [--server BINARY] [--json FILE]

Needs root (each replica runs in a network namespace with an address of its own) and, before it:

    scripts/setup && bazel build //server:anybit-server

Processes of gRPC's Python client send calls at a Poisson rate through one channel each to all three addresses, with
round-robin balancing and a retry on UNAVAILABLE. Phases, each `--seconds` long or as long as it takes: nothing happens;
each replica restarts in turn (SIGTERM, then a new process on the same address); one replica stalls (SIGSTOP) and goes
on; one is killed (SIGKILL) and replaced. For each phase: calls sent, answered in time, answered late, failed by code.
"""

import argparse
import collections
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".cache/python"), str(ROOT / "tests/integration")]

from server_process import ServerProcess  # noqa: E402

BRIDGE, PREFIX, GATEWAY = "anybit-fleet", "10.199.99", 1
REPLICAS = 3
PORT = 8001

SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.005s",
                "maxBackoff": "0.02s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


@contextlib.contextmanager
def network():
    """A bridge, and one namespace with an address for each replica; the names of the namespaces."""
    names = [f"{BRIDGE}-{i}" for i in range(REPLICAS)]
    remove_network(names)
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{PREFIX}.{GATEWAY}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for i, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"fleet{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"fleet{i}", "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{address(i)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        remove_network(names)


def remove_network(names):
    for name in names:
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL, check=False)


def address(replica):
    return f"{PREFIX}.{10 + replica}"


class Replica:
    """A server in a namespace. Its clients know its address; its HTTP side listens in the namespace only."""

    def __init__(self, arguments, folder, namespace, index):
        self._arguments, self._folder = arguments, folder
        self._namespace, self._index = namespace, index
        self.server = None
        self.start()

    def start(self):
        script = pathlib.Path(self._folder) / f"{self._namespace}.sh"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self._namespace} "{self._arguments.server}" "$@"\n')
        script.chmod(0o755)
        profile = f"{self._folder}/profile.json"
        flags = [f"--profile={profile}", f"--save_profile={profile}", "--slots=1", "--threads_per_slot=1"]
        flags += [f"--drain_delay={self._arguments.drain_delay}s", f"--grpc_address={address(self._index)}:{PORT}"]
        ServerProcess.WATCHDOG_SECONDS = 3600
        self.server = FleetServer(str(script), self._arguments.artifact, *flags)

    def signal(self, number):
        self.server.process.send_signal(number)

    def end(self, number):
        self.signal(number)
        code = self.server.exit_code()
        self.server.__exit__()
        return code


class FleetServer(ServerProcess):
    def _await_address(self, protocol):
        """ServerProcess looks for an address of the loopback device; the one of gRPC is another here."""
        if protocol != "gRPC":
            return super()._await_address(protocol)
        pattern = re.compile(rf"gRPC {re.escape(PREFIX)}")
        while not pattern.search("".join(self.printed)):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("the server ended before it served:\n" + "".join(self.printed))
            self.printed.append(line)
        return ""


def send_calls(arguments, seed, phase, counts, stop):
    """The process of one client: sends until `stop` is set, and counts by phase what comes of its calls."""
    import grpc
    import numpy
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    target = "ipv4:" + ",".join(f"{address(i)}:{PORT}" for i in range(REPLICAS))
    options = [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    channel = grpc.insecure_channel(target, options)
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
    name = stub.RepositoryIndex(service_pb2.RepositoryIndexRequest()).models[0].name
    metadata = stub.ModelMetadata(service_pb2.ModelMetadataRequest(name=name)).inputs[0]
    request = service_pb2.ModelInferRequest(model_name=name)
    tensor = request.inputs.add(name=metadata.name, datatype=metadata.datatype)
    tensor.shape.extend([1, *metadata.shape[1:]])
    request.raw_input_contents.append(numpy.zeros(list(metadata.shape)[1:], numpy.uint8).tobytes())

    found = collections.Counter()
    lock = threading.Lock()
    chance = random.Random(seed)
    limit = arguments.deadline_ms / 1000

    def done(call, began, number):
        code = call.code()
        took = time.monotonic() - began
        if code == grpc.StatusCode.OK:
            outcome = "in time" if took <= limit else "late"
        else:
            outcome = code.name
        with lock:
            found[number, outcome] += 1

    due = time.monotonic()
    while not stop.is_set():
        due += chance.expovariate(arguments.rate / arguments.processes)
        time.sleep(max(0, due - time.monotonic()))
        number = phase.value
        # Latency counts from the intended instant. The deadline leaves a late answer time to be counted as such.
        call = stub.ModelInfer.future(request, timeout=4 * limit)
        call.add_done_callback(lambda ended, began=due, number=number: done(ended, began, number))
    time.sleep(5 * limit)
    with lock:
        counts.put(dict(found))
    channel.close()


def run_phases(arguments, replicas, phase):
    """Runs each phase; their names."""
    names = []

    def begin(name):
        phase.value = len(names)
        names.append(name)
        print(f"{name} ...", file=sys.stderr, flush=True)

    def pause():
        time.sleep(arguments.seconds)

    begin("steady")
    pause()
    begin("rolling restart")
    for replica in replicas:
        code = replica.end(signal.SIGTERM)
        if code != 0:
            print(f"a replica that was asked to stop ended with {code}", file=sys.stderr)
        replica.start()
        time.sleep(1)  # as a readiness probe would take
    begin("steady again")
    pause()
    begin("one stalls")
    replicas[0].signal(signal.SIGSTOP)
    pause()
    replicas[0].signal(signal.SIGCONT)
    begin("after the stall")
    pause()
    begin("one is killed")
    replicas[1].end(signal.SIGKILL)
    replicas[1].start()
    pause()
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", default=str(ROOT / "model/default/fashion.safetensors"))
    parser.add_argument("--rate", type=float, default=300, help="calls/s of all processes together")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--deadline-ms", type=float, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--drain-delay", type=float, default=1, help="of the servers, in seconds")
    parser.add_argument("--server", default=str(ROOT / ".bazel/bin/server/anybit-server"))
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("network namespaces take root")

    phase = multiprocessing.Value("i", 0)
    stop, counts = multiprocessing.Event(), multiprocessing.Queue()
    with network() as namespaces, tempfile.TemporaryDirectory() as folder:
        replicas = []
        try:
            for index, namespace in enumerate(namespaces):
                replicas.append(Replica(arguments, folder, namespace, index))
            clients = [
                multiprocessing.Process(target=send_calls, args=(arguments, seed, phase, counts, stop))
                for seed in range(arguments.processes)
            ]
            for client in clients:
                client.start()
            time.sleep(1)
            names = run_phases(arguments, replicas, phase)
            stop.set()
            total = collections.Counter()
            for _ in clients:
                total.update(counts.get(timeout=60))
            for client in clients:
                client.join()
        finally:
            for replica in replicas:
                if replica.server.process.poll() is None:
                    replica.signal(signal.SIGCONT)
                    replica.end(signal.SIGKILL)
    print_table(arguments, names, total)
    if arguments.json:
        rows = [{"phase": name, **outcomes_of(total, i)} for i, name in enumerate(names)]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def outcomes_of(total, phase):
    return {outcome: count for (number, outcome), count in sorted(total.items()) if number == phase}


def print_table(arguments, names, total):
    print(f"{arguments.rate:g} calls/s to {REPLICAS} replicas, deadline {arguments.deadline_ms:g} ms")
    print(f"{'phase':18} {'calls':>7} {'in time':>8} {'late':>6} {'failed':>7}")
    for number, name in enumerate(names):
        outcomes = outcomes_of(total, number)
        sent, in_time, late = sum(outcomes.values()), outcomes.pop("in time", 0), outcomes.pop("late", 0)
        codes = ", ".join(f"{count} {code}" for code, count in outcomes.items())
        print(f"{name:18} {sent:7} {in_time:8} {late:6} {sum(outcomes.values()):7}  {codes}")


if __name__ == "__main__":
    main()
