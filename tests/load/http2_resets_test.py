#!/usr/bin/env python3
"""A client that opens and cancels calls by the ten thousand takes no more of the server's memory than a bounded amount.

usage: http2_resets_test.py RESETS LOAD SERVER ARTIFACT
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402

RESETS, LOAD, SERVER, ARTIFACT = "", "", "", ""  # from the command line

CALLS = 100_000
# Of the server's resident memory, above its peak before. A callback service kept 385 MiB and more, one thread that
# reads and handles 1.4 GiB; two threads 15 to 93 MiB on two processors that others used as well; a front 2 MiB.
MAX_GROWTH_MIB = {"one processor": 32, "more processors": 250}


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024


@contextlib.contextmanager
def processors(numbers):
    """What is started meanwhile runs on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Http2ResetsTest(unittest.TestCase):
    def check(self, name, numbers):
        with processors(numbers):
            server = ServerProcess(SERVER, ARTIFACT, "--max_batch=4", "--slots=1")
        with server:
            before = peak_mib(server.process.pid)
            subprocess.run([RESETS, server.grpc_address, str(CALLS)], check=True)
            load = [LOAD, "--server", server.grpc_address, "--json", "--rates", "100", "--seconds", "0.3"]
            done = subprocess.run([*load, "--deadline_ms", "60000"], check=True, capture_output=True, text=True)
            report = json.loads(done.stdout)
            self.assertEqual(report["attained"], report["offered"], report)
            growth = peak_mib(server.process.pid) - before
            print(f"{name}: {CALLS} calls were cancelled; the server's memory grew by {growth:.0f} MiB")
            self.assertLess(growth, MAX_GROWTH_MIB[name])

    def test_cancelled_calls_do_not_pile_up_on_one_processor_and_others_are_served_afterwards(self):
        self.check("one processor", {min(os.sched_getaffinity(0))})

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "there is one processor")
    def test_cancelled_calls_do_not_pile_up_on_more_processors_and_others_are_served_afterwards(self):
        self.check("more processors", os.sched_getaffinity(0))


if __name__ == "__main__":
    RESETS, LOAD, SERVER, ARTIFACT = sys.argv[1:5]
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
