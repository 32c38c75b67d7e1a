"""Unpacks from LibTorch's wheels what a C++ program on a CPU needs.

usage: unpack_libtorch.py WHEELS FOLDER

Of torch: the headers, and of its libraries the three that a CPU program loads; the rest is Python and, at 0.6 GB, CUDA
kernels. Of the CUDA runtime wheels: everything, it is small. Of each: the dist-info folder, which names the version.
"""

import pathlib
import sys
import zipfile

TORCH_LIBRARIES = {"torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1"}


def wanted(name):
    return (
        name in TORCH_LIBRARIES
        or name.startswith(("torch/include/", "nvidia/"))
        or name.split("/")[0].endswith(".dist-info")
    )


def main(wheels, folder):
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [n for n in archive.namelist() if wanted(n)])


if __name__ == "__main__":
    main(*sys.argv[1:])
