#!/usr/bin/env python3
"""Every call of the protocol, as clients that are not ours make it, against the real binary: Triton's clients for gRPC
(blocking, asyncio, streams) and HTTP, plain stubs, bytes by hand, and grpcurl by reflection. KServe's SDK has a test of
its own (kserve_sdk_test.py), because its messages have the same names as those of Triton's client.

usage: foreign_clients_test.py SERVER ARTIFACT NEXT_ARTIFACT
"""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
GRPCURL = ROOT / ".cache" / "grpcurl" / "grpcurl"
for needed in (PACKAGES, GRPCURL):
    if not needed.exists():
        sys.exit(f"{needed} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import grpc  # noqa: E402
import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
import tritonclient.grpc.aio as triton_aio  # noqa: E402
import tritonclient.http as triton_http  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase  # noqa: E402
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402

SERVER, ARTIFACT, NEXT_ARTIFACT = "", "", ""  # from the command line
SERVICE = "inference.GRPCInferenceService"


def images(count):
    return numpy.random.default_rng(1).integers(0, 256, (count, 32, 32, 1), numpy.uint8)


class ForeignClientTest(unittest.TestCase):
    """A server with --admin, in whose artifact's folder a test may put another one."""

    flags = ("--max_batch=16", "--admin")

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.artifact = cls.folder / "network.safetensors"
        shutil.copy(ARTIFACT, cls.artifact)
        cls.trace_file = cls.folder / "traces"
        cls.server = cls.enterClassContext(
            ServerProcess(SERVER, cls.artifact, f"--trace_file={cls.trace_file}", *cls.flags)
        )
        cls.client = triton.InferenceServerClient(cls.server.grpc_address)
        cls.addClassCleanup(cls.client.close)
        cls.model = cls.client.get_model_repository_index().models[0].name

    @classmethod
    def place(cls, artifact):
        """Replaces the served artifact's file in one step, as an operator would."""
        shutil.copy(artifact, cls.folder / "partial")
        os.replace(cls.folder / "partial", cls.artifact)

    @staticmethod
    def tensor(count=1, module=triton):
        tensor = module.InferInput("image", [count, 32, 32, 1], "UINT8")
        tensor.set_data_from_numpy(images(count))
        return tensor

    @contextlib.contextmanager
    def refused(self, code, text):
        with self.assertRaises(InferenceServerException) as refusal:
            yield
        self.assertIn(code, str(refusal.exception.status()))
        self.assertIn(text, refusal.exception.message())

    def states(self):
        index = self.client.get_model_repository_index()
        return sorted((model.version, model.state) for model in index.models)


class TritonGrpcTest(ForeignClientTest):
    def test_loads_the_next_version_while_it_serves_and_unloads(self):
        with self.subTest("what is served already is loaded again at once"):
            self.client.load_model(self.model)
            self.assertEqual(self.client.infer(self.model, [self.tensor()]).get_response().model_version, "1")
        with self.subTest("a damaged artifact leaves the served one"):
            damaged = self.folder / "damaged"
            damaged.write_bytes(pathlib.Path(ARTIFACT).read_bytes()[:-1])
            self.place(damaged)
            with self.refused("INVALID_ARGUMENT", "artifact 'network.safetensors'"):
                self.client.load_model(self.model)
            self.assertIn(("1", "READY"), self.states())
            self.client.infer(self.model, [self.tensor()])
        with self.subTest("the next one takes its place, and no call fails"):
            self.place(NEXT_ARTIFACT)
            answers = queue.Queue()
            for _ in range(100):
                self.client.async_infer(self.model, [self.tensor()], lambda result, error: answers.put((result, error)))
            self.client.load_model(self.model)
            for _ in range(100):
                result, error = answers.get(timeout=60)
                self.assertIsNone(error)
                self.assertIn(result.get_response().model_version, ("1", "2"))
            self.assertEqual(self.client.infer(self.model, [self.tensor()]).get_response().model_version, "2")
            self.assertTrue(self.client.is_model_ready(self.model, "2"))
        with self.subTest("statistics are those of the version"):
            statistics = self.client.get_inference_statistics(self.model).model_stats
            self.assertEqual([model.version for model in statistics], ["2"])
            self.assertGreaterEqual(statistics[0].inference_count, 1)
        with self.subTest("without versions the model is not found"):
            self.client.unload_model(self.model, unload_dependents=True)
            self.assertFalse(self.client.is_model_ready(self.model))
            self.assertFalse(self.client.is_server_ready())
            self.assertTrue(self.client.is_server_live())
            with self.refused("NOT_FOUND", "has no available versions"):
                self.client.infer(self.model, [self.tensor()])
        with self.subTest("it can come back"):
            for _ in range(1000):  # the last requests may still hold the version
                try:
                    self.client.load_model(self.model)
                    break
                except InferenceServerException as error:
                    self.assertIn("still unloading", error.message())
            self.assertTrue(self.client.is_server_ready())
        with self.subTest("what Triton alone can load is refused with a sentence"):
            with self.refused("INVALID_ARGUMENT", "comes from the server's disk"):
                self.client.load_model(self.model, config="{}")
            with self.refused("NOT_FOUND", "start another with --artifact"):
                self.client.load_model("other")

    def test_reads_and_changes_the_settings_of_traces(self):
        settings = self.client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "1"})
        self.assertEqual(list(settings.settings["trace_level"].value), ["TIMESTAMPS"])
        self.client.infer(
            self.model,
            [self.tensor()],
            request_id="traced",
            headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        )
        settings = self.client.update_trace_settings(settings={"trace_level": ["OFF"], "trace_rate": None})
        self.assertEqual(list(settings.settings["trace_rate"].value), ["1000"])
        trace = json.loads(self.trace_file.read_text().splitlines()[0])
        self.assertEqual(trace["request_id"], "traced")
        self.assertIn("0af7651916cd43dd8448eb211c80319c", trace["traceparent"])
        self.assertEqual(trace["timestamps"][0]["name"], "REQUEST_START")
        self.client.update_trace_settings(self.model, {"trace_count": "7"})
        self.assertEqual(list(self.client.get_trace_settings(self.model).settings["trace_count"].value), ["7"])
        self.assertEqual(list(self.client.get_trace_settings().settings["trace_count"].value), ["-1"])
        with self.refused("INVALID_ARGUMENT", "trace_level"):
            self.client.update_trace_settings(settings={"trace_level": ["TENSORS"]})

    def test_reads_and_changes_the_settings_of_the_log(self):
        settings = self.client.update_log_settings({"log_verbose_level": 1, "log_format": "ISO8601"})
        self.assertEqual(settings.settings["log_verbose_level"].uint32_param, 1)
        self.client.update_log_settings({"log_verbose_level": 0, "log_format": "default"})
        self.assertTrue(self.client.get_log_settings().settings["log_info"].bool_param)
        with self.refused("INVALID_ARGUMENT", "log_file"):
            self.client.update_log_settings({"log_file": "/tmp/log"})

    def test_shared_memory_is_empty_and_refused_with_a_sentence(self):
        self.assertEqual(len(self.client.get_system_shared_memory_status().regions), 0)
        self.assertEqual(len(self.client.get_cuda_shared_memory_status().regions), 0)
        self.client.unregister_system_shared_memory()
        self.client.unregister_cuda_shared_memory()
        with self.refused("UNIMPLEMENTED", "send the tensor in raw_input_contents"):
            self.client.register_system_shared_memory("region", "/region", 64)
        with self.refused("UNIMPLEMENTED", "send the tensor in raw_input_contents"):
            self.client.register_cuda_shared_memory("region", base64.b64encode(b"handle"), 0, 64)

    def test_takes_every_parameter_that_its_clients_send(self):
        result = self.client.infer(
            self.model,
            [self.tensor()],
            request_id="all",
            sequence_id="a",
            sequence_start=True,
            sequence_end=True,
            priority=1,
            timeout=60_000_000,
            parameters={"custom": 1.5, "other": "x", "more": True},
            compression_algorithm="gzip",
            client_timeout=60,
        )
        self.assertEqual(result.get_response().id, "all")

    def test_the_clients_own_methods_see_every_description(self):
        self.assertIn("statistics", self.client.get_server_metadata().extensions)
        self.assertIn("model_repository", self.client.get_server_metadata().extensions)
        metadata = self.client.get_model_metadata(self.model)
        config = self.client.get_model_config(self.model).config
        self.assertEqual(metadata.inputs[0].name, config.input[0].name)
        points = config.parameters["operating_points"].string_value.split(",")
        self.assertIn(f"operating_point.{points[0]}.accuracy_bp", config.parameters)

    def test_asyncio_answers_calls_and_streams(self):
        async def run():
            async with triton_aio.InferenceServerClient(self.server.grpc_address) as client:
                self.assertTrue(await client.is_server_ready())
                results = await asyncio.gather(*(client.infer(self.model, [self.tensor()]) for _ in range(20)))
                self.assertEqual({result.as_numpy("logits").shape for result in results}, {(1, 10)})

                async def requests():
                    for i in range(20):
                        yield {"model_name": self.model, "inputs": [self.tensor()], "request_id": str(i)}

                ids = []
                async for result, error in client.stream_infer(requests()):
                    self.assertIsNone(error)
                    ids.append(result.get_response().id)
                self.assertEqual(ids, [str(i) for i in range(20)])

        asyncio.run(run())


class TritonHttpTest(ForeignClientTest):
    def setUp(self):
        self.http = triton_http.InferenceServerClient(self.server.http_address)
        self.addCleanup(self.http.close)

    def test_loads_unloads_and_tells_the_states(self):
        self.place(NEXT_ARTIFACT)
        self.http.load_model(self.model)
        result = self.http.infer(self.model, [self.tensor(module=triton_http)])
        self.assertEqual(result.get_response()["model_version"], "2")
        self.assertTrue(self.http.is_model_ready(self.model, "2"))
        self.assertIn("READY", [row["state"] for row in self.http.get_model_repository_index()])
        statistics = self.http.get_inference_statistics(self.model, "2")["model_stats"]
        self.assertGreaterEqual(statistics[0]["inference_count"], 1)
        self.http.unload_model(self.model)
        self.assertFalse(self.http.is_model_ready(self.model))
        self.place(ARTIFACT)
        self.http.load_model(self.model)
        self.assertTrue(self.http.is_server_ready())
        with self.refused("400", "comes from the server's disk"):
            self.http.load_model(self.model, config="{}")

    def test_reads_and_changes_settings(self):
        settings = self.http.update_trace_settings(settings={"trace_rate": "5"})
        self.assertEqual(settings["trace_rate"], "5")
        self.assertEqual(self.http.get_trace_settings(self.model)["trace_level"], ["OFF"])
        self.http.update_trace_settings(settings={"trace_rate": None})
        self.assertEqual(self.http.update_log_settings({"log_info": False})["log_info"], False)
        self.http.update_log_settings({"log_info": True})
        self.assertEqual(self.http.get_log_settings()["log_verbose_level"], 0)
        with self.refused("400", "unknown log setting"):
            self.http.update_log_settings({"log_colour": True})

    def test_shared_memory_is_empty_and_refused_with_a_sentence(self):
        self.assertEqual(self.http.get_system_shared_memory_status(), [])
        self.assertEqual(self.http.get_cuda_shared_memory_status(), [])
        self.http.unregister_system_shared_memory()
        self.http.unregister_cuda_shared_memory("region")
        with self.refused("501", "no shared memory"):
            self.http.register_system_shared_memory("region", "/region", 64)


class WithoutAdminTest(ForeignClientTest):
    flags = ()

    def test_what_changes_the_server_is_refused_and_the_rest_works(self):
        with self.refused("PERMISSION_DENIED", "--admin"):
            self.client.load_model(self.model)
        with self.refused("PERMISSION_DENIED", "--admin"):
            self.client.unload_model(self.model)
        with self.refused("PERMISSION_DENIED", "--admin"):
            self.client.update_log_settings({"log_info": False})
        with self.refused("PERMISSION_DENIED", "--admin"):
            self.client.update_trace_settings(settings={"trace_rate": "1"})
        self.client.get_log_settings()
        self.client.get_trace_settings()
        self.assertNotIn("model_repository", self.client.get_server_metadata().extensions)
        self.client.infer(self.model, [self.tensor()])


class WireTest(ForeignClientTest):
    flags = ()

    def setUp(self):
        self.channel = grpc.insecure_channel(self.server.grpc_address)
        self.addCleanup(self.channel.close)

    def call(self, method, request):
        """The answer's bytes; nothing here knows a message."""
        return self.channel.unary_unary(f"/{SERVICE}/{method}", None, None)(request, timeout=60)

    def test_bytes_by_hand_are_answered_with_the_protocols_bytes(self):
        name = self.model.encode()

        def text(field, value):
            return bytes([field << 3 | 2, len(value)]) + value

        for method, request, answer in [
            ("ServerLive", b"", b"\x08\x01"),
            ("ServerReady", b"", b"\x08\x01"),
            ("ModelReady", text(1, name), b"\x08\x01"),
            ("ModelReady", text(1, name) + text(2, b"1"), b"\x08\x01"),
            ("ModelReady", text(1, b"other"), b""),
            ("RepositoryIndex", b"", text(1, text(1, name) + text(2, b"1") + text(3, b"READY"))),
            ("SystemSharedMemoryStatus", b"", b""),
            ("SystemSharedMemoryUnregister", b"", b""),
            ("CudaSharedMemoryStatus", b"", b""),
            ("CudaSharedMemoryUnregister", b"", b""),
        ]:
            with self.subTest(method=method):
                self.assertEqual(self.call(method, request), answer)

    def test_a_request_by_hand_gets_the_fields_of_the_protocol(self):
        name = self.model.encode()
        # model_name, id, inputs {name, datatype, shape (packed)}, raw_input_contents
        tensor = b"\x0a\x05image" + b"\x12\x05UINT8" + b"\x1a\x04\x01\x20\x20\x01"
        request = b"\x0a" + bytes([len(name)]) + name + b"\x1a\x01i" + b"\x2a" + bytes([len(tensor)]) + tensor
        request += b"\x3a\x80\x08" + bytes(1024)
        fields = {}
        answer = self.call("ModelInfer", request)
        while answer:  # each field of a response is length-delimited
            key, answer = answer[0], answer[1:]
            self.assertEqual(key & 7, 2)
            length, shift = 0, 0
            while True:
                byte, answer = answer[0], answer[1:]
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            fields.setdefault(key >> 3, []).append(answer[:length])
            answer = answer[length:]
        self.assertEqual(sorted(fields), [1, 2, 3, 4, 5, 6])
        self.assertEqual(fields[1], [name])
        self.assertEqual(fields[2], [b"1"])
        self.assertEqual(fields[3], [b"i"])
        self.assertEqual(fields[5], [b"\x0a\x06logits\x12\x04FP32\x1a\x02\x01\x0a"])
        self.assertEqual(len(fields[6][0]), 40)

    def test_a_plain_stub_is_answered(self):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        request = service_pb2.ModelInferRequest(model_name=self.model)
        request.inputs.add(name="image", datatype="UINT8", shape=[1, 32, 32, 1])
        request.raw_input_contents.append(bytes(1024))
        self.assertEqual(len(stub.ModelInfer(request).raw_output_contents[0]), 40)
        request.parameters["triton_unknown"].int64_param = 1
        with self.assertRaises(grpc.RpcError) as refusal:
            stub.ModelInfer(request)
        self.assertEqual(refusal.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("reserved", refusal.exception.details())

    def descriptors(self):
        """What reflection tells of our messages: {name: descriptor}."""
        database = ProtoReflectionDescriptorDatabase(self.channel)
        found = {}

        def collect(prefix, messages):
            for message in messages:
                found[f"{prefix}.{message.name}"] = message
                collect(f"{prefix}.{message.name}", message.nested_type)

        files, seen = [database.FindFileContainingSymbol(SERVICE)], set()
        while files:
            file = files.pop()
            if file.name not in seen:
                seen.add(file.name)
                collect(file.package, file.message_type)
                files.extend(database.FindFileByName(name) for name in file.dependency)
        return found, database.FindFileContainingSymbol(SERVICE)

    def test_reflection_tells_the_messages_that_tritons_client_has(self):
        ours, file = self.descriptors()
        service = next(service for service in file.service if service.name == "GRPCInferenceService")
        theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        self.assertEqual(
            {(m.name, m.input_type, m.output_type) for m in service.method},
            {(m.name, f".{m.input_type.full_name}", f".{m.output_type.full_name}") for m in theirs.methods},
        )
        self.assertEqual(len(service.method), 20)
        compared = 0

        def compare(their_message):
            nonlocal compared
            proto = descriptor_pb2.DescriptorProto()
            their_message.CopyToProto(proto)
            own = ours.get(their_message.full_name)
            if own is None:  # a part of the configuration that this server leaves out
                self.assertIn("model_config", their_message.file.name, their_message.full_name)
                return
            own_fields = {field.number: field for field in own.field}
            for field in proto.field:
                if field.number not in own_fields:
                    self.assertIn("model_config", their_message.file.name, f"{their_message.full_name}.{field.name}")
                    continue
                same = own_fields[field.number]
                self.assertEqual(
                    (same.name, same.type, same.label, same.type_name.split(".")[-1]),
                    (field.name, field.type, field.label, field.type_name.split(".")[-1]),
                )
                compared += 1
            for nested in their_message.nested_types:
                compare(nested)

        for messages in (service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR):
            for message in messages.message_types_by_name.values():
                compare(message)
        self.assertGreater(compared, 200)

    def grpcurl(self, *arguments, data=None):
        command = [GRPCURL, "-plaintext", "-max-time", "60"]
        if data is not None:
            command += ["-d", json.dumps(data)]
        return subprocess.run(
            [*command, self.server.grpc_address, *arguments], capture_output=True, text=True, check=False
        )

    def test_grpcurl_lists_describes_and_calls(self):
        self.assertIn(SERVICE, self.grpcurl("list").stdout.split())
        self.assertEqual(len(self.grpcurl("list", SERVICE).stdout.split()), 20)
        self.assertIn("rpc ModelInfer", self.grpcurl("describe", SERVICE).stdout)
        self.assertEqual(json.loads(self.grpcurl(f"{SERVICE}/ServerLive").stdout), {"live": True})
        image = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 1]}
        image["contents"] = {"uint_contents": [0] * 1024}
        called = self.grpcurl(f"{SERVICE}/ModelInfer", data={"model_name": self.model, "inputs": [image]})
        self.assertEqual(called.returncode, 0, called.stderr)
        self.assertEqual(json.loads(called.stdout)["outputs"][0]["name"], "logits")
        refused = self.grpcurl(f"{SERVICE}/ModelMetadata", data={"name": "other"})
        self.assertIn("NotFound", refused.stderr)


del ForeignClientTest  # only its subclasses are tests

if __name__ == "__main__":
    SERVER, ARTIFACT, NEXT_ARTIFACT = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
