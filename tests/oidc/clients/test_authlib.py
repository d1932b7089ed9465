"""Authlib, the Python client: code with PKCE, refresh, private_key_jwt, introspection, revocation, machine tokens."""

import agent as browsers
import pytest
import registry
import targets

requests_client = pytest.importorskip("authlib.integrations.requests_client")
oauth2_auth = pytest.importorskip("authlib.oauth2.rfc7523")


class Session:
    def __init__(self, target, metadata, name, method=None, **options):
        self.target, self.metadata, self.client = target, metadata, target.clients[name]
        self.session = requests_client.OAuth2Session(
            self.client.id, options.pop("secret", self.client.secret), token_endpoint_auth_method=method or self.client.auth,
            redirect_uri=self.client.redirect, code_challenge_method="S256", **options)  # fmt: skip
        self.session.verify, self.session.trust_env = target.ca, False

    def login(self, scope="openid email", **extra):
        import proofs

        verifier, nonce = proofs.token(48), proofs.token(16)
        self.session.scope = scope
        url, state = self.session.create_authorization_url(self.metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **extra)
        browser = browsers.Agent(self.target.ca)
        journey = browsers.Journey(browser, targets.origin(self.target.issuer))
        journey.take(browser.get(url))
        journey.go(self.target.users["alice"])
        assert journey.redirect and "code" in journey.callback, journey
        token = self.session.fetch_token(self.metadata["token_endpoint"], authorization_response=journey.redirect, code_verifier=verifier, state=state)
        self.check(token["id_token"], nonce)
        return token

    def check(self, compact, nonce):
        from authlib.jose import JsonWebKey, JsonWebToken
        from authlib.oidc.core import CodeIDToken

        keys = JsonWebKey.import_key_set(browsers.Agent(self.target.ca).get(self.metadata["jwks_uri"]).json())
        options = {"iss": {"value": self.metadata["issuer"]}, "aud": {"value": self.client.id}}
        claims = JsonWebToken(["ES256", "RS256"]).decode(compact, keys, CodeIDToken, options, {"nonce": nonce, "client_id": self.client.id})
        claims.validate(leeway=5)


@pytest.fixture
def authlib(target, metadata):
    return lambda name, **options: Session(target, metadata, name, **options)


@pytest.mark.parametrize("name", ["web", "post", "spa"])
def test_code(authlib, name):
    """Authlib: the code flow with PKCE, the ID token checked by Authlib, userinfo."""
    one = authlib(name)
    one.login()
    about = one.session.get(one.metadata["userinfo_endpoint"])
    assert about.status_code == 200 and about.json()["email"] == one.target.users["alice"].claims["email"]


def test_refresh(authlib):
    """Authlib: rotation, and a replay that ends the family."""
    one = authlib("web")
    first = one.login("openid offline_access", prompt="consent")
    second = one.session.refresh_token(one.metadata["token_endpoint"], refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    for old in (first, second):
        with pytest.raises(Exception, match="invalid_grant"):
            one.session.refresh_token(one.metadata["token_endpoint"], refresh_token=old["refresh_token"])


def test_private_key_jwt(authlib, target, metadata):
    """Authlib: private_key_jwt for a machine token."""
    key = target.clients["jwt"].key
    one = authlib("jwt", secret=key.private_jwk())
    one.session.register_client_auth_method(oauth2_auth.PrivateKeyJWT(metadata["token_endpoint"], alg="ES256", headers={"kid": key.kid}))
    token = one.session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="orders:read", resource=registry.ORDERS)
    assert token["access_token"]


def test_machine_token(authlib):
    """Authlib: client credentials."""
    one = authlib("service")
    assert one.session.fetch_token(one.metadata["token_endpoint"], grant_type="client_credentials")["access_token"]


def test_introspection_and_revocation(authlib):
    """Authlib: RFC 7662 and RFC 7009."""
    one = authlib("web")
    token = one.login("openid offline_access", prompt="consent")

    def told():
        return one.session.introspect_token(one.metadata["introspection_endpoint"], token=token["access_token"], token_type_hint="access_token").json()

    assert told()["active"] is True
    answer = one.session.revoke_token(one.metadata["revocation_endpoint"], token=token["refresh_token"], token_type_hint="refresh_token")
    assert answer.status_code == 200
    assert told()["active"] is False
