"""Who asks, and what they may: tokens, API keys, client certificates, roles, scopes, second factors."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

import gateway
import wire


def private(**access):
    return {"name": "private", "match": {"path": "/**"}, "service": "main", **({"access": access} if access else {})}


@pytest.fixture
def guarded(gatehouse, backend, issuer):
    """guarded(**access) is a gateway with one route that needs a token."""

    def start(jwt_keys=None, **access):
        back = backend()
        gate = gatehouse.prepare(back, routes=[private(**access)])
        gate.config["authentication"] = issuer.configuration(gate.file("jwks.json", issuer.jwks()), **(jwt_keys or {}))
        gate.start()
        gate.back = back
        return gate

    return start


def upstream_fields(answer):
    return dict(map(tuple, json.loads(answer.body)["fields"]))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA", "RS256", "PS256"])
def test_algorithms(guarded, issuer, algorithm):
    gate = guarded()
    answer = gate.ask(fields=issuer.bearer(algorithm))
    assert answer.status == 200
    record = gate.record_of(answer)
    assert (record["user"], record["auth"]) == ("alice", "jwt")


def tampered(token, part, change):
    parts = token.split(".")
    value = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    parts[part] = base64.urlsafe_b64encode(json.dumps({**value, **change}).encode()).rstrip(b"=").decode()
    return ".".join(parts)


def bad_tokens(issuer):
    now = int(time.time())
    good = issuer.token()
    public = issuer.keys["RS256"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    # jwt refuses to sign with a public key as a secret, so the confusion attack is made by hand
    head = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "RS256"}).encode())
    body = jwt.utils.base64url_encode(json.dumps(issuer.claims()).encode())
    confused = (head + b"." + body + b"." + jwt.utils.base64url_encode(hmac.new(public, head + b"." + body, hashlib.sha256).digest())).decode()
    unsigned = jwt.encode(issuer.claims(), None, algorithm="none", headers={"kid": "ES256"})
    return {
        "expired": issuer.token(exp=now - 120),
        "not yet": issuer.token(nbf=now + 600),
        "without an end": issuer.token(exp=None),
        "of another issuer": issuer.token(iss="https://evil.example"),
        "for another audience": issuer.token(aud="other"),
        "without an audience": issuer.token(aud=None),
        "unsigned": unsigned,
        "unsigned, in capitals": tampered(unsigned, 0, {"alg": "NONE"}),
        "signed with the public key as a secret": confused,
        "an unknown key id": issuer.token(headers={"kid": "other"}),
        "a key of another algorithm": issuer.token("ES384", headers={"kid": "ES256"}),
        "changed claims": tampered(good, 1, {"sub": "bob"}),
        "changed header": tampered(good, 0, {"x": 1}),
        "cut signature": good[:-10],
        "no signature": good.rpartition(".")[0] + ".",
        "two parts": good.rpartition(".")[0],
        "four parts": good + ".x",
        "padding": good + "=",
        "a key in its header": tampered(good, 0, {"jwk": {}}),
        "a key URL in its header": tampered(good, 0, {"jku": "https://evil.example/jwks"}),
        "critical extensions": issuer.token(headers={"crit": ["x"], "x": 1}),
        "no JSON": "e30.e30.e30",
        "junk": "junk",
        "very long": "a" * 20_000,
    }


def test_bad_tokens(guarded, issuer):
    gate = guarded()
    for name, token in bad_tokens(issuer).items():
        answer = gate.ask(fields={"Authorization": f"Bearer {token}"})
        assert answer.status in (401, 431), name
        if answer.status == 401:
            assert answer.get("www-authenticate", "").startswith("Bearer"), name
            assert gate.record_of(answer)["reason"].startswith("auth."), name
    assert not gate.back.heads
    answer = gate.ask(fields={"Authorization": "Bearer " + issuer.token(exp=int(time.time()) - 120)})
    assert gate.record_of(answer)["reason"] == "auth.expired"
    assert gate.ask(fields=issuer.bearer()).status == 200


SCHEMES = ["", "Bearer", "Bearer ", "Basic eDp5", "bearer", "Token x", "Bearer a b"]


@pytest.mark.parametrize("value", SCHEMES)
def test_other_credentials(guarded, value):
    assert guarded().ask(fields={"Authorization": value}).status == 401


def test_two_credentials_are_none(guarded, issuer):
    gate = guarded()
    token = issuer.bearer()["Authorization"]
    assert gate.ask(fields=[("Authorization", token), ("Authorization", issuer.bearer(sub="bob")["Authorization"])]).status in (400, 401)


def test_leeway(guarded, issuer):
    gate = guarded()
    assert gate.ask(fields=issuer.bearer(exp=int(time.time()) - 5)).status == 200
    assert gate.ask(fields=issuer.bearer(nbf=int(time.time()) + 5)).status == 200


def test_a_cached_token_still_expires(guarded, issuer):
    gate = guarded({"leeway": "0s"})
    token = issuer.bearer(exp=int(time.time()) + 2)
    assert gate.ask(fields=token).status == 200
    wire.eventually(lambda: gate.ask(fields=token).status == 401, within=5, pause=0.2)


ACCESS = {
    # name: (access, claims, status)
    "a role": ({"roles": ["customer", "operator"]}, {}, 200),
    "no such role": ({"roles": ["operator"]}, {}, 403),
    "no roles at all": ({"roles": ["operator"]}, {"roles": None}, 403),
    "all scopes": ({"scopes": ["orders:read", "orders:write"]}, {}, 200),
    "one scope of two": ({"scopes": ["orders:read", "payments:write"]}, {}, 403),
    "a scope is not a prefix": ({"scopes": ["orders"]}, {}, 403),
    "the audience": ({"audience": "shop"}, {"aud": ["shop", "other"]}, 200),
    "another audience": ({"audience": "other"}, {}, 403),
    "a second factor": ({"mfa": True}, {"amr": ["pwd", "otp"], "auth_time": "now"}, 200),
    "no second factor": ({"mfa": True}, {"amr": ["pwd"], "auth_time": "now"}, 403),
    "an old second factor": ({"mfa": True, "mfa_max_age": "1m"}, {"amr": ["pwd", "otp"], "auth_time": "then"}, 403),
    "everything": ({"roles": ["customer"], "scopes": ["orders:read"], "audience": "shop"}, {}, 200),
    "all but one": ({"roles": ["customer"], "scopes": ["admin"], "audience": "shop"}, {}, 403),
}


@pytest.mark.parametrize("name", ACCESS)
def test_access(guarded, issuer, name):
    access, claims, status = ACCESS[name]
    claims = {key: {"now": int(time.time()), "then": int(time.time()) - 600}.get(value, value) if isinstance(value, str) else value
              for key, value in claims.items()}  # fmt: skip
    gate = guarded(**access)
    answer = gate.ask(fields=issuer.bearer(**claims))
    assert answer.status == status
    if status == 403:
        record = gate.record_of(answer)
        assert record["layer"] == "authorization" and record["user"] == "alice" and not gate.back.heads


def test_what_the_service_is_told(guarded, issuer):
    """Identity in fields of ours, and in a short-lived token that the gateway signs; the caller's token stays away."""
    gate = guarded()
    forged = {"X-Gatehouse-User": "admin", "X-Gatehouse-Roles": "admin", "X-Gatehouse-Identity": "forged"}
    got = upstream_fields(gate.ask(fields={**issuer.bearer(), **forged}))
    assert got["x-gatehouse-user"] == "alice" and "customer" in got["x-gatehouse-roles"]
    claims = jwt.decode(got["x-gatehouse-identity"], options={"verify_signature": False})
    assert claims["sub"] == "alice" and 0 < claims["exp"] - time.time() <= 120
    assert jwt.get_unverified_header(got["x-gatehouse-identity"])["alg"] != "none"


def test_a_public_route_tells_nothing_unproved(gatehouse, backend):
    got = upstream_fields(gatehouse(backend()).ask(fields={"X-Gatehouse-User": "admin"}))
    assert got.get("x-gatehouse-user") in (None, "")


# Keys that change: JWKS by URL


class JwksServer:
    def __init__(self, text):
        outer = self
        self.text, self.asked, self.broken = text, 0, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                body = b"oops" if outer.broken else outer.text.encode()
                self.send_response(500 if outer.broken else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_jwks_by_url(gatehouse, backend, issuer):
    """Fetched, cached, fetched again for a key id that is new, and the last good one kept when the server fails."""
    server = JwksServer(issuer.jwks("ES256"))
    gate = gatehouse(backend(), routes=[private()], authentication=issuer.configuration(server.url, refresh="1s"))
    wire.eventually(lambda: gate.ask(fields=issuer.bearer()).status == 200)
    for _ in range(20):
        assert gate.ask(fields=issuer.bearer()).status == 200
    assert server.asked < 8, "cached"
    server.text = issuer.jwks("ES256", "EdDSA")
    wire.eventually(lambda: gate.ask(fields=issuer.bearer("EdDSA")).status == 200, within=8, pause=0.2)
    server.broken = True
    asked = server.asked
    wire.eventually(lambda: server.asked > asked, within=8)
    assert gate.ask(fields=issuer.bearer()).status == 200
    server.server.shutdown()


# API keys


def test_api_keys(gatehouse, backend):
    back = backend()
    gate = gatehouse.prepare(back, routes=[private(roles=["partner"])], authentication={"api_keys": {"header": "x-api-key", "file": "keys.yaml"}})
    gate.write()
    made = gate.command("apikey", "create", "--user", "acme", "--role", "partner")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip().splitlines()[-1].split()[-1]
    stored = (gate.dir / "keys.yaml").read_text()
    assert key not in stored and "acme" in stored, "only a hash is stored"
    (gate.dir / "keys.yaml").chmod(0o644)
    gate.start()
    answer = gate.ask(fields={"X-Api-Key": key})
    assert answer.status == 200
    record = gate.record_of(answer)
    assert record["auth"] == "api_key" and "acme" in record["user"]
    got = upstream_fields(answer)
    assert key not in json.dumps(got), "the key is not for the service"
    for wrong in (key[:-1], key + "x", key.upper() if key != key.upper() else key.lower(), "", "x"):
        assert gate.ask(fields={"X-Api-Key": wrong}).status == 401
    assert key not in gate.log_path.read_text()


# Client certificates


def test_client_certificates(gatehouse, backend, certificates):
    tls = certificates.listener_tls(client_ca=certificates.ca, client_auth="optional")
    gate = gatehouse(backend(), listeners=[gateway.Gateway.listener(tls=tls)], routes=[private()],
                     authentication={"client_certificates": {"roles_from": "san"}})  # fmt: skip
    pair = certificates.issue("spiffe://shop.example/orders", stem="orders-client")
    answer = gate.ask(tls=certificates.client_context(certificate=pair), server_name="shop.example")
    assert answer.status == 200
    record = gate.record_of(answer)
    assert record["auth"] == "client_certificate" and "spiffe://shop.example/orders" in record["user"]
    assert gate.ask(tls=certificates.client_context(), server_name="shop.example").status == 401
