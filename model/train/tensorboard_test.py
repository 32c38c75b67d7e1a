#!/usr/bin/env python3
"""TensorBoard's own reader finds in the event files of a training what its log of steps has.

usage: tensorboard_test.py ANYBIT_TRAIN
"""

import fcntl
import json
import os
import pathlib
import select
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

PROGRAM = ""  # from the command line
START, JOINT = 3, 9


def write_examples(folder, name, count):
    """Stripes along or across, under the file names of the MNIST family."""
    pixels, labels = bytearray(), bytearray()
    for i in range(count):
        labels.append(i % 2)
        for y in range(28):
            for x in range(28):
                pixels.append(200 if (y if i % 2 else x) // 4 % 2 else 30 + i % 50)
    (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + pixels)
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)


class TensorBoardTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        write_examples(self.folder, "train", 120)
        self.events, self.log = self.folder / "events", self.folder / "log.jsonl"

    def command(self, *more):
        command = [PROGRAM, f"--data={self.folder}", "--arch=fashion_tiny", "--points=fp32,w4a4,w2a2"]
        command += ["--recipe=coquant,teacher=next", f"--start_steps={START}", f"--joint_steps={JOINT}", "--batch=16"]
        command += ["--held_out=20", "--norm_batches=1", "--threads=1", "--test=false", "--checkpoint_interval=4"]
        command += ["--evaluation_interval=5", f"--tensorboard={self.events}", f"--step_log={self.log}"]
        return command + [f"--out={self.folder}/network.safetensors", *more]

    def train(self, *more):
        done = subprocess.run(self.command(*more), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def scalars(self):
        """{tag: [(step, value)]}"""
        reader = EventAccumulator(str(self.events), size_guidance={"scalars": 0})
        reader.Reload()
        return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def assert_same(self, tag, found, expected):
        self.assertEqual([step for step, _ in found], [step for step, _ in expected], tag)
        for (step, value), (_, wanted) in zip(found, expected):
            # The log has six digits, an event 24 bits.
            self.assertAlmostEqual(value, wanted, delta=1e-5 * abs(wanted) + 1e-12, msg=f"{tag} of step {step}")

    def check_against_log(self, scalars):
        lines = {line["step"]: line for line in self.logged()}
        self.assertEqual(sorted(lines), list(range(1, START + JOINT + 1)))
        for tag in ("learning_rate", "images_per_second", "seconds_left"):
            self.assert_same(tag, scalars[tag], [(step, line[tag]) for step, line in lines.items()])
        for point in ("fp32", "w4a4", "w2a2"):
            mine = [(step, line["points"][point]) for step, line in lines.items() if point in line["points"]]
            for value in ("loss", "gradient_norm") + (("saturated",) if point != "fp32" else ()):
                tag = f"{value}/{point}"
                self.assert_same(tag, scalars[tag], [(step, one[value]) for step, one in mine])
            for layer in mine[-1][1].get("activation_steps", {}):
                tag = f"activation_step/{point}/{layer}"
                self.assert_same(tag, scalars[tag], [(step, one["activation_steps"][layer]) for step, one in mine])

    def test_has_the_values_of_the_log_and_the_held_out_accuracies(self):
        self.train()
        scalars = self.scalars()
        self.check_against_log(scalars)
        joint = list(range(START + 1, START + JOINT + 1))
        self.assertEqual(scalars["teacher/w2a2/w4a4"], [(step, 1) for step in joint])
        self.assertEqual(scalars["teacher/w2a2/fp32"], [(step, 0) for step in joint])
        report = json.loads((self.folder / "network.json").read_text())
        for point in report["points"]:
            found = scalars[f"held_out_accuracy/{point['name']}"]
            self.assertEqual([step for step, _ in found], [5, 10, START + JOINT])
            self.assertAlmostEqual(found[-1][1], point.get("held_out_accuracy", 0), places=6)

    def kill_in_step(self, step, *more):
        """Kills a training that has finished `step` steps, and few more: its log is a pipe that holds few lines."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        descriptor = os.open(pipe, os.O_RDWR)
        self.addCleanup(os.close, descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen(self.command(*more, f"--step_log={pipe}"), stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        text = b""
        while text.count(b"\n") < step:
            while not select.select([descriptor], [], [], 1)[0]:
                self.assertIsNone(process.poll())
            text += os.read(descriptor, 4096)
        process.kill()
        process.wait()

    def test_goes_on_where_a_killed_run_was_saved_and_has_no_step_twice(self):
        longer = "--joint_steps=40"
        self.train(longer, "--checkpoint=none")
        whole = self.scalars()
        (only,) = self.events.iterdir()
        only.unlink()
        self.kill_in_step(19, longer)  # saved after 16 steps at the earliest
        killed = self.scalars()
        self.assertGreaterEqual(len(killed["loss/fp32"]), 18)
        self.assertLess(len(killed["loss/fp32"]), START + 40)
        self.train(longer, "--resume")
        self.assertEqual(len(list(self.events.iterdir())), 2)
        resumed = self.scalars()
        for tag in ("loss/fp32", "loss/w2a2", "gradient_norm/w4a4", "held_out_accuracy/w2a2"):
            self.assertEqual(resumed[tag], whole[tag], tag)

    def test_a_new_run_in_the_same_folder_takes_the_place_of_the_old_one(self):
        self.train("--checkpoint=none")
        first = self.scalars()
        self.train("--checkpoint=none", "--seed=2")
        second = self.scalars()
        self.assertEqual(len(second["loss/fp32"]), START + JOINT)
        self.assertNotEqual(second["loss/fp32"], first["loss/fp32"])
        self.check_against_log(second)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
