#!/usr/bin/env python3
"""A runtime that is not ours as a process that times one of our networks.

usage: peer.py LIBRARY --network FILE [--threads N]      (onnxruntime, openvino, ncnn; FILE: a NetworkSpec as JSON)

It answers the requests of model/engine/engine_benchmark.cc but `peak`; its points are called variants: fp32, bf16,
int8. Before anything is timed, its logits must be near the definition's, and an int8 network whose convolutions do not
run on integers is an error.
"""

import argparse
import importlib.metadata
import json
import statistics
import sys
import tempfile
import time

import numpy
import onnx
import peer_models

ROWS_TO_CHECK = 2


class Unusable(Exception):
    """A peer would not do what it is here for."""


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, threads):
        import onnxruntime

        self._library = onnxruntime
        self._threads = threads
        self.version = onnxruntime.__version__
        self.variants = ["fp32", "int8"]
        self.left_out = {}

    def load(self, network, limits, variant, batch):
        if variant == "fp32":
            return self._session(peer_models.float_onnx(network, batch), as_floats(network.images(batch)), 0)
        model = peer_models.quantized_onnx(network, limits, batch, quantize_sums=True)
        return self._session(model, network.images(batch), len(network.convolutions()))

    def _session(self, model, images, integer_convolutions):
        library = self._library
        options = library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with tempfile.NamedTemporaryFile(suffix=".onnx") as optimized:
            options.optimized_model_filepath = optimized.name
            session = library.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            operations = [node.op_type for node in onnx.load(optimized.name).graph.node]
        if integer_convolutions and operations.count("QLinearConv") != integer_convolutions:
            raise Unusable(f"{operations.count('QLinearConv')} of {integer_convolutions} convolutions are integer ones")
        binding = session.io_binding()
        binding.bind_ortvalue_input("input", library.OrtValue.ortvalue_from_numpy(images))
        output = session.get_outputs()[0]
        logits = library.OrtValue.ortvalue_from_numpy(numpy.zeros(output.shape, numpy.float32))
        binding.bind_ortvalue_output(output.name, logits)
        return (lambda: session.run_with_iobinding(binding)), logits.numpy


class OpenVino:
    name = "OpenVINO"

    def __init__(self, threads):
        import openvino

        self._library = openvino
        self._core = openvino.Core()
        self._threads = threads
        self.version = openvino.__version__.split("-")[0]
        self.variants = ["fp32", "int8"]
        self.left_out = {}
        if "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            self.variants.insert(1, "bf16")
        else:
            self.left_out["bf16"] = "OpenVINO finds no bf16 instructions to use"

    def load(self, network, limits, variant, batch):
        if variant != "int8":
            precision = {"fp32": "f32", "bf16": "bf16"}[variant]
            return self._compiled(peer_models.float_onnx(network, batch), as_floats(network.images(batch)), precision)
        # Which of the two graphs becomes the faster program depends on the network: it gets the better one.
        models = [peer_models.quantized_onnx(network, limits, batch, quantize_sums=sums) for sums in (False, True)]
        compiled = [self._compiled(model, network.images(batch), "u8") for model in models]
        return compiled[fastest([run for run, _ in compiled])]

    def _compiled(self, model, images, precision):
        library = self._library
        settings = {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "ENABLE_CPU_PINNING": False,  # the driver pins the whole process
        }
        compiled = self._core.compile_model(self._core.read_model(model.SerializeToString()), "CPU", settings)
        for operation in compiled.get_runtime_model().get_ordered_ops():
            facts = {key: value.astype(str) for key, value in operation.get_rt_info().items()}
            if facts.get("layerType") == "Convolution" and facts["runtimePrecision"] != precision:
                raise Unusable(f"convolution {operation.get_friendly_name()} runs in {facts['runtimePrecision']}")
        request = compiled.create_infer_request()
        request.set_input_tensor(library.Tensor(images))
        logits = request.get_output_tensor()

        def run():
            request.start_async()
            request.wait()

        return run, lambda: numpy.array(logits.data)


class Ncnn:
    """It has no batches: rows run one after the other."""

    name = "ncnn"

    def __init__(self, threads):
        import ncnn

        self._library = ncnn
        self._threads = threads
        self.version = importlib.metadata.version("ncnn")
        self.variants = ["fp32", "int8"]
        self.left_out = {}

    def load(self, network, limits, variant, batch):
        net = self._library.Net()
        net.opt.num_threads = self._threads
        for shorter_floats in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            setattr(net.opt, f"use_{shorter_floats}", False)
        parameters, weights = peer_models.ncnn_files(network, limits if variant == "int8" else None)
        with tempfile.NamedTemporaryFile("w") as param, tempfile.NamedTemporaryFile("wb") as binary:
            param.write(parameters)
            param.flush()
            binary.write(weights)
            binary.flush()
            if net.load_param(param.name) != 0 or net.load_model(binary.name) != 0:
                raise Unusable("it does not load the network")
        images = list(as_floats(network.images(batch)))
        rows = [self._library.Mat(image) for image in images]
        logits = [None] * batch
        last = network.nodes[-1]["name"]

        def run(images=images):  # which the Mats only point into
            for i, row in enumerate(rows):
                extractor = net.create_extractor()
                extractor.input("input:out", row)
                logits[i] = extractor.extract(last + ":out")[1]

        return run, lambda: numpy.array([numpy.array(row) for row in logits])


LIBRARIES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn}


def as_floats(images):
    return images.astype(numpy.float32) / 255


def microseconds(run):
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / 1000


def fastest(runs, turns=7):
    """The index of the one whose best run is the shortest."""
    times = [[microseconds(run) for run in runs] for _ in range(turns)]
    best = [min(column) for column in zip(*times)]
    return best.index(min(best))


class TimedPeer:
    def __init__(self, library, network):
        self._library = library
        self._network = network
        values = peer_models.run_by_definition(network, network.images(ROWS_TO_CHECK))
        self._limits = peer_models.ranges(values)
        self._expected = values[network.nodes[-1]["name"]]
        self._loaded = {}  # by (variant, batch)

    def answer(self, words):
        if words == ["describe"]:
            library = self._library
            return {
                "name": library.name,
                "version": library.version,
                "variants": library.variants,
                "left_out": library.left_out,
            }
        if len(words) == 4 and words[0] == "run":
            return self._run(words[1], int(words[2]), float(words[3]))
        raise Unusable("expected: describe | run VARIANT BATCH MILLIS")

    def _run(self, variant, batch, milliseconds):
        if variant not in self._library.variants:
            raise Unusable(f"no variant '{variant}'")
        if (variant, batch) not in self._loaded:
            run, logits = self._library.load(self._network, self._limits, variant, batch)
            run()
            check_logits(variant, logits(), self._expected)
            self._loaded[variant, batch] = run
        run = self._loaded[variant, batch]
        times = []
        while not times or sum(times) < 1000 * milliseconds:
            times.append(microseconds(run))
        return {"runs": len(times), "median_us": round(statistics.median(times), 3), "min_us": round(min(times), 3)}


def check_logits(variant, logits, expected):
    """Raises unless `logits` are as far from those in float as the variant should be: not further, and not nearer."""
    expected = expected[: len(logits)]
    error = float(numpy.abs(logits[: len(expected)] - expected).max() / numpy.abs(expected).max())
    low, high = {"fp32": (0, 1e-4), "bf16": (1e-6, 0.1), "int8": (1e-4, 0.2)}[variant]
    if not low <= error <= high:
        raise Unusable(f"its {variant} logits are {error:.2g} off, and {low:g} to {high:g} was expected")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--network", required=True, type=argparse.FileType())
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    network = peer_models.Network.random(json.load(arguments.network))
    peer = TimedPeer(LIBRARIES[arguments.library](arguments.threads), network)
    for line in sys.stdin:
        try:
            answer = peer.answer(line.split())
        except Exception as error:  # whatever a foreign library throws is an answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
