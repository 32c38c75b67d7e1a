#!/usr/bin/env python3
"""The rules of Prometheus are well-formed, do what their unit tests say, and every other query here can be parsed.

usage: rules_test.py        needs promtool
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE / "components/monitoring/prometheusrule.yaml"
UNIT_TESTS = ("rules_test.yaml", "rules_days_test.yaml")
RULE = yaml.safe_load(RULES.read_text(encoding="utf-8"))


def promtool(*arguments, cwd=None):
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, cwd=cwd)
    return ran.returncode, ran.stdout + ran.stderr


def parse_error(query):
    """What promtool says of a query; '' if it can be parsed."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "one", "rules": [{"record": "one", "expr": query}]}]}, file)
        file.flush()
        status, text = promtool("check", "rules", file.name)
        return text if status else ""


def adapter_queries():
    """The queries that prometheus-adapter makes of its templates."""
    values = yaml.safe_load((HERE / "prometheus-adapter/values.yaml").read_text(encoding="utf-8"))
    for rule in values["rules"]["custom"]:
        yield rule["seriesQuery"]
        query = rule["metricsQuery"].replace("<<.Series>>", rule["seriesQuery"].partition("{")[0])
        yield query.replace("<<.LabelMatchers>>", 'namespace="n",pod=~"a|b"').replace("<<.GroupBy>>", "pod")


def keda_queries():
    scaled = yaml.safe_load((HERE / "components/keda/scaledobject.yaml").read_text(encoding="utf-8"))
    return [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]


class RulesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.folder / "rules.yaml").write_text(yaml.safe_dump(RULE["spec"]), encoding="utf-8")

    def test_promtool_has_no_objection(self):
        status, text = promtool("check", "rules", "--lint=all", "--lint-fatal", str(self.folder / "rules.yaml"))
        self.assertEqual(status, 0, text)

    def test_the_unit_tests_pass(self):
        for name in UNIT_TESTS:
            (self.folder / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
            status, text = promtool("test", "rules", name, cwd=self.folder)
            self.assertEqual(status, 0, text)

    def test_every_alert_has_a_unit_test(self):
        tests = "".join((HERE / name).read_text(encoding="utf-8") for name in UNIT_TESTS)
        alerts = [rule["alert"] for group in RULE["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
        tested = set(re.findall(r'alertname[:=] ?"?(\w+)', tests))
        # Of the slower burns of accuracy only the windows differ from those of attainment.
        self.assertEqual(set(alerts) - tested, {"AnybitAccuracyBurnSlow", "AnybitAccuracyBurnTrickle"})

    def test_every_alert_says_what_to_do(self):
        for group in RULE["spec"]["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook"}, rule["alert"])
                    self.assertIn(rule["labels"]["severity"], ("page", "ticket"))

    def test_the_queries_of_autoscalers_can_be_parsed(self):
        for query in [*adapter_queries(), *keda_queries()]:
            self.assertEqual(parse_error(query), "", query)
        self.assertNotEqual(parse_error("sum(anybit_queue_rows"), "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
