"""Finds, in compiled code, the innermost loops that hold dot products: what the kernels' speed is decided in.

Dot products are those of VNNI, AVX-512 BF16 and AMX, and of AVX2 the multiplications that add pairs.

A function is cut into basic blocks; its loops are the strongly connected components of their graph, and the loops
within a loop those that remain without its entry. Nothing is assumed of the order in which a compiler lays out blocks.
"""

import dataclasses
import re
import subprocess

DOT_PRODUCT = re.compile(r"\b(vpdp(busd|wssd)s?|vdpbf16ps|vpmadd(wd|ubsw)|tdp(busd|bf16ps))\b")
TILES = re.compile(r"%tmm")
VECTOR = re.compile(r"%[xyz]mm")
_FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S.*)$")
_RELOCATION = re.compile(r"^\s*[0-9a-f]+: R_X86_64")
_DIRECT_JUMP = re.compile(r"^(?:bnd |notrack )?(j\w+)(?:,p[nt])?\s+([0-9a-f]+)\b")
_INDIRECT_JUMP = re.compile(r"^(?:bnd |notrack )?jmp\s+\*")
_END = re.compile(r"^(?:bnd |repz? |notrack )?(ret|ud2|hlt|jmp)")
_STORE = re.compile(r"%[xyz]mm\d+,[^,]*\([^)]*\)(\{%k\d\})?$")  # the last operand is memory
_NO_OPERATION = re.compile(r"^((data16|cs) )*(nop|xchg\s+%ax,%ax)")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a disassembly: an address in its section, and mnemonic and operands in AT&T's order."""

    address: int
    text: str
    relocated: bool

    @property
    def is_dot_product(self):
        return DOT_PRODUCT.search(self.text) is not None


@dataclasses.dataclass(frozen=True)
class Loop:
    """An innermost loop with dot products: the function's name, and all the loop's instructions by address."""

    function: str
    has_frame_pointer: bool
    body: tuple

    @property
    def dot_products(self):
        return [instruction for instruction in self.body if instruction.is_dot_product]

    @property
    def stack_accesses(self):
        """The instructions that move vectors or tiles from or to the stack."""
        # Without a frame, rbp is a register like others.
        stack = re.compile(r"\(%r[sb]p\b" if self.has_frame_pointer else r"\(%rsp\b")
        vectors = [i for i in self.body if VECTOR.search(i.text) or TILES.search(i.text)]
        return [i for i in vectors if stack.search(i.text)]

    @property
    def spills(self):
        """The instructions that a loop with all its vectors in registers lacks.

        Those are vectors read from the stack, and vectors stored anywhere: sums that a compiler keeps in an array need
        not be addressed by the stack pointer. Where tiles hold the sums, vectors do other work beside them, and only
        traffic with the stack is a spill.
        """
        on_tiles = any(TILES.search(i.text) for i in self.body)
        stores = [] if on_tiles else [i for i in self.body if VECTOR.search(i.text) and _STORE.search(i.text)]
        return sorted({*self.stack_accesses, *stores}, key=lambda i: i.address)


def disassemble(path):
    """The disassembly of an object, an archive or a program, as objdump prints it."""
    command = ["objdump", "--disassemble", "--reloc", "--demangle", "--no-show-raw-insn", "--wide", path]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def functions(disassembly):
    """Yields (name, instructions) for every function of what `disassemble` returned."""
    name, instructions = None, []
    for line in disassembly.splitlines():
        if start := _FUNCTION.match(line):
            if instructions:
                yield name, instructions
            name, instructions = start[2], []
        elif _RELOCATION.match(line):
            if instructions:
                instructions[-1] = dataclasses.replace(instructions[-1], relocated=True)
        elif found := _INSTRUCTION.match(line):
            instructions.append(Instruction(int(found[1], 16), found[2].strip(), False))
    if instructions:
        yield name, instructions


def _target(instruction):
    """The address a direct jump within the section goes to, or None."""
    jump = _DIRECT_JUMP.match(instruction.text)
    # What a relocation fills in lies in another section, a function's unlikely part for instance.
    return int(jump[2], 16) if jump and not instruction.relocated else None


def _blocks(instructions):
    """Cuts a function into basic blocks: returns them, and for each the set of those that may come next."""
    here = {instruction.address for instruction in instructions}
    starts = {instructions[0].address} | {t for t in map(_target, instructions) if t in here}
    blocks, after_jump = [], False
    for instruction in instructions:
        if not blocks or after_jump or instruction.address in starts:
            blocks.append([])
        blocks[-1].append(instruction)
        after_jump = bool(_DIRECT_JUMP.match(instruction.text) or _END.match(instruction.text))
    number = {block[0].address: i for i, block in enumerate(blocks)}
    next_blocks = []
    for i, block in enumerate(blocks):
        target = _target(block[-1])
        successors = {number[target]} if target in number else set()
        if not _END.match(block[-1].text) and i + 1 < len(blocks):
            successors.add(i + 1)
        next_blocks.append(successors)
    return blocks, next_blocks


def _reachable(start, nodes, edges):
    """What of `nodes` can be reached from `start` by at least one edge."""
    seen, pending = set(), [start]
    while pending:
        for node in edges[pending.pop()] & nodes - seen:
            seen.add(node)
            pending.append(node)
    return seen


def _innermost(nodes, edges, reversed_edges, wanted):
    """Yields the smallest loops, as sets, among `nodes` that hold one of `wanted`."""
    pending = nodes & wanted
    while pending:
        node = min(pending)
        loop = _reachable(node, nodes, edges) & _reachable(node, nodes, reversed_edges)
        pending -= loop | {node}
        if not loop:
            continue
        entries = {i for i in loop if reversed_edges[i] - loop}
        inner = list(_innermost(loop - (entries or {min(loop)}), edges, reversed_edges, wanted))
        yield from inner or [loop]


def find_loops(disassembly):
    """Returns (loops, names of functions with dot products whose jumps through tables cannot be followed)."""
    loops, unclear = [], []
    for name, instructions in functions(disassembly):
        if not any(instruction.is_dot_product for instruction in instructions):
            continue
        if any(_INDIRECT_JUMP.match(instruction.text) for instruction in instructions):
            unclear.append(name)
        has_frame_pointer = any(re.match(r"(mov\s+%rsp|lea\s+\S*\(%rsp\)),%rbp$", i.text) for i in instructions)
        blocks, edges = _blocks(instructions)
        reversed_edges = [set() for _ in blocks]
        for i, successors in enumerate(edges):
            for successor in successors:
                reversed_edges[successor].add(i)
        wanted = {i for i, block in enumerate(blocks) if any(instruction.is_dot_product for instruction in block)}
        for nodes in _innermost(set(range(len(blocks))), edges, reversed_edges, wanted):
            body = [i for node in sorted(nodes) for i in blocks[node] if not _NO_OPERATION.match(i.text)]
            loops.append(Loop(name, has_frame_pointer, tuple(body)))
    return loops, unclear
