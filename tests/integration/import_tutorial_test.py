#!/usr/bin/env python3
"""The commands of docs/import.md, "In ten minutes": from an ONNX file to a served answer.

usage: import_tutorial_test.py IMPORT SERVER CLIENT
"""

import json
import math
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from server_process import ServerProcess

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMPORT, SERVER, CLIENT = "", "", ""  # from the command line


def commands():
    """The commands of the section, each as its words."""
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    section = page.split("## In ten minutes")[1].split("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


class ImportTutorialTest(unittest.TestCase):
    def test_the_commands_lead_to_a_served_answer(self):
        by_program = {words[0].rsplit("/", 1)[-1]: words[1:] for words in commands()}
        self.assertEqual(set(by_program), {"setup", "bazel", "anybit-import", "serve", "anybit-client"})
        with tempfile.TemporaryDirectory() as folder:
            # The page's files lie in /tmp and in the tree; the programs are those that Bazel has built.
            def placed(words):
                return [word.replace("/tmp", folder).replace("=docs/", f"={ROOT}/docs/") for word in words]

            imported = subprocess.run(
                [IMPORT, *placed(by_program["anybit-import"])], capture_output=True, text=True, check=False
            )
            self.assertEqual(imported.returncode, 0, imported.stderr)
            accuracy = dict(re.findall(r"^(\w+) +([\d.]+)%", imported.stdout, re.MULTILINE))
            self.assertEqual(list(accuracy), ["fp32", "w8a8", "w6a6", "w4a4"])
            self.assertGreater(float(accuracy["fp32"]), 75)
            # 1000 images: one percent is ten of them.
            self.assertGreater(float(accuracy["w8a8"]), float(accuracy["fp32"]) - 2)
            sheet = pathlib.Path(folder) / "fashion_tiny.md"
            self.assertIn("worst first at w4a4", sheet.read_text(encoding="utf-8"))
            artifact = placed(by_program["serve"])[0].removeprefix("--artifact=")
            with ServerProcess(SERVER, artifact) as server:
                answered = subprocess.run(
                    [CLIENT, "--server", server.grpc_address, *by_program["anybit-client"]],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                self.assertEqual(answered.returncode, 0, answered.stderr)
                self.assertIn("Ankle boot", answered.stdout)
                self.check_floats(server)

    def check_floats(self, server):
        """Pixels and the floats that the ONNX network would read get the same logits; a number without value none."""
        model = json.loads(self.post(server, "")[1])
        self.assertEqual(model["inputs"][0]["datatype"], "UINT8")
        height, width = (int(extent) for extent in model["inputs"][0]["shape"][1:3])
        self.assertEqual(model["properties"]["fp32_input.shape"], f"-1,1,{height},{width}")
        pixels = [(7 * i) % 256 for i in range(height * width)]
        floats = [pixel / 255 for pixel in pixels]
        binary = struct.pack(f"<{len(floats)}f", *floats)
        answers = [
            self.infer(server, {"datatype": "UINT8", "shape": [1, height, width, 1], "data": pixels}),
            self.infer(server, {"datatype": "FP32", "shape": [1, 1, height, width], "data": floats}),
            self.infer(server, {"datatype": "FP32", "shape": [1, 1, height, width]}, binary),
        ]
        self.assertEqual({status for status, _ in answers}, {200}, answers)
        logits = [json.loads(body)["outputs"][0]["data"] for _, body in answers]
        self.assertEqual(logits[0], logits[1])
        self.assertEqual(logits[0], logits[2])
        bad = struct.pack("<f", math.nan) + binary[4:]
        status, body = self.infer(server, {"datatype": "FP32", "shape": [1, 1, height, width]}, bad)
        self.assertEqual(status, 400)
        self.assertIn("element 0 of input 'image'", body)

    def infer(self, server, tensor, binary=b""):
        tensor = {"name": "image", **tensor}
        if binary:
            tensor["parameters"] = {"binary_data_size": len(binary)}
        text = json.dumps({"inputs": [tensor], "parameters": {"operating_point": "w8a8"}}).encode()
        headers = {"Inference-Header-Content-Length": str(len(text))} if binary else {}
        return self.post(server, "/infer", text + binary, headers)

    def post(self, server, path, body=None, headers=None):
        url = f"http://{server.http_address}/v2/models/fashion_tiny{path}"
        request = urllib.request.Request(url, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


if __name__ == "__main__":
    IMPORT, SERVER, CLIENT = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
