"""Parameters of the authorization endpoint: missing, repeated, oversized, contradictory, unknown. OIDC Core §3.1.2."""

import agent as browsers
import proofs
import pytest


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_methods(web, method):
    """OIDC Core §3.1.2.1: GET and POST must both work."""
    assert web.good(web.redeem(web.authorize(method=method)))["id_token"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(web, method):
    """RFC 9110 §9.1: no other method."""
    url = browsers.with_query(web.metadata["authorization_endpoint"], web.parameters())
    assert web.browser().send(method, url, b"", {"Content-Length": "0"}).status in (404, 405)


@pytest.mark.parametrize("value", [None, "", "bogus\x00", "nosuch", "web ", "WEB", "web'--", "x" * 5000], ids=range(8))
def test_unknown_client(web, value):
    """RFC 6749 §4.1.2.1: with an invalid client identifier, an error page and no redirect."""
    journey = web.ask(web.browser(), web.parameters(client_id=value))
    assert journey.callback is None and 400 <= journey.last.status < 500, journey


@pytest.mark.parametrize("value", [None, ""])
def test_response_type_is_required(web, value):
    """OIDC Core §3.1.2.2, RFC 6749 §4.1.2.1: `invalid_request`."""
    assert web.refused(response_type=value) in ("invalid_request", "unsupported_response_type", None)


@pytest.mark.bcp("no-implicit")
@pytest.mark.parametrize("value", ["token", "id_token", "id_token token", "code token", "code id_token", "none", "nonsense", "code code"])
def test_other_response_types(web, value):
    """RFC 9700 §2.1.2: only `code`; nothing else gives a token at the front."""
    journey = web.authorize(None, response_type=value)
    error = journey.callback or {}
    fragment = dict(part.split("=") for part in (journey.redirect or "").partition("#")[2].split("&") if part)
    assert (error or fragment).get("error") in ("unsupported_response_type", "invalid_request", "unauthorized_client"), journey
    assert not {"access_token", "id_token", "code"} & {*error, *fragment}


@pytest.mark.parametrize("name", ["client_id", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
                                  "prompt", "max_age"])  # fmt: skip
def test_repeated(web, name):
    """RFC 6749 §3.1: parameters MUST NOT be included more than once."""
    parameters = {"prompt": "none", "max_age": "10", **web.parameters()}
    for doubled in ([(name, parameters[name])], [(name, "web2")]):
        journey = web.ask(web.browser(), browsers.pairs(parameters) + doubled)
        if journey.callback is None:
            assert journey.last.status == 400, journey
        else:
            assert journey.callback["error"] == "invalid_request" and name not in ("client_id", "redirect_uri")


@pytest.mark.parametrize("fields", [
    {"display": "popup"}, {"display": "page"}, {"ui_locales": "fr-CA fr en"}, {"ui_locales": "xx-nonsense"},
    {"claims_locales": "de"}, {"login_hint": "alice"}, {"login_hint": "nobody@nowhere.test"}, {"acr_values": "urn:no:such"},
    {"extra": "unknown"}, {"extra": ""}, {"prompt": ""}, {"max_age": ""}, {"login_hint": "\"><script>alert(1)</script>"},
    {"id_token_hint": ""}, {"request": ""}, {"audience": "somewhere"}, {"nonce": "x" * 200},
], ids=lambda fields: "&".join(f"{k}={v[:12]}" for k, v in fields.items()))  # fmt: skip
def test_no_error(web, fields):
    """OIDC Core §3.1.2.1 (display, ui_locales, claims_locales, login_hint, acr_values), RFC 6749 §3.1 (unknown and empty)."""
    journey = web.authorize(**fields)
    assert web.good(web.redeem(journey))["id_token"]


@pytest.mark.parametrize("fields, errors", [
    ({"prompt": "none login"}, ["invalid_request"]),
    ({"prompt": "none consent"}, ["invalid_request"]),
    ({"max_age": "abc"}, ["invalid_request"]),
    ({"max_age": "-1"}, ["invalid_request"]),
    ({"max_age": "9" * 30}, ["invalid_request", "login_required"]),
    ({"scope": "openid \x7f"}, ["invalid_scope", "invalid_request"]),
    ({"scope": "openid \"a\""}, ["invalid_scope", "invalid_request"]),
    ({"scope": "openid " + "x" * 4000}, ["invalid_scope", "invalid_request", "login_required"]),
    ({"claims": "{"}, ["invalid_request", "login_required"]),
    ({"claims": "[]"}, ["invalid_request", "login_required"]),
    ({"claims": "[" * 1500}, ["invalid_request", "login_required"]),
    ({"id_token_hint": "a.b.c"}, ["invalid_request", "login_required"]),
    ({"request": "a.b.c"}, ["invalid_request_object", "request_not_supported", "invalid_request"]),
    ({"request_uri": "https://evil.test/request"}, ["invalid_request_uri", "request_uri_not_supported", "invalid_request"]),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:nosuch"}, ["invalid_request_uri", "invalid_request"]),
    ({"request_uri": "file:///etc/passwd"}, ["invalid_request_uri", "request_uri_not_supported", "invalid_request"]),
    ({"request_uri": "http://127.0.0.1:9/"}, ["invalid_request_uri", "request_uri_not_supported", "invalid_request"]),
    ({"request": "a.b.c", "request_uri": "urn:x"}, ["invalid_request", "request_not_supported", "request_uri_not_supported"]),
    ({"resource": "https://unknown.test/"}, ["invalid_target"]),
    ({"resource": "https://orders.api.test/#f"}, ["invalid_target"]),
    ({"resource": "relative"}, ["invalid_target"]),
    ({"registration": "{}"}, ["registration_not_supported", "login_required"]),
], ids=lambda value: "&".join(f"{k}={v[:24]}" for k, v in value.items()) if isinstance(value, dict) else "")  # fmt: skip
def test_refused(web, fields, errors):
    """OIDC Core §3.1.2.6, RFC 8707 §2, RFC 9101 §6: refused by name, or (where optional) treated as absent; never a crash."""
    error = web.refused(**{"prompt": "none", **fields})
    by_page = "request_uri" in fields or "\x7f" in fields.get("scope", "")  # what can't be read need not be told the client
    assert error in errors or (error is None and by_page), error


def test_unknown_scope(web):
    """RFC 6749 §3.3, OIDC Core §3.1.2.1: ignored or `invalid_scope`, never given."""
    journey = web.authorize(scope="openid admin:everything")
    if "error" in journey.callback:
        assert journey.callback["error"] == "invalid_scope"
    else:
        assert "admin:everything" not in web.good(web.redeem(journey)).get("scope", "")


def test_scope_beyond_the_client(rp):
    """RFC 6749 §3.3: a client gets what it is registered for, at most."""
    one = rp("coderesource")  # registered for `openid email`
    journey = one.authorize(scope="openid email profile")
    if "error" in journey.callback:
        assert journey.callback["error"] == "invalid_scope"
    else:
        body = one.good(one.redeem(journey))
        assert "profile" not in body["scope"].split()
        assert "name" not in one.userinfo(body["access_token"]).json()


@pytest.mark.parametrize("size", [4_000, 60_000, 2_000_000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_oversized(web, size, method):
    """Bad input: refused with a client error, or carried; never a crash, and the provider goes on."""
    try:
        journey = web.ask(web.browser(), web.parameters(prompt="none", state="s" * size), method)
        assert journey.last.status < 500, journey
        if journey.callback:
            assert journey.callback["state"] == "s" * size or journey.callback["error"] == "invalid_request"
    except OSError:
        pass  # cut off while it was sent
    assert web.authorize().callback["code"]


@pytest.mark.parametrize("raw", [
    "client_id=web&&&response_type", "%", "%zz=%", "client_id[]=web", "client_id=web;redirect_uri=x", "=", "&" * 3000,
    "client_id=%ff%fe", "client_id=web%00", "a=" + "%41" * 1000, "__proto__=1&constructor=2", "+=+",
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_malformed_forms(web, raw, method):
    """Bad input: a client error (told to the client, if it is known by then), nothing of the inside."""
    url, browser = web.metadata["authorization_endpoint"], web.browser()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.send("GET", f"{url}?{raw}") if method == "GET" else browser.send("POST", url, raw.encode(), kind)
    if answer.is_redirect and answer.location.startswith(web.target.issuer):
        answer = browser.get(answer.location)  # a POST that was stored
    assert 400 <= answer.status < 500 or (answer.location or "").startswith(f"{web.client.redirect}?error="), answer
    assert not any(word in answer.text for word in ("Traceback", "node_modules", ".cc:", "at Object", "std::")), answer


def test_control_bytes_in_state(web):
    """RFC 6749 §A.5: refused, or encoded in the redirect: no header is split."""
    journey = web.ask(web.browser(), web.parameters(prompt="none", state="a\r\nSet-Cookie: evil=1"))
    assert not any("evil" in cookie for cookie in journey.last.all("set-cookie")), journey
    if journey.callback and "state" in journey.callback:
        assert journey.callback["state"] == "a\r\nSet-Cookie: evil=1"


def test_head_gives_no_code(web):
    """RFC 9110 §9.3.2: HEAD is safe, so it gives nobody a code."""
    browser = web.browser()
    web.authorize(browser=browser)
    answer = browser.send("HEAD", browsers.with_query(web.metadata["authorization_endpoint"], web.parameters(prompt="none")))
    assert answer.status in (200, 302, 303, 400, 404, 405) and "code=" not in (answer.header("location") or "")


def test_errors_are_told_with_the_client(web):
    """RFC 6749 §4.1.2.1: the description is ASCII without quotes, and no HTML."""
    journey = web.authorize(None, prompt="none", max_age="<b>x</b>")
    description = journey.callback.get("error_description", "")
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in description)
    assert "<b>" not in description


# Request objects, OIDC Core §6.1, RFC 9101: honoured or refused, never ignored


def request_object(rp, key=None, sign=None, outer=(), **bent):
    one = rp("jwt")
    inner = one.parameters(prompt="none", state="inner")
    claims = {**inner, "iss": one.client.id, "aud": one.metadata["issuer"], "exp": proofs.now() + 60, "jti": proofs.token(), **bent}
    compact = (sign or (key or one.client.key).sign)({k: v for k, v in claims.items() if v is not None})
    outside = {"client_id": one.client.id, "response_type": "code", "scope": "openid", "redirect_uri": one.client.redirect,
               "code_challenge": inner["code_challenge"], "code_challenge_method": "S256", "state": "outer", "prompt": "none"}  # fmt: skip
    return one, one.ask(one.browser(), {**outside, "request": compact, **dict(outer)})


def test_request_object_counts(rp):
    """OIDC Core §6.1: either `request_not_supported`, or its parameters supersede those outside."""
    _, journey = request_object(rp)
    if journey.callback["error"] not in ("request_not_supported",):
        assert journey.callback["error"] == "login_required" and journey.callback["state"] == "inner", journey


@pytest.mark.parametrize("bent", ["alg none", "another key", "expired", "another issuer", "another client", "nested"])
def test_forged_request_object(rp, bent):
    """RFC 9101 §6, §10: refused, never taken as if it were absent."""
    arguments = {
        "alg none": {"sign": proofs.unsigned}, "another key": {"key": proofs.Key("ES256", "jwt-1")},
        "expired": {"exp": proofs.now() - 600}, "another issuer": {"iss": "other"},
        "another client": {"client_id": "web"}, "nested": {"request": "a.b.c"},
    }[bent]  # fmt: skip
    _, journey = request_object(rp, **arguments)
    if journey.callback is None:
        assert journey.last.status == 400, journey
    else:
        assert journey.callback["error"] in ("invalid_request_object", "request_not_supported", "invalid_request"), journey


def test_request_object_and_another_redirect(rp):
    """RFC 9700 §4.1: a place named inside is checked as one outside."""
    _, journey = request_object(rp, redirect_uri="https://evil.test/cb")
    assert not (journey.redirect or "").startswith("https://evil.test"), journey
