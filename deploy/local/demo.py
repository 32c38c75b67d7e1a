#!/usr/bin/env python3
"""A server, Prometheus with the alerts of deploy/k8s, Grafana if there is one, and load, on this machine alone.

usage: deploy/local/demo.py [FLAG...] [-- SERVER FLAG...]

  --steps=0.5x,1x,2x,1x   load of anybit-load: calls/s, or multiples of the capacity
  --step_seconds=15       length of a step
  --once                  ends after the load, with what Prometheus says of it; else the load begins anew until Ctrl-C
  --artifact=FILE         network to serve; by default that of scripts/serve
  --folder=FOLDER         data of Prometheus and logs; by default one that is deleted at the end
  --bin=FOLDER            where the programs are; by default .bazel/bin

scripts/serve builds the programs. All ports are free ones of 127.0.0.1; the script prints them.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
# What the operator gives to every series; the queries of deploy/ name them.
LABELS = {"namespace": "local", "pod": "anybit-0"}
SUMMARY = {
    "requests": "sum(anybit_requests_total)",
    "of these not answered": 'sum(anybit_requests_total{outcome=~"shed|expired|failed"})',
    "attainment": 'sum(anybit_slo_requests_total{met="true"}) / sum(anybit_slo_requests_total)',
    "served accuracy": "sum(anybit_served_accuracy_ratio_sum) / sum(anybit_served_accuracy_ratio_count)",
    "99th percentile, s": "histogram_quantile(0.99, sum by (le) (anybit_request_duration_seconds_bucket))",
    "highest load at full accuracy": "max_over_time(anybit:full_accuracy_load:rate2m[1h])",
    "resident memory, MB": "process_resident_memory_bytes / 1e6",
}


class Process:
    """A program whose output is searched for addresses while it runs, and kept in a file."""

    def __init__(self, command, log, patterns, environment=None):
        self._log = open(log, "w", encoding="utf-8")
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.found = {}
        for line in self._process.stdout:
            self._log.write(line)
            for name, pattern in patterns.items():
                if match := re.search(pattern, line):
                    self.found[name] = match[1]
            if len(self.found) == len(patterns):
                break
        else:
            self._log.flush()
            raise RuntimeError(f"{command[0]} ended with {self._process.wait()}; see {log}:\n{tail(log)}")
        # A full pipe would stop it.
        self._reader = threading.Thread(target=self._read_on)
        self._reader.start()

    def _read_on(self):
        for line in self._process.stdout:
            self._log.write(line)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._log.close()


def tail(path):
    return "".join(pathlib.Path(path).read_text(encoding="utf-8").splitlines(keepends=True)[-10:])


class Demonstration:
    """Use it in a with statement. `interval` is that of scrapes and rules, such as 1s."""

    def __init__(self, programs, artifact, folder, interval="1s", server_flags=(), grafana=True):
        self.programs, self.artifact, self.folder = pathlib.Path(programs), artifact, pathlib.Path(folder)
        self.interval, self.server_flags, self.with_grafana = interval, server_flags, grafana
        self.processes = []
        self.grpc = self.http = self.prometheus = self.grafana = None

    def __enter__(self):
        try:
            self._start_server()
            self._start_prometheus()
            if self.with_grafana:
                self._start_grafana()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()

    def _start(self, name, command, patterns, environment=None):
        process = Process(command, self.folder / f"{name}.log", patterns, environment)
        self.processes.append(process)
        return process.found

    def _start_server(self):
        flags = ["--grpc_address=127.0.0.1:0", "--http_address=127.0.0.1:0", "--drain_delay=0s"]
        command = [self.programs / "server/anybit-server", f"--artifact={self.artifact}", *flags, *self.server_flags]
        patterns = {"grpc": r"^ +gRPC (\S+:[1-9]\d*)", "http": r"^ +HTTP (\S+:[1-9]\d*)"}
        found = self._start("server", command, patterns)
        self.grpc, self.http = found["grpc"], found["http"]

    def _start_prometheus(self):
        (self.folder / "rules.yaml").write_text(yaml.safe_dump(rules()), encoding="utf-8")
        config = {
            "global": {"scrape_interval": self.interval, "evaluation_interval": self.interval},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [
                {"job_name": "anybit", "static_configs": [{"targets": [self.http], "labels": LABELS}]},
            ],
        }
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
            "--web.listen-address=127.0.0.1:0",
            "--log.level=info",
        ]
        # It prints the port that it chose, and later that it serves.
        patterns = {"address": r'msg="Listening on" address=(\S+:[1-9]\d*)', "ready": r"(Server is ready)"}
        self.prometheus = self._start("prometheus", command, patterns)["address"]

    def _start_grafana(self):
        program = shutil.which("grafana-server")
        if not program:
            return
        home = pathlib.Path(os.environ.get("GF_PATHS_HOME", "/usr/share/grafana"))
        provisioning = self.folder / "provisioning"
        shutil.copytree(ROOT / "deploy/grafana/provisioning", provisioning, dirs_exist_ok=True)
        self._replace(provisioning / "dashboards/anybit.yaml", "/var/lib/grafana/dashboards", ROOT / "deploy/grafana")
        self._replace(provisioning / "datasources/prometheus.yaml", "127.0.0.1:9090", self.prometheus)
        environment = {
            **os.environ,
            "GF_PATHS_PROVISIONING": str(provisioning),
            "GF_PATHS_DATA": str(self.folder / "grafana"),
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": "0",
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
        }
        patterns = {"address": r'msg="HTTP Server Listen".* address=(\S+:[1-9]\d*)'}
        self.grafana = self._start("grafana", [program, f"--homepath={home}"], patterns, environment)["address"]

    @staticmethod
    def _replace(path, old, new):
        path.write_text(path.read_text(encoding="utf-8").replace(old, str(new)), encoding="utf-8")

    def load(self, *flags):
        """Runs anybit-load to its end."""
        command = [self.programs / "client/anybit-load", f"--server={self.grpc}", f"--images={IMAGES}", *flags]
        return subprocess.run(command, check=False).returncode

    def ask(self, path, **parameters):
        """The data of an answer of Prometheus' API."""
        url = f"http://{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, text):
        """[(labels, value)] of an instant query."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=text)["result"]]

    def catch_up(self):
        """Waits until Prometheus has scraped the requests that the server has counted by now."""
        counted = sum(float(value) for value in re.findall(r"^anybit_requests_total\{.*\} (\S+)", self.metrics(), re.M))
        while sum(value for _, value in self.query("sum(anybit_requests_total)")) < counted:
            time.sleep(0.05)

    def post(self, path, value):
        """The server's answer to `value`, or to GET where that is None."""
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(f"http://{self.http}{path}", data=data, timeout=60) as answer:
            return json.load(answer)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=60) as answer:
            return answer.read().decode()


def rules():
    """The rules of deploy/k8s as a file of Prometheus, all at its own interval."""
    path = ROOT / "deploy/k8s/components/monitoring/prometheusrule.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
    for group in spec["groups"]:
        group.pop("interval", None)
    return spec


def summary(demonstration):
    lines = []
    for title, query in SUMMARY.items():
        values = demonstration.query(query)
        lines.append(f"  {title:30} {values[0][1]:.4g}" if values else f"  {title:30} none")
    firing = sorted({labels["alertname"] for labels, _ in demonstration.query('ALERTS{alertstate="firing"}')})
    return "\n".join([*lines, f"  {'alerts':30} {', '.join(firing) or 'none'}"])


def run(arguments, folder, server_flags):
    with Demonstration(arguments.bin, arguments.artifact, folder, server_flags=server_flags) as demonstration:
        print(f"server      gRPC {demonstration.grpc}, HTTP {demonstration.http}")
        print(f"Prometheus  http://{demonstration.prometheus}")
        grafana = demonstration.grafana
        print(f"Grafana     http://{grafana}/d/anybit" if grafana else "Grafana     not installed", flush=True)
        while True:
            status = demonstration.load(f"--steps={arguments.steps}", f"--step_seconds={arguments.step_seconds}")
            demonstration.catch_up()
            print(f"Prometheus says:\n{summary(demonstration)}", flush=True)
            if arguments.once or status != 0:
                return status


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n", 1)[1], add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--steps", default="0.5x,1x,2x,1x")
    parser.add_argument("--step_seconds", default="15")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--artifact", default=ROOT / "model/default/fashion.safetensors")
    parser.add_argument("--folder")
    parser.add_argument("--bin", default=ROOT / ".bazel/bin")
    own, server_flags = sys.argv[1:], []
    if "--" in own:
        own, server_flags = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    if arguments.help:
        print(__doc__.strip())
        return 0
    try:
        if arguments.folder:
            pathlib.Path(arguments.folder).mkdir(parents=True, exist_ok=True)
            return run(arguments, arguments.folder, server_flags)
        with tempfile.TemporaryDirectory() as folder:
            return run(arguments, folder, server_flags)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
