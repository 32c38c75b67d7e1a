#!/usr/bin/env python3
"""Classifies all 10,000 test images through a running server, pinned to each operating point in turn.

usage: tests/load/measure_accuracy.py [HOST:PORT]      (default 127.0.0.1:8001; build //client:anybit-client first)

Prints for each point the accuracy that was measured and the one that the artifact promises. They must be equal, image
for image: the exit status is 1 if one differs.
"""

import json
import pathlib
import subprocess
import sys

CLIENT = pathlib.Path(__file__).resolve().parents[2] / ".bazel/bin/client/anybit-client"
DATASET = "/usr/share/datasets/fashion-mnist"


def ask(server, *words):
    """What the client says to `words`, as JSON: the last line."""
    ran = subprocess.run([CLIENT, "--server", server, "--json", *words], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def main(server):
    properties = ask(server, "status")["properties"]
    equal = True
    print(f"{'point':<8} {'measured':>9} {'promised':>9}")
    for point in properties["operating_points"].split(","):
        promised_bp = int(properties[f"operating_point.{point}.accuracy_bp"])
        measured = ask(
            server,
            "classify",
            f"{DATASET}/t10k-images-idx3-ubyte.gz",
            f"--labels={DATASET}/t10k-labels-idx1-ubyte.gz",
            f"--operating-point={point}",
        )
        # Of 10,000 images one is one basis point.
        differs = measured["images"] != 10_000 or measured["right"] != promised_bp
        equal = equal and not differs
        print(f"{point:<8} {measured['right'] / 100:7.2f} % {promised_bp / 100:7.2f} %{'  differs' if differs else ''}")
    return 0 if equal else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:] or ["127.0.0.1:8001"]))
    except subprocess.CalledProcessError as failed:
        sys.exit(f"measure_accuracy.py: the client ended with {failed.returncode}")
