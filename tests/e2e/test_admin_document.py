"""docs/admin-api.yaml held against the server: every operation answers every status that it lists, with bodies that are
valid and hold nothing else; and nothing is served that it does not list. On the socket, and on TCP with the token."""

import json
import re

import jsonschema
import pytest

import api_document
import gateway
import wire
from upstream import well

TOKEN = "correct-horse-battery-staple"
BANNED = "203.0.113.0/24"  # by the configuration
UNKNOWN_ID = "01jd6y4t9v0m3k8c2q5r7w1xza"
DOCUMENT = api_document.Document("admin-api.yaml")
operations = DOCUMENT.operations


def walk(api):
    """Every operation with every status that it has; but for 401, which needs a stranger."""
    gate = api.gate
    shown = gate.ask(target="/shown")
    gate.record_of(shown)
    request_id = shown.get("x-request-id")

    assert "last_reload" not in api.ask("GET", "/v1/status")
    assert api.ask("GET", "/v1/config")["version"] == 1
    api.ask("POST", "/v1/rollback", {}, 422)  # there is nothing to go back to
    assert not api.ask("POST", "/v1/reload", {"dry_run": True})["applied"]
    gate.config["routes"][0]["timeout"] = "7s"
    gate.write()
    report = api.ask("POST", "/v1/reload", {})
    assert report["applied"] and report["changes"] and report["config_file"] == str(gate.config_path)
    api.ask("POST", "/v1/rollback", {})
    good = json.loads(gate.config_path.read_text())
    gate.config_path.write_text("version: 2\n")
    assert api.ask("POST", "/v1/reload", {}, 422)["errors"]
    gate.write(good)
    assert "last_reload" in api.ask("GET", "/v1/status")
    for path in ("/v1/reload", "/v1/rollback"):
        for bad in ("[]", "{", {"dry-run": True}, {"dry_run": 1}):
            api.ask("POST", path, bad, 400)
        api.ask("POST", path, "{}", 415, content_type="text/plain")

    api.ask("POST", "/v1/bans", {"address": "192.0.2.7", "duration": "10m", "reason": "r" * 100}, 201)
    api.ask("POST", "/v1/bans", {"network": "198.51.100.0/24", "duration": "365d"}, 201)
    for bad in (
        {"address": "192.0.2.7"},
        {"duration": "1h"},
        {"address": "192.0.2.7", "network": "192.0.2.7", "duration": "1h"},
        {"network": "192.0.2.7/24", "duration": "1h"},
        {"address": "192.0.2.7", "duration": "366d"},
        {"address": "192.0.2.7", "duration": "0s"},
        {"address": "192.0.2.7", "duration": 10},
        {"address": "192.0.2.7", "duration": "1h", "reason": "r" * 101},
        {"address": "192.0.2.7", "duration": "1h", "reason": 5},
        {"address": "192.0.2.7", "duration": "1h", "until": "later"},
    ):
        api.ask("POST", "/v1/bans", bad, 400)
    api.ask("POST", "/v1/bans", "{}", 415, content_type="text/plain")
    bans = {ban["network"]: ban for ban in api.ask("GET", "/v1/bans")["bans"]}
    assert bans["192.0.2.7/32"]["reason"] == "r" * 100, "kept whole"
    assert "until" in bans["192.0.2.7/32"] and "until" not in bans[BANNED]
    one = "/v1/bans/{network}"
    api.ask("DELETE", "/v1/bans/192.0.2.7", path=one)
    api.ask("DELETE", "/v1/bans/192.0.2.7", status=404, path=one)
    api.ask("DELETE", "/v1/bans/198.51.100.0%2F24", path=one)
    api.ask("DELETE", f"/v1/bans/{BANNED}", status=409, path=one)
    api.ask("DELETE", "/v1/bans/nobody", status=400, path=one)

    for query in ("", "?limit=1", "?verdict=pass&layer=upstream&client=127.0.0.0/8&limit=1000"):
        assert request_id in {record["request_id"] for record in api.ask("GET", f"/v1/requests{query}")["requests"]}
    for query in ("limit=0", "limit=1001", "verdict=no", "layer=no", "client=no", "no=1", "client=%zz"):
        api.ask("GET", f"/v1/requests?{query}", status=400)
    one = "/v1/requests/{id}"
    assert api.ask("GET", f"/v1/requests/{request_id}", path=one)["request_id"] == request_id
    for missing in (UNKNOWN_ID, "short"):
        api.ask("GET", f"/v1/requests/{missing}", status=404, path=one)

    gate.ask(target="/%00")
    wire.eventually(lambda: api.ask("GET", "/v1/events?verdict=deny&client=127.0.0.0/8&from=1h&limit=1")["events"])
    assert api.ask("GET", "/v1/events?text=nobodywrotethis")["next"] is None
    for query in ("limit=0", "limit=1001", "from=no", "client=no", "no=1", "after=no", "status=x", "text=%zz"):
        api.ask("GET", f"/v1/events?{query}", status=400)

    services = {service["name"]: service for service in api.ask("GET", "/v1/services")["services"]}
    assert services["main"]["endpoints"][0]["health"] == "healthy"
    assert [endpoint["health"] for endpoint in services["away"]["endpoints"]] == ["unresolved"]
    for query in ("", "?by=cost&limit=5&all=true", "?by=hits&never=true&all=false"):
        assert api.ask("GET", f"/v1/waf/stats{query}")["one_in"] == 64
    for query in ("by=no", "limit=0", "limit=x", "never=1", "all=", "no=1", "by=%zz"):
        api.ask("GET", f"/v1/waf/stats?{query}", status=400)
    browse(api)
    api.ask("GET", "/metrics")
    api.ask("GET", "/metrics", accept="application/openmetrics-text; version=1.0.0")
    api.ask("GET", "/healthz", token=None)
    api.ask("GET", "/readyz", token=None)


def browse(api):
    """What is there for the dashboard."""
    wire.eventually(lambda: sum(second["requests"] for second in api.ask("GET", "/v1/traffic")["seconds"]) > 0)
    assert len(api.ask("GET", "/v1/traffic?seconds=1")["seconds"]) == 1
    for query in ("seconds=0", "seconds=901", "no=1"):
        api.ask("GET", f"/v1/traffic?{query}", status=400)
    reasons = api.ask("GET", "/v1/reasons?code=rate.exceeded&code=no.such")["reasons"]
    assert [reason["code"] for reason in reasons] == ["rate.exceeded", "no.such"] and "burst" in reasons[0]["meaning"]
    api.ask("GET", "/v1/reasons?no=1", status=400)
    assert api.ask("GET", "/v1/posture")["valid"]

    code = api.ask("POST", "/v1/session/code", {"role": "viewer"}, 201)["code"]
    assert api.ask("POST", "/v1/session", {"code": code})["role"] == "viewer"
    assert api.ask("GET", "/v1/session")["role"] == "administrator", "the token's, or the socket's"
    api.ask("DELETE", "/v1/session")
    for bad in ({}, {"token": "a", "code": "b"}, {"name": "a"}, "[]"):
        api.ask("POST", "/v1/session", bad, 400)
    for bad in ({"role": "root"}, {"for": "me"}, "[]"):
        api.ask("POST", "/v1/session/code", bad, 400)
    for path in ("/v1/session", "/v1/session/code"):
        api.ask("POST", path, "{}", 415, content_type="text/plain")

    for query in ("verdict=no", "layer=no", "client=no", "remarkable=1", "limit=5"):
        api.ask("GET", f"/v1/live?{query}", status=400)
    fields = {"Authorization": f"Bearer {api.token}"} if api.token else {}
    watchers = [wire.Connection(api.address) for _ in range(32)]
    for watcher in watchers:
        watcher.send(wire.request("GET", "/v1/live?remarkable=true", host="127.0.0.1", fields=fields))
        answer = watcher.head()
        answer.body = watcher.until(b"event: records\n")
        api.hold("GET", "/v1/live", answer)
    api.ask("GET", "/v1/live", status=503)
    for watcher in watchers:
        watcher.close()


def drain(api):
    """Not ready any more while a request is under way."""
    gate = api.gate
    with gate.connect() as connection:
        connection.send(wire.request("POST", "/slow", fields={"Content-Length": "9"}))
        wire.eventually(lambda: api.ask("GET", "/v1/status")["requests_active"] == 1)
        gate.process.terminate()
        wire.eventually(lambda: status_of(api, "/readyz") == 503)
        api.ask("GET", "/readyz", status=503, token=None)
        assert api.ask("GET", "/v1/status")["state"] == "draining"
    gate.process.wait(10)


def status_of(api, target):
    return wire.ask(api.address, wire.request("GET", target, host="127.0.0.1")).status


def example(path):
    return path.replace("{network}", "192.0.2.7").replace("{id}", UNKNOWN_ID)


@pytest.mark.parametrize("transport", ["socket", "tcp"])
def test_every_operation_answers_as_documented(gatehouse, backend, transport):
    keys = {"admin": {"address": "127.0.0.1:0", "token": TOKEN}} if transport == "tcp" else {}
    upstreams = {"main": [backend(well())], "away": ["http://nothing.invalid:80"]}
    gate = gatehouse(upstreams, bans={"deny": [BANNED]}, process={"drain_timeout": "5s"}, **keys)
    api = api_document.Api(gate, DOCUMENT, TOKEN)
    walk(api)
    if transport == "tcp":
        for (method, path), operation in operations().items():
            if path == "/v1/session" and method == "POST":
                api.ask(method, path, {"token": TOKEN[:-1]}, 401)
            elif operation.get("security") != []:
                for token in (None, TOKEN[:-1]):
                    api.ask(method, example(path), status=401, path=path, token=token)
    drain(api)
    wanted = DOCUMENT.documented()
    if transport == "socket":  # root is never a stranger there; test_admin.py has one
        wanted = {one for one in wanted if one[2] != "401"}
    wanted -= {("GET", "/v1/events", "404"), ("GET", "/v1/events", "503")}  # test_events.py has those
    # Where the audit log cannot be written nothing is changed: test_audit.py.
    wanted = {one for one in wanted if one[0] == "GET" or one[2] != "503"}
    assert api.seen == wanted


def test_nothing_else_is_served(gatehouse, backend):
    """By the server's own table, and by what it says it allows."""
    source = (gateway.ROOT / "src" / "admin" / "admin_api.cc").read_text()
    named = dict(re.findall(r'(k\w+(?:Prefix|Path)) = "([^"]+)"', source))
    routes = {(method, named.get(path, path.strip('"'))) for method, path in re.findall(r'^      \{"([A-Z]+)", ("[^"]+"|k\w+(?:Prefix|Path))', source, re.M)}
    assert len(routes) > 10
    assert routes == {(method, path.partition("{")[0]) for method, path in operations()}

    gate = gatehouse(backend(well()))
    address = gate.parse(gate.ready["admin"])
    for path in DOCUMENT.paths:
        allowed = {method for method, other in operations() if other == path}
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
            if (method, path) == ("GET", "/v1/live"):
                continue  # it has no end
            answer = wire.ask(address, wire.request(method, example(path), host="localhost"), method=method)
            if method in allowed or (method == "HEAD" and "GET" in allowed):
                assert answer.status != 405, (method, path)
            else:
                assert answer.status == 405 and set(answer.get("allow").split(", ")) == allowed, (method, path)
    assert wire.ask(address, wire.request("GET", "/", host="localhost")).get("content-type").startswith("text/html")
    for path in ("/v1", "/v1/", "/v1/status/", "/v1/bans/", "/v1/requests/", "/v2/status", "/healthz/x"):
        assert wire.ask(address, wire.request("GET", path, host="localhost")).status == 404, path


def test_what_any_call_may_get(gatehouse, backend):
    gate = gatehouse(backend(well()), admin={"address": "127.0.0.1:0", "token": TOKEN})
    address = gate.parse(gate.ready["admin"])
    fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def status(method="GET", host="127.0.0.1", body=b"", **more):
        return wire.ask(address, wire.request(method, "/v1/status" if method == "GET" else "/v1/bans", host=host, fields={**fields, **more}, body=body)).status

    assert status() == 200
    assert status(host="gateway.example") == 421
    assert status(Origin="https://elsewhere.example") == 403
    assert status(Origin="http://127.0.0.1") == 200
    assert status("POST", body=b"x" * (64 * 1024 + 1)) == 413
    assert wire.ask(address, b"GET /v1/status HTTP/1.1\r\n\r\n").status == 400


def test_the_request_schema_refuses_what_the_server_refuses():
    schema = operations()["POST", "/v1/bans"]["requestBody"]["content"]["application/json"]["schema"]
    check = jsonschema.Draft4Validator(schema)
    assert check.is_valid({"address": "192.0.2.7", "duration": "10m"})
    for bad in ({"address": "192.0.2.7"}, {"address": "192.0.2.7", "duration": "0s"}, {"address": "192.0.2.7", "duration": "1h", "until": "x"}):
        assert not check.is_valid(bad)
