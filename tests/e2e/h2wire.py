"""HTTP/2 frame by frame: the frames are made by hyperframe and hpack, so that they can be as wrong as a test needs."""

import struct

import hpack
import wire
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)  # fmt: skip

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 0, 1, 11
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "shop.example"), (":path", "/")]


class Session:
    """A connection that has said hello. Frames that come are collected in `frames`."""

    def __init__(self, connection, settings=None, hello=True):
        self.connection = connection
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.frames = []
        self.closed = False
        if hello:
            connection.send(PREFACE + SettingsFrame(0, settings=settings or {}).serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, *frames):
        self.connection.send(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))

    def headers(self, stream, fields, end_stream=True, end_headers=True):
        frame = HeadersFrame(stream, self.encoder.encode(fields))
        frame.flags |= ({"END_STREAM"} if end_stream else set()) | ({"END_HEADERS"} if end_headers else set())
        return frame

    def data(self, stream, content, end_stream=False):
        frame = DataFrame(stream, content)
        if end_stream:
            frame.flags.add("END_STREAM")
        return frame

    def receive(self):
        """The next frame, or None when the peer closed."""
        try:
            head = self.connection.exactly(9)
            frame, length = Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(self.connection.exactly(length)))
        except (wire.Closed, OSError):
            self.closed = True
            return None
        self.frames.append(frame)
        if isinstance(frame, (HeadersFrame, ContinuationFrame)):
            frame.fields = [(name, value) for name, value in self.decoder.decode(frame.data)]
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            try:
                self.send(SettingsFrame(0, flags=["ACK"]))
            except OSError:  # the peer closed after that; what it said before is still to be read
                pass
        return frame

    def until(self, wanted, limit=20_000):
        """Receives until `wanted(frame)`; None when the peer closed before."""
        for _ in range(limit):
            frame = self.receive()
            if frame is None or wanted(frame):
                return frame
        raise AssertionError(f"not in {limit} frames")

    def answer(self, stream):
        """(status, body) of a stream, or ("reset", error code), or ("goaway", error code), or ("closed", None)."""
        status, body = None, b""

        def ends(frame):
            nonlocal status, body
            if isinstance(frame, GoAwayFrame) and frame.error_code != NO_ERROR:
                return True
            if frame.stream_id != stream:
                return False
            if isinstance(frame, HeadersFrame) and status in (None, 100):
                status = int(dict(frame.fields)[":status"])
            if isinstance(frame, DataFrame):
                body += frame.data
            return isinstance(frame, RstStreamFrame) or "END_STREAM" in frame.flags

        last = self.until(ends)
        if last is None:
            return "closed", None
        if isinstance(last, GoAwayFrame):
            return "goaway", last.error_code
        if isinstance(last, RstStreamFrame) and not (last.error_code == NO_ERROR and status):
            return "reset", last.error_code
        return status, body

    def goaway(self):
        """The error code of the GOAWAY that comes before the end; None when the connection ends without one."""
        frame = self.until(lambda one: isinstance(one, GoAwayFrame) and one.error_code != NO_ERROR)
        return frame.error_code if frame else None


def open_session(gate, listener="public", settings=None, **options):
    return Session(gate.connect(listener, **options), settings)


def raw_frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


__all__ = ["ContinuationFrame", "DataFrame", "GoAwayFrame", "HeadersFrame", "PingFrame", "RstStreamFrame", "SettingsFrame",
           "WindowUpdateFrame", "Session", "open_session", "raw_frame", "GET", "PREFACE", "NO_ERROR", "PROTOCOL_ERROR",
           "ENHANCE_YOUR_CALM"]  # fmt: skip
