"""The authorization code grant with PKCE: OAuth 2.1, RFC 6749 §4.1, RFC 7636, OIDC Core §3.1, RFC 9207."""

import agent as browsers
import proofs
import pytest


def test_code_for_the_client(web):
    """RFC 6749 §4.1.2: the code comes by redirect to the registered place, the state as it was sent."""
    journey = web.authorize()
    assert journey.redirect.split("?")[0] == web.client.redirect
    assert journey.callback["state"] == journey.sent["state"]
    assert set(journey.callback) <= {"code", "state", "iss", "session_state"}


@pytest.mark.bcp("mix-up")
def test_issuer_in_the_response(web):
    """RFC 9207 §2: `iss` is in the response, and is the issuer's identifier exactly."""
    assert web.authorize().callback["iss"] == web.metadata["issuer"]


@pytest.mark.bcp("mix-up")
def test_issuer_in_an_error(web):
    """RFC 9207 §2: in error responses, too."""
    journey = web.authorize(None, prompt="none")
    assert journey.callback["error"] and journey.callback["iss"] == web.metadata["issuer"]


def test_state_is_not_invented(web):
    """RFC 6749 §4.1.2: `state` only if the request had one."""
    assert "state" not in web.authorize(state=None).callback


@pytest.mark.parametrize("state", ["a b&c=d#e", "%41+%2B", "ü€😀", "'\"<script>", "x" * 512])
def test_state_comes_back_exactly(web, state):
    """RFC 6749 §4.1.2: the exact value received from the client."""
    assert web.authorize(None, prompt="none", state=state).callback["state"] == state


def test_code_is_random(web):
    """RFC 6749 §10.10: at least 128 bits, and no two alike."""
    browser = web.browser()
    codes = [web.authorize(browser=browser).callback["code"] for _ in range(3)]
    assert len(set(codes)) == 3 and all(len(code) >= 22 for code in codes)
    assert len({code[:8] for code in codes}) == 3, "they begin alike"


def test_token_response(web):
    """RFC 6749 §5.1, OIDC Core §3.1.3.3: the members, their types, and headers against caches."""
    answer = web.redeem(web.authorize())
    body = web.good(answer)
    assert body["token_type"].lower() == "bearer" and body["access_token"] and body["id_token"]
    assert isinstance(body["expires_in"], int) and 0 < body["expires_in"] <= 3600
    assert "no-store" in answer.header("cache-control")


def test_id_token(web):
    """OIDC Core §2: the required claims, signed by a published key, in time."""
    journey = web.authorize()
    body = web.good(web.redeem(journey))
    claims = web.id_token(body["id_token"], nonce=journey.sent["nonce"])
    now = proofs.now()
    assert claims["sub"] and len(claims["sub"]) <= 255
    assert now - 30 <= claims["iat"] <= now + 5 < claims["exp"] <= now + 3600
    assert claims["aud"] in (web.client.id, [web.client.id])
    assert claims.get("azp", web.client.id) == web.client.id


def test_at_hash(web):
    """OIDC Core §3.1.3.6: `at_hash`, when it is there, is half the digest of the access token."""
    import hashlib

    body = web.tokens()
    claims = web.id_token(body["id_token"])
    if "at_hash" in claims:
        digest = hashlib.sha256(body["access_token"].encode()).digest()
        assert claims["at_hash"] == proofs.b64(digest[:16])


def test_without_nonce(web):
    """OIDC Core §3.1.2.1: the code flow needs no nonce, and none is invented."""
    assert "nonce" not in web.id_token(web.tokens(nonce=None)["id_token"])


def test_without_openid(web):
    """RFC 6749 alone: without `openid` no ID token."""
    assert "id_token" not in web.tokens(scope="email", nonce=None)


def test_rs256_for_those_who_need_it(rp):
    """OIDC Core §15.1: a client can have RS256."""
    rs = rp("rs256")
    body = rs.tokens()
    assert proofs.header_of(body["id_token"])["alg"] == "RS256" and rs.id_token(body["id_token"])


def test_es256_by_default(web):
    """The design's default algorithm."""
    assert proofs.header_of(web.tokens()["id_token"])["alg"] == "ES256"


@pytest.mark.bcp("code-once")
def test_code_is_for_once(web):
    """RFC 6749 §4.1.2, RFC 9700 §4.5: a second use is `invalid_grant`, and what the first gave is revoked."""
    journey = web.authorize(scope="openid offline_access")
    body = web.good(web.redeem(journey))
    assert web.is_alive(body["access_token"])
    assert web.redeem(journey).refusal() == "invalid_grant"
    assert not web.is_alive(body["access_token"])
    assert web.introspect(body["access_token"])["active"] is False
    assert web.refresh(body["refresh_token"]).refusal() == "invalid_grant"


@pytest.mark.bcp("code-once")
def test_code_twice_at_once(web):
    """RFC 9700 §4.5: two at the same moment, and at most one has tokens that live."""
    from concurrent.futures import ThreadPoolExecutor

    journey = web.authorize()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: web.redeem(journey, http=web.backend()), range(4)))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) <= 1, good
    assert all(answer.refusal() == "invalid_grant" for answer in answers if answer.status != 200)


def test_code_of_another_client(web, rp):
    """RFC 6749 §4.1.3: a code works for the client that it was given to."""
    assert rp("other").redeem(web.authorize()).refusal() == "invalid_grant"


def test_code_and_another_redirect(rp):
    """RFC 6749 §4.1.3: `redirect_uri` must be that of the request, even if another is registered."""
    many = rp("many")
    journey = many.authorize()
    assert many.redeem(journey, redirect_uri=many.client.redirects[1]).refusal() in ("invalid_grant", "invalid_request")


def test_code_expires(hasty_rp):
    """RFC 6749 §4.1.2: a code is short-lived."""
    web = hasty_rp("web")
    journey = web.authorize()
    web.target.outlive("code", 60)
    assert web.redeem(journey).refusal() == "invalid_grant"


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "A" * 20000, "\x00", "../../etc/passwd", "a b"], ids=range(7))
def test_no_such_code(web, code):
    """RFC 6749 §5.2: `invalid_grant` (or `invalid_request` for what can be no code)."""
    answer = web.token("authorization_code", code=code, redirect_uri=web.client.redirect, code_verifier=proofs.token(48))
    assert answer.status in (400, 413), answer
    if answer.status == 400:
        assert answer.refusal() in ("invalid_grant", "invalid_request")


# PKCE


@pytest.mark.bcp("pkce-demanded")
@pytest.mark.parametrize("name", ["web", "spa", "nopkce"])
def test_verifier_is_demanded(rp, name):
    """RFC 9700 §2.1.1, RFC 7636 §4.6: with a challenge in the request, a verifier must follow."""
    one = rp(name)
    assert one.redeem(one.authorize(), code_verifier=None).refusal() in ("invalid_grant", "invalid_request")


@pytest.mark.bcp("pkce-demanded")
@pytest.mark.parametrize("verifier", ["another", "challenge", "short", "empty", "prefix"])
def test_wrong_verifier(web, verifier):
    """RFC 7636 §4.6: `invalid_grant`."""
    journey = web.authorize()
    value = {"another": proofs.token(48), "challenge": journey.sent["code_challenge"], "short": "abc", "empty": "",
             "prefix": journey.verifier[:-1]}[verifier]  # fmt: skip
    assert web.redeem(journey, code_verifier=value).refusal() in ("invalid_grant", "invalid_request")


def test_wrong_verifier_ends_the_code(web):
    """RFC 9700 §4.5.3: who guesses the verifier gets one try."""
    journey = web.authorize()
    assert web.redeem(journey, code_verifier=proofs.token(48)).refusal() == "invalid_grant"
    assert web.redeem(journey, code_verifier=proofs.token(48)).refusal() == "invalid_grant"


@pytest.mark.bcp("pkce-downgrade")
def test_verifier_without_challenge(rp):
    """RFC 9700 §2.1.1: no challenge in the request, then a verifier is refused (PKCE downgrade)."""
    one = rp("nopkce")
    journey = one.authorize(code_challenge=None, code_challenge_method=None)
    assert one.redeem(journey).refusal() in ("invalid_grant", "invalid_request")


def test_client_that_may_do_without(rp):
    """The design: confidential clients may opt out of PKCE one by one."""
    one = rp("nopkce")
    assert one.tokens(code_challenge=None, code_challenge_method=None, redeem={"code_verifier": None})["id_token"]


@pytest.mark.bcp("pkce-demanded")
@pytest.mark.parametrize("name", ["web", "spa", "native", "jwt"])
def test_challenge_is_demanded(rp, name):
    """RFC 7636 §4.4.1, RFC 9700 §2.1.1: off by default for no client, public or confidential."""
    redirect = "http://127.0.0.1:4321/cb" if name == "native" else rp(name).client.redirect
    assert rp(name).refused(code_challenge=None, code_challenge_method=None, redirect_uri=redirect) == "invalid_request"


@pytest.mark.bcp("pkce-downgrade")
@pytest.mark.parametrize(
    "bent",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},  # RFC 7636 §4.3: that means plain
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
        {"code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 129},
        {"code_challenge": "x" * 42 + "!"},
        {"code_challenge": None},
    ],
    ids=lambda bent: "-".join(f"{k}={str(v)[:8]}" for k, v in bent.items()),
)
def test_challenge_is_well_formed(web, bent):
    """RFC 7636 §4.2, §4.3: S256 of 43 characters, said with its method."""
    assert web.refused(**bent) == "invalid_request"


def test_code_of_one_request_in_another(web):
    """RFC 9700 §4.5: a stolen code fails with another request's verifier (code injection)."""
    stolen, own = web.authorize(user="alice"), web.authorize(user="bob")
    assert web.redeem(stolen, code_verifier=own.verifier).refusal() == "invalid_grant"


# The endpoint's manners


@pytest.mark.bcp("no-token-in-query")
@pytest.mark.parametrize("part", ["everything", "credentials", "code"])
def test_nothing_in_the_query(web, rp, part):
    """RFC 6749 §2.3.1, §3.2, RFC 9700 §4.3.2: what belongs in the body does not count in the URL."""
    post = rp("post")
    journey = post.authorize()
    fields = {"grant_type": "authorization_code", "code": journey.callback["code"], "redirect_uri": journey.sent["redirect_uri"],
              "code_verifier": journey.verifier}  # fmt: skip
    secret = {"client_id": post.client.id, "client_secret": post.client.secret}
    moved = {"everything": {**fields, **secret}, "credentials": secret, "code": {"code": fields["code"]}}[part]
    left = {name: value for name, value in {**fields, **secret}.items() if name not in moved}
    answer = post.http.post(browsers.with_query(post.metadata["token_endpoint"], moved), left)
    assert answer.refusal() in ("invalid_request", "invalid_client")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post(web, method):
    """RFC 6749 §3.2: the client MUST use POST."""
    answer = web.http.send(method, web.metadata["token_endpoint"], b"" if method != "GET" else None)
    assert answer.status in (404, 405), answer


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", None])
def test_only_forms(web, kind):
    """RFC 6749 §3.2: application/x-www-form-urlencoded, and nothing that looks like it."""
    journey = web.authorize()
    head = web.credentials()[1]
    body = f"grant_type=authorization_code&code={journey.callback['code']}&code_verifier={journey.verifier}"
    answer = web.http.send("POST", web.metadata["token_endpoint"], body.encode(), {**head, **({"Content-Type": kind} if kind else {})})
    assert 400 <= answer.status < 500, answer


def test_form_post(web):
    """OAuth 2.0 Form Post Response Mode §2: the answer as a form, under a page that lets it out."""
    if "form_post" not in web.metadata.get("response_modes_supported", []):
        assert web.refused(response_mode="form_post") in ("invalid_request", "unsupported_response_mode")
        return
    journey = web.authorize(response_mode="form_post")
    assert journey.redirect == web.client.redirect and journey.callback["code"]
    assert web.good(web.redeem(journey))["id_token"]


@pytest.mark.bcp("no-postmessage")
@pytest.mark.parametrize("mode", ["web_message", "fragment", "jwt", "nonsense"])
def test_other_ways_to_answer(web, mode):
    """RFC 9700 §2.1, §4.17: no code goes to any window by postMessage, unknown modes are refused."""
    journey = web.authorize(response_mode=mode)
    assert "postMessage" not in journey.last.text
    if mode == "fragment" and mode in web.metadata.get("response_modes_supported", []):
        return
    assert journey.callback is None or "code" not in journey.callback, journey
