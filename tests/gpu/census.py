#!/usr/bin/env python3
"""Counts the opcodes of the compiled GPU kernels, and fails where a kernel lacks its native tensor-core instruction.

usage: census.py OBJECT... [--markdown]

ptxas accepts instructions that an architecture only emulates by a hundred others, so that it compiles proves nothing.
It needs cuobjdump and nvdisasm: in .cache/cuda (scripts/setup --cuda), or of a CUDA toolkit on the PATH.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache" / "cuda" / "nvidia" / "cu13" / "bin"

# Kernels by a pattern of their names, in the order of the table; CUTLASS's are too long to be demangled.
KERNELS = [
    ("bytes", r"ConvKernel<.*Operand\)0, 64, 4>"),
    ("bytes, tall", r"ConvKernel<.*Operand\)0, 128, 4>"),
    ("bytes, few channels", r"ConvKernel<.*Operand\)0, 64, 1>"),
    ("nibbles", r"ConvKernel<.*Operand\)1, 64, 4>"),
    ("nibbles, tall", r"ConvKernel<.*Operand\)1, 128, 4>"),
    ("bits by AND", r"ConvKernel<.*Operand\)2, 64, 4>"),
    ("bits by XOR", r"ConvKernel<.*Operand\)3, 64, 4>"),
    ("bfloat16", r"ConvKernel<.*Operand\)5, 64, 4>"),
    ("bfloat16, tall", r"ConvKernel<.*Operand\)5, 128, 4>"),
    ("bfloat16, few channels", r"ConvKernel<.*Operand\)5, 64, 1>"),
    ("Winograd 2x2", r"WinogradKernel<.*<2, 2>"),
    ("Winograd 2x4", r"WinogradKernel<.*<2, 4>"),
    ("Winograd 4x4", r"WinogradKernel<.*<4, 4>"),
    ("CUTLASS bytes, sm_75", r"CutlassKernel.*ILi8ELi8ELi16E.*Li75ELi75E"),
    ("CUTLASS bytes", r"CutlassKernel.*Li80ELi999E"),
    ("CUTLASS nibbles, sm_75", r"CutlassKernel.*ILi8ELi8ELi32E.*Li75ELi75E"),
    ("CUTLASS nibbles", r"CutlassKernel.*Li80ELi89E"),
]
TENSOR_OPCODE = re.compile(r"^(IMMA|BMMA|HMMA|QMMA|OMMA|IGMMA|BGMMA|UTCIMMA)")


def expected(kernel, architecture):
    """The opcode that must be there, or None where the kernel must not be."""
    if kernel.endswith("sm_75"):
        if architecture != 75:
            return None
    elif kernel.startswith("CUTLASS") and architecture == 75:
        return None
    if "bits" in kernel:
        native = architecture == 75 if "XOR" in kernel else 80 <= architecture <= 90
        return "BMMA" if native else None
    if "bfloat16" in kernel:
        return "F32.BF16" if architecture >= 80 else None
    if "nibbles" in kernel:
        return "S4" if architecture < 90 else None
    return "S8"


def run(*command):
    environment = dict(os.environ, PATH=f"{TOOLS}:{os.environ['PATH']}")
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def functions(path):
    """Yields (architecture, demangled name, opcodes) of each kernel."""
    architecture, name, opcodes = 0, "", collections.Counter()
    text = run("cuobjdump", "-sass", str(path))
    names = sorted(set(re.findall(r"Function : (\S+)", text)))
    demangled = dict(zip(names, run("c++filt", *names).splitlines()))
    for line in text.splitlines():
        found = re.match(r"\s*arch = sm_(\d+)", line) or re.match(r"\s*Function : (\S+)", line)
        if found:
            if name:
                yield architecture, name, opcodes
            name, opcodes = "", collections.Counter()
            if "Function" in line:
                name = demangled[found[1]]
            else:
                architecture = int(found[1])
            continue
        instruction = re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)", line)
        if instruction and name:
            opcodes[instruction[1]] += 1
    if name:
        yield architecture, name, opcodes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="+", metavar="OBJECT")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    cells, errors = {}, []
    for path in arguments.objects:
        for architecture, name, opcodes in functions(path):
            for kernel, pattern in KERNELS:
                if not re.search(pattern, name):
                    continue
                tensor = {o: n for o, n in opcodes.items() if TENSOR_OPCODE.match(o)}
                wanted = expected(kernel, architecture)
                total = sum(opcodes.values())
                if wanted is None and tensor:
                    errors.append(f"sm_{architecture}, {kernel}: must not be there, but has {tensor}")
                if wanted is not None and not any(wanted in opcode for opcode in tensor):
                    errors.append(f"sm_{architecture}, {kernel}: no {wanted} among {dict(tensor)}")
                text = ", ".join(f"{count} {opcode}" for opcode, count in sorted(tensor.items()))
                cells[kernel, architecture] = f"{text} of {total}" if tensor else "–"
    architectures = sorted({architecture for _, architecture in cells})
    for kernel, _ in KERNELS:
        for architecture in architectures:
            if (kernel, architecture) not in cells:
                family = kernel.startswith("CUTLASS")
                if any(k.startswith("CUTLASS") == family for k, _ in cells) and expected(kernel, architecture):
                    errors.append(f"sm_{architecture}, {kernel}: not found")
    head = ["kernel"] + [f"sm_{a}" for a in architectures]
    rows = [
        [kernel] + [cells.get((kernel, a), "") for a in architectures]
        for kernel, _ in KERNELS
        if any(k == kernel for k, _ in cells)
    ]
    if arguments.markdown:
        for row in [head, ["---"] * len(head), *rows]:
            print("| " + " | ".join(row) + " |")
    else:
        for row in rows:
            for architecture, cell in zip(architectures, row[1:]):
                print(f"sm_{architecture:<4} {row[0]:24} {cell}")
    print("\n".join(errors), file=sys.stderr)
    if not rows:
        sys.exit("census.py: no kernels in these objects")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
