#!/usr/bin/env python3
"""The peers compute our networks, in integers where they say so; and would be found out where they did not.

usage: peer_test.py ENGINE_BENCHMARK      (after scripts/setup --peers)
"""

import os
import pathlib
import sys
import unittest
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = HERE.parents[1] / ".cache" / "peers"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup --peers")
sys.path[:0] = [str(HERE), str(PACKAGES)]

import numpy  # noqa: E402
import peer  # noqa: E402
import peer_models  # noqa: E402
from bench_engine import TimedProcess  # noqa: E402

ENGINE = ""  # from the command line


def tiny_network(arch):
    with TimedProcess([ENGINE, f"--arch={arch}", "--points=w1a1"], os.sched_getaffinity(0)) as engine:
        return peer_models.Network.random(engine.ask("describe")["network"])


class Definition(unittest.TestCase):
    def test_convolves_as_the_sum_over_the_window_says(self):
        x = numpy.arange(2 * 3 * 4 * 4, dtype=float).reshape(2, 3, 4, 4)
        weight = numpy.cos(numpy.arange(5 * 3 * 3 * 3)).reshape(5, 3, 3, 3)
        y = peer_models.convolve(x, weight, numpy.arange(5.0), stride=2, padding=1)
        self.assertEqual(y.shape, (2, 5, 2, 2))
        self.assertAlmostEqual(y[1, 4, 1, 1], (x[1, :, 1:4, 1:4] * weight[4]).sum() + 4)
        self.assertAlmostEqual(y[1, 4, 0, 0], (x[1, :, 0:2, 0:2] * weight[4, :, 1:, 1:]).sum() + 4)


    def test_convolves_each_channel_by_itself_where_weights_have_one(self):
        x = numpy.arange(2 * 3 * 5 * 5, dtype=float).reshape(2, 3, 5, 5)
        weight = numpy.cos(numpy.arange(3 * 3 * 3)).reshape(3, 1, 3, 3)
        y = peer_models.convolve(x, weight, numpy.arange(3.0), stride=2, padding=1)
        self.assertEqual(y.shape, (2, 3, 3, 3))
        self.assertAlmostEqual(y[1, 2, 1, 1], (x[1, 2, 1:4, 1:4] * weight[2, 0]).sum() + 2)

    def test_a_padded_pool_takes_the_largest_value_within_the_map(self):
        pool = {"name": "p", "inputs": ["input"], "max_pool": {"size": 3, "stride": 2, "padding": 1}}
        network = peer_models.Network([pool], channels=1, side=4, weights={}, biases={})
        images = numpy.arange(16, dtype=numpy.uint8).reshape(1, 1, 4, 4) * 17
        pooled = peer_models.run_by_definition(network, images)["p"] * 15
        self.assertEqual(numpy.rint(pooled).tolist(), [[[[5, 7], [13, 15]]]])


class Peers(unittest.TestCase):
    # Between them: pools with and without padding, strides, both kinds of shortcut, depthwise layers.
    NETWORKS = ["fashion_tiny", "resnet20", "resnet50_imagenet:side=64,width=0.25", "mobilenetv2:width=0.5"]

    def test_every_variant_passes_its_checks_on_every_kind_of_layer(self):
        for arch in self.NETWORKS:
            network = tiny_network(arch)
            for name, library in peer.LIBRARIES.items():
                timed = peer.TimedPeer(library(1), network)
                for variant in timed.answer(["describe"])["variants"]:
                    for batch in ("1", "3"):
                        with self.subTest(arch=arch, library=name, variant=variant, batch=batch):
                            self.assertGreaterEqual(timed.answer(["run", variant, batch, "0"])["runs"], 1)

    def assert_int8_is_refused(self, library, reason):
        timed = peer.TimedPeer(library(1), tiny_network("fashion_tiny"))
        with self.assertRaisesRegex(peer.Unusable, reason):
            timed.answer(["run", "int8", "1", "0"])

    def test_onnx_runtime_is_refused_where_some_convolutions_run_in_float(self):
        original = peer_models.quantized_onnx
        with unittest.mock.patch.object(
            peer_models, "quantized_onnx", lambda *of, quantize_sums: original(*of, quantize_sums=False)
        ):
            self.assert_int8_is_refused(peer.OnnxRuntime, "6 of 9 convolutions are integer ones")

    def test_openvino_is_refused_where_convolutions_run_in_float(self):
        def in_float(network, limits, batch, quantize_sums):
            return peer_models.float_onnx(network, batch)

        with unittest.mock.patch.object(peer_models, "quantized_onnx", in_float):
            self.assert_int8_is_refused(peer.OpenVino, "convolution .* runs in f32")

    def test_ncnn_is_refused_where_its_answers_are_those_of_floats(self):
        original = peer_models.ncnn_files
        with unittest.mock.patch.object(peer_models, "ncnn_files", lambda network, limits: original(network)):
            self.assert_int8_is_refused(peer.Ncnn, "int8 logits are .* off")


if __name__ == "__main__":
    ENGINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
