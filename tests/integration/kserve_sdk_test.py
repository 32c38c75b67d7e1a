#!/usr/bin/env python3
"""The clients of KServe's Python SDK, for gRPC and REST, against the real binary.

usage: kserve_sdk_test.py SERVER ARTIFACT
"""

import asyncio
import pathlib
import sys
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))
# The SDK's package imports its server, Kubernetes and more. Its clients need none of that.
kserve = types.ModuleType("kserve")
kserve.__path__ = [str(PACKAGES / "kserve")]
sys.modules["kserve"] = kserve

import httpx  # noqa: E402
import numpy  # noqa: E402
from kserve.constants.constants import PredictorProtocol  # noqa: E402
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig  # noqa: E402
from kserve.protocol.infer_type import InferInput, InferRequest  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT = "", ""  # from the command line
MODEL = "fashion"
POINT = "w8a8"


def request(binary, name="image"):
    images = numpy.random.default_rng(1).integers(0, 256, (2, 32, 32, 1), numpy.uint8)
    tensor = InferInput(name, [2, 32, 32, 1], "UINT8")
    tensor.set_data_from_numpy(images, binary_data=binary)
    return InferRequest(MODEL, [tensor], request_id="7", parameters={"operating_point": POINT})


class KServeSdkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT))
        cls.url = f"http://{cls.server.http_address}"

    def logits(self, response):
        self.assertEqual(response.model_name, MODEL)
        self.assertEqual(response.id, "7")
        self.assertEqual(response.outputs[0].name, "logits")
        return response.outputs[0].as_numpy().reshape(2, 10)

    async def ask_grpc(self):
        client = InferenceGRPCClient(self.server.grpc_address)
        self.assertTrue(await client.is_server_live())
        self.assertTrue(await client.is_server_ready())
        self.assertTrue(await client.is_model_ready(MODEL))
        response = await client.infer(request(binary=True))
        await client.close()
        return self.logits(response)

    async def ask_rest(self, binary):
        client = InferenceRESTClient(RESTConfig(protocol=PredictorProtocol.REST_V2))
        self.assertTrue(await client.is_server_live(self.url))
        self.assertTrue(await client.is_server_ready(self.url))
        self.assertTrue(await client.is_model_ready(self.url, MODEL))
        response = await client.infer(self.url, request(binary), model_name=MODEL)
        await client.close()
        return self.logits(response)

    def test_its_clients_get_the_same_numbers(self):
        expected = asyncio.run(self.ask_grpc())
        for binary in (False, True):
            with self.subTest(binary=binary):
                numpy.testing.assert_allclose(asyncio.run(self.ask_rest(binary)), expected, rtol=1e-6)

    def test_a_refusal_has_its_cause(self):
        async def ask():
            client = InferenceRESTClient(RESTConfig(protocol=PredictorProtocol.REST_V2))
            with self.assertRaises(httpx.HTTPStatusError) as refusal:
                await client.infer(self.url, request(binary=False, name="picture"), model_name=MODEL)
            self.assertEqual(refusal.exception.response.status_code, 400)
            self.assertIn("missing required input", refusal.exception.response.text)
            await client.close()

        asyncio.run(ask())


if __name__ == "__main__":
    SERVER, ARTIFACT = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
