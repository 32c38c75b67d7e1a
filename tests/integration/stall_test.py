#!/usr/bin/env python3
"""A server that was stopped for a tenth of a second serves on: what it took that long for is no reason to refuse.

usage: stall_test.py SERVER ARTIFACT
"""

import pathlib
import signal
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT = "", ""  # from the command line

MAX_BATCH = 64

# What each call has, as a parameter: a late answer is an answer, and only a refusal is none.
TIMEOUT_US = 50_000
STOP_SECONDS = 0.1  # the input: how long the process does not run


class StallTest(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(ServerProcess(SERVER, ARTIFACT, f"--max_batch={MAX_BATCH}"))
        self.client = triton.InferenceServerClient(self.server.grpc_address)
        self.addCleanup(self.client.close)
        self.model = self.client.get_model_repository_index().models[0].name
        metadata = self.client.get_model_metadata(self.model).inputs[0]
        self.inputs = {rows: self.tensor(metadata, rows) for rows in (1, MAX_BATCH)}

    @staticmethod
    def tensor(metadata, rows):
        images = numpy.zeros([rows, *metadata.shape[1:]], numpy.uint8)
        tensor = triton.InferInput(metadata.name, list(images.shape), metadata.datatype)
        tensor.set_data_from_numpy(images)
        return tensor

    def is_answered(self, rows=1):
        try:
            self.client.infer(self.model, [self.inputs[rows]], timeout=TIMEOUT_US)
        except InferenceServerException:
            return False
        return True

    def test_all_but_two_of_a_thousand_light_calls_after_a_stop_are_answered(self):
        done = threading.Event()

        def call_until_done():
            while not done.is_set():
                self.is_answered(MAX_BATCH)

        # Full batches, one after the other: one runs when a stop comes.
        callers = [threading.Thread(target=call_until_done) for _ in range(4)]
        for caller in callers:
            caller.start()
        for _ in range(5):
            self.server.process.send_signal(signal.SIGSTOP)
            time.sleep(STOP_SECONDS)
            self.server.process.send_signal(signal.SIGCONT)
            self.is_answered()
        done.set()
        for caller in callers:
            caller.join()
        refused = sum(not self.is_answered() for _ in range(1000))
        self.assertLessEqual(refused, 2)


if __name__ == "__main__":
    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
