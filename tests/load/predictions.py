#!/usr/bin/env python3
"""Whether the profile that a server measures at its start holds for the traffic that comes: bursts and single calls.

usage: tests/load/predictions.py [--server BINARY] [--artifact FILE] [--calls N] [--pause_ms MS] [--json FILE]

Build //server:anybit-server first. For each operating point and for 1 and 8 rows: calls one after the other, at once
and with a pause before each. Prints medians of the computing time that the responses tell, what the profile says for
that state of the machine (busy or at rest), and their quotient. The server has the first processor, the calls the
last.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402

ROWS = (1, 8)


class Caller:
    """Sends images of zeros over one connection, to one point of the network."""

    def __init__(self, address, model, shape):
        host, port = address.rsplit(":", 1)
        self._connection = http.client.HTTPConnection(host, int(port))
        self._path, self._shape = f"/v2/models/{model}/infer", shape

    def compute_us(self, point, rows):
        shape = [rows, *self._shape]
        size = 1
        for extent in shape:
            size *= extent
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "UINT8",
                        "shape": shape,
                        "parameters": {"binary_data_size": size},
                    }
                ],
                "parameters": {"operating_point": point},
            }
        ).encode()
        self._connection.request(
            "POST", self._path, head + bytes(size), {"Inference-Header-Content-Length": str(len(head))}
        )
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"predictions.py: {answer.status}: {body[:300]}")
        length = int(answer.getheader("Inference-Header-Content-Length", len(body)))
        return json.loads(body[:length])["parameters"]["compute_us"]


def measure(caller, point, rows, calls, pause):
    """The median computing time of calls that each follow a pause."""
    times = []
    for _ in range(calls):
        time.sleep(pause)
        times.append(caller.compute_us(point, rows))
    return statistics.median(times)


def run(arguments):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "profile.json"
        flags = [f"--save_profile={file}", "--max_batch=16"]
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the server's; it inherits ours
        with ServerProcess(arguments.server, arguments.artifact, *flags) as server:
            os.sched_setaffinity(0, {max(range(os.cpu_count()))})
            profile = json.loads(file.read_text())
            caller = Caller(server.http_address, arguments.model, arguments.shape)
            rows_of_table = []
            print(f"{'point':<8}{'rows':>5}{'state':>9}{'profile, us':>13}{'measured, us':>14}{'quotient':>10}")
            for point in profile["points"]:
                for rows in ROWS:
                    for state, key, pause in (
                        ("busy", "latency_us", 0),
                        ("at rest", "rested_us", arguments.pause_ms / 1000),
                    ):
                        measure(caller, point["name"], rows, 5, 0)
                        actual = measure(caller, point["name"], rows, arguments.calls, pause)
                        predicted = point[key][rows - 1]
                        rows_of_table.append([point["name"], rows, state, predicted, actual])
                        print(
                            f"{point['name']:<8}{rows:>5}{state:>9}{predicted:>13.0f}{actual:>14.0f}"
                            f"{predicted / actual:>10.2f}",
                            flush=True,
                        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows_of_table) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=ROOT / ".bazel/bin/server/anybit-server")
    parser.add_argument("--artifact", default=ROOT / "model/default/fashion.safetensors")
    parser.add_argument("--model", default="fashion")
    parser.add_argument("--shape", type=lambda text: [int(word) for word in text.split(",")], default=[32, 32, 1])
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--pause_ms", type=float, default=20)
    parser.add_argument("--json", type=pathlib.Path)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
