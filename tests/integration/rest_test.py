#!/usr/bin/env python3
"""The server as foreign clients see it over HTTP: Triton's Python client and Python's own, against the real binary.

usage: rest_test.py SERVER ARTIFACT
"""

import json
import pathlib
import socket
import sys
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import numpy  # noqa: E402
import tritonclient.grpc  # noqa: E402
import tritonclient.http as triton  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT = "", ""  # from the command line


class RestTest(unittest.TestCase):
    """All tests share one server: each must leave it serving."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT, "--max_batch=16"))
        cls.client = triton.InferenceServerClient(cls.server.http_address, concurrency=8)
        cls.addClassCleanup(cls.client.close)
        cls.model = cls.client.get_model_repository_index()[0]["name"]
        metadata = cls.client.get_model_metadata(cls.model)
        cls.input, cls.output = metadata["inputs"][0], metadata["outputs"][0]
        cls.point = metadata["properties"]["operating_points"].split(",")[0]
        random = numpy.random.default_rng(1)
        cls.images = random.integers(0, 256, (3, *cls.input["shape"][1:]), numpy.uint8)

    def tensor(self, binary=True):
        tensor = triton.InferInput(self.input["name"], list(self.images.shape), "UINT8")
        tensor.set_data_from_numpy(self.images, binary_data=binary)
        return tensor

    def wanted(self, **options):
        return [triton.InferRequestedOutput(self.output["name"], **options)]

    def logits(self, binary_input=True, binary_output=True, **options):
        result = self.client.infer(
            self.model,
            [self.tensor(binary_input)],
            outputs=self.wanted(binary_data=binary_output),
            parameters={"operating_point": self.point},
            **options,
        )
        return result.as_numpy(self.output["name"])

    def logits_by_grpc(self):
        client = tritonclient.grpc.InferenceServerClient(self.server.grpc_address)
        tensor = tritonclient.grpc.InferInput(self.input["name"], list(self.images.shape), "UINT8")
        tensor.set_data_from_numpy(self.images)
        with client:
            result = client.infer(self.model, [tensor], parameters={"operating_point": self.point})
        return result.as_numpy(self.output["name"])

    def post(self, path, body, **headers):
        """Status and parsed answer, whatever the status."""
        request = urllib.request.Request(f"http://{self.server.http_address}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def test_says_that_it_lives_and_is_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(self.model))
        self.assertFalse(self.client.is_model_ready("other"))

    def test_describes_the_server_and_the_model_as_over_grpc(self):
        client = tritonclient.grpc.InferenceServerClient(self.server.grpc_address)
        with client:
            server = client.get_server_metadata(as_json=True)
            config = client.get_model_config(self.model, as_json=True)["config"]
        self.assertEqual(self.client.get_server_metadata()["version"], server["version"])
        self.assertIn("binary_tensor_data", self.client.get_server_metadata()["extensions"])
        own = self.client.get_model_config(self.model)
        self.assertEqual(own["name"], config["name"])
        self.assertEqual(own["max_batch_size"], config["max_batch_size"])
        self.assertEqual([str(size) for size in own["input"][0]["dims"]], config["input"][0]["dims"])

    def test_answers_the_same_numbers_in_every_form(self):
        expected = self.logits_by_grpc()
        for binary_input in (False, True):
            for binary_output in (False, True):
                numpy.testing.assert_array_equal(self.logits(binary_input, binary_output), expected)

    def test_takes_compressed_requests(self):
        expected = self.logits()
        for algorithm in ("gzip", "deflate"):
            numpy.testing.assert_array_equal(self.logits(request_compression_algorithm=algorithm), expected)

    def test_names_the_highest_classes(self):
        result = self.client.infer(
            self.model,
            [self.tensor()],
            outputs=self.wanted(class_count=2),
            parameters={"operating_point": self.point},
        )
        top = result.as_numpy(self.output["name"])
        self.assertEqual(top.shape, (3, 2))
        for row, logits in zip(top, self.logits()):
            value, index = row[0].decode().split(":")[:2]
            self.assertEqual(int(index), numpy.argmax(logits))
            self.assertAlmostEqual(float(value), logits[int(index)], places=4)

    def test_answers_many_calls_at_once(self):
        calls = [self.client.async_infer(self.model, [self.tensor()], request_id=str(i)) for i in range(50)]
        self.assertEqual([call.get_result().get_response()["id"] for call in calls], [str(i) for i in range(50)])

    def test_says_how_a_request_was_served(self):
        result = self.client.infer(self.model, [self.tensor()], timeout=10_000_000, priority=1)
        self.assertEqual(
            sorted(result.get_response()["parameters"]),
            sorted("operating_point bits expected_accuracy_bp queue_us compute_us batch_size deadline_met".split()),
        )

    def test_refuses_what_is_not_valid_with_the_status_and_the_cause(self):
        path = f"/v2/models/{self.model}/infer"
        for body, status, cause in [
            (b"", 400, "not a JSON object"),
            (b"{}", 400, "expected 1 inputs but got 0"),
            (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP16","data":[1]}]}', 400, "send them as binary data"),
        ]:
            code, answer = self.post(path, body)
            self.assertEqual(code, status)
            self.assertIn(cause, answer["error"])
        self.assertEqual(self.post("/v2/models/other/infer", b'{"inputs":[]}')[0], 404)
        with self.assertRaises(InferenceServerException) as refusal:
            self.client.infer("other", [self.tensor()])
        self.assertIn("Request for unknown model: 'other' is not found", str(refusal.exception))

    def test_refuses_what_cannot_be_in_time(self):
        with self.assertRaises(InferenceServerException) as refusal:
            for _ in range(1000):
                self.client.infer(self.model, [self.tensor()], timeout=1)
        self.assertRegex(str(refusal.exception), "deadline|time")

    def test_a_hundred_half_requests_do_not_delay_a_whole_one(self):
        host, port = self.server.http_address.split(":")
        halves = []
        for _ in range(100):
            half = socket.create_connection((host, int(port)))
            half.sendall(f"POST /v2/models/{self.model}/infer HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{".encode())
            halves.append(half)
        self.assertEqual(self.logits().shape[0], 3)
        for half in halves:
            half.close()


if __name__ == "__main__":
    SERVER, ARTIFACT = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1], verbosity=2)
