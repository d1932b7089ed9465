"""Bodies far larger than memory, both ways, with back-pressure: the gateway's memory stays where it was.

512 MiB here; 5 GiB with GATEHOUSE_LONG=1.
"""

import os
import threading
import time

import pytest

import gateway
import wire

MIB = 1 << 20
SIZE = 5 * 1024 * MIB if os.environ.get("GATEHOUSE_LONG") else 512 * MIB
BLOCK = bytes(MIB)


class Watch:
    """The largest memory the gateway had meanwhile."""

    def __init__(self, gate):
        self.gate, self.before = gate, gate.rss_bytes()
        self.most = self.before
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.gate.rss_bytes())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def grown(self):
        return self.most - self.before


def source(peer):
    """Answers with SIZE bytes."""
    while peer.read_request():
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {SIZE}\r\n\r\n")
        for _ in range(SIZE // MIB):
            peer.send(BLOCK)


def sink(peer):
    """Swallows a body without keeping it, and answers with its size."""
    head = peer.read_head()
    size = int(dict(head[1]).get("content-length", 0))
    got = len(peer.buffer)
    while got < size:
        data = peer.socket.recv(MIB)
        if not data:
            return
        got += len(data)
    peer.answer(200, str(got).encode())


def large(**keys):
    return [{"name": "all", "match": {"path": "/**"}, "service": "main", "public": True, "body_bytes": "8GiB", **keys}]


@pytest.mark.parametrize("over", ["plain", "tls"])
def test_download(gatehouse, backend, certificates, over):
    keys = {"tls": certificates.listener_tls()} if over == "tls" else {}
    gate = gatehouse(backend(source), routes=large(), listeners=[gateway.Gateway.listener(**keys)])
    options = {"tls": certificates.client_context(), "server_name": "shop.example"} if over == "tls" else {}
    with Watch(gate) as watch, gate.connect(timeout=60, **options) as connection:
        began = time.monotonic()
        connection.send(wire.request())
        assert int(connection.head().get("content-length")) == SIZE
        got, view = len(connection.buffer), memoryview(bytearray(MIB))
        while got < SIZE:
            size = connection.socket.recv_into(view)
            assert size, f"ended after {got} bytes"
            got += size
        seconds = time.monotonic() - began
    print(f"download, {over}: {SIZE / MIB / seconds:.0f} MiB/s, {watch.grown / MIB:.1f} MiB of memory")
    assert watch.grown < 8 * MIB


def test_upload(gatehouse, backend):
    gate = gatehouse(backend(sink), routes=large())
    with Watch(gate) as watch, gate.connect(timeout=60) as connection:
        began = time.monotonic()
        connection.send(wire.request("POST", fields={"Content-Length": str(SIZE)}))
        for _ in range(SIZE // MIB):
            connection.send(BLOCK)
        assert int(connection.answer().body) == SIZE
        seconds = time.monotonic() - began
    print(f"upload: {SIZE / MIB / seconds:.0f} MiB/s, {watch.grown / MIB:.1f} MiB of memory")
    assert watch.grown < 8 * MIB


def test_a_slow_upstream_slows_the_client_down(gatehouse, backend):
    """Back-pressure: what a client can send ahead of an upstream that doesn't read is bounded."""
    hold = threading.Event()

    def stuck(peer):
        peer.read_head()
        hold.wait(30)

    gate = gatehouse(backend(stuck), routes=large())
    with Watch(gate) as watch, gate.connect() as connection:
        connection.send(wire.request("POST", fields={"Content-Length": str(SIZE)}))
        connection.socket.settimeout(2)
        sent = 0
        try:
            while sent < SIZE:
                sent += connection.socket.send(BLOCK)
        except (TimeoutError, OSError):
            pass
        assert sent < 64 * MIB, "no back-pressure: the kernel's buffers hold less than this"
    hold.set()
    print(f"back-pressure after {sent / MIB:.1f} MiB, {watch.grown / MIB:.1f} MiB of memory")
    assert watch.grown < 8 * MIB


def test_http2_streams_share_a_connection(gatehouse, backend):
    """A stream that nobody reads doesn't hold up another on the same connection."""
    import h2wire

    gate = gatehouse(backend(source), routes=large())
    with Watch(gate) as watch, h2wire.open_session(gate) as session:
        session.send(session.headers(1, h2wire.GET))
        session.until(lambda frame: isinstance(frame, h2wire.DataFrame))
        session.send(h2wire.WindowUpdateFrame(0, window_increment=100 * MIB))  # the connection's window is open
        session.send(session.headers(3, h2wire.GET))
        frame = session.until(lambda one: one.stream_id == 3)
        assert dict(frame.fields)[":status"] == "200"
        time.sleep(0.5)
    assert watch.grown < 8 * MIB
