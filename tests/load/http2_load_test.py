#!/usr/bin/env python3
"""http2-load against the real server: every call ends in exactly one way, and in the right one.

usage: http2_load_test.py LOAD SERVER ARTIFACT
"""

import json
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from server_process import ServerProcess  # noqa: E402

LOAD, SERVER, ARTIFACT = "", "", ""  # from the command line
# No call takes this long, however busy the machine is.
NO_DEADLINE = ("--deadline_ms", "60000")


def run(server, *flags):
    command = [LOAD, "--server", server.grpc_address, "--json", *flags]
    return subprocess.run(command, capture_output=True, text=True)


class Http2LoadTest(unittest.TestCase):
    """All tests share one server, which allows two streams on a connection."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT, "--max_batch=4", "--max_streams=2"))

    def reports(self, *flags):
        done = run(self.server, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_each_ended_once(self, report):
        ended = sum(report[ending] for ending in ("attained", "late", "shed", "expired", "failed"))
        self.assertEqual(ended, report["offered"], report)
        self.assertEqual(report["failed"], 0, report)

    def test_all_calls_of_each_rate_are_answered_when_they_have_time(self):
        reports = self.reports("--rates", "100,300", "--seconds", "0.3", *NO_DEADLINE)
        self.assertEqual(len(reports), 2)
        for report in reports:
            self.assert_each_ended_once(report)
            self.assertGreater(report["offered"], 0)
            self.assertEqual(report["attained"], report["offered"])
            self.assertGreater(report["p50_ms"], 0)
            self.assertLessEqual(report["p50_ms"], report["p99_ms"])
            self.assertTrue(0 < report["expected_accuracy"] <= 1, report)

    def test_every_seed_offers_as_many_calls_as_the_rate_says(self):
        for seed in ("7", "8"):
            (report,) = self.reports("--rates", "500", "--seconds", "0.1", "--seed", seed)
            self.assertEqual(report["offered"], 50)

    def test_calls_above_the_servers_streams_wait_for_their_turn(self):
        # One connection of two streams, and all calls at once.
        (report,) = self.reports("--rates", "100000", "--seconds", "0.003", "--connections", "1", *NO_DEADLINE)
        self.assert_each_ended_once(report)
        self.assertGreater(report["offered"], 100)
        self.assertEqual(report["attained"] + report["shed"], report["offered"])

    def test_calls_that_find_no_stream_until_their_deadline_are_never_sent(self):
        # Thousands of calls through two streams, which no server answers within the deadline.
        (report,) = self.reports(
            "--rates", "100000", "--seconds", "0.05", "--connections", "1", "--deadline_ms", "10"
        )  # fmt: skip
        self.assert_each_ended_once(report)
        self.assertGreater(report["unsent"], 0)
        self.assertGreaterEqual(report["expired"], report["unsent"])

    def test_no_call_is_in_time_for_a_deadline_of_a_microsecond(self):
        (report,) = self.reports("--rates", "2000", "--seconds", "0.2", "--deadline_ms", "0.001")
        self.assert_each_ended_once(report)
        self.assertEqual(report["attained"], 0)
        self.assertGreater(report["expired"], 0)

    def test_an_objective_in_the_message_is_judged_by_the_server_too(self):
        # Shorter than any run: admission refuses each call, and nobody cancels.
        (report,) = self.reports("--rates", "500", "--seconds", "0.2", "--slo_us", "1")
        self.assert_each_ended_once(report)
        self.assertEqual(report["attained"], 0)
        self.assertEqual(report["unsent"], 0)
        self.assertGreater(report["shed"] + report["expired"], 0)

    def test_a_closed_loop_counts_what_is_answered(self):
        (report,) = self.reports("--closed", "8", "--seconds", "0.2")
        self.assertGreater(report["calls_per_second"], 0)
        self.assertEqual(report["refused_per_second"], 0)
        self.assertGreaterEqual(report["calls"], 8)  # each caller had an answer

    def test_an_echo_needs_no_model(self):
        (report,) = self.reports("--closed", "8", "--seconds", "0.2", "--echo", "--model", "no such model")
        self.assertGreater(report["calls_per_second"], 0)
        self.assertEqual(report["refused_per_second"], 0)

    def test_a_failed_call_is_named(self):
        done = run(self.server, "--rates", "100", "--seconds", "0.1", "--operating_point", "w9a9", *NO_DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["failed"], report["offered"])
        self.assertIn("calls ended with grpc-status 3: ", done.stderr)
        self.assertIn("w9a9", done.stderr)

    def test_wrong_usage_and_an_absent_server_have_exit_codes_of_their_own(self):
        self.assertEqual(run(self.server).returncode, 2)
        self.assertEqual(run(self.server, "--rates", "2x").returncode, 2)
        self.assertEqual(run(self.server, "--rates", "1", "--closed", "1").returncode, 2)
        self.assertEqual(run(self.server, "--rates", "1", "--model", "no such model").returncode, 1)


if __name__ == "__main__":
    LOAD, SERVER, ARTIFACT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
