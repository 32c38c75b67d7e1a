#!/usr/bin/env python3
"""test_gpu.py with a program that only says what a real one would: what becomes of its lines, faults and delays."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent

PROGRAM = """#!/bin/bash
case "$*" in
  *--help*) ;;
  *--check=kernels*)
    echo '{"check":"device","name":"a fake","architecture":80,"driver":"13.0"}'
    echo '{"check":"kernel","algorithm":"bytes_64","cases":9,"wrong":WRONG,"first_wrong":""}'
    exit WRONG ;;
  *--check=speed*)
    echo '{"check":"product","algorithm":"bytes_64","operations_per_second":4e14}'
    for point in w8a8:900 w4a4f:300; do
      echo '{"check":"speed","network":"resnet50_imagenet","point":"'${point%:*}'","rows":64,' \
        '"microseconds":'${point#*:}',"part_of_product_rate":0.6}'
    done ;;
esac
"""


def run(wrong, minutes="1"):
    """(exit code, report.json, report.md) of a run."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for script in ("test_gpu.py", "torch_peer.py"):
            shutil.copy(HERE / script, folder)
        program = folder / "gpu_check"
        program.write_text(PROGRAM.replace("WRONG", str(wrong)), encoding="utf-8")
        program.chmod(0o755)
        out = folder / "report"
        command = [sys.executable, folder / "test_gpu.py", "--out", out, "--minutes", minutes]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (out / "report.json").exists(), done.stderr
        return done.returncode, json.loads((out / "report.json").read_text()), (out / "report.md").read_text()


class TestGpuTest(unittest.TestCase):
    def test_a_run_without_faults_makes_the_tables(self):
        code, report, text = run(wrong=0)
        self.assertEqual(code, 0, report["failures"])
        self.assertIn("# The GPU engine on a fake", text)
        self.assertIn("| bytes_64 | 9 | 0 |", text)
        self.assertIn("| resnet50_imagenet | w4a4f | 64 | 300 | 0.60 |", text)
        self.assertIn("| cheapest point, ResNet-50, batch 64 | 1.5 times w8a8 | 3 | reached |", text)
        self.assertIn("| w8a8, ResNet-50, batch 32 | 1.5 times PyTorch fp16 |  | not measured |", text)
        self.assertEqual(len([line for line in report["lines"] if line["check"] == "speed"]), 2)

    def test_a_difference_fails_the_run_and_is_reported(self):
        code, report, text = run(wrong=1)
        self.assertEqual(code, 1)
        self.assertTrue(report["failures"][0].startswith("kernels: exit code 1"), report["failures"])
        self.assertIn("**Something differed or failed.**", text)

    def test_what_does_not_fit_into_the_time_is_named(self):
        code, report, _ = run(wrong=0, minutes="0")
        self.assertEqual(code, 0)
        self.assertEqual(report["lines"], [])
        self.assertIn("kernels: no time was left", report["left_out"])


if __name__ == "__main__":
    unittest.main()
