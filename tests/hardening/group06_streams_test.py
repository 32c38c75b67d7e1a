#!/usr/bin/env python3
"""Group 6 of the attacks, streams: not read, flooded, half-closed, broken, with errors between requests.

usage: group06_streams_test.py SERVER ARTIFACT
"""

import struct

import attack
import grpc
from attack import DATA, END_STREAM, SERVICE, call_headers, frame, message
from tritonclient.grpc import service_pb2

STREAM = SERVICE + "ModelStreamInfer"
MIB = 1 << 20


class Group06StreamsTest(attack.AttackTest):
    def stream(self):
        channel = self.enterContext(grpc.insecure_channel(self.server.grpc_address))
        return channel.stream_stream(
            STREAM,
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelStreamInferResponse.FromString,
        )

    def test_twenty_thousand_requests_at_once_are_answered_in_their_order(self):
        requests = (self.request(id=str(i)) for i in range(20000))
        answers = [answer.infer_response.id for answer in self.stream()(requests)]
        self.assertEqual(answers, [str(i) for i in range(20000)])

    def test_a_client_that_does_not_read_is_not_read(self):
        """Its answers have no window, so no more of its requests are taken than a stream may have open."""
        before = self.begin_peak()
        connection = self.connect(settings=struct.pack(">HI", 4, 0))
        stream = connection.open_call(call_headers(STREAM))
        body = message(self.request().SerializeToString())
        connection.socket.settimeout(1)  # then nothing is taken any more
        for _ in range(100 * MIB // len(body)):
            if not connection.send(frame(DATA, 0, stream, body)):
                break
        self.assert_serves()
        self.assertLess(self.peak() - before, 64 * MIB)

    def test_answers_come_after_the_client_has_sent_its_last_request(self):
        connection = self.connect()
        stream = connection.open_call(call_headers(STREAM))
        body = message(self.request().SerializeToString())
        connection.send(frame(DATA, END_STREAM, stream, 10 * body))
        self.assertEqual(connection.status_of(stream), 0)

    def test_wrong_requests_between_right_ones_are_answered_in_their_places(self):
        wrong = self.request(id="wrong")
        wrong.model_name = "other"
        requests = [self.request(id="first"), wrong, service_pb2.ModelInferRequest(), self.request(id="last")]
        answers = list(self.stream()(iter(requests)))
        self.assertEqual([bool(answer.error_message) for answer in answers], [False, True, True, False])
        self.assertEqual([answer.infer_response.id for answer in answers], ["first", "wrong", "", "last"])

    def test_a_message_that_is_none_is_answered_and_the_stream_goes_on(self):
        connection = self.connect()
        stream = connection.open_call(call_headers(STREAM))
        right = message(self.request().SerializeToString())
        connection.send(frame(DATA, END_STREAM, stream, right + message(b"\xff\xff") + right))
        self.assertEqual(connection.status_of(stream), 0)
        data = b"".join(payload for kind, _, of, payload in connection.frames if kind == DATA and of == stream)
        self.assertIn(b"it cannot be parsed", data)

    def test_streams_that_break_leave_neither_requests_nor_descriptors(self):
        self.assert_serves()
        before = self.descriptors()
        body = message(self.request().SerializeToString())
        for _ in range(100):
            connection = attack.Connection(self.server.grpc_address)
            stream = connection.open_call(call_headers(STREAM))
            connection.send(frame(DATA, 0, stream, 20 * body + body[:100]))
            connection.close()
        while self.descriptors() > before + 20:
            self.assert_serves()

    def test_streams_of_one_connection_do_not_wait_for_each_other(self):
        connection = self.connect()
        idle = [connection.open_call(call_headers(STREAM)) for _ in range(50)]
        self.assertEqual(len(idle), 50)
        stream = connection.open_call(call_headers(STREAM))
        connection.send(frame(DATA, END_STREAM, stream, message(self.request().SerializeToString())))
        self.assertEqual(connection.status_of(stream), 0)


if __name__ == "__main__":
    attack.main()
