#!/usr/bin/env python3
"""A server on one processor that gets many times the calls it can answer stays small, answers some, and recovers.

usage: overload_test.py LOAD SERVER ARTIFACT
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402
from tls import Certificate, Tunnel  # noqa: E402

LOAD, SERVER, ARTIFACT = "", "", ""  # from the command line

# Calls/s, for a second each: several times what a processor answers, then a light load.
FLOOD, LIGHT = 30_000, 50
# Of the server's resident memory, above its peak before. Calls that may still be answered within their 500 ms wait
# inside, at most 250 ms of answers: at 7,000/s and 17 KiB each, 30 MiB. Without the front, 64,000 calls/s for two
# seconds added 1,100 MiB.
MAX_GROWTH_MIB = 64


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024


def send(address, rate, *flags):
    command = [LOAD, "--server", address, "--json", "--rates", str(rate), "--seconds", "1", *flags]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class OverloadTest(unittest.TestCase):
    USES_TLS = False

    def setUp(self):
        certificate = Certificate(self.enterContext(tempfile.TemporaryDirectory())) if self.USES_TLS else None
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(everywhere)})
        flags = ["--max_batch=16", "--slots=1", *(certificate.flags if certificate else [])]
        self.server = self.enterContext(ServerProcess(SERVER, ARTIFACT, *flags))
        os.sched_setaffinity(0, everywhere)
        self.address = self.server.grpc_address
        if certificate:
            self.address = self.enterContext(Tunnel(self.address, certificate)).address

    def test_calls_that_come_faster_than_they_are_refused_do_not_pile_up(self):
        before = peak_mib(self.server.process.pid)
        report = send(self.address, FLOOD, "--deadline_ms", "500")
        self.assertGreater(report["attained"], 0, report)
        self.assertLess(peak_mib(self.server.process.pid) - before, MAX_GROWTH_MIB)
        self.expect_to_serve_a_light_load()

    def expect_to_serve_a_light_load(self):
        report = send(self.address, LIGHT, "--deadline_ms", "60000")
        self.assertEqual(report["attained"], report["offered"], report)


class TlsOverloadTest(OverloadTest):
    USES_TLS = True


if __name__ == "__main__":
    LOAD, SERVER, ARTIFACT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
