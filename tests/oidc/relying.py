"""A client of the provider, as its developer would write it; every step can be bent."""

import base64
import random
import urllib.parse

import agent as browsers
import proofs
import targets

UNSET = object()
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def laid_over(base, extra):
    """`extra` over `base`: None takes a parameter away."""
    merged = {**base, **extra}
    return {name: value for name, value in merged.items() if value is not None}


class Relying:
    def __init__(self, target, metadata, client):
        self.target, self.metadata, self.client = target, metadata, client
        self.http = self.backend(client.certificate or None)

    def browser(self, certificate=None):
        return browsers.Agent(self.target.ca, certificate)

    def stranger(self):
        """A browser at an address of its own: what it fails with is held against no other's address."""
        browser = self.browser()
        browser.source = (f"127.{random.randrange(1, 255)}.{random.randrange(256)}.1", 0)
        return browser

    def backend(self, certificate=None):
        return browsers.Agent(self.target.ca, certificate, accept="application/json")

    # The authorization endpoint

    def parameters(self, **extra):
        """Those of a good request. The verifier is remembered in `self.verifier`, the newest request's."""
        self.verifier = proofs.token(48)
        base = {
            "client_id": self.client.id, "redirect_uri": self.client.redirect, "response_type": "code",
            "scope": "openid", "state": proofs.token(16), "nonce": proofs.token(16),
            "code_challenge": proofs.s256(self.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        if "offline_access" in (extra.get("scope") or ""):
            base["prompt"] = "consent"  # OIDC Core §11
        return laid_over(base, extra)

    def ask(self, browser, parameters, method="GET"):
        """The first answer and the redirects within the provider that follow."""
        journey = browsers.Journey(browser, targets.origin(self.target.issuer))
        send = browser.get if method == "GET" else browser.post
        journey.take(send(self.metadata["authorization_endpoint"], parameters))
        return journey

    def authorize(self, user="alice", browser=None, method="GET", decision="allow", **extra):
        """A user's whole way: forms filled in until an answer for the client, or a page that wants something else."""
        parameters = self.parameters(**extra)
        user = self.target.users[user] if isinstance(user, str) else user
        journey = self.ask(browser or self.browser(), parameters, method).go(user, decision)
        journey.verifier, journey.sent = self.verifier, parameters
        return journey

    def refused(self, user=None, browser=None, method="GET", **extra):
        """The `error` that the client is told by redirect, or None when the user is shown an error page instead."""
        journey = self.authorize(user, browser, method, **extra)
        if journey.callback is None:
            assert 400 <= journey.last.status < 500, f"neither redirected nor refused: {journey!r}"
            return None
        assert "code" not in journey.callback, f"not refused: {journey!r}"
        assert journey.callback.get("state") == journey.sent.get("state"), journey
        return journey.callback["error"]

    # The token endpoint and its likes

    def credentials(self, method=UNSET):
        """(form fields, header fields) that prove the client, by its registered method or another."""
        method = self.client.auth if method is UNSET else method
        client = self.client
        if method == "client_secret_basic":
            quoted = [urllib.parse.quote_plus(text or "") for text in (client.id, client.secret)]
            return {}, {"Authorization": "Basic " + base64.b64encode(":".join(quoted).encode()).decode()}
        if method == "client_secret_post":
            return {"client_id": client.id, "client_secret": client.secret}, {}
        if method == "private_key_jwt":
            return self.assertion(client.key.sign(proofs.assertion(client.id, self.target.issuer_claim))), {}
        if method in ("none", "tls_client_auth"):
            return {"client_id": client.id}, {}
        assert method is None, method
        return {}, {}

    def assertion(self, compact):
        return {"client_id": self.client.id, "client_assertion_type": ASSERTION_TYPE, "client_assertion": compact}

    def post(self, endpoint, fields, method=UNSET, headers=(), http=None):
        """POST to an endpoint of the metadata (`token`, `introspection` …) with the client's credentials."""
        url = endpoint if endpoint.startswith("https:") else self.metadata[f"{endpoint}_endpoint"]
        proof, head = self.credentials(method)
        fields = browsers.pairs(fields)
        named = {name for name, _ in fields}
        fields += [(name, value) for name, value in proof.items() if name not in named]
        return (http or self.http).post(url, fields, {**head, **dict(headers)})

    def token(self, grant, method=UNSET, headers=(), http=None, **fields):
        return self.post("token", {"grant_type": grant, **fields}, method, headers, http)

    def redeem(self, journey, **extra):
        """Exchanges the code of a journey."""
        assert journey.callback and "code" in journey.callback, f"no code: {journey!r}"
        options = {name: extra.pop(name) for name in ("method", "headers", "http") if name in extra}
        fields = {"code": journey.callback["code"], "redirect_uri": journey.sent.get("redirect_uri"),
                  "code_verifier": journey.verifier}  # fmt: skip
        return self.token("authorization_code", **options, **laid_over(fields, extra))

    def tokens(self, user="alice", browser=None, redeem=(), **extra):
        """The token response of a whole flow, which must succeed."""
        journey = self.authorize(user, browser, **extra)
        answer = self.redeem(journey, **dict(redeem))
        assert answer.status == 200, answer
        return answer.json()

    def refresh(self, refresh_token, **fields):
        return self.token("refresh_token", refresh_token=refresh_token, **fields)

    def good(self, answer):
        assert answer.status == 200, f"refused: {answer!r}"
        return answer.json()

    # Resources

    def userinfo(self, access_token, method="GET", scheme="Bearer", headers=(), http=None):
        head = {"Authorization": f"{scheme} {access_token}", **dict(headers)}
        browser = http or self.http
        send = browser.get if method == "GET" else browser.post
        return send(self.metadata["userinfo_endpoint"], (), head)

    def introspect(self, token, **fields):
        return self.good(self.post("introspection", {"token": token, **fields}))

    def jwks(self):
        return self.http.get(self.metadata["jwks_uri"]).json()

    def id_token(self, compact, **expected):
        """The verified claims of an ID token for this client, OIDC Core §3.1.3.7."""
        claims = proofs.verified(compact, self.jwks(), self.client.id, self.target.issuer_claim)
        for name, value in expected.items():
            assert claims.get(name) == value, (name, claims)
        return claims

    def is_alive(self, access_token):
        """Whether an access token still opens userinfo."""
        status = self.userinfo(access_token).status
        assert status in (200, 401), status
        return status == 200


def error_of(journey):
    assert journey.callback and "error" in journey.callback, f"no error for the client: {journey!r}"
    return journey.callback["error"]
