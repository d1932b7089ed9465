"""WebSockets: tunnelled where a route allows it, with bounds on the messages inside (RFC 6455)."""

import asyncio
import base64
import hashlib
import json
import os
import struct
import threading

import pytest
import websockets
import websockets.exceptions

import gateway
import wire

KEY = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.fixture
def echo():
    """A WebSocket server of the `websockets` package that sends every message back; gives its URL for `endpoints`."""
    ready = threading.Event()
    found = {}

    async def serve(socket):
        async for message in socket:
            await socket.send(message)

    async def run():
        found["loop"], found["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(serve, "127.0.0.1", 0, max_size=None, close_timeout=1) as server:
            found["port"] = server.sockets[0].getsockname()[1]
            ready.set()
            await found["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(5)
    yield f"http://127.0.0.1:{found['port']}"
    found["loop"].call_soon_threadsafe(found["stop"].set)
    thread.join(10)


def route(**websocket):
    return {"name": "ws", "match": {"path": "/**"}, "service": "main", "public": True, "websocket": {"enabled": True, **websocket}}


def url(gate, scheme="ws"):
    return gate.url("/chat", scheme=scheme)


def frame(opcode, payload, fin=True, mask=True, rsv=0):
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if mask else b"") + payload


def open_raw(gate):
    connection = gate.connect()
    connection.send(wire.request(target="/chat", fields=KEY))
    assert connection.head().status == 101
    return connection


def close_code(connection):
    """The code of the close frame that the gateway sends before it ends the tunnel."""
    data = connection.buffer + connection.rest()
    at = data.find(b"\x88")
    assert at >= 0, data[:80]
    return struct.unpack("!H", data[at + 2 : at + 4])[0]


async def converse(connecting, messages):
    """Each message comes back, and so do a ping and one in fragments; the socket is closed in good order."""
    async with connecting as socket:
        for message in messages:
            await socket.send(message)
            assert await socket.recv() == message
        await asyncio.wait_for(await socket.ping(), 5)
        await socket.send(part for part in ("in ", "three ", "parts"))
        assert await socket.recv() == "in three parts"
    assert socket.close_code == 1000
    return socket


def test_messages_of_all_sizes(gatehouse, echo):
    gate = gatehouse([echo], routes=[route()])

    async def talk():
        messages = ("", "hello", "x" * 125, "x" * 126, "y" * 70_000, os.urandom(900_000), "é" * 1000)
        await converse(websockets.connect(url(gate), max_size=None), messages)

    asyncio.run(talk())
    record = gate.record(path="/chat")
    assert (record["status"], record["verdict"]) == (101, "pass")


def test_over_tls(gatehouse, echo, certificates):
    gate = gatehouse([echo], routes=[route()], listeners=[gateway.Gateway.listener(tls=certificates.listener_tls())])

    async def talk():
        async with websockets.connect(url(gate, "wss"), ssl=certificates.client_context()) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"

    asyncio.run(talk())


def test_needs_the_route_to_allow_it(gatehouse, echo):
    gate = gatehouse([echo])

    async def talk():
        async with websockets.connect(url(gate)):
            pass

    with pytest.raises(websockets.exceptions.InvalidHandshake):
        asyncio.run(talk())


def test_is_authenticated_like_a_request(gatehouse, echo, issuer):
    gate = gatehouse.prepare([echo])
    gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()))
    gate.config["routes"] = [{**route(), "public": False}]
    gate.start()
    assert gate.ask(target="/chat", fields=KEY).status == 401

    async def talk():
        async with websockets.connect(url(gate), extra_headers=issuer.bearer()) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"

    asyncio.run(talk())


def test_opens_only_after_the_upstreams_101(gatehouse, backend):
    """Bytes sent early, in the hope of a tunnel, don't become a request behind our back (websocket smuggling)."""

    def refuse(peer):
        while peer.read_request():
            peer.answer(426, b"no\n")

    back = backend(refuse)
    gate = gatehouse(back, routes=[route()])
    with gate.connect() as connection:
        connection.send(wire.request(target="/chat", fields=KEY) + wire.request(target="/admin"))
        assert connection.answer().status == 426
        if not connection.is_closed(within=1):
            assert connection.answer().status == 426
    assert all("/chat" in line for line in back.requests[:1])
    assert back.field("upgrade", 0) == "websocket"


REFUSED_HANDSHAKES = {
    "no key": {**KEY, "Sec-WebSocket-Key": None},
    "a bad version": {**KEY, "Sec-WebSocket-Version": "9"},
    "another protocol": {**KEY, "Upgrade": "h2c"},
}


@pytest.mark.parametrize("name", REFUSED_HANDSHAKES)
def test_refused_handshakes(gatehouse, backend, name):
    back = backend()
    gate = gatehouse(back, routes=[route()])
    fields = {key: value for key, value in REFUSED_HANDSHAKES[name].items() if value is not None}
    answer = gate.ask(target="/chat", fields=fields)
    assert answer.status != 101
    assert not back.heads or back.field("upgrade") is None or answer.status in (400, 426)


def test_a_message_past_the_bound(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(message_bytes="1KiB")])
    with open_raw(gate) as connection:
        connection.send(frame(2, b"x" * 1024))
        assert len(connection.exactly(4 + 1024)) == 1028
        connection.send(frame(2, b"x" * 1025))
        assert close_code(connection) == 1009
    wire.eventually(lambda: any("ws" in str(r.get("reason")) or "websocket" in str(r) for r in gate.read_log()))


def test_fragments_count_together(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(message_bytes="1KiB")])
    with open_raw(gate) as connection:
        connection.send(frame(2, b"x" * 600, fin=False) + frame(0, b"x" * 600))
        assert close_code(connection) == 1009


def test_a_length_without_its_bytes(gatehouse, echo):
    """The bound holds for what a frame announces: nothing is buffered for it."""
    gate = gatehouse([echo], routes=[route(message_bytes="1MiB")])
    with open_raw(gate) as connection:
        connection.send(b"\x82\xff" + struct.pack("!Q", 1 << 62) + b"\0\0\0\0")
        assert close_code(connection) == 1009


BAD_FRAMES = {
    "unmasked": frame(1, b"hello", mask=False),
    "a reserved opcode": frame(3, b"hello"),
    "a reserved control opcode": frame(11, b""),
    "a reserved bit": frame(1, b"hello", rsv=2),
    "a fragmented ping": frame(9, b"x", fin=False),
    "a large ping": frame(9, b"x" * 126),
    "a continuation of nothing": frame(0, b"x"),
    "a message inside a message": frame(1, b"x", fin=False) + frame(1, b"y"),
    "a length of 64 bits with the first set": b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"\0\0\0\0",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frames(gatehouse, echo, name):
    gate = gatehouse([echo], routes=[route()])
    with open_raw(gate) as connection:
        connection.send(BAD_FRAMES[name])
        assert close_code(connection) in (1002, 1009)


def test_messages_per_second(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(messages_per_second=10)])
    with open_raw(gate) as connection:
        for _ in range(100):
            connection.send(frame(1, b"x"))
        assert close_code(connection) == 1008


def test_idle(gatehouse, echo):
    gate = gatehouse([echo], routes=[route(idle_timeout="1s")])
    with open_raw(gate) as connection:
        connection.send(frame(1, b"x"))
        assert connection.exactly(3) == b"\x81\x01x"
        assert connection.is_closed(within=5)


def test_an_upstream_that_dies(gatehouse, backend):
    def die(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip

    gate = gatehouse(backend(die), routes=[route()])
    with open_raw(gate) as connection:
        assert connection.is_closed()


def test_tunnels_are_counted(gatehouse, echo):
    gate = gatehouse([echo], routes=[route()])
    sockets = [open_raw(gate) for _ in range(5)]
    wire.eventually(lambda: gate.metric("gatehouse_connections", listener="public") >= 5)
    for socket in sockets:
        socket.close()
    wire.eventually(lambda: gate.metric("gatehouse_connections", listener="public") <= 1)
    status = gate.command("status", "--json")
    assert status.returncode == 0 and json.loads(status.stdout)


def half_closing(peer):
    """An upstream that has said all it has to say, and goes on listening."""
    _, fields = peer.read_head()
    accept = base64.b64encode(hashlib.sha1((dict(fields)["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    peer.send(f"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept.decode()}\r\n\r\n")
    peer.send(frame(1, b"bye", mask=False))
    peer.socket.shutdown(1)
    while peer.more():
        pass
    peer.upstream.heard = peer.buffer


def test_an_upstreams_half_close_leaves_the_clients_half_open(gatehouse, backend):
    back = backend(half_closing)
    gate = gatehouse(back, routes=[route()])
    message = frame(2, b"x" * 300_000)
    with open_raw(gate) as connection:
        assert connection.rest() == b"\x81\x03bye"
        for _ in range(3):
            connection.send(message)
        connection.socket.shutdown(1)
        assert wire.eventually(lambda: getattr(back, "heard", None)) == message * 3
    record = gate.record(path="/chat", status=101)
    assert record["verdict"] == "pass" and record["bytes_in"] == 3 * len(message)


def test_a_half_closed_tunnel_is_bounded_by_its_idle_timeout(gatehouse, backend):
    back = backend(half_closing)
    gate = gatehouse(back, routes=[route(idle_timeout="1s")])
    with open_raw(gate) as connection:
        assert connection.rest() == b"\x81\x03bye"
        assert wire.eventually(lambda: getattr(back, "heard", None) is not None)
    assert gate.record(path="/chat")


def test_an_upstream_that_closed_altogether_ends_the_tunnel(gatehouse, backend):
    def close(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x03bye")  # fmt: skip

    gate = gatehouse(backend(close), routes=[route()])
    with open_raw(gate) as connection:
        assert connection.rest() == b"\x81\x03bye"
        connection.send(frame(1, b"is anybody there?"))  # answered by a reset, which the gateway sees
        assert gate.record(path="/chat", status=101)


def test_http1_half_close_leaves_the_upstreams_half_open(gatehouse, backend):
    def late(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
        while peer.more():
            pass
        peer.send(frame(1, b"bye", mask=False))

    gate = gatehouse(backend(late), routes=[route()])
    with open_raw(gate) as connection:
        connection.socket.shutdown(1)
        assert connection.rest() == b"\x81\x03bye"
