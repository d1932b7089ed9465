"""WebSockets over HTTP/2: extended CONNECT (RFC 8441)."""

import asyncio
import base64
import hashlib
import struct
import threading

import pytest
import websockets

import h2wire
import wire
from test_websocket import echo, frame, half_closing, route, url  # noqa: F401

CONNECT = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "shop.example"),
           (":path", "/chat"), ("sec-websocket-version", "13")]  # fmt: skip


class Tunnel:
    """Stream 1 of an HTTP/2 connection, asked to become a WebSocket."""

    def __init__(self, gate, fields=(), head=None):
        self.session = h2wire.open_session(gate)
        self.session.send(self.session.headers(1, [*(head or CONNECT), *fields], end_stream=False))
        self.data, self.ended, self.reset = b"", False, None
        frame = self.session.until(lambda one: isinstance(one, h2wire.HeadersFrame) or self.is_end(one))
        self.fields = dict(frame.fields) if isinstance(frame, h2wire.HeadersFrame) else {}
        self.status = int(self.fields.get(":status", 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.connection.close()

    def is_end(self, one):
        if isinstance(one, h2wire.RstStreamFrame):
            self.reset = one.error_code
        return self.reset is not None

    def send(self, data, end=False):
        for at in range(0, max(1, len(data)), 16_000):
            self.session.send(self.session.data(1, data[at : at + 16_000], end and at + 16_000 >= len(data)))

    def take(self, one):
        if isinstance(one, h2wire.DataFrame) and one.stream_id == 1:
            self.data += one.data
            self.ended |= "END_STREAM" in one.flags
            if one.data:
                self.session.send(h2wire.WindowUpdateFrame(1, len(one.data)), h2wire.WindowUpdateFrame(0, len(one.data)))
        return self.is_end(one) or self.ended

    def exactly(self, size):
        self.session.until(lambda one: self.take(one) or len(self.data) >= size)
        data, self.data = self.data[:size], self.data[size:]
        return data

    def rest(self):
        if not self.ended and self.reset is None:
            self.session.until(self.take)
        return self.data


def settings_of(session):
    frame = session.until(lambda one: isinstance(one, h2wire.SettingsFrame) and "ACK" not in one.flags)
    return frame.settings


def test_says_that_it_can(gatehouse, echo):
    gate = gatehouse([echo], routes=[route()])
    with h2wire.open_session(gate) as session:
        assert settings_of(session)[8] == 1  # SETTINGS_ENABLE_CONNECT_PROTOCOL


def test_messages_of_all_sizes(gatehouse, echo):
    gate = gatehouse([echo], routes=[route()])
    with Tunnel(gate) as tunnel:
        assert tunnel.status == 200 and "sec-websocket-accept" not in tunnel.fields and "upgrade" not in tunnel.fields
        for size in (0, 5, 125, 126, 70_000, 300_000):
            tunnel.send(frame(2, b"x" * size))
            assert tunnel.exactly(len(frame(2, b"x" * size, mask=False))) == frame(2, b"x" * size, mask=False)
        tunnel.send(frame(8, struct.pack("!H", 1000)), end=True)
        assert tunnel.rest() == frame(8, struct.pack("!H", 1000), mask=False)
        assert tunnel.ended and tunnel.reset is None
        tunnel.session.send(tunnel.session.headers(3, [(":method", "PUT"), *CONNECT[2:]]))  # the connection serves on
        assert tunnel.session.answer(3)[0] in (400, 405, 426)
    record = gate.record(path="/chat", status=200)
    assert (record["verdict"], record["protocol"], record["method"]) == ("pass", "HTTP/2", "CONNECT")
    assert record["bytes_in"] > 370_000 and record["bytes_out"] > 370_000


def test_upgrades_with_a_key_of_its_own(gatehouse, backend):
    """The upstream sees an ordinary RFC 6455 handshake, with a fresh key each time; its Accept is checked."""

    def agree(peer):
        _, fields = peer.read_head()
        key = dict(fields)["sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        peer.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n")  # fmt: skip
        peer.send(frame(1, b"hi", mask=False))
        while peer.more():
            pass
        peer.upstream.half_closed = True
        peer.send(frame(1, b"bye", mask=False))

    back = backend(agree)
    gate = gatehouse(back, routes=[route()])
    for _ in range(2):
        with Tunnel(gate, [("sec-websocket-protocol", "chat"), ("sec-websocket-key", "bm90IHRoZSBrZXkgdXNlZA=="), ("content-length", "7")]) as tunnel:
            assert tunnel.status == 200 and tunnel.fields["sec-websocket-protocol"] == "chat"
            assert tunnel.exactly(4) == b"\x81\x02hi"
            tunnel.send(frame(1, b"early"), end=True)
            # our half is closed, the upstream's is open until it says its last word
            assert tunnel.rest() == b"\x81\x03bye" and tunnel.ended and back.half_closed
    assert back.requests == ["GET /chat HTTP/1.1"] * 2
    assert back.field("upgrade") == "websocket" and back.field("content-length") is None
    keys = [dict(fields)["sec-websocket-key"] for _, fields in back.heads]
    assert keys[0] != keys[1] and all(len(base64.b64decode(key)) == 16 for key in keys)
    assert "bm90IHRoZSBrZXkgdXNlZA==" not in keys


@pytest.mark.parametrize("through", ["http", "h2c"])
def test_an_upstreams_half_close_leaves_the_clients_half_open(gatehouse, backend, through):
    back = backend(half_closing)
    gate = gatehouse(back, routes=[route()])
    if through == "h2c":
        gate = gatehouse([gate.url("", scheme="h2c")], routes=[route()])
    with Tunnel(gate) as tunnel:
        assert tunnel.rest() == b"\x81\x03bye" and tunnel.ended and tunnel.reset is None
        message = frame(2, b"x" * 20_000)
        tunnel.send(message)
        tunnel.send(message, end=True)
        assert wire.eventually(lambda: getattr(back, "heard", None)) == message * 2
    assert gate.record(path="/chat", status=200)["verdict"] == "pass"


def answers(text):
    def behave(peer):
        peer.read_head()
        peer.send(text)
        peer.upstream.stopped.wait(10)

    return behave


HTTP2_REFUSED = {
    # name: (what the upstream says, status)
    "a wrong accept": ("HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n", 502),
    "no switch": ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 502),
    "no": ("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
}


@pytest.mark.parametrize("name", HTTP2_REFUSED)
def test_upstreams_that_do_not_switch(gatehouse, backend, name):
    text, status = HTTP2_REFUSED[name]
    gate = gatehouse(backend(answers(text)), routes=[route()])
    with Tunnel(gate) as tunnel:
        assert tunnel.status == status


def test_early_bytes_wait_for_the_switch(gatehouse, backend):
    back = backend(answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
    gate = gatehouse(back, routes=[route()])
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, CONNECT, end_stream=False), session.data(1, b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert session.answer(1)[0] == 403
    assert b"/admin" not in bytes(back.bytes)


def test_early_frames_are_inspected(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(message_bytes="1KiB")])
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, CONNECT, end_stream=False), session.data(1, frame(1, b"hello")))
        frames = session.until(lambda one: isinstance(one, h2wire.DataFrame))
        assert frames.data == b"\x81\x05hello"
        session.send(session.headers(3, CONNECT, end_stream=False), session.data(3, frame(1, b"x" * 2000)))
        closing = session.until(lambda one: isinstance(one, h2wire.DataFrame) and one.stream_id == 3 and one.data)
        assert closing.data == b"\x88\x02" + struct.pack("!H", 1009)


HTTP2_NOT_ALLOWED = {
    # name: (route, head, status)
    "a route without websocket": ({}, CONNECT, 400),
    "another protocol": (route(), [(n, "connect-udp" if n == ":protocol" else v) for n, v in CONNECT], 501),
    "no version": (route(), CONNECT[:-1], 400),
    "a bad version": (route(), [*CONNECT[:-1], ("sec-websocket-version", "9")], 400),
    "plain CONNECT": (route(), [(":method", "CONNECT"), (":authority", "shop.example:443")], 400),
}


@pytest.mark.parametrize("name", HTTP2_NOT_ALLOWED)
def test_not_allowed(gatehouse, backend, name):
    back = backend()
    changed, head, status = HTTP2_NOT_ALLOWED[name]
    gate = gatehouse(back, **({"routes": [changed]} if changed else {}))
    with Tunnel(gate, head=head) as tunnel:
        assert tunnel.status == status or (name == "plain CONNECT" and tunnel.reset == h2wire.PROTOCOL_ERROR)
    assert not back.heads


def test_limits_and_idleness(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(message_bytes="1KiB", idle_timeout="1s")])
    with Tunnel(gate) as tunnel:
        tunnel.send(frame(2, b"x" * 1025))
        assert tunnel.rest() == b"\x88\x02" + struct.pack("!H", 1009) and tunnel.ended
    assert gate.record(path="/chat", reason="websocket.limit")["status"] == 200
    with Tunnel(gate) as tunnel:
        tunnel.send(frame(1, b"x"))
        assert tunnel.exactly(3) == b"\x81\x01x"
        tunnel.rest()
        assert tunnel.reset == 8  # CANCEL


def test_resets_both_ways(gatehouse, backend):
    gone = threading.Event()

    def agree(peer):
        _, fields = peer.read_head()
        accept = base64.b64encode(hashlib.sha1((dict(fields)["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        peer.send(f"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
        try:
            while peer.more():
                if b"reset" in peer.buffer:
                    peer.reset()
                    return
        except OSError:
            pass
        gone.set()

    gate = gatehouse(backend(agree), routes=[route()])
    with Tunnel(gate) as tunnel:
        tunnel.send(frame(1, b"reset"))
        tunnel.rest()
        assert tunnel.reset == 8  # what TCP resets is cancelled (RFC 8441 §4)
    with Tunnel(gate) as tunnel:
        tunnel.session.send(h2wire.RstStreamFrame(1, error_code=8))
        assert gone.wait(5)


def test_is_authenticated_like_a_request(gatehouse, echo, issuer):
    gate = gatehouse.prepare([echo])
    gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()))
    gate.config["routes"] = [{**route(), "public": False, "match": {"path": "/**", "methods": ["GET"]}}]
    gate.start()
    with Tunnel(gate) as tunnel:
        assert tunnel.status == 401
    with Tunnel(gate, [(name.lower(), value) for name, value in issuer.bearer().items()]) as tunnel:
        assert tunnel.status == 200
        tunnel.send(frame(1, b"hello"))
        assert tunnel.exactly(7) == b"\x81\x05hello"


def test_upstreams(gatehouse, echo):
    """Through a second gateway that is spoken to by HTTP/2: an Upgrade and an extended CONNECT both become the latter."""
    inner = gatehouse([echo], routes=[route()])
    gate = gatehouse([inner.url("", scheme="h2c")], routes=[route()])
    with Tunnel(gate) as tunnel:
        assert tunnel.status == 200
        tunnel.send(frame(1, b"hello"))
        assert tunnel.exactly(7) == b"\x81\x05hello"
        tunnel.send(frame(8, struct.pack("!H", 1000)), end=True)
        assert tunnel.rest() == frame(8, struct.pack("!H", 1000), mask=False)

    async def talk():
        async with websockets.connect(url(gate)) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"

    asyncio.run(talk())
    wire.eventually(lambda: len([one for one in inner.read_log() if one["path"] == "/chat"]) == 2)
    assert {one["protocol"] for one in inner.records} == {"HTTP/2"}
