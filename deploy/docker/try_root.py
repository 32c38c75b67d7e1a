#!/usr/bin/env python3
"""Starts a root folder of make_root.py as a container runtime would, without one, and says what came of it.

usage: try_root.py ROOT [/PATH=FILE...] [ANYBIT_NAME=VALUE...]        as root, for it makes name spaces

Files and folders are mounted read-only as PATH, which the root has; variables are added to those of Dockerfile.

Own mount and process name spaces, the root mounted read-only, proc and four devices, the user, environment, entry point
and health check of Dockerfile, no_new_privs. Prints size, time from start to ready, privileges, and the answer of the
health check; fails if the server can write anywhere, or ends otherwise than with 0 after SIGTERM.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PORTS = {"8001": "0", "8000": "0"}  # free ones; the ports of the image may be taken here
LIMIT_SECONDS = 120


def image_settings():
    """User, environment, entry point and health check that Dockerfile gives its last stage."""
    text = (HERE / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    environment = dict(item.split("=", 1) for item in shlex.split(re.search(r"^ENV (.*)$", last, re.MULTILINE)[1]))
    user = re.search(r"^USER (\d+):(\d+)$", last, re.MULTILINE)
    entry = re.search(r'^ENTRYPOINT \["([^"]+)"\]$', last, re.MULTILINE)[1]
    health = re.findall(r'"([^"]+)"', re.search(r"HEALTHCHECK .*CMD \[(.*)\]", last)[1])
    return user.groups(), environment, entry, health


def shell_script(root, mounts, user, command):
    """What runs in the new name spaces: mounts, then the command as the user in the root."""
    root = shlex.quote(str(root))
    lines = [
        "set -eu",
        "mount --make-rprivate /",
        f"mount --bind {root} {root}",
        f"mount -t proc -o ro,nosuid,nodev,noexec proc {root}/proc",
        f"mount -t tmpfs -o mode=755,size=64k dev {root}/dev",
    ]
    for device in ("null", "zero", "random", "urandom"):
        lines += [f"touch {root}/dev/{device}", f"mount --bind /dev/{device} {root}/dev/{device}"]
    lines.append(f"mount -o remount,ro {root}/dev")
    for path, source in mounts:
        target = f"{root}/{shlex.quote(path.lstrip('/'))}"
        lines += [f"mount --bind {shlex.quote(source)} {target}", f"mount -o remount,bind,ro {target}"]
    lines.append(f"mount -o remount,bind,ro {root}")
    run = shlex.join(["setpriv", "--no-new-privs", "chroot", "--groups=", f"--userspec={user[0]}:{user[1]}"])
    lines.append(f"exec {run} {root} {shlex.join(command)}")
    return "\n".join(lines)


class Root:
    def __init__(self, root, mounts):
        self.root, self.mounts = root, mounts
        self.user, self.environment, self.entry, self.health = image_settings()
        for port, free in PORTS.items():
            self.environment = {k: re.sub(f":{port}$", f":{free}", v) for k, v in self.environment.items()}

    def start(self, command, **options):
        script = shell_script(self.root, self.mounts, self.user, command)
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", script],
            env={**self.environment, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, command):
        process = self.start(command)
        output = process.communicate(timeout=LIMIT_SECONDS)[0]
        return process.returncode, output


def ready(address):
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def child_of(process):
    """The process id, here, of the server, which is the only child of unshare."""
    return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()[0])


def status_lines(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return dict(re.findall(r"^(Uid|CapEff|CapBnd|NoNewPrivs|VmRSS):\s+(.*)$", text, re.MULTILINE))


def writable_places(pid):
    """Paths below the server's root on which it has a mount that can be written."""
    mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
    written = [fields[4] for line in mounts if "rw" in (fields := line.split())[5].split(",")]
    return [path for path in written if not path.startswith("/dev/")]  # devices


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if len(sys.argv) > 1 else 2
    root = pathlib.Path(sys.argv[1]).resolve()
    items = [tuple(item.split("=", 1)) for item in sys.argv[2:]]
    container = Root(root, [item for item in items if item[0].startswith("/")])
    container.environment.update(item for item in items if item[0].startswith("ANYBIT_"))
    began = time.monotonic()
    server = container.start([container.entry])
    try:
        return report(container, server, root, began)
    finally:
        server.kill()
        server.wait()


def report(container, server, root, began):
    printed, addresses = [], {}
    while len(addresses) < 2:
        line = server.stdout.readline()
        if not line or time.monotonic() > began + LIMIT_SECONDS:
            print("".join(printed), f"try_root: the server ended or did not serve: {server.poll()}", sep="")
            return 1
        printed.append(line)
        if found := re.match(r"\s+(gRPC|HTTP) \[::\]:(\d+)", line):
            addresses[found[1]] = f"127.0.0.1:{found[2]}"
    while not ready(addresses["HTTP"]):
        if time.monotonic() > began + LIMIT_SECONDS:
            print("try_root: the server does not become ready")
            return 1
    seconds = time.monotonic() - began
    pid = child_of(server)
    status = status_lines(pid)
    places = writable_places(pid)
    health = [re.sub(r"=127.0.0.1:8001$", f"={addresses['gRPC']}", word) for word in container.health]
    code, answer = container.run(health)
    size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    print("".join(printed), end="")
    print(f"try_root: {size / 1e6:.1f} MB, ready after {seconds:.2f} s, resident {status['VmRSS']}")
    user = status["Uid"].split()[0]
    print(f"try_root: user {user}, capabilities {status['CapEff']}, no_new_privs {status['NoNewPrivs']}")
    print(f"try_root: mounts that can be written: {places or 'none'}")
    print(f"try_root: {' '.join(health)} answers {code}\n{answer}", end="")
    os.kill(pid, signal.SIGTERM)
    output = server.communicate(timeout=LIMIT_SECONDS)[0]
    print(output, end="")
    print(f"try_root: ended with {server.returncode}")
    return 0 if code == 0 and server.returncode == 0 and not places and status["CapEff"].strip("0") == "" else 1


if __name__ == "__main__":
    sys.exit(main())
