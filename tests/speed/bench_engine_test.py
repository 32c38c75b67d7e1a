#!/usr/bin/env python3
"""scripts/bench-engine without peers: how it compares, and one short run of the real program.

usage: bench_engine_test.py ENGINE_BENCHMARK
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bench_engine  # noqa: E402
from bench_engine import Contender, Refused, TimedProcess  # noqa: E402

ENGINE = ""  # from the command line
LADDER = ["fp32", "bf16", "w8a8", "w4a4f", "w3a2f", "w1a1"]


class StubbornProcess:
    """Refuses everything."""

    def ask(self, *words):
        raise Refused("no")


class WillingProcess:
    def ask(self, *words):
        return {}


class Comparison(unittest.TestCase):
    def setUp(self):
        names = [("anybit", "fp32"), ("anybit", "w8a8"), ("A", "fp32"), ("A", "int8"), ("B", "int8")]
        self.contenders = [Contender(None, who, what) for who, what in names]
        self.turns = {
            "anybit fp32": [80, 40, 40],
            "anybit w8a8": [20, 10, 40],  # the third round was disturbed
            "A fp32": [20, 10, 10],
            "A int8": [60, 35, 35],
            "B int8": [50, 25, 30],
        }

    def rows(self, peaks, tile_rates=(None, None, None)):
        least = {name: min(times) - 2 for name, times in self.turns.items()}
        of_all = dict.fromkeys(self.turns, list(tile_rates))
        rows = bench_engine.rows_of(self.contenders, self.turns, least, peaks, of_all, work=400_000)
        return {f"{row['who']} {row['what']}": row for row in rows}

    def test_a_ratio_is_taken_within_rounds_and_against_the_fastest_int8_peer(self):
        rows = self.rows([None] * 3)
        self.assertEqual([name for name, row in rows.items() if row["is_best_int8"]], ["B int8"])
        self.assertEqual(rows["anybit w8a8"]["to_best_int8"], 2.5)  # of the medians it would be 30 / 20
        self.assertEqual(rows["B int8"]["to_best_int8"], 1)

    def test_least_times_are_compared_with_the_least_of_any_int8_peer(self):
        rows = self.rows([None] * 3)
        self.assertEqual(rows["anybit w8a8"]["to_best_int8_at_least"], 23 / 8)
        self.assertEqual(rows["A int8"]["to_best_int8_at_least"], 23 / 33)

    def test_a_point_is_compared_with_the_point_before_it(self):
        rows = self.rows([None] * 3)
        self.assertEqual(rows["anybit w8a8"]["to_dearer_point"], 4)
        self.assertIsNone(rows["anybit fp32"]["to_dearer_point"])
        self.assertIsNone(rows["A fp32"]["to_dearer_point"])

    def test_rates_are_of_the_whole_batch_and_shares_of_the_peak_in_the_same_round(self):
        peaks = [{"gmacs": of_codes, "float_gmacs": 20, "bfloat_gmacs": 40} for of_codes in (40, 80, 20)]
        row = self.rows(peaks)["anybit w8a8"]  # 20, 40 and 10 GMAC/s
        self.assertEqual((row["gmacs"], row["of_peak"]), (20, 0.5))
        self.assertEqual(self.rows(peaks)["anybit fp32"]["of_peak"], 0.5)  # 5, 10 and 10, of the peak of floats
        self.assertIsNone(self.rows([None] * 3)["anybit w8a8"]["of_peak"])

    def test_the_state_of_tiles_is_told_where_there_are_any(self):
        peaks = [{"gmacs": 2000, "float_gmacs": 90, "bfloat_gmacs": 1000}] * 3
        self.assertEqual(self.rows(peaks, [1900, 500, 2100])["anybit w8a8"]["turns_at_full_rate"], 2)
        self.assertIsNone(self.rows(peaks)["anybit w8a8"]["turns_at_full_rate"])

    def test_nodes_belong_to_parts(self):
        def node(shape, macs=1, algorithm="direct_bytes"):
            return {"shape": shape, "macs": macs, "algorithm": algorithm}

        layers = [
            node("3x3/2 32x32x1 -> 16x16x8"),
            node("3x3/1 16x16x8 -> 16x16x64 + residual"),
            node("1x1/1 16x16x64 -> 16x16x8"),
            node("3x3/1 16x16x8 -> 16x16x8 depthwise"),
            node("2x2/2 16x16x8 -> 8x8x8", 0, ""),
            node("1x1/1 1x1x8 -> 1x1x10", 80, ""),
        ]
        parts = ["stem", "3x3/1, 64 outputs", "1x1/1", "depthwise", "pools", "head"]
        self.assertEqual(list(bench_engine.parts_of(layers)), parts)

    def test_a_run_is_compared_with_the_least_of_its_nodes(self):
        answer = {"median_us": 20, "layers": [{"min_us": 10}, {"min_us": 8}]}
        self.assertEqual(bench_engine.of_best_kernels(answer), 0.9)

    def test_the_share_of_layers_is_of_the_time_that_they_take_together(self):
        layers = [{"median_us": 1, "macs": 300_000}, {"median_us": 3, "macs": 100_000}]
        self.assertEqual(bench_engine.whole_share(layers[:1], 400), 0.75)
        self.assertEqual(bench_engine.whole_share(layers, 400), 0.25)
        self.assertEqual(bench_engine.whole_share(layers, 0), 0)

    def test_without_peers_there_is_nothing_to_compare_with(self):
        self.contenders = self.contenders[:2]
        self.assertIsNone(self.rows([None] * 3)["anybit w8a8"]["to_best_int8"])

    def test_a_peer_that_refuses_is_left_out_with_its_reason(self):
        left_out = {}
        willing, stubborn = Contender(WillingProcess(), "anybit", "w8a8"), Contender(StubbornProcess(), "A", "int8")
        self.assertEqual(bench_engine.warmed_up([willing, stubborn], 8, left_out), [willing])
        self.assertEqual(left_out, {"A int8, batch 8": "no"})

    def test_an_engine_that_refuses_ends_the_run(self):
        with self.assertRaises(Refused):
            bench_engine.warmed_up([Contender(StubbornProcess(), "anybit", "w8a8")], 8, {})


class EngineBenchmark(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(TimedProcess([ENGINE, "--arch=fashion_tiny"], os.sched_getaffinity(0)))

    def test_describes_the_network_it_times(self):
        facts = self.engine.ask("describe")
        self.assertEqual([point["name"] for point in facts["points"]], LADDER)
        self.assertEqual(facts["network"]["nodes"][0]["conv"]["out_channels"], 8)
        self.assertEqual({point["accuracy"] for point in facts["points"]}, {None})

    def test_runs_at_least_once_however_little_time_there_is(self):
        answer = self.engine.ask("run", "w8a8", 2, 0)
        self.assertEqual(answer["runs"], 1)
        self.assertEqual(answer["median_us"], answer["min_us"])

    def test_runs_again_until_the_time_is_over(self):
        answer = self.engine.ask("run", "w8a8", 1, 20)
        self.assertTrue(answer["runs"] > 1 or answer["median_us"] > 10_000, answer)

    def test_tells_the_time_of_every_node_and_how_it_was_computed(self):
        nodes = [node["name"] for node in self.engine.ask("describe")["network"]["nodes"]]
        answer = self.engine.ask("layers", "w8a8", 2, 0)
        self.assertEqual(answer["runs"], 1)
        self.assertEqual([layer["node"] for layer in answer["layers"]], nodes)
        stem = answer["layers"][0]
        self.assertEqual(stem["shape"], "3x3/2 32x32x1 -> 16x16x8")
        self.assertEqual(stem["macs"], 2 * 16 * 16 * 8 * 9)
        self.assertRegex(stem["algorithm"], "^direct_|^winograd_")
        self.assertGreater(stem["median_us"], 0)
        self.assertGreaterEqual(stem["median_us"], stem["min_us"])
        self.assertGreater(answer["median_us"], 0)
        with self.assertRaisesRegex(Refused, "no operating point 'w9a9'"):
            self.engine.ask("layers", "w9a9", 1, 0)

    def test_tells_the_peaks_of_its_products_and_the_state_of_tiles(self):
        peaks = self.engine.ask("peak")
        self.assertGreater(min(peaks["gmacs"], peaks["float_gmacs"], peaks["bfloat_gmacs"]), 0)
        self.assertIn("tile_gmacs", self.engine.ask("state"))

    def test_refuses_what_it_cannot_run_and_goes_on(self):
        for words, reason in [
            (["run", 'w"9', 1, 0], "no operating point 'w\"9'"),
            (["run", "w8a8", 0, 0], "batch of 0 is outside 1..1024"),
            (["run", "w8a8"], "expected: describe | run POINT BATCH MILLIS | layers POINT BATCH MILLIS | peak | state"),
        ]:
            with self.subTest(words), self.assertRaisesRegex(Refused, reason.replace("|", r"\|")):
                self.engine.ask(*words)
        self.assertEqual(self.engine.ask("run", "w8a8", 1, 0)["runs"], 1)

    def test_ends_with_a_reason_where_a_flag_asks_for_what_is_not_there(self):
        for flag in ("--isa=mmx", "--arch=alexnet", "--points=w9a9", "--artifact=/nowhere"):
            ended = subprocess.run([ENGINE, flag], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(ended.returncode, 1, flag)
            self.assertIn(flag.split("=")[1], ended.stderr)


class WholeRun(unittest.TestCase):
    def test_measures_every_point_at_every_batch_size_and_draws_the_default_network(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder)
            subprocess.run(
                [
                    sys.executable, HERE / "bench_engine.py", "--engine", ENGINE, "--networks=default,fashion_tiny",
                    "--batches=1,2", "--rounds=2", "--milliseconds=0", "--choose=1", "--layers",
                    "--json", out / "m.json",
                    "--svg", out / "m.svg",
                ],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            measured = json.loads((out / "m.json").read_text())["networks"]
            svg = xml.etree.ElementTree.parse(out / "m.svg")
        self.assertEqual([network["network"] for network in measured], ["default", "fashion_tiny"])
        for network in measured:
            self.assertEqual([batch["batch"] for batch in network["batches"]], [1, 2])
            for batch in network["batches"]:
                self.assertEqual([row["what"] for row in batch["rows"]], LADDER)
                self.assertEqual(list(batch["layers"]), LADDER)
                self.assertEqual({len(row["us_by_round"]) for row in batch["rows"]}, {2})
        texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
        known = [point for point in LADDER if point != "bf16"]  # of that one the accuracy was not measured
        self.assertEqual([texts.count(point) for point in known], [2] * len(known))  # once for each batch size


if __name__ == "__main__":
    ENGINE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
