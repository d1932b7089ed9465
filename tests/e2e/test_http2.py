"""HTTP/2: what must be refused (RFC 9113 §8), floods, and real clients."""

import json
import re
import subprocess
import time

import pytest

import gateway
import h2wire
import wire
from h2wire import GET, ContinuationFrame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
from upstream import well


def fields(*extra, **pseudo):
    """A good GET with pseudo-fields changed (None removes one) and fields added."""
    changed = [(name, pseudo.get(name[1:], value)) for name, value in GET]
    return [(name, value) for name, value in changed if value is not None] + list(extra)


# name: (fields, reasons that fit); every one is a stream error or a 400, and nothing reaches the upstream
REFUSED = {
    "an upper-case name": (fields(("X-Test", "1")), "h2_uppercase_name h2_protocol_error field_name"),
    "connection": (fields(("connection", "close")), "h2_connection_header"),
    "keep-alive": (fields(("keep-alive", "1")), "h2_connection_header"),
    "proxy-connection": (fields(("proxy-connection", "1")), "h2_connection_header"),
    "transfer-encoding": (fields(("transfer-encoding", "chunked")), "h2_connection_header"),
    "upgrade": (fields(("upgrade", "websocket")), "h2_connection_header"),
    "te other than trailers": (fields(("te", "gzip")), "h2_connection_header"),
    "no method": (fields(method=None), "h2_pseudo_header"),
    "no scheme": (fields(scheme=None), "h2_pseudo_header"),
    "no path": (fields(path=None), "h2_pseudo_header"),
    "no authority and no host": (fields(authority=None), "h2_pseudo_header missing_host"),
    "an empty path": (fields(path=""), "h2_pseudo_header target"),
    "two methods": ([(":method", "GET"), *GET], "h2_pseudo_header"),
    "two paths": ([*GET, (":path", "/admin")], "h2_pseudo_header"),
    "two authorities": ([*GET, (":authority", "evil.example")], "h2_pseudo_header"),
    "a pseudo-field after a field": ([*GET[:3], ("x-a", "1"), GET[3]], "h2_pseudo_header"),
    "an unknown pseudo-field": ([*GET, (":evil", "1")], "h2_pseudo_header"),
    "a response's pseudo-field": ([*GET, (":status", "200")], "h2_pseudo_header"),
    "authority and host that differ": (fields(("host", "evil.example")), "authority_mismatch"),
    "CR in a value": (fields(("x-a", "a\rb")), "control_byte bare_cr h2_protocol_error"),
    "LF in a value": (fields(("x-a", "a\nb")), "control_byte bare_lf h2_protocol_error"),
    "NUL in a value": (fields(("x-a", "a\0b")), "control_byte h2_protocol_error"),
    "CR LF in a path": (fields(path="/a\r\nX: y"), "target control_byte h2_protocol_error h2_pseudo_header"),
    "a space in a path": (fields(path="/a HTTP/1.1"), "target h2_protocol_error h2_pseudo_header"),
    "a space in a name": (fields(("x a", "1")), "field_name h2_protocol_error"),
    "a colon in a name": (fields(("x:a", "1")), "field_name h2_protocol_error"),
    "an empty name": (fields(("", "1")), "field_name h2_protocol_error"),
    "a name with an underscore": (fields(("x_role", "admin")), "underscore_in_name"),
    "an authority with userinfo": (fields(authority="a@shop.example"), "host h2_pseudo_header h2_protocol_error"),
    "a method that is no token": (fields(method="GE T"), "method h2_protocol_error h2_pseudo_header"),
    "two lengths": (fields(("content-length", "1"), ("content-length", "2")), "duplicate_content_length content_length h2_protocol_error"),
    "%2F in the path": (fields(path="/a%2Fb"), "encoded_slash"),
    "a long path": (fields(path="/" + "a" * 9000), "uri_too_long"),
}  # fmt: skip


@pytest.fixture(scope="module")
def armed():
    import upstream

    back = upstream.Upstream(upstream.mirror)
    one = gateway.Gateway(back).start()
    yield one, back
    back.stop()
    one.discard()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(armed, name):
    gate, back = armed
    sent, reasons = REFUSED[name]
    before = len(back.bytes)
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, sent))
        outcome, detail = session.answer(1)
        assert outcome in ("reset", 400, 414, 431, "goaway"), (outcome, detail)
        assert len(back.bytes) == before
        if outcome != "goaway":  # a stream error leaves the connection to the others
            session.send(session.headers(3, GET))
            assert session.answer(3)[0] == 200
    wire.eventually(lambda: any(r["reason"] in ["http." + reason for reason in reasons.split()] for r in gate.read_log()[-6:]),
                    what=f"none of {reasons} in the log: {[r['reason'] for r in gate.records[-6:]]}")  # fmt: skip


@pytest.mark.parametrize("body, announced", [(b"abc", "4"), (b"abcd", "3"), (b"", "1")])
def test_content_length_must_be_true(armed, body, announced):
    gate, _ = armed
    with h2wire.open_session(gate) as session:
        sent = fields(("content-length", announced), method="POST")
        session.send(session.headers(1, sent, end_stream=not body))
        if body:
            session.send(session.data(1, body, end_stream=True))
        outcome, _ = session.answer(1)
        assert outcome in ("reset", 400, "goaway")


def test_accepted(armed):
    gate, back = armed
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, fields(("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-a", "é"))))
        status, body = session.answer(1)
        assert status == 200
        got = dict(map(tuple, json.loads(body)["fields"]))
        assert got["cookie"] == "a=1; b=2" and got["host"] == "shop.example"
        session.send(session.headers(3, fields(("content-length", "5"), method="POST"), end_stream=False),
                     session.data(3, b"he"), session.data(3, b"llo", end_stream=True))  # fmt: skip
        status, body = session.answer(3)
        assert (status, json.loads(body)["body"]) == (200, "hello")
        session.send(session.headers(5, fields(("host", "shop.example"), authority=None)))
        assert session.answer(5)[0] == 200


def test_an_http1_preface_is_not_taken_for_http2(armed):
    gate, _ = armed
    with gate.connect() as connection:
        connection.send("PRI * HTTP/2.0\r\nHost: shop.example\r\n\r\n")
        data = connection.rest()
        assert not data.startswith(b"HTTP/1.1 2")


def test_streams_past_the_bound_are_refused(gatehouse, backend):
    gate = gatehouse(backend(well(delay=1)), listeners=[gateway.Gateway.listener(limits={"h2_streams": 10})])
    with h2wire.open_session(gate) as session:
        for number in range(12):
            session.send(session.headers(1 + 2 * number, GET))
        frame = session.until(lambda one: isinstance(one, (RstStreamFrame, GoAwayFrame)))
        assert isinstance(frame, (RstStreamFrame, GoAwayFrame))
        if isinstance(frame, RstStreamFrame):
            assert frame.stream_id in (21, 23)


# Floods. Each yields frames until the gateway has had enough; it must say so and go on serving others.


def rapid_reset(session):
    for number in range(20_000):
        stream = 1 + 2 * number
        yield session.headers(stream, GET).serialize() + RstStreamFrame(stream, error_code=8).serialize()


def made_you_reset(session):
    """Each stream provokes the gateway into resetting it (CVE-2025-8671)."""
    for number in range(20_000):
        stream = 1 + 2 * number
        yield session.headers(stream, GET, end_stream=False).serialize() + WindowUpdateFrame(stream, window_increment=2**31 - 1).serialize()


def continuation(session):
    yield session.headers(1, GET, end_headers=False).serialize()
    for _ in range(50_000):
        yield ContinuationFrame(1, session.encoder.encode([("x-a", "b" * 100)])).serialize()


def empty_continuation(session):
    yield session.headers(1, GET, end_headers=False).serialize()
    for _ in range(50_000):
        yield ContinuationFrame(1, b"").serialize()


def settings(session):
    for number in range(50_000):
        yield SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535 + number % 2}).serialize()


def ping(session):
    for number in range(50_000):
        yield PingFrame(0, number.to_bytes(8, "big")).serialize()


def empty_data(session):
    yield session.headers(1, fields(method="POST"), end_stream=False).serialize()
    for _ in range(50_000):
        yield session.data(1, b"").serialize()


def window_updates(session):
    yield session.headers(1, fields(method="POST"), end_stream=False).serialize()
    for _ in range(50_000):
        yield WindowUpdateFrame(0, window_increment=1).serialize()


def hpack_expansion(session):
    """One large entry in the dynamic table, then references to it: a few bytes each that mean four thousand."""
    yield session.headers(1, [*GET, ("x-large", "a" * 3900)]).serialize()
    index = bytes([0x80 | 62])
    for number in range(1, 20_000):
        frame = HeadersFrame(1 + 2 * number, session.encoder.encode(GET) + index * 200, flags=["END_HEADERS", "END_STREAM"])
        yield frame.serialize()


FLOODS = [rapid_reset, made_you_reset, continuation, empty_continuation, settings, ping, empty_data, window_updates, hpack_expansion]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_floods(gatehouse, backend, flood):
    gate = gatehouse(backend(well(delay=0.05)), services={"main": {"circuit": {"requests": 100_000, "connections": 200}}})
    assert gate.ask().status == 200
    memory = gate.rss_bytes()
    with h2wire.open_session(gate) as session:
        sent, ended = 0, False
        session.connection.socket.settimeout(5)
        batch = b""
        try:
            for frames in flood(session):
                batch += frames
                sent += 1
                if sent % 100 == 0:
                    session.connection.send(batch)
                    batch = b""
            session.connection.send(batch)
        except OSError:
            ended = True
        code = session.goaway()
        assert ended or session.closed or code is not None, f"{sent} steps of the flood were taken"
        if code is not None:
            assert code in (h2wire.ENHANCE_YOUR_CALM, h2wire.PROTOCOL_ERROR)
    assert gate.ask(timeout=3).status == 200
    assert gate.rss_bytes() - memory < 64 << 20
    wire.eventually(lambda: any(str(r["reason"]).startswith("http.h2_") or r["reason"] == "http.header_too_large"
                                or r["reason"] == "http.too_many_headers" for r in gate.read_log()))  # fmt: skip
    print(f"{flood.__name__}: ended after {sent} steps, {(gate.rss_bytes() - memory) >> 10} KiB")


def test_a_client_that_has_said_all(gatehouse, backend):
    """Closing the sending half is no hanging up: what begins within a second is delivered, the rest is given up."""
    gate = gatehouse(backend(well(delay=0.3)))
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, GET))
        session.connection.socket.shutdown(1)
        assert session.answer(1) == (200, b"ok\n")
        assert session.until(lambda one: False) is None  # and then the connection ends
    slow = gatehouse(backend(well(delay=3)))
    with h2wire.open_session(slow) as session:
        session.send(session.headers(1, GET))
        session.connection.socket.shutdown(1)
        began = time.monotonic()
        assert session.answer(1)[0] in ("reset", "closed") and 0.8 < time.monotonic() - began < 2.5
    assert slow.record(path="/")["reason"] == "client.closed"


def test_a_bad_body_leaves_one_record(gatehouse, backend):
    """The 413 carries the id of the record that the request had begun."""
    gate = gatehouse(backend(), routes=[{"name": "all", "match": {"path": "/**"}, "service": "main", "public": True, "body_bytes": "1KiB"}])
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, fields(method="POST"), end_stream=False), session.data(1, b"x" * 2000, True))
        head = session.until(lambda one: isinstance(one, HeadersFrame))
        assert dict(head.fields)[":status"] == "413"
    records = [one for one in [gate.record(request_id=dict(head.fields)["x-request-id"])] + gate.records]
    assert len({one["request_id"] for one in records}) == 1 and records[0]["status"] == 413
    assert records[0]["reason"] == "http.body_too_large" and records[0]["route"] == "all"


# Real clients


def curl(*arguments):
    run = subprocess.run(["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code} %{http_version}", *map(str, arguments)],
                         capture_output=True, timeout=30)  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    body, _, last = run.stdout.rpartition(b"\n")
    return body, last.decode()


def test_curl_h2c(gatehouse, backend):
    gate = gatehouse(backend())
    body, report = curl("--http2-prior-knowledge", gate.url("/x"))
    assert report == "200 2" and json.loads(body)["target"] == "/x"
    assert gate.record(path="/x")["protocol"] == "HTTP/2"


def test_curl_h2_upload(gatehouse, backend, certificates, tmp_path):
    back = backend(well())
    gate = gatehouse(back, listeners=[gateway.Gateway.listener(tls=certificates.listener_tls())])
    file = tmp_path / "body"
    file.write_bytes(b"0123456789abcdef" * 200_000)
    _, report = curl("--cacert", certificates.ca, "--http2", "-T", file, gate.url("/x", scheme="https"))
    assert report == "200 2" and back.bodies[-1] == file.read_bytes()


def test_h2_to_the_upstream(gatehouse, backend):
    """Two gateways in a row speak h2c to each other."""
    back = backend()
    inner = gatehouse(back)
    outer = gatehouse(["h2c://127.0.0.1:%d" % inner.address()[1]])
    with outer.connect() as connection:
        for number in range(5):
            connection.send(wire.request("POST", f"/{number}", body=b"x" * 100_000))
            answer = connection.answer()
            assert answer.status == 200 and len(json.loads(answer.body)["body"]) == 100_000
    assert inner.record(path="/4")["protocol"] == "HTTP/2"


def test_nghttp(gatehouse, backend):
    gate = gatehouse(backend())
    run = subprocess.run(["nghttp", "-v", "-n", gate.url("/x")], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and ":status: 200" in run.stdout


@pytest.mark.parametrize("tool", ["h2load", "wrk"])
def test_load(gatehouse, backend, tool):
    """Every request of a short load is answered with a 200."""
    gate = gatehouse(backend(well(), backlog=1024))
    if tool == "h2load":
        out = subprocess.run(["h2load", "-n", "2000", "-c", "10", "-m", "10", gate.url()], capture_output=True, text=True, timeout=60).stdout
        assert re.search(r"2000 succeeded, 0 failed, 0 errored", out) and "status codes: 2000 2xx" in out, out
    else:
        out = subprocess.run(["wrk", "-t1", "-c20", "-d2s", gate.url()], capture_output=True, text=True, timeout=60).stdout
        assert "Non-2xx" not in out and "Socket errors" not in out and int(re.search(r"(\d+) requests in", out)[1]) > 100, out
