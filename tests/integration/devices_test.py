#!/usr/bin/env python3
"""--device of a server, on a machine without a GPU: what it serves on, and how it refuses.

usage: devices_test.py SERVER ARTIFACT
"""

import ctypes
import os
import re
import subprocess
import sys
import unittest

from server_process import ServerProcess

SERVER, ARTIFACT = "", ""  # from the command line


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def is_cuda_program():
    return os.path.basename(SERVER) == "anybit-server-cuda"


def start(*flags):
    addresses = ["--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0"]
    command = [SERVER, f"--artifact={ARTIFACT}", *addresses, *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


class DevicesTest(unittest.TestCase):
    def test_needs_no_library_of_cuda(self):
        libraries = subprocess.run(["ldd", SERVER], capture_output=True, text=True, check=True).stdout
        self.assertIn("libgrpc++", libraries)
        self.assertIsNone(re.search(r"cuda|cublas|cudnn|nvidia", libraries), libraries)

    def test_a_gpu_that_cannot_be_used_is_refused_in_one_line(self):
        if is_cuda_program() and has_driver():
            self.skipTest("there is a driver here")
        why = "no NVIDIA driver" if is_cuda_program() else "this program has no GPU backend"
        ran = start("--device=cuda:0")
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(len(ran.stderr.splitlines()), 1, ran.stderr)
        self.assertTrue(ran.stderr.startswith("anybit-server: --device=cuda:0: " + why), ran.stderr)

    def test_a_device_of_no_kind_is_a_wrong_command_line(self):
        ran = start("--device=gpu")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("--device is 'gpu', expected auto, cpu or cuda:N", ran.stderr)

    def test_auto_without_a_gpu_serves_on_the_cpu_and_says_so(self):
        if is_cuda_program() and has_driver():
            self.skipTest("there is a driver here")
        with ServerProcess(SERVER, ARTIFACT, "--max_batch=2", "--device=auto") as server:
            server.terminate()
            self.assertEqual(server.exit_code(), 0)
        printed = "".join(server.printed)
        self.assertEqual("serving on the CPU" in printed, is_cuda_program(), printed)
        self.assertRegex(printed, r"kernels: (amx|avx|portable)")

    def test_cpu_is_silent_about_gpus(self):
        with ServerProcess(SERVER, ARTIFACT, "--max_batch=2", "--device=cpu") as server:
            server.terminate()
            self.assertEqual(server.exit_code(), 0)
        self.assertNotIn("GPU", "".join(server.printed))


if __name__ == "__main__":
    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
