"""The layers: rates, penalties, bans, zones, CORS, compression, security headers; enforce, monitor and off."""

import gzip
import json
import threading
import time

import pytest

import gateway
import wire
from upstream import well


def route(name="all", path="/**", **keys):
    return {"name": name, "match": {"path": path}, "service": "main", "public": True, **keys}


def statuses(gate, count, **parts):
    return [gate.ask(**parts).status for _ in range(count)]


# Rates


def test_rate_per_client(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, rate_limit=[{"key": "client_ip", "rate": "10/m", "burst": 5}])
    got = statuses(gate, 8)
    assert got == [200] * 5 + [429] * 3
    assert len(back.heads) == 5
    answer = gate.ask()
    assert int(answer.get("retry-after")) >= 1 and answer.get("ratelimit") or answer.get("ratelimit-remaining") is not None
    record = gate.record_of(answer)
    assert (record["reason"], record["layer"], record["verdict"]) == ("rate.exceeded", "rate", "deny")
    assert "127.0.0.1" in json.dumps(record["layers"])
    assert gate.ask(source="127.0.0.9").status == 200, "another client has its own"


def test_rate_refills(gatehouse, backend):
    gate = gatehouse(backend(), rate_limit=[{"key": "client_ip", "rate": "30/m", "burst": 1}])
    assert statuses(gate, 2) == [200, 429]
    wire.eventually(lambda: gate.ask().status == 200, pause=0.2)


def test_rate_is_exact_across_shards(gatehouse, backend):
    gate = gatehouse(backend(), process={"shards": 2}, rate_limit=[{"key": "client_ip", "rate": "1/m", "burst": 50}])
    got = []
    threads = [threading.Thread(target=lambda: got.extend(statuses(gate, 25))) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert got.count(200) == 50 and got.count(429) == 50


def test_compound_key(gatehouse, backend):
    gate = gatehouse(backend(), routes=[route("a", "/a"), route("b", "/b")],
                     rate_limit=[{"key": ["client_ip", "route"], "rate": "1/m", "burst": 2}])  # fmt: skip
    assert statuses(gate, 3, target="/a") == [200, 200, 429]
    assert statuses(gate, 3, target="/b") == [200, 200, 429]


def test_rate_by_header(gatehouse, backend):
    gate = gatehouse(backend(), rate_limit=[{"key": "header:x-tenant", "rate": "1/m", "burst": 2}])
    assert statuses(gate, 3, fields={"X-Tenant": "a"}) == [200, 200, 429]
    assert statuses(gate, 3, fields={"X-Tenant": "b"}) == [200, 200, 429]


def test_requests_at_once(gatehouse, backend):
    gate = gatehouse(backend(well(delay=0.8)), rate_limit=[{"key": "client_ip", "concurrent": 3}])
    got = []
    threads = [threading.Thread(target=lambda: got.append(gate.ask().status)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(got) == [200] * 3 + [429] * 5
    assert gate.ask().status == 200, "the places are given back"


def test_rate_of_a_user(gatehouse, backend, issuer):
    gate = gatehouse.prepare(backend(), routes=[{**route(rate_limit=[{"key": "user", "rate": "1/m", "burst": 2}]), "public": False}])
    gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()))
    gate.start()
    assert statuses(gate, 3, fields=issuer.bearer(sub="alice")) == [200, 200, 429]
    assert statuses(gate, 3, fields=issuer.bearer(sub="bob")) == [200, 200, 429]


# Modes


@pytest.mark.parametrize("mode, wanted", [("enforce", [200, 429]), ("monitor", [200, 200]), ("off", [200, 200])])
def test_modes(gatehouse, backend, mode, wanted):
    gate = gatehouse(backend(), layers={"rate": mode}, rate_limit=[{"key": "client_ip", "rate": "1/m", "burst": 1}])
    assert statuses(gate, 2) == wanted
    answer = gate.ask()
    decisions = [d for d in gate.record_of(answer)["layers"] if d["layer"] == "rate"]
    if mode == "off":
        assert not decisions or decisions[0]["verdict"] == "pass"
    else:
        assert (decisions[0]["verdict"], decisions[0]["mode"], decisions[0]["reason"]) == ("deny", mode, "rate.exceeded")


# Bans and zones


def banned(gate, source):
    """A banned address gets an answer, so that the refusal has its record."""
    answer = gate.ask(source=source)
    return answer.status == 403 and gate.record_of(answer)["layer"] == "bans"


def test_denied_networks(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, bans={"deny": ["127.0.0.8/29"], "allow": ["127.0.0.9/32"]})
    assert gate.ask(source="127.0.0.1").status == 200
    assert banned(gate, "127.0.0.10")
    assert gate.ask(source="127.0.0.9").status == 200
    assert len(back.heads) == 2


def test_bans_by_command(gatehouse, backend):
    gate = gatehouse(backend())
    assert gate.command("bans", "add", "127.0.0.20", "--for", "10m").returncode == 0
    assert banned(gate, "127.0.0.20")
    shown = gate.command("bans", "list", "--json")
    assert "127.0.0.20" in shown.stdout
    assert gate.command("bans", "remove", "127.0.0.20").returncode == 0
    assert gate.ask(source="127.0.0.20").status == 200


def test_bans_outlive_a_reload(gatehouse, backend):
    gate = gatehouse(backend())
    gate.command("bans", "add", "127.0.0.20", "--for", "10m")
    assert gate.reload().returncode == 0
    assert banned(gate, "127.0.0.20")


def test_zones(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, zones={"corporate": {"networks": ["127.0.0.2/32"]}}, routes=[
        route("open", "/**", zones=["external", "corporate"]), route("office", "/office/**", zones=["corporate"])])  # fmt: skip
    assert gate.ask(target="/office/x", source="127.0.0.2").status == 200
    answer = gate.ask(target="/office/x", source="127.0.0.1")
    assert answer.status == 403 and len(back.heads) == 1
    record = gate.record_of(answer)
    assert (record["layer"], record["zone"]) == ("zone", "external")
    assert gate.ask(source="127.0.0.2").status == 200
    # the canonical path decides: no spelling of it gets around
    for target in ("/x/../office/x", "//office/x", "/%6fffice/x", "/./office/x"):
        assert gate.ask(target=target, source="127.0.0.1").status == 403, target


def test_default_zone_is_the_listeners(gatehouse, backend):
    gate = gatehouse(backend(), zones={"corporate": {"networks": ["127.0.0.2/32"]}})
    assert gate.ask(source="127.0.0.2").status == 403, "a route that names no zone is for the zone of its listener"


# Penalties


def test_failed_logins_slow_down(gatehouse, backend):
    """After five 401s each further request of that client waits, longer each time; others don't."""

    def login(peer):
        while got := peer.read_request():
            peer.answer(200 if "right" in got[0] else 401)

    penalties = {"failed_logins": {"threshold": 5, "window": "1m", "delay": "300ms", "max_delay": "900ms"}, "attacks": {"threshold": 1000}}
    gate = gatehouse(backend(login), penalties=penalties)
    took, delays = [], []
    for _ in range(9):
        began = time.monotonic()
        answer = gate.ask(target="/login?wrong")
        assert answer.status == 401
        took.append(time.monotonic() - began)
        delays.append(any(d["verdict"] == "delay" for d in gate.record_of(answer)["layers"]))
    assert delays == [False] * 5 + [True] * 4
    assert min(took[5:]) >= 0.28 and took[8] >= 0.85, took
    answer = gate.ask(target="/login?right", source="127.0.0.9")
    assert answer.status == 200 and gate.record_of(answer)["verdict"] == "pass"


def test_attacks_end_in_a_ban(gatehouse, backend):
    back = backend()
    gate = gatehouse(back, penalties={"attacks": {"threshold": 5, "window": "1m", "ban": "10m", "max_ban": "1h"}})
    evil = "GET /%00 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
    for _ in range(5):
        assert gate.ask(evil.encode(), source="127.0.0.30").status == 400
    wire.eventually(lambda: banned(gate, "127.0.0.30"))
    assert gate.ask().status == 200 and len(back.heads) == 1


# CORS, compression, security headers


def test_cors(gatehouse, backend):
    cors = {"origins": ["https://shop.example"], "methods": ["GET", "PUT"], "headers": ["x-api"], "max_age": "10m"}
    back = backend()
    gate = gatehouse(back, routes=[route(cors=cors)])
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-api"}
    answer = gate.ask(method="OPTIONS", fields=preflight)
    assert answer.status in (200, 204) and answer.get("access-control-allow-origin") == "https://shop.example"
    assert "PUT" in answer.get("access-control-allow-methods") and answer.get("access-control-max-age") == "600"
    assert not back.heads and gate.record_of(answer)["verdict"] == "answer"
    answer = gate.ask(fields={"Origin": "https://shop.example"})
    assert answer.get("access-control-allow-origin") == "https://shop.example" and "origin" in answer.get("vary", "").lower()
    for origin in ("https://evil.example", "https://shop.example.evil.example", "null", "http://shop.example"):
        assert gate.ask(fields={"Origin": origin}).get("access-control-allow-origin") is None, origin


def test_cors_on_refusals(gatehouse, backend):
    """Whoever is refused before CORS had its turn is told so in a way that the browser shows to the page."""
    cors = {"origins": ["https://shop.example"], "methods": ["GET", "PUT"]}
    origin = {"Origin": "https://shop.example"}
    preflight = {**origin, "Access-Control-Request-Method": "PUT"}
    gate = gatehouse(backend(), bans={"deny": ["127.0.0.40/32"]}, routes=[
        route(cors=cors, rate_limit=[{"key": "client_ip", "rate": "1/h", "burst": 1}]),
        route("far", "/far/**", cors=cors, zones=["corporate"]), route("bare", "/bare/**", zones=["corporate"])])  # fmt: skip
    assert gate.ask(method="OPTIONS", fields=preflight, source="127.0.0.41").status == 204
    refused = {
        "ban.": gate.ask(method="OPTIONS", fields=preflight, source="127.0.0.40"),
        "zone.": gate.ask(method="OPTIONS", target="/far/x", fields=preflight),
        "rate.": gate.ask(method="OPTIONS", fields=preflight, source="127.0.0.41"),
        "rate.e": gate.ask(fields=origin, source="127.0.0.41"),
    }
    for reason, answer in refused.items():
        assert answer.status in (403, 429) and gate.record_of(answer)["reason"].startswith(reason), reason
        assert answer.get("access-control-allow-origin") == "https://shop.example", reason
    foreign = gate.ask(method="OPTIONS", target="/far/x", fields={**preflight, "Origin": "https://evil.example"})
    assert foreign.status == 403 and foreign.get("access-control-allow-origin") is None
    assert gate.ask(method="OPTIONS", target="/bare/x", fields=preflight).get("access-control-allow-origin") is None


TEXT = b"compress me, please. " * 500


@pytest.mark.parametrize("accept, wanted", [
    ("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br, zstd", "zstd"), ("identity", None), ("gzip;q=0", None), ("", None)])  # fmt: skip
def test_compression(gatehouse, backend, accept, wanted):
    gate = gatehouse(backend(well(body=TEXT)))
    answer = gate.ask(fields={"Accept-Encoding": accept} if accept else {})
    assert answer.get("content-encoding") == wanted
    if wanted:
        assert len(answer.body) < len(TEXT) / 4 and "accept-encoding" in answer.get("vary", "").lower()
    if wanted == "gzip":
        assert gzip.decompress(answer.body) == TEXT
    if not wanted:
        assert answer.body == TEXT


NOT_COMPRESSED = {
    "small": (b"x" * 100, [("Content-Type", "text/plain")], {}),
    "pictures": (TEXT, [("Content-Type", "image/png")], {}),
    "already": (TEXT, [("Content-Type", "text/plain"), ("Content-Encoding", "br")], {}),
    "no-transform": (TEXT, [("Content-Type", "text/plain"), ("Cache-Control", "no-transform")], {}),
    "with a cookie (BREACH)": (TEXT, [("Content-Type", "text/plain")], {"Cookie": "session=1"}),
    "with authorization (BREACH)": (TEXT, [("Content-Type", "text/plain")], {"Authorization": "Basic eDp5"}),
}


@pytest.mark.parametrize("name", NOT_COMPRESSED)
def test_not_compressed(gatehouse, backend, name):
    body, fields, asked = NOT_COMPRESSED[name]
    gate = gatehouse(backend(well(body=body, fields=fields)))
    answer = gate.ask(fields={"Accept-Encoding": "gzip", **asked})
    assert answer.body == body and answer.get("content-encoding") in (None, "br")


def test_security_headers(gatehouse, backend, certificates):
    gate = gatehouse(backend(), listeners=[gateway.Gateway.listener(), gateway.Gateway.listener("tls", address="127.0.0.3:0", tls=certificates.listener_tls("shop.example", "127.0.0.3"))])
    plain, secure = gate.ask(), gate.ask(listener="tls", tls=certificates.client_context(), server_name="shop.example")
    for answer in (plain, secure):
        assert answer.get("x-content-type-options") == "nosniff" and answer.get("x-frame-options") == "DENY"
        assert "frame-ancestors 'none'" in answer.get("content-security-policy") and answer.get("referrer-policy")
    assert plain.get("strict-transport-security") is None and "max-age=31536000" in secure.get("strict-transport-security")


def test_an_upstreams_own_policy_stays(gatehouse, backend):
    fields = [("Content-Security-Policy", "default-src 'self'"), ("X-Frame-Options", "SAMEORIGIN"), ("Content-Type", "text/html")]
    answer = gatehouse(backend(well(fields=fields))).ask()
    assert answer.all("content-security-policy") == ["default-src 'self'"] and answer.all("x-frame-options") == ["SAMEORIGIN"]


def test_security_headers_on_refusals(gatehouse, backend):
    gate = gatehouse(backend(), routes=[{**route(), "public": False}])
    answer = gate.ask()
    assert answer.status == 401 and answer.get("x-content-type-options") == "nosniff"
    assert "no-store" in answer.get("cache-control", "")
