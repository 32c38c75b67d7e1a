#!/usr/bin/env python3
"""The decoder of docs/formats.md gives the engine's integers: their logits are equal to the last bit.

usage: decode_artifact_test.py ENGINE_LOGITS ARTIFACT [UNITTEST ARGUMENT...]
"""

import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "examples"))

import decode_artifact  # noqa: E402

ENGINE_LOGITS, ARTIFACT = "", ""  # from the command line

# Between them: residuals with and without ReLU, depthwise layers, padded pools, clips.
ARCHITECTURES = [
    "fashion_tiny:side=8",
    "mobilenetv2:width=0.125,side=8,classes=10",
    "resnet50_imagenet:width=0.015625,side=32,classes=10",
    "clip:width=0.125,side=8,frames=2,classes=10",
    "gated",  # tables, gates, padding with other codes than 0
]


def engine_logits(artifact, point, row):
    ran = subprocess.run([ENGINE_LOGITS, "run", artifact, point], input=row, capture_output=True, check=True)
    return list(struct.unpack(f"<{len(ran.stdout) // 4}f", ran.stdout))


def random_row(network, seed):
    shape = [int(extent) for extent in network["input"]["shape"]]
    return random.Random(seed).randbytes(math.prod(shape))


class DecodeArtifactTest(unittest.TestCase):
    def check_every_point(self, path):
        artifact = decode_artifact.Artifact(path)
        for point in artifact.points:
            with self.subTest(artifact=path, point=point):
                row = random_row(artifact.network, point)
                decoded, expected = decode_artifact.run(artifact, point, row), engine_logits(path, point, row)
                if artifact.points[point].get("full_precision", False):
                    # Floats are summed in another order, and in float64. Near the middle of two bfloat16 numbers a sum
                    # may so be rounded to the other one, which is 2^-8 of it.
                    share = 2e-2 if artifact.is_bfloat16(point) else 1e-3
                    tolerance = share * max(map(abs, expected))
                    self.assertTrue(all(abs(a - b) <= tolerance for a, b in zip(decoded, expected)))
                else:
                    self.assertEqual(decoded, expected)
                self.assertGreater(len(set(expected)), 1)

    def test_default_network_has_equal_logits_at_every_point(self):
        self.check_every_point(ARTIFACT)

    def test_every_kind_of_node_has_equal_logits_at_every_point(self):
        with tempfile.TemporaryDirectory() as folder:
            for i, architecture in enumerate(ARCHITECTURES):
                path = str(pathlib.Path(folder) / f"{i}.safetensors")
                subprocess.run([ENGINE_LOGITS, "write_random", architecture, path], check=True)
                self.check_every_point(path)

    def test_fused_multiply_add_rounds_once(self):
        # Exactly 1 + 2^-11 + 2^-24 + 2^-60: float64 loses the last term, and what is left is a tie between two floats.
        near_one = 1 + 2.0**-12
        self.assertEqual(decode_artifact.fma32(near_one, near_one, 2.0**-60), 1 + 2.0**-11 + 2.0**-23)
        self.assertEqual(decode_artifact.fma32(near_one, near_one, -(2.0**-60)), 1 + 2.0**-11)

    def test_damaged_file_is_refused(self):
        text = bytearray(pathlib.Path(ARTIFACT).read_bytes())
        text[-1] ^= 1
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            with self.assertRaisesRegex(ValueError, "checksum"):
                decode_artifact.Artifact(file.name)


if __name__ == "__main__":
    ENGINE_LOGITS, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
