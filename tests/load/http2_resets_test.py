#!/usr/bin/env python3
"""A client that opens and cancels calls by the ten thousand takes no more of the server's memory than a bounded amount.

usage: http2_resets_test.py RESETS LOAD SERVER ARTIFACT
"""

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
# reads and handles 1.4 GiB; two threads 15 to 93 MiB on two processors that others used as well.
MAX_GROWTH_MIB = 250


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "with one processor the server has one thread to read and handle")
class Http2ResetsTest(unittest.TestCase):
    def test_cancelled_calls_do_not_pile_up_and_others_are_served_afterwards(self):
        with ServerProcess(SERVER, ARTIFACT, "--max_batch=4", "--slots=1") as server:
            before = peak_mib(server.process.pid)
            subprocess.run([RESETS, server.grpc_address, str(CALLS)], check=True)
            load = [LOAD, "--server", server.grpc_address, "--json", "--rates", "100", "--seconds", "0.3"]
            done = subprocess.run([*load, "--deadline_ms", "60000"], check=True, capture_output=True, text=True)
            report = json.loads(done.stdout)
            self.assertEqual(report["attained"], report["offered"], report)
            growth = peak_mib(server.process.pid) - before
            print(f"{CALLS} calls were cancelled; the server's memory grew by {growth:.0f} MiB")
            self.assertLess(growth, MAX_GROWTH_MIB)


if __name__ == "__main__":
    RESETS, LOAD, SERVER, ARTIFACT = sys.argv[1:5]
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
