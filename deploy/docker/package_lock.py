"""Reads packages.lock and packages.txt, the lists of the image's Debian packages."""

import re
import sys


def read_names(path):
    """The words of a list with comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def read_lock(path):
    """[(name, version, sha256)] of packages.lock."""
    entries = []
    for line in read_names(path):
        fields = line.split()
        if len(fields) != 3 or not re.fullmatch(r"[0-9a-f]{64}", fields[2]):
            sys.exit(f"{path}: '{line}' is not name, version and SHA-256")
        entries.append(tuple(fields))
    names = [name for name, _, _ in entries]
    if len(set(names)) != len(names):
        sys.exit(f"{path}: a package is there twice")
    return entries
