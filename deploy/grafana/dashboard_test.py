#!/usr/bin/env python3
"""The dashboard is what its script writes, is well-formed, and every query can be parsed.

usage: dashboard_test.py        needs promtool
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import make_dashboard  # noqa: E402

DASHBOARD = json.loads((HERE / "anybit.json").read_text(encoding="utf-8"))
VARIABLES = {"$__rate_interval": "1m", "$namespace": "n", "$model": "m", "$pod": "a|b", "$sla_class": "x|y"}


def queries():
    """(panel, query) of all panels and annotations, variables replaced."""
    found = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    found += [(one["name"], one["expr"]) for one in DASHBOARD["annotations"]["list"]]
    return [(title, replaced(query)) for title, query in found]


def replaced(query, variables=VARIABLES):
    for name, value in variables.items():
        query = query.replace(name, value)
    return query


class DashboardTest(unittest.TestCase):
    def test_it_is_what_make_dashboard_writes(self):
        self.assertEqual(DASHBOARD, json.loads(json.dumps(make_dashboard.dashboard())))

    def test_every_query_can_be_parsed(self):
        rules = [{"record": f"query_{number}", "expr": query} for number, (_, query) in enumerate(queries())]
        self.assertGreater(len(rules), 40)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            ran = subprocess.run(
                ["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False
            )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_every_variable_of_a_query_is_one_of_the_dashboard(self):
        names = {one["name"] for one in DASHBOARD["templating"]["list"]} | {"__rate_interval"}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
        self.assertLessEqual(used, names)
        self.assertEqual([one["name"] for one in DASHBOARD["templating"]["list"]],
                         ["datasource", "namespace", "model", "pod", "sla_class"])

    def test_panels_have_unique_ids_and_do_not_overlap(self):
        taken = set()
        ids = [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(set(ids)), len(ids))
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells

    def test_every_panel_says_what_it_shows(self):
        for panel in DASHBOARD["panels"]:
            if panel["type"] != "row":
                self.assertTrue(panel["description"].endswith("."), panel["title"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
