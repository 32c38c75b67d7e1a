#!/usr/bin/env python3
"""The inner loops of the kernels keep their vectors in registers: none is read from the stack, none is stored.

Arguments: the compiled kernels. One without such a loop fails too, since nothing would be guarded. A sanitizer puts its
own accesses into the loops, so what one has instrumented is not judged.
"""

import re
import sys

import dot_product_loops

# Loops that finish an output in every round: what they store is their result, unless it goes to the stack.
STORES_RESULTS = re.compile(r"\bDepthwiseChunkRow<")


def complaints(disassembly):
    """What is wrong with the loops of one disassembly, one text each."""
    loops, unclear = dot_product_loops.find_loops(disassembly)
    found = [f"{function}: a jump through a table hides its loops" for function in unclear]
    if not loops:
        found.append("no loop with dot products is here")
    for loop in loops:
        spills = loop.stack_accesses if STORES_RESULTS.search(loop.function) else loop.spills
        if spills:
            lines = "".join(f"\n  {spill.address:6x}: {spill.text}" for spill in spills)
            found.append(f"{loop.function}: of {len(loop.body)} instructions in the loop, these are spills:{lines}")
    return found


def main(paths):
    if not paths:
        return "usage: spills_test.py OBJECT_OR_ARCHIVE..."
    found = []
    for path in paths:
        disassembly = dot_product_loops.disassemble(path)
        if re.search(r"\b__(asan|tsan|ubsan)_", disassembly):
            print(f"{path} is instrumented by a sanitizer: not judged")
        else:
            found += [f"{path}: {text}" for text in complaints(disassembly)]
    return "\n".join(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
