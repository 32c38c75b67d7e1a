#!/usr/bin/env python3
"""The image's bill of materials, as SPDX 2.3 JSON, from packages.lock.

usage: make_sbom.py [LOCK]        prints it

Equal locks give equal bytes: the date is SOURCE_DATE_EPOCH, or that of the lock's last change, and the namespace is a
hash of the contents.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from urllib.parse import quote

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from package_lock import read_lock  # noqa: E402

ROOT = HERE.parents[1]


def version():
    text = (ROOT / "base" / "version.h").read_text(encoding="utf-8")
    return re.search(r'kVersion = "([^"]+)"', text)[1]


def created():
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        ran = subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%ct", "--", "deploy/docker/packages.lock"],
            capture_output=True,
            text=True,
            check=False,
        )
        epoch = ran.stdout.strip() or "0"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))


def identifier(name):
    """SPDX allows letters, digits, '.' and '-'."""
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", lambda found: f".{ord(found[0]):x}.", name)


def package(name, package_version, digest):
    purl = f"pkg:deb/debian/{quote(name)}@{quote(package_version)}?arch=amd64&distro=debian-12"
    return {
        "SPDXID": identifier(name),
        "name": name,
        "versionInfo": package_version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "licenseComments": f"The licence is in the image: /usr/share/doc/{name}/copyright",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }
        ],
    }


def bill(entries):
    """The SPDX document of [(name, version, sha256)]."""
    ours = {
        "SPDXID": "SPDXRef-anybit",
        "name": "anybit",
        "versionInfo": version(),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "CONTAINER",
    }
    relationships = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-anybit")]
    relationships += [("SPDXRef-anybit", "CONTAINS", identifier(name)) for name, _, _ in entries]
    packages = [ours, *(package(*entry) for entry in entries)]
    digest = hashlib.sha256(json.dumps(packages).encode()).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"anybit-server-{version()}",
        "documentNamespace": f"https://anybit.invalid/spdx/{digest}",
        "creationInfo": {"created": created(), "creators": ["Tool: anybit-make_sbom"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relationships
        ],
    }


def write(entries, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill(entries), indent=2) + "\n", encoding="utf-8")


def main():
    lock = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "packages.lock"
    print(json.dumps(bill(read_lock(lock)), indent=2))


if __name__ == "__main__":
    main()
