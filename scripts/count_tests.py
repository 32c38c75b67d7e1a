"""Reads Bazel's build events (JSON, one per line) and prints how many test targets passed and failed.

A test that could not be built or was never run has failed: all it leaves is that Bazel knew of it.
"""

import json
import sys


def main(path):
    known, passed = set(), set()
    with open(path, encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            names = event.get("id", {})
            label = names.get("targetConfigured", {}).get("label")
            if label and event.get("configured", {}).get("targetKind", "").endswith("_test rule"):
                known.add(label)
            label = names.get("testSummary", {}).get("label")
            if label:
                known.add(label)
                if event.get("testSummary", {}).get("overallStatus") in ("PASSED", "FLAKY"):
                    passed.add(label)
    for label in sorted(known - passed):
        print("failed:", label)
    print(f"{len(passed)} passed, {len(known - passed)} failed")


if __name__ == "__main__":
    main(sys.argv[1])
