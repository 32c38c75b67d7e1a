#!/usr/bin/env python3
"""The commands of docs/import.md, "In ten minutes": from an ONNX file to a served answer.

usage: import_tutorial_test.py IMPORT SERVER CLIENT
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

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


if __name__ == "__main__":
    IMPORT, SERVER, CLIENT = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
