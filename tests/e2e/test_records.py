"""What is kept of a request: the access log, `gatehouse explain`, metrics, trace context; and what is masked."""

import json
import re
import signal
import subprocess
import time

import pytest

import gateway
import wire
from upstream import hang, well

FIELDS = {"time", "request_id", "trace_id", "client_ip", "zone", "listener", "route", "service", "endpoint", "method", "host", "path",
          "protocol", "status", "bytes_in", "bytes_out", "duration_us", "upstream_us", "gatehouse_us", "user", "auth", "tls",
          "verdict", "layer", "reason", "layers"}  # fmt: skip


def test_a_record(gatehouse, backend):
    back = backend(well(body=b"x" * 5000, delay=0.1))
    gate = gatehouse(back)
    answer = gate.ask(method="POST", target="/orders/17?token=secret", body=b"y" * 300)
    record = gate.record_of(answer)
    assert FIELDS <= set(record), FIELDS - set(record)
    wanted = {"client_ip": "127.0.0.1", "zone": "external", "listener": "public", "route": "all", "service": "main", "method": "POST",
              "host": "shop.example", "path": "/orders/17", "protocol": "HTTP/1.1", "status": 200, "verdict": "pass"}  # fmt: skip
    assert {key: record[key] for key in wanted} == wanted
    assert str(back.port) in record["endpoint"]
    assert record["bytes_in"] >= 300 and record["bytes_out"] >= 5000
    assert record["duration_us"] >= 100_000 and record["upstream_us"] >= 90_000 and record["gatehouse_us"] < 50_000
    assert re.fullmatch(r"[0-9a-f]{32}", record["trace_id"])
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", record["time"])
    assert "secret" not in gate.log_path.read_text(), "queries carry secrets"
    names = [decision["layer"] for decision in record["layers"]]
    assert {"bans", "zone", "limits", "authentication"} <= set(names)
    for decision in record["layers"]:
        assert {"layer", "verdict", "mode", "ns"} <= set(decision)


def test_one_record_each(gatehouse, backend):
    gate = gatehouse(backend())
    answers = [gate.ask() for _ in range(50)]
    wire.eventually(lambda: len(gate.read_log()) >= 50)
    assert sorted(r["request_id"] for r in gate.records) == sorted(a.get("x-request-id") for a in answers)


def test_ids_sort_by_time(gatehouse, backend):
    gate = gatehouse(backend(), process={"shards": 1})
    ids = []
    for _ in range(5):
        ids.append(gate.ask().get("x-request-id"))
        time.sleep(0.002)
    assert ids == sorted(ids)


@pytest.mark.parametrize("target", ["/a%22b", "/caf%C3%A9", "/%0a%0dx", "/%E2%80%A8", "/<script>"])
def test_a_log_line_is_one_line(gatehouse, backend, target):
    gate = gatehouse(backend())
    gate.ask(target=target, fields={"User-Agent": 'a"b\\c'})
    wire.eventually(lambda: gate.read_log())
    assert len(gate.log_path.read_bytes().splitlines()) == len(gate.records)


def test_explain(gatehouse, backend):
    gate = gatehouse(backend(), rate_limit=[{"key": "client_ip", "rate": "1/m", "burst": 1}])
    gate.ask()
    answer = gate.ask()
    assert answer.status == 429
    shown = gate.command("explain", answer.get("x-request-id"))
    assert shown.returncode == 0, shown.stderr
    for word in ("429", "rate", "rate.exceeded", "127.0.0.1", answer.get("x-request-id")):
        assert word in shown.stdout, word
    as_json = gate.command("explain", answer.get("x-request-id"), "--json")
    assert json.loads(as_json.stdout)["reason"] == "rate.exceeded"
    assert gate.command("explain", "0" * 26).returncode != 0


def test_masking(gatehouse, backend, issuer):
    gate = gatehouse.prepare(backend(), routes=[{"name": "private", "match": {"path": "/**"}, "service": "main"}])
    gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()))
    gate.start()
    token = issuer.token()
    answers = [gate.ask(fields={"Authorization": f"Bearer {one}", "Cookie": "session=hunter2"}) for one in (token, token[:-3], "password")]
    assert [answer.status for answer in answers] == [200, 401, 401]
    for answer in answers:
        gate.record_of(answer)
        explained = gate.command("explain", answer.get("x-request-id"), "--json").stdout
        assert token[:40] not in explained and "hunter2" not in explained
    text = gate.log_path.read_text()
    assert token.rpartition(".")[2][:20] not in text and "hunter2" not in text


def test_metrics(gatehouse, backend):
    gate = gatehouse(backend(), rate_limit=[{"key": "client_ip", "rate": "1/m", "burst": 3}])
    for _ in range(5):
        gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_requests_total") >= 5)
    assert gate.metric("gatehouse_requests_total", listener="public", route="all", status_class="2xx", verdict="pass") == 3
    assert gate.metric("gatehouse_requests_total", status_class="4xx", verdict="deny") == 2
    assert gate.metric("gatehouse_layer_decisions_total", layer="rate", verdict="deny", mode="enforce", reason="rate.exceeded") == 2
    assert gate.metric("gatehouse_upstream_requests_total", service="main") == 3
    assert gate.metric("gatehouse_request_duration_seconds_count") >= 5
    assert gate.metric("gatehouse_config_generation") >= 1
    assert gate.metric("process_open_fds") > 5
    text = gate.metrics()
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert check.returncode == 0 and not check.stderr.strip(), check.stderr


def test_labels_are_bounded(gatehouse, backend):
    """What a client chooses never becomes a series of its own."""
    gate = gatehouse(backend())
    gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_requests_total") >= 1)
    before = len(gate.metrics().splitlines())
    for number in range(100):
        gate.ask(method=f"M{number}", target=f"/path/{number}", host=f"h{number}.example")
    wire.eventually(lambda: gate.metric("gatehouse_requests_total") >= 101)
    assert len(gate.metrics().splitlines()) < before + 60


def test_trace_context(gatehouse, backend):
    back = backend()
    gate = gatehouse(back)
    theirs = "0af7651916cd43dd8448eb211c80319c"
    answer = gate.ask(fields={"traceparent": f"00-{theirs}-b7ad6b7169203331-01"})
    version, trace, span, _ = back.field("traceparent").split("-")
    assert version == "00" and len(trace) == 32 and span != "b7ad6b7169203331"
    assert trace != theirs, "a stranger's trace is a link, not a parent"
    assert gate.record_of(answer)["trace_id"] == trace
    trusting = gatehouse(back, listeners=[gateway.Gateway.listener(trust_trace_context=True)])
    answer = trusting.ask(fields={"traceparent": f"00-{theirs}-b7ad6b7169203331-01", "tracestate": "a=1"})
    assert back.field("traceparent").split("-")[1] == theirs and back.field("tracestate") == "a=1"
    assert trusting.record_of(answer)["trace_id"] == theirs
    for bad in ("00-0-0-00", f"00-{'0' * 32}-b7ad6b7169203331-01", f"ff-{theirs}-b7ad6b7169203331-01", "junk"):
        trusting.ask(fields={"traceparent": bad})
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", back.field("traceparent")), bad
        assert back.field("traceparent").split("-")[1] not in (theirs, "0" * 32)


def test_log_rotation(gatehouse, backend):
    """After SIGUSR1 lines go to a new file; none is lost."""
    gate = gatehouse(backend())
    gate.record_of(gate.ask())
    moved = gate.log_path.with_suffix(".1")
    gate.log_path.rename(moved)
    gate.signal(signal.SIGUSR1)
    wire.eventually(gate.log_path.exists)
    gate.read_to = 0
    gate.record_of(gate.ask())
    assert len(moved.read_text().splitlines()) + len(gate.log_path.read_text().splitlines()) == 2


def test_a_client_that_left_is_recorded(gatehouse, backend):
    back = backend(hang)
    gate = gatehouse(back)
    with gate.connect() as connection:
        connection.send(wire.request(target="/left"))
        wire.eventually(lambda: back.heads)
        connection.reset()
    assert gate.record(path="/left")["status"] in (0, 499)


def test_common_log_format(gatehouse, backend):
    gate = gatehouse(backend(), telemetry={"access_log": {"format": "common"}})
    gate.ask(fields={"User-Agent": 'a "quoted" one', "Referer": "https://shop.example/"})
    text = wire.eventually(lambda: gate.log_path.exists() and gate.log_path.read_text())
    assert re.match(r'127\.0\.0\.1 - \S+ \[.*\] "GET / HTTP/1\.1" 200 \d+ ', text), text


def test_syslog(gatehouse, backend):
    """RFC 5424 over UDP."""
    import socket

    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    gate = gatehouse(backend(), telemetry={"access_log": {"to": f"syslog://127.0.0.1:{receiver.getsockname()[1]}"}})
    answer = gate.ask()
    line = receiver.recv(65536).decode()
    assert re.match(r"<\d+>1 20\d\d-", line) and answer.get("x-request-id") in line
