#!/usr/bin/env python3
"""Group 4 of the attacks, messages: too large, compressed, cut, of the wrong kind, with wrong headers.

usage: group04_messages_test.py SERVER ARTIFACT
"""

import zlib

import attack
from attack import DATA, END_HEADERS, END_STREAM, HEADERS, SERVICE, call_headers, frame, literal, message

OK, INVALID_ARGUMENT, UNIMPLEMENTED = 0, 3, 12
INFER = SERVICE + "ModelInfer"
READY = SERVICE + "ServerReady"
MIB = 1 << 20


class Group04MessagesTest(attack.AttackTest):
    # gRPC's quota is one and a half times as much.
    FLAGS = (f"--max_queue_bytes={32 * MIB}",)

    def test_the_control_call_is_answered(self):
        connection = self.connect()
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)

    def test_a_message_beyond_the_largest_request_takes_no_more_than_the_quota(self):
        """gRPC looks at a message's length when all of it is there; until then only its quota stops it."""
        before = self.begin_peak()
        connection = self.connect()
        stream = connection.open_call(call_headers(INFER))
        connection.send(frame(DATA, 0, stream, message(b"")[:1] + (1 << 30).to_bytes(4, "big")))
        connection.socket.settimeout(1)  # it takes no more than its window
        for _ in range(200 * MIB // 16384):
            if not connection.send(frame(DATA, 0, stream, bytes(16384))):
                break
        connection.socket.settimeout(attack.SECONDS)
        self.assertNotEqual(connection.status_of(stream), OK)
        self.assertLess(self.peak() - before, 128 * MIB)

    def test_a_compressed_bomb_takes_no_memory_beyond_the_limit(self):
        zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = bytes(MIB)
        bomb = b"".join(zeros.compress(block) for _ in range(200)) + zeros.flush()
        before = self.begin_peak()
        connection = self.connect()
        stream = connection.open_call(call_headers(INFER, ("grpc-encoding", "gzip")))
        body = message(bomb, compressed=1)
        for at in range(0, len(body), 16384):
            connection.send(frame(DATA, 0, stream, body[at : at + 16384]))
        connection.send(frame(DATA, END_STREAM, stream))
        self.assertNotEqual(connection.status_of(stream), OK)
        self.assertLess(self.peak() - before, 64 * MIB)

    def test_a_compressed_request_is_served(self):
        connection = self.connect()
        zipped = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = zipped.compress(self.request().SerializeToString()) + zipped.flush()
        stream = connection.call(INFER, message(body, compressed=1), ("grpc-encoding", "gzip"))
        self.assertEqual(connection.status_of(stream), OK)

    def test_garbage_in_place_of_compressed_bytes_ends_one_call(self):
        connection = self.connect()
        for encoding in ("gzip", "deflate"):
            stream = connection.call(INFER, message(b"no such thing", compressed=1), ("grpc-encoding", encoding))
            self.assertNotEqual(connection.status_of(stream), OK)
            self.assertFalse(connection.ended)

    def test_an_unknown_encoding_ends_one_call(self):
        connection = self.connect()
        stream = connection.call(INFER, message(b"?", compressed=1), ("grpc-encoding", "snake-oil"))
        self.assertNotIn(connection.status_of(stream), (OK, None))
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)

    def test_a_message_that_is_cut_or_missing_ends_one_call(self):
        whole = message(self.request().SerializeToString())
        connection = self.connect()
        for body in (whole[:-1], whole[:3], b""):
            self.assertNotIn(connection.status_of(connection.call(INFER, body)), (OK, None))

    def test_bytes_that_are_no_message_are_invalid(self):
        connection = self.connect()
        for body in (b"\xff" * 100, b"\x0a\x05ab", b"\x3a\xff\xff\xff\xff\x0f"):
            self.assertEqual(connection.status_of(connection.call(INFER, message(body))), INVALID_ARGUMENT)

    def test_another_content_type_is_no_harm(self):
        """gRPC's library serves it."""
        connection = self.connect()
        connection.end_of(connection.call(INFER, message(b"?"), content_type="text/plain"))
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)

    def test_unknown_methods_are_unimplemented_and_named(self):
        connection = self.connect()
        for method in ("/nothing", SERVICE + "Nothing", SERVICE, "/" + "x" * 4000):
            self.assertEqual(connection.status_of(connection.call(method, message(b""))), UNIMPLEMENTED, method)

    def test_headers_beyond_the_limit_are_refused(self):
        connection = self.connect()
        self.assertEqual(connection.status_of(connection.call(READY, message(b""))), OK)  # settings are acknowledged
        stream = connection.call(READY, message(b""), ("x", "y" * 9000))
        self.assertNotEqual(connection.status_of(stream), OK)

    def test_binary_headers_that_are_no_base64_end_no_more_than_their_connection(self):
        connection = self.connect()
        connection.end_of(connection.call(READY, message(b""), ("x-bin", "!not base64!")))

    def test_the_recipe_of_cve_2023_1428_ends_no_more_than_its_connection(self):
        for field in (("te", "x"), (":scheme", "x"), ("grpclb_client_stats", "x")):
            for filling in ([("x", "y" * 9000)], [(f"x{i}", "y" * 1000) for i in range(12)]):
                connection = self.connect()
                headers = call_headers(READY) + literal(*field) + b"".join(literal(*more) for more in filling)
                stream = connection.open_call(headers)
                connection.send(frame(DATA, END_STREAM, stream, message(b"")))
                connection.end_of(stream)

    def test_a_header_without_end_takes_no_memory(self):
        """One that never acknowledges the settings, of which gRPC then knows no limit."""
        before = self.begin_peak()
        connection = self.connect(acknowledge=False)
        connection.send(frame(HEADERS, 0, 1, call_headers(READY)))
        part = literal("x", "y" * 16000)
        for _ in range(4 * MIB // len(part)):
            if not connection.send(frame(attack.CONTINUATION, 0, 1, part)):
                break
        connection.send(frame(attack.CONTINUATION, END_HEADERS, 1))
        connection.send(frame(DATA, END_STREAM, 1, message(b"")))
        connection.end_of(1)
        self.assertLess(self.peak() - before, 64 * MIB)


if __name__ == "__main__":
    attack.main()
