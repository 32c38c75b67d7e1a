"""A network of ours as other runtimes read it: ONNX in float and with QDQ (int8), and ncnn's two files.

The layers are those of a NetworkSpec (proto/artifact.proto, as JSON); weights are random, for speed does not depend on
them. A conv is followed by ReLU, after the addition where it has one. Inputs are images of codes 0..255, worth
code / 255; peers that take integers get the codes.

Quantized: activations are u8 with zero point 0 (which is ReLU as well), or 128 where there is no ReLU, weights s8 with
one scale per output channel. Scales come from a run in float. The last, linear layer stays in float: it is less than a
thousandth of the work.

Clips are not written yet, and refused.
"""

import dataclasses
import struct

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


@dataclasses.dataclass
class Network:
    """Nodes of the spec with random weights and biases, by node name.

    Weights are [out, in, kernel, kernel], of a depthwise convolution with in = 1, or [out, in].
    """

    nodes: list
    channels: int
    side: int
    weights: dict
    biases: dict

    @staticmethod
    def random(spec, seed=1):
        refuse_what_is_not_written(spec)
        random = numpy.random.default_rng(seed)
        side, _, channels = (int(extent) for extent in spec["input"]["shape"])
        depths = {"input": channels}
        weights, biases = {}, {}
        for node in spec["nodes"]:
            name, depth = node["name"], depths[node["inputs"][0]]
            shape = None
            if "conv" in node:
                conv = node["conv"]
                shape = (conv["out_channels"], depth // groups(node), conv["kernel"], conv["kernel"])
            elif "linear" in node:
                shape = (node["linear"]["out_features"], depth)
            if shape:
                deviation = (2 / numpy.prod(shape[1:])) ** 0.5  # keeps activations of one size through ReLUs
                weights[name] = random.normal(0, deviation, shape).astype(numpy.float32)
                biases[name] = random.normal(0, 0.1, shape[0]).astype(numpy.float32)
                depth = shape[0]
            depths[name] = depth
        return Network(spec["nodes"], channels, side, weights, biases)

    def images(self, batch, seed=2):
        codes = numpy.random.default_rng(seed).integers(0, 256, (batch, self.channels, self.side, self.side))
        return codes.astype(numpy.uint8)

    def convolutions(self):
        return [node for node in self.nodes if "conv" in node]

    def readers(self, name):
        """The nodes that read `name`, once for each time they do."""
        return [node for node in self.nodes for source in node["inputs"] if source == name]


def refuse_what_is_not_written(spec):
    if len(spec["input"]["shape"]) != 3:
        raise ValueError("a network of clips has no form for peers yet")


def groups(node):
    """1, or the number of channels where the convolution is depthwise."""
    return node["conv"].get("groups", 0) or 1


def pool_window(node):
    """Size, stride and padding of a max pool."""
    pool = node["max_pool"]
    return pool["size"], pool.get("stride", 0) or pool["size"], pool.get("padding", 0)


def has_relu(node):
    return not node["conv"].get("without_relu", False)


def windows_of(x, size, stride, padding):
    """[batch, channels, height, width, size, size], with zeros beyond the map."""
    x = numpy.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return numpy.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def convolve(x, weight, bias, stride, padding):
    """The definition, as one product of matrices, or of each channel by itself. x: [batch, in, height, width]."""
    windows = windows_of(x, weight.shape[2], stride, padding)
    if weight.shape[1] < x.shape[1]:
        return numpy.einsum("bchwkl,ckl->bchw", windows, weight[:, 0]) + bias[:, None, None]
    return numpy.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) + bias[:, None, None]


def run_by_definition(network, images):
    """What every node computes in float, by name; of a conv with addition also "<name>:sum", before the addition."""
    values = {"input": images.astype(numpy.float32) / 255}
    for node in network.nodes:
        name, x = node["name"], values[node["inputs"][0]]
        if "conv" in node:
            conv = node["conv"]
            y = convolve(x, network.weights[name], network.biases[name], conv["stride"], conv.get("padding", 0))
            if len(node["inputs"]) > 1:
                values[name + ":sum"] = y
                y = y + values[node["inputs"][1]]
            if has_relu(node):
                y = numpy.maximum(y, 0)
        elif "max_pool" in node:
            y = windows_of(x, *pool_window(node)).max((4, 5))  # zeros beyond the map: no value is below
        elif "global_pool" in node:
            y = x.mean((2, 3), keepdims=True)
        else:
            y = x.reshape(len(x), -1) @ network.weights[name].T + network.biases[name]
        values[name] = y
    return values


def ranges(values):
    """The largest magnitude of every value, by name."""
    return {name: float(numpy.abs(value).max()) for name, value in values.items()}


# ---- ONNX


class GraphWriter:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(numpy.asarray(array), name))
        return name

    def add(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def quantize(self, x, name, scale, zero):
        """Codes of x, and back: what QDQ is named after."""
        codes = self.add("QuantizeLinear", [x, *self._step(name, scale, zero)], name + ":codes")
        return self.dequantize(codes, name, scale, zero)

    def dequantize(self, codes, name, scale, zero, **attributes):
        return self.add("DequantizeLinear", [codes, *self._step(name, scale, zero)], name + ":value", **attributes)

    def model(self, inputs, outputs):
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def _step(self, name, scale, zero):
        names = name + ":scale", name + ":zero"
        if all(names[0] != constant.name for constant in self.constants):
            self.constant(names[0], numpy.float32(scale))
            self.constant(names[1], zero)
        return names


def pool_and_head(network, writer, node, value):
    """The nodes that are the same in float and quantized networks; `value` is the name of what the node reads."""
    name = node["name"]
    if "max_pool" in node:
        size, stride, padding = pool_window(node)
        return writer.add(
            "MaxPool", [value], name, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[padding] * 4
        )
    if "global_pool" in node:
        return writer.add("GlobalAveragePool", [value], name)
    flat = writer.add("Flatten", [value], name + ":flat")
    weight = writer.constant(name + ":weight", network.weights[name])
    bias = writer.constant(name + ":bias", network.biases[name])
    return writer.add("Gemm", [flat, weight, bias], name, transB=1)


def conv_attributes(node):
    conv = node["conv"]
    return {
        "kernel_shape": [conv["kernel"]] * 2,
        "strides": [conv["stride"]] * 2,
        "pads": [conv.get("padding", 0)] * 4,
        "group": groups(node),
    }


def input_and_output(network, batch, input_type):
    image = helper.make_tensor_value_info("input", input_type, [batch, network.channels, network.side, network.side])
    last = network.nodes[-1]
    logits = helper.make_tensor_value_info(last["name"], TensorProto.FLOAT, [batch, last["linear"]["out_features"]])
    return [image], [logits]


def float_onnx(network, batch):
    writer = GraphWriter()
    values = {"input": "input"}
    for node in network.nodes:
        name, x = node["name"], values[node["inputs"][0]]
        if "conv" in node:
            weight = writer.constant(name + ":weight", network.weights[name])
            bias = writer.constant(name + ":bias", network.biases[name])
            y = writer.add("Conv", [x, weight, bias], name + ":sum", **conv_attributes(node))
            if len(node["inputs"]) > 1:
                y = writer.add("Add", [y, values[node["inputs"][1]]], name + ":added")
            values[name] = writer.add("Relu", [y], name) if has_relu(node) else y
        else:
            values[name] = pool_and_head(network, writer, node, x)
    return writer.model(*input_and_output(network, batch, TensorProto.FLOAT))


def quantized_onnx(network, limits, batch, quantize_sums):
    """The QDQ network; its input is u8.

    `limits` are those of ranges(). `quantize_sums`: whether what a conv adds a residual to is quantized first, as ONNX
    Runtime needs it for an integer convolution, or stays as it is, as OpenVINO needs it to fuse the addition.
    """
    writer = GraphWriter()
    scales = {"input": 1 / 255}
    unsigned = numpy.uint8(0)
    values = {"input": writer.dequantize("input", "input", scales["input"], unsigned)}
    for node in network.nodes:
        name, source = node["name"], node["inputs"][0]
        if "conv" in node:
            scales[name] = limits[name] / (255 if has_relu(node) else 127)
            y = quantized_conv(network, writer, node, values[source], scales[source])
            if len(node["inputs"]) > 1:
                if quantize_sums:
                    y = writer.quantize(y, name + ":sum", limits[name + ":sum"] / 127, numpy.uint8(128))
                y = writer.add("Add", [y, values[node["inputs"][1]]], name + ":added")
            if has_relu(node):
                values[name] = writer.quantize(writer.add("Relu", [y], name), name, scales[name], unsigned)
            else:
                values[name] = writer.quantize(y, name, scales[name], numpy.uint8(128))
        elif "max_pool" in node:
            # Of the same scale on both sides, so that the pool may work on the codes.
            scales[name] = scales[source]
            values[name] = writer.quantize(
                pool_and_head(network, writer, node, values[source]), name, scales[name], unsigned
            )
        else:
            values[name] = pool_and_head(network, writer, node, values[source])
    return writer.model(*input_and_output(network, batch, TensorProto.UINT8))


def quantized_conv(network, writer, node, x, input_scale):
    """Conv of dequantized codes of weights, one scale a channel, and of the bias in the sums' scale."""
    name, weight = node["name"], network.weights[node["name"]]
    steps = (numpy.abs(weight).max((1, 2, 3)) / 127).astype(numpy.float32)
    codes = numpy.rint(weight / steps[:, None, None, None]).astype(numpy.int8)
    sum_steps = (steps * input_scale).astype(numpy.float32)
    bias_codes = numpy.rint(network.biases[name] / sum_steps).astype(numpy.int32)
    operands = []
    for part, array, scale, zero in (
        ("weight", codes, steps, numpy.zeros(len(steps), numpy.int8)),
        ("bias", bias_codes, sum_steps, numpy.zeros(len(steps), numpy.int32)),
    ):
        key = f"{name}:{part}"
        inputs = [
            writer.constant(key + ":codes", array),
            writer.constant(key + ":scale", scale),
            writer.constant(key + ":zero", zero),
        ]
        operands.append(writer.add("DequantizeLinear", inputs, key, axis=0))
    return writer.add("Conv", [x, *operands], name + ":conv", **conv_attributes(node))


# ---- ncnn: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure


class NcnnWriter:
    """The text of the .param file and the bytes of the .bin file. Every blob is read once; Split makes copies."""

    MAGIC = 7767517

    def __init__(self, network):
        self._network = network
        self._layers, self._blobs = [], 0
        self._copies = {}  # node name -> blobs not read yet
        self._binary = bytearray()

    def layer(self, kind, name, inputs, **parameters):
        """Parameters are named p0, p1, ... after ncnn's numbers."""
        blob = name + ":out"
        numbers = " ".join(f"{key[1:]}={value}" for key, value in parameters.items())
        self._layers.append(f"{kind} {name} {len(inputs)} 1 {' '.join([*inputs, blob])} {numbers}")
        self._blobs += 1
        return blob

    def publish(self, name, blob):
        """Makes `blob` what readers of node `name` read."""
        count = len(self._network.readers(name))
        self._copies[name] = [blob]
        if count > 1:
            self._copies[name] = [f"{name}:copy{i}" for i in range(count)]
            self._layers.append(f"Split {name}:split 1 {count} {blob} {' '.join(self._copies[name])}")
            self._blobs += count

    def read(self, name):
        return self._copies[name].pop()

    def weights(self, array):
        self._binary += struct.pack("<I", 0) + array.astype("<f4").tobytes()  # 0: plain floats follow

    def floats(self, array):
        self._binary += numpy.asarray(array, "<f4").tobytes()

    def files(self):
        text = "\n".join([str(self.MAGIC), f"{len(self._layers)} {self._blobs}", *self._layers])
        return text + "\n", bytes(self._binary)


def ncnn_files(network, limits=None):
    """The texts (.param, .bin) of the network; with the limits of ranges(), of convolutions in int8.

    ncnn's codes are signed, so activations take 0..127. It quantizes the weights when it loads them. Where a
    convolution is all that reads another, the codes go from one to the other.
    """
    writer = NcnnWriter(network)
    writer.publish("input", writer.layer("Input", "input", [], p0=network.side, p1=network.side, p2=network.channels))
    for node in network.nodes:
        name, blob = node["name"], writer.read(node["inputs"][0])
        if "conv" in node:
            adds = len(node["inputs"]) > 1
            blob = ncnn_conv(writer, network, node, blob, has_relu(node) and not adds, limits)
            if adds:
                blob = writer.layer("BinaryOp", name + ":add", [blob, writer.read(node["inputs"][1])], p0=0)
                if has_relu(node):
                    blob = writer.layer("ReLU", name + ":relu", [blob])
        elif "max_pool" in node:
            size, stride, padding = pool_window(node)
            blob = writer.layer("Pooling", name, [blob], p0=0, p1=size, p2=stride, p3=padding, p5=1)
        elif "global_pool" in node:
            blob = writer.layer("Pooling", name, [blob], p0=1, p4=1)
        else:
            weight = network.weights[name]
            blob = writer.layer("InnerProduct", name, [blob], p0=len(weight), p1=1, p2=weight.size)
            writer.weights(weight)
            writer.floats(network.biases[name])
        writer.publish(name, blob)
    return writer.files()


def ncnn_conv(writer, network, node, blob, relu, limits):
    name, conv, weight = node["name"], node["conv"], network.weights[node["name"]]
    readers = network.readers(name)
    only_conv = relu and len(readers) == 1 and "conv" in readers[0] and readers[0]["inputs"][0] == name
    depthwise = groups(node) > 1
    quantization = 0 if limits is None else (100 if only_conv else 0) + (1 if depthwise else 2)
    kind, of_kind = ("ConvolutionDepthWise", {"p7": groups(node)}) if depthwise else ("Convolution", {})
    blob = writer.layer(
        kind, name, [blob], p0=len(weight), p1=conv["kernel"], p3=conv["stride"], p4=conv.get("padding", 0),
        p5=1, p6=weight.size, p8=quantization, p9=int(relu), **of_kind,
    )  # fmt: skip
    writer.weights(weight)
    writer.floats(network.biases[name])
    if quantization:
        writer.floats(127 / numpy.abs(weight).max((1, 2, 3)))
        writer.floats([127 / limits[node["inputs"][0]]])
    if quantization > 100:
        writer.floats([127 / limits[name]])
    return blob
