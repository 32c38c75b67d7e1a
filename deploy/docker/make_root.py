#!/usr/bin/env python3
"""Makes the root folder of the server's image out of pinned Debian packages and our programs, and nothing else.

usage: make_root.py lock   [--packages FILE] [--lock FILE]
       make_root.py build  [--lock FILE] [--debs FOLDER] --bin FOLDER... [--server FILE] --out FOLDER
                          [--library FILE...] [PATH=FILE...]

  lock    resolves the packages of packages.txt and writes name, version and SHA-256 of each into packages.lock
  build   fetches exactly those (apt-get download), compares the sums, unpacks the libraries that a program of --bin
          loads, adds the programs (as anybit-server that of --server, if it is given), the libraries of --library, an
          unprivileged user, and each FILE as PATH; writes the bill of materials (usr/share/anybit/sbom.spdx.json)

Dockerfile runs `build`, and so does try_root, which starts the result without Docker. No script of a package runs.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import make_sbom  # noqa: E402
from package_lock import read_lock, read_names  # noqa: E402

# The user that Kubernetes' runAsNonRoot sees in the image; it owns nothing.
USER = 65532
PROGRAMS = ("anybit-server", "anybit-client")
LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")
# The programs name it as their interpreter, by the path that its package gives it.
LOADER = "ld-linux-x86-64.so.2"
# The machine gives them to the container, as they must fit its driver.
OF_THE_DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1"}
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def fail(message):
    sys.exit(f"make_root: {message}")


def output_of(*command, cwd=None):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if ran.returncode != 0:
        fail(f"{' '.join(command)} failed: {ran.stderr.strip()}")
    return ran.stdout


def closure(names):
    """The packages and all that they depend on."""
    text = output_of(
        "apt-cache", "depends", "--recurse", "--important", "--no-pre-depends", *names
    )  # libraries have no alternatives
    return sorted({line for line in text.splitlines() if line and not line.startswith((" ", "<"))})


def download(entries, folder):
    """The files of the packages, fetched where they are not there yet, and as the lock has them."""
    found = {}
    for name, version, digest in entries:
        file = f"{name}_{version.replace(':', '%3a')}_amd64.deb"
        path = folder / file
        if not path.exists():
            output_of("apt-get", "download", "-qq", f"{name}:amd64={version}", cwd=folder)
        if not path.exists():
            fail(f"apt-get download {name}={version} did not leave {file}")
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest and actual != digest:
            fail(f"{file} has the sum {actual}, the lock has {digest}")
        found[name] = (path, actual)
    return found


def candidate(name):
    found = re.search(r"Candidate: (\S+)", output_of("apt-cache", "policy", name))
    if not found or found[1] == "(none)":
        fail(f"there is no package {name}")
    return found[1]


def unpacked_libraries(deb, root):
    """Unpacks the libraries of a package, and its licence, into `root`, as on a merged /usr. Returns the libraries."""
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--extract", deb, folder], check=True)
        for path in sorted(pathlib.Path(folder).rglob("*")):
            name = "/" + str(path.relative_to(folder))
            if path.is_dir() and not path.is_symlink():
                continue
            if name.startswith(("/lib/", "/lib64/")):
                name = "/usr" + name
            licence = name.startswith("/usr/share/doc/") and name.endswith("/copyright")
            if not licence and not LIBRARY.search(name):
                continue
            target = root / name[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
            if not licence:
                kept.append(target)
    return kept


def add_accounts(root):
    (root / "etc").mkdir(exist_ok=True)
    user = f"anybit:x:{USER}:{USER}:anybit:/nonexistent:/nonexistent\n"
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/root:/nonexistent\n{user}", encoding="utf-8")
    (root / "etc/group").write_text(f"root:x:0:\nanybit:x:{USER}:\n", encoding="utf-8")
    # localhost even where the runtime gives no hosts file.
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="utf-8")


def add_file(source, target, mode):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def build(arguments):
    out = pathlib.Path(arguments.out)
    if out.exists():
        fail(f"{out} is already there")
    entries = read_lock(pathlib.Path(arguments.lock))
    debs = pathlib.Path(arguments.debs or tempfile.mkdtemp())
    debs.mkdir(parents=True, exist_ok=True)
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "tmp", "proc", "dev", "sys", "models"):
        (out / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (out / name).symlink_to(f"usr/{name}")
    for program in PROGRAMS:
        found = [path for folder in arguments.bin if (path := pathlib.Path(folder) / program).is_file()]
        if program == "anybit-server" and arguments.server:
            found = [pathlib.Path(arguments.server)]
        if not found:
            fail(f"no folder of --bin has {program}")
        add_file(found[0], out / "usr/bin" / program, 0o755)
    libraries = {name: unpacked_libraries(deb, out) for name, (deb, _) in download(entries, debs).items()}
    for library in arguments.library:
        # Links lead to a file of a longer name; programs ask for the name given here.
        add_file(library, out / LIBRARIES / pathlib.Path(library).name, 0o644)
        libraries.setdefault("", []).append(out / LIBRARIES / pathlib.Path(library).name)
    entries = keep_loaded(out, entries, libraries)
    for item in arguments.files:
        path, equals, source = item.partition("=")
        if not equals:
            fail(f"'{item}' is not PATH=FILE")
        add_file(source, out / path.lstrip("/"), 0o644)
    add_accounts(out)
    make_sbom.write(entries, out / "usr/share/anybit/sbom.spdx.json")
    print(f"make_root: {len(entries)} packages, {size_of(out) / 1e6:.1f} MB in {out}")


def size_of(root):
    return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def needed_by(path):
    """The names of the libraries that a program or a library names."""
    return re.findall(r"^ +NEEDED +(\S+)$", output_of("objdump", "-p", str(path)), re.MULTILINE)


def loaded_libraries(root, libraries):
    """The files of `libraries` that the programs load, directly or by each other."""
    by_name = {}
    for path in libraries:
        by_name.setdefault(path.name, []).append(path)
    loaded = set()
    wanted = {LOADER: "the programs"}
    for program in PROGRAMS:
        wanted.update(dict.fromkeys(needed_by(root / "usr/bin" / program), program))
    while wanted:
        name, user = wanted.popitem()
        if name in OF_THE_DRIVER:
            continue
        if name not in by_name:
            fail(f"{user} needs {name}, which no package of the lock has")
        for path in by_name[name]:
            file = followed(root, path)
            loaded.update((path, file))
            needs = needed_by(file)
            wanted.update({need: name for need in needs if not any(p in loaded for p in by_name.get(need, []))})
    return loaded


def followed(root, path):
    """The file that a link leads to, where `root` is the root."""
    while path.is_symlink():
        target = os.readlink(path)
        target = re.sub(r"^/lib", "/usr/lib", target)
        path = root / target[1:] if target.startswith("/") else path.parent / target
    return path


def keep_loaded(root, entries, libraries):
    """Deletes what no program loads. Returns the entries of the packages that are left."""
    loaded = loaded_libraries(root, [path for paths in libraries.values() for path in paths])
    kept = []
    for entry in entries:
        paths = libraries[entry[0]]
        for path in paths:
            if path not in loaded:
                path.unlink()
        if any(path in loaded for path in paths):
            kept.append(entry)
        else:
            shutil.rmtree(root / "usr/share/doc" / entry[0], ignore_errors=True)
    for folder in sorted(root.rglob("*"), reverse=True):
        if folder.is_dir() and not folder.is_symlink() and root / "usr" in folder.parents and not any(folder.iterdir()):
            folder.rmdir()
    return kept


def lock(arguments):
    names = closure(read_names(pathlib.Path(arguments.packages)))
    with tempfile.TemporaryDirectory() as folder:
        # apt gives up root's rights to fetch, and complains where it cannot write as its own user.
        os.chmod(folder, 0o777)
        entries = [(name, candidate(name), "") for name in names]
        found = download(entries, pathlib.Path(folder))
        # gcc-12-base and the like have none.
        have_library = {
            name for name in names if unpacked_libraries(found[name][0], pathlib.Path(folder) / "probe" / name)
        }
        lines = [f"{name} {version} {found[name][1]}\n" for name, version, _ in entries if name in have_library]
    header = "# Made by make_root.py lock from packages.txt: name, version, SHA-256 of the package for amd64.\n"
    pathlib.Path(arguments.lock).write_text(header + "".join(lines), encoding="utf-8")
    print(f"make_root: {len(lines)} packages in {arguments.lock}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n", 1)[1], add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--lock", default=HERE / "packages.lock")
    parser.add_argument("--packages", default=HERE / "packages.txt")
    parser.add_argument("--debs")
    parser.add_argument("--bin", action="append")
    parser.add_argument("--server")
    parser.add_argument("--out")
    parser.add_argument("--library", action="append", default=[])
    parser.add_argument("command", nargs="?")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_intermixed_args()
    if arguments.help:
        print(__doc__.strip())
    elif arguments.command == "lock":
        lock(arguments)
    elif arguments.command == "build" and arguments.bin and arguments.out:
        build(arguments)
    else:
        fail("say 'lock', or 'build' with --bin and --out; --help explains both")


if __name__ == "__main__":
    main()
