"""Client credentials (RFC 6749 §4.4), JWT access tokens (RFC 9068), resource indicators (RFC 8707)."""

import proofs
import pytest
import registry

GRANT = "client_credentials"


@pytest.fixture
def service(rp):
    return rp("service")


def test_token(service):
    """RFC 6749 §4.4.3: an access token, no refresh token, no ID token."""
    answer = service.token(GRANT)
    body = service.good(answer)
    assert body["access_token"] and body["token_type"].lower() == "bearer" and body["expires_in"] > 0
    assert not {"refresh_token", "id_token"} & set(body) and "no-store" in answer.header("cache-control")


def test_scope(service):
    """RFC 6749 §3.3: as asked, and said when it differs."""
    body = service.good(service.token(GRANT, scope="orders:read", resource=registry.ORDERS))
    assert body.get("scope", "orders:read") == "orders:read"


@pytest.mark.parametrize("scope", ["admin", "openid", "orders:read admin", "orders:read\x01", "offline_access"])
def test_scope_beyond_the_client(service, scope):
    """RFC 6749 §5.2: `invalid_scope`, or what is not the client's is left out."""
    answer = service.token(GRANT, scope=scope, resource=registry.ORDERS)
    if answer.status == 200:
        assert not {"admin", "openid", "offline_access"} & set(answer.json().get("scope", "").split())
        assert "refresh_token" not in answer.json()
    else:
        assert answer.refusal() in ("invalid_scope", "invalid_request")


@pytest.fixture
def access_token(service):
    return service.good(service.token(GRANT, scope="orders:read", resource=registry.ORDERS))["access_token"]


def test_jwt_access_token(service, access_token):
    """RFC 9068 §2: `at+jwt`, the required claims, a published key; never `none`."""
    head = proofs.header_of(access_token)
    assert head["typ"].lower() in ("at+jwt", "application/at+jwt") and head["alg"] == "ES256"
    claims = proofs.verified(access_token, service.jwks(), registry.ORDERS, service.metadata["issuer"])
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(claims)
    assert claims["client_id"] == "service" and claims["scope"] == "orders:read"
    assert proofs.now() - 30 <= claims["iat"] <= proofs.now() + 5 and 0 < claims["exp"] - claims["iat"] <= 3600


def test_audience_is_the_resource(service):
    """RFC 8707 §2, RFC 9068 §3: `aud` is what was asked for, alone."""
    for resource in (registry.ORDERS, registry.STOCK):
        token = service.good(service.token(GRANT, scope="orders:read", resource=resource))["access_token"]
        assert proofs.claims_of(token)["aud"] in (resource, [resource])


def test_subject_is_the_client(service, access_token):
    """RFC 9068 §2.2, §5: without a user `sub` is the client's, and can be no user's."""
    subject = proofs.claims_of(access_token)["sub"]
    assert subject == "service" or "service" in subject
    assert subject not in [user.sub for user in service.target.users.values()]


def test_tokens_differ(service):
    """RFC 9068 §2.2: `jti` is unique."""
    tokens = [service.good(service.token(GRANT, resource=registry.ORDERS))["access_token"] for _ in range(3)]
    assert len({proofs.claims_of(token)["jti"] for token in tokens}) == 3


def test_token_of_a_user(rp):
    """RFC 9068 §2.2: for a user `sub` is the user's; with auth_time, acr, amr only as they were."""
    web = rp("web")
    body = web.tokens(scope="openid orders:read", resource=registry.ORDERS, redeem={"resource": registry.ORDERS})
    claims = proofs.verified(body["access_token"], web.jwks(), registry.ORDERS, web.metadata["issuer"])
    assert claims["sub"] == web.id_token(body["id_token"])["sub"] and claims["client_id"] == "web"
    assert claims["scope"].split() == ["orders:read"] or set(claims["scope"].split()) <= {"openid", "orders:read"}


def test_id_token_is_no_access_token(rp):
    """RFC 9068 §2.1, RFC 8725 §3.11: the two kinds differ in `typ`."""
    assert proofs.header_of(rp("web").tokens()["id_token"]).get("typ", "JWT") == "JWT"


@pytest.mark.parametrize("resource", ["https://unknown.test/", "relative", "https://orders.api.test/#x", "", "https://orders.api.test",
                                      "https://ORDERS.api.test/", "https://orders.api.test/../", "x" * 3000])  # fmt: skip
def test_no_such_resource(service, resource):
    """RFC 8707 §2: `invalid_target` (an empty parameter is none)."""
    answer = service.token(GRANT, scope="orders:read", resource=resource)
    if resource == "" and answer.status == 200:
        return
    assert answer.refusal() == "invalid_target"


@pytest.mark.bcp("refresh-bound")
def test_resource_of_the_code(rp):
    """RFC 8707 §2.2: at the token endpoint only resources of the authorization."""
    web = rp("web")
    journey = web.authorize(scope="openid orders:read", resource=registry.ORDERS)
    assert web.redeem(journey, resource=registry.STOCK).refusal() == "invalid_target"


def test_resource_that_is_not_the_clients(rp):
    """RFC 8707 §3: a client gets tokens for the resources it may use."""
    one = rp("jwt")  # orders only
    answer = one.token(GRANT, scope="orders:read", resource=registry.STOCK)
    assert answer.refusal() in ("invalid_target", "invalid_scope")
