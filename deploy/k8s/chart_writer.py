"""The template of one Kubernetes object: what is common stands once, what a switch changes stands in an `if`."""

import json
import re
import sys

import yaml

NAMESPACE = "anybit"  # of the overlays
IMAGE = re.compile(r"^(anybit-server):([0-9][0-9.]*)")
RELEASE_NAMES = {"anybit", "anybit-headless", "anybit-flags", "anybit-model", "anybit-tls", "anybit-dashboard"}
FIXED_KEYS = {"app.kubernetes.io/name"}


def condition(switches):
    names = [f".Values.{name}" for name in switches]
    return names[0] if len(names) == 1 else f"(or {' '.join(names)})"


def is_named_list(node):
    return isinstance(node, list) and bool(node) and all(isinstance(item, dict) and "name" in item for item in node)


class Writer:
    """The template of one object. `variants` are the objects that switches make of it, where they differ."""

    def __init__(self, kind, defaults, parameters, extra_values, checksum):
        self.kind = kind
        self.parameters = parameters
        self.extra_values = extra_values
        self.checksum = checksum
        self.defaults = defaults  # values of the chart, by dotted name; filled here
        self.lines = []

    def add(self, indent, text):
        self.lines.append(" " * indent + text if text else "")

    def parameter(self, path, value):
        for kind, pattern, name in self.parameters:
            parts = pattern.split("/")
            if kind == self.kind and len(parts) == len(path) and all(
                want in ("*", have) for want, have in zip(parts, path)
            ):
                if self.defaults.setdefault(name, value) != value:
                    sys.exit(f"make_chart: {name} is {self.defaults[name]!r} and {value!r}")
                return f"{{{{ .Values.{name} | toJson }}}}"
        return None

    def scalar(self, path, value, indent):
        """The text of a value behind 'key:', in the flow style or as a block."""
        named = self.parameter(path, value)
        if named:
            return named
        if isinstance(value, str):
            image = IMAGE.match(value)
            if image and path[-1] == "image":
                self.defaults.setdefault("image.repository", image[1])
                self.defaults.setdefault("image.tag", image[2])
                return "{{ .Values.image.repository }}:{{ .Values.image.tag }}" + value[image.end() :]
            if "\n" in value:
                mark = "|" if value.endswith("\n") else "|-"
                body = escaped(value).rstrip("\n").split("\n")
                return "\n".join([mark, *(" " * indent + line if line else "" for line in body)])
            if value == NAMESPACE and path[-1] == "namespace":
                return "{{ .Release.Namespace }}"
            if value in RELEASE_NAMES and path[-1].replace("~", "/") not in FIXED_KEYS:
                return "{{ .Release.Name }}" + value[len("anybit") :]
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else yaml.safe_dump(value).split("\n")[0]
        if isinstance(value, str) and plain(value):
            text = value
        return escaped(text)

    def wrap(self, test, write):
        self.add(0, "{{- if " + test + " }}")
        write()
        self.add(0, "{{- end }}")

    def choose(self, path, base, variants, indent, write):
        """`write` for the base or for the first variant whose switch is on."""
        different = {name: node for name, node in variants.items() if node != base}
        for number, (name, node) in enumerate(different.items()):
            self.add(0, "{{- " + ("else " if number else "") + f"if .Values.{name} }}}}")
            write(node)
        self.add(0, "{{- else }}")
        write(base)
        self.add(0, "{{- end }}")

    def value(self, lead, indent, path, base, variants):
        """A value, whose key (or dash) stands in `lead`; children are indented by `indent`."""
        different = {name: node for name, node in variants.items() if node != base}
        nodes = [base, *different.values()]
        if self.parameter(path, base) or not isinstance(base, (dict, list)) or not base:
            self.either(lead, indent, path, base, different)
        elif all(isinstance(node, dict) for node in nodes):
            self.lines.append(lead)
            self.mapping(indent, path, base, different)
        elif all(is_named_list(node) for node in nodes):
            self.lines.append(lead)
            self.named_list(indent, path, base, different)
        elif not different and isinstance(base, list):
            self.lines.append(lead)
            self.plain_list(indent, path, base)
        else:
            self.either(lead, indent, path, base, different)

    def either(self, lead, indent, path, base, different):
        def write(node):
            if isinstance(node, (dict, list)) and node and not self.parameter(path, node):
                self.value(lead, indent, path, node, {})
            elif isinstance(node, (dict, list)) and not self.parameter(path, node):
                self.lines.append(f"{lead} {'[]' if isinstance(node, list) else '{}'}")
            else:
                self.lines.append(f"{lead} {self.scalar(path, node, indent)}")

        if different:
            self.choose(path, base, different, indent, write)
        else:
            write(base)

    def mapping(self, indent, path, base, variants):
        keys = list(dict.fromkeys([*base, *(key for node in variants.values() for key in node)]))
        for key in keys:
            inner = [*path, key.replace("/", "~")]
            lead = " " * indent + quoted_key(key) + ":"
            having = {name: node[key] for name, node in variants.items() if key in node}
            lacking = [name for name, node in variants.items() if key not in node]
            if key in base and lacking:
                test = "not " + condition(lacking)
                self.wrap(test, lambda: self.value(lead, indent + 2, inner, base[key], having))
            elif key in base:
                self.value(lead, indent + 2, inner, base[key], having)
            else:
                first = next(iter(having.values()))
                if any(node != first for node in having.values()):
                    sys.exit(f"make_chart: {having.keys()} disagree about {'/'.join(inner)}")
                self.wrap(condition(list(having)), lambda: self.value(lead, indent + 2, inner, first, {}))
        self.extras(indent, path)

    def extras(self, indent, path):
        for kind, pattern, key, name in self.extra_values:
            if kind == self.kind and pattern.split("/") == path:
                self.defaults.setdefault(name, "" if key.endswith("Name") else [] if key.endswith("s") else {})
                self.add(0, "{{- with .Values." + name + " }}")
                self.add(indent, key + ": {{ . | toJson }}")
                self.add(0, "{{- end }}")
        kind, pattern, key, text = self.checksum
        if kind == self.kind and pattern.split("/") == path:
            self.add(indent, f"{key}: {text}")

    def named_list(self, indent, path, base, variants):
        names = list(dict.fromkeys([*by_name(base), *(name for node in variants.values() for name in by_name(node))]))
        for item in names:
            having = {switch: by_name(node)[item] for switch, node in variants.items() if item in by_name(node)}
            lacking = [switch for switch, node in variants.items() if item not in by_name(node)]
            inner = [*path, item]
            if item in by_name(base):
                write = lambda: self.item(indent, inner, by_name(base)[item], having)  # noqa: E731
                if lacking:
                    self.wrap("not " + condition(lacking), write)
                else:
                    write()
            else:
                first = next(iter(having.values()))
                self.wrap(condition(list(having)), lambda: self.item(indent, inner, first, {}))

    def item(self, indent, path, base, variants):
        """A mapping of a list; its name, which no switch changes, stands behind the dash."""
        self.add(indent, f"- name: {self.scalar([*path, 'name'], base['name'], indent + 4)}")
        rest = lambda node: {key: value for key, value in node.items() if key != "name"}  # noqa: E731
        self.mapping(indent + 2, path, rest(base), {name: rest(node) for name, node in variants.items()})

    def plain_list(self, indent, path, base):
        for number, node in enumerate(base):
            inner = [*path, str(number)]
            if isinstance(node, dict) and node:
                start = len(self.lines)
                self.mapping(indent + 2, inner, node, {})
                first = self.lines[start]
                self.lines[start] = " " * indent + "- " + first[indent + 2 :]
            else:
                self.add(indent, f"- {self.scalar(inner, node, indent + 2)}")


def by_name(items):
    return {item["name"]: item for item in items}


def plain(text):
    """Whether YAML reads the text as itself without quotes, whatever its reader."""
    return bool(re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", text)) and yaml.safe_load(text) == text and (
        text.lower() not in ("y", "n", "yes", "no", "on", "off")
    )


def quoted_key(key):
    return key if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", key) else json.dumps(key)


def escaped(text):
    """Text that Helm leaves alone, but for the namespace in queries."""
    text = re.sub(r"\{\{|\}\}", lambda found: '{{ "' + found[0] + '" }}', text)
    return text.replace(f'namespace="{NAMESPACE}"', 'namespace="{{ .Release.Namespace }}"').replace(
        f'namespace=\\"{NAMESPACE}\\"', 'namespace=\\"{{ .Release.Namespace }}\\"'
    )


def joined(lines):
    """Merges an `if` with the one before it where both test the same."""
    merged, tests = [], []  # tests: of the open ifs; None for what has an else, or is a with
    for line in lines:
        if line == "{{- end }}":
            test = tests.pop()
            merged.append((line, test))
            continue
        if line.startswith("{{- if ") and merged and merged[-1] == ("{{- end }}", line):
            merged.pop()
            tests.append(line)
            continue
        if line.startswith("{{- if "):
            tests.append(line)
        elif line.startswith("{{- with "):
            tests.append(None)
        elif line.startswith("{{- else"):
            tests[-1] = None
        merged.append((line, None))
    return [line for line, _ in merged]
