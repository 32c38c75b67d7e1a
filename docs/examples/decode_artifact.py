#!/usr/bin/env python3
"""Reads an artifact of anybit, derives the weights of an operating point, and runs the network on images.

usage: decode_artifact.py ARTIFACT [--point NAME] [--images IDX --first N]

It needs Python 3.9 and nothing else; docs/formats.md describes the file. Without --images it prints the operating
points and the weight codes of each layer. With --images (IDX, plain or gzipped) it prints the class of each image.
Plain loops, about a second an image: it is here to be read.
"""

import argparse
import array
import collections
import gzip
import json
import math
import operator
import struct
import sys
import zlib

# ---- The file: a safetensors container.


def read_container(path):
    """(metadata, tensors) of a safetensors file; a tensor is (shape, values), row-major."""
    with open(path, "rb") as file:
        text = file.read()
    (header_bytes,) = struct.unpack_from("<Q", text)
    header = json.loads(text[8 : 8 + header_bytes])
    data = text[8 + header_bytes :]
    metadata = header.pop("__metadata__")
    check = zlib.crc32(data, zlib.crc32(metadata["anybit.header"].encode()))
    if metadata["anybit.format"] != "1":
        raise ValueError(f"artifact format {metadata['anybit.format']}, this program reads format 1")
    if f"{check:08x}" != metadata["anybit.crc32"]:
        raise ValueError(f"checksum is {check:08x}, the file says {metadata['anybit.crc32']}")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = array.array({"I8": "b", "F32": "f"}[entry["dtype"]])
        values.frombytes(data[begin:end])
        if sys.byteorder == "big":
            values.byteswap()
        tensors[name] = (entry["shape"], values)
    return metadata, tensors


# ---- Weights: every point's codes come from one int8 store.


def weight_code(stored, code_range):
    """The weight code that an operating point makes of a stored int8 code."""
    if code_range.get("sign", False):
        return -1 if stored < 0 else 1
    step = code_range["step"]
    # Python's // rounds towards minus infinity, as the format wants.
    return min(max((stored + step // 2) // step, code_range.get("lo", 0)), code_range["hi"])


class Artifact:
    """One network: its nodes, its operating points by name, its tensors."""

    def __init__(self, path):
        metadata, self.tensors = read_container(path)
        header = json.loads(metadata["anybit.header"])
        self.checksum = metadata["anybit.crc32"]
        self.network = header["network"]
        self.points = {point["name"]: point for point in header["points"]}

    def layer(self, point, node):
        """(code range, highest activation code) of a node with weights at an integer point."""
        for entry in self.points[point]["layers"]:
            if entry["node"] == node:
                return entry["weights"], entry.get("highest_code", 0)
        raise KeyError(f"point {point} has no layer {node}")

    def zero_code(self, point, name):
        """The code that stands for 0 in a node's output at an integer point."""
        node = next((node for node in self.network["nodes"] if node["name"] == name), None)
        if node is None or "global_pool" in node or "linear" in node:
            return 0
        if "max_pool" in node:
            return self.zero_code(point, node["inputs"][0])
        entries = self.points[point]["layers"] + self.points[point].get("gates", [])
        entry = next(entry for entry in entries if entry["node"] == name)
        if node.get("conv", {}).get("without_relu", False):
            return (entry["highest_code"] + 1) // 2
        return entry.get("zero_code", 0)

    def padding(self, point, name, channels):
        """The pixel with which a convolution pads the output of `name`, or the network's input."""
        codes = self.network.get("padding_code", []) if name == "input" else []
        if self.points[point].get("full_precision", False):
            return [bfloat16(code) if self.is_bfloat16(point) else code for code in codes] or [0] * channels
        return [round(code) for code in codes] or [self.zero_code(point, name)] * channels

    def is_bfloat16(self, point):
        """Whether a full-precision point keeps the upper halves of floats only."""
        return self.points[point]["weight_bits"] == 16

    def weights(self, point, node):
        """The weights of `node` as one list for each output: codes, or floats at full precision."""
        full_precision = self.points[point].get("full_precision", False)
        shape, values = self.tensors[f"{'full' if full_precision else 'store'}.{node}.weight"]
        if not full_precision:
            code_range, _ = self.layer(point, node)
            codes = {stored: weight_code(stored, code_range) for stored in range(-128, 128)}
            values = [codes[stored] for stored in values]
        elif self.is_bfloat16(point):
            values = [bfloat16(value) for value in values]
        depth = len(values) // shape[0]
        return [list(values[i * depth : (i + 1) * depth]) for i in range(shape[0])]


# ---- Arithmetic: float32 with one rounding for each fused multiply-add.


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def fma32(a, b, c):
    """a * b + c, rounded once to float32; a, b and c are float32 values."""
    product = a * b  # exact: 24 + 24 bits
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)  # what the addition has lost, exactly
    if error and not struct.unpack("<q", struct.pack("<d", total))[0] & 1:
        total = math.nextafter(total, math.copysign(math.inf, error))  # round to odd: the next rounding is then right
    return float32(total)


# ---- The network: nodes over maps of codes.

# One frame of a tensor: height x width x channels values, row-major.
Map = collections.namedtuple("Map", "height width channels values")


def bordered(image, padding, pixel):
    """`image` with `padding` rows and columns of `pixel` around it."""
    row = image.width * image.channels
    side = pixel * padding
    border = pixel * ((image.width + 2 * padding) * padding)
    values = list(border)
    for y in range(image.height):
        values += side + image.values[y * row : (y + 1) * row] + side
    return Map(image.height + 2 * padding, image.width + 2 * padding, image.channels, values + border)


def windows(image, size, stride):
    """Yields the values of each window of size x size pixels, in the order (row, column, channel)."""
    for y in range(0, image.height - size + 1, stride):
        for x in range(0, image.width - size + 1, stride):
            window = []
            for dy in range(size):
                begin = ((y + dy) * image.width + x) * image.channels
                window += image.values[begin : begin + size * image.channels]
            yield window


def convolution_sums(image, conv, weights, pixel):
    """The sums of every output pixel: a Map of integers (floats at full precision). `pixel` stands around `image`."""
    size, stride, padding = conv["kernel"], conv["stride"], conv.get("padding", 0)
    padded = bordered(image, padding, pixel)
    depthwise = conv.get("groups", 0) > 1
    sums = []
    for window in windows(padded, size, stride):
        for output, row in enumerate(weights):
            read = window[output :: image.channels] if depthwise else window
            sums.append(sum(map(operator.mul, read, row)))
    height, width = ((extent - size) // stride + 1 for extent in (padded.height, padded.width))
    return Map(height, width, len(weights), sums)


def epilogue(sums, scale, bias, residual, residual_scale, highest_code):
    """Sums to activation codes: scale, add, clamp, round half to even."""
    codes = []
    for i, total in enumerate(sums.values):
        output = i % sums.channels
        value = fma32(float32(total), scale[output], bias[output])
        if residual is not None:
            value = fma32(residual.values[i], residual_scale, value)
        codes.append(round(min(max(value, 0.0), highest_code)))
    return sums._replace(values=codes)


def bfloat16(value):
    """The nearest number that is the upper half of a float32, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return struct.unpack("<f", struct.pack("<I", (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000))[0]


def float_epilogue(sums, scale, bias, residual, residual_scale, lowest):
    """The same at full precision: nothing is rounded to codes."""
    values = []
    for i, total in enumerate(sums.values):
        output = i % sums.channels
        value = total * scale[output] + bias[output]
        if residual is not None:
            value += residual.values[i] * residual_scale
        values.append(max(value, lowest))
    return sums._replace(values=values)


def activated(activation, x):
    """The value of an activation's function; proto/artifact.proto has the definitions."""
    alpha, beta = activation.get("alpha", 0.0), activation.get("beta", 0.0)
    softplus = x if x > 40 else math.log1p(math.exp(x))
    sigmoid = 1 / (1 + math.exp(-x)) if x > -700 else 0.0
    cubic = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return {
        "CLIP": lambda: min(max(x, 0.0), alpha),
        "HARD_SIGMOID": lambda: min(max(alpha * x + beta, 0.0), 1.0),
        "HARD_SWISH": lambda: x * min(max(x / 6 + 0.5, 0.0), 1.0),
        "SIGMOID": lambda: sigmoid,
        "SILU": lambda: x * sigmoid,
        "GELU": lambda: x * (1 + math.erf(x / math.sqrt(2))) / 2,
        "GELU_TANH": lambda: x * (1 + math.tanh(cubic)) / 2,
        "LEAKY_RELU": lambda: x if x >= 0 else alpha * x,
        "ELU": lambda: x if x >= 0 else alpha * math.expm1(x),
        "TANH": lambda: math.tanh(x),
        "SOFTPLUS": lambda: softplus,
        "MISH": lambda: x * math.tanh(softplus),
    }[activation["function"]]()


def gate(artifact, point, node, image, factors):
    """Each channel of `image` times a number."""
    channels = image.channels
    if artifact.points[point].get("full_precision", False):
        values = [value * factors.values[i % channels] for i, value in enumerate(image.values)]
        return image._replace(values=[bfloat16(v) for v in values] if artifact.is_bfloat16(point) else values)
    entry = next(entry for entry in artifact.points[point]["gates"] if entry["node"] == node["name"])
    scale = artifact.tensors[f"{point}.{node['name']}.scale"][1][0]
    zero, factor_zero = (artifact.zero_code(point, name) for name in node["inputs"])
    codes = []
    for i, code in enumerate(image.values):
        product = (code - zero) * (factors.values[i % channels] - factor_zero)
        value = product * scale + entry.get("zero_code", 0)
        codes.append(round(min(max(value, 0.0), entry["highest_code"])))
    return image._replace(values=codes)


def convolution(artifact, point, node, image, residual):
    name, conv = node["name"], node["conv"]
    scale = artifact.tensors[f"{point}.{name}.scale"][1]
    bias = artifact.tensors[f"{point}.{name}.bias"][1]
    residual_scale = 0.0
    if residual is not None:
        residual_scale = artifact.tensors[f"{point}.{name}.residual_scale"][1][0]
    pixel = artifact.padding(point, node["inputs"][0], image.channels)
    activation = conv.get("activation")
    tabled = activation is not None and activation["function"] != "CLIP"
    if artifact.points[point].get("full_precision", False):
        rounded = bfloat16 if artifact.is_bfloat16(point) else lambda value: value
        if artifact.is_bfloat16(point):
            image = image._replace(values=[bfloat16(value) for value in image.values])
        sums = convolution_sums(image, conv, artifact.weights(point, name), pixel)
        lowest = -math.inf if conv.get("without_relu", False) or tabled else 0.0
        made = float_epilogue(sums, scale, bias, residual, residual_scale, lowest)
        values = [rounded(value) for value in made.values]
        if activation is not None:
            values = [rounded(activated(activation, value)) for value in values]
        return made._replace(values=values)
    sums = convolution_sums(image, conv, artifact.weights(point, name), pixel)
    _, highest_code = artifact.layer(point, name)
    made = epilogue(sums, scale, bias, residual, residual_scale, 255 if tabled else highest_code)
    if not tabled:
        return made
    table = artifact.tensors[f"{point}.{name}.table"][1]
    return made._replace(values=[table[code] + 128 for code in made.values])


def max_pool(pool, image):
    size = pool["size"]
    stride = pool.get("stride", 0) or size
    padded = bordered(image, pool.get("padding", 0), [-math.inf] * image.channels)
    values = []
    for window in windows(padded, size, stride):
        values += [max(window[channel :: image.channels]) for channel in range(image.channels)]
    height, width = ((extent - size) // stride + 1 for extent in (padded.height, padded.width))
    return Map(height, width, image.channels, values)


def linear(artifact, point, name, inputs):
    scale = artifact.tensors[f"{point}.{name}.scale"][1]
    bias = artifact.tensors[f"{point}.{name}.bias"][1]
    weights = artifact.weights(point, name)
    if artifact.is_bfloat16(point):
        inputs = [bfloat16(value) for value in inputs]
    return [
        fma32(float32(sum(map(operator.mul, inputs, row))), scale[output], bias[output])
        for output, row in enumerate(weights)
    ]


def run(artifact, point, row):
    """The logits of one row: u8 codes in the order of the network's input shape."""
    *frames, height, width, channels = (int(extent) for extent in artifact.network["input"]["shape"])
    count = frames[0] if frames else 1
    size = height * width * channels
    row = list(row)
    # A tensor is a list of frames; a network of still images has one.
    tensors = {"input": [Map(height, width, channels, row[i * size : (i + 1) * size]) for i in range(count)]}
    for node in artifact.network["nodes"]:
        name, inputs = node["name"], [tensors[name] for name in node["inputs"]]
        if "conv" in node:
            residuals = inputs[1] if len(inputs) > 1 else [None] * len(inputs[0])
            tensors[name] = [convolution(artifact, point, node, *pair) for pair in zip(inputs[0], residuals)]
        elif "gate" in node:
            tensors[name] = [gate(artifact, point, node, *pair) for pair in zip(*inputs)]
        elif "max_pool" in node:
            tensors[name] = [max_pool(node["max_pool"], image) for image in inputs[0]]
        elif "global_pool" in node:
            # Sums, not means: the next layer's scale holds the division.
            channels = inputs[0][0].channels
            values = [sum(sum(image.values[channel::channels]) for image in inputs[0]) for channel in range(channels)]
            tensors[name] = [Map(1, 1, channels, values)]
        else:
            return linear(artifact, point, name, [value for image in inputs[0] for value in image.values])
    raise ValueError("the last node is not a linear one")


# ---- The program.


def read_idx(path, first, height, width):
    """The first images of an IDX file, centred in height x width pixels of 0."""
    with open(path, "rb") as file:
        text = file.read()
    if text[:2] == b"\x1f\x8b":
        text = gzip.decompress(text)
    magic, count, rows, columns = struct.unpack_from(">4I", text)
    if magic != 0x803 or rows > height or columns > width:
        raise ValueError(f"{path} is not an IDX file of images of at most {height} x {width} pixels")
    top, left = (height - rows) // 2, (width - columns) // 2
    for i in range(min(first, count)):
        pixels = bytearray(height * width)
        for y in range(rows):
            begin = 16 + (i * rows + y) * columns
            place = (top + y) * width + left
            pixels[place : place + columns] = text[begin : begin + columns]
        yield bytes(pixels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("--point", help="an operating point; default: the first integer one")
    parser.add_argument("--images", metavar="IDX")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="how many of the images")
    arguments = parser.parse_args()

    artifact = Artifact(arguments.artifact)
    integer = [name for name, point in artifact.points.items() if not point.get("full_precision", False)]
    point = arguments.point or integer[0]
    if point not in artifact.points:
        parser.error(f"no operating point {point}; there are {', '.join(artifact.points)}")
    print(f"network {artifact.network['name']}, checksum {artifact.checksum}")
    for name, entry in artifact.points.items():
        print(f"  {name}: {100 * entry['accuracy']:.2f} % of {entry['accuracy_images']} images")

    if arguments.images is None:
        for node in artifact.network["nodes"]:
            if "conv" in node or "linear" in node:
                values = [value for row in artifact.weights(point, node["name"]) for value in row]
                print(f"{point} {node['name']}: {len(values)} weights, {min(values)}..{max(values)}")
        return
    height, width = (int(extent) for extent in artifact.network["input"]["shape"][-3:-1])
    labels = artifact.network.get("labels") or [str(i) for i in range(int(artifact.network["output"]["shape"][0]))]
    for i, row in enumerate(read_idx(arguments.images, arguments.first, height, width)):
        logits = run(artifact, point, row)
        best = logits.index(max(logits))
        print(f"{point} image {i}: {labels[best]} ({', '.join(f'{logit:.4f}' for logit in logits)})")


if __name__ == "__main__":
    main()
