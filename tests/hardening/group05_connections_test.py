#!/usr/bin/env python3
"""Group 5 of the attacks, connections: idle, slow, unread, flooding, and more than there are descriptors.

usage: group05_connections_test.py SERVER ARTIFACT
"""

import contextlib
import resource
import socket
import struct
import subprocess

import attack
from attack import ACK, DATA, END_STREAM, GOAWAY, PING, RST_STREAM, SERVICE, WINDOW_UPDATE, call_headers, frame, message

OK = 0
INFER = SERVICE + "ModelInfer"
READY = SERVICE + "ServerReady"
MIB = 1 << 20


def no_more(connection):
    """Reads until the server has closed the connection; the last GOAWAY's text."""
    text = b""
    while (found := connection.read_frame()) is not None:
        if found[0] == GOAWAY:
            text = found[3][8:]
    return text


class Group05ConnectionsTest(attack.AttackTest):
    FLAGS = ("--max_streams=100",)

    def test_many_idle_connections_cost_descriptors_only(self):
        before = self.begin_peak()
        address = self.server.grpc_address.rsplit(":", 1)
        with contextlib.ExitStack() as open_ones:
            for _ in range(300):
                open_ones.enter_context(socket.create_connection((address[0], int(address[1]))))
            self.assert_serves()
            self.assertLess(self.peak() - before, 128 * MIB)

    def test_connections_that_come_and_go_leave_nothing(self):
        self.assert_serves()
        before = self.descriptors()
        for _ in range(300):
            connection = attack.Connection(self.server.grpc_address)
            connection.call(READY, message(b""))
            connection.close()
        while self.descriptors() > before + 20:  # they end when the server has read their end
            self.assert_serves()

    def test_a_client_that_sends_its_header_byte_by_byte_holds_up_nobody(self):
        slow = self.connect()
        headers = frame(attack.HEADERS, attack.END_HEADERS, 1, call_headers(READY))
        for byte in headers[:40]:
            slow.send(bytes([byte]))
            self.assert_serves()

    def test_a_reader_without_window_holds_up_nobody(self):
        """It asks for much and takes nothing (settings: initial window 0)."""
        reader = self.connect(settings=struct.pack(">HI", 4, 0))
        for _ in range(50):
            reader.call(SERVICE + "ModelConfig", message(b"\x0a" + bytes([len(self.model)]) + self.model.encode()))
        for _ in range(20):
            self.assert_serves()

    def test_a_flood_of_pings_ends_its_connection(self):
        pinger = self.connect()
        for _ in range(2000):
            if not pinger.send(frame(PING, 0, 0, bytes(8))):
                break
        self.assertIn(b"too_many_pings", no_more(pinger))

    def test_acknowledgements_and_windows_nobody_asked_for_hold_up_nobody(self):
        connection = self.connect()
        for _ in range(2000):
            if not connection.send(frame(PING, ACK, 0, bytes(8)) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))):
                break
        self.assert_serves()

    def test_calls_that_are_reset_at_once_take_no_memory(self):
        body = message(self.request().SerializeToString())
        before = self.begin_peak()
        connection = self.connect()
        for _ in range(5000):
            stream = connection.open_call(call_headers(INFER))
            if not connection.send(frame(DATA, END_STREAM, stream, body) + frame(RST_STREAM, 0, stream, bytes(4))):
                break
        self.assert_serves()
        self.assertLess(self.peak() - before, 256 * MIB)

    def test_calls_beyond_the_limit_of_streams_are_refused(self):
        connection = self.connect()
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)  # settings are acknowledged
        streams = [connection.open_call(call_headers(INFER)) for _ in range(101)]
        end = connection.end_of(streams[-1])
        if end is not None:  # otherwise the connection has ended
            self.assertEqual((end[0], end[3]), (RST_STREAM, struct.pack(">I", 7)))  # REFUSED_STREAM

    def test_a_connection_that_breaks_within_a_message_leaves_nothing(self):
        for _ in range(50):
            connection = attack.Connection(self.server.grpc_address)
            stream = connection.open_call(call_headers(INFER))
            connection.send(frame(DATA, 0, stream, message(self.request().SerializeToString())[:-10]))
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
            connection.close()

    def test_bytes_that_are_no_http_end_their_connection(self):
        for text in (b"\x16\x03\x01\x02\x00" + bytes(500), b"GET / HTTP/1.1\r\n\r\n", bytes(1000)):
            host, port = self.server.grpc_address.rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=attack.SECONDS) as connection:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(65536):
                        pass

    def test_a_second_server_on_the_same_port_says_so_and_ends(self):
        second = subprocess.run(
            [
                self.SERVER,
                f"--artifact={self.ARTIFACT}",
                f"--grpc_address={self.server.grpc_address}",
                "--http_address=",
            ],
            capture_output=True,
            text=True,
        )
        self.assertEqual(second.returncode, 1)
        self.assertIn("is in use", second.stderr)


class Group05HandshakeTest(attack.AttackTest):
    FLAGS = ("--handshake_timeout=300ms",)

    def test_a_client_that_does_not_begin_is_disconnected(self):
        host, port = self.server.grpc_address.rsplit(":", 1)
        for begin in (b"", attack.PREFACE[:10], b"\x16\x03\x01"):
            with socket.create_connection((host, int(port)), timeout=attack.SECONDS) as connection:
                connection.sendall(begin)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(1000):
                        pass


class Group05DescriptorsTest(attack.AttackTest):
    def test_without_descriptors_it_neither_spins_nor_ends_and_then_accepts_again(self):
        few = self.descriptors() + 20
        before = resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (few, before[1]))
        self.addCleanup(resource.prlimit, self.server.process.pid, resource.RLIMIT_NOFILE, before)
        host, port = self.server.grpc_address.rsplit(":", 1)
        with contextlib.ExitStack() as open_ones:
            held = [open_ones.enter_context(socket.create_connection((host, int(port)))) for _ in range(60)]
            spent = self.processor_seconds()
            held[0].settimeout(1)
            with contextlib.suppress(TimeoutError):
                while held[0].recv(1000):  # the server's settings, then nothing
                    pass
            self.assertLess(self.processor_seconds() - spent, 0.7)  # within a second: it does not try again and again
            self.assert_serves()  # on the connection that was there
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, before)
        connection = self.connect()
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)


if __name__ == "__main__":
    attack.main()
