#!/usr/bin/env python3
"""Which loops are found in assembled samples, and which of them spill."""

import pathlib
import subprocess
import tempfile
import unittest

import dot_product_loops
import spills_test


def disassembled(assembly, name="f"):
    """What objdump says of a function with this body."""
    with tempfile.TemporaryDirectory() as folder:
        source, compiled = pathlib.Path(folder) / "f.s", pathlib.Path(folder) / "f.o"
        source.write_text(f".globl {name}\n.type {name}, @function\n{name}:\n{assembly}\nret\n")
        subprocess.run(["as", "--64", "-o", compiled, source], check=True)
        return dot_product_loops.disassemble(compiled)


def dot_products_of_loops(assembly):
    loops, _ = dot_product_loops.find_loops(disassembled(assembly))
    return sorted(len(loop.dot_products) for loop in loops)


def complaints(assembly, name="f"):
    return "\n".join(spills_test.complaints(disassembled(assembly, name)))


def loop_with(instruction, before=""):
    return f"{before}\n1: vmovdqu64 (%rdi), %zmm1\n vpdpbusd %zmm1, %zmm2, %zmm3\n {instruction}\n dec %ecx\n jnz 1b"


class FindLoops(unittest.TestCase):
    def test_a_loop_has_the_dot_products_between_its_entry_and_its_jump(self):
        code = "vpdpbusd %zmm1, %zmm2, %zmm3\n" + loop_with("vpdpwssd %zmm1, %zmm2, %zmm4")
        self.assertEqual(dot_products_of_loops(code), [2])

    def test_all_encodings_and_instructions_count(self):
        self.assertEqual(dot_products_of_loops("1: {vex} vpdpbusd %ymm1, %ymm2, %ymm3\n dec %ecx\n jnz 1b"), [1])
        self.assertEqual(dot_products_of_loops("1: vpmaddwd %ymm1, %ymm2, %ymm3\n dec %ecx\n jnz 1b"), [1])
        self.assertEqual(dot_products_of_loops("1: vpmaddubsw %ymm1, %ymm2, %ymm3\n dec %ecx\n jnz 1b"), [1])
        self.assertEqual(dot_products_of_loops("1: vdpbf16ps %zmm1, %zmm2, %zmm3\n dec %ecx\n jnz 1b"), [1])
        self.assertEqual(dot_products_of_loops("1: tdpbf16ps %tmm1, %tmm2, %tmm3\n dec %ecx\n jnz 1b"), [1])
        self.assertEqual(dot_products_of_loops("1: {evex} vpdpwssds %ymm1, %ymm2, %ymm3\n dec %ecx\n jnz 1b"), [1])

    def test_only_the_innermost_of_nested_loops_is_taken(self):
        inner = loop_with("")
        outer = f"2: vpdpbusd %zmm1, %zmm2, %zmm3\n{inner}\n dec %edx\n jnz 2b"
        self.assertEqual(dot_products_of_loops(outer), [1])

    def test_two_loops_in_a_row_are_two(self):
        longer = loop_with("vpdpbusd %zmm1, %zmm2, %zmm4")
        self.assertEqual(dot_products_of_loops(loop_with("") + "\n" + longer), [1, 2])

    def test_an_outer_loop_is_taken_where_the_inner_has_no_dot_product(self):
        code = "2: vpdpbusd %zmm1, %zmm2, %zmm3\n1: dec %ecx\n jnz 1b\n dec %edx\n jnz 2b"
        self.assertEqual(dot_products_of_loops(code), [1])

    def test_a_block_of_the_loop_may_lie_behind_its_jump(self):
        code = "1: vpdpbusd %zmm1, %zmm2, %zmm3\n dec %ecx\n jz 3f\n2: dec %edx\n jnz 1b\n ret\n"
        code += "3: vpdpbusd %zmm1, %zmm2, %zmm4\n jmp 2b"
        self.assertEqual(dot_products_of_loops(code), [2])

    def test_a_jump_backwards_alone_is_no_loop(self):
        code = "jmp 2f\n1: vpdpbusd %zmm1, %zmm2, %zmm3\n ret\n2: dec %ecx\n jmp 1b"
        self.assertEqual(dot_products_of_loops(code), [])


class Complaints(unittest.TestCase):
    def test_a_loop_in_registers_is_right(self):
        self.assertEqual(complaints(loop_with("vpaddd (%rsi), %zmm3, %zmm3")), "")

    def test_a_vector_stored_to_the_stack_is_a_spill(self):
        self.assertIn("-0x40(%rsp)", complaints(loop_with("vmovdqu64 %zmm3, -64(%rsp)")))

    def test_a_vector_read_from_the_stack_is_a_spill(self):
        self.assertIn("0x80(%rsp)", complaints(loop_with("vmovdqa64 128(%rsp), %zmm5")))
        self.assertIn("0x80(%rsp)", complaints(loop_with("vpdpbusd 128(%rsp), %zmm2, %zmm5")))
        self.assertIn("(%rsp,%rax", complaints(loop_with("vpdpbusd 4(%rsp,%rax,4){1to16}, %zmm2, %zmm5")))

    def test_rbp_is_the_stack_only_in_a_frame(self):
        load = loop_with("vmovdqu64 -64(%rbp), %zmm5")
        self.assertIn("-0x40(%rbp)", complaints("push %rbp\n mov %rsp, %rbp\n" + load))
        self.assertEqual(complaints("mov %rdi, %rbp\n" + load), "")

    def test_a_sum_kept_in_memory_is_a_spill(self):
        self.assertIn("(%rax)", complaints(loop_with("vmovdqu64 %zmm3, (%rax)")))
        self.assertIn("(%rax)", complaints(loop_with("vmovdqu32 %zmm3, (%rax){%k1}")))

    def test_a_loop_that_finishes_its_results_may_store_them_but_not_on_the_stack(self):
        name = "_Z17DepthwiseChunkRowILi1EEvv"  # void DepthwiseChunkRow<1>()
        self.assertEqual(complaints(loop_with("vmovdqu8 %zmm3, (%rax){%k1}"), name), "")
        self.assertIn("-0x40(%rsp)", complaints(loop_with("vmovdqu64 %zmm3, -64(%rsp)"), name))

    def test_scalars_on_the_stack_are_none_of_our_business(self):
        self.assertEqual(complaints(loop_with("mov 8(%rsp), %rdi")), "")

    def test_beside_tiles_only_traffic_with_the_stack_is_a_spill(self):
        product = "1: tileloadd (%rdi,%rsi,1), %tmm1\n tdpbusd %tmm2, %tmm1, %tmm0\n {}\n dec %ecx\n jnz 1b"
        self.assertEqual(complaints(product.format("vmovdqu64 %zmm3, (%rax)")), "")
        self.assertIn("0x40(%rsp)", complaints(product.format("vmovdqa64 64(%rsp), %zmm5")))
        self.assertIn("0x40(%rsp)", complaints(product.format("vmovdqa64 %zmm5, 64(%rsp)")))
        self.assertIn("tilestored", complaints(product.format("tilestored %tmm0, (%rsp,%rsi,1)")))

    def test_a_spill_around_the_loop_is_allowed(self):
        code = loop_with("", before="vmovdqu64 %zmm9, -64(%rsp)") + "\n vmovdqu64 %zmm3, (%rsi)"
        self.assertEqual(complaints(code), "")

    def test_code_without_a_loop_fails(self):
        self.assertIn("no loop", complaints("vpdpbusd %zmm1, %zmm2, %zmm3"))

    def test_a_jump_through_a_table_fails(self):
        self.assertIn("jump through a table", complaints(loop_with("") + "\n jmp *%rax"))


if __name__ == "__main__":
    unittest.main()
