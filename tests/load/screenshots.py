#!/usr/bin/env python3
"""Makes docs/page.png and docs/load_report.png: the live page and the report of anybit-load, of the same load.

usage: tests/load/screenshots.py [--seconds S] [--out FOLDER]

Needs the programs that scripts/serve builds, and chromium-headless-shell. S is the length of one of six steps.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from browser import Browser  # noqa: E402
from server_process import ServerProcess  # noqa: E402

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
STEPS = "0.1x,0.3x,0.6x,0.9x,0.3x,0.1x"
MIX = "interactive@20:3,batch@500:2,default@50:1"
# A pair of trousers, in parts of the pad.
STROKES = [
    [(0.35, 0.12), (0.62, 0.12), (0.68, 0.88)],
    [(0.35, 0.12), (0.33, 0.88)],
    [(0.5, 0.35), (0.48, 0.8)],
]


# Some calls pin a point, so that there are answers which live accuracy compares.
PINNED = ["--operating_point=w3a2f", "--steps=20"]


def load_flags(server, seconds, *flags):
    return [
        str(ROOT / ".bazel/bin/client/anybit-load"),
        f"--server={server.grpc_address}",
        f"--images={DATA / 't10k-images-idx3-ubyte.gz'}",
        f"--labels={DATA / 't10k-labels-idx1-ubyte.gz'}",
        f"--step_seconds={seconds}",
        "--connections=2",
        *flags,
    ]


def shoot(browser, path, width):
    """The whole document, however high."""
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
    height = browser.evaluate("document.documentElement.scrollHeight")
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    browser.screenshot(path)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--out", default=str(ROOT / "docs"))
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(
            ROOT / ".bazel/bin/server/anybit-server", ROOT / "model/default/fashion.safetensors",
            "--page=try", "--max_batch=16",
        ) as server,
        Browser(width=1240, height=1180) as browser,
    ):  # fmt: skip
        browser.open(f"http://{server.http_address}/")
        browser.wait_for("document.getElementById('state').textContent === 'ready'")
        report = pathlib.Path(folder) / "load.html"
        load = load_flags(server, arguments.seconds, f"--steps={STEPS}", f"--mix={MIX}", f"--html={report}")
        with subprocess.Popen(load_flags(server, 6 * arguments.seconds, *PINNED), stdout=subprocess.DEVNULL) as pinned:
            subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
            pinned.wait()
        # A light load goes on while somebody draws.
        with subprocess.Popen(load_flags(server, 6, "--steps=300", f"--mix={MIX}"), stdout=subprocess.DEVNULL) as light:
            for stroke in STROKES:
                browser.draw("pad", stroke)
            browser.click("classify")
            browser.wait_for("document.getElementById('label').textContent !== '–'")
            browser.evaluate("new Promise((done) => setTimeout(done, 2500))")
            browser.evaluate("window.scrollTo(0, 0)")
            shoot(browser, out / "page.png", 1240)
            light.wait()
        browser.open(report.as_uri())
        shoot(browser, out / "load_report.png", 1400)


if __name__ == "__main__":
    main()
