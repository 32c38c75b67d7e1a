#!/usr/bin/env python3
"""Times PyTorch on this GPU: ResNets in fp16, channels last, with CUDA graphs, and its int8 matrix product.

usage: torch_peer.py [--batches 1,8,32,64]

Prints one JSON object a line, like gpu_check. The networks have random weights and the shapes of torchvision's, which
need not be installed.
"""

import argparse
import json
import statistics
import sys
import time

NOT_HERE = 77  # the exit code where there is no PyTorch, or it has no GPU
try:
    import torch
except ImportError:
    print("PyTorch is not installed", file=sys.stderr)
    sys.exit(NOT_HERE)
from torch import nn

if not torch.cuda.is_available():
    print("PyTorch finds no GPU", file=sys.stderr)
    sys.exit(NOT_HERE)

SECONDS = 0.33


class Block(nn.Module):
    """A basic block, or with `wide` a bottleneck with the stride in its 3x3 convolution."""

    def __init__(self, channels_in, width, stride, wide):
        super().__init__()
        out = width * 4 if wide else width
        if wide:
            shapes = [(channels_in, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        else:
            shapes = [(channels_in, width, 3, stride), (width, out, 3, 1)]
        # Batch norm is folded, as any server would.
        self.convs = nn.ModuleList(nn.Conv2d(i, o, k, s, k // 2) for i, o, k, s in shapes)
        self.shortcut = nn.Conv2d(channels_in, out, 1, stride) if stride != 1 or channels_in != out else nn.Identity()

    def forward(self, x):
        y = x
        for conv in self.convs[:-1]:
            y = torch.relu(conv(y))
        return torch.relu(self.convs[-1](y) + self.shortcut(x))


def resnet(depths, wide):
    layers = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for index in range(depth):
            layers.append(Block(channels, width, 2 if stage and not index else 1, wide))
            channels = width * 4 if wide else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


NETWORKS = {
    "resnet18_imagenet": lambda: resnet([2, 2, 2, 2], False),
    "resnet50_imagenet": lambda: resnet([3, 4, 6, 3], True),
}


def median_seconds(work):
    for _ in range(5):
        work()
    torch.cuda.synchronize()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS or len(times) < 10:
        before = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


@torch.no_grad()
def time_network(name, rows):
    """With the copies of input and output in the graph, as ours has them."""
    network = NETWORKS[name]().cuda().half().to(memory_format=torch.channels_last).eval()
    host = torch.zeros(rows, 3, 224, 224, dtype=torch.uint8).contiguous(memory_format=torch.channels_last).pin_memory()
    out = torch.zeros(rows, 1000, dtype=torch.half).pin_memory()

    def run():
        images = host.cuda(non_blocking=True).half()
        out.copy_(network(images), non_blocking=True)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return median_seconds(graph.replay)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,8,32,64")
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    print(json.dumps({"check": "torch", "version": torch.__version__, "cudnn": torch.backends.cudnn.version()}))
    a = torch.randint(-128, 127, (8192, 4096), dtype=torch.int8, device="cuda")
    b = torch.randint(-128, 127, (4096, 4096), dtype=torch.int8, device="cuda").t()
    seconds = median_seconds(lambda: torch._int_mm(a, b))
    rate = 2 * 8192 * 4096 * 4096 / seconds
    print(json.dumps({"check": "product", "algorithm": "torch._int_mm", "operations_per_second": rate}), flush=True)
    for name in NETWORKS:
        for rows in map(int, arguments.batches.split(",")):
            line = {"check": "peer", "network": name, "rows": rows, "peer": "PyTorch fp16, channels last, graphs"}
            print(json.dumps({**line, "microseconds": time_network(name, rows) * 1e6}), flush=True)


if __name__ == "__main__":
    main()
