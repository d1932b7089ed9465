"""`gatehouse verify`: drills find what is open, and only that; they leave no trace but records."""

import json
import xml.etree.ElementTree

import pytest

import gateway
import waf_rules
from upstream import well

ATTACKS = r"""
SecRule ARGS "@rx (?:union.*select|<script|\.\./|;cat |\$\{jndi)" "id:100,phase:2,deny,status:403,log,t:none,t:urlDecodeUni,t:lowercase,msg:'An attack'"
"""


@pytest.fixture
def guarded(gatehouse, backend):
    """guarded(routes, **keys): a gateway with these routes to one service, rules that know the drills' attacks, penalties as they are by default."""

    def start(routes, upstream=None, **keys):
        gate = gatehouse.prepare(upstream or backend(well()), routes=routes, **keys)
        gate.config["waf"] = {"mode": "enforce", "rules": [gate.file("attacks.conf", ATTACKS)]}
        del gate.config["penalties"]
        return gate.start()

    return start


def drills(gate, *arguments, code):
    done = gate.command("verify", "--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    report = json.loads(done.stdout)
    return {(drill["where"].split()[1], drill["name"]): drill for drill in report["drills"]}, report


LIMIT = [{"key": "client_ip", "rate": "50/s", "burst": 20}]


def test_a_gateway_that_holds(guarded):
    gate = guarded([
        {"name": "open", "match": {"hosts": ["shop.example"], "path": "/open/**"}, "service": "main", "public": True},
        {"name": "orders", "match": {"hosts": ["shop.example"], "path": "/orders/{id}", "methods": ["GET"]}, "service": "main"},
        {"name": "inside", "match": {"hosts": ["shop.example"], "path": "/inside/**"}, "service": "main", "zones": ["corporate"]},
        {"name": "pay", "match": {"hosts": ["shop.example"], "path": "/pay", "methods": ["POST"]}, "service": "main"},
    ], zones={"corporate": {"networks": ["10.0.0.0/8"]}}, rate_limit=LIMIT)  # fmt: skip
    found, report = drills(gate, "--rates", code=0)
    held = {key for key, drill in found.items() if drill["outcome"] == "held"}
    assert held >= {
        ("public", "malformed"), ("public", "oversized_uri"), ("public", "oversized_header"), ("public", "too_many_headers"), ("public", "trace"),
        ("public", "unlisted"), ("public", "repeated_attacks"), ("open", "injection"), ("open", "oversized_body"), ("open", "rate"),
        ("orders", "unauthenticated"), ("orders", "unsigned_token"), ("orders", "forged_token"), ("inside", "wrong_zone"), ("pay", "oversized_body"),
    }  # fmt: skip
    assert report["failed"] == 0 and report["held"] == len(held)
    assert "auth.missing" in found["orders", "unauthenticated"]["detail"], "told by the gateway's own record"
    assert "zone.forbidden" in found["inside", "wrong_zone"]["detail"], "an address that a stranger claims counts for nothing"
    # Whoever else comes from this machine is banned for nothing, and no ban is left.
    assert gate.ask(target="/open/x").status == 200
    assert "nobody is banned" in gate.command("bans").stdout


def test_what_is_open_is_found(guarded, backend):
    upstream = backend(well())
    gate = guarded([
        {"name": "watched", "match": {"path": "/watched/**"}, "service": "main", "public": True, "waf": {"mode": "monitor"}},
        {"name": "off", "match": {"path": "/off/**"}, "service": "main", "public": True, "waf": {"mode": "off"}},
        {"name": "unasked", "match": {"path": "/unasked/**"}, "service": "main"},
    ], upstream=upstream, layers={"authentication": "monitor"})  # fmt: skip
    found, report = drills(gate, code=1)
    failed = {key for key, drill in found.items() if drill["outcome"] == "failed"}
    assert failed == {
        ("watched", "injection"), ("watched", "rate"), ("off", "injection"), ("off", "rate"), ("unasked", "rate"),
        ("unasked", "unauthenticated"), ("unasked", "unsigned_token"), ("unasked", "forged_token"),
    }  # fmt: skip
    assert "reached the service" in found["unasked", "unauthenticated"]["detail"]
    assert all(found[key]["fix"] for key in failed)
    assert {line.split()[0] for line, _ in upstream.heads} == {"GET"}, "what gets through changes nothing"


def test_rules_that_let_an_attack_through(guarded):
    gate = guarded([{"name": "open", "match": {"path": "/**"}, "service": "main", "public": True}], rate_limit=LIMIT)
    gate.config["waf"]["rules"] = [waf_rules.small(gate)]
    assert gate.reload().returncode == 0
    found, _ = drills(gate, "--route", "open", code=1)
    assert "let through: SQL injection (200), script injection (200)" in found["open", "injection"]["detail"]


def test_with_a_token_what_is_behind_authentication_is_tried(guarded, issuer):
    gate = guarded(
        [{"name": "orders", "match": {"path": "/orders/**"}, "service": "main", "access": {"roles": ["customer"]}, "waf": {"mode": "monitor"}}],
        rate_limit=LIMIT,
    )
    jwks = gate.file("jwks.json", issuer.jwks())
    gate.config["authentication"] = {"jwt": [{"name": "main", "issuer": issuer.URL, "audience": ["shop"], "jwks": str(jwks)}]}
    assert gate.reload().returncode == 0
    found, _ = drills(gate, "--bearer", issuer.token(roles=["clerk"], aud="shop"), code=1)
    assert found["orders", "wrong_role"]["outcome"] == "held" and "authorization" in found["orders", "wrong_role"]["detail"]
    assert found["orders", "unsigned_token"]["outcome"] == found["orders", "forged_token"]["outcome"] == "held"
    assert found["orders", "injection"]["outcome"] == "failed", "it only watches"


def test_tls(guarded):
    listener = gateway.Gateway.listener(tls={"certificates": [{"auto": True}]})
    gate = guarded([{"name": "open", "match": {"path": "/open/**"}, "service": "main", "public": True}], listeners=[listener], rate_limit=LIMIT)
    found, _ = drills(gate, code=0)
    assert found["public", "tls"]["outcome"] == "held" and found["public", "malformed"]["outcome"] == "held"


def test_reports(guarded):
    gate = guarded([{"name": "off", "match": {"path": "/off/**"}, "service": "main", "public": True, "waf": {"mode": "off"}}])
    text = gate.command("verify")
    assert text.returncode == 1 and "FAILED  injection" in text.stdout and "fix: waf: { mode: enforce } on the route" in text.stdout
    junit = xml.etree.ElementTree.fromstring(gate.command("verify", "--format", "junit").stdout)
    assert junit.tag == "testsuites" and len(junit.findall(".//failure")) == int(junit.get("failures")) == 2
    assert len(junit.findall(".//testcase")) == int(junit.get("tests"))
    sarif = json.loads(gate.command("verify", "--format", "sarif").stdout)
    results = sarif["runs"][0]["results"]
    assert {result["ruleId"] for result in results} == {"drill.injection", "drill.rate"}
    assert results[0]["locations"][0]["physicalLocation"]["region"]["startLine"] > 1


def test_nobody_is_there(guarded):
    gate = guarded([{"name": "open", "match": {"path": "/**"}, "service": "main", "public": True}])
    gate.config["listeners"][0]["address"] = f"127.0.0.1:{gate.address()[1]}"
    gate.write()
    gate.stop()
    done = gate.command("verify")
    assert done.returncode == 1 and "listener public at 127.0.0.1:" in done.stderr and not done.stdout
    assert gate.command("verify", "--route", "nothing").returncode == 2
