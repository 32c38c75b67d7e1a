#!/usr/bin/env python3
"""With --log_format=json, every line that a server writes to standard error is an event.

usage: json_log_test.py SERVER ARTIFACT NEXT_ARTIFACT
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import grpc  # noqa: E402
import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT, NEXT_ARTIFACT = "", "", ""  # from the command line
TOKEN = "a-token-of-an-administrator"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
SERVICE = "/inference.GRPCInferenceService/"


class JsonLogTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        shutil.copy(ARTIFACT, self.folder / "first")
        shutil.copy(NEXT_ARTIFACT, self.folder / "next")
        (self.folder / "bad").write_text("no artifact")
        self.write_tokens(f"{TOKEN} admin\n")
        self.errors = self.enterContext(open(self.folder / "errors", "w+"))

    def write_tokens(self, text):
        (self.folder / "new").write_text(text)
        os.replace(self.folder / "new", self.folder / "tokens")

    def events(self):
        self.errors.seek(0)
        return [json.loads(line) for line in self.errors]

    def wait_for(self, server, event, text):
        while not any(text in line and event in line for line in (self.folder / "errors").read_text().splitlines()):
            self.assertIsNone(server.process.poll())
            os.sched_yield()

    def start(self, *flags):
        return self.enterContext(
            ServerProcess(SERVER, self.folder / "first", "--log_format=json", *flags, errors=self.errors)
        )

    def test_a_whole_life_is_events(self):
        server = self.start(
            "--admin",
            f"--token_file={self.folder}/tokens",
            "--reload_interval=1h",
            f"--trace_file={self.folder}/no/such/folder",
        )
        client = triton.InferenceServerClient(server.grpc_address)
        self.addCleanup(client.close)
        model = client.get_model_repository_index(headers=HEADERS).models[0].name
        client.update_log_settings({"log_verbose_level": 1, "log_format": "ISO8601"}, headers=HEADERS)
        client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "1"}, headers=HEADERS)
        shape = [1, *client.get_model_metadata(model, headers=HEADERS).inputs[0].shape[1:]]
        image = triton.InferInput("image", shape, "UINT8")
        image.set_data_from_numpy(numpy.zeros(shape, numpy.uint8))
        client.infer(model, [image], request_id="the id", headers=HEADERS)
        with self.assertRaises(InferenceServerException):
            client.infer("another", [image], headers=HEADERS)
        with self.assertRaises(InferenceServerException):
            client.infer(model, [image])  # without a token
        with self.assertRaises(InferenceServerException):
            client.load_model(model, config="{}", headers=HEADERS)
        self.load(server, model, "bad")
        self.load(server, model, "next")
        self.send(server, "ModelInfer", b"\x0a\x01\xff")  # a name that is not UTF-8, about which protobuf complains
        self.send(server, "NoSuchMethod", b"")
        self.write_tokens("short\n")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(server, "notice", "what was read before stays in force")
        self.write_tokens(f"{TOKEN}\n")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(server, "notice", "new access tokens are in force: 1")
        server.terminate()
        self.assertEqual(server.exit_code(), 0)
        events = self.events()
        for event in events:
            self.assertEqual({"time", "level", "event"} - set(event), set(), event)
        kinds = {event["event"] for event in events}
        wanted = {"serving", "notice", "request_invalid", "call_refused", "library", "not_ready", "draining", "stopped"}
        self.assertEqual(wanted - kinds, set())
        texts = "\n".join(event["text"] for event in events if event["event"] == "notice")
        for part in ("settings of the log were changed", "request 'the id'", "not loaded: ", "version 2 as stable"):
            self.assertIn(part, texts)

    def load(self, server, model, file):
        with grpc.insecure_channel(server.grpc_address) as channel:
            client = triton.service_pb2_grpc.GRPCInferenceServiceStub(channel)
            request = triton.service_pb2.RepositoryModelLoadRequest(model_name=model)
            request.parameters["artifact"].string_param = file
            try:
                client.RepositoryModelLoad(request, metadata=list(HEADERS.items()))
            except grpc.RpcError as error:
                self.assertEqual((file, error.code()), ("bad", grpc.StatusCode.INVALID_ARGUMENT))

    def send(self, server, method, message):
        with grpc.insecure_channel(server.grpc_address) as channel:
            call = channel.unary_unary(SERVICE + method, request_serializer=bytes, response_deserializer=bytes)
            with self.assertRaises(grpc.RpcError):
                call(message, metadata=list(HEADERS.items()))

    def test_an_artifact_that_cannot_be_served_is_an_event_too(self):
        shutil.copy(self.folder / "bad", self.folder / "first")
        command = [SERVER, f"--artifact={self.folder}/first", "--log_format=json", "--grpc_address=127.0.0.1:0"]
        done = subprocess.run([*command, "--http_address="], stderr=self.errors, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([(event["event"], event["level"]) for event in self.events()], [("notice", "error")])


if __name__ == "__main__":
    SERVER, ARTIFACT, NEXT_ARTIFACT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
