"""The UserInfo endpoint, OIDC Core §5.3, and bearer tokens, RFC 6750."""

import proofs
import pytest

SCOPES = {
    "profile": ["name", "given_name", "family_name"],
    "email": ["email", "email_verified"],
    "phone": ["phone_number"],  # phone_number_verified is RECOMMENDED at most
    "address": ["address"],
}
ALL = {claim for claims in SCOPES.values() for claim in claims}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_methods(web, method):
    """OIDC Core §5.3.1: GET and POST with the token in the header; §5.3.2: `sub` is the ID token's."""
    body = web.tokens()
    answer = web.userinfo(body["access_token"], method)
    assert answer.status == 200, answer
    assert answer.json()["sub"] == web.id_token(body["id_token"])["sub"]


def test_not_cached(web):
    """RFC 9111 §3.5: personal data is kept by no shared cache."""
    answer = web.userinfo(web.tokens()["access_token"])
    assert {"no-store", "private"} & set((answer.header("cache-control") or "").replace(",", " ").split())


@pytest.mark.parametrize("scope", SCOPES)
def test_scope_gives_its_claims(web, scope):
    """OIDC Core §5.4: each scope gives its claims, and no other's."""
    claims = web.userinfo(web.tokens(scope=f"openid {scope}")["access_token"]).json()
    for name in SCOPES[scope]:
        assert claims[name] == web.target.users["alice"].claims[name], name
    assert not (ALL - set(SCOPES[scope])) & set(claims)


def test_openid_alone(web):
    """OIDC Core §5.4: `openid` gives the subject only."""
    claims = web.userinfo(web.tokens()["access_token"]).json()
    assert not ALL & set(claims) and claims["sub"]


def test_missing_claims_are_left_out(web):
    """OIDC Core §5.3.2: what a user does not have is omitted, not null or empty."""
    claims = web.userinfo(web.tokens("bob", scope="openid phone address")["access_token"]).json()
    assert not {"phone_number", "address"} & set(claims) or all(claims[name] for name in {"phone_number", "address"} & set(claims))


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_scheme_has_no_case(web, word):
    """RFC 9110 §11.1: scheme names are case-insensitive."""
    assert web.userinfo(web.tokens()["access_token"], scheme=word).status == 200


def test_without_a_token(web):
    """RFC 6750 §3, §3.1: a challenge, and no error code when nothing was presented."""
    answer = web.http.get(web.metadata["userinfo_endpoint"])
    assert answer.status == 401, answer
    assert answer.header("www-authenticate").startswith(("Bearer", "DPoP")) and "error=" not in answer.header("www-authenticate")


def refused(answer, status=401, error="invalid_token"):
    assert answer.status == status, answer
    assert f'error="{error}"' in answer.header("www-authenticate"), answer


@pytest.mark.parametrize("token", ["x", "a.b.c", "A" * 43, "A" * 6000, "e30.e30.", "-", "eyJhbGciOiJub25lIn0.e30."], ids=range(7))
def test_no_such_token(web, token):
    """RFC 6750 §3.1: 401 with `invalid_token`."""
    refused(web.userinfo(token))


@pytest.mark.bcp("no-token-in-query")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_token_in_the_query(web, method):
    """RFC 9700 §4.3.2, RFC 6750 §2.3: a token in the URL is not taken."""
    url = f"{web.metadata['userinfo_endpoint']}?access_token={web.tokens()['access_token']}"
    answer = web.http.get(url) if method == "GET" else web.http.post(url)
    assert answer.status in (400, 401), answer


def test_token_twice(web):
    """RFC 6750 §2: not by more than one method in one request."""
    token = web.tokens()["access_token"]
    answer = web.http.post(web.metadata["userinfo_endpoint"], {"access_token": token}, {"Authorization": f"Bearer {token}"})
    assert answer.status in (400, 401), answer


@pytest.mark.parametrize("kind", ["id_token", "refresh_token", "code"])
def test_another_kind_of_token(web, kind):
    """RFC 9068 §4, RFC 8725 §3.11: nothing but an access token opens userinfo."""
    journey = web.authorize(scope="openid offline_access")
    token = journey.callback["code"] if kind == "code" else web.good(web.redeem(journey))[kind]
    refused(web.userinfo(token))


@pytest.mark.parametrize("how", ["tampered", "cut", "longer", "upper"])
def test_changed_token(web, how):
    """RFC 6750 §3.1: one letter changed is another token."""
    token = web.tokens()["access_token"]
    middle = len(token) // 2
    swapped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    refused(web.userinfo({"tampered": swapped, "cut": token[:-2], "longer": token + "AA", "upper": token.swapcase()}[how]))


@pytest.mark.parametrize("forge", ["alg none", "another key", "HS256 by the public key"])
def test_forged_token(web, forge):
    """RFC 8725 §2.1: what we did not sign is nothing."""
    token = web.tokens()["access_token"]
    known = proofs.claims_of(token) if token.count(".") == 2 else {"sub": "x", "iss": web.metadata["issuer"], "exp": 4102444800}
    key = next(key for key in web.jwks()["keys"] if key["alg"] == "ES256")
    import json

    made = {
        "alg none": lambda: proofs.unsigned(known, typ="at+jwt"),
        "another key": lambda: proofs.Key("ES256", key["kid"]).sign(known, typ="at+jwt"),
        "HS256 by the public key": lambda: proofs.hmac_signed(known, json.dumps(key).encode(), typ="at+jwt", kid=key["kid"]),
    }[forge]()
    refused(web.userinfo(made))


def test_token_without_openid(web):
    """OIDC Core §5.3.3, RFC 6750 §3.1: a token without `openid` has no user to tell of."""
    answer = web.userinfo(web.tokens(scope="email", nonce=None)["access_token"])
    assert answer.status in (401, 403) and "error=" in answer.header("www-authenticate"), answer


def test_token_of_a_machine(rp):
    """OIDC Core §5.3: a client's own token has no user."""
    service = rp("service")
    assert service.userinfo(service.good(service.token("client_credentials"))["access_token"]).status in (401, 403)


def test_token_for_another_audience(rp):
    """RFC 9700 §2.3, RFC 8707 §2: a token for an API does not open userinfo."""
    web = rp("web")
    resource = web.client.resources[0]
    body = web.tokens(scope="openid orders:read", resource=resource, redeem={"resource": resource})
    assert web.userinfo(body["access_token"]).status in (401, 403)


def test_expired_token(hasty_rp):
    """RFC 6750 §3.1: an expired token is `invalid_token`."""
    web = hasty_rp("web")
    token = web.tokens()["access_token"]
    assert web.userinfo(token).status == 200
    web.target.outlive("access_token", 600)
    refused(web.userinfo(token))
    assert web.introspect(token) == {"active": False}


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Basic d2ViOng=", "Bearer \x80", "bearer,", "=", "DPoP x"])
def test_malformed_header(web, value):
    """RFC 6750 §3.1: 400 or 401, never more."""
    answer = web.http.send("GET", web.metadata["userinfo_endpoint"], None, {"Authorization": value})
    assert answer.status in (400, 401), answer


def test_scripts_of_a_browser_client(rp):
    """OIDC Core §5.3: the endpoint SHOULD support CORS."""
    spa = rp("spa")
    answer = spa.userinfo(spa.tokens()["access_token"], headers={"Origin": "https://spa.test"})
    assert answer.header("access-control-allow-origin") in ("*", "https://spa.test")
    assert answer.header("access-control-allow-credentials") is None
