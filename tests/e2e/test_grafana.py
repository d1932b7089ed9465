"""The dashboards for Grafana: each expression asked of a real Prometheus that scrapes a gateway with traffic of all kinds."""

import json
import pathlib
import re
import ssl

import gateway
import prometheus_server
import pytest
import upstream
import waf_rules
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "packaging/grafana").glob("*.json"))
SCRAPED = {"job", "instance"}  # the labels that Prometheus adds
# What these are about does not happen to the one gateway of the test, in its first seconds.
MAY_BE_EMPTY = ("gatehouse_state_counters_", "gatehouse_export_", "gatehouse_audit_", "gatehouse_metric_series_folded_total",
                "gatehouse_certificate_reloads_total", "gatehouse_events_dropped_total", "gatehouse_tunnels_active", "offset 1d")  # fmt: skip


def metrics():
    """{name as queried: its labels}, of the one place where they are written."""
    text = (ROOT / "src/telemetry/metric_names.h").read_text()
    found = {}
    for name, kind, labels in re.findall(r'^  \{Metric::\w+, "(\w+)", (GH_\w+|MetricType::\w+)[^{}]*\{(.*?)\},', text, re.M):
        own = set(re.findall(r'"(\w+)"', labels))
        if kind == "GH_SECONDS":
            found |= {f"{name}_bucket": own | {"le"}, f"{name}_sum": own, f"{name}_count": own}
        else:
            found[name] = own
    return found


METRICS = metrics()


def expressions(board):
    """(where, expression, legend) of each panel's and annotation's."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield f"{board['title']}, {panel['title']}", target["expr"], target["legendFormat"]
    for annotation in board["annotations"]["list"]:
        yield f"{board['title']}, {annotation['name']}", annotation["expr"], annotation["textFormat"]


def boards():
    return [json.loads(path.read_text()) for path in BOARDS]


def names_in(expression):
    return re.findall(r"\b((?:gatehouse|process)_\w+)", re.sub(r'"[^"]*"', "", expression))


def filled_in(expression):
    """As Grafana does it, with everything chosen."""
    text = expression.replace("$__rate_interval", "1m").replace("$__interval", "1m")
    text = re.sub(r'"\$(job|instance|service|route|layer)"', '".*"', text)
    assert "$" not in text, expression
    return text


def test_each_metric_is_shown_and_each_one_shown_exists():
    shown = {name for board in boards() for _, expression, _ in expressions(board) for name in names_in(expression)}
    assert len(METRICS) > 60
    assert shown <= METRICS.keys(), shown - METRICS.keys()
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in METRICS} == families


def test_labels_are_those_of_the_metrics():
    for board in boards():
        for where, expression, legend in expressions(board):
            known = set().union(SCRAPED, *(METRICS[name] for name in names_in(expression)))
            for name, matchers in re.findall(r"(\w+)\{(.*?)\}", expression):
                assert set(re.findall(r"(\w+)=", matchers)) <= METRICS.get(name, set()) | SCRAPED, (where, name)
            grouped = {label.strip() for labels in re.findall(r"by \((.*?)\)", expression) for label in labels.split(",")}
            assert grouped <= known, where
            aggregated = re.search(r"\b(sum|avg|min|max|topk) ?(by|\()", expression)
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= (grouped if aggregated else known), where


def test_boards_are_laid_out():
    assert len(BOARDS) == 3
    assert len({board["uid"] for board in boards()}) == len(BOARDS)
    for board in boards():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        covered = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert at["x"] + at["w"] <= 24 and not cells & covered, f"{board['title']}, {panel['title']}"
            covered |= cells
        variables = {variable["name"] for variable in board["templating"]["list"]}
        text = json.dumps(board)
        used = set(re.findall(r"\$\{?([a-z]+)\b", text))
        assert used <= variables and variables - {"datasource"} <= used, board["title"]


@pytest.fixture(scope="module")
def shown(certificates, issuer):
    """(gateway, Prometheus), after traffic of all kinds."""
    back = upstream.Upstream(upstream.well())
    gate = gateway.Gateway({"main": [back.url, "http://127.0.0.1:9"]}, listeners=[
        gateway.Gateway.listener(), gateway.Gateway.listener("secure", tls=certificates.listener_tls()),
        gateway.Gateway.listener("narrow", limits={"connections_per_ip": 1})],
        telemetry={"events": {"sample": "100%"}})  # fmt: skip
    gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()))
    gate.config["waf"] = {"mode": "enforce", "rules": [gate.file("rules.conf", waf_rules.SMALL)]}
    gate.config["routes"].append({"name": "mine", "match": {"path": "/mine/**"}, "service": "main"})
    gate.config["routes"].append({"name": "few", "match": {"path": "/few"}, "service": "main", "public": True,
                                  "rate_limit": [{"key": "client_ip", "rate": "1/h", "burst": 1}], "layers": {"rate": "monitor"}})  # fmt: skip
    gate.start()
    prometheus = None
    try:
        prometheus = prometheus_server.Prometheus(gate.parse(gate.ready["metrics"]))
        for number in range(3):
            traffic(gate, certificates, issuer, number)
            prometheus.wait_for_scrapes()
        yield gate, prometheus
    finally:
        if prometheus:
            prometheus.stop()
        gate.discard()
        back.stop()


def traffic(gate, certificates, issuer, number):
    for _ in range(6):
        gate.ask()  # one of the two endpoints is not there
        gate.ask(target="/few")
        gate.ask(target="/mine/1", fields=issuer.bearer())
    assert gate.ask(target="/mine/1").status == 401
    assert gate.ask(target="/?q=attack").status == 403
    assert gate.ask(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").status == 400
    gate.ask(listener="secure", tls=certificates.client_context(), server_name="shop.example")
    with pytest.raises((OSError, wire.Closed)):
        gate.ask(listener="secure", tls=ssl.create_default_context(), server_name="shop.example")
    if number == 0:  # the connection of an earlier round may still be counted
        with gate.connect("narrow") as only:
            only.send(wire.request())
            only.answer()  # from now on it is counted
            with pytest.raises((OSError, wire.Closed)):
                gate.ask(listener="narrow")
    assert gate.command("bans", "add", f"192.0.2.{number}", "--for", "1h").returncode == 0
    assert gate.reload().returncode == 0


@pytest.mark.parametrize("name", [path.stem for path in BOARDS])
def test_each_expression_has_an_answer(shown, name):
    _, prometheus = shown
    board = json.loads((ROOT / f"packaging/grafana/{name}.json").read_text())
    empty = [f"{where}: {expression}" for where, expression, _ in expressions(board) if not prometheus.query(filled_in(expression))]
    assert [line for line in empty if not any(name in line for name in MAY_BE_EMPTY)] == []


def test_variables_have_choices(shown):
    _, prometheus = shown
    for board in boards():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
                assert prometheus.ask(f"label/{label}/values", **{"match[]": filled_in(series)}), variable["name"]


def test_figures_are_the_gateways(shown):
    """Nothing is scaled or summed wrongly between the gateway and a panel."""
    gate, prometheus = shown
    board = json.loads((ROOT / "packaging/grafana/protection.json").read_text())
    by_title = {panel["title"]: panel["targets"][0]["expr"] for panel in board["panels"] if panel.get("targets")}
    assert float(prometheus.query(filled_in(by_title["Banned"]))[0]["value"][1]) == gate.metric("gatehouse_bans_active") == 3
    traffic_board = json.loads((ROOT / "packaging/grafana/traffic.json").read_text())
    denied = next(panel for panel in traffic_board["panels"] if panel["title"] == "Denied")["targets"][0]["expr"]
    share = gate.metric("gatehouse_requests_total", verdict="deny") / gate.metric("gatehouse_requests_total")
    assert abs(float(prometheus.query(filled_in(denied))[0]["value"][1]) - share) < 0.1
