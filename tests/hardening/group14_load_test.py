#!/usr/bin/env python3
"""Group 14 of the attacks and faults: a server that is told to stop while it measures a network.

usage: group14_load_test.py SERVER ARTIFACT

The artifact is one whose measurement takes seconds.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import attack  # noqa: F401, which finds the packages
import grpc
import tritonclient.grpc as triton
from server_process import ServerProcess

SERVER, ARTIFACT = "", ""  # from the command line


class Group14LoadTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(dir="/tmp")))
        for name in ("first", "next"):
            shutil.copy(ARTIFACT, self.folder / name)

    def test_a_version_that_is_being_loaded_is_given_up(self):
        with ServerProcess(SERVER, self.folder / "first", "--model_version=77", "--admin", "--slots=1") as server:
            channel = self.enterContext(grpc.insecure_channel(server.grpc_address))
            stub = triton.service_pb2_grpc.GRPCInferenceServiceStub(channel)

            def states():
                index = stub.RepositoryIndex(triton.service_pb2.RepositoryIndexRequest()).models
                return {row.state: row.name for row in index}

            request = triton.service_pb2.RepositoryModelLoadRequest(model_name=states()["READY"])
            request.parameters["artifact"].string_param = "next"
            load = stub.RepositoryModelLoad.future(request)
            while "LOADING" not in states():
                self.assertFalse(load.done())
            server.terminate()
            self.assertEqual(load.exception().code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(load.exception().details(), "the server is stopping: profiling was stopped")
            self.assertEqual(server.exit_code(), 0)
            server.read_to_end()
            self.assertIn("anybit-server: stopped\n", server.printed)

    def test_a_server_that_measures_its_first_network_ends_at_once(self):
        http = self.folder / "http"
        command = [SERVER, f"--artifact={self.folder}/first", "--grpc_address=127.0.0.1:0"]
        process = self.enterContext(
            subprocess.Popen([*command, f"--http_address=unix:{http}"], stdout=subprocess.PIPE, text=True)
        )
        watchdog = threading.Timer(ServerProcess.WATCHDOG_SECONDS, process.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(os.fspath(http)) != 0:
                self.assertIsNone(process.poll())
                os.sched_yield()
        process.send_signal(signal.SIGTERM)
        printed = process.stdout.read()
        self.assertEqual(process.wait(), 0)
        self.assertNotIn("serving", printed)


if __name__ == "__main__":
    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
