"""Pushed authorization requests, RFC 9126."""

import proofs
import pytest

NO_SUCH_REQUEST = ("invalid_request_uri", "invalid_request", "invalid_request_object", "request_uri_not_supported")


def push(rp, method=None, **extra):
    options = {} if method is None else {"method": method}
    return rp.post("pushed_authorization_request", rp.parameters(**extra), **options)


def pushed(rp, **extra):
    answer = push(rp, **extra)
    assert answer.status == 201, answer
    return answer.json()["request_uri"], rp.verifier


def use(rp, uri, browser=None, user="alice", **fields):
    journey = rp.ask(browser or rp.browser(), {"client_id": rp.client.id, "request_uri": uri, **fields})
    return journey.go(rp.target.users[user] if user else None)


def turned_away(journey):
    if journey.callback is None:
        assert journey.last.status == 400, journey
    else:
        assert journey.callback["error"] in NO_SUCH_REQUEST, journey


@pytest.mark.parametrize("name", ["web", "spa", "post", "jwt"])
def test_push(rp, name):
    """RFC 9126 §2.2: 201, a request_uri hard to guess, a lifetime; not cached."""
    answer = push(rp(name))
    assert answer.status == 201, answer
    body = answer.json()
    assert body["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert len(body["request_uri"].rsplit(":", 1)[1]) >= 22 and 0 < body["expires_in"] <= 600
    assert "no-store" in answer.header("cache-control")


@pytest.mark.parametrize("name", ["web", "spa"])
def test_whole_flow(rp, name):
    """RFC 9126 §4: the front channel carries client_id and request_uri only."""
    one = rp(name)
    uri, verifier = pushed(one, state="pushed-state")
    journey = use(one, uri)
    assert journey.callback["state"] == "pushed-state"
    answer = one.token("authorization_code", code=journey.callback["code"], redirect_uri=one.client.redirect, code_verifier=verifier)
    assert one.id_token(one.good(answer)["id_token"])


def test_direct_parameters_do_not_count(rp):
    """RFC 9126 §4, RFC 9101 §5: what stands beside request_uri is ignored or refused."""
    web = rp("web")
    uri, _ = pushed(web, state="pushed", scope="openid")
    journey = use(web, uri, state="direct", scope="openid email phone", redirect_uri="https://evil.test/cb", nonce="direct")
    assert not (journey.redirect or "").startswith("https://evil.test"), journey
    if journey.callback and "code" in journey.callback:
        assert journey.callback["state"] == "pushed"
        answer = web.token("authorization_code", code=journey.callback["code"], redirect_uri=web.client.redirect, code_verifier=web.verifier)
        assert set(web.good(answer)["scope"].split()) == {"openid"}
    else:
        turned_away(journey)


def test_used_once(rp):
    """RFC 9126 §4, §7.3: one-time use."""
    web = rp("web")
    uri, _ = pushed(web)
    assert use(web, uri).callback["code"]
    turned_away(use(web, uri))


def test_reload_of_the_login(rp):
    """RFC 9126 §4: a user who reloads the login page is not turned away."""
    web = rp("web")
    uri, _ = pushed(web)
    browser = web.browser()
    waiting = use(web, uri, browser, user=None)
    again = browser.get(waiting.last.url)
    assert again.status == 200 and any(form.has("password") or form.has("username") for form in again.forms()), again


def test_expires(hasty_rp):
    """RFC 9126 §2.2, §7.3: after `expires_in` it is nothing."""
    web = hasty_rp("web")
    answer = push(web).json()
    web.target.outlive("pushed request", answer["expires_in"])
    turned_away(use(web, answer["request_uri"]))


def test_of_another_client(rp):
    """RFC 9126 §2.2: bound to the client that pushed it."""
    uri, _ = pushed(rp("web"))
    turned_away(use(rp("other"), uri))


def test_without_client_id(rp):
    """RFC 9126 §4, RFC 9101 §5: client_id is required beside it."""
    web = rp("web")
    uri, _ = pushed(web)
    journey = web.ask(web.browser(), {"request_uri": uri})
    assert journey.callback is None and journey.last.status == 400, journey


@pytest.mark.parametrize("bent, errors", [
    ({"redirect_uri": "https://evil.test/cb"}, ["invalid_request", "invalid_redirect_uri"]),
    ({"response_type": "token"}, ["unsupported_response_type", "invalid_request", "unauthorized_client"]),
    ({"response_type": None}, ["invalid_request", "unsupported_response_type"]),
    ({"code_challenge": None, "code_challenge_method": None}, ["invalid_request"]),
    ({"code_challenge_method": "plain"}, ["invalid_request"]),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, ["invalid_request", "request_uri_not_supported"]),
    ({"resource": "https://unknown.test/"}, ["invalid_target"]),
    ({"request": "a.b.c"}, ["invalid_request_object", "request_not_supported", "invalid_request"]),
    ({"prompt": "none login"}, ["invalid_request"]),
    ({"max_age": "x"}, ["invalid_request"]),
], ids=lambda value: "&".join(f"{k}={v}"[:40] for k, v in value.items()) if isinstance(value, dict) else "")  # fmt: skip
def test_refused_at_once(web, bent, errors):
    """RFC 9126 §2.3: checked as at the authorization endpoint, told to the client."""
    assert push(web, **bent).refusal() in errors


def test_client_must_prove_itself(rp):
    """RFC 9126 §2.1: authentication as at the token endpoint."""
    web = rp("web")
    assert push(web, method="none").refusal() == "invalid_client"
    answer = web.post("pushed_authorization_request", web.parameters(), None, {"Authorization": "Basic d2ViOndyb25n"})
    assert answer.refusal() == "invalid_client"


def test_client_id_of_another(rp):
    """RFC 9126 §2.1: the client_id of the request is that of the authenticated client."""
    web = rp("web")
    assert push(web, client_id="other").refusal() in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post(web, method):
    """RFC 9126 §2.3: 405 for anything but POST."""
    url = web.metadata["pushed_authorization_request_endpoint"]
    assert web.http.send(method, url, None if method == "GET" else b"").status in (404, 405)


def test_repeated(web):
    """RFC 6749 §3.1: no parameter twice."""
    fields = list(web.parameters().items()) + [("scope", "openid email")]
    assert web.post("pushed_authorization_request", fields).refusal() == "invalid_request"


def test_oversized(web):
    """RFC 9126 §2.3: 413 or 400 for what is too large; the provider goes on."""
    try:
        answer = push(web, state="x" * 3_000_000)
        assert 400 <= answer.status < 500 or answer.status == 201, answer
    except OSError:
        web.http = web.backend()
    assert push(web).status == 201


@pytest.mark.parametrize("uri", ["urn:ietf:params:oauth:request_uri:" + "A" * 43, "urn:ietf:params:oauth:request_uri:", "urn:x", "\x00",
                                 "urn:ietf:params:oauth:request_uri:../../x"])  # fmt: skip
def test_no_such_uri(web, uri):
    """RFC 9126 §2.3: an error, no redirect to an unproven place."""
    turned_away(use(web, uri, user=None))


def test_dpop_jkt_is_pushed_with_the_proof(rp):
    """RFC 9449 §10.1: a DPoP proof at PAR binds the code to its key."""
    one = rp("dpop")
    key = proofs.Key()
    proof = proofs.dpop(key, "POST", one.metadata["pushed_authorization_request_endpoint"])
    answer = one.post("pushed_authorization_request", one.parameters(), headers={"DPoP": proof})
    assert answer.status == 201, answer
    journey = use(one, answer.json()["request_uri"])
    fields = {"code": journey.callback["code"], "redirect_uri": one.client.redirect, "code_verifier": one.verifier}
    other = proofs.dpop(proofs.Key(), "POST", one.metadata["token_endpoint"])
    assert one.token("authorization_code", headers={"DPoP": other}, **fields).refusal() in ("invalid_grant", "invalid_dpop_proof")
