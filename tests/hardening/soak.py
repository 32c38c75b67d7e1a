#!/usr/bin/env python3
"""Loads a server for a long time with clients that crash, and says whether its memory and descriptors stay flat.

Group 18 of docs/hardening.md. Steady clients send requests one after the other, by gRPC and by REST; others open calls
and streams, and are killed in the middle of them.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import attack
from server_process import ServerProcess

SAMPLE_SECONDS = 5
WARM_UP = 0.2  # of the time: what is resident then is compared with the end
MAX_GROWTH = 1.05  # of memory
MAX_MORE_DESCRIPTORS = 16


def steady(address, seed):
    """A client process: requests until it is killed, each after a random pause."""
    import grpc
    import numpy
    from tritonclient.grpc import service_pb2

    draw = random.Random(seed)
    channel = grpc.insecure_channel(address)
    infer = channel.unary_unary(attack.SERVICE + "ModelInfer", request_serializer=bytes, response_deserializer=bytes)
    stream = channel.stream_stream(
        attack.SERVICE + "ModelStreamInfer", request_serializer=bytes, response_deserializer=bytes
    )
    index = channel.unary_unary(
        attack.SERVICE + "RepositoryIndex", request_serializer=bytes, response_deserializer=bytes
    )
    model = service_pb2.RepositoryIndexResponse.FromString(index(b"", wait_for_ready=True)).models[0].name
    metadata = channel.unary_unary(
        attack.SERVICE + "ModelMetadata", request_serializer=bytes, response_deserializer=bytes
    )(service_pb2.ModelMetadataRequest(name=model).SerializeToString())
    metadata = service_pb2.ModelMetadataResponse.FromString(metadata)
    request = service_pb2.ModelInferRequest(model_name=model)
    shape = [1, *metadata.inputs[0].shape[1:]]
    request.inputs.add(name=metadata.inputs[0].name, datatype="UINT8", shape=shape)
    request.raw_input_contents.append(bytes(int(numpy.prod(shape))))
    body = request.SerializeToString()
    while True:
        try:
            if draw.random() < 0.1:
                for _ in stream(iter([body] * draw.randrange(1, 50))):
                    pass
            else:
                infer(body, timeout=draw.choice([0.05, 1, 60]))
        except grpc.RpcError:
            pass
        time.sleep(draw.expovariate(50))


class Clients:
    """Processes that send; some of them are killed all the time."""

    def __init__(self, address, count):
        self.address, self.seed = address, 0
        self.running = [self.start() for _ in range(count)]
        self.crashed = 0

    def start(self):
        self.seed += 1
        return subprocess.Popen([sys.executable, __file__, "--client", self.address, str(self.seed)])

    def crash_one(self):
        victim = self.running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.crashed += 1
        self.running.append(self.start())

    def stop(self):
        for client in self.running:
            client.kill()
            client.wait()


def resident_and_descriptors(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def scrape(address):
    """Each series, by its name and its labels but the version: the sum of all versions."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=attack.SECONDS) as page:
        lines = page.read().decode().splitlines()
    sums = collections.defaultdict(float)
    for line in lines:
        if line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        sums[re.sub(r',?version="\d+"', "", series).replace("{}", "")] += float(value)
    return dict(sums)  # a name that is not there is an error


def soak(options):
    samples = []
    with ServerProcess(options.server, options.artifact, "--max_batch=16") as server:
        server._watchdog.cancel()
        clients = Clients(server.grpc_address, options.clients)
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < options.minutes * 60:
                time.sleep(SAMPLE_SECONDS)
                clients.crash_one()
                metrics = scrape(server.http_address)
                samples.append(resident_and_descriptors(server.process.pid))
                served = metrics['anybit_requests_total{outcome="served"}']
                resident, descriptors = samples[-1]
                line = f"{time.monotonic() - begin:6.0f} s  {resident / 1e6:7.1f} MB  {descriptors:4d} descriptors"
                print(f"{line}  {served:9.0f} served", flush=True)
        finally:
            clients.stop()
        time.sleep(SAMPLE_SECONDS)
        idle = scrape(server.http_address)
        waiting, held = idle["anybit_queue_requests"], idle["anybit_request_memory_bytes"]
        server.terminate()
        code = server.exit_code()
    settled = samples[int(len(samples) * WARM_UP) :]
    third = max(len(settled) // 3, 1)
    early, late = (sorted(part)[len(part) // 2] for part in (settled[:third], settled[-third:]))
    most = max(descriptors for _, descriptors in settled[:third])
    print(f"memory {early[0] / 1e6:.1f} MB, then {late[0] / 1e6:.1f} MB; descriptors at most {most}, then {late[1]};")
    print(f"{clients.crashed} clients crashed; afterwards {waiting:.0f} waiting, {held:.0f} bytes held; exit {code}")
    is_flat = late[0] <= early[0] * MAX_GROWTH and late[1] <= most + MAX_MORE_DESCRIPTORS
    return 0 if is_flat and waiting == 0 and held == 0 and code == 0 else 1


def main():
    if sys.argv[1:2] == ["--client"]:
        threading.Thread(target=leave_with_parent, daemon=True).start()
        return steady(sys.argv[2], int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=".bazel/bin/server/anybit-server")
    parser.add_argument("--artifact", default="model/default/fashion.safetensors")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--clients", type=int, default=6)
    return soak(parser.parse_args())


def leave_with_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
