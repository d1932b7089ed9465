"""The metrics: each with real traffic, and the whole page as Prometheus reads it."""

import asyncio
import pathlib
import re
import subprocess
import time

import websockets

import prometheus_server
import wire
from upstream import well

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The names that users and outside checks rely on. (gatehouse_waf_rule_hits_total comes with the WAF.)
PROMISED = {
    "gatehouse_requests_total": {"listener", "route", "status_class", "verdict"},
    "gatehouse_request_duration_seconds_bucket": {"route", "le"},
    "gatehouse_layer_decisions_total": {"layer", "verdict", "mode", "reason"},
    "gatehouse_upstream_requests_total": {"service", "outcome"},
    "gatehouse_connections": {"listener", "state"},
    "gatehouse_config_generation": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "process_start_time_seconds": set(),
}


def series_of(page):
    found = {}
    for line in page.splitlines():
        match = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? \S+", line)
        if match and not line.startswith("#"):
            found.setdefault(match[1], set(re.findall(r'([a-z_]+)="', match[2] or "")))
    return found


def test_promised_names_and_labels(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_requests_total") == 1)
    found = series_of(gate.metrics())
    assert {name: found.get(name) for name in PROMISED} == PROMISED


def scrape(gate, accept):
    host, port = gate.parse(gate.ready["metrics"])
    fields = {"Connection": "close", "Accept": accept}
    return wire.ask((host, port), wire.request("GET", "/metrics", host=f"{host}:{port}", fields=fields))


def test_the_page_is_what_prometheus_expects(gatehouse, backend):
    gate = gatehouse(backend(well()))
    gate.ask()
    text = scrape(gate, "text/plain").body
    run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20)
    assert run.returncode == 0 and not run.stdout + run.stderr, run.stdout + run.stderr
    answer = scrape(gate, "application/openmetrics-text; version=1.0.0")
    assert answer.get("content-type").startswith("application/openmetrics-text")
    page = answer.body.decode()
    assert page.endswith("# EOF\n")
    declared, families = None, []
    for line in page.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, declared, kind = line.split()
            families.append(declared)
        elif not line.startswith("#"):
            name = re.match(r"[a-z_]+", line)[0]
            suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[kind]
            assert name in {declared + suffix for suffix in suffixes}, line
    assert len(families) == len(set(families)), "each family once"


def test_exemplars_lead_to_traces(gatehouse, backend):
    """Prometheus finds a request's trace behind the bucket that it fell into."""
    gate = gatehouse(backend(well()))
    traces = {gate.record_of(gate.ask())["trace_id"] for _ in range(3)}
    prometheus = prometheus_server.Prometheus(gate.parse(gate.ready["metrics"]), "--enable-feature=exemplar-storage")
    try:

        def found():
            query = {"query": "gatehouse_request_duration_seconds_bucket", "start": time.time() - 60, "end": time.time()}
            return [(series["seriesLabels"], one) for series in prometheus.ask("query_exemplars", **query) for one in series["exemplars"]]

        wire.eventually(found, within=20)
        for labels, exemplar in found():
            assert labels["route"] == "all" and exemplar["labels"]["trace_id"] in traces
            assert 0 < float(exemplar["value"]) <= float(labels["le"])
    finally:
        prometheus.stop()


def test_requests_in_progress(gatehouse, backend):
    back = backend(well(delay=1.5))
    gate = gatehouse(back)
    with gate.connect() as one, gate.connect() as two:
        one.send(wire.request())
        two.send(wire.request())
        wire.eventually(lambda: gate.metric("gatehouse_requests_active", listener="public") == 2)
        assert one.answer().status == two.answer().status == 200
    wire.eventually(lambda: gate.metric("gatehouse_requests_active", listener="public") == 0)
    with gate.connect() as gone:
        gone.send(wire.request())
        wire.eventually(lambda: gate.metric("gatehouse_requests_active") == 1)
    wire.eventually(lambda: gate.metric("gatehouse_requests_active") == 0, what="a client that left is still counted")


def test_tunnels(gatehouse):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    async def talk():
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            back = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            gate = gatehouse({"main": [back]}, routes=[{"name": "all", "match": {"path": "/**"}, "service": "main",
                                                        "public": True, "websocket": {"enabled": True}}])  # fmt: skip
            async with websockets.connect(gate.url("/ws", scheme="ws")) as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"
                assert gate.metric("gatehouse_tunnels_active", listener="public") == 1
                assert gate.metric("gatehouse_requests_active", listener="public") == 1
            await asyncio.to_thread(wire.eventually, lambda: gate.metric("gatehouse_tunnels_active") == 0)
            assert gate.metric("gatehouse_requests_active") == 0

    asyncio.run(talk())


def test_tokens_and_keys(gatehouse, backend, issuer):
    gate = gatehouse.prepare(backend(well()))
    jwks = gate.file("jwks.json", issuer.jwks())
    gate.config["routes"][0].pop("public")
    gate.config["authentication"] = issuer.configuration(jwks)
    gate.start()
    assert gate.metric("gatehouse_key_refreshes_total", issuer="main", result="success") == 1
    bearer = issuer.bearer()
    for _ in range(5):
        assert gate.ask(fields=bearer).status == 200
    assert gate.metric("gatehouse_token_cache_total", result="miss") == 1
    assert gate.metric("gatehouse_token_cache_total", result="hit") == 4
    gate.file("jwks.json", "{")
    wire.eventually(lambda: gate.metric("gatehouse_key_refreshes_total", issuer="main", result="failure") >= 1, 10)
    assert gate.ask(fields=bearer).status == 200, "the last good keys stay"
    gate.config["routes"][0]["name"] = "renamed"
    gate.file("jwks.json", issuer.jwks())
    assert gate.reload().returncode == 0
    assert gate.metric("gatehouse_token_cache_total", result="hit") >= 5, "a reload does not begin at zero"


def test_evictions_of_live_limits(gatehouse, backend):
    """More clients than the table holds, all of them limited."""
    gate = gatehouse(backend(well()), state={"rate_entries": 1024}, rate_limit=[{"key": "header:x-id", "rate": "1/h", "burst": 2}])
    assert gate.metric("gatehouse_rate_live_evictions_total") == 0
    with gate.connect() as connection:
        for number in range(6000):
            connection.send(wire.request(fields={"X-Id": str(number)}))
            assert connection.answer().status == 200
    assert gate.metric("gatehouse_rate_live_evictions_total") > 100


def test_bans_by_source(gatehouse, backend):
    gate = gatehouse(backend(well()), penalties={"attacks": {"threshold": 2, "window": "1m", "ban": "1h", "max_ban": "1h"}})
    gate.command("bans", "add", "192.0.2.7", "--for", "1h")
    assert gate.metric("gatehouse_bans_total", source="operator") == 1
    for _ in range(3):
        try:
            gate.ask(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        except (OSError, wire.Closed):
            pass
    wire.eventually(lambda: gate.metric("gatehouse_bans_total", source="penalty") == 1)
    assert gate.metric("gatehouse_bans_active") == 2


def test_every_metric_is_fed_somewhere():
    """A metric that nothing counts is a promise that nobody keeps."""
    names = (ROOT / "src/telemetry/metric_names.h").read_text()
    metrics = re.findall(r"^  ([a-z_]+),$", names[names.index("enum class Metric :"):names.index("count_,")], re.M)
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.cc") if not path.name.endswith(("_test.cc", "_bench.cc")))
    unfed = [name for name in metrics if not re.search(rf"Metric::{name}\b", code)]
    assert not unfed
