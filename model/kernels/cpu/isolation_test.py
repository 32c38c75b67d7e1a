#!/usr/bin/env python3
"""Each instruction set's object offers its table's accessor, and no other code that a linker could share.

And VPOPCNTDQ and BF16, which only some of the processors with VNNI have, stay in the functions that are chosen by their
presence; tile instructions, in the object of AMX.
An inline function of a header, compiled here for AVX-512, may become the one copy of it in the whole program, and stop
the program on every processor without. Arguments: the compiled kernels.
"""

import re
import subprocess
import sys

# Instructions of which only some processors with VNNI have, and the operand whose functions may have them.
RARE = {re.compile(r"\bvpopcnt"): r"\bSigns\b", re.compile(r"\bvdpbf16ps"): r"\bBfloatPairs\b"}
TILES = re.compile(r"\b(tile(loadd|loaddt1|stored|zero|release)|ldtilecfg|tdp\w+)\b")
ACCESSOR = re.compile(r"^anybit::model::(\w+)Kernels\([\w:]*( const&)?\)$")


def complaints(symbols):
    """What is wrong with the lines that `nm --demangle --defined-only --extern-only` printed."""
    names = [line.split(maxsplit=2)[2] for line in symbols.splitlines() if len(line.split(maxsplit=2)) == 3]
    found = [f"defines {name}" for name in names if not ACCESSOR.match(name)]
    return found or ([] if len(names) == 1 else [f"offers {len(names)} tables, expected one"])


def rare_elsewhere(disassembly):
    """Functions with a rare instruction that are not instances for its operand."""
    found, function = set(), ""
    for line in disassembly.splitlines():
        if line.endswith(">:"):
            function = line
        for instruction, operand in RARE.items():
            if instruction.search(line) and not re.search(operand, function):
                found.add(f"has {instruction.search(line)[0]} in {function}")
    return sorted(found)


def tiles_elsewhere(symbols, disassembly):
    """Whether an object has tile instructions that is not AMX's, or is AMX's and has none."""
    accessors = [ACCESSOR.match(line.split(maxsplit=2)[2]) for line in symbols.splitlines() if len(line.split()) > 2]
    is_amx = any(accessor and accessor[1] == "Amx" for accessor in accessors)
    if is_amx == bool(TILES.search(disassembly)):
        return []
    return ["has no tile instruction" if is_amx else "has tile instructions, which belong to AMX's object"]


def main(paths):
    if not paths:
        return "usage: isolation_test.py OBJECT..."
    # The check itself: an inline function is a weak symbol beside the accessor.
    accessor = "0000000000000000 T anybit::model::Avx2Kernels()\n"
    assert complaints(accessor) == []
    assert complaints(accessor + "0000000000000000 W float std::min<float>(float, float)\n") != []
    assert complaints("") != []
    product = " 4: tdpbusd %tmm2,%tmm1,%tmm0\n"
    assert tiles_elsewhere(accessor, product) != [] and tiles_elsewhere(accessor, " 4: vpaddd\n") == []
    amx = "0000000000000000 T anybit::model::AmxKernels(anybit::model::KernelTable const&)\n"
    assert complaints(amx) == []
    assert tiles_elsewhere(amx, product) == [] and tiles_elsewhere(amx, " 4: vpaddd\n") != []
    assert rare_elsewhere("0 <void f<Signs>()>:\n 4: vpopcntd %zmm0,%zmm0\n") == []
    assert rare_elsewhere("0 <void f<SignsByTable>()>:\n 4: vpopcntd %zmm0,%zmm0\n") != []
    assert rare_elsewhere("0 <void f<BfloatPairs>()>:\n 4: vdpbf16ps %zmm0,%zmm1,%zmm0\n") == []
    assert rare_elsewhere("0 <void f<Bfloats>()>:\n 4: vdpbf16ps %zmm0,%zmm1,%zmm0\n") != []
    found = []
    for path in paths:
        command = ["nm", "--demangle", "--defined-only", "--extern-only", path]
        symbols = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        if re.search(r"\b__(asan|tsan|ubsan)_", symbols):
            print(f"{path} is instrumented by a sanitizer: not judged")
        else:
            command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", path]
            disassembly = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            texts = complaints(symbols) + rare_elsewhere(disassembly) + tiles_elsewhere(symbols, disassembly)
            found += [f"{path}: {text}" for text in texts]
    return "\n".join(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
