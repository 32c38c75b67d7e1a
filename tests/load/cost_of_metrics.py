#!/usr/bin/env python3
"""What metrics and the log add to a request: their nanoseconds over the server's processor time for a request.

usage: tests/load/cost_of_metrics.py [--rate CALLS/S] [--seconds S] [--rounds N]

Needs //tests/load:observer_benchmark and the programs that scripts/serve builds. Rounds alternate between the
benchmark and a load on the server, whose processor time is that of its process. Scrapes come every 15 s, as in
deploy/k8s.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402

BIN = ROOT / ".bazel" / "bin"
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
SCRAPE_SECONDS = 15


def counted(server):
    """(processor seconds of the server, requests that it has served)."""
    with urllib.request.urlopen(f"http://{server.http_address}/metrics") as answer:
        text = answer.read().decode()
    ended = re.findall(r'^anybit_requests_total\{[^}]*outcome="served"[^}]*\} (\S+)', text, re.M)
    served = sum(float(number) for number in ended)
    return float(re.search(r"^process_cpu_seconds_total (\S+)", text, re.M)[1]), served


def processor_time(server, arguments):
    """Nanoseconds of the server's processor for a request."""
    before = counted(server)
    subprocess.run(
        [BIN / "client/anybit-load", f"--server={server.grpc_address}", f"--images={IMAGES}",
         f"--steps={arguments.rate}", f"--step_seconds={arguments.seconds}"],
        check=True, capture_output=True,
    )  # fmt: skip
    after = counted(server)
    return 1e9 * (after[0] - before[0]) / (after[1] - before[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    measured, requests = [], []
    with ServerProcess(BIN / "server/anybit-server", ROOT / "model/default/fashion.safetensors") as server:
        processor_time(server, arguments)  # warm-up
        for _ in range(arguments.rounds):
            ran = subprocess.run([BIN / "tests/load/observer_benchmark"], check=True, capture_output=True, text=True)
            measured.append(json.loads(ran.stdout))
            requests.append(processor_time(server, arguments))
        server.terminate()
        server.exit_code()
    cost = {name: statistics.median(one[name] for one in measured) for name in measured[0]}
    request = statistics.median(requests)
    scrape = cost["scrape_ns"] / (SCRAPE_SECONDS * arguments.rate)
    print(f"a request takes {request / 1000:.1f} us of the server's processor at {arguments.rate:g} calls/s")
    for name, nanoseconds in [
        ("metrics, batches of one row", cost["metrics_ns"]),
        ("metrics, batches of eight rows", cost["metrics_ns_in_batches_of_8"]),
        ("statistics of the protocol", cost["statistics_ns"]),
        ("log, of a request that is served", cost["log_ns"]),
        ("its part of a scrape each 15 s", scrape),
    ]:
        print(f"  {name:34} {nanoseconds:7.0f} ns  {100 * nanoseconds / request:6.3f} %")
    total = cost["metrics_ns"] + cost["statistics_ns"] + cost["log_ns"] + scrape
    print(f"  {'all, batches of one row':34} {total:7.0f} ns  {100 * total / request:6.3f} %")
    print(f"a refusal: metrics {cost['metrics_ns_of_a_refusal']:.0f} ns, log {cost['log_ns_of_a_refusal']:.0f} ns")
    print(f"a scrape: {cost['scrape_ns'] / 1000:.0f} us for {cost['scrape_bytes']:.0f} bytes of one version")


if __name__ == "__main__":
    main()
