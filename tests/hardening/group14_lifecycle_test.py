#!/usr/bin/env python3
"""Group 14 of the attacks and faults, the server's life: signals at each of its stages, and what clients see of them.

usage: group14_lifecycle_test.py SERVER ARTIFACT
"""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

import attack
import grpc
import numpy
import tritonclient.grpc as triton
from server_process import ServerProcess
from tritonclient.utils import InferenceServerException

SERVER, ARTIFACT = "", ""  # from the command line


def readiness(address):
    """The code of /readyz; None where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=attack.SECONDS) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, ConnectionError):
        return None


class Client:
    """Sends requests of one row."""

    def __init__(self, server, headers=None):
        self.client = triton.InferenceServerClient(server.grpc_address)
        self.headers = headers
        self.model = self.client.get_model_repository_index(headers=headers).models[0].name
        metadata = self.client.get_model_metadata(self.model, headers=headers)
        shape = [1, *metadata.inputs[0].shape[1:]]
        self.input = triton.InferInput(metadata.inputs[0].name, shape, "UINT8")
        self.input.set_data_from_numpy(numpy.zeros(shape, numpy.uint8))

    def infer(self):
        self.client.infer(self.model, [self.input], headers=self.headers)

    def close(self):
        self.client.close()


class Group14LifecycleTest(unittest.TestCase):
    def start(self, *flags):
        return self.enterContext(ServerProcess(SERVER, ARTIFACT, "--max_batch=4", *flags))

    def wait_for(self, server, text):
        while not any(text in line for line in list(server.printed)):
            self.assertIsNone(server.process.poll(), "".join(server.printed))
            os.sched_yield()

    def test_sigterm_ends_readiness_first_then_waits_then_ends_with_0(self):
        server = self.start("--drain_delay=1h", "--health_address=127.0.0.1:0")
        client = Client(server)
        self.addCleanup(client.close)
        self.assertEqual(readiness(server.http_address), 200)
        server.terminate()
        self.wait_for(server, "no longer ready")
        self.assertEqual(readiness(server.http_address), 503)
        client.infer()  # it waits, and serves
        server.terminate()  # hurries
        self.assertEqual(server.exit_code(), 0)

    def test_what_is_sent_during_a_drain_is_answered_or_refused_for_another_server(self):
        server = self.start()
        client = Client(server)
        self.addCleanup(client.close)
        errors, served = [], []

        def send():
            try:
                while True:
                    client.infer()
                    served.append(1)
            except InferenceServerException as error:
                errors.append(error)

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        while len(served) < 20:
            os.sched_yield()
        server.terminate()
        self.assertEqual(server.exit_code(), 0)
        for sender in senders:
            sender.join()
        for error in errors:
            self.assertIn(error.status(), ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED"), error)

    def test_a_signal_while_the_network_is_loaded_ends_it_at_once_with_0(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(dir="/tmp"))
        artifact, http = f"{folder}/artifact", f"{folder}/http"
        os.mkfifo(artifact)  # whose other end nobody opens
        for name in (signal.SIGTERM, signal.SIGINT):
            command = [SERVER, f"--artifact={artifact}", "--grpc_address=127.0.0.1:0", f"--http_address=unix:{http}"]
            process = self.enterContext(subprocess.Popen(command))
            self.addCleanup(process.kill)
            with socket.socket(socket.AF_UNIX) as probe:
                while probe.connect_ex(http) != 0:
                    self.assertIsNone(process.poll())
                    os.sched_yield()
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                self.assertIn(b" 503 ", probe.recv(1000))
            process.send_signal(name)
            self.assertEqual(process.wait(), 0)

    def test_sigkill_leaves_a_port_that_the_next_server_gets(self):
        first = self.start()
        address = first.grpc_address
        first.process.kill()
        first.process.wait()
        second = self.start(f"--grpc_address={address}")
        self.assertEqual(second.grpc_address, address)

    def test_sighup_reads_tokens_again_and_keeps_them_if_the_file_is_wrong(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        tokens = pathlib.Path(folder, "tokens")

        def write(text):
            pathlib.Path(folder, "new").write_text(text)
            os.replace(pathlib.Path(folder, "new"), tokens)

        write("first-token-01234\n")
        server = self.start(f"--token_file={tokens}", "--reload_interval=1h")
        client = Client(server, {"authorization": "Bearer first-token-01234"})
        self.addCleanup(client.close)
        write("short\n")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(server, "not all was reloaded")
        client.infer()
        write("second-token-0123\n")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(server, "new access tokens are in force: 1")
        with self.assertRaises(InferenceServerException) as refused:
            client.infer()
        self.assertEqual(refused.exception.status(), "StatusCode.UNAUTHENTICATED")
        self.assertIsNone(server.process.poll())
        self.assertNotIn("first-token", "".join(server.printed))

    def test_changed_files_are_found_without_a_signal(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        tokens = pathlib.Path(folder, "tokens")
        tokens.write_text("first-token-01234\n")
        server = self.start(f"--token_file={tokens}", "--reload_interval=10ms")
        tokens.write_text("second-token-0123\nthird-token-01234\n")
        self.wait_for(server, "new access tokens are in force: 2")

    def test_health_watchers_see_the_end_of_readiness(self):
        server = self.start("--drain_delay=1h")
        with grpc.insecure_channel(server.grpc_address) as channel:
            watch = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=bytes,
                response_deserializer=lambda response: response[1] if response else 0,
            )(b"")
            self.assertEqual(next(watch), 1)  # SERVING
            server.terminate()
            self.assertEqual(next(watch), 2)  # NOT_SERVING
            watch.cancel()
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.exit_code(), 0)


if __name__ == "__main__":
    import sys

    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
