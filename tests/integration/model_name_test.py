#!/usr/bin/env python3
"""The name and the version that the operator gives, in place of those of the artifact.

usage: model_name_test.py SERVER ARTIFACT NEXT_ARTIFACT
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT, NEXT_ARTIFACT = "", "", ""  # from the command line


class ModelNameTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        shutil.copy(ARTIFACT, self.folder / "first")
        shutil.copy(NEXT_ARTIFACT, self.folder / "next")

    def get(self, server, path):
        with urllib.request.urlopen(f"http://{server.http_address}{path}") as response:
            return response.read().decode()

    def test_clients_know_the_model_by_them(self):
        flags = ["--model_name=Iris-v1.x", "--model_version=41", "--admin"]
        with ServerProcess(SERVER, self.folder / "first", *flags) as server:
            client = triton.InferenceServerClient(server.grpc_address)
            self.addCleanup(client.close)
            row = client.get_model_repository_index().models[0]
            self.assertEqual((row.name, row.version, row.state), ("Iris-v1.x", "41", "READY"))
            metadata = client.get_model_metadata("Iris-v1.x")
            self.assertEqual((metadata.name, list(metadata.versions)), ("Iris-v1.x", ["41"]))
            self.assertEqual(client.get_model_config("Iris-v1.x").config.name, "Iris-v1.x")
            self.assertEqual(client.get_inference_statistics("Iris-v1.x").model_stats[0].version, "41")
            self.assertEqual(json.loads(self.get(server, "/v2/models/Iris-v1.x"))["versions"], ["41"])
            self.assertRegex(self.get(server, "/metrics"), r'anybit_model_info\{.*model="Iris-v1.x",version="41"\} 1')
            self.assertIn("anybit-server: serving Iris-v1.x version 41\n", server.printed)
            image = triton.InferInput("image", [1, *metadata.inputs[0].shape[1:]], "UINT8")
            image.set_data_from_numpy(numpy.zeros(image.shape(), numpy.uint8))
            answer = client.infer("Iris-v1.x", [image], model_version="41").get_response()
            self.assertEqual((answer.model_name, answer.model_version), ("Iris-v1.x", "41"))

    def test_a_version_that_is_loaded_later_has_that_name_and_its_own_number(self):
        flags = ["--model_name=iris", "--model_version=41", "--admin"]
        with ServerProcess(SERVER, self.folder / "first", *flags) as server:
            body = json.dumps({"parameters": {"artifact": "next"}}).encode()
            path = f"http://{server.http_address}/v2/repository/models/iris/load"
            with urllib.request.urlopen(urllib.request.Request(path, data=body, method="POST")) as response:
                self.assertEqual(response.status, 200)
            self.assertEqual(json.loads(self.get(server, "/v2/models/iris"))["versions"], ["2"])

    def test_bad_ones_are_refused_by_name(self):
        refusals = {
            "--model_name=a/b": "--model_name is 'a/b', not 1 to 128 characters of [A-Za-z0-9_.-]",
            "--model_version=-3": "--model_version is -3, not a number above 0",
        }
        for flag, message in refusals.items():
            done = subprocess.run(
                [SERVER, f"--artifact={self.folder}/first", flag], capture_output=True, text=True, check=False
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    SERVER, ARTIFACT, NEXT_ARTIFACT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
