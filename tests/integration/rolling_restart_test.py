#!/usr/bin/env python3
"""Three replicas behind a client's own balancing: none of its calls is lost while they restart one after the other.

usage: rolling_restart_test.py SERVER ARTIFACT
"""

import contextlib
import json
import pathlib
import re
import sys
import tempfile
import threading
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402
from tls import Certificate  # noqa: E402

SERVER, ARTIFACT = "", ""  # from the command line

CALLERS = 8
# A client that reconnects late would let a replica wait long for its first call; nothing else depends on it.
CHANNEL = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]

NO_RETRIES = [("grpc.enable_retries", 0)]  # not even those that the library makes of itself
# What a replica held when it was killed, and what the client sends before it notices. (docs/operations.md)
TRY_AGAIN = [
    (
        "grpc.service_config",
        json.dumps(
            {
                "methodConfig": [
                    {
                        "name": [{"service": "inference.GRPCInferenceService"}],
                        "retryPolicy": {
                            "maxAttempts": 5,
                            "initialBackoff": "0.01s",
                            "maxBackoff": "0.1s",
                            "backoffMultiplier": 2,
                            "retryableStatusCodes": ["UNAVAILABLE"],
                        },
                    }
                ]
            }
        ),
    )
]


def calls_counted(server, certificate):
    """The inference calls that the server has served."""
    context = certificate and certificate.client_context("http/1.1")
    url = f"{'https' if certificate else 'http'}://{server.http_address}/metrics"
    with urllib.request.urlopen(url, timeout=60, context=context) as page:
        found = re.findall(r'^anybit_requests_total\{[^}]*outcome="served"[^}]*\} (\S+)', page.read().decode(), re.M)
    return sum(map(float, found))


class Callers:
    """Call without a pause until they are stopped, and count."""

    def __init__(self, addresses, certificate=None, retries=NO_RETRIES):
        options = CHANNEL + retries
        if certificate:
            options.append(("grpc.ssl_target_name_override", "localhost"))  # a list of addresses has no name
        self._client = triton.InferenceServerClient(
            "ipv4:" + ",".join(addresses),
            channel_args=options,
            ssl=certificate is not None,
            root_certificates=certificate and certificate.certificate,
        )
        self._model = self._client.get_model_repository_index().models[0].name
        metadata = self._client.get_model_metadata(self._model).inputs[0]
        image = numpy.zeros([1, *metadata.shape[1:]], numpy.uint8)
        self._input = triton.InferInput(metadata.name, list(image.shape), metadata.datatype)
        self._input.set_data_from_numpy(image)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        self.answered, self.lost = 0, []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _call(self):
        while not self._stopped.is_set():
            try:
                self._client.infer(self._model, [self._input])
                self.answered += 1
            except InferenceServerException as error:
                self.lost.append(str(error))


class RollingRestartTest(unittest.TestCase):
    USES_TLS = False

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.certificate = Certificate(folder) if self.USES_TLS else None
        self.profile = f"{folder}/profile.json"
        self.stack = self.enterContext(contextlib.ExitStack())
        self.replicas = [self.start() for _ in range(3)]
        self.addresses = [replica.grpc_address for replica in self.replicas]

    def start(self, address="127.0.0.1:0"):
        flags = ["--max_batch=16", f"--profile={self.profile}", f"--save_profile={self.profile}"]
        flags += self.certificate.flags if self.certificate else []
        return self.stack.enter_context(ServerProcess(SERVER, ARTIFACT, *flags, f"--grpc_address={address}"))

    def await_calls(self, replica, count=50):
        while calls_counted(replica, self.certificate) < count:
            pass

    def test_no_call_is_lost_while_each_replica_is_restarted(self):
        with Callers(self.addresses, self.certificate) as callers:
            for number, replica in enumerate(self.replicas):
                self.await_calls(replica)
                replica.terminate()
                self.assertEqual(replica.exit_code(), 0)
                self.replicas[number] = self.start(self.addresses[number])
                self.await_calls(self.replicas[number])
        self.assertEqual(callers.lost, [])
        self.assertGreater(callers.answered, 0)

    def test_a_replica_that_is_killed_costs_nothing_where_clients_try_again(self):
        with Callers(self.addresses, self.certificate, TRY_AGAIN) as callers:
            for replica in self.replicas:
                self.await_calls(replica)
            self.replicas[0].process.kill()
            self.replicas[0].exit_code()
            self.replicas[0] = self.start(self.addresses[0])
            self.await_calls(self.replicas[0])
        self.assertEqual(callers.lost, [])


class TlsRollingRestartTest(RollingRestartTest):
    USES_TLS = True
    # A matter of TCP, with TLS or without.
    test_a_replica_that_is_killed_costs_nothing_where_clients_try_again = None


if __name__ == "__main__":
    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
