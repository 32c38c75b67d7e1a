#!/usr/bin/env python3
"""Derives the templates of the Helm chart from the kustomize base and components, which are their only source.

usage: make_chart.py [--check]

It rewrites chart/templates, chart/values.yaml and its schema, and chart/dashboards; --check only compares.

Each component is a switch of the chart. What a component adds, changes or removes stands in an `if` of its switch. Each
of PARAMETERS is a value of the chart wherever the manifests have it. Names become those of the release.
"""

import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import chart_writer  # noqa: E402
from chart_writer import FIXED_KEYS, Writer, joined, plain  # noqa: E402

ROOT = HERE.parents[1]
KUBECTL = ROOT / ".cache" / "deploy" / "bin" / "kubectl"

# Components that every object of theirs needs, and components that change what others made.
ALWAYS = {"monitoring.enabled": "components/monitoring", "monitoring.dashboard": "../grafana"}
SWITCHES = {
    "autoscaling.enabled": "components/autoscaling",
    "keda.enabled": "components/keda",
    "gpu.enabled": "components/gpu",
    "tls.enabled": "components/tls",
    "model.download.enabled": "components/model-download",
}
DEFAULT_ON = {"monitoring.enabled", "monitoring.dashboard", "autoscaling.enabled"}

# (kind, path of keys, value of the chart); "*" is every item of a list.
CONTAINER = "spec/template/spec/containers/*/"
PARAMETERS = [
    ("Deployment", "spec/replicas", "replicas"),
    ("Deployment", CONTAINER + "imagePullPolicy", "image.pullPolicy"),
    ("Deployment", CONTAINER + "resources/requests/cpu", "resources.cpu"),
    ("Deployment", CONTAINER + "resources/limits/cpu", "resources.cpu"),
    ("Deployment", CONTAINER + "resources/requests/memory", "resources.memory"),
    ("Deployment", CONTAINER + "resources/limits/memory", "resources.memory"),
    ("Deployment", CONTAINER + "resources/limits/nvidia.com~gpu", "gpu.count"),
    ("Deployment", "spec/template/spec/terminationGracePeriodSeconds", "terminationGracePeriodSeconds"),
    ("Deployment", "spec/template/spec/initContainers/*/image", "model.download.image"),
    ("Deployment", "spec/template/spec/initContainers/*/env/MODEL_URL/value", "model.download.url"),
    ("Deployment", "spec/template/spec/initContainers/*/env/MODEL_SHA256/value", "model.download.sha256"),
    ("PersistentVolumeClaim", "spec/resources/requests/storage", "model.size"),
    ("PersistentVolumeClaim", "spec/accessModes", "model.accessModes"),
    ("PodDisruptionBudget", "spec/maxUnavailable", "maxUnavailable"),
    ("NetworkPolicy", "spec/ingress/1/from/1/namespaceSelector/matchLabels/kubernetes.io~metadata.name",
     "monitoring.namespace"),
    ("ServiceMonitor", "spec/endpoints/0/interval", "monitoring.interval"),
    ("HorizontalPodAutoscaler", "spec/minReplicas", "autoscaling.minReplicas"),
    ("HorizontalPodAutoscaler", "spec/maxReplicas", "autoscaling.maxReplicas"),
    ("HorizontalPodAutoscaler", "spec/metrics/0/pods/target/averageValue", "autoscaling.queueWork"),
    ("HorizontalPodAutoscaler", "spec/metrics/1/pods/target/averageValue", "autoscaling.accuracyDeficit"),
    ("HorizontalPodAutoscaler", "spec/metrics/2/pods/target/averageValue", "autoscaling.fullAccuracyLoad"),
    ("ScaledObject", "spec/minReplicaCount", "keda.minReplicas"),
    ("ScaledObject", "spec/maxReplicaCount", "keda.maxReplicas"),
    ("ScaledObject", "spec/triggers/*/metadata/serverAddress", "keda.serverAddress"),
]
# (kind, path of the mapping, key, value of the chart): there only where the value is set.
EXTRAS = [
    ("Deployment", "spec/template/spec", "nodeSelector", "nodeSelector"),
    ("Deployment", "spec/template/spec", "affinity", "affinity"),
    ("Deployment", "spec/template/spec", "imagePullSecrets", "image.pullSecrets"),
    ("Deployment", "spec/template/spec", "priorityClassName", "priorityClassName"),
    ("PersistentVolumeClaim", "spec", "storageClassName", "model.storageClassName"),
]
# Always there in the chart: new flags roll the pods, as the hash in the ConfigMap's name does with kustomize.
CHECKSUM = ("Deployment", "spec/template/metadata/annotations", "anybit.dev/flags-checksum",
            "{{ .Values.flags | sha256sum }}")
HASHED = re.compile(r"^(anybit-flags)-[a-z0-9]{10}$")
BY_HAND = {"templates/checks.yaml"}


@functools.cache
def build(*components):
    """The objects of the base with these components, by (kind, name)."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        relative = [os.path.relpath((HERE / part).resolve(), folder) for part in ("base", *components)]
        kustomization = {"namespace": chart_writer.NAMESPACE, "resources": relative[:1], "components": relative[1:]}
        path = pathlib.Path(folder) / "kustomization.yaml"
        path.write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        return kustomize(folder)


@functools.cache
def kustomize(folder):
    """What `kubectl kustomize` renders, by (kind, name), without the hash in names."""
    ran = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"make_chart: kubectl kustomize {folder}: {ran.stderr}")
    objects = [unhashed(one) for one in yaml.safe_load_all(ran.stdout)]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def unhashed(node):
    if isinstance(node, dict):
        return {key: unhashed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [unhashed(item) for item in node]
    found = HASHED.match(node) if isinstance(node, str) else None
    return found[1] if found else node


def config_map_of_flags(one, defaults):
    defaults["flags"] = one["data"]["server.flags"]
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: {{ .Release.Name }}-flags"]
    lines += ["  namespace: {{ .Release.Namespace }}", "  labels:"]
    lines += [f"    {key}: {label(key, value)}" for key, value in one["metadata"]["labels"].items()]
    return [*lines, "data:", "  server.flags: |", "    {{- .Values.flags | nindent 4 }}"]


def config_map_of_dashboard(one):
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: {{ .Release.Name }}-dashboard"]
    lines += ["  namespace: {{ .Release.Namespace }}", "  labels:"]
    lines += [f"    {key}: {label(key, value)}" for key, value in one["metadata"]["labels"].items()]
    return [*lines, "data:", "  anybit.json: |", '    {{- .Files.Get "dashboards/anybit.json" | nindent 4 }}']


def label(key, value):
    if value == "anybit" and key not in FIXED_KEYS:
        return "{{ .Release.Name }}"
    return value if plain(value) else json.dumps(value)


def templates():
    """{path: text} of all that is derived."""
    everything = build(*ALWAYS.values())
    base = build()
    owners = {key: None if key in base else owner(key) for key in everything}
    variants = {switch: build(*ALWAYS.values(), component) for switch, component in SWITCHES.items()}
    for switch, objects in variants.items():
        for key in objects:
            owners.setdefault(key, switch)
    defaults, files = {}, {}
    for key, switch in owners.items():
        whole = everything.get(key) or variants[switch][key]
        changed = {name: objects[key] for name, objects in variants.items() if key in objects and objects[key] != whole}
        removed = [name for name, objects in variants.items() if key in everything and key not in objects]
        lines = object_lines(key, whole, changed if key in everything else {}, defaults)
        tests = ([f".Values.{switch}"] if switch else []) + [f"(not .Values.{name})" for name in removed]
        if tests:
            test = tests[0] if len(tests) == 1 else f"and {' '.join(tests)}"
            lines = ["{{- if " + test.strip("()") + " }}" if len(tests) == 1 else "{{- if " + test + " }}", *lines]
            lines.append("{{- end }}")
        name = key[0].lower() + ("" if key[1] == "anybit" else key[1].removeprefix("anybit"))
        files[f"templates/{name}.yaml"] = HEADER + "\n".join(joined(lines)) + "\n"
    for switch in [*ALWAYS, *SWITCHES]:
        defaults[switch] = switch in DEFAULT_ON
    files["values.yaml"] = values_text(tree_of(defaults))
    files["values.schema.json"] = json.dumps(schema_of(tree_of(defaults), top=True), indent=2) + "\n"
    files["dashboards/anybit.json"] = (HERE.parent / "grafana" / "anybit.json").read_text(encoding="utf-8")
    return files


HEADER = "{{- /* Made by make_chart.py from deploy/k8s; do not edit. */ -}}\n"


def owner(key):
    for switch, component in ALWAYS.items():
        if key in build(component):
            return switch
    raise KeyError(key)


def object_lines(key, whole, changed, defaults):
    if key == ("ConfigMap", "anybit-flags"):
        return config_map_of_flags(whole, defaults)
    if key == ("ConfigMap", "anybit-dashboard"):
        return config_map_of_dashboard(whole)
    writer = Writer(key[0], defaults, PARAMETERS, EXTRAS, CHECKSUM)
    writer.mapping(0, [], ordered(whole), {name: ordered(node) for name, node in changed.items()})
    return writer.lines


def ordered(one):
    """apiVersion, kind and metadata first, as people write them."""
    first = ("apiVersion", "kind", "metadata")
    return {**{key: one[key] for key in first}, **{key: node for key, node in one.items() if key not in first}}


def schema_of(node, top=False):
    """A JSON Schema of the values: the types of the defaults, and no other names."""
    if isinstance(node, dict) and node:
        names = {key: schema_of(value) for key, value in node.items()}
        # Helm adds `global` to the values of every chart.
        extra = {"global": {"type": "object"}} if top else {}
        head = {"$schema": "http://json-schema.org/draft-07/schema#"} if top else {}
        return {**head, "type": "object", "additionalProperties": False, "properties": {**names, **extra}}
    if isinstance(node, bool):
        return {"type": "boolean"}
    if isinstance(node, int):
        return {"type": "integer"}
    # Quantities such as 4 and 500m.
    kinds = {str: ["string", "number"], list: "array", dict: "object"}
    return {"type": kinds[type(node)]}


def tree_of(defaults):
    tree = {}
    for name, value in defaults.items():
        node = tree
        *folders, last = name.split(".")
        for folder in folders:
            node = node.setdefault(folder, {})
        node[last] = value
    return tree


def values_text(tree):
    """values.yaml, with the comments of COMMENTS."""
    lines = ["# Made by make_chart.py: the defaults are those of the kustomize base and components."]

    def write(node, prefix, indent):
        for key in sorted(node, key=lambda key: (isinstance(node[key], dict) and bool(node[key]), key)):
            name, value = prefix + key, node[key]
            comment = COMMENTS.get(name)
            if comment:
                lines.append(" " * indent + "# " + comment)
            if isinstance(value, dict) and value:
                lines.append(" " * indent + key + ":")
                write(value, name + ".", indent + 2)
            elif isinstance(value, str) and "\n" in value:
                lines.append(" " * indent + key + ": |")
                lines.extend(" " * (indent + 2) + line if line else "" for line in value.rstrip("\n").split("\n"))
            else:
                lines.append(" " * indent + f"{key}: {json.dumps(value)}")

    write(tree, "", 0)
    return "\n".join(lines) + "\n"


COMMENTS = {
    "autoscaling": "HorizontalPodAutoscaler; needs prometheus-adapter with deploy/k8s/prometheus-adapter/values.yaml.",
    "autoscaling.queueWork": "Seconds that a pod needs for its queue at full accuracy.",
    "autoscaling.accuracyDeficit": "Accuracy given up, as a share of what the operating points differ by.",
    "autoscaling.fullAccuracyLoad": "Share of a pod's slots that the offered rows would take at full accuracy.",
    "flags": "Flags of anybit-server, one a line.",
    "gpu": "One GPU for each pod, and the image's tag with -cuda behind it.",
    "keda": "ScaledObject of KEDA, in place of autoscaling.",
    "model": "The volume claim that holds model.safetensors.",
    "model.download": "In place of the claim: an init container fetches the model and checks its sum.",
    "monitoring": "ServiceMonitor, PrometheusRule and dashboard; need the Prometheus operator and Grafana's sidecar.",
    "monitoring.namespace": "Pods of this namespace may read /metrics.",
    "resources": "Requests and limits alike. Give whole processors: a quota stops the server for parts of 100 ms.",
    "terminationGracePeriodSeconds": "More than drain_delay and drain_timeout of the flags together.",
    "tls": "Certificate and key from the secret RELEASE-tls.",
}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__.strip())
        return 2
    files = templates()
    chart = HERE / "chart"
    stale = []
    for path in [*chart.glob("templates/*.yaml"), *chart.glob("dashboards/*")]:
        if str(path.relative_to(chart)) not in {*files, *BY_HAND}:
            stale.append(path)
            if not check:
                path.unlink()
    for name, text in files.items():
        path = chart / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check:
        print("".join(f"{path.relative_to(ROOT)} differs: run deploy/k8s/make_chart.py\n" for path in stale), end="")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
