#!/usr/bin/env python3
"""The manifests are valid, the chart renders what kustomize renders, and both fit the server.

usage: manifests_test.py SERVER

kustomize is that of kubectl, Helm its SDK, both as scripts/setup installs them; schemas are Kubernetes' own, and for
custom resources those of crd_schemas.json.
"""

import copy
import functools
import json
import pathlib
import re
import subprocess
import sys
import unittest

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / ".cache" / "deploy"
if not TOOLS.is_dir():
    sys.exit(f"{TOOLS} is missing: run scripts/setup")
sys.path[:0] = [str(HERE), str(TOOLS)]

import helm_python  # noqa: E402
import make_chart  # noqa: E402

SERVER = ""  # from the command line
SCHEMAS = TOOLS / "kubernetes_validate" / "kubernetes-json-schema"
VERSIONS = ("v1.27.0", "v1.37.0")  # the oldest that the chart names, and the newest known
OVERLAYS = ("cpu", "gpu", "tls")

# Values of the chart, and the components that are the same.
MONITORED = ["components/monitoring", "../grafana"]
BARE = {"monitoring": {"enabled": False, "dashboard": False}, "autoscaling": {"enabled": False}}
VARIANTS = {
    "nothing": (BARE, []),
    "monitoring": ({"autoscaling": {"enabled": False}}, MONITORED),
    "keda": ({"autoscaling": {"enabled": False}, "keda": {"enabled": True}}, [*MONITORED, "components/keda"]),
    "download": (
        {"model": {"download": {"enabled": True}}},
        [*MONITORED, "components/autoscaling", "components/model-download"],
    ),
    "gpu_tls": (
        {"gpu": {"enabled": True}, "tls": {"enabled": True}},
        [*MONITORED, "components/autoscaling", "components/gpu", "components/tls"],
    ),
}


def charted(values, name="anybit", namespace="anybit"):
    """What Helm renders, by (kind, name)."""
    with helm_python.Chart.load(str(HERE / "chart")) as chart:
        files = chart.render(values, name=name, namespace=namespace)
    texts = [text for path, text in files.items() if path.endswith(".yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def comparable(node):
    """Without the order of lists that Kubernetes merges by name, and without the chart's checksum of the flags."""
    if isinstance(node, dict):
        found = {key: comparable(value) for key, value in node.items() if key != "anybit.dev/flags-checksum"}
        return {key: value for key, value in found.items() if value != {} or key in ("podSelector", "emptyDir")}
    if isinstance(node, list):
        items = [comparable(item) for item in node]
        named = items and all(isinstance(item, dict) and "name" in item for item in items)
        return sorted(items, key=lambda item: item["name"]) if named else items
    return node


def all_objects():
    """(where, object) of everything that this folder has."""
    for overlay in OVERLAYS:
        for key, one in make_chart.kustomize(HERE / "overlays" / overlay).items():
            yield f"{overlay} {key}", one
    for key, one in make_chart.build(*VARIANTS["keda"][1]).items():
        yield f"keda {key}", one
    for key, one in make_chart.build(*VARIANTS["download"][1]).items():
        yield f"download {key}", one
    for path in sorted((HERE / "kserve").glob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield str(path), one


@functools.cache
def definitions(version):
    return json.loads((SCHEMAS / f"{version}-local-strict" / "_definitions.json").read_text(encoding="utf-8"))


def schema_errors(one, version):
    """What the schema of the object's kind objects to."""
    group, _, kind_version = one["apiVersion"].rpartition("/")
    crd = json.loads((HERE / "crd_schemas.json").read_text(encoding="utf-8")).get(f"{one['apiVersion']}/{one['kind']}")
    if crd:
        validator = jsonschema.Draft7Validator(crd)
    else:
        parts = [one["kind"].lower(), *([group.partition(".")[0]] if group else []), kind_version]
        path = SCHEMAS / f"{version}-local-strict" / ("-".join(parts) + ".json")
        if not path.exists():
            return [f"there is no schema {path.name} for {one['apiVersion']} {one['kind']}"]
        schema = json.loads(path.read_text(encoding="utf-8"))
        shared = definitions(version)
        resolver = jsonschema.RefResolver.from_schema(schema, store={shared["$id"]: shared})
        validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(one)]


class ChartTest(unittest.TestCase):
    maxDiff = None

    def assert_same(self, charted_objects, kustomized):
        self.assertEqual(sorted(charted_objects), sorted(kustomized))
        for key, one in kustomized.items():
            self.assertEqual(comparable(charted_objects[key]), comparable(one), key)

    def test_the_chart_is_what_make_chart_makes(self):
        for name, text in make_chart.templates().items():
            path = HERE / "chart" / name
            self.assertTrue(path.exists() and path.read_text() == text, f"{name} is stale: run make_chart.py")

    def test_helm_lint_has_no_objection(self):
        report = helm_python.lint(str(HERE / "chart"), strict=True)
        self.assertEqual([one for one in report["messages"] if one["severity"] > 1], [])
        self.assertEqual(report["errors"], [])

    def test_the_chart_renders_each_overlay(self):
        values = {"cpu": {}, "gpu": {"gpu": {"enabled": True}}, "tls": {"tls": {"enabled": True}}}
        for overlay in OVERLAYS:
            with self.subTest(overlay=overlay):
                self.assert_same(charted(values[overlay]), make_chart.kustomize(HERE / "overlays" / overlay))

    def test_the_chart_renders_each_component(self):
        for name, (values, components) in VARIANTS.items():
            with self.subTest(variant=name):
                self.assert_same(charted(values), make_chart.build(*components))

    def test_names_and_namespaces_are_the_releases(self):
        objects = charted({"keda": {"enabled": True}, "autoscaling": {"enabled": False}}, "blue", "team")
        self.assertIn(("Deployment", "blue"), objects)
        text = json.dumps(list(objects.values()))
        self.assertNotIn('"anybit"', text)
        self.assertNotIn("anybit-flags", text)
        self.assertIn('anybit_queue_work_seconds{namespace=\\"team\\"}', text)

    def test_values_reach_the_objects(self):
        objects = charted({
            "replicas": 5, "autoscaling": {"enabled": False}, "image": {"repository": "hub/a", "tag": "9"},
            "flags": "max_queue=5\n", "nodeSelector": {"disk": "ssd"}, "model": {"storageClassName": "fast"},
        })
        deployment = objects["Deployment", "anybit"]["spec"]
        self.assertEqual(deployment["replicas"], 5)
        self.assertEqual(deployment["template"]["spec"]["containers"][0]["image"], "hub/a:9")
        self.assertEqual(deployment["template"]["spec"]["nodeSelector"], {"disk": "ssd"})
        self.assertEqual(objects["ConfigMap", "anybit-flags"]["data"]["server.flags"], "max_queue=5\n")
        self.assertEqual(objects["PersistentVolumeClaim", "anybit-model"]["spec"]["storageClassName"], "fast")

    def test_new_flags_roll_the_pods(self):
        def checksum(flags):
            pod = charted({"flags": flags})["Deployment", "anybit"]["spec"]["template"]
            return pod["metadata"]["annotations"]["anybit.dev/flags-checksum"]

        self.assertNotEqual(checksum("a=1"), checksum("a=2"))

    def test_wrong_values_are_refused(self):
        for values, reason in (({"replica": 2}, "replica"), ({"keda": {"enabled": True}}, "exclude each other")):
            with self.assertRaisesRegex(helm_python.HelmError, reason):
                charted(values)


class SchemaTest(unittest.TestCase):
    def test_every_object_fits_the_schema_of_its_kind(self):
        for where, one in all_objects():
            for version in VERSIONS:
                self.assertEqual(schema_errors(one, version), [], f"{where} {version}")

    def test_wrong_objects_do_not(self):
        objects = make_chart.build(*MONITORED, "components/autoscaling")

        def spoiled(key, change):
            one = copy.deepcopy(objects[key])
            change(one["spec"])
            return schema_errors(one, VERSIONS[-1])

        self.assertTrue(spoiled(("Deployment", "anybit"), lambda spec: spec.update(replica=2)))
        self.assertTrue(spoiled(("HorizontalPodAutoscaler", "anybit"), lambda spec: spec.pop("scaleTargetRef")))
        self.assertTrue(spoiled(("ServiceMonitor", "anybit"), lambda spec: spec["endpoints"][0].update(ports="x")))
        self.assertTrue(spoiled(("PrometheusRule", "anybit"), lambda spec: spec["groups"][0].pop("name")))


class PodTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployments = {name: make_chart.kustomize(HERE / "overlays" / name) for name in OVERLAYS}

    def pods(self):
        for name, objects in self.deployments.items():
            yield name, objects, objects["Deployment", "anybit"]["spec"]["template"]["spec"]

    def test_pods_meet_the_restricted_pod_security_standard(self):
        for name, _, pod in self.pods():
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertFalse(pod["automountServiceAccountToken"])
            for container in pod["containers"]:
                context = container["securityContext"]
                self.assertFalse(context["allowPrivilegeEscalation"], name)
                self.assertTrue(context["readOnlyRootFilesystem"], name)
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]}, name)
            self.assertTrue(all(mount["readOnly"] for c in pod["containers"] for mount in c["volumeMounts"]), name)

    def test_probes_services_and_policies_name_ports_of_the_container(self):
        for name, objects, pod in self.pods():
            ports = {port["name"] for port in pod["containers"][0]["ports"]}
            named = {pod["containers"][0][probe]["httpGet"]["port"] for probe in
                     ("startupProbe", "readinessProbe", "livenessProbe")}
            named |= {port["targetPort"] for service in ("anybit", "anybit-headless")
                      for port in objects["Service", service]["spec"]["ports"]}
            named |= {port["port"] for rule in objects["NetworkPolicy", "anybit"]["spec"]["ingress"]
                      for port in rule["ports"]}
            self.assertLessEqual(named, ports, name)
            service_ports = {port["name"] for port in objects["Service", "anybit"]["spec"]["ports"]}
            self.assertIn(objects["ServiceMonitor", "anybit"]["spec"]["endpoints"][0]["port"], service_ports)

    def test_every_selector_matches_the_pods(self):
        for name, objects, _ in self.pods():
            labels = objects["Deployment", "anybit"]["spec"]["template"]["metadata"]["labels"]
            selectors = [objects["Service", service]["spec"]["selector"] for service in ("anybit", "anybit-headless")]
            selectors += [objects["PodDisruptionBudget", "anybit"]["spec"]["selector"]["matchLabels"]]
            selectors += [objects["NetworkPolicy", "anybit"]["spec"]["podSelector"]["matchLabels"]]
            for selector in selectors:
                self.assertTrue(selector and selector.items() <= labels.items(), name)
            monitor = objects["ServiceMonitor", "anybit"]["spec"]["selector"]["matchLabels"].items()
            monitored = [one for one in ("anybit", "anybit-headless")
                         if monitor <= objects["Service", one]["metadata"]["labels"].items()]
            self.assertEqual(monitored, ["anybit"], "each pod is scraped once")

    def test_the_grace_period_is_longer_than_the_drain(self):
        flags = dict(re.findall(r"^(drain_\w+)=(\d+)s$", (HERE / "base/server.flags").read_text(), re.MULTILINE))
        for _, _, pod in self.pods():
            self.assertGreater(
                pod["terminationGracePeriodSeconds"], int(flags["drain_delay"]) + int(flags["drain_timeout"])
            )


class ServerTest(unittest.TestCase):
    def help(self):
        return subprocess.run([SERVER, "--help"], capture_output=True, text=True, check=True).stdout

    def environment(self, objects):
        return {item["name"]: item["value"] for one in objects if one["kind"] == "Deployment"
                for item in one["spec"]["template"]["spec"]["containers"][0]["env"]}

    def unknown_flags(self, environment):
        flags = set(re.findall(r"^  --(?:\[no\])?(\w+)", self.help(), re.MULTILINE))
        return [name for name in environment if name.removeprefix("ANYBIT_").lower() not in flags]

    def test_the_variables_of_the_pods_are_flags_of_the_server(self):
        for overlay in ("cpu", "gpu"):
            objects = make_chart.kustomize(HERE / "overlays" / overlay).values()
            self.assertEqual(self.unknown_flags(self.environment(objects)), [], overlay)
        runtime = yaml.safe_load((HERE / "kserve/servingruntime.yaml").read_text())
        names = [item["name"] for item in runtime["spec"]["containers"][0]["env"]]
        self.assertEqual(self.unknown_flags(names), [])

    def test_the_variables_of_pods_with_tls_are_flags_of_a_server_that_has_tls(self):
        if "--tls_certificate" not in self.help():
            self.skipTest("this server has no TLS")
        objects = make_chart.kustomize(HERE / "overlays" / "tls").values()
        self.assertEqual(self.unknown_flags(self.environment(objects)), [])

    def test_the_server_accepts_the_flags_of_the_config_map(self):
        ran = subprocess.run(
            [SERVER, f"--flagfile={HERE / 'base/server.flags'}"], capture_output=True, text=True, check=False,
            env={"PATH": "/usr/bin:/bin"},
        )
        self.assertEqual(ran.returncode, 2)
        self.assertIn("--artifact is missing", ran.stderr)
        for line in (HERE / "base/server.flags").read_text().splitlines():
            if line and not line.startswith("#"):
                self.assertIn(f"--{line} (", ran.stdout)


class AutoscalingTest(unittest.TestCase):
    def test_the_adapter_makes_every_metric_of_the_autoscaler(self):
        objects = make_chart.kustomize(HERE / "overlays" / "cpu")
        wanted = {metric["pods"]["metric"]["name"]
                  for metric in objects["HorizontalPodAutoscaler", "anybit"]["spec"]["metrics"]}
        rules = yaml.safe_load((HERE / "prometheus-adapter/values.yaml").read_text())["rules"]["custom"]
        self.assertEqual(wanted, {rule["name"]["as"] for rule in rules})

    def test_keda_has_the_same_targets(self):
        autoscaler = make_chart.kustomize(HERE / "overlays" / "cpu")["HorizontalPodAutoscaler", "anybit"]["spec"]
        targets = [metric["pods"]["target"]["averageValue"] for metric in autoscaler["metrics"]]
        keda = make_chart.build(*VARIANTS["keda"][1])["ScaledObject", "anybit"]["spec"]
        thresholds = [float(trigger["metadata"]["threshold"]) for trigger in keda["triggers"]]
        self.assertEqual([int(target.removesuffix("m")) / 1000 for target in targets], thresholds)
        self.assertEqual((keda["minReplicaCount"], keda["maxReplicaCount"]),
                         (autoscaler["minReplicas"], autoscaler["maxReplicas"]))


if __name__ == "__main__":
    SERVER = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
