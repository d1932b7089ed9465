"""HTTP/1 as clients use it: kept connections, bodies both ways, 100-continue, bounds, and what the upstream is told."""

import json
import subprocess
import time

import pytest

import gateway
import upstream
import wire
from upstream import mirror, raw, well


def curl(*arguments):
    """curl's output and its report: (body, {"code": …, "version": …})."""
    report = '\n{"code": %{http_code}, "version": "%{http_version}", "uploaded": %{size_upload}}'
    run = subprocess.run(["curl", "-sS", "--max-time", "20", "-w", report, *map(str, arguments)], capture_output=True, timeout=30)
    assert run.returncode == 0, run.stderr.decode()
    body, _, last = run.stdout.rpartition(b"\n")
    return body, json.loads(last)


def seen(answer):
    """What the mirror back end got, its fields as a dictionary of lists."""
    shown = json.loads(answer.body)
    fields = {}
    for name, value in shown["fields"]:
        fields.setdefault(name, []).append(value)
    return {**shown, "fields": fields}


def test_curl(gatehouse, backend):
    gate = gatehouse(backend())
    body, report = curl(gate.url("/products?page=2"), "-H", "X-Test: 1")
    assert report["code"] == 200 and report["version"] == "1.1"
    assert json.loads(body)["target"] == "/products?page=2"


def test_kept_connections_on_both_sides(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, process={"shards": 1})
    with gate.connect() as connection:
        for number in range(20):
            connection.send(wire.request(target=f"/{number}"))
            assert seen(connection.answer())["target"] == f"/{number}"
    assert back.connections == 1


def test_pipelining(gatehouse, backend):
    gate = gatehouse(backend())
    with gate.connect() as connection:
        connection.send(b"".join(wire.request(target=f"/{number}") for number in range(10)))
        assert [seen(connection.answer())["target"] for _ in range(10)] == [f"/{number}" for number in range(10)]


def test_http10_closes(gatehouse, backend):
    gate = gatehouse(backend())
    with gate.connect() as connection:
        connection.send(wire.request(version="HTTP/1.0"))
        assert connection.answer().status == 200
        assert connection.is_closed()


def test_connection_close_is_honoured(gatehouse, backend):
    gate = gatehouse(backend())
    with gate.connect() as connection:
        connection.send(wire.request(fields={"Connection": "close"}))
        answer = connection.answer()
        assert answer.get("connection") == "close" and connection.is_closed()


def test_head(gatehouse, backend):
    gate = gatehouse(backend(well(body=b"")))
    with gate.connect() as connection:
        for _ in range(2):
            connection.send(wire.request("HEAD"))
            assert connection.answer("HEAD").status == 200


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_upload(gatehouse, backend, tmp_path, size, framing):
    back = backend(well())
    gate = gatehouse(back)
    if (size, framing) == (0, "chunked"):
        pytest.skip("curl 7.88 never ends an empty chunked body")
    file = tmp_path / "body"
    file.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    extra = ["-H", "Transfer-Encoding: chunked"] if framing == "chunked" else []
    _, report = curl(gate.url(), "-T", file, *extra)
    assert report["code"] == 200
    assert back.bodies[-1] == file.read_bytes()


def test_a_chunked_body_is_framed_anew(gatehouse, backend):
    """Chunk extensions and sizes are the client's; the upstream gets our framing."""
    back = backend(well())
    gate = gatehouse(back)
    body = b"5;secret=1\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert gate.ask(method="POST", fields={"Transfer-Encoding": "chunked"}, body=body).status == 200
    assert back.bodies[-1] == b"hello world"
    assert b"secret" not in back.bytes


def test_continue(gatehouse, backend):
    """The interim answer comes before the body is sent, and the final one after it."""
    back = backend(well())
    gate = gatehouse(back)
    with gate.connect() as connection:
        connection.send(wire.request("PUT", fields={"Expect": "100-continue", "Content-Length": "5"}))
        assert connection.head().status == 100
        connection.send(b"hello")
        assert connection.answer().status == 200
    assert back.bodies[-1] == b"hello"


def test_no_continue_for_a_refused_request(gatehouse, backend):
    """A body that nobody will read is not asked for."""
    back = backend(well())
    gate = gatehouse(back, routes=[{"name": "private", "match": {"path": "/**"}, "service": "main"}])
    answer = gate.ask(method="PUT", fields={"Expect": "100-continue", "Content-Length": "5"})
    assert (answer.status, answer.informational) == (401, [])
    assert not back.bytes


def test_curl_waits_for_continue(gatehouse, backend, tmp_path):
    gate = gatehouse(backend(well()))
    file = tmp_path / "body"
    file.write_bytes(b"x" * 2_000_000)
    _, report = curl(gate.url(), "-T", file, "-H", "Expect: 100-continue")
    assert (report["code"], report["uploaded"]) == (200, 2_000_000)


def test_a_body_past_the_bound(gatehouse, backend):
    gate = gatehouse(backend(well()), routes=[
        {"name": "all", "match": {"path": "/**"}, "service": "main", "public": True, "body_bytes": "1KiB"}])  # fmt: skip
    assert gate.ask(method="POST", body=b"x" * 1024).status == 200
    with gate.connect() as connection:
        connection.send(wire.request("POST", fields={"Content-Length": "1025"}))
        answer = connection.answer()
        assert answer.status == 413
    assert gate.record_of(answer)["reason"] in ("limits.body", "http.body_too_large")
    with gate.connect() as connection:
        connection.send(wire.request("POST", fields={"Transfer-Encoding": "chunked"}, body=b"800\r\n" + b"x" * 2048 + b"\r\n"))
        assert connection.answer().status == 413
        assert connection.is_closed()


def test_requests_per_connection(gatehouse, backend):
    gate = gatehouse(backend(), listeners=[gateway.Gateway.listener(limits={"requests_per_connection": 3})])
    with gate.connect() as connection:
        for number in range(3):
            connection.send(wire.request())
            answer = connection.answer()
            assert answer.status == 200
            assert (answer.get("connection") == "close") == (number == 2)
        assert connection.is_closed()




def test_timeouts_of_a_connection(gatehouse, backend):
    limits = {"header_timeout": "500ms", "idle_timeout": "1s", "body_min_rate": 1000}
    gate = gatehouse(backend(well()), listeners=[gateway.Gateway.listener(limits=limits)])
    with gate.connect() as connection:  # a head that never ends
        connection.send(b"GET / HTTP/1.1\r\nHost: shop")
        began = time.monotonic()
        answer = connection.answer()
        assert answer.status == 408 and 0.4 < time.monotonic() - began < 3
        assert connection.is_closed()
    assert gate.record_of(answer)["reason"] == "http.header_timeout"
    with gate.connect() as connection:  # nothing at all
        assert connection.is_closed(within=4)
    with gate.connect() as connection:  # a body of ten bytes a second
        connection.send(wire.request("POST", fields={"Content-Length": "100000"}))
        began = time.monotonic()
        try:
            while time.monotonic() - began < 15:
                connection.send(b"x")
                time.sleep(0.1)
            raise AssertionError("a slow body was taken for 15 s")
        except OSError:
            pass


# What the upstream is told


def test_hop_by_hop_fields_end_here(gatehouse, backend):
    gate = gatehouse(backend())
    fields = {"Connection": "keep-alive, X-Private", "Keep-Alive": "timeout=5", "X-Private": "1", "X-Public": "1",
              "Proxy-Connection": "keep-alive", "TE": "gzip", "Trailer": "X-Sum", "Upgrade": "h2c"}  # fmt: skip
    got = seen(gate.ask(fields=fields))["fields"]
    assert got["x-public"] == ["1"]
    for name in ("x-private", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"):
        assert name not in got
    assert "x-private" not in " ".join(got.get("connection", []))


def test_connection_cannot_remove_what_we_set(gatehouse, backend):
    gate = gatehouse(backend())
    got = seen(gate.ask(fields={"Connection": "close, X-Forwarded-For, Host, Content-Length, X-Request-Id"}))["fields"]
    assert got["x-forwarded-for"] == ["127.0.0.1"] and got["host"] == ["shop.example"] and "x-request-id" in got


@pytest.mark.parametrize("name", ["X-Gatehouse-User", "x-gatehouse-roles", "X-GATEHOUSE-IDENTITY", "X-User", "X-Forwarded-User",
                                  "X-Gatehouse-Anything"])  # fmt: skip
def test_forged_identity_is_removed(gatehouse, backend, name):
    gate = gatehouse(backend())
    got = seen(gate.ask(fields={name: "forged"}))
    assert "forged" not in json.dumps(got["fields"])


def test_forwarded_fields_are_ours(gatehouse, backend):
    gate = gatehouse(backend())
    forged = {"X-Forwarded-For": "203.0.113.66", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
              "X-Forwarded-Port": "443", "Forwarded": "for=203.0.113.66"}  # fmt: skip
    answer = gate.ask(fields=forged)
    got = seen(answer)["fields"]
    assert "203.0.113.66" not in json.dumps(got) and "evil.example" not in json.dumps(got)
    assert got["x-forwarded-for"] == ["127.0.0.1"] and got["x-forwarded-proto"] == ["http"]
    assert gate.record_of(answer)["client_ip"] == "127.0.0.1"


def test_a_trusted_proxy_is_believed(gatehouse, backend):
    gate = gatehouse(backend(), listeners=[gateway.Gateway.listener(trusted_proxies=["127.0.0.0/8"])])
    answer = gate.ask(fields={"X-Forwarded-For": "203.0.113.66, 198.51.100.7"})
    # the nearest address that is not a trusted proxy: everything left of it may be forged, and is not passed on
    assert gate.record_of(answer)["client_ip"] == "198.51.100.7"
    assert seen(answer)["fields"]["x-forwarded-for"] == ["198.51.100.7, 127.0.0.1"]


def test_request_ids(gatehouse, backend):
    back = backend()
    gate = gatehouse(back)
    ids = set()
    for _ in range(5):
        answer = gate.ask(fields={"X-Request-Id": "chosen-by-the-client"})
        assert seen(answer)["fields"]["x-request-id"] == [answer.get("x-request-id")]
        ids.add(answer.get("x-request-id"))
    assert len(ids) == 5 and all(len(one) == 26 for one in ids)


@pytest.mark.parametrize("accept, kind", [
    ("application/json", "application/problem+json"), ("*/*", "application/problem+json"),
    ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html")])  # fmt: skip
def test_refusals_say_nothing_about_why(gatehouse, backend, accept, kind):
    gate = gatehouse(backend(), routes=[{"name": "private", "match": {"path": "/**"}, "service": "main"}])
    answer = gate.ask(fields={"Accept": accept})
    assert answer.status == 401 and answer.get("content-type").startswith(kind)
    assert answer.get("x-request-id").encode() in answer.body
    text = answer.body.decode().lower()
    for word in ("token", "jwt", "layer", "route", "gatehouse", "127.0.0.1"):
        assert word not in text
    if kind.endswith("json"):
        assert json.loads(answer.body)["status"] == 401
    assert gate.record_of(answer)["reason"].startswith("auth.")


def test_unmatched_is_404(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, routes=[{"name": "one", "match": {"path": "/one"}, "service": "main", "public": True}])
    assert gate.ask(target="/one").status == 200
    answer = gate.ask(target="/two")
    assert answer.status == 404 and len(back.heads) == 1
    assert gate.record_of(answer)["reason"]


def test_unix_sockets_both_sides(gatehouse, backend, tmp_path):
    gate = gatehouse.prepare()
    back = backend(path=str(gate.dir / "back.sock"))
    (gate.dir / "back.sock").chmod(0o777)
    gate.config["services"]["main"]["endpoints"] = [f"unix:{gate.dir}/back.sock"]
    gate.config["listeners"] = [gateway.Gateway.listener(address=f"unix:{gate.dir}/front.sock")]
    gate.start()
    assert gate.ask().status == 200
    body, report = curl("--unix-socket", f"{gate.dir}/front.sock", "http://shop.example/x")
    assert report["code"] == 200 and json.loads(body)["target"] == "/x"
    assert len(back.heads) == 2


def test_response_trailers_reach_the_client(gatehouse, backend):
    chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\nContent-Length: 5\r\n\r\n"
    gate = gatehouse(backend(raw(chunks.replace("Content-Length: 5\r\n", "").encode())))
    answer = gate.ask(fields={"TE": "trailers"})
    assert (answer.body, answer.trailers) == (b"ok", [("x-sum", "9")])


def test_server_and_friends_are_removed(gatehouse, backend):
    fields = [("Server", "Apache/2.2.1"), ("X-Powered-By", "PHP/5.3"), ("X-AspNet-Version", "4"), ("Content-Type", "text/plain")]
    gate = gatehouse(backend(well(fields=fields)))
    answer = gate.ask()
    assert [answer.get(name) for name in ("server", "x-powered-by", "x-aspnet-version")] == [None] * 3


def test_an_upstream_cannot_speak_for_us(gatehouse, backend):
    gate = gatehouse(backend(well(fields=[("X-Request-Id", "forged"), ("Connection", "X-Private"), ("X-Private", "1")])))
    answer = gate.ask()
    assert answer.get("x-request-id") != "forged" and len(answer.all("x-request-id")) == 1
    assert answer.get("x-private") is None


def test_streaming_without_delay(gatehouse, backend):
    """Server-sent events arrive one by one, not when the response is complete."""

    def events(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            peer.send(b"9\r\ndata: x\n\n\r\n")
            if not go_on.wait(5):
                return
            go_on.clear()
        peer.send(b"0\r\n\r\n")

    go_on = upstream.threading.Event()
    gate = gatehouse(backend(events))
    with gate.connect(timeout=3) as connection:
        connection.send(wire.request(fields={"Accept": "text/event-stream"}))
        assert connection.head().status == 200
        for _ in range(3):
            assert b"data: x" in connection.until(b"\n\n")
            go_on.set()


def test_upgrade_is_not_passed_on(gatehouse, backend):
    back = backend()
    gate = gatehouse(back)
    answer = gate.ask(fields={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                              "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})  # fmt: skip
    assert answer.status != 101
    assert not back.heads or back.field("upgrade") is None


def test_mirror_is_what_it_says(backend):
    """The harness itself: the back end shows what it gets."""
    back = backend(mirror)
    answer = wire.ask(("127.0.0.1", back.port), method="POST", target="/x?y", fields={"X-A": "1"}, body=b"hello")
    assert seen(answer)["fields"]["x-a"] == ["1"] and seen(answer)["body"] == "hello" and seen(answer)["target"] == "/x?y"
