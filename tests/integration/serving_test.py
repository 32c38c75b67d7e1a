#!/usr/bin/env python3
"""The server as a foreign client sees it: Triton's Python client, over gRPC, against the real binary.

usage: serving_test.py SERVER CLIENT ARTIFACT
"""

import gzip
import json
import os
import pathlib
import queue
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))

import grpc  # noqa: E402
import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from server_process import ServerProcess  # noqa: E402

IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
SERVER, CLIENT, ARTIFACT = "", "", ""  # from the command line


def test_images(count):
    """The first test images as the model takes them: [count, 32, 32, 1], centred in zeros."""
    with gzip.open(IMAGES) as file:
        images = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 28, 28)[:count]
    return numpy.pad(images, ((0, 0), (2, 2), (2, 2)))[..., numpy.newaxis]


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=60) as response:
        return response.read()


class ServingTest(unittest.TestCase):
    """All tests share one server: each must leave it serving."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT, "--max_batch=16"))
        cls.client = triton.InferenceServerClient(cls.server.grpc_address)
        cls.addClassCleanup(cls.client.close)
        cls.model = cls.client.get_model_repository_index().models[0].name
        metadata = cls.client.get_model_metadata(cls.model)
        cls.input = metadata.inputs[0].name
        cls.output = metadata.outputs[0].name
        # Triton's messages do not have the field that advertises the operating points; our own client reads it.
        status = subprocess.run(
            [CLIENT, "--server", cls.server.grpc_address, "--json", "status"], check=True, capture_output=True
        )
        cls.properties = json.loads(status.stdout)["properties"]
        cls.points = cls.properties["operating_points"].split(",")

    def infer(self, images, client=None, **options):
        tensor = triton.InferInput(self.input, list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images)
        return (client or self.client).infer(self.model, [tensor], **options)

    def logits(self, images, **options):
        return self.infer(images, **options).as_numpy(self.output)

    def parameters(self, result):
        return {
            name: getattr(value, value.WhichOneof("parameter_choice"))
            for name, value in result.get_response().parameters.items()
        }

    def test_says_that_it_lives_and_is_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(self.model))
        for probe in ("/livez", "/readyz"):
            self.assertTrue(get(self.server.http_address, probe))  # else it raises

    def test_metadata_and_configuration_agree(self):
        metadata = self.client.get_model_metadata(self.model)
        config = self.client.get_model_config(self.model).config
        self.assertEqual(list(metadata.inputs[0].shape), [-1, *config.input[0].dims])
        self.assertEqual(list(metadata.outputs[0].shape), [-1, *config.output[0].dims])
        self.assertEqual(metadata.inputs[0].name, config.input[0].name)
        self.assertEqual(metadata.outputs[0].name, config.output[0].name)
        self.assertEqual(metadata.inputs[0].datatype, "UINT8")
        self.assertEqual(config.max_batch_size, 16)
        self.assertEqual(config.name, self.model)
        self.assertTrue(self.client.get_server_metadata().name)

    def test_runs_the_operating_point_that_is_pinned(self):
        for point in self.points:
            with self.subTest(point=point):
                result = self.infer(test_images(2), parameters={"operating_point": point})
                parameters = self.parameters(result)
                self.assertEqual(parameters["operating_point"], point)
                self.assertEqual(
                    parameters["expected_accuracy_bp"], int(self.properties[f"operating_point.{point}.accuracy_bp"])
                )
                self.assertEqual(parameters["bits"], int(self.properties[f"operating_point.{point}.weight_bits"]))
                self.assertGreaterEqual(parameters["batch_size"], 2)
                self.assertGreater(parameters["compute_us"], 0)
                self.assertGreaterEqual(parameters["queue_us"], 0)
                self.assertIs(parameters["deadline_met"], True)
                self.assertEqual(result.as_numpy(self.output).shape, (2, 10))

    def test_answers_a_row_the_same_alone_and_among_others(self):
        images = test_images(5)
        for point in self.points:
            with self.subTest(point=point):
                pin = {"operating_point": point}
                together = self.logits(images, parameters=pin)
                alone = numpy.concatenate([self.logits(images[i : i + 1], parameters=pin) for i in range(5)])
                numpy.testing.assert_array_equal(together, alone)

    def test_keeps_floors_that_its_policy_would_go_below(self):
        def property_of(point, name):
            return int(self.properties[f"operating_point.{point}.{name}"])

        worst = min(self.points, key=lambda point: property_of(point, "accuracy_bp"))
        in_between = sorted(self.points, key=lambda point: property_of(point, "accuracy_bp"))[len(self.points) // 2]
        self.assertGreater(property_of(in_between, "weight_bits"), property_of(worst, "weight_bits"))
        server = self.enterContext(ServerProcess(SERVER, ARTIFACT, f"--policy=fixed:{worst}"))
        client = triton.InferenceServerClient(server.grpc_address)
        self.addCleanup(client.close)
        for request, response, floor in (
            ("min_accuracy_bp", "expected_accuracy_bp", property_of(in_between, "accuracy_bp")),
            ("min_bits", "bits", property_of(in_between, "weight_bits")),
        ):
            with self.subTest(request):
                without = self.parameters(self.infer(test_images(1), client))
                self.assertLess(without[response], floor)
                parameters = self.parameters(self.infer(test_images(1), client, parameters={request: floor}))
                self.assertGreaterEqual(parameters[response], floor)

    def test_serves_the_tenants_it_knows_and_no_others(self):
        server = self.enterContext(ServerProcess(SERVER, ARTIFACT, "--tenants=a:1,b:3", "--max_batch=4"))
        client = triton.InferenceServerClient(server.grpc_address)
        self.addCleanup(client.close)
        for tenant in ("a", "b", "b", "default"):
            self.infer(test_images(1), client, parameters={"tenant": tenant})
        self.infer(test_images(1), client)
        with self.assertRaises(InferenceServerException) as refusal:
            self.infer(test_images(1), client, parameters={"tenant": "c"})
        self.assertEqual(refusal.exception.status(), "StatusCode.INVALID_ARGUMENT")
        self.assertIn("unknown 'tenant' 'c', known: default, a, b", refusal.exception.message())
        metrics = get(server.http_address, "/metrics").decode()
        counted = re.findall(
            r'^anybit_tenant_requests_total{met="true",tenant="(\w+)",version="\d+"} (\d+)$', metrics, re.MULTILINE
        )
        self.assertEqual(dict(counted), {"default": "2", "a": "1", "b": "2"})
        status = subprocess.run(
            [CLIENT, "--server", server.grpc_address, "--json", "status"], check=True, capture_output=True
        )
        properties = json.loads(status.stdout)["properties"]
        self.assertEqual(properties["tenants"], "default,a,b")
        self.assertEqual(properties["tenant.b.share"], "3")

    def test_without_tenants_there_is_only_the_default_one(self):
        self.infer(test_images(1), parameters={"tenant": "default"})
        with self.assertRaises(InferenceServerException) as refusal:
            self.infer(test_images(1), parameters={"tenant": "a"})
        self.assertIn("known: default", refusal.exception.message())

    def test_echoes_the_request_id_and_answers_many_calls_at_once(self):
        answers = queue.Queue()
        images = test_images(64)
        for i in range(64):
            tensor = triton.InferInput(self.input, [1, 32, 32, 1], "UINT8")
            tensor.set_data_from_numpy(images[i : i + 1])
            self.client.async_infer(
                self.model, [tensor], lambda result, error: answers.put((result, error)), request_id=str(i)
            )
        ids = set()
        for _ in range(64):
            result, error = answers.get()
            self.assertIsNone(error)
            ids.add(result.get_response().id)
        self.assertEqual(ids, {str(i) for i in range(64)})

    def test_takes_typed_contents_as_raw_ones(self):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.server.grpc_address))
        request = self.valid_request()
        request.parameters["operating_point"].string_param = self.points[0]
        raw = stub.ModelInfer(request).raw_output_contents[0]
        request.inputs[0].contents.uint_contents.extend(request.raw_input_contents[0])
        del request.raw_input_contents[:]
        self.assertEqual(stub.ModelInfer(request).raw_output_contents[0], raw)

    def test_answers_a_stream_of_requests_in_their_order(self):
        answers = queue.Queue()
        self.client.start_stream(lambda result, error: answers.put((result, error)))
        images = test_images(1)
        tensor = triton.InferInput(self.input, list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images)
        for i in range(200):
            self.client.async_stream_infer(
                "other" if i == 100 else self.model, [tensor], request_id=str(i), enable_empty_final_response=True
            )
        for i in range(200):
            result, error = answers.get(timeout=60)
            if i == 100:
                self.assertIn("Request for unknown model: 'other' is not found", str(error))
            else:
                self.assertIsNone(error)
                self.assertEqual(result.get_response().id, str(i))
        self.client.stop_stream()

    def test_statistics_grow_with_the_requests(self):
        def statistics():
            return self.client.get_inference_statistics(self.model).model_stats[0]

        before = statistics()
        for _ in range(3):
            self.infer(test_images(2))
        after = statistics()
        self.assertEqual(after.inference_count - before.inference_count, 6)
        self.assertEqual(after.execution_count - before.execution_count, 3)
        self.assertEqual(after.inference_stats.success.count - before.inference_stats.success.count, 3)
        self.assertGreater(after.inference_stats.compute_infer.ns, before.inference_stats.compute_infer.ns)

    def test_finds_no_shared_memory_and_unregisters_it_all(self):
        self.assertEqual(len(self.client.get_system_shared_memory_status().regions), 0)
        self.client.unregister_system_shared_memory()
        self.client.unregister_cuda_shared_memory()

    def test_refuses_an_unknown_model_by_its_name(self):
        with self.assertRaises(InferenceServerException) as refusal:
            self.client.get_model_metadata("no-such-model")
        self.assertEqual(refusal.exception.status(), "StatusCode.NOT_FOUND")
        self.assertIn("no-such-model", refusal.exception.message())

    def valid_request(self):
        request = service_pb2.ModelInferRequest(model_name=self.model)
        request.inputs.add(name=self.input, datatype="UINT8", shape=[1, 32, 32, 1])
        request.raw_input_contents.append(test_images(1).tobytes())
        return request

    def test_refuses_each_malformed_request_with_its_code_and_serves_on(self):
        def shape(*dims):
            def alter(request):
                del request.inputs[0].shape[:]
                request.inputs[0].shape.extend(dims)

            return alter

        def raw(*contents):
            def alter(request):
                del request.raw_input_contents[:]
                request.raw_input_contents.extend(contents)

            return alter

        def parameter(name, **value):
            return lambda request: request.parameters[name].CopyFrom(service_pb2.InferParameter(**value))

        def shared_memory(request):
            request.inputs[0].parameters["shared_memory_region"].string_param = "r"

        def typed(request):
            raw()(request)
            request.inputs[0].contents.uint_contents.extend([0] * 1023 + [256])

        pixels = bytes(1024)
        cases = [
            # what is wrong, how a valid request is altered, the code, a part of the message
            ("no model", lambda r: r.ClearField("model_name"), "NOT_FOUND", "unknown model"),
            ("another model", lambda r: setattr(r, "model_name", "../etc"), "NOT_FOUND", "../etc"),
            ("version no number", lambda r: setattr(r, "model_version", "1e9"), "INVALID_ARGUMENT", "1e9"),
            ("version unknown", lambda r: setattr(r, "model_version", "999"), "NOT_FOUND", "999"),
            ("no input", lambda r: r.ClearField("inputs"), "INVALID_ARGUMENT", "expected 1 inputs but got 0"),
            ("two inputs", lambda r: r.inputs.add(name="x"), "INVALID_ARGUMENT", "expected 1 inputs but got 2"),
            ("input's name", lambda r: setattr(r.inputs[0], "name", "x"), "INVALID_ARGUMENT", "missing required input"),
            ("datatype", lambda r: setattr(r.inputs[0], "datatype", "FP32"), "INVALID_ARGUMENT", "FP32"),
            ("rank 0", shape(), "INVALID_ARGUMENT", "unexpected shape"),
            ("no rows", shape(0, 32, 32, 1), "INVALID_ARGUMENT", "unexpected shape"),
            ("negative rows", shape(-1, 32, 32, 1), "INVALID_ARGUMENT", "unexpected shape"),
            ("overflow", shape(1 << 62, 32, 32, 1), "INVALID_ARGUMENT", "batch-size must be <= 16"),
            ("other size", shape(1, 28, 28, 1), "INVALID_ARGUMENT", "unexpected shape"),
            ("rank 10000", shape(*[1] * 10000), "INVALID_ARGUMENT", "unexpected shape"),
            ("too many rows", shape(17, 32, 32, 1), "INVALID_ARGUMENT", "batch-size must be <= 16"),
            ("a byte short", raw(pixels[1:]), "INVALID_ARGUMENT", "Expected 1024, got 1023"),
            ("a byte more", raw(pixels + b"x"), "INVALID_ARGUMENT", "Expected 1024, got 1025"),
            ("no data", raw(), "INVALID_ARGUMENT", "unable to find data"),
            ("data twice", raw(pixels, pixels), "INVALID_ARGUMENT", "raw_input_contents"),
            ("value 256", typed, "INVALID_ARGUMENT", "256"),
            ("unknown output", lambda r: r.outputs.add(name="y"), "INVALID_ARGUMENT", "'y'"),
            ("unknown point", parameter("operating_point", string_param="w9"), "INVALID_ARGUMENT", "w9"),
            ("timeout's type", parameter("timeout", string_param="1"), "INVALID_ARGUMENT", "timeout"),
            ("timeout negative", parameter("timeout", int64_param=-1), "INVALID_ARGUMENT", "timeout"),
            ("floor too high", parameter("min_accuracy_bp", int64_param=10001), "INVALID_ARGUMENT", "10001"),
            ("reserved key", parameter("triton_x", bool_param=True), "INVALID_ARGUMENT", "triton_"),
            ("shared memory", shared_memory, "INVALID_ARGUMENT", "shared memory"),
        ]
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.server.grpc_address))
        for wrong, alter, code, part in cases:
            with self.subTest(wrong):
                request = self.valid_request()
                alter(request)
                with self.assertRaises(grpc.RpcError) as refusal:
                    stub.ModelInfer(request)
                self.assertEqual(refusal.exception.code().name, code, refusal.exception.details())
                self.assertIn(part, refusal.exception.details())
                self.assertEqual(len(stub.ModelInfer(self.valid_request()).raw_output_contents), 1)

    def test_refuses_a_message_that_is_too_large(self):
        with self.assertRaises(InferenceServerException) as refusal:
            self.infer(numpy.zeros([64 * 1024, 32, 32, 1], numpy.uint8))
        self.assertEqual(refusal.exception.status(), "StatusCode.RESOURCE_EXHAUSTED")
        self.assertTrue(self.client.is_server_ready())

    def test_refuses_rather_than_answers_late_what_cannot_be_in_time(self):
        with self.assertRaises(InferenceServerException) as refusal:
            self.infer(test_images(16), timeout=1)  # a microsecond
        self.assertIn(refusal.exception.status(), ("StatusCode.RESOURCE_EXHAUSTED", "StatusCode.DEADLINE_EXCEEDED"))

    def test_metrics_pass_the_linter_and_count_the_requests(self):
        self.infer(test_images(1))
        metrics = get(self.server.http_address, "/metrics")
        lint = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False)
        self.assertEqual(lint.returncode, 0, lint.stdout + lint.stderr)
        self.assertIn(b"requests_total", metrics)

    def test_measures_how_long_answers_are_under_way(self):
        # One in eight is measured, and an answer may be here before the server knows that it is sent.
        for _ in range(1000):
            self.infer(test_images(1))
            metrics = get(self.server.http_address, "/metrics").decode()
            count = r'^anybit_delivery_duration_seconds_count{version="\d+"} (\d+)$'
            if int(re.search(count, metrics, re.MULTILINE)[1]) > 0:
                return
        self.fail("none of 1000 answers was measured")

    def test_every_metric_is_documented_and_every_documented_one_exists(self):
        exposed = set(re.findall(r"^# TYPE (\w+)", get(self.server.http_address, "/metrics").decode(), re.MULTILINE))
        documented = set(re.findall(r"`((?:anybit|process)_\w+)`", pathlib.Path("docs/operations.md").read_text()))
        self.assertEqual(exposed, documented)

    def test_serves_no_files_over_http(self):
        with self.assertRaises(urllib.error.HTTPError) as refusal:
            get(self.server.http_address, "/etc/passwd")
        self.assertEqual(refusal.exception.code, 404)


class LogTest(unittest.TestCase):
    """What log collectors and Triton's dashboards read."""

    def test_events_are_lines_of_json_with_their_reasons(self):
        with ServerProcess(SERVER, ARTIFACT, "--log_format=json") as server:
            client = triton.InferenceServerClient(server.grpc_address)
            model = client.get_model_repository_index().models[0].name
            wrong = triton.InferInput("no such input", [1, 32, 32, 1], "UINT8")
            wrong.set_data_from_numpy(test_images(1))
            with self.assertRaises(InferenceServerException) as refusal:
                client.infer(model, [wrong])
            client.close()
            server.terminate()
            self.assertEqual(server.exit_code(), 0)
            server.read_to_end()
            events = [json.loads(line) for line in server.printed if line.startswith("{")]
        # Notices are json_log_test's.
        self.assertEqual(
            [event["event"] for event in events if event["event"] != "notice"],
            ["serving", "request_invalid", "not_ready", "draining", "stopped"],
        )
        self.assertEqual(events[0]["model"], model)
        self.assertIn(events[1]["reason"], refusal.exception.message())

    def test_tritons_names_are_there_on_demand(self):
        with ServerProcess(SERVER, ARTIFACT, "--triton_metrics") as server:
            text = get(server.http_address, "/metrics").decode()
        self.assertRegex(text, r'(?m)^nv_inference_request_success\{model="[^"]+",version="\d+"\} 0$')

    def test_values_of_the_environment_are_printed_with_their_origin(self):
        os.environ["ANYBIT_MAX_BATCH"] = "3"
        self.addCleanup(os.environ.pop, "ANYBIT_MAX_BATCH")
        with ServerProcess(SERVER, ARTIFACT) as server:
            self.assertIn("  --max_batch=3 (environment ANYBIT_MAX_BATCH)\n", server.printed)
            client = triton.InferenceServerClient(server.grpc_address)
            model = client.get_model_repository_index().models[0].name
            self.assertEqual(client.get_model_config(model).config.max_batch_size, 3)
            client.close()


class KernelsTest(unittest.TestCase):
    """The kernels and processors that a server runs on."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def refusal(self, *flags):
        ran = subprocess.run(
            [SERVER, f"--artifact={ARTIFACT}", "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0", *flags],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 2, ran.stderr)
        return ran.stderr

    def test_a_saved_profile_carries_the_kernel_choices_to_the_next_server(self):
        first, second = self.folder / "first.json", self.folder / "second.json"
        with ServerProcess(SERVER, ARTIFACT, "--isa=portable", "--max_batch=4", f"--save_profile={first}"):
            pass
        saved = json.loads(first.read_text())
        self.assertEqual(saved["kernels"]["isa"], "portable")
        self.assertEqual({layer["point"] for layer in saved["kernels"]["layers"]}, {p["name"] for p in saved["points"]})

        with ServerProcess(
            SERVER, ARTIFACT, "--isa=portable", "--max_batch=4", f"--profile={first}", f"--save_profile={second}"
        ) as server:
            self.assertIn(b'anybit_model_info{isa="portable"', get(server.http_address, "/metrics"))
        self.assertEqual(second.read_text(), first.read_text())

        saved["kernels"]["layers"][0]["node"] = "nowhere"
        first.write_text(json.dumps(saved))
        refusal = self.refusal("--isa=portable", "--max_batch=4", f"--profile={first}")
        self.assertIn(f"profile {first}: ", refusal)
        self.assertIn("'nowhere'", refusal)

    def test_slots_and_threads_serve_what_one_thread_serves(self):
        answers = []
        processors = len(os.sched_getaffinity(0))
        flags = [(), ("--pin=false",), ("--slots=2",), ("--threads_per_slot=2",)]
        for flag in flags if processors > 1 else flags[:2]:
            with ServerProcess(SERVER, ARTIFACT, "--max_batch=8", "--policy=fixed:w8a8", *flag) as server:
                client = triton.InferenceServerClient(server.grpc_address)
                model = client.get_model_repository_index().models[0].name
                metadata = client.get_model_metadata(model)
                tensor = triton.InferInput(metadata.inputs[0].name, [7, 32, 32, 1], "UINT8")
                tensor.set_data_from_numpy(test_images(7))
                answers.append(client.infer(model, [tensor]).as_numpy(metadata.outputs[0].name))
                client.close()
            numpy.testing.assert_array_equal(answers[-1], answers[0], err_msg=str(flag))

    def test_refuses_what_this_machine_cannot_run(self):
        self.assertIn("unknown instruction set 'abacus'; this processor runs auto", self.refusal("--isa=abacus"))
        processors = len(os.sched_getaffinity(0))
        if processors < 256:
            self.assertIn(f"more than the {processors} processor", self.refusal(f"--slots={processors + 1}"))


class ShutdownTest(unittest.TestCase):
    def test_sigterm_drains_and_exits_with_zero(self):
        with ServerProcess(SERVER, ARTIFACT, "--max_batch=1") as server:
            client = triton.InferenceServerClient(server.grpc_address)
            model = client.get_model_repository_index().models[0].name
            name = client.get_model_metadata(model).inputs[0].name
            answers = queue.Queue()
            for image in test_images(40):
                tensor = triton.InferInput(name, [1, 32, 32, 1], "UINT8")
                tensor.set_data_from_numpy(image[numpy.newaxis])
                client.async_infer(model, [tensor], lambda result, error: answers.put(error))
            errors = [answers.get()]  # with one answered, others wait
            server.terminate()
            errors += [answers.get() for _ in range(39)]
            self.assertIsNone(errors[0])
            # What the server had taken it answers; what came later it refuses so that the client may go elsewhere.
            for error in errors:
                self.assertIn(error and error.status(), (None, "StatusCode.UNAVAILABLE"))
            self.assertEqual(server.exit_code(), 0)

    def test_an_idle_server_exits_with_zero_on_sigterm(self):
        with ServerProcess(SERVER, ARTIFACT) as server:
            server.terminate()
            self.assertEqual(server.exit_code(), 0)

    def test_a_missing_artifact_is_named_and_ends_the_server(self):
        ran = subprocess.run(
            [SERVER, "--artifact=/nonexistent.safetensors", "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 1)
        self.assertIn("/nonexistent.safetensors", ran.stdout + ran.stderr)


class DamagedArtifactTest(unittest.TestCase):
    """A server that cannot trust its artifact says why and ends; it never serves."""

    @classmethod
    def setUpClass(cls):
        cls.whole = pathlib.Path(ARTIFACT).read_bytes()
        (size,) = struct.unpack("<Q", cls.whole[:8])
        cls.header = cls.whole[8 : 8 + size]
        cls.data = cls.whole[8 + size :]
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def rewritten(self, change):
        """The artifact's bytes after `change` had its way with the parsed header."""
        header = json.loads(self.header)
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + self.data

    def refusal(self, contents):
        path = self.folder / "damaged.safetensors"
        path.write_bytes(contents)
        ran = subprocess.run(
            [SERVER, f"--artifact={path}", "--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 1, ran.stderr)
        return ran.stdout + ran.stderr

    def test_names_what_is_wrong_with_it(self):
        def drop(header):
            del header["store.stem.scale"]

        def rename(header):
            header["store.stem.other"] = header.pop("store.stem.scale")

        def set_in(tensor, key, value):
            return lambda header: header[tensor].__setitem__(key, value)

        def set_metadata(key, value):
            return lambda header: header["__metadata__"].__setitem__(key, value)

        flipped = bytearray(self.whole)
        flipped[-1] ^= 1
        damaged = {
            "is shorter than its length field": b"",
            "exceeds 67108864": b"\xff" * 8 + self.whole[8:],
            "bytes in a file with": self.whole[:1000],
            "header is not a JSON object": struct.pack("<Q", 4) + b"PK\x03\x04" + self.data,
            "outside the": self.whole[:-1],
            "it is damaged": bytes(flipped),
            "tensor data has a gap": self.rewritten(drop),
            "tensor 'store.stem.scale' is missing": self.rewritten(rename),
            "has dtype 'F80', which safetensors does not have": self.rewritten(
                set_in("store.stem.scale", "dtype", "F80")
            ),
            "tensor 'store.stem.scale' has the wrong element type": self.rewritten(
                set_in("store.stem.scale", "dtype", "I32")
            ),
            "whose product overflows": self.rewritten(set_in("store.stem.scale", "shape", [1 << 40, 1 << 40])),
            "artifact format '7'": self.rewritten(set_metadata("anybit.format", "7")),
            "metadata 'anybit.header' is missing": self.rewritten(
                lambda header: header["__metadata__"].pop("anybit.header")
            ),
        }
        for reason, contents in damaged.items():
            with self.subTest(reason=reason):
                self.assertIn(reason, self.refusal(contents))


if __name__ == "__main__":
    SERVER, CLIENT, ARTIFACT = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
