"""RFC 7662 and RFC 7009."""

import proofs
import pytest
import registry

OFFLINE = "openid email offline_access"


def test_active(web):
    """RFC 7662 §2.2: `active` and what the token says."""
    body = web.tokens(scope=OFFLINE)
    told = web.introspect(body["access_token"])
    assert told["active"] is True and told["client_id"] == "web" and "email" in told["scope"].split()
    assert proofs.now() < told["exp"] <= proofs.now() + 3600
    assert told.get("sub", "") == web.id_token(body["id_token"])["sub"]
    assert told.get("token_type", "Bearer") in ("Bearer", "access_token")


def test_refresh_token_is_active(web):
    """RFC 7662 §2.1: refresh tokens, too, with or without the hint."""
    body = web.tokens(scope=OFFLINE)
    for hint in (None, "refresh_token", "access_token", "nonsense"):
        assert web.introspect(body["refresh_token"], token_type_hint=hint)["active"] is True


def test_jwt_is_active(rp):
    """RFC 7662 §2.2, RFC 9068: a JWT access token is told of like any other."""
    service = rp("service")
    token = service.good(service.token("client_credentials", scope="orders:read", resource=registry.ORDERS))["access_token"]
    told = service.introspect(token)
    assert told["active"] is True and told["client_id"] == "service"
    assert told["aud"] in (registry.ORDERS, [registry.ORDERS])


def test_answer_is_not_cached(web):
    """RFC 7662 §4: what is told changes."""
    answer = web.post("introspection", {"token": web.tokens()["access_token"]})
    assert "no-store" in answer.header("cache-control")


@pytest.mark.parametrize("token", ["x", "A" * 43, "a.b.c", "x" * 20000, "\x00", "ü", "e30.e30."], ids=range(7))
def test_unknown_is_inactive(web, token):
    """RFC 7662 §2.2: `active: false` and nothing else."""
    answer = web.post("introspection", {"token": token})
    if len(token) > 10000 or token == "\x00":  # no token at all: a malformed request may be told apart
        assert answer.status == 413 or answer.json() == {"active": False} or answer.refusal() == "invalid_request", answer
    else:
        assert answer.status == 200 and answer.json() == {"active": False}, answer


@pytest.mark.parametrize("forge", ["alg none", "another key", "tampered", "id_token", "code"])
def test_forged_is_inactive(rp, forge):
    """RFC 8725 §2.1: signed by us, and an access token, or inactive."""
    web, service = rp("web"), rp("service")
    token = service.good(service.token("client_credentials", resource=registry.ORDERS))["access_token"]
    known = proofs.claims_of(token)
    made = {
        "alg none": lambda: proofs.unsigned(known, typ="at+jwt"),
        "another key": lambda: proofs.Key("ES256", proofs.header_of(token)["kid"]).sign(known, typ="at+jwt"),
        "tampered": lambda: proofs.tampered(token, scope="admin"),
        "id_token": lambda: web.tokens()["id_token"],
        "code": lambda: web.authorize().callback["code"],
    }[forge]()
    assert web.introspect(made) == {"active": False}


@pytest.mark.parametrize("who", ["nobody", "public", "wrong secret"])
def test_only_for_those_who_may(rp, who):
    """RFC 7662 §2.1, §4: the endpoint is no oracle for strangers."""
    web = rp("web")
    token = web.tokens()["access_token"]
    if who == "public":
        answer = rp("spa").post("introspection", {"token": token})
        assert answer.status in (400, 401, 403) or answer.json() == {"active": False}, answer
        return
    headers = {"Authorization": "Basic d2ViOndyb25n"} if who == "wrong secret" else {}
    assert web.post("introspection", {"token": token}, None, headers).status in (400, 401)


@pytest.mark.parametrize("endpoint", ["introspection", "revocation"])
def test_manners(web, endpoint):
    """RFC 7662 §2.1, RFC 7009 §2.1: POST only, a form only, `token` once, nothing in the query."""
    url, (_, head) = web.metadata[f"{endpoint}_endpoint"], web.credentials()
    token = web.tokens()["access_token"]
    assert web.http.get(f"{url}?token={token}", (), head).status in (400, 404, 405)
    assert web.post(endpoint, {}).refusal() == "invalid_request"
    assert web.post(endpoint, {"token": ""}).status in (200, 400)
    assert web.post(endpoint, [("token", token), ("token", "x")]).refusal() == "invalid_request"
    answer = web.http.send("POST", url, b'{"token":"x"}', {**head, "Content-Type": "application/json"})
    assert 400 <= answer.status < 500, answer
    answer = web.http.post(f"{url}?token={token}", {}, head)
    assert answer.refusal() == "invalid_request"
    assert web.is_alive(token)


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "nonsense"])
def test_revoke_refresh_token(rp, hint):
    """RFC 7009 §2.1: the refresh token and the access tokens of its grant end; the hint is only one."""
    web = rp("web")
    body = web.tokens(scope=OFFLINE)
    answer = web.post("revocation", {"token": body["refresh_token"], "token_type_hint": hint})
    assert answer.status == 200, answer
    assert web.refresh(body["refresh_token"]).refusal() == "invalid_grant"
    assert web.introspect(body["access_token"])["active"] is False and not web.is_alive(body["access_token"])


def test_revoke_access_token(web):
    """RFC 7009 §2.1: the access token ends."""
    body = web.tokens(scope=OFFLINE)
    assert web.post("revocation", {"token": body["access_token"], "token_type_hint": "access_token"}).status == 200
    assert not web.is_alive(body["access_token"]) and web.introspect(body["access_token"]) == {"active": False}


def test_revoke_by_a_public_client(rp):
    """RFC 7009 §2.1: a public client names itself, and can sign off."""
    spa = rp("spa")
    body = spa.tokens(scope=OFFLINE)
    assert spa.post("revocation", {"token": body["refresh_token"]}).status == 200
    assert spa.refresh(body["refresh_token"]).refusal() == "invalid_grant"


@pytest.mark.parametrize("token", ["x", "A" * 43, "a.b.c", "x" * 20000, "\x00", "e30.e30."], ids=range(6))
def test_revoke_unknown(web, token):
    """RFC 7009 §2.2: an invalid token is 200: it is gone already."""
    answer = web.post("revocation", {"token": token})
    malformed = len(token) > 10000 or token == "\x00"
    assert answer.status == 200 or (malformed and (answer.status == 413 or answer.refusal() == "invalid_request")), answer


def test_revoke_twice(web):
    """RFC 7009 §2.2: 200 again."""
    token = web.tokens(scope=OFFLINE)["refresh_token"]
    assert [web.post("revocation", {"token": token}).status for _ in range(2)] == [200, 200]


@pytest.mark.bcp("refresh-bound")
@pytest.mark.parametrize("thief", ["other", "spa"])
def test_revoke_another_clients(rp, thief):
    """RFC 7009 §2.1: the token was issued to the client that asks, or nothing happens to it."""
    web = rp("web")
    body = web.tokens(scope=OFFLINE)
    for kind in ("access_token", "refresh_token"):
        answer = rp(thief).post("revocation", {"token": body[kind]})
        assert answer.status == 200 or answer.refusal() in ("invalid_request", "unauthorized_client", "invalid_grant"), answer
    assert web.is_alive(body["access_token"]) and web.good(web.refresh(body["refresh_token"]))


def test_revoke_needs_the_client(rp):
    """RFC 7009 §2.1: a confidential client proves itself."""
    web = rp("web")
    token = web.tokens(scope=OFFLINE)["refresh_token"]
    assert web.post("revocation", {"token": token}, "none").status in (400, 401)
    assert web.good(web.refresh(token))
