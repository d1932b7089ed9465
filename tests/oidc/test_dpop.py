"""Demonstrating proof of possession, RFC 9449; certificate-bound tokens, RFC 8705 §3."""

import agent as browsers
import certificates
import proofs
import pytest
import registry

pytestmark = pytest.mark.bcp("sender-constrained")
ES = proofs.Key("ES256")


@pytest.fixture
def rp_dpop(rp):
    return rp("dpop")


def proof_for(rp, key, endpoint="token", **bent):
    return proofs.dpop(key, "POST", rp.metadata[f"{endpoint}_endpoint"], **bent)


def bound(rp, key, scope="openid", **more):
    """A token response bound to a key."""
    return rp.good(rp.redeem(rp.authorize(scope=scope), headers={"DPoP": proof_for(rp, key)}, **more))


def show(rp, token, key, **bent):
    url = rp.metadata["userinfo_endpoint"]
    return rp.userinfo(token, scheme="DPoP", headers={"DPoP": proofs.dpop(key, "GET", url, token, **bent)})


def refused(answer):
    assert answer.status == 401, answer
    assert "DPoP" in answer.header("www-authenticate"), answer


def test_bound_token(rp_dpop):
    """RFC 9449 §5, §6.1: `token_type` DPoP, `cnf.jkt`; userinfo takes it with a proof."""
    key = proofs.Key()
    body = bound(rp_dpop, key)
    assert body["token_type"] == "DPoP"
    assert show(rp_dpop, body["access_token"], key).status == 200
    if body["access_token"].count(".") == 2:
        assert proofs.claims_of(body["access_token"])["cnf"] == {"jkt": key.thumbprint()}


def test_introspection_tells_the_key(rp):
    """RFC 9449 §6.2: `cnf` and `token_type` in the introspection answer."""
    web, key = rp("web"), proofs.Key()
    told = web.introspect(bound(web, key)["access_token"])
    assert told["active"] and told["cnf"] == {"jkt": key.thumbprint()} and told["token_type"] == "DPoP"


def test_as_bearer(rp_dpop):
    """RFC 9449 §7.2: a bound token is no bearer token."""
    token = bound(rp_dpop, proofs.Key())["access_token"]
    assert rp_dpop.userinfo(token).status == 401


def test_bearer_as_dpop(rp_dpop):
    """RFC 9449 §7.1: an unbound token is not taken under the DPoP scheme."""
    refused(show(rp_dpop, rp_dpop.tokens()["access_token"], proofs.Key()))


def test_without_a_proof(rp_dpop):
    """RFC 9449 §7.1: the header alone is not enough."""
    assert rp_dpop.userinfo(bound(rp_dpop, proofs.Key())["access_token"], scheme="DPoP").status in (400, 401)


def test_another_key(rp_dpop):
    """RFC 9449 §7.1: the proof's key is the token's."""
    refused(show(rp_dpop, bound(rp_dpop, proofs.Key())["access_token"], proofs.Key()))


@pytest.mark.parametrize("bent", [
    {"ath": None}, {"ath": proofs.s256("another")}, {"ath": ""}, {"htm": "POST"}, {"htu": "https://evil.test/userinfo"},
    {"iat": proofs.now() - 3600}, {"iat": proofs.now() + 3600}, {"jti": None}, {"htm": None}, {"htu": None}, {"iat": None},
], ids=lambda bent: "".join(f"{k}={str(v)[:10]}" for k, v in bent.items()))  # fmt: skip
def test_bent_proof_at_userinfo(rp_dpop, bent):
    """RFC 9449 §4.3: ath, htm, htu, iat, jti."""
    key = proofs.Key()
    refused(show(rp_dpop, bound(rp_dpop, key)["access_token"], key, **bent))


def test_proof_is_for_once(rp_dpop):
    """RFC 9449 §11.1: the same proof again is a replay."""
    key = proofs.Key()
    token = bound(rp_dpop, key)["access_token"]
    headers = {"DPoP": proofs.dpop(key, "GET", rp_dpop.metadata["userinfo_endpoint"], token)}
    assert rp_dpop.userinfo(token, scheme="DPoP", headers=headers).status == 200
    refused(rp_dpop.userinfo(token, scheme="DPoP", headers=headers))


def test_proof_is_for_once_at_the_token_endpoint(rp_dpop):
    """RFC 9449 §11.1: there, too."""
    headers = {"DPoP": proof_for(rp_dpop, proofs.Key())}
    assert rp_dpop.redeem(rp_dpop.authorize(), headers=headers).status == 200
    assert rp_dpop.redeem(rp_dpop.authorize(), headers=headers).refusal() in ("invalid_dpop_proof", "invalid_grant", "use_dpop_nonce")


def test_query_of_the_url_does_not_count(rp_dpop):
    """RFC 9449 §4.3 (9): htu is compared without query and fragment."""
    key = proofs.Key()
    token = bound(rp_dpop, key)["access_token"]
    url = rp_dpop.metadata["userinfo_endpoint"]
    head = {"Authorization": f"DPoP {token}", "DPoP": proofs.dpop(key, "GET", url, token)}
    assert rp_dpop.http.get(url, {"a": "b"}, head).status == 200


@pytest.mark.parametrize("bent", [
    {"htm": "GET"}, {"htm": "post"}, {"htu": "https://evil.test/token"}, {"htu": ""}, {"iat": proofs.now() - 3600}, {"iat": proofs.now() + 3600},
    {"iat": "soon"}, {"jti": None}, {"htm": None}, {"htu": None}, {"iat": None}, {"headers": {"typ": "JWT"}}, {"headers": {"typ": None}},
    {"headers": {"jwk": None}}, {"headers": {"jwk": {}}}, {"headers": {"jwk": {"kty": "oct", "k": "AAAA"}}},
    {"headers": {"jwk": proofs.Key().members}}, {"headers": {"jwk": {**ES.members, "d": proofs.b64(b"x" * 32)}}},
    {"headers": {"jwk": {**ES.members, "x": "AA"}}}, {"headers": {"jwk": "text"}},
], ids=lambda bent: str(bent)[:50])  # fmt: skip
def test_bent_proof(rp_dpop, bent):
    """RFC 9449 §4.3, §5: `invalid_dpop_proof`."""
    assert rp_dpop.redeem(rp_dpop.authorize(), headers={"DPoP": proof_for(rp_dpop, ES, **bent)}).refusal() in ("invalid_dpop_proof", "use_dpop_nonce")


@pytest.mark.parametrize("forge", ["alg none", "HS256", "no signature", "garbage", "two proofs in one", "huge"])
def test_forged_proof(rp_dpop, forge):
    """RFC 9449 §4.3 (5), §11.6: asymmetric algorithms only."""
    key = proofs.Key()
    good = proof_for(rp_dpop, key)
    made = {
        "alg none": lambda: proof_for(rp_dpop, key, sign=lambda claims, **head: proofs.unsigned(claims, **without_kid(head))),
        "HS256": lambda: proof_for(rp_dpop, key, sign=lambda claims, **head: proofs.hmac_signed(claims, b"x", **without_kid(head))),
        "no signature": lambda: good.rsplit(".", 1)[0] + ".",
        "garbage": lambda: "a.b.c",
        "two proofs in one": lambda: f"{good}, {proof_for(rp_dpop, key)}",
        "huge": lambda: good + "A" * 5000,
    }[forge]()
    answer = rp_dpop.redeem(rp_dpop.authorize(), headers={"DPoP": made})
    assert answer.status == 431 or answer.refusal() in ("invalid_dpop_proof", "invalid_request"), answer


def without_kid(head):
    return {name: value for name, value in head.items() if name != "kid"}


def test_rsa_key(rp_dpop):
    """RFC 9449 §4.2: the algorithm is one of the announced."""
    answer = rp_dpop.redeem(rp_dpop.authorize(), headers={"DPoP": proof_for(rp_dpop, proofs.Key("RS256"))})
    if "RS256" in rp_dpop.metadata["dpop_signing_alg_values_supported"]:
        assert answer.json()["token_type"] == "DPoP"
    else:
        assert answer.refusal() == "invalid_dpop_proof"


def test_code_bound_by_jkt(rp_dpop):
    """RFC 9449 §10: `dpop_jkt` at authorization: only that key redeems the code."""
    key = proofs.Key()
    journey = rp_dpop.authorize(dpop_jkt=key.thumbprint())
    assert rp_dpop.redeem(journey, headers={"DPoP": proof_for(rp_dpop, proofs.Key())}).refusal() in ("invalid_grant", "invalid_dpop_proof")
    journey = rp_dpop.authorize(dpop_jkt=key.thumbprint())
    assert rp_dpop.redeem(journey).refusal() in ("invalid_grant", "invalid_dpop_proof", "invalid_request")
    journey = rp_dpop.authorize(dpop_jkt=key.thumbprint())
    assert rp_dpop.good(rp_dpop.redeem(journey, headers={"DPoP": proof_for(rp_dpop, key)}))["token_type"] == "DPoP"


def test_refresh_is_bound(rp_dpop):
    """RFC 9449 §5: refresh tokens of public clients are bound to the key."""
    key = proofs.Key()
    body = bound(rp_dpop, key, "openid offline_access")
    assert rp_dpop.refresh(body["refresh_token"]).refusal() in ("invalid_grant", "invalid_dpop_proof", "invalid_request")
    other = {"DPoP": proof_for(rp_dpop, proofs.Key())}
    assert rp_dpop.refresh(body["refresh_token"], headers=other).refusal() in ("invalid_grant", "invalid_dpop_proof")
    again = rp_dpop.good(rp_dpop.refresh(body["refresh_token"], headers={"DPoP": proof_for(rp_dpop, key)}))
    assert again["token_type"] == "DPoP" and show(rp_dpop, again["access_token"], key).status == 200


def test_machine_token(rp):
    """RFC 9449 §5: for every grant."""
    service, key = rp("service"), proofs.Key()
    answer = service.token("client_credentials", resource=registry.ORDERS, headers={"DPoP": proof_for(service, key)})
    body = service.good(answer)
    assert body["token_type"] == "DPoP" and proofs.claims_of(body["access_token"])["cnf"]["jkt"] == key.thumbprint()


def test_nonce(careful_rp):
    """RFC 9449 §8: where a nonce is demanded: `use_dpop_nonce` with DPoP-Nonce, then it works."""
    one, key = careful_rp("nonce"), proofs.Key()
    journey = one.authorize()
    first = one.redeem(journey, headers={"DPoP": proof_for(one, key)})
    assert first.refusal() == "use_dpop_nonce" and first.header("dpop-nonce"), first
    second = one.redeem(journey, headers={"DPoP": proof_for(one, key, nonce=first.header("dpop-nonce"))})
    assert one.good(second)["token_type"] == "DPoP"


def test_wrong_nonce(careful_rp):
    """RFC 9449 §8: a nonce that we did not give."""
    one = careful_rp("nonce")
    answer = one.redeem(one.authorize(), headers={"DPoP": proof_for(one, proofs.Key(), nonce="invented")})
    assert answer.refusal() in ("use_dpop_nonce", "invalid_dpop_proof")


def test_nonce_where_the_token_is_used(careful_rp):
    """RFC 9449 §9: 401 with the challenge `use_dpop_nonce` and DPoP-Nonce, then it works."""
    one, key = careful_rp("nonce"), proofs.Key()
    journey = one.authorize()
    nonce = one.redeem(journey, headers={"DPoP": proof_for(one, key)}).header("dpop-nonce")
    token = one.good(one.redeem(journey, headers={"DPoP": proof_for(one, key, nonce=nonce)}))["access_token"]
    url = one.metadata["userinfo_endpoint"]

    def use(**more):
        return one.http.get(url, (), {"Authorization": f"DPoP {token}", "DPoP": proofs.dpop(key, "GET", url, token, **more)})

    first = use()
    assert first.status == 401 and 'error="use_dpop_nonce"' in first.header("www-authenticate"), first
    assert first.header("www-authenticate").startswith("DPoP ") and first.header("dpop-nonce"), first
    assert use(nonce=first.header("dpop-nonce")).status == 200


# Certificates


@pytest.fixture
def mtls(rp):
    return rp("mtls")


def test_certificate_bound_token(mtls):
    """RFC 8705 §3: the token works with its certificate only."""
    body = mtls.tokens()
    assert mtls.userinfo(body["access_token"]).status == 200
    assert mtls.userinfo(body["access_token"], http=mtls.backend()).status == 401
    assert mtls.userinfo(body["access_token"], http=mtls.backend(mtls.target.stranger)).status == 401


def test_thumbprint_is_told(mtls):
    """RFC 8705 §3.1, §3.2: `cnf.x5t#S256` in the JWT and in introspection."""
    wanted = {"x5t#S256": certificates.thumbprint(mtls.client.certificate[0])}
    token = mtls.good(mtls.token("client_credentials", scope="orders:read", resource=registry.ORDERS))["access_token"]
    assert proofs.claims_of(token)["cnf"] == wanted
    assert mtls.introspect(mtls.tokens()["access_token"])["cnf"] == wanted


def test_code_of_the_certificates_client(mtls, rp):
    """RFC 8705 §2: the code of a certificate's client can't be redeemed without it."""
    journey = mtls.authorize()
    assert mtls.redeem(journey, http=mtls.backend(mtls.target.stranger)).refusal() == "invalid_client"
    assert mtls.redeem(journey, http=mtls.backend()).refusal() == "invalid_client"


def test_nothing_by_header(mtls):
    """RFC 8705 §6.5: a client's own header says nothing about its certificate."""
    import pathlib
    import urllib.parse

    pem = urllib.parse.quote(pathlib.Path(mtls.client.certificate[0]).read_text())
    for name in ("X-SSL-Cert", "X-Client-Cert", "Client-Cert", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert"):
        answer = mtls.token("client_credentials", http=browsers.Agent(mtls.target.ca, accept="application/json"), headers={name: pem})
        assert answer.refusal() == "invalid_client", name
