"""What browsers are given: pages, cookies, headers; RFC 9700 §4.12 to §4.17, RFC 6265bis, and texts that tell nothing."""

import dataclasses
import re
import statistics
import time

import agent as browsers
import pytest
import registry


@pytest.fixture
def login_page(web):
    return web.ask(web.browser(), web.parameters(prompt="login")).last


@pytest.fixture
def consent_page(web):
    return web.authorize(decision=None, prompt="consent").last


@pytest.fixture
def error_page(web):
    return web.ask(web.browser(), web.parameters(client_id="nosuch")).last


def policy(answer):
    """The directives of the Content-Security-Policy."""
    parts = [part.split() for part in (answer.header("content-security-policy") or "").split(";") if part.strip()]
    return {part[0]: part[1:] for part in parts}


@pytest.mark.bcp("no-frames")
@pytest.mark.parametrize("page", ["login_page", "consent_page", "error_page"])
def test_no_frames(page, request):
    """RFC 9700 §4.16: refused by CSP, and by X-Frame-Options for old browsers."""
    answer = request.getfixturevalue(page)
    assert policy(answer).get("frame-ancestors") == ["'none'"], answer


@pytest.mark.parametrize("page", ["login_page", "consent_page", "error_page"])
def test_strict_policy(page, request):
    """The design: a strict CSP: no inline script, nothing from elsewhere."""
    rules = policy(request.getfixturevalue(page))
    assert rules["default-src"] in (["'none'"], ["'self'"]) and rules.get("base-uri") in (["'none'"], ["'self'"])
    for directive, sources in rules.items():
        if directive.startswith(("script-src", "default-src", "object-src")):
            assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "data:"} & set(sources), (directive, sources)


@pytest.mark.bcp("no-postmessage")
@pytest.mark.parametrize("page", ["login_page", "consent_page", "error_page"])
def test_no_scripts_needed(page, request):
    """The issue: plain forms that work without JavaScript; RFC 9700 §4.17: no postMessage."""
    answer = request.getfixturevalue(page)
    assert "postMessage" not in answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text), "an inline script"
    assert not re.search(r"\son[a-z]+\s*=", answer.text), "an inline handler"


@pytest.mark.parametrize("page", ["login_page", "consent_page"])
def test_pages_are_not_kept(page, request):
    """RFC 9111 §5.2.2.5: pages of a login are no-store."""
    assert "no-store" in request.getfixturevalue(page).header("cache-control")


def test_no_referrer(web):
    """RFC 9700 §4.2.4: the pages that hold request data leak no URL."""
    answer = web.ask(web.browser(), web.parameters(prompt="login")).last
    referrer = answer.header("referrer-policy")
    assert referrer in ("no-referrer", "same-origin", "strict-origin", "origin") or 'name="referrer"' in answer.text, answer


@pytest.mark.bcp("no-cors-at-authorize")
@pytest.mark.parametrize("origin", [registry.SPA_ORIGIN, "https://evil.test", "null"])
def test_no_cors_at_authorize(web, origin):
    """RFC 9700 §2.6: the authorization endpoint and its pages are for navigation, not for scripts."""
    journey = web.ask(web.browser(), web.parameters(prompt="login"))
    for answer in [*journey.answers, web.browser().get(web.metadata["authorization_endpoint"], web.parameters(), {"Origin": origin})]:
        assert not answer.all("access-control-allow-origin"), answer
    preflight = web.browser().send("OPTIONS", web.metadata["authorization_endpoint"], None,
                                   {"Origin": origin, "Access-Control-Request-Method": "GET"})  # fmt: skip
    assert not preflight.all("access-control-allow-origin"), preflight


def test_cors_at_the_token_endpoint(rp):
    """RFC 9700 §2.6: endpoints that scripts call may allow it, without credentials."""
    spa = rp("spa")
    answer = spa.redeem(spa.authorize(), headers={"Origin": registry.SPA_ORIGIN})
    assert answer.status == 200 and answer.header("access-control-allow-origin") in ("*", registry.SPA_ORIGIN), answer
    assert answer.header("access-control-allow-credentials") is None
    preflight = spa.http.send("OPTIONS", spa.metadata["token_endpoint"], None,
                              {"Origin": registry.SPA_ORIGIN, "Access-Control-Request-Method": "POST",
                               "Access-Control-Request-Headers": "dpop"})  # fmt: skip
    assert preflight.status in (200, 204) and preflight.header("access-control-allow-origin"), preflight


@pytest.mark.bcp("see-other")
def test_303_after_credentials(web):
    """RFC 9700 §4.12: whatever follows a POST with a password never repeats its body."""
    journey = web.authorize(prompt="consent")
    posts = [answer for answer in journey.answers if answer.method == "POST"]
    assert posts and all(answer.status in (200, 302, 303) for answer in posts), posts
    assert all(answer.status == 303 for answer in posts if answer.is_redirect), posts


@pytest.mark.bcp("see-other")
def test_never_307(web):
    """RFC 9700 §4.12: no 307 and no 308 anywhere on the way, by GET or by POST."""
    for method in ("GET", "POST"):
        journey = web.authorize(method=method)
        assert not [answer for answer in journey.answers if answer.status in (307, 308)]


@pytest.mark.bcp("login-before-redirect")
@pytest.mark.parametrize("fields", [{}, {"prompt": "login"}, {"login_hint": "alice"}, {"scope": "openid admin"}], ids=str)
def test_no_redirect_before_login(web, fields):
    """RFC 9700 §4.11.2: a request that asks the user sends nobody to the client before the user has proved who it is."""
    journey = web.ask(web.browser(), web.parameters(**fields))
    assert journey.callback is None or journey.callback.get("error") in ("invalid_scope",), journey


@pytest.mark.bcp("no-token-in-query")
def test_nothing_secret_in_urls(web):
    """RFC 9700 §4.3.2: no token and no password in any URL on the way; a code only in the one to the client."""
    browser = web.browser()
    journey = web.authorize(browser=browser, scope="openid offline_access")
    body = web.good(web.redeem(journey))
    urls = " ".join(answer.url for answer in browser.log + web.http.log)
    for secret in (body["access_token"], body["refresh_token"], body["id_token"], web.client.secret, web.target.users["alice"].password):
        assert secret not in urls
    assert not any(name in journey.redirect for name in ("access_token=", "id_token=", "refresh_token="))


def cookies_of(web):
    browser = web.browser()
    web.authorize(browser=browser)
    return [cookie for answer in browser.log for cookie in answer.all("set-cookie")]


def test_cookies(web):
    """RFC 6265bis §4.1.2: Secure, HttpOnly, SameSite."""
    cookies = cookies_of(web)
    assert cookies
    for cookie in cookies:
        attributes = {part.strip().lower().split("=")[0] for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite"} <= attributes, cookie
        assert "domain" not in attributes, cookie


def test_cookie_names_and_sites(web):
    """The design: `__Host-`, Path=/, SameSite=Lax or stricter."""
    for cookie in cookies_of(web):
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith("__Host-") and "path=/" in attributes, cookie
        assert {"samesite=lax", "samesite=strict"} & attributes, cookie


def test_cross_site_post_keeps_the_session(web):
    """The design: a cross-site POST comes without cookies; it is stored, and 303 to a GET brings the session."""
    browser = web.browser()
    web.authorize(browser=browser)
    fields = web.parameters(prompt="none")
    kept, browser.cookies = browser.cookies, {}
    answer = browser.post(web.metadata["authorization_endpoint"], fields, {"Origin": "https://web.test", "Sec-Fetch-Site": "cross-site"})
    browser.cookies = {**browser.cookies, **kept}
    assert answer.status == 303, answer
    journey = browsers.Journey(browser, "https://" + answer.url.split("/")[2])
    journey.take(browser.get(answer.location)) if journey.inside(answer.location) else journey.take(answer)
    assert "code" in (journey.callback or {}), journey


def test_forged_consent(web):
    """RFC 6819 §4.4.1.10: a consent that another site posts does not count (CSRF)."""
    browser = web.browser()
    journey = web.authorize(browser=browser, decision=None, prompt="consent")
    form = next(form for form in journey.last.forms() if form.buttons_named("decision"))
    hidden = [name for name, _, kind in form.fields if kind == "hidden"]
    place, _, last = form.action.rpartition("/")
    if not hidden:  # then what can't be known is in the address
        parts = place.split("/")
        form.action = "/".join("A" * len(part) if len(part) > 20 else part for part in parts) + "/" + last
    journey.take(browser.submit(form, {name: "A" * 43 for name in hidden}, ("decision", "allow")))
    assert "code" not in (journey.callback or {}), journey


@pytest.mark.parametrize("head", [
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
], ids=["another", "null"])  # fmt: skip
def test_consent_from_another_origin(web, head):
    """The design: the browser's own word (Origin, Sec-Fetch-Site) against a posted form from elsewhere."""
    browser = web.browser()
    journey = web.authorize(browser=browser, decision=None, prompt="consent")
    form = next(form for form in journey.last.forms() if form.buttons_named("decision"))
    journey.take(browser.submit(form, {}, ("decision", "allow"), head))
    assert "code" not in (journey.callback or {}), journey


# Nothing tells whether a user exists


def attempt(web, name, password):
    user = dataclasses.replace(web.target.users["alice"], name=name, password=password)
    return web.authorize(user, web.stranger(), prompt="login").last


def plain(answer, name):
    """A page without what differs by request, and without the name that was typed."""
    text = re.sub(r'(value|action|content|nonce)="[^"]*"', "", answer.text.replace(name, "NAME"))
    text = re.sub(r"[A-Za-z0-9_-]{20,}", "", text)
    return re.sub(r"\d+", "0", text)


@pytest.mark.parametrize("stranger", ["nobody", "alice2", "root", "nobody@shop.test"])
def test_unknown_user_looks_the_same(web, person, stranger):
    """The issue: no oracle on whether a user exists: status, text, headers."""
    owner = person().name  # one that nobody has failed with: throttling counts both alike
    known, unknown = attempt(web, owner, "wrong password"), attempt(web, stranger, "wrong password")
    assert known.status == unknown.status
    assert plain(known, owner) == plain(unknown, stranger)
    assert sorted({name.lower() for name, _ in known.fields}) == sorted({name.lower() for name, _ in unknown.fields})


@pytest.mark.parametrize("hint", ["alice", "nobody"])
def test_hint_tells_nothing(web, hint):
    """OIDC Core §3.1.2.1: login_hint fills a field in at most; the page is the same for all."""
    pages = [plain(web.ask(web.browser(), web.parameters(login_hint=name)).last, name) for name in ("alice", hint)]
    assert pages[0] == pages[1]


def test_unknown_user_takes_as_long(web, person):
    """The issue: timing included: an unknown user costs a hash as well."""

    def cost(name):
        browser = web.stranger()
        journey = web.ask(browser, web.parameters(prompt="login"))
        form = next(form for form in journey.last.forms() if form.has("username"))
        button = next(iter(form.buttons), None)
        if not form.has("password"):
            journey.take(browser.submit(form, {"username": name}, button))
            form = next(form for form in journey.last.forms() if form.has("password"))
        began = time.perf_counter()
        browser.submit(form, {"username": name, "password": "wrong password"}, next(iter(form.buttons), None))
        return time.perf_counter() - began

    people = [person().name for _ in range(5)]
    cost(people.pop())
    known = statistics.median(cost(name) for name in people)
    unknown = statistics.median(cost(f"stranger{number}") for number in range(4))
    assert unknown > known * 0.5 - 0.005 and known > unknown * 0.5 - 0.005, (known, unknown)


@pytest.mark.parametrize("name, password", [
    ("", ""), ("alice", ""), ("", "x"), ("a" * 5000, "x"), ("alice", "x" * 5000), ("alice\x00", "x"), ("al\r\nice", "x"),
    ("' or '1'='1", "' or '1'='1"), ("<script>alert(1)</script>", "x"), ("аlice", "x"), ("alice", "\ud7ff" * 100), ("*", "*"),
], ids=range(12))  # fmt: skip
def test_odd_credentials(web, person, name, password):
    """Bad input: the login page again, nothing let in, nothing of the input as markup."""
    answer = attempt(web, name.replace("alice", person().name), password)
    assert answer.status in (200, 400, 401, 403, 413, 422, 429), answer
    assert "<script>alert" not in answer.text and "code=" not in (answer.location or "")


def test_page_has_a_language(login_page):
    """WCAG 2.2 §3.1.1: the page says its language, and its encoding."""
    assert re.search(r"<html[^>]*\blang=", login_page.text) and "charset=utf-8" in login_page.header("content-type").lower()


def test_ui_locales(web, target):
    """OIDC Core §3.1.2.1: ui_locales chooses among the languages that there are."""
    answer = web.ask(web.browser(), web.parameters(ui_locales="de")).last
    supported = web.metadata.get("ui_locales_supported", [])
    language = re.search(r'<html[^>]*\blang="([a-zA-Z]+)', answer.text)[1]
    assert language == ("de" if "de" in supported else language)
