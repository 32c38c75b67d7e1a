#!/usr/bin/env python3
"""The Dockerfiles keep the rules of hadolint and ours, the lock has what the programs load, the bill is valid SPDX.

usage: image_test.py SERVER CLIENT

Starting an image's root takes root's rights and a minute: try_root.py does it, not this test.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HADOLINT = ROOT / ".cache" / "deploy" / "bin" / "hadolint"
if not HADOLINT.exists():
    sys.exit(f"{HADOLINT} is missing: run scripts/setup")
sys.path.insert(0, str(HERE))

import make_root  # noqa: E402
import make_sbom  # noqa: E402
import package_lock  # noqa: E402
import try_root  # noqa: E402

PROGRAMS = []  # from the command line
LOCK = package_lock.read_lock(HERE / "packages.lock")


def hadolint(path):
    ran = subprocess.run([HADOLINT, path], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout


class DockerfileTest(unittest.TestCase):
    def test_hadolint_has_no_objection(self):
        for path in sorted(HERE.glob("Dockerfile*")):
            self.assertEqual(hadolint(path), (0, ""), path.name)

    def test_hadolint_objects_to_mistakes(self):
        with tempfile.NamedTemporaryFile("w", suffix="Dockerfile") as file:
            file.write("FROM debian\nRUN apt-get install vim\n")
            file.flush()
            self.assertIn("DL3006", hadolint(file.name)[1])

    def test_images_run_as_a_user_by_number_from_an_empty_base(self):
        for path in sorted(HERE.glob("Dockerfile*")):
            stage = path.read_text().rpartition("\nFROM ")[2]
            self.assertTrue(stage.startswith("scratch\n"), path.name)
            self.assertIn(f"\nUSER {make_root.USER}:{make_root.USER}\n", stage, path.name)
            self.assertRegex(stage, r'\nENTRYPOINT \["/usr/bin/anybit-server"\]', path.name)
            self.assertIn("\nHEALTHCHECK ", stage, path.name)

    def test_the_image_for_gpus_has_the_program_with_the_gpu_engine(self):
        text = (HERE / "Dockerfile.cuda").read_text()
        self.assertRegex(text, r"bazel build --config=cuda [^\n]*//server:anybit-server-cuda ")
        self.assertIn("--server .bazel/bin/server/anybit-server-cuda ", text)

    def test_the_server_listens_on_all_interfaces_of_its_container(self):
        environment = try_root.image_settings()[1]
        self.assertEqual(environment["ANYBIT_GRPC_ADDRESS"], "[::]:8001")
        self.assertEqual(environment["ANYBIT_HTTP_ADDRESS"], "[::]:8000")

    def test_the_image_is_built_from_what_git_has_and_nothing_that_is_made(self):
        ignored = set((ROOT / ".dockerignore").read_text().split("\n"))
        for line in (ROOT / ".gitignore").read_text().split():
            name = line.strip("/")
            if not name.startswith(("bazel-", "__pycache__")):
                self.assertIn(name, ignored)


class LockTest(unittest.TestCase):
    def test_the_lock_has_the_listed_packages_in_order(self):
        names = [name for name, _, _ in LOCK]
        self.assertEqual(names, sorted(names))
        self.assertLessEqual(set(package_lock.read_names(HERE / "packages.txt")), set(names))

    def test_every_library_of_the_programs_is_of_a_locked_package(self):
        locked = {name for name, _, _ in LOCK}
        for program in PROGRAMS:
            loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            files = [os.path.realpath(path) for path in re.findall(r"(/\S+\.so\S*)", loaded)]
            # dpkg knows a file by the path from before /usr was merged, or by the one after.
            names = [name for file in files for name in (file, file.removeprefix("/usr"))]
            owners = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False).stdout
            packages = {line.partition(":")[0] for line in owners.splitlines()}
            self.assertGreater(len(packages), 5)
            self.assertLessEqual(packages, locked, program)

    def test_a_damaged_lock_is_refused(self):
        for text in ("libc6 2.36\n", "libc6 2.36 12ab\n", f"libc6 1 {'0' * 64}\nlibc6 2 {'0' * 64}\n"):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                with self.assertRaises(SystemExit, msg=text):
                    package_lock.read_lock(pathlib.Path(file.name))

    def test_a_package_of_another_sum_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "libz_1_amd64.deb").write_text("not what was locked")
            with self.assertRaisesRegex(SystemExit, "the lock has 0000"):
                make_root.download([("libz", "1", "0" * 64)], pathlib.Path(folder))


class BillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
        cls.bill = make_sbom.bill(LOCK)

    def test_it_has_every_field_that_spdx_demands(self):
        for field in ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"):
            self.assertTrue(self.bill[field], field)
        self.assertEqual(self.bill["creationInfo"]["created"], "2023-11-14T22:13:20Z")
        for package in self.bill["packages"]:
            for field in ("SPDXID", "name", "downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText"):
                self.assertTrue(package[field], field)

    def test_it_has_every_locked_package_with_its_sum(self):
        found = {one["name"]: one for one in self.bill["packages"]}
        self.assertEqual(set(found), {"anybit", *(name for name, _, _ in LOCK)})
        for name, version, digest in LOCK:
            self.assertEqual(found[name]["versionInfo"], version)
            self.assertEqual(found[name]["checksums"], [{"algorithm": "SHA256", "checksumValue": digest}])

    def test_names_are_unique_and_every_relation_leads_somewhere(self):
        names = ["SPDXRef-DOCUMENT", *(one["SPDXID"] for one in self.bill["packages"])]
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            self.assertRegex(name, r"^SPDXRef-[A-Za-z0-9.-]+$")
        for relation in self.bill["relationships"]:
            self.assertIn(relation["spdxElementId"], names)
            self.assertIn(relation["relatedSpdxElement"], names)

    def test_purls_are_escaped(self):
        libstdc = next(one for one in self.bill["packages"] if one["name"] == "libstdc++6")
        purl = libstdc["externalRefs"][0]["referenceLocator"]
        self.assertRegex(purl, r"^pkg:deb/debian/libstdc%2B%2B6@[\w.%~-]+\?arch=amd64&distro=debian-12$")

    def test_the_same_lock_makes_the_same_bytes_and_another_lock_another_namespace(self):
        self.assertEqual(json.dumps(make_sbom.bill(LOCK)), json.dumps(self.bill))
        self.assertNotEqual(make_sbom.bill(LOCK[1:])["documentNamespace"], self.bill["documentNamespace"])


if __name__ == "__main__":
    PROGRAMS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
