"""Token exchange, RFC 8693: a service gets a token narrowed to the next service's audience."""

import proofs
import pytest
import registry

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ID, REFRESH, JWT = (f"urn:ietf:params:oauth:token-type:{name}" for name in ("id_token", "refresh_token", "jwt"))


@pytest.fixture
def exchanger(rp):
    return rp("exchanger")


@pytest.fixture
def subject(rp):
    """A user's token for the orders service."""
    web = rp("web")
    return web.tokens(scope="openid orders:read orders:write", resource=registry.ORDERS, redeem={"resource": registry.ORDERS})


def exchange(rp, token, **fields):
    base = {"subject_token": token, "subject_token_type": ACCESS, "resource": registry.STOCK, "scope": "orders:read"}
    return rp.token(registry.EXCHANGE, **{**base, **fields})


def test_exchange(exchanger, subject):
    """RFC 8693 §2.2.1: a token for the user, for the audience asked, with `issued_token_type`."""
    answer = exchange(exchanger, subject["access_token"])
    body = exchanger.good(answer)
    assert body["issued_token_type"] in (ACCESS, JWT) and body["token_type"].lower() in ("bearer", "n_a")
    assert "no-store" in answer.header("cache-control")
    claims = proofs.verified(body["access_token"], exchanger.jwks(), registry.STOCK, exchanger.metadata["issuer"])
    assert claims["sub"] == proofs.claims_of(subject["access_token"])["sub"] and claims["client_id"] == "exchanger"


def test_scope_narrows(exchanger, subject):
    """RFC 8693 §2.1: no more than the subject token had."""
    body = exchanger.good(exchange(exchanger, subject["access_token"]))
    assert proofs.claims_of(body["access_token"])["scope"] == "orders:read"


@pytest.mark.parametrize("scope", ["admin", "orders:read admin", "openid email"])
def test_scope_never_widens(exchanger, subject, scope):
    """RFC 8693 §2.2.2: `invalid_scope`."""
    assert exchange(exchanger, subject["access_token"], scope=scope).refusal() == "invalid_scope"


def test_lifetime_is_not_longer(exchanger, subject):
    """RFC 8693 §2.2.1: the new token does not outlive the one it came from."""
    body = exchanger.good(exchange(exchanger, subject["access_token"]))
    assert proofs.claims_of(body["access_token"])["exp"] <= proofs.claims_of(subject["access_token"])["exp"] + 1
    assert "refresh_token" not in body


def test_actor_is_named(exchanger, subject):
    """RFC 8693 §4.1: when the actor is told, it is the client that exchanged."""
    claims = proofs.claims_of(exchanger.good(exchange(exchanger, subject["access_token"]))["access_token"])
    assert claims.get("act", {"sub": "exchanger"})["sub"] == "exchanger"


@pytest.mark.parametrize("forge", ["alg none", "another key", "tampered", "garbage", "empty", "id_token as access token"])
def test_forged_subject(exchanger, subject, forge):
    """RFC 8693 §2.2.2: an invalid subject_token is `invalid_request` (or `invalid_grant`)."""
    token = subject["access_token"]
    made = {
        "alg none": lambda: proofs.unsigned(proofs.claims_of(token), typ="at+jwt"),
        "another key": lambda: proofs.Key("ES256", proofs.header_of(token)["kid"]).sign(proofs.claims_of(token), typ="at+jwt"),
        "tampered": lambda: proofs.tampered(token, sub="admin"),
        "garbage": lambda: "x" * 43,
        "empty": lambda: "",
        "id_token as access token": lambda: subject["id_token"],
    }[forge]()
    assert exchange(exchanger, made).refusal() in ("invalid_request", "invalid_grant")


def test_revoked_subject(exchanger, subject, rp):
    """RFC 8693 §2.1: the subject token must be valid at this moment."""
    assert rp("web").post("revocation", {"token": subject["access_token"]}).status == 200
    assert exchange(exchanger, subject["access_token"]).refusal() in ("invalid_request", "invalid_grant")


@pytest.mark.parametrize("fields, errors", [
    ({"subject_token_type": None}, ["invalid_request"]),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, ["invalid_request"]),
    ({"subject_token_type": REFRESH}, ["invalid_request", "invalid_grant"]),
    ({"subject_token": None}, ["invalid_request"]),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, ["invalid_request"]),
    ({"requested_token_type": REFRESH}, ["invalid_request"]),
    ({"resource": "https://unknown.test/"}, ["invalid_target"]),
    ({"resource": "relative"}, ["invalid_target", "invalid_request"]),
    ({"resource": None, "audience": "https://unknown.test/"}, ["invalid_target"]),
    ({"actor_token_type": ACCESS}, ["invalid_request"]),
    ({"actor_token": "x"}, ["invalid_request"]),
    ({"actor_token": "x", "actor_token_type": ACCESS}, ["invalid_request", "invalid_grant"]),
], ids=lambda value: "&".join(f"{k}={v}"[-30:] for k, v in value.items()) if isinstance(value, dict) else "")  # fmt: skip
def test_parameters(exchanger, subject, fields, errors):
    """RFC 8693 §2.1, §2.2.2: each parameter alone is wrong."""
    assert exchange(exchanger, subject["access_token"], **fields).refusal() in errors


def test_client_without_the_grant(rp, subject):
    """RFC 6749 §5.2: `unauthorized_client`."""
    assert exchange(rp("web"), subject["access_token"]).refusal() == "unauthorized_client"


def test_client_must_prove_itself(exchanger, subject):
    """RFC 8693 §5: possession of a token alone gives nobody another."""
    assert exchange(exchanger, subject["access_token"], method="none").refusal() == "invalid_client"


def test_bound_subject_needs_its_proof(rp, exchanger):
    """RFC 9449 §7, RFC 8693 §5: a sender-constrained token that was stolen is not laundered into a bearer token."""
    one, key = rp("dpop"), proofs.Key()
    proof = proofs.dpop(key, "POST", one.metadata["token_endpoint"])
    token = one.good(one.redeem(one.authorize(), headers={"DPoP": proof}))["access_token"]
    assert exchange(exchanger, token, resource=None, scope="openid").status == 400
