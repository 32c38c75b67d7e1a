#!/usr/bin/env python3
"""Prometheus scrapes a server under load: every rule works, every query of deploy/ has an answer, every metric exists.

usage: demo_test.py PROGRAMS ARTIFACT        PROGRAMS is a folder such as .bazel/bin
"""

import json
import math
import pathlib
import re
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent
sys.path[:0] = [str(HERE), str(DEPLOY / "grafana"), str(DEPLOY / "k8s")]

import dashboard_test  # noqa: E402
import demo  # noqa: E402
import rules_test  # noqa: E402

PROGRAMS, ARTIFACT = "", ""  # from the command line
METRIC = re.compile(r"\b(anybit_\w+|anybit:[\w:]+|process_\w+)")
# Metrics as prometheus-adapter names them for Kubernetes; its rules say of what they are made.
OF_THE_ADAPTER = {"anybit_accuracy_deficit_share", "anybit_full_accuracy_load"}
# What a healthy server without TLS does not have.
EMPTY = {"Certificate", "Starts"}
# How often the load begins anew until everything was measured; the first time is enough unless scrapes are very slow.
ATTEMPTS = 20


def panel_queries(variables):
    """(panel, query) of the dashboard, with these values of its variables."""
    panels = dashboard_test.DASHBOARD["panels"]
    found = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
    return [(title, dashboard_test.replaced(query, variables)) for title, query in found]


class DemonstrationTest(unittest.TestCase):
    """One server and one Prometheus, which have seen load."""

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.demo = cls.enterClassContext(
            demo.Demonstration(PROGRAMS, ARTIFACT, folder, interval="250ms", server_flags=["--max_batch=16"])
        )
        pods = cls.values("anybit_model_info", "pod")
        cls.variables = {
            "$__rate_interval": "1m",
            "$namespace": cls.values("anybit_model_info", "namespace")[0],
            "$pod": "|".join(pods),
            "$sla_class": "interactive",
        }
        for _ in range(ATTEMPTS):
            # Requests of the class, and, for the others, of the default class.
            for flags in (["--sla_class=interactive"], ["--deadline_ms=0"]):
                if cls.demo.load("--steps=100", "--step_seconds=1", *flags) != 0:
                    raise AssertionError("anybit-load failed")
            cls.answer_and_report()
            cls.demo.catch_up()
            if not cls.unanswered():
                break

    @classmethod
    def answer_and_report(cls):
        """A row that is not answered at the most accurate point, which runs again, and a report of its class."""
        model = cls.values("anybit_model_info", "model")[0]
        shape = cls.demo.post(f"/v2/models/{model}", None)["inputs"][0]["shape"][1:]
        row = {"name": "image", "datatype": "UINT8", "shape": [1, *shape], "data": [0] * math.prod(shape)}
        cheapest = cls.values("anybit_batches_total", "operating_point")[-1]
        cls.demo.post(f"/v2/models/{model}/infer", {"inputs": [row], "parameters": {"operating_point": cheapest}})
        answer = {"operating_point": cheapest, "predicted": 1, "label": 1}
        cls.demo.post(f"/v2/models/{model}/feedback", {"answers": [answer]})

    @classmethod
    def values(cls, metric, label):
        """label_values() of Grafana, once there are any."""
        while not (found := cls.demo.ask(f"label/{label}/values", **{"match[]": metric})):
            pass  # until the first scrape
        return found

    @classmethod
    def answers(cls, query):
        return [value for _, value in cls.demo.query(query) if not math.isnan(value)]

    @classmethod
    def unanswered(cls):
        return [(title, query) for title, query in panel_queries(cls.variables)
                if title not in EMPTY and not cls.answers(query)]

    def test_every_query_of_the_dashboard_has_an_answer(self):
        self.assertEqual(self.unanswered(), [])

    def test_the_variables_of_the_dashboard_find_the_server(self):
        self.assertEqual(self.values("anybit_model_info", "namespace"), ["local"])
        self.assertEqual(self.values("anybit_model_info", "pod"), ["anybit-0"])
        self.assertEqual(len(self.values("anybit_model_info", "model")), 1)
        self.assertEqual(self.values("anybit_slo_requests_total", "sla_class"), ["batch", "default", "interactive"])

    def test_every_metric_of_deploy_exists(self):
        exposed = set(re.findall(r"^# TYPE (\w+)", self.demo.metrics(), re.MULTILINE))
        rules = [rule for group in demo.rules()["groups"] for rule in group["rules"]]
        exposed |= {rule["record"] for rule in rules if "record" in rule}
        texts = [rule["expr"] for rule in rules]
        texts += [query for _, query in panel_queries(self.variables)]
        texts += [*rules_test.adapter_queries(), *rules_test.keda_queries(), *demo.SUMMARY.values()]
        texts += [json.dumps(dashboard_test.DASHBOARD["templating"])]
        used = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in exposed else name
                for text in texts for name in METRIC.findall(text)}
        self.assertGreater(len(used), 40)
        self.assertEqual(used - exposed - OF_THE_ADAPTER, set())

    def test_every_rule_is_evaluated_without_an_error(self):
        groups = self.demo.ask("rules")["groups"]
        health = {rule["name"]: (rule["health"], rule.get("lastError", "")) for group in groups
                  for rule in group["rules"]}
        self.assertEqual({name: one for name, one in health.items() if one[0] not in ("ok", "unknown")}, {})
        self.assertGreater(sum(1 for one in health.values() if one[0] == "ok"), 20)

    def test_the_signals_of_autoscalers_are_there(self):
        for query in rules_test.keda_queries():
            self.assertTrue(self.answers(query.replace('"anybit"', '"local"')), query)
        for query in rules_test.adapter_queries():
            query = query.replace('"n"', '"local"').replace("a|b", "anybit-0")
            self.assertTrue(self.answers(query), query)

    def test_no_request_failed_and_no_decision_was_replaced(self):
        self.assertEqual(self.answers('sum(anybit_requests_total{outcome="failed"})'), [0])
        self.assertEqual(self.answers("sum(anybit_decisions_replaced_total)"), [0])

    def test_the_summary_has_a_value_for_each_line(self):
        self.assertNotRegex(demo.summary(self.demo).rpartition("\n")[0], "none|nan")


if __name__ == "__main__":
    PROGRAMS, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
