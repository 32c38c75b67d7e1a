#!/usr/bin/env python3
"""Imported networks give ONNX Runtime's logits at the fp32 point.

usage: onnx_runtime_test.py ONNX_NETWORKS      model/import/testing/onnx_networks.cc
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# scripts/setup installs it in the first, with --peers in the second.
sys.path[:0] = [str(ROOT / ".cache" / "python"), str(ROOT / ".cache" / "peers")]

import numpy  # noqa: E402
import onnxruntime  # noqa: E402

# Relative to the largest logit: sums of floats in another order.
TOLERANCE = 1e-4
NETWORKS = [
    ("mobile", (3, 24, 24)),
    ("branched", (3, 20, 20)),
    ("gated", (3, 24, 24)),
    ("shuffled", (3, 16, 16)),
    ("fashion:width=0.25", (1, 32, 32)),
    ("resnet20", (3, 32, 32)),
    ("resnet18_imagenet:width=0.25,side=64", (3, 64, 64)),
    ("resnet50_imagenet:width=0.25,side=64", (3, 64, 64)),
    ("mobilenetv2:width=0.5", (3, 32, 32)),
    ("vgg16:width=0.25", (3, 32, 32)),
]
PROGRAM = ""


class OnnxRuntimeTest(unittest.TestCase):
    def test_logits_are_those_of_onnx_runtime(self):
        rng = numpy.random.default_rng(1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "network.onnx")
            for name, (channels, rows, columns) in NETWORKS:
                with self.subTest(network=name):
                    kind = "of_graph" if name in ("mobile", "branched", "gated", "shuffled") else "of_architecture"
                    subprocess.run([PROGRAM, kind, name, path], check=True)
                    codes = rng.integers(0, 256, (4, rows, columns, channels), dtype=numpy.uint8)
                    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                    images = codes.transpose(0, 3, 1, 2).astype(numpy.float32) / numpy.float32(255)
                    (expected,) = session.run(None, {session.get_inputs()[0].name: images})
                    ran = subprocess.run([PROGRAM, "run", path], input=codes.tobytes(), check=True, capture_output=True)
                    logits = numpy.frombuffer(ran.stdout, numpy.float32).reshape(expected.shape)
                    difference = abs(logits - expected).max() / abs(expected).max()
                    print(f"{name}: largest difference {difference:.1e} of the largest logit")
                    self.assertLess(difference, TOLERANCE)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
