#!/usr/bin/env python3
"""Floods a server whose memory is limited, and prints what became of it and of its calls.

usage: flood.py [--server BINARY] [--artifacts BINARY] [--memory MIB] [--flood small|large|both] [SERVER FLAG...]

Two floods, each against a server of its own: 10,000 calls of 64 KiB and 300 calls of 9.6 MB, without deadlines, all
sent at once over four connections. Meanwhile somebody else sends a call of one row every 100 ms and asks /livez as
often. The server runs in a control group of version 1 or 2 with --memory MiB where this machine lets us make one (as
root); otherwise only its memory is watched.

It passes, with exit code 0, if the server lives, answers others meanwhile, and has less than 200 MiB within ten seconds
after the flood. scripts/setup fetches the Python packages that it needs.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".cache" / "python"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import grpc  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402

from server_process import ServerProcess  # noqa: E402

FLOODS = {
    # name: (calls, rows of each, side of the images, their channels)
    "small": (10_000, 64, 32, 1),
    "large": (300, 64, 224, 3),
}
CONNECTIONS = 4
# For the flood; the server is killed after it. Then the memory has RECOVERY_SECONDS to return below RECOVERED_MIB.
FLOOD_SECONDS = 180
RECOVERY_SECONDS = 10
RECOVERED_MIB = 200


class MemoryGroup:
    """A control group that limits memory; without the right to make one, nothing."""

    def __init__(self, mib):
        self.folder = None
        for top, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            folder = pathlib.Path(top) / f"anybit-flood-{os.getpid()}"
            try:
                folder.mkdir()
                (folder / limit).write_text(str(mib << 20))
                self.folder = folder
                return
            except OSError:
                if folder.is_dir():
                    folder.rmdir()

    def remove(self):
        if self.folder:
            self.folder.rmdir()


def resident_mib(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def request(stub, rows):
    model = stub.RepositoryIndex(service_pb2.RepositoryIndexRequest()).models[0].name
    tensor = stub.ModelMetadata(service_pb2.ModelMetadataRequest(name=model)).inputs[0]
    size = rows
    for extent in tensor.shape[1:]:
        size *= extent
    message = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[bytes(size)])
    message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=[rows, *tensor.shape[1:]])
    return message.SerializeToString()


def connect(address):
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(address, options)
    infer = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=lambda message: message,
        response_deserializer=lambda message: message,
    )
    return channel, infer


class Others:
    """Somebody who sends a small call and a probe ten times a second, and counts."""

    def __init__(self, server, message):
        self.calls = collections.Counter()
        self.slowest_probe = 0.0
        self.failed_probes = 0
        self._server = server
        self._channel, self._infer = connect(server.grpc_address)
        self._message = message
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call), threading.Thread(target=self._probe)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._channel.close()

    def _call(self):
        while not self._stop.wait(0.1):
            try:
                self._infer(self._message, timeout=5)
                self.calls["OK"] += 1
            except grpc.RpcError as error:
                self.calls[error.code().name] += 1

    def _probe(self):
        while not self._stop.wait(0.1):
            start = time.monotonic()
            try:
                urllib.request.urlopen(f"http://{self._server.http_address}/livez", timeout=10).read()
            except OSError:
                self.failed_probes += 1
            self.slowest_probe = max(self.slowest_probe, time.monotonic() - start)


def run(server_binary, artifact, memory, calls, rows, flags):
    group = MemoryGroup(memory)
    limit = f"a control group of {memory} MiB" if group.folder else "no limit: no control group can be made here"
    print(f"{calls} calls of {rows} rows, {limit}")
    try:
        # The server is a child of a shell that enters the group first.
        wrapper = pathlib.Path(artifact).with_suffix(".sh")
        enter = f"echo $$ > {group.folder}/cgroup.procs\n" if group.folder else ""
        wrapper.write_text(f'#!/bin/sh\n{enter}exec {server_binary} "$@"\n')
        wrapper.chmod(0o755)
        with ServerProcess(str(wrapper), artifact, *flags) as server:
            return flood(server, calls, rows)
    finally:
        group.remove()


def flood(server, calls, rows):
    pid = server.process.pid
    channel = grpc.insecure_channel(server.grpc_address)
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
    one_row, message = request(stub, 1), request(stub, rows)
    channel.close()
    before = resident_mib(pid)
    others = Others(server, one_row)
    outcomes, messages = collections.Counter(), {}
    lock, ended = threading.Lock(), threading.Event()

    def done(call):
        code = call.code()
        with lock:
            outcomes[code.name] += 1
            if code != grpc.StatusCode.OK:
                messages.setdefault(code.name, call.details())
            if sum(outcomes.values()) == calls:
                ended.set()

    channels = [connect(server.grpc_address) for _ in range(CONNECTIONS)]
    start = time.monotonic()
    print(f"  {'s':>6} {'RSS, MiB':>9} {'answered':>9} {'refused':>8} {'failed':>7}")
    highest = before

    def row():
        with lock:
            counts = dict(outcomes)
        answered, refused = counts.get("OK", 0), counts.get("RESOURCE_EXHAUSTED", 0)
        failed = sum(counts.values()) - answered - refused
        seconds = time.monotonic() - start
        print(f"  {seconds:6.1f} {resident_mib(pid):9.1f} {answered:9} {refused:8} {failed:7}", flush=True)

    row()
    pending = []

    def send():
        for i in range(calls):
            call = channels[i % CONNECTIONS][1].future(message)
            call.add_done_callback(done)
            pending.append(call)

    sender = threading.Thread(target=send)
    sender.start()
    shown = 0
    while not ended.wait(0.05) and time.monotonic() - start < FLOOD_SECONDS and server.process.poll() is None:
        highest = max(highest, resident_mib(pid))
        if time.monotonic() - start >= shown + 2:
            shown += 2
            row()
    sender.join()
    flood_seconds = time.monotonic() - start
    row()
    for channel, _ in channels:
        channel.close()
    lives = server.process.poll() is None
    recovered = None
    end = time.monotonic()
    while lives and time.monotonic() - end < RECOVERY_SECONDS:
        if recovered is None and resident_mib(pid) < RECOVERED_MIB:
            recovered = time.monotonic() - end
        time.sleep(0.1)
        lives = server.process.poll() is None
    row()
    others.stop()
    print(f"  memory: {before:.0f} MiB before, {highest:.0f} at most, {resident_mib(pid):.0f} ten seconds after")
    print(f"  flood: {dict(outcomes)} in {flood_seconds:.1f} s; others: {dict(others.calls)}")
    print(f"  /livez: {others.slowest_probe * 1000:.0f} ms at most, {others.failed_probes} without an answer")
    for code, text in messages.items():
        print(f"  {code}: {text}")
    if not lives:
        print(f"  the server ended with {server.process.poll()}")
    passed = lives and recovered is not None and others.calls["OK"] > 0 and others.failed_probes == 0
    print("  passed" if passed else "  FAILED", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=str(ROOT / ".bazel/bin/server/anybit-server"))
    parser.add_argument("--artifacts", default=str(ROOT / ".bazel/bin/tests/integration/random_artifact"))
    parser.add_argument("--memory", type=int, default=512, help="MiB that the server may use")
    parser.add_argument("--flood", choices=[*FLOODS, "both"], default="both")
    arguments, flags = parser.parse_known_args()
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for name, (calls, rows, side, channels) in FLOODS.items():
            if arguments.flood not in (name, "both"):
                continue
            artifact = f"{folder}/{name}.safetensors"
            subprocess.run([arguments.artifacts, artifact, str(side), str(channels)], check=True)
            passed &= run(arguments.server, artifact, arguments.memory, calls, rows, ["--max_queue=100000", *flags])
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
