"""A server of ours as a process: on free ports, asked by what it prints, stopped at the end whatever happens."""

import re
import signal
import subprocess
import threading


class ServerProcess:
    """Runs `binary`; use it in a with statement. `errors`: a file for its standard error; else that is in `printed`."""

    # Nothing here takes this long. It turns a hang into a failure.
    WATCHDOG_SECONDS = 240

    def __init__(self, binary, artifact, *flags, errors=subprocess.STDOUT):
        self.process = subprocess.Popen(
            [
                binary,
                f"--artifact={artifact}",
                "--grpc_address=127.0.0.1:0",
                "--http_address=127.0.0.1:0",
                "--drain_delay=0s",
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self._watchdog = threading.Timer(self.WATCHDOG_SECONDS, self.process.kill)
        self._watchdog.start()
        self.printed = []
        self.grpc_address = self._await_address("gRPC")
        self.http_address = self._await_address("HTTP")
        # A full pipe would stop the server.
        self._reader = threading.Thread(target=self._read_on)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self._watchdog.cancel()

    def terminate(self):
        """Asks the server to drain."""
        self.process.send_signal(signal.SIGTERM)

    def read_to_end(self):
        """Waits until all that the server printed is in `printed`; it has ended."""
        self._reader.join()

    def exit_code(self):
        """Waits for the server's end."""
        return self.process.wait()

    def _await_address(self, protocol):
        pattern = re.compile(protocol + r"\W[^\n]*?(127\.0\.0\.1:[1-9]\d*)", re.IGNORECASE)
        while True:
            found = pattern.search("".join(self.printed))
            if found:
                return found.group(1)
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(
                    f"the server ended with {self.process.wait()} before it printed its {protocol} address:\n"
                    + "".join(self.printed)
                )
            self.printed.append(line)

    def _read_on(self):
        for line in self.process.stdout:
            self.printed.append(line)
