#!/usr/bin/env python3
"""The live page in headless Chromium, against the real server.

usage: page_test.py SERVER ARTIFACT
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.request
import zlib

from browser import Browser
from server_process import ServerProcess

SERVER, ARTIFACT = "", ""  # from the command line

TOKEN = "a-token-of-the-page-test"
READY = "document.getElementById('state').textContent === 'ready'"


def infer(server, count, **parameters):
    """Sends `count` calls of one row of zeros."""
    row = {"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 1], "data": [0] * 1024}
    body = json.dumps({"inputs": [row], "parameters": parameters}).encode()
    for _ in range(count):
        url = f"http://{server.http_address}/v2/models/fashion/infer"
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
            answer.read()


def grey_png(side, value):
    """A square PNG of one grey value."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([value]) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shown(element):
    """The text of an element that shows something, as a condition to wait for."""
    return f"((text) => text !== '–' && text)(document.getElementById('{element}').textContent)"


class ViewTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT))
        cls.browser = cls.enterClassContext(Browser())
        cls.browser.open(f"http://{cls.server.http_address}/")
        cls.browser.wait_for(READY)

    def test_counts_and_charts_move_with_real_calls(self):
        before = int(self.browser.wait_for(shown("served")))
        infer(self.server, 5, operating_point="w4a4f")
        self.browser.wait_for(f"document.getElementById('served').textContent === '{before + 5}'")
        # One of them ran again at the most accurate point.
        self.browser.wait_for("document.getElementById('agreement').textContent.endsWith('%')")
        self.assertEqual(self.browser.text("point"), "w4a4f")
        self.assertRegex(self.browser.text("accuracy"), r"^\d+\.\d\d %$")
        self.assertRegex(self.browser.text("p99"), r"^\d+\.?\d* m?s$")
        self.assertEqual(self.browser.text("queue"), "0")
        for chart, marks in (
            ("chart-outcomes", "polygon"),
            ("chart-points", "polygon"),
            ("chart-queue", "polygon"),
            ("chart-latency", "path[d^='M']"),
            ("chart-accuracy", "path[d^='M']"),
        ):
            self.assertGreater(self.browser.evaluate(f"document.querySelectorAll(`#{chart} {marks}`).length"), 0, chart)
        classes = self.browser.evaluate(
            "[...document.querySelectorAll('#classes tr')].map((row) => row.children[0].textContent)"
        )
        self.assertCountEqual(classes, ["default", "interactive", "batch"])
        self.assertEqual(self.browser.complaints, [])

    def test_it_only_shows_unless_more_is_enabled(self):
        self.browser.wait_for("document.getElementById('model').textContent.startsWith('fashion ')")
        self.assertTrue(self.browser.evaluate("document.getElementById('try').hidden"))
        asked = self.browser.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        self.assertTrue(asked)
        paths = "metrics|v2/repository/index|v2/models/fashion"
        for url in asked:
            self.assertRegex(url, rf"^http://{self.server.http_address}/({paths})$")

    def test_the_policy_stops_scripts_and_addresses_of_others(self):
        blocked = self.browser.evaluate(
            """(async () => {
                const script = document.createElement('script');
                script.textContent = 'window.injected = true';
                document.body.append(script);
                const elsewhere = await fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'blocked');
                return [window.injected === undefined, elsewhere];
            })()"""
        )
        self.assertEqual(blocked, [True, "blocked"])
        self.assertTrue(any("Content Security Policy" in complaint for complaint in self.browser.complaints))
        self.browser.complaints.clear()

    def test_numbers_are_what_prometheus_would_say(self):
        cases = self.browser.evaluate(
            """(() => {
                // A label that the page does not know splits the series.
                const at = (a, b, c) => parseMetrics(`# TYPE h histogram
                    h_bucket{le="0.1",version="1"} ${a}
                    h_bucket{le="0.1",version="2"} 0
                    h_bucket{le="0.2",version="1"} ${b}
                    h_bucket{le="+Inf",version="1"} ${c}
                    h_count{version="1"} ${c}
                    h_count{version="2"} 1
                    odd{text="a \\\\"b\\\\", {c}"} 7`.replace(/^ +/gm, ''));
                const zero = at(0, 0, 0);
                return {
                    middle: quantile(zero, at(50, 100, 100), 'h', 0.75),
                    first: quantile(zero, at(50, 100, 100), 'h', 0.25),
                    beyond: quantile(zero, at(0, 0, 10), 'h', 0.5),
                    between: quantile(at(50, 50, 50), at(50, 60, 60), 'h', 0.5),
                    nothing: quantile(at(5, 5, 5), at(5, 5, 5), 'h', 0.5),
                    sum: total(at(1, 2, 3), 'h_count'),
                    grown: growth(at(1, 2, 3), at(1, 2, 5), 'h_count'),
                    restarted: growth(at(1, 2, 9), at(1, 2, 3), 'h_count'),
                    // The series of the first version have left, those of the second one go on.
                    left: growth(at(1, 2, 9), parseMetrics('h_count{version="2"} 5'), 'h_count'),
                    leftAll: quantile(at(5, 5, 9), parseMetrics('h_bucket{le="0.1",version="2"} 4'), 'h', 0.5),
                    odd: seriesOf(zero, 'odd')[0].labels.text,
                };
            })()"""
        )
        self.assertAlmostEqual(cases.pop("middle"), 0.15)
        self.assertAlmostEqual(cases.pop("first"), 0.05)
        self.assertAlmostEqual(cases.pop("between"), 0.15)
        self.assertEqual(
            cases,
            {
                **{"beyond": 0.2, "nothing": None, "sum": 4, "grown": 2, "restarted": 0, "left": 4, "leftAll": 0.05},
                "odd": 'a "b", {c}',
            },
        )


class TryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(SERVER, ARTIFACT, "--page=try"))
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.browser.open("about:blank")
        self.browser.open(f"http://{self.server.http_address}/")
        self.browser.wait_for("document.getElementById('try').hidden === false")
        self.browser.evaluate("document.getElementById('deadline').value = 60000")

    def classify(self):
        self.browser.click("classify")
        self.browser.wait_for(f"{shown('label')} || document.getElementById('try-error').textContent")
        return self.browser.text("label"), self.browser.text("served-as"), self.browser.text("try-error")

    def row(self):
        """The row that the page would send."""
        return self.browser.evaluate("rowOf([32, 32, 1], document.getElementById('invert').checked)")

    def test_a_drawing_gets_a_label(self):
        self.assertEqual(max(self.row()), 0)
        self.browser.draw("pad", [(0.5, 0.1), (0.5, 0.5), (0.5, 0.9)])
        row = self.row()
        self.assertGreater(row[16 * 32 + 16], 200)
        self.assertEqual(row[16 * 32 + 2], 0)
        label, served_as, error = self.classify()
        self.assertRegex(label, r"^class \d$")
        self.assertRegex(served_as, r"^operating point \S+ · expected accuracy [\d.]+ % · queue .* · seen here after ")
        self.assertEqual(error, "")
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#ranking li').length"), 4)
        self.browser.wait_for("Number(document.getElementById('served').textContent) >= 1")
        self.assertEqual(self.browser.complaints, [])

    def test_the_chosen_operating_point_answers(self):
        self.browser.evaluate("document.getElementById('pin').value = 'w4a4f'")
        self.assertIn("operating point w4a4f ", self.classify()[1])

    def test_an_image_of_a_file_is_fitted_and_may_be_inverted(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "grey.png")
            file.write_bytes(grey_png(16, 200))
            self.browser.choose_file("upload", file)
            # The picture is decoded apart from the document, which does not change by it.
            self.browser.evaluate(
                """new Promise((resolve) => {
                    const look = () => (rowOf([32, 32, 1], false)[0] > 0 ? resolve() : requestAnimationFrame(look));
                    look();
                })"""
            )
        self.assertEqual(set(self.row()), {200})
        self.browser.click("invert")
        self.assertEqual(set(self.row()), {55})
        self.assertRegex(self.classify()[0], r"^class \d$")

    def test_a_refusal_is_shown_with_its_reason(self):
        self.browser.evaluate("document.getElementById('pin').append(new Option('w9a9', 'w9a9', true, true))")
        label, _, error = self.classify()
        self.assertEqual(label, "–")
        self.assertRegex(error, r"^400: .*w9a9")


class TokenTest(unittest.TestCase):
    def test_the_page_asks_for_the_token_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [
                    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                    *("-subj", "/CN=localhost", "-days", "1"),
                    *("-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"),
                ],
                check=True,
                capture_output=True,
            )
            pathlib.Path(folder, "tokens").write_text(TOKEN + "\n", encoding="utf-8")
            with (
                ServerProcess(
                    *(SERVER, ARTIFACT, f"--token_file={folder}/tokens"),
                    *(f"--tls_certificate={folder}/certificate.pem", f"--tls_key={folder}/key.pem"),
                ) as server,
                Browser("--ignore-certificate-errors") as browser,
            ):
                browser.open(f"https://{server.http_address}/")
                browser.wait_for("document.getElementById('state').textContent === 'token needed'")
                browser.wait_for("document.getElementById('token-form').hidden === false")
                browser.type("token", "not-the-token-at-all")
                browser.click("use-token")
                browser.wait_for("document.getElementById('token-error').textContent.includes('does not know')")
                browser.type("token", TOKEN)
                browser.click("use-token")
                browser.wait_for(READY)
                self.assertTrue(browser.evaluate("document.getElementById('token-form').hidden"))
                browser.wait_for("document.getElementById('model').textContent.startsWith('fashion ')")


if __name__ == "__main__":
    SERVER, ARTIFACT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
