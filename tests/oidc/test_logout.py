"""RP-Initiated Logout 1.0 and Back-Channel Logout 1.0."""

import agent as browsers
import proofs
import pytest
import targets

EVENT = "http://schemas.openid.net/event/backchannel-logout"
BYE = "https://logout.test/bye"


@pytest.fixture
def one(rp):
    return rp("logout")


@pytest.fixture
def signed_in(one):
    browser = one.browser()
    body = one.good(one.redeem(one.authorize(browser=browser, scope="openid offline_access")))
    return browser, body


def sign_out(rp, browser, method="GET", confirm=True, **fields):
    """To the end session endpoint, and through the confirmation if the provider asks."""
    journey = browsers.Journey(browser, targets.origin(rp.target.issuer))
    send = browser.get if method == "GET" else browser.post
    journey.take(send(rp.metadata["end_session_endpoint"], fields))
    if confirm and journey.callback is None:
        for form in journey.last.forms():
            button = next((button for button in form.buttons if button[0] in ("logout", "decision")), next(iter(form.buttons), None))
            journey.take(browser.submit(form, {}, button))
            break
        journey.go(None)
    return journey


def is_signed_in(rp, browser):
    journey = rp.authorize(None, browser, prompt="none")
    return "code" in journey.callback


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logout(one, signed_in, method):
    """RP-Initiated Logout §2, §3: the session ends, the user comes back with the state."""
    browser, body = signed_in
    assert is_signed_in(one, browser)
    journey = sign_out(one, browser, method, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE, state="s t")
    assert journey.redirect.split("?")[0] == BYE and journey.callback == {"state": "s t"}, journey
    assert not is_signed_in(one, browser)


def test_without_a_hint(one, signed_in):
    """RP-Initiated Logout §2: without id_token_hint the user is asked first."""
    browser, _ = signed_in
    asked = sign_out(one, browser, confirm=False)
    assert asked.callback is None and asked.last.forms(), asked
    assert is_signed_in(one, browser), "signed out by a mere link (CSRF)"
    sign_out(one, browser)
    assert not is_signed_in(one, browser)


def test_by_client_id(one, signed_in):
    """RP-Initiated Logout §2: `client_id` tells whose redirect it is; the user is asked."""
    browser, _ = signed_in
    journey = sign_out(one, browser, client_id="logout", post_logout_redirect_uri=BYE)
    assert journey.redirect and journey.redirect.split("?")[0] == BYE, journey


WRONG = [
    "https://evil.test/bye", BYE + "/", BYE + "?a=b", BYE + "#x", "https://logout.test/BYE", "http://logout.test/bye",
    "https://logout.test:444/bye", "https://logout.test@evil.test/bye", "https://logout.test/cb", "javascript:alert(1)", BYE + "/../x",
    "//evil.test", "https://logout.test.evil.test/bye", BYE + "\r\nx: y",
]  # fmt: skip


@pytest.mark.bcp("redirect-exact")
@pytest.mark.parametrize("place", WRONG)
def test_unregistered_place(one, signed_in, place):
    """RP-Initiated Logout §3: an exact match of a registered value, or no redirect at all."""
    browser, body = signed_in
    journey = sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=place)
    assert journey.redirect is None, journey


def test_place_without_a_client(one, signed_in):
    """RP-Initiated Logout §2, §3: without knowing the client there is no place to go to."""
    browser, _ = signed_in
    assert sign_out(one, browser, post_logout_redirect_uri=BYE).redirect is None


def test_place_of_another_client(one, rp, signed_in):
    """RP-Initiated Logout §2: hint and place must belong together."""
    browser, _ = signed_in
    hint = rp("web").tokens()["id_token"]
    assert sign_out(one, browser, id_token_hint=hint, post_logout_redirect_uri=BYE).redirect is None
    assert sign_out(one, browser, id_token_hint=hint, client_id="logout", post_logout_redirect_uri=BYE).redirect is None


@pytest.mark.parametrize("forge", ["alg none", "another key", "tampered", "garbage", "access token"])
def test_forged_hint(one, signed_in, forge):
    """RP-Initiated Logout §2, §4: a hint that we did not sign ends no session and sends nobody anywhere."""
    browser, body = signed_in
    claims = proofs.claims_of(body["id_token"])
    hint = {
        "alg none": lambda: proofs.unsigned(claims), "another key": lambda: proofs.Key().sign(claims),
        "tampered": lambda: proofs.tampered(body["id_token"], aud="web"), "garbage": lambda: "a.b.c",
        "access token": lambda: body["access_token"],
    }[forge]()  # fmt: skip
    journey = sign_out(one, browser, confirm=False, id_token_hint=hint, post_logout_redirect_uri=BYE)
    assert journey.redirect is None and is_signed_in(one, browser), journey


def test_hint_of_another_user(one, signed_in):
    """RP-Initiated Logout §2: another user's hint does not end this user's session unasked."""
    browser, _ = signed_in
    hint = one.tokens("bob")["id_token"]
    sign_out(one, browser, confirm=False, id_token_hint=hint)
    assert is_signed_in(one, browser)


def test_expired_hint(hasty_rp):
    """RP-Initiated Logout §2: the hint may have expired: it is no credential."""
    one = hasty_rp("logout")
    browser = one.browser()
    body = one.good(one.redeem(one.authorize(browser=browser)))
    journey = sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    assert (journey.redirect or "").split("?")[0] == BYE, journey


def test_not_signed_in(one):
    """RP-Initiated Logout §2: nobody signed in is no error."""
    journey = sign_out(one, one.browser())
    assert journey.last.status < 500, journey


@pytest.mark.parametrize("fields", [{"state": "x" * 3000}, {"id_token_hint": ""}, {"client_id": "nosuch"}, {"ui_locales": "fr"}, {"logout_hint": "x"},
                                    {"client_id": "\x00"}, {"extra": "x"}], ids=str)  # fmt: skip
def test_odd_parameters(one, fields):
    """RP-Initiated Logout §2: optional or unknown: no crash, no redirect."""
    journey = sign_out(one, one.browser(), **fields)
    assert journey.last.status < 500 and journey.redirect is None, journey


def test_one_browser_only(one, signed_in):
    """The session of the browser that asks; another device's goes on."""
    browser, body = signed_in
    other = one.browser()
    one.authorize(browser=other)
    sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    assert is_signed_in(one, other)


# Back-channel


def drain(bell):
    while not bell.nothing():
        bell.next()


def test_backchannel(one, signed_in, bell):
    """Back-Channel Logout §2.4, §2.5: a form with a logout token, signed, for this client, of this session."""
    browser, body = signed_in
    claims = one.id_token(body["id_token"])
    drain(bell)
    sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    heard = bell.next()
    assert heard["type"].startswith("application/x-www-form-urlencoded")
    head = proofs.header_of(heard["logout_token"])
    assert head.get("typ", "logout+jwt").lower() in ("logout+jwt", "jwt") and head["alg"] != "none"
    told = proofs.verified(heard["logout_token"], one.jwks(), "logout", one.metadata["issuer"])
    assert told["events"] == {EVENT: {}} and "nonce" not in told
    assert told["jti"] and abs(told["iat"] - proofs.now()) < 30 and told.get("sub") in (None, claims["sub"])
    assert told.get("sub") or told.get("sid")
    assert told.get("sid") == claims.get("sid"), "the ID token and the logout token name the same session"


def test_backchannel_typ(one, signed_in, bell):
    """Back-Channel Logout §2.4: explicit typing `logout+jwt`, so that it is taken for nothing else."""
    browser, body = signed_in
    drain(bell)
    sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    assert proofs.header_of(bell.next()["logout_token"])["typ"] == "logout+jwt"


def test_backchannel_through_another_client(one, rp, signed_in, bell):
    """Back-Channel Logout §2.7: whoever ends the session, every client in it is told."""
    browser, _ = signed_in
    web = rp("web")
    hint = web.good(web.redeem(web.authorize(browser=browser)))["id_token"]
    drain(bell)
    sign_out(web, browser, id_token_hint=hint)
    assert "logout_token" in bell.next()


def test_tokens_after_logout(one, signed_in):
    """Back-Channel Logout §2.7: refresh tokens with offline_access SHOULD stay; online access ends or expires."""
    browser, body = signed_in
    sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    assert one.refresh(body["refresh_token"]).status == 200


def test_logout_token_is_no_id_token(one, signed_in, bell):
    """Back-Channel Logout §2.4: the logout token opens nothing."""
    browser, body = signed_in
    drain(bell)
    sign_out(one, browser, id_token_hint=body["id_token"], post_logout_redirect_uri=BYE)
    token = bell.next()["logout_token"]
    assert one.userinfo(token).status == 401
    other = one.browser()
    one.authorize(browser=other)
    journey = sign_out(one, other, confirm=False, id_token_hint=token, post_logout_redirect_uri=BYE)
    assert journey.redirect is None and is_signed_in(one, other)
