"""Text messages that clients send through WebSockets are inspected where the route says so."""

import asyncio
import base64
import hashlib
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import waf_rules
import websockets
import websockets.exceptions
import wire
from test_websocket import KEY, close_code, converse, echo, frame, open_raw, route, url  # noqa: F401
from test_websocket_h2 import Tunnel

ATTACK = '{"chat": {"text": "an \\u0061ttack"}}'


@pytest.fixture
def armed(gatehouse):
    """armed(upstreams, **waf keys) starts a gateway that inspects messages."""

    def start(behind, websocket=None, penalties=None, **keys):
        gate = gatehouse.prepare(behind, waf={"mode": "enforce", "websocket_message": "16KiB", **keys})
        gate.config["waf"]["rules"] = [waf_rules.small(gate)]
        gate.config["routes"] = [route(**(websocket or {}))]
        if penalties:
            gate.config["penalties"] = penalties
        return gate.start()

    return start


def listener(peer):
    """An upstream that remembers all that it hears, and its end."""
    _, fields = peer.read_head()
    if "sec-websocket-key" not in dict(fields):
        return  # a request that asks whether its client is banned
    accept = base64.b64encode(hashlib.sha1((dict(fields)["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    peer.send(f"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept.decode()}\r\n\r\n")
    peer.buffer = b""
    while peer.more():
        peer.upstream.heard = peer.buffer
    peer.upstream.over = True


def deaf(peer):
    """An upstream that neither answers a close nor ends its side."""
    listener(peer)
    time.sleep(4)


CLOSE = frame(8, struct.pack("!H", 1008))


def test_a_conversation(armed, echo):
    gate = armed([echo])

    async def talk():
        messages = ("", "hello", '{"a": [1, "two", null]}', "[12:30] hello", "x" * 16_000, "é" * 100, b"\0attack" * 1000)
        return await converse(websockets.connect(url(gate), max_size=None, compression="deflate"), messages)

    assert not asyncio.run(talk()).extensions, "permessage-deflate is refused"
    record = gate.record(path="/chat")
    assert (record["status"], record["verdict"]) == (101, "pass") and "waf" not in record
    assert gate.metric("gatehouse_waf_phase_seconds_total", phase="2") > 0


@pytest.mark.parametrize("name, message", {
    "text": frame(1, b"this is an attack"),
    "JSON": frame(1, ATTACK.encode()),
    "a name in JSON": frame(1, b'{"attack": 1}'),
    "JSON that breaks off": frame(1, b'{"a": "attack'),
    "text like JSON": frame(1, b'42["message", "attack"]'),
    "Socket.IO": frame(1, b'42/chat,7["message", {"text": "an \\u0061ttack"}]'),
    "SignalR": frame(1, b'{"type":1,"arguments":["\\u0061ttack"]}\x1e'),
    "NaN in front": frame(1, b'{"a": NaN, "b": "\\u0061ttack"}'),
    "garbage in front": frame(1, b'zz" {"a": "\\u0061ttack"}'),
    "fragments": frame(1, b"att", fin=False) + frame(9, b"") + frame(0, b"", fin=False) + frame(0, b"ack"),
}.items())  # fmt: skip
def test_attacks_are_refused(armed, backend, name, message):
    back = backend(listener)
    gate = armed(back)
    with open_raw(gate) as connection:
        connection.send(frame(1, b"hello"))
        wire.eventually(lambda: getattr(back, "heard", b"") == frame(1, b"hello"))
        connection.send(message + frame(1, b"not heard any more"))
        assert close_code(connection) == 1008
    assert wire.eventually(lambda: getattr(back, "over", False))
    ping = frame(9, b"") if name == "fragments" else b""
    assert back.heard == frame(1, b"hello") + ping + CLOSE
    record = gate.record(path="/chat")
    assert (record["status"], record["verdict"], record["layer"], record["reason"]) == (101, "deny", "waf", "waf.score")
    assert record["waf"]["score"] >= 5 and record["waf"]["rules"][0]["rule"] == 100
    assert record["waf"]["rules"][0]["variable"].startswith("ARGS"), record["waf"]
    assert "denied by waf (waf.score), status 101" in gate.command("explain", record["request_id"]).stdout


def test_neither_side_closes(armed, backend):
    """What the refused message leaves open ends after a while, and is accounted for."""
    gate = armed(backend(deaf))
    with open_raw(gate) as connection:
        connection.send(frame(1, b"attack"))
        assert close_code(connection) == 1008
        assert wire.eventually(lambda: gate.metric("gatehouse_tunnels_active") == 0, within=5)
        assert gate.metric("gatehouse_upstream_requests_total", service="main") == 1
    # The next request meets nothing of it, also one that ends before it has an upstream.
    with gate.connect() as connection:
        connection.send(wire.request("POST", "/chat", fields={"Content-Type": "application/json", "Content-Length": "100"}) + b"{")
    assert gate.record(path="/chat", method="POST")


def test_a_real_client_sees_why(armed, echo):
    gate = armed([echo])

    async def talk():
        async with websockets.connect(url(gate)) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            await socket.send(ATTACK)
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await socket.recv()
        assert socket.close_code == 1008

    asyncio.run(talk())


def test_byte_by_byte(armed, backend):
    back = backend(listener)
    gate = armed(back)
    data = frame(1, b"good", fin=False) + frame(0, b" morning") + frame(2, b"\0\1") + frame(1, b"attack")
    with open_raw(gate) as connection:
        for at in range(len(data)):
            connection.send(data[at : at + 1])
            time.sleep(0.002)
        assert close_code(connection) == 1008
    wire.eventually(lambda: getattr(back, "over", False))
    assert back.heard == data[: -len(frame(1, b"attack"))] + CLOSE


def test_over_h2(armed, backend):
    back = backend(listener)
    gate = armed(back)
    with Tunnel(gate) as tunnel:
        assert tunnel.status == 200
        tunnel.send(frame(1, b"hello") + frame(1, ATTACK.encode()))
        assert tunnel.rest() == frame(8, struct.pack("!H", 1008), mask=False) and tunnel.ended
    wire.eventually(lambda: getattr(back, "over", False))
    assert back.heard == frame(1, b"hello") + CLOSE
    assert gate.record(path="/chat")["reason"] == "waf.score"


def test_longer_messages(armed, backend):
    long_one = frame(1, b"x" * 2000 + b"attack")
    back = backend(listener)
    gate = armed(back, websocket_message="1KiB")
    with open_raw(gate) as connection:
        connection.send(long_one)
        assert close_code(connection) == 1009
    assert gate.record(path="/chat")["reason"] == "waf.message_too_large"
    partial = armed(back, websocket_message="1KiB", on_exceed="partial")
    back.heard = b""
    with open_raw(partial) as connection:
        connection.send(long_one)
        assert wire.eventually(lambda: back.heard == long_one)
        connection.send(frame(1, b"attack" + b"x" * 2000))
        assert close_code(connection) == 1008
    assert partial.record(path="/chat")["reason"] == "waf.score"


def test_monitor_records_the_first(armed, backend):
    back = backend(listener)
    gate = armed(back, mode="monitor")
    messages = frame(1, b"attack one") + frame(1, b"attack two") + frame(1, b"fine")
    with open_raw(gate) as connection:
        connection.send(messages)
        assert wire.eventually(lambda: getattr(back, "heard", b"") == messages)
    record = gate.record(path="/chat")
    assert record["verdict"] == "pass" and record["waf"]["rules"][0]["matched"] == "attack"
    assert [(one["verdict"], one["reason"]) for one in record["layers"] if one["layer"] == "waf"] == [("pass", ""), ("deny", "waf.score")]


def test_a_tunnel_keeps_its_rules_over_a_reload(armed, backend):
    back = backend(listener)
    gate = armed(back)
    messages = b""
    with open_raw(gate) as connection:
        for rules in (waf_rules.SMALL + 'SecAction "id:900,phase:1,pass,nolog"\n', "SecAction \"id:1,phase:1,pass,nolog\"\n"):
            waf_rules.small(gate, text=rules)
            assert gate.reload().returncode == 0
            for text in (b"one", b"two"):
                messages += frame(1, text)
                connection.send(frame(1, text))
                assert wire.eventually(lambda: getattr(back, "heard", b"") == messages)
        connection.send(frame(1, b"attack"))
        assert close_code(connection) == 1008
    assert gate.record(path="/chat")["reason"] == "waf.score"


def test_off_is_off(armed, echo):
    for keys in ({"websocket_message": 0}, {"mode": "off"}):
        gate = armed([echo], **keys)

        async def talk():
            async with websockets.connect(url(gate)) as socket:
                assert socket.extensions, "permessage-deflate may be agreed on"
                await socket.send(ATTACK)
                assert await socket.recv() == ATTACK

        asyncio.run(talk())


def test_exclusions_hold(armed, backend):
    back = backend(listener)
    gate = armed(back, exclude=[{"rule": 100, "parameter": "message", "path": "/chat"}])
    with open_raw(gate) as connection:
        connection.send(frame(1, b"attack"))
        assert wire.eventually(lambda: getattr(back, "heard", b"") == frame(1, b"attack"))
        connection.send(frame(1, ATTACK.encode()))
        assert close_code(connection) == 1008


def test_attackers_are_banned(armed, backend):
    gate = armed(backend(listener), penalties={"attacks": {"threshold": 3, "window": "1m", "ban": "10m"}})
    for _ in range(3):
        with open_raw(gate) as connection:
            connection.send(frame(1, b"attack"))
            assert close_code(connection) == 1008
        gate.record(path="/chat")
    assert wire.eventually(lambda: gate.ask().status == 403)


def test_memory(armed, backend):
    back = backend(listener)
    gate = armed(back, memory="1MiB", websocket_message="1MiB")
    before = gate.rss_bytes()
    tunnels = [open_raw(gate) for _ in range(12)]
    for connection in tunnels:
        connection.send(frame(1, b"x" * 100_000, fin=False))
    refused = gate.record(path="/chat", reason="waf.memory")
    assert refused["status"] == 101
    for connection in tunnels:
        connection.close()
    assert gate.rss_bytes() - before < 16 << 20

    def accepted():
        with open_raw(gate) as connection:
            back.heard = b""
            connection.send(frame(1, b"hello"))
            return wire.eventually(lambda: back.heard == frame(1, b"hello"))

    assert accepted()


def reads_late(read_on):
    """A service over HTTP/2 that takes what fits into the first window, and all the rest when it is told to."""

    def behave(peer):
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        session.local_settings = h2.settings.Settings(False, {h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        session.initiate_connection()
        peer.send(session.data_to_send())
        taken = 0
        while peer.more():
            events, peer.buffer = session.receive_data(peer.buffer), b""
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    session.send_headers(event.stream_id, [(":status", "200")])
                elif isinstance(event, h2.events.DataReceived):
                    taken += len(event.data)
                    peer.upstream.taken = taken
                    if taken >= 65_535 and not read_on.is_set():
                        read_on.wait(20)
                        session.acknowledge_received_data(taken, event.stream_id)
                    elif read_on.is_set():
                        session.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            peer.send(session.data_to_send())

    return behave


def test_a_message_counts_while_the_service_reads(armed, backend):
    """What waits for an upstream comes and goes; the message that waits for its end is still there."""
    read_on = threading.Event()
    back = backend(reads_late(read_on), scheme="h2c")
    gate = armed(back, memory="1MiB", websocket_message="1MiB")
    one, two, three = (open_raw(gate) for _ in range(3))
    refused = b"\x88\x02" + struct.pack("!H", 1013)
    binary = frame(2, b"b" * 165_000)
    one.send(binary + frame(1, b"x" * 400_000, fin=False))
    wire.eventually(lambda: getattr(back, "taken", 0) == 65_535, within=10)
    time.sleep(1)  # until the gateway has read what follows, too
    two.send(frame(1, b"x" * 300_000, fin=False))
    two.until(refused)
    read_on.set()
    wire.eventually(lambda: back.taken >= len(binary), within=15)
    three.send(frame(1, b"x" * 300_000, fin=False))
    three.until(refused)


def test_a_long_conversation_needs_no_more_memory(armed, echo):
    gate = armed([echo], websocket={"messages_per_second": 0})

    async def talk():
        async with websockets.connect(url(gate) + "?q=" + "y" * 1000) as socket:
            async def some(count):
                for i in range(count):
                    await socket.send(f'{{"number": {i}, "text": "hello"}}')
                    await socket.recv()

            await some(300)
            before = gate.rss_bytes()
            await some(2000)
            assert gate.rss_bytes() - before < 2 << 20

    asyncio.run(talk())
