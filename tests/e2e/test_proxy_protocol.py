"""The PROXY protocol, both versions: believed from trusted peers, refused from others, strict in its form."""

import socket
import struct

import pytest

import gateway
import wire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command=1, family=0x11, source="203.0.113.9", destination="192.0.2.1", ports=(1234, 443), extra=b"", version=2):
    addresses = b""
    if family:
        kind = socket.AF_INET if family >> 4 == 1 else socket.AF_INET6
        addresses = socket.inet_pton(kind, source) + socket.inet_pton(kind, destination) + struct.pack("!HH", *ports)
    return SIGNATURE + bytes([version << 4 | command, family]) + struct.pack("!H", len(addresses + extra)) + addresses + extra


def v1(text="TCP4 203.0.113.9 192.0.2.1 1234 443"):
    return f"PROXY {text}\r\n".encode()


def start(gatehouse, backend, mode="any", trusted=("127.0.0.0/8",), **keys):
    return gatehouse(backend(), listeners=[gateway.Gateway.listener(proxy_protocol=mode, trusted_proxies=list(trusted), **keys)])


GOOD = {
    "v1, IPv4": (v1(), "203.0.113.9"),
    "v1, IPv6": (v1("TCP6 2001:db8::1 2001:db8::2 1234 443"), "2001:db8::1"),
    "v1, unknown": (v1("UNKNOWN"), "127.0.0.1"),
    "v2, IPv4": (v2(), "203.0.113.9"),
    "v2, IPv6": (v2(family=0x21, source="2001:db8::1", destination="2001:db8::2"), "2001:db8::1"),
    "v2, with options": (v2(extra=b"\x04\0\x03abc"), "203.0.113.9"),
    "v2, local": (v2(command=0, family=0), "127.0.0.1"),
}


@pytest.mark.parametrize("name", GOOD)
def test_believed(gatehouse, backend, name):
    head, client = GOOD[name]
    gate = start(gatehouse, backend)
    with gate.connect() as connection:
        connection.send(head + wire.request())
        answer = connection.answer()
    assert answer.status == 200
    assert gate.record_of(answer)["client_ip"] == client


def test_byte_by_byte(gatehouse, backend):
    gate = start(gatehouse, backend)
    for head in (v1(), v2()):
        with gate.connect() as connection:
            for at in range(len(head)):
                connection.send(head[at : at + 1])
            connection.send(wire.request())
            assert gate.record_of(connection.answer())["client_ip"] == "203.0.113.9"


BAD = {
    "nothing": b"",
    "v1 without its end": b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443" + b"x" * 100,
    "v1 with a bare LF": b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\n",
    "v1 with a bad address": v1("TCP4 203.0.113.999 192.0.2.1 1234 443"),
    "v1 with the wrong family": v1("TCP4 2001:db8::1 192.0.2.1 1234 443"),
    "v1 with a bad port": v1("TCP4 203.0.113.9 192.0.2.1 99999 443"),
    "v1 with leading zeros": v1("TCP4 203.0.113.09 192.0.2.1 1234 443"),
    "v1 with a field missing": v1("TCP4 203.0.113.9 192.0.2.1 1234"),
    "v1 with a field too many": v1("TCP4 203.0.113.9 192.0.2.1 1234 443 1"),
    "v2 of version 3": v2(version=3),
    "v2 with an unknown command": v2(command=2),
    "v2 that is too short": SIGNATURE + b"\x21\x11\0\x04abcd",
}


@pytest.mark.parametrize("name", BAD)
def test_refused(gatehouse, backend, name):
    gate = start(gatehouse, backend, limits={"header_timeout": "1s"})
    with gate.connect() as connection:
        connection.send(BAD[name] + wire.request())
        assert connection.is_closed(within=5)
        assert b"HTTP/1.1 2" not in connection.buffer


@pytest.mark.parametrize("mode, head, good", [("v1", v1(), True), ("v1", v2(), False), ("v2", v2(), True), ("v2", v1(), False)])
def test_one_version_only(gatehouse, backend, mode, head, good):
    gate = start(gatehouse, backend, mode)
    with gate.connect() as connection:
        connection.send(head + wire.request())
        assert (connection.is_closed(within=2) and b"HTTP/1.1 2" not in connection.buffer) != good or connection.answer().status == 200


def test_not_from_strangers(gatehouse, backend):
    gate = start(gatehouse, backend, trusted=("192.0.2.0/24",))
    with gate.connect() as connection:
        connection.send(v1() + wire.request())
        data = connection.rest()
    assert b"HTTP/1.1 2" not in data


def test_bans_follow_the_client(gatehouse, backend):
    gate = gatehouse(backend(), bans={"deny": ["203.0.113.0/24"]}, listeners=[
        gateway.Gateway.listener(proxy_protocol="any", trusted_proxies=["127.0.0.0/8"])])  # fmt: skip
    with gate.connect() as connection:
        connection.send(v1() + wire.request())
        assert connection.answer().status == 403


def test_connections_are_counted_by_client(gatehouse, backend):
    """The bound is the client's behind the proxy, whoever that is; the proxy itself has none."""
    gate = start(gatehouse, backend, limits={"connections_per_ip": 2})

    def open_for(address):
        connection = gate.connect()
        try:
            connection.send(v1(f"TCP4 {address} 192.0.2.1 1234 443") + wire.request())
            status = connection.answer().status
        except (OSError, wire.Closed):
            status = None
        return connection, status

    first, second, third = open_for("203.0.113.1"), open_for("203.0.113.1"), open_for("203.0.113.1")
    assert [status for _, status in (first, second, third)] == [200, 200, None]
    others = [open_for(f"203.0.113.{n}") for n in range(2, 8)]
    assert {status for _, status in others} == {200}
    assert gate.metric("gatehouse_connections_refused_total", reason="connections_per_ip") == 1
    first[0].close()
    wire.eventually(lambda: open_for("203.0.113.1")[1] == 200)
    local = [gate.connect() for _ in range(4)]
    for connection in local:  # the proxy's own probes
        connection.send(v2(command=0, family=0) + wire.request())
        assert connection.answer().status == 200
    for connection in [second[0], third[0], *local, *(one for one, _ in others)]:
        connection.close()


ATTACKS = {"attacks": {"threshold": 3, "window": "1m", "ban": "10m", "max_ban": "1h"}}
SMUGGLED = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"


def test_attacks_count_for_the_client(gatehouse, backend):
    gate = gatehouse(backend(), penalties=ATTACKS, listeners=[
        gateway.Gateway.listener(proxy_protocol="any", trusted_proxies=["127.0.0.0/8"])])  # fmt: skip

    def ask(address, data=None):
        with gate.connect() as connection:
            connection.send(v1(f"TCP4 {address} 192.0.2.1 1234 443") + (data or wire.request()))
            return connection.answer().status

    for _ in range(3):
        assert ask("203.0.113.1", SMUGGLED) == 400
    wire.eventually(lambda: ask("203.0.113.1") == 403)
    assert ask("203.0.113.2") == 200
    for _ in range(5):  # not the proxy either, when its header is broken
        with gate.connect() as connection:
            connection.send(b"PROXY nonsense\r\n")
            connection.rest()
    assert ask("203.0.113.2") == 200


def test_attacks_behind_a_proxy_that_forwards(gatehouse, backend):
    """Where the client is known only from a field, a request that is not one is held against nobody; others are."""
    gate = gatehouse(backend(), penalties=ATTACKS, listeners=[gateway.Gateway.listener(trusted_proxies=["127.0.0.0/8"])])
    for _ in range(5):
        assert gate.ask(b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\nHost: a\r\nHost: b\r\n\r\n").status == 400
        assert gate.ask(SMUGGLED).status == 400
    assert gate.ask(fields={"X-Forwarded-For": "203.0.113.9"}).status == 200
    for _ in range(3):
        assert gate.ask(target="/%00", fields={"X-Forwarded-For": "203.0.113.8"}).status == 400
    wire.eventually(lambda: gate.ask(fields={"X-Forwarded-For": "203.0.113.8"}).status == 403)
    assert gate.ask(fields={"X-Forwarded-For": "203.0.113.9"}).status == 200
    assert gate.ask().status == 200
