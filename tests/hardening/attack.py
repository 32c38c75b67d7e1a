"""What an attacker sends: HTTP/2 by hand, so that each frame may be wrong, and a server to send it to.

    class Group04MessagesTest(attack.AttackTest):
        def test_...(self):
            connection = self.connect()
            stream = connection.call("/inference.GRPCInferenceService/ServerReady", b"")
            self.assertEqual(connection.status_of(stream), 0)

Each test ends with an ordinary call: whatever was sent, the server serves on.
"""

import pathlib
import socket
import struct
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / ".cache" / "python"
if not PACKAGES.is_dir():
    sys.exit(f"{PACKAGES} is missing: run scripts/setup")
sys.path.insert(0, str(PACKAGES))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import numpy  # noqa: E402
import tritonclient.grpc as triton  # noqa: E402
from tritonclient.grpc import service_pb2  # noqa: E402

from server_process import ServerProcess  # noqa: E402

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
SERVICE = "/inference.GRPCInferenceService/"
# Nothing here takes so long. It turns a hang into a failure.
SECONDS = 60


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(value, bits, first=0):
    """HPACK's integer."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = bytearray([first | limit])
    value -= limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def literal(name, value):
    """A field that enters no table."""
    name, value = (text.encode() if isinstance(text, str) else text for text in (name, value))
    return b"\0" + number(len(name), 7) + name + number(len(value), 7) + value


def call_headers(path, *more, content_type="application/grpc"):
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("content-type", content_type),
        ("te", "trailers"),
        *more,
    ]
    return b"".join(literal(*field) for field in fields)


def message(body, compressed=0):
    return struct.pack(">BI", compressed, len(body)) + body


class Connection:
    """An HTTP/2 connection that does only what it is told."""

    # No table of headers, so that the server sends literals.
    NO_TABLE = struct.pack(">HI", 1, 0)

    def __init__(self, address, settings=b"", acknowledge=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.acknowledge = acknowledge
        self.next_stream = 1
        self.unread = b""
        self.frames = []  # that have come: (kind, flags, stream, payload)
        self.ended = False
        self.send(PREFACE + frame(SETTINGS, 0, 0, self.NO_TABLE + settings))

    def close(self):
        self.socket.close()

    def send(self, data):
        """Whether the server took it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def open_call(self, headers, flags=END_HEADERS):
        stream = self.next_stream
        self.next_stream += 2
        self.send(frame(HEADERS, flags, stream, headers))
        return stream

    def call(self, method, body, *more, **others):
        stream = self.open_call(call_headers(method, *more, **others))
        self.send(frame(DATA, END_STREAM, stream, body))
        return stream

    def read_frame(self):
        """The next frame; None at the connection's end."""
        while True:
            if len(self.unread) >= 9:
                size = int.from_bytes(self.unread[:3], "big")
                if len(self.unread) >= 9 + size:
                    kind, flags = self.unread[3], self.unread[4]
                    stream = int.from_bytes(self.unread[5:9], "big")
                    payload, self.unread = self.unread[9 : 9 + size], self.unread[9 + size :]
                    if kind == SETTINGS and not flags & ACK and self.acknowledge:
                        self.send(frame(SETTINGS, ACK, 0))
                    self.frames.append((kind, flags, stream, payload))
                    return self.frames[-1]
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                self.ended = True
                return None
            self.unread += more

    def end_of(self, stream):
        """The frame that ends the stream; None if the connection ends first."""
        while (found := self.read_frame()) is not None:
            kind, flags, of, _ = found
            if of == stream and (kind == RST_STREAM or flags & END_STREAM and kind in (HEADERS, DATA)):
                return found
        return None

    def status_of(self, stream):
        """The call's grpc-status, as the server's headers say it: it sends them as literals."""
        found = self.end_of(stream)
        if found is None or found[0] == RST_STREAM:
            return None
        at = found[3].find(b"grpc-status")
        if at < 0:
            return None
        text = found[3][at + len(b"grpc-status") :]
        return int(text[1 : 1 + (text[0] & 127)])


class AttackTest(unittest.TestCase):
    """All tests of a class share one server with these flags; each must leave it serving."""

    FLAGS = ()
    SERVER, ARTIFACT = "", ""  # from the command line

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ServerProcess(cls.SERVER, cls.ARTIFACT, "--max_batch=4", *cls.FLAGS))
        cls.client = triton.InferenceServerClient(cls.server.grpc_address)
        cls.addClassCleanup(cls.client.close)
        cls.model = cls.client.get_model_repository_index().models[0].name
        cls.metadata = cls.client.get_model_metadata(cls.model)

    def tearDown(self):
        self.assert_serves()

    def assert_serves(self):
        self.assertIsNone(self.server.process.poll(), "".join(self.server.printed))
        tensor = triton.InferInput(self.metadata.inputs[0].name, self.shape(), "UINT8")
        tensor.set_data_from_numpy(numpy.zeros(self.shape(), numpy.uint8))
        self.assertIsNotNone(self.client.infer(self.model, [tensor]).as_numpy(self.metadata.outputs[0].name))

    def shape(self, rows=1):
        return [rows, *self.metadata.inputs[0].shape[1:]]

    def request(self, rows=1, **fields):
        """A valid ModelInferRequest."""
        request = service_pb2.ModelInferRequest(model_name=self.model, **fields)
        request.inputs.add(name=self.metadata.inputs[0].name, datatype="UINT8", shape=self.shape(rows))
        request.raw_input_contents.append(bytes(int(numpy.prod(self.shape(rows)))))
        return request

    def connect(self, **how):
        connection = Connection(self.server.grpc_address, **how)
        self.addCleanup(connection.close)
        return connection

    def begin_peak(self):
        """Forgets the peak of memory so far; the memory that is resident now."""
        pathlib.Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    def peak(self):
        """The most bytes that were resident since begin_peak."""
        return self.memory("VmHWM")

    def memory(self, kind="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text().splitlines():
            if line.startswith(kind):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {kind}")

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.server.process.pid}/fd").iterdir()))


def main():
    AttackTest.SERVER, AttackTest.ARTIFACT = sys.argv[1:3]
    unittest.main(module="__main__", argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
