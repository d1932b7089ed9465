"""Tokens of this provider where they were not made for: at the gateway's own routes (RFC 9700 §4.9, §4.10, §4.15)."""

import base64
import json
import ssl

import people
import proofs  # of the outside suite, like people's browser
import pytest
import upstream
import wire

API = "https://shop.example"  # what the gateway's routes want as audience


@pytest.fixture(scope="module")
def shop():
    behind = upstream.Upstream(upstream.mirror)
    yield behind
    behind.stop()


@pytest.fixture
def gate(gatehouse, certificates, shop):
    routes = [
        {"name": "any", "match": {"hosts": ["shop.example"], "path": "/any/**"}, "service": "main", "access": {}},
        {"name": "users", "match": {"hosts": ["shop.example"], "path": "/customers/**"}, "service": "main", "access": {"roles": ["customer"]}},
    ]
    gate = people.with_identity(gatehouse, certificates, services={"main": {"endpoints": [shop.url]}}, routes=routes)
    gate.config["listeners"][0]["tls"] = certificates.listener_tls("login.shop.example", "shop.example")
    return gate.start()


def client(gate, name, **settings):
    """A machine of that name that may ask for tokens for the shop; a function that gets one."""
    wanted = {"token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"], "scope": "orders:read",
              "audiences": [API, "https://other.example"], **settings}  # fmt: skip
    made = people.admin(gate, "POST", "/v1/clients", {"client_id": name, "client_name": name, "settings": wanted}, 201)
    proof = "Basic " + base64.b64encode(f"{name}:{made['client_secret']}".encode()).decode()

    def token(resource=API, **head):
        fields = {"grant_type": "client_credentials", "scope": "orders:read", "resource": resource}
        answer = people.Browser(gate, accept="application/json").post(people.ISSUER + "/token", fields, {"Authorization": proof, **head})
        assert answer.status == 200, answer
        return answer.json()["access_token"]

    return token


def at_the_route(gate, authorization, path="/any/thing", **fields):
    """The answer of a route that isn't public."""
    request = wire.request("GET", path, host="shop.example", fields={"Authorization": authorization, **fields})
    context = ssl.create_default_context(cafile=gate.ca)
    return wire.ask(gate.address(), request, tls=context, server_name="shop.example")


def test_a_token_for_another_audience(gate):
    """RFC 9700 §2.3: a service that got a token for itself can't use it here."""
    token = client(gate, "machine")
    assert at_the_route(gate, "Bearer " + token()).status == 200
    refused = at_the_route(gate, "Bearer " + token("https://other.example"))
    assert refused.status == 401
    assert gate.record(request_id=refused.get("x-request-id"))["reason"] == "auth.audience"


def test_a_token_bound_to_a_key(gate):
    """RFC 9449 §7.1: a DPoP token that was stolen is of no use as a bearer token, nor with another's proof."""
    key, thief = proofs.Key("ES256"), proofs.Key("ES256")
    token = client(gate, "bound", dpop_bound_access_tokens=True)
    stolen = token(DPoP=proofs.dpop(key, "POST", people.ISSUER + "/token"))
    assert proofs.claims_of(stolen)["cnf"]["jkt"] == key.thumbprint()
    refused = at_the_route(gate, "Bearer " + stolen)
    assert refused.status == 401
    assert gate.record(request_id=refused.get("x-request-id"))["reason"] == "auth.binding"
    url = "https://shop.example/any/thing"
    assert at_the_route(gate, "DPoP " + stolen, DPoP=proofs.dpop(thief, "GET", url, stolen)).status == 401


@pytest.mark.parametrize("bent", ["none", "another key", "public key as secret", "tampered"])
def test_a_forged_token(gate, bent):
    """The design: one algorithm for a key; `none`, another's signature and the public key as a secret are refused."""
    token = client(gate, "machine")()
    head, claims = proofs.header_of(token), proofs.claims_of(token)
    jwks = people.Browser(gate).get(people.ISSUER + "/jwks").json()
    public = next(key for key in jwks["keys"] if key["kid"] == head["kid"])
    forged = {
        "none": proofs.unsigned(claims, typ="at+jwt", kid=head["kid"]),
        "another key": proofs.Key("ES256", head["kid"]).sign(claims, typ="at+jwt"),
        "public key as secret": proofs.hmac_signed(claims, proofs.unb64(public["x"]), typ="at+jwt", kid=head["kid"]),
        "tampered": proofs.tampered(token, roles=["customer"]),
    }[bent]
    assert at_the_route(gate, "Bearer " + forged).status == 401
    assert at_the_route(gate, "Bearer " + token).status == 200


def test_a_client_that_would_be_a_user(gate):
    """RFC 9700 §4.15: a client cannot be named so that its own token is taken for a user's, and has no user's roles."""
    ada = people.make_user(gate, "ada", roles=["customer"])
    wanted = {"client_id": ada["id"], "client_name": "ada", "settings": {"token_endpoint_auth_method": "client_secret_basic",
              "grant_types": ["client_credentials"]}}  # fmt: skip
    request = wire.request("POST", "/v1/clients", host="localhost", fields={"Content-Type": "application/json"}, body=json.dumps(wanted).encode())
    assert wire.ask(gate.parse(gate.ready["admin"]), request).status == 400
    token = client(gate, "ada")()
    assert at_the_route(gate, "Bearer " + token, "/customers/x").status == 403
    who = people.Browser(gate).get(people.ISSUER + "/userinfo", (), {"Authorization": "Bearer " + token})
    assert who.status in (401, 403), who


def test_an_access_token_of_userinfo(gate):
    """A token for userinfo has the issuer as audience: it opens no route."""
    token = client(gate, "self", audiences=[API, people.ISSUER])
    assert at_the_route(gate, "Bearer " + token(people.ISSUER)).status == 401
