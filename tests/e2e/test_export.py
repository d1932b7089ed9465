"""Metrics, traces and records on their way to receivers: InfluxDB, VictoriaMetrics, rsyslog (over TLS), statsd, Prometheus
as they are; OTLP, Elasticsearch and Splunk by their protocols; and receivers that are down, slow or hostile."""

import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import checkers
import prometheus_server
import receivers
import waf_rules
import wire
from receivers import Collector, Process


@pytest.fixture
def keep():
    """keep(receiver) ends it with the test."""
    kept = []
    yield lambda one: kept.append(one) or one
    for one in kept:
        one.stop()


def exporting(gatehouse, back, *exports, **keys):
    return gatehouse(back, telemetry={"export": list(exports)}, **keys)


OTLP = """
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
kinds = {"logs": ExportLogsServiceRequest, "traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}
for signal, body in lines:
    json_format.Parse(body, kinds[signal]())  # refuses what the definition does not know
print(json.dumps(len(lines)))
"""


def attributes(one):
    return {a["key"]: next(iter(a["value"].values())) for a in one["attributes"]}


def test_otlp(gatehouse, backend, keep):
    collector = keep(Collector())
    gate = gatehouse.prepare(backend(), telemetry={"export": [
        {"to": f"otlp+http://127.0.0.1:{collector.port}", "interval": "1s", "token": "a-token"}]})  # fmt: skip
    gate.config["waf"] = {"mode": "enforce", "rules": [gate.file("rules.conf", waf_rules.SMALL)]}
    gate.start()
    answer = gate.ask(target="/orders/1")
    assert gate.ask(target="/?q=attack%22%5Cu").status == 403
    wire.eventually(lambda: "".join(collector.bodies("/v1/logs")).count("observedTimeUnixNano") >= 2)
    wire.eventually(lambda: collector.bodies("/v1/metrics") and collector.bodies("/v1/traces"))
    bodies = [[signal, body] for signal in ("logs", "traces", "metrics") for body in collector.bodies(f"/v1/{signal}")]
    assert checkers.run("opentelemetry", OTLP, bodies) == len(bodies)
    assert all(fields["Authorization"] == "Bearer a-token" for _, fields, _ in collector.posts)
    spans = [s for b in collector.bodies("/v1/traces") for s in json.loads(b)["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    mine = next(s for s in spans if attributes(s)["gatehouse.request_id"] == answer.get("x-request-id"))
    assert re.fullmatch(r"[0-9a-f]{32}", mine["traceId"]) and re.fullmatch(r"[0-9a-f]{16}", mine["spanId"])
    assert mine["kind"] == 2 and attributes(mine)["http.response.status_code"] == "200"
    assert int(mine["endTimeUnixNano"]) > int(mine["startTimeUnixNano"])
    logs = [r for b in collector.bodies("/v1/logs") for r in json.loads(b)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]]
    denied = next(r for r in logs if attributes(r)["gatehouse.verdict"] == "deny")
    assert denied["severityText"] == "WARN" and "100" in attributes(denied)["gatehouse.waf.rules"].split(",")


def test_a_span_is_what_the_service_was_told(gatehouse, backend, keep):
    collector = keep(Collector())
    gate = exporting(gatehouse, backend(), {"to": f"otlp+http://127.0.0.1:{collector.port}", "metrics": False})
    parent = re.search(rb"(?i)traceparent\W+([0-9a-f-]{55})", gate.ask().body)[1].decode()
    wire.eventually(lambda: collector.bodies("/v1/traces"))
    span = json.loads(collector.bodies("/v1/traces")[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert parent.split("-")[1:3] == [span["traceId"], span["spanId"]]


def test_elasticsearch(gatehouse, backend, keep):
    """A refused document is counted, one that is there already is not."""
    collector = keep(Collector(answer=json.dumps({"errors": True, "items": [
        {"create": {"status": 201}}, {"create": {"status": 409}}, {"create": {"status": 400}}]}).encode()))  # fmt: skip
    gate = exporting(gatehouse, backend(), {"to": f"elastic+http://127.0.0.1:{collector.port}", "token": "key"})
    for _ in range(3):
        gate.ask(target="/a")
    wire.eventually(lambda: sum(len(b.splitlines()) for b in collector.bodies("/_bulk")) >= 6)
    lines = [document for body in collector.bodies("/_bulk") for document in receivers.documents(body)]
    assert lines[0]["create"]["_index"] == "logs-gatehouse-default" and len(lines[0]["create"]["_id"]) == 26
    assert checkers.ecs(json.dumps(lines[1])) == []
    assert collector.posts[0][1]["Authorization"] == "ApiKey key"
    wire.eventually(lambda: gate.metric("gatehouse_export_dropped_total", reason="refused") == len(collector.posts))


def test_splunk(gatehouse, backend, keep):
    collector = keep(Collector())
    to = f"splunk+http://127.0.0.1:{collector.port}"
    gate = exporting(gatehouse, backend(), {"to": to, "token": "t", "format": "cef", "index": "web"})
    gate.ask(target="/a%22b")
    wire.eventually(lambda: collector.bodies("/services/collector/event"))
    (event,) = receivers.documents(collector.bodies("/services/collector/event")[0])
    assert event["index"] == "web" and event["sourcetype"] == "gatehouse:access" and event["event"].startswith("CEF:0|Gatehouse|")
    assert abs(event["time"] - time.time()) < 60 and collector.posts[0][1]["Authorization"] == "Splunk t"


INFLUX = """
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
"""


def test_influxdb(gatehouse, backend, keep):
    files = {"influxdb.conf": 'reporting-disabled = true\nbind-address = "127.0.0.1:{port2}"\n' + INFLUX}
    server = keep(Process("influxd", "-config", "{folder}/influxdb.conf", files=files, ready="/ping"))
    ask = lambda q: json.loads(server.get("/query?db=gate&q=" + urllib.parse.quote(q)))["results"][0]  # noqa: E731
    subprocess.run(["curl", "-sf", "-XPOST", f"http://127.0.0.1:{server.port}/query", "--data-urlencode",
                    "q=CREATE DATABASE gate"], check=True)  # fmt: skip
    gate = exporting(gatehouse, backend(), {"to": f"influx+http://127.0.0.1:{server.port}", "database": "gate", "interval": "1s"})
    for _ in range(7):
        gate.ask()
    query = "select last(value) from gatehouse_requests_total where route='all'"
    wire.eventually(lambda: ask(query).get("series", [{"values": [[0, 0]]}])[0]["values"][0][1] == 7, within=20)
    buckets = ask("select last(\"count\"), last(\"le_10.0\"), last(\"sum\") from gatehouse_request_duration_seconds")
    assert buckets["series"][0]["values"][0][1:3] == [7, 7]
    assert gate.metric("gatehouse_export_failures_total") == 0


def test_victoria_metrics(gatehouse, backend, keep):
    server = keep(Process("victoria-metrics", "-storageDataPath={folder}/data", "-httpListenAddr=127.0.0.1:{port}",
                          "-search.latencyOffset=1s", ready="/health"))  # fmt: skip
    gate = exporting(gatehouse, backend(), {"to": f"influx+http://127.0.0.1:{server.port}", "database": "x", "interval": "1s"})
    for _ in range(5):
        gate.ask()
    ask = lambda: json.loads(server.get('/api/v1/export?match[]=' + urllib.parse.quote(  # noqa: E731
        'gatehouse_requests_total_value{route="all"}')) .splitlines()[0])["values"][-1] == 5  # fmt: skip

    def arrived():
        try:
            return ask()
        except (IndexError, ValueError):
            return False

    wire.eventually(arrived, within=30)


def find_statsd():
    folder = pathlib.Path(os.environ.get("GATEHOUSE_STATSD", pathlib.Path(__file__).parents[2] / "build/test-node/node_modules/statsd"))
    if not (folder / "stats.js").exists():
        pytest.skip(f"statsd is not in {folder}: scripts/setup puts it there")
    return str(folder / "stats.js")


def test_statsd(gatehouse, backend, keep):
    """The server's own admin port says what it counted."""
    config = ("{ port: {port}, address: '127.0.0.1', mgmt_address: '127.0.0.1', mgmt_port: {port2}, backends: [], "
              "flushInterval: 600000 }")  # fmt: skip
    server = keep(StatsdProcess("node", find_statsd(), "{folder}/config.js", files={"config.js": config}))
    gate = exporting(gatehouse, backend(), {"to": f"statsd://127.0.0.1:{server.port}", "interval": "1s"})
    for _ in range(9):
        gate.ask()
    wire.eventually(lambda: "'gatehouse_requests_total.public.all.2xx.pass': 9" in server.counters(), within=20)
    assert "statsd.bad_lines_seen': 0" in server.counters()


class StatsdProcess(Process):
    def wait(self, ready, within=30):
        until = time.monotonic() + within
        while True:
            try:
                return self.counters()
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)

    def counters(self):
        with socket.create_connection(("127.0.0.1", self.port2), timeout=5) as admin:
            admin.sendall(b"counters\n")
            text = b""
            while b"END" not in text:
                text += admin.recv(65536)
        return text.decode()


def test_dogstatsd(gatehouse, backend):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(10)
    gate = exporting(gatehouse, backend(), {"to": f"dogstatsd://127.0.0.1:{server.getsockname()[1]}", "interval": "1s"})
    for _ in range(4):
        gate.ask()
    counted, until = 0, time.monotonic() + 20
    while counted < 4 and time.monotonic() < until:
        datagram = server.recv(65536)
        assert len(datagram) <= 1432
        for line in datagram.decode().splitlines():
            assert re.fullmatch(r"[a-z_]+:[0-9.]+\|[cg](\|#[a-z_]+:[^,|#\s]+(,[a-z_]+:[^,|#\s]+)*)?", line), line
            if line.startswith("gatehouse_requests_total:") and "route:all" in line:
                counted += float(re.search(r":([0-9.]+)\|c", line)[1])
    server.close()
    assert counted == 4


RSYSLOG = """
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{folder}/ca.pem"
       DefaultNetstreamDriverCertFile="{folder}/cert.pem" DefaultNetstreamDriverKeyFile="{folder}/key.pem" workDirectory="{folder}")
template(name="parsed" type="list") { property(name="jsonmesg") constant(value="\\n") }
input(type="imtcp" port="{port}" address="127.0.0.1")
action(type="omfile" file="{folder}/out" template="parsed")
"""


def test_rsyslog_over_tls(gatehouse, backend, keep, tmp_path):
    make_certificate(tmp_path)
    files = {name: (tmp_path / name).read_text() for name in ("ca.pem", "cert.pem", "key.pem")}
    server = keep(Process("rsyslogd", "-n", "-f", "{folder}/rsyslog.conf", "-i", "{folder}/pid",
                          files={**files, "rsyslog.conf": RSYSLOG}))  # fmt: skip
    gate = gatehouse.prepare(backend())
    ca = gate.file("ca.pem", files["ca.pem"])
    gate.config["telemetry"]["export"] = [{"to": f"syslog+tls://localhost:{server.port}", "ca": ca, "format": "cef"}]
    gate.start()
    for number in range(20):
        gate.ask(target=f"/orders/{number}")
    gate.ask(target="/a%0Ab%1B%5B31m%3Dc")
    out = server.folder / "out"
    wire.eventually(lambda: out.exists() and out.read_text().count("\n") >= 21, within=20)
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    assert {m["programname"] for m in messages} == {"gatehouse"} and {m["msgid"] for m in messages} == {"access"}
    for number in range(20):
        assert any(f"/orders/{number} app=" in m["msg"] and m["msg"].lstrip().startswith("CEF:0|") for m in messages)
    assert len(messages) == 21, "no line broke in two"


def test_a_server_that_nobody_vouches_for_gets_nothing(gatehouse, backend, keep, tmp_path):
    make_certificate(tmp_path)
    context = __import__("ssl").create_default_context(__import__("ssl").Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))
    got = []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as tls:
                    got.append(tls.recv(65536))
            except OSError:
                if listening.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    gate = exporting(gatehouse, backend(), {"to": f"tls://localhost:{listening.getsockname()[1]}"})
    gate.ask()
    wire.eventually(lambda: gate.metric("gatehouse_export_failures_total") >= 1)
    listening.close()
    assert [g for g in got if g] == []


def make_certificate(folder):
    run = lambda *a: subprocess.run(["openssl", *a], cwd=folder, check=True, capture_output=True)  # noqa: E731
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=Test authority", "-days", "2")  # fmt: skip
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "csr.pem",
        "-subj", "/CN=localhost")  # fmt: skip
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem", "-days", "2",
        "-extfile", "san")  # fmt: skip


def test_logstash_lines_after_a_restart(gatehouse, backend, keep):
    """What a receiver missed while it was away, and the gateway restarted meanwhile, comes when it is back."""
    port = receivers.free_port()
    gate = exporting(gatehouse, backend(), {"to": f"tcp://127.0.0.1:{port}", "format": "ecs"})
    ids = {gate.ask().get("x-request-id") for _ in range(30)}
    wire.eventually(lambda: gate.metric("gatehouse_export_failures_total") >= 1)
    assert gate.stop() == 0
    assert list((gate.dir / "data/export").rglob("*.batch")), "what waits is put into files"
    listening = socket.create_server(("127.0.0.1", port))
    listening.settimeout(20)
    gate.start()
    connection, _ = listening.accept()
    connection.settimeout(10)
    text = b""
    while text.count(b"\n") < 30:
        text += connection.recv(65536)
    lines = text.decode().splitlines()
    assert {json.loads(line)["event"]["id"] for line in lines} >= ids and checkers.ecs(lines[0]) == []
    wire.eventually(lambda: not list((gate.dir / "data/export").rglob("*.batch")))
    connection.close()
    listening.close()


@pytest.mark.parametrize("kind", ["down", "slow", "hostile"])
def test_a_bad_receiver_slows_nothing(gatehouse, backend, keep, kind):
    if kind == "down":
        port = receivers.free_port()
    else:
        collector = keep(Collector(status=200, answer=b"\xff\x00[{" * 3_000_000 if kind == "hostile" else b"{}"))
        collector.hang = 60 if kind == "slow" else 0
        port = collector.port
    gate = exporting(gatehouse, backend(), {"to": f"elastic+http://127.0.0.1:{port}", "spool": "0"})
    gate.ask()
    taken = []
    for _ in range(300):
        begun = time.monotonic()
        assert gate.ask().status == 200
        taken.append(time.monotonic() - begun)
    assert sorted(taken)[len(taken) // 2] < 0.05
    begun = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - begun < 10, "it ends although its receiver does not answer"


def test_prometheus_scrapes(gatehouse, backend, keep):
    gate = gatehouse(backend())
    server = keep(prometheus_server.Prometheus(gate.parse(gate.ready["metrics"])))
    for _ in range(11):
        gate.ask()

    def value(query):
        result = server.ask("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    wire.eventually(lambda: value('gatehouse_requests_total{route="all",status_class="2xx"}') == 11, within=20)
    assert value("up") == 1
