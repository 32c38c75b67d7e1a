#!/usr/bin/env python3
"""anybit-client and anybit-load as processes, against the real server.

usage: client_programs_test.py SERVER CLIENT LOAD ARTIFACT
"""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from server_process import ServerProcess

TEST_IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
TRAINING_IMAGES = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
SERVER, CLIENT, LOAD, ARTIFACT = "", "", "", ""  # from the command line


def started(*command):
    """The program as a child that does not ignore SIGINT, whatever the test runner does."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def ran(*command, **environment):
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def served(server):
    """How many requests the server has answered."""
    with urllib.request.urlopen(f"http://{server.http_address}/metrics", timeout=60) as response:
        page = response.read().decode()
    return int(re.search(r'^anybit_requests_total{outcome="served",version="\d+"} (\d+)$', page, re.M)[1])


class ConnectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT))
        cls.port = cls.server.grpc_address.rsplit(":", 1)[1]

    def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(self):
        proxy = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "grpc_proxy")}
        for host in ("127.0.0.1", "localhost"):
            status = ran(CLIENT, "--server", f"{host}:{self.port}", "status", **proxy)
            self.assertEqual(status.returncode, 0, status.stderr)
            load = ran(
                *(LOAD, "--server", f"{host}:{self.port}", "--images", TEST_IMAGES),
                *("--steps", "20", "--step-seconds", "0.1"),
                **proxy,
            )
            self.assertEqual(load.returncode, 0, load.stderr)

    def test_both_programs_name_the_reason_where_there_is_no_grpc_server(self):
        for program in ([CLIENT, "status"], [LOAD, "--images", TEST_IMAGES]):
            for address, code, reason in (
                (self.server.http_address, 1, "does not speak gRPC; perhaps it is the server's HTTP port"),
                ("no-such-host.invalid:8001", 1, "unknown host 'no-such-host.invalid'"),
                ("127.0.0.1", 2, "has no port; write HOST:PORT"),
            ):
                with self.subTest(program=program, address=address):
                    refused = ran(*program, "--server", address)
                    self.assertEqual(refused.returncode, code)
                    self.assertIn(reason, refused.stderr)
                    self.assertIn(address, refused.stderr)


class LoadTest(unittest.TestCase):
    def test_a_short_queue_and_a_class_do_not_stop_the_capacity_measurement(self):
        with ServerProcess(SERVER, ARTIFACT, "--max_queue=8", "--max_batch=1", "--slots=1") as server:
            load = ran(
                *(LOAD, "--server", server.grpc_address, "--images", TEST_IMAGES, "--sla-class", "interactive"),
                *("--steps", "0.2x,5x", "--step-seconds", "0.2", "--json"),
            )
        self.assertEqual(load.returncode, 0, load.stderr)
        steps = [json.loads(line) for line in load.stdout.splitlines()]
        self.assertEqual(len(steps), 2)
        for step in steps:
            self.assertGreater(step["capacity"], 0)
            self.assertGreater(step["offered"], 0)
            self.assertEqual(step["failed"], 0)
            self.assertTrue(step["complete"])

    def test_a_mix_of_classes_is_reported_by_step_and_over_time(self):
        with ServerProcess(SERVER, ARTIFACT) as server, tempfile.TemporaryDirectory() as folder:
            load = ran(
                *(LOAD, "--server", server.grpc_address, "--images", TEST_IMAGES, "--steps", "200,400"),
                *("--step-seconds", "0.5", "--mix", "interactive@60000:3,batch@0:1", "--json"),
                *("--threads", "2", "--connections", "2"),
                *("--html", f"{folder}/load.html", "--csv", f"{folder}/load.csv"),
            )
            self.assertEqual(load.returncode, 0, load.stderr)
            page = pathlib.Path(folder, "load.html").read_text(encoding="utf-8")
            rows = list(csv.DictReader(pathlib.Path(folder, "load.csv").read_text(encoding="utf-8").splitlines()))
        steps = [json.loads(line) for line in load.stdout.splitlines()]
        for step in steps:
            self.assertEqual(step["offered"], sum(kind["offered"] for kind in step["mix"].values()))
            self.assertEqual(step["failed"], 0)
            over_time = sum(int(row["offered"]) for row in rows if int(row["step"]) == step["step"])
            self.assertEqual(step["offered"], over_time)
        self.assertEqual(len(rows), 4)
        self.assertIn("<td>interactive@60000</td>", page)


class InterruptionTest(unittest.TestCase):
    """What had ended is reported, and the exit code is 128 and the signal's number."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT))

    def interrupted(self, number, *command):
        """The program's exit code, standard output and error, interrupted after a few answers."""
        before = served(self.server)
        program = started(*command)
        while served(self.server) < before + 20:
            self.assertIsNone(program.poll(), "it ended before it was interrupted")
        # A server that stands still answers nothing: calls are under way when the signal comes.
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            program.send_signal(number)
            out, err = program.communicate()
        finally:
            self.server.process.send_signal(signal.SIGCONT)
        return program.returncode, out, err

    def test_load_reports_the_finished_part(self):
        for number, code, name in ((signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")):
            with self.subTest(name):
                exit_code, out, err = self.interrupted(
                    number,
                    *(LOAD, "--server", self.server.grpc_address, "--images", TEST_IMAGES, "--deadline-ms", "0"),
                    *("--steps", "100,100", "--step-seconds", "3600", "--json"),
                )
                self.assertEqual(exit_code, code, err)
                (step,) = [json.loads(line) for line in out.splitlines()]
                self.assertGreater(step["attained"], 0)
                self.assertEqual(step["offered"], step["attained"])
                self.assertFalse(step["complete"])
                self.assertRegex(err, rf"interrupted by {name}: {step['offered']} of \d+ calls had ended")

    def test_classify_reports_the_finished_part(self):
        exit_code, out, err = self.interrupted(
            signal.SIGINT,
            *(CLIENT, "--server", self.server.grpc_address, "--in-flight", "1", "--json", "classify", TRAINING_IMAGES),
        )
        self.assertEqual(exit_code, 130, err)
        images = [json.loads(line) for line in out.splitlines()]
        self.assertGreater(len(images), 0)
        self.assertTrue(all("class" in image for image in images))
        self.assertIn(f"interrupted by SIGINT after {len(images)} of 60000 images", err)


if __name__ == "__main__":
    SERVER, CLIENT, LOAD, ARTIFACT = sys.argv[1:5]
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
