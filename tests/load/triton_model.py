"""The model of compare_triton.py in NVIDIA Triton's Python backend: a network of ours in int8.

OpenVINO or ONNX Runtime computes it.

Beside it lie network-<rows>.onnx, one for each number of rows that a batch is padded to; runtime.txt; and packages.txt,
the folder of the runtimes' packages, for the backend's Python ignores PYTHONPATH.
"""

import pathlib
import sys

sys.path.insert(0, pathlib.Path(__file__).with_name("packages.txt").read_text())

import numpy  # noqa: E402
import triton_python_backend_utils as utils  # noqa: E402


class TritonPythonModel:
    def initialize(self, arguments):
        folder = pathlib.Path(arguments["model_repository"]) / arguments["model_version"]
        files = {int(path.stem.partition("-")[2]): path for path in folder.glob("network-*.onnx")}
        load = {"openvino": load_openvino, "onnxruntime": load_onnxruntime}[(folder / "runtime.txt").read_text()]
        self._networks = [(rows, *load(files[rows])) for rows in sorted(files)]

    def execute(self, requests):
        inputs = [utils.get_input_tensor_by_name(request, "input").as_numpy() for request in requests]
        rows = sum(map(len, inputs))
        _, images, run = next(network for network in self._networks if network[0] >= rows)
        numpy.concatenate(inputs, out=images[:rows])
        logits = run()
        responses, first = [], 0
        for part in inputs:
            own = numpy.array(logits[first : first + len(part)])
            responses.append(utils.InferenceResponse([utils.Tensor("logits", own)]))
            first += len(part)
        return responses


def load_openvino(path):
    """The array to fill, and the function that computes with it and returns the logits."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # of what is not int8
        "ENABLE_CPU_PINNING": False,  # the whole server is pinned
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    images = numpy.zeros(tuple(request.get_input_tensor().shape), numpy.uint8)
    request.set_input_tensor(openvino.Tensor(images, shared_memory=True))

    def run():
        request.infer()
        return request.get_output_tensor().data

    return images, run


def load_onnxruntime(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    images = numpy.zeros(session.get_inputs()[0].shape, numpy.uint8)
    return images, lambda: session.run(None, {"input": images})[0]
