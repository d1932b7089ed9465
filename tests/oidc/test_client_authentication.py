"""How clients prove who they are: RFC 6749 §2.3, RFC 7523, OIDC Core §9, RFC 8705 §2; and confusions of methods."""

import base64
import json

import agent as browsers
import proofs
import pytest
import registry
from relying import ASSERTION_TYPE

SERVICE = "client_credentials"


def basic(user, secret, word="Basic"):
    return {"Authorization": f"{word} " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def asked(rp, fields, headers=()):
    """A client credentials request with just these credentials."""
    one = rp("service")
    return one.post("token", {"grant_type": SERVICE, **dict(fields)}, None, headers)


def not_proved(answer, statuses=(400, 401)):
    """RFC 6749 §5.2: `invalid_client`."""
    assert answer.status in statuses, answer
    assert answer.json()["error"] in ("invalid_client", "invalid_request"), answer
    assert "no-store" in answer.header("cache-control")


@pytest.mark.parametrize("word", ["Basic", "basic", "BASIC"])
def test_basic(rp, word):
    """RFC 6749 §2.3.1, RFC 9110 §11.1."""
    service = rp("service")
    assert asked(rp, {}, basic("service", service.client.secret, word)).status == 200


def test_post(rp):
    """RFC 6749 §2.3.1: in the body, for clients registered so."""
    post = rp("post")
    assert post.good(post.redeem(post.authorize()))["id_token"]


@pytest.mark.parametrize("secret", ["wrong", "", "\x00", "x" * 3000], ids=range(4))
def test_wrong_secret(rp, secret):
    """RFC 6749 §5.2: 401, `invalid_client`, and a challenge of the scheme that was tried."""
    answer = asked(rp, {}, basic("service", secret))
    not_proved(answer, (401,) if secret == "wrong" else (400, 401))
    if answer.status == 401:
        assert "basic" in answer.header("www-authenticate").lower()


def test_half_a_secret(rp):
    """RFC 6749 §2.3.1: all of it."""
    secret = rp("service").client.secret
    for wrong in (secret[:-1], secret + "x", secret.swapcase(), " " + secret):
        not_proved(asked(rp, {}, basic("service", wrong)))


def test_unknown_client_looks_the_same(rp):
    """RFC 6749 §5.2: a client that does not exist and a wrong secret give the same answer: no enumeration."""
    wrong, unknown = asked(rp, {}, basic("service", "wrong")), asked(rp, {}, basic("nosuch", "wrong"))
    assert (wrong.status, wrong.json()) == (unknown.status, unknown.json())
    assert wrong.header("www-authenticate") == unknown.header("www-authenticate")


@pytest.mark.parametrize("name, method", [("web", "client_secret_post"), ("post", "client_secret_basic"), ("web", "none"), ("post", "none")])
def test_another_method_than_registered(rp, name, method):
    """OIDC Registration §2 `token_endpoint_auth_method`: the registered method, not another that would do."""
    one = rp(name)
    not_proved(one.redeem(one.authorize(), method=method))


def test_no_credentials(rp):
    """RFC 6749 §3.2.1: a confidential client must prove itself."""
    not_proved(asked(rp, {"client_id": "service"}))
    not_proved(asked(rp, {}))


def test_two_methods_at_once(rp):
    """RFC 6749 §2.3: not more than one method in a request."""
    secret = rp("service").client.secret
    not_proved(asked(rp, {"client_id": "service", "client_secret": secret}, basic("service", secret)))


@pytest.mark.parametrize("named", ["web", "post", "spa", "nosuch"])
def test_client_id_disagrees(rp, named):
    """RFC 6749 §3.2.1: a `client_id` in the body that is not the header's."""
    not_proved(asked(rp, {"client_id": named}, basic("service", rp("service").client.secret)))


def test_client_id_agrees(rp):
    """RFC 6749 §3.2.1: repeating one's own identifier is no second method."""
    assert asked(rp, {"client_id": "service"}, basic("service", rp("service").client.secret)).status == 200


@pytest.mark.parametrize("value", [
    "Basic", "Basic ", "Basic !!!", "Basic c2VydmljZQ==", "Basic Og==", "Basic =", "Basic c2VydmljZTo=", "Bearer abc", "Digest x",
    "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), "Basic " + base64.b64encode(b"service%zz:x").decode(),
])  # fmt: skip
def test_malformed_header(rp, value):
    """RFC 7617 §2: what can't be read proves nothing."""
    not_proved(asked(rp, {}, {"Authorization": value}))


def test_public_client_proves_nothing(rp):
    """RFC 6749 §2.3: a public client that sends a secret is not the one that was registered."""
    spa = rp("spa")
    journey = spa.authorize()
    answer = spa.redeem(journey, method=None, headers=basic("spa", "made-up"), client_id="spa")
    not_proved(answer)


def test_public_client_gets_no_machine_token(rp):
    """RFC 6749 §4.4: client credentials are for confidential clients."""
    spa = rp("spa")
    assert spa.token(SERVICE).refusal() in ("unauthorized_client", "invalid_client")


def test_grant_that_is_not_the_clients(rp):
    """RFC 6749 §5.2: `unauthorized_client`."""
    web = rp("web")
    assert web.token(SERVICE).refusal() == "unauthorized_client"
    assert web.token(registry.DEVICE, device_code="x").refusal() == "unauthorized_client"


@pytest.mark.bcp("no-implicit")
@pytest.mark.parametrize("grant", ["password", "implicit", "nonsense", "", "urn:ietf:params:oauth:grant-type:jwt-bearer", "x" * 3000])
def test_no_such_grant(rp, grant):
    """RFC 6749 §5.2, RFC 9700 §2.4: `unsupported_grant_type`; the password grant is none."""
    web = rp("web")
    answer = web.token(grant, username="alice", password=web.target.users["alice"].password)
    assert answer.refusal() in ("unsupported_grant_type", "invalid_request", "unauthorized_client")
    assert "access_token" not in answer.text


@pytest.mark.parametrize("name", ["grant_type", "scope", "client_id", "resource"])
def test_repeated(rp, name):
    """RFC 6749 §3.2: parameters are not repeated (`resource` may be, RFC 8707 §2)."""
    fields = [("grant_type", SERVICE), ("scope", "orders:read"), ("client_id", "service"), ("resource", registry.ORDERS)]
    one = rp("service")
    answer = one.post("token", [*fields, (name, dict(fields)[name])], "client_secret_basic")
    if name == "resource" and answer.status == 200:
        return
    assert answer.refusal() in ("invalid_request", "invalid_client", "invalid_target")


# Assertions, RFC 7523 §3


def assertion(rp, compact, **fields):
    return asked(rp, {"client_id": "jwt", "client_assertion_type": ASSERTION_TYPE, "client_assertion": compact, **fields})


def claims(rp, **bent):
    return proofs.assertion("jwt", rp("jwt").metadata["issuer"], **bent)


@pytest.mark.parametrize("audience", ["issuer", "token endpoint"])
def test_assertion(rp, audience):
    """RFC 7523 §3: `aud` is the issuer, or (as OIDC Core §9 has it) the token endpoint."""
    one = rp("jwt")
    place = one.metadata["issuer"] if audience == "issuer" else one.metadata["token_endpoint"]
    assert assertion(rp, one.client.key.sign(claims(rp, aud=place))).status == 200


def test_assertion_names_the_client(rp):
    """RFC 7521 §4.2: `client_id` is optional beside an assertion."""
    one = rp("jwt")
    assert assertion(rp, one.client.key.sign(claims(rp)), client_id="").status in (200, 400, 401)
    answer = asked(rp, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": one.client.key.sign(claims(rp))})
    assert answer.status == 200, answer


def test_assertion_without_kid(rp):
    """RFC 7515 §4.1.4: `kid` is optional; one key is enough to know which."""
    assert assertion(rp, rp("jwt").client.key.sign(claims(rp), kid=proofs.NO_KID)).status == 200


def test_assertion_is_for_once(rp):
    """RFC 7523 §3 (7): a `jti` that was used is refused."""
    compact = rp("jwt").client.key.sign(claims(rp))
    assert assertion(rp, compact).status == 200
    not_proved(assertion(rp, compact))


def test_assertion_in_a_code_flow(rp):
    """OIDC Core §9: the whole flow of a private_key_jwt client."""
    one = rp("jwt")
    assert one.id_token(one.tokens()["id_token"])


BENT_CLAIMS = {
    "another audience": {"aud": "https://evil.test/"}, "no audience": {"aud": None}, "empty audience": {"aud": []},
    "audience as object": {"aud": {"a": 1}}, "expired": {"exp": proofs.now() - 3600, "iat": proofs.now() - 3700},
    "no expiry": {"exp": None}, "expiry as text": {"exp": "soon"}, "not yet": {"nbf": proofs.now() + 3600},
    "another issuer": {"iss": "web"}, "another subject": {"sub": "web"}, "no subject": {"sub": None}, "no issuer": {"iss": None},
    "another client": {"iss": "web", "sub": "web"}, "no jti": {"jti": None}, "subject as list": {"sub": ["jwt"]},
}  # fmt: skip


@pytest.mark.parametrize("bent", BENT_CLAIMS)
def test_bent_claims(rp, bent):
    """RFC 7523 §3, OIDC Core §9: every required claim, with the right value."""
    not_proved(assertion(rp, rp("jwt").client.key.sign(claims(rp, **BENT_CLAIMS[bent]))))


@pytest.mark.parametrize("forge", ["alg none", "HS256 by the PEM", "HS256 by the JWK", "another key", "embedded jwk", "jku", "tampered",
                                   "unknown kid", "another algorithm", "no signature", "critical header", "encrypted", "not a JWT"])  # fmt: skip
def test_forged_assertion(rp, forge):
    """RFC 8725 §2.1, §3.1, RFC 7515 §4.1.11: nobody but the holder of the registered key."""
    from cryptography.hazmat.primitives import serialization

    one = rp("jwt")
    key, good, thief = one.client.key, claims(rp), proofs.Key("ES256", "jwt-1")
    pem = key.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = key.sign(good)
    made = {
        "alg none": lambda: proofs.unsigned(good, kid=key.kid),
        "HS256 by the PEM": lambda: proofs.hmac_signed(good, pem, kid=key.kid),
        "HS256 by the JWK": lambda: proofs.hmac_signed(good, json.dumps(key.jwk()).encode(), kid=key.kid),
        "another key": lambda: thief.sign(good),
        "embedded jwk": lambda: thief.sign(good, jwk=thief.jwk(), kid=thief.thumbprint()),
        "jku": lambda: thief.sign(good, jku="https://evil.test/jwks"),
        "tampered": lambda: proofs.tampered(signed, exp=proofs.now() + 300),
        "unknown kid": lambda: thief.sign(good, kid="unknown"),
        "another algorithm": lambda: proofs.Key("RS256", "jwt-1").sign(good),
        "no signature": lambda: signed.rsplit(".", 1)[0] + ".",
        "critical header": lambda: key.sign(good, crit=["b64"], b64=False),
        "encrypted": lambda: ".".join(["e30"] * 5),
        "not a JWT": lambda: "x" * 200,
    }[forge]()
    not_proved(assertion(rp, made))


def test_assertion_of_another_kind(rp):
    """RFC 7521 §4.2: only the JWT bearer type."""
    compact = rp("jwt").client.key.sign(claims(rp))
    not_proved(assertion(rp, compact, client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer"))
    not_proved(assertion(rp, compact, client_assertion_type=""))


def test_assertion_and_a_secret(rp):
    """RFC 6749 §2.3: an assertion beside another method."""
    compact = rp("jwt").client.key.sign(claims(rp))
    not_proved(assertion(rp, compact, client_secret="x"))
    not_proved(asked(rp, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": compact}, basic("service", rp("service").client.secret)))


def test_assertion_and_another_client_id(rp):
    """RFC 7521 §4.2: `client_id`, when it is there, is the assertion's subject."""
    not_proved(assertion(rp, rp("jwt").client.key.sign(claims(rp)), client_id="service"))


def test_secret_client_with_an_assertion(rp):
    """OIDC Core §9: a client registered with a secret has no key; its secret signs nothing."""
    good = proofs.assertion("service", rp("service").metadata["issuer"])
    secret = rp("service").client.secret.encode()
    fields = {"client_id": "service", "client_assertion_type": ASSERTION_TYPE}
    not_proved(asked(rp, {**fields, "client_assertion": proofs.hmac_signed(good, secret)}))
    not_proved(asked(rp, {**fields, "client_assertion": rp("jwt").client.key.sign(good)}))


def test_jwt_client_with_its_name_only(rp):
    """OIDC Core §9: no fall-back to less."""
    not_proved(asked(rp, {"client_id": "jwt"}))
    not_proved(asked(rp, {"client_id": "jwt", "client_secret": ""}))


def test_assertion_at_every_endpoint(rp):
    """RFC 7009 §2.1, RFC 7662 §2.1, RFC 9126 §2: the same authentication as at the token endpoint."""
    one = rp("jwt")
    assert one.post("introspection", {"token": "x"}).status == 200
    assert one.post("revocation", {"token": "x"}).status == 200
    assert one.post("pushed_authorization_request", one.parameters()).status == 201


# Certificates, RFC 8705 §2.1


def machine(rp, http=None):
    return rp("mtls").token(SERVICE, scope="orders:read", http=http)


def test_certificate(rp):
    """RFC 8705 §2.1: the certificate of the registered subject."""
    assert machine(rp).status == 200


def test_no_certificate(rp):
    """RFC 8705 §2: `client_id` alone proves nothing."""
    not_proved(machine(rp, rp("mtls").backend()))


def test_certificate_of_another(rp, target):
    """RFC 8705 §2.1.2: a good certificate of another subject."""
    not_proved(machine(rp, rp("mtls").backend(target.stranger)))


def test_certificate_instead_of_a_secret(rp):
    """RFC 8705 §2: a certificate is no proof for a client registered with a secret."""
    one = rp("service")
    not_proved(one.token(SERVICE, method=None, client_id="service", http=rp("mtls").http))


def test_certificate_of_no_authority(rp, tmp_path):
    """RFC 8705 §2.1: a self-made certificate with the right subject is refused, in TLS or after."""
    import certificates

    forged = certificates.Certificates(tmp_path).client("mtls")
    http = browsers.Agent(rp("mtls").target.ca, forged, accept="application/json")
    try:
        not_proved(machine(rp, http))
    except OSError:
        pass  # the TLS layer said no
