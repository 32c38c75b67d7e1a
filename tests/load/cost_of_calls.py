#!/usr/bin/env python3
"""What a call costs the server's processor, beside a bare gRPC server that answers with the same bytes.

usage: cost_of_calls.py [--server FILE] [--artifact FILE] [--callers N] [--seconds S] [--rounds N]

Each server runs on one processor, http2-load on another. The artifact of //tests/integration:trivial_artifact is a
network that computes nearly nothing, so that what is left is the call. Rounds alternate between the servers.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "hardening"))

import attack  # noqa: E402
import grpc  # noqa: E402
import numpy  # noqa: E402
from server_process import ServerProcess  # noqa: E402
from tritonclient.grpc import service_pb2  # noqa: E402

BIN = ROOT / ".bazel" / "bin"
BARE_ADDRESS = "127.0.0.1:9109"


def keep_answers(address, folder):
    """The bytes with which our server answers what http2-load asks."""
    with grpc.insecure_channel(address) as channel:

        def ask(method, request):
            call = channel.unary_unary(attack.SERVICE + method, request_serializer=bytes, response_deserializer=bytes)
            answer = call(request.SerializeToString())
            pathlib.Path(folder, method).write_bytes(answer)
            return answer

        ask("ServerLive", service_pb2.ServerLiveRequest())
        index = service_pb2.RepositoryIndexResponse.FromString(
            ask("RepositoryIndex", service_pb2.RepositoryIndexRequest())
        )
        name = index.models[0].name
        ask("ModelConfig", service_pb2.ModelConfigRequest(name=name))
        metadata = service_pb2.ModelMetadataResponse.FromString(
            ask("ModelMetadata", service_pb2.ModelMetadataRequest(name=name))
        )
        shape = [1, *metadata.inputs[0].shape[1:]]
        request = service_pb2.ModelInferRequest(model_name=name)
        request.inputs.add(name=metadata.inputs[0].name, datatype="UINT8", shape=shape)
        request.raw_input_contents.append(bytes(int(numpy.prod(shape))))
        ask("ModelInfer", request)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(address, pid, options, *flags):
    """(calls/s, µs of processor time for each)"""
    before = processor_seconds(pid)
    command = ["taskset", "-c", options.load_processor, BIN / "tests/load/http2-load", "--server", address, "--json"]
    command += ["--closed", str(options.callers), "--seconds", str(options.seconds), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout.splitlines()[-1])
    return report["calls"] / report["seconds"], (processor_seconds(pid) - before) * 1e6 / report["calls"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=BIN / "server/anybit-server")
    parser.add_argument("--artifact", default=BIN / "tests/integration/trivial.safetensors")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load_processor", default="1")
    options = parser.parse_args()
    pin = ["taskset", "-c", "0"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as wrapper:
        pinned = pathlib.Path(wrapper, "pinned")
        pinned.write_text(f'#!/bin/sh\nexec {" ".join(pin)} {options.server} "$@"\n')
        pinned.chmod(0o755)
        with ServerProcess(pinned, options.artifact) as server:
            keep_answers(server.grpc_address, folder)
            bare = subprocess.Popen(
                [*pin, BIN / "tests/load/bare-grpc", BARE_ADDRESS, folder], stdout=subprocess.PIPE, text=True
            )
            bare.stdout.readline()
            try:
                for _ in range(options.rounds):
                    flags = ("--operating_point", "w4a4f")
                    ours = measure(server.grpc_address, server.process.pid, options, *flags)
                    echo = measure(BARE_ADDRESS, bare.pid, options)
                    for name, (rate, cost) in (("ours", ours), ("bare", echo)):
                        print(f"{name}: {rate:8.0f} calls/s, {cost:6.1f} us of processor time for each")
                    print(f"      cost {ours[1] / echo[1]:.2f} times the bare one's", flush=True)
            finally:
                bare.kill()
                bare.wait()


if __name__ == "__main__":
    main()
