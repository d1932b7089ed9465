"""The gateway inspects answers where it is told to: what a service should not have said does not reach the client."""

import gzip
import json
import time
import zlib

import h2wire
import pytest
import waf_rules
import wire
from upstream import h2_well, in_chunks, in_turn, raw, well

LEAK = b"<p>ORA-01017: invalid username/password</p>"
HTML = ("Content-Type", "text/html; charset=utf-8")
PLAIN = ("Content-Type", "text/plain")


@pytest.fixture
def armed(gatehouse, backend):
    """armed(behaviour, **waf keys) starts a gateway with rules about answers; its back end is `gate.behind`."""

    def start(behaviour, route=None, **keys):
        behind = backend(behaviour)
        gate = gatehouse.prepare(behind, waf={"mode": "enforce", "response_body": "64KiB", **keys})
        gate.behind = behind
        gate.config["waf"].setdefault("rules", [waf_rules.small(gate, text=waf_rules.ANSWERS)])
        gate.config["routes"][0].update(route or {})
        return gate.start()

    return start


def over_h2(gate, method="GET", target="/"):
    head = [(":method", method), (":scheme", "http"), (":authority", "shop.example"), (":path", target)]
    with h2wire.open_session(gate) as session:
        session.send(session.headers(1, head, end_stream=True))
        return session.answer(1)


def brotli_stored(data):
    """As a brotli stream whose one meta-block is not compressed (RFC 7932 §9.2); at most 64 KiB."""
    return ((len(data) - 1) << 4 | 1 << 20).to_bytes(3, "little") + data + b"\x03"


def waf_layers(record):
    return [(layer["verdict"], layer["reason"]) for layer in record["layers"] if layer["layer"] == "waf"]


def test_a_leak_is_withheld(armed):
    gate = armed(well(500, LEAK, [HTML, ("Set-Cookie", "sid=1")]))
    answer = gate.ask(target="/report", fields={"Accept": "text/html"})
    assert answer.status == 403 and b"ORA" not in answer.body and answer.get("set-cookie") is None
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert gate.ask().get("content-type") == "application/problem+json"
    assert over_h2(gate)[0] == 403
    record = gate.record_of(answer)
    assert (record["verdict"], record["layer"], record["reason"], record["status"]) == ("deny", "waf", "waf.response_score", 403)
    found = record["waf"]
    assert (found["direction"], found["score"], found["threshold"], found["levels"]) == ("outbound", 5, 4, [5, 0, 0, 0])
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert list(rules) == [202, 959100]
    assert (rules[202]["score"], rules[202]["phase"], rules[202]["variable"], rules[202]["matched"]) == (5, 4, "RESPONSE_BODY", "ORA-01017")
    assert waf_layers(record) == [("pass", ""), ("deny", "waf.response_score")]
    assert record["layers"][-1]["evidence"] == "the answer's score 5, denied from 4: 202 in RESPONSE_BODY"
    words = gate.command("explain", record["request_id"]).stdout
    assert "the answer has a score of 5, where 4 denies" in words and "paranoia 1: 5 = 5" in words
    assert "waf.response_score: what the inspection rules found in the answer" in words
    assert gate.metric("gatehouse_waf_rule_hits_total", rule="202") == 3
    assert gate.metric("gatehouse_waf_phase_seconds_total", phase="4") > 0
    suggestion = gate.command("waf", "suggest", record["request_id"]).stdout
    assert "rule: 202" in suggestion and "target: RESPONSE_BODY" in suggestion and "path: /report" in suggestion


def test_the_suggestion_lets_it_pass(armed):
    gate = armed(well(200, LEAK, [HTML]), route={"waf": {"exclude": [{"rule": 202, "target": "RESPONSE_BODY", "path": "/report"}]}})
    assert gate.ask(target="/report").body == LEAK
    assert gate.ask(target="/other").status == 403


@pytest.mark.parametrize("name, behaviour", {
    "with a length": well(200, b"x" * 5000 + LEAK, [HTML]),
    "in chunks": in_chunks(b"x" * 500 + LEAK, [HTML]),
    "up to the end of the connection": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + LEAK),
    "JSON": well(200, b'{"error": "ORA-01017"}', [("Content-Type", "application/json")]),
    "problem": well(500, b'{"error": "ORA-01017"}', [("Content-Type", "application/problem+json")]),
    "of no type": well(200, LEAK, []),
    "gzip": well(200, gzip.compress(LEAK), [HTML, ("Content-Encoding", "gzip")]),
    "gzip in members": well(200, gzip.compress(b"fine") + gzip.compress(b"") + gzip.compress(LEAK), [HTML, ("Content-Encoding", "gzip")]),
    "deflate": well(200, zlib.compress(LEAK), [HTML, ("Content-Encoding", "deflate")]),
    "br": well(200, brotli_stored(LEAK), [HTML, ("Content-Encoding", "br")]),
    "gzip in chunks": in_chunks(gzip.compress(LEAK), [HTML, ("Content-Encoding", "gzip")], step=3),
    "a field": well(200, b"", [("X-Leak", "a leak")]),
    "a field of a picture": well(200, b"\x89PNG", [("Content-Type", "image/png"), ("X-Leak", "a leak")]),
}.items())  # fmt: skip
def test_leaks_however_they_come(armed, name, behaviour):
    gate = armed(behaviour)
    answer = gate.ask(fields={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.status == 403, name
    assert gate.record_of(answer)["reason"] == "waf.response_score"
    assert over_h2(gate)[0] == 403


@pytest.mark.parametrize("name, behaviour, body", [
    ("with a length", well(200, b"fine" * 1000, [HTML]), b"fine" * 1000),
    ("in chunks", in_chunks(b"fine" * 100, [HTML]), b"fine" * 100),
    ("empty", well(200, b"", [HTML]), b""),
    ("no content", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), b""),
    ("not modified", raw(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 100\r\n\r\n"), b""),
    ("a hint before", raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nfine"), b"fine"),
    ("a picture", well(200, LEAK, [("Content-Type", "image/png")]), LEAK),
    ("gzip", well(200, gzip.compress(b"fine"), [HTML, ("Content-Encoding", "gzip")]), gzip.compress(b"fine")),
])  # fmt: skip
def test_what_is_harmless_passes(armed, name, behaviour, body):
    gate = armed(behaviour)
    answer = gate.ask(fields={"Accept-Encoding": "gzip"} if name == "gzip" else {})
    assert answer.status < 400, gate.record_of(answer)
    if name != "gzip":  # its header has the time
        assert answer.body == body
    else:
        assert gzip.decompress(answer.body) == b"fine" and answer.get("content-encoding") == "gzip"
    record = gate.record_of(answer)
    assert record["verdict"] == "pass" and "waf" not in record
    assert waf_layers(record) == [("pass", ""), ("pass", "")]


def test_heads_alone(armed):
    gate = armed(well(200, b"", [HTML]))
    assert gate.ask(method="HEAD").status == 200
    denied = armed(well(200, b"", [HTML, ("X-Leak", "a leak")])).ask(method="HEAD")
    assert (denied.status, denied.body) == (403, b"")


def test_a_rule_that_denies_by_itself(armed):
    gate = armed(well(599, b"x", [HTML]))
    answer = gate.ask()
    assert answer.status == 503
    assert gate.record_of(answer)["reason"] == "waf.response_rule"
    away = armed(well(200, b"go away", [HTML])).ask()
    assert (away.status, away.get("location")) == (302, "https://away.example/")


def test_below_the_threshold(armed):
    gate = armed(well(200, b"hmm", [HTML]))
    answer = gate.ask(target="/?q=odd")
    record = gate.record_of(answer)
    assert answer.body == b"hmm" and record["verdict"] == "pass"
    assert (record["waf"]["direction"], record["waf"]["score"], record["waf"]["threshold"]) == ("inbound", 3, 5)
    assert [rule["rule"] for rule in record["waf"]["rules"]] == [101, 203]
    quiet = gate.record_of(gate.ask())["waf"]
    assert (quiet["direction"], quiet["score"], quiet["threshold"]) == ("outbound", 3, 4)
    gate.config["routes"][0]["waf"] = {"outbound_threshold": 3}
    assert gate.reload().returncode == 0
    assert gate.ask().status == 403


def test_off_is_off(armed):
    gate = armed(well(599, LEAK, [HTML, ("X-Leak", "leak")]), response_body=0)
    answer = gate.ask(fields={"Accept-Encoding": "zstd"})
    assert (answer.status, answer.body) == (599, LEAK)
    assert waf_layers(gate.record_of(answer)) == [("pass", "")]
    assert gate.behind.field("accept-encoding") == "zstd"
    gate.config["routes"][0]["waf"] = {"response_body": "1KiB"}
    assert gate.reload().returncode == 0
    assert gate.ask().status == 503


def test_monitor_only_records(armed):
    gate = armed(well(200, LEAK + b"x" * 2000, [HTML]), mode="monitor", response_body="1KiB")
    answer = gate.ask(target="/?q=attack")
    assert answer.body == LEAK + b"x" * 2000
    record = gate.record_of(answer)
    assert record["verdict"] == "pass"
    assert waf_layers(record) == [("deny", "waf.score"), ("deny", "waf.response_too_large"), ("deny", "waf.response_score")]
    short = armed(well(200, LEAK, [HTML]), mode="monitor")
    answer = short.ask(target="/?q=attack")
    assert answer.body == LEAK
    assert waf_layers(short.record_of(answer)) == [("deny", "waf.score"), ("deny", "waf.response_score")]
    assert short.record_of(answer)["waf"]["direction"] == "outbound"


def test_longer_answers(armed):
    def big(peer):
        while got := peer.read_request():
            body = b"x" * 40_000 + LEAK if "late" in got[0] else LEAK + b"x" * 40_000
            if "chunked" in got[0]:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
                peer.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                peer.answer(200, body, [HTML])

    gate = armed(big, response_body="16KiB")
    for target in ("/late", "/early", "/late/chunked", "/early/chunked"):
        answer = gate.ask(target=target)
        assert answer.status == 502, target
        assert gate.record_of(answer)["reason"] == "waf.response_too_large"
        assert over_h2(gate, target=target)[0] == 502
    gate.config["waf"]["response_on_exceed"] = "partial"
    assert gate.reload().returncode == 0
    for target, status in (("/late", 200), ("/early", 403), ("/late/chunked", 200), ("/early/chunked", 403)):
        answer = gate.ask(target=target)
        assert answer.status == status, target
        assert status == 403 or answer.body == b"x" * 40_000 + LEAK
        assert over_h2(gate, target=target)[0] == status
    # Requests have their own word.
    assert gate.ask(method="POST", fields={"Content-Type": "text/plain"}, body=b"x" * 200_000).status == 413
    gate.config["waf"].pop("response_on_exceed")
    gate.config["waf"]["on_exceed"] = "partial"
    assert gate.reload().returncode == 0
    assert gate.ask(target="/late").status == 200


def test_bombs_and_codings_that_are_not_read(armed):
    bomb = gzip.compress(b"x" * 10_000_000)
    behaviours = {
        "bomb": well(200, bomb, [HTML, ("Content-Encoding", "gzip")]),
        "late leak": well(200, gzip.compress(b"x" * 100_000 + LEAK), [HTML, ("Content-Encoding", "gzip")]),
        "unknown": well(200, b"x", [HTML, ("Content-Encoding", "zstd")]),
        "two": well(200, b"x", [HTML, ("Content-Encoding", "gzip, gzip")]),
        "malformed": well(200, b"not gzip", [HTML, ("Content-Encoding", "gzip")]),
        "bomb of members": well(200, gzip.compress(b"") * 3000 + gzip.compress(b"x" * 10_000) * 10, [HTML, ("Content-Encoding", "gzip")]),
        "bytes behind": well(200, gzip.compress(b"fine") + b"more", [HTML, ("Content-Encoding", "gzip")]),
        "broken": well(200, gzip.compress(b"fine")[:-5], [HTML, ("Content-Encoding", "gzip")]),
    }
    for name, behaviour in behaviours.items():
        gate = armed(behaviour)
        before = gate.rss_bytes()
        answer = gate.ask()
        reason = "waf.response_too_large" if name in ("bomb", "late leak", "bomb of members") else "waf.response_coding"
        assert (answer.status, gate.record_of(answer)["reason"]) == (502, reason), name
        assert gate.rss_bytes() - before < 8 << 20
        gate.config["waf"]["response_on_exceed"] = "partial"
        assert gate.reload().returncode == 0
        assert gate.ask().status == 200, name
    early = armed(well(200, gzip.compress(LEAK + b"x" * 1_000_000), [HTML, ("Content-Encoding", "gzip")]), response_on_exceed="partial")
    assert early.ask().status == 403


def test_only_codings_that_are_read_are_asked_for(armed):
    gate = armed(well(200, b"fine", [HTML]))
    gate.ask(fields={"Accept-Encoding": "zstd, gzip;q=0.9, br"})
    assert gate.behind.field("accept-encoding") == "gzip;q=0.9, br"
    gate.ask()
    assert gate.behind.field("accept-encoding") is None


def test_events_are_never_held(armed, gatehouse):
    def events(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        peer.upstream.stopped.wait(20)

    rules = waf_rules.ANSWERS + "SecResponseBodyMimeType text/event-stream text/html\n"
    gate = armed(events)
    waf_rules.small(gate, text=rules)
    assert gate.reload().returncode == 0
    with gate.connect() as connection:
        connection.send(wire.request())
        assert connection.head().status == 200
        assert b"data: 1" in connection.until(b"\n\n")


def test_types_that_the_rules_name(armed):
    gate = armed(well(200, LEAK, [("Content-Type", "application/x-report; v=1")]))
    assert gate.ask().status == 200
    waf_rules.small(gate, text=waf_rules.ANSWERS + "SecResponseBodyMimeType application/x-report\n")
    assert gate.reload().returncode == 0
    assert gate.ask().status == 403


def test_nothing_leaves_before_the_end(armed):
    """A head that waits for its body: not a byte of it is seen before the verdict."""

    def slowly(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\n" + b"x" * 30)
        peer.upstream.go.wait(10)
        peer.send(b"x" * 30)

    import threading

    gate = armed(slowly)
    gate.behind.go = threading.Event()
    with gate.connect(timeout=0.4) as connection:
        connection.send(wire.request())
        with pytest.raises(TimeoutError):
            connection.more()
        gate.behind.go.set()
        connection.socket.settimeout(5)
        assert connection.answer().body == b"x" * 60


def test_upstreams_that_fail_half_way(armed):
    """Since nothing has left yet, the client gets an answer instead of a broken one."""
    gate = armed(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\nhalf"))
    answer = gate.ask()
    assert (answer.status, gate.record_of(answer)["reason"]) == (502, "upstream.reset")
    gate = armed(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\nhalf", then="hang"), route={"timeout": "300ms"})
    answer = gate.ask()
    assert (answer.status, gate.record_of(answer)["reason"]) == (504, "upstream.timeout")


def test_a_client_that_leaves_meanwhile(armed):
    gate = armed(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\nhalf", then="hang"))
    with gate.connect() as connection:
        connection.send(wire.request(target="/leaving"))
        time.sleep(0.2)
    assert gate.record(path="/leaving")["status"] == 0
    gate.behind.behaviour = well(200, b"fine", [HTML])
    assert gate.ask().status == 200


def test_retries_come_before(armed):
    gate = armed(in_turn(well(503, LEAK, [HTML]), well(200, b"fine", [HTML])))
    assert gate.ask().body == b"fine"
    assert len(gate.behind.heads) == 2


def test_an_h2_upstream(gatehouse, backend):
    for body, status in ((b"fine", 200), (LEAK, 403)):
        behind = backend(h2_well(body), scheme="h2c")
        gate = gatehouse.prepare(behind, waf={"mode": "enforce", "response_body": "64KiB"})
        gate.config["waf"]["rules"] = [waf_rules.small(gate, text=waf_rules.ANSWERS)]
        gate.start()
        assert gate.ask().status == status
        assert over_h2(gate)[0] == status


def test_the_servers_leak_is_not_the_clients_attack(armed):
    gate = armed(well(200, LEAK, [HTML]))
    gate.config["penalties"] = {"attacks": {"threshold": 2}, "failed_logins": {"threshold": 2, "window": "5m", "delay": "3s"}}
    assert gate.reload().returncode == 0
    for _ in range(5):
        began = time.monotonic()
        assert gate.ask(source="127.0.0.69").status == 403
        assert time.monotonic() - began < 2, "held back as for a failed login"
    assert gate.record(status=403)["layer"] == "waf"
    assert "127.0.0.69" not in gate.command("bans").stdout


def test_memory_is_bounded(armed):
    half = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60000\r\n\r\n" + b"x" * 50_000, then="hang")
    gate = armed(half, memory="1MiB")
    waiting = []
    for _ in range(20):
        connection = gate.connect()
        connection.send(wire.request())
        waiting.append(connection)
    assert gate.record(reason="waf.memory")["status"] == 503
    for connection in waiting:
        connection.close()
    gate.behind.behaviour = well(200, b"fine", [HTML])
    wire.eventually(lambda: gate.ask().status == 200)

    gate.config["waf"]["mode"] = "monitor"
    assert gate.reload().returncode == 0
    gate.behind.close_connections()
    gate.behind.behaviour = well(200, b"x" * 60_000, [HTML], delay=0.3)
    waiting = [gate.connect() for _ in range(80)]
    for connection in waiting:
        connection.send(wire.request())
    for connection in waiting:
        answer = connection.answer()
        assert answer.status == 200 and len(answer.body) == 60_000
        connection.close()
    assert gate.metric("gatehouse_layer_decisions_total", reason="waf.memory", mode="monitor") > 0


def test_requests_that_wait_for_an_answer_count_with_what_they_hold(armed):
    gate = armed(well(200, b"fine", [HTML], delay=1.5), memory="1MiB")
    waiting = [gate.connect() for _ in range(30)]
    for connection in waiting:
        connection.send(wire.request())
    assert [connection.answer().status for connection in waiting] == [200] * 30
    for connection in waiting:
        connection.close()


def test_compression_and_fields_on_the_way_out(armed):
    gate = armed(well(200, b"fine " * 1000, [HTML, ("Server", "secret/1.0")]), route={"compression": {"algorithms": ["gzip"]}})
    answer = gate.ask(fields={"Accept-Encoding": "gzip"})
    assert answer.get("content-encoding") == "gzip" and gzip.decompress(answer.body) == b"fine " * 1000
    assert answer.get("server") is None and len(answer.all("x-request-id")) == 1


def test_an_early_answer(armed):
    """The service answers before it has the whole request."""

    def early(peer):
        peer.read_head()
        peer.answer(200, LEAK, [HTML])
        peer.upstream.stopped.wait(5)

    gate = armed(early, request_body=0)
    with gate.connect() as connection:
        connection.send(wire.request("POST", fields={"Content-Length": "100000"}) + b"x" * 100)
        assert connection.answer().status == 403


def test_configuration(armed, gatehouse):
    gate = gatehouse.prepare(waf={"mode": "monitor", "response_on_exceed": "perhaps"})
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    gate.write()
    checked = gate.command("check")
    assert checked.returncode == 2 and "response_on_exceed" in checked.stdout and "partial" in checked.stdout
    assert "response_on_exceed" in gate.command("config", "schema").stdout


def test_json_of_the_record(armed):
    gate = armed(well(200, LEAK, [HTML]))
    record = gate.record_of(gate.ask(fields={"X-Probe": "nothing"}))
    assert json.dumps(record["waf"]["rules"]).count("ORA-01017") == 1
