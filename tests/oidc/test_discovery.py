"""What the provider says about itself: OpenID Connect Discovery, RFC 8414, and its keys."""

import urllib.parse

import pytest
import registry
import targets

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
ENDPOINTS = (
    "authorization", "token", "userinfo", "introspection", "revocation", "device_authorization", "end_session",
    "pushed_authorization_request",
)  # fmt: skip


def test_issuer_is_the_url_it_was_asked_at(target, metadata):
    """OIDC Discovery §4.3: `issuer` equals the URL that the document was fetched under."""
    assert metadata["issuer"].removesuffix("/") == target.issuer
    assert urllib.parse.urlsplit(metadata["issuer"]).scheme == "https"
    assert not urllib.parse.urlsplit(metadata["issuer"]).query


def test_document_is_json(target, http):
    """OIDC Discovery §4.2: 200 and application/json."""
    answer = http.get(target.issuer + "/.well-known/openid-configuration")
    assert answer.status == 200 and answer.json()
    assert not answer.all("set-cookie"), answer


@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoint_is_https(target, metadata, name):
    """OIDC Discovery §3, RFC 8414 §2: every endpoint is there, by https, at the issuer's origin, without a fragment."""
    url = metadata[f"{name}_endpoint"]
    assert url.startswith("https://") and targets.origin(url) == targets.origin(target.issuer)
    assert "#" not in url


def test_oauth_document_says_the_same(target, metadata, http):
    """RFC 8414 §3: the OAuth document, at its own well-known place, agrees with OpenID's."""
    parts = urllib.parse.urlsplit(target.issuer)
    url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
    answer = http.get(url)
    assert answer.status == 200, answer
    document = answer.json()
    for name in ("issuer", "token_endpoint", "authorization_endpoint", "jwks_uri", "code_challenge_methods_supported"):
        assert document[name] == metadata[name], name


def test_required_members(metadata):
    """OIDC Discovery §3: the members that are REQUIRED, with the values that the profile needs."""
    assert "openid" in metadata["scopes_supported"]
    assert "public" in metadata["subject_types_supported"]
    assert {"profile", "email", "address", "phone", "offline_access"} <= set(metadata["scopes_supported"])
    assert {"sub", "name", "email", "phone_number", "address"} <= set(metadata["claims_supported"])


def test_rs256_is_offered(metadata):
    """OIDC Core §15.1: RS256 must be offered for ID tokens; ES256 is our default."""
    assert {"RS256", "ES256"} <= set(metadata["id_token_signing_alg_values_supported"])


def test_none_is_no_algorithm(metadata):
    """RFC 9700 §2.6, RFC 8725 §3.1: no list of algorithms names `none`, or a symmetric one for signatures."""
    for name, values in metadata.items():
        if name.endswith("signing_alg_values_supported"):
            assert "none" not in values, name
            assert not [value for value in values if value.startswith("HS")], name


@pytest.mark.bcp("no-implicit")
def test_only_the_code_flow(metadata):
    """RFC 9700 §2.1.2, §2.4: neither implicit nor password grants are offered."""
    assert metadata["response_types_supported"] == ["code"]
    assert not {"implicit", "password"} & set(metadata["grant_types_supported"])


@pytest.mark.parametrize(
    "grant", [registry.CODE, registry.REFRESH, registry.CLIENT, registry.DEVICE, registry.EXCHANGE], ids=lambda g: g.split(":")[-1]
)
def test_grant_is_announced(metadata, grant):
    """RFC 8414 §2: `grant_types_supported` names each grant that is served."""
    assert grant in metadata["grant_types_supported"]


def test_only_s256(metadata):
    """RFC 9700 §2.1.1, RFC 7636 §4.2: S256 and no `plain`."""
    assert metadata["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"])
def test_client_method_is_announced(metadata, method):
    """RFC 8414 §2: `token_endpoint_auth_methods_supported` names each method."""
    assert method in metadata["token_endpoint_auth_methods_supported"]


def test_assertion_algorithms(metadata):
    """RFC 8414 §2: with private_key_jwt the algorithms are named, and none of them is symmetric."""
    assert "ES256" in metadata["token_endpoint_auth_signing_alg_values_supported"]


@pytest.mark.parametrize(
    "member", ["authorization_response_iss_parameter_supported", "tls_client_certificate_bound_access_tokens",
               "backchannel_logout_supported", "backchannel_logout_session_supported"]
)  # fmt: skip
def test_ability_is_announced(metadata, member):
    """RFC 9207 §3, RFC 8705 §3.3, OIDC Back-Channel Logout §2.1."""
    assert metadata[member] is True


def test_dpop_algorithms(metadata):
    """RFC 9449 §5.1: asymmetric algorithms for proofs."""
    assert "ES256" in metadata["dpop_signing_alg_values_supported"]


def test_request_objects_are_honoured_or_denied(metadata):
    """OIDC Discovery §3: absent `request_uri_parameter_supported` means true, so it must be said."""
    assert metadata.get("request_parameter_supported", False) in (True, False)
    assert metadata["request_uri_parameter_supported"] is False


def test_documents_are_for_scripts_too(target, metadata, http):
    """RFC 9700 §2.6 allows CORS at what clients fetch: browser clients need the documents and the keys."""
    for url in (target.issuer + "/.well-known/openid-configuration", metadata["jwks_uri"]):
        answer = http.get(url, headers={"Origin": registry.SPA_ORIGIN})
        assert answer.header("access-control-allow-origin") in ("*", registry.SPA_ORIGIN), answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_documents_are_only_read(target, metadata, http, method):
    """RFC 9110 §9.1: nothing can be sent to the documents."""
    for url in (target.issuer + "/.well-known/openid-configuration", metadata["jwks_uri"]):
        assert http.send(method, url, b"", {"Content-Length": "0"}).status in (404, 405)


@pytest.fixture
def keys(metadata, http):
    answer = http.get(metadata["jwks_uri"])
    assert answer.status == 200, answer
    return answer.json()["keys"]


def test_keys_are_public(keys):
    """RFC 7517 §9.2: no private or symmetric material."""
    for key in keys:
        assert key["kty"] in ("RSA", "EC", "OKP") and not PRIVATE & set(key), sorted(key)


def test_keys_have_distinct_names(keys):
    """OIDC Core §10.1: with several keys every one has a `kid`, and no two the same."""
    names = [key["kid"] for key in keys]
    assert len(set(names)) == len(names) > 0


def test_one_algorithm_per_key(keys):
    """RFC 7517 §4.2, §4.4: `use` is sig and `alg` is said."""
    for key in keys:
        assert key["use"] == "sig" and key["alg"] in ("ES256", "RS256", "PS256", "EdDSA"), key


def test_keys_are_strong(keys):
    """RFC 7518 §3.3, §3.4: RSA of 2048 bits at least, P-256 for ES256."""
    import proofs

    for key in keys:
        if key["kty"] == "RSA":
            assert len(proofs.unb64(key["n"]).lstrip(b"\0")) >= 256
            assert int.from_bytes(proofs.unb64(key["e"]), "big") >= 65537
        if key["alg"] == "ES256":
            assert key["crv"] == "P-256" and len(proofs.unb64(key["x"])) == len(proofs.unb64(key["y"])) == 32


def test_keys_for_both_algorithms(keys):
    """OIDC Core §15.1: keys for RS256 and for our default ES256."""
    assert {"RS256", "ES256"} <= {key["alg"] for key in keys}
